//! Finds the project of a vendor/, and reads the module files beside it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::error::{About, Error, Result};
use super::report::{ProjectKind, VendorCode, VendorFinding};
use crate::bounded;
use crate::environment::Environment;
use crate::gomod::go_mod::GoMod;
use crate::gomod::go_sum::{self, Hashed};
use crate::gomod::{ModuleVersion, go_mod, go_work, is_directory, modules_txt};

/// Maximum size in bytes of a go.mod, go.work, go.sum or modules.txt; the largest known ones have
/// some hundred kilobytes.
pub(super) const MOST: u64 = 32 << 20;

/// A project: the directory that holds vendor/, and its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VendorProject {
    /// The directory that holds vendor/ and go.mod, or go.work. Absolute, links resolved.
    pub root: PathBuf,
    /// The kind of project.
    pub kind: ProjectKind,
}

/// The content of a project's module files.
#[derive(Debug, Default)]
pub(super) struct ProjectFiles {
    /// The directory that holds vendor/.
    pub(super) root: PathBuf,
    /// go.work, of a workspace.
    pub(super) work: Option<GoMod>,
    /// The main module, or those of the workspace: the directory of each, and its go.mod.
    pub(super) mains: Vec<(PathBuf, GoMod)>,
    /// The hashes of a module's zip, one from each go.sum that has one.
    pub(super) sums: BTreeMap<ModuleVersion, Vec<String>>,
    /// The hashes of a module's go.mod, one from each go.sum that has one.
    pub(super) go_mod_sums: BTreeMap<ModuleVersion, Vec<String>>,
    /// Files that go would refuse.
    pub(super) unreadable: Vec<VendorFinding>,
}

impl VendorProject {
    /// Finds the project that go would use in this directory: a workspace if there is a go.work in
    /// it or above it (or GOWORK names one), else the nearest module. Reads only the variable
    /// GOWORK, not the value that `go env -w` wrote.
    ///
    /// # Errors
    /// When there is no project.
    pub fn find(folder: &Path, env: &Environment) -> Result<VendorProject> {
        let start = dunce::canonicalize(folder).about(folder)?;
        let workspace = go_work::find(env.get("GOWORK"), &start, Path::is_file);
        if let Some(path) = workspace {
            if !path.is_absolute() {
                let why = "GOWORK must be an absolute path, `off`, `auto` or empty";
                return Err(Error::io(&path, io::Error::other(why)));
            }
            let root = path.parent().unwrap_or(&path);
            let root = dunce::canonicalize(root).about(&path)?;
            return Ok(VendorProject {
                root,
                kind: ProjectKind::Workspace,
            });
        }
        // If only the go.mod is lost, another module's vendor/ from further up must not be used.
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
        let mut folders = start.ancestors();
        match folders.find(|folder| folder.join("go.mod").is_file()) {
            None => Err(Error::NoProject(start)),
            Some(root) => Ok(VendorProject {
                root: root.to_owned(),
                kind: ProjectKind::Module,
            }),
        }
    }

    /// The path of vendor/.
    pub fn vendor(&self) -> PathBuf {
        self.root.join("vendor")
    }

    /// Reads the module files. The result names the files that cannot be read.
    pub(super) fn read(&self) -> ProjectFiles {
        let mut files = ProjectFiles {
            root: self.root.clone(),
            ..ProjectFiles::default()
        };
        let mut folders = vec![(".".to_owned(), self.root.clone())];
        if self.kind == ProjectKind::Workspace {
            let work = files.text("go.work", &self.root.join("go.work"));
            let work = go_work::parse(&work.unwrap_or_default());
            if let Some(first) = work.refusals().first() {
                files.is_unreadable("go.work", first);
            }
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
                if let Some(first) = go_mod.refusals().first() {
                    files.is_unreadable(&shown("go.mod"), first);
                }
                files.sums(&shown("go.sum"), &folder.join("go.sum"));
                files.mains.push((folder, go_mod));
            }
        }
        files
    }
}

/// Returns the directories of a workspace's modules: relative to go.work (`.`, `./a`, `../b`), and
/// absolute.
pub(super) fn members(work: &GoMod, root: &Path) -> Vec<(String, PathBuf)> {
    let member = |used: &str| {
        let used = used.replace('\\', "/");
        let folder = plain(&root.join(&used));
        (relative(&folder, root).unwrap_or(used), folder)
    };
    work.r#use.iter().map(|used| member(&used.value)).collect()
}

/// Removes `.` and `..` from the path by its text alone, as go does.
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

/// Returns `./a/b` or `../b`; `None` if it is on another drive.
fn relative(path: &Path, root: &Path) -> Option<String> {
    let shared = root.ancestors().find(|above| path.starts_with(above))?;
    let ups = root.strip_prefix(shared).ok()?.components().count();
    let mut parts = vec![if ups == 0 { "." } else { ".." }.to_owned()];
    parts.extend(std::iter::repeat_n("..".to_owned(), ups.saturating_sub(1)));
    let below = path.strip_prefix(shared).ok()?.iter();
    parts.extend(below.map(|part| part.to_string_lossy().into_owned()));
    Some(parts.join("/"))
}

impl ProjectFiles {
    /// Returns the `go` line that applies to vendor/, if there is one.
    pub(super) fn go(&self) -> Option<&str> {
        let line = match &self.work {
            Some(work) => work.go.as_ref(),
            None => self.mains.first()?.1.go.as_ref(),
        };
        line.map(|line| line.value.as_str())
    }

    /// Returns the modules that a go.mod requires.
    pub(super) fn required(&self) -> impl Iterator<Item = &ModuleVersion> {
        let all = self.mains.iter().flat_map(|(_, go_mod)| &go_mod.require);
        all.map(|required| &required.module)
    }

    /// Returns a module's replacement in go, and the file that contains it. A directory is relative
    /// to the one that holds vendor/ (`modload.replacementFrom`,
    /// `modload.canonicalizeReplacePath`).
    pub(super) fn replacement(
        &self,
        module: &ModuleVersion,
    ) -> Option<(ModuleVersion, &'static str)> {
        let is_main = |go_mod: &GoMod| {
            let own = go_mod.module.as_ref();
            own.is_some_and(|own| own.value == module.path)
        };
        if module.version.is_empty() && self.mains.iter().any(|(_, main)| is_main(main)) {
            return None;
        }
        let by_work = self.work.as_ref().and_then(|work| work.replacement(module));
        if let Some(replace) = by_work {
            return Some((replace.new.clone(), "go.work"));
        }
        self.mains.iter().find_map(|(folder, go_mod)| {
            let new = &go_mod.replacement(module)?.new;
            let is_absolute = is_directory(&new.path) && !new.path.starts_with('.');
            if self.work.is_none() || !new.version.is_empty() || is_absolute {
                return Some((new.clone(), "go.mod"));
            }
            let folder = plain(&folder.join(new.path.replace('\\', "/")));
            let seen = relative(&folder, &self.root).unwrap_or_else(|| new.path.clone());
            Some((ModuleVersion::new(seen, ""), "go.mod"))
        })
    }

    fn text(&mut self, name: &str, path: &Path) -> Option<String> {
        let text = read_text(path);
        text.map_err(|error| self.is_unreadable(name, error)).ok()
    }

    fn is_unreadable(&mut self, name: &str, why: impl ToString) {
        let mend = "fix it by hand, or run `goroam vendor rollback`";
        let finding = VendorFinding::new(VendorCode::Unreadable, why.to_string(), mend);
        self.unreadable.push(finding.at(name));
    }

    /// Reads one go.sum. A missing one is not an error: a module may have no dependencies.
    fn sums(&mut self, name: &str, path: &Path) {
        let text = match read_text(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => return self.is_unreadable(name, error),
        };
        let lines = match go_sum::parse(&text) {
            Ok(lines) => lines,
            Err(error) => return self.is_unreadable(name, error),
        };
        for line in lines.into_iter().filter(|l| l.hash.starts_with("h1:")) {
            let sums = match line.of {
                Hashed::Zip => &mut self.sums,
                Hashed::GoMod => &mut self.go_mod_sums,
            };
            sums.entry(line.module).or_default().push(line.hash);
        }
    }
}

/// Reads a text file of at most [`MOST`] bytes.
pub(super) fn read_text(path: &Path) -> io::Result<String> {
    let bytes = bounded::read(path, MOST)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
