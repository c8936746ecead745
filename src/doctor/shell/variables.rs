//! Variables as far as the lines that were read tell.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Lines that are kept of one variable.
const MOST_SEEN: usize = 64;

/// A variable that a shell exports, and the line that sets it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Export {
    pub(crate) name: String,
    /// `None`: known only when it runs.
    pub(crate) value: Option<String>,
    pub(crate) file: PathBuf,
    pub(crate) line: usize,
    /// No condition that could not be told.
    pub(crate) certain: bool,
}

/// Where a command stands, and whether it is carried out for certain.
#[derive(Debug, Clone, Copy)]
pub(super) struct At {
    pub(super) line: usize,
    pub(super) certain: bool,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Variables {
    exported: BTreeSet<String>,
    /// Of each the line that sets it, or several that each may be the last.
    set: BTreeMap<String, Vec<Export>>,
    /// `set -a`
    pub(super) export_all: bool,
    /// The file that is being read.
    pub(super) file: PathBuf,
    /// Bytes that were assigned: `b=$a`, ten thousand times, with a long `a`.
    pub(super) bytes: usize,
}

impl Variables {
    /// Its value where that is known. A Go variable that no line has set is empty: who starts
    /// the shell with one has set it elsewhere, and that is found there.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        match self.set.get(name).map(Vec::as_slice) {
            None | Some([]) => name.starts_with("GO").then_some(""),
            // One line under a condition: what follows stands under the same one, mostly.
            Some([one]) => one.value.as_deref(),
            Some(_) => None,
        }
    }

    /// A line that sets a variable, or go's.
    pub(super) fn line(&self, name: &str, value: Option<&str>, at: At) -> Export {
        Export {
            name: name.to_owned(),
            value: value.map(str::to_owned),
            file: self.file.clone(),
            line: at.line,
            certain: at.certain,
        }
    }

    pub(super) fn assign(&mut self, name: &str, value: Option<&str>, at: At) {
        let line = self.line(name, value, at);
        self.bytes += value.map_or(0, str::len);
        if self.export_all {
            self.exported.insert(name.to_owned());
        }
        if at.certain {
            self.set.remove(name);
        }
        self.doubt(name);
        let set = self.set.entry(name.to_owned()).or_default();
        if set.len() < MOST_SEEN {
            set.push(line);
        }
    }

    /// From now on programs have it, or no longer.
    pub(super) fn export(&mut self, name: &str, exported: bool, certain: bool) {
        if self.exported.contains(name) != exported && !certain {
            self.doubt(name);
        }
        if exported {
            self.exported.insert(name.to_owned());
        } else if certain {
            self.exported.remove(name);
        }
    }

    pub(super) fn unset(&mut self, name: &str, certain: bool) {
        self.doubt(name);
        if certain {
            self.set.remove(name);
            self.exported.remove(name);
        }
    }

    fn doubt(&mut self, name: &str) {
        for line in self.set.get_mut(name).into_iter().flatten() {
            line.certain = false;
        }
    }

    /// What is exported in the end. go takes an empty one for unset.
    pub(super) fn exports(&self, names: &BTreeSet<String>) -> Vec<Export> {
        let exported = names.intersection(&self.exported);
        exported
            .filter_map(|name| self.set.get(name))
            .flatten()
            .filter(|line| line.value.as_deref() != Some(""))
            .cloned()
            .collect()
    }
}
