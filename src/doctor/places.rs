//! The files that may set a variable: where each is, and how to read it. `shell` knows the start-up
//! files of sh, bash, zsh and fish.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::facts::Kind;
use super::files::Files;
use super::format::{self, Setting};
use crate::environment::Environment;

/// Directories above the current one that are looked at.
const MOST_ABOVE: usize = 32;
/// Lua files of one Neovim configuration.
const MOST_LUA: usize = 200;

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
    /// The current one.
    here: PathBuf,
}

impl Folders {
    /// By the rules of each system.
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

    /// The current directory and those above it.
    pub(super) fn above(&self) -> impl Iterator<Item = &Path> {
        self.here.ancestors().take(MOST_ABOVE)
    }
}

/// Where a path of [`FILES`] starts.
#[derive(Debug, Clone, Copy)]
enum Base {
    /// The root, on Unix.
    Root,
    Home,
    /// [`Folders::config`].
    Config,
    /// [`Folders::applications`].
    Applications,
    /// `~/.config`; on Windows where applications keep their settings.
    Tool,
    Neovim,
    PowerShell,
    LaunchAgents,
    /// The current directory.
    Here,
    /// The current directory and each one above it.
    Above,
}

impl Base {
    fn folders(self, folders: &Folders) -> Vec<PathBuf> {
        let Folders {
            home,
            config,
            applications,
            here,
        } = folders;
        match self {
            Base::Root if cfg!(windows) => Vec::new(),
            Base::Root => vec!["/".into()],
            Base::Home => vec![home.clone()],
            Base::Tool if cfg!(windows) => vec![applications.clone()],
            Base::Config | Base::Tool => vec![config.clone()],
            Base::Applications => vec![applications.clone()],
            Base::Neovim if cfg!(windows) => {
                vec![home.join("AppData").join("Local").join("nvim")]
            }
            Base::Neovim => vec![config.join("nvim")],
            Base::PowerShell if cfg!(windows) => {
                let names = ["PowerShell", "WindowsPowerShell"];
                names.map(|name| home.join("Documents").join(name)).into()
            }
            Base::PowerShell => vec![config.join("powershell")],
            Base::LaunchAgents if cfg!(target_os = "macos") => vec![
                home.join("Library/LaunchAgents"),
                "/Library/LaunchAgents".into(),
            ],
            Base::LaunchAgents => Vec::new(),
            Base::Here => vec![here.clone()],
            Base::Above => folders.above().map(Path::to_owned).collect(),
        }
    }
}

use Base::{Above, Applications, Config, Here, Home, LaunchAgents, Neovim, PowerShell, Root, Tool};
use Kind::{Editor, Folder, Login, Shell};
use format::{
    assignments, elisp, environments, jetbrains, launch_agent, lua, nushell, pam, powershell, toml,
    vim,
};

/// All files but those that Neovim's own files load. `{a,b}` stands for either, `*` for any text
/// within a name.
const FILES: [(Kind, Reader, Base, &str); 37] = [
    (Login, assignments, Config, "environment.d/*.conf"),
    (
        Login,
        assignments,
        Root,
        "{etc,usr/lib}/environment.d/*.conf",
    ),
    (Login, assignments, Root, "etc/environment"),
    (Login, pam, Home, ".pam_environment"),
    (Login, launch_agent, LaunchAgents, "*.plist"),
    (Shell, nushell, Applications, "nushell/{env,config}.nu"),
    (Shell, powershell, PowerShell, "profile.ps1"),
    (
        Shell,
        powershell,
        PowerShell,
        "Microsoft.{PowerShell,VSCode}_profile.ps1",
    ),
    (
        Editor,
        environments,
        Applications,
        "Code{, - Insiders, - OSS}/User/{settings,profiles/*/settings}.json",
    ),
    (
        Editor,
        environments,
        Applications,
        "VSCodium{, - Insiders}/User/{settings,profiles/*/settings}.json",
    ),
    (
        Editor,
        environments,
        Applications,
        "{Cursor,Windsurf}/User/{settings,profiles/*/settings}.json",
    ),
    (
        Editor,
        environments,
        Home,
        ".var/app/com.visualstudio.code/config/Code/User/{settings,profiles/*/settings}.json",
    ),
    (
        Editor,
        environments,
        Home,
        ".var/app/com.vscodium.codium/config/VSCodium/User/{settings,profiles/*/settings}.json",
    ),
    // On a machine that is used from another one.
    (
        Editor,
        environments,
        Home,
        ".vscode-server{,-insiders}/data/Machine/{settings,profiles/*/settings}.json",
    ),
    (
        Editor,
        environments,
        Home,
        ".{vscodium,cursor,windsurf}-server/data/Machine/{settings,profiles/*/settings}.json",
    ),
    (
        Editor,
        environments,
        Home,
        ".local/share/code-server/User/{settings,profiles/*/settings}.json",
    ),
    (Editor, environments, Above, ".vscode/settings.json"),
    (Editor, environments, Here, "*.code-workspace"),
    (
        Editor,
        jetbrains,
        Applications,
        "JetBrains/*/{options/project.default,workspace/*}.xml",
    ),
    (Editor, jetbrains, Above, ".idea/{workspace,go}.xml"),
    (Editor, environments, Tool, "zed/settings.json"),
    (Editor, environments, Above, ".zed/settings.json"),
    (Editor, toml, Tool, "helix/languages.toml"),
    (Editor, toml, Above, ".helix/languages.toml"),
    (
        Editor,
        environments,
        Applications,
        "{sublime-text,sublime-text-3,Sublime Text,Sublime Text 3}/Packages/User/{LSP,LSP-gopls}.sublime-settings",
    ),
    (Editor, vim, Home, "{.vimrc,_vimrc,.gvimrc,.vim/vimrc}"),
    (Editor, vim, Neovim, "init.vim"),
    (Editor, lua, Neovim, "init.lua"),
    (Editor, environments, Neovim, "coc-settings.json"),
    (Editor, environments, Home, ".vim/coc-settings.json"),
    (
        Editor,
        elisp,
        Home,
        "{.emacs,.emacs.el,.spacemacs,.doom.d/config.el}",
    ),
    // What `doom env` has saved of a shell's variables is in `.local/env`.
    (
        Editor,
        elisp,
        Home,
        ".emacs.d/{init.el,early-init.el,.local/env}",
    ),
    (
        Editor,
        elisp,
        Config,
        "{emacs/init.el,emacs/early-init.el,emacs/.local/env,doom/config.el}",
    ),
    (Folder, toml, Config, "mise/{config,conf.d/*}.toml"),
    (Folder, toml, Root, "etc/mise/config.toml"),
    (
        Folder,
        toml,
        Above,
        "{mise.local,mise,.mise.local,.mise}.toml",
    ),
    (
        Folder,
        toml,
        Above,
        "{mise/config,.config/mise,.config/mise/config}.toml",
    ),
];

/// All of them; most do not exist.
pub(super) fn all(files: &dyn Files, folders: &Folders) -> Vec<SettingsFile> {
    let mut found: Vec<SettingsFile> = Vec::new();
    let mut add = |path: PathBuf, kind, reader| {
        if !found.iter().any(|known| known.path == path) {
            found.push(SettingsFile { path, kind, reader });
        }
    };
    for (kind, reader, base, pattern) in FILES {
        // Nothing reads these on Windows, though a home directory may have them.
        if cfg!(windows) && kind == Kind::Login {
            continue;
        }
        for base in base.folders(folders) {
            for path in alternatives(pattern)
                .iter()
                .flat_map(|one| expanded(files, &base, one))
            {
                add(path, kind, reader);
            }
        }
    }
    let mut left = MOST_LUA;
    for base in Neovim.folders(folders) {
        for folder in ["lua", "plugin", "after"] {
            for path in lua_files(files, &base.join(folder), 4, &mut left) {
                add(path, Kind::Editor, lua);
            }
        }
    }
    found
}

/// `a{b,c}` as `ab` and `ac`.
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

/// The paths below a directory that a pattern stands for. Only one with a `*` asks whether they
/// exist.
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

fn lua_files(files: &dyn Files, folder: &Path, depth: usize, left: &mut usize) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in files.list(folder) {
        if *left == 0 {
            break;
        }
        if path.extension().is_some_and(|extension| extension == "lua") {
            *left -= 1;
            found.push(path);
        } else if depth > 0 && path.extension().is_none() && files.is_folder(&path) {
            found.extend(lua_files(files, &path, depth - 1, left));
        }
    }
    found
}
