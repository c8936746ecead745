//! Keeps vendor/, go.mod and go.sum together in git: an annotated tag on a commit that contains
//! exactly their present state. Also lists the snapshots.

use jiff::Timestamp;
use serde::Serialize;

use super::error::{Error, Result};
use super::git::pieces;
use super::journal::RollbackLock;
use super::project::VendorProject;
use super::repo::{OwnIndex, PathChange, Repo, exists, numbered, summary};
use super::report::VendorReport;
use crate::agent::error::EXIT_MISMATCH;
use crate::model::plural;

/// The prefix of the tags of snapshots without a given name.
pub(super) const FOLDER: &str = "goroam-vendor/";
/// These lines of a tag's message show that it is a snapshot, and of which project.
const PROJECT: &str = "Goroam-Vendor: ";
/// The number of modules in vendor/.
const MODULES: &str = "Goroam-Modules: ";
/// git's id of vendor/.
const TREE: &str = "Goroam-Tree: ";

/// The options of a snapshot.
#[derive(Debug, Clone, Default)]
pub struct SnapshotRequest {
    /// The tag's name.
    pub tag: Option<String>,
    /// Whether to commit first.
    pub commit: bool,
    /// The message of the tag and the commit.
    pub message: Option<String>,
}

/// A new snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewSnapshot {
    /// The tag.
    pub tag: String,
    /// The tag's commit.
    pub commit: String,
    /// Whether that commit was made for the snapshot.
    pub committed: bool,
    /// Number of modules in vendor/.
    pub modules: usize,
    /// git's id of vendor/.
    pub tree: String,
    /// The pinned paths, relative to the top of the repository.
    pub paths: Vec<String>,
}

/// Makes a snapshot. Only these paths must be clean: a tag on HEAD pins what HEAD contains,
/// whatever other files the user is working on.
///
/// # Errors
/// When vendor/ is not good, the paths differ from HEAD (and no commit is requested), the tag
/// already exists, or git fails.
pub fn snapshot(
    project: &VendorProject,
    repo: &Repo,
    report: &VendorReport,
    wanted: &SnapshotRequest,
    now: Timestamp,
) -> Result<NewSnapshot> {
    if let Some(first) = report.findings.first().filter(|_| !report.good) {
        let why = format!(
            "not kept: {}; `goroam vendor check` shows everything, and what to do",
            first.brief("")
        );
        return Err(match report.exit_code() {
            EXIT_MISMATCH => Error::Mismatch(why),
            _ => Error::Failed(why),
        });
    }
    if project.vendor().is_symlink() {
        return Err(Error::Refused(
            "vendor is a link, and git would keep its target's path, not the files there; replace it by the folder itself".to_owned(),
        ));
    }
    // Filters run as in `git add` and `git commit`: the user asks for a commit here.
    let repo = &repo.unguarded();
    let _lock = RollbackLock::acquire(repo)?;
    let tag = free_tag(repo, wanted, now)?;
    let paths = repo.pins_now(project)?;
    let tree = repo.present(&paths)?;
    not_ignored(repo, &paths)?;
    let head = repo.commit("HEAD")?;
    let base = repo.base()?;
    let dirty = repo.changes(&base, &tree, &paths)?;
    let staged = repo.staged(&base, &paths)?;
    let message = wanted.message.as_deref().map(str::trim);
    let message = message.filter(|text| !text.is_empty());
    let (commit, committed) = match head {
        Some(head) if dirty.is_empty() && staged.is_empty() => (head, false),
        _ if wanted.commit => {
            let text = message.unwrap_or("Pin vendor/ with the module files");
            (commit(repo, &paths, &tree, &staged, text)?, true)
        }
        _ => {
            let (what, list) = if dirty.is_empty() {
                ("are staged and differ from the last commit", &staged)
            } else {
                ("differ from the last commit", &dirty)
            };
            return Err(Error::Refused(format!(
                "not kept: these {what}:{}\ncommit them, or run `goroam vendor snapshot --commit` to commit just {}",
                summary(list),
                repo.shown(&paths)
            )));
        }
    };
    let vendor = repo.resolve(&format!("{commit}:{}vendor", repo.prefix))?;
    let vendor = vendor.unwrap_or_default();
    let usual = format!(
        "vendor/ with {}, verified",
        plural(report.modules, "module")
    );
    let text = format!(
        "{}\n\nPins {} at {commit}.\nEach file was compared with the module that go.sum names.\n\n{PROJECT}{}\n{MODULES}{}\n{TREE}{vendor}\n",
        message.unwrap_or(&usual),
        paths.join(", "),
        repo.place(),
        report.modules,
    );
    let words = "tag -a -F - --cleanup=whitespace --";
    let at = [tag.clone(), commit.clone()];
    repo.git.for_hooks().feed(words, &at, text.as_bytes())?;
    Ok(NewSnapshot {
        tag,
        commit,
        committed,
        modules: report.modules,
        tree: vendor,
        paths,
    })
}

/// Returns a tag name that is not used yet.
fn free_tag(repo: &Repo, wanted: &SnapshotRequest, now: Timestamp) -> Result<String> {
    let is_free = |tag: &str| {
        let there = repo.resolve(&format!("refs/tags/{tag}"))?;
        Ok::<bool, Error>(there.is_none())
    };
    let Some(tag) = &wanted.tag else {
        let stamp = format!("{FOLDER}{}", now.strftime("%Y%m%d-%H%M%S"));
        for tag in numbered(&stamp) {
            if is_free(&tag)? {
                return Ok(tag);
            }
        }
        return Err(Error::Refused(format!(
            "the tag {stamp} already exists; name another with --tag"
        )));
    };
    let name = format!("refs/tags/{tag}");
    let (valid, _) = repo.git.asks("check-ref-format", &[name], b"")?;
    if !valid || tag.starts_with('-') {
        return Err(Error::Usage(format!(
            "{tag:?} is not a valid tag name; see `git check-ref-format`"
        )));
    }
    if !is_free(tag)? {
        return Err(Error::Refused(format!(
            "the tag {tag} already exists, and goroam moves no tag; name another with --tag, or omit --tag"
        )));
    }
    Ok(tag.clone())
}

/// Refuses files that .gitignore excludes: a snapshot without them would differ from what was
/// checked.
fn not_ignored(repo: &Repo, paths: &[String]) -> Result<()> {
    let words = "ls-files -o -i --exclude-standard -z --";
    let ignored = pieces(&repo.git.run(words, paths)?);
    let Some(first) = ignored.first() else {
        return Ok(());
    };
    // `check-ignore` does not support GIT_LITERAL_PATHSPECS; it takes every path literally.
    let git = repo.git.for_hooks();
    let (_, rule) = git.asks("check-ignore -v -z --stdin", &[], first.as_bytes())?;
    let rule = match pieces(&rule).as_slice() {
        [file, line, pattern, ..] => format!(" by `{pattern}` in {file}, line {line}"),
        _ => String::new(),
    };
    let more = match ignored.len() - 1 {
        0 => String::new(),
        more => format!(" and {}", plural(more, "more file")),
    };
    let folder = repo.shown(paths.get(..1).unwrap_or_default());
    Err(Error::Refused(format!(
        "git ignores {first}{more}{rule}, so no commit would contain all of vendor/; remove that line, or run `git add -f {folder}` once, then try again"
    )))
}

/// Files in git's directory while an operation is in progress that the next commit would end.
const UNDER_WAY: [(&str, &str); 5] = [
    ("MERGE_HEAD", "merge"),
    ("CHERRY_PICK_HEAD", "cherry-pick"),
    ("REVERT_HEAD", "revert"),
    ("rebase-merge", "rebase"),
    ("rebase-apply", "rebase"),
];

/// Commits the state of these paths in the work tree (`tree` has it), on top of HEAD. git runs
/// hooks and signs commits as configured. The user's index is updated for these paths only. Refuses
/// when a merge or a similar operation is in progress, something staged would be lost, a hook
/// fails, or a hook changed what was committed.
fn commit(
    repo: &Repo,
    paths: &[String],
    tree: &str,
    staged: &[PathChange],
    message: &str,
) -> Result<String> {
    let mut under_way = UNDER_WAY.iter();
    if let Some((_, what)) = under_way.find(|(file, _)| repo.git_dir.join(file).exists()) {
        return Err(Error::Refused(format!(
            "a {what} is under way here, and a commit would end it; finish or abort it first"
        )));
    }
    // git commits from a temporary index of goroam's, so it would notice a lock on the user's index
    // only after the commit.
    let lock = repo.git_dir.join("index.lock");
    if lock.exists() {
        return Err(Error::Refused(format!(
            "another git is running here, or was killed: {} is there; if no git runs, remove it and try again",
            lock.display()
        )));
    }
    // A version that is only in the index, and neither in HEAD nor in the file, would be lost.
    let differing = repo.git.run("diff-files -z --name-only --", paths)?;
    let differing = pieces(&differing);
    let is_lost = |c: &&PathChange| c.letter != 'D' && differing.contains(&c.path);
    let lost: Vec<PathChange> = staged.iter().filter(is_lost).cloned().collect();
    if !lost.is_empty() {
        return Err(Error::Refused(format!(
            "not committed: what is staged is neither in the last commit nor in the files:{}\nrun `git add` or `git restore --staged` on them first",
            summary(&lost)
        )));
    }
    let index = OwnIndex::new(repo)?;
    let head = repo.commit("HEAD")?;
    if let Some(head) = &head {
        index.git.run(&format!("read-tree {head}"), &[])?;
    }
    index.take(repo, paths)?;
    let words = "commit -q -F - --cleanup=whitespace";
    let git = index.git.for_hooks();
    git.feed(words, &[], message.as_bytes())?;
    let made = repo
        .commit("HEAD")?
        .filter(|made| Some(made) != head.as_ref());
    let made = made.ok_or_else(|| Error::System("git commit created no commit".to_owned()))?;
    // The user's index still has the old versions; git would show the reversal of the commit as
    // staged.
    let is_known = |path: &&String| {
        exists(&repo.top.join(path)) || staged.iter().any(|change| change.path == **path)
    };
    let known: Vec<String> = paths.iter().filter(is_known).cloned().collect();
    repo.git.run(&format!("reset -q {made} --"), &known)?;
    let other = repo.changes(&made, tree, paths)?;
    if !other.is_empty() {
        return Err(Error::Failed(format!(
            "a hook changed what was committed as {made}, so it was not tagged:{}",
            summary(&other)
        )));
    }
    Ok(made)
}

/// A snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeptSnapshot {
    /// The tag.
    pub name: String,
    /// When it was made; `None` if the tag has no date.
    pub at: Option<Timestamp>,
    /// The commit.
    pub commit: String,
    /// Number of modules in vendor/.
    pub modules: Option<u64>,
    /// The first line of its message.
    pub subject: String,
    /// Whether vendor/, go.mod and go.sum match it now.
    pub present: bool,
}

/// This project's snapshots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotList {
    /// The newest first.
    pub kept: Vec<KeptSnapshot>,
    /// Why it is unknown which of them matches the present state.
    pub unsure: Option<String>,
}

/// Lists this project's snapshots.
///
/// # Errors
/// When git fails.
pub fn list(project: &VendorProject, repo: &Repo) -> Result<SnapshotList> {
    let _lock = RollbackLock::acquire(repo)?;
    if let Some(why) = repo.is_filtered(&repo.pins_now(project)?)? {
        return Ok(SnapshotList {
            kept: tags(repo)?,
            unsure: Some(why),
        });
    }
    Ok(SnapshotList {
        kept: snapshots(project, repo)?,
        unsure: None,
    })
}

/// The same as [`list`], for a caller that holds the lock.
pub(super) fn snapshots(project: &VendorProject, repo: &Repo) -> Result<Vec<KeptSnapshot>> {
    let mut kept = tags(repo)?;
    if !kept.is_empty() {
        let paths = repo.pins_now(project)?;
        let now = repo.entries(&repo.present(&paths)?, &paths)?;
        for kept in &mut kept {
            kept.present = repo.entries(&kept.commit, &paths)? == now;
        }
    }
    Ok(kept)
}

/// Returns the annotated tags whose message says that they are snapshots of this project.
///
/// # Errors
/// When git fails.
pub(super) fn tags(repo: &Repo) -> Result<Vec<KeptSnapshot>> {
    // git sorts by the last key first.
    let words = "for-each-ref --sort=-refname --sort=-taggerdate --format=%(objecttype)%00%(refname:strip=2)%00%(*objecttype)%00%(*objectname)%00%(taggerdate:unix)%00%(contents)%00%00 refs/tags";
    let out = repo.git.run(words, &[])?;
    let text = String::from_utf8_lossy(&out);
    let kept = text.split("\0\0\n").filter_map(|record| {
        let fields: Vec<&str> = record.splitn(6, '\0').collect();
        let ["tag", name, "commit", commit, at, message] = fields.as_slice() else {
            return None;
        };
        let said = |word: &str| {
            let mut lines = message.lines().rev();
            Some(lines.find_map(|line| line.strip_prefix(word))?.trim())
        };
        (said(PROJECT)? == repo.place()).then(|| KeptSnapshot {
            name: (*name).to_owned(),
            at: at
                .parse()
                .map(Timestamp::from_second)
                .ok()
                .and_then(Result::ok),
            commit: (*commit).to_owned(),
            modules: said(MODULES).and_then(|count| count.parse().ok()),
            subject: message.lines().next().unwrap_or_default().to_owned(),
            present: false,
        })
    });
    Ok(kept.collect())
}
