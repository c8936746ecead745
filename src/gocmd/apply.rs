//! Carrying out a plan, atomically: `go env -w` on a copy beside the real file, then a rename.

use std::fmt;
use std::time::{Duration, Instant};

use super::command::GoCommand;
use super::copy::{Copy, Place};
use super::envfile::EnvFile;
use super::failure::ApplyError;
use super::in_place::InPlace;
use super::lines::unexpected;
use super::run::{self};
use crate::environment::Environment;
use crate::model::EnvText;
use crate::model::plan::{Plan, Step};

/// How long an empty file is waited for to be filled: `go env -w` takes well under 1 ms from
/// its truncating to its writing.
const FILLED: Duration = Duration::from_millis(15);

/// A copy of the go env file with the plan carried out on it, ready to take its place.
/// Dropping it leaves the real file as it is and removes the copy.
pub struct Prepared {
    /// What the real file held when the copy was made; `None`: there was none.
    pub before: Option<Vec<u8>>,
    /// What it will hold.
    pub after: Vec<u8>,
    pub(super) copy: Copy,
    pub(super) place: Place,
    pub(super) task: Task,
}

/// What was done.
#[derive(Clone, PartialEq, Eq)]
pub struct Applied {
    /// The file as it was right before; `None`: there was none.
    pub before: Option<Vec<u8>>,
    /// The file as it is.
    pub after: Vec<u8>,
    /// How often another writer had slipped in and was merged with.
    pub merged: u32,
    /// From the call of `commit` until every new go command sees the change; what follows is
    /// looking after other writers.
    pub visible_after: Duration,
    /// Why the file was written in place, where it could not be replaced in one step.
    pub in_place: Option<InPlace>,
}

/// What is to be done, kept for doing it again on somebody else's content.
#[derive(Debug, Clone)]
pub(super) struct Task {
    go: GoCommand,
    pub(super) file: EnvFile,
    env: Environment,
    pub(super) plan: Plan,
}

/// Carries the plan out on a copy. The real file is not touched.
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
    let place = Place::resolve(&file.path)?;
    place.make_ready()?;
    let before = read_whole(&place).await?;
    task.carry_out(place, before).await
}

impl Task {
    /// From the start, on whatever is there now.
    pub(super) async fn again(self) -> Result<Prepared, ApplyError> {
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
        let (sets, unsets) = self.arguments(&present);
        let managed: Vec<&str> = self.plan.changes().map(Step::name).collect();
        for args in [sets, unsets].into_iter().flatten() {
            run::write(&self.go, &self.env, &copy.path, &managed, args).await?;
        }
        let failed = |error| ApplyError::file(&copy.path, "cannot be read back", error);
        let after = EnvText(copy.read().map_err(failed)?);
        if let Some(what) = unexpected(&self.plan, base, &after) {
            return Err(ApplyError::Unexpected {
                version: self.go.version.text,
                what,
            });
        }
        copy.sync()
            .await
            .map_err(|error| ApplyError::file(&copy.path, "cannot be put on the disk", error))?;
        Ok(Prepared {
            before,
            after: after.0,
            copy,
            place,
            task: self,
        })
    }

    /// `env -w NAME=VALUE…` and `env -u NAME…`, each where there is something for it to do:
    /// go checks all values of one call before it writes, and writes once.
    fn arguments(&self, present: &EnvText) -> (Option<Vec<String>>, Option<Vec<String>>) {
        let (mut sets, mut unsets) = (Vec::new(), Vec::new());
        let names = present.names();
        for step in self.plan.changes() {
            match step {
                Step::Set { name, value } => sets.push(format!("{name}={value}")),
                // go says no where there is no file, and an old one where it does not know the name.
                Step::Unset { name } if names.contains(name.as_str()) => unsets.push(name.clone()),
                Step::Unset { .. } | Step::Leave { .. } => {}
            }
        }
        let call = |flag: &str, rest: Vec<String>| {
            let head = ["env".to_owned(), flag.to_owned()];
            (!rest.is_empty()).then(|| head.into_iter().chain(rest).collect())
        };
        (call("-w", sets), call("-u", unsets))
    }
}

/// What the file holds. An empty one is looked at for some milliseconds: `go env -w`
/// truncates it before it writes, and nobody's lines may be taken for removed.
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
        let text = |bytes: &[u8]| EnvText(bytes.to_vec());
        f.debug_struct("Applied")
            .field("before", &self.before.as_deref().map(text))
            .field("after", &text(&self.after))
            .field("merged", &self.merged)
            .field("visible_after", &self.visible_after)
            .field("in_place", &self.in_place)
            .finish()
    }
}
