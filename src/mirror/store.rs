//! Stores versions in a mirror so that each is either completely there or not at all.
//!
//! A mirror has one writer at a time; readers need no lock, because whatever they see is complete.
//! Unfinished files are in a directory of goroam's own on the same file system, so that a rename
//! moves each into place, and a killed writer leaves nothing anywhere else.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::layout::{self, Layout, VersionFile};
use super::wants::AddError;
use crate::bounded;
use crate::gomod::ModuleVersion;
use crate::gomod::form::MOST_MOD;
use crate::gomod::sum::{escape_path, hash_go_mod, unescape_version};
use crate::gomod::zip::ModZip;
use crate::pool;
use crate::state::file::replace_readable;

/// Number of threads that sync files to the disk. The file system joins their requests into a few
/// writes of its journal: four thousand files take seconds; one after another they take half a
/// minute.
const SYNCERS: usize = 16;

/// Maximum size in bytes of the file that names the modules not listed yet.
const MOST_NOTE: u64 = 16 << 20;

/// A verified version that is ready to be moved into place.
#[derive(Debug)]
pub(super) struct Staged {
    pub(super) module: ModuleVersion,
    /// The zip in the spool and its hash; `None` if only its go.mod is needed.
    pub(super) zip: Option<(PathBuf, String)>,
    pub(super) go_mod: Vec<u8>,
    pub(super) info: Option<Vec<u8>>,
}

/// A mirror that is open for writing.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) layout: Layout,
    pub(super) spool: Spool,
    _lock: File,
    pub(super) pins: Pins,
    /// Modules whose `list` and `@latest` may be out of date.
    behind: BTreeSet<String>,
}

impl Store {
    /// Opens a mirror, waits for another writer, and removes what a killed writer left.
    pub(super) fn open(layout: Layout, waits: &mut dyn FnMut()) -> io::Result<Store> {
        let lock = lock(&layout, waits)?;
        Store::with_lock(layout, lock)
    }

    /// Opens a mirror unless another writer has it: then the error is [`io::ErrorKind::WouldBlock`].
    pub(super) fn open_if_free(layout: Layout) -> io::Result<Store> {
        let file = lock_file(&layout)?;
        file.try_lock()?;
        Store::with_lock(layout, file)
    }

    fn with_lock(layout: Layout, lock: File) -> io::Result<Store> {
        let spool = Spool::open(layout.own().join("new"))?;
        let pins = pins(&layout)?;
        let note = bounded::read_named(&unlisted(&layout), MOST_NOTE).unwrap_or_default();
        let note = String::from_utf8_lossy(&note);
        let behind = note.lines().filter(|path| escape_path(path).is_ok());
        Ok(Store {
            behind: BTreeSet::from_iter(behind.map(str::to_owned)),
            layout,
            spool,
            _lock: lock,
            pins,
        })
    }

    /// Opens an existing mirror: pruning and pinning do not create one.
    pub(super) fn of_mirror(root: &Path, waits: &mut dyn FnMut()) -> Result<Store, AddError> {
        let layout = Layout::new(root);
        if !layout.own().is_dir() {
            return Err(AddError::Usage(format!(
                "{} is no mirror; `goroam mirror add` makes one, --mirror names one",
                root.display()
            )));
        }
        Store::open(layout, waits).map_err(|error| AddError::file(root, &error))
    }

    /// Pins a module to a version, or unpins it; returns the previous pin.
    pub(super) fn pin(
        &mut self,
        module: &str,
        version: Option<&str>,
    ) -> io::Result<Option<String>> {
        // The module is recorded as out of date first, so that after a kill no pin is missing from
        // the lists.
        self.will_change([module].into_iter())?;
        let before = match version {
            Some(version) => self.pins.insert(module.to_owned(), version.to_owned()),
            None => self.pins.remove(module),
        };
        keep(&pins_file(&self.layout), &self.pins)?;
        self.index(&[module].into())?;
        Ok(before)
    }

    /// Records that versions of these modules will be added or removed: after a kill, the next
    /// writer updates their `list` and `@latest`, whatever its own task is.
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

    /// Moves versions into place: first syncs everything to the disk, then moves zip and hash, then
    /// go.mod, then `.info`, which makes it a version. A kill in between leaves files that nothing
    /// names, or complete go.mods.
    pub(super) fn place(&mut self, batch: &[Staged]) -> io::Result<()> {
        self.will_change(batch.iter().map(|staged| staged.module.path.as_str()))?;
        // Recorded before the files are moved: after a kill there may be an unused record, which is
        // harmless.
        let odd = batch.iter().map(|staged| {
            let Staged { module, go_mod, .. } = staged;
            let here = self.layout.file(module, VersionFile::Zip);
            let zip = staged.zip.clone().map_or(here, |(zip, _)| Ok(zip));
            (
                module.to_string(),
                odd(module, go_mod, &zip.unwrap_or_default()),
            )
        });
        note_odd(&self.layout, odd)?;
        let mut parts: Vec<(PathBuf, PathBuf)> = Vec::new();
        let mut infos: Vec<(PathBuf, PathBuf)> = Vec::new();
        for staged in batch {
            let place = |part| self.layout.file(&staged.module, part);
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

    /// Writes `list` and `@latest` of these modules if their content changes.
    pub(super) fn index(&mut self, modules: &BTreeSet<&str>) -> io::Result<()> {
        let behind = std::mem::take(&mut self.behind);
        let behind = behind.iter().map(String::as_str);
        let modules = BTreeSet::from_iter(modules.iter().copied().chain(behind));
        let mut fresh: Vec<(PathBuf, PathBuf)> = Vec::new();
        for module in modules {
            let (versions, pinned) = (versions(&self.layout, module)?, self.pins.get(module));
            let pinned = pinned.map(String::as_str);
            let list = self.layout.list(module)?;
            let latest = self.layout.latest(module)?;
            let Some(newest) = layout::latest(&versions, pinned) else {
                remove(&latest)?;
                remove(&list)?;
                continue;
            };
            let mut text = layout::listed(&versions, pinned).join("\n");
            if !text.is_empty() {
                text.push('\n');
            }
            let newest = ModuleVersion::new(module, newest);
            let info = self.layout.file(&newest, VersionFile::Info)?;
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

/// The file that names the modules whose `list` is out of date, one per line.
fn unlisted(layout: &Layout) -> PathBuf {
    layout.own().join("unlisted")
}

/// Returns a module's versions in a mirror: those that have `.info` and `.zip`.
pub(super) fn versions(layout: &Layout, module: &str) -> io::Result<Vec<String>> {
    let folder = layout.versions(module)?;
    let mut ends: BTreeMap<String, u8> = BTreeMap::new();
    let Some(entries) = bounded::if_any(std::fs::read_dir(&folder))? else {
        return Ok(Vec::new());
    };
    for entry in entries {
        let name = entry?.file_name();
        for (end, bit) in [(".info", 1), (".zip", 2)] {
            if let Some(version) = name.to_str().and_then(|name| name.strip_suffix(end))
                && let Ok(version) = unescape_version(version)
            {
                *ends.entry(version).or_default() |= bit;
            }
        }
    }
    ends.retain(|_, seen| *seen == 3);
    Ok(ends.into_keys().collect())
}

/// Removes a file, which may not exist. On Windows a file that is being read stays: the error has
/// its name.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    let removed = bounded::if_any(std::fs::remove_file(path));
    removed.map(drop).map_err(|error| {
        let named = format!("{}: {error}", path.display());
        io::Error::new(error.kind(), named)
    })
}

/// Moves files (from, to) into place, in this order; syncs all of them to the disk before the first
/// move.
pub(super) fn put_all(files: &[(PathBuf, PathBuf)]) -> io::Result<()> {
    let synced = pool::map(files, SYNCERS, |(from, _)| sync(from));
    synced.into_iter().collect::<io::Result<()>>()?;
    let mut folders = BTreeSet::new();
    for (from, to) in files {
        if let Some(folder) = to.parent()
            && folders.insert(folder)
        {
            std::fs::create_dir_all(folder)?;
        }
        put(from, to)?;
    }
    Ok(())
}

/// Windows flushes only files that were opened for writing; a linked zip may be read-only there.
fn sync(path: &Path) -> io::Result<()> {
    if cfg!(windows) {
        return match bounded::open_lock(OpenOptions::new().write(true), path) {
            Ok(file) => file.sync_all(),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            Err(error) => Err(error),
        };
    }
    bounded::open_no_link(path)?.sync_all()
}

/// Takes the lock of the mirror's writer, and creates goroam's directory in it. It is released on drop,
/// or by the system when the process is killed. If another goroam has the lock,
/// calls `waits` and then waits.
///
/// # Errors
/// When the directory or the file cannot be created, or the file system has no locks.
pub fn lock(layout: &Layout, waits: &mut dyn FnMut()) -> io::Result<File> {
    let file = lock_file(layout)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            waits();
            file.lock()?;
        }
        Err(TryLockError::Error(error)) => return Err(error),
    }
    Ok(file)
}

fn lock_file(layout: &Layout) -> io::Result<File> {
    std::fs::create_dir_all(layout.own())?;
    // Never written to: its content does not matter, and a write could be interrupted.
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    bounded::open_lock(&options, &layout.own().join("lock"))
}

/// Maximum size in bytes of the pins file: ten thousand pins.
const MOST_PINS: u64 = 1 << 20;

/// Maps a module to its pinned version.
pub type Pins = BTreeMap<String, String>;

/// Reads the pins of a mirror (`ROOT/.goroam/pins.json`); empty if the file does not exist.
///
/// # Errors
/// When the file cannot be read or is not a pins file.
pub fn pins(layout: &Layout) -> io::Result<Pins> {
    let path = pins_file(layout);
    let Some(bytes) = bounded::if_any(bounded::read_named(&path, MOST_PINS))? else {
        return Ok(Pins::new());
    };
    serde_json::from_slice(&bytes).map_err(|error| {
        let why = format!("{}: {error}; fix it or remove it", path.display());
        io::Error::new(io::ErrorKind::InvalidData, why)
    })
}

fn pins_file(layout: &Layout) -> PathBuf {
    layout.own().join("pins.json")
}

fn keep(path: &Path, what: &BTreeMap<String, String>) -> io::Result<()> {
    let mut bytes = serde_json::to_vec_pretty(what)?;
    bytes.push(b'\n');
    replace_readable(path, &bytes).map(|_| ())
}

/// Maximum size in bytes of the record of odd `.mod` files: a hundred thousand of them.
const MOST_ODD: u64 = 16 << 20;

/// Reads the versions whose `.mod` is not the go.mod in their zip: `ROOT/.goroam/mods.json` maps
/// `MODULE@VERSION` to the hash of its `.mod`. go accepts both as they are, and go.sum has a hash
/// of each. So goroam records the hash of such a `.mod` when it stores it, as `.ziphash` does for
/// the zip, and `verify` compares the file with it. A record that cannot be read vouches for no
/// file.
pub(super) fn odd_mods(layout: &Layout) -> BTreeMap<String, String> {
    let bytes = bounded::read_named(&odd_file(layout), MOST_ODD).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}

/// Records the hash of these versions' `.mod`; `None` removes the record.
///
/// # Errors
/// When the file cannot be written.
pub(super) fn note_odd(
    layout: &Layout,
    now: impl Iterator<Item = (String, Option<String>)>,
) -> io::Result<()> {
    let before = odd_mods(layout);
    let mut all = before.clone();
    for (module, hash) in now {
        match hash {
            Some(hash) => all.insert(module, hash),
            None => all.remove(&module),
        };
    }
    if all == before {
        return Ok(());
    }
    keep(&odd_file(layout), &all)
}

/// Returns the hash of this `.mod` if the zip holds another go.mod.
fn odd(module: &ModuleVersion, go_mod: &[u8], zip: &Path) -> Option<String> {
    let in_zip = ModZip::open(zip)
        .ok()?
        .read(&format!("{module}/go.mod"), MOST_MOD);
    (in_zip.ok()? != go_mod).then(|| hash_go_mod(go_mod))
}

fn odd_file(layout: &Layout) -> PathBuf {
    layout.own().join("mods.json")
}

/// The extension of goroam's unfinished files; the rest of the name is a number.
const END: &str = ".part";

/// The directory of unfinished files.
#[derive(Debug)]
pub(super) struct Spool {
    folder: PathBuf,
    next: u64,
}

impl Spool {
    /// Opens it, and removes what a killed writer left: the mirror's lock guarantees that no other
    /// goroam writes.
    pub(super) fn open(folder: PathBuf) -> io::Result<Spool> {
        unverified_folder(&folder)?;
        let spool = Spool { folder, next: 0 };
        spool.sweep()?;
        Ok(spool)
    }

    fn sweep(&self) -> io::Result<()> {
        for entry in std::fs::read_dir(&self.folder)? {
            let entry = entry?;
            if entry.file_name().to_str().is_some_and(is_own) {
                std::fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    /// Returns a name that no file has.
    pub(super) fn name(&mut self) -> PathBuf {
        self.next += 1;
        self.folder.join(format!("{}{END}", self.next))
    }

    /// Writes a file with this content. It is not synced to the disk yet.
    pub(super) fn write(&mut self, content: &[u8]) -> io::Result<PathBuf> {
        let path = self.name();
        let mut file = bounded::create_new(&path)?;
        file.write_all(content)?;
        Ok(path)
    }
}

/// Removes rejected files. After a kill the next writer does this.
impl Drop for Spool {
    fn drop(&mut self) {
        let _ = self.sweep();
    }
}

/// Creates a directory for unverified files that only this user may read. On Windows the access
/// rights of the mirror's directory apply.
pub(super) fn unverified_folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn is_own(name: &str) -> bool {
    name.strip_suffix(END)
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

/// Moves a file into place and replaces an existing one. On Windows a reader may hold the old file
/// for a moment (os.Open in Go does not share deletion there).
fn put(from: &Path, to: &Path) -> io::Result<()> {
    let mut tries = 0;
    loop {
        match std::fs::rename(from, to) {
            Err(error)
                if cfg!(windows)
                    && error.kind() == io::ErrorKind::PermissionDenied
                    && tries < 50 =>
            {
                tries += 1;
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            done => return done,
        }
    }
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

    /// A pipe is not read to its end, and goroam does not wait for a writer.
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

#[cfg(test)]
mod lock_tests {
    use super::*;

    #[test]
    fn a_second_writer_says_that_it_waits_and_gets_its_turn() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::new(root.path());
        let first = lock(&layout, &mut || panic!("nobody has it")).unwrap();
        let (said, waits) = std::sync::mpsc::channel();
        let second = std::thread::spawn({
            let layout = layout.clone();
            move || lock(&layout, &mut || said.send(()).unwrap()).unwrap()
        });
        waits.recv().unwrap();
        drop(first);
        second.join().unwrap();
    }
}

#[cfg(test)]
mod pins_tests {
    use super::*;

    #[test]
    fn pins_are_kept_and_a_broken_file_is_named() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::new(root.path());
        assert_eq!(pins(&layout).unwrap(), Pins::new());
        std::fs::create_dir_all(layout.own()).unwrap();
        let some: Pins = [("a.test/b".to_owned(), "v1.0.0".to_owned())].into();
        keep(&pins_file(&layout), &some).unwrap();
        assert_eq!(pins(&layout).unwrap(), some);
        std::fs::write(pins_file(&layout), "{").unwrap();
        let said = pins(&layout).unwrap_err().to_string();
        assert!(said.contains("pins.json"), "{said}");
    }
}

#[cfg(test)]
mod spool_tests {
    use super::*;

    #[test]
    fn leftovers_are_swept_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::new(root.path());
        let mut spool = Spool::open(layout.own().join("new")).unwrap();
        let left = spool.write(b"half").unwrap();
        std::mem::forget(spool);
        let foreign = layout.own().join("new/notes.txt");
        std::fs::write(&foreign, "mine").unwrap();
        let mut spool = Spool::open(layout.own().join("new")).unwrap();
        assert!(!left.exists() && foreign.exists());
        assert_eq!(spool.write(b"again").unwrap(), left);
    }
}
