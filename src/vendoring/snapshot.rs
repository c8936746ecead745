//! Keeps vendor/, go.mod and go.sum together in git: an annotated tag at a commit that has them
//! exactly as they are.

use jiff::Timestamp;
use serde::Serialize;

use super::check::Report;
use super::error::Error;
use super::git::{pieces, with};
use super::journal::Desk;
use super::present::{Change, OwnIndex, changes, present, shown, told};
use super::project::Project;
use super::repo::Repo;

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
pub struct Wanted {
    /// The tag's name.
    pub tag: Option<String>,
    /// Commit first.
    pub commit: bool,
    /// What the tag, and the commit, say.
    pub message: Option<String>,
}

/// A snapshot that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Made {
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
/// there already, or git says no.
pub fn snapshot(
    project: &Project,
    repo: &Repo,
    report: &Report,
    wanted: &Wanted,
    now: Timestamp,
) -> Result<Made, Error> {
    if let Some(first) = report.findings.first().filter(|_| !report.good) {
        let about = first.file.as_deref().or(first.module.as_deref());
        let why = format!(
            "not kept: {}{} [{}]; `goroam vendor check` says all, and what to do",
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
            "vendor is a link, and git keeps where it leads to, not the files there; put the folder itself in its place to keep it".to_owned(),
        ));
    }
    // As `git add` and `git commit` do: the user asks for a commit here.
    let repo = &repo.unguarded();
    let _desk = Desk::sit(repo)?;
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
                super::commit::commit(repo, &paths, &tree, &staged, &text)?,
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
    Ok(Made {
        tag,
        commit,
        committed,
        modules: report.modules,
        tree: vendor,
        paths,
    })
}

fn message(wanted: &Wanted, usual: &str) -> String {
    match wanted.message.as_deref().map(str::trim) {
        Some(text) if !text.is_empty() => text.to_owned(),
        _ => usual.to_owned(),
    }
}

/// The tag's name, which nothing has yet.
fn free_tag(repo: &Repo, wanted: &Wanted, now: Timestamp) -> Result<String, Error> {
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
            "the tag {tag} is there already; name another with --tag"
        )));
    };
    let name = format!("refs/tags/{tag}");
    let (valid, _) = repo.git.asks(&["check-ref-format", &name], Vec::new())?;
    if !valid || tag.starts_with('-') {
        return Err(Error::Usage(format!(
            "{tag:?} is no name for a tag; see `git check-ref-format`"
        )));
    }
    if is_there(tag)? {
        return Err(Error::Refused(format!(
            "the tag {tag} is there already, and goroam moves no tag; name another with --tag, or leave --tag out"
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
        "git ignores {first}{more}{rule}, so no commit would hold all of vendor/; take that line out, or `git add -f {folder}` once, then try again"
    )))
}

/// What the user's index has otherwise than this commit.
fn staged(repo: &Repo, base: &str, paths: &[String]) -> Result<Vec<Change>, Error> {
    let args = [
        "diff-index",
        "--cached",
        "-z",
        "--no-renames",
        "--name-status",
        base,
        "--",
    ];
    Ok(Change::all(&repo.git.run(&with(&args, paths))?))
}

fn dirty_error(repo: &Repo, paths: &[String], dirty: &[Change], staged: &[Change]) -> Error {
    let names = shown(paths, &repo.prefix);
    let (what, list) = if dirty.is_empty() {
        ("are staged otherwise than in the last commit", told(staged))
    } else {
        ("differ from the last commit", told(dirty))
    };
    Error::Refused(format!(
        "not kept: these {what}:{list}\ncommit them, or let `goroam vendor snapshot --commit` commit just {names}"
    ))
}
