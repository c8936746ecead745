//! What was seen of the project.

use std::path::PathBuf;

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
    /// go would refuse it: the line, and whether it is one of git's markers.
    Broken(usize, bool),
}
