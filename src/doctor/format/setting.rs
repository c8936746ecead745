//! What a file sets, in the order of its lines.

use std::collections::BTreeSet;

/// A variable that a file sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting {
    pub(crate) name: String,
    /// `None`: known only when it runs.
    pub(crate) value: Option<String>,
    /// From 1.
    pub(crate) line: usize,
    /// The setting that holds it: `go.toolsEnvVars`; empty where the file is nothing but
    /// variables.
    pub(crate) key: String,
    /// No condition.
    pub(crate) certain: bool,
}

/// The settings of one file; the last one of a name counts.
#[derive(Debug)]
pub(super) struct Book<'n> {
    names: &'n BTreeSet<String>,
    found: Vec<Setting>,
}

impl<'n> Book<'n> {
    /// An empty one that keeps these names and no others.
    pub(super) fn new(names: &'n BTreeSet<String>) -> Book<'n> {
        Book {
            names,
            found: Vec::new(),
        }
    }

    /// Is it one of the names? On Windows the case does not matter, and others do not care.
    pub(super) fn wants(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// A line that sets a variable. go takes an empty one for unset.
    pub(super) fn set(&mut self, name: &str, value: Option<String>, line: usize, certain: bool) {
        self.set_in("", name, value, line, certain);
    }

    /// The same within a setting.
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
        if certain {
            self.found
                .retain(|setting| setting.name != name || setting.key != key);
        }
        if value.as_deref() != Some("") {
            self.found.push(Setting {
                name: name.to_owned(),
                value,
                line,
                key: key.to_owned(),
                certain,
            });
        }
    }

    /// A line that takes one away.
    pub(super) fn unset(&mut self, name: &str, certain: bool) {
        if certain {
            self.found.retain(|setting| setting.name != name);
        } else {
            for setting in self.found.iter_mut().filter(|one| one.name == name) {
                setting.certain = false;
            }
        }
    }

    /// All of them.
    pub(super) fn finish(self) -> Vec<Setting> {
        self.found
    }
}

/// `"text"`, `'text'` or a bare word at the beginning; `None` where it is neither, or holds
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
