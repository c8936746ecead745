//! The machine's own go command.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run::{self, Result};

/// A go command that runs.
pub struct Go {
    pub path: PathBuf,
    /// `go1.27.3`
    pub version: String,
}

/// Finds the go command in PATH or in one of the usual places.
pub fn find() -> Option<Go> {
    let in_path = run::find("go");
    in_path.into_iter().chain(usual_places()).find_map(|path| {
        // A version manager's shim is a file too, but works only when a version is chosen.
        let said = run::output(Command::new(&path).arg("version")).ok()?;
        let version = said.split_whitespace().nth(2)?.to_owned();
        Some(Go { path, version })
    })
}

impl Go {
    /// Returns the value that the go command uses.
    pub fn env(&self, name: &str) -> Result<String> {
        run::output(Command::new(&self.path).args(["env", name])).map(|text| text.trim().to_owned())
    }
}

fn usual_places() -> Vec<PathBuf> {
    let mut dirs: Vec<PathBuf> = [
        "/usr/local/go/bin",
        "/usr/lib/go/bin",
        "/opt/homebrew/bin",
        "/usr/local/bin",
        "/snap/bin",
        "C:\\Program Files\\Go\\bin",
    ]
    .iter()
    .map(PathBuf::from)
    .collect();
    if let Some(home) = std::env::home_dir() {
        dirs.extend([home.join("go/bin"), home.join(".local/go/bin")]);
        let mut sdks: Vec<PathBuf> = list(&home.join("sdk"))
            .into_iter()
            .map(|dir| dir.join("bin"))
            .collect();
        sdks.sort();
        dirs.extend(sdks.into_iter().rev());
    }
    let file = format!("go{}", std::env::consts::EXE_SUFFIX);
    dirs.into_iter()
        .map(|dir| dir.join(&file))
        .filter(|path| path.is_file())
        .collect()
}

fn list(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}
