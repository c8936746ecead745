//! Whether go could make a directory and write into it.

use std::io;
use std::path::{Path, PathBuf};

use crate::trust;

/// Why go could not keep its files in this directory; `None`: nothing is known that hinders it.
/// What stands right below a cache may be another user's.
pub(super) fn trouble(directory: &Path) -> Option<String> {
    if !directory.is_absolute() {
        return None;
    }
    for path in directory.ancestors() {
        let shown = path.display();
        match path.metadata() {
            Ok(meta) if !meta.is_dir() => return Some(format!("{shown} is not a directory")),
            // The kernel makes these: no directory can be made there, by any user.
            Ok(_) if is_of_kernel(path) => {
                return Some(format!("no directory can be made in {shown}"));
            }
            Ok(_) if path == directory => {
                let below = BELOW.iter().map(|name| path.join(name));
                let all: Vec<PathBuf> = [path.to_owned()].into_iter().chain(below).collect();
                let mut all = all.iter().filter(|path| path.is_dir());
                let refused = all.find(|path| trust::may_write(path).is_err())?;
                return Some(format!("this user may not write {}", refused.display()));
            }
            Ok(_) if trust::may_write(path).is_err() => {
                return Some(format!("this user may not write {shown}"));
            }
            Ok(_) => return None,
            Err(_) if path.symlink_metadata().is_ok() => {
                return Some(format!("{shown} is a link that leads to nothing"));
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return Some(format!("{shown}: {error}"));
            }
            Err(_) => {}
        }
    }
    None
}

/// What go writes to first, in the build cache and in the module cache.
const BELOW: [&str; 3] = ["00", "cache", "cache/download"];

fn is_of_kernel(path: &Path) -> bool {
    cfg!(target_os = "linux") && (path.starts_with("/proc") || path.starts_with("/sys"))
}
