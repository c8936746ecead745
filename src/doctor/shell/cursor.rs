//! Reads words and commands at a place in a text: words with their values, one command after the
//! other. A keyword of a block is a command of one word.

use super::Dialect;
use super::word::{Variables, Word};

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
        }
    }

    pub(super) fn is_fish(&self) -> bool {
        self.dialect == Dialect::Fish
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

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> String {
        let from = self.at;
        while self.peek().is_some_and(&wanted) {
            self.next();
        }
        self.from(from, 0)
    }

    /// The text from a place up to here, without so many characters of its end.
    fn from(&self, from: usize, without: usize) -> String {
        let part = self.chars.get(from..self.at.saturating_sub(without));
        part.unwrap_or_default().iter().collect()
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
                '#' if top == ')' && matches!(before, ' ' | '\t' | '\n' | ';') => {
                    self.take_line();
                }
                _ => {}
            }
            before = c;
        }
        self.from(from, 1)
    }

    /// A word with what it comes to; `None`: none begins here.
    pub(super) fn word(&mut self, variables: &Variables) -> Option<Word> {
        let from = self.at;
        let mut word = Word::default();
        while let Some(c) = self.peek() {
            let opens = self.peek_at(1) == Some('(');
            match c {
                '<' | '>' if opens && !self.is_fish() => {
                    self.next();
                    word.push(c);
                }
                '(' if self.is_fish() || word.text.ends_with(['=', '<', '>']) => {
                    self.next();
                    self.skip_to(')');
                    word.unknown = true;
                }
                // `*.sh(N)`
                '(' if self.dialect == Dialect::Zsh
                    && self.at > from
                    && self.peek_at(1) != Some(')') =>
                {
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
                self.single(word, false);
            }
            Some('"') => {
                self.next();
                self.double(word, variables, depth);
            }
            Some('$') if self.peek_at(1) == Some('\'') => {
                self.at += 2;
                self.single(word, true);
            }
            Some('$') => self.reference(word, variables, depth),
            Some('`') if !self.is_fish() => self.reference(word, variables, depth),
            _ => return false,
        }
        true
    }

    /// Up to the closing `'`; with the escapes of `$'…'`, where they are simple.
    fn single(&mut self, word: &mut Word, escapes: bool) {
        while let Some(c) = self.next().filter(|c| *c != '\'') {
            let fish = self.is_fish() && matches!(self.peek(), Some('\'' | '\\'));
            let escape = c == '\\' && (escapes || fish);
            match if escape { self.next() } else { Some(c) } {
                Some(c) if escape && c.is_alphanumeric() => word.unknown = true,
                Some(c) => word.push(c),
                None => {}
            }
        }
    }

    /// Within `"…"`, after the opening quote.
    fn double(&mut self, word: &mut Word, variables: &Variables, depth: usize) {
        while let Some(c) = self.peek() {
            if c == '$' || (c == '`' && !self.is_fish()) {
                self.reference(word, variables, depth);
                continue;
            }
            self.next();
            match (c, self.peek()) {
                ('"', _) => return,
                ('\\', Some('\n')) => drop(self.next()),
                ('\\', Some(escaped @ ('$' | '`' | '"' | '\\'))) => {
                    self.next();
                    word.push(escaped);
                }
                _ => word.push(c),
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
                let inner = self.skip_to('}');
                self.braces(&inner, word, variables, depth);
            }
            Some(c) if c == '_' || c.is_ascii_alphabetic() => {
                let name = self.take_while(is_part_of_name);
                word.add(variables.value(&name));
            }
            // `$-` are the shell's options; a function's arguments are not known.
            Some(c @ ('0'..='9' | '-' | '?' | '#' | '@' | '*' | '!' | '$')) => {
                self.next();
                word.add(variables.value(&c.to_string()));
            }
            Some(_) | None => word.push('$'),
        }
    }

    /// `NAME`, `NAME:-word`. `:-` and `:=` stand in for an empty value as well, and go takes an
    /// empty one for unset, so `-` and `=` are the same here.
    fn braces(&self, inner: &str, word: &mut Word, variables: &Variables, depth: usize) {
        let name = inner.trim_start_matches(is_part_of_name);
        let (name, rest) = inner.split_at(inner.len() - name.len());
        let operators = [":-", ":=", "-", "="];
        let other = operators.iter().find_map(|one| rest.strip_prefix(one));
        match (variables.value(name), other) {
            (Some(""), Some(other)) if depth < DEEPEST => {
                let mut cursor = Cursor::new(other, self.line, self.dialect);
                while let Some(c) = cursor.peek() {
                    if !cursor.special(word, variables, depth + 1) {
                        cursor.next();
                        word.push(c);
                    }
                }
            }
            (value, Some(_)) => word.add(value),
            (value, None) => word.add(value.filter(|_| rest.is_empty())),
        }
    }
}

fn is_part_of_name(c: char) -> bool {
    c == '_' || c.is_ascii_alphanumeric()
}

/// One command.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) words: Vec<Word>,
    /// From 1.
    pub(super) line: usize,
    pub(super) end: End,
}

/// What ends a command, and so says on what the next one depends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum End {
    /// A line's end, `;`, or nothing after a keyword.
    Plain,
    /// `&&`
    And,
    /// `||`
    Or,
    /// `|`
    Pipe,
    /// `&`
    Background,
    /// `;;`
    Arm,
    /// `(`
    Open,
    /// `)`
    Close,
}

const ENDS: [(&str, End); 12] = [
    ("&&", End::And),
    ("||", End::Or),
    (";;&", End::Arm),
    (";;", End::Arm),
    (";&", End::Arm),
    (";", End::Plain),
    ("|&", End::Pipe),
    ("|", End::Pipe),
    // zsh: in the background, and not the shell's to end.
    ("&|", End::Background),
    ("&!", End::Background),
    ("&", End::Background),
    (")", End::Close),
];
const KEYWORDS: [&str; 13] = [
    "if", "then", "elif", "else", "fi", "while", "until", "do", "done", "esac", "{", "}", "!",
];
const OF_FISH: [&str; 9] = [
    "if", "else", "while", "begin", "end", "and", "or", "not", "!",
];

impl Cursor {
    /// The next command; `None` at the end of the text.
    pub(super) fn command(&mut self, variables: &Variables) -> Option<Command> {
        self.skip_blanks();
        let line = self.line;
        let mut words = Vec::new();
        let end = self.words(variables, &mut words);
        let done = end.is_none() && words.is_empty();
        (!done).then_some(Command {
            words,
            line,
            end: end.unwrap_or(End::Plain),
        })
    }

    fn words(&mut self, variables: &Variables, words: &mut Vec<Word>) -> Option<End> {
        loop {
            self.skip_blanks();
            let mark = (self.at, self.line);
            let both = self.peek()? == '&' && self.peek_at(1) == Some('>');
            let mut ends = ENDS.into_iter();
            if let Some((_, end)) = ends.find(|(sign, _)| !both && self.eat(sign)) {
                return Some(end);
            }
            match self.peek()? {
                '\n' => {
                    self.end_line();
                    return Some(End::Plain);
                }
                '<' | '>' | '&' if self.peek_at(1) != Some('(') => self.redirection(variables),
                '(' if !self.is_fish() => match words.as_slice() {
                    [] if self.peek_at(1) != Some('(') => {
                        self.next();
                        return Some(End::Open);
                    }
                    [_] if self.eat("()") => {
                        words.insert(0, Word::bare("function"));
                        return Some(End::Plain);
                    }
                    // Arithmetic, a pattern of zsh.
                    _ => {
                        self.next();
                        self.skip_to(')');
                        words.push(Word::unknown());
                    }
                },
                _ => {
                    words.extend(self.word(variables));
                    if self.at == mark.0 {
                        self.next();
                    }
                    if let Some(end) = self.after_word(words, mark) {
                        return Some(end);
                    }
                }
            }
        }
    }

    /// Does the command end with the word that was read last, which began at a place?
    fn after_word(&mut self, words: &mut Vec<Word>, from: (usize, usize)) -> Option<End> {
        let last = words.last()?;
        let is_one_of = |keywords: &[&str]| keywords.iter().any(|keyword| last.is(keyword));
        let is_number = last.is_bare() && last.text.chars().all(|c| c.is_ascii_digit());
        let ends = match words.as_slice() {
            // `2>&1`
            _ if is_number && matches!(self.peek(), Some('<' | '>')) => {
                words.pop();
                false
            }
            [_] if self.is_fish() => is_one_of(&OF_FISH),
            [_] => is_one_of(&KEYWORDS),
            // zsh carries a function without a name out at once, and `{ … } always { … }`.
            [first, _] if last.is("{") && (first.is("function") || first.is("always")) => {
                words.remove(0);
                true
            }
            [first, _] if first.is("function") && !self.is_fish() => {
                self.skip_blanks();
                self.eat("()");
                true
            }
            [first, _, _] if first.is("case") => last.is("in"),
            // zsh: `f() { cd $1 }`
            _ if self.dialect == Dialect::Zsh && last.is("}") => {
                words.pop();
                (self.at, self.line) = from;
                true
            }
            _ => false,
        };
        ends.then_some(End::Plain)
    }

    /// The patterns of the next arm of a `case`; `None`: it is over.
    pub(super) fn patterns(&mut self, variables: &Variables) -> Option<Vec<Word>> {
        let mut words = Vec::new();
        self.skip_lines();
        let round = self.eat("(");
        loop {
            self.skip_lines();
            let word = self.word(variables);
            if words.is_empty() && word.as_ref().is_none_or(|word| word.is("esac")) {
                return None;
            }
            words.extend(word);
            self.skip_lines();
            if self.eat(")") {
                // zsh: `(darwin|freebsd)*)`
                if round && self.peek().is_some_and(|c| !c.is_whitespace()) {
                    self.skip_to(')');
                    words.push(Word::unknown());
                }
                return Some(words);
            }
            if !self.eat("|") && self.next().is_none() {
                return Some(words);
            }
        }
    }

    fn skip_lines(&mut self) {
        self.skip_blanks();
        while matches!(self.peek(), Some('\n' | ';')) {
            self.end_line();
            self.skip_blanks();
        }
    }
}
