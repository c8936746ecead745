//! The snapshots that there are.

use jiff::Timestamp;
use serde::Serialize;

use super::error::Error;
use super::git::pieces;
use super::journal::Desk;
use super::present::present;
use super::project::Project;
use super::repo::Repo;
use super::snapshot::{MODULES, PROJECT};

/// A snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// The tag.
    pub name: String,
    /// When it was made; `None` where the tag does not say.
    pub at: Option<Timestamp>,
    /// The commit.
    pub commit: String,
    /// Modules in vendor/.
    pub modules: Option<u64>,
    /// The first line of its message.
    pub subject: String,
    /// Are vendor/, go.mod and go.sum exactly so now?
    pub present: bool,
}

/// This project's snapshots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The newest first.
    pub kept: Vec<Kept>,
    /// Why it cannot be said which of them is there now.
    pub unsure: Option<String>,
}

/// This project's snapshots.
///
/// # Errors
/// When git cannot say.
pub fn list(project: &Project, repo: &Repo) -> Result<Listed, Error> {
    let _desk = Desk::sit(repo)?;
    if let Some(why) = repo.is_filtered(&repo.pins_now(project)?)? {
        return Ok(Listed {
            kept: tags(repo)?,
            unsure: Some(why),
        });
    }
    Ok(Listed {
        kept: snapshots(project, repo)?,
        unsure: None,
    })
}

/// The same for whoever has the lock.
pub(super) fn snapshots(project: &Project, repo: &Repo) -> Result<Vec<Kept>, Error> {
    let mut kept = tags(repo)?;
    if kept.is_empty() {
        return Ok(kept);
    }
    let paths = repo.pins_now(project)?;
    let now = present(repo, &paths)?;
    let mut trees: Vec<&str> = vec![&now];
    trees.extend(kept.iter().map(|kept| kept.commit.as_str()));
    let ids = repo.ids(&trees, &paths)?;
    let now = ids.first().cloned();
    for (kept, ids) in kept.iter_mut().zip(ids.into_iter().skip(1)) {
        kept.present = Some(ids) == now;
    }
    Ok(kept)
}

/// Annotated tags whose message says that they are snapshots of this project.
fn tags(repo: &Repo) -> Result<Vec<Kept>, Error> {
    let format = "--format=%(objecttype)%00%(refname:strip=2)%00%(*objecttype)%00%(*objectname)%00%(taggerdate:unix)%00%(contents)%00%00";
    // The last key counts first.
    let args = [
        "for-each-ref",
        "--sort=-refname",
        "--sort=-taggerdate",
        format,
        "refs/tags",
    ];
    let out = repo.git.run(&args)?;
    let place = match repo.prefix.trim_end_matches('/') {
        "" => ".",
        prefix => prefix,
    };
    let mut kept = Vec::new();
    let text = String::from_utf8_lossy(&out);
    for record in text.split("\0\0\n") {
        let fields: Vec<&str> = record.splitn(6, '\0').collect();
        let ["tag", name, "commit", commit, at, message] = fields.as_slice() else {
            continue;
        };
        let said = |word: &str| {
            message
                .lines()
                .rev()
                .find_map(|line| line.strip_prefix(word))
        };
        if said(PROJECT).is_none_or(|of| of.trim() != place) {
            continue;
        }
        kept.push(Kept {
            name: (*name).to_owned(),
            at: at
                .parse()
                .ok()
                .and_then(|at| Timestamp::from_second(at).ok()),
            commit: (*commit).to_owned(),
            modules: said(MODULES).and_then(|count| count.trim().parse().ok()),
            subject: message.lines().next().unwrap_or_default().to_owned(),
            present: false,
        });
    }
    Ok(kept)
}

/// Every commit that holds what is there now: HEAD, a snapshot, or what a rollback kept.
///
/// # Errors
/// When git cannot say.
pub(super) fn holders(repo: &Repo) -> Result<Vec<String>, Error> {
    let mut out: Vec<String> = repo.commit("HEAD")?.into_iter().collect();
    out.extend(tags(repo)?.into_iter().map(|kept| kept.commit));
    let args = [
        "for-each-ref",
        "--format=%(objectname)%00",
        "refs/goroam/before-rollback",
    ];
    let kept = repo.git.run(&args)?;
    out.extend(pieces(&kept).into_iter().map(|id| id.trim().to_owned()));
    out.retain(|id| !id.is_empty());
    Ok(out)
}
