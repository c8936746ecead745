//! The settings of a file, in the order of its lines.

use std::collections::BTreeSet;
use std::path::PathBuf;

/// Maximum number of settings that are kept of one file.
const MOST: usize = 1000;

/// A variable that a file sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting {
    /// The file that has the line, if it is not the file that was read.
    pub(crate) file: PathBuf,
    pub(crate) name: String,
    /// `None`: known only at run time.
    pub(crate) value: Option<String>,
    /// The line, counted from 1.
    pub(crate) line: usize,
    /// The setting that holds it: `go.toolsEnvVars`; empty if the file contains only variables.
    pub(crate) key: String,
    /// Whether it is set without a condition.
    pub(crate) certain: bool,
}

/// The settings of one file; the last one of a name counts.
#[derive(Debug)]
pub(crate) struct Book<'n> {
    pub(crate) names: &'n BTreeSet<String>,
    pub(crate) found: Vec<Setting>,
    /// [`Setting::file`] of the settings that are added next.
    pub(crate) file: PathBuf,
}

impl<'n> Book<'n> {
    /// An empty book that keeps only these names.
    pub(crate) fn new(names: &'n BTreeSet<String>) -> Book<'n> {
        Book {
            names,
            found: Vec::new(),
            file: PathBuf::new(),
        }
    }

    /// Reports whether it is one of the names. Windows ignores the case of names; here the case
    /// must match on every system.
    pub(super) fn wants(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// Adds a line that sets a variable. For go, an empty value is the same as not set.
    pub(crate) fn set(&mut self, name: &str, value: Option<String>, line: usize, certain: bool) {
        self.set_in("", name, value, line, certain);
    }

    /// Adds a line within a setting that sets a variable.
    pub(super) fn set_in(
        &mut self,
        key: &str,
        name: &str,
        value: Option<String>,
        line: usize,
        certain: bool,
    ) {
        if !self.wants(name) {
            return;
        }
        let is_same = |one: &Setting| one.name == name && one.key == key;
        self.found.retain(|one| !certain || !is_same(one));
        for one in self.found.iter_mut().filter(|one| is_same(one)) {
            one.certain = false;
        }
        if value.as_deref() != Some("") && self.found.len() < MOST {
            self.found.push(Setting {
                file: self.file.clone(),
                name: name.to_owned(),
                value,
                line,
                key: key.to_owned(),
                certain,
            });
        }
    }

    /// Adds a line that removes a variable.
    pub(crate) fn unset(&mut self, name: &str, certain: bool) {
        self.found.retain(|one| !certain || one.name != name);
        for one in self.found.iter_mut().filter(|one| one.name == name) {
            one.certain = false;
        }
    }
}

/// Returns the content of `"text"` or `'text'` at the beginning; `None` if it is neither, or holds
/// something that only the program knows (`$x`).
pub(super) fn literal(text: &str) -> Option<String> {
    let text = text.trim_start();
    let quote = text.chars().next()?;
    if quote != '"' && quote != '\'' {
        return None;
    }
    let mut value = String::new();
    let mut chars = text.chars().skip(1);
    while let Some(c) = chars.next() {
        match c {
            c if c == quote => return Some(value),
            '\\' if quote == '"' => value.push(chars.next()?),
            '$' if quote == '"' => return None,
            c => value.push(c),
        }
    }
    None
}
