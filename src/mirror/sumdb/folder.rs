//! A directory with a checksum database in go's layout (a mirror's, or go's own cache), and how its
//! files are written.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use super::super::layout::FilesBelow;
use super::super::store::{Spool, put_all};
use super::heads::ProofError;
use crate::bounded;
use crate::gomod::ModuleVersion;
use crate::gomod::sum::tile::FULL;
use crate::gomod::sum::{EscapeError, Tile, unescape_path, unescape_version};

/// Maximum size in bytes. A lookup has some 400 bytes, a tile 8192.
pub(super) const MAX_LOOKUP: u64 = 64 * 1024;
pub(super) const MAX_TILE: u64 = 8192;

/// The directory that holds lookups and tiles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Folder {
    pub(super) root: PathBuf,
}

impl Folder {
    /// Uses this directory.
    pub(super) fn new(root: PathBuf) -> Folder {
        Folder { root }
    }

    /// Turns a path with slashes into a path below this directory.
    pub(super) fn path(&self, below: &str) -> PathBuf {
        let mut path = self.root.clone();
        path.extend(below.split('/'));
        path
    }

    /// Returns the path of a module's lookup.
    pub(super) fn lookup_path(&self, module: &ModuleVersion) -> Result<PathBuf, EscapeError> {
        Ok(self.path(&lookup_path(module)?))
    }

    /// Returns a tile as go gets it here: by its own name, else cut from the full one.
    pub(super) fn tile(&self, tile: Tile) -> io::Result<Option<Vec<u8>>> {
        let exact = read(&self.path(&tile.path()), MAX_TILE)?;
        if exact.is_some() || tile.is_full() {
            return Ok(exact);
        }
        let full = read(&self.path(&tile.full().path()), MAX_TILE)?;
        Ok(full.map(|data| cut(data, tile)))
    }

    /// Returns every file below `lookup/`, with the module in its name (or `None`).
    pub(super) fn lookups(&self) -> io::Result<Vec<(Option<ModuleVersion>, PathBuf)>> {
        let files = FilesBelow::list(&self.root.join("lookup"), "", &[])
            .all()?
            .into_iter();
        Ok(files.map(|(name, path)| (module_of(&name), path)).collect())
    }

    /// Returns every file below `tile/`, with the tile in its name (or `None`).
    pub(super) fn tiles(&self) -> io::Result<Vec<(Option<Tile>, PathBuf)>> {
        let files = FilesBelow::list(&self.root.join("tile"), "tile/", &[])
            .all()?
            .into_iter();
        Ok(files
            .map(|(name, path)| (Tile::parse(&name), path))
            .collect())
    }
}

/// Returns the narrower tile at the beginning of a full one, as client.go cuts it. If the full one
/// did not have 8192 bytes, the result does not have the tile's length, which the check finds.
pub(super) fn cut(mut full: Vec<u8>, tile: Tile) -> Vec<u8> {
    full.truncate(full.len() / usize::from(FULL) * usize::from(tile.width));
    full
}

/// `lookup/ESCAPED@VERSION`.
pub(super) fn lookup_path(module: &ModuleVersion) -> Result<String, EscapeError> {
    Ok(format!("lookup/{}", module.escaped()?))
}

/// Reads a file of at most `most` bytes; `None` if it does not exist.
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

/// Writes the files whose content changes, each atomically; returns how many were written. `own` is
/// a directory on the same file system that nothing else writes to.
pub(super) fn put(own: &Path, mut files: Vec<(PathBuf, Vec<u8>)>) -> Result<usize, ProofError> {
    files.retain(|(path, bytes)| {
        let now = read(path, bytes.len() as u64);
        !now.is_ok_and(|now| now.is_some_and(|now| now == *bytes))
    });
    if files.is_empty() {
        return Ok(0);
    }
    let mut spool = Spool::open(own.join("new"))
        .map_err(|error| ProofError::unwritable(&own.join("new"), &error))?;
    let mut staged = Vec::with_capacity(files.len());
    for (target, bytes) in files {
        let path = spool.write(&bytes);
        staged.push((
            path.map_err(|error| ProofError::unwritable(&target, &error))?,
            target,
        ));
    }
    put_all(&staged).map_err(|error| ProofError::Unwritable(error.to_string()))?;
    // Not every system can sync a directory, and each file is complete in any case.
    for folder in BTreeSet::from_iter(staged.iter().filter_map(|(_, target)| target.parent())) {
        if let Ok(folder) = bounded::open_folder(folder) {
            let _ = folder.sync_all();
        }
    }
    Ok(staged.len())
}
