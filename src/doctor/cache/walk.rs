//! Everything below `cache/download` that go has put there, by its names. Symbolic links are
//! not followed: what lies behind one is not the cache.

use std::collections::BTreeMap;
use std::fs::DirEntry;
use std::io;
use std::path::{Path, PathBuf};

use super::place::Place;
use crate::gomod::semver;
use crate::gomod::sum::{unescape_path, unescape_version};

/// Folders in folders that are looked into; a module path has a handful of elements.
const DEEPEST: usize = 64;
/// The most folders that are looked at.
const MOST_FOLDERS: usize = 1_000_000;

/// What there is.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) modules: Vec<Module>,
    /// What is kept of checksum databases: `cache/download/sumdb/NAME`, with the name.
    pub(super) databases: Vec<(String, PathBuf)>,
    pub(super) unread: Vec<(String, String)>,
}

/// A module's `@v`.
#[derive(Debug, Clone)]
pub(super) struct Module {
    /// As it is written in a go.mod.
    pub(super) path: String,
    pub(super) folder: PathBuf,
}

/// The files of one version.
#[derive(Debug, Default)]
pub(super) struct Version {
    /// As it stands in file names.
    pub(super) escaped: String,
    pub(super) info: Option<PathBuf>,
    pub(super) go_mod: Option<PathBuf>,
    pub(super) zip: Option<PathBuf>,
    pub(super) zip_hash: Option<PathBuf>,
}

/// Finds the modules and databases.
pub(super) fn walk(place: &Place) -> Found {
    let mut found = Found::default();
    let mut folders = vec![(place.download.clone(), 0)];
    let mut seen = 0;
    while let Some((folder, depth)) = folders.pop() {
        seen += 1;
        if seen > MOST_FOLDERS {
            let why = format!("more than {MOST_FOLDERS} folders");
            found.unread.push((folder.display().to_string(), why));
            break;
        }
        for (name, path) in found.folders(&folder) {
            if depth == 0 && name == "sumdb" {
                found.databases(&path, &path, 0);
            } else if name == "@v" {
                found.module(place, &folder, path);
            } else if depth < DEEPEST {
                folders.push((path, depth + 1));
            }
        }
    }
    found.modules.sort_by(|a, b| a.folder.cmp(&b.folder));
    found.databases.sort();
    found
}

impl Found {
    fn module(&mut self, place: &Place, folder: &Path, versions: PathBuf) {
        let below = folder.strip_prefix(&place.download).unwrap_or(folder);
        let escaped: Option<Vec<&str>> = below.iter().map(|part| part.to_str()).collect();
        // What is no module's path go never asks for.
        if let Some(path) = escaped.and_then(|parts| unescape_path(&parts.join("/")).ok()) {
            self.modules.push(Module {
                path,
                folder: versions,
            });
        }
    }

    /// A database's name is a host, or a host with a path.
    fn databases(&mut self, top: &Path, folder: &Path, depth: usize) {
        let inside = self.folders(folder);
        if inside
            .iter()
            .any(|(name, _)| name == "lookup" || name == "tile")
        {
            let name: Vec<_> = folder.strip_prefix(top).unwrap_or(folder).iter().collect();
            let name: Option<Vec<&str>> = name.into_iter().map(|part| part.to_str()).collect();
            if let Some(name) = name.filter(|name| !name.is_empty()) {
                self.databases.push((name.join("/"), folder.to_owned()));
            }
            return;
        }
        for (_, path) in inside.into_iter().filter(|_| depth < DEEPEST) {
            self.databases(top, &path, depth + 1);
        }
    }

    /// The folders in a folder.
    fn folders(&mut self, folder: &Path) -> Vec<(String, PathBuf)> {
        let is_folder = |entry: &DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
        match entries(folder, is_folder) {
            Ok(list) => list,
            Err(error) => {
                let folder = folder.display().to_string();
                self.unread.push((folder, error.to_string()));
                Vec::new()
            }
        }
    }
}

impl Module {
    /// Its versions by their names, and its `list`.
    pub(super) fn versions(&self) -> io::Result<(BTreeMap<String, Version>, Option<PathBuf>)> {
        let is_file = |entry: &DirEntry| entry.file_type().is_ok_and(|kind| kind.is_file());
        let mut versions: BTreeMap<String, Version> = BTreeMap::new();
        let mut list = None;
        for (name, path) in entries(&self.folder, is_file)? {
            if name == "list" {
                list = Some(path);
                continue;
            }
            // Locks and what an ended go has left (`.lock`, `.partial`, `.tmp`) do no harm.
            let Some((escaped, end)) = name.rsplit_once('.') else {
                continue;
            };
            let canonical = |version: &String| semver::is_canonical(version);
            let Some(version) = unescape_version(escaped).ok().filter(canonical) else {
                continue;
            };
            if !matches!(end, "info" | "mod" | "zip" | "ziphash") {
                continue;
            }
            let files = versions.entry(version).or_default();
            escaped.clone_into(&mut files.escaped);
            let place = match end {
                "info" => &mut files.info,
                "mod" => &mut files.go_mod,
                "zip" => &mut files.zip,
                _ => &mut files.zip_hash,
            };
            *place = Some(path);
        }
        Ok((versions, list))
    }
}

/// What is of this kind in a folder, sorted; a folder that is gone is an empty one.
pub(super) fn entries(
    folder: &Path,
    is_wanted: impl Fn(&DirEntry) -> bool,
) -> io::Result<Vec<(String, PathBuf)>> {
    let list = match std::fs::read_dir(folder) {
        Ok(list) => list,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in list {
        let entry = entry?;
        if let Ok(name) = entry.file_name().into_string()
            && is_wanted(&entry)
        {
            found.push((name, entry.path()));
        }
    }
    found.sort();
    Ok(found)
}
