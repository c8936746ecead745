//! Can go verify with no network what no go.sum names?

use std::path::Path;

use super::shelf::read;
use crate::gomod::ModuleVersion;
use crate::mirror::Layout;
use crate::mirror::sumdb::Proofs;
use crate::model::SumDb;

/// A signed tree head has some hundred bytes.
const MOST_NOTE: u64 = 64 << 10;

/// The checksum database as the user's go sees it.
#[derive(Debug, Clone, Default)]
pub struct Database {
    /// GOSUMDB.
    pub gosumdb: String,
    /// GOPATH: go keeps the tree head that it saw last in its first folder.
    pub gopath: String,
}

impl Database {
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
