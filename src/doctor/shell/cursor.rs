//! A text with a place in it: words with what they come to, and past all that sets nothing.

use super::Dialect;
use super::variables::Variables;
use super::word::{Word, is_name};

/// `${a:-${a:-…}}`: each is a step down the stack.
const DEEPEST: usize = 32;
/// What `uname` prints: files for several systems ask it.
const SYSTEM: &str = if cfg!(target_os = "macos") {
    "Darwin"
} else {
    "Linux"
};

/// A text with a place in it.
#[derive(Debug)]
pub(super) struct Cursor {
    chars: Vec<char>,
    pub(super) at: usize,
    /// From 1.
    pub(super) line: usize,
    pub(super) dialect: Dialect,
    /// Here-documents whose text is still to come: the delimiter, and whether tabs before it
    /// count for nothing.
    documents: Vec<(String, bool)>,
    /// `${NAME:=word}` of the words read last.
    pub(super) defaults: Vec<(String, Option<String>)>,
}

impl Cursor {
    /// At the beginning of a text whose first line has this number.
    pub(super) fn new(text: &str, line: usize, dialect: Dialect) -> Cursor {
        Cursor {
            // Files for Git Bash have either end of line.
            chars: text.replace("\r\n", "\n").chars().collect(),
            at: 0,
            line,
            dialect,
            documents: Vec::new(),
            defaults: Vec::new(),
        }
    }

    pub(super) fn is_fish(&self) -> bool {
        self.dialect == Dialect::Fish
    }

    pub(super) fn is_zsh(&self) -> bool {
        self.dialect == Dialect::Zsh
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.peek_at(0)
    }

    pub(super) fn peek_at(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += 1;
        self.line += usize::from(c == '\n');
        Some(c)
    }

    /// Goes past the text if it stands here.
    pub(super) fn eat(&mut self, text: &str) -> bool {
        let mut chars = text.chars().enumerate();
        let here = chars.all(|(i, c)| self.peek_at(i) == Some(c));
        if here {
            self.at += text.chars().count();
        }
        here
    }

    /// The text from a place up to another one.
    pub(super) fn between(&self, from: usize, to: usize) -> String {
        let part = self.chars.get(from..to).unwrap_or_default();
        part.iter().collect()
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> String {
        let from = self.at;
        while self.peek().is_some_and(&wanted) {
            self.next();
        }
        self.between(from, self.at)
    }

    /// Up to the end of the line, which stays.
    pub(super) fn take_line(&mut self) -> String {
        self.take_while(|c| c != '\n')
    }

    /// Blanks, line ends that a backslash takes away, and a comment.
    pub(super) fn skip_blanks(&mut self) {
        loop {
            self.take_while(|c| matches!(c, ' ' | '\t' | '\r'));
            if self.peek() == Some('#') {
                self.take_line();
            }
            if self.peek() != Some('\\') || self.peek_at(1) != Some('\n') {
                return;
            }
            self.next();
            self.next();
        }
    }

    /// Past the end of a line, and past the here-documents that it has announced.
    pub(super) fn end_line(&mut self) {
        self.next();
        for (delimiter, tabs) in std::mem::take(&mut self.documents) {
            while self.peek().is_some() {
                let line = self.take_line();
                self.next();
                let line = line.trim_start_matches(|c| tabs && c == '\t');
                if line == delimiter {
                    break;
                }
            }
        }
    }

    /// `>file`, `2>&1`, `<<END`
    pub(super) fn redirection(&mut self, variables: &Variables) {
        let here = !self.is_fish() && self.eat("<<") && !self.eat("<");
        let tabs = here && self.eat("-");
        self.take_while(|c| matches!(c, '<' | '>' | '&' | '|' | '!'));
        self.take_while(|c| matches!(c, ' ' | '\t'));
        let word = self.word(variables);
        if let Some(word) = word.filter(|_| here) {
            self.documents.push((word.text, tabs));
        }
    }

    /// Past the character that closes what is open, quotes, nested ones and comments minded:
    /// what stood before it.
    pub(super) fn skip_to(&mut self, close: char) -> String {
        let from = self.at;
        let mut open = vec![close];
        let mut before = ' ';
        while let Some(&top) = open.last()
            && let Some(c) = self.next()
        {
            match c {
                '\\' => {
                    self.next();
                }
                c if c == top => {
                    open.pop();
                }
                '"' | '`' => open.push(c),
                '(' if before == '$' || top == ')' => open.push(')'),
                '{' if before == '$' => open.push('}'),
                '\'' if top != '"' => {
                    self.take_while(|c| c != '\'');
                    self.next();
                }
                '#' if top == ')' && matches!(before, ' ' | '\t' | '\n' | ';' | '(') => {
                    self.take_line();
                }
                _ => {}
            }
            before = c;
        }
        self.between(from, self.at.saturating_sub(1))
    }

    /// A word with what it comes to; `None`: none begins here.
    pub(super) fn word(&mut self, variables: &Variables) -> Option<Word> {
        let from = self.at;
        let mut word = Word::default();
        while let Some(c) = self.peek() {
            let opens = self.peek_at(1) == Some('(');
            match c {
                '<' | '>' if opens && !self.is_fish() => {
                    self.at += 2;
                    self.skip_to(')');
                    word.unknown = true;
                }
                '(' if self.is_fish() || word.text.ends_with('=') => {
                    self.next();
                    self.skip_to(')');
                    word.unknown = true;
                }
                // `*.sh(N)`
                '(' if self.is_zsh() && self.at > from && self.peek_at(1) != Some(')') => {
                    self.next();
                    word.unknown |= self.skip_to(')').contains('|');
                }
                ' ' | '\t' | '\r' | '\n' | ';' | '&' | '|' | '<' | '>' | '(' | ')' => break,
                '~' if self.is_home(&word) => {
                    self.next();
                    word.add(variables.value("HOME"));
                }
                c => {
                    if !self.special(&mut word, variables, 0) {
                        self.next();
                        word.push_bare(c);
                    }
                }
            }
        }
        (self.at != from).then_some(word)
    }

    /// `~` alone or before a slash, at the beginning or after an assignment's `=`.
    fn is_home(&self, word: &Word) -> bool {
        let after = self.peek_at(1);
        (word.text.is_empty() || (word.is_bare() && word.text.ends_with('=')))
            && after.is_none_or(|c| matches!(c, '/' | ' ' | '\t' | '\n' | ';' | ')'))
    }

    /// Quotes and references, as they stand outside of double quotes.
    fn special(&mut self, word: &mut Word, variables: &Variables, depth: usize) -> bool {
        match self.peek() {
            Some('\\') => {
                self.next();
                if let Some(c) = self.next().filter(|c| *c != '\n') {
                    word.push(c);
                }
            }
            Some('\'') => {
                self.next();
                let text = self.single();
                word.add(Some(&text));
            }
            Some('"') => {
                self.next();
                self.double(word, variables, depth);
            }
            Some('$') if self.peek_at(1) == Some('\'') => {
                self.at += 2;
                self.ansi(word);
            }
            Some('$') if self.peek_at(1) == Some('"') => {
                self.next();
            }
            Some('$') => self.reference(word, variables, depth),
            Some('`') if !self.is_fish() => self.reference(word, variables, depth),
            _ => return false,
        }
        true
    }

    fn single(&mut self) -> String {
        let mut text = String::new();
        while let Some(c) = self.next().filter(|c| *c != '\'') {
            let escapes = self.is_fish() && c == '\\' && matches!(self.peek(), Some('\'' | '\\'));
            text.extend(if escapes { self.next() } else { Some(c) });
        }
        text
    }

    /// `$'…'`: its usual escapes.
    fn ansi(&mut self, word: &mut Word) {
        while let Some(c) = self.next().filter(|c| *c != '\'') {
            match if c == '\\' { self.next() } else { None } {
                None => word.push(c),
                Some('n') => word.push('\n'),
                Some('t') => word.push('\t'),
                Some(c) if c.is_alphanumeric() => word.unknown = true,
                Some(c) => word.push(c),
            }
        }
    }

    /// Within `"…"`, after the opening quote.
    fn double(&mut self, word: &mut Word, variables: &Variables, depth: usize) {
        // Even an empty one is a word that is quoted.
        word.add(Some(""));
        while let Some(c) = self.peek() {
            match c {
                '$' | '`' if c == '$' || !self.is_fish() => {
                    self.reference(word, variables, depth);
                    continue;
                }
                _ => self.next(),
            };
            match c {
                '"' => return,
                '\\' => match self.next() {
                    Some('\n') | None => {}
                    Some(c @ ('$' | '`' | '"' | '\\')) => word.push(c),
                    Some(c) => {
                        word.push('\\');
                        word.push(c);
                    }
                },
                c => word.push(c),
            }
        }
    }

    /// `$NAME`, `${NAME…}`, a command's output.
    fn reference(&mut self, word: &mut Word, variables: &Variables, depth: usize) {
        let back = self.next() == Some('`');
        match self.peek() {
            Some(c) if back || c == '(' => {
                self.at += usize::from(!back);
                let command = self.skip_to(if back { '`' } else { ')' });
                let known = matches!(command.trim(), "uname" | "uname -s");
                word.add(known.then_some(SYSTEM));
            }
            Some('{') if !self.is_fish() => {
                self.next();
                self.braces(word, variables, depth);
            }
            Some(c) if c == '_' || c.is_ascii_alphabetic() => {
                let name = self.name();
                word.add(variables.value(&name));
            }
            // A function's argument, the shell's options.
            Some(c @ ('1'..='9' | '-')) => {
                self.next();
                word.add(variables.value(&c.to_string()));
            }
            Some('0' | '?' | '#' | '@' | '*' | '!' | '$') => {
                self.next();
                word.unknown = true;
            }
            Some(_) | None => word.push('$'),
        }
    }

    fn name(&mut self) -> String {
        self.take_while(|c| c == '_' || c.is_ascii_alphanumeric())
    }

    /// After `${`. `:-` and `:=` stand in for an empty value as well, and go takes an empty one
    /// for unset, so `-` and `=` are the same here.
    fn braces(&mut self, word: &mut Word, variables: &Variables, depth: usize) {
        let name = self.name();
        let is_name = is_name(&name) || matches!(name.as_bytes(), [b'1'..=b'9']);
        if is_name && self.eat("}") {
            word.add(variables.value(&name));
            return;
        }
        let assigns = [(":-", false), (":=", true), ("-", false), ("=", true)]
            .into_iter()
            .find_map(|(operator, assigns)| self.eat(operator).then_some(assigns));
        let Some(assigns) = assigns.filter(|_| is_name && depth < DEEPEST) else {
            self.skip_to('}');
            word.unknown = true;
            return;
        };
        let mut other = Word::default();
        while let Some(c) = self.peek().filter(|c| *c != '}') {
            if !self.special(&mut other, variables, depth + 1) {
                self.next();
                other.push(c);
            }
        }
        self.next();
        let value = variables.value(&name);
        if value != Some("") {
            word.add(value);
            return;
        }
        word.add(other.known());
        if assigns && name.starts_with("GO") {
            self.defaults.push((name, other.known().map(str::to_owned)));
        }
    }
}
