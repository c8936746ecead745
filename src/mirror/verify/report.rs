//! What was found, and what it means.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use crate::gomod::ModuleVersion;

/// What is wrong with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// It is not what its checksum says, or what proves it is false.
    Mismatch,
    /// It should be proven, and is not.
    Unproven,
    /// A file of a version is missing.
    Missing,
    /// It says something that is not so.
    Wrong,
    /// go would never ask for it.
    Stray,
    /// It cannot be read.
    Unreadable,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// `MODULE@VERSION`, `MODULE`, or empty for what belongs to none.
    pub of: String,
    /// The file.
    #[serde(serialize_with = "crate::paths::serialize")]
    pub file: PathBuf,
    /// What kind of thing.
    pub kind: Kind,
    /// In words.
    pub what: String,
    /// The checksum that it should have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// Who says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The checksum that it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
    /// What to do.
    pub help: String,
}

/// A version that nobody is asked to prove.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Unproven {
    /// Its module.
    pub module: String,
    /// Its version.
    pub version: String,
    /// Why not.
    pub why: String,
}

/// What the mirror keeps of the checksum database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Database {
    /// Its name.
    pub name: String,
    /// Records of the newest tree that is kept; `None`: none is.
    pub tree_size: Option<u64>,
    /// Lookups that are proven.
    pub lookups: usize,
    /// Tiles that are proven.
    pub tiles: usize,
}

/// What a version hashes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hashes {
    /// Of its zip; `None`: only go.mod is there.
    pub zip: Option<String>,
    /// Of its go.mod.
    pub go_mod: String,
    /// Is its `.info` there?
    pub info: bool,
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Report {
    /// Is everything in order?
    pub ok: bool,
    /// Modules that were looked at.
    pub modules: u64,
    /// Versions with their files.
    pub versions: u64,
    /// Versions of which only the go.mod is there, for go to choose among.
    pub go_mod_only: u64,
    /// Bytes of all their files.
    pub bytes: u64,
    /// Versions that the checksum database proves.
    pub proven: u64,
    /// The checksum database's part, if it is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<Database>,
    /// What is wrong.
    pub bad: Vec<Finding>,
    /// What nobody proves, and nobody is asked to.
    pub unproven: Vec<Unproven>,
    /// How long it took, in milliseconds.
    pub ms: u64,
    /// Versions with which nothing is wrong, and what they hash to.
    #[serde(skip)]
    pub sound: BTreeMap<ModuleVersion, Hashes>,
}

impl Report {
    /// Is a checksum or a proof among what is wrong?
    pub fn has_mismatch(&self) -> bool {
        self.bad
            .iter()
            .any(|finding| finding.kind == Kind::Mismatch)
    }
}
