//! What stands in the go env file now, as far as goroam manages it.

use std::collections::{BTreeMap, BTreeSet};

use super::error::Error;
use crate::gocmd::{ApplyError, EnvFile, EnvText};
use crate::policy::Policy;
use crate::state::Baseline;

/// The managed variables as they stand in the go env file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Present {
    pub(crate) bytes: Option<Vec<u8>>,
    pub(crate) values: BTreeMap<String, String>,
    /// Why nothing is known of it, though there is something.
    pub(crate) trouble: Option<String>,
}

impl Present {
    /// Reads the file.
    pub(crate) fn read(file: &EnvFile, managed: &BTreeSet<String>) -> Result<Present, Error> {
        Ok(Present::of(read_text(file)?, managed))
    }

    /// What the file says of any variable, managed or not.
    pub(crate) fn line(&self, name: &str) -> Option<String> {
        let text = EnvText(self.bytes.clone()?);
        text.get(name).map(str::to_owned)
    }

    /// Of a text that has been read; `None`: there is no file.
    pub(crate) fn of(text: Option<EnvText>, managed: &BTreeSet<String>) -> Present {
        let line = |name: &String| {
            let value = text.as_ref()?.get(name)?.to_owned();
            Some((name.clone(), value))
        };
        Present {
            values: BTreeMap::from_iter(managed.iter().filter_map(line)),
            bytes: text.map(|text| text.0),
            trouble: None,
        }
    }
}

pub(crate) fn read_text(file: &EnvFile) -> Result<Option<EnvText>, Error> {
    file.read().map_err(|source| {
        let path = file.path.clone();
        if source.kind() == std::io::ErrorKind::IsADirectory {
            let what = "a folder";
            return ApplyError::NotAFile { path, what }.into();
        }
        let what = "cannot be read";
        ApplyError::File { path, what, source }.into()
    })
}

/// Everything that goroam manages: what the policy sets, and what it once set.
pub(crate) fn managed(policy: &Policy, baseline: Option<&Baseline>) -> BTreeSet<String> {
    let mut names: BTreeSet<String> =
        BTreeSet::from_iter(policy.managed().into_iter().map(str::to_owned));
    names.extend(
        baseline
            .into_iter()
            .flat_map(|baseline| baseline.values.keys().cloned()),
    );
    names
}
