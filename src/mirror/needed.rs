//! Finds projects and what they need of a mirror: the versions in their go.sum files. go adds a
//! line to go.sum for each file that a build of the project has read, and uses no other file
//! without asking.

use std::collections::BTreeSet;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::bounded;
use crate::gomod::go_mod::{self, GoMod};
use crate::gomod::project::{ProjectFiles, members};
use crate::gomod::{ModuleVersion, go_sum, go_work};

/// The files that list hashes.
const SUMS: [&str; 2] = ["go.sum", "go.work.sum"];
/// Maximum size of a go.sum in bytes: 200,000 lines. go has no limit.
pub(super) const MOST_SUM: u64 = 32 << 20;
/// Maximum size of a go.mod or go.work in bytes; the largest known ones have some hundred
/// kilobytes.
pub(super) const MOST_FILE: u64 = 16 << 20;
/// Maximum depth below a given directory.
const DEEPEST: usize = 12;
/// Maximum number of directories to read.
const MOST_FOLDERS: usize = 200_000;
/// Maximum number of projects.
const MOST_PROJECTS: usize = 1_000;

/// Returns the versions that go.sum and go.work.sum files in and below these directories name. If a
/// directory has none, uses those of its nearest parent that has one.
///
/// # Errors
/// When there is none, or one cannot be read: the reason, with its name.
pub fn needed_by(folders: &[PathBuf]) -> Result<BTreeSet<ModuleVersion>, String> {
    let mut needed = BTreeSet::new();
    for folder in folders {
        let mut files = files_below(folder, &SUMS)?;
        if files.is_empty() {
            let named = real(folder)?;
            let mut above = named.ancestors().skip(1).map(|folder| those(folder, &SUMS));
            files = above.find(|files| !files.is_empty()).unwrap_or_default();
        }
        if files.is_empty() {
            let folder = folder.display();
            return Err(format!("there is no go.sum in, below or above {folder}"));
        }
        for file in files {
            let lines = go_sum::parse(&text_of(&file)?)
                .map_err(|error| format!("{} {error}", file.display()))?;
            needed.extend(lines.into_iter().map(|line| line.module));
        }
    }
    Ok(needed)
}

/// Returns the versions that go.mod files in and below these directories require, even if no go.sum
/// names them yet.
///
/// # Errors
/// When one cannot be read: the reason, with its name.
pub fn required_by(folders: &[PathBuf]) -> Result<BTreeSet<ModuleVersion>, String> {
    let mut required = BTreeSet::new();
    for folder in folders {
        for file in files_below(folder, &["go.mod"])? {
            let read = go_mod::parse(&text_of(&file)?);
            required.extend(read.require.into_iter().map(|require| require.module));
            required.extend(read.replace.into_iter().map(|replace| replace.new));
        }
    }
    Ok(required)
}

/// Returns the directories of go.mod and go.work files in and below this one, or, if there are
/// none, of the nearest parent that has one. A module that a workspace uses is part of the
/// workspace.
pub fn projects(folder: &Path) -> Vec<PathBuf> {
    let folder = dunce::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    let holds = |folder: &Path, name: &str| folder.join(name).is_file();
    let (mut works, mut modules) = (Vec::new(), Vec::new());
    for folder in folders_below(&folder).0 {
        if works.len() + modules.len() >= MOST_PROJECTS {
            break;
        }
        if holds(&folder, "go.work") {
            works.push(folder);
        } else if holds(&folder, "go.mod") {
            modules.push(folder);
        }
    }
    let used: BTreeSet<PathBuf> = works.iter().flat_map(|work| used(work)).collect();
    modules.retain(|module| !used.contains(module));
    works.append(&mut modules);
    if works.is_empty() {
        let mut above = folder.ancestors().skip(1).take(64);
        let above = above.find(|folder| holds(folder, "go.work") || holds(folder, "go.mod"));
        works.extend(above.map(Path::to_owned));
    }
    works.sort();
    works
}

/// The directories of a workspace's modules, with links resolved.
fn used(work: &Path) -> Vec<PathBuf> {
    let text = bounded::read_text(&work.join("go.work"), MOST_FILE).unwrap_or_default();
    let folders = members(&go_work::parse(&text), work).into_iter();
    let real = |(_, folder)| dunce::canonicalize(&folder).unwrap_or(folder);
    folders.map(real).collect()
}

fn real(folder: &Path) -> Result<PathBuf, String> {
    dunce::canonicalize(folder).map_err(|error| format!("{}: {error}", folder.display()))
}

pub(super) fn text_of(file: &Path) -> Result<String, String> {
    let bytes = bounded::read_named(file, MOST_SUM).map_err(|error| error.to_string())?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn those(folder: &Path, names: &[&str]) -> Vec<PathBuf> {
    let files = names.iter().map(|name| folder.join(name));
    files.filter(|file| file.is_file()).collect()
}

fn files_below(folder: &Path, names: &[&str]) -> Result<Vec<PathBuf>, String> {
    let (folders, is_all) = folders_below(&real(folder)?);
    // A directory that was not read may need anything: an incomplete result would be wrong.
    if !is_all {
        let folder = folder.display();
        return Err(format!(
            "{folder} has too many folders in it; name those of projects"
        ));
    }
    Ok(folders
        .iter()
        .flat_map(|folder| those(folder, names))
        .collect())
}

/// Returns a directory and those below it, and whether the list is complete. Skips the directories
/// that go's patterns skip; does not follow links.
fn folders_below(top: &Path) -> (Vec<PathBuf>, bool) {
    let mut all = Vec::new();
    let mut open = vec![(top.to_owned(), 0)];
    while let Some((folder, depth)) = open.pop() {
        if all.len() >= MOST_FOLDERS {
            return (all, false);
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
        all.push(folder);
    }
    (all, true)
}

/// Reads the module files of the project in this directory. `files` names the go.mod and the go.sum
/// of a main module.
pub fn read_project(
    root: &Path,
    is_work: bool,
    files: &dyn Fn(&Path) -> (PathBuf, PathBuf),
) -> ProjectFiles {
    let mut project = ProjectFiles {
        root: root.to_owned(),
        ..ProjectFiles::default()
    };
    let mut folders = vec![(".".to_owned(), root.to_owned())];
    if is_work {
        let work = read_one(&mut project, "go.work", &root.join("go.work"));
        let work = go_work::parse(&work.unwrap_or_default());
        refuse(&mut project, "go.work", &work);
        folders = members(&work, root);
        read_sums(&mut project, "go.work.sum", &root.join("go.work.sum"));
        project.work = Some(work);
    }
    for (name, folder) in folders {
        let shown = |path: &Path| {
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            match name.strip_prefix("./") {
                Some(rest) => format!("{rest}/{file}"),
                None if name == "." => file.into_owned(),
                None => format!("{name}/{file}"),
            }
        };
        let (file, sums) = files(&folder);
        if let Some(text) = read_one(&mut project, &shown(&file), &file) {
            let go_mod = go_mod::parse(&text);
            refuse(&mut project, &shown(&file), &go_mod);
            read_sums(&mut project, &shown(&sums), &sums);
            project.mains.push((folder, go_mod));
        }
    }
    project
}

fn read_one(project: &mut ProjectFiles, name: &str, path: &Path) -> Option<String> {
    let read = bounded::read(path, MOST_SUM);
    let text = read.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let failed = |error: io::Error| {
        project
            .unreadable
            .push((name.to_owned(), error.to_string()))
    };
    text.map_err(failed).ok()
}

fn refuse(project: &mut ProjectFiles, name: &str, file: &GoMod) {
    let first = file.refusals().into_iter().next();
    let first = first.map(|fault| (name.to_owned(), fault.to_string()));
    project.unreadable.extend(first);
}

/// Reads one go.sum. A missing one is not an error: a module may have no dependencies.
fn read_sums(project: &mut ProjectFiles, name: &str, path: &Path) {
    let text = if path.exists() {
        read_one(project, name, path)
    } else {
        None
    };
    if let Err(error) = project.add_sums(&text.unwrap_or_default()) {
        project
            .unreadable
            .push((name.to_owned(), error.to_string()));
    }
}

/// Copies a go.work and its go.work.sum into this directory, with the same meaning. Returns the
/// path.
pub(super) fn copy_work(work: &GoMod, file: &Path, into: &Path) -> io::Result<PathBuf> {
    let copy = into.join("go.work");
    let text = elsewhere(work, file.parent().unwrap_or(file));
    bounded::create_new(&copy)?.write_all(text.as_bytes())?;
    copy_if_any(&sums_of(file), &sums_of(&copy))?;
    Ok(copy)
}

/// Copies a module file if it exists.
pub(super) fn copy_if_any(from: &Path, to: &Path) -> io::Result<()> {
    match bounded::if_any(bounded::copy(from, to, MOST_SUM)) {
        Ok(_) => Ok(()),
        Err(error) => {
            let why = format!("{}: {error}", from.display());
            Err(io::Error::new(error.kind(), why))
        }
    }
}

/// Returns the go.work.sum that belongs to a go.work, whatever its name in GOWORK.
pub(super) fn sums_of(work: &Path) -> PathBuf {
    work.with_extension("work.sum")
}

/// Formats the same go.work for another directory; omits lines that go does not know.
fn elsewhere(work: &GoMod, folder: &Path) -> String {
    // go compares these paths with its working directory byte by byte.
    let path = |path: &str| {
        let path = folder.join(path.replace('\\', "/"));
        let path = dunce::canonicalize(&path).unwrap_or(path);
        quoted(&path.display().to_string())
    };
    let mut out = String::new();
    let mut line = |line: &str| {
        out.push_str(line);
        out.push('\n');
    };
    if let Some(go) = &work.go {
        line(&format!("go {}", go.value));
    }
    if let Some(toolchain) = &work.toolchain {
        line(&format!("toolchain {}", toolchain.value));
    }
    for one in &work.godebug {
        let (key, value) = &one.value;
        line(&format!("godebug {key}={value}"));
    }
    for one in &work.r#use {
        line(&format!("use {}", path(&one.value)));
    }
    for one in &work.replace {
        let (old, new) = (&one.old, &one.new);
        let to = if one.is_local() {
            path(&new.path)
        } else {
            quoted(&new.path)
        };
        let from = quoted(&old.path);
        let line_of = format!("replace {from} {} => {to} {}", old.version, new.version);
        line(&line_of);
    }
    out
}

/// Formats a Go string, which `modfile.parseString` reads.
fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{escaped}\"")
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

    #[test]
    #[cfg(unix)]
    fn a_go_work_means_the_same_in_another_folder() {
        let text = "go 1.21\ntoolchain go1.21.3\nuse (\n\t.\n\t./a\n\t../b c\n)\nuse \"../b c\"\n\
            replace x.test/x v1.0.0 => ./x\nreplace y.test/y => z.test/z v1.2.3\n";
        let work = go_work::parse(text);
        let copy = go_work::parse(&elsewhere(&work, Path::new("/p/w")));
        let used: Vec<&str> = copy.r#use.iter().map(|one| one.value.as_str()).collect();
        assert_eq!(used, ["/p/w/.", "/p/w/./a", "/p/w/../b c"]);
        assert_eq!(copy.go_version(), "1.21");
        let new: Vec<&str> = copy
            .replace
            .iter()
            .map(|one| one.new.path.as_str())
            .collect();
        assert_eq!(new, ["/p/w/./x", "z.test/z"]);
        assert_eq!(copy.replace[0].old.to_string(), "x.test/x@v1.0.0");
        assert_eq!(quoted(r#"C:\a"b"#), r#""C:\\a\"b""#);
    }
}

#[cfg(test)]
mod project_tests {
    use super::*;

    #[test]
    fn projects_are_found_and_what_is_none_is_passed_over() {
        let home = tempfile::tempdir().unwrap();
        let root = dunce::canonicalize(home.path()).unwrap();
        let put = |path: &str, text: &str| {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        put("app/go.mod", "module app\n");
        put("app/tools/go.mod", "module tools\n");
        put("app/vendor/x/go.mod", "module x\n");
        put("app/testdata/go.mod", "module t\n");
        put("app/_old/go.mod", "module o\n");
        put("app/.git/go.mod", "module g\n");
        put("app/pkg/x.go", "package pkg\n");
        put("ws/go.work", "go 1.22\nuse ./a\n");
        put("ws/a/go.mod", "module a\n");
        put("ws/b/go.mod", "module b\n");
        put("empty/x", "");
        let found = |folder: &str| -> Vec<String> {
            let all = projects(&root.join(folder));
            let below = all.iter().map(|path| path.strip_prefix(&root).unwrap());
            below
                .map(|path| path.to_string_lossy().replace('\\', "/"))
                .collect()
        };
        assert_eq!(found(""), ["app", "app/tools", "ws", "ws/b"]);
        assert_eq!(found("app/pkg"), ["app"]);
        assert_eq!(found("ws"), ["ws", "ws/b"]);
        assert_eq!(found("empty"), [""; 0]);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_itself_is_not_followed() {
        let home = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(home.path(), home.path().join("again")).unwrap();
        std::fs::write(home.path().join("go.mod"), "module a\n").unwrap();
        assert_eq!(projects(home.path()).len(), 1);
    }
}
