//! The files of a package, as data.

use std::collections::BTreeMap;
use std::fs::{self, File, FileTimes};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use crate::run::Result;

/// A file to be written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    pub mode: u32,
    pub bytes: Vec<u8>,
}

/// Paths (relative, with `/`) and their entries, sorted.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Tree {
    pub files: BTreeMap<String, Entry>,
}

impl Tree {
    /// Adds a file that all users may read.
    pub fn file(&mut self, path: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        let bytes = bytes.into();
        self.files.insert(path.into(), Entry { mode: 0o644, bytes });
    }

    /// Adds a file that all users may execute.
    pub fn program(&mut self, path: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        let bytes = bytes.into();
        self.files.insert(path.into(), Entry { mode: 0o755, bytes });
    }

    /// Returns all paths, including directories, each directory before its content.
    pub fn paths(&self) -> Vec<String> {
        let mut paths: Vec<String> = Vec::new();
        for file in self.files.keys() {
            let folders = file.match_indices('/').map(|(end, _)| &file[..end]);
            paths.extend(folders.chain([file.as_str()]).map(ToOwned::to_owned));
        }
        paths.sort();
        paths.dedup();
        paths
    }

    /// Writes the tree below an existing directory; everything gets this time.
    pub fn write(&self, root: &Path, epoch: u64) -> Result {
        for (path, entry) in &self.files {
            let file = root.join(path);
            laid(&file, entry).map_err(|err| format!("{}: {err}", file.display()))?;
        }
        let when = SystemTime::UNIX_EPOCH + Duration::from_secs(epoch);
        let times = FileTimes::new().set_accessed(when).set_modified(when);
        // Goes from the innermost outwards: creating a file changes its directory's time.
        for path in self.paths().iter().rev().map(String::as_str).chain([""]) {
            let path = root.join(path);
            let set = File::open(&path).and_then(|file| {
                if file.metadata()?.is_dir() {
                    set_mode(&path, 0o755)?;
                }
                file.set_times(times)
            });
            set.map_err(|err| format!("{}: {err}", path.display()))?;
        }
        Ok(())
    }
}

fn laid(path: &Path, entry: &Entry) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, &entry.bytes)?;
    set_mode(path, entry.mode)
}

/// Sets the mode independently of the umask.
fn set_mode(path: &Path, mode: u32) -> std::io::Result<()> {
    #[cfg(unix)]
    return fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode));
    #[cfg(not(unix))]
    Ok(())
}

/// `gzip -9n`: without name and time.
pub fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    filter(Command::new("gzip").arg("-9n"), bytes)
}

/// Returns the hash of these bytes, in hex.
pub fn sha256(bytes: &[u8]) -> Result<String> {
    let said = filter(&mut Command::new("sha256sum"), bytes)?;
    Ok(String::from_utf8_lossy(&said).chars().take(64).collect())
}

/// Runs a program with these bytes as input; returns its output.
fn filter(command: &mut Command, bytes: &[u8]) -> Result<Vec<u8>> {
    let name = command.get_program().to_string_lossy().into_owned();
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(|err| format!("{name}: {err}"))?;
    let mut input = child.stdin.take().ok_or("no pipe")?;
    // Writes and reads at the same time: a full pipe on either side would block the other.
    let said = std::thread::scope(|scope| {
        let feeding = scope.spawn(move || input.write_all(bytes));
        let said = child.wait_with_output();
        let fed = feeding
            .join()
            .unwrap_or_else(|_| Err(std::io::ErrorKind::Other.into()));
        fed.and(said)
    });
    let said = said.map_err(|err| format!("{name}: {err}"))?;
    if said.status.success() {
        Ok(said.stdout)
    } else {
        Err(format!("{name}: {}", said.status))
    }
}

#[cfg(test)]
mod tests {
    use super::Tree;

    #[test]
    fn folders_come_before_what_is_in_them() {
        let mut tree = Tree::default();
        tree.program("usr/bin/goroam", "x");
        tree.file("usr/share/doc/goroam/README.md", "y");
        let expected = [
            "usr",
            "usr/bin",
            "usr/bin/goroam",
            "usr/share",
            "usr/share/doc",
            "usr/share/doc/goroam",
            "usr/share/doc/goroam/README.md",
        ];
        assert_eq!(tree.paths(), expected);
    }
}
