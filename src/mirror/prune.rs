//! `goroam mirror prune`: chooses versions and removes them.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::layout::{Tree, VersionFile, is_whole};
use super::list::since;
use super::needed::{needed_by, required_by};
use super::store::{Store, note_odd, remove};
use super::wants::AddError;
use crate::gomod::ModuleVersion;

/// Maximum depth below `sumdb`: a database's name may be a host with a path.
const DEEPEST_NAME: usize = 4;

/// What to remove.
#[derive(Debug, Clone, Default)]
pub struct Prune {
    /// Remove versions that were stored longer ago than this.
    pub older_than: Option<Duration>,
    /// Remove the oldest versions until the rest has at most this many bytes.
    pub max_size: Option<u64>,
    /// Remove versions that no project in or below these directories needs. A version that one of
    /// them needs stays, whatever the other conditions are.
    pub needed_by: Vec<PathBuf>,
    /// Report only, remove nothing.
    pub dry_run: bool,
}

/// What was removed, or would be removed.
#[derive(Debug, Clone, Serialize)]
pub struct Pruned {
    /// The mirror's directory.
    #[serde(serialize_with = "crate::paths::serialize")]
    pub mirror: PathBuf,
    /// Whether this was a dry run: nothing was removed.
    pub dry_run: bool,
    /// Removed versions, sorted by path.
    pub removed: Vec<Removed>,
    /// Bytes of the removed versions.
    pub removed_bytes: u64,
    /// Number of versions that stay.
    pub kept: usize,
    /// Bytes of the versions that stay.
    pub kept_bytes: u64,
}

/// One removed version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Removed {
    /// The module's path.
    pub module: String,
    /// The version.
    pub version: String,
    /// Bytes of its files.
    pub bytes: u64,
    /// Why it was removed.
    pub why: Why,
}

/// Why a version is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// A killed goroam left its zip without `.info`: for go it is not a version.
    Unfinished,
    /// No project needs it.
    NotNeeded,
    /// It is older than the given age.
    Old,
    /// It is among the oldest, and the mirror is larger than the given size.
    TooMuch,
}

/// What is known about one version.
#[derive(Debug, Clone)]
struct Candidate {
    module: ModuleVersion,
    bytes: u64,
    since: Option<Timestamp>,
    /// Whether it stays: it is pinned, or a project needs it.
    stays: bool,
    /// Why it is removed all the same, or because it need not stay.
    why: Option<Why>,
}

/// Removes the chosen versions.
///
/// # Errors
/// When there is no mirror, when the given directories have no project, or when a file cannot be
/// removed.
pub fn prune(
    root: &Path,
    what: &Prune,
    now: Timestamp,
    waits: &mut dyn FnMut(),
) -> Result<Pruned, AddError> {
    let failed = |error: io::Error| AddError::file(root, &error);
    // Checked first: a misspelt directory must not empty the mirror.
    let needed = match what.needed_by.as_slice() {
        [] => None,
        folders => {
            let mut needed = needed_by(folders).map_err(AddError::Usage)?;
            needed.extend(required_by(folders).map_err(AddError::Usage)?);
            Some(needed)
        }
    };
    let mut store = Store::of_mirror(root, waits)?;
    let tree = Tree::read(&store.layout).map_err(failed)?;
    let mut candidates = Vec::new();
    for (path, module) in &tree.modules {
        for (version, files) in &module.versions {
            let is_pinned = store.pins.get(path) == Some(&version.version);
            let is_needed = needed.as_ref().is_some_and(|all| all.contains(version));
            let is_unfinished = files.contains_key(&VersionFile::Zip) && !is_whole(files);
            candidates.push(Candidate {
                module: version.clone(),
                bytes: files.values().sum(),
                since: since(&store.layout, version),
                stays: is_pinned || is_needed,
                why: is_unfinished.then_some(Why::Unfinished),
            });
        }
    }
    choose(&mut candidates, what, now);
    let all: u64 = candidates.iter().map(|one| one.bytes).sum();
    let count = candidates.len();
    candidates.retain(|one| one.why.is_some());
    let removed_bytes = candidates.iter().map(|one| one.bytes).sum();
    if !what.dry_run {
        let versions: Vec<&ModuleVersion> = candidates.iter().map(|one| &one.module).collect();
        take_out(&mut store, &versions).map_err(failed)?;
    }
    let removed = candidates.into_iter().filter_map(|one| {
        Some(Removed {
            module: one.module.path,
            version: one.module.version,
            bytes: one.bytes,
            why: one.why?,
        })
    });
    let removed: Vec<Removed> = removed.collect();
    Ok(Pruned {
        mirror: root.to_owned(),
        dry_run: what.dry_run,
        kept: count - removed.len(),
        kept_bytes: all - removed_bytes,
        removed,
        removed_bytes,
    })
}

/// Decides which of the candidates are removed. Pure.
fn choose(candidates: &mut [Candidate], what: &Prune, now: Timestamp) {
    let oldest_kept = what.older_than.and_then(|age| now.checked_sub(age).ok());
    let spared = |one: &&mut Candidate| one.why.is_none() && !one.stays;
    for one in candidates.iter_mut().filter(spared) {
        let is_old = one
            .since
            .zip(oldest_kept)
            .is_some_and(|(at, kept)| at < kept);
        one.why = if what.needed_by.is_empty() {
            is_old.then_some(Why::Old)
        } else {
            Some(Why::NotNeeded)
        };
    }
    let kept = candidates.iter().filter(|one| one.why.is_none());
    let mut left: u64 = kept.map(|one| one.bytes).sum();
    let most = what.max_size.unwrap_or(u64::MAX);
    let mut by_age: Vec<&mut Candidate> = candidates.iter_mut().filter(spared).collect();
    by_age.sort_by_key(|one| one.since);
    for one in by_age {
        if left <= most {
            break;
        }
        one.why = Some(Why::TooMuch);
        left -= one.bytes;
    }
}

/// Removes `.info` first: from then on it is not a version. Then the lists, then the other files,
/// then the lookups that proved it. The tiles stay, because other records need them.
fn take_out(store: &mut Store, versions: &[&ModuleVersion]) -> io::Result<()> {
    let modules = BTreeSet::from_iter(versions.iter().map(|one| one.path.as_str()));
    store.will_change(modules.iter().copied())?;
    let take = |store: &Store, parts: &[VersionFile]| -> io::Result<()> {
        for version in versions {
            for part in parts {
                remove(&store.layout.file(version, *part)?)?;
            }
        }
        Ok(())
    };
    take(store, &[VersionFile::Info])?;
    store.index(&modules)?;
    take(
        store,
        &[VersionFile::Zip, VersionFile::ZipHash, VersionFile::Mod],
    )?;
    let gone = versions.iter().map(|version| (version.to_string(), None));
    note_odd(&store.layout, gone)?;
    let databases = databases(&store.layout.root().join("sumdb"), 0);
    for version in versions {
        let escaped = version.escaped()?.to_string();
        for database in &databases {
            let mut lookup = database.join("lookup");
            lookup.extend(escaped.split('/'));
            remove(&lookup)?;
            tidy(&lookup, &database.join("lookup"));
        }
    }
    for module in modules {
        let folder = store.layout.versions(module)?;
        tidy(&folder.join("list"), store.layout.root());
    }
    Ok(())
}

/// Returns the directories that hold a database's lookups.
fn databases(folder: &Path, depth: usize) -> Vec<PathBuf> {
    if folder.join("lookup").is_dir() {
        return vec![folder.to_owned()];
    }
    let mut all = Vec::new();
    if depth < DEEPEST_NAME {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                all.extend(databases(&entry.path(), depth + 1));
            }
        }
    }
    all
}

/// Removes the empty directories above a file, up to `top`, which stays.
fn tidy(file: &Path, top: &Path) {
    let around = file.ancestors().skip(1);
    for folder in around.take_while(|folder| *folder != top && folder.starts_with(top)) {
        // The system refuses to remove a directory that is not empty.
        if std::fs::remove_dir(folder).is_err() {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(name: &str, bytes: u64, day: i64, stays: bool) -> Candidate {
        Candidate {
            module: ModuleVersion::new(name, "v1.0.0"),
            bytes,
            since: Some(Timestamp::from_second(day * 86_400).unwrap()),
            stays,
            why: None,
        }
    }

    fn go(what: &Prune) -> String {
        let mut all = [
            candidate("a", 10, 1, false),
            candidate("b", 20, 2, true),
            candidate("c", 30, 3, false),
            candidate("d", 40, 9, false),
        ];
        let now = Timestamp::from_second(10 * 86_400).unwrap();
        choose(&mut all, what, now);
        let gone = all.iter().filter_map(|one| Some((one, one.why?)));
        gone.map(|(one, why)| format!("{}:{why:?} ", one.module.path))
            .collect()
    }

    fn days(n: u64) -> Option<Duration> {
        Some(Duration::from_secs(n * 86_400))
    }

    #[test]
    fn what_is_old_goes_and_what_is_pinned_or_needed_stays() {
        let old = |age| Prune {
            older_than: age,
            ..Prune::default()
        };
        assert_eq!(go(&old(days(5))), "a:Old c:Old ");
        assert_eq!(go(&old(days(100))), "");
        let needed = Prune {
            needed_by: vec!["x".into()],
            ..Prune::default()
        };
        assert_eq!(go(&needed), "a:NotNeeded c:NotNeeded d:NotNeeded ");
    }

    #[test]
    fn of_too_much_the_oldest_go_first() {
        let most = |bytes| Prune {
            max_size: Some(bytes),
            ..Prune::default()
        };
        assert_eq!(go(&most(100)), "");
        assert_eq!(go(&most(99)), "a:TooMuch ");
        assert_eq!(go(&most(60)), "a:TooMuch c:TooMuch ");
        assert_eq!(go(&most(0)), "a:TooMuch c:TooMuch d:TooMuch ");
        let both = Prune {
            older_than: days(8),
            max_size: Some(60),
            ..Prune::default()
        };
        assert_eq!(go(&both), "a:Old c:TooMuch ");
    }

    #[test]
    fn what_a_kill_left_goes_in_any_case() {
        let mut one = candidate("a", 10, 1, true);
        one.why = Some(Why::Unfinished);
        let all = &mut [one];
        choose(all, &Prune::default(), Timestamp::UNIX_EPOCH);
        assert_eq!(all[0].why, Some(Why::Unfinished));
    }
}
