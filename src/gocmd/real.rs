//! From a candidate to the real binary: which GOROOT is behind it, and which version?

use std::ffi::OsStr;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::places::is_executable;
use super::run::bounded;
use super::version::GoVersion;
use crate::bounded;
use crate::environment::{Environment, is_same_name};

/// A wrapper may start a shell, a version manager or Python; one that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(5);

/// A go command that has said its version, or is known by its GOROOT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Real {
    pub(super) path: PathBuf,
    pub(super) version: GoVersion,
    pub(super) goroot: PathBuf,
}

/// Finds out what stands behind an executable: without a process where it lies in a GOROOT,
/// with one where it is a wrapper.
pub(super) async fn resolve(candidate: &Path, env: &Environment) -> Result<Real, String> {
    if let Some(real) = by_goroot(candidate) {
        return Ok(real);
    }
    by_asking(candidate, env).await
}

/// `GOROOT/bin/go` with `GOROOT/VERSION`, symbolic links followed. The file must be a program:
/// a script of this name is a wrapper wherever it lies.
fn by_goroot(candidate: &Path) -> Option<Real> {
    // Not `\\?\C:\…`: as a GOROOT that would break go.
    let path = dunce::canonicalize(candidate).ok()?;
    let goroot = path.parent()?.parent()?.to_owned();
    // `cfg.go:isGOROOT` looks for pkg/tool.
    if !goroot.join("pkg").join("tool").is_dir() || !is_program(&path) {
        return None;
    }
    let version = version_file(&goroot)?;
    Some(Real {
        path,
        version,
        goroot,
    })
}

async fn by_asking(candidate: &Path, env: &Environment) -> Result<Real, String> {
    // GOENV=off: a go env file that says `GOROOT=/nowhere` breaks `go env` up to 1.26.
    let left_out = ["GOROOT", "GOFLAGS", "GOENV", "GOTOOLCHAIN", "GOWORK"];
    let vars = env
        .all()
        .filter(|(name, _)| !left_out.iter().any(|other| is_same_name(name, other)))
        .chain([
            ("GOENV", OsStr::new("off")),
            ("GOTOOLCHAIN", OsStr::new("local")),
            ("GOWORK", OsStr::new("off")),
        ])
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
    let args = ["env", "GOROOT", "GOVERSION"].map(str::to_owned);
    let output = bounded(candidate, &args, vars, LIMIT)
        .await
        .map_err(|error| format!("cannot be run: {error}"))?;
    let out = String::from_utf8_lossy(&output.out);
    let mut lines = out.lines().map(str::trim);
    let goroot = PathBuf::from(lines.next().unwrap_or_default());
    if !output.success || !goroot.is_absolute() {
        let said = String::from_utf8_lossy(&output.err);
        let said = said.lines().map(str::trim).find(|line| !line.is_empty());
        return Err(match said {
            Some(line) => format!("is no go command: it says {:?}", shorten(line)),
            None => "is no go command: it does not answer `go env GOROOT`".to_owned(),
        });
    }
    // `go env GOVERSION` came with 1.16; the file is older than that.
    let version = lines
        .next()
        .and_then(GoVersion::parse)
        .or_else(|| version_file(&goroot))
        .ok_or_else(|| "does not say its version".to_owned())?;
    let name = if cfg!(windows) { "go.exe" } else { "go" };
    let real = goroot.join("bin").join(name);
    let path = match is_executable(&real) {
        true => real,
        // A distribution may keep the binary elsewhere.
        false => candidate.to_owned(),
    };
    Ok(Real {
        path,
        version,
        goroot,
    })
}

fn version_file(goroot: &Path) -> Option<GoVersion> {
    let mut text = String::new();
    let file = bounded::open(&goroot.join("VERSION")).ok()?;
    file.take(4096).read_to_string(&mut text).ok()?;
    GoVersion::parse(&text)
}

/// ELF, Mach-O (either byte order, or universal), PE: by its first bytes.
fn is_program(path: &Path) -> bool {
    let mut magic = [0; 4];
    let read = bounded::open(path).and_then(|mut file| file.read_exact(&mut magic));
    read.is_ok()
        && matches!(
            magic,
            [0x7f, b'E', b'L', b'F']
                | [0xcf | 0xce, 0xfa, 0xed, 0xfe]
                | [0xca, 0xfe, 0xba, 0xbe]
                | [b'M', b'Z', _, _]
        )
}

fn shorten(line: &str) -> String {
    let line = crate::model::mask(line);
    match line.char_indices().nth(200) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}
