//! Versions whose `.mod` is not the go.mod in their zip: `ROOT/.goroam/mods.json`. go takes both
//! as they are, and go.sum has a hash of each. So the hash of such a `.mod` is noted when it is
//! stored, as `.ziphash` is for the zip, and `verify` holds the file to it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::layout::Layout;
use super::lock::Lock;
use crate::bounded;
use crate::gomod::ModuleVersion;
use crate::gomod::form::MOST_MOD;
use crate::gomod::sum::hash_go_mod;
use crate::gomod::zip::ModZip;
use crate::state::file::replace_readable;

/// Bytes; a hundred thousand of them.
const MOST: u64 = 16 << 20;

/// `MODULE@VERSION` to the hash of its `.mod`.
pub(super) type OddMods = BTreeMap<String, String>;

/// Those of a mirror. A file that cannot be read vouches for none.
pub(super) fn read(layout: &Layout) -> OddMods {
    let bytes = bounded::read_named(&path(layout), MOST).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}

/// Notes what these versions have now; `None`: nothing is to be noted of it (any more).
///
/// # Errors
/// When it cannot be written.
pub(super) fn note(
    layout: &Layout,
    _lock: &Lock,
    now: impl Iterator<Item = (String, Option<String>)>,
) -> io::Result<()> {
    let before = read(layout);
    let mut all = before.clone();
    for (module, hash) in now {
        match hash {
            Some(hash) => all.insert(module, hash),
            None => all.remove(&module),
        };
    }
    if all == before {
        return Ok(());
    }
    let mut bytes = serde_json::to_vec_pretty(&all)?;
    bytes.push(b'\n');
    replace_readable(&path(layout), &bytes).map(|_| ())
}

/// The hash of this `.mod`, if the zip holds another go.mod.
pub(super) fn odd(module: &ModuleVersion, go_mod: &[u8], zip: &Path) -> Option<String> {
    let zip = ModZip::open(zip).ok()?;
    let name = format!("{module}/go.mod");
    zip.entry(&name)?;
    let in_zip = zip.read(&name, MOST_MOD).ok()?;
    (in_zip != go_mod).then(|| hash_go_mod(go_mod))
}

fn path(layout: &Layout) -> PathBuf {
    layout.own().join("mods.json")
}
