//! Credentials as the go command finds them: `cmd/go/internal/auth/{netrc,auth}.go`.

use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::bounded;
use crate::environment::Environment;

/// No netrc is longer; one that is counts as none.
const MAX_NETRC: u64 = 1024 * 1024;

/// The entries of one netrc. Debug tells how many, never what.
#[derive(Default)]
pub(super) struct Netrc {
    entries: Vec<Entry>,
    path: Option<PathBuf>,
    off: bool,
}

#[derive(Default)]
struct Entry {
    machine: String,
    login: String,
    password: String,
}

/// A login and its password. There is no way to print it.
pub(super) struct Login<'a> {
    pub(super) user: &'a str,
    pub(super) password: &'a str,
}

impl Netrc {
    /// Reads `$NETRC`, else `~/.netrc` (`~/_netrc` first on Windows). With a GOAUTH that does
    /// not name `netrc` there is nothing to read (go 1.24 and later).
    pub(super) fn read(env: &Environment) -> Netrc {
        let goauth = env.get("GOAUTH").unwrap_or("netrc");
        let off = !goauth.split(';').any(|command| command.trim() == "netrc");
        let path = netrc_path(env);
        let text = match &path {
            Some(path) if !off => read_text(path).unwrap_or_default(),
            Some(_) | None => String::new(),
        };
        Netrc {
            entries: parse(&text),
            path,
            off,
        }
    }

    /// The login for a URL without scheme and userinfo: `host[:port]/path…`. A machine must
    /// equal the host with its port as the URL has it, or a path below it (`loadCredential`).
    pub(super) fn login(&self, url: &str) -> Option<Login<'_>> {
        let mut prefix = url.trim_end_matches('/');
        loop {
            // The first of several entries for one machine counts.
            if let Some(entry) = self.entries.iter().find(|e| e.machine == prefix) {
                return Some(Login {
                    user: &entry.login,
                    password: &entry.password,
                });
            }
            prefix = prefix.rsplit_once('/')?.0;
        }
    }

    /// What a user can do about missing credentials for `host[:port]`.
    pub(super) fn advice(&self, host: &str) -> String {
        match &self.path {
            Some(_) if self.off => "GOAUTH does not name netrc".to_owned(),
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

    fn netrc(text: &str) -> Netrc {
        Netrc {
            entries: parse(text),
            ..Netrc::default()
        }
    }

    fn login(text: &str, url: &str) -> Option<(String, String)> {
        let netrc = netrc(text);
        let login = netrc.login(url)?;
        Some((login.user.to_owned(), login.password.to_owned()))
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

    #[test]
    fn the_machine_must_have_the_port_of_the_url() {
        let text = "machine 127.0.0.1 login a password b";
        assert!(login(text, "127.0.0.1/mod/@v/list").is_some());
        assert!(login(text, "127.0.0.1:8443/mod/@v/list").is_none());
        let text = "machine 127.0.0.1:8443 login a password b";
        assert!(login(text, "127.0.0.1:8443/mod/@v/list").is_some());
        assert!(login(text, "127.0.0.1/mod").is_none());
    }

    #[test]
    fn the_first_of_two_entries_counts_and_a_path_narrows_one() {
        let text = "machine h login one password x\nmachine h login two password y\n\
                    machine h/deep login three password z";
        assert_eq!(login(text, "h/a").unwrap().0, "one");
        assert_eq!(login(text, "h/deep/a").unwrap().0, "three");
    }

    #[test]
    fn goauth_without_netrc_leaves_the_file_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("netrc");
        std::fs::write(&path, "machine h login a password hidden").unwrap();
        let read = |goauth: &str| {
            let vars = [("NETRC", path.to_str().unwrap()), ("GOAUTH", goauth)];
            Netrc::read(&vars.into_iter().collect())
        };
        assert!(read("").login("h/x").is_some());
        assert!(read("netrc").login("h/x").is_some());
        assert!(read("git /x; netrc").login("h/x").is_some());
        assert!(read("off").login("h/x").is_none());
        assert!(read("some-command").login("h/x").is_none());
        assert!(!format!("{:?}", read("netrc")).contains("hidden"));
    }
}
