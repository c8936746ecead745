//! What lies in a mirror: every file put to the version it belongs to, and what belongs to none.

use std::collections::BTreeMap;
use std::fs::{DirEntry, FileType};
use std::io;
use std::path::{Path, PathBuf};

use super::layout::{Layout, VersionFile};
use crate::gomod::ModuleVersion;
use crate::gomod::sum::{unescape_path, unescape_version};

/// Elements of a module's path; `x/mod` has no limit, GitHub's longest has some 20.
const DEEPEST: usize = 64;

/// One version's files, in bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files {
    /// `.info`.
    pub info: Option<u64>,
    /// `.mod`.
    pub go_mod: Option<u64>,
    /// `.zip`.
    pub zip: Option<u64>,
    /// `.ziphash`.
    pub ziphash: Option<u64>,
}

impl Files {
    /// Bytes of all.
    pub fn bytes(&self) -> u64 {
        let all = [self.info, self.go_mod, self.zip, self.ziphash];
        all.iter().flatten().sum()
    }

    fn slot(&mut self, file: VersionFile) -> &mut Option<u64> {
        match file {
            VersionFile::Info => &mut self.info,
            VersionFile::Mod => &mut self.go_mod,
            VersionFile::Zip => &mut self.zip,
            VersionFile::ZipHash => &mut self.ziphash,
        }
    }
}

/// One module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Module {
    /// Its versions, as go orders them.
    pub versions: BTreeMap<ModuleVersion, Files>,
    /// `@v/list` is there.
    pub list: bool,
    /// `@latest` is there.
    pub latest: bool,
}

/// All of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// By path.
    pub modules: BTreeMap<String, Module>,
    /// What go would never ask for, with why.
    pub stray: Vec<(PathBuf, String)>,
    /// What cannot be read, with why.
    pub unreadable: Vec<(PathBuf, String)>,
}

impl Tree {
    /// Looks at every folder. The checksum databases' and goroam's own are others' affair.
    /// Links are not followed: go would, but a mirror that is carried elsewhere loses them.
    ///
    /// # Errors
    /// When the mirror itself cannot be listed.
    pub fn read(layout: &Layout) -> io::Result<Tree> {
        let mut tree = Tree::default();
        let mut folders = Vec::new();
        for entry in std::fs::read_dir(layout.root())? {
            let entry = entry?;
            let name = entry.file_name();
            if name == "sumdb" || name == ".goroam" {
                continue;
            }
            tree.put(&entry, None, &mut folders);
        }
        while let Some((folder, path)) = folders.pop() {
            let entries =
                std::fs::read_dir(&folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
            match entries {
                Ok(entries) => {
                    for entry in entries {
                        tree.put(&entry, Some(&path), &mut folders);
                    }
                }
                Err(error) => tree.unreadable.push((folder, error.to_string())),
            }
        }
        tree.stray.sort();
        tree.unreadable.sort();
        Ok(tree)
    }

    /// `below`: the escaped path of the folder it is in.
    fn put(
        &mut self,
        entry: &DirEntry,
        below: Option<&String>,
        folders: &mut Vec<(PathBuf, String)>,
    ) {
        let path = entry.path();
        let kind = match entry.file_type() {
            Ok(kind) => kind,
            Err(error) => return self.unreadable.push((path, error.to_string())),
        };
        let name = entry.file_name();
        let put = match (name.to_str(), below) {
            (None, _) => Err("its name is not UTF-8".to_owned()),
            (Some(name), below) => self.put_named(name, below, kind, &path, folders),
        };
        if let Err(why) = put {
            self.stray.push((path, why));
        }
    }

    fn put_named(
        &mut self,
        name: &str,
        below: Option<&String>,
        kind: FileType,
        path: &Path,
        folders: &mut Vec<(PathBuf, String)>,
    ) -> Result<(), String> {
        if !kind.is_dir() && !kind.is_file() {
            return Err("is neither a file nor a folder".to_owned());
        }
        let Some(below) = below else {
            if kind.is_file() {
                return Err("is no part of any module".to_owned());
            }
            folders.push((path.to_owned(), name.to_owned()));
            return Ok(());
        };
        if let Some(escaped) = below.strip_suffix("/@v") {
            if kind.is_dir() {
                return Err("is a folder among versions".to_owned());
            }
            let module = unescape_path(escaped).map_err(|error| error.to_string())?;
            return self.put_version(module, name, path);
        }
        match (name, kind.is_dir()) {
            ("@latest", false) => {
                let module = unescape_path(below).map_err(|error| error.to_string())?;
                self.modules.entry(module).or_default().latest = true;
            }
            (_, false) => return Err("is no part of any module".to_owned()),
            (_, true) if below.matches('/').count() >= DEEPEST => {
                return Err("lies deeper than any module".to_owned());
            }
            ("@v", true) => {
                let module = unescape_path(below).map_err(|error| error.to_string())?;
                self.modules.entry(module).or_default();
                folders.push((path.to_owned(), format!("{below}/@v")));
            }
            (name, true) => folders.push((path.to_owned(), format!("{below}/{name}"))),
        }
        Ok(())
    }

    fn put_version(&mut self, module: String, name: &str, path: &Path) -> Result<(), String> {
        if name == "list" {
            self.modules.entry(module).or_default().list = true;
            return Ok(());
        }
        // `.ziphash` does not end in `.zip`, so the order does not matter.
        let found = [
            VersionFile::Info,
            VersionFile::Mod,
            VersionFile::Zip,
            VersionFile::ZipHash,
        ]
        .into_iter()
        .find_map(|file| Some((name.strip_suffix(file.end())?, file)));
        let Some((escaped, file)) = found else {
            return Err("is no file of a version".to_owned());
        };
        let version = unescape_version(escaped).map_err(|error| error.to_string())?;
        if !crate::gomod::semver::is_canonical(&version) {
            return Err("is of no version that go could ask for".to_owned());
        }
        let bytes = path.symlink_metadata().map_err(|error| error.to_string())?;
        let key = ModuleVersion::new(module.as_str(), version);
        let module = self.modules.entry(module).or_default();
        *module.versions.entry(key).or_default().slot(file) = Some(bytes.len());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
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
        let files = Files {
            info: None,
            go_mod: Some(5),
            zip: Some(5),
            ziphash: Some(5),
        };
        assert_eq!(b.versions, [(version, files)].into());
    }

    // Names that differ in case alone need a file system that tells them apart.
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
                "a.test/B/@v",
                "a.test/b/@v/V1.0.0.zip",
                "a.test/b/@v/deep",
                "a.test/b/@v/v1.0.0.zip.tmp",
                "a.test/b/@v/v1.zip",
                "a.test/b/notes",
                "nodot/@v",
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
