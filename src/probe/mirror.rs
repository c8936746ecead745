//! A `file://` module mirror: a tree as `GOPROXY=file:///…` reads it.

use std::collections::VecDeque;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::attempt::{Attempt, within};
use super::failure::{Failure, Finding, Outcome};
use crate::model::{Phase, Proof};

/// Folder entries that are looked at before giving up.
const MAX_ENTRIES: usize = 20_000;
/// No module path has more elements.
const MAX_DEPTH: usize = 16;

/// Walks the tree until one version is found. A folder on a network that is gone may block, so
/// the walk has a thread of its own and the try's limit.
pub(super) async fn probe(attempt: &Attempt, path: &Path) -> Outcome {
    let root = path.to_owned();
    let missing = || format!("{} cannot be read to its end", path.display());
    let walk = tokio::task::spawn_blocking(move || look(&root));
    let (found, _) = within(attempt.end(), Phase::Content, missing, walk).await?;
    found.unwrap_or_else(|_| Err(Failure::down(Phase::Content, "the walk was broken off")))
}

fn look(root: &Path) -> Outcome {
    let shown = root.display();
    let refusal = |reason: String| Err(Failure::refusal(Phase::Content, reason));
    match fs::metadata(root) {
        Ok(meta) if !meta.is_dir() => return refusal(format!("{shown} is no folder")),
        Ok(_) => {}
        Err(error) => return refusal(unreadable(root, &error)),
    }
    // GOMODCACHE itself is no mirror for go, its download folder is.
    if root.join("cache").join("download").is_dir() {
        let download = root.join("cache").join("download");
        let reason = format!(
            "{shown} is a module cache: name {} instead",
            download.display()
        );
        return Err(Failure::wrong(Phase::Content, reason));
    }
    match find_version(root) {
        Ok(Some(found)) => Ok(Finding {
            reason: format!("holds {found}"),
            proof: Proof::None,
        }),
        Ok(None) => Err(Failure::wrong(
            Phase::Content,
            format!("{shown} holds no module: no @v folder with .info, .mod or .zip in it"),
        )),
        Err(error) => refusal(unreadable(root, &error)),
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a foreign enum that may grow"
)]
fn unreadable(path: &Path, error: &io::Error) -> String {
    let shown = path.display();
    match error.kind() {
        ErrorKind::NotFound => format!("{shown} is not there"),
        ErrorKind::PermissionDenied => format!("{shown} may not be read by this user"),
        _ => format!("{shown} cannot be read: {error}"),
    }
}

/// The first module in the tree, as `path@version` or `path` where there is but a list.
/// Broad before deep; only the root's own error counts.
fn find_version(root: &Path) -> io::Result<Option<String>> {
    let mut waiting = VecDeque::from([(PathBuf::new(), 0)]);
    let mut left = MAX_ENTRIES;
    while let Some((folder, depth)) = waiting.pop_front() {
        let entries = match fs::read_dir(root.join(&folder)) {
            Ok(entries) => entries,
            Err(error) if depth == 0 => return Err(error),
            Err(_) => continue,
        };
        for entry in entries.filter_map(Result::ok) {
            left = left.saturating_sub(1);
            if left == 0 {
                return Ok(None);
            }
            let name = entry.file_name();
            // The checksum database's files lie beside the modules in a module cache.
            let passed = depth == 0 && name == "sumdb";
            if passed || !entry.path().is_dir() {
                continue;
            }
            if name == "@v" {
                if let Some(version) = version_in(&entry.path()) {
                    return Ok(Some(format!("{}{version}", module(&folder))));
                }
            } else if depth < MAX_DEPTH {
                waiting.push_back((folder.join(name), depth + 1));
            }
        }
    }
    Ok(None)
}

/// `@VERSION` of some file in an `@v` folder, or nothing but a `list`.
fn version_in(folder: &Path) -> Option<String> {
    let mut found = None;
    for entry in fs::read_dir(folder)
        .ok()?
        .take(MAX_ENTRIES)
        .filter_map(Result::ok)
    {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name == "list" {
            found.get_or_insert_with(String::new);
        }
        let stem = [".info", ".mod", ".zip"]
            .iter()
            .find_map(|end| name.strip_suffix(end));
        if let Some(version) = stem {
            return Some(format!(
                "@{}",
                plain(version, crate::gosum::unescape_version)
            ));
        }
    }
    found
}

fn module(folder: &Path) -> String {
    let path = folder.to_string_lossy().replace('\\', "/");
    plain(&path, crate::gosum::unescape_path)
}

/// Unescaped for the reader, where it is what it seems; else as it is.
fn plain<E>(text: &str, unescape: impl Fn(&str) -> Result<String, E>) -> String {
    super::failure::quoted(&unescape(text).unwrap_or_else(|_| text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Verdict;

    fn tree(files: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        dir
    }

    #[test]
    fn a_tree_with_one_version_is_a_mirror() {
        let dir = tree(&["github.com/!burnt!sushi/toml/@v/v1.2.0.zip", "README"]);
        let found = look(dir.path()).unwrap();
        assert_eq!(found.reason, "holds github.com/BurntSushi/toml@v1.2.0");
        let dir = tree(&["sumdb/sum.test/lookup/x/@v/v1.mod", "a.test/b/@v/list"]);
        assert_eq!(look(dir.path()).unwrap().reason, "holds a.test/b");
    }

    #[test]
    fn what_go_could_not_use_is_not_a_mirror() {
        let absent = look(Path::new("/nonexistent/goroam")).unwrap_err();
        assert_eq!(absent.reason, "/nonexistent/goroam is not there");
        assert_eq!(absent.verdict, Verdict::Down);
        let dir = tree(&["src/main.go", "a.test/b/@v/v1.0.0.lock"]);
        assert_eq!(look(dir.path()).unwrap_err().verdict, Verdict::Wrong);
        let dir = tree(&["cache/download/a.test/b/@v/v1.0.0.mod"]);
        let cache = look(dir.path()).unwrap_err();
        let download = dir.path().join("cache").join("download");
        let instead = format!("name {} instead", download.display());
        assert!(cache.reason.ends_with(&instead), "{}", cache.reason);
        assert!(look(&dir.path().join("cache/download")).is_ok());
    }
}
