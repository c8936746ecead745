//! What all packages of one release share: version, time, commit, the project's address.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::packages;
use crate::run::{self, Result};

/// The address where the project is published, from the workspace's Cargo.toml. The release files
/// are below it, as `releases/download/vVERSION/FILE`.
pub const REPOSITORY: &str = env!("CARGO_PKG_REPOSITORY");
/// The maintainer of the packages.
pub const MAINTAINER: &str = "The goroam authors <goroam@users.noreply.github.com>";

/// One release of goroam.
pub struct Release {
    /// The version in Cargo.toml.
    pub version: String,
    /// The time of every file: that of the last commit, or SOURCE_DATE_EPOCH, in seconds since
    /// 1970.
    pub epoch: u64,
    /// The last commit, in hex.
    pub commit: String,
    /// The directory for the finished files.
    pub out: PathBuf,
}

impl Release {
    /// Returns the release of the last commit in this directory.
    pub fn here(out: Option<&Path>) -> Result<Release> {
        let git = |args: &[&str]| {
            let said = run::output(Command::new("git").current_dir(run::root()).args(args));
            said.map(|text| text.trim().to_owned())
        };
        let commit = git(&["rev-parse", "HEAD"])
            .map_err(|err| format!("dist packs the last commit of a git repository: {err}"))?;
        if !git(&["status", "--porcelain"])?.is_empty() {
            println!("note: there are changes that are not committed; what is packed holds them");
        }
        let epoch = match std::env::var("SOURCE_DATE_EPOCH") {
            Ok(given) => given,
            Err(_) => git(&["log", "-1", "--format=%ct"])?,
        };
        let epoch = epoch
            .parse()
            .map_err(|_| format!("SOURCE_DATE_EPOCH={epoch}: not seconds since 1970"))?;
        let out = match out {
            Some(out) => std::path::absolute(out).map_err(|err| format!("--out: {err}"))?,
            None => run::target_dir().join("dist"),
        };
        fs::create_dir_all(&out).map_err(|err| format!("{}: {err}", out.display()))?;
        Ok(Release {
            version: version()?,
            epoch,
            commit,
            out,
        })
    }

    /// Makes an empty directory in which one file is built.
    pub fn work(&self, name: &str) -> Result<PathBuf> {
        let work = self.out.join("work").join(name);
        let made = match fs::remove_dir_all(&work) {
            Err(err) if err.kind() != std::io::ErrorKind::NotFound => Err(err),
            _ => fs::create_dir_all(&work),
        };
        made.map_err(|err| format!("{}: {err}", work.display()))?;
        Ok(work)
    }

    /// Removes the intermediate files; they can be made again.
    pub fn tidy(&self) {
        let _ = fs::remove_dir_all(self.out.join("work"));
    }

    /// Formats the time of the release with `date`, always in UTC and in English.
    pub fn date(&self, format: &str) -> Result<String> {
        let mut date = Command::new("date");
        date.env("LC_ALL", "C").args(["-u", "-d"]);
        date.arg(format!("@{}", self.epoch))
            .arg(format!("+{format}"));
        Ok(run::output(&mut date)?.trim().to_owned())
    }

    /// Reads a file of `packaging/`, and fills in the placeholders that are common to all
    /// templates.
    pub fn template(&self, name: &str) -> Result<String> {
        let text = read(&run::root().join("packaging").join(name))?;
        Ok(text
            .replace("@VERSION@", &self.version)
            .replace("@REPOSITORY@", REPOSITORY)
            .replace("@MAINTAINER@", MAINTAINER)
            .replace("@DOWNLOADS@", &self.downloads()))
    }

    /// Returns the URL below which the files of this release are published.
    pub fn downloads(&self) -> String {
        format!("{REPOSITORY}/releases/download/v{}", self.version)
    }

    /// Makes a command with the time of the release and without this machine's settings.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("SOURCE_DATE_EPOCH", self.epoch.to_string())
            .env("LC_ALL", "C.UTF-8")
            .env("TZ", "UTC");
        command
    }

    /// Writes `SHA256SUMS` for these files of the output directory, and returns it.
    pub fn sums(&self, files: &[PathBuf]) -> Result<String> {
        let names = files.iter().filter_map(|file| file.file_name());
        let sums = run::output(Command::new("sha256sum").current_dir(&self.out).args(names))?;
        write(&self.out.join("SHA256SUMS"), sums.as_bytes())?;
        Ok(sums)
    }
}

/// Returns the version in Cargo.toml. It has digits and dots only: each kind of package writes and
/// sorts a pre-release in its own way.
fn version() -> Result<String> {
    let manifest = read(&run::root().join("Cargo.toml"))?;
    let version = manifest
        .lines()
        .find_map(|line| line.strip_prefix("version = \""));
    let version = version.and_then(|rest| rest.strip_suffix('"'));
    let version = version.ok_or("Cargo.toml: no version")?;
    if version.chars().all(|c| c.is_ascii_digit() || c == '.') {
        Ok(version.to_owned())
    } else {
        Err(format!(
            "Cargo.toml: {version}: there are no packages of pre-releases"
        ))
    }
}

/// Installs those tools that are missing: name of the program, name of its Debian package.
pub fn tools(needed: &[(&str, &str)]) -> Result {
    needed
        .iter()
        .filter(|(program, _)| run::find(program).is_none())
        .try_for_each(|(_, package)| packages::install_named(package))
}

/// Reads a file as text.
pub fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|err| format!("{}: {err}", path.display()))
}

/// Writes a file.
pub fn write(path: &Path, bytes: &[u8]) -> Result {
    fs::write(path, bytes).map_err(|err| format!("{}: {err}", path.display()))
}
