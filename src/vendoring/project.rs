//! Which project's vendor/, and the module files beside it.

use std::collections::BTreeMap;

use std::io;
use std::path::{Component, Path, PathBuf};

use super::error::Error;
use super::facts::{MainModule, ProjectKind};
use crate::bounded;
use crate::environment::Environment;
use crate::gomod::go_sum::{self, Hashed};
use crate::gomod::go_work::GoWork;
use crate::gomod::{ModuleVersion, go_mod, go_work, modules_txt, refusals};

/// Bytes of a go.mod, go.work, go.sum or modules.txt that are read; the largest known ones have
/// some hundred kilobytes.
pub(super) const MOST: u64 = 32 << 20;

/// A project: the folder that holds vendor/, and of which kind it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VendorProject {
    /// The folder that holds vendor/ and go.mod, or go.work. Absolute, links resolved.
    pub root: PathBuf,
    /// Of which kind.
    pub kind: ProjectKind,
}

/// What the module files of a project say.
#[derive(Debug, Default)]
pub(super) struct ProjectFiles {
    pub(super) work: Option<GoWork>,
    pub(super) mains: Vec<MainModule>,
    /// The hash of a module's zip by each go.sum that has one.
    pub(super) sums: BTreeMap<ModuleVersion, Vec<String>>,
    /// The hash of a module's go.mod by each go.sum that has one.
    pub(super) go_mod_sums: BTreeMap<ModuleVersion, Vec<String>>,
    pub(super) unreadable: Vec<(String, String)>,
}

impl VendorProject {
    /// Finds the project that go would see from this folder: a workspace if there is a go.work in it
    /// or above it (or GOWORK names one), else the nearest module. Of GOWORK only the variable
    /// is read, not what `go env -w` wrote.
    ///
    /// # Errors
    /// When there is no project.
    pub fn find(folder: &Path, env: &Environment) -> Result<VendorProject, Error> {
        let start = dunce::canonicalize(folder).map_err(|error| Error::io(folder, error))?;
        let workspace = go_work::find(env.get("GOWORK"), &start, Path::is_file);
        if let Some(path) = workspace {
            if !path.is_absolute() {
                let why = "GOWORK must be an absolute path, `off`, `auto` or empty";
                return Err(Error::io(&path, io::Error::other(why)));
            }
            let root = path.parent().unwrap_or(&path);
            let root = dunce::canonicalize(root).map_err(|error| Error::io(&path, error))?;
            return Ok(VendorProject {
                root,
                kind: ProjectKind::Workspace,
            });
        }
        // If only the go.mod is lost, do not take another module's vendor/ from further up.
        let lost = read_text(&start.join("vendor/modules.txt"))
            .ok()
            .filter(|_| !start.join("go.mod").exists());
        if let Some(txt) = lost {
            let kind = if modules_txt::parse(&txt).workspace {
                ProjectKind::Workspace
            } else {
                ProjectKind::Module
            };
            return Ok(VendorProject { root: start, kind });
        }
        let root = nearest(&start, "go.mod").ok_or(Error::NoProject(start))?;
        Ok(VendorProject {
            root,
            kind: ProjectKind::Module,
        })
    }

    /// vendor/ itself.
    pub fn vendor(&self) -> PathBuf {
        self.root.join("vendor")
    }

    /// The module files. What cannot be read is named in the answer.
    pub(super) fn read(&self) -> ProjectFiles {
        let mut files = ProjectFiles::default();
        let mut folders = vec![(".".to_owned(), self.root.clone())];
        if self.kind == ProjectKind::Workspace {
            let work = files.text("go.work", &self.root.join("go.work"));
            let work = go_work::parse(&work.unwrap_or_default());
            let first = refusals(&work.faults, &work.unknown).into_iter().next();
            files.faults("go.work", first.map(|fault| fault.to_string()));
            folders = members(&work, &self.root);
            files.sums("go.work.sum", &self.root.join("go.work.sum"));
            files.work = Some(work);
        }
        for (name, folder) in folders {
            let shown = |file: &str| match name.strip_prefix("./") {
                Some(rest) => format!("{rest}/{file}"),
                None if name == "." => file.to_owned(),
                None => format!("{name}/{file}"),
            };
            if let Some(text) = files.text(&shown("go.mod"), &folder.join("go.mod")) {
                let go_mod = go_mod::parse(&text);
                let first = refusals(&go_mod.faults, &go_mod.unknown).into_iter().next();
                files.faults(&shown("go.mod"), first.map(|fault| fault.to_string()));
                files.sums(&shown("go.sum"), &folder.join("go.sum"));
                files.mains.push(MainModule {
                    folder: name,
                    go_mod,
                });
            }
        }
        files
    }
}

/// The folders of a workspace's modules: as seen from go.work (`.`, `./a`, `../b`), and whole.
pub(super) fn members(work: &GoWork, root: &Path) -> Vec<(String, PathBuf)> {
    let member = |used: &str| {
        let used = used.replace('\\', "/");
        let folder = plain(&root.join(&used));
        (relative(&folder, root).unwrap_or(used), folder)
    };
    work.r#use.iter().map(|used| member(&used.value)).collect()
}

/// The path without `.` and `..`, by its text alone, as go does it.
fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => out.push(part),
        }
    }
    out
}

/// `./a/b` or `../b`; `None`: on another drive.
fn relative(path: &Path, root: &Path) -> Option<String> {
    let (mut to, mut from) = (path.components().peekable(), root.components().peekable());
    let mut any = false;
    while to.peek().is_some() && to.peek() == from.peek() {
        any = true;
        to.next();
        from.next();
    }
    if !any {
        return None;
    }
    let ups = from.count();
    let mut parts = vec![if ups == 0 { "." } else { ".." }.to_owned()];
    parts.extend(std::iter::repeat_n("..".to_owned(), ups.saturating_sub(1)));
    parts.extend(to.map(|part| part.as_os_str().to_string_lossy().into_owned()));
    Some(parts.join("/"))
}

impl ProjectFiles {
    fn text(&mut self, name: &str, path: &Path) -> Option<String> {
        match read_text(path) {
            Ok(text) => Some(text),
            Err(error) => {
                self.unreadable.push((name.to_owned(), error.to_string()));
                None
            }
        }
    }

    fn faults(&mut self, name: &str, fault: Option<String>) {
        self.unreadable
            .extend(fault.map(|why| (name.to_owned(), why)));
    }

    /// Reads one go.sum. A missing one is not an error: a module may need nothing.
    fn sums(&mut self, name: &str, path: &Path) {
        let text = match read_text(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => return self.faults(name, Some(error.to_string())),
        };
        match go_sum::parse(&text) {
            Ok(lines) => {
                for line in lines
                    .into_iter()
                    .filter(|line| line.hash.starts_with("h1:"))
                {
                    let sums = match line.of {
                        Hashed::Zip => &mut self.sums,
                        Hashed::GoMod => &mut self.go_mod_sums,
                    };
                    sums.entry(line.module).or_default().push(line.hash);
                }
            }
            Err(error) => self.faults(name, Some(error.to_string())),
        }
    }
}

/// The nearest folder, this one or one above it, with a file of this name.
fn nearest(start: &Path, name: &str) -> Option<PathBuf> {
    let mut folders = start.ancestors();
    folders
        .find(|folder| folder.join(name).is_file())
        .map(Path::to_owned)
}

/// A text file of at most [`MOST`] bytes.
pub(super) fn read_text(path: &Path) -> io::Result<String> {
    let bytes = bounded::read(path, MOST)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
