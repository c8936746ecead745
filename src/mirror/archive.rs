//! `goroam mirror export` and `import`: one archive to carry over an air gap.
//!
//! ```text
//! goroam-mirror.json               what is in it: each version's hashes, each database's tree head
//! sumdb/NAME/…, .goroam/sumdb/…    what proves it, as in the mirror
//! MODULE/@v/VERSION.{zip,mod,info}
//! ```
//!
//! A tar file, not compressed: zips are. The import writes `list` and `@latest` itself.
//!
//! An archive may come from any source. goroam unpacks it into a directory of its own inside the
//! mirror, where it is a complete mirror, and verifies it there with the key in this machine's
//! GOSUMDB. Only then does goroam merge its proofs with the existing ones and move its versions
//! into place, one after another.
//!
//! May import: the rest of the mirror, and everything below.

mod tar;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufReader, BufWriter, Read as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use self::tar::{Reader, Writer};
use super::layout::{Layout, VersionFile};
use super::proof::Trust;
use super::store::{Staged, Store};
use super::sumdb::{ProofError, Route};
use super::verify::{Asked, Hashes, Prover, Report, Unproven, verify};
use crate::bounded;
use crate::gomod::form::{MOST_INFO, MOST_MOD};
use crate::gomod::sum::{escape_path, hash_go_mod};
use crate::gomod::{ModuleVersion, semver, zip};
use crate::meter::Meter;

/// The name of the first file.
const LIST: &str = "goroam-mirror.json";
/// Format number of this file; another number is another format.
const FORMAT: u32 = 1;
/// Maximum size of this file in bytes: a hundred thousand versions.
const MOST_LIST: u64 = 64 << 20;
/// Number of versions that are stored at once.
const BATCH: usize = 64;
/// Maximum size in bytes of a checksum database's file. The list of heads is the longest.
const MOST_PROOF: u64 = 4 << 20;

/// Why an archive was not written or not imported. Then nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// A file cannot be read or written, or is not an archive of goroam.
    #[error("{0}")]
    Failed(String),
    /// The verification of its content failed.
    #[error("nothing was taken: what the archive holds is not as it must be")]
    Refused(Box<Report>),
    /// Its content differs from its own manifest, or from the mirror.
    #[error("nothing was taken: {0}")]
    Differs(String),
    /// Its proofs are wrong, or its database's tree contradicts the mirror's tree.
    #[error("nothing was taken: {0}")]
    Proof(#[from] ProofError),
}

impl ArchiveError {
    fn io(path: &Path, error: &io::Error) -> ArchiveError {
        ArchiveError::Failed(format!("{}: {error}", path.display()))
    }

    fn exists(archive: &Path) -> ArchiveError {
        let archive = archive.display();
        ArchiveError::Failed(format!(
            "{archive} is there already; name another file, or move it away"
        ))
    }

    /// Reports whether a checksum or a proof is wrong.
    pub fn is_mismatch(&self) -> bool {
        match self {
            ArchiveError::Refused(report) => report.has_mismatch(),
            ArchiveError::Differs(_) => true,
            ArchiveError::Proof(error) => error.is_mismatch(),
            ArchiveError::Failed(_) => false,
        }
    }
}

/// The first file of an archive: lists the content and its hashes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Manifest {
    format: u32,
    /// Name and version of the program that wrote it.
    made_by: String,
    /// Sorted.
    versions: Vec<Version>,
    /// The checksum databases that prove them.
    databases: Vec<Database>,
}

/// One version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Version {
    module: String,
    version: String,
    #[serde(flatten)]
    hashes: Hashes,
}

/// One database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Database {
    name: String,
    /// Its newest tree head, with the database's signature.
    head: String,
}

impl Version {
    fn of(&self) -> ModuleVersion {
        ModuleVersion::new(self.module.as_str(), self.version.as_str())
    }

    /// The files of the version, in the order in which they are moved into place.
    fn parts(&self) -> impl Iterator<Item = VersionFile> {
        let parts = [
            self.hashes.zip.as_ref().map(|_| VersionFile::Zip),
            Some(VersionFile::Mod),
            self.hashes.info.then_some(VersionFile::Info),
        ];
        parts.into_iter().flatten()
    }
}

impl Manifest {
    /// Parses a manifest. Accepts only names that go could ask for.
    fn parse(bytes: &[u8]) -> Result<Manifest, String> {
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }

        let none = |error: serde_json::Error| error.to_string();
        let Format { format } = serde_json::from_slice(bytes).map_err(none)?;
        if format != FORMAT {
            return Err(format!(
                "is of format {format}, and this goroam knows {FORMAT}; a newer one may take it"
            ));
        }
        let manifest: Manifest = serde_json::from_slice(bytes).map_err(none)?;
        for version in &manifest.versions {
            escape_path(&version.module).map_err(|error| error.to_string())?;
            if !semver::is_canonical(&version.version) {
                return Err(format!("{:?} is no version", version.version));
            }
        }
        Ok(manifest)
    }

    /// The files that it names: the target path and the maximum size of each.
    fn files(&self) -> Result<BTreeMap<String, (PathBuf, u64)>, String> {
        let mut files = BTreeMap::new();
        let below = Layout::new("");
        for version in &self.versions {
            let module = version.of();
            let escaped = module.escaped().map_err(|error| error.to_string())?;
            for part in version.parts() {
                let most = match part {
                    VersionFile::Zip => zip::MOST,
                    VersionFile::Mod => MOST_MOD,
                    VersionFile::Info | VersionFile::ZipHash => MOST_INFO,
                };
                let name = format!("{}/@v/{}{}", escaped.path, escaped.version, part.end());
                let place = below
                    .file(&module, part)
                    .map_err(|error| error.to_string())?;
                if files.insert(name, (place, most)).is_some() {
                    return Err(format!("names {module} twice"));
                }
            }
        }
        Ok(files)
    }
}

/// What was written.
#[derive(Debug, Clone, Serialize)]
pub struct Exported {
    /// The archive.
    #[serde(serialize_with = "crate::paths::serialize")]
    pub archive: PathBuf,
    /// Versions in it.
    pub versions: u64,
    /// Of these, versions with only a go.mod.
    pub go_mod_only: u64,
    /// Bytes of the archive.
    pub bytes: u64,
    /// What is needed but not in the mirror.
    pub missing: Vec<String>,
    /// The result of the verification; faulty versions were left out.
    pub verified: Report,
}

/// Verifies the mirror and writes its intact versions to a new file: all of them, or those of the
/// given versions that are there.
///
/// # Errors
/// When nothing was written: the file exists, or there is nothing to write.
pub fn export(
    layout: &Layout,
    archive: &Path,
    only: Option<&BTreeSet<ModuleVersion>>,
    prover: &Prover,
    meter: &Meter,
) -> Result<Exported, ArchiveError> {
    // Checked before any work starts; an existing file is not replaced later either.
    if archive.symlink_metadata().is_ok() {
        return Err(ArchiveError::exists(archive));
    }
    let report = verify(layout, &Asked::default(), prover, meter)
        .map_err(|error| ArchiveError::io(layout.root(), &error))?;
    let sound = report.sound.iter();
    let wanted = sound.filter(|(module, _)| only.is_none_or(|only| only.contains(module)));
    let versions = wanted.map(|(module, hashes)| Version {
        module: module.path.clone(),
        version: module.version.clone(),
        hashes: hashes.clone(),
    });
    let versions: Vec<Version> = versions.collect();
    if versions.is_empty() {
        let root = layout.root().display();
        return Err(ArchiveError::Failed(format!(
            "nothing to export: {root} holds no sound version that is asked for"
        )));
    }
    let is_missing = |module: &&ModuleVersion| !report.sound.contains_key(module);
    let missing = only.into_iter().flatten().filter(is_missing);
    let (mut databases, mut files) = (Vec::new(), BTreeSet::new());
    if let Some(kept) = prover.proofs()
        && let Some(head) = kept.head()
    {
        let modules: Vec<ModuleVersion> = versions.iter().map(Version::of).collect();
        files = kept.files_of(&modules)?;
        databases.push(Database {
            name: kept.name().to_owned(),
            head: head.note,
        });
    }
    let mut files: Vec<PathBuf> = files.into_iter().filter(|file| file.is_file()).collect();
    for version in &versions {
        let path = |part| layout.file(&version.of(), part).unwrap_or_default();
        files.extend(version.parts().map(path));
    }
    let with_zip = versions.iter().filter(|one| one.hashes.zip.is_some());
    let with_zip = with_zip.count() as u64;
    let manifest = Manifest {
        format: FORMAT,
        made_by: format!("goroam {}", env!("CARGO_PKG_VERSION")),
        versions,
        databases,
    };
    Ok(Exported {
        archive: archive.to_owned(),
        versions: with_zip,
        go_mod_only: manifest.versions.len() as u64 - with_zip,
        bytes: write(layout, archive, &manifest, &files, meter)?,
        missing: missing.map(ToString::to_string).collect(),
        verified: report,
    })
}

/// Writes the archive: the manifest, then these files of the mirror. Returns its size in bytes.
fn write(
    layout: &Layout,
    archive: &Path,
    manifest: &Manifest,
    files: &[PathBuf],
    meter: &Meter,
) -> Result<u64, ArchiveError> {
    let folder = archive
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let failed = |error: io::Error| ArchiveError::io(archive, &error);
    let file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new("."))).map_err(failed)?;
    #[cfg(unix)]
    {
        // The content is public, and users copy it to other machines.
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        file.as_file().set_permissions(mode).map_err(failed)?;
    }
    let mut buffered = BufWriter::with_capacity(128 << 10, file.as_file());
    let mut writer = Writer::new(&mut buffered);
    let mut bytes = serde_json::to_vec_pretty(manifest).map_err(|error| failed(error.into()))?;
    bytes.push(b'\n');
    writer
        .file(LIST, bytes.len() as u64, &mut bytes.as_slice())
        .map_err(failed)?;
    for path in files {
        let failed = |error: io::Error| ArchiveError::io(path, &error);
        let name = path.strip_prefix(layout.root()).ok().and_then(Path::to_str);
        let name = name.unwrap_or_default().replace('\\', "/");
        let mut file = bounded::open(path).map_err(failed)?;
        let size = file.metadata().map_err(failed)?.len();
        meter.expect(1, size);
        writer.file(&name, size, &mut file).map_err(failed)?;
        meter.did(1, size);
    }
    writer.finish().map_err(failed)?;
    let inner = buffered
        .into_inner()
        .map_err(|error| failed(error.into()))?;
    inner.sync_all().map_err(failed)?;
    let bytes = inner.metadata().map_err(failed)?.len();
    match file.persist_noclobber(archive) {
        Ok(_) => Ok(bytes),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
            Err(ArchiveError::exists(archive))
        }
        Err(error) => Err(failed(error.error)),
    }
}

/// What was imported.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Imported {
    /// Versions that were not there before.
    pub added: Vec<String>,
    /// Versions that were there before.
    pub present: u64,
    /// Bytes of the new versions.
    pub bytes: u64,
    /// Versions that the checksum database proves.
    pub proven: u64,
    /// Versions that no database proves: only the archive's own manifest vouches for them.
    pub unproven: Vec<Unproven>,
    /// Databases in the archive that this machine does not use.
    pub other_databases: Vec<String>,
}

/// Imports the whole archive, or nothing.
///
/// # Errors
/// When nothing was imported. If an error occurs while versions are moved into place (the disk is
/// full), the versions that are already in place are complete, and the same command continues.
pub async fn import(
    layout: &Layout,
    archive: &Path,
    trust: Trust,
    waits: &mut dyn FnMut(),
    meter: &Meter,
) -> Result<Imported, ArchiveError> {
    let in_mirror = |error: io::Error| ArchiveError::io(layout.root(), &error);
    let file = bounded::open(archive).map_err(|error| ArchiveError::io(archive, &error))?;
    let mut store = Store::open(layout.clone(), waits).map_err(in_mirror)?;
    let folder = staging(layout).map_err(in_mirror)?;
    let staging = Layout::new(folder.path());
    let database = trust.sumdb.name().to_owned();
    let manifest = unpack(file, archive, layout, &staging, &database, meter)?;
    let others = manifest.databases.iter().map(|one| one.name.clone());
    let mut imported = Imported {
        other_databases: others.filter(|name| *name != database).collect(),
        ..Imported::default()
    };
    let prover = Prover::open(&staging, trust)?;
    let versions = manifest.versions.iter();
    let asked = Asked {
        without_index: true,
        // The hash of the `.mod` that it was stored with, also if the zip holds another go.mod.
        go_mods: BTreeMap::from_iter(
            versions.map(|one| (one.of().to_string(), one.hashes.go_mod.clone())),
        ),
        ..Asked::default()
    };
    let mut report = verify(&staging, &asked, &prover, meter).map_err(in_mirror)?;
    for finding in &mut report.bad {
        finding.help =
            "export it again from a mirror that passes `goroam mirror verify`".to_owned();
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
        Box::pin(here.merge(&staging, Route::offline())).await?;
    }
    imported.present = (manifest.versions.len() - fresh.len()) as u64;
    imported.proven = report.proven;
    imported.unproven = report.unproven;
    for batch in fresh.chunks(BATCH) {
        let staged = batch.iter().map(|version| stage(version, &staging));
        let staged: Vec<Staged> = staged.collect::<io::Result<_>>().map_err(in_mirror)?;
        for staged in &staged {
            imported.bytes += staged.go_mod.len() as u64;
            if let Some((zip, _)) = &staged.zip {
                imported.bytes += zip.metadata().map_err(in_mirror)?.len();
            }
            imported.added.push(staged.module.to_string());
        }
        store.place(&staged).map_err(in_mirror)?;
    }
    let modules = BTreeSet::from_iter(fresh.iter().map(|version| version.module.as_str()));
    store.index(&modules).map_err(in_mirror)?;
    Ok(imported)
}

/// Makes the directory in which the archive is unpacked; it is removed on drop. One that a killed
/// goroam left is removed first: the mirror's lock guarantees that no other goroam uses it.
fn staging(layout: &Layout) -> io::Result<tempfile::TempDir> {
    bounded::if_any(std::fs::remove_dir_all(layout.own().join("import")))?;
    let mut folder = tempfile::Builder::new();
    folder
        .prefix("import")
        .rand_bytes(0)
        .tempdir_in(layout.own())
}

/// Unpacks only files that the manifest names and files of a database, each once and with a limit.
/// An archive is not compressed, so all files together are not longer than the archive.
fn unpack(
    file: std::fs::File,
    archive: &Path,
    mirror: &Layout,
    staging: &Layout,
    database: &str,
    meter: &Meter,
) -> Result<Manifest, ArchiveError> {
    let malformed = |what: &str| ArchiveError::Failed(format!("{} {what}", archive.display()));
    let failed = |error: io::Error| {
        if error.kind() == io::ErrorKind::InvalidData {
            return malformed(&error.to_string());
        }
        ArchiveError::io(archive, &error)
    };
    let length = file.metadata().map_err(failed)?.len();
    meter.expect(0, length);
    let mut input = BufReader::with_capacity(128 << 10, file);
    let mut reader = Reader::new(&mut input);
    let manifest = match reader.next().map_err(failed)? {
        Some((name, size)) if name == LIST && size <= MOST_LIST => {
            let mut bytes = Vec::new();
            reader.read_to_end(&mut bytes).map_err(failed)?;
            Manifest::parse(&bytes)
        }
        _ => {
            let what =
                "is not an archive of `goroam mirror export`: it does not begin with its list";
            return Err(malformed(what));
        }
    };
    let in_list = |why| ArchiveError::Failed(format!("{LIST} {why}"));
    let manifest = manifest.map_err(in_list)?;
    let mut expected = manifest.files().map_err(in_list)?;
    while let Some((name, size)) = reader.next().map_err(failed)? {
        let (path, most) = match (expected.remove(&name), proof(&name, database)) {
            (Some((path, most)), _) => (staging.root().join(path), most),
            (None, Some(Proof::Ours(path))) => (staging.root().join(path), MOST_PROOF),
            (None, Some(Proof::Other)) => continue,
            (None, None) => {
                let name: String = name.chars().take(200).collect();
                let what = format!("holds {name:?}, which its list does not name, or twice");
                return Err(malformed(&what));
            }
        };
        if size > most {
            let what = format!("holds {name:?} of {size} bytes; it may have {most}");
            return Err(malformed(&what));
        }
        let written = path.parent().map_or(Ok(()), std::fs::create_dir_all);
        let written = written.and_then(|()| bounded::create_new(&path));
        let written = written.and_then(|mut file| io::copy(&mut reader, &mut file));
        written.map_err(|error| {
            use io::ErrorKind::{AlreadyExists, InvalidData, QuotaExceeded, StorageFull};
            if error.kind() == AlreadyExists {
                malformed(&format!("holds {name:?} twice"))
            } else if error.kind() == InvalidData {
                failed(error)
            } else if matches!(error.kind(), StorageFull | QuotaExceeded) {
                // The mirror's file system is full: reading an archive needs no space.
                ArchiveError::Failed(format!(
                    "{}: {error}. {} has {} MB and is unpacked there as a whole before anything is \
                     taken. Free so much, or name a mirror elsewhere with --mirror; nothing was taken",
                    mirror.root().display(),
                    archive.display(),
                    length.div_ceil(1_000_000)
                ))
            } else {
                ArchiveError::io(&path, &error)
            }
        })?;
        meter.did(0, size);
    }
    match expected.keys().next() {
        Some(name) => Err(malformed(&format!("lacks {name}, which its list names"))),
        None => Ok(manifest),
    }
}

/// A checksum database's file.
enum Proof {
    /// Of the database that this machine uses: its target path.
    Ours(PathBuf),
    /// Of another database, which proves nothing here.
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
    let rest = below
        .strip_prefix(database)
        .and_then(|rest| rest.strip_prefix('/'));
    let Some(rest) = rest else {
        return Some(Proof::Other);
    };
    let known = match own {
        Some(_) => rest == "heads",
        None => rest == "supported" || rest.starts_with("lookup/") || rest.starts_with("tile/"),
    };
    known.then(|| Proof::Ours(name.split('/').collect()))
}

/// Checks that each version matches the archive's manifest. For private ones nothing else vouches.
fn agree(manifest: &Manifest, report: &Report) -> Result<(), ArchiveError> {
    for version in &manifest.versions {
        // Faulty versions are reported elsewhere, with more detail.
        let Some(hashes) = report.sound.get(&version.of()) else {
            continue;
        };
        let named = &version.hashes;
        if hashes != named {
            let why = format!(
                "{} is not what the archive's list says: zip {} instead of {}, go.mod {} instead of {}",
                version.of(),
                hashes.zip.as_deref().unwrap_or("none"),
                named.zip.as_deref().unwrap_or("none"),
                hashes.go_mod,
                named.go_mod
            );
            return Err(ArchiveError::Differs(why));
        }
    }
    Ok(())
}

/// The versions that the mirror does not hold yet. A version that it holds with another hash is a
/// contradiction, unless the checksum database decides between the two.
fn fresh<'m>(
    manifest: &'m Manifest,
    report: &Report,
    layout: &Layout,
) -> Result<Vec<&'m Version>, ArchiveError> {
    let mut fresh = Vec::new();
    for version in &manifest.versions {
        let module = version.of();
        let path = |part| layout.file(&module, part).unwrap_or_default();
        let (zip, go_mod) = (path(VersionFile::Zip), path(VersionFile::Mod));
        let held = match &version.hashes.zip {
            Some(wanted) if zip.exists() => zip::h1_of(&zip).ok().map(|held| (held, wanted)),
            Some(_) => None,
            None => bounded::read_named(&go_mod, MOST_MOD)
                .ok()
                .map(|bytes| (hash_go_mod(&bytes), &version.hashes.go_mod)),
        };
        let is_unproven =
            |one: &Unproven| one.module == module.path && one.version == module.version;
        match held {
            // An incomplete version is completed.
            Some((held, wanted)) if held == *wanted => {
                fresh.extend(
                    version
                        .parts()
                        .any(|part| !path(part).exists())
                        .then_some(version),
                );
            }
            Some((held, wanted)) if report.unproven.iter().any(is_unproven) => {
                return Err(ArchiveError::Differs(format!(
                    "the mirror holds another {module}: {held}, and the archive {wanted}; neither is proven. \
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
    let info = version
        .hashes
        .info
        .then(|| bounded::read_named(&path(VersionFile::Info), MOST_INFO));
    Ok(Staged {
        zip: (version.hashes.zip.clone()).map(|h1| (path(VersionFile::Zip), h1)),
        go_mod: bounded::read_named(&path(VersionFile::Mod), MOST_MOD)?,
        info: info.transpose()?,
        module,
    })
}
