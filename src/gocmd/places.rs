//! Where go commands are found: PATH, the usual places, the SDK managers'.

use std::cmp::Reverse;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::version::GoVersion;
use crate::environment::Environment;
use crate::model::plural;

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
