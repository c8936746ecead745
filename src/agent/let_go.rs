//! A variable was set by hand, and what goroam had set beside it must not stay: at once, without
//! a probe, since go may send a private name to the new proxy at any moment.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::cause::Cause;
use super::clock;
use super::drift;
use super::error::Error;
use super::gofacts::GoFacts;
use super::present::{Present, managed, read_text};
use super::round::millis;
use super::session::Session;
use crate::gocmd::{EnvText, prepare};
use crate::model::plan::{Plan, Want, diff};
use crate::model::status::Drift;
use crate::model::{Change, Snapshot};
use crate::state::Entry;
use crate::state::entry::Outcome;

impl Session {
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
}

/// What became of goroam's own values, in one line.
fn said(changed: &[String]) -> Change {
    let what = format!("{} as before goroam", changed.join(", "));
    Change { what, major: true }
}
