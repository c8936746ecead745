//! The ways in which shells start: which files each reads, and what it has exported at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::files::Files;
use super::shell::Startup;
use crate::environment::Environment;

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
