//! The netrc file as the go command reads it: `cmd/go/internal/auth/netrc.go`.

use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::goauth_command::Headers;
use crate::bounded;
use crate::environment::Environment;

/// No netrc is longer; one that is counts as none.
const MAX_NETRC: u64 = 1024 * 1024;

/// The entries of one netrc. Debug shows how many, never what.
#[derive(Default)]
pub(super) struct Netrc {
    entries: Vec<Entry>,
    path: Option<PathBuf>,
}

#[derive(Default)]
struct Entry {
    machine: String,
    login: String,
    password: String,
}

impl Netrc {
    /// Finds `$NETRC`, else `~/.netrc` (`~/_netrc` first on Windows), and reads it if it is
    /// `wanted`.
    pub(super) fn read(env: &Environment, wanted: bool) -> Netrc {
        let path = netrc_path(env);
        let text = match &path {
            Some(path) if wanted => read_text(path).unwrap_or_default(),
            Some(_) | None => String::new(),
        };
        Netrc {
            entries: parse(&text),
            path,
        }
    }

    /// Every machine and what it gets, the last entry first: of two for one machine the first
    /// counts, so it must be stored last.
    pub(super) fn headers(&self) -> impl Iterator<Item = (&str, Headers)> {
        self.entries.iter().rev().filter_map(|entry| {
            let headers = Headers::basic(entry.login.as_bytes(), entry.password.as_bytes())?;
            Some((entry.machine.as_str(), headers))
        })
    }

    /// What a user can do about missing credentials for `host[:port]`.
    pub(super) fn advice(&self, host: &str) -> String {
        match &self.path {
            Some(path) => format!("add `machine {host} …` to {}", path.display()),
            None => format!("add `machine {host} …` to a netrc and name it in NETRC"),
        }
    }
}

impl fmt::Debug for Netrc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Netrc")
            .field("entries", &self.entries.len())
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

fn netrc_path(env: &Environment) -> Option<PathBuf> {
    if let Some(path) = env.path("NETRC") {
        return Some(path);
    }
    let home = env.home()?;
    if cfg!(windows) {
        let legacy = home.join("_netrc");
        match std::fs::metadata(&legacy) {
            Ok(_) => return Some(legacy),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(_) => return None,
        }
    }
    Some(home.join(".netrc"))
}

fn read_text(path: &Path) -> std::io::Result<String> {
    let bytes = bounded::read(path, MAX_NETRC)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// `auth.parseNetrc`: tokens in pairs, line by line.
fn parse(text: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut entry = Entry::default();
    let mut in_macro = false;
    for line in text.split('\n') {
        if in_macro {
            in_macro = !line.is_empty();
            continue;
        }
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (pairs, rest) = fields.as_chunks::<2>();
        for [token, value] in pairs {
            match *token {
                "machine" => {
                    entry = Entry {
                        machine: (*value).to_owned(),
                        ..Entry::default()
                    };
                }
                "login" => (*value).clone_into(&mut entry.login),
                "password" => (*value).clone_into(&mut entry.password),
                "macdef" => in_macro = true,
                _ => {}
            }
            let whole = [&entry.machine, &entry.login, &entry.password];
            if whole.iter().all(|part| !part.is_empty()) {
                entries.push(std::mem::take(&mut entry));
            }
        }
        if rest == ["default"] {
            break; // it must come last, and go does not use it
        }
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(text: &str, machine: &str) -> Option<(String, String)> {
        let entry = parse(text)
            .into_iter()
            .find(|entry| entry.machine == machine)?;
        Some((entry.login, entry.password))
    }

    #[test]
    fn entries_are_read_as_go_reads_them() {
        // auth/netrc_test.go:testNetrc
        let text = "machine incomplete\npassword none\n\n\
            machine api.github.com\n  login user\n  password pwd\n\n\
            machine incomlete.host\n  login justlogin\n\
            \nmachine test.host\nlogin user2\npassword pwd2\n\n\
            machine oneline login user3 password pwd3\n\n\
            machine ignore.host macdef ignore\n  login nobody\n  password nothing\n\n\
            machine hasmacro.too macdef ignore-next-lines login user4 password pwd4\n\
            machine nomacro login x password y\n\n\
            default\nlogin anonymous\npassword gopher@golang.org\n\n\
            machine after.default\nlogin oops\npassword too-late-in-file\n";
        let pair = |user: &str, password: &str| Some((user.to_owned(), password.to_owned()));
        assert_eq!(login(text, "api.github.com"), pair("user", "pwd"));
        assert_eq!(login(text, "test.host"), pair("user2", "pwd2"));
        assert_eq!(login(text, "oneline"), pair("user3", "pwd3"));
        assert_eq!(login(text, "hasmacro.too"), pair("user4", "pwd4"));
        for absent in [
            "incomplete",
            "incomlete.host",
            "ignore.host",
            "nomacro",
            "after.default",
        ] {
            assert_eq!(login(text, absent), None, "{absent}");
        }
    }
}
