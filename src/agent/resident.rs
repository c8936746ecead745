//! What the agent knows while it stays, and what each event makes of it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tracing::{debug, info, warn};

use super::away::{Away, is_there};
use super::cause::Cause;
use super::clock;
use super::command::Reply;
use super::error::Error;
use super::failed::Failed;
use super::keeper::Keeper;
use super::known;
use super::late::Late;
use super::restraint::Restraint;
use super::round::{Patience, Ready, round};
use super::session::{Occasion, Session};
use super::successor::Successor;
use super::timers::{Timers, due, jitter};
use super::work::{Answer, Work, failed};
use crate::model::status::{AgentState, Status};
use crate::model::{Change, Snapshot};
use crate::policy::OnDrift;
use crate::policy::settle::{Burst, Pace, ResolverNews, look_again};
use crate::watch::wake::WakeClock;
use crate::watch::{Hint, WatchPaths, Watcher, survey};

/// Editors and `go env -w` write in several steps; half of it is no news.
const WRITERS_PAUSE: Duration = Duration::from_millis(40);

/// A turn that failed is tried again at least this often, also where `recheck` is off: what made it
/// fail (a full disk, a file that another program holds open) may end without an event.
const LATEST_RETRY: Duration = Duration::from_secs(600);

/// The agent.
pub(super) struct Agent {
    pub(super) session: Session,
    pub(super) watcher: Watcher,
    publish: watch::Sender<Status>,
    wake: WakeClock,
    pub(super) snapshot: Snapshot,
    /// What has changed since the last finished turn.
    changes: Vec<Change>,
    burst: Burst,
    pub(super) pace: Pace,
    pub(super) timers: Timers,
    pub(super) work: Option<Work>,
    doubtful_rounds: u32,
    /// Of `on_drift = "restore"`.
    corrections: Restraint,
    /// Of what the journal tells of drift.
    notes: Restraint,
    /// Another program that keeps changing what goroam writes.
    fight: Option<String>,
    pub(super) policy_trouble: Option<String>,
    pub(super) turn_trouble: Option<String>,
    blindness: Option<String>,
    pub(super) successor: Successor,
    pub(super) keeper: Keeper,
    /// Targets that are waited for beside the rounds.
    pub(super) late: Late,
    pub(super) policy_away: Away,
    pub(super) env_file_away: Away,
}

impl Agent {
    /// `own`: files of goroam's own that must stay where they are.
    pub(super) fn new(
        session: Session,
        publish: watch::Sender<Status>,
        own: Vec<PathBuf>,
    ) -> Agent {
        let now = Instant::now();
        let go_env = session.file().ok().map(|file| file.path);
        let policy = Some(session.paths.policy.clone());
        let settle = session.loaded.policy.agent.settle;
        let successor = Successor::of_process();
        let program = successor.path();
        let is_told = session.last_good.is_some();
        Agent {
            watcher: Watcher::start(WatchPaths {
                policy,
                go_env,
                own,
                program,
            }),
            publish,
            wake: WakeClock::new(),
            snapshot: Snapshot::default(),
            changes: Vec::new(),
            burst: Burst::begin(now),
            pace: Pace::new(settle, now),
            timers: Timers::default(),
            work: None,
            doubtful_rounds: 0,
            corrections: Restraint::default(),
            notes: Restraint::default(),
            fight: None,
            policy_trouble: None,
            turn_trouble: None,
            blindness: None,
            successor,
            keeper: Keeper::default(),
            late: Late::default(),
            policy_away: Away::at_start(is_told && !is_there(&session.paths.policy)),
            env_file_away: Away::default(),
            session,
        }
    }

    pub(super) fn start(&mut self) {
        self.snapshot = self.survey();
        self.session.journal_trouble = self.session.trouble_of_journal();
        if let Some(trouble) = &self.session.journal_trouble {
            warn!("{trouble}");
        }
        info!(policy = self.session.loaded.origin(), "watches the network");
        // What took this program's place before its folder was watched sent no event.
        self.successor.hint(Instant::now());
        if !self.session.memory.paused {
            self.begin(Cause::Start, false, Vec::new());
        }
        self.tell();
    }

    // --- events ------------------------------------------------------------------------

    pub(super) async fn hint(&mut self, hint: Hint) {
        let now = Instant::now();
        match hint {
            Hint::Network | Hint::Resolver | Hint::Lost => self.look(now).await,
            Hint::Wake => {
                // Timers stand still in a sleep, and know nothing of a clock that was set.
                self.timers.pin = self.session.pin_lasts().map(|left| now + left);
                self.look(now).await;
            }
            Hint::PolicyFile => {
                // Not after the writer's pause: a round may end, and write, before that.
                self.policy_settles(now);
                self.timers.policy.get_or_insert(now + WRITERS_PAUSE);
            }
            Hint::Program => self.successor.hint(now),
            Hint::EnvFile => {
                if let Some(again) = self.env_file_settles(now)
                    && self.work.is_some()
                {
                    self.drop_work();
                    self.timers.round = Some(again);
                }
                self.timers.env_file.get_or_insert(now + WRITERS_PAUSE);
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
            // Not over where the clock was set back meanwhile.
            self.timers.pin = self.session.pin_lasts().map(|left| now + left);
            if is_over && self.session.memory.paused {
                self.tell();
            } else if is_over {
                self.begin(Cause::PinEnded, false, Vec::new());
            }
        }
        if due(&mut self.timers.round, now) {
            self.look(now).await;
            if self.work.is_none() && !self.session.memory.paused {
                self.begin(Cause::Recheck, false, Vec::new());
            }
        }
    }

    /// A round has come to its end without being dropped.
    pub(super) async fn done(&mut self, ready: Result<Ready, Error>) {
        let Some(work) = self.work.take() else { return };
        let mut doubtful = ready.as_ref().map_or(true, Ready::is_doubtful);
        let mut silent = BTreeSet::new();
        let result = match ready {
            Ok(mut ready) => {
                if !work.dry_run {
                    silent = std::mem::take(&mut ready.silent);
                }
                self.session.finish(ready, work.dry_run).await
            }
            Err(error) => Err(error),
        };
        let trouble = result.as_ref().err().map(ToString::to_string);
        // Trying again and failing for the same reason is no news for the journal.
        let is_repeated = work.cause == Cause::Recheck && trouble == self.turn_trouble;
        if let Err(error) = &result
            && !work.dry_run
        {
            doubtful = true;
            if !is_repeated {
                self.session.note_failure(Failed {
                    cause: work.cause,
                    snapshot: &self.snapshot,
                    changes: &self.changes,
                    error,
                });
            }
        }
        if !work.dry_run {
            self.changes.clear();
            self.doubtful_rounds = if doubtful {
                self.doubtful_rounds.saturating_add(1)
            } else {
                0
            };
        }
        self.turn_trouble = trouble;
        if let Some(trouble) = &self.turn_trouble {
            warn!(cause = work.cause.as_str(), "{trouble}");
        }
        self.wait_for(silent);
        self.schedule();
        self.keep_ready();
        let status = self.tell();
        match result {
            Ok(mut report) => {
                if !work.dry_run {
                    report.status = status;
                }
                for answer in work.answers {
                    let _ = answer.send(Reply::Turn(Box::new(report.clone())));
                }
            }
            Err(error) => {
                for answer in work.answers {
                    let _ = answer.send(failed(&error));
                }
            }
        }
    }

    /// Who cannot see the network says so, and goes by what the probes see.
    fn survey(&mut self) -> Snapshot {
        match survey() {
            Ok(snapshot) => {
                self.blindness = None;
                snapshot
            }
            Err(error) => {
                let trouble = error.to_string();
                if self.blindness.as_ref() != Some(&trouble) {
                    warn!("{trouble}");
                }
                self.blindness = Some(trouble);
                Snapshot::blind()
            }
        }
    }

    // --- what they lead to -------------------------------------------------------------

    /// Reads the network again and, when something is different that matters, drops the stale
    /// round and begins a new one.
    async fn look(&mut self, now: Instant) {
        if let Err(again) = self.pace.take(now) {
            self.timers.look = Some(again);
            return;
        }
        self.timers.look = None;
        let snapshot = self.survey();
        let changes = Change::between(&self.snapshot, &snapshot);
        // Asked only here: a look that is put off must not forget the sleep.
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
            self.tell();
            return;
        }
        self.doubtful_rounds = 0;
        self.keeper.stop();
        self.late.drop_all();
        self.use_what_is_known().await;
        self.begin(
            if slept { Cause::Wake } else { Cause::Network },
            false,
            Vec::new(),
        );
    }

    pub(super) fn look_again_now(&mut self) {
        let snapshot = self.survey();
        let changes = Change::between(&self.snapshot, &snapshot);
        if changes.iter().any(|change| change.major) {
            self.late.drop_all();
        }
        Change::add(changes, &mut self.changes);
        self.snapshot = snapshot;
    }

    /// On a network where we have been before, the profile of last time is applied at once;
    /// the round that follows proves it.
    async fn use_what_is_known(&mut self) {
        if self.env_file_settles(Instant::now()).is_some() {
            return;
        }
        let occasion = self.occasion(Cause::Network);
        let Ok(input) = self.session.input(occasion) else {
            return;
        };
        let Some(decision) = known::decision(&input) else {
            return;
        };
        self.drop_work();
        let result = match known::get_ready(input, decision).await {
            Ok(ready) => self.session.finish(ready, false).await.map(drop),
            Err(error) => Err(error),
        };
        match result {
            Ok(()) => {
                self.tell();
            }
            Err(error) => debug!("the profile of last time: {error}"),
        }
    }

    /// Begins a round; one that is under way is stale and dropped, but who waited for it
    /// still gets an answer.
    pub(super) fn begin(&mut self, cause: Cause, dry_run: bool, mut answers: Vec<Answer>) {
        if answers.is_empty()
            && self
                .work
                .as_ref()
                .is_none_or(|work| work.answers.is_empty())
            && let Some(again) = self.env_file_settles(Instant::now())
        {
            self.work = None;
            self.timers.round = Some(again);
            return;
        }
        let mut began = if cause == Cause::Network {
            self.burst.last
        } else {
            Instant::now()
        };
        let mut cause = cause;
        let mut dry_run = dry_run;
        if let Some(stale) = self.work.take() {
            debug!(
                cause = stale.cause.as_str(),
                "a newer event drops the round under way"
            );
            // What was about to be written still is, though somebody only asks what would be.
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
        let mut occasion = self.occasion(cause);
        occasion.began = began;
        match self.session.input(occasion) {
            Ok(mut input) => {
                input.patience = Patience::Beside {
                    waiting: self.late.waiting.clone(),
                    late: std::mem::take(&mut self.late.news),
                };
                let round = Box::pin(round(input, !dry_run));
                self.work = Some(Work {
                    round,
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
                    let _ = answer.send(failed(&error));
                }
                self.schedule();
                self.tell();
            }
        }
    }

    fn drop_work(&mut self) {
        if let Some(work) = &mut self.work
            && work.answers.is_empty()
        {
            self.work = None;
        }
    }

    fn occasion(&self, cause: Cause) -> Occasion {
        let burst = match cause {
            Cause::Network | Cause::Wake => Some(self.burst),
            Cause::Start => Some(Burst {
                resolver: ResolverNews::Set,
                ..self.burst
            }),
            Cause::Asked
            | Cause::Recheck
            | Cause::Policy
            | Cause::Drift
            | Cause::PinEnded
            | Cause::Late => None,
        };
        Occasion {
            cause,
            snapshot: self.snapshot.clone(),
            changes: self.changes.clone(),
            burst,
            began: self.burst.last,
        }
    }

    /// Somebody has written the go env file. Our own writes are known by what they say.
    async fn look_for_drift(&mut self, now: Instant) {
        if let Some(again) = self.env_file_settles(now) {
            self.put_off_drift(again);
            self.tell();
            return;
        }
        let status = self.tell();
        if self.session.memory.paused {
            return;
        }
        if status.drift.is_empty() {
            if self.corrections.holds_back(now).is_none() {
                self.fight = None;
            }
            return;
        }
        let drift = status.drift.iter();
        let names: Vec<&str> = drift.map(|drift| drift.name.as_str()).collect();
        let names = names.join(", ");
        // A round under way writes what it must itself.
        let restore = self.session.loaded.policy.agent.on_drift == OnDrift::Restore;
        if restore && self.work.is_none() {
            match self.corrections.take(now) {
                Ok(()) => {
                    info!("another program changed {names}; setting it again");
                    self.tell_of_fight(&names, now);
                    self.begin(Cause::Drift, false, Vec::new());
                    return;
                }
                Err(again) => self.put_off_drift(again),
            }
        }
        match self.session.let_go(&self.snapshot).await {
            Ok(ended) if ended.is_empty() => {}
            Ok(ended) => {
                let ended = ended.join(", ");
                info!("{names} was set by hand; {ended} is as it was before goroam");
                // A round under way rests on the file as it was.
                if let Some(stale) = self.work.take() {
                    self.begin(stale.cause, stale.dry_run, stale.answers);
                }
                self.tell();
                return;
            }
            Err(error) => {
                warn!("{error}");
                self.turn_trouble = Some(error.to_string());
            }
        }
        match self.notes.take(now) {
            Ok(()) => {
                info!("another program changed {names}");
                self.session.note_drift(&self.snapshot, status.drift);
            }
            Err(again) => self.put_off_drift(again),
        }
        self.tell();
    }

    fn put_off_drift(&mut self, again: Instant) {
        let timer = &mut self.timers.env_file;
        *timer = Some(timer.map_or(again, |at| at.min(again)));
    }

    /// Says so, where goroam and another program write against each other.
    fn tell_of_fight(&mut self, names: &str, now: Instant) {
        let Some(wait) = self.corrections.holds_back(now) else {
            self.fight = None;
            return;
        };
        let what = format!(
            "another program keeps changing {names}; goroam sets it again in {} s at the earliest, and then more and more rarely",
            wait.as_secs()
        );
        if self.fight.is_none() {
            warn!("{what}");
            let change = Change {
                what: what.clone(),
                major: true,
            };
            Change::add(vec![change], &mut self.changes);
        }
        self.fight = Some(what);
    }

    // --- time and status ---------------------------------------------------------------

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

    pub(super) fn status(&self) -> Status {
        let mut status = self
            .session
            .status_of(&self.snapshot, &self.session.present());
        status.agent = AgentState::Running;
        self.session.history.tell(&mut status.targets);
        for target in &mut status.targets {
            if self.late.waiting.contains(&target.name) {
                target.reason.push_str("; it is still waited for");
            }
        }
        let told = |trouble: &&String| !status.troubles.contains(*trouble);
        let policy = self.policy_trouble.as_ref().filter(told).cloned();
        status.troubles.extend(policy);
        status.troubles.extend(self.turn_trouble.clone());
        status.troubles.extend(self.fight.clone());
        status.troubles.extend(self.blindness.clone());
        status.troubles.extend(self.watcher.troubles());
        status.troubles.extend(self.successor.trouble.clone());
        status.troubles.extend(self.keeper.trouble.clone());
        if self.session.memory.paused {
            status
                .troubles
                .push("paused; `goroam auto` goes on".to_owned());
        }
        status
    }

    /// The status that was told last.
    pub(super) fn last_told(&self) -> watch::Ref<'_, Status> {
        self.publish.borrow()
    }

    /// Tells whoever watches, when there is news.
    pub(super) fn tell(&mut self) -> Status {
        let status = self.status();
        self.publish.send_if_modified(|last| {
            let news = *last != status;
            last.clone_from(&status);
            news
        });
        status
    }
}
