//! The findings, in the form that scripts read. Also identifies each judged file, so that no other
//! file is removed instead.

use std::fmt;
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};

use crate::bounded::{if_any, read_no_link};
use crate::doctor::finding::Code;
use crate::gomod::sum::{Sum, sum_of};

/// What was found in the module cache.
#[derive(Debug, Default, Serialize)]
pub struct CacheReport {
    /// `$GOMODCACHE`.
    pub cache: String,
    /// Number of module versions that have at least one file.
    pub versions: usize,
    /// Number of zips that were hashed.
    pub hashed: usize,
    /// Broken entries, sorted by path.
    pub broken: Vec<Broken>,
    /// Paths that could not be read, and why.
    pub unread: Vec<(String, String)>,
}

impl CacheReport {
    /// Reads a whole file; records it as unreadable on failure.
    pub(super) fn read(&mut self, path: &Path, most: u64) -> Option<Vec<u8>> {
        let read = if_any(read_no_link(path, most));
        read.unwrap_or_else(|error| {
            self.unread(path, &error);
            None
        })
    }

    /// Records a path that could not be read.
    pub(super) fn unread(&mut self, path: &Path, why: &dyn fmt::Display) {
        let entry = (path.display().to_string(), why.to_string());
        if !self.unread.contains(&entry) {
            self.unread.push(entry);
        }
    }

    /// Adds a broken entry, with the files to remove.
    pub(super) fn add(&mut self, mut broken: Broken, removes: Vec<io::Result<Piece>>) {
        match removes.into_iter().collect() {
            Ok(removes) => broken.removes = removes,
            Err(error) => return self.unread(Path::new(&broken.place), &error),
        }
        if broken.removes.is_empty() {
            let why = "nothing here tells which is right; run it in a project whose go.sum has it";
            broken.outcome = Outcome::Kept;
            broken.because.get_or_insert_with(|| why.to_owned());
        }
        self.broken.push(broken);
    }

    /// Reports whether everything could be read and nothing is broken any more.
    pub fn is_well(&self) -> bool {
        let gone = |broken: &Broken| broken.outcome == Outcome::Removed;
        self.unread.is_empty() && self.broken.iter().all(gone)
    }
}

/// A broken entry.
#[derive(Debug, Serialize)]
pub struct Broken {
    /// The code for scripts.
    pub code: Code,
    /// `MODULE@VERSION`; null if it does not belong to a single module.
    pub module: Option<String>,
    /// The broken file.
    pub place: String,
    /// What is wrong with it.
    pub says: String,
    /// The effect on go.
    pub why: String,
    /// How it is downloaded again.
    pub mend: String,
    /// What to remove, in this order, and nothing else.
    pub removes: Vec<Piece>,
    /// The outcome.
    pub outcome: Outcome,
    /// Why it was not removed.
    pub because: Option<String>,
    /// The lock that go holds while it works on these files; `None`: the file itself is the lock.
    #[serde(skip)]
    pub(super) lock: Option<PathBuf>,
    /// The directory that must contain the files after links are resolved.
    #[serde(skip)]
    pub(super) bounds: PathBuf,
}

impl Broken {
    /// Creates an entry without a module and without files to remove.
    pub(super) fn new(code: Code, place: &Path, says: &str, why: &str, bounds: &Path) -> Broken {
        Broken {
            code,
            module: None,
            place: place.display().to_string(),
            says: format!("{} {says}", place.display()),
            why: why.to_owned(),
            mend: String::new(),
            removes: Vec::new(),
            outcome: Outcome::Found,
            because: None,
            lock: None,
            bounds: bounds.to_owned(),
        }
    }
}

/// The outcome for a broken entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Reported only; it still exists.
    Found,
    /// Removed; go downloads it again.
    Removed,
    /// It still exists: its removal failed, or it is not known which file is wrong.
    Kept,
}

/// A file, directory or line to remove.
#[derive(Debug, Clone)]
pub struct Piece {
    /// Its path.
    pub path: PathBuf,
    /// If set, remove only this line: its number, from 1, and its text.
    pub line: Option<(usize, String)>,
    /// Identifies the file that was judged.
    pub(super) stamp: Metadata,
    /// The SHA-256 of the judged content, for short files.
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
    /// A file with the bytes that were read, or a whole directory.
    pub(super) fn of(path: PathBuf, bytes: Option<&[u8]>) -> io::Result<Piece> {
        Ok(Piece {
            stamp: stamp(&path)?,
            bytes: bytes.map(sum_of),
            line: None,
            path,
        })
    }

    /// One line of a file.
    pub(super) fn line(path: PathBuf, number: usize, text: String) -> io::Result<Piece> {
        let mut piece = Piece::of(dunce::canonicalize(path)?, None)?;
        piece.line = Some((number, text));
        Ok(piece)
    }
}

/// Returns the metadata of a path; refuses a link and does not follow it.
pub(super) fn stamp(path: &Path) -> io::Result<Metadata> {
    let meta = std::fs::symlink_metadata(path)?;
    match meta.is_symlink() {
        true => Err(io::Error::other("is a symbolic link")),
        false => Ok(meta),
    }
}

/// Reports whether a file is still the one that was judged, and was not replaced.
pub(super) fn is_same_file(judged: &Metadata, now: &Metadata) -> bool {
    #[cfg(unix)]
    let inode = |meta: &Metadata| {
        use std::os::unix::fs::MetadataExt as _;
        (meta.dev(), meta.ino())
    };
    #[cfg(not(unix))]
    let inode = |_: &Metadata| ();
    let what = |meta: &Metadata| (meta.is_dir(), meta.len(), meta.modified().ok(), inode(meta));
    what(judged) == what(now)
}
