//! Drift: how other programs have changed the managed variables since goroam wrote them.

use std::collections::{BTreeMap, BTreeSet};

use super::error::Error;
use crate::gocmd::{ApplyError, EnvFile, EnvText};
use crate::gomod::sum::sha256_hex;
use crate::model::mask::mask;
use crate::model::plan;
use crate::model::status::Drift;
use crate::paths::exact;
use crate::policy::Policy;
use crate::state::memory::Written;
use crate::state::{Baseline, Memory};

/// Returns what goroam wrote and what the file holds now, for each variable that differs.
pub(crate) fn find(
    memory: &Memory,
    file: &EnvFile,
    present: &Present,
) -> BTreeMap<String, (Option<String>, Option<String>)> {
    let path = exact(&file.path);
    let sha256 = sha256_hex(present.bytes.as_deref().unwrap_or_default());
    let ours = |written: &&Written| written.path == path;
    // After a kill between the rename and the note of it, only the note made before the rename
    // exists.
    let pending = memory
        .pending
        .as_ref()
        .filter(ours)
        .filter(|pending| pending.sha256 == sha256);
    let Some(written) = pending.or(memory.written.as_ref().filter(ours)) else {
        return BTreeMap::new();
    };
    BTreeMap::from_iter(written.values.iter().filter_map(|(name, wrote)| {
        let found = present.values.get(name);
        (found != wrote.as_ref()).then(|| (name.clone(), (wrote.clone(), found.cloned())))
    }))
}

/// Returns the drift in the form that status shows.
pub(crate) fn shown(memory: &Memory, file: &EnvFile, present: &Present) -> Vec<Drift> {
    let found = find(memory, file, present).into_iter();
    let shown = found.map(|(name, (wrote, found))| Drift {
        name,
        wrote: wrote.as_deref().map(mask),
        found: found.as_deref().map(mask),
        ended: Vec::new(),
    });
    shown.collect()
}

/// Returns which of goroam's values end because these variables were set by hand, and what each
/// goes back to; see [`plan::ended`].
pub(crate) fn ended(
    by_hand: &BTreeSet<String>,
    ours: &BTreeMap<String, Option<String>>,
    present: &Present,
    baseline: Option<&Baseline>,
) -> BTreeMap<String, Option<String>> {
    if by_hand.is_empty() {
        return BTreeMap::new();
    }
    let own = |name: &str| match baseline.and_then(|baseline| baseline.values.get(name)) {
        Some(before) if !by_hand.contains(name) => before.clone(),
        Some(_) | None => present.line(name),
    };
    plan::ended(by_hand, ours, &own)
}

/// Reports whether the note describes these bytes.
pub(crate) fn holds(note: &Written, bytes: &[u8]) -> bool {
    note.sha256 == sha256_hex(bytes)
}

/// Reports whether another program has written the file since goroam's first write. `None`: the
/// file does not exist.
pub(crate) fn is_shared(
    memory: &Memory,
    baseline: Option<&Baseline>,
    file: &EnvFile,
    bytes: Option<&[u8]>,
) -> bool {
    let path = exact(&file.path);
    let now = sha256_hex(bytes.unwrap_or_default());
    let notes = [&memory.pending, &memory.written];
    let mut ours = notes.into_iter().flatten().filter(|note| note.path == path);
    if let Some(note) = ours.find(|note| note.sha256 == now) {
        return note.shared;
    }
    // Before goroam's first write, the file holds what the baseline holds. Content that cannot be
    // read counts as different.
    let before = baseline.and_then(|baseline| baseline.decoded().ok());
    memory.written.is_some() || before.is_none_or(|before| before.as_deref() != bytes)
}

/// The managed variables as the go env file holds them now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Present {
    pub(crate) bytes: Option<Vec<u8>>,
    pub(crate) values: BTreeMap<String, String>,
    /// Why the file's content is unknown although the file exists.
    pub(crate) trouble: Option<String>,
}

impl Present {
    /// The value that the file holds for any variable, managed or not.
    pub(crate) fn line(&self, name: &str) -> Option<String> {
        let text = EnvText(self.bytes.clone()?);
        text.get(name).map(str::to_owned)
    }

    /// Builds it from a text that was read; `None`: the file does not exist.
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

/// All variables that goroam manages: those that the policy sets, and those that it set before.
pub(crate) fn managed(policy: &Policy, baseline: Option<&Baseline>) -> BTreeSet<String> {
    let set = policy.managed().into_iter().map(str::to_owned);
    let once_set = baseline.into_iter().flat_map(|it| it.values.keys());
    set.chain(once_set.cloned()).collect()
}
