//! Which go command? PATH first, then the usual places, then the SDK managers'.

use std::cmp::Reverse;
use std::ffi::OsStr;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::run::bounded;
use super::version::{GoCommand, GoVersion};
use crate::bounded;
use crate::environment::{Environment, is_same_name};
use crate::model::plural;

/// Why there is no usable go command. Exit code 3.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// There is none.
    #[error(
        "no go command found. Looked in {looked}. Install Go from go.dev/dl or set `go = \"/path/to/go\"` in [agent]"
    )]
    None {
        /// Where it was looked for.
        looked: String,
    },
    /// The one that the policy names is not usable.
    #[error("{path}: {why}; `go` in [agent] names it")]
    Named {
        /// The path.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// It is older than `go env -w` (1.13).
    #[error("{path} is go {version}, which has no `go env -w`; goroam needs go 1.13 or later")]
    TooOld {
        /// The path.
        path: PathBuf,
        /// Its version.
        version: String,
    },
}

/// Finds the go command to use: `wish` (from `[agent] go`) or nothing else; without a wish,
/// the first usable one of PATH, the usual places and the SDK managers. No process is started
/// where the first candidate lies in a GOROOT.
///
/// # Errors
/// See [`FindError`].
pub async fn find(wish: Option<&Path>, env: &Environment) -> Result<GoCommand, FindError> {
    if let Some(path) = wish {
        return named(path, env).await;
    }
    let places = all(env);
    let mut passed: Vec<(PathBuf, String)> = Vec::new();
    let mut too_old = None;
    for candidate in &places.candidates {
        match resolve(candidate, env).await {
            Ok(real) if real.version.is_usable() => {
                let others = others(&[&real.path, candidate], &places.candidates);
                tracing::debug!(path = %real.path.display(), version = %real.version, ?others, "uses this go command");
                return Ok(command(real, others));
            }
            Ok(real) => {
                too_old.get_or_insert(FindError::TooOld {
                    path: candidate.clone(),
                    version: real.version.text,
                });
            }
            Err(why) => {
                tracing::debug!(path = %candidate.display(), why, "passed over a go command");
                passed.push((candidate.clone(), why));
            }
        }
    }
    Err(too_old.unwrap_or_else(|| FindError::None {
        looked: with_broken(&places.looked, &passed),
    }))
}

async fn named(path: &Path, env: &Environment) -> Result<GoCommand, FindError> {
    let refuse = |why: String| FindError::Named {
        path: path.to_owned(),
        why,
    };
    if !path.is_absolute() {
        return Err(refuse("is not an absolute path".to_owned()));
    }
    match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(refuse("does not exist".to_owned()));
        }
        Err(error) => return Err(refuse(format!("cannot be looked at: {error}"))),
        Ok(meta) if meta.is_dir() => return Err(refuse("is a folder".to_owned())),
        Ok(_) if !is_executable(path) => {
            return Err(refuse("is not executable".to_owned()));
        }
        Ok(_) => {}
    }
    let real = resolve(path, env).await.map_err(refuse)?;
    if !real.version.is_usable() {
        return Err(FindError::TooOld {
            path: path.to_owned(),
            version: real.version.text,
        });
    }
    Ok(command(real, Vec::new()))
}

fn command(real: Real, others: Vec<PathBuf>) -> GoCommand {
    GoCommand {
        path: real.path,
        version: real.version,
        goroot: real.goroot,
        others,
    }
}

/// The candidates that are other files than the one taken, each once.
fn others(taken: &[&Path], candidates: &[PathBuf]) -> Vec<PathBuf> {
    let canonical = |path: &Path| dunce::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut seen: Vec<PathBuf> = taken.iter().map(|path| canonical(path)).collect();
    let mut others = Vec::new();
    for candidate in candidates {
        let real = canonical(candidate);
        if !seen.contains(&real) {
            seen.push(real);
            others.push(candidate.clone());
        }
    }
    others
}

fn with_broken(looked: &str, passed: &[(PathBuf, String)]) -> String {
    if passed.is_empty() {
        return looked.to_owned();
    }
    let broken: Vec<String> = passed
        .iter()
        .map(|(path, why)| format!("{} ({why})", path.display()))
        .collect();
    format!("{looked}; does not work: {}", broken.join(", "))
}

/// Everything to look at, in order, and how to name it to a person.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Executable files named `go` (`go.exe`), in the order in which they are to be tried.
    pub(super) candidates: Vec<PathBuf>,
    /// "PATH (7 folders), /usr/local/go/bin, ~/go/bin, ~/sdk, mise and asdf shims".
    pub(super) looked: String,
}

/// The name of the go command's file.
const GO: &str = if cfg!(windows) { "go.exe" } else { "go" };

/// Files named `go` that may be run, in the order in which they are tried; none is run.
pub fn candidates(env: &Environment) -> Vec<PathBuf> {
    all(env).candidates
}

/// Looks at every place. Costs some dozens of `stat` calls, no process.
pub(super) fn all(env: &Environment) -> Places {
    let mut candidates: Vec<PathBuf> = Vec::new();
    let path = path_folders(env);
    let mut looked = vec![format!("PATH ({})", plural(path.len(), "folder"))];
    let usual = usual_folders(env);
    looked.extend(usual.iter().map(|place| place.named.clone()));
    looked.dedup();
    let folders = path
        .into_iter()
        .chain(usual.into_iter().flat_map(|place| place.folders));
    for folder in folders {
        let file = folder.join(GO);
        if is_executable(&file) && !candidates.contains(&file) {
            candidates.push(file);
        }
    }
    Places {
        candidates,
        looked: looked.join(", "),
    }
}

/// Is it a file that may be run?
pub(super) fn is_executable(path: &Path) -> bool {
    let Ok(meta) = std::fs::metadata(path) else {
        return false;
    };
    #[cfg(unix)]
    let runs = std::os::unix::fs::PermissionsExt::mode(&meta.permissions()) & 0o111 != 0;
    #[cfg(not(unix))]
    let runs = true;
    meta.is_file() && runs
}

struct Place {
    named: String,
    folders: Vec<PathBuf>,
}

/// Relative entries depend on the folder that goroam was started in, so they do not count;
/// `os/exec` refuses them as well.
fn path_folders(env: &Environment) -> Vec<PathBuf> {
    env.get("PATH").map_or_else(Vec::new, |path| {
        std::env::split_paths(path)
            .filter(|folder| folder.is_absolute())
            .collect()
    })
}

fn usual_folders(env: &Environment) -> Vec<Place> {
    let mut places = Vec::new();
    let mut add = |named: &str, folders: Vec<PathBuf>| {
        places.push(Place {
            named: named.to_owned(),
            folders,
        });
    };
    if cfg!(windows) {
        for (name, folder) in [
            ("ProgramFiles", r"Go\bin"),
            ("LOCALAPPDATA", r"Programs\Go\bin"),
            ("USERPROFILE", r"scoop\apps\go\current\bin"),
            ("ProgramData", r"chocolatey\bin"),
        ] {
            if let Some(base) = env.path(name) {
                let folder = base.join(folder);
                add(&folder.display().to_string(), vec![folder]);
            }
        }
    } else {
        add("/usr/local/go/bin", vec!["/usr/local/go/bin".into()]);
        let mut lib = vec![
            PathBuf::from("/usr/lib/go/bin"),
            PathBuf::from("/usr/lib/golang/bin"),
        ];
        lib.extend(newest(Path::new("/usr/lib"), "go-", "bin"));
        add("/usr/lib/go*/bin", lib);
    }
    if let Some(home) = env.home() {
        add("~/go/bin", vec![home.join("go/bin"), home.join(".go/bin")]);
        let mut sdk = newest(&home.join("sdk"), "go", "bin");
        sdk.extend(newest(&home.join("go/sdk"), "go", "bin"));
        add("~/sdk", sdk);
        add("mise, asdf, goenv and gvm", managers(env, &home));
    }
    if !cfg!(windows) {
        let brew = [
            "/opt/homebrew/bin",
            "/usr/local/bin",
            "/home/linuxbrew/.linuxbrew/bin",
        ];
        add("Homebrew", brew.iter().map(PathBuf::from).collect());
        add(
            "snap",
            vec!["/snap/go/current/bin".into(), "/snap/bin".into()],
        );
    }
    places
}

/// Installed versions first, newest first: a shim answers only where a version is chosen.
fn managers(env: &Environment, home: &Path) -> Vec<PathBuf> {
    let or_home = |name: &str, folder: &str| env.path(name).unwrap_or_else(|| home.join(folder));
    let mise = or_home("MISE_DATA_DIR", ".local/share/mise");
    let asdf = or_home("ASDF_DATA_DIR", ".asdf");
    let goenv = or_home("GOENV_ROOT", ".goenv");
    let mut folders = newest(&mise.join("installs/go"), "", "bin");
    folders.push(mise.join("shims"));
    for plugin in ["golang", "go"] {
        folders.extend(newest(&asdf.join("installs").join(plugin), "", "go/bin"));
    }
    folders.push(asdf.join("shims"));
    folders.extend(newest(&goenv.join("versions"), "", "bin"));
    folders.push(goenv.join("shims"));
    folders.extend(newest(
        &or_home("GVM_ROOT", ".gvm").join("gos"),
        "go",
        "bin",
    ));
    folders
}

/// `parent/PREFIX*/inner`, the newest version first.
fn newest(parent: &Path, prefix: &str, inner: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(parent) else {
        return Vec::new();
    };
    let mut found: Vec<((u32, u32, u32), PathBuf)> = entries
        .flatten()
        // A package manager's folder can be long, a folder of Go versions is not.
        .take(10_000)
        .filter_map(|entry| {
            let name = entry.file_name();
            let rest = name.to_str()?.strip_prefix(prefix)?;
            Some((folder_version(rest), entry.path().join(inner)))
        })
        .filter(|(_, folder)| is_executable(&folder.join(OsStr::new(GO))))
        .collect();
    found.sort_by_key(|(number, path)| (Reverse(*number), path.clone()));
    found.into_iter().map(|(_, folder)| folder).collect()
}

/// `1.27.3`, `go1.27.3`, `1.19` and, for "latest" and the like, the lowest.
fn folder_version(name: &str) -> (u32, u32, u32) {
    let name = name.strip_prefix("go").unwrap_or(name);
    GoVersion::parse(&format!("go{name}")).map_or((0, 0, 0), |version| version.number)
}

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
            Some(line) => format!("is not a go command: it prints {:?}", shorten(line)),
            None => "is not a go command: it does not answer `go env GOROOT`".to_owned(),
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
