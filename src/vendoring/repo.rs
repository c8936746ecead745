//! The git repository that a project is in.

use std::path::{Path, PathBuf};

use super::error::Error;
use super::facts::ProjectKind;
use super::git::{Git, pieces, with};
use super::project::{VendorProject, members, read_text};
use crate::environment::Environment;
use crate::gomod::go_work::{self, GoWork};

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
    pub fn open(project: &VendorProject, env: &Environment) -> Result<Repo, Error> {
        if let Some(pipe) = pipe(&project.root) {
            return Err(Error::Refused(format!(
                "{} is a named pipe, and git would wait for it; remove it",
                pipe.display()
            )));
        }
        let git = Git::new(&project.root, env);
        let root = project.root.display();
        let (bare, out) = match git.run(&[
            "rev-parse",
            "--is-bare-repository",
            "--absolute-git-dir",
        ]) {
            Ok(out) => {
                let text = String::from_utf8_lossy(&out).into_owned();
                (text.starts_with("true"), text)
            }
            Err(Error::Git(why)) if why.contains("dubious ownership") => {
                // git means the repository's folder, which may lie above the project's.
                let named = why
                    .split_once('\'')
                    .and_then(|(_, rest)| rest.split_once('\''));
                let folder =
                    named.map_or_else(|| root.to_string(), |(folder, _)| folder.to_owned());
                return Err(Error::Refused(format!(
                    "{root} is in a repository that another user owns, and git refuses to use it; if you trust it, run `git config --global --add safe.directory {folder}`"
                )));
            }
            Err(Error::Git(why)) if why.contains("not a git repository") => {
                return Err(Error::Git(format!(
                    "{root} is in no git repository, where snapshots are kept; run `git init`, then commit go.mod, go.sum and vendor/"
                )));
            }
            Err(error) => return Err(error),
        };
        let no_tree = || {
            Error::Git(format!(
                "{root} is in a bare repository or in a .git folder, which have no work tree; go to a checkout"
            ))
        };
        if bare {
            return Err(no_tree());
        }
        let tree = git
            .run(&["rev-parse", "--show-toplevel", "--show-prefix"])
            .map_err(|_| no_tree())?;
        let tree = String::from_utf8_lossy(&tree).into_owned();
        let mut lines = tree.lines();
        let top = lines
            .next()
            .filter(|top| !top.is_empty())
            .ok_or_else(no_tree)?;
        let top = dunce::canonicalize(top).map_err(|error| Error::io(Path::new(top), error))?;
        // core.worktree can name any folder there is.
        if !project.root.starts_with(&top) {
            return Err(Error::Git(format!(
                "the repository that {root} is in has its files in {} instead (core.worktree); go there",
                top.display()
            )));
        }
        let prefix = lines.next().unwrap_or_default().to_owned();
        Ok(Repo {
            git: git.within(&top).guarded()?,
            git_dir: PathBuf::from(out.lines().nth(1).unwrap_or_default()),
            top,
            prefix,
        })
    }

    /// The same where the repository's own filters run, as they do when the user commits.
    pub(super) fn unguarded(&self) -> Repo {
        Repo {
            git: self.git.unguarded(),
            ..self.clone()
        }
    }

    /// Why what is now at these paths cannot be compared with what git keeps: see
    /// [`Git::forbids`].
    ///
    /// # Errors
    /// When git cannot say.
    pub(super) fn is_filtered(&self, paths: &[String]) -> Result<Option<String>, Error> {
        if !self.git.is_guarded() {
            return Ok(None);
        }
        let args = with(&["ls-files", "-z", "--cached", "--others", "--"], paths);
        self.git.forbids(&self.git.run(&args)?)
    }

    /// The paths that belong together, from the top; vendor/ is the first. Which modules a
    /// workspace has is for `work` to say.
    ///
    /// # Errors
    /// When a module of the workspace lies outside of the repository.
    pub(super) fn pins(
        &self,
        project: &VendorProject,
        work: Option<&GoWork>,
    ) -> Result<Vec<String>, Error> {
        let own = |name: &str| format!("{}{name}", self.prefix);
        let mut out = vec![own("vendor")];
        if project.kind == ProjectKind::Module {
            out.extend([own("go.mod"), own("go.sum")]);
            return Ok(out);
        }
        out.extend([own("go.work"), own("go.work.sum")]);
        for (name, folder) in work.map_or_else(Vec::new, |work| members(work, &project.root)) {
            let below = folder.strip_prefix(&self.top).map_err(|_| {
                Error::Failed(format!(
                    "{name}, a module of the workspace, lies outside of the repository {}, so it cannot be pinned there",
                    self.top.display()
                ))
            })?;
            let parts: Vec<_> = below.iter().map(|part| part.to_string_lossy()).collect();
            for file in ["go.mod", "go.sum"] {
                let path = if parts.is_empty() {
                    file.to_owned()
                } else {
                    format!("{}/{file}", parts.join("/"))
                };
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
    pub(super) fn pins_now(&self, project: &VendorProject) -> Result<Vec<String>, Error> {
        let work = read_text(&project.root.join("go.work")).unwrap_or_default();
        self.pins(project, Some(&go_work::parse(&work)))
    }

    /// goroam's own folder in the work tree's git folder, made if need be.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(super) fn own(&self) -> Result<PathBuf, Error> {
        let own = self.git_dir.join("goroam");
        std::fs::create_dir_all(&own).map_err(|error| Error::io(&own, error))?;
        Ok(own)
    }

    /// The commit that a name stands for, if there is one.
    ///
    /// # Errors
    /// When git cannot say.
    pub(super) fn commit(&self, name: &str) -> Result<Option<String>, Error> {
        let wanted = format!("{name}^{{commit}}");
        let args = [
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            &wanted,
        ];
        let (found, out) = self.git.asks(&args, Vec::new())?;
        let id = String::from_utf8_lossy(&out).trim().to_owned();
        Ok(Some(id).filter(|id| found && !id.is_empty()))
    }

    /// What lies at each of these paths in each of these trees or commits: git's ids, `None`
    /// where there is nothing.
    ///
    /// # Errors
    /// When git cannot say.
    pub(super) fn ids(
        &self,
        trees: &[&str],
        paths: &[String],
    ) -> Result<Vec<Vec<Option<String>>>, Error> {
        let mut input = String::new();
        for tree in trees {
            for path in paths {
                if path.contains('\n') {
                    return Err(Error::Failed(format!(
                        "a path with a line end in it: {path:?}"
                    )));
                }
                input.push_str(&format!("{tree}:{path}\n"));
            }
        }
        let args = ["cat-file", "--batch-check=%(objectname) %(objecttype)"];
        let (whole, out) = self.git.asks(&args, input.into_bytes())?;
        if !whole {
            return trees.iter().map(|tree| self.listed(tree, paths)).collect();
        }
        let text = String::from_utf8_lossy(&out);
        let ids: Vec<Option<String>> = text
            .lines()
            .map(|line| {
                let (id, kind) = line.rsplit_once(' ')?;
                let known = ["blob", "tree", "commit"].contains(&kind);
                known.then(|| id.to_owned())
            })
            .collect();
        Ok(ids.chunks(paths.len().max(1)).map(<[_]>::to_vec).collect())
    }

    /// The same for one tree, where `cat-file` comes to no end: git before 2.45 stops at what a
    /// partial clone has left at its remote. A tree that is not here has nothing.
    fn listed(&self, tree: &str, paths: &[String]) -> Result<Vec<Option<String>>, Error> {
        let args = with(&["ls-tree", "-z", "--full-tree", tree, "--"], paths);
        let (_, out) = self.git.asks(&args, Vec::new())?;
        let listed = pieces(&out);
        let id = |path: &String| {
            listed.iter().find_map(|line| {
                let (about, name) = line.split_once('\t')?;
                (name == path).then(|| about.rsplit(' ').next().unwrap_or_default().to_owned())
            })
        };
        Ok(paths.iter().map(id).collect())
    }

    /// Are these paths complete here? A partial clone fetches what it lacks as soon as git reads
    /// it, and goroam uses no network without being asked.
    ///
    /// # Errors
    /// When something is not here, with the command that brings it.
    pub(super) fn is_whole(&self, name: &str, commit: &str, paths: &[String]) -> Result<(), Error> {
        let partial = r"^(extensions\.partialclone|remote\..*\.promisor)$";
        let args = ["config", "--get-regexp", partial];
        if !self.git.asks(&args, Vec::new())?.0 {
            return Ok(());
        }
        let args = [
            "rev-list",
            "--objects",
            "--missing=print",
            "--no-walk",
            commit,
            "--",
        ];
        // Where not even the commit's tree is here, git fails.
        let args: Vec<&str> = args
            .into_iter()
            .chain(paths.iter().map(String::as_str))
            .collect();
        let (can_tell, out) = self.git.asks(&args, Vec::new())?;
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
    pub(super) fn text(&self, commit: &str, path: &str) -> Result<Option<String>, Error> {
        let object = format!("{commit}:{path}");
        let (found, out) = self.git.asks(&["cat-file", "blob", &object], Vec::new())?;
        Ok(found.then(|| String::from_utf8_lossy(&out).into_owned()))
    }
}

/// What git opens of a repository before it does anything.
#[cfg(unix)]
const OPENED: [&str; 9] = [
    "HEAD",
    "config",
    "packed-refs",
    "commondir",
    "shallow",
    "index",
    "info/attributes",
    "info/exclude",
    "objects/info/alternates",
];
/// Directories below vendor/ that are looked into.
#[cfg(unix)]
const MOST_FOLDERS: usize = 100_000;

/// A named pipe where git opens a file: in a `.git` above, or a `.gitattributes` of the work tree.
#[cfg(unix)]
fn pipe(root: &Path) -> Option<PathBuf> {
    use std::os::unix::fs::FileTypeExt as _;
    let is_pipe = |path: &Path| {
        let meta = std::fs::metadata(path);
        meta.is_ok_and(|meta| meta.file_type().is_fifo())
    };
    for folder in root.ancestors() {
        let git = folder.join(".git");
        let opened = OPENED.iter().map(|name| git.join(name));
        let found = opened.chain([folder.join(".gitattributes")]);
        if let Some(found) = { found }.find(|path| is_pipe(path)) {
            return Some(found);
        }
        if git.symlink_metadata().is_ok() {
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
