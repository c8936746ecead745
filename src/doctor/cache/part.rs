//! What was found of one module, as it is put together.

use std::io;
use std::path::{Path, PathBuf};

use super::report::{Broken, Outcome};
use super::stamp::Piece;
use crate::bounded::{if_any, read_no_link};
use crate::doctor::finding::Code;

/// What became of one module.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) versions: usize,
    pub(super) hashed: usize,
    pub(super) broken: Vec<Broken>,
    pub(super) unread: Vec<(String, String)>,
}

/// What is put into a [`Broken`].
pub(super) struct Finding<'f> {
    pub(super) code: Code,
    pub(super) module: Option<String>,
    pub(super) place: &'f Path,
    pub(super) says: &'f str,
    pub(super) why: String,
    pub(super) mend: String,
    pub(super) removes: Vec<io::Result<Piece>>,
    pub(super) lock: Option<PathBuf>,
    pub(super) bounds: &'f Path,
}

impl Part {
    /// What is broken.
    pub(super) fn add(&mut self, finding: Finding<'_>) {
        let name = finding.place.file_name().unwrap_or_default();
        let name = name.to_string_lossy();
        let says = match &finding.module {
            Some(module) => format!("{name} of {module} {}", finding.says),
            None => format!("{} {}", finding.place.display(), finding.says),
        };
        let mut removes = Vec::new();
        for piece in finding.removes {
            match piece {
                Ok(piece) => removes.push(piece),
                Err(error) => return self.unread(finding.place, &error),
            }
        }
        let undecided = removes.is_empty();
        self.broken.push(Broken {
            code: finding.code,
            module: finding.module,
            place: finding.place.display().to_string(),
            says,
            why: finding.why,
            mend: finding.mend,
            removes,
            outcome: if undecided {
                Outcome::Kept
            } else {
                Outcome::Found
            },
            because: undecided.then(|| {
                "nothing here tells which is right; run it in a project whose go.sum has it"
                    .to_owned()
            }),
            lock: finding.lock,
            bounds: finding.bounds.to_owned(),
        });
    }

    /// All of a file; what cannot be read is noted.
    pub(super) fn read(&mut self, path: &Path, most: u64) -> Option<Vec<u8>> {
        match if_any(read_no_link(path, most)) {
            Ok(bytes) => bytes,
            Err(error) => {
                self.unread(path, &error);
                None
            }
        }
    }

    /// What could not be looked at.
    pub(super) fn unread(&mut self, path: &Path, error: &dyn std::fmt::Display) {
        let entry = (path.display().to_string(), error.to_string());
        if !self.unread.contains(&entry) {
            self.unread.push(entry);
        }
    }
}
