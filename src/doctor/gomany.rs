//! The go commands on PATH, told apart without running one: `GOROOT/VERSION` says it.

use std::path::Path;

use super::files::Files;
use crate::environment::Environment;
use crate::gocmd::GoVersion;

/// Path and version of each go command on PATH, in its order; the first of each version.
/// Shims of version managers have no version of their own.
pub(super) fn on_path(env: &Environment, files: &dyn Files) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    let Some(path) = env.get("PATH") else {
        return found;
    };
    let name = if cfg!(windows) { "go.exe" } else { "go" };
    for folder in std::env::split_paths(path).filter(|folder| folder.is_absolute()) {
        let program = folder.join(name);
        if !files.is_file(&program) {
            continue;
        }
        let real = dunce::canonicalize(&program).unwrap_or_else(|_| program.clone());
        let version = real
            .parent()
            .and_then(Path::parent)
            .and_then(|root| files.read(&root.join("VERSION")).ok().flatten())
            .and_then(|text| GoVersion::parse(&text));
        if let Some(version) = version
            && !found.iter().any(|(_, known)| *known == version.text)
        {
            found.push((program.display().to_string(), version.text));
        }
    }
    found
}
