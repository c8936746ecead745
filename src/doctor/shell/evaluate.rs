//! Goes through the commands of start-up files without carrying any out, and keeps book of
//! what they would make of the variables. A condition that cannot be told makes a "may".

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::super::files::Files;
use super::export::Export;
use super::tree::{Command, Item, Joined, List, Word};
use super::variable::{Function, Seen, Value, Variable};
use super::{Dialect, fish, posix};

/// Files that read files that read files: deeper is a circle.
const DEEPEST: usize = 8;
/// Commands that are looked at in one start-up: a loop over a folder of folders ends too.
const MOST_STEPS: usize = 50_000;
/// Bytes that are read and assigned in one start-up, a file that is read twice counted twice.
const MOST_BYTES: usize = 8 << 20;
/// Files of a folder that a loop goes through.
pub(super) const MOST_TURNS: usize = 64;

/// The book of one shell's start-up.
pub(crate) struct Startup<'f> {
    pub(super) files: &'f dyn Files,
    pub(super) dialect: Dialect,
    pub(super) variables: BTreeMap<String, Variable>,
    /// Files that were read, each once.
    pub(crate) read: Vec<PathBuf>,
    /// Files that are there and could not be read, with why.
    pub(crate) unread: Vec<(PathBuf, String)>,
    /// What it writes into the go env file.
    pub(crate) written: Vec<Export>,
    pub(super) export_all: bool,
    pub(super) functions: BTreeMap<String, Function>,
    /// Within a function.
    pub(super) in_call: bool,
    /// Commands of functions that were looked at.
    pub(super) called: usize,
    pub(super) file: Rc<PathBuf>,
    depth: usize,
    pub(super) steps: usize,
    bytes: usize,
}

/// Does it go on after a command?
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Flow {
    On,
    /// `return`, `exit`: the rest of the file is not carried out.
    End,
}

/// The result of a command where it can be told.
pub(super) type Success = Option<bool>;

impl<'f> Startup<'f> {
    /// An empty book.
    pub(crate) fn new(files: &'f dyn Files, dialect: Dialect) -> Startup<'f> {
        Startup {
            files,
            dialect,
            variables: BTreeMap::new(),
            read: Vec::new(),
            unread: Vec::new(),
            written: Vec::new(),
            export_all: false,
            functions: BTreeMap::new(),
            in_call: false,
            called: 0,
            file: Rc::default(),
            depth: 0,
            steps: 0,
            bytes: 0,
        }
    }

    /// What the shell has before its first file.
    pub(crate) fn given(mut self, name: &str, value: &str) -> Startup<'f> {
        let given = self.variables.entry(name.to_owned()).or_default();
        given.now = Some(Seen {
            value: Value::Known(value.to_owned()),
            file: Rc::default(),
            line: 0,
        });
        given.certain = true;
        self
    }

    /// A file of the start-up; whether there is one that can be read.
    pub(crate) fn file(&mut self, path: &Path) -> bool {
        self.source(path, true)
    }

    /// The known value of a variable.
    pub(crate) fn known(&self, name: &str) -> Option<String> {
        match self.lookup(name) {
            Some(Value::Known(value)) => Some(value),
            Some(Value::Unknown) | None => None,
        }
    }

    pub(super) fn source(&mut self, path: &Path, certain: bool) -> bool {
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
        let outer = std::mem::replace(&mut self.file, Rc::new(path.to_owned()));
        self.text(&text, 1, certain);
        self.file = outer;
        true
    }

    pub(super) fn may_go_deeper(&self) -> bool {
        self.depth < DEEPEST
    }

    /// Commands of this file, or of an `eval` in it.
    pub(super) fn text(&mut self, text: &str, line: usize, certain: bool) {
        self.bytes += text.len();
        let list = match self.dialect {
            Dialect::Fish => fish::parse(text, line),
            Dialect::Zsh => posix::parse(text, line, true),
            Dialect::Bash | Dialect::Sh => posix::parse(text, line, false),
        };
        self.depth += 1;
        self.list(&list, certain);
        self.depth -= 1;
    }

    /// Has it looked at more than any start-up is made of?
    fn is_exhausted(&self) -> bool {
        self.steps > MOST_STEPS || self.bytes > MOST_BYTES
    }

    fn list(&mut self, list: &List, certain: bool) -> (Success, Flow) {
        let mut last: Success = Some(true);
        for item in list {
            if self.is_exhausted() {
                return (None, Flow::End);
            }
            let runs = match (item.joined, last) {
                (Joined::Always, _) => Some(true),
                (Joined::And, last) => last,
                (Joined::Or, last) => last.map(|last| !last),
            };
            if runs == Some(false) {
                continue;
            }
            let (success, flow) = self.item(item, certain && runs == Some(true));
            // Of a command that may not have run the result is not known.
            last = success.filter(|_| runs == Some(true));
            if flow == Flow::End && certain && runs == Some(true) {
                return (last, Flow::End);
            }
        }
        (last, Flow::On)
    }

    fn item(&mut self, item: &Item, certain: bool) -> (Success, Flow) {
        self.steps += 1;
        if item.apart {
            return (None, Flow::On);
        }
        let (success, flow) = self.command(&item.command, item.line, certain);
        let success = success.map(|success| success != item.negated);
        (success, flow)
    }

    pub(super) fn command(
        &mut self,
        command: &Command,
        line: usize,
        certain: bool,
    ) -> (Success, Flow) {
        match command {
            Command::Simple(words) => self.simple(words, line, certain),
            Command::Group(list) => self.list(list, certain),
            Command::Nothing => (None, Flow::On),
            Command::Function { name, body } => {
                self.define(name, body, certain);
                (Some(true), Flow::On)
            }
            Command::If { arms, otherwise } => self.branches(arms, otherwise, certain),
            Command::Loop {
                condition,
                until,
                body,
            } => {
                // How often nobody can tell, but whether at all.
                if self.list(condition, certain).0 != Some(*until) {
                    self.list(body, false);
                }
                (None, Flow::On)
            }
            Command::For { name, words, body } => {
                self.each(name, words, body, line, certain);
                (None, Flow::On)
            }
            Command::Case { subject, arms } => self.case(subject, arms, certain),
        }
    }

    fn branches(
        &mut self,
        arms: &[(List, List)],
        otherwise: &List,
        certain: bool,
    ) -> (Success, Flow) {
        let mut certain = certain;
        let mut sure = true;
        for (condition, body) in arms {
            match self.list(condition, certain).0 {
                Some(true) => {
                    let (success, flow) = self.list(body, certain);
                    return (success.filter(|_| sure), flow);
                }
                Some(false) => {}
                None => {
                    self.list(body, false);
                    certain = false;
                    sure = false;
                }
            }
        }
        let (success, flow) = self.list(otherwise, certain);
        (success.filter(|_| sure), flow)
    }

    fn each(&mut self, name: &str, words: &[Word], body: &List, line: usize, certain: bool) {
        let mut values = Vec::new();
        for word in words {
            match self.expand_paths(word) {
                Some(found) => values.extend(found),
                None => {
                    // Once, with a value that nobody knows.
                    self.assign(name, Value::Unknown, line, false);
                    self.list(body, false);
                    return;
                }
            }
        }
        for value in values.into_iter().take(MOST_TURNS) {
            self.assign(name, Value::Known(value), line, certain);
            if self.list(body, certain).1 == Flow::End {
                return;
            }
        }
    }

    fn case(
        &mut self,
        subject: &Word,
        arms: &[(Vec<Word>, List)],
        certain: bool,
    ) -> (Success, Flow) {
        let subject = self.expand(subject);
        for (patterns, body) in arms {
            let hit = match &subject {
                Value::Known(text) => self.matches_one(text, patterns),
                Value::Unknown => None,
            };
            match hit {
                Some(true) => return self.list(body, certain),
                Some(false) => {}
                None => {
                    // From here on nobody knows which one it is.
                    for (_, body) in arms {
                        self.list(body, false);
                    }
                    return (None, Flow::On);
                }
            }
        }
        (Some(true), Flow::On)
    }

    pub(super) fn assign(&mut self, name: &str, value: Value, line: usize, certain: bool) {
        if let Value::Known(text) = &value {
            // `b=$a`, ten thousand times, with a long `a`.
            self.bytes += text.len();
        }
        let seen = Seen {
            value,
            file: Rc::clone(&self.file),
            line,
        };
        let exports = self.export_all;
        let variable = self.variables.entry(name.to_owned()).or_default();
        variable.exported |= exports;
        if certain {
            variable.now = Some(seen);
            variable.certain = true;
            variable.may.clear();
        } else if variable.may.len() < MOST_TURNS {
            variable.may.push(seen);
        }
    }

    pub(super) fn export(&mut self, name: &str, certain: bool) {
        let variable = self.variables.entry(name.to_owned()).or_default();
        if !variable.exported {
            variable.exported = true;
            variable.certain &= certain;
        }
    }

    pub(super) fn keep_to_itself(&mut self, name: &str, certain: bool) {
        if let Some(variable) = self.variables.get_mut(name) {
            if certain {
                variable.exported = false;
            } else {
                variable.certain = false;
            }
        }
    }

    pub(super) fn unset(&mut self, name: &str, certain: bool) {
        if certain {
            self.variables.remove(name);
        } else if let Some(variable) = self.variables.get_mut(name) {
            variable.certain = false;
        }
    }
}
