//! The projects that were seen, and what came of the last look: private files in the state folder.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::gomod::sum::{Summing, hex};
use crate::model::status;
use crate::paths::{Paths, exact, from_exact};
use crate::state::file;

/// Projects that are remembered; of more the ones seen last.
const MOST: usize = 500;

/// The file's form. Unknown fields of a newer goroam are passed over.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Kept {
    /// Folders, the one seen last at the end.
    projects: Vec<String>,
}

/// The projects that are remembered and still there.
pub fn remembered(paths: &Paths) -> Vec<PathBuf> {
    let mut there = kept(paths);
    there.retain(|folder| is_project(folder));
    there
}

fn kept(paths: &Paths) -> Vec<PathBuf> {
    // A file that cannot be read is one that nobody has written: what is in it can be had again.
    let bytes = file::read(&paths.projects(), 4 << 20).ok().flatten();
    let kept: Kept = bytes
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default();
    kept.projects.iter().map(|text| from_exact(text)).collect()
}

fn is_project(folder: &Path) -> bool {
    ["go.mod", "go.work"]
        .iter()
        .any(|name| folder.join(name).is_file())
}

/// Keeps these too. What is gone drops out.
///
/// # Errors
/// When the file cannot be written; it is then as it was.
pub fn remember(paths: &Paths, projects: &[PathBuf]) -> io::Result<()> {
    let before = kept(paths);
    let mut all = before.clone();
    all.retain(|folder| is_project(folder) && !projects.contains(folder));
    all.extend(projects.iter().cloned());
    let surplus = all.len().saturating_sub(MOST);
    all.drain(..surplus);
    if BTreeSet::from_iter(&all) == BTreeSet::from_iter(&before) {
        return Ok(());
    }
    write(paths, &all)
}

/// Forgets the projects in and below these folders; how many those were.
///
/// # Errors
/// When the file cannot be written; it is then as it was.
pub fn forget(paths: &Paths, folders: &[PathBuf]) -> io::Result<usize> {
    let mut all = kept(paths);
    let before = all.len();
    let is_below = |project: &PathBuf| folders.iter().any(|folder| project.starts_with(folder));
    all.retain(|project| !is_below(project));
    let gone = before - all.len();
    if gone > 0 {
        write(paths, &all)?;
    }
    Ok(gone)
}

fn write(paths: &Paths, projects: &[PathBuf]) -> io::Result<()> {
    let projects = projects.iter().map(|path| exact(path)).collect();
    file::private_folder(&paths.state)?;
    let bytes = serde_json::to_vec_pretty(&Kept { projects })?;
    file::replace(&paths.projects(), &bytes)
}

/// Keeps what came of a look at all remembered projects, for `status`.
///
/// # Errors
/// When the file cannot be written.
pub fn note(paths: &Paths, readiness: &status::Readiness) -> io::Result<()> {
    file::private_folder(&paths.state)?;
    file::replace(&paths.readiness(), &serde_json::to_vec(readiness)?)
}

/// What go's answer about a project depends on, as one hash.
#[derive(Default)]
pub(super) struct Key(Summing);

impl Key {
    /// One more thing. Names and contents cannot run into each other.
    pub(super) fn add(&mut self, name: &str, content: &[u8]) {
        for part in [name.as_bytes(), content] {
            self.0.update(&(part.len() as u64).to_le_bytes());
            self.0.update(part);
        }
    }

    pub(super) fn finish(self) -> String {
        hex(&self.0.finish())
    }
}

/// go's answers about projects, by what they depend on: so that only what has changed is asked
/// about again.
#[derive(Debug, Default)]
pub struct Answers {
    all: BTreeMap<String, Answer>,
    asked: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Answer {
    /// Seconds since 1970.
    at: i64,
    /// Why go would not build it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trouble: Option<String>,
}

impl Answers {
    /// Those that are kept.
    pub fn load(paths: &Paths) -> Answers {
        let bytes = file::read(&paths.asked(), 4 << 20).ok().flatten();
        let all = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Answers {
            all: all.unwrap_or_default(),
            asked: false,
        }
    }

    /// Keeps them, where there are new ones: the newest, if they are many.
    ///
    /// # Errors
    /// When the file cannot be written; it is then as it was.
    pub fn save(mut self, paths: &Paths) -> io::Result<()> {
        if !self.asked {
            return Ok(());
        }
        while self.all.len() > MOST {
            let oldest = self.all.iter().min_by_key(|(_, answer)| answer.at);
            let Some(key) = oldest.map(|(key, _)| key.clone()) else {
                break;
            };
            self.all.remove(&key);
        }
        file::private_folder(&paths.state)?;
        file::replace(&paths.asked(), &serde_json::to_vec(&self.all)?)
    }

    pub(super) fn get(&self, key: &str) -> Option<&Option<String>> {
        self.all.get(key).map(|answer| &answer.trouble)
    }

    pub(super) fn keep(&mut self, key: String, trouble: Option<String>) {
        let at = jiff::Timestamp::now().as_second();
        self.all.insert(key, Answer { at, trouble });
        self.asked = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::Environment;

    #[test]
    fn projects_are_kept_until_they_are_gone_or_forgotten() {
        let home = tempfile::tempdir().unwrap();
        let own = home.path().to_str().unwrap();
        let env: Environment = [("HOME", own), ("USERPROFILE", own)].into_iter().collect();
        let mut paths = Paths::find(Some("/x".into()), &env).unwrap();
        paths.state = home.path().join("state");
        let project = |name: &str| {
            let folder = home.path().join(name);
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join("go.mod"), "module x\n").unwrap();
            folder
        };
        let (a, b, c) = (project("a"), project("b"), project("c"));
        assert_eq!(remembered(&paths), [""; 0].map(PathBuf::from));
        remember(&paths, &[a.clone(), b.clone()]).unwrap();
        remember(&paths, std::slice::from_ref(&c)).unwrap();
        assert_eq!(remembered(&paths), [a.clone(), b.clone(), c.clone()]);
        std::fs::remove_dir_all(&b).unwrap();
        assert_eq!(remembered(&paths), [a.clone(), c.clone()]);
        assert_eq!(forget(&paths, std::slice::from_ref(&a)).unwrap(), 1);
        assert_eq!(remembered(&paths), [c]);
        let many: Vec<PathBuf> = (0..MOST + 9).map(|n| project(&format!("p{n}"))).collect();
        remember(&paths, &many).unwrap();
        assert_eq!(remembered(&paths).len(), MOST);
        std::fs::write(paths.projects(), "{broken").unwrap();
        assert_eq!(remembered(&paths).len(), 0);
        remember(&paths, &many[..1]).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let meta = std::fs::metadata(paths.projects()).unwrap();
            assert_eq!(meta.permissions().mode() & 0o777, 0o600);
        }
    }
}
