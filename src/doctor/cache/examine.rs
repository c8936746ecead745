//! Looks at all of it, with as many threads as there are processors.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::judge::Judge;
use super::place::{CacheError, Place};
use super::records::Records;
use super::report::CacheReport;
use super::{sumdb, walk};
use crate::environment::Environment;
use crate::meter::Meter;

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

/// Looks at all of the module cache. Changes nothing. The meter counts modules.
///
/// # Errors
/// When it cannot be told where the cache is.
pub fn examine_cache(wish: &CacheWish, meter: &Meter) -> Result<CacheReport, CacheError> {
    let place = Place::find(&wish.env)?;
    let found = walk::walk(&place);
    let records = Records::gather(&place, &found, &wish.project);
    let judge = Judge {
        place: &place,
        records: &records,
        hash: wish.hash,
    };
    let mut report = CacheReport {
        cache: place.cache.display().to_string(),
        unread: found.unread,
        ..CacheReport::default()
    };
    meter.expect(found.modules.len() as u64, 0);
    let parts = each(&found.modules, |module| {
        let part = judge.module(module);
        meter.did(1, 0);
        part
    });
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
