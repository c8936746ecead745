//! Writes a snapshot out beside vendor/, by git itself, so that modes, links, line ends and
//! filters (LFS) are as in any checkout of it; then looks whether it is good.

use std::path::PathBuf;
use std::process::Stdio;

use super::check::{Report, check_at};
use super::error::Error;
use super::finding::{Code, Finding, Weight};
use super::git::{raw_pieces, with};
use super::journal::{Desk, Journal};
use super::present::{OwnIndex, exists};
use super::project::Project;
use super::repo::Repo;
use super::shelves::Shelves;
use super::swap::fresh;

/// A snapshot, written out.
#[derive(Debug)]
pub(super) struct Staged {
    /// What was found in it that does not forbid it.
    pub(super) warnings: Vec<String>,
}

/// What forbids a snapshot that is not good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strictness {
    /// Nothing: it is what was there before.
    Anything,
    /// All but what could not be looked at.
    Good,
}

/// Writes the paths of a commit into the stage.
///
/// # Errors
/// When git says no or a file is not there afterwards.
pub(super) fn write_out(
    repo: &Repo,
    desk: &Desk,
    journal: &Journal,
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
                "{} is a submodule in {}, which holds none of its files",
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
    let held = Stdio::from(desk.for_child()?);
    index.git().patient().feed_to(&args, input, held)?;
    let new = fresh(&stage, "");
    match names.iter().find(|name| !exists(&new.join(of_bytes(name)))) {
        None => Ok(()),
        Some(name) => Err(Error::Git(format!(
            "git wrote no {} out of {}",
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

/// Looks at what was written out.
///
/// # Errors
/// When it is not good: [`Error::Mismatch`] when something is not what its checksum says.
pub(super) fn examine(
    project: &Project,
    repo: &Repo,
    journal: &Journal,
    shelves: &Shelves,
    strictness: Strictness,
) -> Result<Staged, Error> {
    let stage = repo.top.join(&journal.stage);
    let copy = Project {
        root: fresh(&stage, repo.prefix.trim_end_matches('/')),
        kind: project.kind,
    };
    let report = check_at(&copy, &project.root, shelves)?;
    let bad = |finding: &&Finding| finding.weight > Weight::Note && !is_bearable(finding.code);
    match report.findings.iter().find(bad) {
        Some(first) if strictness == Strictness::Good => Err(refusal(journal, first, &report)),
        _ => Ok(Staged {
            warnings: warnings(&report),
        }),
    }
}

/// What could not be looked at, and what says nothing about the snapshot itself: line ends as
/// git writes them here, a folder that has moved on since.
fn is_bearable(code: Code) -> bool {
    matches!(
        code,
        Code::NoZip | Code::NoFolder | Code::NoSum | Code::OutOfDate | Code::LineEnds
    )
}

fn refusal(journal: &Journal, first: &Finding, report: &Report) -> Error {
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
        "{} is not good: {}{} [{}]{more}; nothing was changed. `goroam vendor list` names the others",
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

fn warnings(report: &Report) -> Vec<String> {
    let mut out = Vec::new();
    let unverified: Vec<&Finding> = report
        .findings
        .iter()
        .filter(|f| f.code.is_unverified() || f.code == Code::NoSum)
        .collect();
    if let Some(first) = unverified.first() {
        let module = first.module.as_deref().unwrap_or_default();
        out.push(format!(
            "not verified: {} of {} modules, since there is nothing to compare them with ({module} first); {}",
            unverified.len(),
            report.modules,
            first.mend
        ));
    }
    let others = report.findings.iter().filter(|f| f.weight > Weight::Note);
    let others: Vec<&Finding> = others
        .filter(|f| !f.code.is_unverified() && f.code != Code::NoSum)
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
