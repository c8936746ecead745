//! Looks at all of it, with as many threads as there are processors.

use std::path::PathBuf;

use super::judge::Judge;
use super::place::{CacheError, Place};
use super::records::Records;
use super::report::CacheReport;
use super::{sumdb, walk};
use crate::environment::Environment;
use crate::meter::Meter;
use crate::pool;

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
    let parts = pool::map(&found.modules, pool::processors().min(16), |module| {
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
