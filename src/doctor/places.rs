//! The files that may set a variable: where they are on each system, and how to read them.
//! Shells' start-up files are `shell`'s to know.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::facts::Kind;
use super::files::Files;
use super::format::{self, Setting};
use crate::environment::Environment;

/// Folders above the current one that are looked at.
const MOST_ABOVE: usize = 32;
/// Lua files of one Neovim configuration.
const MOST_LUA: usize = 200;

/// Reads one kind of file.
pub(super) type Reader = fn(&str, &BTreeSet<String>) -> Vec<Setting>;

/// A file that may be there.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) path: PathBuf,
    pub(super) kind: Kind,
    pub(super) reader: Reader,
    /// Whose it is: "VS Code"; empty where the path says it.
    pub(super) owner: &'static str,
}

/// The user's folders.
#[derive(Debug)]
pub(super) struct Folders {
    pub(super) home: PathBuf,
    /// `~/.config`
    pub(super) config: PathBuf,
    /// Where applications keep theirs: `~/.config`, `~/Library/Application Support`,
    /// `%AppData%`.
    pub(super) applications: PathBuf,
    /// The current one.
    pub(super) here: PathBuf,
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

    /// The current folder and those above it.
    pub(super) fn above(&self) -> impl Iterator<Item = &Path> {
        self.here.ancestors().take(MOST_ABOVE)
    }
}

/// All of them; most are not there.
pub(super) fn all(files: &dyn Files, folders: &Folders) -> Vec<Place> {
    let mut list = List {
        files,
        found: Vec::new(),
    };
    list.login(folders);
    list.shells(folders);
    list.vs_code(folders);
    list.jetbrains(folders);
    list.other_editors(folders);
    list.vim(folders);
    list.emacs(folders);
    list.mise(folders);
    list.found
}

struct List<'f> {
    files: &'f dyn Files,
    found: Vec<Place>,
}

impl List<'_> {
    fn add(&mut self, path: PathBuf, kind: Kind, reader: Reader, owner: &'static str) {
        if !self.found.iter().any(|place| place.path == path) {
            self.found.push(Place {
                path,
                kind,
                reader,
                owner,
            });
        }
    }

    /// The files of a folder with one of these endings.
    fn folder(
        &mut self,
        folder: &Path,
        ending: &str,
        kind: Kind,
        reader: Reader,
        owner: &'static str,
    ) {
        for path in self.files.list(folder) {
            if path
                .extension()
                .is_some_and(|extension| extension == ending)
            {
                self.add(path, kind, reader, owner);
            }
        }
    }

    fn login(&mut self, folders: &Folders) {
        if cfg!(windows) {
            return;
        }
        for folder in [
            folders.config.join("environment.d"),
            PathBuf::from("/etc/environment.d"),
            PathBuf::from("/usr/lib/environment.d"),
        ] {
            self.folder(&folder, "conf", Kind::Login, format::assignments, "");
        }
        self.add(
            "/etc/environment".into(),
            Kind::Login,
            format::assignments,
            "",
        );
        let pam = folders.home.join(".pam_environment");
        self.add(pam, Kind::Login, format::pam, "");
        if cfg!(target_os = "macos") {
            for folder in [
                folders.home.join("Library/LaunchAgents"),
                PathBuf::from("/Library/LaunchAgents"),
            ] {
                self.folder(&folder, "plist", Kind::Login, format::launch_agent, "");
            }
        }
    }

    /// Those that are no relatives of sh.
    fn shells(&mut self, folders: &Folders) {
        let nu = folders.applications.join("nushell");
        for name in ["env.nu", "config.nu"] {
            self.add(nu.join(name), Kind::Shell, format::nushell, "");
        }
        let profiles = if cfg!(windows) {
            let documents = folders.home.join("Documents");
            vec![
                documents.join("PowerShell"),
                documents.join("WindowsPowerShell"),
            ]
        } else {
            vec![folders.config.join("powershell")]
        };
        for folder in profiles {
            for name in [
                "profile.ps1",
                "Microsoft.PowerShell_profile.ps1",
                "Microsoft.VSCode_profile.ps1",
            ] {
                self.add(folder.join(name), Kind::Shell, format::powershell, "");
            }
        }
    }

    /// VS Code and what was made of it.
    fn vs_code(&mut self, folders: &Folders) {
        let json: Reader = format::environments;
        let mut users: Vec<PathBuf> = [
            "Code",
            "Code - Insiders",
            "Code - OSS",
            "VSCodium",
            "VSCodium - Insiders",
            "Cursor",
            "Windsurf",
        ]
        .iter()
        .map(|name| folders.applications.join(name).join("User"))
        .collect();
        let home = &folders.home;
        for (app, name) in [
            ("com.visualstudio.code", "Code"),
            ("com.vscodium.codium", "VSCodium"),
        ] {
            users.push(
                home.join(".var/app")
                    .join(app)
                    .join("config")
                    .join(name)
                    .join("User"),
            );
        }
        // On a machine that is worked on from another one.
        for name in [
            ".vscode-server",
            ".vscode-server-insiders",
            ".vscodium-server",
            ".cursor-server",
            ".windsurf-server",
        ] {
            users.push(home.join(name).join("data/Machine"));
        }
        users.push(home.join(".local/share/code-server/User"));
        for user in users {
            self.add(user.join("settings.json"), Kind::Editor, json, "");
            for profile in self.files.list(&user.join("profiles")) {
                self.add(profile.join("settings.json"), Kind::Editor, json, "");
            }
        }
        for folder in folders.above() {
            let settings = folder.join(".vscode/settings.json");
            self.add(settings, Kind::Editor, json, "");
        }
        self.folder(&folders.here, "code-workspace", Kind::Editor, json, "");
    }

    fn jetbrains(&mut self, folders: &Folders) {
        let xml: Reader = format::jetbrains;
        for product in self.files.list(&folders.applications.join("JetBrains")) {
            let defaults = product.join("options/project.default.xml");
            self.add(defaults, Kind::Editor, xml, "");
            self.folder(&product.join("workspace"), "xml", Kind::Editor, xml, "");
        }
        for folder in folders.above() {
            for name in ["workspace.xml", "go.xml"] {
                let file = folder.join(".idea").join(name);
                self.add(file, Kind::Editor, xml, "");
            }
        }
    }

    fn other_editors(&mut self, folders: &Folders) {
        let json: Reader = format::environments;
        // Zed keeps its own in ~/.config on macOS as well.
        let zed = if cfg!(windows) {
            folders.applications.join("Zed")
        } else {
            folders.config.join("zed")
        };
        self.add(zed.join("settings.json"), Kind::Editor, json, "");
        let helix = if cfg!(windows) {
            folders.applications.join("helix")
        } else {
            folders.config.join("helix")
        };
        self.add(helix.join("languages.toml"), Kind::Editor, format::toml, "");
        for folder in folders.above() {
            self.add(folder.join(".zed/settings.json"), Kind::Editor, json, "");
            let helix = folder.join(".helix/languages.toml");
            self.add(helix, Kind::Editor, format::toml, "");
        }
        for name in [
            "sublime-text",
            "sublime-text-3",
            "Sublime Text",
            "Sublime Text 3",
        ] {
            let user = folders.applications.join(name).join("Packages/User");
            for name in ["LSP.sublime-settings", "LSP-gopls.sublime-settings"] {
                self.add(user.join(name), Kind::Editor, json, "");
            }
        }
    }

    fn vim(&mut self, folders: &Folders) {
        let home = &folders.home;
        for name in [".vimrc", "_vimrc", ".gvimrc", ".vim/vimrc"] {
            self.add(home.join(name), Kind::Editor, format::vim, "");
        }
        let nvim = if cfg!(windows) {
            home.join("AppData").join("Local").join("nvim")
        } else {
            folders.config.join("nvim")
        };
        self.add(nvim.join("init.vim"), Kind::Editor, format::vim, "");
        self.add(nvim.join("init.lua"), Kind::Editor, format::lua, "");
        for folder in [nvim.clone(), home.join(".vim")] {
            let coc = folder.join("coc-settings.json");
            self.add(coc, Kind::Editor, format::environments, "");
        }
        let mut left = MOST_LUA;
        for folder in ["lua", "plugin", "after"] {
            self.lua(&nvim.join(folder), 4, &mut left);
        }
    }

    fn lua(&mut self, folder: &Path, depth: usize, left: &mut usize) {
        for path in self.files.list(folder) {
            if *left == 0 {
                return;
            }
            if path.extension().is_some_and(|extension| extension == "lua") {
                *left -= 1;
                self.add(path, Kind::Editor, format::lua, "");
            } else if depth > 0 && path.extension().is_none() && self.files.is_folder(&path) {
                self.lua(&path, depth - 1, left);
            }
        }
    }

    fn emacs(&mut self, folders: &Folders) {
        let (home, config) = (&folders.home, &folders.config);
        for path in [
            home.join(".emacs"),
            home.join(".emacs.el"),
            home.join(".emacs.d/init.el"),
            home.join(".emacs.d/early-init.el"),
            config.join("emacs/init.el"),
            config.join("emacs/early-init.el"),
            home.join(".spacemacs"),
            home.join(".doom.d/config.el"),
            config.join("doom/config.el"),
            // What `doom env` has kept of a shell's variables.
            home.join(".emacs.d/.local/env"),
            config.join("emacs/.local/env"),
        ] {
            self.add(path, Kind::Editor, format::elisp, "");
        }
    }

    fn mise(&mut self, folders: &Folders) {
        let own = folders.config.join("mise");
        self.add(own.join("config.toml"), Kind::Folder, format::toml, "mise");
        self.folder(
            &own.join("conf.d"),
            "toml",
            Kind::Folder,
            format::toml,
            "mise",
        );
        self.add(
            "/etc/mise/config.toml".into(),
            Kind::Folder,
            format::toml,
            "mise",
        );
        for folder in folders.above() {
            for name in [
                "mise.local.toml",
                "mise.toml",
                ".mise.local.toml",
                ".mise.toml",
                "mise/config.toml",
                ".config/mise.toml",
                ".config/mise/config.toml",
            ] {
                self.add(folder.join(name), Kind::Folder, format::toml, "mise");
            }
        }
    }
}
