//! What an archive begins with: what is in it, and what each of it must be.

use serde::{Deserialize, Serialize};

use super::error::ArchiveError;
use crate::gomod::sum::escape_path;
use crate::gomod::{ModuleVersion, semver};

/// The name of the first file.
pub(super) const NAME: &str = "goroam-mirror.json";
/// Of this file; another number is another format.
const FORMAT: u32 = 1;
/// Bytes: a hundred thousand versions.
pub(super) const MOST: u64 = 64 << 20;

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    format: u32,
    /// The program and its version.
    pub(super) made_by: String,
    /// In order.
    pub(super) versions: Vec<Version>,
    /// The checksum databases that prove them.
    pub(super) databases: Vec<Database>,
}

/// One version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Version {
    pub(super) module: String,
    pub(super) version: String,
    /// `h1:` of its zip; none where only go.mod is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) zip: Option<String>,
    /// `h1:` of its go.mod.
    pub(super) go_mod: String,
    /// Is its `.info` there?
    pub(super) info: bool,
}

/// One database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Database {
    pub(super) name: String,
    /// Its newest tree head, as it signed it.
    pub(super) head: String,
}

impl Manifest {
    pub(super) fn new(versions: Vec<Version>, databases: Vec<Database>) -> Manifest {
        Manifest {
            format: FORMAT,
            made_by: format!("goroam {}", env!("CARGO_PKG_VERSION")),
            versions,
            databases,
        }
    }

    /// Reads it. Every name in it is one that go could ask for.
    pub(super) fn parse(bytes: &[u8]) -> Result<Manifest, ArchiveError> {
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }

        let none = |error: serde_json::Error| ArchiveError::malformed(NAME, &error.to_string());
        let Format { format } = serde_json::from_slice(bytes).map_err(none)?;
        if format != FORMAT {
            let why = format!(
                "is of format {format}, and this goroam knows {FORMAT}; a newer one may take it"
            );
            return Err(ArchiveError::malformed(NAME, &why));
        }
        let manifest: Manifest = serde_json::from_slice(bytes).map_err(none)?;
        for version in &manifest.versions {
            let named = escape_path(&version.module).map_err(|error| error.to_string());
            named
                .and_then(|_| {
                    if semver::is_canonical(&version.version) {
                        Ok(())
                    } else {
                        Err(format!("{:?} is no version", version.version))
                    }
                })
                .map_err(|why| ArchiveError::malformed(NAME, &why))?;
        }
        Ok(manifest)
    }
}

impl Version {
    pub(super) fn of(&self) -> ModuleVersion {
        ModuleVersion::new(self.module.as_str(), self.version.as_str())
    }
}
