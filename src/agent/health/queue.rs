//! The traces that wait for a collector, in a file of limited size: a line for each turn.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;

use serde_json::Map;
use serde_json::Value;

use crate::state::file;

/// The size of the file in bytes; the oldest traces make room.
const MOST_BYTES: usize = 64 << 10;

/// The queue.
#[derive(Debug)]
pub(super) struct TraceQueue {
    path: PathBuf,
    /// The spans of each turn, separated by commas; the oldest first.
    turns: VecDeque<String>,
    /// The number of the first of them, since this was opened.
    first: u64,
}

impl TraceQueue {
    /// Reads the file. A line that does not hold spans is left out: with it, the collector would refuse
    /// all. A file that cannot be read counts as empty.
    pub(super) fn open(path: PathBuf) -> TraceQueue {
        let bytes = file::read(&path, MOST_BYTES as u64).unwrap_or_default();
        let text = String::from_utf8(bytes.unwrap_or_default()).unwrap_or_default();
        let is_span = |span: &Map<String, Value>| {
            ["traceId", "spanId", "name"]
                .iter()
                .all(|key| span.contains_key(*key))
        };
        let is_whole = |line: &&str| {
            let spans = serde_json::from_str::<Vec<Map<String, Value>>>(&format!("[{line}]"));
            spans.is_ok_and(|spans| !spans.is_empty() && spans.iter().all(is_span))
        };
        TraceQueue {
            path,
            turns: text.lines().filter(is_whole).map(str::to_owned).collect(),
            first: 0,
        }
    }

    /// Adds a turn, on the disk too. Returns how many turns were dropped for it.
    ///
    /// # Errors
    /// If the file cannot be written; the turn waits in memory then.
    pub(super) fn push(&mut self, spans: &[Value]) -> (u64, io::Result<()>) {
        let spans: Vec<String> = spans.iter().map(Value::to_string).collect();
        self.turns.push_back(spans.join(","));
        let mut dropped = 0;
        while self.bytes() > MOST_BYTES && self.turns.pop_front().is_some() {
            dropped += 1;
            self.first += 1;
        }
        (dropped, self.save())
    }

    /// Returns the number of turns.
    pub(super) fn len(&self) -> usize {
        self.turns.len()
    }

    /// Returns all spans, separated by commas, and up to which turn they reach.
    pub(super) fn all(&mut self) -> (String, u64) {
        let end = self.first + self.turns.len() as u64;
        (self.turns.make_contiguous().join(","), end)
    }

    /// Removes the turns up to this one. Returns how many there were.
    pub(super) fn remove(&mut self, end: u64) -> (u64, io::Result<()>) {
        let mut removed = 0;
        while self.first < end && self.turns.pop_front().is_some() {
            self.first += 1;
            removed += 1;
        }
        (removed, self.save())
    }

    fn bytes(&self) -> usize {
        self.turns.iter().map(|turn| turn.len() + 1).sum()
    }

    fn save(&self) -> io::Result<()> {
        if self.turns.is_empty() {
            return match std::fs::remove_file(&self.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                Ok(()) | Err(_) => Ok(()),
            };
        }
        let lines = self.turns.iter().flat_map(|turn| [turn.as_str(), "\n"]);
        file::replace(&self.path, lines.collect::<String>().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_oldest_turns_make_room_and_what_is_left_survives_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("queue");
        let mut queue = TraceQueue::open(path.clone());
        let mut dropped = 0;
        for turn in 0..100 {
            let span = json!({ "traceId": "a", "spanId": "b", "name": "c", "n": turn, "fill": "x".repeat(1000) });
            let (lost, saved) = queue.push(&[span.clone(), span]);
            saved.unwrap();
            dropped += lost;
        }
        assert!(std::fs::metadata(&path).unwrap().len() <= MOST_BYTES as u64);
        assert_eq!(dropped + queue.len() as u64, 100);
        let mut again = TraceQueue::open(path.clone());
        assert_eq!(again.len(), queue.len());
        let (spans, end) = again.all();
        assert!(spans.contains("\"n\":99") && !spans.contains("\"n\":0,"));
        // What comes while a request is under way stays.
        let span = json!({ "traceId": "a", "spanId": "b", "name": "c" });
        let (lost, saved) = again.push(&[span]);
        saved.unwrap();
        assert_eq!(again.remove(end).0 + lost, queue.len() as u64);
        assert_eq!(TraceQueue::open(path.clone()).len(), 1);
        again.remove(u64::MAX).1.unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn a_line_that_holds_no_spans_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("queue");
        let span = r#"{"name":"a","spanId":"b","traceId":"c"}"#;
        let bad = [
            "",
            " ",
            "1",
            "null",
            "{}",
            "}],\"x\":[{",
            "{\"c\":3",
            &span[..20],
        ];
        for bad in bad {
            std::fs::write(&path, format!("{span},{span}\n{bad}\n{span}")).unwrap();
            let mut queue = TraceQueue::open(path.clone());
            assert_eq!(queue.all(), (format!("{span},{span},{span}"), 2), "{bad}");
        }
    }
}
