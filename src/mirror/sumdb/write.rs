//! Writing many files so that a kill leaves each one old or new, and a power cut too.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::error::BringError;
use crate::bounded;

/// A file, and what will stand in it.
pub(super) type Written = (PathBuf, Vec<u8>);

/// Puts these files into their places, each at once. All are on the disk before the first is
/// put, so that the disk is waited for once and not for each. `own` is a folder on the same file
/// system that nobody else writes in.
pub(super) fn put(own: &Path, files: &[Written]) -> Result<(), BringError> {
    if files.is_empty() {
        return Ok(());
    }
    let stage = own.join("new");
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error| BringError::Write { path, error }
    };
    // What a killed goroam left.
    match fs::remove_dir_all(&stage) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(failed(&stage)(error));
        }
        Ok(()) | Err(_) => {}
    }
    fs::create_dir_all(&stage).map_err(failed(&stage))?;
    let mut open = Vec::with_capacity(files.len().min(CHUNK));
    let mut folders: Vec<&Path> = Vec::new();
    for chunk in files.chunks(CHUNK) {
        for (number, (target, bytes)) in chunk.iter().enumerate() {
            let path = stage.join(number.to_string());
            let mut file = bounded::create_new(&path).map_err(failed(&path))?;
            file.write_all(bytes).map_err(failed(target))?;
            open.push((file, path));
        }
        for (file, path) in &open {
            file.sync_all().map_err(failed(path))?;
        }
        for ((file, path), (target, _)) in open.drain(..).zip(chunk) {
            drop(file);
            if let Some(folder) = target.parent() {
                fs::create_dir_all(folder).map_err(failed(folder))?;
                folders.push(folder);
            }
            fs::rename(&path, target).map_err(failed(target))?;
        }
    }
    folders.sort();
    folders.dedup();
    for folder in folders {
        // Not every system can, and the file is right in any case.
        if let Ok(folder) = bounded::open_folder(folder) {
            let _ = folder.sync_all();
        }
    }
    let _ = fs::remove_dir_all(&stage);
    Ok(())
}

/// Files that are open at once.
const CHUNK: usize = 200;

/// One goroam at a time changes a database's folder. Given back when it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    _lock: Option<File>,
}

impl Turn {
    /// Waits for it.
    pub(super) async fn wait(own: &Path) -> Result<Turn, BringError> {
        let path = own.join("lock");
        let locked = tokio::task::spawn_blocking({
            let (own, path) = (own.to_owned(), path.clone());
            move || {
                fs::create_dir_all(own)?;
                // Nothing is in it, and nothing is emptied where a link leads elsewhere.
                let mut options = fs::OpenOptions::new();
                options.create(true).truncate(false).write(true);
                let file = bounded::open_lock(&options, &path)?;
                match file.lock() {
                    Ok(()) => Ok(Some(file)),
                    // Then nobody else could hold one either.
                    Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(None),
                    Err(error) => Err(error),
                }
            }
        });
        let locked = locked.await.unwrap_or_else(|error| Err(error.into()));
        locked
            .map(|lock| Turn { _lock: lock })
            .map_err(|error| BringError::Write { path, error })
    }
}
