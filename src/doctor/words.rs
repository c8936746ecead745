//! Splits start-up files of sh, bash, zsh and fish into commands and words, and gives each word its
//! value as far as it is known without running anything.

use std::collections::BTreeMap;

/// Maximum length of a known word in bytes.
const LONGEST: usize = 4096;
/// Represents, in a word, a part that is known only at run time.
const UNKNOWN: char = '\0';

pub(super) type Values = BTreeMap<String, String>;

/// Returns the value of a variable. A go variable that no line has set counts as empty: if it comes
/// from another place, that place has its own finding.
pub(super) fn value<'v>(values: &'v Values, name: &str) -> &'v str {
    let value = values.get(name).map(String::as_str);
    value.unwrap_or(if name.starts_with("GO") { "" } else { "\0" })
}

/// A text and the current position in it.
pub(super) struct Source<'t> {
    pub(super) rest: &'t str,
    pub(super) line: usize,
    pub(super) is_fish: bool,
    /// The delimiters of here-documents whose text follows; whether tabs may precede them (`<<-`).
    pub(super) documents: Vec<(String, bool)>,
}

/// What may follow a command.
const ENDS: [&str; 14] = [
    "\n", "&&", "||", ";;&", ";;", ";&", ";", "|&", "|", "&|", "&!", "&", "(", ")",
];

impl<'t> Source<'t> {
    fn take_while(&mut self, is_wanted: impl Fn(char) -> bool) -> &'t str {
        let end = self.rest.find(|c| !is_wanted(c));
        let (taken, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.line += taken.matches('\n').count();
        self.rest = rest;
        taken
    }

    fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let c = chars.next()?;
        self.line += usize::from(c == '\n');
        self.rest = chars.as_str();
        Some(c)
    }

    fn eat(&mut self, text: &str) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Returns the words of the next command, its line, and what ends it; `None` at the end.
    pub(super) fn command(
        &mut self,
        values: &Values,
    ) -> Option<(Vec<String>, usize, &'static str)> {
        let (mut words, mut line) = (Vec::new(), self.line);
        loop {
            self.take_while(|c| matches!(c, ' ' | '\t' | '\r'));
            if self.rest.starts_with('#') {
                self.take_while(|c| c != '\n');
            }
            if self.eat("\\\n") || self.eat("\\\r\n") {
                self.line += 1;
                continue;
            }
            if words.is_empty() {
                line = self.line;
            }
            let before = (self.rest, self.line);
            if self.rest.starts_with(['<', '>']) || self.rest.starts_with("&>") {
                self.redirection(values);
                continue;
            }
            // Otherwise `(` starts arithmetic, a pattern or `f ()`.
            let is_subshell = words.is_empty() && !self.is_fish && !self.rest.starts_with("((");
            let end = ENDS.into_iter().find(|end| self.rest.starts_with(end));
            if let Some(end) = end.filter(|end| is_subshell || *end != "(") {
                self.eat(end);
                if end == "\n" {
                    self.line += 1;
                    self.skip_documents();
                }
                return Some((words, line, end));
            }
            if self.rest.is_empty() {
                return (!words.is_empty()).then_some((words, line, ""));
            }
            let word = self.word(values);
            // zsh: `f() { cd $1 }`
            if word == "}" && !words.is_empty() {
                (self.rest, self.line) = before;
                return Some((words, line, ""));
            }
            // `2>&1`
            let is_number = word.bytes().all(|byte| byte.is_ascii_digit());
            if !is_number || !self.rest.starts_with(['<', '>']) {
                words.push(word);
            }
        }
    }

    /// Reads `>file`, `2>&1`, `<<END`, `<(command)`.
    fn redirection(&mut self, values: &Values) {
        let is_document = !self.is_fish && self.eat("<<") && !self.eat("<");
        let has_tabs = is_document && self.eat("-");
        self.take_while(|c| matches!(c, '<' | '>' | '&' | '|' | '!' | '-'));
        self.take_while(|c| matches!(c, ' ' | '\t'));
        let word = self.word(values);
        self.documents
            .extend(is_document.then_some((word, has_tabs)));
    }

    fn skip_documents(&mut self) {
        for (delimiter, has_tabs) in std::mem::take(&mut self.documents) {
            while !self.rest.is_empty() {
                let line = self.take_while(|c| c != '\n').trim_end_matches('\r');
                self.next();
                let bare = line.trim_start_matches('\t');
                if delimiter == if has_tabs { bare } else { line } {
                    break;
                }
            }
        }
    }

    /// Returns the value of the word that starts here.
    fn word(&mut self, values: &Values) -> String {
        let mut out = String::new();
        let mut is_quoted = false;
        if self.eat("()") {
            return "()".to_owned();
        }
        let ends = [' ', '\t', '\r', '\n', ';', '&', '|', '<', '>', ')'];
        let from = self.rest.len();
        while is_quoted || !self.rest.starts_with(ends) && !self.rest.starts_with("()") {
            if out.len() > LONGEST {
                out = UNKNOWN.to_string();
            }
            let Some(c) = self.next() else { break };
            match (c, self.rest.chars().next()) {
                ('"', _) => is_quoted = !is_quoted,
                ('\'', _) if !is_quoted => self.single(self.is_fish, &mut out),
                ('$', Some('\'')) if !is_quoted => {
                    self.next();
                    self.single(true, &mut out);
                }
                ('\\', Some(next)) => {
                    self.next();
                    if is_quoted && !matches!(next, '$' | '`' | '"' | '\\' | '\n') {
                        out.push('\\');
                    }
                    out.extend((next != '\n').then_some(next));
                }
                ('~', None | Some('/' | ' ' | '\t' | '\n' | ';'))
                    if !is_quoted && (out.is_empty() || out.ends_with('=')) =>
                {
                    out.push_str(value(values, "HOME"));
                }
                ('`', _) if !self.is_fish => {
                    self.skip_to('`');
                    out.push(UNKNOWN);
                }
                ('(', _) if !is_quoted => {
                    // `*.sh(N)` of zsh is a known word.
                    if self.is_fish || out.is_empty() || out.ends_with('=') {
                        out.push(UNKNOWN);
                    }
                    self.skip_to(')');
                }
                ('$', Some(next)) => self.reference(next, values, &mut out),
                _ => out.push(c),
            }
        }
        if self.rest.len() == from {
            self.next();
        }
        out
    }

    /// Reads up to the closing `'`. The meaning of escaped letters and digits is unknown.
    fn single(&mut self, has_escapes: bool, out: &mut String) {
        while let Some(c) = self.next().filter(|c| *c != '\'') {
            let is_escape = !self.is_fish || self.rest.starts_with(['\'', '\\']);
            match c {
                '\\' if has_escapes && is_escape => {
                    let plain = self.next().filter(|c| !c.is_alphanumeric());
                    out.push(plain.unwrap_or(UNKNOWN));
                }
                _ => out.push(c),
            }
        }
    }

    /// Reads what follows a `$`.
    fn reference(&mut self, next: char, values: &Values, out: &mut String) {
        match next {
            '(' => {
                self.next();
                self.skip_to(')');
                out.push(UNKNOWN);
            }
            '{' if !self.is_fish => {
                self.next();
                let inner = self.skip_to('}');
                let end = inner.find(|c| !is_part_of_name(c)).unwrap_or(inner.len());
                let (name, rest) = inner.split_at(end);
                // For go, an empty value is the same as not set, so `-` is the same as `:-` here.
                let other = rest.trim_start_matches(':').strip_prefix(['-', '=']);
                match (value(values, name), other) {
                    // A default in a default is not followed.
                    ("", Some(other)) if !other.contains("${") => {
                        let mut source = Source {
                            rest: other,
                            documents: Vec::new(),
                            ..*self
                        };
                        out.push_str(&source.word(values));
                    }
                    ("", Some(_)) => out.push(UNKNOWN),
                    (_, None) if !rest.is_empty() => out.push(UNKNOWN),
                    (value, _) => out.push_str(value),
                }
            }
            c if is_part_of_name(c) && !c.is_ascii_digit() => {
                out.push_str(value(values, self.take_while(is_part_of_name)));
            }
            c if "0123456789-?#@*!$".contains(c) => {
                self.next();
                out.push(UNKNOWN);
            }
            _ => out.push('$'),
        }
    }

    /// Skips past the character that closes the open construct, with regard to quotes, nesting and
    /// comments; returns the text before it.
    fn skip_to(&mut self, close: char) -> &'t str {
        let from = self.rest;
        let mut open = vec![close];
        let mut before = ' ';
        while let Some(&top) = open.last()
            && let Some(c) = self.next()
        {
            match c {
                '\\' => drop(self.next()),
                c if c == top => drop(open.pop()),
                '"' | '`' => open.push(c),
                '(' if before == '$' || top == ')' => open.push(')'),
                '{' if before == '$' => open.push('}'),
                '\'' if top != '"' => {
                    self.take_while(|c| c != '\'');
                    self.next();
                }
                '#' if top == ')' && matches!(before, ' ' | '\t' | '\n' | ';') => {
                    self.take_while(|c| c != '\n');
                }
                _ => {}
            }
            before = c;
        }
        let inner = from.strip_suffix(self.rest).unwrap_or_default();
        inner.strip_suffix(close).unwrap_or(inner)
    }
}

/// Returns the value if every part of it is known.
pub(super) fn known(value: &str) -> Option<&str> {
    (!value.contains(UNKNOWN) && value.len() <= LONGEST).then_some(value)
}

/// Splits `NAME=value`. The result of `NAME+=value` is unknown.
pub(super) fn assignment(word: &str) -> Option<(&str, &str)> {
    let (name, value) = word.split_once('=')?;
    let (name, value) = match name.strip_suffix('+') {
        Some(name) => (name, "\0"),
        None => (name, value),
    };
    let is_name = name.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic())
        && name.chars().all(is_part_of_name);
    is_name.then_some((name, value))
}

fn is_part_of_name(c: char) -> bool {
    c == '_' || c.is_ascii_alphanumeric()
}
