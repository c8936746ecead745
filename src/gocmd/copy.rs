//! The real location of the go env file, and the copy beside it.

use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::attributes;
use super::envfile::{not_a_file, read_file, read_open};
use super::failure::{ApplyError, InPlace};
use crate::bounded;

/// The real file behind symbolic links; the end of its path may not exist yet.
#[derive(Debug)]
pub(super) struct Place {
    /// The file itself: not a symbolic link, may not exist.
    pub(super) path: PathBuf,
    /// Its metadata when it was found; `None`: there is no file.
    pub(super) meta: Option<Metadata>,
    linked: bool,
}

/// A copy beside the real file. It stays locked as long as its process runs, so that leftovers of a
/// killed process can be distinguished from copies in use. Dropping it removes it.
#[derive(Debug)]
pub(super) struct Copy {
    pub(super) path: PathBuf,
    /// `None` after it was closed.
    file: Option<File>,
    there: bool,
    /// Set if it cannot replace the file; its bytes are then written into the file.
    pub(super) in_place: Option<InPlace>,
    /// If no copy can be made beside the file: the directory that was made for it.
    elsewhere: Option<tempfile::TempDir>,
}

impl Place {
    /// Follows symbolic links step by step: go creates the file at the target of a dangling link.
    pub(super) fn resolve(path: &Path) -> Result<Place, ApplyError> {
        let mut path = path.to_owned();
        let mut linked = false;
        // Linux gives up after 40 as well (MAXSYMLINKS).
        for _ in 0..40 {
            let failed = |error| ApplyError::file(&path, "cannot be reached", error);
            let meta = match std::fs::symlink_metadata(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                found => Some(found.map_err(failed)?),
            };
            if !meta.as_ref().is_some_and(Metadata::is_symlink) {
                return match meta.as_ref().and_then(not_a_file) {
                    Some(what) => Err(ApplyError::NotAFile { path, what }),
                    None => Ok(Place { path, meta, linked }),
                };
            }
            let target = std::fs::read_link(&path).map_err(failed)?;
            path = match path.parent() {
                Some(folder) => folder.join(target),
                None => target,
            };
            linked = true;
        }
        let error = io::Error::other("too many symbolic links");
        Err(ApplyError::file(&path, "cannot be reached", error))
    }

    /// Creates the directory as go does, unless a link points into a missing one, and checks that a
    /// file in it may be written.
    pub(super) fn make_ready(&self) -> Result<(), ApplyError> {
        let folder = self.folder();
        if !self.linked && self.meta.is_none() {
            std::fs::create_dir_all(folder)
                .map_err(|error| ApplyError::refused(folder, folder, "cannot be made", error))?;
        }
        // A directory of another user, or on a read-only mount; the file itself may still be
        // writable.
        let keeps_out = |meta| self.meta.is_some() && access::keeps_out(folder, meta);
        if let Ok(meta) = std::fs::metadata(folder)
            && !keeps_out(&meta)
        {
            access::writable(folder, &meta)?; // otherwise making the copy reports the error
        }
        if let Some(meta) = &self.meta {
            access::writable(&self.path, meta)?;
        }
        Ok(())
    }

    /// Returns the content of the file; `None`: there is no file.
    pub(super) fn read(&self) -> Result<Option<Vec<u8>>, ApplyError> {
        read_file(&self.path).map_err(|error| ApplyError::file(&self.path, "cannot be read", error))
    }

    pub(super) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("/"))
    }

    /// Returns the prefix of the names of copies.
    fn prefix(&self) -> String {
        let name = self.path.file_name().unwrap_or_default();
        format!(".{}.goroam-", name.to_string_lossy())
    }
}

impl Copy {
    /// Makes a copy with these bytes. Only users who may read or write the file itself may read or
    /// write the copy.
    pub(super) fn new(place: &Place, bytes: &[u8]) -> Result<Copy, ApplyError> {
        let what = "no copy can be made beside it";
        let failed = |error| ApplyError::file(&place.path, what, error);
        let mut copy = match create_in(place.folder(), place) {
            Ok(copy) => {
                sweep(place, &copy);
                copy
            }
            Err(error) if place.meta.is_some() && is_shut(&error) => {
                // In a private directory below the system's directory for temporary files.
                let folder = tempfile::Builder::new().prefix("goroam-env-").tempdir();
                let folder = folder.map_err(failed)?;
                let mut copy = create_in(folder.path(), place).map_err(failed)?;
                copy.in_place = Some(InPlace::Directory);
                copy.elsewhere = Some(folder);
                copy
            }
            Err(error) => {
                let (folder, path) = (place.folder(), &place.path);
                return Err(ApplyError::refused(folder, path, what, error));
            }
        };
        if place.meta.is_some()
            && let Ok(original) = bounded::open(&place.path)
        {
            copy.follow(&original).map_err(failed)?;
        }
        copy.write(bytes).map_err(failed)?;
        Ok(copy)
    }

    /// Copies the attributes of the original. If that is not possible, the original stays and is
    /// written in place.
    pub(super) fn follow(&mut self, original: &File) -> io::Result<()> {
        if let Some(count) = access::hard_links(original)? {
            self.in_place.get_or_insert(InPlace::HardLinks(count));
        }
        if let Err(loss) = attributes::carry(original, self.open_file()?) {
            tracing::debug!("cannot copy the {}: {}", loss.what, loss.source);
            self.in_place.get_or_insert(InPlace::Attribute(loss.what));
        }
        Ok(())
    }

    /// Does the same after the copy has replaced the original, for changes made in the moment
    /// between. The content is right in any case, so errors are ignored.
    pub(super) fn follow_late(&self, original: &File) {
        if let Some(copy) = &self.file
            && let Err(loss) = attributes::carry(original, copy)
        {
            tracing::warn!("cannot copy the {}: {}", loss.what, loss.source);
        }
    }

    /// Replaces the copy's bytes. No program reads it yet.
    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let mut file = self.open_file()?;
        file.set_len(0)?;
        io::Seek::seek(&mut file, io::SeekFrom::Start(0))?;
        file.write_all(bytes)
    }

    /// Reads its bytes from the open file, whatever has happened to its name.
    pub(super) fn read(&self) -> io::Result<Vec<u8>> {
        read_open(self.open_file()?)
    }

    /// Writes its bytes to the disk, unless it was closed, which already did that.
    pub(super) async fn sync(&self) -> io::Result<()> {
        match &self.file {
            Some(file) => sync(file).await,
            None => Ok(()),
        }
    }

    /// Windows does not rename an open file: it is written to the disk and closed.
    pub(super) fn let_go(&mut self) -> io::Result<()> {
        match self.file.take_if(|_| cfg!(windows)) {
            Some(file) => file.sync_all(),
            None => Ok(()),
        }
    }

    pub(super) fn open_file(&self) -> io::Result<&File> {
        self.file
            .as_ref()
            .ok_or_else(|| io::Error::other("the copy is closed already"))
    }

    /// Marks that its name now belongs to another file, which must not be removed.
    pub(super) fn is_gone(&mut self) {
        self.there = false;
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        if self.there {
            let _ = std::fs::remove_file(&self.path);
        }
        drop(self.elsewhere.take());
    }
}

/// Writes a file's bytes to the disk, outside the thread that runs the loop: a busy disk takes
/// time.
pub(super) async fn sync(file: &File) -> io::Result<()> {
    let file = file.try_clone()?;
    tokio::task::spawn_blocking(move || file.sync_all())
        .await
        .map_err(io::Error::other)?
}

/// Writes the directory's entries to the disk. Not every system supports that, and the file is
/// right in any case.
pub(super) async fn sync_folder(folder: &Path) {
    if let Ok(folder) = bounded::open_folder(folder) {
        let _ = sync(&folder).await;
    }
}

/// Reports whether the directory is not writable, regardless of its mode (a read-only mount, a
/// security module).
pub(super) fn is_shut(error: &io::Error) -> bool {
    cfg!(unix)
        && matches!(
            error.kind(),
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
        )
}

fn create_in(folder: &Path, place: &Place) -> io::Result<Copy> {
    let prefix = place.prefix();
    let mut tries = 0;
    loop {
        tries += 1;
        let made = tempfile::Builder::new()
            .prefix(&prefix)
            .rand_bytes(8)
            .make_in(folder, |path| {
                let mut options = OpenOptions::new();
                options.read(true).write(true).create_new(true);
                // A new file gets go's own mode, 0666 & ~umask. A copy may hold private data until
                // it has the mode of the original.
                #[cfg(unix)]
                std::os::unix::fs::OpenOptionsExt::mode(
                    &mut options,
                    if place.meta.is_some() { 0o600 } else { 0o666 },
                );
                options.open(path)
            })?;
        let (file, path) = made.into_parts();
        // Not every file system has locks, and on Windows they would prevent go from writing;
        // there, copies are recognised by their age.
        #[cfg(unix)]
        let _ = file.try_lock_shared();
        let path = path.keep().map_err(|error| error.error)?;
        let copy = Copy {
            path,
            file: Some(file),
            there: true,
            in_place: None,
            elsewhere: None,
        };
        // Another goroam may have removed it before it was locked.
        if copy.path.exists() || tries >= 8 {
            return Ok(copy);
        }
    }
}

/// Removes the copies of killed processes.
fn sweep(place: &Place, own: &Copy) {
    let prefix = place.prefix();
    let Ok(entries) = std::fs::read_dir(place.folder()) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let is_copy = name.to_str().is_some_and(|name| name.starts_with(&prefix));
        let path = entry.path();
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if is_copy && path != own.path && is_file && is_left_behind(&path, own) {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Reports whether a copy was left behind: its lock is free, or, if there are no locks, it is more
/// than a minute older than this copy (`commit` takes less than a second).
fn is_left_behind(path: &Path, own: &Copy) -> bool {
    let Ok(file) = bounded::open_no_link(path) else {
        return false;
    };
    if cfg!(unix) {
        match file.try_lock() {
            Ok(()) => return true,
            Err(TryLockError::WouldBlock) => return false,
            Err(TryLockError::Error(_)) => {}
        }
    }
    let modified = |file: &File| file.metadata().and_then(|meta| meta.modified()).ok();
    let age = || {
        let now = modified(own.open_file().ok()?)?;
        now.duration_since(modified(&file)?).ok()
    };
    age().is_some_and(|age| age > Duration::from_secs(60))
}

#[cfg(unix)]
mod access {
    use std::fs::{File, Metadata};
    use std::io;
    use std::os::unix::fs::MetadataExt as _;
    use std::path::Path;

    use super::ApplyError;
    use crate::trust::may_write;

    /// Checks that the file may be written. A mode without any `w` is the owner's wish: goroam
    /// respects it also as root, which the mode does not stop.
    pub(super) fn writable(path: &Path, meta: &Metadata) -> Result<(), ApplyError> {
        if meta.mode() & 0o222 == 0 {
            let way_out = "`chmod u+w` it to let goroam manage it";
            return Err(ApplyError::read_only(path, way_out));
        }
        may_write(path).map_err(|error| ApplyError::refused(path, path, "cannot be written", error))
    }

    /// Reports whether this user cannot create names in the directory, although that is not the
    /// user's own wish. A directory of the user's own without any `w`, or an immutable one, is such
    /// a wish.
    pub(super) fn keeps_out(folder: &Path, meta: &Metadata) -> bool {
        let me = rustix::process::geteuid().as_raw();
        if meta.mode() & 0o222 == 0 && meta.uid() == me {
            return false;
        }
        may_write(folder)
            .is_err_and(|error| matches!(error.raw_os_error(), Some(libc::EACCES | libc::EROFS)))
    }

    /// Returns the number of its names, if there is more than one.
    pub(super) fn hard_links(file: &File) -> io::Result<Option<u64>> {
        let count = file.metadata()?.nlink();
        Ok((count > 1).then_some(count))
    }
}

#[cfg(not(unix))]
mod access {
    use std::fs::{File, Metadata};
    use std::io;
    use std::path::Path;

    use super::ApplyError;

    /// Checks the read-only attribute; on directories it means something else.
    pub(super) fn writable(path: &Path, meta: &Metadata) -> Result<(), ApplyError> {
        if meta.is_file() && meta.permissions().readonly() {
            Err(ApplyError::read_only(
                path,
                "take its read-only attribute away",
            ))
        } else {
            Ok(())
        }
    }

    pub(super) fn keeps_out(_: &Path, _: &Metadata) -> bool {
        false
    }

    /// Not checked: `ReplaceFileW` replaces one name.
    #[expect(clippy::unnecessary_wraps, reason = "must match Unix")]
    pub(super) fn hard_links(_: &File) -> io::Result<Option<u64>> {
        Ok(None)
    }
}
