//! A turn before anything is visible: its input, what its probes gave, the plan, and the copy of the
//! file; also the turns that need no probe.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::command::Cause;
use super::drift::{self, Present, managed, read_text};
use super::error::Error;
use super::fastest;
use super::gofacts::GoFacts;
use super::policy_file::Loaded;
use super::relay::Relayed;
use crate::environment::Environment;
use crate::gocmd::run::RunError;
use crate::gocmd::{ApplyError, EnvFile, EnvText, Prepared, prepare};
use crate::model::plan::{Plan, Want, diff};
use crate::model::{Change, Observation, Snapshot, Target, Verdict};
use crate::policy::settle::Burst;
use crate::policy::{
    Decision, DecisionFacts, Gaps, OnDrift, Policy, Profile, TargetState, as_it_is,
};
use crate::state::memory::KnownNetwork;
use crate::state::{Baseline, Health, Memory};

/// The complete input of a round; owned, so that the round can be dropped.
#[derive(Debug, Clone)]
pub(crate) struct Input {
    pub(crate) loaded: Arc<Loaded>,
    pub(crate) env: Arc<Environment>,
    pub(crate) go: Option<GoFacts>,
    pub(crate) file: EnvFile,
    pub(crate) memory: Memory,
    pub(crate) baseline: Option<Baseline>,
    pub(crate) snapshot: Snapshot,
    pub(crate) changes: Vec<Change>,
    pub(crate) cause: Cause,
    /// The pinned profile, while the pin lasts.
    pub(crate) pinned: Option<String>,
    /// The burst of events that this round belongs to; `None`: the round does not wait for the
    /// burst to end.
    pub(crate) burst: Option<Burst>,
    /// When the first event came.
    pub(crate) began: Instant,
    /// A person waits for this one decision, so a silent target is waited for if the decision
    /// depends on it. An agent decides without it and waits for it in the background.
    pub(crate) at_the_prompt: bool,
    /// The targets that the agent is waiting for.
    pub(crate) waiting: BTreeSet<String>,
    /// What those targets have answered since the last round.
    pub(crate) late: BTreeMap<String, Observation>,
    /// The URL of the agent's relay.
    pub(crate) relay: Option<String>,
    /// The trace id of the turn.
    pub(crate) trace: String,
    /// Milliseconds that it took to read the network.
    pub(crate) survey_ms: Option<f64>,
}

/// What a provisional turn has changed.
#[derive(Debug)]
pub(super) struct AfterEarly {
    pub(super) memory: Memory,
    pub(super) baseline: Option<Baseline>,
}

/// The result of a round's probes.
#[derive(Debug, Default)]
pub(crate) struct Probed {
    pub(crate) seen: BTreeMap<String, TargetState>,
    pub(crate) health: BTreeMap<String, Health>,
    /// The targets to wait for: they are silent, and the choice depends on them.
    pub(crate) silent: BTreeSet<String>,
    /// The targets that were waited for and did not answer.
    pub(crate) waited: BTreeSet<String>,
    pub(crate) decision: Decision,
    /// What a provisional turn has changed in the meantime.
    pub(super) after_early: Option<AfterEarly>,
    /// The time that the decisions took.
    pub(super) deciding: Duration,
}

/// The result of a round.
#[derive(Debug)]
pub(crate) struct PreparedTurn {
    pub(crate) input: Input,
    pub(crate) go: GoFacts,
    pub(crate) probed: Probed,
    pub(crate) present: Present,
    pub(crate) plan: Plan,
    /// What the relay is to do, if GOPROXY names it.
    pub(crate) relayed: Option<Relayed>,
    pub(crate) prepared: Option<Prepared>,
    pub(crate) ms: BTreeMap<String, f64>,
}

impl PreparedTurn {
    /// Plans for a decision, from the file's current content, and makes the copy if there is
    /// something to `write`.
    pub(super) async fn of(
        input: Input,
        go: GoFacts,
        probed: Probed,
        write: bool,
    ) -> Result<PreparedTurn, Error> {
        let present = now_present(&input)?;
        let (plan, relayed) = plan(&input, &go, &present, &probed.decision)?;
        let prepared = if write {
            prepare_write(&input, &go, &plan).await?
        } else {
            None
        };
        Ok(PreparedTurn {
            input,
            go,
            probed,
            present,
            plan,
            relayed,
            prepared,
            ms: BTreeMap::new(),
        })
    }

    /// Reports whether to look again soon: if a target is failing but still counts as up; if there
    /// is a portal, since no event reports a login; if nothing is up although the machine has a
    /// route out.
    pub(crate) fn is_doubtful(&self) -> bool {
        let Probed { seen, health, .. } = &self.probed;
        let failing = health.values().any(|health| health.against > 0);
        let portal = seen
            .values()
            .any(|seen| seen.observation.verdict == Verdict::Portal);
        let mut remote = seen_of_network(&self.input.loaded.policy, seen, None).peekable();
        let nothing_up = remote.peek().is_some() && remote.all(|seen| !seen.up);
        failing || (self.input.snapshot.is_online() && (portal || nothing_up))
    }
}

/// Returns the observations that say something about the network. Targets on this machine do not
/// count, unless the chosen profile's condition names them.
pub(super) fn seen_of_network<'a>(
    policy: &'a Policy,
    seen: &'a BTreeMap<String, TargetState>,
    decision: Option<&Decision>,
) -> impl Iterator<Item = &'a TargetState> {
    let chosen = decision.and_then(|decision| policy.profile(&decision.profile, decision.variant));
    let asked = chosen.map(|profile| profile.when.targets());
    let asked = asked.unwrap_or_default();
    let counts = move |name: &str| {
        asked.contains(name) || !policy.targets.get(name).is_some_and(Target::is_local)
    };
    seen.iter()
        .filter_map(move |(name, seen)| counts(name).then_some(seen))
}

/// Gathers what a plan depends on: the go command, and the content of the go env file.
pub(crate) async fn ground(input: &Input) -> Result<(GoFacts, Present), Error> {
    let policy = &input.loaded.policy;
    let baseline = input.baseline.as_ref();
    let text = read_text(&input.file)?;
    let nothing = EnvText::default();
    let file = (&input.file, text.as_ref().unwrap_or(&nothing));
    let go = GoFacts::gather(input.go.as_ref(), policy, &input.env, file, baseline).await?;
    Ok((go, Present::of(text, &managed(policy, baseline))))
}

pub(crate) fn now_present(input: &Input) -> Result<Present, Error> {
    let managed = managed(&input.loaded.policy, input.baseline.as_ref());
    Ok(Present::of(read_text(&input.file)?, &managed))
}

/// Makes a copy of the file and carries out the plan on it; `None`: the plan has no steps.
pub(crate) async fn prepare_write(
    input: &Input,
    go: &GoFacts,
    plan: &Plan,
) -> Result<Option<Prepared>, Error> {
    if plan.is_empty() {
        return Ok(None);
    }
    let prepared = prepare(&go.command, &input.file, &input.env, plan).await?;
    Ok(Some(prepared))
}

pub(super) fn plan(
    input: &Input,
    go: &GoFacts,
    present: &Present,
    decision: &Decision,
) -> Result<(Plan, Option<Relayed>), Error> {
    let baseline = input.baseline.as_ref();
    let mut relayed = None;
    let by_hand = respected(input, present, decision);
    let (mut wants, mut ours) = (BTreeMap::new(), BTreeMap::new());
    for name in managed(&input.loaded.policy, baseline) {
        let want = match decision.env.get(&name) {
            _ if by_hand.contains(&name) => Want::Respect,
            Some(text) => {
                let value = go.expand(text, &decision.env).map_err(|why| {
                    let command = format!("{name}={text}");
                    ApplyError::Go(RunError { command, why })
                })?;
                let value = match (&input.relay, name.as_str()) {
                    (Some(url), "GOPROXY") => {
                        let (through, what) = Relayed::of(&input.loaded.policy, url, value);
                        relayed = what;
                        through
                    }
                    (Some(_) | None, _) => value,
                };
                ours.insert(name.clone(), Some(value.clone()));
                Want::Value(value)
            }
            None => {
                let before = baseline.and_then(|baseline| baseline.values.get(&name));
                let now = || present.values.get(&name).cloned();
                Want::Baseline(before.cloned().unwrap_or_else(now))
            }
        };
        wants.insert(name, want);
    }
    let ended = drift::ended(&by_hand, &ours, present, baseline).into_iter();
    wants.extend(ended.map(|(name, own)| (name, Want::Baseline(own))));
    Ok((diff(&present.values, &wants), relayed))
}

/// Returns the variables that another program or the user has changed since goroam wrote them, and
/// that stay so: until the next switch, as the policy's `on_drift` says. A list of private names
/// that the chosen profile does not set stays in any case: without it those names would leak.
fn respected(input: &Input, present: &Present, decision: &Decision) -> BTreeSet<String> {
    if input.loaded.policy.agent.on_drift == OnDrift::Restore {
        return BTreeSet::new();
    }
    let switched = input.memory.profile.as_deref() != Some(decision.profile.as_str());
    let overrides = |name: &str| {
        // A mirror replaces GOPROXY alone, and it was judged by what was set by hand.
        (switched || input.cause.overrides_drift())
            && (decision.over.is_none() || name == "GOPROXY")
    };
    let is_own_list = |name: &str| {
        matches!(name, "GONOPROXY" | "GONOSUMDB" | "GOPRIVATE")
            && present.values.contains_key(name)
            && !decision.env.contains_key(name)
    };
    drift::find(&input.memory, &input.file, present)
        .into_keys()
        .filter(|name| !overrides(name) || is_own_list(name))
        .collect()
}

/// Returns the decision for a profile without a probe: a `fastest` gives what it last gave here.
/// `None` if that is not known.
fn decision_without_probe(input: &Input, profile: &Profile) -> Option<Decision> {
    let policy = &input.loaded.policy;
    let record = input.memory.fastest_record(true, &input.snapshot);
    let facts = DecisionFacts {
        snapshot: &input.snapshot,
        seen: &fastest::assumed(record, policy),
        env: &input.env,
        fastest: &fastest::known(record, policy),
        gaps: Gaps::default(),
    };
    let mut decision = as_it_is(policy, profile, facts)?;
    decision.pinned = input.pinned.is_some();
    Some(decision)
}

/// Returns the decision for the profile in force.
pub(crate) fn current_decision(input: &Input) -> Option<Decision> {
    decision_without_probe(input, input.memory.in_force(&input.loaded.policy)?)
}

/// Returns the last decision on this network, if it differs from the one in force and may be used
/// without proof.
pub(crate) fn known_decision(input: &Input) -> Option<Decision> {
    let network = input.memory.network_id(&input.snapshot)?;
    let KnownNetwork(name, _, variant) = input.memory.networks.get(&network)?;
    let profile = input.loaded.policy.profile(name, *variant)?;
    let in_force = input.memory.in_force(&input.loaded.policy);
    if input.pinned.is_some() || profile.is_loose() || in_force == Some(profile) {
        return None;
    }
    decision_without_probe(input, profile)
}

/// Prepares the file for a known decision.
pub(crate) async fn prepare_known(input: Input, decision: Decision) -> Result<PreparedTurn, Error> {
    let (go, _) = ground(&input).await?;
    let probed = Probed {
        decision,
        ..Probed::default()
    };
    PreparedTurn::of(input, go, probed, true).await
}
