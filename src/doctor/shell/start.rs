//! The ways in which shells start, and what each has exported in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::super::files::Files;
use super::Dialect;
use super::startup::Startup;
use super::variables::Export;
use crate::environment::Environment;

/// One way to start.
#[derive(Debug)]
pub(crate) struct Start {
    /// "new bash terminals"
    pub(crate) reaches: &'static str,
    /// The shell's name as in `$SHELL`; empty: every login, whatever the shell.
    pub(crate) shell: &'static str,
    pub(crate) exports: Vec<Export>,
    /// By `go env -w`.
    pub(crate) written: Vec<Export>,
    pub(crate) read: Vec<PathBuf>,
    pub(crate) unread: Vec<(PathBuf, String)>,
}

/// Its beginning is what `case "$OSTYPE" in darwin*)` looks at.
const OSTYPE: &str = if cfg!(target_os = "macos") {
    "darwin24"
} else {
    "linux-gnu"
};

/// All ways in which a user's shells start.
pub(crate) fn starts(
    files: &dyn Files,
    env: &Environment,
    home: &Path,
    names: &BTreeSet<String>,
) -> Vec<Start> {
    let new = |dialect: Dialect| {
        let home = home.to_string_lossy();
        let mut startup = Startup::new(files, dialect).given("HOME", &home);
        if let Some(value) = env.get("USER") {
            startup = startup.given("USER", value);
        }
        // Who does not have one here has none there: `${XDG_CONFIG_HOME:-$HOME/.config}`.
        for name in ["XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"] {
            startup = startup.given(name, env.get(name).unwrap_or_default());
        }
        let given: &[(&str, &str)] = match dialect {
            Dialect::Bash => &[
                ("BASH", "/bin/bash"),
                ("BASH_VERSION", "5"),
                ("OSTYPE", OSTYPE),
                ("-", "himBHs"),
                ("PS1", "$ "),
            ],
            Dialect::Zsh => &[
                ("ZSH_VERSION", "5"),
                ("OSTYPE", OSTYPE),
                ("-", "569XZilms"),
                ("PS1", "% "),
            ],
            Dialect::Fish => &[("FISH_VERSION", "3")],
            Dialect::Sh => &[],
        };
        let given = given.iter();
        given.fold(startup, |startup, (name, value)| startup.given(name, value))
    };
    let done = |reaches, shell, startup: Startup<'_>| Start {
        reaches,
        shell,
        exports: startup.exports(names),
        written: startup.written,
        read: startup.read,
        unread: startup.unread,
    };

    let mut desktop = new(Dialect::Sh);
    desktop.file(Path::new("/etc/profile"));
    for name in [
        ".profile",
        ".xprofile",
        ".xsessionrc",
        ".xinitrc",
        ".xsession",
    ] {
        desktop.file(&home.join(name));
    }
    let config = env
        .path("XDG_CONFIG_HOME")
        .unwrap_or_else(|| home.join(".config"));
    for path in files.list(&config.join("plasma-workspace/env")) {
        if path.extension().is_some_and(|extension| extension == "sh") {
            desktop.file(&path);
        }
    }

    let mut login = new(Dialect::Bash);
    login.file(Path::new("/etc/profile"));
    for name in [".bash_profile", ".bash_login", ".profile"] {
        if login.file(&home.join(name)) {
            break;
        }
    }

    let mut terminal = new(Dialect::Bash);
    // Debian's is compiled into bash, Red Hat's is read by the user's own file.
    terminal.file(Path::new("/etc/bash.bashrc"));
    terminal.file(&home.join(".bashrc"));

    let mut found = vec![
        done("programs of the desktop", "", desktop),
        done("bash login shells", "bash", login),
        done("bash terminals", "bash", terminal),
        done("zsh shells", "zsh", zsh(new(Dialect::Zsh), env, home)),
    ];
    found.push(done(
        "fish shells",
        "fish",
        fish(new(Dialect::Fish), files, env, home),
    ));
    found
}

fn zsh<'f>(mut startup: Startup<'f>, env: &Environment, home: &Path) -> Startup<'f> {
    let mut own = env.path("ZDOTDIR").unwrap_or_else(|| home.to_owned());
    for name in ["zshenv", "zprofile", "zshrc", "zlogin"] {
        // Debian and Arch have a folder, macOS and Red Hat do not.
        for folder in ["/etc/zsh", "/etc"] {
            if startup.file(&Path::new(folder).join(name)) {
                break;
            }
        }
        if let Some(folder) = startup.variables.value("ZDOTDIR") {
            own = PathBuf::from(folder);
        }
        startup.file(&own.join(format!(".{name}")));
        if let Some(folder) = startup.variables.value("ZDOTDIR") {
            own = PathBuf::from(folder);
        }
    }
    startup
}

fn fish<'f>(
    mut startup: Startup<'f>,
    files: &dyn Files,
    env: &Environment,
    home: &Path,
) -> Startup<'f> {
    let config = env
        .path("XDG_CONFIG_HOME")
        .unwrap_or_else(|| home.join(".config"));
    let own = config.join("fish");
    // conf.d of all folders in the order of the names, the user's file in the place of a
    // system's of the same name; then the system's config.fish, then the user's.
    let folders = [
        PathBuf::from("/usr/share/fish/vendor_conf.d"),
        PathBuf::from("/etc/fish/conf.d"),
        own.join("conf.d"),
    ];
    let parts = folders.iter().flat_map(|folder| files.list(folder));
    let parts = parts.filter(|path| path.extension().is_some_and(|one| one == "fish"));
    let parts: BTreeMap<_, _> = parts
        .filter_map(|path| Some((path.file_name()?.to_owned(), path)))
        .collect();
    for part in parts.values() {
        startup.file(part);
    }
    startup.file(Path::new("/etc/fish/config.fish"));
    startup.file(&own.join("config.fish"));
    startup
}
