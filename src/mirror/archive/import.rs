//! Taking what an archive holds: all of it, or nothing.
//!
//! An archive may have been made by anybody. It is unpacked into a folder of goroam's own in the
//! mirror, where it is a mirror by itself, and is verified there as one: by the key in this
//! machine's GOSUMDB. Only then are its proofs joined with those that are here, and its versions
//! put in their places, one after another.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::DirBuilder;
use std::io::{self, BufReader, Read as _};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::error::ArchiveError;
use super::manifest::{self, Manifest, Version};
use super::tar::Reader;
use crate::bounded;
use crate::gomod::ModuleVersion;
use crate::gomod::form::{MOST_INFO, MOST_MOD};
use crate::gomod::sum::{escape_path, escape_version};
use crate::gomod::zip;
use crate::meter::Meter;
use crate::mirror::layout::{Layout, VersionFile};
use crate::mirror::store::{Staged, Store};
use crate::mirror::sumdb::Route;
use crate::mirror::trust::Trust;
use crate::mirror::verify::{Asked, Prover, Report, Unproven, verify};

/// Versions that are stored at once.
const BATCH: usize = 64;
/// Bytes of a file of a checksum database. The list of heads is the longest.
const MOST_PROOF: u64 = 4 << 20;

/// What was taken.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Imported {
    /// Versions that were not there before.
    pub added: Vec<String>,
    /// Versions that were.
    pub present: u64,
    /// Bytes of the new ones.
    pub bytes: u64,
    /// Versions that the checksum database proves.
    pub proven: u64,
    /// Versions that nobody proves: they are what the archive's own list says, no more.
    pub unproven: Vec<Unproven>,
    /// Databases in it that this machine does not ask.
    pub other_databases: Vec<String>,
}

/// Takes all of it.
///
/// # Errors
/// When nothing was taken. After an error while versions are put in their places (the disk is
/// full), those that are there are whole, and the same command goes on.
pub async fn import(
    layout: &Layout,
    archive: &Path,
    trust: Trust,
    waits: &mut dyn FnMut(),
    meter: &Meter,
) -> Result<Imported, ArchiveError> {
    let failed = |error| ArchiveError::io(archive, error);
    let file = bounded::open(archive).map_err(failed)?;
    let meta = file.metadata().map_err(failed)?;
    let in_mirror = |error| ArchiveError::io(layout.root(), error);
    let mut store = Store::open(layout.clone(), waits).map_err(in_mirror)?;
    let staging = Staging::make(layout).map_err(in_mirror)?;
    meter.expect(0, meta.len());
    let mut input = BufReader::with_capacity(128 << 10, file);
    let database = trust.sumdb.name().to_owned();
    let unpacked = unpack(&mut input, archive, &staging.layout, &database, meter);
    if let Err(ArchiveError::Io { error, .. }) = &unpacked
        && is_full(error)
    {
        return Err(ArchiveError::Full {
            mirror: layout.root().to_owned(),
            archive: archive.to_owned(),
            megabytes: meta.len().div_ceil(1_000_000),
            error: io::Error::new(error.kind(), error.to_string()),
        });
    }
    let (manifest, mut imported) = unpacked?;
    let prover = Prover::open(&staging.layout, trust)?;
    let versions = manifest.versions.iter();
    let asked = Asked {
        without_index: true,
        // Which `.mod` it was stored with, also where the zip holds another go.mod.
        go_mods: BTreeMap::from_iter(
            versions.map(|one| (one.of().to_string(), one.go_mod.clone())),
        ),
        ..Asked::default()
    };
    let mut report = verify(&staging.layout, &asked, &prover, meter).map_err(in_mirror)?;
    for finding in &mut report.bad {
        finding.help =
            "have it exported anew from a mirror that `goroam mirror verify` finds in order"
                .to_owned();
    }
    agree(&manifest, &report)?;
    let fresh = fresh(&manifest, &report, layout)?;
    if !report.ok {
        return Err(ArchiveError::Refused(Box::new(report)));
    }
    if prover
        .proofs()
        .is_some_and(|proofs| proofs.head().is_some())
        && let Some(here) = prover.beside(layout)?.proofs()
    {
        Box::pin(here.merge(&staging.layout, Route::offline())).await?;
    }
    imported.present = (manifest.versions.len() - fresh.len()) as u64;
    imported.proven = report.proven;
    imported.unproven = report.unproven;
    for batch in fresh.chunks(BATCH) {
        let staged = batch.iter().map(|version| stage(version, &staging.layout));
        let staged: Vec<Staged> = staged.collect::<io::Result<_>>().map_err(in_mirror)?;
        for (version, staged) in batch.iter().zip(&staged) {
            imported.bytes += staged.go_mod.len() as u64;
            if let Some((zip, _)) = &staged.zip {
                imported.bytes += zip.metadata().map_err(in_mirror)?.len();
            }
            imported.added.push(version.of().to_string());
        }
        store.place(&staged).map_err(in_mirror)?;
    }
    let modules = BTreeSet::from_iter(fresh.iter().map(|version| version.module.as_str()));
    store.index(&modules).map_err(in_mirror)?;
    Ok(imported)
}

/// The folder in which the archive is unpacked. Removed when it is dropped; one that a killed
/// goroam left is removed before. The mirror's lock says that nobody else uses it.
struct Staging {
    layout: Layout,
}

impl Staging {
    fn make(layout: &Layout) -> io::Result<Staging> {
        let folder = layout.own().join("import");
        match std::fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        // What is in it has not been verified yet.
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut DirBuilder::new(), 0o700).create(&folder)?;
        // On Windows the mirror's own folder says who may read it.
        #[cfg(not(unix))]
        DirBuilder::new().create(&folder)?;
        Ok(Staging {
            layout: Layout::new(folder),
        })
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // What cannot be removed now is removed next time.
        let _ = std::fs::remove_dir_all(self.layout.root());
    }
}

/// Only files that the manifest names, and a database's, each once and bounded. An archive is
/// not compressed, so all together are no longer than it is.
fn unpack(
    input: &mut dyn io::Read,
    archive: &Path,
    staging: &Layout,
    database: &str,
    meter: &Meter,
) -> Result<(Manifest, Imported), ArchiveError> {
    let named = archive.display().to_string();
    let failed = |error: io::Error| {
        if error.kind() == io::ErrorKind::InvalidData {
            ArchiveError::malformed(&named, &error.to_string())
        } else {
            ArchiveError::io(archive, error)
        }
    };
    let mut reader = Reader::new(input);
    let manifest = match reader.next().map_err(failed)? {
        Some((name, size)) if name == manifest::NAME && size <= manifest::MOST => {
            let mut bytes = Vec::new();
            reader.read_to_end(&mut bytes).map_err(failed)?;
            Manifest::parse(&bytes)?
        }
        _ => {
            let why = "is no archive of `goroam mirror export`: it does not begin with its list";
            return Err(ArchiveError::malformed(&named, why));
        }
    };
    let mut expected = expected(&manifest)?;
    let mut imported = Imported::default();
    let others = manifest.databases.iter().map(|one| one.name.clone());
    imported.other_databases = others.filter(|name| name != database).collect();
    while let Some((name, size)) = reader.next().map_err(failed)? {
        let (path, most) = match expected.remove(&name) {
            Some((path, most)) => (staging.root().join(path), most),
            None => match proof(&name, database) {
                Some(Proof::Ours(path)) => (staging.root().join(path), MOST_PROOF),
                Some(Proof::Other) => continue,
                None => {
                    let name: String = name.chars().take(200).collect();
                    let why = format!("holds {name:?}, which its list does not name, or twice");
                    return Err(ArchiveError::malformed(&named, &why));
                }
            },
        };
        if size > most {
            let why = format!("holds {name:?} of {size} bytes; it may have {most}");
            return Err(ArchiveError::malformed(&named, &why));
        }
        let written = write_new(&path, &mut reader);
        written.map_err(|error| {
            if error.kind() == io::ErrorKind::AlreadyExists {
                ArchiveError::malformed(&named, &format!("holds {name:?} twice"))
            } else if error.kind() == io::ErrorKind::InvalidData {
                failed(error)
            } else {
                // A full disk is the mirror's, not the archive's.
                ArchiveError::io(&path, error)
            }
        })?;
        meter.did(0, size);
    }
    if let Some(name) = expected.keys().next() {
        let why = format!("lacks {name}, which its list names");
        return Err(ArchiveError::malformed(&named, &why));
    }
    Ok((manifest, imported))
}

/// Whoever reads an archive never gets these: it is the mirror's file system.
fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded)
}

fn write_new(path: &Path, content: &mut Reader<'_>) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut file = bounded::create_new(path)?;
    io::copy(content, &mut file).map(|_| ())
}

/// The files that the manifest names: where each is to be, and how long it may be.
fn expected(manifest: &Manifest) -> Result<BTreeMap<String, (PathBuf, u64)>, ArchiveError> {
    let mut expected = BTreeMap::new();
    let below = Layout::new("");
    for version in &manifest.versions {
        let module = version.of();
        let bad = |error: crate::gomod::sum::EscapeError| {
            ArchiveError::malformed(manifest::NAME, &error.to_string())
        };
        let path = escape_path(&module.path).map_err(bad)?;
        let escaped = escape_version(&module.version).map_err(bad)?;
        for part in version.parts() {
            let most = match part {
                VersionFile::Zip => zip::MOST,
                VersionFile::Mod => MOST_MOD,
                VersionFile::Info | VersionFile::ZipHash => MOST_INFO,
            };
            let name = format!("{path}/@v/{escaped}{}", part.end());
            let place = below.file(&module, part).map_err(bad)?;
            if expected.insert(name, (place, most)).is_some() {
                let why = format!("names {module} twice");
                return Err(ArchiveError::malformed(manifest::NAME, &why));
            }
        }
    }
    Ok(expected)
}

/// A checksum database's file.
enum Proof {
    /// Of the one that this machine asks: where it is to be.
    Ours(PathBuf),
    /// Of another one, which proves nothing here.
    Other,
}

fn proof(name: &str, database: &str) -> Option<Proof> {
    let plain = |part: &str| {
        let letters = |b: u8| b.is_ascii_alphanumeric() || b"#$%&()+,-.=@[]^_{}~!".contains(&b);
        !part.is_empty() && !part.ends_with('.') && part.bytes().all(letters)
    };
    let is_deep = name.matches('/').count() > 64;
    if is_deep || !name.split('/').all(plain) {
        return None;
    }
    let own = name.strip_prefix(".goroam/sumdb/");
    let below = own.or_else(|| name.strip_prefix("sumdb/"))?;
    let Some(rest) = below
        .strip_prefix(database)
        .and_then(|rest| rest.strip_prefix('/'))
    else {
        return Some(Proof::Other);
    };
    let known = match own {
        Some(_) => rest == "heads",
        None => rest == "supported" || rest.starts_with("lookup/") || rest.starts_with("tile/"),
    };
    known.then(|| Proof::Ours(name.split('/').collect()))
}

/// Is each version what the archive's own list says? Nothing else vouches for private ones.
fn agree(manifest: &Manifest, report: &Report) -> Result<(), ArchiveError> {
    for version in &manifest.versions {
        // What is not sound has been found to be so, and will be refused with more words.
        let Some(hashes) = report.sound.get(&version.of()) else {
            continue;
        };
        let same = hashes.zip == version.zip
            && hashes.go_mod == version.go_mod
            && hashes.info == version.info;
        if !same {
            let why = format!(
                "{} is not what the archive's list says: zip {} instead of {}, go.mod {} instead of {}",
                version.of(),
                hashes.zip.as_deref().unwrap_or("none"),
                version.zip.as_deref().unwrap_or("none"),
                hashes.go_mod,
                version.go_mod
            );
            return Err(ArchiveError::Differs(why));
        }
    }
    Ok(())
}

/// Those that the mirror does not hold yet. One that it holds otherwise is a contradiction,
/// unless the checksum database decides between the two.
fn fresh<'m>(
    manifest: &'m Manifest,
    report: &Report,
    layout: &Layout,
) -> Result<Vec<&'m Version>, ArchiveError> {
    let named = |one: &Unproven| ModuleVersion::new(one.module.as_str(), one.version.as_str());
    let unproven = BTreeSet::from_iter(report.unproven.iter().map(named));
    let mut fresh = Vec::new();
    for version in &manifest.versions {
        let module = version.of();
        let path = |part| layout.file(&module, part).unwrap_or_default();
        let (zip, go_mod) = (path(VersionFile::Zip), path(VersionFile::Mod));
        let held = match &version.zip {
            Some(wanted) if zip.exists() => {
                let held = zip::h1_of(&zip).map_err(|error| error.to_string());
                Some((held, wanted))
            }
            Some(_) => None,
            None => bounded::read_named(&go_mod, MOST_MOD)
                .ok()
                .map(|bytes| (Ok(crate::gomod::sum::hash_go_mod(&bytes)), &version.go_mod)),
        };
        match held {
            Some((Ok(held), wanted)) if held == *wanted => {
                // Half a version is made whole.
                if version.parts().any(|part| !path(part).exists()) {
                    fresh.push(version);
                }
            }
            Some((Ok(held), wanted)) if unproven.contains(&module) => {
                return Err(ArchiveError::Differs(format!(
                    "the mirror holds another {module}: {held}, and the archive {wanted}; nobody proves either. \
                     Compare both with their origin, and delete the wrong one"
                )));
            }
            Some(_) | None => fresh.push(version),
        }
    }
    Ok(fresh)
}

fn stage(version: &Version, staging: &Layout) -> io::Result<Staged> {
    let module = version.of();
    let path = |part| staging.file(&module, part).unwrap_or_default();
    Ok(Staged {
        zip: version.zip.clone().map(|h1| (path(VersionFile::Zip), h1)),
        go_mod: bounded::read_named(&path(VersionFile::Mod), MOST_MOD)?,
        info: if version.info {
            Some(bounded::read_named(&path(VersionFile::Info), MOST_INFO)?)
        } else {
            None
        },
        module,
    })
}
