//! When the agent fetches the fleet's policy: after a turn, on a network whose profile allows it. An
//! event sets one timer at most; while the agent is idle no timer runs for it.

use std::pin::Pin;
use std::time::{Duration, Instant};

use tracing::{info, warn};

use super::clock::{self, random};
use super::error::Error;
use super::fleet::{FleetLayer, FleetUpdate};
use super::policy_file::{self, load_policy};
use super::session::Session;
use crate::model::Snapshot;
use crate::policy::fleet::{FetchSchedule, FleetSettings};

/// How long a person who runs `once` waits for the store.
const AT_THE_PROMPT: Duration = Duration::from_secs(10);

type Fetching = Pin<Box<dyn Future<Output = Result<FleetUpdate, Error>>>>;

/// Fetches the fleet's policy.
#[derive(Default)]
pub(super) struct FleetFetch {
    /// `None`: no fleet has been seen yet.
    schedule: Option<FetchSchedule>,
    /// The fleet that it is of.
    settings: Option<FleetSettings>,
    work: Option<Fetching>,
    /// When to start, unless the network changes before.
    pub(super) due: Option<Instant>,
    /// Why no store has answered.
    pub(super) trouble: Option<String>,
    /// Why the last offer was refused.
    refused: Option<String>,
}

/// Reports whether the profile in force allows to ask the store from here.
fn may_fetch(session: &Session, fleet: &FleetLayer, snapshot: &Snapshot) -> bool {
    let profile = session.memory.in_force(&session.loaded.policy);
    // A store over http is on this machine.
    let is_here = fleet.settings.urls.iter().any(|url| url.scheme() == "http");
    profile.is_some_and(|profile| profile.fleet)
        && (is_here || snapshot.is_online())
        && !session.memory.paused
}

/// Returns what the files say now: they may have other keys than the last good policy, and what is
/// held may be refused because of them.
fn settings_now(session: &Session, fleet: &FleetLayer) -> FleetSettings {
    let now = policy_file::fleet_settings(&session.paths).ok().flatten();
    now.unwrap_or_else(|| fleet.settings.clone())
}

impl Session {
    /// Without an agent: fetches the policy behind the turn that a person asked for. Returns whether
    /// there is a new one.
    pub(super) async fn fetch_fleet(&mut self, snapshot: &Snapshot) -> Result<bool, Error> {
        let fleet = self.loaded.fleet.as_ref();
        let fleet = fleet.filter(|fleet| may_fetch(self, fleet, snapshot));
        let Some(settings) = fleet.map(|fleet| settings_now(self, fleet)) else {
            return Ok(false);
        };
        let env = self.env.as_ref().clone();
        let update = FleetLayer::update(settings, self.paths.clone(), env);
        let ended = match tokio::time::timeout(AT_THE_PROMPT, update).await {
            Ok(Ok(ended)) => ended,
            Ok(Err(error)) => {
                warn!("{error}");
                return Ok(false);
            }
            Err(_) => {
                warn!("the fleet's policy: no answer in {AT_THE_PROMPT:?}");
                return Ok(false);
            }
        };
        let is_new = matches!(ended, FleetUpdate::New { .. });
        if let Some(news) = FleetFetch::default().note(Ok(ended)) {
            self.note_fleet(snapshot, news);
        }
        if is_new {
            let mut loaded = load_policy(&self.paths, &self.env)?;
            loaded.policy.by_hand = self.mirror_over(&loaded.policy);
            policy_file::keep_last_good(&self.paths, &loaded);
            self.loaded = loaded.into();
            self.go = None;
        }
        Ok(is_new)
    }
}

impl FleetFetch {
    /// Decides after a turn whether to fetch, and when. `now`: a person asked for the turn.
    pub(super) fn after_turn(&mut self, session: &Session, snapshot: &Snapshot, now: bool) {
        let Some(fleet) = &session.loaded.fleet else {
            self.stop();
            self.trouble = None;
            return;
        };
        if !may_fetch(session, fleet, snapshot) {
            return self.stop();
        }
        if self.settings.as_ref() != Some(&fleet.settings) {
            self.settings = Some(fleet.settings.clone());
            self.schedule = None;
        }
        let schedule = self.schedule.get_or_insert_with(|| {
            let held = fleet.newest.as_ref();
            FetchSchedule::new(held.and_then(|_| fleet.status(&session.paths).fetched_at))
        });
        if now {
            self.due = Some(Instant::now());
        } else if self.work.is_none() && self.due.is_none() {
            let wait = schedule.after_event(clock::now(), fleet.settings.refresh, random());
            self.due = wait.map(|wait| Instant::now() + wait);
        }
    }

    /// Forgets what was planned: the network changes, and with it what is allowed.
    pub(super) fn stop(&mut self) {
        self.due = None;
        self.work = None;
    }

    /// Begins to fetch.
    pub(super) fn start(&mut self, session: &Session) {
        self.due = None;
        if let Some(fleet) = &session.loaded.fleet {
            let settings = settings_now(session, fleet);
            let env = session.env.as_ref().clone();
            let update = FleetLayer::update(settings, session.paths.clone(), env);
            self.work = Some(Box::pin(update));
        }
    }

    /// Waits for the end of a fetch; forever if there is none. Cancel-safe.
    pub(super) async fn ended(&mut self) -> Result<FleetUpdate, Error> {
        let Some(work) = &mut self.work else {
            return std::future::pending().await;
        };
        let ended = work.await;
        self.work = None;
        ended
    }

    /// Plans the next fetch. Returns what the journal should say.
    pub(super) fn note(&mut self, ended: Result<FleetUpdate, Error>) -> Option<String> {
        let ended = ended.unwrap_or_else(|error| FleetUpdate::Failed {
            reason: error.to_string(),
            retry_after: None,
        });
        let schedule = self.schedule.get_or_insert_default();
        let again = schedule.ended(clock::now(), ended.end(), random());
        self.due = again.map(|again| Instant::now() + again);
        self.trouble = None;
        let news = match ended {
            FleetUpdate::New { version } => format!("the fleet's policy is version {version} now"),
            FleetUpdate::Unchanged => {
                self.refused = None;
                return None;
            }
            // The status says so by itself.
            FleetUpdate::Refused { reason, .. } => {
                if self.refused.as_ref() == Some(&reason) {
                    return None;
                }
                self.refused = Some(reason.clone());
                format!("the fleet's policy is refused: {reason}")
            }
            FleetUpdate::Failed { reason, .. } => {
                let trouble = format!("the fleet's policy cannot be fetched: {reason}");
                warn!("{trouble}");
                self.trouble = Some(trouble);
                return None;
            }
        };
        info!("{news}");
        Some(news)
    }
}
