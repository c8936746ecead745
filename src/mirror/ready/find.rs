//! Which projects there are in and below a folder.

use std::fs;
use std::path::{Path, PathBuf};

use crate::gomod::go_work;

use super::shelf::read;

/// A go.mod or go.work; the largest known ones have some hundred kilobytes.
pub(super) const MOST_FILE: u64 = 16 << 20;
/// Folders that are looked into.
const MOST_FOLDERS: usize = 200_000;
/// Levels below the folder that was named.
const DEEPEST: usize = 12;
/// Projects that are taken.
const MOST_PROJECTS: usize = 1_000;

/// The folders of go.mod and go.work files in and below this one, or, where there is none, of
/// the one that is nearest above it. A module that a workspace uses is part of the workspace.
/// Passes `vendor`, `testdata`, `node_modules` over, and what begins with `.` or `_`, as go's
/// patterns do; follows no links.
pub fn projects(folder: &Path) -> Vec<PathBuf> {
    let folder = dunce::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    let (mut works, mut modules) = (Vec::new(), Vec::new());
    let mut open = vec![(folder.clone(), 0)];
    let mut left = MOST_FOLDERS;
    while let Some((folder, depth)) = open.pop() {
        left -= 1;
        if left == 0 || works.len() + modules.len() >= MOST_PROJECTS {
            break;
        }
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            let name = entry.file_name();
            if kind.is_dir() && depth < DEEPEST && !is_passed_over(&name.to_string_lossy()) {
                open.push((entry.path(), depth + 1));
            } else if kind.is_file() && name == "go.work" {
                works.push(folder.clone());
            } else if kind.is_file() && name == "go.mod" {
                modules.push(folder.clone());
            }
        }
    }
    let used: Vec<PathBuf> = works.iter().flat_map(|work| members(work)).collect();
    modules.retain(|module| !used.contains(module) && !works.contains(module));
    works.append(&mut modules);
    if works.is_empty() {
        let above = folder.ancestors().skip(1).take(64);
        let holds = |folder: &&Path| {
            ["go.work", "go.mod"]
                .iter()
                .any(|f| folder.join(f).is_file())
        };
        works.extend(above.into_iter().find(holds).map(Path::to_owned));
    }
    works.sort();
    works
}

fn is_passed_over(name: &str) -> bool {
    matches!(name, "vendor" | "testdata" | "node_modules") || name.starts_with(['.', '_'])
}

/// The folders of a workspace's modules, links resolved.
pub(super) fn members(work: &Path) -> Vec<PathBuf> {
    let text = read(&work.join("go.work"), MOST_FILE).unwrap_or_default();
    let used = go_work::parse(&text).r#use;
    let folders = used.iter().map(|used| work.join(&used.value));
    folders
        .map(|folder| dunce::canonicalize(&folder).unwrap_or(folder))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn projects_are_found_and_what_is_none_is_passed_over() {
        let home = tempfile::tempdir().unwrap();
        let root = dunce::canonicalize(home.path()).unwrap();
        let put = |path: &str, text: &str| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
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
        fs::write(home.path().join("go.mod"), "module a\n").unwrap();
        assert_eq!(projects(home.path()).len(), 1);
    }
}
