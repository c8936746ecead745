//! Puts vendor/, go.mod and go.sum back to a snapshot, all or nothing, and keeps what was there.

use jiff::Timestamp;
use serde::Serialize;

use super::error::Error;
use super::facts::Kind;
use super::journal::{Desk, Journal, Phase, STAGE, Step};
use super::list::{holders, snapshots};
use super::present::{OwnIndex, changes, present, shown, told};
use super::project::Project;
use super::repo::Repo;
use super::shelves::Shelves;
use super::stage::{Strictness, examine, write_out};
use super::swap;
use crate::gomod::go_work;

/// Where what was there is kept: refs of commits that have nothing else.
pub(super) const BEFORE: &str = "refs/goroam/before-rollback/";

/// A rollback that was made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RolledBack {
    /// The snapshot, as it was asked for or found.
    pub to: String,
    /// Its commit.
    pub commit: String,
    /// Files that are otherwise now; 0: it was so already, and nothing was done.
    pub changed: usize,
    /// The ref that keeps what was there before.
    pub kept: Option<String>,
    /// The command that brings that back.
    pub undo: Option<String>,
    /// What is to be known of the snapshot.
    pub warnings: Vec<String>,
    /// Newer snapshots that were passed over, and why.
    pub skipped: Vec<String>,
    /// Paths that somebody changed in the very moment, so they were left alone.
    pub left_alone: Vec<String>,
    /// The old vendor/, where something was written into it in the very moment.
    pub aside: Option<String>,
}

/// What became of a rollback that was cut off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Recovered {
    /// The snapshot.
    pub to: String,
    /// Was it carried through? Else it was undone.
    pub finished: bool,
    /// The ref that keeps what was there before.
    pub kept: Option<String>,
    /// Paths that somebody has changed since, so they were left alone.
    pub left_alone: Vec<String>,
    /// The old vendor/, where something was written into it since.
    pub aside: Option<String>,
}

/// Carries through or undoes a rollback that was cut off. Every `goroam vendor` does this first.
///
/// # Errors
/// When another one is at work for too long, or a rename fails.
pub fn recover(repo: &Repo) -> Result<Option<Recovered>, Error> {
    if !Desk::is_needed(repo) {
        return Ok(None);
    }
    recover_at(repo, &Desk::sit(repo)?)
}

fn recover_at(repo: &Repo, desk: &Desk) -> Result<Option<Recovered>, Error> {
    let Some(mut journal) = desk.read(&repo.top)? else {
        return Ok(None);
    };
    let finished = journal.phase != Phase::Begun;
    let (left_alone, aside) = if finished {
        carry_through(repo, desk, &mut journal)?
    } else {
        clear(repo, desk, &journal)?;
        (Vec::new(), None)
    };
    Ok(Some(Recovered {
        to: journal.target,
        finished,
        kept: Some(journal.kept).filter(|kept| !kept.is_empty()),
        left_alone,
        aside,
    }))
}

/// Rolls back to `wanted`, else to the newest snapshot that is good and not there already.
/// `keep`: also over uncommitted changes, which are kept as everything that was there is.
///
/// # Errors
/// When something uncommitted would go, the snapshot is not good, or it cannot be done.
/// Nothing has been changed then.
pub fn rollback(
    project: &Project,
    repo: &Repo,
    shelves: &Shelves,
    wanted: Option<&str>,
    keep: bool,
    now: Timestamp,
) -> Result<RolledBack, Error> {
    let desk = Desk::sit(repo)?;
    recover_at(repo, &desk)?;
    let paths_now = repo.pins_now(project)?;
    if let Some(why) = repo.is_filtered(&paths_now)? {
        return Err(Error::Refused(why));
    }
    let candidates = candidates(project, repo, wanted)?;
    let before = present(repo, &paths_now)?;
    if !keep {
        nothing_is_lost(repo, &before, &paths_now)?;
    }
    let mut skipped = Vec::new();
    for (name, commit) in &candidates {
        match roll_to(project, repo, shelves, &desk, name, commit, &before, now) {
            Ok(mut done) => {
                done.skipped = skipped;
                return Ok(done);
            }
            Err(error @ (Error::Mismatch(_) | Error::Failed(_))) if wanted.is_none() => {
                skipped.push(error.to_string());
            }
            Err(error) => return Err(error),
        }
    }
    Err(Error::Failed(if skipped.is_empty() {
        "there is no snapshot but what is there already; `goroam vendor snapshot` makes one, or name a commit: `goroam vendor rollback HEAD~1`".to_owned()
    } else {
        format!("no snapshot is good:\n  {}", skipped.join("\n  "))
    }))
}

/// Names and commits to try, in this order.
fn candidates(
    project: &Project,
    repo: &Repo,
    wanted: Option<&str>,
) -> Result<Vec<(String, String)>, Error> {
    let Some(name) = wanted else {
        let kept = snapshots(project, repo)?
            .into_iter()
            .filter(|kept| !kept.present);
        return Ok(kept.map(|kept| (kept.name, kept.commit)).collect());
    };
    if name.starts_with('-') || name.is_empty() {
        return Err(Error::Usage(format!("{name:?} is no name of a commit")));
    }
    let in_folder = [super::snapshot::FOLDER, name].concat();
    for name in [name, &in_folder] {
        if let Some(commit) = repo.commit(name)? {
            return Ok(vec![(name.to_owned(), commit)]);
        }
    }
    Err(Error::Usage(format!(
        "{name:?} names no commit here; `goroam vendor list` has the snapshots"
    )))
}

/// Refuses where what is there is in no commit: neither HEAD's, nor a snapshot's, nor kept by a
/// rollback. Files that only are not there are no work: whoever has deleted vendor/, or has a
/// sparse checkout without it, wants it back.
fn nothing_is_lost(repo: &Repo, before: &str, paths: &[String]) -> Result<(), Error> {
    let holders = holders(repo)?;
    let mut trees = vec![before];
    trees.extend(holders.iter().map(String::as_str));
    let mut ids = repo.ids(&trees, paths)?.into_iter();
    let here = ids.next().unwrap_or_default();
    if here.iter().all(Option::is_none) || ids.any(|ids| ids == here) {
        return Ok(());
    }
    let base = match repo.commit("HEAD")? {
        Some(head) => head,
        None => OwnIndex::new(repo)?.tree()?,
    };
    for holder in &holders {
        let changed = changes(repo, holder, before, paths)?;
        if changed.iter().all(|change| change.letter == 'D') {
            return Ok(());
        }
    }
    let list = told(&changes(repo, &base, before, paths)?);
    // git takes no path that it does not know: a workspace may well have no go.work.sum.
    let known = repo.ids(&[&base], paths)?.concat();
    let known = paths.iter().zip(here.iter().zip(known));
    let known = known.filter(|(_, (here, base))| here.is_some() || base.is_some());
    let known: Vec<String> = known.map(|(path, _)| path.clone()).collect();
    let names = shown(&known, &repo.prefix);
    Err(Error::Refused(format!(
        "not rolled back: these differ from the last commit and would be gone:{list}\ncommit them, `git stash push -u -- {names}`, or `goroam vendor rollback --keep`, which keeps them in a ref and names it"
    )))
}

#[expect(
    clippy::too_many_arguments,
    reason = "each is another thing, and used once"
)]
fn roll_to(
    project: &Project,
    repo: &Repo,
    shelves: &Shelves,
    desk: &Desk,
    name: &str,
    commit: &str,
    before: &str,
    now: Timestamp,
) -> Result<RolledBack, Error> {
    let is_kept = name.starts_with(BEFORE);
    let paths = paths_of(project, repo, name, commit, is_kept)?;
    let now_ids = repo.ids(&[&present(repo, &paths)?, commit], &paths)?;
    let mut done = RolledBack {
        to: name.to_owned(),
        commit: commit.to_owned(),
        ..RolledBack::default()
    };
    if now_ids.first() == now_ids.get(1) {
        return Ok(done);
    }
    let stamp = now.strftime("%Y%m%d-%H%M%S").to_string();
    let mut journal = Journal {
        stage: format!(
            "{}{STAGE}{}-{}",
            repo.prefix,
            std::process::id(),
            now.as_nanosecond()
        ),
        target: name.to_owned(),
        kept: String::new(),
        phase: Phase::Begun,
        steps: Vec::new(),
        since: 0,
    };
    desk.write(&journal)?;
    let prepared = write_out(repo, desk, &journal, commit, &paths).and_then(|()| {
        let strictness = if is_kept {
            Strictness::Anything
        } else {
            Strictness::Good
        };
        let staged = examine(project, repo, &journal, shelves, strictness)?;
        decide(project, repo, &mut journal, &paths, before, &stamp)?;
        desk.write(&journal)?;
        Ok(staged)
    });
    let staged = match prepared {
        Ok(staged) => staged,
        Err(error) => {
            clear(repo, desk, &journal)?;
            return Err(error);
        }
    };
    (done.left_alone, done.aside) = carry_through(repo, desk, &mut journal)?;
    done.changed = changes(repo, &journal.kept, commit, &paths)?.len();
    done.warnings = staged.warnings;
    done.undo = Some(format!("goroam vendor rollback {}", journal.kept));
    done.kept = Some(journal.kept);
    Ok(done)
}

/// What is to be put back: the paths that belonged together then.
fn paths_of(
    project: &Project,
    repo: &Repo,
    name: &str,
    commit: &str,
    is_kept: bool,
) -> Result<Vec<String>, Error> {
    let file = [&repo.prefix, project.kind.file()].concat();
    repo.is_whole(name, commit, std::slice::from_ref(&file))?;
    let text = repo.text(commit, &file)?;
    let work = text.as_deref().filter(|_| project.kind == Kind::Workspace);
    let paths = repo.pins(project, work.map(go_work::parse).as_ref())?;
    repo.is_whole(name, commit, &paths)?;
    let ids = repo.ids(&[commit], &paths)?.concat();
    let has_vendor = ids.first().is_some_and(Option::is_some);
    if is_kept {
        return Ok(paths);
    }
    if text.is_none() || !has_vendor {
        let what = if text.is_none() {
            file
        } else {
            format!("{}vendor/", repo.prefix)
        };
        return Err(Error::Failed(format!(
            "{name} holds no {what}, so there is nothing to go back to"
        )));
    }
    Ok(paths)
}

/// Keeps what is there, and writes down what is to be done. From here on it is carried through.
fn decide(
    project: &Project,
    repo: &Repo,
    journal: &mut Journal,
    paths: &[String],
    before: &str,
    stamp: &str,
) -> Result<(), Error> {
    let stage = repo.top.join(&journal.stage);
    let probe = stage.join("now");
    journal.since = swap::now_by(&probe).map_err(|error| Error::io(&probe, error))?;
    let paths_now = repo.pins_now(project)?;
    // Writing out and looking took a while, in which the user may have gone on working.
    if present(repo, &paths_now)? != before {
        return Err(Error::Refused(
            "vendor/ or a module file was changed while the rollback was made ready; nothing was changed, try again".to_owned(),
        ));
    }
    let mut all = paths_now;
    all.extend(
        paths
            .iter()
            .filter(|path| !all.contains(path))
            .cloned()
            .collect::<Vec<_>>(),
    );
    journal.kept = keep(repo, &present(repo, &all)?, &journal.target, stamp)?;
    for (place, path) in paths.iter().enumerate() {
        let target = repo.top.join(path);
        let fresh = swap::fresh(&stage, path);
        let failed = |error| Error::io(&target, error);
        let folder = target.parent().unwrap_or(&repo.top);
        std::fs::create_dir_all(folder).map_err(failed)?;
        if !swap::are_together(folder, &stage) {
            return Err(Error::Failed(format!(
                "{} is on another file system than {}, so they cannot be put back in one go",
                folder.display(),
                project.root.display()
            )));
        }
        let is_folder = place == 0;
        let of = |path: &std::path::Path| {
            if is_folder {
                Ok(swap::identity(path))
            } else {
                swap::hash(path).map_err(|error| Error::io(path, error))
            }
        };
        let (old, new) = (of(&target)?, of(&fresh)?);
        if old != new {
            journal.steps.push(Step {
                path: path.clone(),
                folder: is_folder,
                old,
                new,
            });
        }
    }
    to_disk(&stage);
    journal.phase = Phase::Decided;
    Ok(())
}

/// The new files before the journal: else a power cut could leave empty ones behind it.
#[cfg(target_os = "linux")]
fn to_disk(stage: &std::path::Path) {
    use std::os::fd::AsRawFd as _;

    if let Ok(folder) = crate::bounded::open_folder(stage) {
        // SAFETY: the descriptor is open until `folder` is dropped; syncfs takes nothing else.
        unsafe { libc::syncfs(folder.as_raw_fd()) };
    }
}

/// Elsewhere there is no call for it all at once; git has every file in any case.
#[cfg(not(target_os = "linux"))]
fn to_disk(_: &std::path::Path) {}

/// A commit of what was there, held by a ref that nobody else moves.
fn keep(repo: &Repo, tree: &str, target: &str, stamp: &str) -> Result<String, Error> {
    let text = format!("What was there before goroam vendor rollback to {target}\n");
    let args = [
        "-c",
        "user.name=goroam",
        "-c",
        "user.email=goroam@localhost",
        "commit-tree",
        "-F",
        "-",
        tree,
    ];
    let commit = repo.git.feed(&args, text.into_bytes())?;
    let commit = String::from_utf8_lossy(&commit).trim().to_owned();
    for number in 1..100 {
        let name = match number {
            1 => [BEFORE, stamp].concat(),
            number => format!("{BEFORE}{stamp}-{number}"),
        };
        let create = format!("create {name} {commit}\n").into_bytes();
        if repo.git.asks(&["update-ref", "--stdin"], create)?.0 {
            return Ok(name);
        }
    }
    Err(Error::Git(format!("git could make no ref below {BEFORE}")))
}

/// Takes the steps, then clears the stage and the journal away.
fn carry_through(
    repo: &Repo,
    desk: &Desk,
    journal: &mut Journal,
) -> Result<(Vec<String>, Option<String>), Error> {
    let mut left_alone = Vec::new();
    let mut aside = None;
    if journal.phase == Phase::Decided {
        left_alone = swap::take(&repo.top, journal)?;
        if let Some(old) = swap::old_folder(&repo.top, journal) {
            let failed = |error| Error::io(&old, error);
            if swap::is_younger(&old, journal.since).map_err(failed)? {
                let beside = repo.top.join(&repo.prefix);
                let path = swap::free_name(&beside, ".vendor-before-rollback");
                std::fs::rename(&old, &path).map_err(failed)?;
                aside = Some(path.display().to_string());
            }
        }
        // Removing makes the folders younger, so that it must not be looked at again.
        journal.phase = Phase::Done;
        desk.write(journal)?;
    }
    clear(repo, desk, journal)?;
    Ok((left_alone, aside))
}

/// The stage goes, and the journal with it.
fn clear(repo: &Repo, desk: &Desk, journal: &Journal) -> Result<(), Error> {
    let stage = repo.top.join(&journal.stage);
    match swap::remove(&stage) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io(&stage, error)),
        Ok(()) | Err(_) => desk.clear(),
    }
}
