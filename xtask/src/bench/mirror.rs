//! Measures the speed of `goroam mirror verify` beside go on the same modules. The programs run in
//! turn, several times, so that other load on the machine affects all of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use super::stats;
use crate::lab;
use crate::run::{self, Result};

/// Its go.mod is created where it is built.
const ZIPS: &str = include_str!("zips/main.go");
const GO: &str = "1.27.3";

/// The directory of all files, and the go to compare with.
struct Place {
    root: PathBuf,
    go: PathBuf,
    lab_modules: PathBuf,
}

impl Drop for Place {
    fn drop(&mut self) {
        // These are gigabytes. What cannot be removed stays in the directory for temporary files.
        let _ = fs::remove_dir_all(&self.root);
    }
}

/// Prints wall times over modules of this many megabytes, compressed.
pub fn mirror(goroam: &Path, megabytes: u64, runs: u64) -> Result {
    eprintln!("making {megabytes} MB of modules");
    let place = Place::new()?;
    let zips = place.build_zips()?;
    let tree = place.root.join("mirror");
    let bytes = megabytes.saturating_mul(1_000_000);
    let source = place
        .go
        .parent()
        .and_then(Path::parent)
        .unwrap_or(&place.go)
        .join("src");
    run::output(
        Command::new(&zips)
            .arg("make")
            .arg(bytes.to_string())
            .args([&source, &tree]),
    )?;
    let project = place.fill_module_cache(&tree)?;
    let packed = size(&tree, ".zip")?;
    let unpacked = size(&place.root.join("gopath/pkg/mod"), "")?.saturating_sub(packed);

    let verify = || {
        let mut command = Command::new(goroam);
        command.args(["mirror", "verify", "--mirror"]).arg(&tree);
        command
            .env_clear()
            .env("HOME", &place.root)
            .env("GOSUMDB", "off");
        command
    };
    let mod_verify = || place.go(&project, &["mod", "verify"]);
    let hash_zip = || {
        let mut command = Command::new(&zips);
        command.arg("hash").arg(&tree);
        command
    };
    let mut took: [Vec<f64>; 3] = Default::default();
    // The first round only loads the files into memory.
    for round in 0..=runs {
        eprintln!("round {round} of {runs}");
        for (place, command) in [verify(), mod_verify(), hash_zip()].iter_mut().enumerate() {
            let start = Instant::now();
            command.stdout(Stdio::null());
            run::output(command)?;
            if round > 0 {
                took[place].push(start.elapsed().as_secs_f64());
            }
        }
    }
    let count = count(&tree)?;
    println!(
        "| {count} modules, zips of {} MB, unpacked {} MB; {runs} runs | median | least to most | zips a second | times goroam's |",
        packed / 1_000_000,
        unpacked / 1_000_000
    );
    println!("| --- | ---: | ---: | ---: | ---: |");
    let base = stats::median(&took[0]).unwrap_or(f64::NAN);
    for (what, took) in [
        "`goroam mirror verify`",
        "`go mod verify` (zips and folders)",
        "Go's dirhash.HashZip, zips alone",
    ]
    .iter()
    .zip(&took)
    {
        let median = stats::median(took).unwrap_or(f64::NAN);
        let least = took.iter().copied().fold(f64::INFINITY, f64::min);
        let most = took.iter().copied().fold(0.0, f64::max);
        println!(
            "| {what} | {median:.2} s | {least:.2} to {most:.2} s | {:.0} MB | {:.2} |",
            packed as f64 / 1e6 / median,
            median / base
        );
    }
    println!();
    let slower = took[1..]
        .iter()
        .any(|other| stats::median(other).is_none_or(|other| other <= base));
    if slower {
        return Err("goroam is to be faster than both, and is not".to_owned());
    }
    Ok(())
}

impl Place {
    fn new() -> Result<Place> {
        let go = run::output(lab::script("go").arg(GO))?;
        run::output(&mut lab::script("mods"))?;
        let root = std::env::temp_dir().join(format!("goroam-bench-{}", std::process::id()));
        fs::create_dir_all(&root).map_err(|err| format!("{}: {err}", root.display()))?;
        Ok(Place {
            root,
            go: PathBuf::from(go.trim()),
            lab_modules: lab::dir().join("tree/public"),
        })
    }

    fn go(&self, folder: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(&self.go);
        command
            .args(args)
            .current_dir(folder)
            .env_clear()
            .env("HOME", &self.root)
            .env("PATH", "/usr/bin:/bin")
            .env("GOPATH", self.root.join("gopath"))
            .env("GOENV", "off")
            .env("GOFLAGS", "-modcacherw -mod=mod")
            .env("GOSUMDB", "off")
            .env("GOTOOLCHAIN", "local");
        command
    }

    /// Builds the program that makes zips, and hashes them as go does.
    fn build_zips(&self) -> Result<PathBuf> {
        let folder = self.root.join("zips");
        write(&folder.join("main.go"), ZIPS)?;
        let go_mod = "module zips\n\ngo 1.24\n\nrequire golang.org/x/mod v0.7.0\n";
        write(&folder.join("go.mod"), go_mod)?;
        let program = self.root.join("zips/zips");
        let mut build = self.go(&folder, &["build", "-o", "zips", "."]);
        build.env("GOPROXY", format!("file://{}", self.lab_modules.display()));
        run::output(&mut build)?;
        Ok(program)
    }

    /// Makes a project that needs all modules, and go's cache with all of them extracted. The
    /// cache's zips are the mirror's own files, so that each file is in memory for both or for
    /// none.
    fn fill_module_cache(&self, tree: &Path) -> Result<PathBuf> {
        let mut go_mod = String::from("module project\n\ngo 1.21\n\nrequire (\n");
        for zip in files(&tree.join("bench.test"), ".zip")? {
            let name = zip.strip_prefix(tree).unwrap_or(&zip).display().to_string();
            let (path, version) = name.split_once("/@v/").unwrap_or_default();
            go_mod += &format!("\t{path} {}\n", version.trim_end_matches(".zip"));
        }
        go_mod += ")\n";
        let project = self.root.join("project");
        write(&project.join("go.mod"), &go_mod)?;
        let mut download = self.go(&project, &["mod", "download", "all"]);
        download.env("GOPROXY", format!("file://{},off", tree.display()));
        run::output(&mut download)?;
        let cache = self.root.join("gopath/pkg/mod/cache/download");
        for zip in files(&tree.join("bench.test"), ".zip")? {
            let twin = cache.join(zip.strip_prefix(tree).unwrap_or(&zip));
            fs::remove_file(&twin)
                .and_then(|()| fs::hard_link(&zip, &twin))
                .map_err(|err| format!("{}: {err}", twin.display()))?;
        }
        Ok(project)
    }
}

fn write(path: &Path, text: &str) -> Result {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(path, text))
        .map_err(|err| format!("{}: {err}", path.display()))
}

fn count(tree: &Path) -> Result<usize> {
    files(tree, ".zip").map(|files| files.len())
}

fn size(tree: &Path, end: &str) -> Result<u64> {
    let files = files(tree, end)?;
    Ok(files
        .iter()
        .filter_map(|file| file.metadata().ok())
        .map(|meta| meta.len())
        .sum())
}

fn files(tree: &Path, end: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![tree.to_owned()];
    while let Some(folder) = open.pop() {
        let entries =
            fs::read_dir(&folder).map_err(|err| format!("{}: {err}", folder.display()))?;
        for entry in entries.flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path.to_string_lossy().ends_with(end) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
