//! What a file must hash to, as far as it is known here: from the project's go.sum, and from
//! what the checksum database has told this cache before.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use super::place::Place;
use super::read;
use super::walk::Found;
use crate::gomod::ModuleVersion;
use crate::gomod::go_sum::{self, Hashed};
use crate::gosum::{LookupRecord, escape_path, escape_version};

/// Folders above a folder that may hold its go.mod.
const MOST_ABOVE: usize = 64;
/// The longest go.sum that is read, in bytes; kubernetes has 100 KB.
const MOST_GO_SUM: u64 = 32 << 20;
/// The longest answer of a checksum database, in bytes; a true one has some 600.
const MOST_LOOKUP: u64 = 64 << 10;

/// What a record says of a hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Word {
    /// It is the one.
    Right,
    /// It is another one.
    Wrong {
        /// Who says so: "go.sum", with its path; "sum.golang.org".
        who: String,
    },
    /// No record that could be believed.
    Unknown,
}

/// Everything that is known.
#[derive(Debug, Default)]
pub(super) struct Records {
    lines: BTreeMap<ModuleVersion, Vec<Known>>,
    databases: Vec<(String, PathBuf)>,
}

#[derive(Debug)]
struct Known {
    of: Hashed,
    hash: String,
    place: String,
}

impl Records {
    /// Reads the go.sum of the project, and where the databases' answers lie.
    pub(super) fn gather(_: &Place, found: &Found, project: &Path) -> Records {
        let mut records = Records {
            databases: found.databases.clone(),
            ..Records::default()
        };
        let mut all = Vec::new();
        for path in sums_of(project) {
            let Ok(Some(bytes)) = read(&path, MOST_GO_SUM) else {
                continue;
            };
            // One with conflict markers is no proof of anything.
            let Ok(lines) = go_sum::parse(&String::from_utf8_lossy(&bytes)) else {
                continue;
            };
            all.extend(lines.into_iter().map(|line| (line, path.display().to_string())));
        }
        // One page for all: a portal's answer that was taken down as the go.mod of several
        // modules. No two true ones are the same, since each names its module.
        let mut owners: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (line, _) in all.iter().filter(|(line, _)| line.of == Hashed::GoMod) {
            let owners = owners.entry(line.hash.clone()).or_default();
            owners.insert(line.module.path.clone());
        }
        for (line, place) in all {
            let shared = owners.get(&line.hash).is_some_and(|owners| owners.len() > 1);
            if line.hash.starts_with("h1:") && !shared {
                records.lines.entry(line.module).or_default().push(Known {
                    of: line.of,
                    hash: line.hash,
                    place,
                });
            }
        }
        records
    }

    /// Is anything known of it? Then it is worth hashing.
    pub(super) fn know(&self, module: &ModuleVersion) -> bool {
        self.lines.contains_key(module) || !self.databases.is_empty()
    }

    /// What is known of the hash of a file. The database's word goes before go.sum's.
    pub(super) fn word(&self, module: &ModuleVersion, of: Hashed, hash: &str) -> Word {
        match self.of_database(module, of, hash) {
            Word::Unknown => self.of_go_sum(module, of, hash),
            known => known,
        }
    }

    /// The same, of the checksum database alone: a go.sum may have been written while a portal
    /// answered, too.
    pub(super) fn of_database(&self, module: &ModuleVersion, of: Hashed, hash: &str) -> Word {
        for (_, folder) in &self.databases {
            let Ok(Some(answer)) = answer(folder, module) else {
                continue;
            };
            let Ok(record) = LookupRecord::parse(&answer) else {
                continue;
            };
            if record.holds(&line(module, of, hash)) {
                return Word::Right;
            }
        }
        Word::Unknown
    }

    fn of_go_sum(&self, module: &ModuleVersion, of: Hashed, hash: &str) -> Word {
        let lines = self.lines.get(module).into_iter().flatten();
        let mut wrong = Word::Unknown;
        for known in lines.filter(|known| known.of == of) {
            if known.hash == hash {
                return Word::Right;
            }
            wrong = Word::Wrong {
                who: known.place.clone(),
            };
        }
        wrong
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
    read(&file, MOST_LOOKUP)
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
