//! Keeps vendor/, go.mod and go.sum together in git: an annotated tag at a commit that contains
//! exactly their present state. Lists the snapshots.

use jiff::Timestamp;
use serde::Serialize;

use super::error::Error;
use super::git::{pieces, with};
use super::journal::RollbackLock;
use super::present::{OwnIndex, PathChange, changes, present, shown, summary};
use super::project::VendorProject;
use super::repo::Repo;
use super::report::VendorReport;

/// Where snapshots that were given no name are: tags below this.
pub(super) const FOLDER: &str = "goroam-vendor/";
/// By these lines of its message a tag is known as a snapshot, and of what.
pub(super) const PROJECT: &str = "Goroam-Vendor: ";
/// How many modules vendor/ holds.
pub(super) const MODULES: &str = "Goroam-Modules: ";
/// git's id of vendor/.
const TREE: &str = "Goroam-Tree: ";
/// Tags of one second that are tried: several projects of one repository may be kept at once.
const MOST_TRIES: u32 = 20;

/// What is wanted of a snapshot.
#[derive(Debug, Clone, Default)]
pub struct SnapshotRequest {
    /// The tag's name.
    pub tag: Option<String>,
    /// Commit first.
    pub commit: bool,
    /// What the tag, and the commit, say.
    pub message: Option<String>,
}

/// A snapshot that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewSnapshot {
    /// The tag.
    pub tag: String,
    /// The commit that it is at.
    pub commit: String,
    /// Was that commit made for it?
    pub committed: bool,
    /// Modules in vendor/.
    pub modules: usize,
    /// git's id of vendor/.
    pub tree: String,
    /// What it pins, from the top of the repository.
    pub paths: Vec<String>,
}

/// Makes a snapshot. Only these paths need be clean: a tag at HEAD pins what HEAD has, whatever
/// else is being worked on.
///
/// # Errors
/// When vendor/ is not good, the paths are not as in HEAD (and no commit is wanted), the tag is
/// there already, or git fails.
pub fn snapshot(
    project: &VendorProject,
    repo: &Repo,
    report: &VendorReport,
    wanted: &SnapshotRequest,
    now: Timestamp,
) -> Result<NewSnapshot, Error> {
    if let Some(first) = report.findings.first().filter(|_| !report.good) {
        let about = first.file.as_deref().or(first.module.as_deref());
        let why = format!(
            "not kept: {}{} [{}]; `goroam vendor check` shows everything, and what to do",
            about.map_or_else(String::new, |about| format!("{about}: ")),
            first.what,
            first.code
        );
        return Err(match report.exit_code() {
            crate::agent::error::EXIT_MISMATCH => Error::Mismatch(why),
            _ => Error::Failed(why),
        });
    }
    if project.vendor().is_symlink() {
        return Err(Error::Refused(
            "vendor is a link, and git would keep its target's path, not the files there; replace it by the folder itself".to_owned(),
        ));
    }
    // As `git add` and `git commit` do: the user asks for a commit here.
    let repo = &repo.unguarded();
    let _lock = RollbackLock::acquire(repo)?;
    let tag = free_tag(repo, wanted, now)?;
    let paths = repo.pins_now(project)?;
    let tree = present(repo, &paths)?;
    not_ignored(repo, &paths)?;
    let head = repo.commit("HEAD")?;
    let base = match &head {
        Some(head) => head.clone(),
        None => OwnIndex::new(repo)?.tree()?,
    };
    let dirty = changes(repo, &base, &tree, &paths)?;
    let staged = staged(repo, &base, &paths)?;
    let (commit, committed) = match head {
        Some(head) if dirty.is_empty() && staged.is_empty() => (head, false),
        _ if wanted.commit => {
            let text = message(wanted, "Pin vendor/ with the module files");
            (
                super::snapshot::commit(repo, &paths, &tree, &staged, &text)?,
                true,
            )
        }
        _ => return Err(dirty_error(repo, &paths, &dirty, &staged)),
    };
    let vendor = repo.ids(&[&commit], &paths)?;
    let vendor = vendor
        .concat()
        .into_iter()
        .next()
        .flatten()
        .unwrap_or_default();
    let subject = message(
        wanted,
        &match report.modules {
            1 => "vendor/ with 1 module, verified".to_owned(),
            modules => format!("vendor/ with {modules} modules, verified"),
        },
    );
    let place = match repo.prefix.trim_end_matches('/') {
        "" => ".",
        prefix => prefix,
    };
    let text = format!(
        "{subject}\n\nPins {} at {commit}.\nEach file was compared with the module that go.sum names.\n\n{PROJECT}{place}\n{MODULES}{}\n{TREE}{vendor}\n",
        paths.join(", "),
        report.modules,
    );
    let args = [
        "tag",
        "-a",
        "-F",
        "-",
        "--cleanup=whitespace",
        "--",
        &tag,
        &commit,
    ];
    repo.git.for_hooks().feed(&args, text.into_bytes())?;
    Ok(NewSnapshot {
        tag,
        commit,
        committed,
        modules: report.modules,
        tree: vendor,
        paths,
    })
}

fn message(wanted: &SnapshotRequest, usual: &str) -> String {
    match wanted.message.as_deref().map(str::trim) {
        Some(text) if !text.is_empty() => text.to_owned(),
        _ => usual.to_owned(),
    }
}

/// The tag's name, which nothing has yet.
fn free_tag(repo: &Repo, wanted: &SnapshotRequest, now: Timestamp) -> Result<String, Error> {
    let is_there = |tag: &str| {
        let name = format!("refs/tags/{tag}");
        let args = [
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            &name,
        ];
        repo.git.asks(&args, Vec::new()).map(|(found, _)| found)
    };
    let Some(tag) = &wanted.tag else {
        let tag = format!("{FOLDER}{}", now.strftime("%Y%m%d-%H%M%S"));
        for number in 1..MOST_TRIES {
            let tag = match number {
                1 => tag.clone(),
                number => format!("{tag}-{number}"),
            };
            if !is_there(&tag)? {
                return Ok(tag);
            }
        }
        return Err(Error::Refused(format!(
            "the tag {tag} already exists; name another with --tag"
        )));
    };
    let name = format!("refs/tags/{tag}");
    let (valid, _) = repo.git.asks(&["check-ref-format", &name], Vec::new())?;
    if !valid || tag.starts_with('-') {
        return Err(Error::Usage(format!(
            "{tag:?} is not a valid tag name; see `git check-ref-format`"
        )));
    }
    if is_there(tag)? {
        return Err(Error::Refused(format!(
            "the tag {tag} already exists, and goroam moves no tag; name another with --tag, or omit --tag"
        )));
    }
    Ok(tag.clone())
}

/// Files that .gitignore keeps out: a snapshot without them would not be what was checked.
fn not_ignored(repo: &Repo, paths: &[String]) -> Result<(), Error> {
    let args = ["ls-files", "-o", "-i", "--exclude-standard", "-z", "--"];
    let ignored = pieces(&repo.git.run(&with(&args, paths))?);
    let Some(first) = ignored.first() else {
        return Ok(());
    };
    let question = [first.as_bytes(), b"\0"].concat();
    let args = ["check-ignore", "-v", "-z", "--stdin"];
    // It knows no GIT_LITERAL_PATHSPECS, and takes every path as it is.
    let (_, rule) = repo.git.for_hooks().asks(&args, question)?;
    let rule = match pieces(&rule).as_slice() {
        [file, line, pattern, ..] => format!(" by `{pattern}` in {file}, line {line}"),
        _ => String::new(),
    };
    let more = match ignored.len() {
        1 => String::new(),
        2 => " and 1 more file".to_owned(),
        count => format!(" and {} more files", count - 1),
    };
    let folder = shown(paths.get(..1).unwrap_or_default(), &repo.prefix);
    Err(Error::Refused(format!(
        "git ignores {first}{more}{rule}, so no commit would contain all of vendor/; remove that line, or run `git add -f {folder}` once, then try again"
    )))
}

/// How the user's index differs from this commit.
fn staged(repo: &Repo, base: &str, paths: &[String]) -> Result<Vec<PathChange>, Error> {
    let args = [
        "diff-index",
        "--cached",
        "-z",
        "--no-renames",
        "--name-status",
        base,
        "--",
    ];
    Ok(PathChange::all(&repo.git.run(&with(&args, paths))?))
}

fn dirty_error(
    repo: &Repo,
    paths: &[String],
    dirty: &[PathChange],
    staged: &[PathChange],
) -> Error {
    let names = shown(paths, &repo.prefix);
    let (what, list) = if dirty.is_empty() {
        (
            "are staged and differ from the last commit",
            summary(staged),
        )
    } else {
        ("differ from the last commit", summary(dirty))
    };
    Error::Refused(format!(
        "not kept: these {what}:{list}\ncommit them, or run `goroam vendor snapshot --commit` to commit just {names}"
    ))
}

/// What git has in its folder while something is under way that the next commit would end.
const UNDER_WAY: [(&str, &str); 5] = [
    ("MERGE_HEAD", "merge"),
    ("CHERRY_PICK_HEAD", "cherry-pick"),
    ("REVERT_HEAD", "revert"),
    ("rebase-merge", "rebase"),
    ("rebase-apply", "rebase"),
];

/// Commits these paths as they are in the work tree (`tree` has them), on top of HEAD. Hooks run
/// and commits are signed as git is configured. The user's index is updated for these paths only.
///
/// # Errors
/// When a merge or the like is under way, something staged would be lost, a hook fails, or a hook
/// changed what was committed.
pub(super) fn commit(
    repo: &Repo,
    paths: &[String],
    tree: &str,
    staged: &[PathChange],
    message: &str,
) -> Result<String, Error> {
    if let Some((_, what)) = UNDER_WAY
        .iter()
        .find(|(file, _)| repo.git_dir.join(file).exists())
    {
        return Err(Error::Refused(format!(
            "a {what} is under way here, and a commit would end it; finish or abort it first"
        )));
    }
    // git commits from an index of goroam's, and would find the user's locked only afterwards.
    let lock = repo.git_dir.join("index.lock");
    if lock.exists() {
        return Err(Error::Refused(format!(
            "another git is running here, or was killed: {} is there; if no git runs, remove it and try again",
            lock.display()
        )));
    }
    // A version that is only in the index, neither in HEAD nor in the file, would be lost.
    let differing = with(&["diff-files", "-z", "--name-only", "--"], paths);
    let differing = pieces(&repo.git.run(&differing)?);
    let lost: Vec<PathChange> = staged
        .iter()
        .filter(|change| change.letter != 'D' && differing.contains(&change.path))
        .cloned()
        .collect();
    if !lost.is_empty() {
        return Err(Error::Refused(format!(
            "not committed: what is staged is neither in the last commit nor in the files:{}\nrun `git add` or `git restore --staged` on them first",
            summary(&lost)
        )));
    }
    let index = OwnIndex::new(repo)?;
    let head = repo.commit("HEAD")?;
    if let Some(head) = &head {
        index.read(head)?;
    }
    index.take(repo, paths)?;
    let git = index.git().for_hooks();
    git.feed(
        &["commit", "-q", "-F", "-", "--cleanup=whitespace"],
        message.as_bytes().to_vec(),
    )?;
    let made = repo
        .commit("HEAD")?
        .filter(|made| Some(made) != head.as_ref());
    let made = made.ok_or_else(|| Error::Git("git commit created no commit".to_owned()))?;
    // The user's index still has the old versions, as if reverting the commit had been staged.
    let known = paths.iter().filter(|path| {
        super::present::exists(&repo.top.join(path)) || staged.iter().any(|s| s.path == **path)
    });
    let known: Vec<String> = known.cloned().collect();
    let reset = with(&["reset", "-q", &made, "--"], &known);
    repo.git.run(&reset)?;
    let other = changes(repo, &made, tree, paths)?;
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
    /// When it was made; `None` where the tag does not say.
    pub at: Option<Timestamp>,
    /// The commit.
    pub commit: String,
    /// Modules in vendor/.
    pub modules: Option<u64>,
    /// The first line of its message.
    pub subject: String,
    /// Do vendor/, go.mod and go.sum match it now?
    pub present: bool,
}

/// This project's snapshots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotList {
    /// The newest first.
    pub kept: Vec<KeptSnapshot>,
    /// Why it is not known which of them is the present state.
    pub unsure: Option<String>,
}

/// This project's snapshots.
///
/// # Errors
/// When git cannot say.
pub fn list(project: &VendorProject, repo: &Repo) -> Result<SnapshotList, Error> {
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

/// The same for a caller that holds the lock.
pub(super) fn snapshots(project: &VendorProject, repo: &Repo) -> Result<Vec<KeptSnapshot>, Error> {
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
fn tags(repo: &Repo) -> Result<Vec<KeptSnapshot>, Error> {
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
        kept.push(KeptSnapshot {
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

/// The commits that may hold the present state: HEAD, the snapshots, what rollbacks kept.
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
