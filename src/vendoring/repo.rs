//! The git repository of a project, and the paths of the work tree that belong together.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::error::{About, Error, Result};
use super::git::{Git, pieces};
use super::project::{VendorProject, read_text};
use super::report::ProjectKind;
use crate::environment::Environment;
use crate::gomod::go_mod::GoMod;
use crate::gomod::go_work;
use crate::gomod::project::members;

/// Maximum number of files that are named; the others are counted.
const MOST_NAMED: usize = 10;
/// Maximum depth of directories.
const DEEPEST: usize = 100;

/// The git repository of a project.
#[derive(Debug, Clone)]
pub struct Repo {
    /// git, run at the top of the work tree.
    pub(super) git: Git,
    /// The top of the work tree.
    pub(super) top: PathBuf,
    /// This work tree's own git directory; for a linked work tree this is not the repository's.
    pub(super) git_dir: PathBuf,
    /// The project's directory relative to the top: empty, or with a `/` at the end.
    pub(super) prefix: String,
}

impl Repo {
    /// Finds the repository from the project's directory. Ignores GIT_DIR and similar variables,
    /// which git sets for its hooks.
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
                // git means the repository's directory, which may be above the project's.
                let folder = why.split('\'').nth(1).unwrap_or(&root);
                Error::Refused(format!(
                    "{root} is in a repository that another user owns, and git refuses to use it; if you trust it, run `git config --global --add safe.directory {folder}`"
                ))
            } else if why.contains("not a git repository") {
                Error::System(format!(
                    "{root} is in no git repository, where snapshots are kept; run `git init`, then commit go.mod, go.sum and vendor/"
                ))
            } else if why.contains("must be run in a work tree") {
                Error::System(format!(
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
        // core.worktree can name any directory.
        if !project.root.starts_with(&top) {
            return Err(Error::System(format!(
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

    /// Returns the same repository with its own filters enabled, as when the user commits.
    pub(super) fn unguarded(&self) -> Repo {
        Repo {
            git: self.git.clone().unguarded(),
            ..self.clone()
        }
    }

    /// The project's directory, in the form that a tag uses.
    pub(super) fn place(&self) -> &str {
        match self.prefix.trim_end_matches('/') {
            "" => ".",
            prefix => prefix,
        }
    }

    /// Returns why the files at these paths cannot be compared with what git stores: see
    /// [`Git::forbids`].
    ///
    /// # Errors
    /// When git fails.
    pub(super) fn is_filtered(&self, paths: &[String]) -> Result<Option<String>> {
        self.git.forbids("ls-files -z --cached --others --", paths)
    }

    /// Returns the paths that belong together, relative to the top; vendor/ is the first. `work`
    /// has the modules of a workspace.
    ///
    /// # Errors
    /// When a module of the workspace lies outside of the repository.
    pub(super) fn pins(&self, project: &VendorProject, work: &GoMod) -> Result<Vec<String>> {
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

    /// Returns the paths that belong together, according to the current files.
    ///
    /// # Errors
    /// See [`Repo::pins`].
    pub(super) fn pins_now(&self, project: &VendorProject) -> Result<Vec<String>> {
        let work = read_text(&project.root.join("go.work")).unwrap_or_default();
        self.pins(project, &go_work::parse(&work))
    }

    /// Returns goroam's own directory in the work tree's git directory; creates it if necessary.
    ///
    /// # Errors
    /// When it cannot be created.
    pub(super) fn own(&self) -> Result<PathBuf> {
        let own = self.git_dir.join("goroam");
        std::fs::create_dir_all(&own).about(&own)?;
        Ok(own)
    }

    /// Returns the commit of a name, if there is one.
    ///
    /// # Errors
    /// When git fails.
    pub(super) fn commit(&self, name: &str) -> Result<Option<String>> {
        self.resolve(&format!("{name}^{{commit}}"))
    }

    /// Returns git's id of the object with this name, if it exists.
    ///
    /// # Errors
    /// When git fails.
    pub(super) fn resolve(&self, name: &str) -> Result<Option<String>> {
        let words = "rev-parse --verify --quiet --end-of-options";
        let (found, out) = self.git.asks(words, &[name.to_owned()], b"")?;
        let id = String::from_utf8_lossy(&out).trim().to_owned();
        Ok(Some(id).filter(|id| found && !id.is_empty()))
    }

    /// Returns HEAD, or the empty tree before the first commit.
    ///
    /// # Errors
    /// When git fails.
    pub(super) fn base(&self) -> Result<String> {
        match self.commit("HEAD")? {
            Some(head) => Ok(head),
            None => self.git.line("hash-object -t tree --stdin", b""),
        }
    }

    /// Returns the entries at these paths in a tree or commit: mode, kind and git's id, by path.
    /// Empty for a tree that is not stored here (in a partial clone).
    ///
    /// # Errors
    /// When git fails.
    pub(super) fn entries(&self, tree: &str, paths: &[String]) -> Result<BTreeMap<String, String>> {
        let words = format!("ls-tree -z --full-tree {tree} --");
        let (_, out) = self.git.asks(&words, paths, b"")?;
        let entry = |line: String| {
            let (about, path) = line.split_once('\t')?;
            Some((path.to_owned(), about.to_owned()))
        };
        Ok(pieces(&out).into_iter().filter_map(entry).collect())
    }

    /// Checks that these paths are completely stored here. In a partial clone git fetches missing
    /// objects as soon as it reads them, and goroam uses the network only when the user asks for
    /// it.
    ///
    /// # Errors
    /// When something is missing, with the command that fetches it.
    pub(super) fn is_whole(&self, name: &str, commit: &str, paths: &[String]) -> Result<()> {
        let partial = r"config --get-regexp ^(extensions\.partialclone|remote\..*\.promisor)$";
        if !self.git.asks(partial, &[], b"")?.0 {
            return Ok(());
        }
        // git fails if even the commit's tree is missing.
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

    /// Returns the text of a file in a commit; `None` if the commit does not have it.
    ///
    /// # Errors
    /// When git fails.
    pub(super) fn text(&self, commit: &str, path: &str) -> Result<Option<String>> {
        let object = format!("{commit}:{path}");
        let (found, out) = self.git.asks("cat-file blob", &[object], b"")?;
        Ok(found.then(|| String::from_utf8_lossy(&out).into_owned()))
    }

    /// Returns a tree with the current state of these paths, and nothing else. It is made with a
    /// temporary index, so that neither ignored files nor flags of the user's index hide anything.
    ///
    /// # Errors
    /// When git fails, or one of them contains another repository.
    pub(super) fn present(&self, paths: &[String]) -> Result<String> {
        let index = OwnIndex::new(self)?;
        // git does not convert CR LF in a file that already has it in the index, whatever
        // core.autocrlf is. So with an empty index there would seem to be a change.
        if let Some(head) = self.commit("HEAD")? {
            let words = format!("ls-tree -r -z --full-tree {head} --");
            let listing = self.git.run(&words, paths)?;
            let words = "update-index -z --index-info";
            index.git.feed(words, &[], &listing)?;
        }
        index.take(self, paths)?;
        index.git.line("write-tree", b"")
    }

    /// Returns how the pinned paths differ between two trees.
    ///
    /// # Errors
    /// When git fails.
    pub(super) fn changes(
        &self,
        from: &str,
        to: &str,
        paths: &[String],
    ) -> Result<Vec<PathChange>> {
        self.compared(&format!("diff-tree -r {from} {to}"), paths)
    }

    /// Returns how the user's index differs from a commit.
    ///
    /// # Errors
    /// When git fails.
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

    /// Returns `vendor`, `go.mod` and so on, as a user would write them in the project's directory.
    pub(super) fn shown(&self, paths: &[String]) -> String {
        let own = |path: &String| path.strip_prefix(&self.prefix).unwrap_or(path).to_owned();
        paths.iter().map(own).collect::<Vec<_>>().join(" ")
    }
}

/// A file that differs from a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PathChange {
    /// `A`: the commit does not have it, `M`: the commit has another version, `D`: only the commit
    /// has it.
    pub(super) letter: char,
    /// The path, relative to the top.
    pub(super) path: String,
}

/// Lists the first changes and counts the others.
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
    /// git with this index.
    pub(super) git: Git,
}

impl OwnIndex {
    /// Creates an empty index.
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

    /// Sets these paths to their state in the work tree, including ignored files. The index already
    /// has HEAD's entries.
    ///
    /// # Errors
    /// When git fails, or one of them contains another repository.
    pub(super) fn take(&self, repo: &Repo, paths: &[String]) -> Result<()> {
        // git rejects a path that it does not know and that does not exist.
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
            // For such a directory git stores only the id of its commit.
            nested = self.submodule(&there)?;
        }
        match nested {
            None => Ok(()),
            Some(path) => Err(Error::Refused(format!(
                "{path} is a separate git repository (a submodule?) and would not be kept; move it away, then vendor again"
            ))),
        }
    }

    /// Returns a submodule at or below these paths.
    ///
    /// # Errors
    /// When git fails.
    pub(super) fn submodule(&self, paths: &[String]) -> Result<Option<String>> {
        let listed = pieces(&self.git.run("ls-files -s -z --", paths)?);
        let found = listed.iter().find(|line| line.starts_with("160000 "));
        Ok(found.and_then(|line| Some(line.split_once('\t')?.1.to_owned())))
    }
}

/// Finds a `.git` below this directory: git does not store the files of such a repository, so they
/// would be lost.
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

/// Reports whether there is anything at this path, even a broken link.
pub(super) fn exists(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok()
}

/// Returns `name`, `name-2`, `name-3` and so on.
pub(super) fn numbered(name: &str) -> impl Iterator<Item = String> {
    let others = (2..100).map(move |number| format!("{name}-{number}"));
    std::iter::once(name.to_owned()).chain(others)
}

/// The files of a repository that git opens before it does anything.
#[cfg(unix)]
const OPENED: &str = "HEAD config packed-refs commondir shallow index info/attributes info/exclude \
    objects/info/alternates";
/// Maximum number of directories below vendor/ that are read.
#[cfg(unix)]
const MOST_FOLDERS: usize = 100_000;

/// Finds a named pipe where git opens a file: in a `.git` above, or instead of a `.gitattributes`
/// of the work tree.
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

/// On Windows, named pipes are not in directories.
#[cfg(windows)]
fn pipe(_: &Path) -> Option<PathBuf> {
    None
}
