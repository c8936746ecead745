//! The part of a turn that may be dropped at any moment when something newer happens: probing,
//! deciding, planning, and preparing the file. Nothing is visible yet.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::time::Instant;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::oneshot;
use tokio::time::timeout_at;
use tracing::debug;

use super::command::{Answer, Cause, Reply};
use super::early::{EarlyTurn, EarlyTurns, apply_early};
use super::error::Error;
use super::fastest;
use super::gofacts::GoFacts;
use super::targets;
use super::turn::{Input, PreparedTurn, Probed, ground, seen_of_network};
use crate::model::text::milliseconds;
use crate::model::{Observation, Phase, Target};
use crate::policy::settle::{self, Footing};
use crate::policy::{DecisionFacts, Gaps, TargetState, decide, needed};
use crate::probe::{ProbeOptions, Prober};
use crate::state::Health;

/// Probes, decides, plans, and prepares the file. `early`: where a provisional turn goes.
pub(super) async fn round(
    mut input: Input,
    write: bool,
    early: Option<EarlyTurns>,
) -> Result<PreparedTurn, Error> {
    let began = Instant::now();
    let (go, _) = ground(&input).await?;
    let mut ms = BTreeMap::new();
    let mut since = began;
    let mut lap = |step: &str| {
        ms.insert(step.to_owned(), milliseconds(since.elapsed()));
        since = Instant::now();
    };
    let mut probed = probe_and_decide(&input, &go, early, began).await?;
    lap("probe");
    if let Some(after) = probed.after_early.take() {
        (input.memory, input.baseline) = (after.memory, after.baseline);
        // The provisional turn has them in the journal.
        input.changes.clear();
    }
    // A value that was set by hand while the probes were under way counts.
    let mut turn = PreparedTurn::of(input, go, probed, write).await?;
    lap("prepare");

    if let Some(burst) = turn.input.burst
        && write
        && !turn.plan.is_empty()
    {
        let policy = &turn.input.loaded.policy;
        let decision = &turn.probed.decision;
        let seen = seen_of_network(policy, &turn.probed.seen, Some(decision));
        let footing = settle::footing(decision, &turn.input.snapshot, seen);
        let at = settle::act_at(footing, burst, policy.agent.settle);
        if Instant::now() < at {
            let profile = &decision.profile;
            debug!(?footing, profile, "waiting for the network to settle");
            tokio::time::sleep_until(at.into()).await;
            if footing == Footing::NothingUp {
                // During a move between networks nothing is up anywhere: ask once more before
                // acting on it.
                drop(turn.prepared.take());
                let probed = probe_and_decide(&turn.input, &turn.go, None, began).await?;
                turn = PreparedTurn::of(turn.input, turn.go, probed, write).await?;
            }
        }
        lap("quiet");
    }
    ms.insert("decide".to_owned(), milliseconds(turn.probed.deciding));
    ms.extend(turn.input.survey_ms.map(|took| ("survey".to_owned(), took)));
    turn.ms = ms;
    Ok(turn)
}

async fn probe_and_decide(
    input: &Input,
    go: &GoFacts,
    mut early: Option<EarlyTurns>,
    began: Instant,
) -> Result<Probed, Error> {
    let policy = &input.loaded.policy;
    let pinned = input.pinned.as_deref();
    let prober = Prober::like(&input.env, &go.manner());
    let offline = !input.snapshot.has_any_way_out();
    let same_stay = targets::same_stay(&input.memory, input.cause, &input.snapshot);
    let care = |target: &Target| targets::care(&input.memory, same_stay, &input.snapshot, target);
    let mut seen: BTreeMap<String, TargetState> = BTreeMap::new();
    let mut health = BTreeMap::new();
    let (mut started, mut silent, mut waited) =
        <(BTreeSet<_>, BTreeSet<_>, BTreeSet<_>)>::default();
    let mut running = FuturesUnordered::new();
    let record = input.memory.fastest_record(same_stay, &input.snapshot);
    let known = fastest::known(record, policy);
    let mut after_early = None;
    loop {
        let since = Instant::now();
        let facts = |seen| DecisionFacts {
            snapshot: &input.snapshot,
            seen,
            env: &input.env,
            fastest: &known,
            gaps: Gaps::default(),
        };
        if let Some(decision) = decide(policy, facts(&seen), pinned) {
            // Checks whether the decision would differ if the silent targets answered.
            let mut without = seen.clone();
            without.retain(|name, _| !silent.contains(name));
            if decide(policy, facts(&without), pinned).is_some() {
                silent.clear();
            } else {
                let open = needed(policy, facts(&without), pinned);
                silent.retain(|name| open.contains(name));
            }
            if silent.is_empty() || !input.at_the_prompt {
                return Ok(Probed {
                    seen,
                    health,
                    silent,
                    waited,
                    decision,
                    after_early,
                    deciding: since.elapsed(),
                });
            }
            for name in std::mem::take(&mut silent) {
                seen.remove(&name);
                if let Some(target) = policy.targets.get(&name) {
                    let patient = ProbeOptions {
                        patience: targets::at_the_prompt(target),
                        ..care(target)
                    };
                    waited.insert(name);
                    running.push(ask(&prober, target, patient, (offline, began), None));
                }
            }
            continue;
        }
        for name in needed(policy, facts(&seen), pinned) {
            if let Some(target) = policy.targets.get(&name)
                && started.insert(name)
            {
                let known = input.known(target);
                let when = (offline, began);
                running.push(ask(&prober, target, care(target), when, known));
            }
        }
        let is_time = |early: &&mut EarlyTurns| early.at <= Instant::now();
        let mut wake_at = early.as_ref().map(|early| early.at);
        if early.as_mut().filter(is_time).is_some() {
            wake_at = None;
            if let Some(decision) = input.provisional(go, facts(&seen))
                && let Some(early) = early.take()
            {
                after_early = apply_early(early, input, go, decision, &seen, &health).await;
            }
        }
        let next = match wake_at {
            Some(at) => timeout_at(at.into(), running.next()).await,
            None => Ok(running.next().await),
        };
        let Ok(next) = next else { continue };
        let Some(observation) = next else {
            // Every target that was needed has answered, so `decide` has a result: a policy whose
            // last profile has a condition is refused when it is read.
            let why = "no profile of the policy holds; give the last one no `when`";
            return Err(Error::state("deciding")(why));
        };
        let name = observation.target.clone();
        let state = input.counts_as(&observation);
        if observation.is_up() {
            waited.remove(&name);
        }
        let patient = policy.targets.get(&name).and_then(Target::patience);
        if observation.silent
            && patient.is_some()
            && !waited.contains(&name)
            && !input.waiting.contains(&name)
            && !(same_stay && input.memory.waited.contains(&name))
        {
            silent.insert(name.clone());
        }
        health.insert(name.clone(), state);
        let up = state.up;
        seen.insert(name, TargetState { observation, up });
    }
}

impl Input {
    /// Returns the observation of a target that need not be asked: the agent waits for it in the
    /// background, or it has just answered.
    fn known(&self, target: &Target) -> Option<Observation> {
        let name = &target.name;
        let waiting = || {
            self.waiting
                .contains(name)
                .then(|| self.memory.seen.get(name))
        };
        let known = self.late.get(name).or_else(|| waiting()?).cloned();
        known.map(|known| Observation {
            began_ms: None,
            ..known
        })
    }

    /// Returns the target's health after the observation, with `fall` and `rise` applied.
    fn counts_as(&self, observation: &Observation) -> Health {
        let name = &observation.target;
        let was = self.memory.health.get(name);
        if self.waiting.contains(name) && !observation.is_up() {
            // There is no new observation: the target's health stays as it was.
            return was.copied().unwrap_or_default();
        }
        // A late answer has no earlier health: the silence before it was not an answer.
        let was = was.filter(|_| !self.cause.is_fresh() && !self.late.contains_key(name));
        let was = was.map(|health| (health.up, health.against));
        let agent = &self.loaded.policy.agent;
        let (up, against) = settle::counts_as(was, observation.is_up(), agent.fall, agent.rise);
        Health { up, against }
    }
}

/// If the machine has no route out, the result is known without sending anything.
async fn ask(
    prober: &Prober,
    target: &Target,
    care: ProbeOptions,
    (offline, began): (bool, Instant),
    known: Option<Observation>,
) -> Observation {
    if let Some(known) = known {
        return known;
    }
    if !offline || target.is_local() {
        let began_ms = Some(milliseconds(began.elapsed()));
        return Observation {
            began_ms,
            ..prober.probe_with(target, care).await
        };
    }
    Observation {
        target: target.name.clone(),
        reason: "no network".to_owned(),
        failed: Some(Phase::Connect),
        definite: true,
        ..Observation::default()
    }
}

/// A round under way, and the commands that wait for its result.
pub(super) struct RoundInProgress {
    pub(super) round: Pin<Box<dyn Future<Output = Result<PreparedTurn, Error>>>>,
    pub(super) cause: Cause,
    pub(super) dry_run: bool,
    pub(super) answers: Vec<Answer>,
    pub(super) began: Instant,
    /// Its provisional turn comes here.
    pub(super) early: Option<oneshot::Receiver<EarlyTurn>>,
}

/// What comes of a round.
pub(super) enum RoundEvent {
    /// A provisional turn; the round continues.
    Early(EarlyTurn),
    /// The round has ended.
    Done(Result<PreparedTurn, Error>),
}

impl RoundInProgress {
    /// Waits for the next event of the round; forever if there is none. Cancel-safe: the round
    /// continues.
    pub(super) async fn next(work: &mut Option<RoundInProgress>) -> RoundEvent {
        let Some(work) = work else {
            return std::future::pending().await;
        };
        if let Some(early) = &mut work.early {
            tokio::select! {
                biased;
                ready = work.round.as_mut() => return RoundEvent::Done(ready),
                early = early => {
                    work.early = None;
                    if let Ok(early) = early {
                        return RoundEvent::Early(early);
                    }
                }
            }
        }
        RoundEvent::Done(work.round.as_mut().await)
    }

    /// Waits for its end, without a provisional turn.
    pub(super) async fn end(work: &mut Option<RoundInProgress>) -> Result<PreparedTurn, Error> {
        let Some(work) = work else {
            return std::future::pending().await;
        };
        work.early = None;
        work.round.as_mut().await
    }

    /// Tells the commands that wait for a round that it was dropped, and why.
    pub(super) fn dismiss(dropped: Option<RoundInProgress>, by: &str) {
        for waiting in dropped.into_iter().flat_map(|work| work.answers) {
            let error = format!("{by} came in between");
            let _ = waiting.send(Reply::Failed { error, exit: 1 });
        }
    }
}
