//! Puts vendor/, go.mod and go.sum back to a snapshot, all or nothing, and keeps what was there.

use std::path::PathBuf;
use std::process::Stdio;

use jiff::Timestamp;
use serde::Serialize;

use super::check::{Shelves, check_at};
use super::error::Error;
use super::facts::ProjectKind;
use super::git::{raw_pieces, with};
use super::journal::{RollbackJournal, RollbackLock, RollbackPhase, STAGE, SwapStep};
use super::present::{OwnIndex, changes, exists, present, shown, summary};
use super::project::VendorProject;
use super::repo::Repo;
use super::report::{VendorCode, VendorFinding, VendorReport, Weight};
use super::snapshot::{FOLDER, holders, snapshots};
use super::swap;
use super::swap::fresh;
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
    /// How many files changed; 0: nothing had to be done.
    pub changed: usize,
    /// The ref that keeps what was there before.
    pub kept: Option<String>,
    /// The command that brings that back.
    pub undo: Option<String>,
    /// Findings about the snapshot that do not prevent the rollback.
    pub warnings: Vec<String>,
    /// Newer snapshots that were skipped, and why.
    pub skipped: Vec<String>,
    /// Paths that were changed during the rollback, so they were left alone.
    pub left_alone: Vec<String>,
    /// The old vendor/, if something was written into it during the rollback.
    pub aside: Option<String>,
}

/// How an interrupted rollback was ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Recovered {
    /// The snapshot.
    pub to: String,
    /// Was it completed? Otherwise it was undone.
    pub finished: bool,
    /// The ref that keeps what was there before.
    pub kept: Option<String>,
    /// Paths that have been changed since, so they were left alone.
    pub left_alone: Vec<String>,
    /// The old vendor/, if something has been written into it since.
    pub aside: Option<String>,
}

/// Completes or undoes an interrupted rollback. Every `goroam vendor` does this first.
///
/// # Errors
/// When another rollback runs for too long, or a rename fails.
pub fn recover(repo: &Repo) -> Result<Option<Recovered>, Error> {
    if !RollbackLock::is_needed(repo) {
        return Ok(None);
    }
    recover_at(repo, &RollbackLock::acquire(repo)?)
}

fn recover_at(repo: &Repo, lock: &RollbackLock) -> Result<Option<Recovered>, Error> {
    let Some(mut journal) = lock.read(&repo.top)? else {
        return Ok(None);
    };
    let finished = journal.phase != RollbackPhase::Begun;
    let (left_alone, aside) = if finished {
        complete(repo, lock, &mut journal)?
    } else {
        clear(repo, lock, &journal)?;
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
    project: &VendorProject,
    repo: &Repo,
    shelves: &Shelves,
    wanted: Option<&str>,
    keep: bool,
    now: Timestamp,
) -> Result<RolledBack, Error> {
    let lock = RollbackLock::acquire(repo)?;
    recover_at(repo, &lock)?;
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
        match roll_to(project, repo, shelves, &lock, name, commit, &before, now) {
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
        "there is no snapshot other than the present state; `goroam vendor snapshot` creates one, or name a commit: `goroam vendor rollback HEAD~1`".to_owned()
    } else {
        format!("no snapshot is good:\n  {}", skipped.join("\n  "))
    }))
}

/// Names and commits to try, in this order.
fn candidates(
    project: &VendorProject,
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
        return Err(Error::Usage(format!(
            "{name:?} is not the name of a commit"
        )));
    }
    let in_folder = format!("{FOLDER}{name}");
    for name in [name, &in_folder] {
        if let Some(commit) = repo.commit(name)? {
            return Ok(vec![(name.to_owned(), commit)]);
        }
    }
    Err(Error::Usage(format!(
        "{name:?} names no commit here; `goroam vendor list` shows the snapshots"
    )))
}

/// Refuses if the present state is in no commit: neither HEAD's, nor a snapshot's, nor one kept by
/// a rollback. Missing files do not count: a user who deleted vendor/, or has a sparse checkout
/// without it, wants it back.
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
    let list = summary(&changes(repo, &base, before, paths)?);
    // git takes no path that it does not know: a workspace may well have no go.work.sum.
    let known = repo.ids(&[&base], paths)?.concat();
    let known = paths.iter().zip(here.iter().zip(known));
    let known = known.filter(|(_, (here, base))| here.is_some() || base.is_some());
    let known: Vec<String> = known.map(|(path, _)| path.clone()).collect();
    let names = shown(&known, &repo.prefix);
    Err(Error::Refused(format!(
        "not rolled back: these differ from the last commit and would be lost:{list}\ncommit them, run `git stash push -u -- {names}`, or use `goroam vendor rollback --keep`, which keeps them in a ref and names it"
    )))
}

#[expect(
    clippy::too_many_arguments,
    reason = "each is another thing, and used once"
)]
fn roll_to(
    project: &VendorProject,
    repo: &Repo,
    shelves: &Shelves,
    lock: &RollbackLock,
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
    let mut journal = RollbackJournal {
        stage: format!(
            "{}{STAGE}{}-{}",
            repo.prefix,
            std::process::id(),
            now.as_nanosecond()
        ),
        target: name.to_owned(),
        kept: String::new(),
        phase: RollbackPhase::Begun,
        steps: Vec::new(),
        since: 0,
    };
    lock.write(&journal)?;
    let prepared = write_out(repo, lock, &journal, commit, &paths).and_then(|()| {
        let strictness = if is_kept {
            Strictness::Anything
        } else {
            Strictness::Good
        };
        let staged = examine(project, repo, &journal, shelves, strictness)?;
        decide(project, repo, &mut journal, &paths, before, &stamp)?;
        lock.write(&journal)?;
        Ok(staged)
    });
    let staged = match prepared {
        Ok(staged) => staged,
        Err(error) => {
            clear(repo, lock, &journal)?;
            return Err(error);
        }
    };
    (done.left_alone, done.aside) = complete(repo, lock, &mut journal)?;
    done.changed = changes(repo, &journal.kept, commit, &paths)?.len();
    done.warnings = staged.warnings;
    done.undo = Some(format!("goroam vendor rollback {}", journal.kept));
    done.kept = Some(journal.kept);
    Ok(done)
}

/// The paths to put back: those that belonged together in that commit.
fn paths_of(
    project: &VendorProject,
    repo: &Repo,
    name: &str,
    commit: &str,
    is_kept: bool,
) -> Result<Vec<String>, Error> {
    let file = format!("{}{}", repo.prefix, project.kind.file());
    repo.is_whole(name, commit, std::slice::from_ref(&file))?;
    let text = repo.text(commit, &file)?;
    let work = text
        .as_deref()
        .filter(|_| project.kind == ProjectKind::Workspace);
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
            "{name} holds no {what}, so it cannot be rolled back to"
        )));
    }
    Ok(paths)
}

/// Keeps the present state and adds the steps to the journal. Once that is written, the rollback
/// is always completed.
fn decide(
    project: &VendorProject,
    repo: &Repo,
    journal: &mut RollbackJournal,
    paths: &[String],
    before: &str,
    stamp: &str,
) -> Result<(), Error> {
    let stage = repo.top.join(&journal.stage);
    let probe = stage.join("now");
    journal.since = swap::now_by(&probe).map_err(|error| Error::io(&probe, error))?;
    let paths_now = repo.pins_now(project)?;
    // Preparing took a while, in which the user may have continued to work.
    if present(repo, &paths_now)? != before {
        return Err(Error::Refused(
            "vendor/ or a module file changed while the rollback was prepared; nothing was rolled back, try again".to_owned(),
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
                "{} is on another file system than {}, so they cannot be put back in one step",
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
            journal.steps.push(SwapStep {
                path: path.clone(),
                folder: is_folder,
                old,
                new,
            });
        }
    }
    to_disk(&stage);
    journal.phase = RollbackPhase::Decided;
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

/// Other systems have no call that syncs a whole file system; git has every file in any case.
#[cfg(not(target_os = "linux"))]
fn to_disk(_: &std::path::Path) {}

/// Commits the previous state and keeps it by a ref of goroam's.
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
            1 => format!("{BEFORE}{stamp}"),
            number => format!("{BEFORE}{stamp}-{number}"),
        };
        let create = format!("create {name} {commit}\n").into_bytes();
        if repo.git.asks(&["update-ref", "--stdin"], create)?.0 {
            return Ok(name);
        }
    }
    Err(Error::Git(format!(
        "git could not create a ref below {BEFORE}"
    )))
}

/// Takes the steps, then removes the stage and the journal.
fn complete(
    repo: &Repo,
    lock: &RollbackLock,
    journal: &mut RollbackJournal,
) -> Result<(Vec<String>, Option<String>), Error> {
    let mut left_alone = Vec::new();
    let mut aside = None;
    if journal.phase == RollbackPhase::Decided {
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
        // Removing changes the folders' times, so they must not be looked at again.
        journal.phase = RollbackPhase::Done;
        lock.write(journal)?;
    }
    clear(repo, lock, journal)?;
    Ok((left_alone, aside))
}

/// Removes the stage and the journal.
fn clear(repo: &Repo, lock: &RollbackLock, journal: &RollbackJournal) -> Result<(), Error> {
    let stage = repo.top.join(&journal.stage);
    match swap::remove(&stage) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io(&stage, error)),
        Ok(()) | Err(_) => lock.clear(),
    }
}

/// A snapshot, written out.
#[derive(Debug)]
pub(super) struct Staged {
    /// What was found in it that does not prevent its use.
    pub(super) warnings: Vec<String>,
}

/// How good a snapshot must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strictness {
    /// Any: it is the state before a rollback.
    Anything,
    /// Good, except for what could not be checked.
    Good,
}

/// Writes the paths of a commit into the stage.
///
/// # Errors
/// When git fails or a file is missing afterwards.
pub(super) fn write_out(
    repo: &Repo,
    lock: &RollbackLock,
    journal: &RollbackJournal,
    commit: &str,
    paths: &[String],
) -> Result<(), Error> {
    let stage = repo.top.join(&journal.stage);
    std::fs::create_dir(&stage).map_err(|error| Error::io(&stage, error))?;
    let listing = with(&["ls-tree", "-r", "-z", "--full-tree", commit, "--"], paths);
    let listing = repo.git.run(&listing)?;
    // A name need not be UTF-8.
    let mut names: Vec<&[u8]> = Vec::new();
    for line in raw_pieces(&listing) {
        let tab = line.iter().position(|b| *b == b'\t').unwrap_or_default();
        let path = line.get(tab + 1..).unwrap_or_default();
        if line.starts_with(b"160000 ") {
            return Err(Error::Failed(format!(
                "{} is a submodule in {}, which does not contain its files",
                String::from_utf8_lossy(path),
                journal.target
            )));
        }
        names.push(path);
    }
    let index = OwnIndex::new(repo)?;
    index.read(commit)?;
    let prefix = format!(
        "--prefix={}/",
        fresh(&stage, "")
            .display()
            .to_string()
            .trim_end_matches(['/', '\\'])
    );
    let args = [
        "-c",
        "core.sparseCheckout=false",
        "checkout-index",
        "-q",
        "-z",
        "--stdin",
        &prefix,
    ];
    let mut input = Vec::new();
    for name in &names {
        input.extend_from_slice(name);
        input.push(0);
    }
    if let Some(why) = index.git().forbids(&input)? {
        return Err(Error::Refused(why));
    }
    // If goroam is killed here, this git and its filters still hold the lock until they are done.
    let held = Stdio::from(lock.for_child()?);
    index.git().patient().feed_to(&args, input, held)?;
    let new = fresh(&stage, "");
    match names.iter().find(|name| !exists(&new.join(of_bytes(name)))) {
        None => Ok(()),
        Some(name) => Err(Error::Git(format!(
            "git did not write {} of {}",
            String::from_utf8_lossy(name),
            journal.target
        ))),
    }
}

#[cfg(unix)]
fn of_bytes(name: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt as _;

    PathBuf::from(std::ffi::OsStr::from_bytes(name))
}

/// git for Windows has names in UTF-8.
#[cfg(windows)]
fn of_bytes(name: &[u8]) -> PathBuf {
    PathBuf::from(String::from_utf8_lossy(name).into_owned())
}

/// Checks what was written out.
///
/// # Errors
/// When it is not good: [`Error::Mismatch`] when something does not match its checksum.
pub(super) fn examine(
    project: &VendorProject,
    repo: &Repo,
    journal: &RollbackJournal,
    shelves: &Shelves,
    strictness: Strictness,
) -> Result<Staged, Error> {
    let stage = repo.top.join(&journal.stage);
    let copy = VendorProject {
        root: fresh(&stage, repo.prefix.trim_end_matches('/')),
        kind: project.kind,
    };
    let report = check_at(&copy, &project.root, shelves)?;
    let bad =
        |finding: &&VendorFinding| finding.weight > Weight::Note && !is_bearable(finding.code);
    match report.findings.iter().find(bad) {
        Some(first) if strictness == Strictness::Good => Err(refusal(journal, first, &report)),
        _ => Ok(Staged {
            warnings: warnings(&report),
        }),
    }
}

/// What could not be checked, and what says nothing about the snapshot itself: line ends as git
/// writes them here, a local folder that has changed since.
fn is_bearable(code: VendorCode) -> bool {
    matches!(
        code,
        VendorCode::NoZip
            | VendorCode::NoFolder
            | VendorCode::NoSum
            | VendorCode::OutOfDate
            | VendorCode::LineEnds
    )
}

fn refusal(journal: &RollbackJournal, first: &VendorFinding, report: &VendorReport) -> Error {
    let about = first.file.as_deref().or(first.module.as_deref());
    let more = report
        .findings
        .iter()
        .filter(|f| f.weight > Weight::Note)
        .count();
    let more = match more {
        0 | 1 => String::new(),
        more => format!(" (and {} more)", more - 1),
    };
    let why = format!(
        "{} is not good: {}{} [{}]{more}; nothing was changed. `goroam vendor list` shows the others",
        journal.target,
        about.map_or_else(String::new, |about| format!("{about}: ")),
        first.what,
        first.code,
    );
    match first.weight {
        Weight::Differs => Error::Mismatch(why),
        Weight::Note | Weight::Bad => Error::Failed(why),
    }
}

fn warnings(report: &VendorReport) -> Vec<String> {
    let mut out = Vec::new();
    let unverified: Vec<&VendorFinding> = report
        .findings
        .iter()
        .filter(|f| f.code.is_unverified() || f.code == VendorCode::NoSum)
        .collect();
    if let Some(first) = unverified.first() {
        let module = first.module.as_deref().unwrap_or_default();
        out.push(format!(
            "not verified: {} of {} modules, because there is nothing to compare them with (the first: {module}); {}",
            unverified.len(),
            report.modules,
            first.mend
        ));
    }
    let others = report.findings.iter().filter(|f| f.weight > Weight::Note);
    let others: Vec<&VendorFinding> = others
        .filter(|f| !f.code.is_unverified() && f.code != VendorCode::NoSum)
        .collect();
    if let Some(first) = others.first() {
        let about = first.file.as_deref().or(first.module.as_deref());
        out.push(format!(
            "{}: {} [{}]{}",
            about.unwrap_or("vendor/"),
            first.what,
            first.code,
            match others.len() {
                1 => String::new(),
                more => format!(" (and {} more; see `goroam vendor check`)", more - 1),
            }
        ));
    }
    out
}
