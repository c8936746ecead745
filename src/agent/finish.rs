//! The part of a turn that is always completed once it has begun: the new file replaces the old
//! one, then memory and journal are written.

use std::collections::BTreeMap;
use std::time::Instant;

use tracing::{info, warn};

use super::command::{Cause, TurnReport};
use super::drift::{self, Present, managed};
use super::error::Error;
use super::session::Session;
use super::turn::{PreparedTurn, Probed, ground, prepare_write};
use super::{clock, fastest, targets};
use crate::gocmd::{self, EnvFile, EnvText, InPlace, Prepared, RestoreError};
use crate::gomod::sum::sha256_hex;
use crate::model::mask::mask;
use crate::model::plan::{Plan, PlanStep, Want, diff};
use crate::model::status::{Drift, Status, Switch};
use crate::model::text::milliseconds;
use crate::model::{Change, Snapshot};
use crate::paths::exact;
use crate::policy::explain;
use crate::relay::stats::Incident;
use crate::state::entry::Outcome;
use crate::state::file::private_folder;
use crate::state::memory::{KnownNetwork, MOST_SWITCHES, Written};
use crate::state::{Baseline, Entry, Journal, Mark, Memory};
use crate::watch::survey;

/// How many networks are remembered; those not seen for the longest time are dropped first.
const NETWORKS: usize = 64;

impl Session {
    /// Completes a round. `dry_run`: reports what would be done, and keeps nothing.
    pub(crate) async fn finish(
        &mut self,
        ready: PreparedTurn,
        dry_run: bool,
    ) -> Result<TurnReport, Error> {
        let PreparedTurn {
            input,
            go,
            probed,
            mut present,
            plan,
            relayed,
            prepared,
            mut ms,
        } = ready;
        let began = Instant::now();
        let from = self.memory.profile.clone();
        let changed = changed_names(&plan);
        self.go = Some(go);
        let before = drift::shown(&self.memory, &input.file, &present);
        let mut visible = began;
        let outcome = match prepared {
            _ if dry_run => Outcome::DryRun,
            None => Outcome::Unchanged,
            Some(prepared) => {
                let put = self.put_in_place(&input.file, &present, &plan, prepared);
                (present, visible) = put.await?;
                Outcome::Written {
                    changed: changed.clone(),
                }
            }
        };
        ms.insert("apply".to_owned(), milliseconds(began.elapsed()));
        if !dry_run {
            self.relayed = relayed;
        }
        // The work after the swap only checks for other writers; no go command waits for it.
        let took = milliseconds(visible.saturating_duration_since(input.began));
        ms.insert("all".to_owned(), took);

        let Probed { decision, seen, .. } = probed;
        let why = explain::because(&decision, &self.loaded.policy, &input.snapshot, &seen);
        let counts_as_before = seen
            .iter()
            .filter(|(_, state)| state.up != state.observation.is_up());
        let counts_as_before = counts_as_before.map(|(name, _)| name.clone());
        let mut entry = Entry {
            at: clock::now(),
            trace: input.trace,
            cause: input.cause.as_str().to_owned(),
            changes: input.changes,
            snapshot: input.snapshot,
            counts_as_before: counts_as_before.collect(),
            report: seen.into_values().map(|seen| seen.observation).collect(),
            decision: Some(decision),
            from,
            plan,
            outcome,
            ms,
            ..Entry::default()
        };
        // A dry run is shown as if it had been done, but is not kept.
        let kept = dry_run.then(|| self.memory.clone());
        targets::note_round(
            &mut self.memory,
            input.cause,
            &entry.snapshot,
            &entry.report,
            &self.loaded.policy,
        );
        if let Some(decision) = &entry.decision {
            let (snapshot, report) = (&entry.snapshot, &entry.report);
            let policy = &self.loaded.policy;
            fastest::note_round(&mut self.memory, snapshot, decision, report, policy);
        }
        self.remember(&entry, &why);
        if self.memory.pinned.is_none() && !dry_run {
            // A mirror stays known until its pin has ended and its values are gone.
            self.lay_mirror();
        }
        if let Some(memory) = kept {
            let status = self.status_of(&entry.snapshot, &present);
            self.memory = memory;
            return Ok(turn_report(status, entry));
        }
        // The round of a provisional turn continues.
        if !self.memory.provisional {
            let targets = self.loaded.policy.targets.keys();
            self.history.note_round(&entry.report, targets);
        }
        self.memory.waited.extend(probed.waited);
        self.memory.health = probed.health;
        let to = self.memory.profile.as_deref().unwrap_or_default();
        if entry.from.as_deref() != Some(to) {
            let from = entry.from.as_deref().unwrap_or("-");
            info!(from, to, ms = took, why, "switched");
        }
        entry.turn = self.next_turn();
        entry.drift = self.news_of_drift(before, &changed);
        self.journal(&entry);
        self.memory.drift_noted = drift::shown(&self.memory, &input.file, &present);
        self.save_memory()?;
        let status = self.status_of(&entry.snapshot, &present);
        Ok(turn_report(status, entry))
    }

    /// Logs what a write had to give up; the status shows it until the next write.
    fn note_given_up(&mut self, in_place: Option<&InPlace>, file: &EnvFile) {
        self.given_up = in_place.map(|why| why.told(&file.path));
        if let Some(told) = &self.given_up {
            info!("{told}");
        }
    }

    /// Swaps the prepared copy with the real file, with notes before and after. Also returns the
    /// time from which every new go command could see it.
    async fn put_in_place(
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
        let note = |bytes: &[u8], shared| Written {
            path: exact(&file.path),
            sha256: sha256_hex(bytes),
            values: values.clone(),
            shared,
        };
        self.memory.pending = Some(note(&prepared.after, shared));
        self.save_memory()?;
        let committing = Instant::now();
        let applied = prepared.commit().await?;
        let visible = committing + applied.visible_after;
        let slipped_in = applied.merged > 0 || applied.before != present.bytes;
        let text = EnvText(applied.after);
        self.memory.written = Some(note(&text.0, shared || slipped_in));
        self.memory.pending = None;
        let names = managed(&self.loaded.policy, self.baseline.as_ref());
        self.note_given_up(applied.in_place.as_ref(), file);
        Ok((Present::of(Some(text), &names), visible))
    }

    /// Returns the variables set by hand that the journal does not name yet; those that this turn
    /// has overwritten are named again.
    fn news_of_drift(&self, mut news: Vec<Drift>, changed: &[String]) -> Vec<Drift> {
        news.retain(|drift| {
            changed.contains(&drift.name) || !self.memory.drift_noted.contains(drift)
        });
        news
    }

    /// Records a failed turn: a journal of successes alone does not help when something goes wrong.
    pub(crate) fn note_failure(
        &mut self,
        cause: Cause,
        snapshot: &Snapshot,
        changes: &[Change],
        error: &Error,
    ) {
        let entry = Entry {
            changes: changes.to_vec(),
            outcome: Outcome::Failed {
                error: mask(&error.to_string()),
                kind: error.kind().to_owned(),
            },
            ..self.entry(cause, snapshot)
        };
        self.journal(&entry);
        if let Err(error) = self.save_memory() {
            warn!("{error}");
        }
    }

    /// Makes a journal entry for a turn that starts now; it holds no decision yet.
    fn entry(&mut self, cause: Cause, snapshot: &Snapshot) -> Entry {
        Entry {
            turn: self.next_turn(),
            at: clock::now(),
            trace: clock::random_id(),
            cause: cause.as_str().to_owned(),
            snapshot: snapshot.clone(),
            from: self.memory.profile.clone(),
            ..Entry::default()
        }
    }

    /// Keeps what the file held before goroam's first write, and what newly managed variables held
    /// before theirs. Nothing may be written before this is done.
    fn keep_baseline(&mut self, present: &Present) -> Result<(), Error> {
        self.keep_folder()?;
        let names = managed(&self.loaded.policy, self.baseline.as_ref());
        let names = names.iter().map(String::as_str);
        // A command without an agent may have begun while this agent started. Its baseline is older
        // than what the file holds now, and a baseline that it used and removed is needed again.
        let path = self.paths.baseline();
        let on_disk = match Baseline::load(&path) {
            Ok(on_disk) => on_disk,
            // The values known from before replace the damaged record; see `recall`.
            Err(_) if self.baseline.is_some() => {
                let _ = std::fs::rename(&path, path.with_extension("json.broken"));
                None
            }
            Err(error) => {
                let why = self.baseline_trouble.clone();
                let why = why.unwrap_or_else(|| format!("{error:#}"));
                let what = "cannot keep what the go env file held before goroam";
                return Err(Error::state(what)(why));
            }
        };
        let is_kept = on_disk.is_some();
        if self.baseline.is_none() {
            self.baseline = on_disk;
            self.own_file()?;
        }
        // The baseline is cloned, not taken: if it cannot be kept now, it must not be forgotten
        // either.
        let before = present.bytes.as_deref();
        let mut kept = match self.baseline.clone() {
            Some(kept) => kept,
            None => Baseline::capture(&self.file()?.path, before, []),
        };
        let grown = kept.manage(&EnvText(before.unwrap_or_default().to_vec()), names);
        if grown || !is_kept {
            let what = "cannot keep what the go env file held before";
            kept.save(&path).map_err(Error::state(what))?;
        }
        self.baseline = Some(kept);
        if let Some(trouble) = self.baseline_trouble.take() {
            warn!("{trouble}");
        }
        Ok(())
    }

    /// Remembers what the next turn needs to know of this one.
    fn remember(&mut self, entry: &Entry, why: &str) {
        let Some(decision) = &entry.decision else {
            return;
        };
        let profile = &decision.profile;
        let memory = &mut self.memory;
        let written = matches!(entry.outcome, Outcome::Written { .. });
        let switched_ms = entry.ms.get("all").copied().filter(|_| written);
        if memory.profile.as_ref() != Some(profile) {
            let from = memory.profile.replace(profile.clone());
            memory.since = Some(entry.at);
            memory.switches.push(Switch {
                at: entry.at,
                from,
                to: profile.clone(),
                why: Some(why.to_owned()),
                ms: switched_ms,
            });
            let surplus = memory.switches.len().saturating_sub(MOST_SWITCHES);
            memory.switches.drain(..surplus);
        }
        memory.variant = decision.variant;
        memory.provisional = decision.provisional;
        memory.why = Some(why.to_owned());
        memory.switched_ms = switched_ms.or(memory.switched_ms);
        memory.snapshot = Memory::network(&entry.snapshot);
        let seen = entry.report.iter();
        memory.seen = seen.map(|one| (one.target.clone(), one.clone())).collect();
        let network = memory.network_id(&entry.snapshot);
        let networks = &mut memory.networks;
        if let Some(network) = network
            && memory.pinned.is_none()
            && !decision.provisional
        {
            networks.insert(
                network,
                KnownNetwork(profile.clone(), entry.at, decision.variant),
            );
        }
        let oldest = networks.iter().min_by_key(|(_, one)| one.1);
        if let Some((oldest, _)) = oldest.filter(|_| networks.len() > NETWORKS) {
            networks.remove(&oldest.clone());
        }
    }

    /// Returns the number of the next turn. If goroam's memory is lost, the numbers continue from
    /// the journal, and the journal's earlier end can no longer be verified.
    pub(crate) fn next_turn(&mut self) -> u64 {
        if self.memory.turn == 0
            && let Ok((entries, _)) = Journal::last(&self.paths.journal(), 1)
            && let Some(last) = entries.last()
        {
            self.memory.turn = last.turn;
            self.memory.journal = Some(Mark::default());
        }
        self.memory.turn = self.memory.turn.saturating_add(1);
        self.memory.turn
    }

    /// Appends the entry to the journal. The file is already right, so a journal that cannot be
    /// written is a reported problem, not a failure. The memory is saved after the journal: a kill
    /// in between leaves no report.
    pub(crate) fn journal(&mut self, entry: &Entry) {
        self.memory.trace = Some(entry.trace.clone());
        // An older goroam recorded only the turn before this one.
        let mark = self.memory.journal.clone().unwrap_or_else(|| Mark {
            turn: entry.turn.saturating_sub(1),
            ..Mark::default()
        });
        let path = self.paths.journal();
        let appended = Journal::append(&path, entry, Some(&mark));
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
        self.note_health(entry);
    }

    /// Checks that the journal is as goroam left it; returns what is wrong.
    pub(crate) fn trouble_of_journal(&self) -> Option<String> {
        let verified = Journal::verify_after(&self.paths.journal(), &self.memory.mark());
        verified.err().map(|error| {
            format!("the journal is not whole: {error}; see `goroam history --verify`")
        })
    }

    /// Creates the state directory again if it was removed while this agent runs: without it no
    /// turn could succeed.
    pub(crate) fn keep_folder(&self) -> Result<(), Error> {
        private_folder(&self.paths.state).map_err(Error::state("cannot keep anything"))
    }

    pub(crate) fn save_memory(&mut self) -> Result<(), Error> {
        self.keep_folder()?;
        self.memory.before = self.baseline.clone();
        let path = self.paths.memory();
        let saved = self.memory.save(&path);
        saved.map_err(Error::state(format!("cannot keep {}", path.display())))
    }

    /// Takes back the values that goroam set because of another value, if that other value was
    /// changed by hand since. Returns the names of the changed variables; none if nothing was to be
    /// done.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) async fn let_go(&mut self, snapshot: &Snapshot) -> Result<Vec<String>, Error> {
        let began = Instant::now();
        if self.to_end(&self.present())?.is_empty() {
            return Ok(Vec::new());
        }
        let input = self.input(Cause::Drift, snapshot.clone())?;
        let (go, present) = ground(&input).await?;
        let found = drift::shown(&self.memory, &input.file, &present);
        let ended = self.to_end(&present)?.into_iter();
        // The note of what was written must name every variable, also those that stay.
        let names = managed(&self.loaded.policy, self.baseline.as_ref()).into_iter();
        let mut wants = BTreeMap::from_iter(names.map(|name| (name, Want::Respect)));
        wants.extend(ended.map(|(name, own)| (name, Want::Baseline(own))));
        let plan = diff(&present.values, &wants);
        let Some(prepared) = prepare_write(&input, &go, &plan).await? else {
            return Ok(Vec::new());
        };
        self.go = Some(go);
        let put = self.put_in_place(&input.file, &present, &plan, prepared);
        let (after, visible) = put.await?;
        let took = milliseconds(visible.saturating_duration_since(began));
        let changed = changed_names(&plan);
        let entry = Entry {
            drift: found,
            changes: vec![Change {
                what: format!("{} as before goroam", changed.join(", ")),
                major: true,
            }],
            plan,
            outcome: Outcome::Written {
                changed: changed.clone(),
            },
            ms: BTreeMap::from([("all".to_owned(), took)]),
            ..self.entry(Cause::Drift, snapshot)
        };
        self.journal(&entry);
        self.memory.drift_noted = drift::shown(&self.memory, &input.file, &after);
        self.save_memory()?;
        Ok(changed)
    }

    /// Returns the values that goroam set because of a value that was changed by hand, if the file
    /// still holds them, and what each goes back to.
    pub(super) fn to_end(
        &self,
        present: &Present,
    ) -> Result<BTreeMap<String, Option<String>>, Error> {
        let file = self.own_file()?;
        let Some(written) = &self.memory.written else {
            return Ok(BTreeMap::new());
        };
        let by_hand = drift::find(&self.memory, &file, present).into_keys();
        let baseline = self.baseline.as_ref();
        Ok(drift::ended(
            &by_hand.collect(),
            &written.values,
            present,
            baseline,
        ))
    }

    /// Notes what the relay got from a proxy instead of the right content.
    pub(super) fn note_incidents(&mut self, snapshot: &Snapshot, incidents: &[Incident]) {
        let entry = Entry {
            incidents: incidents.iter().map(ToString::to_string).collect(),
            ..self.entry(Cause::Incident, snapshot)
        };
        self.journal(&entry);
        if let Err(error) = self.save_memory() {
            warn!("{error}");
        }
    }

    /// Notes what became of the fleet's policy.
    pub(super) fn note_fleet(&mut self, snapshot: &Snapshot, news: String) {
        let entry = Entry {
            fleet: Some(news),
            ..self.entry(Cause::Fleet, snapshot)
        };
        self.journal(&entry);
        if let Err(error) = self.save_memory() {
            warn!("{error}");
        }
    }

    /// Notes what was set by hand, when nothing is written because of it, and what else is news.
    pub(super) fn note_drift(
        &mut self,
        snapshot: &Snapshot,
        mut found: Vec<Drift>,
        changes: Vec<Change>,
    ) {
        // The values that this drift ends get a journal entry of their own.
        for drift in &mut found {
            drift.ended = Vec::new();
        }
        let news = self.news_of_drift(found.clone(), &[]);
        if news.is_empty() && changes.is_empty() {
            return;
        }
        let entry = Entry {
            drift: news,
            changes,
            ..self.entry(Cause::Drift, snapshot)
        };
        self.journal(&entry);
        self.memory.drift_noted = found;
        if let Err(error) = self.save_memory() {
            warn!("{error}");
        }
    }

    /// Restores the go env file to what it was before goroam's first write: byte for byte if no
    /// other program wrote since; otherwise variable by variable, so that what others wrote beside
    /// goroam's variables stays.
    ///
    /// # Errors
    /// When there is nothing to restore, or it could not be done.
    pub(crate) async fn put_back(&mut self) -> Result<TurnReport, Error> {
        let began = Instant::now();
        let Some(baseline) = self.baseline.clone() else {
            return Err(match self.baseline_trouble.clone() {
                Some(why) => Error::state("cannot put anything back")(why),
                None => Error::NothingToRestore,
            });
        };
        let file = self.own_file()?;
        let present = self.present();
        let drift = drift::shown(&self.memory, &file, &present);
        let values = baseline.values.clone().into_iter();
        let wants = values.map(|(name, value)| (name, Want::Baseline(value)));
        let plan = diff(&present.values, &wants.collect());
        let expect = present.bytes.as_deref().unwrap_or_default();
        let written = self.memory.written.as_ref();
        let alone = written
            .is_some_and(|note| !baseline.lost && !note.shared && drift::holds(note, expect));
        let what = "what the go env file held before goroam";
        let bytes = baseline.decoded().map_err(Error::state(what))?;
        let back = alone
            && match gocmd::restore(&file, bytes, expect).await {
                Ok(in_place) => {
                    self.note_given_up(in_place.as_ref(), &file);
                    true
                }
                Err(RestoreError::Changed { .. }) => false,
                Err(RestoreError::Apply(error)) => return Err(error.into()),
            };
        let snapshot = survey().unwrap_or_else(|_| self.memory.snapshot.clone());
        if !back && !plan.is_empty() {
            let input = self.input(Cause::Asked, snapshot.clone())?;
            let (go, _) = ground(&input).await?;
            if let Some(prepared) = prepare_write(&input, &go, &plan).await? {
                let applied = prepared.commit().await?;
                self.note_given_up(applied.in_place.as_ref(), &file);
            }
        }
        let what = "cannot forget what the go env file held before goroam";
        Baseline::remove(&self.paths.baseline()).map_err(Error::state(what))?;
        self.baseline = None;
        self.baseline_trouble = None;
        let took = milliseconds(began.elapsed());
        let entry = Entry {
            drift,
            outcome: Outcome::Restored {
                changed: changed_names(&plan),
            },
            plan,
            ms: BTreeMap::from([("all".to_owned(), took)]),
            ..self.entry(Cause::Asked, &snapshot)
        };
        let memory = &mut self.memory;
        (memory.profile, memory.since, memory.why) = (None, None, None);
        (memory.pinned, memory.written, memory.pending) = (None, None, None);
        memory.drift_noted = Vec::new();
        self.journal(&entry);
        self.save_memory()?;
        let mut status = self.status_of(&snapshot, &self.present());
        let lost = baseline.lost.then(|| LOST.to_owned());
        status.troubles.extend(lost);
        Ok(turn_report(status, entry))
    }
}

/// Returns what every managed variable will be: the values written before, changed by the plan.
fn values_after(
    memory: &Memory,
    present: &Present,
    plan: &Plan,
) -> BTreeMap<String, Option<String>> {
    let written = memory.written.as_ref().map(|written| &written.values);
    let steps = plan.steps.iter().map(|step| {
        let value = match step {
            PlanStep::Set { value, .. } => Some(value),
            PlanStep::Unset { .. } => None,
            // A respected value stays a drift: the note keeps what goroam wrote.
            PlanStep::Leave { name, .. } => match written.and_then(|values| values.get(name)) {
                Some(wrote) => wrote.as_ref(),
                None => present.values.get(name),
            },
        };
        (step.name().to_owned(), value.cloned())
    });
    steps.collect()
}

fn changed_names(plan: &Plan) -> Vec<String> {
    plan.changes().map(|step| step.name().to_owned()).collect()
}

/// Makes the report for the client that asked for the turn, without credentials.
fn turn_report(status: Status, entry: Entry) -> TurnReport {
    let (mut decision, mut plan) = (entry.decision, entry.plan);
    for value in decision.iter_mut().flat_map(|it| it.env.values_mut()) {
        *value = mask(value);
    }
    for step in &mut plan.steps {
        if let PlanStep::Set { value, .. } = step {
            *value = mask(value);
        }
    }
    TurnReport {
        status,
        changed: changed_names(&plan),
        decision,
        from: entry.from,
        plan,
        outcome: entry.outcome,
        took: entry.ms,
    }
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
        // The variables that Unix and Windows use to find the directories.
        let env: Environment = [("HOME", own), ("USERPROFILE", own), ("APPDATA", own)]
            .into_iter()
            .collect();
        Session {
            paths: Paths {
                policy: home.join("goroam.toml"),
                policy_named: false,
                machine_policy: "/nowhere/goroam.toml".into(),
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
            relay: None,
            relayed: None,
            keep_in: None,
            health: Default::default(),
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
        // The command has written since then; the agent knew of nothing when it began.
        let of_goroam = present(&agent, "GOPROXY=off\n");
        agent.keep_baseline(&of_goroam).unwrap();
        assert_eq!(Baseline::load(&path).unwrap().as_ref(), Some(&kept));
        assert_eq!(agent.baseline.as_ref(), Some(&kept));
        // The command has restored everything, and the agent is about to write again.
        Baseline::remove(&path).unwrap();
        agent.keep_baseline(&of_the_user).unwrap();
        assert_eq!(Baseline::load(&path).unwrap(), Some(kept));
    }
}
