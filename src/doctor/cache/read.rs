//! Reading a file of the cache, whose length no one vouches for.

use std::io;
use std::path::Path;

use crate::bounded;

/// All of a file, if it is no longer than this; `Ok(None)`: there is none.
pub(super) fn read(path: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
    let absent = |error: &io::Error| {
        matches!(
            error.kind(),
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
        )
    };
    match bounded::read_no_link(path, most) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}
