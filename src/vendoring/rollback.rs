//! Restores vendor/, go.mod and go.sum from a snapshot, all or nothing, and keeps the previous
//! state.

use std::process::Stdio;

use jiff::Timestamp;
use serde::Serialize;

use super::check::check_at;
use super::error::{About, Error, Result};
use super::gather::Shelves;
use super::journal::{RollbackJournal, RollbackLock, STAGE, are_together, fresh, now_by};
use super::project::VendorProject;
use super::repo::{OwnIndex, Repo, numbered, summary};
use super::report::{ProjectKind, VendorCode, VendorFinding, VendorReport, Weight};
use super::snapshot::{FOLDER, snapshots, tags};
use crate::gomod::go_mod::GoMod;
use crate::gomod::go_work;

/// Where the previous state is kept: refs of commits that contain nothing else.
const BEFORE: &str = "refs/goroam/before-rollback/";

/// A completed rollback.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RolledBack {
    /// The snapshot, as the user named it or as it was found.
    pub to: String,
    /// Its commit.
    pub commit: String,
    /// How many files changed; 0: there was nothing to do.
    pub changed: usize,
    /// The ref that keeps the previous state.
    pub kept: Option<String>,
    /// The command that restores the previous state.
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

/// The result of an interrupted rollback.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Recovered {
    /// The snapshot.
    pub to: String,
    /// Whether it was completed. Otherwise it was undone.
    pub finished: bool,
    /// The ref that keeps the previous state.
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
pub fn recover(repo: &Repo) -> Result<Option<Recovered>> {
    if !RollbackLock::is_needed(repo) {
        return Ok(None);
    }
    recover_at(repo, &RollbackLock::acquire(repo)?)
}

fn recover_at(repo: &Repo, lock: &RollbackLock) -> Result<Option<Recovered>> {
    let Some(mut journal) = lock.read(&repo.top)? else {
        return Ok(None);
    };
    let (left_alone, aside) = complete(repo, lock, &mut journal)?;
    Ok(Some(Recovered {
        to: journal.target,
        finished: !journal.kept.is_empty(),
        kept: Some(journal.kept).filter(|kept| !kept.is_empty()),
        left_alone,
        aside,
    }))
}

/// Executes the steps, then removes the stage and the journal. Returns the paths that were left
/// alone, and the path of the old vendor/ if something was written into it meanwhile.
fn complete(
    repo: &Repo,
    lock: &RollbackLock,
    journal: &mut RollbackJournal,
) -> Result<(Vec<String>, Option<String>)> {
    let left_alone = journal.take(&repo.top)?;
    let beside = repo.top.join(&repo.prefix);
    let mut aside = None;
    if let Some(old) = journal.written_since(&repo.top).about(&beside)? {
        let mut free = numbered(".vendor-before-rollback").map(|name| beside.join(name));
        let free = free.find(|path| path.symlink_metadata().is_err());
        let free = free.unwrap_or_else(|| beside.clone());
        std::fs::rename(&old, &free).about(&beside)?;
        aside = Some(free.display().to_string());
    }
    if !journal.steps.is_empty() {
        // Removing files changes the directories' times, so these must not be compared again.
        journal.steps.clear();
        lock.write(journal)?;
    }
    lock.clear(&repo.top, journal)?;
    Ok((left_alone, aside))
}

/// Rolls back to `wanted`, or else to the newest good snapshot that differs from the present state.
/// `keep`: also if there are uncommitted changes, which are kept like everything else in the
/// previous state.
///
/// # Errors
/// When uncommitted changes would be lost, the snapshot is not good, or the rollback cannot be
/// done. Then nothing has been changed.
pub fn rollback(
    project: &VendorProject,
    repo: &Repo,
    shelves: &Shelves,
    wanted: Option<&str>,
    keep: bool,
    now: Timestamp,
) -> Result<RolledBack> {
    let lock = RollbackLock::acquire(repo)?;
    recover_at(repo, &lock)?;
    let paths = repo.pins_now(project)?;
    if let Some(why) = repo.is_filtered(&paths)? {
        return Err(Error::Refused(why));
    }
    let candidates = match wanted {
        Some(name) => vec![named(repo, name)?],
        None => {
            let kept = snapshots(project, repo)?.into_iter();
            let kept = kept.filter(|kept| !kept.present);
            kept.map(|kept| (kept.name, kept.commit)).collect()
        }
    };
    let rollback = Rollback {
        before: repo.present(&paths)?,
        project,
        repo,
        shelves,
        lock,
        now,
    };
    if !keep {
        nothing_is_lost(repo, &rollback.before, &paths)?;
    }
    let mut skipped = Vec::new();
    for (name, commit) in &candidates {
        match rollback.to(name, commit) {
            Ok(done) => return Ok(RolledBack { skipped, ..done }),
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

/// Finds a commit by the name that the user gave.
fn named(repo: &Repo, name: &str) -> Result<(String, String)> {
    if name.starts_with('-') || name.is_empty() {
        return Err(Error::Usage(format!(
            "{name:?} is not the name of a commit"
        )));
    }
    for name in [name.to_owned(), format!("{FOLDER}{name}")] {
        if let Some(commit) = repo.commit(&name)? {
            return Ok((name, commit));
        }
    }
    Err(Error::Usage(format!(
        "{name:?} names no commit here; `goroam vendor list` shows the snapshots"
    )))
}

/// Refuses if the present state is in no commit: not in HEAD, not in a snapshot, and not in a state
/// kept by a rollback. Missing files do not count: a user who deleted vendor/, or has a sparse
/// checkout without it, wants it back.
fn nothing_is_lost(repo: &Repo, before: &str, paths: &[String]) -> Result<()> {
    let here = repo.entries(before, paths)?;
    if here.is_empty() {
        return Ok(());
    }
    for holder in holders(repo)? {
        // In a partial clone, some commits' trees may be missing.
        let changed = repo.changes(&holder, before, paths);
        if changed.is_ok_and(|changed| changed.iter().all(|change| change.letter == 'D')) {
            return Ok(());
        }
    }
    let base = repo.base()?;
    let list = summary(&repo.changes(&base, before, paths)?);
    // git rejects a path that it does not know: a workspace may have no go.work.sum.
    let base = repo.entries(&base, paths)?;
    let is_known = |path: &&String| here.contains_key(*path) || base.contains_key(*path);
    let known: Vec<String> = paths.iter().filter(is_known).cloned().collect();
    Err(Error::Refused(format!(
        "not rolled back: these differ from the last commit and would be lost:{list}\ncommit them, run `git stash push -u -- {}`, or use `goroam vendor rollback --keep`, which keeps them in a ref and names it",
        repo.shown(&known)
    )))
}

/// Returns the commits that may hold the present state: HEAD, the snapshots, and the states that
/// rollbacks kept.
fn holders(repo: &Repo) -> Result<Vec<String>> {
    let mut out: Vec<String> = repo.commit("HEAD")?.into_iter().collect();
    out.extend(tags(repo)?.into_iter().map(|kept| kept.commit));
    let words = format!("for-each-ref --format=%(objectname) {BEFORE}");
    let kept = repo.git.run(&words, &[])?;
    let kept = String::from_utf8_lossy(&kept);
    out.extend(kept.lines().map(str::to_owned));
    Ok(out)
}

/// What a rollback needs, whatever its snapshot is.
struct Rollback<'a> {
    project: &'a VendorProject,
    repo: &'a Repo,
    shelves: &'a Shelves,
    lock: RollbackLock,
    /// The tree of the present state.
    before: String,
    now: Timestamp,
}

impl Rollback<'_> {
    fn to(&self, name: &str, commit: &str) -> Result<RolledBack> {
        let repo = self.repo;
        // A state that another rollback kept need not be good.
        let is_kept = name.starts_with(BEFORE);
        let paths = self.paths_of(name, commit, is_kept)?;
        let done = RolledBack {
            to: name.to_owned(),
            commit: commit.to_owned(),
            ..RolledBack::default()
        };
        if repo.entries(&repo.present(&paths)?, &paths)? == repo.entries(commit, &paths)? {
            return Ok(done);
        }
        let (id, now) = (std::process::id(), self.now.as_nanosecond());
        let mut journal = RollbackJournal {
            stage: format!("{}{STAGE}{id}-{now}", repo.prefix),
            target: name.to_owned(),
            ..RollbackJournal::default()
        };
        self.lock.write(&journal)?;
        let prepared = self.write_out(&journal, commit, &paths).and_then(|()| {
            let report = self.examine(&journal, is_kept)?;
            self.decide(&mut journal, &paths)?;
            Ok(report)
        });
        let report = match prepared {
            Ok(report) => report,
            Err(error) => {
                self.lock.clear(&repo.top, &journal)?;
                return Err(error);
            }
        };
        let (left_alone, aside) = complete(repo, &self.lock, &mut journal)?;
        Ok(RolledBack {
            changed: repo.changes(&journal.kept, commit, &paths)?.len(),
            warnings: warnings(&report),
            undo: Some(format!("goroam vendor rollback {}", journal.kept)),
            kept: Some(journal.kept),
            left_alone,
            aside,
            ..done
        })
    }

    /// Returns the paths to restore: those that belonged together in that commit.
    fn paths_of(&self, name: &str, commit: &str, is_kept: bool) -> Result<Vec<String>> {
        let (repo, kind) = (self.repo, self.project.kind);
        let file = format!("{}{}", repo.prefix, kind.file());
        repo.is_whole(name, commit, std::slice::from_ref(&file))?;
        let text = repo.text(commit, &file)?;
        let work = text.as_deref().filter(|_| kind == ProjectKind::Workspace);
        let work = work.map_or_else(GoMod::default, go_work::parse);
        let paths = repo.pins(self.project, &work)?;
        repo.is_whole(name, commit, &paths)?;
        let vendor = paths.get(..1).unwrap_or_default();
        let missing = if text.is_none() {
            file
        } else if repo.entries(commit, vendor)?.is_empty() {
            format!("{}vendor/", repo.prefix)
        } else {
            return Ok(paths);
        };
        if is_kept {
            return Ok(paths);
        }
        Err(Error::Failed(format!(
            "{name} holds no {missing}, so it cannot be rolled back to"
        )))
    }

    /// Writes the files of a commit into the stage.
    fn write_out(&self, journal: &RollbackJournal, commit: &str, paths: &[String]) -> Result<()> {
        let stage = self.repo.top.join(&journal.stage);
        std::fs::create_dir(&stage).about(&stage)?;
        let index = OwnIndex::new(self.repo)?;
        // The whole commit is read: there may be a .gitattributes above.
        index.git.run(&format!("read-tree {commit}"), &[])?;
        if let Some(path) = index.submodule(paths)? {
            return Err(Error::Failed(format!(
                "{path} is a submodule in {}, which does not contain its files",
                journal.target
            )));
        }
        let listing = "ls-files -z --";
        if let Some(why) = index.git.forbids(listing, paths)? {
            return Err(Error::Refused(why));
        }
        let files = index.git.run(listing, paths)?;
        let prefix = fresh(&stage, "").display().to_string();
        let prefix = format!("--prefix={}/", prefix.trim_end_matches(['/', '\\']));
        // If goroam is killed here, this git and its filters hold the lock until they finish.
        let held = Stdio::from(self.lock.for_child()?);
        let words = "checkout-index -q -z --stdin";
        let git = index.git.patient();
        git.feed_to(words, &[prefix], &files, held)?;
        Ok(())
    }

    /// Checks the files in the stage. Returns [`Error::Mismatch`] if something does not match its
    /// checksum.
    fn examine(&self, journal: &RollbackJournal, is_kept: bool) -> Result<VendorReport> {
        let stage = self.repo.top.join(&journal.stage);
        let copy = VendorProject {
            root: fresh(&stage, self.repo.prefix.trim_end_matches('/')),
            kind: self.project.kind,
        };
        let report = check_at(&copy, &self.project.root, self.shelves)?;
        let bad = || report.findings.iter().filter(|f| f.weight > Weight::Note);
        let Some(first) = bad().find(|f| !is_bearable(f.code)).filter(|_| !is_kept) else {
            return Ok(report);
        };
        let more = match bad().count() - 1 {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        let why = format!(
            "{} is not good: {}{more}; nothing was changed. `goroam vendor list` shows the others",
            journal.target,
            first.brief(""),
        );
        Err(match first.weight {
            Weight::Differs => Error::Mismatch(why),
            Weight::Note | Weight::Bad => Error::Failed(why),
        })
    }

    /// Keeps the present state and adds the steps to the journal. Once the journal is written, the
    /// rollback is always completed.
    fn decide(&self, journal: &mut RollbackJournal, paths: &[String]) -> Result<()> {
        let repo = self.repo;
        let stage = repo.top.join(&journal.stage);
        let probe = stage.join("now");
        journal.since = now_by(&probe).about(&probe)?;
        let mut all = repo.pins_now(self.project)?;
        // The preparation took some time, in which the user may have continued to work.
        if repo.present(&all)? != self.before {
            return Err(Error::Refused(
                "vendor/ or a module file changed while the rollback was prepared; nothing was rolled back, try again".to_owned(),
            ));
        }
        let gone: Vec<&String> = paths.iter().filter(|path| !all.contains(path)).collect();
        let gone: Vec<String> = gone.into_iter().cloned().collect();
        all.extend(gone);
        let kept = self.keep(&repo.present(&all)?, &journal.target)?;
        for path in paths {
            let target = repo.top.join(path);
            let folder = target.parent().unwrap_or(&repo.top);
            std::fs::create_dir_all(folder).about(&target)?;
            if !are_together(folder, &stage) {
                return Err(Error::Failed(format!(
                    "{} is on another file system than {}, so they cannot be put back in one step",
                    folder.display(),
                    self.project.root.display()
                )));
            }
            journal.add(&repo.top, path).about(&target)?;
        }
        to_disk(&stage);
        journal.kept = kept;
        self.lock.write(journal)
    }

    /// Commits the previous state and keeps it with a ref of goroam's.
    fn keep(&self, tree: &str, target: &str) -> Result<String> {
        let text = format!("What was there before goroam vendor rollback to {target}\n");
        let mut git = self.repo.git.clone();
        let who = ["user.name=goroam", "user.email=goroam@localhost"];
        git.settings.extend(who.map(str::to_owned));
        let commit = git.line(&format!("commit-tree -F - {tree}"), text.as_bytes())?;
        let stamp = self.now.strftime("%Y%m%d-%H%M%S");
        for name in numbered(&format!("{BEFORE}{stamp}")) {
            let create = format!("create {name} {commit}\n");
            let (created, _) = git.asks("update-ref --stdin", &[], create.as_bytes())?;
            if created {
                return Ok(name);
            }
        }
        Err(Error::System(format!(
            "git could not create a ref below {BEFORE}"
        )))
    }
}

/// Syncs the new files to the disk before the journal: otherwise they could be empty after a power
/// cut.
#[cfg(target_os = "linux")]
fn to_disk(stage: &std::path::Path) {
    if let Ok(folder) = crate::bounded::open_folder(stage) {
        let _ = rustix::fs::syncfs(folder);
    }
}

/// Other systems have no call that syncs a whole file system; git still has every file.
#[cfg(not(target_os = "linux"))]
fn to_disk(_: &std::path::Path) {}

/// Reports whether a finding does not prevent a rollback: the file could not be checked, or the
/// finding is not about the snapshot itself (line ends as git writes them here, a local directory
/// that has changed since).
fn is_bearable(code: VendorCode) -> bool {
    code.is_unverified() || matches!(code, VendorCode::OutOfDate | VendorCode::LineEnds)
}

/// Returns the findings about a snapshot that do not prevent its use.
fn warnings(report: &VendorReport) -> Vec<String> {
    let is_unverified = |f: &&VendorFinding| f.code.is_unverified();
    let bad = report.findings.iter().filter(|f| f.weight > Weight::Note);
    let (unverified, others): (Vec<_>, Vec<_>) = bad.partition(is_unverified);
    let unverified = unverified.first().map(|first| {
        format!(
            "not verified: {} of {} modules, because there is nothing to compare them with (the first: {}); {}",
            unverified.len(),
            report.modules,
            first.module.as_deref().unwrap_or_default(),
            first.mend
        )
    });
    let others = others.first().map(|first| {
        let more = match others.len() {
            1 => String::new(),
            more => format!(" (and {} more; see `goroam vendor check`)", more - 1),
        };
        format!("{}{more}", first.brief("vendor/: "))
    });
    unverified.into_iter().chain(others).collect()
}
