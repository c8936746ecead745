//! Examines the whole module cache, with as many threads as there are processors.

use std::io;
use std::path::PathBuf;

use super::judge::Judge;
use super::place::{CacheError, Place};
use super::records::Records;
use super::report::CacheReport;
use super::sumdb;
use crate::environment::Environment;
use crate::meter::Meter;
use crate::mirror::Tree;
use crate::pool;

/// Options of the examination.
#[derive(Debug)]
pub struct CacheWish {
    /// The caller's environment.
    pub env: Environment,
    /// The project whose go.sum is also used as a record.
    pub project: PathBuf,
    /// Whether to hash every zip: as slow as the disk, or as SHA-256.
    pub hash: bool,
}

/// Examines the whole module cache. Changes nothing. The meter counts modules.
///
/// # Errors
/// When the module cache is not found.
pub fn examine_cache(wish: &CacheWish, meter: &Meter) -> Result<CacheReport, CacheError> {
    let place = Place::find(&wish.env)?;
    let mut report = CacheReport {
        cache: place.cache.display().to_string(),
        ..CacheReport::default()
    };
    let tree = match Tree::read(&place.layout) {
        Ok(tree) => tree,
        Err(error) => {
            if error.kind() != io::ErrorKind::NotFound {
                report.unread(place.layout.root(), &error);
            }
            Tree::default()
        }
    };
    for (path, why) in &tree.unreadable {
        report.unread(path, why);
    }
    let databases = sumdb::look(&place, &mut report);
    let records = Records::gather(&place, databases, &wish.project);
    let judge = Judge {
        place: &place,
        records: &records,
        hash: wish.hash,
    };
    let modules: Vec<_> = tree.modules.iter().collect();
    meter.expect(modules.len() as u64, 0);
    let parts = pool::map(&modules, pool::processors().min(16), |(path, module)| {
        let part = judge.module(path, module);
        meter.did(1, 0);
        part
    });
    for part in parts {
        report.versions += part.versions;
        report.hashed += part.hashed;
        report.broken.extend(part.broken);
        report.unread.extend(part.unread);
    }
    report.broken.sort_by(|a, b| a.place.cmp(&b.place));
    Ok(report)
}
