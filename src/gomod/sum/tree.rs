//! Tree heads and lookup answers of a checksum database (`golang.org/x/mod/sumdb/tlog`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::note::{Note, NoteError};

/// What a database signs: how many records it holds, and the hash over all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeHead {
    /// Records in the tree.
    pub size: u64,
    /// The Merkle tree's root.
    pub root: [u8; 32],
}

/// The answer to `/lookup/MODULE@VERSION`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookupRecord<'a> {
    /// Its number in the tree.
    pub id: u64,
    /// The go.sum lines. Only tiles could prove that they stand in the signed tree.
    pub lines: &'a str,
    /// The tree head that came with it.
    pub tree: Note<'a>,
}

impl TreeHead {
    /// Reads the text of a verified note, as `tlog.ParseTree` does: extra lines are for later
    /// versions and are ignored.
    ///
    /// # Errors
    /// [`NoteError::MalformedTree`].
    pub fn parse(text: &str) -> Result<TreeHead, NoteError> {
        let rest = text
            .strip_prefix("go.sum database tree\n")
            .ok_or(NoteError::MalformedTree)?;
        let mut lines = rest
            .split_inclusive('\n')
            .map(|line| line.strip_suffix('\n'));
        let (Some(Some(size)), Some(Some(root))) = (lines.next(), lines.next()) else {
            return Err(NoteError::MalformedTree);
        };
        let size = number(size).ok_or(NoteError::MalformedTree)?;
        let root = STANDARD
            .decode(root)
            .ok()
            .and_then(|root| root.try_into().ok())
            .ok_or(NoteError::MalformedTree)?;
        Ok(TreeHead { size, root })
    }
}

impl<'a> LookupRecord<'a> {
    /// Takes an answer apart, as `tlog.ParseRecord` does.
    ///
    /// # Errors
    /// [`NoteError::MalformedRecord`], or what is wrong with the note in it.
    pub fn parse(answer: &'a [u8]) -> Result<LookupRecord<'a>, NoteError> {
        let text = std::str::from_utf8(answer).map_err(|_| NoteError::MalformedRecord)?;
        let (id, rest) = text.split_once('\n').ok_or(NoteError::MalformedRecord)?;
        let id = number(id).ok_or(NoteError::MalformedRecord)?;
        let (lines, tree) = rest.split_once("\n\n").ok_or(NoteError::MalformedRecord)?;
        let valid = !lines.is_empty() && lines.bytes().all(|b| b >= 0x20 || b == b'\n');
        if !valid {
            return Err(NoteError::MalformedRecord);
        }
        let tree = Note::parse(tree.as_bytes())?;
        Ok(LookupRecord { id, lines, tree })
    }

    /// Does it hold this go.sum line?
    pub fn holds(&self, line: &str) -> bool {
        self.lines.split('\n').any(|held| held == line)
    }
}

/// A decimal number as `strconv.FormatInt` would write it again, within int64.
fn number(text: &str) -> Option<u64> {
    let plain = text == "0" || !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit());
    let value: i64 = text.parse().ok().filter(|_| plain)?;
    u64::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ROOT: &str = "nND/nri/U0xuHUrYSy0HtMeal2vzD9V4k/BO79C+QeI=";

    #[test]
    fn a_tree_head_is_read_and_extra_lines_are_ignored() {
        // tlog/note_test.go
        let text = format!("go.sum database tree\n123456789012\n{ROOT}\n");
        let tree = TreeHead::parse(&text).unwrap();
        assert_eq!(tree.size, 123_456_789_012);
        assert_eq!(STANDARD.encode(tree.root), ROOT);
        assert_eq!(TreeHead::parse(&format!("{text}extra\n")), Ok(tree));
    }

    #[test]
    fn sizes_and_roots_that_go_refuses_are_refused() {
        for (size, root) in [
            ("-1", ROOT),
            ("+1", ROOT),
            ("01", ROOT),
            ("", ROOT),
            ("18446744073709551616", ROOT),
            ("9223372036854775808", ROOT),
            ("1", "AAAA"),
            ("1", "?"),
        ] {
            let text = format!("go.sum database tree\n{size}\n{root}\n");
            assert_eq!(
                TreeHead::parse(&text),
                Err(NoteError::MalformedTree),
                "{size} {root}"
            );
        }
        let cut = format!("go.sum database tree\n1\n{ROOT}");
        assert_eq!(TreeHead::parse(&cut), Err(NoteError::MalformedTree));
        assert_eq!(
            TreeHead::parse("some other tree\n"),
            Err(NoteError::MalformedTree)
        );
    }

    #[test]
    fn a_lookup_answer_gives_its_lines_and_its_note() {
        let answer = format!(
            "42\ngolang.org/x/text v0.3.0 h1:a=\ngolang.org/x/text v0.3.0/go.mod h1:b=\n\n\
             go.sum database tree\n43\n{ROOT}\n\n\u{2014} sum.test AAAAAAAA\n"
        );
        let record = LookupRecord::parse(answer.as_bytes()).unwrap();
        assert_eq!(record.id, 42);
        assert!(record.holds("golang.org/x/text v0.3.0/go.mod h1:b="));
        assert!(!record.holds("golang.org/x/text v0.3.0/go.mod h1:b"));
        assert_eq!(
            TreeHead::parse(record.tree.unverified_text()).unwrap().size,
            43
        );
        assert!(LookupRecord::parse(b"<html>login</html>").is_err());
    }

    proptest! {
        #[test]
        fn nothing_makes_them_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), text in ".{0,80}") {
            let _ = LookupRecord::parse(&bytes);
            let _ = TreeHead::parse(&text);
            let _ = TreeHead::parse(&format!("go.sum database tree\n{text}"));
            let _ = LookupRecord::parse(format!("1\n{text}\n\n{text}\n\n\u{2014} a AAAA\n").as_bytes());
        }
    }
}
