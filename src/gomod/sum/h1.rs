//! The `h1:` hash of go.sum (`golang.org/x/mod/sumdb/dirhash.Hash1`).

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{Context, SHA256};

/// A file name that would make the summary ambiguous (`dirhash: filenames with newlines are
/// not supported`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a file name holds a newline, which an h1 hash cannot express")]
pub struct H1Error;

/// Returns the hash of a list of files: names as in the module's zip (`M@V/relative/path`), in any
/// order, and their contents.
///
/// # Errors
/// If a name holds a newline.
pub fn hash_files<'a>(
    files: impl IntoIterator<Item = (&'a str, &'a [u8])>,
) -> Result<String, H1Error> {
    hash_sums(
        files
            .into_iter()
            .map(|(name, content)| (name, sum_of(content)))
            .collect(),
    )
}

/// SHA-256 of one file.
pub type Sum = [u8; 32];

/// Returns the same hash from each file's SHA-256, for files that are not kept in memory.
///
/// # Errors
/// If a name holds a newline.
pub fn hash_sums(mut files: Vec<(&str, Sum)>) -> Result<String, H1Error> {
    // Bytewise, as Go's sort.Strings; a name that occurs twice is summed twice.
    files.sort_by_key(|(name, _)| *name);
    let mut all = Context::new(&SHA256);
    for (name, sum) in files {
        if name.contains('\n') {
            return Err(H1Error);
        }
        all.update(hex(&sum).as_bytes());
        all.update(b"  ");
        all.update(name.as_bytes());
        all.update(b"\n");
    }
    Ok(format!("h1:{}", STANDARD.encode(all.finish())))
}

/// SHA-256 of a file that is read piece by piece.
pub struct Summing(Context);

impl Summing {
    /// Adds the next piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// Returns the sum.
    pub fn finish(self) -> Sum {
        let mut sum = [0; 32];
        sum.copy_from_slice(self.0.finish().as_ref());
        sum
    }
}

/// Starts with no data.
impl Default for Summing {
    fn default() -> Summing {
        Summing(Context::new(&SHA256))
    }
}

impl Write for Summing {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.update(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns the SHA-256 of a file in memory.
pub fn sum_of(content: &[u8]) -> Sum {
    let mut summing = Summing::default();
    summing.update(content);
    summing.finish()
}

/// Returns the hash of a go.sum line that ends in `/go.mod` (`modfetch.goModSum`).
pub fn hash_go_mod(content: &[u8]) -> String {
    // The only name is a constant without a newline, so this cannot fail.
    hash_files([("go.mod", content)]).unwrap_or_default()
}

/// Returns the SHA-256 of these bytes, in lower-case hexadecimal digits.
pub fn sha256_hex(content: &[u8]) -> String {
    hex(&sum_of(content))
}

/// Returns the bytes in lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let nibble = |n: u8| char::from(DIGITS[usize::from(n & 15)]);
    bytes
        .iter()
        .flat_map(|b| [nibble(b >> 4), nibble(*b)])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::target::DEFAULT_SUM;

    #[test]
    fn the_default_module_has_the_hash_that_public_go_sum_files_hold() {
        assert_eq!(hash_go_mod(b"module golang.org/x/text\n"), DEFAULT_SUM);
    }

    #[test]
    fn an_empty_go_mod_has_the_hash_that_go_knows_as_such() {
        // modfetch/fetch.go:emptyGoModHash
        assert_eq!(
            hash_go_mod(b""),
            "h1:G7mAYYxgmS0lVkHyy2hEOLQCFB0DlQFTMLWggykrydY="
        );
    }

    #[test]
    fn the_order_of_files_does_not_matter_but_their_content_does() {
        // The value was computed independently of this code, with Python's hashlib.
        let one = hash_files([
            ("xyz", b"data for xyz".as_slice()),
            ("abc", b"data for abc"),
        ]);
        assert_eq!(
            one.as_deref(),
            Ok("h1:EP6WfDoQTSk9klnxcjriWJOGztueJUywHNmWeq+efB8=")
        );
        let two = hash_files([
            ("abc", b"data for abc".as_slice()),
            ("xyz", b"data for xyz"),
        ]);
        assert_eq!(one, two);
        let other = hash_files([
            ("abc", b"data for abd".as_slice()),
            ("xyz", b"data for xyz"),
        ]);
        assert_ne!(one, other);
    }

    #[test]
    fn a_newline_in_a_name_is_refused() {
        assert_eq!(hash_files([("a\nb", b"".as_slice())]), Err(H1Error));
    }
}
