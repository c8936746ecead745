//! One round: probes all targets at once, each with its own limits.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;
use url::Url;

use super::attempt::ProbeAttempt;
use super::credentials::{Credentials, GoClient};
use super::fault::{ProbeOutcome, definite};
use super::goproxy::{self, AskedModule};
use super::session::{ProbeSession, RoundShared};
use super::tls::Tls;
use super::tunnel::ProxyRules;
use super::verifier::{NotedKeys, ServerKey};
use super::{dial, icmp, local, page, speed, sumdb, tls};
use crate::environment::Environment;
use crate::model::observation::DISTRUSTED;
use crate::model::text::milliseconds;
use crate::model::{Host, Observation, Phase, Phases, Pin, Proof, Target, TargetKind, Verdict};

/// What every probe of one round shares: roots, proxy rules, netrc. No connection outlives a probe,
/// so none from an earlier network is used again.
pub struct Prober {
    shared: RoundShared,
}

/// How thorough a probe is, and how long it waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProbeOptions {
    /// Ask for the zip as well. Not needed if the zip has been seen before on this network: it
    /// costs one more request, and often a connection to another server.
    pub zip: bool,
    /// Wait this long for a first byte, if that is longer than the target's own limit: a proxy
    /// whose cache is cold fetches on demand.
    pub patience: Option<Duration>,
    /// Fetch a small zip whole once the target is up: measures its speed and proves its content.
    pub speed: bool,
}

impl ProbeOptions {
    /// For a probe that knows nothing of this network yet, and waits no longer than usual.
    pub const FIRST: ProbeOptions = ProbeOptions {
        zip: true,
        patience: None,
        speed: false,
    };
}

impl Prober {
    /// Prepares one round. Reads netrc by go's rules now, and the roots when the first probe needs
    /// them (cached between rounds while their files are unchanged). Never fails: a probe reports
    /// what could not be read, if it needs it.
    pub fn new(env: &Environment) -> Prober {
        Prober::like(env, &GoClient::default())
    }

    /// Does the same, with the behaviour of this go command.
    pub fn like(env: &Environment, manner: &GoClient) -> Prober {
        Prober::with(env, manner, None)
    }

    /// Does the same; notes the keys that the handshakes show.
    fn with(env: &Environment, manner: &GoClient, noted: Option<Arc<NotedKeys>>) -> Prober {
        Prober {
            shared: RoundShared {
                env: env.clone(),
                rules: ProxyRules::from_env(env, manner.release),
                credentials: Credentials::read(env, manner),
                tls: Tls::noting(noted),
                release: manner.release,
            },
        }
    }

    /// Measures how fast a proxy that is up sends a small zip, and notes it, or why it did not come
    /// within the limits of one try.
    pub async fn measure(&self, target: &Target, seen: &mut Observation) {
        let (TargetKind::GoProxy { url, .. }, Some(zip)) = (&target.kind, target.measured_zip())
        else {
            return;
        };
        let mut attempt = ProbeAttempt::start(target, None);
        let mut session = ProbeSession::new(&self.shared, target, &mut attempt);
        match speed::measure(&mut session, url, zip).await {
            Ok(speed) => seen.speed = Some(speed),
            // Only this says something about the target: the zip may be missing or late.
            Err(failure) if failure.verdict != Verdict::Down => {
                let phases = seen.phases;
                *seen = observe(target, Err(failure), phases, seen.tries);
            }
            Err(failure) => {
                seen.reason.push_str("; not measured: ");
                seen.reason.push_str(&failure.reason);
            }
        }
    }

    pub(super) fn shared(&self) -> &RoundShared {
        &self.shared
    }

    /// Probes one target completely, within its limits.
    pub async fn probe(&self, target: &Target) -> Observation {
        self.probe_with(target, ProbeOptions::FIRST).await
    }

    /// Probes one target, with retries, within its limits. Dropping the future ends it at once.
    pub async fn probe_with(&self, target: &Target, care: ProbeOptions) -> Observation {
        let start = Instant::now();
        let mut tries = 0;
        loop {
            tries += 1;
            // Patience is for all tries together: a person waits for them.
            let rest = |most: Duration| most.saturating_sub(start.elapsed());
            let mut attempt = ProbeAttempt::start(target, care.patience.map(rest));
            let outcome = self.attempt(target, &mut attempt, care).await;
            // A target that stays silent for this long is asked with more patience, or not at all.
            let silent =
                matches!(&outcome, Err(failure) if failure.silent) && target.patience().is_some();
            let again = matches!(&outcome, Err(failure) if !failure.definite)
                && !silent
                && care.patience.is_none_or(|most| !rest(most).is_zero())
                && tries <= target.limits.retries;
            if !again {
                let phases = Phases {
                    total: Some(milliseconds(start.elapsed())),
                    ..attempt.phases
                };
                let mut seen = observe(target, outcome, phases, tries);
                if care.speed && seen.is_up() {
                    self.measure(target, &mut seen).await;
                }
                // Waiting once more would not help.
                seen.silent &= !attempt.is_patient();
                self.doubt(target, &attempt, &mut seen);
                return seen;
            }
        }
    }

    /// Notes if a target is `up` only because of its own `ca`, which go does not know.
    fn doubt(&self, target: &Target, attempt: &ProbeAttempt, seen: &mut Observation) {
        let is_gos = matches!(
            target.kind,
            TargetKind::GoProxy { .. } | TargetKind::SumDb { .. }
        );
        if !seen.is_up() || !is_gos || !attempt.doubt.load(Ordering::Relaxed) {
            return;
        }
        let remedy = tls::remedy(&self.shared.env, &target.ca);
        seen.reason.push_str("; ");
        seen.reason.push_str(DISTRUSTED);
        seen.caveat = Some(format!("{DISTRUSTED}: {remedy}"));
    }

    async fn attempt(
        &self,
        target: &Target,
        attempt: &mut ProbeAttempt,
        care: ProbeOptions,
    ) -> ProbeOutcome {
        match &target.kind {
            TargetKind::GoProxy {
                url,
                module,
                version,
                sum,
                ..
            } => {
                let mut session = ProbeSession::new(&self.shared, target, attempt);
                let asked = AskedModule {
                    module,
                    version,
                    sum: sum.as_deref(),
                    zip: care.zip,
                };
                goproxy::probe(&mut session, url, asked).await
            }
            TargetKind::SumDb { db, via } => {
                let mut session = ProbeSession::new(&self.shared, target, attempt);
                sumdb::probe(&mut session, db, via.as_deref()).await
            }
            TargetKind::Https { url, status, body } => {
                let mut session = ProbeSession::new(&self.shared, target, attempt);
                page::probe(&mut session, url, status, body.as_deref()).await
            }
            TargetKind::Icmp { address } => {
                let took = icmp::echo(attempt.first_byte_deadline(), *address).await?;
                attempt.phases.first_byte = Some(took);
                Ok((format!("{address} answers an echo"), Proof::None))
            }
            TargetKind::Tcp { host, port } => dial::probe(attempt, host, *port).await,
            TargetKind::Listening { address } => local::listening(*address).await,
            TargetKind::Mirror { path } => local::mirror(attempt, path).await,
        }
    }
}

impl fmt::Debug for Prober {
    /// The environment is left out: a proxy variable may contain a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prober").finish_non_exhaustive()
    }
}

fn observe(target: &Target, outcome: ProbeOutcome, phases: Phases, tries: u32) -> Observation {
    let (proof, failed, seen) = match outcome {
        Err(failure) => (Proof::None, Some(failure.phase), failure),
        Ok((reason, proof)) => (proof, None, definite(Verdict::Up, Phase::Content, reason)),
    };
    Observation {
        target: target.name.clone(),
        verdict: seen.verdict,
        reason: seen.reason,
        failed,
        phases,
        proof,
        definite: seen.definite,
        tries,
        began_ms: None,
        silent: seen.silent,
        portal_url: seen.portal_url,
        caveat: None,
        speed: None,
    }
}

/// The result of the first probe of a server.
#[derive(Debug, Clone, PartialEq)]
pub struct Introduction {
    /// The observation of an ordinary probe.
    pub observation: Observation,
    /// The server's key. Its certificate is right: the handshake was completed, which requires the
    /// key.
    pub key: Option<Pin>,
    /// Its certificate is not signed by a trusted CA; a `ca` in the policy would help, if the
    /// certificate is right.
    pub untrusted: bool,
    /// It is a proxy, but does not have the requested module.
    pub lacks_module: bool,
}

/// Probes a target as a round does, and also notes its server's key.
pub async fn introduce(env: &Environment, target: &Target) -> Introduction {
    let noted = Arc::new(NotedKeys::default());
    let prober = Prober::with(env, &GoClient::default(), Some(Arc::clone(&noted)));
    let observation = prober.probe(target).await;
    let url = target.goproxy_url().and_then(|url| Url::parse(url).ok());
    let key = url.and_then(|url| noted.of(&Host::of(&url)?));
    // The certificate alone proves nothing: any server may show it. The end of the handshake, and
    // so any answer over that connection, proves that the server has its key.
    let answered = observation.phases.first_byte.is_some();
    Introduction {
        // The proven server answered 404 or 410: `goproxy::expect_ok`.
        lacks_module: observation.definite && observation.reason.starts_with("has no "),
        observation,
        untrusted: key == Some(ServerKey::Untrusted),
        key: match key {
            Some(ServerKey::Verified(pin)) if answered => Some(pin),
            Some(_) | None => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_can_be_spawned_beside_others() {
        fn spawnable<T: Send>(_: T) {}
        let target = Target {
            name: "t".to_owned(),
            kind: TargetKind::Mirror { path: "/".into() },
            limits: crate::model::Limits::default(),
            relay: crate::model::RelayLimits::default(),
            private: false,
            ca: Vec::new(),
            pins: Vec::new(),
        };
        spawnable(Prober::new(&Environment::default()).probe(&target));
    }

    #[test]
    fn debug_does_not_show_the_environment() {
        let env = [("HTTPS_PROXY", "http://joe:hidden@p.test")]
            .into_iter()
            .collect();
        assert!(!format!("{:?}", Prober::new(&env)).contains("hidden"));
    }
}
