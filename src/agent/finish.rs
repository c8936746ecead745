//! The part of a turn that is carried through once it has begun: the file takes its place,
//! the memory and the journal follow.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use tracing::{info, warn};

use super::cause::Cause;
use super::command::TurnReport;
use super::drift::{self, Present, managed, read_text};
use super::error::Error;
use super::gofacts::GoFacts;
use super::round::{PreparedTurn, Stopwatch, millis};
use super::session::Session;
use super::{clock, recall, targets};
use crate::gocmd::{self, EnvFile, EnvText, InPlace, Prepared, RestoreError, prepare};
use crate::model::mask::mask;
use crate::model::plan::{Plan, PlanStep, Want, diff};
use crate::model::status::{Drift, Switch};
use crate::model::{Change, NetworkId, Observation, Snapshot};
use crate::policy::explain;
use crate::state::entry::Outcome;
use crate::state::file::private_folder;
use crate::state::memory::MOST_SWITCHES;
use crate::state::{Baseline, Entry, Mark, Memory};
use crate::watch::survey;

/// Networks that are remembered; the longest unseen go first.
const NETWORKS: usize = 64;

impl Session {
    /// Carries a round through. `dry_run`: says what would be done, and keeps nothing.
    pub(crate) async fn finish(
        &mut self,
        ready: PreparedTurn,
        dry_run: bool,
    ) -> Result<TurnReport, Error> {
        let PreparedTurn {
            input,
            go,
            seen,
            health,
            silent: _,
            waited,
            decision,
            mut present,
            plan,
            prepared,
            mut ms,
        } = ready;
        let mut watch = Stopwatch::start();
        let from = self.memory.profile.clone();
        let changed: Vec<String> = plan.changes().map(|step| step.name().to_owned()).collect();
        self.go = Some(go);
        let before = drift::shown(&self.memory, &input.file, &present);
        let mut visible = Instant::now();
        let outcome = match prepared {
            _ if dry_run => Outcome::DryRun,
            None => Outcome::Unchanged,
            Some(prepared) => {
                (present, visible) = self
                    .put_in_place(&input.file, &present, &plan, prepared)
                    .await?;
                Outcome::Written {
                    changed: changed.clone(),
                }
            }
        };
        watch.lap("apply", &mut ms);
        // What follows the swap is looking after other writers; it keeps nobody waiting.
        let took = millis(visible.saturating_duration_since(input.began));
        ms.insert("all".to_owned(), took);

        let why = explain::because(&decision, &self.loaded.policy, &input.snapshot, &seen);
        let now = clock::now();
        let report: Vec<Observation> = seen.into_values().map(|seen| seen.observation).collect();
        if dry_run {
            // Shown as if it had been done, and not kept.
            let memory = self.memory.clone();
            self.remember(&decision.profile, &why, &input.snapshot, &report, now, None);
            let status = self.status_of(&input.snapshot, &present);
            self.memory = memory;
            return Ok(turn_report(
                status, changed, decision, from, plan, outcome, ms,
            ));
        }
        self.history
            .take_down(&report, self.loaded.policy.targets.keys());
        targets::take_down(
            &mut self.memory,
            input.cause,
            &input.snapshot,
            &report,
            &self.loaded.policy,
        );
        self.memory.waited.extend(waited);
        let written = matches!(outcome, Outcome::Written { .. });
        if from.as_deref() != Some(decision.profile.as_str()) {
            info!(
                from = from.as_deref().unwrap_or("-"),
                to = decision.profile,
                ms = took,
                why,
                "switched"
            );
        }
        self.remember(
            &decision.profile,
            &why,
            &input.snapshot,
            &report,
            now,
            written.then_some(took),
        );
        self.memory.health = health;
        let turn = self.next_turn();
        let entry = Entry {
            turn,
            at: now,
            cause: input.cause.as_str().to_owned(),
            changes: input.changes,
            drift: self.news_of_drift(before, &changed),
            snapshot: input.snapshot.clone(),
            left_out: None,
            report,
            decision: Some(decision.clone()),
            from: from.clone(),
            plan: plan.clone(),
            outcome: outcome.clone(),
            ms: ms.clone(),
        };
        self.journal(&entry);
        self.memory.drift_noted = drift::shown(&self.memory, &input.file, &present);
        self.save_memory()?;
        let status = self.status_of(&input.snapshot, &present);
        Ok(turn_report(
            status, changed, decision, from, plan, outcome, ms,
        ))
    }

    /// Says what a write had to give up: once in the log, and in the status until the next one.
    pub(crate) fn note_given_up(&mut self, in_place: Option<&InPlace>, file: &EnvFile) {
        self.given_up = in_place.map(|why| why.told(&file.path));
        if let Some(told) = &self.given_up {
            info!("{told}");
        }
    }

    /// Puts the copy in the real file's place, with notes before and after. Also when every new
    /// go command could see it.
    pub(super) async fn put_in_place(
        &mut self,
        file: &EnvFile,
        present: &Present,
        plan: &Plan,
        prepared: Prepared,
    ) -> Result<(Present, Instant), Error> {
        self.keep_baseline(present)?;
        let values = values_after(&self.memory, present, plan);
        let baseline = self.baseline.as_ref();
        let before = present.bytes.as_deref();
        let shared = drift::is_shared(&self.memory, baseline, file, before);
        let note = drift::note(file, &prepared.after, values.clone(), shared);
        self.memory.pending = Some(note);
        self.save_memory()?;
        let committing = Instant::now();
        let applied = prepared.commit().await?;
        let visible = committing + applied.visible_after;
        let slipped_in = applied.merged > 0 || applied.before != present.bytes;
        let text = EnvText(applied.after);
        let note = drift::note(file, &text.0, values, shared || slipped_in);
        self.memory.written = Some(note);
        self.memory.pending = None;
        let names = managed(&self.loaded.policy, self.baseline.as_ref());
        self.note_given_up(applied.in_place.as_ref(), file);
        Ok((Present::of(Some(text), &names), visible))
    }

    /// What the journal has to tell of variables that were set by hand: each once, and again
    /// when the turn has overwritten it.
    pub(super) fn news_of_drift(&self, found: Vec<Drift>, changed: &[String]) -> Vec<Drift> {
        let mut news = found;
        news.retain(|drift| {
            changed.contains(&drift.name) || !self.memory.drift_noted.contains(drift)
        });
        news
    }

    /// Keeps a note of a turn that came to nothing: a journal that only tells of what went
    /// well is of no use when something does not.
    pub(crate) fn note_failure(
        &mut self,
        cause: Cause,
        snapshot: &Snapshot,
        changes: &[Change],
        error: &Error,
    ) {
        let turn = self.next_turn();
        let entry = Entry {
            turn,
            at: clock::now(),
            cause: cause.as_str().to_owned(),
            changes: changes.to_vec(),
            drift: Vec::new(),
            snapshot: snapshot.clone(),
            left_out: None,
            report: Vec::new(),
            decision: None,
            from: self.memory.profile.clone(),
            plan: Plan::default(),
            outcome: Outcome::Failed {
                error: mask(&error.to_string()),
            },
            ms: BTreeMap::new(),
        };
        self.journal(&entry);
        if let Err(error) = self.save_memory() {
            warn!("{error}");
        }
    }

    /// Keeps what the file held before goroam's first write, and what newly managed variables
    /// held before their first. Nothing may be written before that is done.
    fn keep_baseline(&mut self, present: &Present) -> Result<(), Error> {
        self.keep_folder()?;
        let names = managed(&self.loaded.policy, self.baseline.as_ref());
        let names = names.iter().map(String::as_str);
        // A command without an agent may have begun while this one started: what it has kept is
        // older than what stands there now, and what it has put back and forgotten is needed again.
        let on_disk = match Baseline::load(&self.paths.baseline()) {
            Ok(on_disk) => on_disk,
            // What is known of before takes the damaged one's place; see `recall`.
            Err(_) if self.baseline.is_some() => {
                let path = self.paths.baseline();
                let _ = std::fs::rename(&path, path.with_extension("json.broken"));
                None
            }
            Err(error) => {
                let why = self.baseline_trouble.clone();
                return Err(Error::State {
                    what: "cannot keep what the go env file held before goroam".to_owned(),
                    source: why.unwrap_or_else(|| format!("{error:#}")).into(),
                });
            }
        };
        let is_kept = on_disk.is_some();
        if self.baseline.is_none() {
            self.baseline = on_disk;
            self.own_file()?;
        }
        // Not taken out: what cannot be kept just now must not be forgotten either.
        let (kept, grown) = match self.baseline.clone() {
            Some(mut kept) => {
                let text = EnvText(present.bytes.clone().unwrap_or_default());
                let grown = kept.manage(&text, names);
                (kept, grown)
            }
            None => {
                let file = self.file()?;
                (
                    Baseline::capture(&file.path, present.bytes.as_deref(), names),
                    true,
                )
            }
        };
        if grown || !is_kept {
            kept.save(&self.paths.baseline())
                .map_err(|source| Error::State {
                    what: "cannot keep what the go env file held before".to_owned(),
                    source: source.into(),
                })?;
        }
        self.baseline = Some(kept);
        if let Some(trouble) = self.baseline_trouble.take() {
            warn!("{trouble}");
        }
        Ok(())
    }

    fn remember(
        &mut self,
        profile: &str,
        why: &str,
        snapshot: &Snapshot,
        report: &[Observation],
        now: jiff::Timestamp,
        switched_ms: Option<f64>,
    ) {
        let memory = &mut self.memory;
        if memory.profile.as_deref() != Some(profile) {
            let from = memory.profile.replace(profile.to_owned());
            memory.since = Some(now);
            memory.switches.push(Switch {
                at: now,
                from,
                to: profile.to_owned(),
                why: Some(why.to_owned()),
                ms: switched_ms,
            });
            let surplus = memory.switches.len().saturating_sub(MOST_SWITCHES);
            memory.switches.drain(..surplus);
        }
        memory.why = Some(why.to_owned());
        memory.switched_ms = switched_ms.or(memory.switched_ms);
        memory.snapshot = Memory::network(snapshot);
        memory.seen =
            BTreeMap::from_iter(report.iter().map(|one| (one.target.clone(), one.clone())));
        if let Some(identity) = snapshot.identity()
            && memory.pinned.is_none()
        {
            memory.networks.insert(identity, (profile.to_owned(), now));
        }
        while memory.networks.len() > NETWORKS {
            let oldest: Option<NetworkId> = memory
                .networks
                .iter()
                .min_by_key(|(_, (_, at))| *at)
                .map(|(identity, _)| identity.clone());
            let Some(oldest) = oldest else { break };
            memory.networks.remove(&oldest);
        }
    }

    /// The number of the turn that is noted next. Where what goroam remembers is lost, the
    /// journal's own numbers go on, and how it ended before cannot be vouched for any more.
    pub(crate) fn next_turn(&mut self) -> u64 {
        if self.memory.turn == 0
            && let Ok((entries, _)) = crate::state::Journal::last(&self.paths.journal(), 1)
            && let Some(last) = entries.last()
        {
            self.memory.turn = last.turn;
            self.memory.journal = Some(Mark::default());
        }
        self.memory.turn = self.memory.turn.saturating_add(1);
        self.memory.turn
    }

    /// The file is right by now: a journal that cannot be written is a trouble, not a failure.
    /// The memory is saved after it: of a kill in between nothing is told.
    pub(crate) fn journal(&mut self, entry: &Entry) {
        // Of a goroam of before only the turn before this one is known.
        let mark = self.memory.journal.clone().unwrap_or_else(|| Mark {
            turn: entry.turn.saturating_sub(1),
            ..Mark::default()
        });
        let path = self.paths.journal();
        let appended = crate::state::Journal::open(&path)
            .and_then(|mut journal| journal.append_after(entry, Some(&mark)));
        self.journal_trouble = match appended {
            Ok(mark) => {
                let gap = mark.gaps.first();
                let told = gap
                    .map(|gap| format!("{}: {gap}; see `goroam history --verify`", path.display()));
                self.memory.journal = Some(mark);
                told
            }
            Err(error) => Some(format!("the journal is not written: {error}")),
        };
        if let Some(trouble) = &self.journal_trouble {
            warn!("{trouble}");
        }
    }

    /// Is the journal as goroam has left it?
    pub(crate) fn trouble_of_journal(&self) -> Option<String> {
        let verified =
            crate::state::Journal::verify_after(&self.paths.journal(), &self.memory.mark());
        verified.err().map(|error| {
            format!("the journal is not whole: {error}; see `goroam history --verify`")
        })
    }

    /// Somebody may have cleared away the folder since this agent began; without it no turn
    /// would ever succeed again.
    pub(crate) fn keep_folder(&self) -> Result<(), Error> {
        private_folder(&self.paths.state).map_err(|source| Error::State {
            what: "cannot keep anything".to_owned(),
            source: source.into(),
        })
    }

    pub(crate) fn save_memory(&mut self) -> Result<(), Error> {
        self.keep_folder()?;
        self.memory.before = self.baseline.clone();
        self.memory
            .save(&self.paths.memory())
            .map_err(|source| Error::State {
                what: format!("cannot keep {}", self.paths.memory().display()),
                source: source.into(),
            })
    }

    /// Takes back what goroam has set for the sake of a value that somebody else has changed
    /// since; the names of it, none where nothing was to be done.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) async fn let_go(&mut self, snapshot: &Snapshot) -> Result<Vec<String>, Error> {
        let began = Instant::now();
        let file = self.own_file()?;
        let names = managed(&self.loaded.policy, self.baseline.as_ref());
        let text = read_text(&file)?;
        let present = Present::of(text.clone(), &names);
        let found = drift::shown(&self.memory, &file, &present);
        let ended = self.to_end(&present)?;
        if ended.is_empty() {
            return Ok(Vec::new());
        }
        let ended = ended.into_iter();
        let wants = BTreeMap::from_iter(ended.map(|(name, own)| (name, Want::Baseline(own))));
        // The note of what was written must have every variable, also those that stay.
        let mut plan = diff(&present.values, &wants);
        let rest = names.iter().filter(|name| !wants.contains_key(*name));
        let rest = BTreeMap::from_iter(rest.map(|name| (name.clone(), Want::Respect)));
        plan.steps.extend(diff(&present.values, &rest).steps);
        let changed: Vec<String> = plan.changes().map(|step| step.name().to_owned()).collect();
        if changed.is_empty() {
            return Ok(changed);
        }
        let nothing = EnvText::default();
        let around = (&file, text.as_ref().unwrap_or(&nothing));
        let (known, policy) = (self.go.as_ref(), &self.loaded.policy);
        let baseline = self.baseline.as_ref();
        let go = GoFacts::gather(known, policy, &self.env, around, baseline).await?;
        let prepared = prepare(&go.command, &file, &self.env, &plan).await?;
        self.go = Some(go);
        let (after, visible) = self.put_in_place(&file, &present, &plan, prepared).await?;
        let mut entry = self.entry_of_drift(snapshot, found);
        entry.changes = vec![said(&changed)];
        entry.plan = plan;
        entry.outcome = Outcome::Written {
            changed: changed.clone(),
        };
        let took = millis(visible.saturating_duration_since(began));
        entry.ms = BTreeMap::from([("all".to_owned(), took)]);
        self.journal(&entry);
        self.memory.drift_noted = drift::shown(&self.memory, &file, &after);
        self.save_memory()?;
        Ok(changed)
    }

    /// What goroam has set for the sake of a value that was changed by hand, and that still
    /// stands there; with what it is to go back to.
    pub(super) fn to_end(
        &self,
        present: &Present,
    ) -> Result<BTreeMap<String, Option<String>>, Error> {
        let file = self.own_file()?;
        let Some(written) = &self.memory.written else {
            return Ok(BTreeMap::new());
        };
        let drifted = drift::find(&self.memory, &file, present);
        let by_hand: BTreeSet<String> = BTreeSet::from_iter(drifted.into_keys());
        let ours = written.values.clone();
        Ok(drift::ended(
            &by_hand,
            &ours,
            present,
            self.baseline.as_ref(),
        ))
    }

    /// Keeps a note of what was set by hand, where nothing is written for it.
    pub(super) fn note_drift(&mut self, snapshot: &Snapshot, mut found: Vec<Drift>) {
        // What came of it has a turn of its own.
        for drift in &mut found {
            drift.ended = Vec::new();
        }
        let news = self.news_of_drift(found.clone(), &[]);
        if news.is_empty() {
            return;
        }
        let entry = self.entry_of_drift(snapshot, news);
        self.journal(&entry);
        self.memory.drift_noted = found;
        if let Err(error) = self.save_memory() {
            tracing::warn!("{error}");
        }
    }

    fn entry_of_drift(&mut self, snapshot: &Snapshot, drift: Vec<Drift>) -> Entry {
        let turn = self.next_turn();
        Entry {
            turn,
            at: clock::now(),
            cause: Cause::Drift.as_str().to_owned(),
            changes: Vec::new(),
            drift,
            snapshot: snapshot.clone(),
            left_out: None,
            report: Vec::new(),
            decision: None,
            from: self.memory.profile.clone(),
            plan: Plan::default(),
            outcome: Outcome::Unchanged,
            ms: BTreeMap::new(),
        }
    }

    /// Puts the go env file back to what it was before goroam's first write: byte for byte
    /// when nobody else wrote meanwhile, else variable by variable, so that what others wrote
    /// beside goroam's variables stays.
    ///
    /// # Errors
    /// When there is nothing to put back, or it could not be done.
    pub async fn restore(&mut self) -> Result<TurnReport, Error> {
        let _lock = self.alone().await?;
        self.put_back().await
    }

    /// The same for an agent, whose memory is its own.
    pub(crate) async fn put_back(&mut self) -> Result<TurnReport, Error> {
        let began = Instant::now();
        let Some(baseline) = self.baseline.clone() else {
            return Err(match self.baseline_trouble.clone() {
                Some(why) => Error::State {
                    what: "cannot put anything back".to_owned(),
                    source: why.into(),
                },
                None => Error::NothingToRestore,
            });
        };
        let trouble = recall::said(Some(&baseline)).map(|_| LOST.to_owned());
        let file = self.own_file()?;
        let present = self.present();
        let overwritten = drift::shown(&self.memory, &file, &present);
        let wants: BTreeMap<String, Want> = BTreeMap::from_iter(
            baseline
                .values
                .iter()
                .map(|(name, value)| (name.clone(), Want::Baseline(value.clone()))),
        );
        let plan = diff(&present.values, &wants);
        let changed: Vec<String> = plan.changes().map(|step| step.name().to_owned()).collect();
        let alone = self.memory.written.as_ref().is_some_and(|written| {
            let now = present.bytes.as_deref().unwrap_or_default();
            !baseline.lost && !written.shared && drift::holds(written, now)
        });
        let bytes = baseline.decoded().map_err(|source| Error::State {
            what: "what the go env file held before goroam".to_owned(),
            source: source.into(),
        })?;
        let expect = present.bytes.as_deref().unwrap_or_default();
        let back = alone
            && match gocmd::restore(&file, bytes, expect).await {
                Ok(in_place) => {
                    self.note_given_up(in_place.as_ref(), &file);
                    true
                }
                Err(RestoreError::Changed { .. }) => false,
                Err(RestoreError::Apply(error)) => return Err(error.into()),
            };
        if !back && !plan.is_empty() {
            let text = read_text(&file)?.unwrap_or(EnvText(Vec::new()));
            let (known, policy) = (self.go.as_ref(), &self.loaded.policy);
            let go = GoFacts::gather(known, policy, &self.env, (&file, &text), None).await?;
            let prepared = gocmd::prepare(&go.command, &file, &self.env, &plan).await?;
            let applied = prepared.commit().await?;
            self.note_given_up(applied.in_place.as_ref(), &file);
        }
        Baseline::remove(&self.paths.baseline()).map_err(|source| Error::State {
            what: "cannot forget what the go env file held before goroam".to_owned(),
            source: source.into(),
        })?;
        self.baseline = None;
        self.baseline_trouble = None;
        let from = self.memory.profile.take();
        self.memory.since = None;
        self.memory.why = None;
        self.memory.pinned = None;
        self.memory.written = None;
        self.memory.pending = None;
        self.memory.drift_noted = Vec::new();
        let turn = self.next_turn();
        let snapshot: Snapshot = survey().unwrap_or_else(|_| self.memory.snapshot.clone());
        let took = BTreeMap::from([(
            "all".to_owned(),
            millis(Instant::now().saturating_duration_since(began)),
        )]);
        let outcome = Outcome::Restored {
            changed: changed.clone(),
        };
        self.journal(&Entry {
            turn,
            at: clock::now(),
            cause: "asked".to_owned(),
            changes: Vec::new(),
            drift: overwritten,
            snapshot: snapshot.clone(),
            left_out: None,
            report: Vec::new(),
            decision: None,
            from: from.clone(),
            plan: plan.clone(),
            outcome: outcome.clone(),
            ms: took.clone(),
        });
        self.save_memory()?;
        let mut status = self.status_of(&snapshot, &self.present());
        status.troubles.extend(trouble);
        Ok(TurnReport {
            status,
            changed,
            decision: None,
            from,
            plan: masked(plan),
            outcome,
            took,
        })
    }
}

/// What every managed variable will be: what was written before, and what the plan says.
fn values_after(
    memory: &Memory,
    present: &Present,
    plan: &Plan,
) -> BTreeMap<String, Option<String>> {
    BTreeMap::from_iter(plan.steps.iter().map(|step| {
        let value = match step {
            PlanStep::Set { value, .. } => Some(value.clone()),
            PlanStep::Unset { .. } => None,
            // What is respected stays a drift: the note keeps what goroam wrote.
            PlanStep::Leave { name, .. } => memory
                .written
                .as_ref()
                .and_then(|written| written.values.get(name).cloned())
                .unwrap_or_else(|| present.values.get(name).cloned()),
        };
        (step.name().to_owned(), value)
    }))
}

fn turn_report(
    status: crate::model::status::Status,
    changed: Vec<String>,
    decision: crate::policy::Decision,
    from: Option<String>,
    plan: Plan,
    outcome: Outcome,
    took: BTreeMap<String, f64>,
) -> TurnReport {
    let mut decision = decision;
    for value in decision.env.values_mut() {
        *value = mask(value);
    }
    TurnReport {
        status,
        changed,
        decision: Some(decision),
        from,
        plan: masked(plan),
        outcome,
        took,
    }
}

/// The plan without credentials, for whoever looks at it.
pub(crate) fn masked(mut plan: Plan) -> Plan {
    for step in &mut plan.steps {
        if let PlanStep::Set { value, .. } = step {
            *value = mask(value);
        }
    }
    plan
}

/// What became of goroam's own values, in one line.
fn said(changed: &[String]) -> Change {
    let what = format!("{} as before goroam", changed.join(", "));
    Change { what, major: true }
}

const LOST: &str = "the record of what the go env file held before goroam was lost: goroam's own \
                    lines are out, what they had replaced is not known; look at `go env -changed`";

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::super::policy_file::built_in;
    use super::super::targets::TargetHistory;
    use super::{Baseline, Memory, Present, Session, managed};
    use crate::environment::Environment;
    use crate::gocmd::EnvText;
    use crate::paths::Paths;

    fn session(home: &Path) -> Session {
        let own = home.to_str().unwrap();
        // What Unix and what Windows look for.
        let env: Environment = [("HOME", own), ("USERPROFILE", own), ("APPDATA", own)]
            .into_iter()
            .collect();
        Session {
            paths: Paths {
                policy: home.join("goroam.toml"),
                policy_named: false,
                state: home.to_owned(),
                data: home.to_owned(),
                runtime: home.join("run"),
            },
            loaded: Arc::new(built_in(&env).unwrap()),
            env: Arc::new(env),
            memory: Memory::default(),
            baseline: None,
            go: None,
            journal_trouble: None,
            given_up: None,
            last_good: None,
            baseline_trouble: None,
            history: TargetHistory::default(),
        }
    }

    fn present(session: &Session, text: &str) -> Present {
        let names = managed(&session.loaded.policy, None);
        Present::of(Some(EnvText(text.into())), &names)
    }

    #[test]
    fn what_another_command_has_kept_meanwhile_is_not_lost() {
        let folder = tempfile::tempdir().unwrap();
        let (mut command, mut agent) = (session(folder.path()), session(folder.path()));
        let path = agent.paths.baseline();
        let of_the_user = present(&command, "GOPROXY=https://mine.test\n");
        command.keep_baseline(&of_the_user).unwrap();
        let kept = Baseline::load(&path).unwrap().unwrap();
        // It has written since then, and the agent knew of nothing when it began.
        let of_goroam = present(&agent, "GOPROXY=off\n");
        agent.keep_baseline(&of_goroam).unwrap();
        assert_eq!(Baseline::load(&path).unwrap().as_ref(), Some(&kept));
        assert_eq!(agent.baseline.as_ref(), Some(&kept));
        // It has put everything back, and the agent is about to write again.
        Baseline::remove(&path).unwrap();
        agent.keep_baseline(&of_the_user).unwrap();
        assert_eq!(Baseline::load(&path).unwrap(), Some(kept));
    }
}
