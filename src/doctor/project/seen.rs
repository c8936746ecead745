//! What was seen of the project.

use std::path::PathBuf;

use crate::gomod::Newcomer;
use crate::gomod::go_sum::Flaw;

/// A line of the go env file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The variable.
    pub name: String,
    /// Its value, credentials removed.
    pub value: String,
    /// `~/.config/go/env:3`
    pub place: String,
}

/// The project.
#[derive(Debug, Clone, Default)]
pub struct Project {
    /// go.work, where there is one, then each go.mod.
    pub files: Vec<ModuleFile>,
    /// What is wrong with vendor/: the first thing, the way out, and whether go refuses it.
    pub vendor: Option<(String, String, bool)>,
    /// What it asks of go.
    pub wants: Option<Wants>,
    /// The go command on PATH: its version, without `go`.
    pub has: Option<String>,
    /// Files that are no plain UTF-8, as go wants them: place, and how they are encoded.
    pub encoded: Vec<(String, Encoding)>,
    /// What is no regular file: place, and what it is.
    pub odd: Vec<(String, String)>,
    /// Folders and links to nothing that have the name of a module file: place, and what it is.
    pub passed_over: Vec<(String, &'static str)>,
    /// A module that the go.work above it does not use: the places of go.mod and go.work.
    pub unused: Option<(String, String)>,
    /// The file that decides: go.work, else go.mod.
    pub main: String,
    /// What go says where it stops at the project itself.
    pub refused: Option<String>,
    /// go.work.sum, with all that is wrong with it.
    pub work_sums: Option<(String, Vec<Flaw>)>,
    /// A mark of a conflict in vendor/modules.txt: its place.
    pub torn_list: Option<String>,
}

/// What a project asks of go, and what there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wants {
    /// The go version that is asked for: `1.99.0`.
    pub version: String,
    /// Where: `go.mod:3`.
    pub place: String,
    /// The go command on PATH: its version.
    pub has: String,
    /// GOTOOLCHAIN as go takes it.
    pub toolchain: String,
    /// How to let go fetch a newer one, where GOTOOLCHAIN forbids it.
    pub permit: String,
}

/// A go.mod or go.work.
#[derive(Debug, Clone, Default)]
pub struct ModuleFile {
    /// `~/src/app/go.mod`
    pub place: String,
    /// Its folder.
    pub folder: PathBuf,
    /// What go refuses in it, but for what is told apart: line and reason.
    pub faults: Vec<(usize, String)>,
    /// Directives that older go commands refuse.
    pub newcomers: Vec<Newcomer>,
    /// Directives that no go known here reads: line and name.
    pub unknown: Vec<(usize, String)>,
    /// `replace` by a URL: line, what is replaced, the URL, the folder that it means.
    pub urls: Vec<(usize, String, String, Option<String>)>,
    /// `replace` by a folder that is written as Windows alone reads it, elsewhere: line, what is
    /// replaced, the folder.
    pub windows: Vec<(usize, String, String)>,
    /// `replace` by a folder that is no module: line, what is replaced, the folder as written,
    /// what is there, is it required?
    pub missing: Vec<(usize, String, String, Stand, bool)>,
    /// go.sum.
    pub sums: Sums,
}

/// What is where a folder was named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stand {
    /// Nothing.
    Nothing,
    /// A folder without a go.mod.
    NoModule,
}

/// How the go.sum is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Sums {
    /// As far as can be told.
    #[default]
    Fine,
    /// There is none, and there should be.
    Missing,
    /// All that is wrong with its lines.
    Flawed(Vec<Flaw>),
}

/// How a file is encoded that go cannot read so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8 with a byte order mark before it.
    Mark,
    /// UTF-16.
    Wide,
}

impl Encoding {
    /// Of these bytes; `None`: go reads them.
    pub(super) fn of(bytes: &[u8]) -> Option<Encoding> {
        let start = bytes.get(..512).unwrap_or(bytes);
        if bytes.starts_with(b"\xef\xbb\xbf") {
            Some(Encoding::Mark)
        } else if bytes.starts_with(b"\xff\xfe")
            || bytes.starts_with(b"\xfe\xff")
            || start.contains(&0)
        {
            Some(Encoding::Wide)
        } else {
            None
        }
    }
}
