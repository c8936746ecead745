//! The journal: one JSON line a turn, each bound to the one before it by SHA-256.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::entry::Entry;
use super::{file, lock};
use crate::bounded;
use crate::gomod::sum::sha256_hex;
use crate::model::mask;

/// A file that would grow beyond this many bytes is put aside; two are kept.
const MOST_BYTES: u64 = 1 << 20;
/// But not before it has so many turns: what makes lines long must not wash out the others.
const FEWEST_TURNS: usize = 100;
/// In any case then: lines of a goroam that did not bound them.
const FAR_TOO_MANY_BYTES: u64 = 16 << 20;
/// A line that would be longer is shortened.
const LONGEST_LINE: usize = 64 << 10;
/// Losses that are remembered.
const MOST_GAPS: usize = 8;
/// No journal of goroam's own making is longer: one with a single huge turn.
const MOST_READ: u64 = 64 << 20;

/// An append takes milliseconds; whoever holds the lock for longer is stopped.
const MOST_WAIT: Duration = Duration::from_secs(5);

/// What is wrong with the journal.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// It cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Turns that goroam has written are not there.
    #[error("{path}: {what}")]
    Missing {
        /// Which file.
        path: PathBuf,
        /// What is missing.
        what: String,
    },
    /// goroam does not remember how it ends.
    #[error(
        "{path}: its end cannot be verified: state.json, which records it, is missing or corrupt"
    )]
    Unknown {
        /// Which file.
        path: PathBuf,
    },
    /// A line does not follow from the one before it.
    #[error("{path}:{line}: {what}")]
    Broken {
        /// Which file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        what: String,
    },
}

/// What goroam remembers of the journal, elsewhere: lines that were cut off leave no trace in it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Mark {
    /// The last line's turn.
    pub turn: u64,
    /// The last line's hash.
    pub hash: String,
    /// Lines that were kept then.
    pub lines: usize,
    /// Turns that were found missing.
    #[serde(default)]
    pub gaps: Vec<Gap>,
}

/// Turns that somebody has taken out of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// The first that is missing.
    pub from: u64,
    /// The last that is missing; 0 where it cannot be known whether any is.
    pub to: u64,
    /// The turn that was written next.
    pub before: u64,
}

impl std::fmt::Display for Gap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (from, to, before) = (self.from, self.to, self.before);
        if to == 0 {
            return write!(
                f,
                "turns may have been removed before turn {before} was written: state.json, which \
                 remembers how the journal ends, was lost"
            );
        }
        if from == to {
            write!(f, "turn {to} was removed before turn {before} was written")
        } else {
            write!(
                f,
                "turns {from} to {to} were removed before turn {before} was written"
            )
        }
    }
}

/// The journal of one user, open for appending. Several processes may have it open.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    /// Where the chain ended when this process last looked.
    end: Option<End>,
}

#[derive(Debug, Clone)]
struct End {
    length: u64,
    lines: usize,
    hash: String,
}

/// A line, as far as it is compared with a mark.
struct Known {
    hash: String,
    turn: u64,
    /// In the file that was put aside.
    is_old: bool,
}

impl Journal {
    /// Opens it, mends a torn last line, and finds the end of the chain.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(path: &Path) -> Result<Journal, JournalError> {
        let mut journal = Journal {
            path: path.to_owned(),
            end: None,
        };
        let _lock = lock(path, Lock::Alone)?;
        let file = journal.current()?;
        journal.end = Some(mend(path, &file)?);
        Ok(journal)
    }

    /// Appends one turn, durably: it is on the disk when this returns. The credentials in it
    /// are hidden first. A line that cannot be written whole is taken back.
    ///
    /// # Errors
    /// When it cannot be written; all that was there before still is.
    pub fn append(&mut self, entry: &Entry) -> Result<(), JournalError> {
        self.append_after(entry, None).map(drop)
    }

    /// The same, and compares what is there with what is remembered of the last time; what is
    /// to be remembered from now on.
    ///
    /// # Errors
    /// When it cannot be written; all that was there before still is.
    pub fn append_after(
        &mut self,
        entry: &Entry,
        mark: Option<&Mark>,
    ) -> Result<Mark, JournalError> {
        let _lock = lock(&self.path, Lock::Alone)?;
        let mut file = self.current()?;
        let length = file.metadata().map_err(at(&self.path))?.len();
        let mut end = match self.end.take() {
            Some(end) if end.length == length => end,
            Some(_) | None => mend(&self.path, &file)?, // another process has appended
        };
        let mut gaps = mark.map(|mark| mark.gaps.clone()).unwrap_or_default();
        let mut kept = mark.map_or(0, |mark| mark.lines);
        if mark.is_none_or(|mark| mark.hash != end.hash) {
            let known = known(&self.path)?;
            if let Some(mark) = mark
                && (is_lost(mark, &known) || missing(mark, &known).is_some())
            {
                let last = known.last().map_or(0, |line| line.turn);
                gaps.push(match mark.turn {
                    0 => Gap {
                        from: last + 1,
                        to: 0,
                        before: entry.turn,
                    },
                    to => Gap {
                        from: last.min(to.saturating_sub(1)) + 1,
                        to,
                        before: entry.turn,
                    },
                });
            }
            kept = known.len();
        }
        let (line, hash) = bounded_line(&end.hash, entry).map_err(at(&self.path))?;
        let too_long = end.length + line.len() as u64;
        let is_due = too_long > MOST_BYTES && end.lines >= FEWEST_TURNS;
        if end.length > 0 && (is_due || too_long > FAR_TOO_MANY_BYTES) {
            std::fs::rename(&self.path, rotated(&self.path)).map_err(at(&self.path))?;
            file = self.current()?;
            kept = end.lines;
            (end.length, end.lines) = (0, 0);
        }
        if let Err(error) = file.write_all(&line).and_then(|()| file.sync_data()) {
            let _ = file.set_len(end.length);
            return Err(at(&self.path)(error));
        }
        if end.length == 0 {
            file::sync_folder(self.path.parent().unwrap_or(Path::new(".")));
        }
        self.end = Some(End {
            length: end.length + line.len() as u64,
            lines: end.lines + 1,
            hash: hash.clone(),
        });
        // A loss is told as long as the turns after it are kept.
        let oldest = entry.turn.saturating_sub(kept as u64);
        gaps.retain(|gap| gap.before >= oldest);
        gaps.drain(..gaps.len().saturating_sub(MOST_GAPS));
        Ok(Mark {
            turn: entry.turn,
            hash,
            lines: kept + 1,
            gaps,
        })
    }

    /// The last `most` turns, oldest first. Lines that cannot be read are left out and counted.
    ///
    /// # Errors
    /// When a file is there and cannot be read.
    pub fn last(path: &Path, most: usize) -> Result<(Vec<Entry>, usize), JournalError> {
        let files = read_all(path)?;
        let (mut entries, mut unreadable) = (Vec::new(), 0);
        let lines = files.iter().flat_map(|(_, bytes)| lines(bytes)).rev();
        for (line, _) in lines {
            if entries.len() == most {
                break;
            }
            match serde_json::from_slice(line) {
                Ok(entry) => entries.push(entry),
                Err(_) => unreadable += 1,
            }
        }
        entries.reverse();
        Ok((entries, unreadable))
    }

    /// Checks the chain of everything that is kept; the number of turns. A last line without
    /// an end is a killed write, which the next `open` mends, and does not count.
    ///
    /// # Errors
    /// At the first line that does not follow from the one before it.
    pub fn verify(path: &Path) -> Result<usize, JournalError> {
        let files = read_all(path)?;
        // What the oldest line of a rotated file followed from is gone.
        let mut prev = match files.as_slice() {
            [(only, _)] if only == path => Some(BEGINNING),
            _ => None,
        };
        let mut turns = 0;
        for (file, bytes) in &files {
            for (number, (line, ended)) in lines(bytes).enumerate() {
                let broken = |what: &str| JournalError::Broken {
                    path: file.clone(),
                    line: number + 1,
                    what: what.to_owned(),
                };
                if !ended && file == path {
                    continue;
                }
                let line = Line::parse(line).ok_or_else(|| broken("is not a journal line"))?;
                if !line.is_whole() {
                    return Err(broken("was changed after it was written"));
                }
                if prev.is_some_and(|prev| prev != line.prev) {
                    return Err(broken(
                        "does not follow from the line before it: lines were removed, added or moved",
                    ));
                }
                prev = Some(line.hash);
                turns += 1;
            }
        }
        Ok(turns)
    }

    /// The same, and whether everything is there that goroam remembers. A journal that is ahead
    /// of what is remembered is whole: a kill came between the two.
    ///
    /// # Errors
    /// [`JournalError::Missing`] and [`JournalError::Unknown`], too.
    pub fn verify_after(path: &Path, mark: &Mark) -> Result<usize, JournalError> {
        let known = known(path)?;
        if is_lost(mark, &known) {
            Journal::verify(path)?;
            return Err(JournalError::Unknown {
                path: path.to_owned(),
            });
        }
        let missing = missing(mark, &known).or_else(|| {
            let gap = mark.gaps.first()?;
            Some(gap.to_string())
        });
        let turns = match (Journal::verify(path), &missing) {
            // Of a file that lacks its beginning no line can follow from it.
            (Err(JournalError::Broken { line: 1, .. }), Some(_)) => 0,
            (turns, _) => turns?,
        };
        match missing {
            None => Ok(turns),
            Some(what) => Err(JournalError::Missing {
                path: path.to_owned(),
                what,
            }),
        }
    }

    fn current(&self) -> Result<File, JournalError> {
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        private(&mut options);
        bounded::open_lock(&options, &self.path).map_err(at(&self.path))
    }
}

/// Takes away a torn last line, or ends one that is whole but for its end, and finds what the
/// next line follows from: the last line, in the rotated file where this one is empty.
fn mend(path: &Path, file: &File) -> Result<End, JournalError> {
    let bytes = read(path)?.unwrap_or_default();
    let mut length = bytes.len() as u64;
    if let Some((torn, false)) = lines(&bytes).next_back() {
        let mended = if Line::parse(torn).is_some_and(|line| line.is_whole()) {
            length += 1;
            (&*file).write_all(b"\n")
        } else {
            length -= torn.len() as u64;
            file.set_len(length)
        };
        mended.and_then(|()| file.sync_data()).map_err(at(path))?;
    }
    let last = |bytes: &[u8]| {
        lines(bytes)
            .rev()
            .find_map(|(line, _)| Some(Line::parse(line)?.hash.to_owned()))
    };
    let hash = match last(
        bytes
            .get(..usize::try_from(length).unwrap_or(0))
            .unwrap_or(&bytes),
    ) {
        Some(hash) => Some(hash),
        None => read(&rotated(path))?.as_deref().and_then(last),
    };
    let kept = bytes
        .get(..usize::try_from(length).unwrap_or(0))
        .unwrap_or(&bytes);
    Ok(End {
        length,
        lines: lines(kept).count(),
        hash: hash.unwrap_or_else(|| BEGINNING.to_owned()),
    })
}

/// The line for an entry; a long one is shortened until it fits.
fn bounded_line(prev: &str, entry: &Entry) -> io::Result<(Vec<u8>, String)> {
    let line = |entry: &Entry| chained_line(prev, entry).map_err(io::Error::other);
    let small = entry.with_small_network();
    let made = line(&small)?;
    if made.0.len() <= LONGEST_LINE {
        return Ok(made);
    }
    let short = small.shortened();
    let made = line(&short)?;
    if made.0.len() <= LONGEST_LINE {
        return Ok(made);
    }
    line(&short.bare())
}

/// The lines that are there, oldest first; those that cannot be read are left out.
fn known(path: &Path) -> Result<Vec<Known>, JournalError> {
    #[derive(Deserialize)]
    struct Turn {
        turn: u64,
    }
    let mut known = Vec::new();
    for (file, bytes) in read_all_unlocked(path)? {
        for (line, _) in lines(&bytes) {
            let Some(parsed) = Line::parse(line) else {
                continue;
            };
            known.push(Known {
                hash: parsed.hash.to_owned(),
                turn: serde_json::from_slice(line).map_or(0, |turn: Turn| turn.turn),
                is_old: file != path,
            });
        }
    }
    Ok(known)
}

/// Is there a journal, and nothing is remembered of it? Of its very first turn a kill may have
/// left the line alone.
fn is_lost(mark: &Mark, known: &[Known]) -> bool {
    mark.turn == 0 && known.len() > 1
}

/// What of that which goroam remembers is not there, in words.
fn missing(mark: &Mark, known: &[Known]) -> Option<String> {
    if mark.turn == 0 {
        return None;
    }
    let turns = |from: u64| match mark.turn.saturating_sub(from) {
        0 => format!("turn {from}"),
        _ => format!("turns {from} to {}", mark.turn),
    };
    let Some(last) = known.last() else {
        return Some(format!(
            "it is empty or was deleted; goroam has written {}",
            turns(1)
        ));
    };
    // A goroam of before remembered the number alone, and wrote that first.
    let position = match mark.hash.is_empty() {
        true if last.turn + 1 >= mark.turn => return None,
        true => None,
        false => known.iter().rposition(|line| line.hash == mark.hash),
    };
    let Some(at) = position else {
        return Some(if last.turn < mark.turn {
            let is = if last.turn + 1 == mark.turn {
                "is"
            } else {
                "are"
            };
            format!("{} {is} missing at its end", turns(last.turn + 1))
        } else {
            format!(
                "turn {} is not the one that goroam has written: the journal was replaced",
                mark.turn
            )
        });
    };
    // Put aside since then by a goroam that was killed before it could remember that.
    let is_turned_over = known.get(at).is_some_and(|line| line.is_old);
    let lost = mark.lines.saturating_sub(at + 1);
    (lost > 0 && !is_turned_over).then(|| match lost {
        1 => "its oldest turn is missing".to_owned(),
        lost => format!("its {lost} oldest turns are missing"),
    })
}

/// What is kept, oldest first, while nobody appends.
fn read_all(path: &Path) -> Result<Vec<(PathBuf, Vec<u8>)>, JournalError> {
    // A reader who may not make the lock's file reads all the same.
    let _lock = lock(path, Lock::Shared).ok();
    read_all_unlocked(path)
}

fn read_all_unlocked(path: &Path) -> Result<Vec<(PathBuf, Vec<u8>)>, JournalError> {
    let mut files = Vec::new();
    for path in [rotated(path), path.to_owned()] {
        if let Some(bytes) = read(&path)? {
            files.push((path, bytes));
        }
    }
    Ok(files)
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, JournalError> {
    file::read(path, MOST_READ).map_err(at(path))
}

/// The lines, and whether each has its end.
fn lines(bytes: &[u8]) -> impl DoubleEndedIterator<Item = (&[u8], bool)> {
    bytes
        .split_inclusive(|b| *b == b'\n')
        .map(|line| match line.strip_suffix(b"\n") {
            Some(line) => (line, true),
            None => (line, false),
        })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lock {
    Alone,
    Shared,
}

/// Two processes that append take turns. A file of its own is locked: the journal's is
/// another one after each rotation. Closing it, also by a kill, gives the lock back.
fn lock(path: &Path, how: Lock) -> Result<File, JournalError> {
    let path = path.with_extension("lock");
    let file = lock::open(&path).map_err(at(&path))?;
    match lock::within(&file, how == Lock::Alone, MOST_WAIT) {
        // NFS without a lock daemon: one agent for each user has its own lock anyway.
        Err(error) if lock::is_without(&error) => Ok(file),
        Err(error) => Err(at(&path)(error)),
        Ok(()) => Ok(file),
    }
}

fn private(options: &mut OpenOptions) {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    #[cfg(not(unix))]
    let _ = options;
}

/// `journal.1.jsonl` beside `journal.jsonl`.
fn rotated(path: &Path) -> PathBuf {
    path.with_extension("1.jsonl")
}

fn at(path: &Path) -> impl Fn(io::Error) -> JournalError {
    let path = path.to_owned();
    move |source| JournalError::File {
        path: path.clone(),
        source,
    }
}

/// What the first line of all follows from.
pub(super) const BEGINNING: &str =
    "0000000000000000000000000000000000000000000000000000000000000000";

const PREV: &[u8] = b"{\"prev\":\"";
const HASH: &[u8] = b"\",\"hash\":\"";
const BODY: &[u8] = b"\",";

/// A well-formed line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line<'a> {
    pub(super) prev: &'a str,
    pub(super) hash: &'a str,
    /// The entry's JSON without its opening brace.
    rest: &'a [u8],
}

impl<'a> Line<'a> {
    /// Reads a line (without its end) as far as the chain is concerned.
    pub(super) fn parse(line: &'a [u8]) -> Option<Line<'a>> {
        let (prev, line) = digits(line.strip_prefix(PREV)?)?;
        let (hash, line) = digits(line.strip_prefix(HASH)?)?;
        let rest = line.strip_prefix(BODY)?;
        (rest.last() == Some(&b'}')).then_some(Line { prev, hash, rest })
    }

    /// Is the line as it was written?
    pub(super) fn is_whole(&self) -> bool {
        hash(self.prev, self.rest) == self.hash
    }
}

/// The line for an entry, with its end, and its hash. Credentials are hidden first.
fn chained_line(prev: &str, entry: &Entry) -> serde_json::Result<(Vec<u8>, String)> {
    let body = serde_json::to_vec(&masked(serde_json::to_value(entry)?))?;
    let rest = body.strip_prefix(b"{").unwrap_or(&body);
    let hash = hash(prev, rest);
    let mut line = Vec::with_capacity(body.len() + 160);
    for part in [
        PREV,
        prev.as_bytes(),
        HASH,
        hash.as_bytes(),
        BODY,
        rest,
        b"\n",
    ] {
        line.extend_from_slice(part);
    }
    Ok((line, hash))
}

fn hash(prev: &str, rest: &[u8]) -> String {
    sha256_hex(&[prev.as_bytes(), b"{", rest].concat())
}

fn digits(text: &[u8]) -> Option<(&str, &[u8])> {
    let (digits, rest) = text.split_at_checked(64)?;
    let is_hex = digits
        .iter()
        .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let digits = std::str::from_utf8(digits).ok().filter(|_| is_hex)?;
    Some((digits, rest))
}

fn masked(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(mask(&text)),
        Value::Array(items) => items.into_iter().map(masked).collect(),
        Value::Object(fields) => {
            // `collect` would bring a sort of its own.
            let mut hidden = serde_json::Map::new();
            for (name, value) in fields {
                hidden.insert(mask(&name), masked(value));
            }
            Value::Object(hidden)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value,
    }
}
