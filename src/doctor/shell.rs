//! Reads start-up files of sh, bash, zsh and fish command by command, without running them: which
//! variables they export, and what they write with `go env -w`. Does not evaluate conditions: a
//! command in a block, or after `&&` or `||`, is uncertain ("may"). The result in the running shell
//! is visible in its environment.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::files::Files;
use super::format::{Book, Setting};
use crate::model::pattern::glob_match;

/// Maximum length of a known word in bytes, and maximum number of variables.
const LONGEST: usize = 4096;
const MOST_VARIABLES: usize = 1000;
/// Maximum number of files of one start, and maximum depth to which they may read each other.
const MOST_FILES: usize = 256;
const DEEPEST_FILE: usize = 8;
/// Maximum depth of blocks.
const DEEPEST_BLOCK: usize = 64;
/// Represents, in a word, a part that is known only at run time.
const UNKNOWN: char = '\0';

/// Whether a command is executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Runs {
    /// Not in the shell itself: a function definition, a subshell, a pipe.
    No,
    May,
    Yes,
}

use Runs::{May, No, Yes};

type Values = BTreeMap<String, String>;

/// Returns the value of a variable. A go variable that no line has set counts as empty: if it comes
/// from another place, that place has its own finding.
fn value<'v>(values: &'v Values, name: &str) -> &'v str {
    let value = values.get(name).map(String::as_str);
    value.unwrap_or(if name.starts_with("GO") { "" } else { "\0" })
}

/// A text and the current position in it.
struct Source<'t> {
    rest: &'t str,
    line: usize,
    is_fish: bool,
    /// The delimiters of here-documents whose text follows.
    documents: Vec<String>,
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
    fn command(&mut self, values: &Values) -> Option<(Vec<String>, usize, &'static str)> {
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
        self.take_while(|c| matches!(c, '<' | '>' | '&' | '|' | '!' | '-'));
        self.take_while(|c| matches!(c, ' ' | '\t'));
        let word = self.word(values);
        self.documents.extend(is_document.then_some(word));
    }

    fn skip_documents(&mut self) {
        for delimiter in std::mem::take(&mut self.documents) {
            while !self.rest.is_empty() {
                let line = self.take_while(|c| c != '\n').trim_end_matches('\r');
                self.next();
                if line.trim_start_matches('\t') == delimiter {
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

/// The open blocks of a text, and what precedes the next command.
struct Flow {
    /// What closes each block, and whether its commands are executed.
    open: Vec<(&'static str, Runs)>,
    whole: Runs,
    /// Whether the next command is executed, by the operator before it.
    joined: Runs,
    /// Whether the next block is the body of a function.
    is_function: bool,
    is_fish: bool,
}

impl Flow {
    fn runs(&self) -> Runs {
        let here = self.open.last().map_or(self.whole, |(_, runs)| *runs);
        here.min(self.joined)
    }

    fn open(&mut self, closes: &'static str, runs: Runs) {
        let runs = runs.min(self.runs());
        let closes = if self.is_fish { "end" } else { closes };
        if self.open.len() < DEEPEST_BLOCK {
            self.open.push((closes, runs));
        } else {
            self.whole = self.whole.min(May);
        }
    }

    fn close(&mut self, keyword: &str) {
        if let Some(at) = self.open.iter().rposition(|(closes, _)| *closes == keyword) {
            self.open.truncate(at);
        }
    }

    /// Returns the words of a command after the keywords that open and close blocks.
    fn without_keywords<'w>(&mut self, mut words: &'w [&'w str]) -> &'w [&'w str] {
        match words {
            // zsh runs a function without a name immediately.
            ["function", "{", ..] => words = words.get(1..).unwrap_or_default(),
            ["function", ..] if self.is_fish => {
                self.open("end", No);
                return &[];
            }
            ["function", _, "()", rest @ ..]
            | ["function", _, rest @ ..]
            | [_, "()", rest @ ..] => (self.is_function, words) = (true, rest),
            _ => {}
        }
        while let [first, rest @ ..] = words {
            match *first {
                "if" => self.open("fi", May),
                "while" | "until" => self.open("done", May),
                "{" | "begin" if std::mem::take(&mut self.is_function) => self.open("}", No),
                "{" | "begin" => self.open("}", Yes),
                "and" | "or" if self.is_fish => self.joined = May,
                "else" if self.is_fish && rest.first() == Some(&"if") => return &[],
                "then" | "elif" | "else" | "do" | "always" | "!" | "not" => {}
                "fi" | "done" | "esac" | "}" | "end" => self.close(first),
                _ => break,
            }
            words = rest;
        }
        self.is_function &= words.is_empty();
        words
    }
}

/// Reads the start-up files of one shell.
pub(super) struct Startup<'f> {
    files: &'f dyn Files,
    is_fish: bool,
    book: Book<'f>,
    values: Values,
    exported: BTreeSet<String>,
    /// `set -a`
    exports_all: bool,
    /// The files that were read.
    pub(super) read: Vec<PathBuf>,
    /// Files that exist but cannot be read, and why.
    pub(super) unread: Vec<(PathBuf, String)>,
    /// What the files write into the go env file.
    pub(super) written: Vec<Setting>,
    depth: usize,
    /// The line of the current command; `certain`: whether it is executed for certain.
    line: usize,
    certain: bool,
}

impl<'f> Startup<'f> {
    /// Starts with the variables that the shell has before the first file.
    pub(super) fn new(
        files: &'f dyn Files,
        names: &'f BTreeSet<String>,
        is_fish: bool,
        given: &[(&str, &str)],
    ) -> Startup<'f> {
        let given = given.iter();
        let given = given.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Startup {
            files,
            is_fish,
            book: Book::new(names),
            values: given.collect(),
            exported: BTreeSet::new(),
            exports_all: false,
            read: Vec::new(),
            unread: Vec::new(),
            written: Vec::new(),
            depth: 0,
            line: 0,
            certain: true,
        }
    }

    /// Returns what the shell exports at the end.
    pub(super) fn exports(&self) -> Vec<Setting> {
        let exported = |one: &&Setting| self.exported.contains(&one.name);
        self.book.found.iter().filter(exported).cloned().collect()
    }

    /// Returns the value of a variable if it is known.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        known(value(&self.values, name))
    }

    /// Reads a file; returns whether it exists and can be read.
    pub(super) fn file(&mut self, path: &Path) -> bool {
        self.source(path, true)
    }

    fn source(&mut self, path: &Path, certain: bool) -> bool {
        // Reading a file a second time sets nothing new: this check ends cycles.
        if self.read.iter().any(|known| known == path) {
            return true;
        }
        if self.depth >= DEEPEST_FILE || self.read.len() >= MOST_FILES {
            return false;
        }
        let text = match self.files.read(path) {
            Ok(Some(text)) => text,
            Ok(None) => return false,
            Err(error) => {
                self.unread.push((path.to_owned(), error.to_string()));
                return false;
            }
        };
        self.read.push(path.to_owned());
        let outer = std::mem::replace(&mut self.book.file, path.to_owned());
        self.depth += 1;
        self.text(&text, certain);
        self.depth -= 1;
        self.book.file = outer;
        true
    }

    fn text(&mut self, text: &str, certain: bool) {
        let mut source = Source {
            rest: text,
            line: 1,
            is_fish: self.is_fish,
            documents: Vec::new(),
        };
        let mut flow = Flow {
            open: Vec::new(),
            whole: if certain { Yes } else { May },
            joined: Yes,
            is_function: false,
            is_fish: self.is_fish,
        };
        while let Some((words, line, end)) = source.command(&self.values) {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let words = flow.without_keywords(&words);
            let runs = flow.runs();
            match words {
                ["return" | "exit", ..] if runs == Yes => return,
                ["for" | "select", name, words @ ..] => {
                    flow.open("done", May);
                    // `for f in ~/d/*.sh`: `source` expands the pattern.
                    let value = match words {
                        ["in", one] => one,
                        _ => "\0",
                    };
                    self.values.insert((*name).to_owned(), value.to_owned());
                }
                ["switch", ..] if self.is_fish => flow.open("end", May),
                ["case", ..] if !self.is_fish => flow.open("esac", May),
                // What these commands set is lost when the pipe ends.
                _ if runs == No || matches!(end, "|" | "|&" | "&") => {}
                words => {
                    (self.line, self.certain) = (line, runs == Yes);
                    self.simple(words);
                }
            }
            match end {
                "(" => flow.open(")", No),
                ")" if flow.open.last().is_some_and(|one| one.0 == ")") => flow.close(")"),
                _ => {}
            }
            flow.joined = match end {
                "&&" | "||" => May,
                "|" | "|&" => No,
                // An empty line does not end a list that `&&` has started.
                "" | "\n" if words.is_empty() => flow.joined,
                _ => Yes,
            };
        }
    }

    /// Reads a command that does not belong to a block construct.
    fn simple(&mut self, words: &[&str]) {
        let is_prefix = |word: &&&str| !self.is_fish && assignment(word).is_some();
        let assigned = words.iter().take_while(is_prefix).count();
        // `A=b command`: the assignment applies only to that command.
        let Some((command, args)) = words.get(assigned..).unwrap_or_default().split_first() else {
            for (name, value) in words.iter().filter_map(|word| assignment(word)) {
                self.assign(name, value);
            }
            return;
        };
        let first = args.first().copied().unwrap_or_default();
        match *command {
            "export" | "declare" | "typeset" => self.declare(*command == "export", args),
            "set" if self.is_fish => self.set_of_fish(args),
            "set" if first.starts_with('-') && first.contains('a') => self.exports_all = true,
            "set" if first.starts_with('+') && first.contains('a') => self.exports_all = false,
            "unset" if first != "-f" => args.iter().for_each(|name| self.unset(name)),
            "source" | "." => {
                let certain = self.certain;
                for path in self.paths(first) {
                    self.source(&path, certain);
                }
            }
            "go" => {
                // What go writes is not a variable of the shell.
                let written = args.strip_prefix(&["env", "-w"]).unwrap_or_default();
                let mut book = Book::new(self.book.names);
                book.file.clone_from(&self.book.file);
                for (name, value) in written.iter().filter_map(|word| assignment(word)) {
                    let value = known(value).map(str::to_owned);
                    book.set(name, value, self.line, self.certain);
                }
                self.written.append(&mut book.found);
            }
            _ => {}
        }
    }

    /// Returns the files that a word names; expands a pattern in its last part. The shell looks up
    /// a name without a slash on PATH.
    fn paths(&self, word: &str) -> Vec<PathBuf> {
        match word.rsplit_once('/') {
            _ if !word.starts_with('/') || known(word).is_none() => Vec::new(),
            Some((folder, pattern)) if pattern.contains('*') => {
                let mut all = self.files.list(Path::new(folder));
                all.retain(|path| {
                    let name = path.file_name().unwrap_or_default().to_string_lossy();
                    !name.starts_with('.') && glob_match(pattern, &name) == Ok(true)
                });
                all
            }
            _ => vec![word.into()],
        }
    }

    fn assign(&mut self, name: &str, value: &str) {
        if self.exports_all {
            self.exported.insert(name.to_owned());
        }
        let (known, line) = (known(value), self.line);
        let value = known.map(str::to_owned);
        self.book.set(name, value, line, self.certain);
        if self.values.contains_key(name) || self.values.len() < MOST_VARIABLES {
            // Under a condition the variable has this value or the previous one.
            let value = known.filter(|_| self.certain).unwrap_or("\0");
            self.values.insert(name.to_owned(), value.to_owned());
        }
    }

    fn export(&mut self, name: &str) {
        if self.exported.insert(name.to_owned()) && !self.certain {
            self.book.unset(name, false);
        }
    }

    /// Handles a variable that is no longer set, or no longer exported.
    fn unset(&mut self, name: &str) {
        self.book.unset(name, self.certain);
        self.values.remove(name);
        if self.certain {
            self.exported.remove(name);
        }
    }

    /// Reads `export` and `declare -x`.
    fn declare(&mut self, is_export: bool, args: &[&str]) {
        let flags = || args.iter().filter(|arg| arg.starts_with('-'));
        let has = |flag| flags().any(|flags| flags.contains(flag));
        if has('f') || has('p') {
            return;
        }
        for arg in args.iter().filter(|arg| !arg.starts_with(['-', '+'])) {
            let set = assignment(arg);
            let name = set.map_or(*arg, |(name, _)| name);
            if let Some((_, value)) = set {
                self.assign(name, value);
            }
            if is_export && has('n') {
                self.unset(name);
            } else if is_export || has('x') {
                self.export(name);
            }
        }
    }

    /// Reads `set -gx NAME value…` and `set -e NAME`.
    fn set_of_fish(&mut self, args: &[&str]) {
        let count = args.iter().take_while(|arg| arg.starts_with('-')).count();
        let (flags, rest) = args.split_at(count);
        let has = |short: char, long: &str| {
            let is = |flag: &&str| *flag == long || !flag.starts_with("--") && flag.contains(short);
            flags.iter().any(is)
        };
        match rest {
            [name, ..] if has('e', "--erase") || has('u', "--unexport") => self.unset(name),
            [name, values @ ..] if !has('q', "--query") => {
                self.assign(name, &values.join(" "));
                if has('x', "--export") {
                    self.export(name);
                }
            }
            _ => {}
        }
    }
}

/// Returns the value if every part of it is known.
fn known(value: &str) -> Option<&str> {
    (!value.contains(UNKNOWN) && value.len() <= LONGEST).then_some(value)
}

/// Splits `NAME=value`. The result of `NAME+=value` is unknown.
fn assignment(word: &str) -> Option<(&str, &str)> {
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

// These shells' files have Unix paths.
#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::super::files::Table;
    use super::*;

    /// Returns what a file exports as GOPROXY: `value@line`, with `(may)` if uncertain, and `?` for
    /// an unknown value.
    fn seen(is_fish: bool, text: &str) -> String {
        let table = Table::of(&[
            ("/h/rc", text),
            ("/h/more", "export GOPROXY=more"),
            ("/h/locked", "(unreadable)"),
            ("/h/d/a.sh", "export GOPROXY=a"),
            ("/h/circle", ". /h/rc\n. /h/circle\nexport GOPROXY=circle"),
        ]);
        let names = ["GOPROXY".to_owned()].into();
        let mut startup = Startup::new(&table, &names, is_fish, &[("HOME", "/h")]);
        assert!(startup.file(Path::new("/h/rc")));
        let one = |one: &Setting| {
            let value = one.value.as_deref().unwrap_or("?");
            let may = if one.certain { "" } else { " (may)" };
            format!("{value}@{}{may}", one.line)
        };
        let all: Vec<String> = startup.exports().iter().map(one).collect();
        all.join(", ")
    }

    const BOTH: &str = "a@1 (may), b@2 (may)";
    const MAY_A: &str = "a@1 (may)";

    #[test]
    fn bash_lines_as_people_write_them() {
        for (text, expected) in [
            ("\n\nexport GOPROXY=off # closed", "off@3"),
            ("GOPROXY=on; : ${GOPROXY:=off}; export GOPROXY", "on@1"),
            ("export GOPROXY='a'\\\n',b'", "a,b@1"),
            ("export GOPROXY=https://j:p#w@h # x", "https://j:p#w@h@1"),
            ("export \\\r\n  GOPROXY=off\r\n", "off@1"),
            ("set -euao pipefail; GOPROXY=off", "off@1"),
            ("export GOPROXY=$CORP_PROXY", "?@1"),
            ("export GOPROXY=\"${XDG_X:-$HOME/.x}\"", "?@1"),
            ("for p in a b; do export GOPROXY=$p; done", "?@1 (may)"),
            ("if x; then P=a; export GOPROXY=$P; fi", "?@1 (may)"),
            ("work && return\nexport GOPROXY=off", "off@2"),
            ("case x in\n (a)export GOPROXY=b;;\nesac", "b@2 (may)"),
            ("export GOPROXY", ""),
            ("export GOPROXY=off\nexport -n GOPROXY", ""),
            ("cat <<-EOF > x\n\texport GOPROXY=off\n\tEOF", ""),
            ("proxy () ( export GOPROXY=off )", ""),
            ("f()\n{\n  local -x GOPROXY=off\n}\nf", ""),
            ("export GOPROXY=off &", ""),
            (". ~/more", "more@1"),
            ("[[ -r x ]] && source \"$HOME/more\"", "more@1 (may)"),
            ("for f in ~/d/*.sh; do . $f; done", "a@1 (may)"),
            (". ~/locked; . ~/none; export GOPROXY=off", "off@1"),
            (". ~/circle", "circle@3"),
            ("export GOPROXY=a\nx && export GOPROXY=b", BOTH),
            ("if x; then export GOPROXY=a\nelse GOPROXY=b; fi", BOTH),
            ("export GOPROXY=a\nif x; then unset GOPROXY; fi", MAY_A),
        ] {
            assert_eq!(seen(false, text), expected, "{text}");
        }
    }

    #[test]
    fn nothing_that_people_write_hides_what_follows() {
        for text in [
            "f() { mkdir -p \"${1}\" && cd \"${1}\"; }",
            "f() { echo \"${10}${1:-it}${@}\"; }",
            "[[ ( -n $x || -n $y ) && $z < $b ]] && :",
            "echo { }",
            "a=( ${b## #} )",
            "a=(\n x # it's\n)",
            "x=$(\n# don't\ntrue)",
            "x=$(echo $# ${#x} a#'b)')",
            "take() { mkdir -p $1 && cd $1 }",
            "[[ $1 == x ]] && { print x }",
            "a=( ${${(f)\"$(<x)\"}[2,-1]## #} )",
            "sleep 1 &|",
            "case $x in (a|b)*) : ;; (c) : ;; esac",
            "{ : } always { : }",
            "function { : }",
            "x=$(( (#HOST) % 6 ))",
        ] {
            let found = seen(false, &format!("{text}\nexport GOPROXY=off"));
            assert_eq!(found, format!("off@{}", text.lines().count() + 1), "{text}");
        }
    }

    #[test]
    fn fish_lines_as_people_write_them() {
        for (text, expected) in [
            ("set -Ux GOPROXY \"off\"", "off@1"),
            ("set -g GOPROXY off\nset -gx GOPROXY $GOPROXY", "off@2"),
            ("set -gx GOPROXY $HOME/mod", "/h/mod@1"),
            (
                "status is-interactive; and set -gx GOPROXY off",
                "off@1 (may)",
            ),
            (
                "if a\nelse if b\n set -gx GOPROXY off\nend\nset -gx GOPROXY x",
                "x@5",
            ),
            ("begin; set -gx GOPROXY off; end", "off@1"),
            (
                "switch (hostname)\ncase corp\n set -gx GOPROXY off\nend",
                "off@3 (may)",
            ),
            ("GOPROXY=off go build", ""),
        ] {
            assert_eq!(seen(true, text), expected, "{text}");
        }
    }

    proptest::proptest! {
        /// No text causes a panic or an endless loop.
        #[test]
        fn no_text_is_too_odd(
            words in proptest::collection::vec(
                proptest::sample::select(vec![
                    "export GOPROXY=x", "if", "then", "fi", "do", "done", "case", "esac", "in", "{",
                    "}", "(", ")", "((", "))", "[[", "]]", ";", ";;", "&&", "||", "|", "&", "\n", " ",
                    "'", "\"", "\\", "$", "${", "$(", "`", "<<X", "<", ">", "#", "function", "f()",
                    "for", "end", "switch", "begin", "set -gx GOPROXY", ". ", "~", "*", "é", "GOPROXY=",
                    "$GOPROXY", "return", "!", "unset GOPROXY", "else", "and", "${a:-",
                ]),
                0..60,
            ),
        ) {
            for text in [words.concat(), words.join(" ")] {
                seen(false, &text);
                seen(true, &text);
            }
        }
    }

    #[test]
    fn a_file_of_somebody_else_cannot_exhaust_the_stack_the_memory_or_the_time() {
        let began = std::time::Instant::now();
        let words = "(,{ ,if ,$(,${a:-,f() ,case x in (a) ,\"${a:-,x || ";
        for word in words.split(',') {
            let text = word.repeat(50_000);
            seen(false, &text);
            seen(true, &text);
            seen(false, &format!("{text}{}", "done\n}\n".repeat(50_000)));
        }
        let copies: String = (0..45_000).map(|i| format!("b{i}=$a$a$a\n")).collect();
        seen(false, &format!("a={}\n{copies}", "x".repeat(4000)));
        assert!(began.elapsed() < std::time::Duration::from_secs(60));
    }
}
