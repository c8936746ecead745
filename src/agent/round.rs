//! The part of a turn that may be dropped at any moment when something newer happens:
//! probing, deciding, planning, and getting the file ready. Nothing is visible yet.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tracing::debug;

use super::cause::Cause;
use super::drift;
use super::error::Error;
use super::gofacts::GoFacts;
use super::policy_file::Loaded;
use super::present::{Present, managed, read_text};
use crate::environment::Environment;
use crate::gocmd::ApplyError;
use crate::gocmd::run::RunError;
use crate::gocmd::{EnvFile, EnvText, Prepared, prepare};
use crate::model::{Change, Observation, Phase, Phases, Proof, Snapshot, Target, Verdict};
use crate::plan::{Plan, Want, diff};
use crate::policy::settle::{self, Burst, Footing};
use crate::policy::{Decision, Facts, OnDrift, Policy, Seen, decide, needed};
use crate::probe::Prober;
use crate::state::{Baseline, Health, Memory};

/// Everything that a round rests on; owned, so that the round can be dropped.
#[derive(Debug)]
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
    /// The profile that is pinned, while the pin lasts.
    pub(crate) pinned: Option<String>,
    /// The burst of events that this round belongs to; `None`: nobody waits for quiet.
    pub(crate) burst: Option<Burst>,
    /// When the first event came.
    pub(crate) began: Instant,
}

/// What a round comes to.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) input: Input,
    pub(crate) go: GoFacts,
    pub(crate) seen: BTreeMap<String, Seen>,
    pub(crate) health: BTreeMap<String, Health>,
    pub(crate) decision: Decision,
    pub(crate) present: Present,
    pub(crate) plan: Plan,
    pub(crate) prepared: Option<Prepared>,
    pub(crate) ms: BTreeMap<String, f64>,
}

impl Ready {
    /// Is it worth looking again soon? A target that is failing, but still counts as up; a
    /// portal, which no event tells us that it has been logged into; nothing up though there is a
    /// way out.
    pub(crate) fn is_doubtful(&self) -> bool {
        let failing = self.health.values().any(|health| health.against > 0);
        let portal = self
            .seen
            .values()
            .any(|seen| seen.observation.verdict == Verdict::Portal);
        let mut remote = told_by_network(&self.input.loaded.policy, &self.seen, None).peekable();
        let nothing_up = remote.peek().is_some() && remote.all(|seen| !seen.up);
        failing || (self.input.snapshot.is_online() && (portal || nothing_up))
    }
}

/// Probes, decides, plans, and gets the file ready.
pub(crate) async fn round(input: Input, write: bool) -> Result<Ready, Error> {
    let policy = &input.loaded.policy;
    let (go, present) = ground(&input).await?;

    let mut ms = BTreeMap::new();
    let mut watch = Stopwatch::start();
    let (mut seen, mut health, mut decision) = probe_and_decide(&input, &present).await?;
    watch.lap("probe", &mut ms);
    let mut plan = plan(&input, &go, &present, &decision)?;
    let mut prepared = get_ready(&input, &go, &plan, write).await?;
    watch.lap("prepare", &mut ms);

    if let Some(burst) = input.burst
        && write
        && !plan.is_empty()
    {
        let settle = policy.agent.settle;
        let told = told_by_network(policy, &seen, Some(&decision));
        let footing = settle::footing(&decision, &input.snapshot, told);
        let at = settle::act_at(footing, burst, settle);
        if Instant::now() < at {
            debug!(?footing, profile = decision.profile, "waits for quiet");
            tokio::time::sleep_until(at.into()).await;
            if footing == Footing::NothingUp {
                // In the middle of a move nothing is up anywhere: ask once more before acting on it.
                drop(prepared.take());
                (seen, health, decision) = probe_and_decide(&input, &present).await?;
                plan = self::plan(&input, &go, &present, &decision)?;
                prepared = get_ready(&input, &go, &plan, write).await?;
            }
        }
        watch.lap("quiet", &mut ms);
    }
    Ok(Ready {
        input,
        go,
        seen,
        health,
        decision,
        present,
        plan,
        prepared,
        ms,
    })
}

/// What was seen of the network: what only this machine says of itself does not count, unless
/// the chosen profile's condition asks for it.
fn told_by_network<'a>(
    policy: &'a Policy,
    seen: &'a BTreeMap<String, Seen>,
    decision: Option<&Decision>,
) -> impl Iterator<Item = &'a Seen> {
    let chosen = decision.and_then(|decision| policy.profile(&decision.profile));
    let asked = chosen.map(|(_, profile)| profile.when.targets());
    let asked = asked.unwrap_or_default();
    seen.iter()
        .filter(move |(name, _)| {
            let local = policy.targets.get(*name).is_some_and(Target::is_local);
            !local || asked.contains(name.as_str())
        })
        .map(|(_, seen)| seen)
}

/// What a plan rests on: the go command, and what stands in the go env file.
pub(crate) async fn ground(input: &Input) -> Result<(GoFacts, Present), Error> {
    let policy = &input.loaded.policy;
    let baseline = input.baseline.as_ref();
    let text = read_text(&input.file)?;
    let nothing = EnvText::default();
    let file = (&input.file, text.as_ref().unwrap_or(&nothing));
    let go = GoFacts::gather(input.go.as_ref(), policy, &input.env, file, baseline).await?;
    Ok((go, Present::of(text, &managed(policy, baseline))))
}

/// The copy with the plan carried out on it, where there is something to carry out.
pub(crate) async fn get_ready(
    input: &Input,
    go: &GoFacts,
    plan: &Plan,
    write: bool,
) -> Result<Option<Prepared>, Error> {
    if plan.is_empty() || !write {
        return Ok(None);
    }
    Ok(Some(
        prepare(&go.command, &input.file, &input.env, plan).await?,
    ))
}

type Report = (BTreeMap<String, Seen>, BTreeMap<String, Health>, Decision);

async fn probe_and_decide(input: &Input, present: &Present) -> Result<Report, Error> {
    let policy = &input.loaded.policy;
    let pinned = input.pinned.as_deref();
    let prober = Prober::new(&input.env);
    let offline = !input.snapshot.has_any_way_out();
    let mut seen: BTreeMap<String, Seen> = BTreeMap::new();
    let mut health: BTreeMap<String, Health> = BTreeMap::new();
    let mut started: BTreeSet<String> = BTreeSet::new();
    let mut running = FuturesUnordered::new();
    loop {
        let facts = Facts {
            snapshot: &input.snapshot,
            seen: &seen,
            env: &input.env,
            present: &present.values,
        };
        if let Some(decision) = decide(policy, facts, pinned) {
            return Ok((seen, health, decision));
        }
        for name in needed(policy, facts, pinned) {
            let Some(target) = policy.targets.get(&name) else {
                continue;
            };
            if started.insert(name) {
                running.push(ask(&prober, target, offline));
            }
        }
        let Some(observation) = running.next().await else {
            // Everything that was needed has answered, so `decide` has its answer: a policy
            // whose last profile has a condition is refused when it is read.
            return Err(Error::State {
                what: "deciding".to_owned(),
                source: "no profile of the policy holds; give the last one no `when`".into(),
            });
        };
        let name = observation.target.clone();
        let was = input
            .memory
            .health
            .get(&name)
            .filter(|_| !input.cause.is_fresh());
        let was = was.and_then(|health| Some((health.up?, health.against)));
        let agent = &policy.agent;
        let (up, against) = settle::counts_as(was, observation.is_up(), agent.fall, agent.rise);
        health.insert(
            name.clone(),
            Health {
                up: Some(up),
                against,
            },
        );
        seen.insert(name, Seen { observation, up });
    }
}

/// With no way out of the machine nothing needs to be sent to know the answer.
async fn ask(prober: &Prober, target: &Target, offline: bool) -> Observation {
    if !offline || target.is_local() {
        return prober.probe(target).await;
    }
    Observation {
        target: target.name.clone(),
        verdict: Verdict::Down,
        reason: "no network".to_owned(),
        failed: Some(Phase::Connect),
        phases: Phases::default(),
        proof: Proof::None,
        definite: true,
        tries: 0,
        portal_url: None,
    }
}

pub(crate) fn plan(
    input: &Input,
    go: &GoFacts,
    present: &Present,
    decision: &Decision,
) -> Result<Plan, Error> {
    let managed = managed(&input.loaded.policy, input.baseline.as_ref());
    let drifted = respected(input, present, decision);
    let mut wants = BTreeMap::new();
    for name in &managed {
        let want = match decision.env.get(name) {
            _ if drifted.contains(name) => Want::Respect,
            Some(text) => Want::Value(go.expand(text, &decision.env).map_err(|why| {
                ApplyError::Go(RunError {
                    command: format!("{name}={text}"),
                    why,
                })
            })?),
            None => {
                let before = input
                    .baseline
                    .as_ref()
                    .and_then(|base| base.values.get(name));
                Want::Baseline(
                    before
                        .cloned()
                        .unwrap_or_else(|| present.values.get(name).cloned()),
                )
            }
        };
        wants.insert(name.clone(), want);
    }
    Ok(diff(&present.values, &wants))
}

/// The variables that somebody else has changed since goroam wrote them, and that are to stay
/// so: until the next switch, as the policy's `on_drift` says.
fn respected(input: &Input, present: &Present, decision: &Decision) -> BTreeSet<String> {
    let switched = input.memory.profile.as_deref() != Some(decision.profile.as_str());
    if switched
        || input.cause.overrides_drift()
        || input.loaded.policy.agent.on_drift == OnDrift::Restore
    {
        return BTreeSet::new();
    }
    drift::find(&input.memory, &input.file, present)
        .into_keys()
        .collect()
}

/// Milliseconds by step.
#[derive(Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    pub(crate) fn start() -> Stopwatch {
        Stopwatch(Instant::now())
    }

    pub(crate) fn lap(&mut self, step: &str, ms: &mut BTreeMap<String, f64>) {
        let now = Instant::now();
        ms.insert(
            step.to_owned(),
            millis(now.saturating_duration_since(self.0)),
        );
        self.0 = now;
    }
}

/// Milliseconds, to the hundredth.
pub(crate) fn millis(time: std::time::Duration) -> f64 {
    (time.as_secs_f64() * 100_000.0).round() / 100.0
}
