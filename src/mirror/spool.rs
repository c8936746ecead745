//! Files on their way into a mirror: in a folder of goroam's own on the same file system, so
//! that a rename puts each in its place and a killed writer leaves nothing anywhere else.

use std::fs::DirBuilder;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::layout::Layout;
use super::lock::Lock;
use crate::bounded;

/// What names goroam gives its unfinished files: a number and this.
const END: &str = ".part";

/// The folder of unfinished files.
#[derive(Debug)]
pub(super) struct Spool {
    folder: PathBuf,
    next: u64,
}

impl Spool {
    /// Opens it, and removes what a killed writer left: the lock says that nobody else writes.
    pub(super) fn open(layout: &Layout, _lock: &Lock) -> io::Result<Spool> {
        let folder = layout.own().join("new");
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        // What is in it has not been verified yet.
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&folder)?;
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

    /// A name that no file has.
    pub(super) fn name(&mut self) -> PathBuf {
        self.next += 1;
        self.folder.join(format!("{}{END}", self.next))
    }

    /// A file with this content. It is not on the disk yet.
    pub(super) fn write(&mut self, content: &[u8]) -> io::Result<PathBuf> {
        let path = self.name();
        let mut file = bounded::create_new(&path)?;
        file.write_all(content)?;
        Ok(path)
    }
}

/// What was refused does not stay. After a kill the next writer does this.
impl Drop for Spool {
    fn drop(&mut self) {
        let _ = self.sweep();
    }
}

fn is_own(name: &str) -> bool {
    name.strip_suffix(END)
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

/// Puts it in its place, over what is there. On Windows a reader may hold the old one for a
/// moment (os.Open in Go does not share deletion there).
pub(super) fn put(from: &Path, to: &Path) -> io::Result<()> {
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
    use crate::mirror::lock::lock;

    #[test]
    fn leftovers_are_swept_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::new(root.path());
        let lock = lock(&layout, &mut || {}).unwrap();
        let mut spool = Spool::open(&layout, &lock).unwrap();
        let left = spool.write(b"half").unwrap();
        std::mem::forget(spool);
        let foreign = layout.own().join("new/notes.txt");
        std::fs::write(&foreign, "mine").unwrap();
        let mut spool = Spool::open(&layout, &lock).unwrap();
        assert!(!left.exists() && foreign.exists());
        assert_eq!(spool.write(b"again").unwrap(), left);
    }
}
