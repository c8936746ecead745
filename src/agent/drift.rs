//! Drift: what others have made of the managed variables since goroam wrote them.

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

/// What goroam wrote and what stands there now, by variable; only those that differ.
pub(crate) fn find(
    memory: &Memory,
    file: &EnvFile,
    present: &Present,
) -> BTreeMap<String, (Option<String>, Option<String>)> {
    let path = exact(&file.path);
    let sha256 = sha256_hex(present.bytes.as_deref().unwrap_or_default());
    let ours = |written: &&Written| written.path == path;
    // A kill between the rename and the note of it leaves the note that was made before it.
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

/// The same, as status shows it.
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

/// Which of goroam's values end because these variables were set by hand, and what each goes
/// back to; see [`plan::ended`].
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

/// Are these the bytes that the note is of?
pub(crate) fn holds(note: &Written, bytes: &[u8]) -> bool {
    note.sha256 == sha256_hex(bytes)
}

/// Has another program written the file since goroam's first write, if it holds this (`None`: there
/// is none)?
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
    // Before the first write it holds what the baseline holds; what cannot be read differs.
    let before = baseline.and_then(|baseline| baseline.decoded().ok());
    memory.written.is_some() || before.is_none_or(|before| before.as_deref() != bytes)
}

/// The managed variables as they stand in the go env file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Present {
    pub(crate) bytes: Option<Vec<u8>>,
    pub(crate) values: BTreeMap<String, String>,
    /// Why nothing is known of it, though there is something.
    pub(crate) trouble: Option<String>,
}

impl Present {
    /// What the file says of any variable, managed or not.
    pub(crate) fn line(&self, name: &str) -> Option<String> {
        let text = EnvText(self.bytes.clone()?);
        text.get(name).map(str::to_owned)
    }

    /// From a text that was read; `None`: there is no file.
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
    let set = policy.managed().into_iter().map(str::to_owned);
    let once_set = baseline.into_iter().flat_map(|it| it.values.keys());
    set.chain(once_set.cloned()).collect()
}
