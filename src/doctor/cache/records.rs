//! What a file must hash to, as far as it is known here: from the project's go.sum, and from
//! what the checksum database has told this cache before.

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
use crate::gomod::sum::{LookupRecord, escape_path, escape_version};
use crate::mirror::sumdb::{Proofs, Sums};

/// Folders above a folder that may hold its go.mod.
const MOST_ABOVE: usize = 64;

/// The longest answer of a checksum database, in bytes; a true one has some 600.
const MOST_LOOKUP: u64 = 64 << 10;

/// The longest go.sum that is read, in bytes; that of kubernetes has 100 KB.
pub(super) const MOST_GO_SUM: u64 = 32 << 20;

/// Everything that is known.
#[derive(Debug)]
pub(super) struct Records<'p> {
    place: &'p Place,
    /// The lines of go.sum, with the file and the number of each.
    lines: BTreeMap<ModuleVersion, Vec<(Claim, PathBuf, usize)>>,
    /// The checksum databases of which the cache keeps something. Their proofs are read only where
    /// a file disagrees with them.
    databases: BTreeMap<String, OnceLock<Option<Proofs>>>,
}

impl<'p> Records<'p> {
    /// Reads the go.sum of the project.
    pub(super) fn gather(
        place: &'p Place,
        databases: BTreeSet<String>,
        project: &Path,
    ) -> Records<'p> {
        let mut all: Vec<(go_sum::GoSumLine, PathBuf, usize)> = Vec::new();
        for path in sums_of(project) {
            let Ok(Some(bytes)) = if_any(read_no_link(&path, MOST_GO_SUM)) else {
                continue;
            };
            let text = String::from_utf8_lossy(&bytes);
            let parse = |(at, line)| -> Result<Vec<_>, go_sum::GoSumError> {
                let found = go_sum::parse(line)?.into_iter();
                Ok(found.map(|line| (line, path.clone(), at + 1)).collect())
            };
            let parsed: Result<Vec<_>, _> = text.lines().enumerate().map(parse).collect();
            // One with conflict markers is no proof of anything.
            all.extend(parsed.unwrap_or_default().into_iter().flatten());
        }
        // One page for all: a portal's answer that was taken down as the go.mod of several
        // modules. An unchanged fork shares its go.mod, too; so this only is no proof any more.
        let mut owners: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (line, ..) in all.iter().filter(|(line, ..)| line.of == Hashed::GoMod) {
            let owners = owners.entry(&line.hash).or_default();
            owners.insert(&line.module.path);
        }
        // A line that the database has not confirmed holds whatever answered then, be it a portal
        // or a tag that has been moved since.
        let trust = place.trust.as_ref();
        let is_checked = |path: &str| trust.is_some_and(|trust| trust.not_asked(path).is_none());
        let mut lines: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (line, path, number) in &all {
            let owners = owners.get(line.hash.as_str()).map_or(0, BTreeSet::len);
            let claim = Claim {
                of: line.of,
                hash: line.hash.clone(),
                by: format!("{}:{number}", path.display()),
                sure: owners < 2 && is_checked(&line.module.path),
            };
            let known = lines.entry(line.module.clone()).or_default();
            known.push((claim, path.clone(), *number));
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

    /// What the databases' answers in the cache state about files of these hashes. Agreement needs
    /// no proof, since nothing is removed for it. What contradicts a file must be signed, and
    /// proven by the tiles.
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

    /// What a database has answered about a version.
    fn lookup(&self, name: &str, module: &ModuleVersion) -> Option<Vec<u8>> {
        let path = escape_path(&module.path).ok()?;
        let version = escape_version(&module.version).ok()?;
        let mut file = self.place.layout.sumdb(name).join("lookup");
        file.extend(format!("{path}@{version}").split('/'));
        read_no_link(&file, MOST_LOOKUP).ok()
    }

    /// What the project's go.sum states about a version.
    pub(super) fn claims(&self, module: &ModuleVersion) -> Vec<Claim> {
        let lines = self.lines.get(module).into_iter().flatten();
        lines.map(|(claim, ..)| claim.clone()).collect()
    }

    /// The lines that have this hash for a go.mod: those that were written when a page was taken
    /// for one.
    pub(super) fn lines_with(&self, module: &ModuleVersion, hash: &str) -> Vec<io::Result<Piece>> {
        let lines = self.lines.get(module).into_iter().flatten();
        let same = lines.filter(|(claim, ..)| claim.of == Hashed::GoMod && claim.hash == hash);
        let piece = |(_, path, number): &(Claim, PathBuf, usize)| {
            Piece::line(path.clone(), *number, line(module, Hashed::GoMod, hash))
        };
        same.map(piece).collect()
    }
}

/// A line as go.sum and the databases have it.
fn line(module: &ModuleVersion, of: Hashed, hash: &str) -> String {
    let end = match of {
        Hashed::Zip => "",
        Hashed::GoMod => "/go.mod",
    };
    format!("{} {}{end} {hash}", module.path, module.version)
}

/// The go.sum files of the project that a folder lies in.
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
