//! The files that may set a variable: where each is, and how to read it. `shell` knows the start-up
//! files of sh, bash, zsh and fish.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::facts::Kind;
use super::files::Files;
use super::format::{self, Setting};
use crate::environment::Environment;

/// Maximum number of directories that are searched: the current one and those above it.
const MOST_ABOVE: usize = 32;
/// Maximum number of files to look for.
const MOST: usize = 2000;

/// Reads one kind of file.
pub(super) type Reader = fn(&str, &BTreeSet<String>) -> Vec<Setting>;

/// A file that may exist.
#[derive(Debug, Clone)]
pub(super) struct SettingsFile {
    pub(super) path: PathBuf,
    pub(super) kind: Kind,
    pub(super) reader: Reader,
}

/// The user's directories.
#[derive(Debug)]
pub(super) struct Folders {
    home: PathBuf,
    /// `~/.config`
    pub(super) config: PathBuf,
    /// Where applications keep their settings: `~/.config`, `~/Library/Application Support`,
    /// `%AppData%`.
    applications: PathBuf,
    /// The current directory.
    here: PathBuf,
}

impl Folders {
    /// Finds them by the rules of each system.
    pub(super) fn of(env: &Environment, home: &Path, here: &Path) -> Folders {
        let config = env
            .path("XDG_CONFIG_HOME")
            .filter(|path| path.is_absolute())
            .unwrap_or_else(|| home.join(".config"));
        let applications = if cfg!(windows) {
            env.path("APPDATA")
                .unwrap_or_else(|| home.join("AppData").join("Roaming"))
        } else if cfg!(target_os = "macos") {
            home.join("Library/Application Support")
        } else {
            config.clone()
        };
        Folders {
            home: home.to_owned(),
            config,
            applications,
            here: here.to_owned(),
        }
    }

    /// Returns the current directory and those above it.
    pub(super) fn above(&self) -> impl Iterator<Item = &Path> {
        self.here.ancestors().take(MOST_ABOVE)
    }
}

/// Returns the directories for the first part of a path in [`FILES`].
fn bases(name: &str, folders: &Folders) -> Vec<PathBuf> {
    let Folders {
        home,
        config,
        applications,
        here,
    } = folders;
    let one = match name {
        "" if cfg!(windows) => return Vec::new(),
        "" => PathBuf::from("/"),
        "~" => home.clone(),
        "APPS" => applications.clone(),
        "TOOL" if cfg!(windows) => applications.clone(),
        "NVIM" if cfg!(windows) => home.join("AppData").join("Local").join("nvim"),
        "NVIM" => config.join("nvim"),
        "POWERSHELL" if cfg!(windows) => {
            let names = ["PowerShell", "WindowsPowerShell"];
            return names.map(|name| home.join("Documents").join(name)).into();
        }
        "POWERSHELL" => config.join("powershell"),
        "AGENTS" if cfg!(target_os = "macos") => {
            let system = PathBuf::from("/Library/LaunchAgents");
            return vec![home.join("Library/LaunchAgents"), system];
        }
        "AGENTS" => return Vec::new(),
        "HERE" => here.clone(),
        "ABOVE" => return folders.above().map(Path::to_owned).collect(),
        // CONFIG, TOOL
        _ => config.clone(),
    };
    vec![one]
}

/// The meaning of `SETTINGS` in a path.
const SETTINGS: &str = "{settings,profiles/*/settings}.json";

/// All files. `{a,b}` stands for either, `*` for any text within a name, the first part for a
/// directory:
///
/// - CONFIG is `~/.config`, APPS the directory where applications keep their settings
///   ([`Folders`]), TOOL is CONFIG, on Windows APPS;
/// - HERE is the current directory, ABOVE it and each one above it.
const FILES: [(Kind, Reader, &[&str]); 13] = [
    (
        Kind::Login,
        format::assignments,
        &[
            "CONFIG/environment.d/*.conf",
            "/{etc,usr/lib}/environment.d/*.conf",
            "/etc/environment",
        ],
    ),
    (Kind::Login, format::pam, &["~/.pam_environment"]),
    (Kind::Login, format::launch_agent, &["AGENTS/*.plist"]),
    (
        Kind::Shell,
        format::fish_variables,
        &["CONFIG/fish/fish_variables"],
    ),
    (
        Kind::Shell,
        format::nushell,
        &["APPS/nushell/{env,config}.nu"],
    ),
    (
        Kind::Shell,
        format::powershell,
        &[
            "POWERSHELL/profile.ps1",
            "POWERSHELL/Microsoft.{PowerShell,VSCode}_profile.ps1",
        ],
    ),
    (
        Kind::Editor,
        format::environments,
        &[
            "APPS/Code{, - Insiders, - OSS}/User/SETTINGS",
            "APPS/VSCodium{, - Insiders}/User/SETTINGS",
            "APPS/{Cursor,Windsurf}/User/SETTINGS",
            "~/.var/app/com.visualstudio.code/config/Code/User/SETTINGS",
            "~/.var/app/com.vscodium.codium/config/VSCodium/User/SETTINGS",
            // The settings on a machine that is used remotely.
            "~/.vscode-server{,-insiders}/data/Machine/SETTINGS",
            "~/.{vscodium,cursor,windsurf}-server/data/Machine/SETTINGS",
            "~/.local/share/code-server/User/SETTINGS",
            "ABOVE/.vscode/settings.json",
            "HERE/*.code-workspace",
            "TOOL/zed/settings.json",
            "ABOVE/.zed/settings.json",
            "APPS/sublime-text{,-3}/Packages/User/LSP{,-gopls}.sublime-settings",
            "APPS/Sublime Text{, 3}/Packages/User/LSP{,-gopls}.sublime-settings",
            "NVIM/coc-settings.json",
            "~/.vim/coc-settings.json",
        ],
    ),
    (
        Kind::Editor,
        format::jetbrains,
        &[
            "APPS/JetBrains/*/{options/project.default,workspace/*}.xml",
            "ABOVE/.idea/{workspace,go}.xml",
        ],
    ),
    (
        Kind::Editor,
        format::toml,
        &["TOOL/helix/languages.toml", "ABOVE/.helix/languages.toml"],
    ),
    (
        Kind::Editor,
        format::vim,
        &["~/{.vimrc,_vimrc,.gvimrc,.vim/vimrc}", "NVIM/init.vim"],
    ),
    (
        Kind::Editor,
        format::lua,
        &[
            "NVIM/init.lua",
            "NVIM/{lua,plugin,after}/{,*/,*/*/,*/*/*/,*/*/*/*/}*.lua",
        ],
    ),
    (
        Kind::Editor,
        format::elisp,
        &[
            "~/{.emacs,.emacs.el,.spacemacs,.doom.d/config.el}",
            // `.local/env` has the shell's variables that `doom env` has saved.
            "~/.emacs.d/{init.el,early-init.el,.local/env}",
            "CONFIG/emacs/{init.el,early-init.el,.local/env}",
            "CONFIG/doom/config.el",
        ],
    ),
    (
        Kind::Folder,
        format::toml,
        &[
            "CONFIG/mise/{config,conf.d/*}.toml",
            "/etc/mise/config.toml",
            "ABOVE/{mise.local,mise,.mise.local,.mise}.toml",
            "ABOVE/{mise/config,.config/mise,.config/mise/config}.toml",
        ],
    ),
];

/// Returns all of them; most do not exist.
pub(super) fn all(files: &dyn Files, folders: &Folders) -> Vec<SettingsFile> {
    let mut found: Vec<SettingsFile> = Vec::new();
    let mut add = |path: PathBuf, kind, reader| {
        if found.len() < MOST && !found.iter().any(|known| known.path == path) {
            found.push(SettingsFile { path, kind, reader });
        }
    };
    for (kind, reader, group) in FILES {
        // Nothing reads these files on Windows, though a home directory may contain them.
        if cfg!(windows) && kind == Kind::Login {
            continue;
        }
        for pattern in group {
            let (base, pattern) = pattern.split_once('/').unwrap_or(("HERE", pattern));
            let pattern = pattern.replace("SETTINGS", SETTINGS);
            for base in bases(base, folders) {
                for one in alternatives(&pattern) {
                    for path in expanded(files, &base, &one) {
                        add(path, kind, reader);
                    }
                }
            }
        }
    }
    found
}

/// Expands `a{b,c}` to `ab` and `ac`.
fn alternatives(pattern: &str) -> Vec<String> {
    let parts = pattern.split_once('{');
    let Some((before, (inner, after))) =
        parts.and_then(|(before, rest)| Some((before, rest.split_once('}')?)))
    else {
        return vec![pattern.to_owned()];
    };
    let all = inner.split(',');
    all.flat_map(|one| alternatives(&format!("{before}{one}{after}")))
        .collect()
}

/// Returns the paths below a directory that match a pattern. Checks whether they exist only if the
/// pattern has a `*`.
fn expanded(files: &dyn Files, base: &Path, pattern: &str) -> Vec<PathBuf> {
    let (name, rest) = match pattern.split_once('/') {
        Some((name, rest)) => (name, Some(rest)),
        None => (pattern, None),
    };
    let paths = match name.split_once('*') {
        None => vec![base.join(name)],
        Some((start, end)) => {
            let fits = |path: &PathBuf| {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                name.len() > end.len() && name.starts_with(start) && name.ends_with(end)
            };
            files.list(base).into_iter().filter(fits).collect()
        }
    };
    match rest {
        None => paths,
        Some(rest) => {
            let below = paths.iter().flat_map(|path| expanded(files, path, rest));
            below.collect()
        }
    }
}
