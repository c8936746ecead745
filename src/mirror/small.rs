//! Small files, read with a bound: what lies in a cache or a mirror may have been put there by
//! anybody.

use std::io;
use std::path::Path;

use crate::bounded;

/// The bytes of a file, at most so many.
///
/// # Errors
/// When there is none, it is longer, or it is something else than a file (which might block).
pub(super) fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    bounded::read(path, most)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}
