//! Versions, put into a mirror so that each is there as a whole or not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};

use super::index;
use super::layout::{Layout, VersionFile};
use super::lock::{Lock, lock};
use super::odd_mods;
use super::pins::{Pins, pins};
use super::spool::{Spool, put};
use crate::bounded;
use crate::gomod::ModuleVersion;
use crate::gomod::sum::{escape_path, unescape_version};

/// Threads that put files on the disk. The file system joins what they ask for into a few
/// writes of its journal: four thousand files take seconds, one after another half a minute.
const SYNCERS: usize = 16;

/// Bytes of the note of what is not listed yet.
const MOST_NOTE: u64 = 16 << 20;

/// A version that has been verified and waits to be put in its place.
#[derive(Debug)]
pub(super) struct Staged {
    pub(super) module: ModuleVersion,
    /// The zip in the spool and its hash; `None`: only its go.mod is needed.
    pub(super) zip: Option<(PathBuf, String)>,
    pub(super) go_mod: Vec<u8>,
    pub(super) info: Option<Vec<u8>>,
}

/// A mirror that is open for writing.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) layout: Layout,
    pub(super) spool: Spool,
    pub(super) lock: Lock,
    pub(super) pins: Pins,
    /// Modules whose `list` and `@latest` may be behind.
    behind: BTreeSet<String>,
}

impl Store {
    /// Opens it, waiting for another writer, and sweeps what a killed one has left.
    pub(super) fn open(layout: Layout, waits: &mut dyn FnMut()) -> io::Result<Store> {
        let lock = lock(&layout, waits)?;
        let spool = Spool::open(&layout, &lock)?;
        let pins = pins(&layout)?;
        let note = bounded::read_named(&unlisted(&layout), MOST_NOTE).unwrap_or_default();
        let note = String::from_utf8_lossy(&note);
        let behind = note.lines().filter(|path| escape_path(path).is_ok());
        Ok(Store {
            behind: BTreeSet::from_iter(behind.map(str::to_owned)),
            layout,
            spool,
            lock,
            pins,
        })
    }

    /// Notes that versions of these modules come or go: a killed writer's successor then writes
    /// their `list` and `@latest`, whatever else it was asked for.
    pub(super) fn will_change<'m>(
        &mut self,
        modules: impl Iterator<Item = &'m str>,
    ) -> io::Result<()> {
        let before = self.behind.len();
        self.behind.extend(modules.map(str::to_owned));
        if self.behind.len() == before {
            return Ok(());
        }
        let lines: Vec<&str> = self.behind.iter().map(String::as_str).collect();
        let note = self.spool.write(lines.join("\n").as_bytes())?;
        put(&note, &unlisted(&self.layout))
    }

    /// Puts versions in their places: everything on the disk first, then zip and hash, then
    /// go.mod, then `.info`, which makes it a version. A kill in between leaves files that
    /// nothing names, or go.mods of which each is whole.
    pub(super) fn place(&mut self, batch: &[Staged]) -> io::Result<()> {
        self.will_change(batch.iter().map(|staged| staged.module.path.as_str()))?;
        // Before the files: one that a kill leaves out is noted in vain, and that is all.
        let odd = batch.iter().map(|staged| {
            let Staged { module, go_mod, .. } = staged;
            let here = || {
                self.layout
                    .file(module, VersionFile::Zip)
                    .unwrap_or_default()
            };
            let zip = staged
                .zip
                .as_ref()
                .map_or_else(here, |(zip, _)| zip.clone());
            (module.to_string(), odd_mods::odd(module, go_mod, &zip))
        });
        odd_mods::note(&self.layout, &self.lock, odd)?;
        let mut parts: Vec<(PathBuf, PathBuf)> = Vec::new();
        let mut infos: Vec<(PathBuf, PathBuf)> = Vec::new();
        for staged in batch {
            let place = |part| self.layout.file(&staged.module, part).map_err(invalid);
            if let Some((zip, hash)) = &staged.zip {
                parts.push((zip.clone(), place(VersionFile::Zip)?));
                let hash = self.spool.write(hash.as_bytes())?;
                parts.push((hash, place(VersionFile::ZipHash)?));
            }
            let go_mod = self.spool.write(&staged.go_mod)?;
            parts.push((go_mod, place(VersionFile::Mod)?));
            if let Some(info) = &staged.info {
                infos.push((self.spool.write(info)?, place(VersionFile::Info)?));
            }
        }
        parts.append(&mut infos);
        put_all(&parts)
    }

    /// Writes `list` and `@latest` of these modules anew, where they say something else.
    pub(super) fn index(&mut self, modules: &BTreeSet<&str>) -> io::Result<()> {
        let behind = std::mem::take(&mut self.behind);
        let behind = behind.iter().map(String::as_str);
        let modules = BTreeSet::from_iter(modules.iter().copied().chain(behind));
        let mut fresh: Vec<(PathBuf, PathBuf)> = Vec::new();
        for module in modules {
            let (versions, pinned) = (versions(&self.layout, module)?, self.pins.get(module));
            let pinned = pinned.map(String::as_str);
            let list = self.layout.list(module).map_err(invalid)?;
            let latest = self.layout.latest(module).map_err(invalid)?;
            let Some(newest) = index::latest(&versions, pinned) else {
                remove(&latest)?;
                remove(&list)?;
                continue;
            };
            let mut text = index::listed(&versions, pinned).join("\n");
            if !text.is_empty() {
                text.push('\n');
            }
            let newest = ModuleVersion::new(module, newest);
            let info = self
                .layout
                .file(&newest, VersionFile::Info)
                .map_err(invalid)?;
            let info = bounded::read_named(&info, crate::gomod::form::MOST_INFO)?;
            for (path, bytes) in [(list, text.as_bytes()), (latest, info.as_slice())] {
                if !bounded::read_named(&path, bytes.len() as u64).is_ok_and(|now| now == bytes) {
                    fresh.push((self.spool.write(bytes)?, path));
                }
            }
        }
        put_all(&fresh)?;
        remove(&unlisted(&self.layout))
    }
}

/// The modules whose `list` is behind, one a line.
fn unlisted(layout: &Layout) -> PathBuf {
    layout.own().join("unlisted")
}

/// A module's versions in a mirror: those that have `.info` and `.zip`.
pub(super) fn versions(layout: &Layout, module: &str) -> io::Result<Vec<String>> {
    let folder = layout.versions(module).map_err(invalid)?;
    let mut ends: BTreeMap<String, u8> = BTreeMap::new();
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let name = entry?.file_name();
        let Some(name) = name.to_str() else { continue };
        for (end, bit) in [(".info", 1), (".zip", 2)] {
            if let Some(version) = name.strip_suffix(end)
                && let Ok(version) = unescape_version(version)
            {
                *ends.entry(version).or_default() |= bit;
            }
        }
    }
    let whole = ends.into_iter().filter(|(_, seen)| *seen == 3);
    Ok(whole.map(|(version, _)| version).collect())
}

/// Removes a file that may be gone already. On Windows one that somebody reads stays: its name is
/// in the error.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            let named = format!("{}: {error}", path.display());
            Err(io::Error::new(error.kind(), named))
        }
        _ => Ok(()),
    }
}

pub(super) fn invalid(error: crate::gomod::sum::EscapeError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, error)
}

/// Puts files (from, to) in their places, in this order; everything is on the disk before the
/// first is put.
pub(super) fn put_all(files: &[(PathBuf, PathBuf)]) -> io::Result<()> {
    sync(
        &files
            .iter()
            .map(|(from, _)| from.as_path())
            .collect::<Vec<_>>(),
    )?;
    let mut folders = BTreeSet::new();
    for (from, to) in files {
        if let Some(folder) = to.parent()
            && folders.insert(folder)
        {
            std::fs::create_dir_all(folder)?;
        }
        put(from, to)?;
    }
    // Not every system can sync a folder; each file is whole in any case.
    let _ = sync(&folders.into_iter().collect::<Vec<_>>());
    Ok(())
}

/// Puts files, or the entries of folders, on the disk.
fn sync(paths: &[&Path]) -> io::Result<()> {
    let share = paths.len().div_ceil(SYNCERS).max(1);
    std::thread::scope(|scope| {
        let threads: Vec<_> = paths
            .chunks(share)
            .map(|paths| scope.spawn(move || paths.iter().try_for_each(|path| sync_one(path))))
            .collect();
        threads.into_iter().try_for_each(|thread| {
            thread
                .join()
                .unwrap_or_else(|_| Err(io::Error::other("a thread broke off")))
        })
    })
}

/// Windows flushes only what was opened for writing; a linked zip may be read-only there.
fn sync_one(path: &Path) -> io::Result<()> {
    if cfg!(windows) {
        return match bounded::open_lock(OpenOptions::new().write(true), path) {
            Ok(file) => file.sync_all(),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            Err(error) => Err(error),
        };
    }
    bounded::open_no_link(path)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn staged(store: &mut Store, path: &str, version: &str) -> Staged {
        Staged {
            module: ModuleVersion::new(path, version),
            zip: Some((store.spool.write(b"zip").unwrap(), "h1:x=".to_owned())),
            go_mod: format!("module {path}\n").into_bytes(),
            info: Some(format!("{{\"Version\":\"{version}\"}}").into_bytes()),
        }
    }

    #[test]
    fn versions_lie_side_by_side_and_the_index_says_so() {
        let root = tempfile::tempdir().unwrap();
        let mut store = Store::open(Layout::new(root.path()), &mut || {}).unwrap();
        let path = "github.com/BurntSushi/toml";
        let batch = ["v1.2.0", "v1.10.0", "v2.0.0-RC1"].map(|v| staged(&mut store, path, v));
        store.place(&batch).unwrap();
        store.index(&[path].into()).unwrap();
        let at = root.path().join("github.com/!burnt!sushi/toml");
        let read = |name: &str| std::fs::read_to_string(at.join(name)).unwrap();
        assert_eq!(read("@v/list"), "v1.2.0\nv1.10.0\nv2.0.0-RC1\n");
        assert_eq!(read("@latest"), "{\"Version\":\"v1.10.0\"}");
        assert_eq!(read("@v/v2.0.0-!r!c1.ziphash"), "h1:x=");
        assert_eq!(read("@v/v1.2.0.mod"), "module github.com/BurntSushi/toml\n");
        let left = std::fs::read_dir(root.path().join(".goroam/new")).unwrap();
        assert_eq!(left.count(), 0);
    }

    #[test]
    fn the_successor_of_a_killed_writer_lists_what_it_left() {
        let root = tempfile::tempdir().unwrap();
        let mut store = Store::open(Layout::new(root.path()), &mut || {}).unwrap();
        let one = staged(&mut store, "a.test/b", "v1.0.0");
        store.place(&[one]).unwrap();
        drop(store);
        assert!(!root.path().join("a.test/b/@v/list").exists());
        let mut store = Store::open(Layout::new(root.path()), &mut || {}).unwrap();
        store.index(&BTreeSet::new()).unwrap();
        let list = std::fs::read(root.path().join("a.test/b/@v/list")).unwrap();
        assert_eq!(list, b"v1.0.0\n");
        assert!(!root.path().join(".goroam/unlisted").exists());
    }

    #[test]
    fn a_go_mod_alone_is_no_version() {
        let root = tempfile::tempdir().unwrap();
        let mut store = Store::open(Layout::new(root.path()), &mut || {}).unwrap();
        let mut one = staged(&mut store, "a.test/b", "v1.0.0");
        one.zip = None;
        store.place(&[one]).unwrap();
        store.index(&["a.test/b"].into()).unwrap();
        assert_eq!(versions(&store.layout, "a.test/b").unwrap(), [""; 0]);
        assert!(!root.path().join("a.test/b/@v/list").exists());
        assert!(root.path().join("a.test/b/@v/v1.0.0.info").exists());
    }

    /// Nobody reads it to its end, and nobody waits for one that writes to it.
    #[cfg(unix)]
    #[test]
    fn a_pipe_in_the_place_of_a_list_is_replaced() {
        let root = tempfile::tempdir().unwrap();
        let mut store = Store::open(Layout::new(root.path()), &mut || {}).unwrap();
        let one = staged(&mut store, "a.test/b", "v1.0.0");
        store.place(&[one]).unwrap();
        let list = root.path().join("a.test/b/@v/list");
        let made = std::process::Command::new("mkfifo").arg(&list).status();
        assert!(made.unwrap().success());
        let (done, waits) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            store.index(&["a.test/b"].into()).unwrap();
            done.send(()).unwrap();
        });
        let in_time = waits.recv_timeout(std::time::Duration::from_secs(20));
        assert!(in_time.is_ok(), "it waits for somebody to write");
        assert_eq!(std::fs::read(&list).unwrap(), b"v1.0.0\n");
    }
}
