//! A line of the screen: pieces of text, each with its style, cut where the screen ends.

use anstyle::Style;

use crate::cli::render::glyphs::{Glyphs, columns_of};
use crate::cli::render::style::paint;

/// A line, from left to right.
#[derive(Debug, Clone, Default)]
pub(super) struct Line(Vec<(Style, String)>);

impl Line {
    /// One piece more.
    pub(super) fn with(mut self, style: Style, text: impl Into<String>) -> Line {
        self.0.push((style, text.into()));
        self
    }

    /// One piece more, without a style.
    pub(super) fn and(self, text: impl Into<String>) -> Line {
        self.with(Style::new(), text)
    }

    /// Spaces up to a column; at least one, if there is anything already.
    pub(super) fn to(self, column: usize) -> Line {
        let used = self.columns();
        let spaces = column.saturating_sub(used).max(usize::from(used > 0));
        self.and(" ".repeat(spaces))
    }

    /// How wide it is.
    pub(super) fn columns(&self) -> usize {
        self.0.iter().map(|(_, text)| columns_of(text)).sum()
    }

    /// Without styles.
    pub(super) fn text(&self) -> String {
        self.0.iter().map(|(_, text)| text.as_str()).collect()
    }

    /// As the terminal gets it: cut to its columns, no spaces at the end.
    pub(super) fn paint(&self, columns: usize, glyphs: &Glyphs) -> String {
        let mut left = columns;
        let mut out = String::new();
        let mut pending = String::new();
        for (style, text) in &self.0 {
            let fits = columns_of(text) <= left;
            let text = glyphs.cut(text, left);
            left = left.saturating_sub(columns_of(&text));
            let text = glyphs.fit_for_terminal(&text);
            let solid = text.trim_end_matches(' ');
            let spaces = text.len() - solid.len();
            if !solid.is_empty() {
                out.push_str(&std::mem::take(&mut pending));
                match *style == Style::new() {
                    true => out.push_str(solid),
                    false => out.push_str(&paint(*style, solid)),
                }
            }
            pending.push_str(&" ".repeat(spaces));
            if !fits {
                break;
            }
        }
        out
    }
}
