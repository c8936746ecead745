//! A line of the screen: pieces of text, each with its style, cut at the edge of the screen.

use anstyle::Style;

use crate::cli::render::glyphs::{Glyphs, columns_of};
use crate::cli::render::style::paint;

/// A line, from left to right.
#[derive(Debug, Clone, Default)]
pub(super) struct Line(Vec<(Style, String)>);

impl Line {
    /// Appends a piece.
    pub(super) fn with(mut self, style: Style, text: impl Into<String>) -> Line {
        self.0.push((style, text.into()));
        self
    }

    /// Appends a piece without a style.
    pub(super) fn and(self, text: impl Into<String>) -> Line {
        self.with(Style::new(), text)
    }

    /// Appends spaces up to a column. If the line is not empty, it appends at least one.
    pub(super) fn to(self, column: usize) -> Line {
        let used = self.columns();
        let spaces = column.saturating_sub(used).max(usize::from(used > 0));
        self.and(" ".repeat(spaces))
    }

    /// Returns the width in columns.
    pub(super) fn columns(&self) -> usize {
        self.0.iter().map(|(_, text)| columns_of(text)).sum()
    }

    /// Returns the text without styles.
    pub(super) fn text(&self) -> String {
        self.0.iter().map(|(_, text)| text.as_str()).collect()
    }

    /// Formats the line for the terminal: without spaces at the end, and with a mark where it is
    /// cut.
    pub(super) fn paint(&self, columns: usize, glyphs: &Glyphs) -> String {
        let whole = self.columns() <= columns;
        let mut left = if whole {
            columns
        } else {
            columns.saturating_sub(1)
        };
        let mut out = String::new();
        let mut spaces = 0;
        for (style, text) in &self.0 {
            let taken = glyphs.take(text, left);
            left = left.saturating_sub(columns_of(taken));
            let solid = taken.trim_end_matches(' ');
            if !solid.is_empty() {
                out.push_str(&" ".repeat(std::mem::take(&mut spaces)));
                let solid = glyphs.fit_for_terminal(solid);
                if *style == Style::new() {
                    out.push_str(&solid)
                } else {
                    out.push_str(&paint(*style, &solid))
                }
            }
            spaces += taken.len() - solid.len();
            if taken.len() < text.len() {
                break;
            }
        }
        if !whole && columns > 0 {
            out.push(glyphs.mark);
        }
        out
    }
}
