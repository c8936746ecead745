//! `goroam mirror verify`: checks that every file matches its checksum, and that each checksum is
//! proven.
//!
//! One thread reads a version, piece by piece, through a buffer of 128 KiB: the memory use depends
//! on the number of threads and not on the size of any zip. The largest zips come first, so that no
//! thread is still busy with one at the end while the others are idle.
//!
//! May import: the rest of the mirror, and everything below.

mod report;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::layout::{Files, Layout, Tree, VersionFile, is_asked};
use super::proof::Trust;
use super::store::{odd_mods, pins};
use super::sumdb::{ProofError, Proofs};
use crate::bounded;
use crate::gomod::ModuleVersion;
use crate::gomod::form::{MOST_INFO, MOST_MOD, MOST_ZIP_HASH};
use crate::gomod::stored::{DatabaseAnswer, FileFault, StoredMod, StoredVersion, StoredZip};
use crate::gomod::sum::hash_go_mod;
use crate::gomod::zip::{ModZip, ZipError};
use crate::meter::Meter;
use crate::pool;

pub use report::{Database, Finding, Hashes, Kind, Report, Unproven};
use report::{check_index, judge};

/// What to verify, and how.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Asked {
    /// Only modules at or below these paths; empty: all, and files that belong to no module.
    pub modules: Vec<String>,
    /// Number of threads; `None`: one for each processor.
    pub jobs: Option<usize>,
    /// Skip `list` and `@latest`: an unpacked archive does not have them yet.
    pub without_index: bool,
    /// Maps `MODULE@VERSION` to the hash that its `.mod` had when it was stored. Added to the
    /// mirror's own records.
    pub go_mods: BTreeMap<String, String>,
}

/// Verifies everything that was asked for. The report lists faults in the order of modules and
/// files.
///
/// # Errors
/// When the mirror cannot be listed.
pub fn verify(
    layout: &Layout,
    asked: &Asked,
    prover: &Prover,
    meter: &Meter,
) -> io::Result<Report> {
    let start = Instant::now();
    let tree = Tree::read(layout)?;
    let pins = pins(layout)?;
    let mut noted = odd_mods(layout);
    noted.extend(asked.go_mods.clone());
    let mut report = Report::default();
    let mut tasks = Vec::new();
    let modules = tree.modules.iter();
    for (path, module) in modules.filter(|(path, _)| is_asked(path, &asked.modules)) {
        report.modules += 1;
        let pinned = pins.get(path).map(String::as_str);
        let (names, bad) = check_index(layout, path, module, pinned);
        if !asked.without_index {
            report.bad.extend(bad);
        }
        for (version, files) in &module.versions {
            match files.contains_key(&VersionFile::Zip) {
                true => report.versions += 1,
                false => report.go_mod_only += 1,
            }
            report.bytes += files.values().sum::<u64>();
            let noted = noted.remove(&version.to_string());
            tasks.push((version, files, names.contains(&version.version), noted));
        }
    }
    meter.expect(tasks.len() as u64, report.bytes);
    // A stable sort: versions of equal size stay in the order of their names.
    tasks.sort_by_key(|(_, files, ..)| std::cmp::Reverse(files.get(&VersionFile::Zip)));
    let jobs = asked.jobs.unwrap_or_else(pool::processors);
    let parts = pool::map(&tasks, jobs, |(version, files, listed, noted)| {
        let stored = read(layout, version, files, noted.clone(), prover.prove(version));
        meter.did(1, files.values().sum());
        judge(layout, &stored, *listed)
    });
    for mut part in parts {
        report.sound.append(&mut part.sound);
        report.bad.append(&mut part.bad);
        report.unproven.append(&mut part.unproven);
        report.proven += part.proven;
    }
    if asked.modules.is_empty() {
        let (database, bad) = prover.database();
        report.database = database;
        report.bad.extend(bad);
        for (found, kind, help) in [
            (tree.stray, Kind::Stray, "go never asks for it: delete it"),
            (tree.unreadable, Kind::Unreadable, "make it readable"),
        ] {
            let found = found.into_iter();
            let found = found.map(|(file, what)| Finding::new("", file, kind, what, help.into()));
            report.bad.extend(found);
        }
    }
    report.bad.sort();
    report.unproven.sort();
    report.ok = report.bad.is_empty();
    report.ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(report)
}

/// Reads the files of a version. `noted_mod`: the recorded hash of its `.mod`.
fn read<'m>(
    layout: &Layout,
    module: &'m ModuleVersion,
    files: &Files,
    noted_mod: Option<String>,
    answer: DatabaseAnswer,
) -> StoredVersion<'m> {
    let path = |file| layout.file(module, file).unwrap_or_default();
    let read = |file, most| {
        files.get(&file)?;
        let read = bounded::read_named(&path(file), most);
        Some(read.map_err(|error| error.to_string()))
    };
    let go_mod = read(VersionFile::Mod, MOST_MOD);
    StoredVersion {
        info: read(VersionFile::Info, MOST_INFO),
        go_mod: go_mod.map(|read| read.map(|bytes| StoredMod::of(&bytes))),
        zip_hash: read(VersionFile::ZipHash, MOST_ZIP_HASH),
        zip: (files.get(&VersionFile::Zip)).map(|_| read_zip(module, &path(VersionFile::Zip))),
        noted_mod,
        ..StoredVersion::of(module, answer)
    }
}

/// Reads a version's zip to the end.
pub(crate) fn read_zip(module: &ModuleVersion, path: &Path) -> Result<StoredZip, FileFault> {
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

/// Turns an error into a fault of a zip.
pub(crate) fn zip_fault(error: ZipError) -> FileFault {
    if error.is_unreadable {
        return FileFault::Unreadable(error.why);
    }
    let why = error.why.trim_start_matches("not a module zip: ");
    FileFault::broken(format!("is not a module zip: {why}"))
}

/// The source of the proofs for each version, shared by several threads. Uses no network.
#[derive(Debug)]
pub struct Prover {
    trust: Trust,
    /// `None` if GOSUMDB=off.
    proofs: Option<Proofs>,
}

impl Prover {
    /// Opens this mirror's proofs, which are checked with the key that this machine trusts.
    ///
    /// # Errors
    /// When the proofs cannot be read at all.
    pub fn open(layout: &Layout, trust: Trust) -> Result<Prover, ProofError> {
        let proofs = match Proofs::open(layout, &trust.sumdb) {
            Ok(proofs) => Some(proofs),
            Err(ProofError::Off) => None,
            Err(error) => return Err(error),
        };
        Ok(Prover { trust, proofs })
    }

    /// The stored proofs of the database; `None` if GOSUMDB=off.
    pub fn proofs(&self) -> Option<&Proofs> {
        self.proofs.as_ref()
    }

    /// Returns the same for another mirror.
    ///
    /// # Errors
    /// When the proofs there cannot be read at all.
    pub fn beside(&self, layout: &Layout) -> Result<Prover, ProofError> {
        Prover::open(layout, self.trust.clone())
    }

    /// Returns the database's record of a version.
    fn prove(&self, module: &ModuleVersion) -> DatabaseAnswer {
        let Some(proofs) = &self.proofs else {
            return DatabaseAnswer::NotAsked("GOSUMDB=off".to_owned());
        };
        if let Some(why) = self.trust.not_asked(&module.path) {
            return DatabaseAnswer::NotAsked(why.to_owned());
        }
        proofs.answer(module).unwrap_or_else(|error| {
            let why = error.to_string();
            if error.is_mismatch() {
                DatabaseAnswer::False(why)
            } else {
                DatabaseAnswer::Absent(why)
            }
        })
    }

    /// Verifies the other files of the database: heads, tiles, lookups of no version.
    fn database(&self) -> (Option<Database>, Vec<Finding>) {
        let Some(proofs) = &self.proofs else {
            return (None, Vec::new());
        };
        let finding = |(file, error): (PathBuf, ProofError)| {
            let kind = if error.is_mismatch() {
                Kind::Mismatch
            } else if matches!(error, ProofError::Unreadable(_)) {
                Kind::Unreadable
            } else if matches!(error, ProofError::Unusable(_)) {
                Kind::Wrong
            } else {
                Kind::Unproven
            };
            let help = "delete the file and run `goroam mirror add` for what it proves";
            Finding::new(proofs.name(), file, kind, error.to_string(), help.into())
        };
        match proofs.verify() {
            Ok(report) => {
                let database = Database {
                    name: proofs.name().to_owned(),
                    tree_size: report.head.map(|head| head.head.size),
                    lookups: report.lookups,
                    tiles: report.tiles,
                };
                let bad = report.faults.into_iter().map(finding);
                (Some(database), bad.collect())
            }
            Err(error) => (None, vec![finding((PathBuf::new(), error))]),
        }
    }
}
