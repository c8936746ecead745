//! The packages of a release, made by `cargo xtask dist`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The folder with the packages; `Err` says why there are none.
///
/// `cargo xtask test` makes them once and names the folder in `GOROAM_DIST`, or says there why it
/// has none. Without it they are made now, which takes minutes the first time.
pub fn dist() -> Result<PathBuf, String> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Err("packages are made on Linux, x86_64".to_owned());
    }
    match std::env::var("GOROAM_DIST") {
        Ok(why) if why.starts_with("none: ") => Err(why),
        Ok(folder) => Ok(PathBuf::from(folder)),
        Err(_) => Ok(MADE.get_or_init(make).clone()),
    }
}

/// Made once: two at a time would tread on each other in the folder where they work.
static MADE: OnceLock<PathBuf> = OnceLock::new();

fn make() -> PathBuf {
    let out = root().join("target/dist");
    let made = xtask(&["--source", "--deb", "--rpm", "--tar"], &out).status();
    assert!(made.unwrap().success());
    out
}

/// `cargo xtask dist ARGS --out FOLDER`, not started yet.
pub fn xtask(args: &[&str], out: &Path) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .current_dir(root())
        .args(["run", "--quiet", "--package", "xtask", "--", "dist"])
        .args(args)
        .arg("--out")
        .arg(out);
    cargo
}

/// The repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The one file of that folder whose name begins and ends so.
#[track_caller]
pub fn only(folder: &Path, start: &str, end: &str) -> PathBuf {
    let listed = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let found: Vec<PathBuf> = listed
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with(start) && name.ends_with(end)
        })
        .collect();
    assert_eq!(
        found.len(),
        1,
        "{start}*{end} in {}: {found:?}",
        folder.display()
    );
    found.into_iter().next().unwrap()
}

/// What a program says when it goes well.
#[track_caller]
pub fn said(command: &mut Command) -> String {
    let said = command
        .output()
        .unwrap_or_else(|err| panic!("{command:?}: {err}"));
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&said.stderr);
    assert!(
        said.status.success(),
        "{command:?}: {}\n{text}{stderr}",
        said.status
    );
    text
}

/// Is there such a program? As root on Linux, `cargo xtask test` has installed what tests need.
pub fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
