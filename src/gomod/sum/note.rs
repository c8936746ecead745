//! Signed notes (`golang.org/x/mod/sumdb/note`): a text, a blank line, and signature lines. Also
//! their contents: tree heads and lookup answers of a checksum database
//! (`golang.org/x/mod/sumdb/tlog`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{Context, SHA256};
use ring::signature::{ED25519, UnparsedPublicKey};

use crate::model::VerifierKey;

/// `note.Open` allows no more signature lines.
const MAX_SIGNATURES: usize = 100;
/// Far above any real tree head (some 200 bytes), far below a harmful size.
const MAX_NOTE: usize = 64 * 1024;

/// Why a note proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// It is not a note.
    #[error("malformed note")]
    Malformed,
    /// The key's own hash does not fit its name and bytes (`note: invalid verifier hash`).
    #[error("the verifier key of {0} is damaged: its hash does not fit the key")]
    DamagedKey(String),
    /// Only other keys have signed it.
    #[error("not signed by {0}'s key")]
    Unverified(String),
    /// It claims a signature by the key, but the signature is wrong.
    #[error("the signature of {0} is wrong")]
    BadSignature(String),
    /// The text is not a tree head.
    #[error("malformed tree head")]
    MalformedTree,
    /// The answer to a lookup is not a record with a tree head.
    #[error("malformed record data")]
    MalformedRecord,
}

/// A note as it was received: nothing is proven until [`Note::verify`] succeeds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note<'a> {
    /// The signed text, with its last newline.
    text: &'a str,
    signatures: Vec<Signature<'a>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Signature<'a> {
    name: &'a str,
    hash: u32,
    bytes: Vec<u8>,
}

impl<'a> Note<'a> {
    /// Parses a note, as strictly as `note.Open` does.
    ///
    /// # Errors
    /// [`NoteError::Malformed`].
    pub fn parse(message: &'a [u8]) -> Result<Note<'a>, NoteError> {
        let read = || {
            let message = std::str::from_utf8(message).ok()?;
            // The last blank line: a text may itself contain blank lines.
            let (text, rest) = message.split_at(message.rfind("\n\n")? + 1);
            let block = rest.strip_prefix('\n')?.strip_suffix('\n')?;
            let signatures: Option<Vec<_>> = block.split('\n').map(signature).collect();
            let is_bad = |b: u8| b < 0x20 && b != b'\n';
            let signatures = signatures.filter(|all| all.len() <= MAX_SIGNATURES)?;
            (!message.bytes().any(is_bad)).then_some(Note { text, signatures })
        };
        let read = if message.len() > MAX_NOTE {
            None
        } else {
            read()
        };
        read.ok_or(NoteError::Malformed)
    }

    /// Returns the text, if the key has signed it.
    ///
    /// # Errors
    /// If the key is damaged, has not signed it, or a signature in its name is wrong.
    pub fn verify(&self, key: &VerifierKey) -> Result<&'a str, NoteError> {
        check_key(key)?;
        // Repeated signatures by one verifier are dropped, as note.Open drops them: the first
        // counts.
        let signature = self
            .signatures
            .iter()
            .find(|signature| signature.name == key.name && signature.hash == key.hash)
            .ok_or_else(|| NoteError::Unverified(key.name.clone()))?;
        UnparsedPublicKey::new(&ED25519, key.key)
            .verify(self.text.as_bytes(), &signature.bytes)
            .map_err(|_| NoteError::BadSignature(key.name.clone()))?;
        Ok(self.text)
    }

    /// Returns the text, not verified.
    pub fn unverified_text(&self) -> &'a str {
        self.text
    }
}

/// Returns the hash of a verifier key: the first four bytes of SHA-256(name, newline, 0x01, key).
pub fn key_hash(name: &str, key: &[u8; 32]) -> u32 {
    let mut sum = Context::new(&SHA256);
    sum.update(name.as_bytes());
    sum.update(b"\n\x01");
    sum.update(key);
    let digest = sum.finish();
    digest
        .as_ref()
        .iter()
        .take(4)
        .fold(0, |hash, byte| hash << 8 | u32::from(*byte))
}

/// Checks that the key's hash matches its name and bytes; otherwise `note.NewVerifier` refuses it.
///
/// # Errors
/// [`NoteError::DamagedKey`].
pub fn check_key(key: &VerifierKey) -> Result<(), NoteError> {
    if key_hash(&key.name, &key.key) == key.hash {
        Ok(())
    } else {
        Err(NoteError::DamagedKey(key.name.clone()))
    }
}

/// Parses `— name base64(hash, signature)`.
fn signature(line: &str) -> Option<Signature<'_>> {
    let (name, encoded) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
    if name.is_empty() || name.contains('+') || name.contains(char::is_whitespace) {
        return None;
    }
    let bytes = STANDARD.decode(encoded).ok()?;
    let (hash, bytes) = bytes.split_first_chunk::<4>()?;
    if bytes.is_empty() {
        return None;
    }
    Some(Signature {
        name,
        hash: u32::from_be_bytes(*hash),
        bytes: bytes.to_owned(),
    })
}

/// What a database signs: the number of its records, and the hash over all of them.
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
    /// The go.sum lines. Only tiles could prove that they are in the signed tree.
    pub lines: &'a str,
    /// The tree head that came with it.
    pub tree: Note<'a>,
    /// The whole note, unchanged.
    pub note: &'a str,
}

impl TreeHead {
    /// Parses the text of a verified note, as `tlog.ParseTree` does: extra lines are for later
    /// versions and are ignored.
    ///
    /// # Errors
    /// [`NoteError::MalformedTree`].
    pub fn parse(text: &str) -> Result<TreeHead, NoteError> {
        let read = || {
            let rest = text.strip_prefix("go.sum database tree\n")?;
            let mut lines = rest
                .split_inclusive('\n')
                .map(|line| line.strip_suffix('\n'));
            let size = number(lines.next()??)?;
            let root = STANDARD.decode(lines.next()??).ok()?.try_into().ok()?;
            Some(TreeHead { size, root })
        };
        read().ok_or(NoteError::MalformedTree)
    }
}

impl<'a> LookupRecord<'a> {
    /// Parses an answer, as `tlog.ParseRecord` does.
    ///
    /// # Errors
    /// [`NoteError::MalformedRecord`], or the error of the note in it.
    pub fn parse(answer: &'a [u8]) -> Result<LookupRecord<'a>, NoteError> {
        let read = || {
            let (id, rest) = std::str::from_utf8(answer).ok()?.split_once('\n')?;
            let (lines, tree) = rest.split_once("\n\n")?;
            let valid = !lines.is_empty() && lines.bytes().all(|b| b >= 0x20 || b == b'\n');
            Some((number(id)?, lines, tree)).filter(|_| valid)
        };
        let (id, lines, tree) = read().ok_or(NoteError::MalformedRecord)?;
        Ok(LookupRecord {
            id,
            lines,
            note: tree,
            tree: Note::parse(tree.as_bytes())?,
        })
    }

    /// Reports whether it holds this go.sum line.
    pub fn holds(&self, line: &str) -> bool {
        self.lines.split('\n').any(|held| held == line)
    }
}

/// Parses a decimal number in the form that `strconv.FormatInt` writes, within int64.
fn number(text: &str) -> Option<u64> {
    let plain = text == "0" || !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit());
    let value: i64 = text.parse().ok().filter(|_| plain)?;
    u64::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ring::signature::{Ed25519KeyPair, KeyPair as _};
    use signed_note::Verifiers as _;

    use super::*;
    use crate::model::sumdb::SUM_GOLANG_ORG;

    /// Returns a note as a database writes it, and the key that verifies it.
    fn sign(name: &str, seed: u8, text: &str) -> (Vec<u8>, VerifierKey) {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
        let public: [u8; 32] = pair.public_key().as_ref().try_into().unwrap();
        let key = VerifierKey {
            name: name.to_owned(),
            hash: key_hash(name, &public),
            key: public,
        };
        let mut bytes = key.hash.to_be_bytes().to_vec();
        bytes.extend(pair.sign(text.as_bytes()).as_ref());
        let note = format!("{text}\n\u{2014} {name} {}\n", STANDARD.encode(bytes));
        (note.into_bytes(), key)
    }

    fn oracle(message: &[u8], key: &VerifierKey) -> bool {
        let mut bytes = vec![1];
        bytes.extend(key.key);
        let text = format!("{}+{:08x}+{}", key.name, key.hash, STANDARD.encode(bytes));
        let Ok(verifier) = signed_note::StandardVerifier::new(&text) else {
            return false;
        };
        let known = signed_note::VerifierList::new(vec![Box::new(verifier)]);
        assert!(known.verifier(&key.name, key.hash).is_ok());
        signed_note::Note::from_bytes(message).is_ok_and(|note| note.verify(&known).is_ok())
    }

    #[test]
    fn the_hash_of_sum_golang_orgs_key_is_the_one_that_go_has_built_in() {
        let key = VerifierKey::parse(SUM_GOLANG_ORG).unwrap();
        assert_eq!(key_hash(&key.name, &key.key), 0x033d_e0ae);
        assert_eq!(check_key(&key), Ok(()));
        let other = VerifierKey {
            name: "sum.golang.com".to_owned(),
            ..key
        };
        assert!(matches!(check_key(&other), Err(NoteError::DamagedKey(_))));
    }

    #[test]
    fn a_true_signature_is_taken_and_every_changed_byte_is_not() {
        let (message, key) = sign("sum.test", 7, "go.sum database tree\n1\nAAAA\n");
        assert_eq!(
            Note::parse(&message).unwrap().verify(&key),
            Ok("go.sum database tree\n1\nAAAA\n")
        );
        assert!(oracle(&message, &key));
        for i in 0..message.len() {
            let mut forged = message.clone();
            forged[i] ^= 1;
            let verified = Note::parse(&forged).and_then(|note| note.verify(&key).map(str::len));
            assert!(verified.is_err(), "byte {i}");
        }
    }

    #[test]
    fn a_strangers_signature_beside_the_right_one_does_no_harm_and_alone_proves_nothing() {
        let text = "hello\n";
        let (message, key) = sign("sum.test", 7, text);
        let (other, other_key) = sign("other.test", 8, text);
        let mut both = other.clone();
        both.extend(message.strip_prefix(b"hello\n\n").unwrap());
        assert_eq!(Note::parse(&both).unwrap().verify(&key), Ok(text));
        assert_eq!(Note::parse(&both).unwrap().verify(&other_key), Ok(text));
        assert_eq!(
            Note::parse(&other).unwrap().verify(&key),
            Err(NoteError::Unverified("sum.test".to_owned()))
        );
    }

    #[test]
    fn more_than_a_hundred_signatures_and_control_bytes_are_malformed() {
        let (message, key) = sign("sum.test", 7, "x\n");
        let line = String::from_utf8(message.clone()).unwrap();
        let line = line.split_once("\n\n").unwrap().1;
        for (lines, fine) in [(100, true), (101, false)] {
            let many = format!("x\n\n{}", line.repeat(lines));
            assert_eq!(Note::parse(many.as_bytes()).is_ok(), fine, "{lines}");
        }
        let (tab, _) = sign("sum.test", 7, "x\ty\n");
        assert_eq!(Note::parse(&tab), Err(NoteError::Malformed));
        assert!(Note::parse(&message).unwrap().verify(&key).is_ok());
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic_and_never_verify(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let (_, key) = sign("sum.test", 7, "x\n");
            let ours = Note::parse(&bytes).and_then(|note| note.verify(&key).map(str::len));
            prop_assert!(ours.is_err());
        }

        #[test]
        fn the_oracle_agrees_on_signed_and_damaged_notes(
            text in "[ -~\u{2014}\n]{0,60}",
            seed in 0_u8..4,
            flip in proptest::option::of((0_usize..300, 1_u8..=255)),
        ) {
            let (mut message, key) = sign("sum.test", seed, &format!("{text}\n"));
            if let Some((at, with)) = flip {
                let at = at % message.len();
                message[at] ^= with;
            }
            let ours = Note::parse(&message).and_then(|note| note.verify(&key).map(str::len)).is_ok();
            prop_assert_eq!(ours, oracle(&message, &key));
        }
    }
}

#[cfg(test)]
mod tree_tests {
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
