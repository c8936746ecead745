//! Small files, read with a bound: what lies in a cache or a mirror may have been put there by
//! anybody.

use std::fs::OpenOptions;
use std::io::{self, Read as _};
use std::path::Path;

/// The bytes of a file, at most so many.
///
/// # Errors
/// When there is none, it is longer, or it is something else than a file (which might block).
pub(super) fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let named = |error: io::Error| {
        let why = format!("{}: {error}", path.display());
        io::Error::new(error.kind(), why)
    };
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK);
    let file = options.open(path).map_err(named)?;
    if !file.metadata().map_err(named)?.is_file() {
        let why = format!("{} is not a file", path.display());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).map_err(named)?;
    if bytes.len() as u64 > most {
        let why = format!("{} is longer than {} KiB", path.display(), most >> 10);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    Ok(bytes)
}
