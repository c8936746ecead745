//! The layers of a policy: the texts of several files that are read as one. The texts follow each
//! other in one text, so a byte offset names one place in one file.

use std::ops::Range;
use std::path::{Path, PathBuf};

use super::finding::PolicyFinding;
pub use crate::model::origin::{LayerKind, Origin};

/// The text of one layer.
#[derive(Debug, Clone, Copy)]
pub struct Layer<'a> {
    /// Whose it is.
    pub kind: LayerKind,
    /// Its file: relative paths in the text start at its directory.
    pub path: &'a Path,
    /// Its text.
    pub text: &'a str,
}

/// Where one layer is in the whole text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Whose it is.
    pub kind: LayerKind,
    /// Its file; empty for the built-in policy.
    pub path: PathBuf,
    /// Its bytes.
    pub range: Range<usize>,
}

impl Part {
    /// Returns its file, for people.
    pub fn name(&self) -> String {
        match self.kind {
            LayerKind::BuiltIn => "built-in default".to_owned(),
            LayerKind::Machine | LayerKind::Fleet | LayerKind::User => {
                self.path.display().to_string()
            }
        }
    }

    /// Reports whether the layer is a file that a person writes.
    pub fn is_file(&self) -> bool {
        matches!(self.kind, LayerKind::Machine | LayerKind::User)
    }
}

/// The texts of all layers, one after another, each with a line end behind it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PolicyText {
    /// The whole text.
    pub text: String,
    /// The layers, from the lowest to the highest; the built-in one comes last.
    pub parts: Vec<Part>,
}

impl PolicyText {
    /// Puts the texts together.
    pub fn of(layers: &[Layer<'_>]) -> PolicyText {
        let mut whole = PolicyText::default();
        for layer in layers {
            whole.add(*layer);
        }
        whole
    }

    pub(super) fn add(&mut self, layer: Layer<'_>) {
        if !self.parts.is_empty() {
            self.text.push('\n');
        }
        let start = self.text.len();
        self.text.push_str(layer.text);
        self.parts.push(Part {
            kind: layer.kind,
            path: layer.path.to_owned(),
            range: start..self.text.len(),
        });
    }

    /// Returns the layer of a byte offset.
    pub fn part(&self, at: usize) -> Option<&Part> {
        self.parts.iter().find(|part| at <= part.range.end)
    }

    /// Returns whose layer a byte offset is in.
    pub(super) fn kind(&self, at: usize) -> LayerKind {
        self.part(at).map_or(LayerKind::User, |part| part.kind)
    }

    /// Returns the text of one layer.
    pub fn text_of(&self, part: &Part) -> &str {
        self.text.get(part.range.clone()).unwrap_or_default()
    }

    /// Returns the layer and the line of a byte offset; lines count from 1.
    pub fn line(&self, at: usize) -> Option<(&Part, usize)> {
        let part = self.part(at)?;
        let before = self.text.as_bytes().get(part.range.start..at)?;
        let ends = before.iter().filter(|byte| **byte == b'\n');
        Some((part, 1 + ends.count()))
    }

    /// Returns the file and the line of a byte offset.
    pub fn origin(&self, at: usize) -> Option<Origin> {
        let (part, line) = self.line(at)?;
        Some(Origin {
            layer: part.kind,
            file: part.name(),
            line,
        })
    }

    /// Returns `FILE:LINE` of a byte offset.
    pub fn place(&self, at: usize) -> String {
        let origin = self.origin(at);
        origin.map_or_else(String::new, |at| format!("{}:{}", at.file, at.line))
    }

    /// Returns the file of the first error.
    pub fn path_of(&self, findings: &[PolicyFinding]) -> PathBuf {
        let mut errors = findings.iter().filter(|one| one.is_error());
        let at = errors.find_map(|error| Some(error.primary.as_ref()?.span.start));
        let part = at.map_or(self.parts.last(), |at| self.part(at));
        part.map_or_else(PathBuf::new, |part| part.name().into())
    }

    /// Returns the text of one layer behind as many blanks as there are bytes before it, so that
    /// every place in it is its place in the whole text.
    pub(super) fn padded(&self, part: &Part) -> String {
        let own = self.text_of(part);
        let start = part.range.start;
        // A byte order mark is allowed at the beginning only.
        let (blanks, own) = match own.strip_prefix('\u{feff}') {
            Some(rest) if start > 0 => (start + '\u{feff}'.len_utf8(), rest),
            Some(_) | None => (start, own),
        };
        " ".repeat(blanks) + own
    }
}
