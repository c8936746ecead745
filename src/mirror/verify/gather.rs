//! Reading one version's files: what they hash to, and what they say.

use std::path::Path;

use crate::bounded;
use crate::gomod::ModuleVersion;
use crate::gomod::form::{MOST_INFO, MOST_MOD, MOST_ZIP_HASH};
use crate::gomod::stored::{DatabaseAnswer, StoredMod, StoredVersion, StoredZip, ZipFault};
use crate::gomod::sum::hash_go_mod;
use crate::gomod::zip::{ModZip, ZipError};
use crate::mirror::layout::{Layout, VersionFile};
use crate::mirror::tree::Files;

/// Reads what is there of a version. `noted_mod`: the hash of its `.mod` that was noted.
pub(super) fn gather<'m>(
    layout: &Layout,
    module: &'m ModuleVersion,
    files: &Files,
    noted_mod: Option<String>,
    answer: DatabaseAnswer,
) -> StoredVersion<'m> {
    let path = |file| layout.file(module, file).unwrap_or_default();
    let read = |file, there: Option<u64>, most| there.map(|_| bounded(&path(file), most));
    let go_mod = read(VersionFile::Mod, files.go_mod, MOST_MOD);
    StoredVersion {
        module,
        info: read(VersionFile::Info, files.info, MOST_INFO),
        go_mod: go_mod.map(|read| read.map(|bytes| StoredMod::of(&bytes))),
        zip_hash: read(VersionFile::ZipHash, files.ziphash, MOST_ZIP_HASH),
        zip: files.zip.map(|_| read_zip(module, &path(VersionFile::Zip))),
        noted_mod,
        answer,
        claims: Vec::new(),
    }
}

/// Reads a version's zip to its end.
pub(crate) fn read_zip(module: &ModuleVersion, path: &Path) -> Result<StoredZip, ZipFault> {
    let read = || {
        let zip = ModZip::open(path)?;
        zip.belongs_to(&module.path, &module.version)?;
        let h1 = Some(zip.h1()?);
        let name = format!("{module}/go.mod");
        let go_mod = match zip.entry(&name) {
            Some(_) => Some(hash_go_mod(&zip.read(&name, MOST_MOD)?)),
            None => None,
        };
        Ok(StoredZip { h1, go_mod })
    };
    read().map_err(zip_fault)
}

/// What an error says about a zip.
pub(crate) fn zip_fault(error: ZipError) -> ZipFault {
    if error.is_unreadable {
        ZipFault::Unreadable(error.why)
    } else if error.why.starts_with("no module zip") {
        ZipFault::Broken(format!("is {}", error.why))
    } else {
        ZipFault::Broken(format!("is no module zip: {}", error.why))
    }
}

/// A regular file of at most so many bytes.
pub(super) fn bounded(path: &Path, most: u64) -> Result<Vec<u8>, String> {
    bounded::read_named(path, most).map_err(|error| error.to_string())
}
