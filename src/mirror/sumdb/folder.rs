//! A folder as go lays a checksum database out: a mirror's, or go's own cache of one; and how
//! files of it are written.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::super::store::put_all;
use super::heads::ProofError;
use crate::bounded;
use crate::gomod::ModuleVersion;
use crate::gomod::sum::tile::FULL;
use crate::gomod::sum::{EscapeError, Tile, unescape_path, unescape_version};

/// A lookup has some 400 bytes, a tile 8192.
pub(super) const MAX_LOOKUP: u64 = 64 * 1024;
pub(super) const MAX_TILE: u64 = 8192;
/// No module path has more elements, no number in a tile's path more digits.
const MAX_DEPTH: usize = 64;
/// Files that are looked at in one folder tree.
const MAX_FILES: usize = 2_000_000;

/// Where lookups and tiles lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Folder {
    pub(super) root: PathBuf,
}

impl Folder {
    /// Below this one.
    pub(super) fn new(root: PathBuf) -> Folder {
        Folder { root }
    }

    /// A path with slashes, below this folder.
    pub(super) fn path(&self, below: &str) -> PathBuf {
        let mut path = self.root.clone();
        path.extend(below.split('/'));
        path
    }

    /// Where a module's lookup lies.
    pub(super) fn lookup_path(&self, module: &ModuleVersion) -> Result<PathBuf, EscapeError> {
        Ok(self.path(&lookup_path(module)?))
    }

    /// A tile as go would get it here: by its own name, else cut from the full one.
    pub(super) fn tile(&self, tile: Tile) -> io::Result<Option<Vec<u8>>> {
        let exact = read(&self.path(&tile.path()), MAX_TILE)?;
        if exact.is_some() || tile.is_full() {
            return Ok(exact);
        }
        let full = read(&self.path(&tile.full().path()), MAX_TILE)?;
        Ok(full.map(|data| cut(data, tile)))
    }

    /// Every file below `lookup/`, with the module that it is named after (or `None`).
    pub(super) fn lookups(&self) -> io::Result<Vec<(Option<ModuleVersion>, PathBuf)>> {
        let files = files(&self.root.join("lookup"), "")?.into_iter();
        Ok(files.map(|(name, path)| (module_of(&name), path)).collect())
    }

    /// Every file below `tile/`, with what its name says (or `None`).
    pub(super) fn tiles(&self) -> io::Result<Vec<(Option<Tile>, PathBuf)>> {
        let files = files(&self.root.join("tile"), "tile/")?.into_iter();
        Ok(files
            .map(|(name, path)| (Tile::parse(&name), path))
            .collect())
    }
}

/// The narrower tile at the beginning of a full one, as client.go cuts it: what did not have
/// 8192 bytes has then not those of the tile, which shows when it is checked.
pub(super) fn cut(mut full: Vec<u8>, tile: Tile) -> Vec<u8> {
    full.truncate(full.len() / usize::from(FULL) * usize::from(tile.width));
    full
}

/// `lookup/ESCAPED@VERSION`.
pub(super) fn lookup_path(module: &ModuleVersion) -> Result<String, EscapeError> {
    Ok(format!("lookup/{}", module.escaped()?))
}

/// A file's bytes, at most so many; `None` when there is none.
pub(super) fn read(path: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
    bounded::if_any(bounded::read(path, most))
}

fn module_of(name: &str) -> Option<ModuleVersion> {
    let (path, version) = name.split_once('@')?;
    Some(ModuleVersion {
        path: unescape_path(path).ok()?,
        version: unescape_version(version).ok()?,
    })
}

/// All files below, sorted, with their paths in slashes behind `prefix`. Links are not followed.
fn files(folder: &Path, prefix: &str) -> io::Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    let mut open = vec![(folder.to_owned(), prefix.to_owned(), 0)];
    while let Some((folder, prefix, depth)) = open.pop() {
        let named = |error: io::Error| {
            io::Error::new(error.kind(), format!("{}: {error}", folder.display()))
        };
        let Some(entries) = bounded::if_any(fs::read_dir(&folder)).map_err(named)? else {
            continue;
        };
        for entry in entries {
            let entry = entry.map_err(named)?;
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.file_type()?.is_dir() && depth < MAX_DEPTH {
                open.push((entry.path(), format!("{name}/"), depth + 1));
            } else if found.len() < MAX_FILES {
                found.push((name, entry.path()));
            } else {
                let why = format!("{} holds more than {MAX_FILES} files", folder.display());
                return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Puts these files into their places, each at once, where they say something else; how many that
/// were. `own` is a folder on the same file system that nothing else writes in.
pub(super) fn put(own: &Path, mut files: Vec<(PathBuf, Vec<u8>)>) -> Result<usize, ProofError> {
    files.retain(|(path, bytes)| {
        let now = read(path, bytes.len() as u64);
        !now.is_ok_and(|now| now.is_some_and(|now| now == *bytes))
    });
    if files.is_empty() {
        return Ok(0);
    }
    let stage = own.join("new");
    // What a killed goroam left goes first.
    bounded::if_any(fs::remove_dir_all(&stage))
        .and_then(|_| fs::create_dir_all(&stage))
        .map_err(|error| ProofError::unwritable(&stage, &error))?;
    let mut staged = Vec::with_capacity(files.len());
    for (number, (target, bytes)) in files.into_iter().enumerate() {
        let path = stage.join(number.to_string());
        bounded::create_new(&path)
            .and_then(|mut file| file.write_all(&bytes))
            .map_err(|error| ProofError::unwritable(&target, &error))?;
        staged.push((path, target));
    }
    put_all(&staged).map_err(|error| ProofError::Unwritable(error.to_string()))?;
    // Not every system can sync a folder, and each file is whole in any case.
    for folder in BTreeSet::from_iter(staged.iter().filter_map(|(_, target)| target.parent())) {
        if let Ok(folder) = bounded::open_folder(folder) {
            let _ = folder.sync_all();
        }
    }
    let _ = fs::remove_dir_all(&stage);
    Ok(staged.len())
}
