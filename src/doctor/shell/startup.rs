//! Goes through start-up files command by command without running any.

use super::super::files::Files;
use super::Dialect;
use super::blocks::{Block, Blocks};
use super::cursor::{Cursor, End};
use super::word::{At, Export, Truth, Variables, Word, fits, is_name, test};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Files that read files that read files: deeper is a circle.
const DEEPEST: usize = 8;
/// Bytes that are read and assigned in one start-up, those that are read twice counted twice.
const MOST_BYTES: usize = 8 << 20;
/// Words of a loop or a command.
const MOST_TURNS: usize = 64;

/// The book of one shell's start-up.
pub(crate) struct Startup<'f> {
    files: &'f dyn Files,
    dialect: Dialect,
    pub(super) variables: Variables,
    /// Files that were read, each once.
    pub(crate) read: Vec<PathBuf>,
    /// Files that are there and could not be read, with why.
    pub(crate) unread: Vec<(PathBuf, String)>,
    /// What it writes into the go env file.
    pub(crate) written: Vec<Export>,
    depth: usize,
    bytes: usize,
}

impl<'f> Startup<'f> {
    /// An empty book.
    pub(crate) fn new(files: &'f dyn Files, dialect: Dialect) -> Startup<'f> {
        Startup {
            files,
            dialect,
            variables: Variables::default(),
            read: Vec::new(),
            unread: Vec::new(),
            written: Vec::new(),
            depth: 0,
            bytes: 0,
        }
    }

    /// What the shell has before its first file.
    pub(crate) fn given(mut self, name: &str, value: &str) -> Startup<'f> {
        let (line, certain) = (0, true);
        self.variables
            .assign(name, Some(value), At { line, certain });
        self
    }

    /// What it has exported in the end.
    pub(crate) fn exports(&self, names: &BTreeSet<String>) -> Vec<Export> {
        self.variables.exports(names)
    }

    /// A file of the start-up; whether there is one that can be read.
    pub(crate) fn file(&mut self, path: &Path) -> bool {
        self.source(path, true)
    }

    fn source(&mut self, path: &Path, certain: bool) -> bool {
        if self.depth >= DEEPEST || self.is_exhausted() {
            return false;
        }
        let text = match self.files.read(path) {
            Ok(Some(text)) => text,
            Ok(None) => return false,
            Err(error) => {
                if !self.unread.iter().any(|(known, _)| known == path) {
                    self.unread.push((path.to_owned(), error.to_string()));
                }
                return false;
            }
        };
        if !self.read.iter().any(|known| known == path) {
            self.read.push(path.to_owned());
        }
        let outer = std::mem::replace(&mut self.variables.file, path.to_owned());
        self.text(&text, At { line: 1, certain });
        self.variables.file = outer;
        true
    }

    /// Has it looked at more than any start-up is made of?
    fn is_exhausted(&self) -> bool {
        self.bytes + self.variables.bytes > MOST_BYTES
    }

    /// Commands of a file, or of an `eval` in it.
    fn text(&mut self, text: &str, at: At) {
        if self.depth >= DEEPEST {
            return;
        }
        self.depth += 1;
        self.bytes += text.len();
        let called = called(text);
        let mut cursor = Cursor::new(text, at.line, self.dialect);
        let mut blocks = Blocks::new(at.certain, cursor.is_fish());
        while !self.is_exhausted() {
            if blocks.awaits_pattern() {
                match cursor.patterns(&self.variables) {
                    Some(patterns) => blocks.case_arm(&patterns),
                    None => drop(blocks.close("esac")),
                }
                continue;
            }
            let Some(command) = cursor.command(&self.variables) else {
                break;
            };
            let body = (cursor.at, cursor.line);
            if let Some(closed) = blocks.keyword(&command, body) {
                if let Some(mut block) = closed
                    && self.turn(&mut block)
                {
                    self.bytes += cursor.at - block.body.0;
                    (cursor.at, cursor.line) = block.body;
                    blocks.again(block);
                }
                continue;
            }
            let [first, rest @ ..] = command.words.as_slice() else {
                blocks.ends(command.end);
                continue;
            };
            let runs = blocks.next();
            let (line, certain) = (command.line, runs == Some(true));
            let at = At { line, certain };
            match (first.known().unwrap_or_default(), rest) {
                ("for" | "select", [name, words @ ..]) => {
                    let words = self.turns(words).filter(|_| first.is("for"));
                    let runs = words.as_ref().map(|words| !words.is_empty());
                    blocks.open("done", runs, body);
                    if let Some(block) = blocks.top() {
                        let words = words.unwrap_or(vec![None]).into_iter();
                        block.turns = Some((name.text.clone(), words));
                        self.turn(block);
                    }
                }
                ("case", patterns) if cursor.is_fish() => blocks.case_arm(patterns),
                ("switch", [subject]) | ("case", [subject, _]) => blocks.case(subject, body),
                ("function", [name, ..]) => {
                    let is_called = called.contains(name.text.as_str());
                    blocks.function = Some(if is_called { None } else { Some(false) });
                    if cursor.is_fish() {
                        blocks.open("end", Some(true), body);
                    }
                }
                _ if runs == Some(false) || matches!(command.end, End::Pipe | End::Background) => {
                    blocks.done(None, command.end);
                }
                ("return" | "exit" | "logout", _) if at.certain => break,
                _ => {
                    let success = self.simple(&command.words, at);
                    blocks.done(success, command.end);
                }
            }
        }
        self.depth -= 1;
    }

    /// The next turn of a loop, if it has one.
    fn turn(&mut self, block: &mut Block) -> bool {
        let (line, certain) = (block.body.1, block.runs == Some(true));
        let turns = block.turns.as_mut().filter(|_| block.runs != Some(false));
        let next = turns.and_then(|(name, words)| Some((name, words.next()?)));
        if let Some((name, word)) = &next {
            let at = At { line, certain };
            self.variables.assign(name, word.as_deref(), at);
        }
        next.is_some()
    }

    /// The words that a loop goes through, patterns in their last part looked up. `None`: that
    /// cannot be told.
    fn turns(&self, words: &[Word]) -> Option<Vec<Option<String>>> {
        let (_, words) = words.split_first().filter(|(first, _)| first.is("in"))?;
        let mut turns = Vec::new();
        for word in words.iter().take(MOST_TURNS) {
            if !word.pattern {
                turns.push(Some(word.known()?.to_owned()));
                continue;
            }
            let (folder, pattern) = word.known()?.rsplit_once('/')?;
            let pattern = Word::bare(pattern);
            for path in self.files.list(Path::new(folder)).iter().take(MOST_TURNS) {
                let name = path.file_name()?.to_str()?;
                // A hidden file only where the pattern says so.
                let hidden = name.starts_with('.') && !pattern.text.starts_with('.');
                if !hidden && fits(&pattern, name)? {
                    turns.push(Some(path.to_str()?.to_owned()));
                }
            }
        }
        Some(turns)
    }

    /// A command that is no part of a block; what it comes to, where that can be told.
    fn simple(&mut self, words: &[Word], at: At) -> Truth {
        let fish = self.dialect == Dialect::Fish;
        let is_prefix = |word: &&Word| !fish && word.prefix().is_some();
        let assigned = words.iter().take_while(is_prefix).count();
        let (assignments, rest) = words.split_at_checked(assigned)?;
        let passes_on = |word: &&Word| matches!(word.known(), Some("builtin" | "command"));
        let before = rest.iter().take_while(passes_on).count();
        let Some((command, args)) = rest.get(before..)?.split_first() else {
            for (name, value) in assignments.iter().filter_map(Word::prefix) {
                self.variables.assign(name, value, at);
            }
            return Some(true);
        };
        // `A=b command`: gone with the command.
        match command.known()? {
            name @ ("export" | "declare" | "typeset" | "readonly") => self.declare(name, args, at),
            "set" if fish => return self.fish_set(args, at),
            name @ ("set" | "setopt" | "unsetopt") => self.options(args, name != "unsetopt"),
            "unset" => {
                if !args.iter().any(|arg| arg.flags() == Some("f")) {
                    for name in args.iter().filter_map(Word::known) {
                        self.variables.unset(name, at.certain);
                    }
                }
            }
            "source" | "." => {
                // A name alone is looked for on PATH by bash and zsh.
                let file = args.iter().find(|arg| arg.flags().is_none())?;
                let path = Some(Path::new(file.known()?)).filter(|path| path.is_absolute())?;
                // What the last command of the file came to is not followed.
                return (!self.source(path, at.certain)).then_some(false);
            }
            "eval" => {
                let texts: Option<Vec<&str>> = args.iter().map(Word::known).collect();
                self.text(&texts?.join(" "), at);
                return None;
            }
            // `emulate sh -c 'source /etc/profile'`
            "emulate" => {
                if let [.., option, text] = args
                    && option.known() == Some("-c")
                {
                    self.text(text.known()?, at);
                }
            }
            "true" | ":" => {}
            "false" => return Some(false),
            "test" => return test(args, self.files),
            name @ ("[" | "[[") => {
                let (last, args) = args.split_last()?;
                let closes = last.text.len() == name.len() && last.text.starts_with(']');
                return test(args, self.files).filter(|_| closes);
            }
            "status" if fish => {
                let asks = ["is-interactive", "--is-interactive", "-i"];
                return asks.contains(&args.first()?.known()?).then_some(true);
            }
            "echo" | "printf" | "alias" | "umask" | "bindkey" if !fish => {}
            name => {
                if name == "go" {
                    self.go_env_write(args, at);
                }
                return None;
            }
        }
        Some(true)
    }

    /// `go env -w NAME=value…`: what it writes is no variable of the shell's.
    fn go_env_write(&mut self, args: &[Word], at: At) {
        let [env, write, args @ ..] = args else {
            return;
        };
        if env.known() != Some("env") || !matches!(write.known(), Some("-w" | "--w")) {
            return;
        }
        for (name, value) in args.iter().take(MOST_TURNS).filter_map(Word::assignment) {
            self.written.push(self.variables.line(name, value, at));
        }
    }

    fn declare(&mut self, command: &str, args: &[Word], at: At) {
        let flag = |wanted: &[char]| {
            let mut flags = args.iter().filter_map(Word::flags);
            flags.any(|flags| flags.contains(wanted))
        };
        if flag(&['f', 'F', 'p']) {
            return;
        }
        let takes_x = |arg: &Word| arg.text.starts_with('+') && arg.text.contains('x');
        let hides = (command == "export" && flag(&['n'])) || args.iter().any(takes_x);
        let exports = command == "export" || flag(&['x']);
        for arg in args {
            let (name, value) = arg.assignment().unwrap_or((&arg.text, None));
            if arg.text.len() > name.len() {
                self.variables.assign(name, value, at);
            }
            if (exports || hides) && is_name(name) {
                self.variables.export(name, !hides, at.certain);
            }
        }
    }

    /// `set -a`, `set -euao pipefail`, `set +o allexport`, zsh's `setopt all_export`.
    fn options(&mut self, args: &[Word], mut on: bool) {
        // Behind `--` stand the shell's own arguments.
        let words = args.iter().map_while(Word::known);
        for word in words.take_while(|word| *word != "--") {
            let flags = word.strip_prefix(['-', '+']);
            if flags.is_some() {
                on = word.starts_with('-');
            }
            let named = word.replace('_', "").eq_ignore_ascii_case("allexport");
            if named || flags.is_some_and(|flags| flags.contains('a')) {
                self.variables.export_all = on;
            }
        }
    }

    /// `set -gx NAME value…`, `set -e NAME` of fish.
    fn fish_set(&mut self, args: &[Word], at: At) -> Truth {
        let mut flags = String::new();
        let mut rest = args;
        while let [first, others @ ..] = rest
            && let Some(text) = first.flags()
        {
            rest = others;
            flags.push_str(match text {
                "-" => break,
                "-export" => "x",
                "-unexport" => "u",
                "-erase" => "e",
                "-query" => "q",
                "-append" | "-prepend" => "a",
                text if text.starts_with('-') => "",
                text => text,
            });
        }
        let (name, values) = rest.split_first()?;
        let name = name.known()?;
        if flags.contains('q') {
            return self.variables.value(name).map(|value| !value.is_empty());
        }
        if flags.contains('e') {
            for name in rest.iter().filter_map(Word::known) {
                self.variables.unset(name, at.certain);
            }
            return Some(true);
        }
        if !is_name(name) {
            return None;
        }
        // Lists of a name that ends in PATH are joined with colons; none of these is one of Go's
        // that a policy sets.
        let values: Option<Vec<&str>> = values.iter().map(Word::known).collect();
        let value = values.map(|values| values.join(" "));
        let value = value.filter(|_| !flags.contains(['a', 'p']));
        self.variables.assign(name, value.as_deref(), at);
        if flags.contains(['x', 'u']) {
            self.variables.export(name, flags.contains('x'), at.certain);
        }
        Some(true)
    }
}

/// What stands where commands begin: functions of other names are not called.
fn called(text: &str) -> BTreeSet<&str> {
    let parts = text.split(['\n', ';', '&', '|', '{']);
    parts
        .filter_map(|part| {
            let mut words = part.split_whitespace();
            let first = words.next()?;
            words
                .next()
                .is_none_or(|next| !next.starts_with("()"))
                .then_some(first)
        })
        .collect()
}
