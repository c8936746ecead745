//! Why something proves nothing, or could not be brought.

use std::io;
use std::path::PathBuf;

use super::heads::SignedHead;
use crate::gomod::ModuleVersion;
use crate::gomod::sum::{EscapeError, Inconsistent, NoteError};

/// Why something that is stored proves nothing.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// GOSUMDB is off.
    #[error("GOSUMDB=off: there is no checksum database that could prove anything")]
    Off,
    /// A name that would lead out of the mirror.
    #[error("the checksum database's name {0:?} cannot be a folder's")]
    Name(String),
    /// The key in GOSUMDB is no key.
    #[error("GOSUMDB: {0}")]
    Key(NoteError),
    /// go would not ask for such a module.
    #[error(transparent)]
    Escape(#[from] EscapeError),
    /// Its lookup is not there.
    #[error("{} is not there: {module} is not proven by this mirror", path.display())]
    Absent {
        /// Of which module.
        module: ModuleVersion,
        /// Where it would be.
        path: PathBuf,
    },
    /// A file cannot be read.
    #[error("{}: {error}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A note or a lookup that is none, or that the key has not signed.
    #[error("{}: {error}", path.display())]
    Note {
        /// In which file.
        path: PathBuf,
        /// What is wrong.
        error: NoteError,
    },
    /// The lookup's record is signed, but of other modules.
    #[error("{} says nothing about {module}", path.display())]
    OtherModule {
        /// Which was asked for.
        module: ModuleVersion,
        /// The lookup.
        path: PathBuf,
    },
    /// The tree that is signed holds something else in the record's place.
    #[error("{}: its record is not in the tree of {size} records that is signed", path.display())]
    NotInTree {
        /// The lookup.
        path: PathBuf,
        /// The tree's records.
        size: u64,
    },
    /// A tile is not there.
    #[error("{} is not there", path.display())]
    NoTile {
        /// Where it would be.
        path: PathBuf,
    },
    /// A tile is not what the signed tree has there.
    #[error("{}: {error}", folder.display())]
    Inconsistent {
        /// The database's folder.
        folder: PathBuf,
        /// Which tile.
        error: Inconsistent,
    },
    /// Two heads that are both signed exclude each other.
    #[error(transparent)]
    Forked(#[from] Box<Forked>),
}

/// Two heads, both signed by the database, of which the newer does not contain the older: it
/// has shown different trees to different people (`sumdb.Client.checkTrees`).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "SECURITY: the checksum database has forked: its tree of {} records does not begin with its tree of {} records, \
     and both are signed\nolder:\n{}newer:\n{}",
    newer.head.size, older.head.size, older.note, newer.note
)]
pub struct Forked {
    /// The smaller tree.
    pub older: SignedHead,
    /// The larger tree, or another one of the same size.
    pub newer: SignedHead,
}

/// Why nothing was stored. What was there before still is.
#[derive(Debug, thiserror::Error)]
pub enum BringError {
    /// What is there cannot be built upon.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// The database misbehaves. Both notes are kept in `evidence`.
    #[error("{fork}kept as evidence: {}", evidence.display())]
    Forked {
        /// Both heads.
        fork: Box<Forked>,
        /// Where the notes were written.
        evidence: PathBuf,
    },
    /// There is no way to the database.
    #[error("the checksum database {name} cannot be asked: {reason}")]
    Unreachable {
        /// Its name.
        name: String,
        /// Why, by each hop.
        reason: String,
    },
    /// A tile that is needed came from nowhere.
    #[error("{path} of {name} is needed to prove {what}, and cannot be had: {reason}")]
    Tile {
        /// The database.
        name: String,
        /// `tile/8/…`.
        path: String,
        /// What it would prove.
        what: String,
        /// What each source said.
        reason: String,
    },
    /// An answer that is wrong: not signed, of another module, or not in the tree.
    #[error("{place} gives a wrong answer about {module}: {reason}")]
    Wrong {
        /// Which module.
        module: ModuleVersion,
        /// Who gave it.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A file cannot be written.
    #[error("{}: {error}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}
