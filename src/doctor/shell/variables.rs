//! Variables as far as the lines that were read tell.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::rc::Rc;

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

/// A line that sets a variable.
#[derive(Debug)]
struct Seen {
    value: Option<String>,
    file: Rc<PathBuf>,
    line: usize,
    certain: bool,
}

#[derive(Debug, Default)]
struct Variable {
    exported: bool,
    /// One, or several that each may be the last.
    seen: Vec<Seen>,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Variables {
    all: BTreeMap<String, Variable>,
    /// `set -a`
    pub(super) export_all: bool,
    /// The file that is being read.
    pub(super) file: Rc<PathBuf>,
    /// Bytes that were assigned: `b=$a`, ten thousand times, with a long `a`.
    pub(super) bytes: usize,
}

impl Variables {
    /// Its value where that is known. A Go variable that no line has set is empty: who starts
    /// the shell with one has set it elsewhere, and that is found there.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        match self.all.get(name).map(|one| one.seen.as_slice()) {
            None | Some([]) => name.starts_with("GO").then_some(""),
            // One line under a condition: what follows stands under the same one, mostly.
            Some([one]) => one.value.as_deref(),
            Some(_) => None,
        }
    }

    pub(super) fn assign(&mut self, name: &str, value: Option<String>, line: usize, certain: bool) {
        self.bytes += value.as_ref().map_or(0, String::len);
        let variable = self.all.entry(name.to_owned()).or_default();
        variable.exported |= self.export_all;
        if certain {
            variable.seen.clear();
        }
        variable.doubt();
        if variable.seen.len() < MOST_SEEN {
            let file = Rc::clone(&self.file);
            variable.seen.push(Seen {
                value,
                file,
                line,
                certain,
            });
        }
    }

    /// From now on programs have it, or no longer.
    pub(super) fn export(&mut self, name: &str, exported: bool, certain: bool) {
        let variable = self.all.entry(name.to_owned()).or_default();
        if variable.exported != exported {
            if !certain {
                variable.doubt();
            }
            variable.exported = exported || !certain;
        }
    }

    pub(super) fn unset(&mut self, name: &str, certain: bool) {
        if certain {
            self.all.remove(name);
        } else if let Some(variable) = self.all.get_mut(name) {
            variable.doubt();
        }
    }

    /// What is exported in the end. go takes an empty one for unset.
    pub(super) fn exports(&self, names: &BTreeSet<String>) -> Vec<Export> {
        let exported = |name: &String| self.all.get_key_value(name).filter(|(_, one)| one.exported);
        let all = names.iter().filter_map(exported);
        all.flat_map(|(name, variable)| variable.seen.iter().map(move |seen| (name, seen)))
            .filter(|(_, seen)| seen.value.as_deref() != Some(""))
            .map(|(name, seen)| self.export_of(name, seen))
            .collect()
    }

    fn export_of(&self, name: &str, seen: &Seen) -> Export {
        Export {
            name: name.to_owned(),
            value: seen.value.clone(),
            file: seen.file.as_ref().clone(),
            line: seen.line,
            certain: seen.certain,
        }
    }
}

impl Variable {
    fn doubt(&mut self) {
        for seen in &mut self.seen {
            seen.certain = false;
        }
    }
}
