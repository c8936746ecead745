//! Reads start-up files of sh, bash, zsh and fish command by command, without running them: which
//! variables they export, and what they write with `go env -w`. Does not evaluate conditions: a
//! command in a block, or after `&&` or `||`, is uncertain ("may"). The result in the running shell
//! is visible in its environment.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::files::Files;
use super::format::{Book, Setting};
use super::words::{Source, Values, assignment, known, value};
use crate::model::pattern::glob_match;

/// Maximum number of variables.
const MOST_VARIABLES: usize = 1000;
/// Maximum number of files of one start, and maximum depth to which they may read each other.
const MOST_FILES: usize = 256;
const DEEPEST_FILE: usize = 8;
/// Maximum depth of blocks.
const DEEPEST_BLOCK: usize = 64;

/// Flags of fish's `set` that only say where the variable is visible.
const PLAIN_FLAGS: [&str; 10] = [
    "-x",
    "-g",
    "-U",
    "-gx",
    "-xg",
    "-Ux",
    "-xU",
    "--export",
    "--global",
    "--universal",
];

/// A line that has one statement at the top level of its file, which only sets variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LoneLine {
    pub(super) file: PathBuf,
    /// Counted from 1.
    pub(super) line: usize,
    /// The line as it is, without its end.
    pub(super) text: String,
    pub(super) names: Vec<String>,
}

/// Whether a command is executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Runs {
    /// Not in the shell itself: a function definition, a subshell, a pipe.
    No,
    May,
    Yes,
}

use Runs::{May, No, Yes};

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

    /// Reports whether the next command belongs to no block, function or list.
    fn is_at_top(&self) -> bool {
        self.open.is_empty() && self.joined == Yes && !self.is_function
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
    lone: Vec<LoneLine>,
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
            lone: Vec::new(),
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

    /// Returns the lines that do nothing but set variables that the shell exports at the end.
    pub(super) fn lone_lines(&self) -> impl Iterator<Item = &LoneLine> {
        let exported = |name: &String| self.exported.contains(name);
        let lines = self.lone.iter();
        lines.filter(move |line| line.names.iter().all(exported))
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
        let mut begins_line = true;
        while let Some((words, line, end)) = source.command(&self.values) {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            // A here-document or a continued line ends further down.
            let ends_line = match end {
                "\n" => source.line == line + 1,
                _ => end.is_empty() && source.rest.is_empty() && source.line == line,
            };
            if begins_line && ends_line && flow.is_at_top() {
                self.lone_line(&words, text, line);
            }
            begins_line = end == "\n";
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

    /// Records the command of a line if it only sets variables of go to known values.
    fn lone_line(&mut self, words: &[&str], text: &str, line: usize) {
        let Some(names) = sets_only(words, self.is_fish) else {
            return;
        };
        let text = text.lines().nth(line - 1).unwrap_or_default();
        let is_wanted = names.iter().all(|name| self.book.names.contains(*name));
        if is_wanted && self.lone.len() < MOST_FILES && !text.contains(['<', '>']) {
            self.lone.push(LoneLine {
                file: self.book.file.clone(),
                line,
                text: text.to_owned(),
                names: names.into_iter().map(str::to_owned).collect(),
            });
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

/// Returns the variables that a command sets, if it does nothing else and every part is known.
fn sets_only<'w>(words: &[&'w str], is_fish: bool) -> Option<Vec<&'w str>> {
    let is_known = words.iter().all(|word| known(word).is_some());
    if is_fish {
        let ["set", rest @ ..] = words else {
            return None;
        };
        let count = rest.iter().take_while(|word| word.starts_with('-')).count();
        let (flags, rest) = rest.split_at(count);
        let are_plain = flags.iter().all(|flag| PLAIN_FLAGS.contains(flag));
        let exports = flags.iter().any(|flag| flag.contains('x'));
        return match rest {
            [name, _, ..] if is_known && are_plain && exports => Some(vec![*name]),
            _ => None,
        };
    }
    let assigned = match words {
        ["export", rest @ ..] | ["declare" | "typeset", "-x" | "-gx" | "-xg", rest @ ..] => rest,
        rest => rest,
    };
    let name = |word: &&'w str| {
        let (name, value) = assignment(word)?;
        known(value).map(|_| name)
    };
    let names: Option<Vec<&str>> = assigned.iter().map(name).collect();
    names.filter(|names| is_known && !names.is_empty())
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

    /// The lines of a text that only set variables that it exports.
    fn lone(is_fish: bool, text: &str) -> Vec<usize> {
        let table = Table::of(&[("/h/rc", text)]);
        let names = ["GOPROXY".to_owned(), "GOSUMDB".to_owned()].into();
        let mut startup = Startup::new(&table, &names, is_fish, &[("HOME", "/h")]);
        startup.file(Path::new("/h/rc"));
        startup.lone_lines().map(|one| one.line).collect()
    }

    #[test]
    fn a_statement_that_is_alone_on_its_line_at_the_top_is_known_as_such() {
        for (text, lines) in [
            ("\nexport GOPROXY=off # why\nls\n", vec![2]),
            ("  declare -x GOPROXY='a|b' GOSUMDB=off", vec![1]),
            ("GOPROXY=off\nexport GOPROXY\n", vec![1]),
            ("GOPROXY=off\n", vec![]),
            ("export GOPROXY=a\nexport GOPROXY=b\n", vec![1, 2]),
            ("export GOPROXY=a\r\n", vec![1]),
            ("cat <<X\nexport GOPROXY=a\nX\nexport GOPROXY=b\n", vec![4]),
            ("cat <<X\n\tX\nexport GOPROXY=a\nX\n", vec![]),
            ("cat <<-X\n\tX\nexport GOPROXY=a\n", vec![3]),
            ("export \\\n GOPROXY=off\n", vec![]),
            ("export GOPROXY=a\\\nb\n", vec![]),
            ("export GOPROXY='a\nb'\n", vec![]),
            ("x=1 \\\nexport GOPROXY=off\n", vec![]),
            ("if x; then\nexport GOPROXY=off\nfi\n", vec![]),
            ("f() {\nexport GOPROXY=off\n}\n", vec![]),
            ("case x in\ny)\nexport GOPROXY=off\n;;\nesac\n", vec![]),
            ("{\nexport GOPROXY=off\n}\n", vec![]),
            ("(\nexport GOPROXY=off\n)\n", vec![]),
            ("x &&\nexport GOPROXY=off\n", vec![]),
            ("x && export GOPROXY=off\n", vec![]),
            ("export GOPROXY=off; ls\n", vec![]),
            ("ls; export GOPROXY=off\n", vec![]),
            ("export GOPROXY=off EDITOR=vi\n", vec![]),
            ("export GOPROXY=$(ask)\n", vec![]),
            ("export GOPROXY=off >x\n", vec![]),
            ("export GOPROXY=off <<X\nX\n", vec![]),
            (
                "echo \"\nexport GOPROXY=off\n\"\nexport GOPROXY=a\n",
                vec![4],
            ),
            ("while read -r x\ndo\nexport GOPROXY=off\ndone <y\n", vec![]),
        ] {
            assert_eq!(lone(false, text), lines, "{text}");
        }
        for (text, lines) in [
            ("set -gx GOPROXY off\n", vec![1]),
            ("set --global --export GOPROXY off", vec![1]),
            ("if a\nset -gx GOPROXY off\nend\n", vec![]),
            ("function f\nset -gx GOPROXY off\nend\n", vec![]),
            ("a; and set -gx GOPROXY off\n", vec![]),
            ("set -gx GOPROXY off; ls\n", vec![]),
            ("set -gxp GOPROXY off\n", vec![]),
            ("set -gx GOPROXY (ask)\n", vec![]),
            ("set -e GOPROXY\n", vec![]),
        ] {
            assert_eq!(lone(true, text), lines, "{text}");
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
