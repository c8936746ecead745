//! The process environment, read once and passed down: a rule that depends on a variable can
//! then be tested without setting it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use crate::model::order;

/// Environment variables as they were when goroam started.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment {
    vars: BTreeMap<String, String>,
}

/// Variables hold passwords (`HTTPS_PROXY`, tokens): only their names are shown.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.vars.keys()).finish()
    }
}

impl Environment {
    /// The variables of this process. Those that are not UTF-8 are left out: go could not
    /// store such a value either.
    pub fn of_process() -> Environment {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    /// The value of a variable; an empty one counts as unset, as in the go command.
    pub fn get(&self, name: &str) -> Option<&str> {
        let spelled_otherwise = || {
            let mut vars = self.vars.iter();
            let (_, value) = vars.find(|(own, _)| cfg!(windows) && is_same_name(own, name))?;
            Some(value)
        };
        self.vars
            .get(name)
            .or_else(spelled_otherwise)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// The value as a path; an empty one counts as unset.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.get(name).map(PathBuf::from)
    }

    /// All variables, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.vars
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The user's home as the go command sees it: `$HOME`, `%USERPROFILE%` on Windows.
    pub fn home(&self) -> Option<PathBuf> {
        self.path(if cfg!(windows) { "USERPROFILE" } else { "HOME" })
    }
}

/// Do two names mean the same variable? On Windows `Path` is `PATH`.
pub fn is_same_name(one: &str, other: &str) -> bool {
    if cfg!(windows) {
        one.eq_ignore_ascii_case(other)
    } else {
        one == other
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(vars: I) -> Environment {
        let vars = vars.into_iter();
        Environment {
            vars: order::map(vars.map(|(name, value)| (name.into(), value.into()))),
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
}
