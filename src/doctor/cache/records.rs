//! What a file must hash to, as far as it is known here: from the project's go.sum, and from
//! what the checksum database has told this cache before.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::place::Place;
use super::stamp::Piece;
use super::sumfile;
use super::walk::Found;
use crate::bounded::{if_any, read_no_link};
use crate::gomod::ModuleVersion;
use crate::gomod::go_sum::Hashed;
use crate::gomod::stored::{Claim, DatabaseAnswer};
use crate::gomod::sum::{LookupRecord, escape_path, escape_version};
use crate::mirror::Layout;
use crate::mirror::sumdb::{Proofs, Sums};
use crate::model::{Patterns, SumDb};

/// Folders above a folder that may hold its go.mod.
const MOST_ABOVE: usize = 64;

/// The longest answer of a checksum database, in bytes; a true one has some 600.
const MOST_LOOKUP: u64 = 64 << 10;

/// Everything that is known.
#[derive(Debug)]
pub(super) struct Records {
    lines: BTreeMap<ModuleVersion, Vec<Known>>,
    databases: Vec<Database>,
    layout: Layout,
    /// Modules that the database is not asked about; all of them with GOSUMDB=off.
    unchecked: Option<Patterns>,
}

/// What the cache keeps of a checksum database; read only where a file disagrees with it.
#[derive(Debug)]
struct Database {
    name: String,
    folder: PathBuf,
    known: Option<SumDb>,
    proofs: OnceLock<Option<Proofs>>,
}

#[derive(Debug)]
struct Known {
    claim: Claim,
    place: PathBuf,
    line: usize,
}

impl Records {
    /// Reads the go.sum of the project, and where the databases' answers lie.
    pub(super) fn gather(place: &Place, found: &Found, project: &Path) -> Records {
        let database = |(name, folder): &(String, PathBuf)| Database {
            known: place.database(name),
            name: name.clone(),
            folder: folder.clone(),
            proofs: OnceLock::new(),
        };
        let mut records = Records {
            lines: BTreeMap::new(),
            databases: found.databases.iter().map(database).collect(),
            layout: Layout::new(&place.download),
            unchecked: place.unchecked.clone(),
        };
        let mut all = Vec::new();
        for path in sums_of(project) {
            let Ok(Some(bytes)) = if_any(read_no_link(&path, sumfile::MOST)) else {
                continue;
            };
            // One with conflict markers is no proof of anything.
            for (line, number) in sumfile::lines(&bytes).unwrap_or_default() {
                all.push((line, number, path.clone()));
            }
        }
        // One page for all: a portal's answer that was taken down as the go.mod of several
        // modules. An unchanged fork shares its go.mod, too; so this only is no proof any more.
        let mut owners: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (line, ..) in all.iter().filter(|(line, ..)| line.of == Hashed::GoMod) {
            let owners = owners.entry(line.hash.clone()).or_default();
            owners.insert(line.module.path.clone());
        }
        for (line, number, place) in all {
            let owners = owners.get(&line.hash).map_or(0, BTreeSet::len);
            let claim = Claim {
                of: line.of,
                hash: line.hash,
                by: format!("{}:{number}", place.display()),
                sure: owners < 2 && records.is_checked(&line.module.path),
            };
            records.lines.entry(line.module).or_default().push(Known {
                claim,
                place,
                line: number,
            });
        }
        records
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
        for database in &self.databases {
            let Ok(Some(answer)) = answer(&database.folder, module) else {
                continue;
            };
            let Ok(record) = LookupRecord::parse(&answer) else {
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
                let proofs = database.proofs.get_or_init(|| {
                    let known = database.known.as_ref()?;
                    Proofs::open(&self.layout, known).ok()
                });
                let proven = proofs.as_ref().and_then(|proofs| proofs.prove(module).ok());
                sums = proven.unwrap_or(sums);
            }
            if sums != Sums::default() {
                return DatabaseAnswer::Sums {
                    by: database.name.clone(),
                    zip: sums.zip,
                    go_mod: sums.go_mod,
                };
            }
        }
        DatabaseAnswer::NotAsked("the cache holds no answer about it".to_owned())
    }

    /// What the project's go.sum states about a version.
    pub(super) fn claims(&self, module: &ModuleVersion) -> Vec<Claim> {
        let lines = self.lines.get(module).into_iter().flatten();
        lines.map(|known| known.claim.clone()).collect()
    }

    /// Was its line of go.sum written by the database's word? Otherwise whatever answered then
    /// stands in it, be it a portal or a tag that has been moved since.
    fn is_checked(&self, path: &str) -> bool {
        let unchecked = self.unchecked.as_ref();
        unchecked.is_some_and(|patterns| !patterns.matches(path))
    }

    /// The lines that have this hash for a go.mod: those that were written when a page was taken
    /// for one.
    pub(super) fn lines_with(&self, module: &ModuleVersion, hash: &str) -> Vec<io::Result<Piece>> {
        let lines = self.lines.get(module).into_iter().flatten();
        let same =
            lines.filter(|known| known.claim.of == Hashed::GoMod && known.claim.hash == hash);
        let piece = |known: &Known| {
            let text = line(module, Hashed::GoMod, hash);
            Piece::line(known.place.clone(), known.line, text)
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

/// What a database has answered; `Ok(None)`: it was not asked.
fn answer(folder: &Path, module: &ModuleVersion) -> io::Result<Option<Vec<u8>>> {
    let escaped = (escape_path(&module.path), escape_version(&module.version));
    let (Ok(path), Ok(version)) = escaped else {
        return Ok(None);
    };
    let mut file = folder.join("lookup");
    file.extend(format!("{path}@{version}").split('/'));
    if_any(read_no_link(&file, MOST_LOOKUP))
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
