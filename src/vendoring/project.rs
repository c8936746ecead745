//! Finds the project of a vendor/, and reads the module files beside it.

use std::io;
use std::path::{Path, PathBuf};

use super::error::{About, Error, Result};
use super::report::ProjectKind;
use crate::bounded;
use crate::environment::Environment;
use crate::gomod::project::ProjectFiles;
use crate::gomod::{go_work, modules_txt};
use crate::mirror::read_project;

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
            None => Err(Error::System(format!(
                "there is neither a go.mod nor a go.work in {} or above it; name the project's folder with -C",
                start.display()
            ))),
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
        let files = |folder: &Path| (folder.join("go.mod"), folder.join("go.sum"));
        read_project(&self.root, self.kind == ProjectKind::Workspace, &files)
    }
}

/// Reads a text file of at most [`MOST`] bytes.
pub(super) fn read_text(path: &Path) -> io::Result<String> {
    let bytes = bounded::read(path, MOST)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
