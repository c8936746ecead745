//! The poison guard: what lies broken in the module cache, and how it is taken out.
//!
//! After a captive portal a login page may be kept as a module's go.mod, after a crash a file
//! may hold zeros; go then fails on every network until somebody deletes the right file, or all
//! of them (golang/go#43313).
//!
//! ```text
//! walk (I/O) → look at each version: form (pure), records → Broken → mend: the lock go uses,
//! a second look, aside, gone
//! ```
//!
//! What is named is proven bad: it has no form that go could read, or its hash is not what the
//! checksum database or go.sum says. A good entry is never removed: a file is moved aside
//! first and put back where it is another one than was judged.

mod form;
mod judge;
mod lock;
mod mend;
mod place;
mod records;
mod stamp;
mod sumdb;
mod sumfile;
mod tree;
mod walk;

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Serialize;

use super::finding::Code;
use crate::environment::Environment;
pub use place::CacheError;
pub use stamp::Piece;

/// What is asked.
#[derive(Debug)]
pub struct CacheWish {
    /// The caller's environment.
    pub env: Environment,
    /// The project whose go.sum is believed, too.
    pub project: PathBuf,
    /// Hash every zip: as slow as the disk, or as SHA-256.
    pub hash: bool,
}

/// What was found in the module cache.
#[derive(Debug, Default, Serialize)]
pub struct CacheReport {
    /// `$GOMODCACHE`.
    pub cache: String,
    /// How many versions of modules have something in it.
    pub versions: usize,
    /// How many zips were hashed.
    pub hashed: usize,
    /// What is broken, by its place.
    pub broken: Vec<Broken>,
    /// What could not be looked at, and why.
    pub unread: Vec<(String, String)>,
}

impl CacheReport {
    /// Everything could be looked at, and nothing is broken, or nothing any more.
    pub fn is_well(&self) -> bool {
        let gone = |broken: &Broken| broken.outcome == Outcome::Removed;
        self.unread.is_empty() && self.broken.iter().all(gone)
    }
}

/// A broken entry.
#[derive(Debug, Serialize)]
pub struct Broken {
    /// A word for scripts.
    #[serde(serialize_with = "word")]
    pub code: Code,
    /// `MODULE@VERSION`; null: it is of no one module.
    pub module: Option<String>,
    /// The file that is broken.
    pub place: String,
    /// What is wrong with it.
    pub says: String,
    /// What go does about it.
    pub why: String,
    /// What fetches it again.
    pub mend: String,
    /// What is to be removed, in this order, and nothing else.
    pub removes: Vec<Piece>,
    /// What became of it.
    pub outcome: Outcome,
    /// Why it is still there, where it was to be removed.
    pub because: Option<String>,
    /// The lock that go holds while it works on them; `None`: the file itself.
    #[serde(skip)]
    lock: Option<PathBuf>,
    /// The folder that no way to them may lead out of.
    #[serde(skip)]
    bounds: PathBuf,
}

/// What became of a broken entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was named, and is still there.
    Found,
    /// It is gone; go fetches it again.
    Removed,
    /// It is still there, though it was to be removed, or it cannot be told what would have to.
    Kept,
}

fn word<S: serde::Serializer>(code: &Code, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(code.as_str())
}

/// Looks at all of the module cache. Changes nothing.
///
/// # Errors
/// When it cannot be told where the cache is.
pub fn examine_cache(wish: &CacheWish) -> Result<CacheReport, CacheError> {
    let place = place::Place::find(&wish.env)?;
    let found = walk::walk(&place);
    let records = records::Records::gather(&place, &found, &wish.project);
    let judge = judge::Judge {
        place: &place,
        records: &records,
        hash: wish.hash,
    };
    let mut report = CacheReport {
        cache: place.cache.display().to_string(),
        unread: found.unread,
        ..CacheReport::default()
    };
    let parts = each(&found.modules, |module| judge.module(module));
    for part in parts {
        report.versions += part.versions;
        report.hashed += part.hashed;
        report.broken.extend(part.broken);
        report.unread.extend(part.unread);
    }
    report.broken.extend(sumdb::look(&place, &found.databases));
    report.broken.sort_by(|a, b| a.place.cmp(&b.place));
    Ok(report)
}

/// Removes what is broken, and nothing else. The report says what became of each.
pub fn mend_cache(report: &mut CacheReport) {
    mend::mend(report);
}

/// All of a file, if it is no longer than this; `Ok(None)`: there is none.
fn read(path: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
    let absent = |error: &io::Error| {
        matches!(
            error.kind(),
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
        )
    };
    match std::fs::symlink_metadata(path) {
        Ok(meta) if meta.is_file() => {}
        Ok(_) => return Err(io::Error::other("is no regular file")),
        Err(error) if absent(&error) => return Ok(None),
        Err(error) => return Err(error),
    }
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if absent(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::other(format!(
            "is longer than {} KiB",
            most >> 10
        )));
    }
    Ok(Some(bytes))
}

/// One value for each, in the order of `all`, made by as many threads as there are processors.
fn each<T: Sync, V: Send>(all: &[T], make: impl Fn(&T) -> V + Sync) -> Vec<V> {
    let next = AtomicUsize::new(0);
    let made = Mutex::new(Vec::with_capacity(all.len()));
    let work = || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(one) = all.get(at) else { return };
            let value = make(one);
            let mut made = made.lock().unwrap_or_else(|broken| broken.into_inner());
            made.push((at, value));
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 1..threads.min(16) {
            scope.spawn(work);
        }
        work();
    });
    let mut made = made
        .into_inner()
        .unwrap_or_else(|broken| broken.into_inner());
    made.sort_by_key(|(at, _)| *at);
    made.into_iter().map(|(_, value)| value).collect()
}
