//! Applies a plan atomically: `go env -w` on a copy beside the real file, then a rename.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::copy::{Copy, Place, sync, sync_folder};
use super::envfile::{EnvFile, read_open};
use super::failure::{ApplyError, InPlace};
use super::lines::{carry, holds, unexpected};
use super::rename::is_final;
use super::run;
use super::run::GoCommand;
use super::swap::{Swapped, swap, take_away};
use crate::bounded;
use crate::environment::Environment;
use crate::model::EnvText;
use crate::model::plan::{Plan, PlanStep};

/// How long goroam waits for an empty file to be filled: `go env -w` takes well under 1 ms between
/// truncating and writing it.
const FILLED: Duration = Duration::from_millis(15);

/// A copy of the go env file with the plan applied to it, ready to replace the file. Dropping it
/// leaves the real file unchanged and removes the copy.
pub struct Prepared {
    /// The content of the real file when the copy was made; `None`: there was none.
    pub before: Option<Vec<u8>>,
    /// The new content.
    pub after: Vec<u8>,
    pub(super) copy: Copy,
    pub(super) place: Place,
    pub(super) task: Task,
}

/// The result of a commit.
#[derive(Clone, PartialEq, Eq)]
pub struct Applied {
    /// The file directly before; `None`: there was none.
    pub before: Option<Vec<u8>>,
    /// The file as it is now.
    pub after: Vec<u8>,
    /// How often another program had written meanwhile and its changes were merged.
    pub merged: u32,
    /// From the call of `commit` until every new go command sees the change; the time after that is
    /// spent on checking for other writers.
    pub visible_after: Duration,
    /// Why the file was written in place, if it could not be replaced in one step.
    pub in_place: Option<InPlace>,
}

/// What to write, kept so that it can be applied again to another writer's content.
#[derive(Debug, Clone)]
pub(super) struct Task {
    go: GoCommand,
    pub(super) file: EnvFile,
    env: Environment,
    pub(super) plan: Plan,
}

/// Applies the plan to a copy. The real file is not touched.
///
/// # Errors
/// See [`ApplyError`].
pub async fn prepare(
    go: &GoCommand,
    file: &EnvFile,
    env: &Environment,
    plan: &Plan,
) -> Result<Prepared, ApplyError> {
    let task = Task {
        go: go.clone(),
        file: file.clone(),
        env: env.clone(),
        plan: plan.clone(),
    };
    task.start().await
}

impl Task {
    /// Starts from the present content of the file.
    async fn start(self) -> Result<Prepared, ApplyError> {
        let place = Place::resolve(&self.file.path)?;
        place.make_ready()?;
        let before = read_whole(&place).await?;
        self.carry_out(place, before).await
    }

    pub(super) async fn carry_out(
        self,
        place: Place,
        before: Option<Vec<u8>>,
    ) -> Result<Prepared, ApplyError> {
        let base = before.as_deref().unwrap_or_default();
        let copy = Copy::new(&place, base)?;
        let present = EnvText(base.to_vec());
        let managed: Vec<&str> = self.plan.changes().map(PlanStep::name).collect();
        // At most two calls: go checks all values of one call before it writes, and writes once.
        for (flag, names) in [("-w", self.sets()), ("-u", self.unsets(&present))] {
            if !names.is_empty() {
                let names = names.iter().map(String::as_str);
                let args: Vec<&str> = ["env", flag].into_iter().chain(names).collect();
                run::write(&self.go, &self.env, &copy.path, &managed, &args).await?;
            }
        }
        let path = &copy.path;
        let failed = |what| move |error| ApplyError::file(path, what, error);
        let after = EnvText(copy.read().map_err(failed("cannot be read back"))?);
        if let Some(what) = unexpected(&self.plan, base, &after) {
            return Err(ApplyError::Unexpected {
                version: self.go.version.text,
                what,
            });
        }
        let synced = copy.sync().await;
        synced.map_err(failed("cannot be put on the disk"))?;
        Ok(Prepared {
            before,
            after: after.0,
            copy,
            place,
            task: self,
        })
    }

    /// Returns `NAME=VALUE` arguments for `go env -w`.
    fn sets(&self) -> Vec<String> {
        let steps = self.plan.changes();
        let sets = steps.filter_map(|step| match step {
            PlanStep::Set { name, value } => Some(format!("{name}={value}")),
            PlanStep::Unset { .. } | PlanStep::Leave { .. } => None,
        });
        sets.collect()
    }

    /// Returns the names for `go env -u` that have a line: go fails if there is no file, and an old
    /// go fails if it does not know the name.
    fn unsets(&self, present: &EnvText) -> Vec<String> {
        let names = present.names();
        let steps = self.plan.changes();
        let unsets = steps.filter_map(|step| match step {
            PlanStep::Unset { name } => Some(name.clone()),
            PlanStep::Set { .. } | PlanStep::Leave { .. } => None,
        });
        unsets
            .filter(|name| names.contains(name.as_str()))
            .collect()
    }
}

/// Reads the content of the file. If the file is empty, it is read again for some milliseconds: `go
/// env -w` truncates it before it writes it, and its lines must not count as removed.
pub(super) async fn read_whole(place: &Place) -> Result<Option<Vec<u8>>, ApplyError> {
    let started = Instant::now();
    loop {
        let content = place.read()?;
        if content.as_ref().is_some_and(Vec::is_empty) && started.elapsed() < FILLED {
            tokio::time::sleep(Duration::from_millis(1)).await;
            continue;
        }
        return Ok(content);
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared")
            .field("path", &self.place.path)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Applied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Applied")
            .field("merged", &self.merged)
            .field("in_place", &self.in_place)
            .finish_non_exhaustive()
    }
}

/// How often the file is swapped before goroam gives up.
const TRIES: u32 = 8;
/// After this many swaps, lines that another program appends are appended to its file.
const SWAPS: u32 = 4;
/// How long goroam waits after the swap for a writer that had the old file open, or had read it:
/// `go env -w` takes well under 1 ms from its read to its write.
const QUIET: Duration = Duration::from_millis(15);
/// The same, after a writer was seen: it may be one of many.
const QUIET_AFTER_WRITER: Duration = Duration::from_millis(60);
/// The longest wait for a writer that keeps the old file open.
const LONGEST: Duration = Duration::from_millis(500);
/// The interval between two checks.
const LOOK: Duration = Duration::from_millis(3);

impl Prepared {
    /// Replaces the real file with the copy, merges the changes of a program that wrote in between,
    /// and reads the file back. The change is visible right at the beginning
    /// ([`Applied::visible_after`]); the rest, usually 15 ms, checks for writers that had opened or
    /// read the old file.
    ///
    /// # Errors
    /// See [`ApplyError`].
    pub async fn commit(self) -> Result<Applied, ApplyError> {
        let started = Instant::now();
        let mut now = self;
        let mut merged = 0;
        let mut visible: Option<(Duration, Option<Vec<u8>>)> = None;
        let mut displaced = Vec::new();
        let mut in_place = None;
        for round in 0..TRIES {
            let caught_up;
            (now, caught_up) = now.catch_up().await?;
            merged += u32::from(caught_up);
            if now.before.as_deref().unwrap_or_default() != now.after {
                match now.swap()? {
                    Swapped::Done(old) => displaced.extend(old.map(|file| Displaced {
                        file,
                        carried: now.before.clone().unwrap_or_default(),
                    })),
                    Swapped::InPlace(file, why) => in_place = Some((file, why)),
                    Swapped::Moved => {
                        now = now.task.clone().start().await?;
                        merged += 1;
                        continue;
                    }
                }
            }
            let (visible_after, before) =
                visible.get_or_insert_with(|| (started.elapsed(), now.before.clone()));
            match now.look_after(&mut displaced, round, &mut merged).await? {
                Settled::At(after) => {
                    now.make_durable(in_place.as_ref().map(|(file, _)| file))
                        .await?;
                    return Ok(Applied {
                        in_place: in_place.map(|(_, why)| why),
                        before: before.take(),
                        after,
                        merged,
                        visible_after: *visible_after,
                    });
                }
                Settled::Not(next) => now = *next,
            }
        }
        Err(ApplyError::Contended {
            path: now.place.path.clone(),
            tries: TRIES,
        })
    }

    /// Merges what was written since the copy was made, and reports whether there was anything.
    async fn catch_up(mut self) -> Result<(Prepared, bool), ApplyError> {
        let place = Place::resolve(&self.task.file.path)?;
        if place.path != self.place.path {
            return Ok((self.task.clone().start().await?, true));
        }
        let found = place.read()?;
        if found == self.before {
            return Ok((self, false));
        }
        let found = match found {
            Some(bytes) if bytes.is_empty() => read_whole(&place).await?,
            found => found,
        };
        let from = self.before.as_deref().unwrap_or_default();
        let to = found.as_deref().unwrap_or_default();
        let after = carry(&self.task.plan, from, to, &self.after, &self.after);
        if after != self.after {
            let written = self.copy.write(&after);
            written.map_err(|error| self.error("no copy can be made beside it", error))?;
            self.after = after;
        }
        self.before = found;
        Ok((self, true))
    }

    fn swap(&mut self) -> Result<Swapped, ApplyError> {
        let path = &self.place.path;
        swap(&mut self.copy, &self.place, self.before.as_deref())
            .map_err(|error| ApplyError::refused(path, path, "cannot be replaced", error))
    }

    /// Checks the files until no writer can be left: the displaced ones, which a writer may have
    /// changed before the swap or may still have open, and the real one, which a writer that had
    /// read an old one may have overwritten.
    async fn look_after(
        &self,
        displaced: &mut [Displaced],
        round: u32,
        merged: &mut u32,
    ) -> Result<Settled, ApplyError> {
        let plan = &self.task.plan;
        if displaced.is_empty() && self.before.as_deref() == Some(&self.after) {
            return Ok(Settled::At(self.after.clone())); // there was nothing to change
        }
        let started = Instant::now();
        let mut since = started;
        loop {
            let quiet = match *merged {
                0 => QUIET,
                _ => QUIET_AFTER_WRITER,
            };
            // In this order: if a writer could still write to an old file at the time of this
            // check, the next read sees its change.
            let is_open = displaced
                .iter()
                .any(|old| is_final(&old.file) == Some(false));
            let is_last = if is_open {
                started.elapsed() >= LONGEST
            } else {
                since.elapsed() >= quiet
            };
            let olds = self.read_displaced(displaced, is_last)?;
            let found = self.place.read()?;
            let new = found.as_deref().unwrap_or_default();
            // A file is empty between a writer's truncation and its write. A line without an end is
            // left by a writer that writes piece by piece.
            let is_torn = !new.ends_with(b"\n") && !self.after.is_empty();
            if is_torn && !is_last {
                tokio::time::sleep(LOOK).await;
                continue;
            }
            // Everything that was written to displaced files, oldest first, merged into the real
            // one.
            let mut all = new.to_vec();
            for (old, now) in displaced.iter().zip(&olds) {
                all = carry(plan, &old.carried, now, &self.after, &all);
            }
            let next = if all != new {
                // Another swap shows what a third writer did meanwhile, so it is tried first; with
                // a writer that appends all the time, goroam appends too.
                match all.strip_prefix(new) {
                    Some(more) if round >= SWAPS => {
                        self.append(more)?;
                        *merged += 1;
                        since = Instant::now();
                        None
                    }
                    Some(_) | None => Some(self.rewritten(found, all).await?),
                }
            } else if !holds(plan, &EnvText(all)) {
                let place = Place::resolve(&self.task.file.path)?;
                Some(self.task.clone().carry_out(place, found).await?)
            } else if is_last {
                return Ok(Settled::At(new.to_vec()));
            } else {
                None
            };
            if let Some(next) = next {
                *merged += 1;
                for (old, content) in displaced.iter_mut().zip(olds) {
                    old.carried = content;
                }
                return Ok(Settled::Not(Box::new(next)));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Returns what the displaced files hold now. A file that was truncated and not yet written, or
    /// whose last line has no end, counts as unchanged until the last check.
    fn read_displaced(
        &self,
        displaced: &[Displaced],
        is_last: bool,
    ) -> Result<Vec<Vec<u8>>, ApplyError> {
        let read = |old: &Displaced| {
            let read = read_open(&old.file).map_err(|error| self.error("cannot be read", error));
            read.map(|content| {
                if content.ends_with(b"\n") || is_last {
                    content
                } else {
                    old.carried.clone()
                }
            })
        };
        displaced.iter().map(read).collect()
    }

    /// Writes a merged copy to the disk. It was swapped in without waiting for the disk, so that
    /// other writers do not wait.
    async fn make_durable(&self, in_place: Option<&File>) -> Result<(), ApplyError> {
        let written = match in_place {
            Some(file) => sync(file).await,
            None => self.copy.sync().await,
        };
        written.map_err(|error| self.error("cannot be put on the disk", error))?;
        sync_folder(self.place.folder()).await;
        Ok(())
    }

    /// Appends whole lines in one write: no reader sees a torn file, and another program that also
    /// appends loses nothing.
    fn append(&self, more: &[u8]) -> Result<(), ApplyError> {
        let mut options = OpenOptions::new();
        let appended = bounded::open_lock(options.append(true), &self.place.path)
            .and_then(|mut file| file.write_all(more).and_then(|()| file.sync_data()));
        match appended {
            // Replaced or removed meanwhile: the next check sees it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result.map_err(|error| self.error("cannot be written", error)),
        }
    }

    /// Returns a copy with merged content. If the content does not follow the plan, the plan is
    /// applied again.
    async fn rewritten(
        &self,
        before: Option<Vec<u8>>,
        content: Vec<u8>,
    ) -> Result<Prepared, ApplyError> {
        let place = Place::resolve(&self.task.file.path)?;
        let content = EnvText(content);
        if !holds(&self.task.plan, &content) {
            let mut next = self.task.clone().carry_out(place, Some(content.0)).await?;
            next.before = before;
            return Ok(next);
        }
        let copy = Copy::new(&place, &content.0)?;
        Ok(Prepared {
            before,
            after: content.0,
            copy,
            place,
            task: self.task.clone(),
        })
    }

    fn error(&self, what: &'static str, source: io::Error) -> ApplyError {
        ApplyError::file(&self.place.path, what, source)
    }
}

/// A file that the copy replaced. It has no name any more, but a program that had it open can still
/// write to it.
struct Displaced {
    file: File,
    /// The part of its content that is in the real file.
    carried: Vec<u8>,
}

/// The result of checking for other writers.
enum Settled {
    /// The file holds the wanted values; this is its content.
    At(Vec<u8>),
    /// The file must be swapped again.
    Not(Box<Prepared>),
}

/// Why the file was not restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// Another program changed the file since; its content is still there.
    #[error("{path} was changed by another program; nothing was restored")]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be written.
    #[error(transparent)]
    Apply(#[from] ApplyError),
}

/// Replaces the file's content by these bytes in one step, or removes the file if there was none
/// (`None`), but only while it still holds `expect`. The permissions to read and write it stay, and
/// so does the directory. A file that cannot be replaced or removed is written in place; if there
/// was none, it is then empty. The reason is returned. A missing file counts as an empty one in
/// `expect`.
///
/// # Errors
/// [`RestoreError::Changed`] if it holds something else, also if it was changed during the call.
pub async fn restore(
    file: &EnvFile,
    bytes: Option<Vec<u8>>,
    expect: &[u8],
) -> Result<Option<InPlace>, RestoreError> {
    let place = Place::resolve(&file.path)?;
    let changed = || RestoreError::Changed {
        path: place.path.clone(),
    };
    let found = place.read()?;
    if found.as_deref().unwrap_or_default() != expect {
        return Err(changed());
    }
    if found == bytes {
        return Ok(None);
    }
    place.make_ready()?;
    let path = &place.path;
    let failed =
        |error| RestoreError::from(ApplyError::refused(path, path, "cannot be replaced", error));
    let mut copy = Copy::new(&place, bytes.as_deref().unwrap_or_default())?;
    copy.sync().await.map_err(failed)?;
    let swapped = match bytes {
        Some(_) => swap(&mut copy, &place, found.as_deref()),
        None => take_away(&place, &mut copy, expect),
    };
    let old = match swapped.map_err(failed)? {
        Swapped::Done(old) => old,
        Swapped::InPlace(file, why) => {
            sync(&file).await.map_err(failed)?;
            return Ok(Some(why));
        }
        Swapped::Moved => return Err(changed()),
    };
    sync_folder(place.folder()).await;
    if let Some(old) = old
        && let Some(theirs) = written_since(&old, expect).await.map_err(failed)?
    {
        put_back(&place, &theirs)?;
        return Err(changed());
    }
    Ok(None)
}

/// Returns what another program wrote to the old file meanwhile.
async fn written_since(old: &File, expect: &[u8]) -> std::io::Result<Option<Vec<u8>>> {
    let started = Instant::now();
    loop {
        let is_last = started.elapsed() >= QUIET;
        let now = read_open(old)?;
        if now != expect && (is_last || !now.is_empty()) {
            return Ok(Some(now));
        }
        if is_last {
            return Ok(None);
        }
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
}

fn put_back(place: &Place, bytes: &[u8]) -> Result<(), ApplyError> {
    let failed = |error| ApplyError::file(&place.path, "cannot be put back", error);
    let mut copy = Copy::new(place, bytes)?;
    copy.let_go().map_err(failed)?;
    std::fs::rename(&copy.path, &place.path).map_err(failed)?;
    copy.is_gone();
    Ok(())
}
