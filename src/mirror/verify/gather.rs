//! Reading one version's files: what they hash to, and what they say.

use std::path::Path;

use super::judge::{Proof, Read, Seen, ZipSeen};
use crate::bounded;
use crate::gomod::ModuleVersion;
use crate::gomod::form::{self, MOST_INFO, MOST_MOD, MOST_ZIP_HASH};
use crate::gomod::sum::hash_go_mod;
use crate::gomod::zip::{ModZip, ZipError};
use crate::mirror::layout::{File, Layout};
use crate::mirror::tree::Files;

/// Reads what is there of a version. `noted_mod`: the hash of its `.mod` that was noted.
pub(super) fn gather(
    layout: &Layout,
    module: &ModuleVersion,
    files: &Files,
    noted_mod: Option<String>,
    proof: Proof,
) -> Seen {
    let path = |file| layout.file(module, file).unwrap_or_default();
    let read = |file, there: Option<u64>, most| there.map(|_| bounded(&path(file), most));
    let go_mod = read(File::Mod, files.go_mod, MOST_MOD);
    Seen {
        info: read(File::Info, files.info, MOST_INFO),
        go_mod: go_mod.map(|read| match read {
            Read::Is(bytes) => Read::Is((hash_go_mod(&bytes), form::go_mod(&bytes))),
            Read::Cannot(why) => Read::Cannot(why),
        }),
        ziphash: read(File::ZipHash, files.ziphash, MOST_ZIP_HASH),
        zip: files.zip.map(|_| zip(module, &path(File::Zip))),
        noted_mod,
        proof,
    }
}

fn zip(module: &ModuleVersion, path: &Path) -> Read<Result<ZipSeen, String>> {
    let seen = || {
        let zip = ModZip::open(path)?;
        zip.belongs_to(&module.path, &module.version)?;
        let h1 = zip.h1()?;
        let name = format!("{}@{}/go.mod", module.path, module.version);
        let go_mod = match zip.entry(&name) {
            Some(_) => Some(hash_go_mod(&zip.read(&name, MOST_MOD)?)),
            None => None,
        };
        Ok(ZipSeen { h1, go_mod })
    };
    match seen() {
        Ok(seen) => Read::Is(Ok(seen)),
        Err(ZipError::Io { error, .. }) => Read::Cannot(error.to_string()),
        Err(ZipError::Bad { why, .. }) => Read::Is(Err(why)),
        Err(ZipError::Entry { name, why, .. }) => Read::Is(Err(format!("{name:?} {why}"))),
    }
}

/// A regular file of at most so many bytes.
pub(super) fn bounded(path: &Path, most: u64) -> Read<Vec<u8>> {
    match bounded::read_named(path, most) {
        Ok(bytes) => Read::Is(bytes),
        Err(error) => Read::Cannot(error.to_string()),
    }
}
