//! Writing the policy: all of it or nothing.

use std::io::{self, Write};
use std::path::Path;

/// All of it or nothing, and never in the place of a file (or a link) that is there: then
/// `Ok(false)`.
pub(super) fn write_new(path: &Path, text: &str) -> io::Result<bool> {
    let path = std::path::absolute(path)?;
    let folder = path.parent().unwrap_or(&path);
    make_folder(folder)?;
    // Made 0600, which no umask makes writable for others: goroam would refuse that.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(&path) {
        Ok(_) => Ok(true),
        Err(refused) if refused.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(refused) => Err(refused.error),
    }
}

/// 0700, as the XDG base directory specification has it for missing folders.
fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}
