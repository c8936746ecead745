//! The part of a turn that may be dropped at any moment when something newer happens:
//! probing, deciding, planning, and getting the file ready. Nothing is visible yet.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tracing::debug;

use super::cause::Cause;
use super::command::{Answer, Reply};
use super::drift::{self, Present, managed, read_text};
use super::error::Error;
use super::gofacts::GoFacts;
use super::policy_file::Loaded;
use super::targets;
use crate::environment::Environment;
use crate::gocmd::run::RunError;
use crate::gocmd::{ApplyError, EnvFile, EnvText, Prepared, prepare};
use crate::model::plan::{Plan, Want, diff};
use crate::model::{Change, Observation, Phase, Phases, Proof, Snapshot, Target, Verdict};
use crate::policy::settle::{self, Burst, Footing};
use crate::policy::{
    Considered, Decision, DecisionFacts, EnvValue, OnDrift, Policy, TargetState, decide, needed,
};
use crate::probe::{ProbeOptions, Prober};
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
    /// What becomes of targets that are silent.
    pub(crate) patience: Patience,
}

/// What becomes of targets that took a request and did not answer in time.
#[derive(Debug)]
pub(crate) enum Patience {
    /// Somebody waits for the one decision: they are waited for if it hangs on them.
    AtThePrompt,
    /// The decision goes on without them, and the agent waits for them beside the rounds.
    Beside {
        /// Who is waited for just now.
        waiting: BTreeSet<String>,
        /// Who has answered since the last round.
        late: BTreeMap<String, Observation>,
    },
}

/// What a round comes to.
#[derive(Debug)]
pub(crate) struct PreparedTurn {
    pub(crate) input: Input,
    pub(crate) go: GoFacts,
    pub(crate) seen: BTreeMap<String, TargetState>,
    pub(crate) health: BTreeMap<String, Health>,
    /// The targets to be waited for: silent, and the choice hangs on them.
    pub(crate) silent: BTreeSet<String>,
    /// The targets that were waited for in vain.
    pub(crate) waited: BTreeSet<String>,
    pub(crate) decision: Decision,
    pub(crate) present: Present,
    pub(crate) plan: Plan,
    pub(crate) prepared: Option<Prepared>,
    pub(crate) ms: BTreeMap<String, f64>,
}

impl PreparedTurn {
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
pub(crate) async fn round(input: Input, write: bool) -> Result<PreparedTurn, Error> {
    let policy = &input.loaded.policy;
    let (go, mut present) = ground(&input).await?;

    let mut ms = BTreeMap::new();
    let mut watch = Stopwatch::start();
    let mut report = probe_and_decide(&input, &go, &present).await?;
    watch.lap("probe", &mut ms);
    // What was set by hand while the probes were under way counts.
    present = now_present(&input)?;
    let mut plan = plan(&input, &go, &present, &report.decision)?;
    let mut prepared = prepare_write(&input, &go, &plan, write).await?;
    watch.lap("prepare", &mut ms);

    if let Some(burst) = input.burst
        && write
        && !plan.is_empty()
    {
        let settle = policy.agent.settle;
        let told = told_by_network(policy, &report.seen, Some(&report.decision));
        let footing = settle::footing(&report.decision, &input.snapshot, told);
        let at = settle::act_at(footing, burst, settle);
        if Instant::now() < at {
            debug!(
                ?footing,
                profile = report.decision.profile,
                "waiting for the network to settle"
            );
            tokio::time::sleep_until(at.into()).await;
            if footing == Footing::NothingUp {
                // In the middle of a move nothing is up anywhere: ask once more before acting on it.
                drop(prepared.take());
                report = probe_and_decide(&input, &go, &present).await?;
                present = now_present(&input)?;
                plan = self::plan(&input, &go, &present, &report.decision)?;
                prepared = prepare_write(&input, &go, &plan, write).await?;
            }
        }
        watch.lap("quiet", &mut ms);
    }
    let ProbeResults {
        seen,
        health,
        silent,
        waited,
        decision,
    } = report;
    Ok(PreparedTurn {
        input,
        go,
        seen,
        health,
        silent,
        waited,
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
    seen: &'a BTreeMap<String, TargetState>,
    decision: Option<&Decision>,
) -> impl Iterator<Item = &'a TargetState> {
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

fn now_present(input: &Input) -> Result<Present, Error> {
    let managed = managed(&input.loaded.policy, input.baseline.as_ref());
    Ok(Present::of(read_text(&input.file)?, &managed))
}

/// The copy with the plan carried out on it, where there is something to carry out.
pub(crate) async fn prepare_write(
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

/// What the probes of a round come to.
struct ProbeResults {
    seen: BTreeMap<String, TargetState>,
    health: BTreeMap<String, Health>,
    silent: BTreeSet<String>,
    waited: BTreeSet<String>,
    decision: Decision,
}

async fn probe_and_decide(
    input: &Input,
    go: &GoFacts,
    present: &Present,
) -> Result<ProbeResults, Error> {
    let policy = &input.loaded.policy;
    let pinned = input.pinned.as_deref();
    let prober = Prober::like(&input.env, &go.manner());
    let offline = !input.snapshot.has_any_way_out();
    let same_stay = targets::same_stay(&input.memory, input.cause, &input.snapshot);
    let mut seen: BTreeMap<String, TargetState> = BTreeMap::new();
    let mut health: BTreeMap<String, Health> = BTreeMap::new();
    let mut started: BTreeSet<String> = BTreeSet::new();
    let mut silent: BTreeSet<String> = BTreeSet::new();
    let mut waited: BTreeSet<String> = BTreeSet::new();
    let mut running = FuturesUnordered::new();
    loop {
        let facts = |seen| DecisionFacts {
            snapshot: &input.snapshot,
            seen,
            env: &input.env,
            present: &present.values,
        };
        if let Some(decision) = decide(policy, facts(&seen), pinned) {
            // Would it be another one if they answered?
            let mut without = seen.clone();
            without.retain(|name, _| !silent.contains(name));
            if decide(policy, facts(&without), pinned).is_some() {
                silent.clear();
            } else {
                let open = needed(policy, facts(&without), pinned);
                silent.retain(|name| open.contains(name));
            }
            if silent.is_empty() || matches!(input.patience, Patience::Beside { .. }) {
                return Ok(ProbeResults {
                    seen,
                    health,
                    silent,
                    waited,
                    decision,
                });
            }
            for name in std::mem::take(&mut silent) {
                seen.remove(&name);
                if let Some(target) = policy.targets.get(&name) {
                    let care = ProbeOptions {
                        patience: targets::at_the_prompt(target),
                        ..targets::care(&input.memory, same_stay, &input.snapshot, target)
                    };
                    waited.insert(name);
                    running.push(ask(&prober, target, care, offline, None));
                }
            }
            continue;
        }
        for name in needed(policy, facts(&seen), pinned) {
            let Some(target) = policy.targets.get(&name) else {
                continue;
            };
            if started.insert(name) {
                let care = targets::care(&input.memory, same_stay, &input.snapshot, target);
                let known = input.known(target);
                running.push(ask(&prober, target, care, offline, known));
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
        let state = input.counts_as(&observation);
        if observation.is_up() {
            waited.remove(&name);
        }
        let patient = policy.targets.get(&name).and_then(Target::patience);
        if observation.silent
            && patient.is_some()
            && !waited.contains(&name)
            && !input.is_waited_for(&name)
            && !(same_stay && input.memory.waited.contains(&name))
        {
            silent.insert(name.clone());
        }
        let up = state.up.unwrap_or(false);
        health.insert(name.clone(), state);
        seen.insert(name, TargetState { observation, up });
    }
}

impl Input {
    /// What need not be asked: who is waited for beside the rounds, or has just answered there.
    fn known(&self, target: &Target) -> Option<Observation> {
        let Patience::Beside { waiting, late } = &self.patience else {
            return None;
        };
        let name = &target.name;
        let waiting = waiting.contains(name);
        late.get(name)
            .or_else(|| self.memory.seen.get(name).filter(|_| waiting))
            .cloned()
    }

    fn is_waited_for(&self, name: &str) -> bool {
        matches!(&self.patience, Patience::Beside { waiting, .. } if waiting.contains(name))
    }

    /// What an observation makes of its target, after `fall` and `rise`.
    fn counts_as(&self, observation: &Observation) -> Health {
        let name = &observation.target;
        let was = self.memory.health.get(name);
        if self.is_waited_for(name) && !observation.is_up() {
            // It has not been seen again: it counts as what it did.
            return was.copied().unwrap_or(Health {
                up: Some(false),
                against: 0,
            });
        }
        // What came late had not been seen before: its silence was no answer.
        let is_late =
            matches!(&self.patience, Patience::Beside { late, .. } if late.contains_key(name));
        let was = was.filter(|_| !self.cause.is_fresh() && !is_late);
        let was = was.and_then(|health| Some((health.up?, health.against)));
        let agent = &self.loaded.policy.agent;
        let (up, against) = settle::counts_as(was, observation.is_up(), agent.fall, agent.rise);
        Health {
            up: Some(up),
            against,
        }
    }
}

/// With no way out of the machine nothing needs to be sent to know the answer.
async fn ask(
    prober: &Prober,
    target: &Target,
    care: ProbeOptions,
    offline: bool,
    known: Option<Observation>,
) -> Observation {
    if let Some(known) = known {
        return known;
    }
    if !offline || target.is_local() {
        return prober.probe_with(target, care).await;
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
        silent: false,
        portal_url: None,
        caveat: None,
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
    let ours = wants.iter().filter_map(|(name, want)| match want {
        Want::Value(value) => Some((name.clone(), Some(value.clone()))),
        Want::Baseline(_) | Want::Respect => None,
    });
    let by_hand: BTreeSet<String> = drifted;
    let ours: BTreeMap<String, Option<String>> = ours.collect();
    let baseline = input.baseline.as_ref();
    let ended = drift::ended(&by_hand, &ours, present, baseline);
    wants.extend(
        ended
            .into_iter()
            .map(|(name, own)| (name, Want::Baseline(own))),
    );
    Ok(diff(&present.values, &wants))
}

/// The variables that somebody else has changed since goroam wrote them, and that are to stay
/// so: until the next switch, as the policy's `on_drift` says. A list of private names that the
/// chosen profile says nothing of stays in any case: taking it away would give them away.
fn respected(input: &Input, present: &Present, decision: &Decision) -> BTreeSet<String> {
    if input.loaded.policy.agent.on_drift == OnDrift::Restore {
        return BTreeSet::new();
    }
    let switched = input.memory.profile.as_deref() != Some(decision.profile.as_str());
    let overrides = switched || input.cause.overrides_drift();
    let is_own_list = |name: &str| {
        matches!(name, "GONOPROXY" | "GONOSUMDB" | "GOPRIVATE")
            && present.values.contains_key(name)
            && !decision.env.contains_key(name)
    };
    drift::find(&input.memory, &input.file, present)
        .into_keys()
        .filter(|name| !overrides || is_own_list(name))
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

/// The decision of last time on this network, when it differs from what is in force and may
/// be used unproven.
pub(crate) fn known_decision(input: &Input) -> Option<Decision> {
    let identity = input.snapshot.identity()?;
    let (name, _) = input.memory.networks.get(&identity)?;
    let (_, profile) = input.loaded.policy.profile(name)?;
    if input.pinned.is_some()
        || profile.is_loose()
        || input.memory.profile.as_ref() == Some(&profile.name)
    {
        return None;
    }
    let mut env = BTreeMap::new();
    for (name, value) in &profile.env {
        // Which one is the fastest has to be found out; that is what the round is for.
        let EnvValue::Text(text) = value else {
            return None;
        };
        env.insert(name.clone(), text.clone());
    }
    let considered = input.loaded.policy.profiles.iter();
    Some(Decision {
        profile: profile.name.clone(),
        pinned: false,
        env,
        considered: considered
            .map(|profile| Considered {
                profile: profile.name.clone(),
                trace: None,
            })
            .collect(),
        loosens: Vec::new(),
        accept_unauthenticated: profile.accept_unauthenticated,
        not_waited_for: profile
            .when
            .targets()
            .into_iter()
            .map(str::to_owned)
            .collect(),
    })
}

/// Gets the file ready for it.
pub(crate) async fn prepare_known(input: Input, decision: Decision) -> Result<PreparedTurn, Error> {
    let (go, present) = ground(&input).await?;
    let plan = plan(&input, &go, &present, &decision)?;
    let prepared = prepare_write(&input, &go, &plan, true).await?;
    Ok(PreparedTurn {
        input,
        go,
        seen: BTreeMap::new(),
        health: BTreeMap::new(),
        silent: BTreeSet::new(),
        waited: BTreeSet::new(),
        decision,
        present,
        plan,
        prepared,
        ms: BTreeMap::new(),
    })
}

/// A round under way, and the commands that wait for its result.
pub(super) struct RoundInProgress {
    pub(super) round: Pin<Box<dyn Future<Output = Result<PreparedTurn, Error>>>>,
    pub(super) cause: Cause,
    pub(super) dry_run: bool,
    pub(super) answers: Vec<Answer>,
    pub(super) began: Instant,
}

impl RoundInProgress {
    /// Waits for the round; for ever when there is none. Cancel-safe: the round continues.
    pub(super) async fn next(work: &mut Option<RoundInProgress>) -> Result<PreparedTurn, Error> {
        match work {
            Some(work) => work.round.as_mut().await,
            None => std::future::pending().await,
        }
    }

    /// Tells the commands that wait for a round that it was dropped, and by what.
    pub(super) fn dismiss(dropped: Option<RoundInProgress>, by: &str) {
        for waiting in dropped.into_iter().flat_map(|work| work.answers) {
            let error = format!("{by} came in between");
            let _ = waiting.send(Reply::Failed { error, exit: 1 });
        }
    }
}
