//! What is to be brought, and what its go.sum files say it must be.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Serialize;

use super::error::AddError;
use crate::bounded;
use crate::gomod::ModuleVersion;
use crate::gomod::go_sum::{self, Hashed};
use crate::gomod::stored::Claim;

/// Bytes; 200,000 lines. go has no limit of its own.
pub(super) const MOST_SUM: u64 = 32 << 20;

/// What could not be brought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failed {
    /// The module's path, or the project's folder.
    pub module: String,
    /// The version, or what was asked for; empty for a project.
    pub version: String,
    /// Why, in go's words where go said it.
    pub why: String,
    /// Something is not what its checksum says.
    pub mismatch: bool,
}

/// What is to be brought.
#[derive(Debug, Default)]
pub(super) struct Wants {
    /// Whole versions.
    pub(super) zips: BTreeSet<ModuleVersion>,
    /// Those of which module graphs need go.mod only (and `.info`, where go has asked for it).
    pub(super) mods: BTreeSet<ModuleVersion>,
    /// What go could not get.
    pub(super) failed: Vec<Failed>,
    claims: BTreeMap<(ModuleVersion, Hashed), Claim>,
}

impl Wants {
    /// What the projects' go.sum files say about a version.
    pub(super) fn claims(&self, module: &ModuleVersion) -> Vec<Claim> {
        [Hashed::Zip, Hashed::GoMod]
            .into_iter()
            .filter_map(|of| self.claims.get(&(module.clone(), of)).cloned())
            .collect()
    }

    /// Takes the lines of a go.sum as what its project insists on; no file, no lines. Of several
    /// lines for one file the first counts, as for go (`modfetch.haveModSumLocked`).
    pub(super) fn insist(&mut self, file: &Path) -> Result<(), AddError> {
        for line in lines(file)? {
            if line.hash.starts_with("h1:") {
                let claim = Claim {
                    of: line.of,
                    hash: line.hash,
                    by: file.display().to_string(),
                    sure: true,
                };
                self.claims.entry((line.module, line.of)).or_insert(claim);
            }
        }
        Ok(())
    }

    /// Takes the go.mods that a go.sum names as wanted: go writes a line for each that it reads.
    pub(super) fn want_mods(&mut self, file: &Path) -> Result<(), AddError> {
        let lines = lines(file)?.into_iter();
        let mods = lines.filter(|line| line.of == Hashed::GoMod);
        self.mods.extend(mods.map(|line| line.module));
        Ok(())
    }

    /// Takes what others want, and what failed of it.
    pub(super) fn join(&mut self, other: Wants) {
        self.zips.extend(other.zips);
        for failed in other.failed {
            if !self.failed.contains(&failed) {
                self.failed.push(failed);
            }
        }
    }

    /// Notes what go could not get.
    pub(super) fn fail(&mut self, module: &str, version: &str, why: &str) {
        let failed = Failed {
            module: module.to_owned(),
            version: version.to_owned(),
            why: why.to_owned(),
            mismatch: is_mismatch(why),
        };
        if !self.failed.contains(&failed) {
            self.failed.push(failed);
        }
    }
}

/// The lines of a go.sum; none where there is no file.
pub(super) fn lines(file: &Path) -> Result<Vec<go_sum::GoSumLine>, AddError> {
    let bytes = match bounded::read_named(file, MOST_SUM) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(AddError::file(file, error)),
    };
    go_sum::parse(&String::from_utf8_lossy(&bytes))
        .map_err(|error| AddError::Usage(format!("{}: {error}", file.display())))
}

/// Does go say that something is not what its checksum says (`modfetch.checkModSum`)?
fn is_mismatch(complaint: &str) -> bool {
    complaint.contains("SECURITY ERROR") || complaint.contains(": checksum mismatch")
}
