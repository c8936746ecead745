//! What was found, as scripts get it, and which files were judged, so that no other one is removed
//! in their place.

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
    /// How many versions of modules have something in it.
    pub versions: usize,
    /// How many zips were hashed.
    pub hashed: usize,
    /// What is broken, by its place.
    pub broken: Vec<Broken>,
    /// What could not be looked at, and why.
    pub unread: Vec<(String, String)>,
}

impl CacheReport {
    /// All of a file; what cannot be read is noted.
    pub(super) fn read(&mut self, path: &Path, most: u64) -> Option<Vec<u8>> {
        let read = if_any(read_no_link(path, most));
        read.unwrap_or_else(|error| {
            self.unread(path, &error);
            None
        })
    }

    /// Notes what could not be looked at.
    pub(super) fn unread(&mut self, path: &Path, why: &dyn fmt::Display) {
        let entry = (path.display().to_string(), why.to_string());
        if !self.unread.contains(&entry) {
            self.unread.push(entry);
        }
    }

    /// Adds what is broken, with what is to be removed.
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

    /// Everything could be looked at, and nothing is broken, or nothing any more.
    pub fn is_well(&self) -> bool {
        let gone = |broken: &Broken| broken.outcome == Outcome::Removed;
        self.unread.is_empty() && self.broken.iter().all(gone)
    }
}

/// A broken entry.
#[derive(Debug, Serialize)]
pub struct Broken {
    /// A word for scripts.
    pub code: Code,
    /// `MODULE@VERSION`; null: it is of no one module.
    pub module: Option<String>,
    /// The file that is broken.
    pub place: String,
    /// What is wrong with it.
    pub says: String,
    /// What go does about it.
    pub why: String,
    /// What fetches it again.
    pub mend: String,
    /// What is to be removed, in this order, and nothing else.
    pub removes: Vec<Piece>,
    /// What became of it.
    pub outcome: Outcome,
    /// Why it is still there, where it was to be removed.
    pub because: Option<String>,
    /// The lock that go holds while it works on them; `None`: the file itself.
    #[serde(skip)]
    pub(super) lock: Option<PathBuf>,
    /// The folder that no way to them may lead out of.
    #[serde(skip)]
    pub(super) bounds: PathBuf,
}

impl Broken {
    /// Of no one module, and without anything to be removed.
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

/// What became of a broken entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was named, and is still there.
    Found,
    /// It is gone; go fetches it again.
    Removed,
    /// It is still there, though it was to be removed, or it cannot be told what would have to.
    Kept,
}

/// What is to be removed.
#[derive(Debug, Clone)]
pub struct Piece {
    /// Where it is.
    pub path: PathBuf,
    /// Only this line of it: its number, from 1, and its text.
    pub line: Option<(usize, String)>,
    /// Which one it is.
    pub(super) stamp: Metadata,
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

/// What is at a path; a link is refused, not followed.
pub(super) fn stamp(path: &Path) -> io::Result<Metadata> {
    let meta = std::fs::symlink_metadata(path)?;
    match meta.is_symlink() {
        true => Err(io::Error::other("is a symbolic link")),
        false => Ok(meta),
    }
}

/// Whether a file is still the one that was judged, and not another one in its place.
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
