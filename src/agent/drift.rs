//! Drift: what somebody else has made of the managed variables since goroam wrote them.

use std::collections::BTreeMap;

use ring::digest::{SHA256, digest};

use super::present::Present;
use crate::gocmd::EnvFile;
use crate::model::mask::mask;
use crate::model::status::Drift;
use crate::state::Memory;
use crate::state::memory::Written;

/// What goroam wrote and what stands there now, by variable; only those that differ.
pub(crate) fn find(
    memory: &Memory,
    file: &EnvFile,
    present: &Present,
) -> BTreeMap<String, (Option<String>, Option<String>)> {
    let path = file.path.display().to_string();
    let sha256 = sha256(present.bytes.as_deref().unwrap_or_default());
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
    if written.sha256 == sha256 {
        return BTreeMap::new();
    }
    written
        .values
        .iter()
        .filter_map(|(name, wrote)| {
            let found = present.values.get(name);
            (found != wrote.as_ref()).then(|| (name.clone(), (wrote.clone(), found.cloned())))
        })
        .collect()
}

/// The same, as status shows it.
pub(crate) fn shown(memory: &Memory, file: &EnvFile, present: &Present) -> Vec<Drift> {
    let hide = |value: Option<String>| value.map(|value| mask(&value));
    find(memory, file, present)
        .into_iter()
        .map(|(name, (wrote, found))| Drift {
            name,
            wrote: hide(wrote),
            found: hide(found),
        })
        .collect()
}

/// A note of what stands in the file.
pub(crate) fn note(
    file: &EnvFile,
    bytes: &[u8],
    values: BTreeMap<String, Option<String>>,
) -> Written {
    Written {
        path: file.path.display().to_string(),
        sha256: sha256(bytes),
        values,
    }
}

fn sha256(bytes: &[u8]) -> String {
    digest(&SHA256, bytes)
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
