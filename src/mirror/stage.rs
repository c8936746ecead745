//! One version, taken out of the module cache into the spool, with the hashes of what came.

use std::io;
use std::path::PathBuf;

use super::judge::Refusal;
use super::layout::{Layout, VersionFile};
use super::lift::{How, lift};
use super::store::Staged;
use crate::bounded;
use crate::gomod::ModuleVersion;
use crate::gomod::form::{self, MOST_INFO, MOST_MOD, MOST_ZIP_HASH};
use crate::gomod::sum::hash_go_mod;
use crate::gomod::zip::ModZip;

/// What came.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) staged: Staged,
    /// How the zip came, and its bytes.
    pub(super) zip: Option<(How, u64)>,
    /// The go.mod's hash, computed.
    pub(super) go_mod: String,
    /// What go noted of the zip, and where.
    pub(super) noted: Option<(Vec<u8>, PathBuf)>,
}

/// Takes a version out of the cache. With a `spool` name the zip comes too, by that name.
///
/// What is verified is the file in the spool, which nobody but this user can exchange.
pub(super) fn take(
    cache: &Layout,
    module: &ModuleVersion,
    spool: Option<PathBuf>,
) -> Result<Taken, Refusal> {
    let path = |part| {
        let path = cache.file(module, part);
        path.map_err(|error| Refusal::because(error.to_string()))
    };
    let go_mod = bounded::read_named(&path(VersionFile::Mod)?, MOST_MOD).map_err(lacks)?;
    form::go_mod(&go_mod).map_err(|why| poisoned("go.mod", &why, &path(VersionFile::Mod)))?;
    let info = match bounded::read_named(&path(VersionFile::Info)?, MOST_INFO) {
        Ok(info) => Some(info),
        Err(error) if spool.is_none() && error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(lacks(error)),
    };
    if let Some(info) = &info {
        form::info(info, module)
            .map_err(|why| poisoned(".info", &why, &path(VersionFile::Info)))?;
    }
    let hash = hash_go_mod(&go_mod);
    let mut taken = Taken {
        staged: Staged {
            module: module.clone(),
            zip: None,
            go_mod,
            info,
        },
        zip: None,
        go_mod: hash,
        noted: None,
    };
    if let Some(to) = spool {
        let from = path(VersionFile::Zip)?;
        let named = |error: io::Error| {
            lacks(io::Error::new(
                error.kind(),
                format!("{}: {error}", from.display()),
            ))
        };
        let how = lift(&from, &to).map_err(named)?;
        let bytes = std::fs::metadata(&to).map_err(named)?.len();
        let read = ModZip::open(&to).and_then(|zip| {
            zip.belongs_to(&module.path, &module.version)?;
            zip.h1()
        });
        let h1 = read.map_err(|error| {
            let _ = std::fs::remove_file(&to);
            // The spool's name says nothing to anybody.
            let why = error
                .to_string()
                .replace(&to.display().to_string(), &from.display().to_string());
            Refusal::because(format!(
                "its zip is none: {why}; remove it, or run `go clean -modcache`"
            ))
        })?;
        let noted = path(VersionFile::ZipHash)?;
        taken.noted = match bounded::read_named(&noted, MOST_ZIP_HASH) {
            Ok(hash) => Some((hash, noted)),
            Err(_) => None,
        };
        taken.zip = Some((how, bytes));
        taken.staged.zip = Some((to, h1));
    }
    Ok(taken)
}

fn lacks(error: io::Error) -> Refusal {
    let is_missing = error.kind() == io::ErrorKind::NotFound;
    let lead = if is_missing {
        "the module cache lacks it: "
    } else {
        ""
    };
    Refusal::because([lead, &error.to_string()].concat())
}

fn poisoned(file: &str, why: &str, path: &Result<PathBuf, Refusal>) -> Refusal {
    let place = match path {
        Ok(path) => path.display().to_string(),
        Err(refusal) => refusal.why.clone(),
    };
    Refusal::because(format!(
        "its {file} {why} ({place}): a login page may have answered in its place. `goroam doctor --cache --fix` removes such files"
    ))
}
