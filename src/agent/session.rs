//! Everything that a turn needs, with or without an agent: paths, policy, go command, baseline and
//! memory. The verbs of the command line are its methods.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use futures_util::future::join_all;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tracing::warn;

use super::clock;
use super::command::{Cause, Command, TurnReport};
use super::drift::{self, Present, managed, read_text};
use super::error::Error;
use super::gofacts::{GoFacts, manner_of};
use super::health::Health;
use super::hook_marker::user_env;
use super::locks;
use super::policy_file::{self, Loaded, built_in, load_policy};
use super::project::ProjectHere;
use super::recall::{self, recall};
use super::relay::{self, KeepIn, RelayInput, Relayed};
use super::round::round;
use super::targets::{self, TargetHistory};
use super::turn::{Input, Probed, ground};
use crate::environment::Environment;
use crate::gocmd::{EnvFile, shadows};
use crate::meter::Meter;
use crate::model::mask::mask;
use crate::model::plan::companions;
use crate::model::status::{
    AgentState, Drift, LastGood, NetworkStatus, Pinned, Readiness, Status, TargetStatus,
};
use crate::model::text::milliseconds;
use crate::model::{Chain, Change, Observation, Portal, RulesOrigin, Snapshot, Target, Tier};
use crate::paths::{Paths, exact};
use crate::policy::expand::expand;
use crate::policy::finding::nearest;
use crate::policy::{Decision, Profile, explain, weakened_by};
use crate::probe::{ProbeOptions, Prober};
use crate::state::{Baseline, Journal, Memory, file};
use crate::watch::survey;

/// Everything that a turn needs.
#[derive(Debug)]
pub struct Session {
    /// The locations of goroam's files.
    pub paths: Paths,
    /// The environment of this process.
    pub env: Arc<Environment>,
    /// The policy in force.
    pub loaded: Arc<Loaded>,
    pub(crate) memory: Memory,
    pub(crate) baseline: Option<Baseline>,
    pub(crate) go: Option<GoFacts>,
    pub(crate) journal_trouble: Option<String>,
    /// What the last write had to give up, if anything.
    pub(crate) given_up: Option<String>,
    /// Set if the last good policy is in force because the file's policy is refused.
    pub(crate) last_good: Option<LastGood>,
    /// What is wrong with the record of what was before goroam.
    pub(crate) baseline_trouble: Option<String>,
    /// The targets' results in the rounds since this process began.
    pub(crate) history: TargetHistory,
    /// The URL of the agent's relay.
    pub(crate) relay: Option<String>,
    /// What the relay does under the decision in force, if GOPROXY names it.
    pub(crate) relayed: Option<Relayed>,
    /// How the relay reaches the mirror.
    pub(crate) keep_in: Option<KeepIn>,
    /// Metrics and traces, and how sending them goes.
    pub(crate) health: Health,
}

/// The last decision, and the reasons for it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct WhyReport {
    /// What was chosen, and why.
    pub decision: Decision,
    /// The probes' observations.
    pub report: Vec<Observation>,
    /// What had changed.
    pub changes: Vec<String>,
    /// The turn in the journal; `None` for a dry turn.
    pub turn: Option<u64>,
    /// When it was decided.
    pub at: Option<Timestamp>,
    /// Milliseconds from the first event to the decision.
    pub decided_ms: Option<f64>,
    /// One line, as status shows it.
    pub summary: String,
    /// Where modules come from under this decision, in words.
    #[serde(default)]
    pub from: Option<String>,
    /// The same, as a step of degradation.
    #[serde(default)]
    pub tier: Option<Tier>,
    /// Which file and line the profile comes from, and each variable that it sets.
    #[serde(default)]
    pub sources: Option<RulesOrigin>,
    /// Where to log in, if a login page answers for the whole network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub way_out: Option<String>,
}

impl Session {
    /// Reads the policy and the memory. Changes nothing; does not look for go yet.
    ///
    /// # Errors
    /// When there is no home directory, or the policy cannot be used.
    pub fn open(config: Option<PathBuf>, env: Environment) -> Result<Session, Error> {
        let paths = Paths::find(config, &env)?;
        let loaded = load_policy(&paths, &env)?;
        Session::with_policy(paths, loaded, env)
    }

    /// Opens a session for an agent: if the policy is refused, the last good one is in force.
    ///
    /// # Errors
    /// When there is no home directory, or neither policy can be used.
    pub(crate) fn open_to_stay(
        config: Option<PathBuf>,
        env: Environment,
    ) -> Result<Session, Error> {
        let paths = Paths::find(config, &env)?;
        let found = load_policy(&paths, &env);
        let gone = found
            .as_ref()
            .map(|loaded| policy_file::gone(&paths, loaded));
        let trouble = gone
            .as_ref()
            .map_or_else(|error| Some(*error), Option::as_ref);
        let kept = trouble.and_then(|trouble| {
            let kept = policy_file::last_good(&paths, &env, trouble)?;
            warn!("{trouble}; the last good policy stays in force");
            Some(kept)
        });
        let (loaded, last_good) = match kept {
            Some((loaded, last_good)) => (loaded, Some(last_good)),
            None => (found?, None),
        };
        Ok(Session {
            last_good,
            ..Session::with_policy(paths, loaded, env)?
        })
    }

    /// Opens a session for `restore`, which needs no policy: if none is usable, the built-in one is
    /// used.
    ///
    /// # Errors
    /// When there is no home directory.
    pub fn open_to_restore(config: Option<PathBuf>, env: Environment) -> Result<Session, Error> {
        let paths = Paths::find(config, &env)?;
        let loaded = load_policy(&paths, &env).or_else(|_| built_in(&env))?;
        Session::with_policy(paths, loaded, env)
    }

    fn with_policy(paths: Paths, loaded: Loaded, env: Environment) -> Result<Session, Error> {
        let file = EnvFile::locate(&env).ok();
        let (memory, baseline, baseline_trouble) = recall(&paths, &loaded, file.as_ref());
        let mut session = Session {
            baseline_trouble,
            health: Health::open(&loaded.policy, &paths),
            paths,
            env: Arc::new(user_env(env)),
            loaded: Arc::new(loaded),
            memory,
            baseline,
            go: None,
            journal_trouble: None,
            given_up: None,
            last_good: None,
            history: TargetHistory::default(),
            relay: None,
            relayed: None,
            keep_in: None,
        };
        session.lay_mirror();
        Ok(session)
    }

    /// Lets the relay keep in the mirror what passes, if the policy says so.
    pub fn with_mirror(self, keep_in: KeepIn) -> Session {
        Session {
            keep_in: Some(keep_in),
            ..self
        }
    }

    /// Carries out `once`, `use`, `auto` or `restore` when there is no agent.
    ///
    /// # Errors
    /// When it could not be done; the go env file is then unchanged.
    pub async fn carry_out(&mut self, command: &Command) -> Result<TurnReport, Error> {
        let dry_run = *command == Command::Once { dry_run: true };
        // A dry run writes nothing, not even a lock file.
        let _lock = if dry_run { None } else { Some(self.alone()?) };
        if *command == Command::Restore {
            let report = self.put_back().await?;
            drop(self.export(&report.status));
            return Ok(report);
        }
        let takes_what_there_is = *command == Command::Once { dry_run: false };
        if takes_what_there_is && policy_file::gone(&self.paths, &self.loaded).is_some() {
            policy_file::keep_last_good(&self.paths, &self.loaded);
        }
        let began = Instant::now();
        let (snapshot, changes) = self.look();
        let survey_ms = Some(milliseconds(began.elapsed()));
        let base = self.base_for(command, &snapshot).await?;
        self.choose(command, base)?;
        let mut result = self
            .take_turn(&snapshot, (&changes, survey_ms), dry_run)
            .await;
        if takes_what_there_is && result.is_ok() && self.fetch_fleet(&snapshot).await? {
            result = self.take_turn(&snapshot, (&[], None), dry_run).await;
        }
        if let Err(error) = &result
            && !dry_run
        {
            self.note_failure(Cause::Asked, &snapshot, &changes, error);
            // For the file of metrics: the collector gets it with the next turn.
            let status = self.status();
            drop(self.export(&status));
        }
        if let Ok(report) = &mut result {
            // The collector gets it after the result is printed: `send_health`.
            drop(self.export(&report.status));
            report.status.troubles.extend(self.health.trouble.clone());
        }
        result
    }

    /// Sends to the policy's collector what a turn without an agent has left for it.
    pub async fn send_health(&mut self) {
        // An agent sends it with its next turn.
        let Ok(_lock) = self.alone() else { return };
        let status = self.status();
        if let Some(export) = self.export_again(&status) {
            let exported = export.send().await;
            self.exported(exported);
            if let Err(error) = self.save_memory() {
                warn!("{error}");
            }
        }
    }

    async fn take_turn(
        &mut self,
        snapshot: &Snapshot,
        (changes, survey_ms): (&[Change], Option<f64>),
        dry_run: bool,
    ) -> Result<TurnReport, Error> {
        let mut input = self.input(Cause::Asked, snapshot.clone())?;
        input.changes = changes.to_vec();
        input.survey_ms = survey_ms;
        let ready = round(input, !dry_run, None).await?;
        self.finish(ready, dry_run).await
    }

    /// Returns the project's section that holds in a directory.
    pub fn project_in(&self, folder: &Path) -> Option<ProjectHere> {
        ProjectHere::find(&self.loaded.policy, &self.env, folder)
    }

    /// Waits until no other command takes a turn, and reads what that command has left behind.
    fn alone(&mut self) -> Result<File, Error> {
        // If goroam must not write the go env file, it must not leave files of its own either.
        let file = self.file()?;
        if let Some(pid) = locks::running(&self.paths, &file.path) {
            let socket = self.paths.socket().display().to_string();
            return Err(Error::AgentElsewhere { pid, socket });
        }
        let lock = locks::take_turn_lock(&self.paths.state)?;
        (self.memory, self.baseline, self.baseline_trouble) =
            recall(&self.paths, &self.loaded, Some(&file));
        self.lay_mirror();
        Ok(lock)
    }

    /// Asks these targets, all at once, and counts the answers. Then measures those of a `fastest`,
    /// with `speed` all of them, one after another: at the same time they would share the line.
    pub async fn probe(&self, asked: &[Target], speed: bool, meter: &Meter) -> Vec<Observation> {
        let policy = &self.loaded.policy;
        let file = self.file().ok();
        let text = file.and_then(|file| read_text(&file).ok()?);
        let manner = manner_of(policy, &self.env, &text.unwrap_or_default()).await;
        let prober = Prober::like(&self.env, &manner);
        meter.expect(asked.len() as u64, 0);
        let all = asked.iter().map(async |target| {
            // The user wants to know what go would get, and go waits.
            let care = ProbeOptions {
                patience: targets::at_the_prompt(target),
                ..ProbeOptions::FIRST
            };
            let seen = prober.probe_with(target, care).await;
            meter.did(1, 0);
            seen
        });
        let mut all = join_all(all).await;
        for (target, seen) in asked.iter().zip(&mut all) {
            let mut profiles = policy.profiles.iter().filter_map(|one| one.fastest());
            if seen.is_up() && (speed || profiles.any(|of| of.contains(&target.name))) {
                meter.expect(1, 0);
                prober.measure(target, seen).await;
                meter.did(1, 0);
            }
        }
        all
    }

    /// Reports whether the target is on this machine, so that it says nothing about the network.
    pub fn is_local(&self, name: &str) -> bool {
        self.loaded
            .policy
            .targets
            .get(name)
            .is_some_and(Target::is_local)
    }

    pub(crate) fn unknown<'a>(
        &self,
        kind: &'static str,
        name: &str,
        there: impl Iterator<Item = &'a String>,
    ) -> Error {
        let there: Vec<&str> = there.map(String::as_str).collect();
        Error::Unknown {
            kind,
            name: name.to_owned(),
            policy: self.loaded.origin(),
            hint: match nearest(name, there.iter().copied()) {
                Some(near) => format!("; did you mean {near:?}?"),
                None if there.is_empty() => "; none is defined".to_owned(),
                None => format!("; there are: {}", there.join(", ")),
            },
        }
    }

    /// Returns the last decision and its reasons; takes a dry turn if there is none yet.
    ///
    /// # Errors
    /// When there is none and the turn fails.
    pub async fn why(&mut self) -> Result<WhyReport, Error> {
        let mut report = match self.why_in_journal() {
            Some(report) => report,
            None => self.why_by_looking().await?,
        };
        (report.from, report.tier) = self.source(&report.decision).unzip();
        let seen = report.report.iter().map(|seen| TargetStatus {
            local: self.is_local(&seen.target),
            ..TargetStatus::new(&seen.target, Some(seen))
        });
        let portal = Portal::among(&seen.collect::<Vec<_>>(), report.tier)
            .map(|portal| portal.way_out(self.agent_state()));
        report.way_out = portal;
        report.sources = self.sources(&report.decision);
        Ok(report)
    }

    /// Returns where the profile of a decision stands; of a mirror that was chosen by hand, where the
    /// profile below it stands.
    fn sources(&self, decision: &Decision) -> Option<RulesOrigin> {
        let pinned = self.memory.pinned.as_ref();
        let (name, variant) = match (&decision.over, pinned) {
            (Some(over), Some(pinned)) => (over, pinned.variant),
            (_, _) => (&decision.profile, decision.variant),
        };
        self.origins(name, variant, decision.over.is_some())
    }

    /// Returns where a profile and its variables stand; a mirror chosen by hand stands nowhere.
    fn origins(&self, name: &str, variant: usize, is_by_hand: bool) -> Option<RulesOrigin> {
        let Loaded {
            policy,
            places,
            source,
            ..
        } = &*self.loaded;
        let all = policy.profiles.iter().zip(&places.profiles);
        let mut variants = all.filter(|(profile, _)| profile.name == *name);
        let (_, place) = variants.nth(variant)?;
        let origin = |(name, span): (&String, &Range<usize>)| {
            let is_own = !(is_by_hand && name == "GOPROXY");
            let at = source.origin(span.start).filter(|_| is_own)?;
            Some((name.clone(), at))
        };
        Some(RulesOrigin {
            profile: source.origin(place.name.start)?,
            env: place.env.iter().filter_map(origin).collect(),
            is_layered: source.parts.len() > 1,
        })
    }

    /// Reports whether an agent runs for this go env file.
    pub fn agent_state(&self) -> AgentState {
        let file = self.file().ok();
        match file.and_then(|file| locks::running(&self.paths, &file.path)) {
            Some(_) => AgentState::Running,
            None => AgentState::Stopped,
        }
    }

    /// Returns the newest decision of the journal, if it is in force and was made by a policy with
    /// the same profiles.
    fn why_in_journal(&self) -> Option<WhyReport> {
        let (kept, _) = Journal::last(&self.paths.journal(), 50).ok()?;
        let mut newest_first = kept.into_iter().rev();
        let mut entry = newest_first.find(|entry| entry.decision.is_some())?;
        let decision = entry.decision.take()?;
        let considered = decision.considered.iter().map(|one| &one.profile);
        let profiles = self.loaded.policy.profiles.iter().map(|one| &one.name);
        if self.memory.profile.as_ref() != Some(&decision.profile) || !considered.eq(profiles) {
            return None;
        }
        let changes = entry.changes.into_iter().map(|change| change.what);
        Some(WhyReport {
            decision,
            report: entry.report,
            changes: changes.collect(),
            turn: Some(entry.turn),
            at: Some(entry.at),
            decided_ms: entry.ms.get("probe").copied(),
            summary: self.memory.why.clone().unwrap_or_default(),
            ..WhyReport::default()
        })
    }

    /// Returns the managed variables as the go env file has them. `without_relay`: with the chain
    /// of the decision in force in the place of the relay's URL.
    ///
    /// # Errors
    /// When the file cannot be read, or go is needed and cannot be run.
    pub async fn values(&mut self, without_relay: bool) -> Result<BTreeMap<String, String>, Error> {
        let mut values = self.present().values;
        let is_relayed = values
            .get("GOPROXY")
            .is_some_and(|value| relay::is_url_of(value, &self.paths));
        if without_relay && is_relayed {
            let env = self.why().await?.decision.env;
            let (snapshot, _) = self.look();
            let (go, _) = ground(&self.input(Cause::Asked, snapshot)?).await?;
            if let Some(text) = env.get("GOPROXY") {
                let value = go.expand(text, &env).map_err(Error::state("GOPROXY"))?;
                values.insert("GOPROXY".to_owned(), value);
            }
        }
        Ok(values)
    }

    /// The chain behind this user's relay, if a GOPROXY value leads to it.
    pub async fn behind_relay(
        config: Option<PathBuf>,
        env: &Environment,
        goproxy: &str,
    ) -> Option<String> {
        let paths = Paths::find(config.clone(), env).ok()?;
        if !relay::is_url_of(goproxy, &paths) {
            return None;
        }
        let mut session = Session::open(config, env.clone()).ok()?;
        let chain = session.values(true).await.ok()?.remove("GOPROXY")?;
        (!relay::is_url_of(&chain, &paths)).then_some(chain)
    }

    /// What the agent's relay works with.
    pub(super) fn for_relay(&self) -> RelayInput<'_> {
        RelayInput {
            relayed: self.relayed.as_ref(),
            go: self.go.as_ref(),
            env: &self.env,
            policy: &self.loaded.policy,
            seen: &self.memory.seen,
            paths: &self.paths,
            keep_in: self.keep_in,
        }
    }

    async fn why_by_looking(&mut self) -> Result<WhyReport, Error> {
        let began = Instant::now();
        let (snapshot, changes) = self.look();
        let mut input = self.input(Cause::Asked, snapshot.clone())?;
        input.changes = changes;
        let Probed { decision, seen, .. } = round(input, false, None).await?.probed;
        Ok(WhyReport {
            summary: explain::because(&decision, &self.loaded.policy, &snapshot, &seen),
            decision,
            report: seen.into_values().map(|seen| seen.observation).collect(),
            decided_ms: Some(milliseconds(began.elapsed())),
            ..WhyReport::default()
        })
    }

    /// Returns where modules come from under a decision.
    fn source(&self, decision: &Decision) -> Option<(String, Tier)> {
        let folder = self.loaded.policy.mirror.path.as_deref();
        // The value of `${NAME}` matters only for the mirror.
        let lookup = |name: &str| match name {
            "MIRROR" => folder.and_then(|path| path.to_str()).map(str::to_owned),
            // A directory of this system: without a drive, it would be read as the host of a
            // `file://` URL.
            other if cfg!(windows) => Some(format!("C:/{other}")),
            other => Some(format!("/{other}")),
        };
        let value = expand(decision.env.get("GOPROXY")?, &lookup).ok()?;
        let chain = Chain::parse(&value).ok()?;
        Some((Tier::in_words(&chain, folder), Tier::of(&chain)))
    }

    pub(crate) fn file(&self) -> Result<EnvFile, Error> {
        Ok(EnvFile::locate(&self.env)?)
    }

    /// Reads the network, and compares it with the network of the last turn.
    pub(crate) fn look(&self) -> (Snapshot, Vec<Change>) {
        let snapshot = survey().unwrap_or_else(|error| {
            // Even if the network cannot be read, the probes show what answers.
            warn!("{error}; probing anyway");
            Snapshot::blind()
        });
        let changes = match self.memory.turn {
            0 => Vec::new(),
            _ => Change::between(&self.memory.snapshot, &Memory::network(&snapshot)),
        };
        (snapshot, changes)
    }

    /// Returns the go env file; refuses if goroam has changed another one and has not restored it
    /// yet.
    pub(crate) fn own_file(&self) -> Result<EnvFile, Error> {
        let file = self.file()?;
        let now = exact(&file.path);
        match &self.baseline {
            Some(baseline) if baseline.path != now => Err(Error::OtherFile {
                kept: baseline.path.clone(),
                now,
            }),
            Some(_) | None => Ok(file),
        }
    }

    /// Gathers the input of a round that begins now and for which a person waits.
    pub(crate) fn input(&mut self, cause: Cause, snapshot: Snapshot) -> Result<Input, Error> {
        Ok(Input {
            pinned: self.pinned(clock::now()),
            loaded: Arc::clone(&self.loaded),
            env: Arc::clone(&self.env),
            go: self.go.clone(),
            file: self.own_file()?,
            memory: self.memory.clone(),
            baseline: self.baseline.clone(),
            snapshot,
            changes: Vec::new(),
            cause,
            burst: None,
            began: Instant::now(),
            at_the_prompt: true,
            waiting: BTreeSet::new(),
            late: BTreeMap::new(),
            relay: self.relay.clone(),
            trace: clock::random_id(),
            survey_ms: None,
        })
    }

    /// Returns the current status, as far as it is known without probing and without running go.
    pub fn status(&self) -> Status {
        let snapshot = survey().unwrap_or_else(|_| self.memory.snapshot.clone());
        let mut status = self.status_of(&snapshot, &self.present());
        if self.journal_trouble.is_none() {
            status.troubles.extend(self.trouble_of_journal());
        }
        status
    }

    /// Returns the managed variables as they are now; a file that cannot be read counts as missing,
    /// and is reported.
    pub(crate) fn present(&self) -> Present {
        let names = managed(&self.loaded.policy, self.baseline.as_ref());
        let Ok(file) = self.file() else {
            return Present::default();
        };
        match read_text(&file) {
            Ok(text) => Present::of(text, &names),
            Err(error) => Present {
                trouble: Some(error.to_string()),
                ..Present::default()
            },
        }
    }

    pub(crate) fn status_of(&self, snapshot: &Snapshot, present: &Present) -> Status {
        let memory = &self.memory;
        let policy = &self.loaded.policy;
        let profile = memory.in_force(policy);
        let file = self.file();
        let last_good = self.last_good.as_ref().map(|last_good| {
            let left_out = match last_good.left_out.as_slice() {
                [] => String::new(),
                names => format!(
                    " without {}, which weakens verification in a way that is refused",
                    names.join(", ")
                ),
            };
            let refused = &last_good.refused;
            format!("the last good policy stays in force{left_out}: {refused}")
        });
        let mut troubles = Vec::from_iter(
            [
                self.journal_trouble.clone(),
                self.given_up.clone(),
                self.baseline_trouble.clone(),
                recall::said(self.baseline.as_ref()),
                self.health.trouble.clone(),
                last_good,
                file.as_ref().err().map(ToString::to_string),
                present.trouble.clone(),
            ]
            .into_iter()
            .flatten(),
        );
        // An expired pin is not shown; the next turn removes it.
        let now = clock::now();
        let lasts = |pinned: &&Pinned| pinned.until.is_none_or(|until| until > now);
        let pinned = memory.pinned.as_ref().filter(lasts);
        if let Some(pinned) = pinned
            && policy.variants(&pinned.name).is_empty()
        {
            troubles.push(self.pin_trouble(pinned));
        }
        let seen = memory.seen.iter();
        let seen = seen.filter(|(name, _)| policy.targets.contains_key(*name));
        let caveats = seen.filter_map(|(name, seen)| Some((name, seen.caveat.as_ref()?)));
        troubles.extend(caveats.map(|(name, caveat)| format!("{name}: {caveat}")));
        let names = managed(policy, self.baseline.as_ref()).into_iter();
        let lines = names.map(|name| {
            let line = present.values.get(&name).cloned();
            (name, line)
        });
        let drift = file.map(|file| drift::shown(memory, &file, present));
        let mut drift = drift.unwrap_or_default();
        if let Some(profile) = profile {
            self.note_what_ended(profile, &mut drift);
        }
        let mut weakened = profile.map_or_else(Vec::new, |profile| profile.loosens.clone());
        let found = drift.iter();
        let found = found.filter_map(|one| Some((one.name.as_str(), one.found.as_deref()?)));
        let found = weakened_by(found).into_iter();
        weakened.extend(found.filter(|how| !profile.is_some_and(|it| it.loosens.contains(how))));
        let to_end = self.to_end(present).unwrap_or_default();
        if !to_end.is_empty() {
            let names = to_end.keys().cloned().collect::<Vec<_>>().join(", ");
            troubles.push(format!(
                "goroam has set {names} for a value that was changed by hand since: private names \
                 may get out, or less be verified; `goroam once` sets all of it again, `go env -u` \
                 takes {names} away"
            ));
        }
        let goproxy = present.values.get("GOPROXY");
        let relayed = self.relayed.as_ref().filter(|_| {
            let through = |url: &String| goproxy.is_some_and(|value| value.starts_with(url));
            self.relay.as_ref().is_some_and(through)
        });
        let goproxy = relayed
            .map(Relayed::goproxy)
            .or(goproxy.map(String::as_str));
        let chain = goproxy.and_then(|value| Chain::parse(value).ok());
        let mirror = policy.mirror.path.as_deref();
        let targets = policy.targets.iter().map(|(name, target)| TargetStatus {
            local: target.is_local(),
            ..TargetStatus::new(name, memory.seen.get(name))
        });
        let applied = present.values.iter();
        Status {
            profile: memory.profile.clone(),
            provisional: memory.provisional,
            since: memory.since,
            agent: Default::default(),
            pinned: pinned.map(Pinned::shown),
            applied: applied
                .map(|(name, value)| (name.clone(), mask(value)))
                .collect(),
            targets: targets.collect(),
            shadowed: shadows(&self.env, &lines.collect()),
            drift,
            network: NetworkStatus::from(snapshot),
            tier: chain.as_ref().map(Tier::of),
            from: chain.as_ref().map(|chain| Tier::in_words(chain, mirror)),
            ready: self.readiness(),
            switched_ms: memory.switched_ms,
            why: memory.why.clone(),
            sources: self.base().and_then(|(name, variant)| {
                let is_by_hand = memory.profile.as_ref() != Some(&name);
                self.origins(&name, variant, is_by_hand)
            }),
            weakened,
            troubles,
            policy: self.loaded.origin(),
            turn: (memory.turn > 0).then_some(memory.turn),
            was: self.was(),
            profiles: policy.names(),
            switches: memory.switches.clone(),
            paused: memory.paused,
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            notify: policy.agent.notify,
            relay: None,
            last_good: self.last_good.clone(),
            fleet: self
                .loaded
                .fleet
                .as_ref()
                .map(|fleet| fleet.status(&self.paths)),
            trace: memory.trace.clone(),
            telemetry: self.health.status(policy, &memory.counts),
        }
    }

    /// Notes which of the profile's values are as before goroam because another variable was set by
    /// hand.
    fn note_what_ended(&self, profile: &Profile, drift: &mut [Drift]) {
        let (Some(written), Some(baseline)) = (&self.memory.written, &self.baseline) else {
            return;
        };
        let by_hand: Vec<String> = drift.iter().map(|drift| drift.name.clone()).collect();
        for drift in drift {
            let beside = companions(&drift.name)
                .iter()
                .map(|name| (*name).to_owned());
            drift.ended = beside
                .filter(|name| profile.env.contains_key(name) && !by_hand.contains(name))
                .filter(|name| written.values.get(name) == baseline.values.get(name))
                .collect();
        }
    }

    /// Returns what `goroam ready` has recorded; a file that cannot be read counts as missing.
    pub(crate) fn readiness(&self) -> Option<Readiness> {
        let bytes = file::read(&self.paths.readiness(), 64 << 10).ok()??;
        serde_json::from_slice(&bytes).ok()
    }

    fn was(&self) -> BTreeMap<String, Option<String>> {
        let values = self.baseline.iter().flat_map(|baseline| &baseline.values);
        let shown = |value: &Option<String>| value.as_deref().map(mask);
        BTreeMap::from_iter(values.map(|(name, value)| (name.clone(), shown(value))))
    }
}
