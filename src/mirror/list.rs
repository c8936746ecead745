//! `goroam mirror list`: lists a mirror's content; `pin` and `unpin`: choose the version in
//! `@latest`.

use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Serialize;

use super::layout::{Files, Layout, Tree, VersionFile, is_asked, is_whole, latest};
use super::proof::Trust;
use super::store::{Store, pins, versions};
use super::sumdb::Proofs;
use super::wants::AddError;
use crate::bounded;
use crate::gomod::ModuleVersion;
use crate::gomod::form::MOST_ZIP_HASH;

/// The content of a mirror.
#[derive(Debug, Clone, Serialize)]
pub struct Listing {
    /// Its directory.
    #[serde(serialize_with = "crate::paths::serialize")]
    pub mirror: PathBuf,
    /// Modules, sorted by path.
    pub modules: Vec<ListedModule>,
    /// Totals of what is listed.
    pub totals: ListTotals,
}

/// One module.
#[derive(Debug, Clone, Serialize)]
pub struct ListedModule {
    /// Its path.
    pub module: String,
    /// The pinned version.
    pub pinned: Option<String>,
    /// Its versions, in go's order.
    pub versions: Vec<ListedVersion>,
}

/// One version of it.
#[derive(Debug, Clone, Serialize)]
pub struct ListedVersion {
    /// The version.
    pub version: String,
    /// Whether its zip is there. Without a zip there is only the go.mod, which a module graph
    /// needs.
    pub zip: bool,
    /// Bytes of its files.
    pub bytes: u64,
    /// The checksum database that proves it, from the proofs in the mirror.
    pub proven_by: Option<String>,
    /// When it was stored.
    pub since: Option<Timestamp>,
}

/// Totals.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ListTotals {
    /// Modules with at least one complete version.
    pub modules: usize,
    /// Complete versions.
    pub versions: usize,
    /// Versions with only a go.mod.
    pub go_mods: usize,
    /// Bytes of all files that belong to versions.
    pub bytes: u64,
    /// Complete versions that a checksum database proves.
    pub proven: usize,
}

/// Lists the modules at and below these paths, or all modules if no path is given.
///
/// # Errors
/// When the mirror, or goroam's notes in it, cannot be read.
pub fn list(root: &Path, below: &[String], trust: &Trust) -> io::Result<Listing> {
    let layout = Layout::new(root);
    let tree = Tree::read(&layout)?;
    let pins = pins(&layout)?;
    // Without a database nothing is proven; that is not an error.
    let proofs = Proofs::open(&layout, &trust.sumdb).ok();
    let mut listing = Listing {
        mirror: root.to_owned(),
        modules: Vec::new(),
        totals: ListTotals::default(),
    };
    for (path, module) in tree
        .modules
        .iter()
        .filter(|(path, _)| is_asked(path, below))
    {
        let versions: Vec<ListedVersion> = module
            .versions
            .iter()
            .map(|(version, files)| ListedVersion {
                version: version.version.clone(),
                zip: is_whole(files),
                bytes: files.values().sum(),
                proven_by: proofs
                    .as_ref()
                    .filter(|proofs| is_proven(&layout, proofs, version, files))
                    .map(|proofs| proofs.name().to_owned()),
                since: since(&layout, version),
            })
            .collect();
        let totals = &mut listing.totals;
        let whole = versions.iter().filter(|version| version.zip);
        totals.modules += usize::from(whole.clone().next().is_some());
        totals.proven += whole.clone().filter(|one| one.proven_by.is_some()).count();
        totals.versions += whole.count();
        totals.go_mods += versions.iter().filter(|version| !version.zip).count();
        totals.bytes += versions.iter().map(|version| version.bytes).sum::<u64>();
        listing.modules.push(ListedModule {
            module: path.clone(),
            pinned: pins.get(path).cloned(),
            versions,
        });
    }
    Ok(listing)
}

/// Reports whether the database has a record that agrees with the hash stored at verification. Only
/// `mirror verify` checks whether the zip still has that hash.
fn is_proven(layout: &Layout, proofs: &Proofs, version: &ModuleVersion, files: &Files) -> bool {
    let Ok(sums) = proofs.prove(version) else {
        return false;
    };
    if !files.contains_key(&VersionFile::Zip) {
        return sums.go_mod.is_some();
    }
    let noted = layout.file(version, VersionFile::ZipHash).ok();
    let noted = noted.and_then(|path| bounded::read(&path, MOST_ZIP_HASH).ok());
    sums.zip
        .is_some_and(|zip| zip.as_bytes() == noted.unwrap_or_default().trim_ascii())
}

/// Returns when a version was stored: `.info` is written last, and is never a link.
pub(super) fn since(layout: &Layout, version: &ModuleVersion) -> Option<Timestamp> {
    let time = |part| {
        let path = layout.file(version, part).ok()?;
        let meta = std::fs::symlink_metadata(path).ok()?;
        Timestamp::try_from(meta.modified().ok()?).ok()
    };
    time(VersionFile::Info)
        .or_else(|| time(VersionFile::Mod))
        .or_else(|| time(VersionFile::Zip))
}

/// What a module's `@latest` contains now.
#[derive(Debug, Clone, Serialize)]
pub struct Pinned {
    /// The mirror's directory.
    #[serde(serialize_with = "crate::paths::serialize")]
    pub mirror: PathBuf,
    /// The module's path.
    pub module: String,
    /// The version that is pinned now.
    pub pinned: Option<String>,
    /// The version that was pinned before.
    pub before: Option<String>,
    /// The version in `@latest`.
    pub latest: Option<String>,
}

/// Makes the module's `@latest` name this version; without a version, its highest version again.
///
/// # Errors
/// When there is no mirror, or the mirror does not hold that version.
pub fn pin(
    root: &Path,
    module: &str,
    version: Option<&str>,
    waits: &mut dyn FnMut(),
) -> Result<Pinned, AddError> {
    let mut store = Store::of_mirror(root, waits)?;
    let there =
        versions(&store.layout, module).map_err(|error| AddError::Usage(error.to_string()))?;
    if let Some(version) = version
        && !there.iter().any(|one| one == version)
    {
        let why = match there.as_slice() {
            [] => format!("the mirror does not hold {module}"),
            some => format!(
                "the mirror does not hold {module}@{version}; it holds {}",
                some.join(", ")
            ),
        };
        return Err(AddError::Usage(format!(
            "{why}. `goroam mirror add {module}@{version}` brings it"
        )));
    }
    let before = store.pin(module, version);
    Ok(Pinned {
        mirror: root.to_owned(),
        module: module.to_owned(),
        pinned: version.map(str::to_owned),
        before: before.map_err(|error| AddError::file(root, &error))?,
        latest: latest(&there, version).map(str::to_owned),
    })
}
