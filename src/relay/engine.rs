//! Serves requests: walks the chain for each, verifies what came, and joins equal requests that are
//! under way.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::StreamExt as _;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use futures_util::stream::FuturesUnordered;
use tokio::sync::{Notify, mpsc};
use tokio::time::{sleep, sleep_until};

use super::checksum::{Checksums, DatabaseSource, Fetch};
use super::rules::breaker::{BreakerState, Permit};
use super::rules::chain::RelayChain;
use super::rules::course::{AttemptEnd, Course, Step, Subject, Verdict};
use super::rules::health::Health;
use super::rules::hop::{ChainEnd, Failure, FailureKind, HopClass, RelayHop};
use super::rules::reply::Refusal;
use super::rules::request::{ModuleFile, ProxyRequest, SumDbFile};
use super::spool::{Content, Started};
use super::stats::{Incident, RefusedRequest, RelayStats};
use super::upstream::{self, CannotStore, Errand};
use crate::environment::Environment;
use crate::gomod::ModuleVersion;
use crate::gomod::go_sum::{GoSumLine, Hashed};
use crate::gomod::sum::hash_go_mod;
use crate::model::{Cause, Patterns, SumDb};
use crate::probe::Fetcher;

/// Connections that stay open between requests.
const MOST_OPEN: usize = 16;
/// How long a request waits for the first chain.
const START_LIMIT: Duration = Duration::from_secs(10);
/// A verification waits this long for the checksum database.
const PROOF_LIMIT: Duration = Duration::from_secs(10);

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
}

/// The answer to one request.
#[derive(Debug, Clone)]
pub enum Reply {
    /// A file, complete and verified as far as a hash is known.
    File {
        /// The file.
        content: Content,
        /// The hop that served it.
        from: String,
    },
    /// No file.
    Refused(Refusal),
}

/// A hop as the page shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HopView {
    /// Its name.
    pub name: String,
    /// Its operator.
    pub class: HopClass,
    /// What is known about it on this network.
    pub state: BreakerState,
    /// The median time to its answers on this network.
    pub usual_time: Option<Duration>,
}

/// The relay's engine.
#[derive(Debug)]
pub struct RelayEngine {
    /// `None` until the first chain is known.
    epoch: Mutex<Option<Arc<Epoch>>>,
    ready: Notify,
    joined: Mutex<HashMap<ProxyRequest, WeakShared<Answer>>>,
    stats: Mutex<RelayStats>,
}

type Answer = BoxFuture<'static, Reply>;

/// What holds from one switch of the chain to the next. Requests that are under way keep theirs.
#[derive(Debug)]
struct Epoch {
    hops: Vec<RelayHop>,
    /// The same for the checksum database's requests: with its own server.
    database_hops: Vec<RelayHop>,
    setup: RelaySetup,
    go_sum: HashMap<(ModuleVersion, Hashed), String>,
    checksums: Option<Checksums>,
    fetcher: Fetcher,
    health: Arc<Mutex<Health>>,
}

impl Epoch {
    fn new(env: &Environment, setup: RelaySetup) -> Epoch {
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
            health: Arc::new(Mutex::new(Health::new(database_hops.len(), setup.patience))),
            database_hops,
            setup,
            go_sum,
            checksums,
            fetcher: Fetcher::keeping(env, MOST_OPEN),
        }
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RelayEngine {
    /// Starts with this setup.
    pub fn new(env: &Environment, setup: RelaySetup) -> RelayEngine {
        let engine = RelayEngine::waiting();
        engine.switch(env, setup);
        engine
    }

    /// Starts without a chain: requests wait a while for the first [`RelayEngine::switch`].
    pub fn waiting() -> RelayEngine {
        RelayEngine {
            epoch: Mutex::default(),
            ready: Notify::new(),
            joined: Mutex::default(),
            stats: Mutex::default(),
        }
    }

    /// Uses another chain from now on: the network or the policy has changed. What is known of the
    /// hops is forgotten; requests that are under way go on as they began.
    pub fn switch(&self, env: &Environment, setup: RelaySetup) {
        self.stats().switch(&setup.chain);
        let epoch = Arc::new(Epoch::new(env, setup));
        *lock(&self.epoch) = Some(epoch);
        lock(&self.joined).clear();
        self.ready.notify_waiters();
    }

    /// Takes over what a probe has found out about the hop with this base URL.
    pub fn probed(&self, url: &str, is_up: bool) {
        if let Some(epoch) = lock(&self.epoch).clone() {
            for hop in epoch.setup.chain.at(url) {
                epoch.health().probed(hop, is_up, Instant::now());
            }
        }
    }

    async fn epoch(&self) -> Option<Arc<Epoch>> {
        let ready = self.ready.notified();
        tokio::pin!(ready);
        ready.as_mut().enable();
        if let Some(epoch) = lock(&self.epoch).clone() {
            return Some(epoch);
        }
        let _ = tokio::time::timeout(START_LIMIT, ready).await;
        lock(&self.epoch).clone()
    }

    /// The hops of the chain in force, in order.
    pub fn hops(&self) -> Vec<HopView> {
        let Some(epoch) = lock(&self.epoch).clone() else {
            return Vec::new();
        };
        let (health, now) = (epoch.health(), Instant::now());
        let view = |(number, hop): (usize, &RelayHop)| HopView {
            name: hop.name.clone(),
            class: hop.class,
            state: health.state(number, now),
            usual_time: health.usual_time(number),
        };
        epoch.hops.iter().enumerate().map(view).collect()
    }

    /// What was served from where since the start.
    pub fn stats(&self) -> MutexGuard<'_, RelayStats> {
        lock(&self.stats)
    }

    /// Reports whether a request is under way.
    pub fn is_busy(&self) -> bool {
        let joined = lock(&self.joined);
        joined.values().any(|answer| answer.upgrade().is_some())
    }

    /// Answers a request. `path` is the path of the request as go sent it, without the token.
    pub async fn serve(self: &Arc<Self>, request: ProxyRequest, path: &str) -> Reply {
        let Some(epoch) = self.epoch().await else {
            let why = "goroam's relay does not know the network yet";
            return Reply::Refused(Refusal::new(502, why));
        };
        let answer = {
            let mut joined = lock(&self.joined);
            match joined.get(&request).and_then(WeakShared::upgrade) {
                Some(answer) => answer,
                None => {
                    let (engine, path) = (Arc::clone(self), path.to_owned());
                    let asked = request.clone();
                    let answer = async move { engine.answer(&epoch, &asked, &path).await };
                    let answer: Shared<Answer> = (Box::pin(answer) as Answer).shared();
                    joined.retain(|_, answer| answer.upgrade().is_some());
                    if let Some(answer) = answer.downgrade() {
                        joined.insert(request.clone(), answer);
                    }
                    answer
                }
            }
        };
        answer.await
    }

    async fn answer(&self, epoch: &Epoch, request: &ProxyRequest, path: &str) -> Reply {
        match request {
            ProxyRequest::Module { module, .. } => {
                let is_private = epoch.setup.chain.is_private(module);
                let end = epoch.setup.chain.end;
                let walk = self.walk(epoch, &epoch.hops, end, is_private, request, path);
                self.reply(&epoch.hops, path, walk.await)
            }
            ProxyRequest::SumDb { name, rest } => self.database(epoch, name, rest, path).await,
        }
    }

    /// A request of the checksum database. go asks `supported` once, and never asks another server
    /// afterwards: every file must come, or the reason.
    async fn database(&self, epoch: &Epoch, name: &str, rest: &SumDbFile, path: &str) -> Reply {
        let checksums = epoch.checksums.as_ref();
        let Some(checksums) = checksums.filter(|checksums| checksums.name() == name) else {
            // GOSUMDB of this go is another one: go asks that database itself.
            return Reply::Refused(Refusal::new(404, "this relay does not serve that database"));
        };
        let source = DatabaseHops {
            engine: self,
            epoch,
        };
        let from = || name.to_owned();
        let (proven, is_private) = match rest {
            // A go with the relay's variables never asks, and the name must not leave.
            SumDbFile::Lookup(module, _) if epoch.setup.no_sumdb.matches(module) => {
                let why = "GONOSUMDB covers this path: no checksum database is asked about it";
                return Reply::Refused(Refusal::new(403, why));
            }
            SumDbFile::Lookup(module, version) => {
                let is_private = epoch.setup.chain.is_private(module);
                let module = ModuleVersion::new(module.as_str(), version.as_str());
                if is_private {
                    (None, true)
                } else {
                    (checksums.lookup(&module, &source).await, false)
                }
            }
            SumDbFile::Tile(tile) => (checksums.tile(&format!("tile/{tile}")).await, false),
            SumDbFile::Supported | SumDbFile::Latest => (None, false),
        };
        if let Some(bytes) = proven {
            let content = Content::Memory(bytes);
            return Reply::File {
                content,
                from: from(),
            };
        }
        let request = ProxyRequest::SumDb {
            name: name.to_owned(),
            rest: rest.clone(),
        };
        let end = ChainEnd::Nothing;
        let hops = &epoch.database_hops;
        let walk = self.walk(epoch, hops, end, is_private, &request, path);
        let reply = self.reply(hops, path, walk.await);
        match reply {
            // go would take 502 for a fault of the relay, and ask the next element of GOPROXY.
            Reply::Refused(refusal) if *rest == SumDbFile::Supported && refusal.status == 502 => {
                Reply::Refused(Refusal {
                    status: 403,
                    ..refusal
                })
            }
            reply @ (Reply::File { .. } | Reply::Refused(_)) => reply,
        }
    }

    /// Walks the hops for one file.
    async fn walk(
        &self,
        epoch: &Epoch,
        hops: &[RelayHop],
        end: ChainEnd,
        is_private: bool,
        request: &ProxyRequest,
        path: &str,
    ) -> Result<Walked, CannotStore> {
        let start = Instant::now();
        let subject = Subject {
            is_private,
            is_exact: request.is_exact(),
            deadline: start + epoch.setup.deadline,
            chance: u32::try_from(self.stats().requests() & 0xffff_ffff).unwrap_or(1),
        };
        let is_absent = |hop: &usize| {
            let hop = hops.get(*hop);
            hop.is_some_and(|hop| upstream::is_absent(hop, path))
        };
        let absent: Vec<usize> = (0..hops.len()).filter(is_absent).collect();
        let course = Course::new(hops, end, subject, &mut epoch.health());
        let mut course = course.without(&absent);
        let mut under_way = FuturesUnordered::new();
        let (to, mut started) = mpsc::unbounded_channel();
        let mut files: HashMap<usize, Content> = HashMap::new();
        let verdict = loop {
            let step = course.next_step(&mut epoch.health(), Instant::now());
            match step {
                Step::Ask {
                    hop,
                    pause,
                    first_byte,
                } => {
                    let to = to.clone();
                    under_way.push(async move {
                        let mut trial = Trial::of(epoch, hop);
                        // Even a timer of no time at all takes a millisecond or two.
                        if !pause.is_zero() {
                            sleep(pause).await;
                        }
                        let errand = Errand {
                            request,
                            path,
                            spool: &epoch.setup.spool,
                            first_byte,
                            deadline: subject.deadline,
                            started: Some(Started { hop, to }),
                        };
                        let asked = self.attempt(epoch, hops, hop, &errand).await;
                        trial.is_over = true;
                        (hop, asked)
                    });
                }
                Step::Wait(until) => {
                    tokio::select! {
                        Some((hop, asked)) = under_way.next() => {
                            let (end, file) = asked?;
                            self.stats().attempt(&name_of(hops, hop), &end);
                            if let Some(file) = file {
                                files.insert(hop, file);
                            }
                            course.report(hop, end, &mut epoch.health(), Instant::now());
                        }
                        Some(hop) = started.recv() => {
                            course.started(hop, &mut epoch.health(), Instant::now());
                        }
                        () = sleep_until(until.into()) => {}
                    }
                }
                Step::Done(verdict) => break verdict,
            }
        };
        let file = match verdict {
            Verdict::Serve(hop) => files.remove(&hop),
            Verdict::NotFound | Verdict::NoHop | Verdict::Failed(_) => None,
        };
        Ok(Walked {
            verdict,
            file,
            failed: course.failures(),
            took: start.elapsed(),
        })
    }

    /// Counts what happened, and makes the answer.
    fn reply(&self, hops: &[RelayHop], path: &str, walked: Result<Walked, CannotStore>) -> Reply {
        let mut stats = self.stats();
        let walked = match walked {
            Ok(walked) => walked,
            Err(CannotStore(why)) => {
                tracing::warn!(%why, "the relay cannot store a file");
                let why = format!("goroam's relay cannot store the file: {why}");
                stats.refused(RefusedRequest {
                    path: path.to_owned(),
                    status: 502,
                    failures: Vec::new(),
                });
                return Reply::Refused(Refusal::new(502, &why));
            }
        };
        for (hop, failure) in &walked.failed {
            if failure.kind == FailureKind::WrongContent && !failure.is_remembered {
                stats.incident(Incident {
                    hop: name_of(hops, *hop),
                    path: path.to_owned(),
                    is_healed: walked.file.is_some(),
                });
            }
        }
        match (walked.verdict, walked.file) {
            (Verdict::Serve(hop), Some(content)) => {
                let from = name_of(hops, hop);
                stats.served(&from, hop > 0 && !walked.failed.is_empty(), walked.took);
                Reply::File { content, from }
            }
            (verdict, _) => {
                let refusal = Refusal::of(&verdict, hops);
                let refusal = refusal.unwrap_or_else(|| Refusal::new(502, "no proxy answered"));
                let named = |(hop, failure)| (name_of(hops, hop), failure);
                stats.refused(RefusedRequest {
                    path: path.to_owned(),
                    status: refusal.status,
                    failures: verdict.failures().into_iter().map(named).collect(),
                });
                Reply::Refused(refusal)
            }
        }
    }

    /// One attempt, with verification.
    async fn attempt(
        &self,
        epoch: &Epoch,
        hops: &[RelayHop],
        hop: usize,
        errand: &Errand<'_>,
    ) -> Result<upstream::Attempted, CannotStore> {
        let Some(asked) = hops.get(hop) else {
            return Ok((AttemptEnd::NotFound(Duration::ZERO), None));
        };
        let is_database = hop >= epoch.hops.len();
        let path = match is_database {
            true => own_path(errand),
            false => errand.path.to_owned(),
        };
        let errand = Errand {
            path: &path,
            started: errand.started.clone(),
            ..*errand
        };
        let (end, content) = upstream::ask(&epoch.fetcher, asked, &errand).await?;
        let Some(content) = content else {
            return Ok((end, None));
        };
        match self
            .verify(epoch, asked.class, errand.request, &content)
            .await
        {
            None => Ok((end, Some(content))),
            Some(failure) => Ok((AttemptEnd::Failed(failure), None)),
        }
    }

    /// Compares a file with the hash that is known of it. A local tree is not compared: go does
    /// that, and no other hop would be right.
    async fn verify(
        &self,
        epoch: &Epoch,
        class: HopClass,
        request: &ProxyRequest,
        content: &Content,
    ) -> Option<Failure> {
        let ProxyRequest::Module { module, file } = request else {
            return None;
        };
        let (version, of) = match file {
            ModuleFile::Mod(version) => (version, Hashed::GoMod),
            ModuleFile::Zip(version) => (version, Hashed::Zip),
            ModuleFile::List | ModuleFile::Latest | ModuleFile::Info(_) => return None,
        };
        if class == HopClass::Local {
            return None;
        }
        let version = ModuleVersion::new(module.as_str(), version.as_str());
        let found = match of {
            Hashed::GoMod => hash_go_mod(&content.bytes()),
            Hashed::Zip => {
                let zip = content.clone();
                let hash = tokio::task::spawn_blocking(move || zip.zip_hash()).await;
                match hash {
                    Ok(Ok(hash)) => hash,
                    Ok(Err(error)) => {
                        let why = format!("sends a damaged zip: {}", error.why);
                        return Some(Failure::new(FailureKind::Fast, why).by(Cause::Corrupt));
                    }
                    Err(_) => return None,
                }
            }
        };
        let (expected, by) = self.expected(epoch, class, &version, of).await?;
        (expected != found).then(|| {
            Failure::new(
                FailureKind::WrongContent,
                format!("sends wrong content: {found}, but {by} has {expected}"),
            )
        })
    }

    /// The hash that a file must have, and who says so.
    async fn expected(
        &self,
        epoch: &Epoch,
        class: HopClass,
        version: &ModuleVersion,
        of: Hashed,
    ) -> Option<(String, String)> {
        if let Some(hash) = epoch.go_sum.get(&(version.clone(), of)) {
            return Some((hash.clone(), "go.sum".to_owned()));
        }
        let setup = &epoch.setup;
        let is_covered =
            setup.chain.is_private(&version.path) || setup.no_sumdb.matches(&version.path);
        if class != HopClass::Public || is_covered {
            return None;
        }
        let checksums = epoch.checksums.as_ref()?;
        let source = DatabaseHops {
            engine: self,
            epoch,
        };
        let hash = checksums.hash(version, of, &source);
        let hash = tokio::time::timeout(PROOF_LIMIT, hash).await.ok()??;
        Some((hash, checksums.name().to_owned()))
    }
}

fn name_of(hops: &[RelayHop], hop: usize) -> String {
    hops.get(hop)
        .map_or_else(String::new, |hop| hop.name.clone())
}

/// The path at the database's own server.
fn own_path(errand: &Errand<'_>) -> String {
    match errand.request {
        ProxyRequest::SumDb {
            rest: SumDbFile::Supported,
            ..
        } => "/latest".to_owned(),
        ProxyRequest::SumDb { name, .. } => {
            let prefix = format!("/sumdb/{name}");
            errand.path.strip_prefix(&prefix).unwrap_or("/").to_owned()
        }
        ProxyRequest::Module { .. } => errand.path.to_owned(),
    }
}

/// What became of a walk over the hops.
struct Walked {
    verdict: Verdict,
    /// The file, if one was served.
    file: Option<Content>,
    /// The hops that failed.
    failed: Vec<(usize, Failure)>,
    took: Duration,
}

/// Gives the breaker's trial back if the attempt is dropped before it ends.
struct Trial<'a> {
    epoch: &'a Epoch,
    hop: usize,
    is_over: bool,
}

impl Trial<'_> {
    fn of(epoch: &Epoch, hop: usize) -> Trial<'_> {
        Trial {
            epoch,
            hop,
            is_over: false,
        }
    }
}

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.epoch.health().cancelled(self.hop);
        }
    }
}

/// The hops as sources of the checksum database.
struct DatabaseHops<'a> {
    engine: &'a RelayEngine,
    epoch: &'a Epoch,
}

impl DatabaseSource for DatabaseHops<'_> {
    fn count(&self) -> usize {
        self.epoch.database_hops.len()
    }

    fn fetch<'a>(&'a self, server: Option<usize>, path: &'a str) -> BoxFuture<'a, Fetch> {
        let name = self.epoch.checksums.as_ref().map_or("", Checksums::name);
        let path = format!("/sumdb/{name}/{}", path.replace('!', "%21"));
        let Some(request) = ProxyRequest::parse(&path) else {
            return Box::pin(std::future::ready(Fetch::Stop));
        };
        match server {
            None => Box::pin(async move { self.any(&request, &path).await }),
            Some(server) => Box::pin(async move { self.one(server, &request, &path).await }),
        }
    }
}

impl DatabaseHops<'_> {
    async fn any(&self, request: &ProxyRequest, path: &str) -> Fetch {
        let (epoch, end) = (self.epoch, ChainEnd::Nothing);
        let walk = self
            .engine
            .walk(epoch, &epoch.database_hops, end, false, request, path);
        match walk.await {
            Ok(Walked {
                file: Some(file), ..
            }) => Fetch::Found(file.bytes()),
            Ok(walked) if walked.verdict == Verdict::NotFound => Fetch::Next,
            Ok(_) | Err(CannotStore(_)) => Fetch::Stop,
        }
    }

    async fn one(&self, server: usize, request: &ProxyRequest, path: &str) -> Fetch {
        let epoch = self.epoch;
        let Some(hop) = epoch.database_hops.get(server) else {
            return Fetch::Stop;
        };
        let moves_on = |is_outage: bool| match is_outage && !hop.outage_moves_on() {
            true => Fetch::Stop,
            false => Fetch::Next,
        };
        let permit = epoch.health().permit(server, Instant::now());
        match permit {
            Permit::Closed | Permit::Trial => {}
            Permit::Open | Permit::Banned => return moves_on(true),
        }
        let mut trial = Trial::of(epoch, server);
        let errand = Errand {
            request,
            path,
            spool: &epoch.setup.spool,
            first_byte: hop.limits.first_byte,
            deadline: Instant::now() + PROOF_LIMIT,
            started: None,
        };
        let hops = &epoch.database_hops;
        let asked = self.engine.attempt(epoch, hops, server, &errand).await;
        trial.is_over = true;
        let Ok((end, content)) = asked else {
            return Fetch::Stop;
        };
        self.engine.stats().attempt(&hop.name, &end);
        let now = Instant::now();
        match (end, content) {
            (AttemptEnd::Served(took), Some(content)) => {
                epoch.health().answered(server, took, now);
                Fetch::Found(content.bytes())
            }
            (AttemptEnd::Served(took) | AttemptEnd::NotFound(took), _) => {
                epoch.health().answered(server, took, now);
                moves_on(false)
            }
            (AttemptEnd::Failed(failure), _) => {
                epoch.health().failed(server, &failure, now);
                moves_on(true)
            }
        }
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each of them is changed by single statements: it is whole even after a panic.
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
