//! One round: all targets at once, each with its own limits.

use std::fmt;
use std::sync::Arc;

use tokio::time::Instant;

use super::attempt::{Attempt, milliseconds};
use super::failure::Outcome;
use super::goproxy::{self, Asked};
use super::netrc::Netrc;
use super::noted::Noted;
use super::rules::ProxyRules;
use super::session::{Session, Shared};
use super::tls::Tls;
use super::{icmp, listening, mirror, page, sumdb, tcp};
use crate::environment::Environment;
use crate::model::{Observation, Phases, Proof, Target, TargetKind, Verdict};

/// What every probe of one round shares: roots, proxy rules, netrc. No connection outlives
/// a probe, so none from the last network can be met again.
pub struct Prober {
    shared: Shared,
}

impl Prober {
    /// Gets ready for one round. Reads netrc by go's rules now, and the roots when the first
    /// probe needs them (cached between rounds while their files are unchanged). Never fails:
    /// what cannot be read makes probes that need it say so.
    pub fn new(env: &Environment) -> Prober {
        Prober::with(env, Tls::default())
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// The same; notes what the handshakes show.
    pub(super) fn noting(env: &Environment, noted: Arc<Noted>) -> Prober {
        Prober::with(env, Tls::noting(noted))
    }

    fn with(env: &Environment, tls: Tls) -> Prober {
        Prober {
            shared: Shared {
                env: env.clone(),
                rules: ProxyRules::from_env(env),
                netrc: Netrc::read(env),
                tls,
            },
        }
    }

    /// Asks one target, with retries, within its limits. Dropping the future ends it at once.
    pub async fn probe(&self, target: &Target) -> Observation {
        let start = Instant::now();
        let mut tries = 0;
        loop {
            tries += 1;
            let mut attempt = Attempt::start(target.limits);
            let outcome = self.attempt(target, &mut attempt).await;
            let again = matches!(&outcome, Err(failure) if !failure.definite)
                && tries <= target.limits.retries;
            if !again {
                let phases = Phases {
                    total: Some(milliseconds(start.elapsed())),
                    ..attempt.phases
                };
                return observe(target, outcome, phases, tries);
            }
        }
    }

    async fn attempt(&self, target: &Target, attempt: &mut Attempt) -> Outcome {
        match &target.kind {
            TargetKind::GoProxy {
                url,
                module,
                version,
                sum,
            } => {
                let mut session = Session::new(&self.shared, target, attempt);
                let asked = Asked {
                    module,
                    version,
                    sum: sum.as_deref(),
                };
                goproxy::probe(&mut session, url, asked).await
            }
            TargetKind::SumDb { db, via } => {
                let mut session = Session::new(&self.shared, target, attempt);
                sumdb::probe(&mut session, db, via.as_deref()).await
            }
            TargetKind::Https { url, status, body } => {
                let mut session = Session::new(&self.shared, target, attempt);
                page::probe(&mut session, url, status, body.as_deref()).await
            }
            TargetKind::Icmp { address } => icmp::probe(attempt, *address).await,
            TargetKind::Tcp { host, port } => tcp::probe(attempt, host, *port).await,
            TargetKind::Listening { address } => listening::probe(*address).await,
            TargetKind::Mirror { path } => mirror::probe(attempt, path).await,
        }
    }
}

impl fmt::Debug for Prober {
    /// The environment is left out: a proxy variable may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prober").finish_non_exhaustive()
    }
}

fn observe(target: &Target, outcome: Outcome, phases: Phases, tries: u32) -> Observation {
    let told = Observation {
        target: target.name.clone(),
        verdict: Verdict::Up,
        reason: String::new(),
        failed: None,
        phases,
        proof: Proof::None,
        definite: true,
        tries,
        portal_url: None,
    };
    match outcome {
        Ok(finding) => Observation {
            reason: finding.reason,
            proof: finding.proof,
            ..told
        },
        Err(failure) => Observation {
            verdict: failure.verdict,
            reason: failure.reason,
            failed: Some(failure.phase),
            definite: failure.definite,
            portal_url: failure.portal_url,
            ..told
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
