//! What the relay works with from one switch of the chain to the next.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use super::checksum::Checksums;
use super::passed::PassedStore;
use super::rules::chain::RelayChain;
use super::rules::health::Health;
use super::rules::hop::RelayHop;
use super::spool::lock;
use super::stats::RelayStats;
use crate::environment::Environment;
use crate::gomod::ModuleVersion;
use crate::gomod::go_sum::{GoSumLine, Hashed};
use crate::model::{Patterns, SumDb};
use crate::probe::Fetcher;

/// Connections that stay open between requests.
const MOST_OPEN: usize = 16;
/// What the relay works with.
#[derive(Debug, Clone)]
pub struct RelaySetup {
    /// The chain.
    pub chain: RelayChain,
    /// GOSUMDB, if it names a database and no URL: with a URL go passes the relay by.
    pub sumdb: Option<SumDb>,
    /// GONOSUMDB: paths that the checksum database is never asked about.
    pub no_sumdb: Patterns,
    /// Hashes of the project, which come before the database's.
    pub go_sum: Vec<GoSumLine>,
    /// Where zips are stored until they are verified: a directory on disk.
    pub spool: PathBuf,
    /// How long one request may take.
    pub deadline: Duration,
    /// How long all requests together may wait for busy servers.
    pub patience: Duration,
    /// The mirror that keeps what passes.
    pub keep: Option<Arc<dyn PassedStore>>,
}

/// What holds from one switch of the chain to the next. Requests that are under way keep theirs.
#[derive(Debug)]
pub(super) struct Epoch {
    pub(super) hops: Vec<RelayHop>,
    /// The same for the checksum database's requests: with its own server.
    pub(super) database_hops: Vec<RelayHop>,
    pub(super) setup: RelaySetup,
    pub(super) go_sum: HashMap<(ModuleVersion, Hashed), String>,
    pub(super) checksums: Option<Checksums>,
    pub(super) fetcher: Fetcher,
    /// Of the whole life of the relay.
    stats: Arc<Mutex<RelayStats>>,
    health: Mutex<Health>,
}

impl Epoch {
    pub(super) fn new(
        env: &Environment,
        setup: RelaySetup,
        stats: Arc<Mutex<RelayStats>>,
    ) -> Epoch {
        let checksums = match &setup.sumdb {
            Some(SumDb::Database { key, url: None, .. }) => Some(Checksums::new(key.clone())),
            Some(SumDb::Database { .. } | SumDb::Off) | None => None,
        };
        let name = checksums.as_ref().map_or("sum.golang.org", Checksums::name);
        let database_hops = setup.chain.with_database(name);
        let mut go_sum = HashMap::new();
        for line in &setup.go_sum {
            if line.hash.starts_with("h1:") {
                let place = go_sum.entry((line.module.clone(), line.of));
                place.or_insert_with(|| line.hash.clone());
            }
        }
        Epoch {
            hops: setup.chain.hops.clone(),
            health: Mutex::new(Health::new(database_hops.len(), setup.patience)),
            database_hops,
            setup,
            go_sum,
            checksums,
            fetcher: Fetcher::keeping(env, MOST_OPEN),
            stats,
        }
    }

    pub(super) fn health(&self) -> MutexGuard<'_, Health> {
        lock(&self.health)
    }

    pub(super) fn stats(&self) -> MutexGuard<'_, RelayStats> {
        lock(&self.stats)
    }
}
