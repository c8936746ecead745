//! Putting the go env file back to what it was before goroam's first write.

use std::collections::BTreeMap;
use std::time::Instant;

use super::clock;
use super::command::TurnReport;
use super::drift;
use super::error::Error;
use super::finish::masked;
use super::gofacts::GoFacts;
use super::present::read_text;
use super::recall;
use super::round::millis;
use super::session::Session;
use crate::gocmd::{self, EnvText, RestoreError};
use crate::model::Snapshot;
use crate::model::plan::{Want, diff};
use crate::state::entry::Outcome;
use crate::state::{Baseline, Entry};
use crate::watch::survey;

const LOST: &str = "the record of what the go env file held before goroam was lost: goroam's own \
                    lines are out, what they had replaced is not known; look at `go env -changed`";

impl Session {
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
