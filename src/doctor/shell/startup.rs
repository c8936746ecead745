//! Goes through start-up files command by command without carrying any out, and keeps book of
//! what they make of the variables.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::super::files::Files;
use super::Dialect;
use super::blocks::{Block, Blocks, Kind, Truth, both};
use super::command::{Command, End};
use super::condition::{fits, glob, test};
use super::cursor::Cursor;
use super::variables::{Export, Variables};
use super::word::{Word, is_name};

/// Files that read files that read files: deeper is a circle.
const DEEPEST: usize = 8;
/// Bytes that are read and assigned in one start-up, those that are read twice counted twice.
const MOST_BYTES: usize = 8 << 20;
/// Bytes of functions that are called. Whatever those of a framework do, the rest of the user's
/// file is read.
const MOST_CALLED: usize = 1 << 20;
/// Words of a loop or a command.
const MOST_TURNS: usize = 64;
const ARGUMENTS: [&str; 9] = ["1", "2", "3", "4", "5", "6", "7", "8", "9"];

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
    functions: BTreeMap<String, Function>,
    in_call: bool,
    called: usize,
    depth: usize,
    bytes: usize,
}

/// A function, kept for its call.
#[derive(Debug, Clone)]
struct Function {
    body: Rc<str>,
    file: Rc<PathBuf>,
    line: usize,
    certain: bool,
}

/// Where a command stands.
#[derive(Debug, Clone, Copy)]
struct At {
    line: usize,
    certain: bool,
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
            functions: BTreeMap::new(),
            in_call: false,
            called: 0,
            depth: 0,
            bytes: 0,
        }
    }

    /// What the shell has before its first file.
    pub(crate) fn given(mut self, name: &str, value: &str) -> Startup<'f> {
        self.variables.assign(name, Some(value.to_owned()), 0, true);
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
        let outer = std::mem::replace(&mut self.variables.file, Rc::new(path.to_owned()));
        self.text(&text, At { line: 1, certain });
        self.variables.file = outer;
        true
    }

    /// Has it looked at more than any start-up is made of?
    fn is_exhausted(&self) -> bool {
        self.bytes + self.variables.bytes > MOST_BYTES
    }

    /// Commands of a file, of an `eval` or a function in it.
    fn text(&mut self, text: &str, at: At) {
        if self.depth >= DEEPEST {
            return;
        }
        self.depth += 1;
        self.bytes += text.len();
        let mut cursor = Cursor::new(text, at.line, self.dialect);
        let mut blocks = Blocks::new(at.certain);
        while !self.is_exhausted() {
            if blocks.awaits_pattern() {
                match cursor.patterns(&self.variables) {
                    Some(patterns) => blocks.arm(|subject| fits_one(subject, &patterns)),
                    None => drop(blocks.close(|block| matches!(block.kind, Kind::Case { .. }))),
                }
                continue;
            }
            let Some(command) = cursor.command(&self.variables) else {
                break;
            };
            if let Some(closed) = blocks.keyword(&command, &cursor) {
                if let Some(block) = closed {
                    self.closed(block, &command, &mut blocks, &mut cursor);
                }
            } else if command.words.is_empty() {
                blocks.ends(command.end);
            } else if !self.opened(&command, &mut blocks, &cursor) {
                blocks.defines = None;
                let apart = matches!(command.end, End::Pipe | End::Background);
                let runs = blocks.next().filter(|_| !apart);
                let at = At {
                    line: command.line,
                    certain: runs == Some(true),
                };
                let defaults = std::mem::take(&mut cursor.defaults);
                if apart || runs == Some(false) {
                    blocks.done(None, command.end);
                    continue;
                }
                for (name, value) in defaults {
                    self.variables.assign(&name, value, at.line, at.certain);
                }
                let [first, ..] = command.words.as_slice() else {
                    continue;
                };
                if at.certain && ["return", "exit", "logout"].iter().any(|end| first.is(end)) {
                    break;
                }
                let success = self.simple(&command.words, at);
                blocks.done(success, command.end);
            }
        }
        self.depth -= 1;
    }

    /// Does the command begin a block, or a part of one?
    fn opened(&mut self, command: &Command, blocks: &mut Blocks, cursor: &Cursor) -> bool {
        let fish = cursor.is_fish();
        let body = (cursor.at, cursor.line);
        match command.words.as_slice() {
            [word, name, rest @ ..] if word.is("for") || (word.is("select") && !fish) => {
                let words = match rest {
                    [is_in, words @ ..] if is_in.is("in") && word.is("for") => self.turns(words),
                    _ => None,
                };
                let runs = words.as_ref().map(|words| !words.is_empty());
                let name = name.text.clone();
                let mut words = words.unwrap_or_default().into_iter();
                let truth = both(blocks.next(), runs);
                if truth != Some(false) {
                    let certain = truth == Some(true);
                    let value = words.next();
                    self.variables.assign(&name, value, command.line, certain);
                }
                blocks.open(Kind::For { name, words }, runs, body);
            }
            [word, subject, ..] if word.is("switch") || (word.is("case") && !fish) => {
                let subject = subject.known().map(str::to_owned);
                blocks.open(Kind::Case { subject }, Some(true), body);
                blocks.ends(if fish { End::Plain } else { End::Arm });
            }
            [word, patterns @ ..] if word.is("case") && fish => {
                blocks.arm(|subject| fits_one(subject, patterns));
            }
            [word, name, ..] if word.is("function") => {
                blocks.defines = Some(name.text.clone());
                if fish {
                    blocks.open(Kind::Group, Some(true), body);
                }
            }
            _ => return false,
        }
        true
    }

    /// A block has ended: a loop may have another turn, a function is kept.
    fn closed(
        &mut self,
        mut block: Block,
        command: &Command,
        blocks: &mut Blocks,
        cursor: &mut Cursor,
    ) {
        if let Some(defines) = block.defines.take() {
            let function = Function {
                body: cursor.between(block.body.0, command.at).into(),
                file: Rc::clone(&self.variables.file),
                line: block.body.1,
                certain: defines.certain,
            };
            self.functions.insert(defines.name, function);
            return;
        }
        let (runs, (at, line)) = (block.runs, block.body);
        if let Kind::For { name, words } = &mut block.kind
            && runs != Some(false)
            && let Some(word) = words.next()
        {
            let certain = runs == Some(true);
            self.variables.assign(name, Some(word), line, certain);
            self.bytes += cursor.at - at;
            (cursor.at, cursor.line) = (at, line);
            blocks.again(block);
        }
    }

    /// The words that a loop goes through, patterns in their last part looked up. `None`: that
    /// cannot be told.
    fn turns(&self, words: &[Word]) -> Option<Vec<String>> {
        let mut turns = Vec::new();
        for word in words.iter().take(MOST_TURNS) {
            let text = word.known()?;
            if !word.pattern {
                turns.push(text.to_owned());
                continue;
            }
            let (folder, pattern) = text.rsplit_once('/')?;
            if folder.contains(['*', '?']) {
                return None;
            }
            let found = self.files.list(Path::new(folder)).into_iter();
            let fitting = found.filter(|path| {
                let name = path.file_name().and_then(|name| name.to_str());
                // A hidden file only where the pattern says so.
                let hidden = |name: &str| name.starts_with('.') && !pattern.starts_with('.');
                name.is_some_and(|name| !hidden(name) && glob(pattern, name))
            });
            for path in fitting.take(MOST_TURNS) {
                turns.push(path.to_str()?.to_owned());
            }
        }
        Some(turns)
    }

    /// A command that is no part of a block; what it comes to, where that can be told.
    fn simple(&mut self, words: &[Word], at: At) -> Truth {
        let fish = self.dialect == Dialect::Fish;
        let is_prefix = |word: &&Word| !fish && word.prefix().is_some();
        let assigned = words.iter().take_while(is_prefix).count();
        let (assignments, mut rest) = words.split_at_checked(assigned)?;
        if rest.is_empty() {
            for (name, value) in assignments.iter().filter_map(Word::prefix) {
                let value = value.map(str::to_owned);
                self.variables.assign(name, value, at.line, at.certain);
            }
            return Some(true);
        }
        // `A=b command`: gone with the command.
        while let [word, next, ..] = rest
            && matches!(word.known(), Some("builtin" | "command"))
        {
            if next.flags().is_some() {
                return None;
            }
            rest = rest.get(1..)?;
        }
        let (command, args) = rest.split_first()?;
        match command.known()? {
            name @ ("export" | "declare" | "typeset" | "readonly" | "local" | "integer") => {
                self.declare(name, args, at);
            }
            "set" if fish => return self.fish_set(args, at),
            "set" => self.options(args),
            name @ ("setopt" | "unsetopt") if self.dialect == Dialect::Zsh => {
                let is_it =
                    |arg: &Word| arg.text.replace('_', "").eq_ignore_ascii_case("allexport");
                if args.iter().any(is_it) {
                    self.variables.export_all = name == "setopt";
                }
            }
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
            "emulate" => {
                // `emulate sh -c 'source /etc/profile'`
                let words: Vec<&str> = args.iter().filter_map(Word::known).collect();
                if let ["sh" | "bash" | "ksh" | "zsh", "-c", text] = words.as_slice() {
                    self.text(text, at);
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
                let words: Vec<&str> = args.iter().filter_map(Word::known).collect();
                let asks = ["is-interactive", "--is-interactive", "-i"];
                return (words.len() == 1 && asks.contains(&words[0])).then_some(true);
            }
            "echo" | "printf" | "alias" | "umask" | "bindkey" if !fish => {}
            "go" => {
                self.go_env_write(args, at);
                return None;
            }
            name => {
                self.call(name, args, at);
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
            self.written.push(Export {
                name: name.to_owned(),
                value: value.map(str::to_owned),
                file: self.variables.file.as_ref().clone(),
                line: at.line,
                certain: at.certain,
            });
        }
    }

    /// What a function of the files does, if it is one. Functions that it calls are not
    /// followed: a version manager's lead everywhere.
    fn call(&mut self, name: &str, args: &[Word], at: At) {
        if self.in_call || self.called > MOST_CALLED {
            return;
        }
        let Some(function) = self.functions.get(name).cloned() else {
            return;
        };
        for (i, name) in ARGUMENTS.into_iter().enumerate() {
            let value = args.get(i).map_or(Some(""), Word::known);
            self.variables
                .assign(name, value.map(str::to_owned), at.line, true);
        }
        let outer = std::mem::replace(&mut self.variables.file, function.file);
        self.called += function.body.len();
        self.in_call = true;
        let (line, certain) = (function.line, at.certain && function.certain);
        self.text(&function.body, At { line, certain });
        self.in_call = false;
        self.bytes = self.bytes.saturating_sub(function.body.len());
        self.variables.file = outer;
        for name in ARGUMENTS {
            self.variables.unset(name, true);
        }
    }

    fn declare(&mut self, command: &str, args: &[Word], at: At) {
        let flags: Vec<&str> = args.iter().filter_map(Word::flags).collect();
        let flag = |wanted: &[char]| flags.iter().any(|flags| flags.contains(wanted));
        if flag(&['f', 'F', 'p']) {
            return;
        }
        // Gone with the function, and what has the same name outside comes back.
        if self.in_call && !matches!(command, "export" | "readonly") && !flag(&['g']) {
            return;
        }
        let takes_x = |arg: &Word| arg.text.starts_with('+') && arg.text.contains('x');
        let hides = (command == "export" && flag(&['n'])) || args.iter().any(takes_x);
        let exports = command == "export" || flag(&['x']);
        for arg in args {
            let name = match arg.assignment() {
                Some((name, value)) => {
                    let value = value.map(str::to_owned);
                    self.variables.assign(name, value, at.line, at.certain);
                    name
                }
                None => match arg.known() {
                    Some(name) if is_name(name) => name,
                    _ => continue,
                },
            };
            if exports || hides {
                self.variables.export(name, !hides, at.certain);
            }
        }
    }

    /// `set -a`, `set -euao pipefail`, `set -o allexport`
    fn options(&mut self, args: &[Word]) {
        // Behind `--` stand the shell's own arguments.
        let words = args.iter().map_while(Word::known);
        let mut before = "";
        for word in words.take_while(|word| *word != "--") {
            for (sign, on) in [('-', true), ('+', false)] {
                let flags = word.strip_prefix(sign);
                let named =
                    word == "allexport" && before.starts_with(sign) && before.ends_with('o');
                if named || flags.is_some_and(|flags| flags.contains('a')) {
                    self.variables.export_all = on;
                }
            }
            before = word;
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
            match text {
                "-" => break,
                "-export" => flags.push('x'),
                "-unexport" => flags.push('u'),
                "-erase" => flags.push('e'),
                "-query" => flags.push('q'),
                "-append" | "-prepend" => flags.push('a'),
                text if text.starts_with('-') => {}
                text => flags.push_str(text),
            }
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
        if !is_name(name) || flags.contains(['n', 'S', 'L']) {
            return None;
        }
        // Lists of a name that ends in PATH are joined with colons; none of these is one of Go's
        // that a policy sets.
        let values: Option<Vec<&str>> = values.iter().map(Word::known).collect();
        let value = values.map(|values| values.join(" "));
        let value = value.filter(|_| !flags.contains(['a', 'p']));
        self.variables.assign(name, value, at.line, at.certain);
        if flags.contains(['x', 'u']) {
            self.variables.export(name, flags.contains('x'), at.certain);
        }
        Some(true)
    }
}

/// Does one of a `case` arm's patterns fit?
fn fits_one(subject: Option<&str>, patterns: &[Word]) -> Truth {
    let Some(subject) = subject else {
        return None;
    };
    let mut all = patterns.iter().map(|pattern| fits(pattern, subject));
    let unknown = all.clone().any(|fits| fits.is_none());
    match all.any(|fits| fits == Some(true)) {
        true => Some(true),
        false => (!unknown).then_some(false),
    }
}
