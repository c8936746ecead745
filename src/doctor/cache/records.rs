//! The known hashes of a file: from the project's go.sum, and from the answers of the checksum
//! database that this cache has stored.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::place::Place;
use super::report::Piece;
use crate::bounded::{if_any, read_no_link};
use crate::gomod::ModuleVersion;
use crate::gomod::go_sum::{self, Hashed};
use crate::gomod::stored::{Claim, DatabaseAnswer};
use crate::gomod::sum::LookupRecord;
use crate::mirror::sumdb::{Proofs, Sums};

/// Maximum number of parent directories that are searched for a go.mod.
const MOST_ABOVE: usize = 64;

/// Maximum size of a checksum database's answer in bytes; a real one has some 600.
const MOST_LOOKUP: u64 = 64 << 10;

/// Maximum size of a go.sum in bytes; that of kubernetes has 100 KB.
pub(super) const MOST_GO_SUM: u64 = 32 << 20;

/// All known hashes.
#[derive(Debug)]
pub(super) struct Records<'p> {
    place: &'p Place,
    /// The lines of go.sum, each with its file and line number.
    lines: BTreeMap<ModuleVersion, Vec<(Claim, PathBuf, usize)>>,
    /// The checksum databases that the cache has files of. Their proofs are read only if a file
    /// contradicts them.
    databases: BTreeMap<String, OnceLock<Option<Proofs>>>,
}

impl<'p> Records<'p> {
    /// Reads the go.sum of the project.
    pub(super) fn gather(
        place: &'p Place,
        databases: BTreeSet<String>,
        project: &Path,
    ) -> Records<'p> {
        let mut all: Vec<(go_sum::GoSumLine, PathBuf)> = Vec::new();
        for path in sums_of(project) {
            let Ok(Some(bytes)) = if_any(read_no_link(&path, MOST_GO_SUM)) else {
                continue;
            };
            // A go.sum with conflict markers proves nothing.
            let lines = go_sum::parse(&String::from_utf8_lossy(&bytes)).unwrap_or_default();
            all.extend(lines.into_iter().map(|line| (line, path.clone())));
        }
        // If several modules have the same go.mod hash, a portal's login page may have been
        // recorded for all of them. An unchanged fork also shares its go.mod, so such a line is
        // not proven wrong either: it only no longer counts as a proof.
        let mut owners: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (line, _) in all.iter().filter(|(line, _)| line.of == Hashed::GoMod) {
            let owners = owners.entry(&line.hash).or_default();
            owners.insert(&line.module.path);
        }
        // A line that the database has not confirmed may come from any server: a portal, or a tag
        // that was moved later.
        let trust = place.trust.as_ref();
        let is_checked = |path: &str| trust.is_some_and(|trust| trust.not_asked(path).is_none());
        let mut lines: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (line, path) in &all {
            let owners = owners.get(line.hash.as_str()).map_or(0, BTreeSet::len);
            let claim = Claim {
                of: line.of,
                hash: line.hash.clone(),
                by: format!("{}:{}", path.display(), line.line),
                sure: owners < 2 && is_checked(&line.module.path),
            };
            let known = lines.entry(line.module.clone()).or_default();
            known.push((claim, path.clone(), line.line));
        }
        Records {
            place,
            lines,
            databases: databases
                .into_iter()
                .map(|name| (name, OnceLock::new()))
                .collect(),
        }
    }

    /// Returns what the cached answers of the databases state about files with these hashes. An
    /// answer that agrees needs no proof, since nothing is removed because of it. An answer that
    /// contradicts a file must be signed, and proven by the tiles.
    pub(super) fn answer(
        &self,
        module: &ModuleVersion,
        zip: Option<&str>,
        go_mod: Option<&str>,
    ) -> DatabaseAnswer {
        for (name, proofs) in &self.databases {
            let Some(bytes) = self.lookup(name, module) else {
                continue;
            };
            let Ok(record) = LookupRecord::parse(&bytes) else {
                continue;
            };
            let agreed = |of, hash: Option<&str>| {
                let hash = hash.filter(|hash| record.holds(&line(module, of, hash)));
                hash.map(str::to_owned)
            };
            let mut sums = Sums {
                zip: agreed(Hashed::Zip, zip),
                go_mod: agreed(Hashed::GoMod, go_mod),
            };
            if sums.zip.as_deref() != zip || sums.go_mod.as_deref() != go_mod {
                let proofs = proofs.get_or_init(|| {
                    let known = self.place.database(name)?;
                    Proofs::open(&self.place.layout, &known).ok()
                });
                let proven = proofs.as_ref().and_then(|proofs| proofs.prove(module).ok());
                sums = proven.unwrap_or(sums);
            }
            if sums != Sums::default() {
                return DatabaseAnswer::Sums {
                    by: name.clone(),
                    zip: sums.zip,
                    go_mod: sums.go_mod,
                };
            }
        }
        DatabaseAnswer::NotAsked("the cache holds no answer about it".to_owned())
    }

    /// Returns a database's cached answer about a version.
    fn lookup(&self, name: &str, module: &ModuleVersion) -> Option<Vec<u8>> {
        let escaped = module.escaped().ok()?.to_string();
        let mut file = self.place.layout.sumdb(name).join("lookup");
        file.extend(escaped.split('/'));
        read_no_link(&file, MOST_LOOKUP).ok()
    }

    /// Returns what the project's go.sum states about a version.
    pub(super) fn claims(&self, module: &ModuleVersion) -> Vec<Claim> {
        let lines = self.lines.get(module).into_iter().flatten();
        lines.map(|(claim, ..)| claim.clone()).collect()
    }

    /// Returns the go.sum lines that have this go.mod hash: go wrote them when it recorded a login
    /// page as a go.mod.
    pub(super) fn lines_with(&self, module: &ModuleVersion, hash: &str) -> Vec<io::Result<Piece>> {
        let lines = self.lines.get(module).into_iter().flatten();
        let same = lines.filter(|(claim, ..)| claim.of == Hashed::GoMod && claim.hash == hash);
        let piece = |(_, path, number): &(Claim, PathBuf, usize)| {
            Piece::line(path.clone(), *number, line(module, Hashed::GoMod, hash))
        };
        same.map(piece).collect()
    }
}

/// Formats a line as in go.sum and in the databases.
fn line(module: &ModuleVersion, of: Hashed, hash: &str) -> String {
    let end = match of {
        Hashed::Zip => "",
        Hashed::GoMod => "/go.mod",
    };
    format!("{} {}{end} {hash}", module.path, module.version)
}

/// Returns the go.sum files of the project that contains a directory.
fn sums_of(folder: &Path) -> Vec<PathBuf> {
    let above = || folder.ancestors().take(MOST_ABOVE);
    let beside = |marker: &str, sum: &str| {
        let folder = above().find(|folder| folder.join(marker).is_file())?;
        Some(folder.join(sum))
    };
    let module = beside("go.mod", "go.sum");
    let work = beside("go.work", "go.work.sum");
    module.into_iter().chain(work).collect()
}
