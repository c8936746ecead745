//! The relay inside `goroam exec`: it is go's only proxy while the command runs, and falls back
//! request by request. What it has seen of the hops is the best explanation of go's failure.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;

use super::classify::{Blame, BlameReason, Blamed, Class, Classified, of_cause};
use super::report::AttemptReport;
use super::tiers::{FrozenSettings, LocalSources, relayed};
use super::usable::go_sums;
use crate::environment::Environment;
use crate::model::pattern::NOTHING;
use crate::model::{Cause, Tier, go_url, mask};
use crate::relay::passed::{KEEP_LIMIT, PassedStore};
use crate::relay::rules::chain::KnownProxies;
use crate::relay::rules::hop::{ChainEnd, Failure, FailureKind, HopLimits};
use crate::relay::setup::new_token;
use crate::relay::stats::{Incident, RefusedRequest};
use crate::relay::{RelayEngine, RelayServer, RelaySetup};

/// The relay's time limits, and what it must know of the policy.
#[derive(Debug)]
pub struct RelayTerms {
    /// The proxies of the policy.
    pub known: KnownProxies,
    /// Time limits for each proxy.
    pub limits: HopLimits,
    /// How long to wait for busy servers in all.
    pub patience: Duration,
    /// A directory on disk for zips on their way.
    pub spool: PathBuf,
    /// The mirror that keeps what passes.
    pub keep: Option<Arc<dyn PassedStore>>,
}

/// A relay that serves until the process ends.
#[derive(Debug)]
pub struct ExecRelay {
    engine: Arc<RelayEngine>,
    address: Option<SocketAddr>,
    /// Its URL, with its token.
    url: String,
    /// The chain goes on with `direct`.
    has_direct: bool,
    /// Paths of GONOPROXY come to the relay, too: for the mirror, else go fetches them directly.
    takes_private: bool,
    /// The hops in order, and their step.
    hops: Vec<(String, Tier)>,
}

impl ExecRelay {
    /// Starts a relay for the steps that can share one; `None` if there is nothing to relay.
    ///
    /// # Errors
    /// When this machine lets it listen nowhere.
    pub async fn start(
        env: &Environment,
        (frozen, around): (&FrozenSettings, &LocalSources),
        wanted: &[Tier],
        terms: RelayTerms,
    ) -> io::Result<Option<ExecRelay>> {
        let steps = relayed(wanted);
        let value = |name: &str| frozen.get(name);
        let setup = RelaySetup::of_go_env(value, &terms.known, terms.limits, terms.spool);
        // go itself reports a GOPROXY that it cannot read.
        let (Ok(mut setup), Some(first)) = (setup, steps.first()) else {
            return Ok(None);
        };
        setup.go_sum = go_sums(frozen);
        setup.patience = terms.patience;
        setup.keep = terms.keep;
        let chain = &mut setup.chain;
        let trees = [
            ("the mirror", &around.mirror),
            ("the module cache", &around.cache),
        ];
        for (name, tree) in trees {
            if let Some(tree) = tree.as_ref().filter(|_| steps.contains(&Tier::Mirror)) {
                let at_the_end = *first != Tier::Mirror;
                chain.add_own(at_the_end, name, go_url::of_folder(tree), terms.limits);
            }
        }
        if chain.hops.is_empty() {
            return Ok(None);
        }
        let has_direct = chain.end == ChainEnd::Direct;
        let has_patterns = !matches!(frozen.get("GONOPROXY"), "" | NOTHING);
        let takes_private = has_direct && has_patterns && chain.hops.iter().any(|hop| hop.is_own);
        if takes_private {
            for hop in &mut chain.hops {
                hop.sees_private = hop.is_own;
            }
        }
        let hops = chain.hops.iter().map(|hop| {
            let tier = if hop.is_own {
                Tier::Mirror
            } else {
                Tier::Proxy
            };
            (hop.name.clone(), tier)
        });
        let hops = hops.collect();
        let engine = Arc::new(RelayEngine::new(env, setup));
        let server = RelayServer::bind(0, new_token()?, Arc::clone(&engine)).await?;
        let url = server.url();
        let address = url.split('/').nth(2).and_then(|text| text.parse().ok());
        if let Some(address) = address {
            // A loopback interface that is down lets a server listen.
            TcpStream::connect::<SocketAddr>(address).await?;
        }
        tokio::spawn(server.run(std::future::pending()));
        Ok(Some(ExecRelay {
            engine,
            address,
            url,
            has_direct,
            takes_private,
            hops,
        }))
    }

    /// The variables that make go ask the relay.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let direct = if self.has_direct { ",direct" } else { "" };
        let mut set = vec![("GOPROXY", format!("{}{direct}", self.url))];
        if self.takes_private {
            set.push(("GONOPROXY", NOTHING.to_owned()));
        }
        set
    }

    /// Waits a moment until what has passed is in the mirror.
    pub async fn finish(&self) {
        self.engine.finish_keeping(KEEP_LIMIT).await;
    }

    /// Reports whether a server at this address is the relay.
    pub(super) fn is_at(&self, address: SocketAddr) -> bool {
        self.address == Some(address)
    }

    /// Reports whether it works on a request.
    pub(super) fn is_busy(&self) -> bool {
        self.engine.is_busy()
    }

    /// Replaces what go's words say of the relay with what the relay knows of its hops.
    pub(super) fn explain(&self, seen: Classified) -> (Classified, Option<String>) {
        if matches!(seen.class, Class::Ok | Class::Mismatch) {
            return (seen, None);
        }
        let stats = self.engine.stats();
        let mut refusals = stats.refused_requests().latest();
        let mut incidents = stats.incidents().latest();
        if let Some(incident) = incidents.find(|incident| !incident.is_healed) {
            let refused = refusals.find(|one| one.path == incident.path);
            return match refused.and_then(|one| first(one, true)) {
                Some((hop, failure)) => (told(hop, failure), Some(hop.clone())),
                None => (wrong(incident), Some(incident.hop.clone())),
            };
        }
        // Its token is masked.
        let (url, shown) = (mask(&self.url), seen.url.as_deref().map(mask));
        let Some(path) = shown.as_deref().and_then(|shown| shown.strip_prefix(&url)) else {
            return (seen, None);
        };
        let refused = |is_it: &dyn Fn(&RefusedRequest) -> bool| {
            let mut refusals = stats.refused_requests().latest();
            let found = refusals.find(|one| is_it(one))?;
            first(found, false)
        };
        let found = refused(&|one| one.path == path).or_else(|| refused(&|one| one.status != 404));
        match found.filter(|_| seen.class != Class::NotFound) {
            Some((hop, failure)) => {
                let told = told(hop, failure);
                let (module, version) = (seen.module, seen.version);
                let told = Classified {
                    module,
                    version,
                    ..told
                };
                (told, Some(hop.clone()))
            }
            None => {
                let line = seen.line.replace(&url, "goroam's relay");
                let url = None;
                (Classified { line, url, ..seen }, None)
            }
        }
    }

    /// The step that had nothing to give although it is one of the relay's.
    pub(super) fn lacks(&self, attempts: &[AttemptReport]) -> Option<(Tier, String)> {
        let has_mirror = self.hops.iter().any(|(_, tier)| *tier == Tier::Mirror);
        let is_asked = attempts.iter().any(|one| one.tier == Tier::Mirror);
        let why = "it lacks what go asks for";
        (has_mirror && !is_asked).then(|| (Tier::Mirror, why.to_owned()))
    }

    /// What became of each hop that was asked, and last what decides: `last`, at the hop whose
    /// failure it is, else at the worst hop that served.
    pub(super) fn attempts(
        &self,
        mut last: AttemptReport,
        nothing_asked: Tier,
    ) -> Vec<AttemptReport> {
        let stats = self.engine.stats();
        let mut rest: Vec<_> = stats.hops().filter(|(_, hop)| hop.requests > 0).collect();
        // The checksum database's own server does not belong to the chain.
        rest.sort_by_key(|(name, _)| self.place(name));
        let mut all: Vec<(AttemptReport, u64)> = Vec::new();
        for (name, hop) in rest {
            let incident = stats.incidents().latest().find(|one| one.hop == name);
            let seen = match (incident, &hop.last_failure) {
                (Some(incident), _) => wrong(incident),
                (None, Some(failure)) if hop.is_failing => told(name, failure),
                (None, _) if hop.served > 0 => Classified::plain(Class::Ok, String::new()),
                (None, _) => {
                    let mut seen = Classified::plain(Class::NotFound, String::new());
                    seen.blame.who = Some(Blamed::Host(name.to_owned()));
                    seen
                }
            };
            let report = AttemptReport {
                tier: self.tier(name),
                hop: Some(name.to_owned()),
                requests: hop.requests,
                stale: hop.stale,
                class: seen.class,
                exit: last.exit,
                ms: last.ms,
                line: seen.line.clone(),
                seen: Some(seen),
                stuck: None,
            };
            all.push((report, hop.served));
        }
        let decides = match &last.hop {
            Some(hop) => all
                .iter()
                .position(|(one, _)| one.hop.as_ref() == Some(hop)),
            None if last.class == Class::NotFound => {
                let is_it = |(one, _): &(AttemptReport, u64)| one.class == last.class;
                all.iter().rposition(is_it)
            }
            None if last.class.is_of_the_network() && last.class != Class::Corrupt => None,
            // What go complains of came from there.
            None => {
                let served = all
                    .iter()
                    .enumerate()
                    .filter(|(_, (_, served))| *served > 0);
                let worst = served.max_by_key(|(_, (one, _))| (one.tier, one.class == Class::Ok));
                worst.map(|(at, _)| at)
            }
        };
        match decides.map(|at| all.remove(at).0) {
            Some(hop) => {
                (last.tier, last.hop) = (hop.tier, hop.hop);
                (last.requests, last.stale) = (hop.requests, hop.stale);
            }
            None if !last.class.is_of_the_network() => last.tier = nothing_asked,
            None => {}
        }
        let before = all.into_iter().map(|(report, _)| report);
        before.chain([last]).collect()
    }

    fn place(&self, name: &str) -> usize {
        let place = self.hops.iter().position(|(hop, _)| hop == name);
        place.unwrap_or(self.hops.len())
    }

    fn tier(&self, name: &str) -> Tier {
        let hop = self.hops.get(self.place(name));
        hop.map_or(Tier::Proxy, |(_, tier)| *tier)
    }
}

/// The failure that explains a refused request.
fn first(refused: &RefusedRequest, is_mismatch: bool) -> Option<(&String, &Failure)> {
    let mut failures = refused.failures.iter();
    // A hop that served wrong content to another request does not explain this one.
    let counts = |failure: &Failure| {
        let is_wrong = failure.kind == FailureKind::WrongContent;
        is_wrong == is_mismatch || (is_wrong && !failure.is_remembered)
    };
    let found = failures.find(|(_, failure)| counts(failure));
    let found = found.or_else(|| refused.failures.first())?;
    Some((&found.0, &found.1))
}

/// What a hop did that served other content than the hash says.
fn wrong(incident: &Incident) -> Classified {
    Classified {
        blame: Blame {
            who: Some(Blamed::Host(incident.hop.clone())),
            ..Blame::default()
        },
        ..Classified::plain(Class::Mismatch, incident.to_string())
    }
}

/// A hop's failure, as a run's.
fn told(hop: &str, failure: &Failure) -> Classified {
    let class = failure.cause.map_or(Class::Mismatch, of_cause);
    let line = match failure.why.contains(hop) {
        true => failure.why.clone(),
        false => format!("{hop} {}", failure.why),
    };
    let is_forbidden = failure.cause == Some(Cause::Status(403));
    Classified {
        blame: Blame {
            who: Some(Blamed::Host(hop.to_owned())),
            why: is_forbidden.then_some(BlameReason::Forbidden),
            said: None,
        },
        ..Classified::plain(class, mask(&line))
    }
}
