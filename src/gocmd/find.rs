//! Finds the go command: in PATH first, then in the usual places, then in those of the SDK
//! managers.

use std::cmp::Reverse;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::run::{GoCommand, GoVersion, Settings, child_env, run_to_end};
use crate::bounded;
use crate::environment::Environment;
use crate::model::plural;

/// Why there is no usable go command. Exit code 3.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// No go command was found.
    #[error(
        "no go command found. Looked in {looked}. Install Go from go.dev/dl or set `go = \"/path/to/go\"` in [agent]"
    )]
    None {
        /// The places that were searched.
        looked: String,
    },
    /// The go command that the policy names is not usable.
    #[error("{path}: {why}; `go` in [agent] names it")]
    Named {
        /// The path.
        path: PathBuf,
        /// The reason.
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

/// Finds the go command to use. With a `wish` (from `[agent] go`), only that one; otherwise the
/// first usable one of PATH, the usual places and the SDK managers. No process is started if the
/// first candidate is in a GOROOT.
///
/// # Errors
/// See [`FindError`].
pub async fn find(wish: Option<&Path>, env: &Environment) -> Result<GoCommand, FindError> {
    if let Some(path) = wish {
        return named(path, env).await;
    }
    let (candidates, looked) = places(env);
    let mut broken: Vec<String> = Vec::new();
    let mut too_old = None;
    for candidate in &candidates {
        match resolve(candidate, env).await {
            Ok(real) => match usable(candidate, real) {
                Ok(real) => {
                    let others: Vec<&PathBuf> =
                        candidates.iter().filter(|it| *it != candidate).collect();
                    tracing::debug!(path = %real.path.display(), version = %real.version, ?others, "uses this go command");
                    return Ok(real);
                }
                Err(error) => drop(too_old.get_or_insert(error)),
            },
            Err(why) => {
                tracing::debug!(path = %candidate.display(), why, "passed over a go command");
                broken.push(format!("{} ({why})", candidate.display()));
            }
        }
    }
    Err(too_old.unwrap_or_else(|| FindError::None {
        looked: if broken.is_empty() {
            looked
        } else {
            format!("{looked}; does not work: {}", broken.join(", "))
        },
    }))
}

async fn named(path: &Path, env: &Environment) -> Result<GoCommand, FindError> {
    let why = match std::fs::metadata(path) {
        _ if !path.is_absolute() => "is not an absolute path".to_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => "does not exist".to_owned(),
        Err(error) => format!("cannot be looked at: {error}"),
        Ok(meta) if meta.is_dir() => "is a folder".to_owned(),
        Ok(_) if !is_executable(path) => "is not executable".to_owned(),
        Ok(_) => match resolve(path, env).await {
            Ok(real) => return usable(path, real),
            Err(why) => why,
        },
    };
    Err(FindError::Named {
        path: path.to_owned(),
        why,
    })
}

fn usable(path: &Path, go: GoCommand) -> Result<GoCommand, FindError> {
    if go.version.is_usable() {
        return Ok(go);
    }
    Err(FindError::TooOld {
        path: path.to_owned(),
        version: go.version.text,
    })
}

/// The name of the go command's file.
const GO: &str = if cfg!(windows) { "go.exe" } else { "go" };

/// Returns executable files named `go`, in the order in which they are tried; none is run.
pub fn candidates(env: &Environment) -> Vec<PathBuf> {
    places(env).0
}

/// Returns executable files named `go` (`go.exe`), in the order in which they are tried, and the
/// places that were searched: "PATH (7 folders), /usr/local/go/bin, ~/go/bin, ~/sdk, mise and asdf
/// shims". Costs some dozens of `stat` calls, no process.
fn places(env: &Environment) -> (Vec<PathBuf>, String) {
    let mut candidates: Vec<PathBuf> = Vec::new();
    // Relative entries depend on the directory that goroam was started in, so they do not count;
    // `os/exec` refuses them as well.
    let path = env.get("PATH").map(std::env::split_paths);
    let path: Vec<PathBuf> = path
        .into_iter()
        .flatten()
        .filter(|it| it.is_absolute())
        .collect();
    let mut looked = vec![format!("PATH ({})", plural(path.len(), "folder"))];
    let mut folders = path;
    for (named, more) in usual_folders(env) {
        looked.push(named);
        folders.extend(more);
    }
    looked.dedup();
    for folder in folders {
        let file = folder.join(GO);
        if is_executable(&file) && !candidates.contains(&file) {
            candidates.push(file);
        }
    }
    (candidates, looked.join(", "))
}

/// Reports whether the path is a file that may be executed.
fn is_executable(path: &Path) -> bool {
    let Ok(meta) = std::fs::metadata(path) else {
        return false;
    };
    #[cfg(unix)]
    let runs = std::os::unix::fs::PermissionsExt::mode(&meta.permissions()) & 0o111 != 0;
    #[cfg(not(unix))]
    let runs = true;
    meta.is_file() && runs
}

/// Returns the name of each place for messages, and its directories.
fn usual_folders(env: &Environment) -> Vec<(String, Vec<PathBuf>)> {
    let mut places = Vec::new();
    let mut add = |named: &str, folders: Vec<PathBuf>| places.push((named.to_owned(), folders));
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
        let mut lib: Vec<PathBuf> = vec!["/usr/lib/go/bin".into(), "/usr/lib/golang/bin".into()];
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
        let list = |folders: &[&str]| folders.iter().map(PathBuf::from).collect();
        let homes = [
            "/opt/homebrew/bin",
            "/usr/local/bin",
            "/home/linuxbrew/.linuxbrew/bin",
        ];
        add("Homebrew", list(&homes));
        add("snap", list(&["/snap/go/current/bin", "/snap/bin"]));
    }
    places
}

/// Installed versions first, newest first: a shim works only where a version is selected.
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
    let gvm = or_home("GVM_ROOT", ".gvm");
    folders.extend(newest(&gvm.join("gos"), "go", "bin"));
    folders
}

/// Returns `parent/PREFIX*/inner`, the newest version first.
fn newest(parent: &Path, prefix: &str, inner: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(parent) else {
        return Vec::new();
    };
    let mut found: Vec<((u32, u32, u32), PathBuf)> = entries
        .flatten()
        // A package manager's directory can be long; a directory of Go versions is not.
        .take(10_000)
        .filter_map(|entry| {
            let name = entry.file_name();
            let rest = name.to_str()?.strip_prefix(prefix)?;
            Some((folder_version(rest), entry.path().join(inner)))
        })
        .filter(|(_, folder)| is_executable(&folder.join(GO)))
        .collect();
    found.sort_by_key(|(number, path)| (Reverse(*number), path.clone()));
    found.into_iter().map(|(_, folder)| folder).collect()
}

/// Parses `1.27.3`, `go1.27.3`, `1.19`; "latest" and similar names give the lowest version.
fn folder_version(name: &str) -> (u32, u32, u32) {
    let name = name.strip_prefix("go").unwrap_or(name);
    GoVersion::parse(&format!("go{name}")).map_or((0, 0, 0), |version| version.number)
}

/// A wrapper may start a shell, a version manager or Python; one that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(5);

/// Finds the go command behind an executable: without a process if it is in a GOROOT, with one if
/// it is a wrapper.
async fn resolve(candidate: &Path, env: &Environment) -> Result<GoCommand, String> {
    if let Some(real) = by_goroot(candidate) {
        return Ok(real);
    }
    by_asking(candidate, env).await
}

/// Recognises `GOROOT/bin/go` with `GOROOT/VERSION`; symbolic links are followed. The file must be
/// a program: a script of this name is a wrapper wherever it is.
fn by_goroot(candidate: &Path) -> Option<GoCommand> {
    // Not `\\?\C:\…`: as a GOROOT that would break go.
    let path = dunce::canonicalize(candidate).ok()?;
    let goroot = path.parent()?.parent()?.to_owned();
    // `cfg.go:isGOROOT` looks for pkg/tool.
    if !goroot.join("pkg").join("tool").is_dir() || !is_program(&path) {
        return None;
    }
    let version = version_file(&goroot)?;
    Some(GoCommand {
        path,
        version,
        goroot,
    })
}

async fn by_asking(candidate: &Path, env: &Environment) -> Result<GoCommand, String> {
    // GOENV=off: a go env file with `GOROOT=/nowhere` breaks `go env` up to 1.26.
    let settings = Settings::from([
        ("GOROOT", None),
        ("GOFLAGS", None),
        ("GOENV", Some("off".into())),
        ("GOTOOLCHAIN", Some("local".into())),
        ("GOWORK", Some("off".into())),
    ]);
    let args = ["env", "GOROOT", "GOVERSION"];
    let vars = child_env(env, settings);
    let output = run_to_end(candidate, &args, vars, Path::new("/"), LIMIT, false)
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
    // `go env GOVERSION` exists since 1.16; the file VERSION is older.
    let version = lines
        .next()
        .and_then(GoVersion::parse)
        .or_else(|| version_file(&goroot))
        .ok_or_else(|| "does not say its version".to_owned())?;
    let real = goroot.join("bin").join(GO);
    // A distribution may keep the binary elsewhere.
    let path = Some(real).filter(|real| is_executable(real));
    let path = path.unwrap_or_else(|| candidate.to_owned());
    Ok(GoCommand {
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

/// Recognises ELF, Mach-O (either byte order, or universal) and PE by their first bytes.
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
