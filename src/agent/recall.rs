//! What the go env file held before goroam, when the record of it is lost or damaged: goroam
//! knows what it has written, and that is never taken for the user's own.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::policy_file::Loaded;
use crate::gocmd::{EnvFile, EnvText};
use crate::model::mask;
use crate::model::plan::PlanStep;
use crate::paths::{Paths, exact, from_exact};
use crate::policy::Decision;
use crate::state::entry::Outcome;
use crate::state::memory::Written;
use crate::state::{Baseline, Journal, Memory};

/// Turns that are looked through for what goroam has written.
const MOST_TURNS: usize = 1000;

/// What is known of before.
#[derive(Debug, Default)]
pub(super) struct Recalled {
    pub(super) baseline: Option<Baseline>,
    /// What is wrong with the record, in words; until it is written again.
    pub(super) trouble: Option<String>,
}

/// Reads the record, or makes do without it.
pub(super) fn recall(
    paths: &Paths,
    memory: &Memory,
    loaded: &Loaded,
    file: Option<&EnvFile>,
) -> Recalled {
    let path = paths.baseline();
    let why = match Baseline::load(&path) {
        Ok(Some(baseline)) => {
            return Recalled {
                baseline: Some(baseline),
                trouble: None,
            };
        }
        Ok(None) => format!(
            "{} is gone; it records what the go env file held before goroam",
            path.display()
        ),
        Err(error) => format!("{error:#}"),
    };
    if let Some(before) = &memory.before {
        return Recalled {
            baseline: Some(before.clone()),
            trouble: Some(format!("{why}; the copy in state.json is used")),
        };
    }
    let own = ours_by_memory(memory, loaded).or_else(|| ours_by_journal(paths, file?));
    match own {
        Some(own) => Recalled {
            baseline: Some(without(own)),
            trouble: Some(format!(
                "{why}; goroam knows what it has written and takes none of it for yours"
            )),
        },
        // Nothing was ever written, or nothing is known of it.
        None => Recalled {
            baseline: None,
            trouble: path.symlink_metadata().is_ok().then(|| {
                format!(
                    "{why}; nothing is written until it is readable again: put a copy of it back, \
                     or, if `go env` says what you want to keep, remove it"
                )
            }),
        },
    }
}

/// Has goroam set something that `restore` could put back?
pub fn has_set_something(paths: &Paths) -> bool {
    let is_there = paths.baseline().symlink_metadata().is_ok();
    is_there || {
        let memory = Memory::load(&paths.memory());
        memory.before.is_some() || memory.written.is_some()
    }
}

/// What is to be said as long as the record is not whole.
pub(super) fn said(baseline: Option<&Baseline>) -> Option<String> {
    baseline.filter(|baseline| baseline.lost).map(|_| {
        "the record of what the go env file held before goroam was lost: `goroam restore` takes \
         goroam's own lines out, but cannot bring back what they had replaced"
            .to_owned()
    })
}

/// What goroam has written into which file, and which of it is its own and not a value of the
/// user's that it has put back.
struct OwnValues {
    file: EnvFile,
    values: BTreeMap<String, Option<String>>,
    is_masked: bool,
    own: Option<BTreeSet<String>>,
}

fn ours_by_memory(memory: &Memory, loaded: &Loaded) -> Option<OwnValues> {
    let Written { path, values, .. } = memory.written.as_ref().or(memory.pending.as_ref())?;
    let profile = memory.profile.as_deref();
    let profile = profile.and_then(|name| loaded.policy.profile(name));
    Some(OwnValues {
        file: EnvFile {
            path: from_exact(path),
        },
        values: values.clone(),
        is_masked: false,
        own: profile.map(|(_, profile)| profile.env.keys().cloned().collect()),
    })
}

fn ours_by_journal(paths: &Paths, file: &EnvFile) -> Option<OwnValues> {
    let told = told_by_journal(paths)?;
    Some(OwnValues {
        file: file.clone(),
        values: told.values,
        is_masked: true,
        own: told
            .last
            .map(|(decision, _)| decision.env.into_keys().collect()),
    })
}

/// What the journal tells of goroam's own values. It hides credentials; what is compared with it
/// is hidden in the same way.
struct JournalRecord {
    values: BTreeMap<String, Option<String>>,
    /// The last decision that was carried out, and when.
    last: Option<(Decision, Timestamp)>,
}

fn told_by_journal(paths: &Paths) -> Option<JournalRecord> {
    let (entries, _) = Journal::last(&paths.journal(), MOST_TURNS).ok()?;
    let mut values = BTreeMap::new();
    let mut last = None;
    for entry in entries.iter().rev() {
        match &entry.outcome {
            Outcome::Restored { .. } => break,
            Outcome::Written { .. } => {}
            Outcome::Unchanged | Outcome::DryRun | Outcome::Failed { .. } => continue,
        }
        if let Some(decision) = &entry.decision {
            last.get_or_insert_with(|| (decision.clone(), entry.at));
        }
        for step in &entry.plan.steps {
            let (name, value) = match step {
                PlanStep::Set { name, value } => (name, Some(value.clone())),
                PlanStep::Unset { name } => (name, None),
                PlanStep::Leave { .. } => continue,
            };
            values.entry(name.clone()).or_insert(value);
        }
    }
    (!values.is_empty()).then_some(JournalRecord { values, last })
}

/// Takes from the journal what a lost memory knew: what goroam has written, so that a value that
/// was set by hand since is still known as such, and the profile that it was for.
pub(super) fn remind(
    memory: &mut Memory,
    paths: &Paths,
    baseline: Option<&Baseline>,
    file: Option<&EnvFile>,
) {
    let is_lost = memory.turn == 0 && memory.written.is_none() && memory.pending.is_none();
    let (true, Some(baseline), Some(file)) = (is_lost, baseline, file) else {
        return;
    };
    if baseline.path != exact(&file.path) {
        return;
    }
    let Some(told) = told_by_journal(paths) else {
        return;
    };
    let text = file.read().ok().flatten().unwrap_or_default();
    // What looks the same without its credentials is taken for goroam's.
    let values = told.values.into_iter().map(|(name, wrote)| {
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
    if let Some((decision, at)) = told.last {
        memory.profile = Some(decision.profile);
        memory.since = Some(at);
    }
}

/// The file without what goroam has written there.
fn without(ours: OwnValues) -> Baseline {
    let text = ours.file.read().ok().flatten();
    let text = text.unwrap_or_else(|| EnvText(Vec::new()));
    let before = ours.values.iter().map(|(name, wrote)| {
        let now = text.get(name).map(str::to_owned);
        let seen = now.as_deref().map(|now| {
            if ours.is_masked {
                mask(now)
            } else {
                now.to_owned()
            }
        });
        let is_own = match &ours.own {
            Some(own) => own.contains(name),
            // A list of private names is rather the user's: without it they would get out.
            None => {
                let is_list = matches!(name.as_str(), "GOPRIVATE" | "GONOPROXY" | "GONOSUMDB");
                !is_list || matches!(now.as_deref(), None | Some("" | "none"))
            }
        };
        let is_ours = is_own && seen == *wrote;
        (name.clone(), now.filter(|_| !is_ours))
    });
    let values = before.collect();
    let mut baseline = Baseline::capture(&ours.file.path, Some(&text.0), []);
    baseline.values = values;
    baseline.lost = true;
    baseline
}
