//! The ways in which shells start, and what each has exported in the end.

use super::super::files::Files;
use super::Dialect;
use super::startup::Startup;
use super::word::Export;
use crate::environment::Environment;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

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

/// A line of `fish_variables`: `SETUVAR --export GOPROXY:https\x3a//a\x2cdirect`. The name and
/// the value of an exported one, a list's elements joined with spaces as fish exports them.
pub(crate) fn universal(line: &str) -> Option<(String, String)> {
    let rest = line.strip_prefix("SETUVAR --export ")?;
    let rest = rest.strip_prefix("--path ").unwrap_or(rest);
    let (name, value) = rest.split_once(':')?;
    let mut text = Vec::new();
    let mut bytes = value.bytes().peekable();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            text.push(byte);
            continue;
        }
        match bytes.next()? {
            b'x' => {
                let digits = [bytes.next()?, bytes.next()?];
                let digits = std::str::from_utf8(&digits).ok()?;
                text.push(u8::from_str_radix(digits, 16).ok()?);
            }
            b'u' => {
                let digits: Vec<u8> = bytes.by_ref().take(4).collect();
                let number = u32::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?;
                let mut utf8 = [0; 4];
                text.extend(char::from_u32(number)?.encode_utf8(&mut utf8).bytes());
            }
            b'n' => text.push(b'\n'),
            byte => text.push(byte),
        }
    }
    // Elements of a list are parted by U+001E.
    let text = String::from_utf8(text).ok()?.replace('\u{1e}', " ");
    Some((name.to_owned(), text))
}

#[cfg(test)]
mod tests {
    use super::universal;

    #[test]
    fn universal_variables_are_read_as_fish_writes_them() {
        let line = r"SETUVAR --export GOPROXY:https\x3a//a\x20b\x2cdirect";
        let found = universal(line);
        let expected = ("GOPROXY".to_owned(), "https://a b,direct".to_owned());
        assert_eq!(found, Some(expected));
        let list = universal(r"SETUVAR --export GOFLAGS:a\x1eb");
        assert_eq!(list.map(|(_, value)| value), Some("a b".to_owned()));
        for line in [
            "SETUVAR GOPROXY:off",
            "# SETUVAR --export GOPROXY:off",
            r"SETUVAR --export GOPROXY:\x",
            r"SETUVAR --export GOPROXY:\xzz",
            "SETUVAR --export GOPROXY",
            "",
        ] {
            assert_eq!(universal(line), None, "{line}");
        }
    }
}
