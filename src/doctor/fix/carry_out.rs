//! Carries out fixes, records them for `--undo`, and takes them back. The record is written first:
//! if the disk is full, nothing has happened. If a step fails, the steps before it are taken back.

use std::fs::File;
use std::io;
use std::time::Duration;

use serde::Serialize;

use super::prepare::Prepared;
use super::step::Step;
use crate::bounded::if_any;
use crate::doctor::cache::{CacheReport, Outcome, mend_one};
use crate::doctor::repair::{FixOutcome, Target};
use crate::environment::Environment;
use crate::paths::Paths;
use crate::state::file::{lock_within, open_lock, private_folder, read, replace};

/// Maximum size of the record in bytes: some start-up files, old and new.
const MOST_RECORD: u64 = 64 << 20;
/// Maximum time to wait for another `goroam doctor`.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why the record of what was fixed cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {source}")]
pub struct UndoError {
    path: String,
    source: io::Error,
}

/// What was fixed, oldest first.
struct Record<'p> {
    paths: &'p Paths,
    steps: Vec<Step>,
    /// Held until the end.
    _lock: File,
}

impl Record<'_> {
    fn open(paths: &Paths) -> Result<Record<'_>, UndoError> {
        let failed = |source| UndoError {
            path: paths.undo().display().to_string(),
            source,
        };
        let open = || {
            private_folder(&paths.state)?;
            let lock = open_lock(&paths.undo().with_extension("lock"))?;
            lock_within(&lock, true, PATIENCE)?;
            let bytes = read(&paths.undo(), MOST_RECORD)?;
            let steps = bytes.map(|bytes| serde_json::from_slice(&bytes));
            let steps = steps.transpose().map_err(|error| {
                let why = format!("is damaged ({error}); move it away");
                io::Error::new(io::ErrorKind::InvalidData, why)
            })?;
            Ok((lock, steps.unwrap_or_default()))
        };
        let (lock, steps) = open().map_err(failed)?;
        Ok(Record {
            paths,
            steps,
            _lock: lock,
        })
    }

    fn save(&self) -> Result<(), UndoError> {
        let path = self.paths.undo();
        let saved = match self.steps.is_empty() {
            true => if_any(std::fs::remove_file(&path)).map(drop),
            false => serde_json::to_vec(&self.steps)
                .map_err(io::Error::from)
                .and_then(|bytes| replace(&path, &bytes)),
        };
        saved.map_err(|source| UndoError {
            path: path.display().to_string(),
            source,
        })
    }
}

/// Carries out what is planned, and records the outcome of each fix. Files and the manager: all or
/// nothing. Entries of the module cache: each for itself, without a way back, since go downloads
/// them again.
///
/// # Errors
/// If the record cannot be written. Nothing was changed then.
pub async fn carry_out(
    prepared: &mut Prepared,
    cache: &mut CacheReport,
    paths: &Paths,
    env: &Environment,
) -> Result<(), UndoError> {
    let mut failure = None;
    if !prepared.steps.is_empty() {
        let mut record = Record::open(paths)?;
        let before = record.steps.len();
        record.steps.append(&mut prepared.steps);
        record.save()?;
        for at in before..record.steps.len() {
            let step = &record.steps[at];
            let Err(refusal) = step.run(env, true).await else {
                continue;
            };
            let why = format!(
                "{}: {}",
                step.place(&env.home().unwrap_or_default()),
                refusal.why
            );
            let mut stays = Vec::new();
            for done in record.steps[before..at].iter().rev() {
                if done.run(env, false).await.is_err() {
                    stays.push(done.clone());
                }
            }
            let rest = if stays.is_empty() {
                "nothing was changed"
            } else {
                "some changes stay: run `goroam doctor --undo`"
            };
            record.steps.truncate(before);
            record.steps.extend(stays.into_iter().rev());
            // A record that is too long takes nothing back that is not there.
            let _ = record.save();
            failure = Some(format!("{why}; {rest}"));
            break;
        }
    }
    let planned = prepared.fixes.iter_mut();
    for fix in planned.filter(|fix| fix.outcome == FixOutcome::Planned) {
        match (&fix.target, &failure) {
            (Target::Cache(at), _) => {
                let Some(broken) = cache.broken.get_mut(*at) else {
                    continue;
                };
                mend_one(broken);
                match (&broken.outcome, &broken.because) {
                    (Outcome::Removed, _) => fix.outcome = FixOutcome::Done,
                    (_, why) => fix.keep(why.clone().unwrap_or_default()),
                }
            }
            (_, Some(why)) => fix.keep(why.clone()),
            (_, None) => fix.outcome = FixOutcome::Done,
        }
    }
    Ok(())
}

/// What became of a change that was to be taken back.
#[derive(Debug, Serialize)]
pub struct Undone {
    /// `~/.bashrc`, `GOPROXY in the systemd user manager`.
    pub place: String,
    /// Why it was not taken back; null: it was.
    pub because: Option<String>,
}

/// Takes back what `carry_out` did, the newest first. A change that cannot be taken back stays in
/// the record, unless nothing of it is left.
///
/// # Errors
/// If the record cannot be read or written.
pub async fn undo(paths: &Paths, env: &Environment) -> Result<Vec<Undone>, UndoError> {
    let home = env.home().unwrap_or_default();
    let mut record = Record::open(paths)?;
    let (mut undone, mut stays) = (Vec::new(), Vec::new());
    for step in std::mem::take(&mut record.steps).into_iter().rev() {
        let refusal = step.run(env, false).await.err();
        let place = step.place(&home);
        if refusal.as_ref().is_some_and(|refusal| !refusal.is_over) {
            stays.push(step);
        }
        let because = refusal.map(|refusal| refusal.why);
        undone.push(Undone { place, because });
    }
    record.steps = stays.into_iter().rev().collect();
    record.save()?;
    Ok(undone)
}
