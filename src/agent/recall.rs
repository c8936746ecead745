//! Reconstructs what the go env file held before goroam, when the record of it is lost or damaged:
//! goroam knows what it has written, and never takes that for the user's own values.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::policy_file::Loaded;
use crate::gocmd::EnvFile;
use crate::model::mask;
use crate::model::plan::PlanStep;
use crate::paths::{Paths, exact, from_exact};
use crate::policy::Decision;
use crate::state::entry::Outcome;
use crate::state::memory::Written;
use crate::state::{Baseline, Journal, Memory};

/// How many turns are searched for what goroam has written.
const MOST_TURNS: usize = 1000;

/// Reads the memory and the record of what was before goroam, or works without the record. Also
/// returns what is wrong with the record, until it is written again.
pub(super) fn recall(
    paths: &Paths,
    loaded: &Loaded,
    file: Option<&EnvFile>,
) -> (Memory, Option<Baseline>, Option<String>) {
    let mut memory = Memory::load(&paths.memory());
    let (baseline, trouble) = recall_baseline(paths, &memory, loaded, file);
    if let (Some(baseline), Some(file)) = (&baseline, file) {
        remind(&mut memory, paths, baseline, file);
    }
    (memory, baseline, trouble)
}

fn recall_baseline(
    paths: &Paths,
    memory: &Memory,
    loaded: &Loaded,
    file: Option<&EnvFile>,
) -> (Option<Baseline>, Option<String>) {
    let path = paths.baseline();
    let why = match Baseline::load(&path) {
        Ok(Some(baseline)) => return (Some(baseline), None),
        Ok(None) => format!(
            "{} is gone; it records what the go env file held before goroam",
            path.display()
        ),
        Err(error) => format!("{error:#}"),
    };
    if let Some(before) = &memory.before {
        let trouble = format!("{why}; the copy in state.json is used");
        return (Some(before.clone()), Some(trouble));
    }
    if let Some(baseline) = without_goroam(paths, memory, loaded, file) {
        let trouble = "goroam knows what it has written and takes none of it for yours";
        return (Some(baseline), Some(format!("{why}; {trouble}")));
    }
    // Nothing was ever written, or nothing is known of it.
    let trouble = path.symlink_metadata().is_ok().then(|| {
        format!(
            "{why}; nothing is written until it is readable again: put a copy of it back, or, if \
             `go env` says what you want to keep, remove it"
        )
    });
    (None, trouble)
}

/// Reports whether goroam has set something that `restore` could restore.
pub fn has_set_something(paths: &Paths) -> bool {
    if paths.baseline().symlink_metadata().is_ok() {
        return true;
    }
    let memory = Memory::load(&paths.memory());
    memory.before.is_some() || memory.written.is_some()
}

/// The message to show while the record is incomplete.
pub(super) fn said(baseline: Option<&Baseline>) -> Option<String> {
    baseline.filter(|baseline| baseline.lost).map(|_| {
        "the record of what the go env file held before goroam was lost: `goroam restore` takes \
         goroam's own lines out, but cannot bring back what they had replaced"
            .to_owned()
    })
}

type Values = BTreeMap<String, Option<String>>;

/// Returns goroam's own values according to the journal, and the last decision that was carried
/// out, with its time. The journal hides credentials; values that are compared with it get the same
/// treatment.
fn written_by_journal(paths: &Paths) -> Option<(Values, Option<(Decision, Timestamp)>)> {
    let (entries, _) = Journal::last(&paths.journal(), MOST_TURNS).ok()?;
    let mut values = Values::new();
    let mut last = None;
    for entry in entries.into_iter().rev() {
        match entry.outcome {
            Outcome::Restored { .. } => break,
            Outcome::Written { .. } => {}
            Outcome::Unchanged | Outcome::DryRun | Outcome::Failed { .. } => continue,
        }
        last = last.or_else(|| Some((entry.decision?, entry.at)));
        for step in entry.plan.steps {
            let (name, value) = match step {
                PlanStep::Set { name, value } => (name, Some(value)),
                PlanStep::Unset { name } => (name, None),
                PlanStep::Leave { .. } => continue,
            };
            values.entry(name).or_insert(value);
        }
    }
    (!values.is_empty()).then_some((values, last))
}

/// Restores from the journal what a lost memory knew: what goroam has written, so that a value set
/// by hand since then is still recognised as such, and the profile it was written for.
fn remind(memory: &mut Memory, paths: &Paths, baseline: &Baseline, file: &EnvFile) {
    let is_lost = memory.turn == 0 && memory.written.is_none() && memory.pending.is_none();
    if !is_lost || baseline.path != exact(&file.path) {
        return;
    }
    let Some((values, last)) = written_by_journal(paths) else {
        return;
    };
    let text = file.read().ok().flatten().unwrap_or_default();
    // A value that looks the same without its credentials is taken for goroam's.
    let values = values.into_iter().map(|(name, wrote)| {
        let now = text.get(&name).map(str::to_owned);
        let is_ours = now.as_deref().map(mask) == wrote;
        (name, if is_ours { now } else { wrote })
    });
    memory.written = Some(Written {
        path: baseline.path.clone(),
        sha256: String::new(),
        values: values.collect(),
        shared: true,
    });
    if let Some((decision, at)) = last {
        memory.profile = Some(decision.profile);
        memory.variant = decision.variant;
        memory.since = Some(at);
    }
}

/// Returns the file without what goroam has written there: by its memory, or else by the journal,
/// which hides credentials. A value of the user that goroam has restored stays.
fn without_goroam(
    paths: &Paths,
    memory: &Memory,
    loaded: &Loaded,
    file: Option<&EnvFile>,
) -> Option<Baseline> {
    let (path, written, own, is_masked): (_, _, Option<BTreeSet<String>>, _) =
        match memory.written.as_ref().or(memory.pending.as_ref()) {
            Some(Written { path, values, .. }) => {
                let profile = memory.in_force(&loaded.policy);
                let own = profile.map(|profile| profile.env.keys().cloned().collect());
                (from_exact(path), values.clone(), own, false)
            }
            None => {
                let path = file?.path.clone();
                let (values, last) = written_by_journal(paths)?;
                let own = last.map(|(decision, _)| decision.env.into_keys().collect());
                (path, values, own, true)
            }
        };
    let file = EnvFile { path };
    let text = file.read().ok().flatten().unwrap_or_default();
    let mut baseline = Baseline::capture(&file.path, Some(&text.0), []);
    baseline.lost = true;
    for (name, wrote) in written {
        let now = text.get(&name).map(str::to_owned);
        let is_own = match &own {
            Some(own) => own.contains(&name),
            // A list of private names more probably belongs to the user: without it those names
            // would leak.
            None => {
                let is_list = matches!(name.as_str(), "GOPRIVATE" | "GONOPROXY" | "GONOSUMDB");
                !is_list || matches!(now.as_deref(), None | Some("" | "none"))
            }
        };
        let masked = now.as_deref().map(mask).filter(|_| is_masked);
        let is_ours = is_own && masked.as_ref().or(now.as_ref()) == wrote.as_ref();
        baseline.values.insert(name, now.filter(|_| !is_ours));
    }
    Some(baseline)
}
