//! The journal: one JSON line for each turn, linked to the previous line by SHA-256.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::entry::Entry;
use super::file;
use crate::bounded;
use crate::gomod::sum::sha256_hex;
use crate::model::mask;

/// A file that would exceed this size in bytes is rotated; two files are kept.
const MOST_BYTES: u64 = 1 << 20;
/// But it is not rotated before it has this many turns: a cause of long lines must not push the
/// other turns out.
const FEWEST_TURNS: usize = 100;
/// At this size it is always rotated: it has lines of an older goroam that did not limit them.
const FAR_TOO_MANY_BYTES: u64 = 16 << 20;
/// A line that would be longer is shortened.
const LONGEST_LINE: usize = 64 << 10;
/// The maximum number of losses that are remembered.
const MOST_GAPS: usize = 8;
/// No journal that goroam wrote is longer: one with a single huge turn.
const MOST_READ: u64 = 64 << 20;

/// An append takes milliseconds; a process that holds the lock for longer is suspended.
const MOST_WAIT: Duration = Duration::from_secs(5);

/// What is wrong with the journal.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// It cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Turns that goroam has written are missing.
    #[error("{path}: {what}")]
    Missing {
        /// The file.
        path: PathBuf,
        /// What is missing.
        what: String,
    },
    /// goroam does not know how the journal should end.
    #[error(
        "{path}: its end cannot be verified: state.json, which records it, is missing or corrupt"
    )]
    Unknown {
        /// The file.
        path: PathBuf,
    },
    /// The line that an anchor names is older than what is kept.
    #[error("{path}: turn {turn} is not kept any more; the oldest is turn {oldest}")]
    Older {
        /// The file.
        path: PathBuf,
        /// The turn of the anchor.
        turn: u64,
        /// The oldest turn.
        oldest: u64,
    },
    /// A line does not match the hash of the previous one.
    #[error("{path}:{line}: {what}")]
    Broken {
        /// The file.
        path: PathBuf,
        /// The number of the line, from 1.
        line: usize,
        /// What is wrong.
        what: String,
    },
}

/// What goroam remembers about the journal in another file: lines removed from the end leave no
/// trace in the journal.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Mark {
    /// The last line's turn.
    pub turn: u64,
    /// The last line's hash.
    pub hash: String,
    /// The number of lines that were kept then.
    pub lines: usize,
    /// Turns that were found missing.
    #[serde(default)]
    pub gaps: Vec<Gap>,
}

impl Mark {
    /// Returns the end of the journal, to be kept elsewhere; `None`: it is empty, or not known.
    pub fn anchor(&self) -> Option<Anchor> {
        (!self.hash.is_empty()).then(|| Anchor {
            turn: Some(self.turn),
            hash: self.hash.clone(),
        })
    }
}

/// A line of the journal, named so that it can be found again: `TURN:HASH`. Kept elsewhere, it shows
/// whether lines were cut off or replaced since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    /// Its turn, if it is known.
    pub turn: Option<u64>,
    /// Its hash, in hexadecimal.
    pub hash: String,
}

impl std::fmt::Display for Anchor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.turn {
            Some(turn) => write!(f, "{turn}:{}", self.hash),
            None => f.write_str(&self.hash),
        }
    }
}

impl std::str::FromStr for Anchor {
    type Err = String;

    fn from_str(text: &str) -> Result<Anchor, String> {
        let (turn, hash) = match text.split_once(':') {
            Some((turn, hash)) => (turn.parse().map(Some), hash),
            None => (Ok(None), text),
        };
        match (turn, digits(hash)) {
            (Ok(turn), Some((hash, []))) => Ok(Anchor {
                turn,
                hash: hash.to_owned(),
            }),
            _ => Err("write TURN:HASH, as `goroam history --verify` prints it".to_owned()),
        }
    }
}

/// Turns that were removed from the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// The first missing turn.
    pub from: u64,
    /// The last missing turn; 0 if it is unknown whether any is missing.
    pub to: u64,
    /// The turn that was written next.
    pub before: u64,
}

impl std::fmt::Display for Gap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (from, to, before) = (self.from, self.to, self.before);
        match to {
            0 => write!(
                f,
                "turns may have been removed before turn {before} was written: state.json, which \
                 remembers how the journal ends, was lost"
            ),
            _ if from == to => {
                write!(f, "turn {to} was removed before turn {before} was written")
            }
            _ => write!(
                f,
                "turns {from} to {to} were removed before turn {before} was written"
            ),
        }
    }
}

/// The journal of one user. Several processes may append to it.
#[derive(Debug)]
pub struct Journal;

/// The part of a line that is compared with a mark.
struct Known {
    hash: String,
    turn: u64,
    /// Whether it is in the rotated file.
    is_old: bool,
}

impl Journal {
    /// Appends one turn durably: it is on the disk when this returns. Credentials are hidden first.
    /// A torn last line is repaired before; a line that cannot be written completely is removed.
    /// Compares the journal with the mark of the previous append, and returns the mark to remember
    /// from now on.
    ///
    /// # Errors
    /// If it cannot be written; everything that was there before is kept.
    pub fn append(path: &Path, entry: &Entry, mark: Option<&Mark>) -> Result<Mark, JournalError> {
        let _lock = lock(path, true)?;
        let mut file = current(path)?;
        let kept = repaired(path, &file)?;
        let prev = match last_hash(&kept) {
            Some(hash) => Some(hash),
            // The rotated file ends where this one begins.
            None => read(&rotated(path))?.as_deref().and_then(last_hash),
        };
        let prev = prev.unwrap_or_else(|| BEGINNING.to_owned());
        let mut gaps = mark.map_or_else(Vec::new, |mark| mark.gaps.clone());
        let mut turns = mark.map_or(0, |mark| mark.lines);
        if mark.is_none_or(|mark| mark.hash != prev) {
            let known = known(path, &read_files(path)?);
            if let Some(mark) = mark
                && (is_lost(mark, &known) || missing(mark, &known).is_some())
            {
                let last = known.last().map_or(0, |line| line.turn);
                let from = match mark.turn {
                    0 => last,
                    to => last.min(to - 1),
                };
                gaps.push(Gap {
                    from: from + 1,
                    to: mark.turn,
                    before: entry.turn,
                });
            }
            turns = known.len();
        }
        let (line, hash) = bounded_line(&prev, entry).map_err(at(path))?;
        let mut length = kept.len() as u64;
        let too_long = length + line.len() as u64;
        let in_file = lines(&kept).count();
        let is_due = too_long > MOST_BYTES && in_file >= FEWEST_TURNS;
        if length > 0 && (is_due || too_long > FAR_TOO_MANY_BYTES) {
            std::fs::rename(path, rotated(path)).map_err(at(path))?;
            file = current(path)?;
            turns = in_file;
            length = 0;
        }
        if let Err(error) = file.write_all(&line).and_then(|()| file.sync_data()) {
            let _ = file.set_len(length);
            return Err(at(path)(error));
        }
        if length == 0 {
            file::sync_folder(path.parent().unwrap_or(Path::new(".")));
        }
        // A loss is reported as long as the turns after it are kept.
        let oldest = entry.turn.saturating_sub(turns as u64);
        gaps.retain(|gap| gap.before >= oldest);
        gaps.drain(..gaps.len().saturating_sub(MOST_GAPS));
        Ok(Mark {
            turn: entry.turn,
            hash,
            lines: turns + 1,
            gaps,
        })
    }

    /// Returns the last `most` turns, oldest first. Lines that cannot be read are left out and
    /// counted.
    ///
    /// # Errors
    /// If a file exists and cannot be read.
    pub fn last(path: &Path, most: usize) -> Result<(Vec<Entry>, usize), JournalError> {
        let files = read_all(path)?;
        let (mut entries, mut unreadable) = (Vec::new(), 0);
        for (line, _) in files.iter().flat_map(|(_, bytes)| lines(bytes)).rev() {
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

    /// Checks the chain of everything that is kept, and returns the number of turns. An incomplete
    /// last line is an interrupted write, which the next `append` repairs; it does not count.
    ///
    /// # Errors
    /// At the first line that does not match the previous one.
    pub fn verify(path: &Path) -> Result<usize, JournalError> {
        verify_chain(path, &read_all(path)?)
    }

    /// Does the same, and checks that everything that goroam remembers is there. A journal that has
    /// more than the mark is complete: goroam was killed between the two writes.
    ///
    /// # Errors
    /// [`JournalError::Missing`] and [`JournalError::Unknown`], too.
    pub fn verify_after(path: &Path, mark: &Mark) -> Result<usize, JournalError> {
        let files = read_all(path)?;
        let (known, turns) = (known(path, &files), verify_chain(path, &files));
        let path = path.to_owned();
        if is_lost(mark, &known) {
            return turns.and(Err(JournalError::Unknown { path }));
        }
        let gap = || mark.gaps.first().map(Gap::to_string);
        match (missing(mark, &known).or_else(gap), turns) {
            (None, turns) => turns,
            // If the beginning of a file is missing, its first line cannot match.
            (Some(what), Ok(_) | Err(JournalError::Broken { line: 1, .. })) => {
                Err(JournalError::Missing { path, what })
            }
            (Some(_), Err(error)) => Err(error),
        }
    }

    /// Returns the newest line, to be kept elsewhere; `None`: there is none.
    ///
    /// # Errors
    /// If a file exists and cannot be read.
    pub fn anchor(path: &Path) -> Result<Option<Anchor>, JournalError> {
        let known = known(path, &read_all(path)?).pop();
        Ok(known.map(|line| Anchor {
            turn: Some(line.turn),
            hash: line.hash,
        }))
    }

    /// Checks that the line of an anchor is still there, and that all lines follow from one another.
    /// Returns how many lines came after it.
    ///
    /// # Errors
    /// As `verify`; [`JournalError::Missing`] or [`JournalError::Older`] if that line is not there.
    pub fn verify_since(path: &Path, anchor: &Anchor) -> Result<usize, JournalError> {
        let files = read_all(path)?;
        let after = after(path, &known(path, &files), anchor)?;
        verify_chain(path, &files).map(|_| after)
    }
}

/// Returns how many lines follow the one that the anchor names.
fn after(path: &Path, known: &[Known], anchor: &Anchor) -> Result<usize, JournalError> {
    if let Some(at) = known.iter().position(|line| line.hash == anchor.hash) {
        return Ok(known.len() - at - 1);
    }
    let path = path.to_owned();
    let (first, last) = (known.first(), known.last());
    let what = match (anchor.turn, first, last) {
        (_, None, _) | (_, _, None) => "it is empty or was deleted".to_owned(),
        (None, ..) => "no line has the hash of the anchor: its turn is not kept any more, or was \
                       removed or replaced"
            .to_owned(),
        (Some(turn), Some(first), _) if turn < first.turn => {
            let oldest = first.turn;
            return Err(JournalError::Older { path, turn, oldest });
        }
        (Some(turn), _, Some(last)) if turn > last.turn => {
            format!(
                "its end is missing: it ends with turn {}, and turn {turn} was there",
                last.turn
            )
        }
        (Some(turn), ..) => {
            format!("turn {turn} is not the one that the anchor names: the journal was replaced")
        }
    };
    Err(JournalError::Missing { path, what })
}

fn verify_chain(path: &Path, files: &[(PathBuf, Vec<u8>)]) -> Result<usize, JournalError> {
    // The line before the oldest line of a rotated file no longer exists.
    let mut prev = match files {
        [(only, _)] if only == path => Some(BEGINNING),
        _ => None,
    };
    let mut turns = 0;
    for (file, bytes) in files {
        for (number, (line, ended)) in lines(bytes).enumerate() {
            let broken = |what: &str| JournalError::Broken {
                path: file.clone(),
                line: number + 1,
                what: what.to_owned(),
            };
            let parsed = Line::parse(line);
            if file == path && is_torn(parsed.as_ref(), ended) {
                continue;
            }
            let line = parsed.ok_or_else(|| broken("is not a journal line"))?;
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

/// Reports whether a write was interrupted: nothing in such a line counts. One that lacks only its end
/// is as it was written.
fn is_torn(line: Option<&Line<'_>>, ended: bool) -> bool {
    !ended && !line.is_some_and(Line::is_whole)
}

fn current(path: &Path) -> Result<File, JournalError> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    bounded::open_lock(&options, path).map_err(at(path))
}

/// Removes a torn last line, or adds the end to one that lacks only its end. Returns the new
/// content of the file.
fn repaired(path: &Path, mut file: &File) -> Result<Vec<u8>, JournalError> {
    let mut bytes = read(path)?.unwrap_or_default();
    let torn = lines(&bytes).next_back().filter(|(_, ended)| !ended);
    let torn = torn.map(|(line, _)| {
        (
            line.len(),
            Line::parse(line).is_some_and(|it| it.is_whole()),
        )
    });
    if let Some((length, is_whole)) = torn {
        let repaired = if is_whole {
            bytes.push(b'\n');
            file.write_all(b"\n")
        } else {
            bytes.truncate(bytes.len() - length);
            file.set_len(bytes.len() as u64)
        };
        repaired.and_then(|()| file.sync_data()).map_err(at(path))?;
    }
    Ok(bytes)
}

/// Returns the hash for the next line: that of the last line that can be read.
fn last_hash(bytes: &[u8]) -> Option<String> {
    let mut newest_first = lines(bytes).rev();
    newest_first.find_map(|(line, _)| Some(Line::parse(line)?.hash.to_owned()))
}

/// Returns the line for an entry; a long line is shortened until it fits.
fn bounded_line(prev: &str, entry: &Entry) -> io::Result<(Vec<u8>, String)> {
    let small = entry.with_small_network();
    let made = chained_line(prev, &small)?;
    if made.0.len() <= LONGEST_LINE {
        return Ok(made);
    }
    let short = small.shortened();
    let made = chained_line(prev, &short)?;
    if made.0.len() <= LONGEST_LINE {
        return Ok(made);
    }
    Ok(chained_line(prev, &short.bare())?)
}

/// Returns the present lines, oldest first; those that cannot be read are left out.
fn known(path: &Path, files: &[(PathBuf, Vec<u8>)]) -> Vec<Known> {
    #[derive(Deserialize)]
    struct Turn {
        turn: u64,
    }
    let all = files.iter().flat_map(|(file, bytes)| {
        let is_old = file != path;
        lines(bytes).map(move |line| (line, is_old))
    });
    let known = all.filter_map(|((line, ended), is_old)| {
        let parsed = Line::parse(line).filter(|parsed| !is_torn(Some(parsed), ended))?;
        Some(Known {
            hash: parsed.hash.to_owned(),
            turn: serde_json::from_slice(line).map_or(0, |turn: Turn| turn.turn),
            is_old,
        })
    });
    known.collect()
}

/// Reports whether there is a journal without any memory of it. After the very first turn a kill
/// may have left only its line.
fn is_lost(mark: &Mark, known: &[Known]) -> bool {
    mark.turn == 0 && (known.len() > 1 || known.iter().any(|line| line.turn > 1))
}

/// Describes which of the remembered turns are missing.
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
    // An older goroam remembered only the number, and wrote that first.
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
    // Rotated meanwhile by a goroam that was killed before it could save its mark.
    let is_turned_over = known.get(at).is_some_and(|line| line.is_old);
    let lost = mark.lines.saturating_sub(at + 1);
    (lost > 0 && !is_turned_over).then(|| match lost {
        1 => "its oldest turn is missing".to_owned(),
        lost => format!("its {lost} oldest turns are missing"),
    })
}

/// Reads the kept files, oldest first, while the lock keeps other processes from appending.
fn read_all(path: &Path) -> Result<Vec<(PathBuf, Vec<u8>)>, JournalError> {
    // A reader that may not create the lock file reads without the lock.
    let _lock = lock(path, false).ok();
    read_files(path)
}

fn read_files(path: &Path) -> Result<Vec<(PathBuf, Vec<u8>)>, JournalError> {
    let mut files = Vec::new();
    for path in [rotated(path), path.to_owned()] {
        files.extend(read(&path)?.map(|bytes| (path, bytes)));
    }
    Ok(files)
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, JournalError> {
    file::read(path, MOST_READ).map_err(at(path))
}

/// Returns the lines, and whether each has its end.
fn lines(bytes: &[u8]) -> impl DoubleEndedIterator<Item = (&[u8], bool)> {
    bytes
        .split_inclusive(|b| *b == b'\n')
        .map(|line| match line.strip_suffix(b"\n") {
            Some(line) => (line, true),
            None => (line, false),
        })
}

/// Makes processes that append take turns. The lock is a separate file, because the journal's file
/// changes at each rotation. Closing it, also by a kill, releases the lock.
fn lock(path: &Path, alone: bool) -> Result<File, JournalError> {
    let path = path.with_extension("lock");
    let held = file::open_lock(&path).map_err(at(&path))?;
    match file::lock_within(&held, alone, MOST_WAIT) {
        // NFS without a lock daemon: the one agent of each user has its own lock anyway.
        Err(error) if file::has_no_locks(&error) => Ok(held),
        locked => locked.map(|()| held).map_err(at(&path)),
    }
}

/// Returns `journal.1.jsonl` beside `journal.jsonl`.
fn rotated(path: &Path) -> PathBuf {
    path.with_extension("1.jsonl")
}

fn at(path: &Path) -> impl Fn(io::Error) -> JournalError {
    |source| JournalError::File {
        path: path.to_owned(),
        source,
    }
}

/// The previous hash of the very first line.
const BEGINNING: &str = "0000000000000000000000000000000000000000000000000000000000000000";

const PREV: &[u8] = b"{\"prev\":\"";
const HASH: &[u8] = b"\",\"hash\":\"";
const BODY: &[u8] = b"\",";

/// A well-formed line.
struct Line<'a> {
    prev: &'a str,
    hash: &'a str,
    /// The entry's JSON without its opening brace.
    rest: &'a [u8],
}

impl<'a> Line<'a> {
    /// Parses the parts of a line (without its end) that the chain needs.
    fn parse(line: &'a [u8]) -> Option<Line<'a>> {
        let (prev, line) = digits(line.strip_prefix(PREV)?)?;
        let (hash, line) = digits(line.strip_prefix(HASH)?)?;
        let rest = line.strip_prefix(BODY)?;
        (rest.last() == Some(&b'}')).then_some(Line { prev, hash, rest })
    }

    /// Reports whether the line is unchanged since it was written.
    fn is_whole(&self) -> bool {
        hash(self.prev, self.rest) == self.hash
    }
}

/// Returns the line for an entry, with its end, and its hash. Credentials are hidden first.
fn chained_line(prev: &str, entry: &Entry) -> serde_json::Result<(Vec<u8>, String)> {
    let body = serde_json::to_vec(&masked(serde_json::to_value(entry)?))?;
    let rest = body.strip_prefix(b"{").unwrap_or(&body);
    let hash = hash(prev, rest);
    let (prev, own) = (prev.as_bytes(), hash.as_bytes());
    let line = [PREV, prev, HASH, own, BODY, rest, b"\n"].concat();
    Ok((line, hash))
}

fn hash(prev: &str, rest: &[u8]) -> String {
    sha256_hex(&[prev.as_bytes(), b"{", rest].concat())
}

fn digits(text: &(impl AsRef<[u8]> + ?Sized)) -> Option<(&str, &[u8])> {
    let text = text.as_ref();
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
            let fields = fields.into_iter();
            let hidden = fields.map(|(name, value)| (mask(&name), masked(value)));
            Value::Object(hidden.collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value,
    }
}
