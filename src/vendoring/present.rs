//! The pinned paths of the work tree as a git tree, made with a temporary index, so that neither
//! ignored files nor flags of the user's index hide anything.

use std::path::{Path, PathBuf};

use super::error::Error;
use super::git::{Git, pieces, with};
use super::repo::Repo;

/// Files that are named; the others are counted.
const MOST_NAMED: usize = 10;
/// How deep folders may lie in one another.
const DEEPEST: usize = 100;

/// Settings for a temporary index: git looks at everything and skips nothing.
const PLAIN: [&str; 10] = [
    "-c",
    "core.sparseCheckout=false",
    "-c",
    "core.untrackedCache=false",
    "-c",
    "core.safecrlf=false",
    "-c",
    "advice.addEmbeddedRepo=false",
    "-c",
    "gc.auto=0",
];

/// A temporary index; its file is removed with it.
#[derive(Debug)]
pub(super) struct OwnIndex {
    /// Removed when this is dropped.
    _folder: tempfile::TempDir,
    git: Git,
}

impl OwnIndex {
    /// An empty one.
    ///
    /// # Errors
    /// When git or the file system fails.
    pub(super) fn new(repo: &Repo) -> Result<OwnIndex, Error> {
        let own = repo.own()?;
        let folder = tempfile::Builder::new()
            .prefix("index-")
            .tempdir_in(&own)
            .map_err(|error| Error::io(&own, error))?;
        let git = repo.git.with_index(&folder.path().join("index"));
        Ok(OwnIndex {
            _folder: folder,
            git,
        })
    }

    /// git on it.
    pub(super) fn git(&self) -> &Git {
        &self.git
    }

    /// Fills it with these paths of HEAD. git leaves CR LF alone in a file that has it in the
    /// index already, whatever core.autocrlf says, so that an empty index would see a change.
    fn seed(&self, repo: &Repo, paths: &[String]) -> Result<(), Error> {
        if let Some(head) = repo.commit("HEAD")? {
            let listing = ["ls-tree", "-r", "-z", "--full-tree", &head, "--"];
            let listing = repo.git.run(&with(&listing, paths))?;
            let args = ["update-index", "-z", "--index-info"];
            self.git.feed(&args, listing)?;
        }
        Ok(())
    }

    /// Fills it with a commit's or a tree's content.
    ///
    /// # Errors
    /// When git fails.
    pub(super) fn read(&self, tree: &str) -> Result<(), Error> {
        self.git.run(&[&PLAIN[..], &["read-tree", tree]].concat())?;
        Ok(())
    }

    /// Sets these paths to what they are in the work tree, including ignored files.
    ///
    /// # Errors
    /// When git fails, or one of them contains another repository.
    pub(super) fn take(&self, repo: &Repo, paths: &[String]) -> Result<(), Error> {
        let known = pieces(&self.git.run(&with(&["ls-files", "-z", "--"], paths))?);
        let is_known = |path: &String| {
            let below = format!("{path}/");
            known
                .iter()
                .any(|known| known == path || known.starts_with(&below))
        };
        let there: Vec<String> = paths
            .iter()
            .filter(|path| exists(&repo.top.join(path)) || is_known(path))
            .cloned()
            .collect();
        if there.is_empty() {
            return Ok(());
        }
        for path in &there {
            if let Some(nested) = nested_git(&repo.top.join(path), 0) {
                return Err(nested_error(&nested.display().to_string()));
            }
        }
        let mut add = PLAIN.to_vec();
        add.extend(["add", "-f", "-A", "--"]);
        self.git.patient().run(&with(&add, &there))?;
        let listing = with(&["ls-files", "-s", "-z", "--"], &there);
        let listed = pieces(&self.git.run(&listing)?);
        // git keeps of such a folder only which commit it is at.
        if let Some(nested) = listed.iter().find(|line| line.starts_with("160000 ")) {
            return Err(nested_error(nested.split('\t').nth(1).unwrap_or_default()));
        }
        Ok(())
    }

    /// The tree of what it holds.
    ///
    /// # Errors
    /// When git fails.
    pub(super) fn tree(&self) -> Result<String, Error> {
        self.git.line(&["write-tree"])
    }
}

/// A `.git` below this folder: a repository that git does not look into, and that would be lost.
fn nested_git(folder: &Path, depth: usize) -> Option<PathBuf> {
    if depth > DEEPEST || !std::fs::symlink_metadata(folder).is_ok_and(|meta| meta.is_dir()) {
        return None;
    }
    for entry in std::fs::read_dir(folder).ok()?.flatten() {
        let path = entry.path();
        if entry.file_name() == ".git" {
            return Some(path);
        }
        if let Some(found) = nested_git(&path, depth + 1) {
            return Some(found);
        }
    }
    None
}

fn nested_error(path: &str) -> Error {
    Error::Refused(format!(
        "{path} is a separate git repository (a submodule?) and would not be kept; move it away, then vendor again"
    ))
}

/// The tree with these paths as they are now, and nothing else.
///
/// # Errors
/// When git fails, or one of them contains another repository.
pub(super) fn present(repo: &Repo, paths: &[String]) -> Result<String, Error> {
    let index = OwnIndex::new(repo)?;
    index.seed(repo, paths)?;
    index.take(repo, paths)?;
    index.tree()
}

/// A file that differs from a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PathChange {
    /// `A` it has none such, `M` it has another, `D` only it has one.
    pub(super) letter: char,
    /// The path from the top.
    pub(super) path: String,
}

impl PathChange {
    /// What git says with `-z --name-status`.
    pub(super) fn all(out: &[u8]) -> Vec<PathChange> {
        let out = pieces(out);
        let pairs = out.chunks_exact(2).map(|pair| PathChange {
            letter: pair[0].chars().next().unwrap_or('M'),
            path: pair[1].clone(),
        });
        pairs.collect()
    }
}

/// How the pinned paths of one tree differ from another.
///
/// # Errors
/// When git cannot say.
pub(super) fn changes(
    repo: &Repo,
    from: &str,
    to: &str,
    paths: &[String],
) -> Result<Vec<PathChange>, Error> {
    let args = [
        "diff-tree",
        "-r",
        "-z",
        "--no-renames",
        "--name-status",
        from,
        to,
        "--",
    ];
    Ok(PathChange::all(&repo.git.run(&with(&args, paths))?))
}

/// Names the first changes and counts the others.
pub(super) fn summary(changes: &[PathChange]) -> String {
    let mut out = String::new();
    for change in changes.iter().take(MOST_NAMED) {
        let word = match change.letter {
            'A' => "new      ",
            'D' => "deleted  ",
            _ => "changed  ",
        };
        out.push_str(&format!("\n  {word}{}", change.path));
    }
    if changes.len() > MOST_NAMED {
        out.push_str(&format!("\n  and {} more", changes.len() - MOST_NAMED));
    }
    out
}

/// `vendor/`, `go.mod` and so on, as a user would write them in the project's folder.
pub(super) fn shown(paths: &[String], prefix: &str) -> String {
    let names: Vec<&str> = paths
        .iter()
        .map(|path| path.strip_prefix(prefix).unwrap_or(path))
        .collect();
    names.join(" ")
}

/// Is there anything at this path, even a broken link?
pub(super) fn exists(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok()
}
