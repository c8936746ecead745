//! The switch, and looking after other writers: they are not locked out (go takes no lock),
//! so what they did around the switch is found afterwards and merged.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use super::apply::{Applied, ApplyError, Prepared, read_whole};
use super::copy::{Copy, Place, sync, sync_folder};
use super::envfile::read_open;
use super::lines::{Carried, carry, holds};
use super::swap::{Swapped, is_final, swap};
use crate::model::EnvText;

/// How often the file is swapped before goroam gives up.
const TRIES: u32 = 8;
/// How long a writer that had the old file open, or had read it, is waited for after the
/// swap: `go env -w` takes well under 1 ms from its read to its write.
const QUIET: Duration = Duration::from_millis(15);
/// The same, once a writer was seen: it may be one of many.
const QUIET_AFTER_WRITER: Duration = Duration::from_millis(60);
/// The longest wait for a writer who keeps the old file open.
const LONGEST: Duration = Duration::from_millis(500);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(3);

impl Prepared {
    /// Puts the copy in the real file's place, merges with a writer who slipped in between,
    /// and reads back. The change is visible right at the beginning ([`Applied::visible_after`]);
    /// the rest, 15 ms as a rule, looks after writers who had opened or read the old file.
    ///
    /// # Errors
    /// See [`ApplyError`].
    pub async fn commit(self) -> Result<Applied, ApplyError> {
        let started = Instant::now();
        let mut now = self;
        let (mut merged, mut visible_after) = (0, None);
        for _ in 0..TRIES {
            let caught_up;
            (now, caught_up) = now.catch_up().await?;
            merged += u32::from(caught_up);
            if now.before.as_deref().unwrap_or_default() == now.after {
                let visible_after = visible_after.unwrap_or_else(|| started.elapsed());
                return Ok(now.applied(None, merged, visible_after));
            }
            let displaced = match now.swap()? {
                Swapped::Done(displaced) => displaced,
                Swapped::Moved => {
                    now = now.task.clone().again().await?;
                    merged += 1;
                    continue;
                }
            };
            visible_after.get_or_insert_with(|| started.elapsed());
            if caught_up {
                let written = sync(&now.copy.file).await;
                written.map_err(|error| now.error("cannot be put on the disk", error))?;
            }
            sync_folder(now.place.folder()).await;
            match now.look_after(displaced.as_ref(), &mut merged).await? {
                Settled::At(after) => {
                    let visible_after = visible_after.unwrap_or_default();
                    return Ok(now.applied(Some(after), merged, visible_after));
                }
                Settled::Not(next) => now = next,
            }
        }
        Err(ApplyError::Contended {
            path: now.place.path.clone(),
            tries: TRIES,
        })
    }

    /// Takes in what was written since the copy was made; says whether there was anything.
    async fn catch_up(mut self) -> Result<(Prepared, bool), ApplyError> {
        let place = Place::resolve(&self.task.file.path)?;
        if place.path != self.place.path {
            return Ok((self.task.clone().again().await?, true));
        }
        let found = place.read()?;
        if found == self.before {
            return Ok((self, false));
        }
        let found = match found {
            Some(bytes) if bytes.is_empty() => read_whole(&place).await?,
            found => found,
        };
        let bytes = |content: &Option<Vec<u8>>| content.clone().unwrap_or_default();
        let (from, to) = (bytes(&self.before), bytes(&found));
        let after = match carry(&self.task.plan, &from, &to, &self.after, &self.after) {
            Carried::Nothing => None,
            Carried::Append(more) => Some([self.after.as_slice(), &more].concat()),
            Carried::Rewrite(after) => Some(after),
        };
        if let Some(after) = after {
            let written = self.copy.write(&after);
            written.map_err(|error| self.error("no copy can be made beside it", error))?;
            self.after = after;
        }
        self.before = found;
        Ok((self, true))
    }

    fn swap(&mut self) -> Result<Swapped, ApplyError> {
        let replaces = self.before.is_some();
        swap(&mut self.copy, &self.place, replaces).map_err(|error| match error.kind() {
            // Past `access` only the immutable and append-only flags say this.
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                ApplyError::ReadOnly {
                    path: self.place.path.clone(),
                }
            }
            _ => self.error("cannot be replaced", error),
        })
    }

    /// Looks at both files until no writer can be left: at the one that was displaced, which
    /// a writer may have changed before the swap or may still have open, and at the real one,
    /// which a writer that had read the old one may have overwritten.
    async fn look_after(
        &self,
        displaced: Option<&File>,
        merged: &mut u32,
    ) -> Result<Settled, ApplyError> {
        let plan = &self.task.plan;
        let before = self.before.as_deref().unwrap_or_default();
        let started = Instant::now();
        let mut quiet = if *merged > 0 {
            QUIET_AFTER_WRITER
        } else {
            QUIET
        };
        let mut since = started;
        loop {
            // In this order: whoever could still write to the old file when it is asked for
            // is seen by the next look, not by none.
            let is_final = displaced.and_then(is_final);
            let is_last = match is_final {
                Some(false) => started.elapsed() >= LONGEST,
                Some(true) | None => since.elapsed() >= quiet,
            };
            let old = match displaced {
                Some(file) => {
                    read_open(file).map_err(|error| self.error("cannot be read", error))?
                }
                None => Vec::new(),
            };
            let found = self.place.read()?;
            let new = found.as_deref().unwrap_or_default();
            // Empty is what a writer leaves between its truncating and its writing.
            let old_is_torn = old.is_empty() && !before.is_empty() && !is_last;
            let new_is_torn = new.is_empty() && !self.after.is_empty() && !is_last;
            let carried = match old_is_torn || new_is_torn {
                true => Carried::Nothing,
                false => carry(plan, before, &old, &self.after, new),
            };
            match carried {
                Carried::Nothing if new_is_torn => {}
                Carried::Nothing if !holds(plan, &EnvText(new.to_vec())) => {
                    *merged += 1;
                    let place = Place::resolve(&self.task.file.path)?;
                    let next = self.task.clone().carry_out(place, found).await?;
                    return Ok(Settled::Not(next));
                }
                Carried::Nothing if is_last => return Ok(Settled::At(new.to_vec())),
                Carried::Nothing => {}
                Carried::Append(more) => {
                    self.append(&more)?;
                    *merged += 1;
                    (quiet, since) = (QUIET_AFTER_WRITER, Instant::now());
                }
                Carried::Rewrite(content) => {
                    *merged += 1;
                    return Ok(Settled::Not(self.rewritten(found, content).await?));
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Whole lines at the end, in one write: no reader sees a torn file, and a writer who
    /// appends as well loses nothing.
    fn append(&self, more: &[u8]) -> Result<(), ApplyError> {
        let mut options = OpenOptions::new();
        let appended = options
            .append(true)
            .open(&self.place.path)
            .and_then(|mut file| file.write_all(more).and_then(|()| file.sync_data()));
        match appended {
            // Replaced or removed meanwhile: the next look sees it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result.map_err(|error| self.error("cannot be written", error)),
        }
    }

    /// A copy with merged content, on which the plan still stands or is carried out again.
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

    fn applied(self, after: Option<Vec<u8>>, merged: u32, visible_after: Duration) -> Applied {
        Applied {
            before: self.before.clone(),
            after: after.unwrap_or_else(|| self.after.clone()),
            merged,
            visible_after,
        }
    }

    fn error(&self, what: &'static str, source: io::Error) -> ApplyError {
        ApplyError::file(&self.place.path, what, source)
    }
}

/// What looking after other writers came to.
enum Settled {
    /// The file holds what was wanted, and this.
    At(Vec<u8>),
    /// It has to be swapped again.
    Not(Prepared),
}
