//! The walk of one request over the hops of a chain.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc;
use tokio::time::{sleep, sleep_until};

use futures_util::future::BoxFuture;

use super::checksum::{Checksums, DatabaseSource, Fetch};
use super::epoch::Epoch;
use super::rules::breaker::Permit;
use super::rules::course::{AttemptEnd, Course, Step, Subject, Verdict};
use super::rules::hop::{ChainEnd, Failure, FailureKind, HopClass, RelayHop, kept_from_private};
use super::rules::reply::Refusal;
use super::rules::request::{ProxyRequest, RequestSort, SumDbFile};
use super::spool::{Content, Started};
use super::stats::{Incident, RefusedRequest, ServedFile};
use super::upstream::{self, CannotStore, Errand};
use super::verify::PROOF_LIMIT;
use crate::model::Cause;

/// A request, and the hops that it may be sent to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Walk<'a> {
    pub(super) epoch: &'a Epoch,
    pub(super) hops: &'a [RelayHop],
    pub(super) end: ChainEnd,
    pub(super) is_private: bool,
    pub(super) request: &'a ProxyRequest,
    /// The path as go sent it.
    pub(super) path: &'a str,
}

impl Walk<'_> {
    /// Walks the hops, counts what happened, and makes the answer.
    pub(super) async fn reply(&self) -> Reply {
        let (path, walked) = (self.path, self.run().await);
        let mut stats = self.epoch.stats();
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
                    hop: self.name_of(*hop),
                    path: path.to_owned(),
                    is_healed: walked.file.is_some(),
                });
            }
        }
        let named = |(hop, failure)| (self.name_of(hop), failure);
        match (walked.verdict, walked.file) {
            (Verdict::Serve(hop), Some(content)) => {
                let class = self.hops.get(hop).map(|hop| hop.class);
                let file = ServedFile {
                    path: path.to_owned(),
                    hop: self.name_of(hop),
                    took: walked.took,
                    is_stale: walked.is_stale,
                };
                let failed = match hop {
                    0 => Vec::new(),
                    _ => walked.failed.into_iter().map(named).collect(),
                };
                stats.served(file, failed);
                Reply::File {
                    content,
                    // Of an unknown hop less may be done.
                    class: class.unwrap_or(HopClass::Gatekeeper),
                }
            }
            (verdict, _) => {
                let refusal = Refusal::of(&verdict, self.hops);
                let refusal = refusal.unwrap_or_else(|| Refusal::new(502, "no proxy answered"));
                stats.refused(RefusedRequest {
                    path: path.to_owned(),
                    status: refusal.status,
                    failures: verdict.failures().into_iter().map(named).collect(),
                });
                Reply::Refused(refusal)
            }
        }
    }

    /// The file, if a hop serves it. It does not count among go's requests.
    pub(super) async fn file(&self) -> Option<Content> {
        self.run().await.ok()?.file
    }

    /// Walks the hops until one serves the file, or none can.
    async fn run(&self) -> Result<Walked, CannotStore> {
        let Walk {
            epoch,
            hops,
            request,
            path,
            ..
        } = *self;
        let start = Instant::now();
        let subject = Subject {
            is_private: self.is_private,
            is_exact: request.is_exact(),
            sort: request.sort(),
            deadline: start + epoch.setup.deadline,
            chance: u32::try_from(epoch.stats().requests() & 0xffff_ffff).unwrap_or(1),
        };
        let is_absent = |hop: &usize| {
            let hop = hops.get(*hop);
            hop.is_some_and(|hop| upstream::is_absent(hop, path))
        };
        let absent: Vec<usize> = (0..hops.len()).filter(is_absent).collect();
        let course = Course::new(hops, self.end, subject, &mut epoch.health());
        let mut course = course.without(&absent);
        let partial = Mutex::default();
        let never_to = match self.is_private {
            true => kept_from_private(&epoch.database_hops),
            false => Vec::new(),
        };
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
                    let (to, partial, never_to) = (to.clone(), &partial, &never_to);
                    under_way.push(async move {
                        let mut trial = Trial::of(epoch, hop, request.sort());
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
                            partial,
                            never_to,
                        };
                        let asked = self.attempt(hop, &errand).await;
                        trial.is_over = true;
                        (hop, asked)
                    });
                }
                Step::Wait(until) => {
                    tokio::select! {
                        Some((hop, asked)) = under_way.next() => {
                            let (end, file) = asked?;
                            epoch.stats().attempt(&self.name_of(hop), &end);
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
        let (file, is_stale) = match verdict {
            Verdict::Serve(hop) => (files.remove(&hop), course.is_stale(hop)),
            Verdict::NotFound | Verdict::NoHop | Verdict::Failed(_) => (None, false),
        };
        Ok(Walked {
            is_stale,
            verdict,
            file,
            failed: course.failures(),
            took: start.elapsed(),
        })
    }

    /// One attempt, with verification.
    async fn attempt(
        &self,
        hop: usize,
        errand: &Errand<'_>,
    ) -> Result<upstream::Attempted, CannotStore> {
        let epoch = self.epoch;
        let Some(asked) = self.hops.get(hop) else {
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
        let database = DatabaseHops { epoch };
        let verified = epoch.verify(asked.class, errand.request, &content, &database);
        match verified.await {
            None => Ok((end, Some(content))),
            Some(_) if content.is_spliced() => {
                let why = "sends a rest that does not fit the beginning of the file";
                let failure = Failure::new(FailureKind::Fast, why).by(Cause::Corrupt);
                Ok((AttemptEnd::Failed(failure), None))
            }
            Some(failure) => Ok((AttemptEnd::Failed(failure), None)),
        }
    }

    /// The name of a hop, for messages.
    fn name_of(&self, hop: usize) -> String {
        let hop = self.hops.get(hop);
        hop.map_or_else(String::new, |hop| hop.name.clone())
    }
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

/// The answer to one request.
#[derive(Debug, Clone)]
pub enum Reply {
    /// A file, complete and verified as far as a hash is known.
    File {
        /// The file.
        content: Content,
        /// The operator of the hop that served it.
        class: HopClass,
    },
    /// No file.
    Refused(Refusal),
}

/// What became of a walk over the hops.
struct Walked {
    verdict: Verdict,
    /// The file, if one was served.
    file: Option<Content>,
    /// The hops that failed.
    failed: Vec<(usize, Failure)>,
    took: Duration,
    /// It may be old.
    is_stale: bool,
}

/// Gives the breaker's trial back if the attempt is dropped before it ends.
struct Trial<'a> {
    epoch: &'a Epoch,
    hop: usize,
    sort: RequestSort,
    is_over: bool,
}

impl Trial<'_> {
    fn of(epoch: &Epoch, hop: usize, sort: RequestSort) -> Trial<'_> {
        Trial {
            epoch,
            hop,
            sort,
            is_over: false,
        }
    }
}

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.epoch.health().cancelled(self.hop, self.sort);
        }
    }
}

/// The hops as sources of the checksum database.
pub(super) struct DatabaseHops<'a> {
    pub(super) epoch: &'a Epoch,
}

impl DatabaseSource for DatabaseHops<'_> {
    fn count(&self) -> usize {
        self.epoch.database_hops.len()
    }

    fn passes_on(&self, server: usize) -> bool {
        let hop = self.epoch.database_hops.get(server);
        hop.is_some_and(RelayHop::outage_moves_on)
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
    pub(super) fn walk<'w>(
        &'w self,
        request: &'w ProxyRequest,
        path: &'w str,
        is_private: bool,
    ) -> Walk<'w> {
        Walk {
            epoch: self.epoch,
            hops: &self.epoch.database_hops,
            end: ChainEnd::Nothing,
            is_private,
            request,
            path,
        }
    }

    async fn any(&self, request: &ProxyRequest, path: &str) -> Fetch {
        match self.walk(request, path, false).run().await {
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
        let permit = epoch
            .health()
            .permit(server, request.sort(), Instant::now());
        match permit {
            Permit::Closed | Permit::Trial => {}
            Permit::Open | Permit::Banned => return moves_on(true),
        }
        let mut trial = Trial::of(epoch, server, request.sort());
        let errand = Errand {
            request,
            path,
            spool: &epoch.setup.spool,
            first_byte: hop.limits.first_byte,
            deadline: Instant::now() + PROOF_LIMIT,
            started: None,
            partial: &Mutex::default(),
            never_to: &[],
        };
        let asked = self
            .walk(request, path, false)
            .attempt(server, &errand)
            .await;
        trial.is_over = true;
        let Ok((end, content)) = asked else {
            return Fetch::Stop;
        };
        epoch.stats().attempt(&hop.name, &end);
        let (sort, now) = (request.sort(), Instant::now());
        match (end, content) {
            (AttemptEnd::Served(took), Some(content)) => {
                epoch.health().answered(server, sort, took, now);
                Fetch::Found(content.bytes())
            }
            (AttemptEnd::Served(took) | AttemptEnd::NotFound(took), _) => {
                epoch.health().answered(server, sort, took, now);
                moves_on(false)
            }
            (AttemptEnd::Failed(failure), _) => {
                epoch.health().failed(server, sort, &failure, now);
                moves_on(true)
            }
        }
    }
}
