//! The process environment, read once and passed down: a rule that depends on a variable can then
//! be tested without setting it.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;

/// Environment variables as they were when goroam started.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment {
    vars: BTreeMap<String, OsString>,
}

/// Variables hold passwords (`HTTPS_PROXY`, tokens): only their names are shown.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.vars.keys()).finish()
    }
}

impl Environment {
    /// Reads the variables of this process whose names are UTF-8.
    pub fn of_process() -> Environment {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
            .collect()
    }

    /// Returns the value of a variable. An empty value counts as unset, as in the go command. So
    /// does one that is not UTF-8: go could not store such a value either.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.bytes(name).and_then(OsStr::to_str)
    }

    /// Returns the value, whatever its bytes; an empty one counts as unset.
    fn bytes(&self, name: &str) -> Option<&OsStr> {
        let spelled_otherwise = || {
            let mut vars = self.vars.iter();
            let (_, value) = vars.find(|(own, _)| cfg!(windows) && is_same_name(own, name))?;
            Some(value)
        };
        self.vars
            .get(name)
            .or_else(spelled_otherwise)
            .map(OsString::as_os_str)
            .filter(|value| !value.is_empty())
    }

    /// Returns the value as a path, which need not be UTF-8; an empty one counts as unset.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.bytes(name).map(PathBuf::from)
    }

    /// Returns all variables whose values are UTF-8, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.all()
            .filter_map(|(name, value)| Some((name, value.to_str()?)))
    }

    /// Returns all variables, whatever their bytes, sorted by name: the environment for a command.
    pub fn all(&self) -> impl Iterator<Item = (&str, &OsStr)> {
        self.vars
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_os_str()))
    }

    /// Returns the user's home directory as the go command finds it: `$HOME`, `%USERPROFILE%` on
    /// Windows.
    pub fn home(&self) -> Option<PathBuf> {
        self.path(if cfg!(windows) { "USERPROFILE" } else { "HOME" })
    }
}

/// Reports whether two names mean the same variable. On Windows `Path` is `PATH`.
pub fn is_same_name(one: &str, other: &str) -> bool {
    if cfg!(windows) {
        one.eq_ignore_ascii_case(other)
    } else {
        one == other
    }
}

impl<N: Into<String>, V: Into<OsString>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(vars: I) -> Environment {
        let vars = vars.into_iter();
        Environment {
            vars: BTreeMap::from_iter(vars.map(|(name, value)| (name.into(), value.into()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Environment;

    #[test]
    fn case_is_ignored_on_windows_only_and_an_empty_variable_is_unset() {
        let env: Environment = [("Path", "x"), ("GOFLAGS", "")].into_iter().collect();
        assert_eq!(env.get("Path"), Some("x"));
        assert_eq!(env.get("PATH").is_some(), cfg!(windows));
        assert_eq!(env.get("GOFLAGS"), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_home_that_is_not_utf_8_is_a_path_but_no_text() {
        use std::os::unix::ffi::OsStrExt as _;

        let home = std::ffi::OsStr::from_bytes(b"/home/j\xf6rg");
        let env: Environment = [("HOME", home)].into_iter().collect();
        assert_eq!(env.home().as_deref(), Some(std::path::Path::new(home)));
        assert_eq!(env.get("HOME"), None);
        assert!(env.all().eq([("HOME", home)]));
    }
}
