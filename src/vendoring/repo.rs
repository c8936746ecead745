//! The git repository that a project is in, and the paths of the work tree that belong together.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::error::{About, Error, Result};
use super::git::{Git, pieces};
use super::project::{VendorProject, members, read_text};
use super::report::ProjectKind;
use crate::environment::Environment;
use crate::gomod::go_work::{self, GoWork};

/// Files that are named; the others are counted.
const MOST_NAMED: usize = 10;
/// How deep folders may lie in one another.
const DEEPEST: usize = 100;

/// The git repository that a project is in.
#[derive(Debug, Clone)]
pub struct Repo {
    /// git, at the top of the work tree.
    pub(super) git: Git,
    /// The top of the work tree.
    pub(super) top: PathBuf,
    /// This work tree's own git folder; of a linked one it is not the repository's.
    pub(super) git_dir: PathBuf,
    /// The project's folder from the top: empty, or with a `/` at its end.
    pub(super) prefix: String,
}

impl Repo {
    /// Finds it from the project's folder. GIT_DIR and the like, which git sets for its hooks, are
    /// ignored.
    ///
    /// # Errors
    /// When there is no git, no repository, or none with a work tree that this user may use.
    pub fn open(project: &VendorProject, env: &Environment) -> Result<Repo> {
        if let Some(pipe) = pipe(&project.root) {
            return Err(Error::Refused(format!(
                "{} is a named pipe, and git would wait for it; remove it",
                pipe.display()
            )));
        }
        let mut git = Git::new(&project.root, env);
        let root = project.root.display().to_string();
        let where_is = "rev-parse --absolute-git-dir --show-toplevel --show-prefix";
        let said = git.run(where_is, &[]).map_err(|error| {
            let why = error.to_string();
            if why.contains("dubious ownership") {
                // git means the repository's folder, which may lie above the project's.
                let folder = why.split('\'').nth(1).unwrap_or(&root);
                Error::Refused(format!(
                    "{root} is in a repository that another user owns, and git refuses to use it; if you trust it, run `git config --global --add safe.directory {folder}`"
                ))
            } else if why.contains("not a git repository") {
                Error::Git(format!(
                    "{root} is in no git repository, where snapshots are kept; run `git init`, then commit go.mod, go.sum and vendor/"
                ))
            } else if why.contains("must be run in a work tree") {
                Error::Git(format!(
                    "{root} is in a bare repository or in a .git folder, which have no work tree; go to a checkout"
                ))
            } else {
                error
            }
        })?;
        let said = String::from_utf8_lossy(&said);
        let mut lines = said.lines();
        let mut line = || lines.next().unwrap_or_default();
        let (git_dir, top, prefix) = (line(), line(), line());
        let top = dunce::canonicalize(top).about(Path::new(top))?;
        // core.worktree can name any folder there is.
        if !project.root.starts_with(&top) {
            return Err(Error::Git(format!(
                "the repository that {root} is in has its files in {} instead (core.worktree); go there",
                top.display()
            )));
        }
        git.folder.clone_from(&top);
        Ok(Repo {
            git: git.guarded()?,
            git_dir: PathBuf::from(git_dir),
            top,
            prefix: prefix.to_owned(),
        })
    }

    /// The same where the repository's own filters run, as they do when the user commits.
    pub(super) fn unguarded(&self) -> Repo {
        Repo {
            git: self.git.clone().unguarded(),
            ..self.clone()
        }
    }

    /// The project's folder as a tag names it.
    pub(super) fn place(&self) -> &str {
        match self.prefix.trim_end_matches('/') {
            "" => ".",
            prefix => prefix,
        }
    }

    /// Why what is now at these paths cannot be compared with what git keeps: see
    /// [`Git::forbids`].
    ///
    /// # Errors
    /// When git cannot say.
    pub(super) fn is_filtered(&self, paths: &[String]) -> Result<Option<String>> {
        self.git.forbids("ls-files -z --cached --others --", paths)
    }

    /// The paths that belong together, from the top; vendor/ is the first. Which modules a
    /// workspace has is for `work` to say.
    ///
    /// # Errors
    /// When a module of the workspace lies outside of the repository.
    pub(super) fn pins(&self, project: &VendorProject, work: &GoWork) -> Result<Vec<String>> {
        let own = |name: &str| format!("{}{name}", self.prefix);
        if project.kind == ProjectKind::Module {
            return Ok(["vendor", "go.mod", "go.sum"].map(own).to_vec());
        }
        let mut out = ["vendor", "go.work", "go.work.sum"].map(own).to_vec();
        for (name, folder) in members(work, &project.root) {
            let below = folder.strip_prefix(&self.top).map_err(|_| {
                Error::Failed(format!(
                    "{name}, a module of the workspace, lies outside of the repository {}, so it cannot be pinned there",
                    self.top.display()
                ))
            })?;
            for file in ["go.mod", "go.sum"] {
                let path = below.join(file);
                let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
                let path = parts.join("/");
                if !out.contains(&path) {
                    out.push(path);
                }
            }
        }
        Ok(out)
    }

    /// The paths that belong together as the files are now.
    ///
    /// # Errors
    /// See [`Repo::pins`].
    pub(super) fn pins_now(&self, project: &VendorProject) -> Result<Vec<String>> {
        let work = read_text(&project.root.join("go.work")).unwrap_or_default();
        self.pins(project, &go_work::parse(&work))
    }

    /// goroam's own folder in the work tree's git folder, made if need be.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(super) fn own(&self) -> Result<PathBuf> {
        let own = self.git_dir.join("goroam");
        std::fs::create_dir_all(&own).about(&own)?;
        Ok(own)
    }

    /// The commit that a name stands for, if there is one.
    ///
    /// # Errors
    /// When git cannot say.
    pub(super) fn commit(&self, name: &str) -> Result<Option<String>> {
        self.resolve(&format!("{name}^{{commit}}"))
    }

    /// git's id of what this name stands for, if there is anything.
    ///
    /// # Errors
    /// When git cannot say.
    pub(super) fn resolve(&self, name: &str) -> Result<Option<String>> {
        let words = "rev-parse --verify --quiet --end-of-options";
        let (found, out) = self.git.asks(words, &[name.to_owned()], b"")?;
        let id = String::from_utf8_lossy(&out).trim().to_owned();
        Ok(Some(id).filter(|id| found && !id.is_empty()))
    }

    /// HEAD, or the empty tree before the first commit.
    ///
    /// # Errors
    /// When git cannot say.
    pub(super) fn base(&self) -> Result<String> {
        match self.commit("HEAD")? {
            Some(head) => Ok(head),
            None => self.git.line("hash-object -t tree --stdin", b""),
        }
    }

    /// What lies at these paths in a tree or commit: mode, kind and git's id, by path. A tree that
    /// is not here (in a partial clone) has nothing.
    ///
    /// # Errors
    /// When git cannot say.
    pub(super) fn entries(&self, tree: &str, paths: &[String]) -> Result<BTreeMap<String, String>> {
        let words = format!("ls-tree -z --full-tree {tree} --");
        let (_, out) = self.git.asks(&words, paths, b"")?;
        let entry = |line: String| {
            let (about, path) = line.split_once('\t')?;
            Some((path.to_owned(), about.to_owned()))
        };
        Ok(pieces(&out).into_iter().filter_map(entry).collect())
    }

    /// Are these paths complete here? A partial clone fetches what it lacks as soon as git reads
    /// it, and goroam uses no network without being asked.
    ///
    /// # Errors
    /// When something is not here, with the command that brings it.
    pub(super) fn is_whole(&self, name: &str, commit: &str, paths: &[String]) -> Result<()> {
        let partial = r"config --get-regexp ^(extensions\.partialclone|remote\..*\.promisor)$";
        if !self.git.asks(partial, &[], b"")?.0 {
            return Ok(());
        }
        // Where not even the commit's tree is here, git fails.
        let words = format!("rev-list --objects --missing=print --no-walk {commit} --");
        let (can_tell, out) = self.git.asks(&words, paths, b"")?;
        if can_tell && !out.split(|&b| b == b'\n').any(|l| l.starts_with(b"?")) {
            return Ok(());
        }
        Err(Error::Failed(format!(
            "{name} is incomplete: this is a partial clone, and parts of it are still at its remote; run `git archive -o {} {name}` on a network to fetch them, then try again",
            if cfg!(windows) { "NUL" } else { "/dev/null" }
        )))
    }

    /// The text of a file in a commit; `None`: it has none.
    ///
    /// # Errors
    /// When git cannot say.
    pub(super) fn text(&self, commit: &str, path: &str) -> Result<Option<String>> {
        let object = format!("{commit}:{path}");
        let (found, out) = self.git.asks("cat-file blob", &[object], b"")?;
        Ok(found.then(|| String::from_utf8_lossy(&out).into_owned()))
    }

    /// The tree with these paths as they are now, and nothing else: made with a temporary index,
    /// so that neither ignored files nor flags of the user's index hide anything.
    ///
    /// # Errors
    /// When git fails, or one of them contains another repository.
    pub(super) fn present(&self, paths: &[String]) -> Result<String> {
        let index = OwnIndex::new(self)?;
        // git leaves CR LF alone in a file that has it in the index already, whatever
        // core.autocrlf says, so that an empty index would see a change.
        if let Some(head) = self.commit("HEAD")? {
            let words = format!("ls-tree -r -z --full-tree {head} --");
            let listing = self.git.run(&words, paths)?;
            let words = "update-index -z --index-info";
            index.git.feed(words, &[], &listing)?;
        }
        index.take(self, paths)?;
        index.git.line("write-tree", b"")
    }

    /// How the pinned paths of one tree differ from another.
    ///
    /// # Errors
    /// When git cannot say.
    pub(super) fn changes(
        &self,
        from: &str,
        to: &str,
        paths: &[String],
    ) -> Result<Vec<PathChange>> {
        self.compared(&format!("diff-tree -r {from} {to}"), paths)
    }

    /// How the user's index differs from a commit.
    ///
    /// # Errors
    /// When git cannot say.
    pub(super) fn staged(&self, base: &str, paths: &[String]) -> Result<Vec<PathChange>> {
        self.compared(&format!("diff-index --cached {base}"), paths)
    }

    fn compared(&self, words: &str, paths: &[String]) -> Result<Vec<PathChange>> {
        let words = format!("{words} -z --no-renames --name-status --");
        let out = pieces(&self.git.run(&words, paths)?);
        let change = |[letter, path]: &[String; 2]| PathChange {
            letter: letter.chars().next().unwrap_or('M'),
            path: path.clone(),
        };
        Ok(out.as_chunks().0.iter().map(change).collect())
    }

    /// `vendor`, `go.mod` and so on, as a user would write them in the project's folder.
    pub(super) fn shown(&self, paths: &[String]) -> String {
        let own = |path: &String| path.strip_prefix(&self.prefix).unwrap_or(path).to_owned();
        paths.iter().map(own).collect::<Vec<_>>().join(" ")
    }
}

/// A file that differs from a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PathChange {
    /// `A` it has none such, `M` it has another, `D` only it has one.
    pub(super) letter: char,
    /// The path from the top.
    pub(super) path: String,
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

/// A temporary index; its file is removed with it.
#[derive(Debug)]
pub(super) struct OwnIndex {
    _folder: tempfile::TempDir,
    /// git on it.
    pub(super) git: Git,
}

impl OwnIndex {
    /// An empty one.
    ///
    /// # Errors
    /// When git or the file system fails.
    pub(super) fn new(repo: &Repo) -> Result<OwnIndex> {
        let own = repo.own()?;
        let mut folder = tempfile::Builder::new();
        let folder = folder.prefix("index-").tempdir_in(&own);
        let folder = folder.about(&own)?;
        Ok(OwnIndex {
            git: repo.git.with_index(&folder.path().join("index")),
            _folder: folder,
        })
    }

    /// Sets these paths to what they are in the work tree, including ignored files. The index has
    /// HEAD's already.
    ///
    /// # Errors
    /// When git fails, or one of them contains another repository.
    pub(super) fn take(&self, repo: &Repo, paths: &[String]) -> Result<()> {
        // git takes no path that it does not know and that is not there.
        let known = repo.entries(&repo.base()?, paths)?;
        let known = |path: &&String| exists(&repo.top.join(path)) || known.contains_key(*path);
        let there: Vec<String> = paths.iter().filter(known).cloned().collect();
        if there.is_empty() {
            return Ok(());
        }
        let mut nested = there.iter().map(|path| nested_git(&repo.top.join(path), 0));
        let mut nested = nested.find_map(|path| Some(path?.display().to_string()));
        if nested.is_none() {
            self.git.patient().run("add -f -A --", &there)?;
            // git keeps of such a folder only which commit it is at.
            nested = self.submodule(&there)?;
        }
        match nested {
            None => Ok(()),
            Some(path) => Err(Error::Refused(format!(
                "{path} is a separate git repository (a submodule?) and would not be kept; move it away, then vendor again"
            ))),
        }
    }

    /// A submodule at or below these paths.
    ///
    /// # Errors
    /// When git cannot say.
    pub(super) fn submodule(&self, paths: &[String]) -> Result<Option<String>> {
        let listed = pieces(&self.git.run("ls-files -s -z --", paths)?);
        let found = listed.iter().find(|line| line.starts_with("160000 "));
        Ok(found.and_then(|line| Some(line.split_once('\t')?.1.to_owned())))
    }
}

/// A `.git` below this folder: a repository that git does not look into, and that would be lost.
fn nested_git(folder: &Path, depth: usize) -> Option<PathBuf> {
    if depth > DEEPEST || !std::fs::symlink_metadata(folder).is_ok_and(|meta| meta.is_dir()) {
        return None;
    }
    let mut entries = std::fs::read_dir(folder).ok()?.flatten();
    entries.find_map(|entry| match entry.path() {
        path if entry.file_name() == ".git" => Some(path),
        path => nested_git(&path, depth + 1),
    })
}

/// Is there anything at this path, even a broken link?
pub(super) fn exists(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok()
}

/// `name`, `name-2`, `name-3` and so on.
pub(super) fn numbered(name: &str) -> impl Iterator<Item = String> {
    let others = (2..100).map(move |number| format!("{name}-{number}"));
    std::iter::once(name.to_owned()).chain(others)
}

/// What git opens of a repository before it does anything.
#[cfg(unix)]
const OPENED: &str = "HEAD config packed-refs commondir shallow index info/attributes info/exclude \
    objects/info/alternates";
/// Directories below vendor/ that are looked into.
#[cfg(unix)]
const MOST_FOLDERS: usize = 100_000;

/// A named pipe where git opens a file: in a `.git` above, or a `.gitattributes` of the work tree.
#[cfg(unix)]
fn pipe(root: &Path) -> Option<PathBuf> {
    use std::os::unix::fs::FileTypeExt as _;

    let is_pipe = |path: &PathBuf| {
        let meta = std::fs::metadata(path);
        meta.is_ok_and(|meta| meta.file_type().is_fifo())
    };
    for folder in root.ancestors() {
        let git = folder.join(".git");
        let mut opened = OPENED.split(' ').map(|name| git.join(name));
        let attributes = Some(folder.join(".gitattributes")).filter(is_pipe);
        if let Some(found) = attributes.or_else(|| opened.find(is_pipe)) {
            return Some(found);
        }
        if exists(&git) {
            break;
        }
    }
    let mut open = vec![root.join("vendor")];
    let mut left = MOST_FOLDERS;
    while let Some(folder) = open.pop() {
        left = left.checked_sub(1)?;
        let attributes = folder.join(".gitattributes");
        if is_pipe(&attributes) {
            return Some(attributes);
        }
        let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        open.extend(folders.map(|entry| entry.path()));
    }
    None
}

/// Windows has no pipes in directories.
#[cfg(windows)]
fn pipe(_: &Path) -> Option<PathBuf> {
    None
}
