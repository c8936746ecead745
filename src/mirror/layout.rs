//! Where what lies in a mirror (go-proxy layout: `go help goproxy`; `x/mod/module.EscapePath`).

use std::path::{Path, PathBuf};

use crate::gomod::ModuleVersion;
pub use crate::gomod::stored::VersionFile;
use crate::gomod::sum::{EscapeError, escape_path, escape_version};

/// The paths of a tree of modules: a mirror, or `$GOMODCACHE/cache/download`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The tree below this folder.
    pub fn new(root: impl Into<PathBuf>) -> Layout {
        Layout { root: root.into() }
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A module's `@v`.
    ///
    /// # Errors
    /// When the path is none that go could ask for.
    pub fn versions(&self, module: &str) -> Result<PathBuf, EscapeError> {
        Ok(below(&self.root, &escape_path(module)?).join("@v"))
    }

    /// One file of one version.
    ///
    /// # Errors
    /// When path or version are none that go could ask for.
    pub fn file(&self, module: &ModuleVersion, file: VersionFile) -> Result<PathBuf, EscapeError> {
        let name = format!("{}{}", escape_version(&module.version)?, file.end());
        Ok(self.versions(&module.path)?.join(name))
    }

    /// A module's `@v/list`.
    ///
    /// # Errors
    /// When the path is none that go could ask for.
    pub fn list(&self, module: &str) -> Result<PathBuf, EscapeError> {
        Ok(self.versions(module)?.join("list"))
    }

    /// A module's `@latest`.
    ///
    /// # Errors
    /// When the path is none that go could ask for.
    pub fn latest(&self, module: &str) -> Result<PathBuf, EscapeError> {
        Ok(below(&self.root, &escape_path(module)?).join("@latest"))
    }

    /// What is kept of a checksum database. Its name may be a host with a path.
    pub fn sumdb(&self, name: &str) -> PathBuf {
        below(&self.root.join("sumdb"), name)
    }

    /// goroam's own files in a mirror.
    pub fn own(&self) -> PathBuf {
        self.root.join(".goroam")
    }
}

/// Joined element by element, so that Windows gets its own separator.
fn below(root: &Path, path: &str) -> PathBuf {
    let mut below = root.to_owned();
    below.extend(path.split('/'));
    below
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_lie_where_go_looks_for_them() {
        let layout = Layout::new("/m");
        let module = ModuleVersion::new("github.com/BurntSushi/toml", "v1.0.0-RC1");
        for (got, want) in [
            (
                layout.file(&module, VersionFile::Zip),
                "github.com/!burnt!sushi/toml/@v/v1.0.0-!r!c1.zip",
            ),
            (
                layout.list(&module.path),
                "github.com/!burnt!sushi/toml/@v/list",
            ),
            (
                layout.latest(&module.path),
                "github.com/!burnt!sushi/toml/@latest",
            ),
            (Ok(layout.sumdb("sum.golang.org")), "sumdb/sum.golang.org"),
        ] {
            assert_eq!(got, Ok(below(Path::new("/m"), want)));
        }
    }

    #[test]
    fn nothing_leads_out_of_the_tree() {
        let layout = Layout::new("/m");
        for (path, version) in [
            ("../x", "v1.0.0"),
            ("a.test/../../x", "v1.0.0"),
            ("/etc", "v1.0.0"),
            ("a.test/b", "../v1"),
            ("a.test/b", "v1/../../x"),
        ] {
            let module = ModuleVersion::new(path, version);
            assert!(layout.file(&module, VersionFile::Mod).is_err(), "{module}");
        }
    }
}
