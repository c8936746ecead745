//! What the go env file held before goroam's first write, kept until `goroam restore`.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::Path;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::file;
use crate::model::EnvText;
use crate::paths::exact;

/// A go env file of 1 MiB in base64, and its values again.
const MOST_BYTES: u64 = 8 << 20;

/// The go env file before goroam's first write.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Baseline {
    /// Which file.
    pub path: String,
    /// Its bytes, in base64; `None`: there was no file.
    pub bytes: Option<String>,
    /// Every variable that goroam has managed since, and its value then; `None`: it had no line.
    pub values: BTreeMap<String, Option<String>>,
    /// The record of before was lost. This one was put together from what goroam knows to have
    /// written: what its own lines had replaced is not known any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lost: bool,
}

impl Baseline {
    /// Takes down what the file holds (`None`: there is none) and what these names are in it.
    pub fn capture<'a>(
        path: &Path,
        bytes: Option<&[u8]>,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Baseline {
        let mut baseline = Baseline {
            path: exact(path),
            bytes: bytes.map(|bytes| STANDARD.encode(bytes)),
            values: BTreeMap::new(),
            lost: false,
        };
        let text = EnvText(bytes.unwrap_or_default().to_vec());
        baseline.manage(&text, names);
        baseline
    }

    /// Takes down the values of names that a changed policy manages as well, as they stand
    /// now; what is known stays. Is there anything new, so that it must be saved?
    pub fn manage<'a>(&mut self, text: &EnvText, names: impl IntoIterator<Item = &'a str>) -> bool {
        let known = self.values.len();
        for name in names {
            self.values
                .entry(name.to_owned())
                .or_insert_with(|| text.get(name).map(str::to_owned));
        }
        self.values.len() > known
    }

    /// The file's bytes; `Ok(None)`: there was no file.
    ///
    /// # Errors
    /// When somebody has tampered with the base64.
    pub fn decoded(&self) -> anyhow::Result<Option<Vec<u8>>> {
        let Some(text) = &self.bytes else {
            return Ok(None);
        };
        let bytes = STANDARD
            .decode(text)
            .context("the baseline's bytes are damaged, so they cannot be put back")?;
        Ok(Some(bytes))
    }

    /// Reads it; `Ok(None)` when there is none.
    ///
    /// # Errors
    /// When it is there and cannot be read or understood.
    pub fn load(path: &Path) -> anyhow::Result<Option<Baseline>> {
        let read = file::read(path, MOST_BYTES);
        let unreadable = || {
            format!(
                "{} cannot be read; it records what the go env file held before goroam",
                path.display()
            )
        };
        let Some(bytes) = read.with_context(unreadable)? else {
            return Ok(None);
        };
        let damaged = || {
            format!(
                "{} is damaged; it records what the go env file held before goroam",
                path.display()
            )
        };
        let baseline: Baseline = serde_json::from_slice(&bytes).with_context(damaged)?;
        baseline.decoded().with_context(damaged)?;
        Ok(Some(baseline))
    }

    /// Keeps it, before the first write.
    ///
    /// # Errors
    /// When it cannot be kept; nothing may be written then.
    pub fn save(&self, path: &Path) -> anyhow::Result<()> {
        let bytes = serde_json::to_vec_pretty(self)?;
        file::replace(path, &bytes).with_context(|| path.display().to_string())
    }

    /// Forgets it, after `goroam restore`.
    ///
    /// # Errors
    /// When the file cannot be removed.
    pub fn remove(path: &Path) -> anyhow::Result<()> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result.with_context(|| path.display().to_string()),
        }
    }
}

/// The values are the user's own, perhaps with passwords: only the names are shown.
impl fmt::Debug for Baseline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Baseline")
            .field("path", &self.path)
            .field("names", &self.values.keys())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Baseline, EnvText};

    #[test]
    fn odd_bytes_come_back_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("baseline.json");
        assert_eq!(Baseline::load(&path).unwrap(), None);
        let bytes: Vec<u8> = (0..=255).collect();
        for bytes in [None, Some(b"".as_slice()), Some(bytes.as_slice())] {
            let baseline = Baseline::capture(Path::new("/h/env"), bytes, ["GOPROXY"]);
            baseline.save(&path).unwrap();
            let loaded = Baseline::load(&path).unwrap().unwrap();
            assert_eq!(loaded, baseline);
            assert_eq!(loaded.decoded().unwrap().as_deref(), bytes);
        }
        Baseline::remove(&path).unwrap();
        Baseline::remove(&path).unwrap();
        assert_eq!(Baseline::load(&path).unwrap(), None);
    }

    #[test]
    fn a_name_that_is_managed_later_gets_the_value_it_has_then() {
        let bytes = b"GOPROXY=https://joe:s3cret@h\n";
        let mut baseline = Baseline::capture(Path::new("/e"), Some(bytes), ["GOPROXY", "GOSUMDB"]);
        let now = EnvText(b"GOPROXY=off\nGOSUMDB=off\nGOFLAGS=-v\n".to_vec());
        assert!(!baseline.manage(&now, ["GOSUMDB"]));
        assert!(baseline.manage(&now, ["GOFLAGS", "GOPROXY"]));
        assert_eq!(
            baseline.values["GOPROXY"].as_deref(),
            Some("https://joe:s3cret@h")
        );
        assert_eq!(baseline.values["GOSUMDB"], None);
        assert_eq!(baseline.values["GOFLAGS"].as_deref(), Some("-v"));
        assert!(!format!("{baseline:?}").contains("s3cret"));
    }

    #[test]
    fn a_damaged_one_is_an_error_and_not_an_empty_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("baseline.json");
        for text in ["", "{", r#"{"path":"x","bytes":"!!","values":{}}"#] {
            std::fs::write(&path, text).unwrap();
            assert!(Baseline::load(&path).is_err(), "{text}");
        }
    }
}
