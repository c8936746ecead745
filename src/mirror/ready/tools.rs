//! What ready looks at projects with: the go command, what is there, what proves it.

use std::path::{Path, PathBuf};

use super::need::Builder;
use super::shelf::{Shelf, read};
use crate::environment::Environment;
use crate::gocmd::GoCommand;
use crate::gomod::ModuleVersion;
use crate::mirror::Layout;
use crate::mirror::sumdb::Proofs;
use crate::model::SumDb;

/// What all projects are built with.
#[derive(Debug)]
pub struct ReadyTools {
    /// The go command itself.
    pub go: GoCommand,
    /// What of its settings changes what a project needs.
    pub settings: String,
    /// The file in the place of go.mod that GOFLAGS names.
    pub modfile: Option<PathBuf>,
    /// The go command as the project sees it.
    pub builder: Builder,
    /// What is there.
    pub shelf: Shelf,
    /// The checksum database.
    pub database: ProofStore,
    /// For the toolchains in PATH.
    pub env: Environment,
}

impl ReadyTools {
    /// The go.mod by which go builds the module in this folder, and its go.sum.
    pub(super) fn module_files(&self, folder: &Path) -> (PathBuf, PathBuf) {
        match &self.modfile {
            // go cuts the ending off and puts `.sum` there.
            Some(file) => (folder.join(file), folder.join(file.with_extension("sum"))),
            None => (folder.join("go.mod"), folder.join("go.sum")),
        }
    }

    /// The same, with nothing known of what is there.
    pub fn anew(&self) -> ReadyTools {
        ReadyTools {
            go: self.go.clone(),
            settings: self.settings.clone(),
            modfile: self.modfile.clone(),
            builder: self.builder.clone(),
            shelf: self.shelf.anew(),
            database: self.database.clone(),
            env: self.env.clone(),
        }
    }
}

/// A signed tree head has some hundred bytes.
const MOST_NOTE: u64 = 64 << 10;

/// The checksum database as the user's go sees it.
#[derive(Debug, Clone, Default)]
pub struct ProofStore {
    /// GOSUMDB.
    pub gosumdb: String,
    /// GOPATH: go keeps the tree head that it saw last in its first folder.
    pub gopath: String,
}

impl ProofStore {
    /// Does the mirror prove this module?
    ///
    /// # Errors
    /// Why not.
    pub fn proves(&self, mirror: &Layout, module: &ModuleVersion) -> Result<(), String> {
        let proofs = self.open(mirror)?;
        let proven = proofs.prove(module).map_err(|error| error.to_string())?;
        if proven.zip.is_none() {
            return Err(format!("{} has no hash for its zip", proofs.name()));
        }
        self.covers(&proofs)
    }

    /// Would go, which knows how large the database's tree was when it asked last, take the
    /// mirror's proofs? `Ok` where the mirror has none at all, or go has seen none.
    ///
    /// # Errors
    /// Why not.
    pub fn follows(&self, mirror: &Layout) -> Result<(), String> {
        let Ok(proofs) = self.open(mirror) else {
            return Ok(());
        };
        match proofs.head() {
            Some(_) => self.covers(&proofs),
            None => Ok(()),
        }
    }

    fn open(&self, mirror: &Layout) -> Result<Proofs, String> {
        let db = SumDb::parse(&self.gosumdb).map_err(|error| error.0)?;
        if db == SumDb::Off {
            // modfetch/toolchain.go: "checksum database disabled" is final for a toolchain.
            return Err("GOSUMDB is off, and go takes no toolchain then".to_owned());
        }
        Proofs::open(mirror, &db).map_err(|error| error.to_string())
    }

    fn covers(&self, proofs: &Proofs) -> Result<(), String> {
        let Some(gopath) = std::env::split_paths(&self.gopath).next() else {
            return Ok(());
        };
        let mut latest = gopath.join("pkg").join("sumdb");
        latest.extend(Path::new(proofs.name()));
        let Some(note) = read(&latest.join("latest"), MOST_NOTE).filter(|note| !note.is_empty())
        else {
            return Ok(());
        };
        let seen = proofs.read_head(note.as_bytes());
        let seen = seen.map_err(|error| format!("{}: {error}", latest.display()))?;
        proofs.covers(&seen.head).map_err(|error| error.to_string())
    }
}
