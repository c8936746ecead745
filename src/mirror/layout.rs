//! The file layout of a mirror (go-proxy layout: `go help goproxy`; `x/mod/module.EscapePath`):
//! which files belong to which version, and what a module's `list` and `@latest` contain.
//!
//! go asks for `@latest` only if `list` has no suitable version (`modfetch.proxyRepo.Latest`,
//! `modload.queryProxy`), so a pin must show in both.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::bounded;
use crate::gomod::ModuleVersion;
use crate::gomod::semver::{compare, is_prerelease, is_pseudo};
pub use crate::gomod::stored::VersionFile;
use crate::gomod::sum::{EscapeError, escape_path, unescape_path, unescape_version};

/// The paths of a tree of modules: a mirror, or `$GOMODCACHE/cache/download`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The tree below this directory.
    pub fn new(root: impl Into<PathBuf>) -> Layout {
        Layout { root: root.into() }
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A module's `@v`.
    ///
    /// # Errors
    /// When the path is one that go could not ask for.
    pub fn versions(&self, module: &str) -> Result<PathBuf, EscapeError> {
        Ok(below(&self.root, &escape_path(module)?).join("@v"))
    }

    /// One file of one version.
    ///
    /// # Errors
    /// When path or version is one that go could not ask for.
    pub fn file(&self, module: &ModuleVersion, file: VersionFile) -> Result<PathBuf, EscapeError> {
        let ModuleVersion { path, version } = module.escaped()?;
        let name = format!("{version}{}", file.end());
        Ok(below(&self.root, &path).join("@v").join(name))
    }

    /// A module's `@v/list`.
    ///
    /// # Errors
    /// When the path is one that go could not ask for.
    pub fn list(&self, module: &str) -> Result<PathBuf, EscapeError> {
        Ok(self.versions(module)?.join("list"))
    }

    /// A module's `@latest`.
    ///
    /// # Errors
    /// When the path is one that go could not ask for.
    pub fn latest(&self, module: &str) -> Result<PathBuf, EscapeError> {
        Ok(below(&self.root, &escape_path(module)?).join("@latest"))
    }

    /// Returns the modules whose paths begin with this text, at most so many, without reading what
    /// there is of them.
    pub fn modules_with(&self, text: &str, most: usize) -> Vec<String> {
        // Only directories whose paths can become, or continue, the text are read.
        let fits = |path: &String| path.starts_with(text) || text.starts_with(path.as_str());
        let mut open = vec![(self.root.clone(), String::new(), String::new())];
        let mut modules = Vec::new();
        while let Some((folder, escaped, module)) = open.pop()
            && modules.len() < most
        {
            let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
            for entry in entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
                let name = entry.file_name().to_string_lossy().into_owned();
                if name == "@v" && module.starts_with(text) {
                    modules.push(module.clone());
                }
                let path = format!("{escaped}{name}");
                if let Some(module) = unescape_path(&path).ok().filter(fits)
                    && name != ".goroam"
                {
                    open.push((entry.path(), format!("{path}/"), module));
                }
            }
        }
        modules.sort();
        modules
    }

    /// The directory of a checksum database. Its name may be a host with a path.
    pub fn sumdb(&self, name: &str) -> PathBuf {
        below(&self.root.join("sumdb"), name)
    }

    /// goroam's own directory in a mirror.
    pub fn own(&self) -> PathBuf {
        self.root.join(".goroam")
    }
}

/// Reports whether the module is at or below one of these paths; true if no path is given.
pub(super) fn is_asked(path: &str, below: &[String]) -> bool {
    let is_below = |prefix: &String| {
        let rest = path.strip_prefix(prefix.trim_end_matches('/'));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    below.is_empty() || below.iter().any(is_below)
}

/// Joins element by element, so that Windows gets its own separator.
fn below(root: &Path, path: &str) -> PathBuf {
    let mut below = root.to_owned();
    below.extend(path.split('/'));
    below
}

/// Maximum number of elements of a path; `x/mod` has no limit, GitHub's longest path has some 20.
const DEEPEST: usize = 64;
/// Maximum number of files in one directory tree.
const MOST_FILES: usize = 2_000_000;

/// What is below a directory.
#[derive(Debug, Default)]
pub(crate) struct FilesBelow {
    /// Everything that is not a directory, sorted: the path below it, with slashes, and the path.
    pub(crate) files: Vec<(String, PathBuf)>,
    /// Directories in which there is nothing.
    empty: Vec<(String, PathBuf)>,
    /// Directories that cannot be listed.
    pub(crate) unreadable: Vec<(PathBuf, io::Error)>,
}

impl FilesBelow {
    /// Lists a directory; a missing one holds nothing. The paths start with `prefix`; those that
    /// `skip` names are left out. Does not follow links.
    pub(crate) fn list(folder: &Path, prefix: &str, skip: &[&str]) -> FilesBelow {
        let mut below = FilesBelow::default();
        let mut open = vec![(folder.to_owned(), prefix.to_owned(), 0)];
        while let Some((folder, prefix, depth)) = open.pop() {
            let entries =
                std::fs::read_dir(&folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
            let entries = match bounded::if_any(entries) {
                Ok(entries) => entries.unwrap_or_default(),
                Err(error) => {
                    below.unreadable.push((folder, error));
                    continue;
                }
            };
            if entries.is_empty() {
                let name = prefix.trim_end_matches('/').to_owned();
                below.empty.push((name, folder.clone()));
            }
            for entry in entries {
                let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
                let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
                if skip.contains(&name.as_str()) {
                    continue;
                }
                if is_folder && depth < DEEPEST {
                    open.push((entry.path(), format!("{name}/"), depth + 1));
                } else if below.files.len() < MOST_FILES {
                    below.files.push((name, entry.path()));
                } else {
                    let why = format!("holds more than {MOST_FILES} files");
                    let error = io::Error::new(io::ErrorKind::FileTooLarge, why);
                    below.unreadable.push((folder, error));
                    return below;
                }
            }
        }
        below.files.sort();
        below.unreadable.sort_by(|one, other| one.0.cmp(&other.0));
        below
    }

    /// Returns the files if every directory could be listed.
    ///
    /// # Errors
    /// The first directory that could not.
    pub(crate) fn all(self) -> io::Result<Vec<(String, PathBuf)>> {
        match self.unreadable.first() {
            None => Ok(self.files),
            Some((folder, error)) => {
                let why = format!("{}: {error}", folder.display());
                Err(io::Error::new(error.kind(), why))
            }
        }
    }
}

/// The sizes of one version's files, in bytes.
pub type Files = BTreeMap<VersionFile, u64>;

/// Reports whether the version is complete: go uses a version only if its `.info` is there.
pub(super) fn is_whole(files: &Files) -> bool {
    files.contains_key(&VersionFile::Zip) && files.contains_key(&VersionFile::Info)
}

/// One module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Module {
    /// Its versions, in go's order.
    pub versions: BTreeMap<ModuleVersion, Files>,
    /// Whether `@v/list` is there.
    pub list: bool,
    /// Whether `@latest` is there.
    pub latest: bool,
}

/// All modules of a tree.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// Modules by path.
    pub modules: BTreeMap<String, Module>,
    /// Files that go would never ask for, with the reason.
    pub stray: Vec<(PathBuf, String)>,
    /// Files that cannot be read, with the reason.
    pub unreadable: Vec<(PathBuf, String)>,
}

impl Tree {
    /// Reads every directory, except those of the checksum databases and goroam's own. Does not
    /// follow links: go would follow them, but they break when a mirror is copied elsewhere.
    ///
    /// # Errors
    /// When the mirror itself cannot be listed.
    pub fn read(layout: &Layout) -> io::Result<Tree> {
        std::fs::read_dir(layout.root())?;
        let below = FilesBelow::list(layout.root(), "", &["sumdb", ".goroam"]);
        let mut tree = Tree::default();
        for (name, path) in below.files {
            if let Err(why) = tree.put(&name, &path) {
                tree.stray.push((path, why));
            }
        }
        for (name, path) in below.empty {
            let module = name.strip_suffix("/@v").map(unescape_path);
            if let Some(Err(why)) = module {
                tree.stray.push((path, why.to_string()));
            }
        }
        tree.stray.sort();
        let unreadable = below.unreadable.into_iter();
        tree.unreadable = unreadable
            .map(|(path, error)| (path, error.to_string()))
            .collect();
        Ok(tree)
    }

    /// Adds one file. `name`: its path below the root.
    fn put(&mut self, name: &str, path: &Path) -> Result<(), String> {
        let meta = path.symlink_metadata().map_err(|error| error.to_string())?;
        if !meta.is_file() {
            return Err("is neither a file nor a folder".to_owned());
        }
        let module = |escaped: &str| unescape_path(escaped).map_err(|error| error.to_string());
        if let Some(escaped) = name.strip_suffix("/@latest") {
            self.modules.entry(module(escaped)?).or_default().latest = true;
            return Ok(());
        }
        let parts = name.split_once("/@v/");
        let (escaped, file) = parts.ok_or("is not part of any module")?;
        self.put_version(module(escaped)?, file, meta.len())
    }

    fn put_version(&mut self, module: String, name: &str, bytes: u64) -> Result<(), String> {
        if name == "list" {
            self.modules.entry(module).or_default().list = true;
            return Ok(());
        }
        // `.ziphash` does not end in `.zip`, so the order does not matter.
        let mut files = VersionFile::ALL.into_iter();
        let found = files.find_map(|file| Some((name.strip_suffix(file.end())?, file)));
        let Some((escaped, file)) = found else {
            return Err("is not a file of a version".to_owned());
        };
        let version = unescape_version(escaped).map_err(|error| error.to_string())?;
        if !crate::gomod::semver::is_canonical(&version) {
            return Err("is of no version that go could ask for".to_owned());
        }
        let key = ModuleVersion::new(module.as_str(), version);
        let module = self.modules.entry(module).or_default();
        module.versions.entry(key).or_default().insert(file, bytes);
        Ok(())
    }
}

/// Returns what `list` contains: releases and prereleases in order (`go help goproxy`). With a pin
/// it omits the versions that go would choose instead: a higher version can still be requested by
/// name, but is not listed.
pub fn listed<'v>(versions: &'v [String], pinned: Option<&str>) -> Vec<&'v str> {
    let mut listed: Vec<&str> = versions
        .iter()
        .map(String::as_str)
        .filter(|version| !is_pseudo(version))
        .collect();
    listed.sort_by(|a, b| compare(a, b).then_with(|| a.cmp(b)));
    let Some(pinned) = pinned.filter(|pinned| versions.iter().any(|one| one == pinned)) else {
        return listed;
    };
    listed.retain(|version| compare(version, pinned).is_le());
    if chosen(&listed) != Some(pinned) {
        listed.retain(|version| *version == pinned);
    }
    listed
}

/// Returns what `@latest` contains: the pinned version, else the highest release, else the highest
/// prerelease, else the newest pseudo-version.
pub fn latest<'v>(versions: &'v [String], pinned: Option<&str>) -> Option<&'v str> {
    let all: Vec<&str> = versions.iter().map(String::as_str).collect();
    if let Some(pinned) = all.iter().find(|version| Some(**version) == pinned) {
        return Some(pinned);
    }
    chosen(&all).or_else(|| all.into_iter().max_by_key(|version| commit_time(version)))
}

/// Returns the version of a list that go chooses for `latest` (`modload.queryProxy`): a release
/// before a prerelease, and a version that has a go.mod (not `+incompatible`) before one that has
/// none.
fn chosen<'v>(versions: &[&'v str]) -> Option<&'v str> {
    let rank = |version: &str| (!is_prerelease(version), !version.ends_with("+incompatible"));
    versions
        .iter()
        .copied()
        .filter(|version| !is_pseudo(version))
        .max_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| compare(a, b)))
}

/// Returns the fourteen digits of a pseudo-version.
fn commit_time(version: &str) -> &str {
    let core = version.split('+').next().unwrap_or_default();
    let rest = core.rsplit_once('-').map_or("", |(rest, _)| rest);
    rest.get(rest.len().saturating_sub(14)..)
        .unwrap_or_default()
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

#[cfg(test)]
mod tree_tests {
    use super::*;

    fn tree(files: &[&str]) -> Tree {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "12345").unwrap();
        }
        let mut tree = Tree::read(&Layout::new(root.path())).unwrap();
        for (path, _) in &mut tree.stray {
            *path = path.strip_prefix(root.path()).unwrap().to_owned();
        }
        tree
    }

    #[test]
    fn files_come_to_their_versions() {
        let tree = tree(&[
            "a.test/!b/@v/list",
            "a.test/!b/@latest",
            "a.test/!b/@v/v1.0.0-!r!c1.zip",
            "a.test/!b/@v/v1.0.0-!r!c1.ziphash",
            "a.test/!b/@v/v1.0.0-!r!c1.mod",
            "a.test/!b/c/@v/v2.0.0+incompatible.info",
            "sumdb/sum.golang.org/supported",
            ".goroam/lock",
        ]);
        assert_eq!(tree.stray, []);
        let modules: Vec<_> = tree.modules.keys().map(String::as_str).collect();
        assert_eq!(modules, ["a.test/B", "a.test/B/c"]);
        let b = &tree.modules["a.test/B"];
        assert!(b.list && b.latest);
        let version = ModuleVersion::new("a.test/B", "v1.0.0-RC1");
        let files =
            [VersionFile::Mod, VersionFile::Zip, VersionFile::ZipHash].map(|file| (file, 5));
        assert_eq!(b.versions, [(version, files.into())].into());
    }

    // Names that differ only in case need a case-sensitive file system.
    #[test]
    #[cfg(unix)]
    fn what_go_would_never_ask_for_is_stray() {
        let tree = tree(&[
            "README",
            "a.test/b/notes",
            "a.test/B/@v/v1.0.0.zip",
            "a.test/b/@v/v1.0.0.zip.tmp",
            "a.test/b/@v/v1.zip",
            "a.test/b/@v/V1.0.0.zip",
            "a.test/b/@v/deep/v1.0.0.zip",
            "nodot/@v/v1.0.0.zip",
        ]);
        let stray: Vec<_> = tree
            .stray
            .iter()
            .map(|(path, _)| path.to_str().unwrap())
            .collect();
        assert_eq!(
            stray,
            [
                "README",
                "a.test/B/@v/v1.0.0.zip",
                "a.test/b/@v/V1.0.0.zip",
                "a.test/b/@v/deep/v1.0.0.zip",
                "a.test/b/@v/v1.0.0.zip.tmp",
                "a.test/b/@v/v1.zip",
                "a.test/b/notes",
                "nodot/@v/v1.0.0.zip",
            ]
        );
    }

    #[cfg(unix)]
    #[test]
    fn links_are_not_followed() {
        let root = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/", root.path().join("a.test")).unwrap();
        let tree = Tree::read(&Layout::new(root.path())).unwrap();
        assert_eq!(tree.stray.len(), 1);
        assert!(tree.modules.is_empty());
    }
}

#[cfg(test)]
mod index_tests {
    use super::*;

    fn all(versions: &[&str]) -> Vec<String> {
        versions
            .iter()
            .map(|version| (*version).to_owned())
            .collect()
    }

    const OLD: &str = "v1.9.9-0.20200102150405-abcdefabcdef";
    const NEW: &str = "v0.0.0-20240102150405-abcdefabcdef";

    #[test]
    fn the_list_is_in_order_and_has_nothing_made_from_a_commit() {
        let versions = all(&["v1.10.0", "v1.2.0", "v1.2.0-rc.1", NEW]);
        assert_eq!(
            listed(&versions, None),
            ["v1.2.0-rc.1", "v1.2.0", "v1.10.0"]
        );
        assert_eq!(listed(&all(&[NEW]), None), [""; 0]);
    }

    #[test]
    fn latest_is_a_release_before_a_prerelease_before_a_commit() {
        for (versions, want) in [
            (all(&["v1.2.0", "v1.10.0", "v2.0.0-rc.1", OLD]), "v1.10.0"),
            (all(&["v1.0.0-rc.1", "v1.0.0-rc.2", OLD]), "v1.0.0-rc.2"),
            (all(&[OLD, NEW]), NEW),
            (all(&["v1.2.0", "v4.0.0+incompatible"]), "v1.2.0"),
            (
                all(&["v3.0.0+incompatible", "v4.0.0+incompatible"]),
                "v4.0.0+incompatible",
            ),
        ] {
            assert_eq!(latest(&versions, None), Some(want));
        }
        assert_eq!(latest(&[], None), None);
    }

    #[test]
    fn a_pin_is_what_go_would_choose_too() {
        let versions = all(&["v1.0.0", "v1.1.0-rc.1", "v1.1.0", "v1.2.0", NEW]);
        for (pin, list) in [
            ("v1.1.0", vec!["v1.0.0", "v1.1.0-rc.1", "v1.1.0"]),
            ("v1.1.0-rc.1", vec!["v1.1.0-rc.1"]),
            (NEW, vec![]),
        ] {
            assert_eq!(latest(&versions, Some(pin)), Some(pin));
            assert_eq!(listed(&versions, Some(pin)), list, "{pin}");
        }
        // A version that was removed pins nothing.
        assert_eq!(latest(&versions, Some("v9.0.0")), Some("v1.2.0"));
        assert_eq!(listed(&versions, Some("v9.0.0")).len(), 4);
    }
}

#[cfg(test)]
mod path_tests {
    use super::is_asked;

    #[test]
    fn paths_are_compared_by_elements() {
        for (path, prefix, want) in [
            ("golang.org/x/text", "golang.org/x", true),
            ("golang.org/x/text", "golang.org/x/", true),
            ("golang.org/x/text", "golang.org/x/text", true),
            ("golang.org/x/text", "golang.org/x/te", false),
            ("golang.org/x", "golang.org/x/text", false),
        ] {
            assert_eq!(
                is_asked(path, &[prefix.to_owned()]),
                want,
                "{path} {prefix}"
            );
        }
    }
}
