//! What the go env file held before goroam's first write, kept until `goroam restore`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// The go env file before goroam's first write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Baseline {
    /// Which file.
    pub path: String,
    /// Its bytes, in base64; `None`: there was no file.
    pub bytes: Option<String>,
    /// Every variable that goroam has managed since, and its value then; `None`: it had no line.
    pub values: BTreeMap<String, Option<String>>,
}

impl Baseline {
    /// stub
    pub fn capture(_: &Path, _: Option<&[u8]>) -> Baseline {
        Baseline {
            path: String::new(),
            bytes: None,
            values: BTreeMap::new(),
        }
    }
    /// stub
    ///
    /// # Errors
    /// stub
    pub fn bytes(&self) -> Result<Option<Vec<u8>>, crate::agent::Error> {
        Ok(None)
    }
    /// Reads it; `Ok(None)` when there is none.
    ///
    /// # Errors
    /// When it is there and cannot be read or understood.
    pub fn load(path: &Path) -> anyhow::Result<Option<Baseline>> {
        let _ = path;
        Ok(None)
    }

    /// Keeps it, before the first write.
    ///
    /// # Errors
    /// When it cannot be kept; nothing may be written then.
    pub fn save(&self, path: &Path) -> anyhow::Result<()> {
        let _ = path;
        Ok(())
    }

    /// Forgets it, after `goroam restore`.
    ///
    /// # Errors
    /// When the file cannot be removed.
    pub fn remove(path: &Path) -> anyhow::Result<()> {
        let _ = path;
        Ok(())
    }
}
