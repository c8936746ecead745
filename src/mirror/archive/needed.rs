//! What projects need of a mirror: what their go.sum files name. go writes a line there for
//! each file that some build of the project has read, and takes no other without asking.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::error::ArchiveError;
use crate::bounded;
use crate::gomod::ModuleVersion;
use crate::gomod::{go_mod, go_sum};

/// Where hashes are noted.
const SUMS: [&str; 2] = ["go.sum", "go.work.sum"];
/// Bytes; 200,000 lines.
const MOST_SUM: u64 = 32 << 20;
/// Levels below a folder that is named.
const DEEPEST: usize = 12;
/// Folders that are looked into.
const MOST_FOLDERS: usize = 200_000;

/// The versions that go.sum and go.work.sum files in and below these folders name; of a folder
/// with none, those of the nearest one above it. Passes over what go's patterns pass over.
///
/// # Errors
/// When there is none, or one cannot be read.
pub fn needed_by(folders: &[PathBuf]) -> Result<BTreeSet<ModuleVersion>, ArchiveError> {
    let mut needed = BTreeSet::new();
    for folder in folders {
        let named = dunce::canonicalize(folder).map_err(|error| ArchiveError::io(folder, error))?;
        let mut files = below(&named, &SUMS)?;
        if files.is_empty() {
            let mut above = named.ancestors().skip(1).map(|folder| those(folder, &SUMS));
            files = above.find(|files| !files.is_empty()).unwrap_or_default();
        }
        if files.is_empty() {
            let why = format!("there is no go.sum in, below or above {}", folder.display());
            return Err(ArchiveError::Nothing(why));
        }
        for file in files {
            let bytes = bounded::read_named(&file, MOST_SUM)
                .map_err(|error| ArchiveError::io(&file, error))?;
            let lines = go_sum::parse(&String::from_utf8_lossy(&bytes)).map_err(|error| {
                ArchiveError::malformed(&file.display().to_string(), &error.to_string())
            })?;
            needed.extend(lines.into_iter().map(|line| line.module));
        }
    }
    Ok(needed)
}

/// The versions that go.mod files in and below these folders require, whether or not a go.sum
/// names them yet.
///
/// # Errors
/// When one cannot be read.
pub fn required_by(folders: &[PathBuf]) -> Result<BTreeSet<ModuleVersion>, ArchiveError> {
    let mut required = BTreeSet::new();
    for folder in folders {
        let named = dunce::canonicalize(folder).map_err(|error| ArchiveError::io(folder, error))?;
        for file in below(&named, &["go.mod"])? {
            let bytes = bounded::read_named(&file, MOST_SUM)
                .map_err(|error| ArchiveError::io(&file, error))?;
            let read = go_mod::parse(&String::from_utf8_lossy(&bytes));
            let requires = read.require.into_iter().map(|require| require.module);
            let replaces = read.replace.into_iter().map(|replace| replace.new);
            required.extend(requires.chain(replaces));
        }
    }
    Ok(required)
}

fn those(folder: &Path, names: &[&str]) -> Vec<PathBuf> {
    let files = names.iter().map(|name| folder.join(name));
    files.filter(|file| file.is_file()).collect()
}

fn below(folder: &Path, names: &[&str]) -> Result<Vec<PathBuf>, ArchiveError> {
    let top = folder;
    let mut files = Vec::new();
    let mut open = vec![(folder.to_owned(), 0)];
    let mut left = MOST_FOLDERS;
    while let Some((folder, depth)) = open.pop() {
        files.extend(those(&folder, names));
        left -= 1;
        // What was not looked at may need anything: better nothing than half of it.
        if left == 0 {
            let why = format!(
                "{} has too many folders in it; name those of projects",
                top.display()
            );
            return Err(ArchiveError::Nothing(why));
        }
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let passed_over = name.starts_with(['.', '_'])
                || matches!(&*name, "vendor" | "testdata" | "node_modules");
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_folder && depth < DEEPEST && !passed_over {
                open.push((entry.path(), depth + 1));
            }
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sums_of_projects_below_or_above_are_read() {
        let root = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let needed = |name: &str| {
            let needed = needed_by(&[root.path().join(name)]).unwrap();
            needed
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(" ")
        };
        put(
            "src/a/go.sum",
            "a.test/b v1.0.0 h1:x=\na.test/b v1.0.0/go.mod h1:y=\n",
        );
        put("src/b/go.work.sum", "a.test/c v1.0.0/go.mod h1:y=\n");
        put("src/b/vendor/go.sum", "a.test/d v1.0.0 h1:y=\n");
        put("src/a/deep/a.go", "");
        assert_eq!(needed("src"), "a.test/b@v1.0.0 a.test/c@v1.0.0");
        assert_eq!(needed("src/a/deep"), "a.test/b@v1.0.0");
        put("other/go.sum", "<<<<<<< HEAD\n");
        let said = needed_by(&[root.path().join("other")])
            .unwrap_err()
            .to_string();
        assert!(said.contains("go.sum line 1"), "{said}");
    }
}
