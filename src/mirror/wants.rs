//! What is to be added, what go.sum files and go say about it, and the errors of all actions on a
//! mirror.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::needed::MOST_SUM;
use crate::bounded;
use crate::gocmd::FindError;
use crate::gocmd::job::Ran;
use crate::gocmd::run::RunError;
use crate::gomod::ModuleVersion;
use crate::gomod::go_sum::{self, Hashed};
use crate::gomod::stored::Claim;

/// Something that could not be added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failed {
    /// The module's path, or the project's directory.
    pub module: String,
    /// The version, or the query; empty for a project.
    pub version: String,
    /// The reason, in go's words if go reported it.
    pub why: String,
    /// Whether something does not match its checksum.
    pub mismatch: bool,
}

impl Failed {
    /// A version that cannot be added for this reason.
    pub(super) fn of(module: &ModuleVersion, why: String) -> Failed {
        Failed {
            module: module.path.clone(),
            version: module.version.clone(),
            why,
            mismatch: false,
        }
    }
}

/// What is to be added.
#[derive(Debug, Default)]
pub(super) struct Wants {
    /// Complete versions.
    pub(super) zips: BTreeSet<ModuleVersion>,
    /// Versions of which module graphs need only go.mod (and `.info`, if go has asked for it).
    pub(super) mods: BTreeSet<ModuleVersion>,
    /// What go could not download.
    pub(super) failed: Vec<Failed>,
    claims: BTreeMap<(ModuleVersion, Hashed), Claim>,
}

impl Wants {
    /// Returns what the projects' go.sum files state about a version.
    pub(super) fn claims(&self, module: &ModuleVersion) -> Vec<Claim> {
        [Hashed::Zip, Hashed::GoMod]
            .into_iter()
            .filter_map(|of| self.claims.get(&(module.clone(), of)).cloned())
            .collect()
    }

    /// Returns the versions of which a project's go.sum states the zip: what a build may need.
    pub(super) fn listed(&self) -> impl Iterator<Item = &ModuleVersion> {
        let claims = self.claims.keys();
        let zips = claims.filter(|(_, of)| *of == Hashed::Zip);
        zips.map(|(module, _)| module)
    }

    /// Adds the lines of a go.sum as requirements of its project; a missing file has no lines. If a
    /// file has several lines, the first counts, as for go (`modfetch.haveModSumLocked`).
    pub(super) fn insist(&mut self, file: &Path) -> Result<(), AddError> {
        for line in lines(file)? {
            if line.hash.starts_with("h1:") {
                let claim = Claim {
                    of: line.of,
                    hash: line.hash,
                    by: file.display().to_string(),
                    sure: true,
                };
                self.claims.entry((line.module, line.of)).or_insert(claim);
            }
        }
        Ok(())
    }

    /// Adds the go.mods that a go.sum names: go writes a line for each that it reads.
    pub(super) fn want_mods(&mut self, file: &Path) -> Result<(), AddError> {
        let lines = lines(file)?.into_iter();
        let mods = lines.filter(|line| line.of == Hashed::GoMod);
        self.mods.extend(mods.map(|line| line.module));
        Ok(())
    }

    /// Adds the content of another list, with its failures.
    pub(super) fn join(&mut self, other: Wants) {
        self.zips.extend(other.zips);
        for failed in other.failed {
            if !self.failed.contains(&failed) {
                self.failed.push(failed);
            }
        }
    }

    /// Records what go could not download.
    pub(super) fn fail(&mut self, module: &str, version: &str, why: &str) {
        let failed = Failed {
            module: module.to_owned(),
            version: version.to_owned(),
            why: why.to_owned(),
            mismatch: is_mismatch(why),
        };
        if !self.failed.contains(&failed) {
            self.failed.push(failed);
        }
    }
}

/// Returns the lines of a go.sum; none if the file does not exist.
pub(super) fn lines(file: &Path) -> Result<Vec<go_sum::GoSumLine>, AddError> {
    let bytes = bounded::if_any(bounded::read(file, MOST_SUM));
    let bytes = bytes.map_err(|error| AddError::file(file, &error))?;
    go_sum::parse(&String::from_utf8_lossy(&bytes.unwrap_or_default()))
        .map_err(|error| AddError::Usage(format!("{}: {error}", file.display())))
}

/// Reports whether go's message says that something does not match its checksum
/// (`modfetch.checkModSum`).
fn is_mismatch(complaint: &str) -> bool {
    complaint.contains("SECURITY ERROR") || complaint.contains(": checksum mismatch")
}

/// An object of `go mod download -json` (`modcmd.ModuleJSON`).
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Downloaded {
    pub(super) path: String,
    pub(super) version: String,
    pub(super) error: Option<String>,
}

/// Parses the objects that go printed one after another. Everything after a broken one is lost.
pub(super) fn downloaded(out: &[u8]) -> Vec<Downloaded> {
    let objects = serde_json::Deserializer::from_slice(out).into_iter::<Downloaded>();
    objects.map_while(Result::ok).collect()
}

/// Returns go's error message without the lines that only report progress.
pub(super) fn complaint(err: &str) -> String {
    let lines: Vec<&str> = err
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with("go: downloading "))
        .collect();
    let said = lines.join("\n");
    let said = said.strip_prefix("go: ").unwrap_or(&said);
    if said.is_empty() {
        return "go said nothing".to_owned();
    }
    said.to_owned()
}

/// Replaces the path of the copy in go's message by the original file's name. go prints the copy's
/// full path or the relative one, whichever is shorter (`base.ShortPath`).
pub(super) fn meant(said: &str, copy: &Path, name: &str) -> String {
    let mut parts = copy.components().rev().map(|part| part.as_os_str());
    let (file, folder) = (parts.next(), parts.next());
    let (Some(file), Some(folder)) = (file, folder) else {
        return said.to_owned();
    };
    // No other path contains the temporary directory's name.
    let copy = Path::new(folder).join(file).display().to_string();
    let words = said.split_inclusive([' ', '\t', '\n', '"']);
    let meant = words.map(|word| match word.split_once(&copy) {
        Some((_, rest)) => format!("{name}{rest}"),
        None => word.to_owned(),
    });
    meant.collect()
}

/// Adds what `go mod download -json` downloaded, and returns these versions.
pub(super) fn took(ran: &Ran, name: &str, wants: &mut Wants) -> Vec<ModuleVersion> {
    let (mut all, mut told) = (Vec::new(), false);
    for one in downloaded(&ran.out) {
        match one.error {
            Some(why) => {
                told = true;
                wants.fail(&one.path, &one.version, &crate::model::mask(&why));
            }
            None => all.push(ModuleVersion::new(one.path, one.version)),
        }
    }
    if !ran.success && !told {
        wants.fail(name, "", &complaint(&ran.err));
    }
    wants.zips.extend(all.iter().cloned());
    all
}

/// Why an action on a mirror failed.
#[derive(Debug, thiserror::Error)]
pub enum AddError {
    /// There is no go command. Exit code 3.
    #[error(transparent)]
    Find(#[from] FindError),
    /// go could not be run, or a file or directory cannot be read or written.
    #[error("{0}")]
    Failed(String),
    /// The checksum database has shown two different trees. Exit code 6.
    #[error("nothing was stored: {0}")]
    Forked(String),
    /// The request makes no sense: there is no project, or the version is not in the mirror. Exit
    /// code 2.
    #[error("{0}")]
    Usage(String),
    /// The mirror's directory holds other things. Exit code 4.
    #[error("{0}")]
    Refused(String),
}

impl AddError {
    /// An error about a file.
    pub(super) fn file(path: &Path, error: &io::Error) -> AddError {
        AddError::Failed(format!("{}: {error}", path.display()))
    }

    /// An error about a temporary directory.
    pub(super) fn temporary(error: io::Error) -> AddError {
        AddError::Failed(format!("cannot make a temporary folder: {error}"))
    }
}

impl From<RunError> for AddError {
    fn from(error: RunError) -> AddError {
        AddError::Failed(error.to_string())
    }
}

/// Refuses a module cache, which belongs to go, and a directory with other things in it.
pub(super) fn refuse_foreign(root: &Path, cache: &Path) -> Result<(), AddError> {
    let refuse = |why: &str| AddError::Refused(format!("{}: {why}", root.display()));
    let (real_root, real_cache) = (real(root), real(cache));
    if real_root.starts_with(&real_cache) || real_cache.starts_with(&real_root) {
        return Err(refuse(
            "it is go's module cache, or around it; a mirror needs a separate directory",
        ));
    }
    refuse_other_things(root)
}

/// Refuses a directory with other things in it.
pub(super) fn refuse_other_things(root: &Path) -> Result<(), AddError> {
    let entries = match std::fs::read_dir(root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(AddError::file(root, &error)),
    };
    if entries.into_iter().next().is_some() && !root.join(".goroam").is_dir() {
        return Err(AddError::Refused(format!(
            "{}: it holds other things; name an empty folder or one that does not exist. To make a \
             mirror of it all the same, make the folder .goroam in it",
            root.display()
        )));
    }
    Ok(())
}

/// Returns the path with links resolved in the part that exists.
fn real(path: &Path) -> PathBuf {
    for above in path.ancestors() {
        if let (Ok(real), Ok(rest)) = (dunce::canonicalize(above), path.strip_prefix(above)) {
            // Joining an empty path would add a slash at the end.
            return real.components().chain(rest.components()).collect();
        }
    }
    path.to_owned()
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    #[test]
    fn no_mirror_is_made_in_or_around_the_module_cache_by_whatever_name() {
        let top = tempfile::tempdir().unwrap();
        let cache = top.path().join("go/pkg/mod");
        std::fs::create_dir_all(cache.join("cache/download")).unwrap();
        std::os::unix::fs::symlink(&cache, top.path().join("link")).unwrap();
        for root in [
            "go/pkg/mod",
            "go/pkg/mod/mirror",
            "go/pkg/mod/cache/download",
            "go",
            "link/new/mirror",
        ] {
            let refused = refuse_foreign(&top.path().join(root), &cache);
            assert!(
                matches!(&refused, Err(AddError::Refused(why)) if why.contains("module cache")),
                "{root}: {refused:?}"
            );
        }
        for root in ["mirror", "go/pkg/mod2", "go/pkg/mirror/new"] {
            assert!(
                refuse_foreign(&top.path().join(root), &cache).is_ok(),
                "{root}"
            );
        }
        std::fs::create_dir_all(top.path().join("full/of")).unwrap();
        let refused = refuse_foreign(&top.path().join("full"), &cache);
        assert!(
            matches!(refused, Err(AddError::Refused { .. })),
            "{refused:?}"
        );
    }
}

// The paths have the Unix form.
#[cfg(test)]
#[cfg(unix)]
mod said_tests {
    use super::*;

    #[test]
    fn go_s_complaint_names_the_project_s_file_and_not_its_copy() {
        let copy = Path::new("/tmp/.tmpAb/go.mod");
        for (said, want) in [
            (
                "errors parsing /tmp/.tmpAb/go.mod:\n/tmp/.tmpAb/go.mod:7: replacement",
                "errors parsing /src/go.mod:\n/src/go.mod:7: replacement",
            ),
            ("../../.tmpAb/go.mod:7: x", "/src/go.mod:7: x"),
            ("/tmp/.tmpCd/go.mod:7: x", "/tmp/.tmpCd/go.mod:7: x"),
            ("", ""),
        ] {
            assert_eq!(meant(said, copy, "/src/go.mod"), want);
        }
    }
}
