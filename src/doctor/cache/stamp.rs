//! Which file was judged: so that no other one is removed in its place.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Serialize, Serializer};

use crate::gomod::sum::{Sum, sum_of};

/// What is to be removed.
#[derive(Debug, Clone)]
pub struct Piece {
    /// Where it is.
    pub path: PathBuf,
    /// Only this line of it: its number, from 1, and its text.
    pub line: Option<(usize, String)>,
    /// Which one it is.
    pub(super) stamp: Stamp,
    /// The SHA-256 of what was judged, where that is short.
    pub(super) bytes: Option<Sum>,
}

impl Serialize for Piece {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// `PATH`, `PATH:LINE`
impl fmt::Display for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.line {
            Some((number, _)) => write!(f, "{}:{number}", self.path.display()),
            None => write!(f, "{}", self.path.display()),
        }
    }
}

impl Piece {
    /// A file whose bytes were read, or the whole of a folder.
    pub(super) fn of(path: PathBuf, bytes: Option<&[u8]>) -> io::Result<Piece> {
        Ok(Piece {
            stamp: Stamp::of(&path)?,
            bytes: bytes.map(sum_of),
            line: None,
            path,
        })
    }

    /// How long it was.
    pub(super) fn length(&self) -> u64 {
        self.stamp.length
    }

    /// One line of a file.
    pub(super) fn line(path: PathBuf, number: usize, text: String) -> io::Result<Piece> {
        let mut piece = Piece::of(dunce::canonicalize(path)?, None)?;
        piece.line = Some((number, text));
        Ok(piece)
    }
}

/// What tells a file from another one that takes its place. A link is itself, not what it leads
/// to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) is_folder: bool,
    length: u64,
    written: Option<SystemTime>,
    #[cfg(unix)]
    inode: (u64, u64),
}

impl Stamp {
    /// Of what is there now.
    pub(super) fn of(path: &Path) -> io::Result<Stamp> {
        let meta = std::fs::symlink_metadata(path)?;
        if meta.is_symlink() {
            return Err(io::Error::other("is a symbolic link"));
        }
        Ok(Stamp {
            is_folder: meta.is_dir(),
            length: meta.len(),
            written: meta.modified().ok(),
            #[cfg(unix)]
            inode: {
                use std::os::unix::fs::MetadataExt as _;
                (meta.dev(), meta.ino())
            },
        })
    }
}
