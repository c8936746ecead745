//! The state of the running agent, and how it handles each event.

mod ahead;
mod commands;
mod export;
mod fleet;
mod foreign_writes;
mod measuring;
mod relay;
mod router;

use std::collections::BTreeSet;
use std::io;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tracing::{debug, info, warn};

use super::binary_update::BinaryUpdate;
use super::clock::{self, Absence, Throttle, Timers, due, is_there, jitter};
use super::command::{Answer, Cause, Reply};
use super::early::EarlyTurns;
use super::error::Error;
use super::fastest::SpeedMeasurement;
use super::fleet_fetch::FleetFetch;
use super::health::Sending;
use super::policy_file::{self, load_policy};
use super::prefetch::MirrorPrefetch;
use super::relay::RelayControl;
use super::round::{RoundInProgress, round};
use super::session::Session;
use super::targets::LateTargets;
use super::turn::{Input, PreparedTurn};
use crate::model::status::{AgentState, Status};
use crate::model::text::milliseconds;
use crate::model::{Change, Observation, Snapshot, Verdict};
use crate::policy::settle::{Burst, Pace, ResolverNews, look_again};
use crate::relay::stats::Incident;
use crate::watch::wake::WakeClock;
use crate::watch::{Hint, WatchPaths, Watcher, survey};

/// Editors and `go env -w` write in several steps; this is the wait for the last one.
const WRITERS_PAUSE: Duration = Duration::from_millis(40);

/// A turn that failed is tried again at least this often, even if `recheck` is off: its cause (a
/// full disk, a file that another program holds open) may end without an event.
const LATEST_RETRY: Duration = Duration::from_secs(600);

/// The longest time for which rounds may be dropped while the profile in force weakens
/// verification.
const UNPROVEN: Duration = Duration::from_secs(2);

/// The agent.
pub(super) struct Agent {
    session: Session,
    pub(super) watcher: Watcher,
    published: watch::Sender<Status>,
    wake: WakeClock,
    snapshot: Snapshot,
    /// Milliseconds that it took to read the network.
    survey_ms: Option<f64>,
    /// What has changed since the last finished turn.
    changes: Vec<Change>,
    burst: Burst,
    pace: Pace,
    pub(super) timers: Timers,
    pub(super) work: Option<RoundInProgress>,
    /// What is being sent to the collector.
    pub(super) sending: Option<Sending>,
    doubtful_rounds: u32,
    /// Since when rounds have been dropped while the profile in force weakens verification.
    unproven: Option<Instant>,
    /// The round to begin when the current one, which may not be dropped, has ended.
    next_round: Option<Cause>,
    /// Limits the corrections of `on_drift = "restore"`.
    corrections: Throttle,
    /// Limits the journal's notes of drift.
    notes: Throttle,
    /// A report that another program keeps changing what goroam writes.
    fight: Option<String>,
    pub(super) relay: RelayControl,
    policy_trouble: Option<String>,
    turn_trouble: Option<String>,
    blindness: Option<String>,
    pub(super) update: BinaryUpdate,
    pub(super) prefetch: MirrorPrefetch,
    /// Fetches the fleet's policy.
    pub(super) fleet: FleetFetch,
    /// Targets that are waited for in the background.
    pub(super) late: LateTargets,
    /// Measures the targets of a `fastest` in the background.
    pub(super) speeds: SpeedMeasurement,
    policy_away: Absence,
    env_file_away: Absence,
}

impl Agent {
    /// `own`: goroam's own files that must stay in place; `inherited`: the relay's listener that
    /// an earlier agent has left.
    pub(super) fn new(
        session: Session,
        published: watch::Sender<Status>,
        own: Vec<PathBuf>,
        inherited: Option<TcpListener>,
    ) -> Agent {
        let now = Instant::now();
        let go_env = session.file().ok().map(|file| file.path);
        let policy = session.paths.policies();
        let settle = session.loaded.policy.agent.settle;
        let update = BinaryUpdate::of_process();
        let program = update.path.clone();
        let watched = WatchPaths {
            policy,
            go_env,
            own,
            program,
        };
        let is_refused = session.last_good.is_some();
        Agent {
            watcher: Watcher::start(watched),
            published,
            wake: WakeClock::default(),
            snapshot: Snapshot::default(),
            survey_ms: None,
            changes: Vec::new(),
            burst: Burst::begin(now),
            pace: Pace::new(settle, now),
            timers: Timers::default(),
            work: None,
            sending: None,
            doubtful_rounds: 0,
            unproven: None,
            next_round: None,
            corrections: Throttle::of_corrections(),
            notes: Throttle::of_notes(),
            fight: None,
            relay: RelayControl::new(inherited),
            policy_trouble: None,
            turn_trouble: None,
            blindness: None,
            update,
            prefetch: MirrorPrefetch::default(),
            fleet: FleetFetch::default(),
            late: LateTargets::default(),
            speeds: SpeedMeasurement::default(),
            policy_away: Absence::at_start(is_refused && is_away(&session)),
            env_file_away: Absence::default(),
            session,
        }
    }

    pub(super) fn start(&mut self) {
        self.snapshot = self.survey();
        self.session.journal_trouble = self.session.trouble_of_journal();
        if let Some(trouble) = &self.session.journal_trouble {
            warn!("{trouble}");
        }
        info!(
            policy = self.session.loaded.origin(),
            "watching the network"
        );
        // If the program was replaced before its directory was watched, no event was sent.
        self.update.hint(Instant::now());
        self.settle_relay();
        self.begin(Cause::Start);
        self.publish_status();
    }

    pub(super) async fn hint(&mut self, hint: Hint) {
        let now = Instant::now();
        match hint {
            Hint::Network | Hint::Resolver | Hint::Lost => self.look(now).await,
            Hint::Wake => {
                // Timers stop while the machine sleeps, and do not follow a clock that was set.
                self.timers.pin = self.session.pin_lasts().map(|left| now + left);
                self.look(now).await;
            }
            Hint::PolicyFile => {
                // This does not wait for the writer's pause: a round may end, and write, before
                // that.
                self.policy_settles(now);
                self.timers.policy.get_or_insert(now + WRITERS_PAUSE);
            }
            Hint::Program => self.update.hint(now),
            Hint::EnvFile => {
                if let Some(again) = self.env_file_settles(now)
                    && self.work.is_some()
                {
                    self.drop_work();
                    self.timers.round = Some(again);
                }
                self.put_off_drift(now + WRITERS_PAUSE);
            }
        }
    }

    pub(super) async fn time(&mut self) {
        let now = Instant::now();
        if due(&mut self.timers.policy, now) {
            self.reload(false);
        }
        if due(&mut self.timers.env_file, now) {
            self.look_for_drift(now).await;
        }
        if due(&mut self.timers.look, now) {
            self.look(now).await;
        }
        if due(&mut self.timers.pin, now) {
            let is_over = self.session.pinned(clock::now()).is_none();
            // The pin is not over if the clock was set back in the meantime.
            self.timers.pin = self.session.pin_lasts().map(|left| now + left);
            if is_over && self.session.memory.paused {
                self.publish_status();
            } else if is_over {
                self.begin(Cause::PinEnded);
            }
        }
        if due(&mut self.timers.round, now) {
            self.look(now).await;
            if self.work.is_none() {
                self.begin(Cause::Recheck);
            }
        }
    }

    /// Handles a round that ended without being dropped.
    pub(super) async fn done(&mut self, ready: Result<PreparedTurn, Error>) {
        let Some(work) = self.work.take() else { return };
        let mut doubtful = ready.as_ref().map_or(true, PreparedTurn::is_doubtful);
        let mut silent = BTreeSet::new();
        let result = match ready {
            Ok(mut ready) => {
                silent = std::mem::take(&mut ready.probed.silent);
                let was_another = self.meet_router(&mut ready.input.snapshot);
                let result = self.session.finish(ready, work.dry_run).await;
                if was_another {
                    self.prove_again();
                }
                if !work.dry_run {
                    self.follow_with_relay(work.cause).await;
                }
                result
            }
            Err(error) => Err(error),
        };
        let trouble = result.as_ref().err().map(ToString::to_string);
        if !work.dry_run {
            // If a retry fails for the same reason, the journal does not record it again.
            let is_repeated = work.cause == Cause::Recheck && trouble == self.turn_trouble;
            if let Err(error) = &result {
                doubtful = true;
                if !is_repeated {
                    let (snapshot, changes) = (&self.snapshot, &self.changes);
                    self.session
                        .note_failure(work.cause, snapshot, changes, error);
                }
            }
            self.unproven = None;
            self.changes.clear();
            self.doubtful_rounds = if doubtful {
                self.doubtful_rounds.saturating_add(1)
            } else {
                0
            };
            let (env, memory) = (&self.session.env, &self.session.memory);
            let policy = &self.session.loaded.policy;
            self.late
                .wait_for(silent, env, policy, memory, &self.snapshot);
        }
        if let Some(trouble) = &trouble {
            warn!(cause = work.cause.as_str(), "{trouble}");
        }
        let has_failed = trouble.is_some();
        self.turn_trouble = trouble;
        self.schedule();
        self.prefetch
            .after_turn(&self.session, &self.snapshot, has_failed);
        if !work.dry_run && !has_failed {
            self.measure_if_due();
        }
        if !work.dry_run {
            let is_asked = work.cause == Cause::Asked;
            self.fleet
                .after_turn(&self.session, &self.snapshot, is_asked);
        }
        let status = self.publish_status();
        let reply = match result {
            Ok(mut report) => {
                if !work.dry_run {
                    report.status = status;
                }
                Reply::Turn(Box::new(report))
            }
            Err(error) => Reply::failed(&error),
        };
        for answer in work.answers {
            let _ = answer.send(reply.clone());
        }
        if let Some(cause) = self.next_round.take() {
            self.begin(cause);
        }
    }

    /// Writes down what the relay got from a proxy instead of the right content.
    pub(super) fn note_incidents(&mut self, incidents: &[Incident]) {
        self.session.note_incidents(&self.snapshot, incidents);
        self.publish_status();
    }

    /// Reads the network. If that fails, the status says so and the probes decide.
    fn survey(&mut self) -> Snapshot {
        let began = Instant::now();
        let surveyed = survey();
        self.survey_ms = Some(milliseconds(began.elapsed()));
        let trouble = surveyed.as_ref().err().map(ToString::to_string);
        if let Some(trouble) = trouble.as_ref().filter(|_| trouble != self.blindness) {
            warn!("{trouble}");
        }
        self.blindness = trouble;
        surveyed.unwrap_or_else(|_| Snapshot::blind())
    }

    /// Reads the network again. If something that matters has changed, drops the stale round and
    /// begins a new one.
    async fn look(&mut self, now: Instant) {
        if let Err(again) = self.pace.take(now) {
            self.timers.look = Some(again);
            return;
        }
        self.timers.look = None;
        let snapshot = self.survey();
        let changes = Change::between(&self.snapshot, &snapshot);
        // This is asked only here: a look that is postponed must not forget the sleep.
        let slept = self.wake.has_slept();
        if changes.is_empty() && !slept {
            return;
        }
        let settle = self.session.loaded.policy.agent.settle;
        self.burst = self.burst.next(now, settle);
        if snapshot.dns != self.snapshot.dns {
            self.burst.resolver = if snapshot.dns.servers.is_empty() {
                ResolverNews::Cleared
            } else {
                ResolverNews::Set
            };
        }
        self.snapshot = snapshot;
        for change in &changes {
            info!(major = change.major, "{}", change.what);
        }
        let major = slept || changes.iter().any(|change| change.major);
        Change::add(changes, &mut self.changes);
        if !major || self.session.memory.paused {
            self.publish_status();
            return;
        }
        self.doubtful_rounds = 0;
        self.prefetch.stop();
        self.drop_background();
        self.use_what_is_known().await;
        self.begin(if slept { Cause::Wake } else { Cause::Network });
    }

    /// Notes since when the profile in force weakens verification without a round that proves it.
    fn note_unproven(&mut self) {
        let profile = self.session.memory.in_force(&self.session.loaded.policy);
        if profile.is_none_or(|profile| profile.loosens.is_empty()) {
            self.unproven = None;
        } else {
            self.unproven.get_or_insert_with(Instant::now);
        }
    }

    /// Reports whether the current round must end before another one begins. This is so if a
    /// profile that weakens verification has been without proof for longer than [`UNPROVEN`]: on a
    /// network that changes faster than a round takes, the profile would stay in force.
    fn may_not_be_dropped(&self) -> bool {
        let is_real = self.work.as_ref().is_some_and(|work| !work.dry_run);
        let is_long = |since: Instant| since.elapsed() >= UNPROVEN;
        is_real && self.unproven.is_some_and(is_long)
    }

    /// Begins a round that no command asked for, unless goroam is paused.
    fn begin(&mut self, cause: Cause) {
        if !self.session.memory.paused {
            self.begin_for(cause, false, Vec::new());
        }
    }

    /// Begins a round. The current round, if any, is stale and dropped; commands that wait for it
    /// still get an answer.
    fn begin_for(&mut self, mut cause: Cause, mut dry_run: bool, answers: Vec<Answer>) {
        let stale = self.work.as_ref();
        let is_awaited = stale.is_some_and(|work| !work.answers.is_empty()) || !answers.is_empty();
        if !is_awaited && let Some(again) = self.env_file_settles(Instant::now()) {
            self.work = None;
            self.timers.round = Some(again);
            return;
        }
        self.note_unproven();
        if self.may_not_be_dropped()
            && let Some(work) = &mut self.work
        {
            work.answers.extend(answers);
            self.next_round = Some(cause);
            return;
        }
        let mut answers = answers;
        let mut began = if cause == Cause::Network {
            self.burst.last
        } else {
            Instant::now()
        };
        if let Some(stale) = self.work.take() {
            let stale_cause = stale.cause.as_str();
            debug!(
                cause = stale_cause,
                "a newer event drops the round under way"
            );
            // If the stale round was going to write, the new one writes too, even if a command only
            // asks what would be done.
            if dry_run && !stale.dry_run {
                dry_run = false;
                cause = stale.cause;
                began = began.min(stale.began);
            }
            if !stale.answers.is_empty() {
                answers.extend(stale.answers);
                began = began.min(stale.began);
                cause = Cause::Asked;
            }
        }
        match self.input(cause) {
            Ok(mut input) => {
                input.began = began;
                input.late = std::mem::take(&mut self.late.news);
                let is_awaited = dry_run || !answers.is_empty();
                let (to, early) = EarlyTurns::open(&input).filter(|_| !is_awaited).unzip();
                self.work = Some(RoundInProgress {
                    round: Box::pin(round(input, !dry_run, to)),
                    early,
                    cause,
                    dry_run,
                    answers,
                    began,
                });
                self.timers.round = None;
            }
            Err(error) => {
                warn!("{error}");
                self.turn_trouble = Some(error.to_string());
                self.doubtful_rounds = self.doubtful_rounds.saturating_add(1);
                for answer in answers {
                    let _ = answer.send(Reply::failed(&error));
                }
                self.schedule();
                self.publish_status();
            }
        }
    }

    fn drop_work(&mut self) {
        self.work.take_if(|work| work.answers.is_empty());
    }

    fn input(&mut self, cause: Cause) -> Result<Input, Error> {
        let mut burst = self.burst;
        if cause == Cause::Start {
            burst.resolver = ResolverNews::Set;
        }
        let has_burst = matches!(cause, Cause::Start | Cause::Network | Cause::Wake);
        Ok(Input {
            changes: self.changes.clone(),
            burst: has_burst.then_some(burst),
            began: self.burst.last,
            at_the_prompt: false,
            waiting: self.late.waiting.clone(),
            survey_ms: self.survey_ms,
            ..self.session.input(cause, self.snapshot.clone())?
        })
    }

    fn schedule(&mut self) {
        let now = Instant::now();
        let mut recheck = self.session.loaded.policy.agent.recheck;
        if self.turn_trouble.is_some() {
            recheck = recheck.or(Some(LATEST_RETRY));
        }
        self.timers.round =
            look_again(recheck, self.doubtful_rounds).map(|wait| now + jitter(wait));
        self.timers.pin = self.session.pin_lasts().map(|left| now + left);
        if self.session.memory.paused {
            self.timers.round = None;
        }
    }

    fn status(&self) -> Status {
        let present = self.session.present();
        let mut status = self.session.status_of(&self.snapshot, &present);
        status.agent = AgentState::Running;
        status.relay = self.relay.status(self.session.relayed.as_ref());
        self.session.history.add_to(&mut status.targets);
        for target in &mut status.targets {
            if self.late.waiting.contains(&target.name) {
                target.reason.push_str("; still waiting for it");
            }
        }
        let troubles = &mut status.troubles;
        let policy = self.policy_trouble.as_ref();
        let policy = policy.filter(|trouble| !troubles.contains(trouble));
        let own = [
            policy.cloned(),
            self.turn_trouble.clone(),
            self.fight.clone(),
            self.relay.trouble.clone(),
            self.blindness.clone(),
            self.update.trouble.clone(),
            self.prefetch.trouble.clone(),
            self.fleet.trouble.clone(),
        ];
        troubles.extend(own.into_iter().flatten());
        troubles.extend(self.watcher.troubles());
        if self.session.memory.paused {
            troubles.push("paused; run `goroam auto` to resume".to_owned());
        }
        status
    }

    /// The status that was published last.
    pub(super) fn last_published(&self) -> watch::Ref<'_, Status> {
        self.published.borrow()
    }

    /// Publishes the status if it differs from the last one.
    pub(super) fn publish_status(&mut self) -> Status {
        let status = self.status();
        self.published.send_if_modified(|last| {
            let news = *last != status;
            last.clone_from(&status);
            news
        });
        status
    }

    /// Returns the moment until which a missing policy file is ignored; `None`: the file exists, or
    /// has been missing for long.
    fn policy_settles(&mut self, now: Instant) -> Option<Instant> {
        self.policy_away.settles(is_away(&self.session), now)
    }

    /// Does the same for a go env file that goroam has written.
    fn env_file_settles(&mut self, now: Instant) -> Option<Instant> {
        let was_there = self.session.memory.written.is_some();
        let is_away = was_there && self.session.file().is_ok_and(|file| !is_there(&file.path));
        self.env_file_away.settles(is_away, now)
    }

    /// Reads the policy again. An invalid or missing policy changes nothing: the last good one
    /// stays in force. A missing policy counts only if a command `asked` for a turn with the files
    /// as they are.
    pub(super) fn reload(&mut self, asked: bool) {
        if let Some(again) = self.policy_settles(Instant::now()) {
            self.timers.policy = Some(again);
            return;
        }
        let session = &mut self.session;
        let read = load_policy(&session.paths, &session.env);
        let read = read.and_then(|loaded| match loaded.without(session.loaded.files()) {
            Some(gone) if !asked => Err(gone),
            Some(_) | None => Ok(loaded),
        });
        match read {
            Ok(mut loaded) => {
                self.policy_trouble = None;
                session.last_good = None;
                loaded.policy.by_hand = session.mirror_over(&loaded.policy);
                if loaded != *session.loaded {
                    info!(policy = loaded.origin(), "read the policy again");
                    policy_file::keep_last_good(&session.paths, &loaded);
                    self.pace = Pace::new(loaded.policy.agent.settle, Instant::now());
                    session.loaded = loaded.into();
                    session.go = None;
                    self.late.drop_all();
                    self.speeds.stop();
                    self.settle_relay();
                    self.begin(Cause::Policy);
                }
            }
            Err(error) => {
                let trouble = format!("the last good policy stays in force: {error}");
                if self.policy_trouble.as_ref() != Some(&trouble) {
                    warn!("{trouble}");
                }
                self.policy_trouble = Some(trouble);
                let kept = policy_file::last_good(&session.paths, &session.env, &error);
                let mut kept = kept.map(|(_, last_good)| last_good);
                // The policy in force may have been read before parts of it were left out.
                if let (Some(kept), Some(before)) = (&mut kept, &session.last_good) {
                    kept.left_out.clone_from(&before.left_out);
                }
                session.last_good = kept;
            }
        }
        self.publish_status();
    }

    /// Handles a replacement of this program's file.
    pub(super) async fn check_binary(&mut self, may_take_over: bool) {
        self.update.due = None;
        self.update.look(may_take_over).await;
        self.publish_status();
    }

    /// Starts the prefetch: the network has lasted for a while.
    pub(super) fn start_prefetch(&mut self) {
        self.prefetch.due = None;
        self.prefetch
            .start(self.update.trusted(), &self.session.paths);
    }

    /// Handles the end of the prefetch.
    pub(super) async fn prefetch_ended(&mut self, status: Result<ExitStatus, io::Error>) {
        self.prefetch.note(status, Instant::now()).await;
        self.publish_status();
    }

    /// Handles a late target that has answered, or has stayed silent to the end.
    pub(super) fn answered_late(&mut self, seen: Observation) {
        self.late.waiting.remove(&seen.target);
        debug!(
            target = seen.target,
            verdict = %seen.verdict,
            "{}",
            seen.reason
        );
        if self.session.memory.paused {
            return;
        }
        if matches!(seen.verdict, Verdict::Up | Verdict::Portal) {
            self.late.news.insert(seen.target.clone(), seen);
            self.begin(Cause::Late);
            return;
        }
        // It is still down; the only news is that it was waited for.
        let memory = &mut self.session.memory;
        memory.waited.insert(seen.target.clone());
        memory.seen.insert(seen.target.clone(), seen);
        self.publish_status();
    }
}

/// Reports whether a file of the policy in force is missing.
fn is_away(session: &Session) -> bool {
    session.loaded.files().any(|file| !is_there(file))
}
