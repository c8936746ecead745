//! What a check looks at: files read, nothing judged.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use super::copied::{ModuleFiles, Print};
use crate::gomod::ModuleVersion;
use crate::gomod::go_mod::GoMod;
use crate::gomod::go_work::GoWork;
use crate::gomod::modules_txt::ModulesTxt;

/// Whose vendor/ it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ProjectKind {
    /// A module's: beside go.mod, made by `go mod vendor`.
    Module,
    /// A workspace's: beside go.work, made by `go work vendor`.
    Workspace,
}

impl ProjectKind {
    /// The file beside vendor/.
    pub fn file(self) -> &'static str {
        match self {
            ProjectKind::Module => "go.mod",
            ProjectKind::Workspace => "go.work",
        }
    }

    /// What makes vendor/.
    pub fn command(self) -> &'static str {
        match self {
            ProjectKind::Module => "go mod vendor",
            ProjectKind::Workspace => "go work vendor",
        }
    }
}

/// Everything that a check looks at.
#[derive(Debug)]
pub(super) struct VendorFacts {
    /// Whose vendor/ it is.
    pub(super) kind: ProjectKind,
    /// go.work.
    pub(super) work: Option<GoWork>,
    /// The main modules.
    pub(super) mains: Vec<MainModule>,
    /// Files that go would not read: their names, and why.
    pub(super) unreadable: Vec<(String, String)>,
    /// What is in the place of vendor/.
    pub(super) vendor: VendorState,
    /// What is below vendor/, by path with `/`; modules.txt is left out.
    pub(super) files: BTreeMap<String, VendoredFile>,
    /// Those of them that may be executed, where modules.txt may not: not all files may on
    /// this file system.
    pub(super) executable: Vec<String>,
    /// What each module that provides packages was compared with.
    pub(super) holdings: Vec<Holding>,
}

/// What is in the place of vendor/.
#[derive(Debug)]
pub(super) enum VendorState {
    /// Nothing.
    Missing,
    /// A file, or a link to no folder.
    NotAFolder,
    /// A folder without a modules.txt.
    NoList,
    /// A folder with one.
    Listed(ModulesTxt),
}

/// Something below vendor/.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum VendoredFile {
    /// A file.
    File(Print),
    /// A link.
    Link,
    /// A device, a socket, a file that cannot be read.
    Odd,
}

/// What a module holds.
#[derive(Debug)]
pub(super) struct Holding {
    /// As modules.txt has it.
    pub(super) module: ModuleVersion,
    /// Where its files were read.
    pub(super) from: HeldFrom,
    /// Its own go.mod, or that of what replaces it; `None`: it has none, or was not read.
    pub(super) go_mod: Option<GoMod>,
}

/// Where a module's files were read.
#[derive(Debug)]
pub(super) enum HeldFrom {
    /// A zip that is what go.sum says.
    Zip(ModuleFiles),
    /// The folder that replaces it.
    Folder(ModuleFiles),
    /// go.sum does not say what its zip must be.
    NoSum(ModuleVersion),
    /// No zip is at hand; with what was wrong with those that could not be read.
    NoZip(ModuleVersion, Vec<String>),
    /// The zip at hand is another one: its path, its hash, the one of go.sum.
    Mismatch(ModuleVersion, PathBuf, String, String),
    /// The folder that replaces it cannot be read.
    NoFolder(PathBuf, String),
}

/// A main module: the only one, or one of the workspace's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MainModule {
    /// Its folder, relative to vendor's, with `/`: "." or "./a". As go.work has it where it is absolute.
    pub(super) folder: String,
    /// Its go.mod.
    pub(super) go_mod: GoMod,
}
