//! The tree that go has unpacked (`$GOMODCACHE/MODULE@VERSION`): where it is, what it hashes to.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::place::Place;
use crate::bounded;
use crate::gomod::sum::{Summing, escape_path, hash_sums};

/// Files of one module; go's own limit is 500 MiB in all.
const MOST_FILES: usize = 500_000;
/// Bytes that are read at once.
const PIECE: usize = 64 << 10;

/// Where it is; `None`: there is none.
pub(super) fn find(place: &Place, module: &str, escaped_version: &str) -> Option<PathBuf> {
    let escaped = escape_path(module).ok()?;
    let mut path = place.cache.clone();
    path.extend(escaped.split('/'));
    let name = format!("{}@{escaped_version}", path.file_name()?.to_str()?);
    path.set_file_name(name);
    let meta = std::fs::symlink_metadata(&path).ok()?;
    meta.is_dir().then_some(path)
}

/// The `h1:` of what is in it, as `go mod verify` has it (`dirhash.HashDir`).
///
/// # Errors
/// When it cannot be read to its end, or holds what no module holds.
pub(super) fn h1(folder: &Path, module: &str, version: &str) -> io::Result<String> {
    let mut files = Vec::new();
    let mut folders = vec![(folder.to_owned(), format!("{module}@{version}"))];
    let mut piece = vec![0; PIECE];
    while let Some((folder, name)) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            let own = entry.file_name();
            let Some(own) = own.to_str() else {
                return Err(io::Error::other("a name that is no UTF-8"));
            };
            let name = format!("{name}/{own}");
            if kind.is_dir() {
                folders.push((entry.path(), name));
            } else if kind.is_file() && files.len() < MOST_FILES {
                let mut summing = Summing::new();
                let mut file = bounded::open_no_link(&entry.path())?;
                loop {
                    match file.read(&mut piece)? {
                        0 => break,
                        length => summing.update(piece.get(..length).unwrap_or_default()),
                    }
                }
                files.push((name, summing.finish()));
            } else {
                return Err(io::Error::other("no file of a module"));
            }
        }
    }
    let files = files.iter().map(|(name, sum)| (name.as_str(), *sum));
    hash_sums(files.collect()).map_err(io::Error::other)
}
