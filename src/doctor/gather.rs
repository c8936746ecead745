//! Reads every place that may set a variable, in the order in which each way to start a shell reads
//! its files. Everything has a limit; unreadable places are recorded.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::facts::{DoctorFacts, Kind, Sighting};
use super::files::Files;
use super::format::{self, Setting};
use super::places::{self, Folders, SettingsFile};
use super::shell::Startup;
use crate::environment::Environment;

/// Reads the environment and the files.
pub(super) fn files(
    facts: &mut DoctorFacts,
    files: &dyn Files,
    env: &Environment,
    home: &Path,
    here: &Path,
    names: &BTreeSet<String>,
) {
    let login = env.get("SHELL").and_then(|shell| shell.rsplit('/').next());
    let mut look = Look {
        facts,
        files,
        home,
        names,
        login: login.filter(|name| !name.is_empty()),
    };
    look.this_shell(env);
    if !cfg!(windows) {
        look.shells(env);
    }
    let folders = Folders::of(env, home, here);
    look.direnv(&folders);
    for place in places::all(files, &folders) {
        look.place(&place);
    }
}

struct Look<'l> {
    facts: &'l mut DoctorFacts,
    files: &'l dyn Files,
    home: &'l Path,
    names: &'l BTreeSet<String>,
    /// The name of the user's shell.
    login: Option<&'l str>,
}

impl Look<'_> {
    fn this_shell(&mut self, env: &Environment) {
        self.facts.looked.push("this shell".to_owned());
        for name in self.names {
            if let Some(value) = env.get(name) {
                let place = "this shell".to_owned();
                let seen = Sighting::new(name.clone(), Some(value), place, Kind::Here);
                self.facts.seen.push(seen);
            }
        }
    }

    fn shells(&mut self, env: &Environment) {
        for (reaches, shell, startup) in starts(self.files, env, self.home, self.names) {
            let foreign = !shell.is_empty() && self.login.is_some_and(|login| login != shell);
            let seen = |setting: Setting| Sighting {
                foreign,
                ..sighting(setting, Kind::Shell, reaches, self.home)
            };
            for export in startup.exports() {
                merge(&mut self.facts.seen, seen(export));
            }
            for lone in startup.lone_lines() {
                let known = self.facts.lone.iter_mut().find(|(one, _)| one == lone);
                match known {
                    Some((_, all)) => all.push(reaches.to_owned()),
                    None => (self.facts.lone).push((lone.clone(), vec![reaches.to_owned()])),
                }
            }
            for written in startup.written {
                merge(&mut self.facts.rewrites, seen(written));
            }
            self.noted(startup.read, startup.unread);
        }
    }

    fn noted(&mut self, read: Vec<PathBuf>, unread: Vec<(PathBuf, String)>) {
        for path in read {
            self.facts.looked(self.short(&path));
        }
        for (path, why) in unread {
            self.unread(&path, &why);
        }
    }

    /// Reads the nearest .envrc, as direnv does, and the next one where it says `source_up`.
    fn direnv(&mut self, folders: &Folders) {
        let above = folders.above().map(|folder| folder.join(".envrc"));
        let all: Vec<PathBuf> = above.filter(|path| self.files.is_file(path)).collect();
        let home = self.home.to_string_lossy();
        for path in all {
            let Some(text) = self.read(&path) else {
                return;
            };
            let begins = |line: &str, word| line.trim_start().starts_with(word);
            let says = |word| text.lines().any(|line| begins(line, word));
            let mut startup = Startup::new(self.files, self.names, false, &[("HOME", &home)]);
            startup.file(&path);
            let folder = self.short(path.parent().unwrap_or(&path));
            let reaches = format!("shells with direnv in {folder}");
            for export in startup.exports() {
                // Applies only if direnv is installed and allowed to read the file.
                let certain = false;
                let seen = sighting(export, Kind::Folder, &reaches, self.home);
                merge(&mut self.facts.seen, Sighting { certain, ..seen });
            }
            self.noted(startup.read, startup.unread);
            if says("dotenv") {
                self.place(&SettingsFile {
                    path: path.with_file_name(".env"),
                    kind: Kind::Folder,
                    reader: format::assignments,
                });
            }
            if !says("source_up") {
                return;
            }
        }
    }

    fn place(&mut self, place: &SettingsFile) {
        let Some(text) = self.read(&place.path) else {
            return;
        };
        for mut setting in (place.reader)(&text, self.names) {
            if place.kind == Kind::Login {
                let home = self.home.to_string_lossy();
                let value = setting.value.as_deref();
                setting.value = value.map(|value| format::with_home(value, &home));
            }
            setting.file.clone_from(&place.path);
            let name = place.path.file_name().unwrap_or_default().to_string_lossy();
            let is_fish = name == "fish_variables";
            let reaches = match (place.kind, setting.key.contains("terminal")) {
                (Kind::Login, _) => "every login",
                (Kind::Editor, true) => "terminals of the editor",
                (Kind::Editor, false) => "the editor",
                // Every fish shell has these variables, whatever its files set.
                (Kind::Shell, _) if is_fish => "fish shells",
                (Kind::Shell, _) => "shells that read it",
                _ if name.ends_with(".toml") => "shells with mise",
                _ => "shells in this folder",
            };
            setting.certain &= place.kind != Kind::Folder;
            let foreign = is_fish && self.login.is_some_and(|login| login != "fish");
            let seen = sighting(setting, place.kind, reaches, self.home);
            merge(&mut self.facts.seen, Sighting { foreign, ..seen });
        }
    }

    fn read(&mut self, path: &Path) -> Option<String> {
        match self.files.read(path) {
            Ok(text) => {
                if text.is_some() {
                    self.facts.looked(self.short(path));
                }
                text
            }
            Err(error) => {
                self.unread(path, &error.to_string());
                None
            }
        }
    }

    fn unread(&mut self, path: &Path, why: &str) {
        self.facts.unread(&self.short(path), why);
    }

    fn short(&self, path: &Path) -> String {
        short(path, self.home)
    }
}

/// Turns a line of a file into a sighting.
fn sighting(setting: Setting, kind: Kind, reaches: &str, home: &Path) -> Sighting {
    let mut place = format!("{}:{}", short(&setting.file, home), setting.line);
    if !setting.key.is_empty() && kind == Kind::Editor {
        place.push_str(&format!(" ({})", setting.key));
    }
    let value = setting.value.as_deref();
    Sighting {
        certain: setting.certain,
        ..Sighting::new(setting.name, value, place, kind).reaching(reaches)
    }
}

/// Adds a sighting; a line that shells read in several ways is one sighting.
fn merge(all: &mut Vec<Sighting>, new: Sighting) {
    let known = all
        .iter_mut()
        .find(|one| one.name == new.name && one.place == new.place && one.value == new.value);
    let Some(known) = known else {
        all.push(new);
        return;
    };
    known.certain |= new.certain;
    known.foreign &= new.foreign;
    for reach in new.reaches {
        if !known.reaches.contains(&reach) {
            known.reaches.push(reach);
        }
    }
}

/// `~/.bashrc`
pub(super) fn short(path: &Path, home: &Path) -> String {
    match path.strip_prefix(home) {
        Ok(rest) if rest.as_os_str().is_empty() => "~".to_owned(),
        Ok(rest) => PathBuf::from("~").join(rest).display().to_string(),
        Err(_) => path.display().to_string(),
    }
}

/// Returns all ways in which a user's shells start: a description, the shell's name as in `$SHELL`
/// (empty: every login, whatever the shell), and the state after its files were read.
pub(super) fn starts<'f>(
    files: &'f dyn Files,
    env: &Environment,
    home: &Path,
    names: &'f BTreeSet<String>,
) -> [(&'static str, &'static str, Startup<'f>); 5] {
    let shown = home.to_string_lossy();
    let mut given = vec![("HOME", shown.as_ref())];
    // A variable that is not set here counts as not set at the start:
    // `${XDG_CONFIG_HOME:-$HOME/.config}`.
    for name in ["USER", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"] {
        given.push((name, env.get(name).unwrap_or_default()));
    }
    let new = |is_fish| Startup::new(files, names, is_fish, &given);
    let config = env.path("XDG_CONFIG_HOME");
    let config = config.unwrap_or_else(|| home.join(".config"));
    let with_ending = |folder: &Path, ending: &str| {
        let mut all = files.list(folder);
        all.retain(|path| path.extension().is_some_and(|one| one == ending));
        all
    };

    let mut desktop = new(false);
    desktop.file(Path::new("/etc/profile"));
    for name in ["profile", "xprofile", "xsessionrc", "xinitrc", "xsession"] {
        desktop.file(&home.join(format!(".{name}")));
    }
    for path in with_ending(&config.join("plasma-workspace/env"), "sh") {
        desktop.file(&path);
    }

    let mut login = new(false);
    login.file(Path::new("/etc/profile"));
    let first_of = [".bash_profile", ".bash_login", ".profile"];
    first_of.iter().any(|name| login.file(&home.join(name)));

    let mut terminal = new(false);
    // Debian's path is compiled into bash; on Red Hat the user's own file reads the system's file.
    terminal.file(Path::new("/etc/bash.bashrc"));
    terminal.file(&home.join(".bashrc"));

    let mut zsh = new(false);
    let mut own = env.path("ZDOTDIR").unwrap_or_else(|| home.to_owned());
    for name in ["zshenv", "zprofile", "zshrc", "zlogin"] {
        // Debian and Arch have a directory, macOS and Red Hat do not.
        let folders = ["/etc/zsh", "/etc"].map(Path::new);
        folders.iter().any(|folder| zsh.file(&folder.join(name)));
        own = zsh.value("ZDOTDIR").map_or(own, PathBuf::from);
        zsh.file(&own.join(format!(".{name}")));
        own = zsh.value("ZDOTDIR").map_or(own, PathBuf::from);
    }

    let mut fish = new(true);
    let own = config.join("fish");
    // conf.d of all directories in the order of the names, where the user's file replaces a system
    // file of the same name; then the system's config.fish, then the user's.
    let system = ["/usr/share/fish/vendor_conf.d", "/etc/fish/conf.d"].map(PathBuf::from);
    let folders = system.into_iter().chain([own.join("conf.d")]);
    let parts = folders.flat_map(|folder| with_ending(&folder, "fish"));
    let parts: BTreeMap<_, _> = parts
        .filter_map(|path| Some((path.file_name()?.to_owned(), path)))
        .collect();
    for part in parts.values() {
        fish.file(part);
    }
    fish.file(Path::new("/etc/fish/config.fish"));
    fish.file(&own.join("config.fish"));

    [
        ("programs of the desktop", "", desktop),
        ("bash login shells", "bash", login),
        ("bash terminals", "bash", terminal),
        ("zsh shells", "zsh", zsh),
        ("fish shells", "fish", fish),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::super::facts::DoctorFacts;
    use super::super::files::Table;
    use crate::environment::Environment;

    #[cfg_attr(not(unix), allow(dead_code))]
    fn seen(env: &[(&str, &str)], table: &[(&str, &str)]) -> (Vec<String>, DoctorFacts) {
        let names: BTreeSet<String> = ["GOPROXY".to_owned()].into();
        let env: Environment = env.iter().copied().collect();
        let mut facts = DoctorFacts::default();
        let table = Table::of(table);
        let (home, here) = (Path::new("/home/me"), Path::new("/home/me/src/x"));
        super::files(&mut facts, &table, &env, home, here, &names);
        let all = facts
            .seen
            .iter()
            .map(|one| {
                let value = one.value.as_deref().unwrap_or("?");
                format!("{} = {value} → {}", one.place, one.reaches.join(", "))
            })
            .collect();
        (all, facts)
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn every_place_is_looked_at() {
        let json = "{\"go.toolsEnvVars\": {\"GOPROXY\": \"off\"}}";
        let (seen, facts) = seen(
            &[],
            &[
                ("/home/me/.bashrc", "export GOPROXY=off"),
                ("/home/me/.config/environment.d/go.conf", "GOPROXY=off"),
                ("/etc/environment", "GOPROXY=off"),
                (
                    "/home/me/.config/fish/fish_variables",
                    "SETUVAR --export GOPROXY:off",
                ),
                ("/home/me/.config/Code/User/settings.json", json),
                ("/home/me/.config/Code/User/profiles/a1/settings.json", json),
                ("/home/me/src/.vscode/settings.json", json),
                (
                    "/home/me/src/x/.idea/workspace.xml",
                    "<component name=\"VgoProject\"><entry key=\"GOPROXY\" value=\"off\"/>",
                ),
                (
                    "/home/me/.config/nvim/lua/plugins/go.lua",
                    "vim.env.GOPROXY = 'off'",
                ),
                (
                    "/home/me/.config/doom/config.el",
                    "(setenv \"GOPROXY\" \"off\")",
                ),
                ("/home/me/src/mise.toml", "[env]\nGOPROXY='off'"),
                ("/home/me/src/.envrc", "export GOPROXY=off"),
                (
                    "/home/me/.config/powershell/profile.ps1",
                    "$env:GOPROXY='off'",
                ),
            ],
        );
        assert_eq!(
            seen,
            [
                "~/.bashrc:1 = off → bash terminals",
                "~/src/.envrc:1 = off → shells with direnv in ~/src",
                "~/.config/environment.d/go.conf:1 = off → every login",
                "/etc/environment:1 = off → every login",
                "~/.config/fish/fish_variables:1 = off → fish shells",
                "~/.config/powershell/profile.ps1:1 = off → shells that read it",
                "~/.config/Code/User/settings.json:1 (go.toolsEnvVars) = off → the editor",
                "~/.config/Code/User/profiles/a1/settings.json:1 (go.toolsEnvVars) = off → the editor",
                "~/src/.vscode/settings.json:1 (go.toolsEnvVars) = off → the editor",
                "~/src/x/.idea/workspace.xml:1 (Go modules) = off → the editor",
                "~/.config/nvim/lua/plugins/go.lua:1 = off → the editor",
                "~/.config/doom/config.el:1 = off → the editor",
                "~/src/mise.toml:2 = off → shells with mise",
            ]
        );
        // This shell, and thirteen files.
        assert_eq!(facts.looked.len(), 14, "{:?}", facts.looked);
    }

    #[cfg(unix)]
    #[test]
    fn one_line_that_several_shells_read_is_seen_once() {
        let (seen, _) = seen(
            &[("GOPROXY", "https://joe:s3cret@h")],
            &[("/home/me/.profile", "export GOPROXY=https://joe:s3cret@h")],
        );
        assert_eq!(
            seen,
            [
                "this shell = https://joe:***@h → ",
                "~/.profile:1 = https://joe:***@h → programs of the desktop, bash login shells",
            ]
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_file_of_a_shell_that_is_not_the_users_is_marked() {
        let files = [("/home/me/.zshrc", "export GOPROXY=off")];
        let (_, facts) = seen(&[("SHELL", "/bin/bash")], &files);
        assert!(facts.seen[0].foreign);
        let (_, facts) = seen(&[("SHELL", "/bin/zsh")], &files);
        assert!(!facts.seen[0].foreign);
    }

    #[cfg(unix)]
    #[test]
    fn what_cannot_be_read_is_noted_once() {
        let (_, facts) = seen(&[], &[("/home/me/.profile", "(unreadable)")]);
        let places: Vec<_> = facts
            .findings
            .iter()
            .map(|one| one.place.as_deref())
            .collect();
        assert_eq!(places, [Some("~/.profile")]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_folder_that_takes_over_what_is_set_above_it_and_a_desktops_own_scripts_are_read() {
        let (found, _) = seen(
            &[],
            &[
                ("/home/me/src/x/.envrc", "source_up\n"),
                ("/home/me/src/.envrc", "export GOPROXY=off\n"),
                ("/home/me/.envrc", "export GOPROXY=direct\n"),
                (
                    "/home/me/.config/plasma-workspace/env/go.sh",
                    "export GOPROXY=off\n",
                ),
            ],
        );
        assert_eq!(
            found,
            [
                "~/.config/plasma-workspace/env/go.sh:1 = off → programs of the desktop",
                "~/src/.envrc:1 = off → shells with direnv in ~/src",
            ]
        );
    }

    #[cfg(unix)]
    #[test]
    fn go_env_w_in_a_start_up_file_is_no_shadow_but_found() {
        let text = "alias cn='go env -w GOPROXY=a'\n(go env -w GOPROXY=b)\ngo env GOPROXY\n\
                    f() { go env -w GOPROXY=c; }\ngo env -w GOFLAGS=-v GOPROXY=https://j:s3cret@d\n\
                    command -v go && go env -w \"GOPROXY=e\"\n";
        let (shadows, facts) = seen(&[], &[("/home/me/.bashrc", text)]);
        assert_eq!(shadows, [""; 0]);
        let found: Vec<String> = facts
            .rewrites
            .iter()
            .map(|one| format!("{} {:?} {}", one.place, one.value, one.certain))
            .collect();
        assert_eq!(
            found,
            [
                "~/.bashrc:5 Some(\"https://j:***@d\") true",
                "~/.bashrc:6 Some(\"e\") false",
            ]
        );
    }
}
