//! What is to be seen, and where.

use crate::cli::render::glyphs::Glyphs;
use crate::cli::render::page::Page;
use crate::model::status::Status;

/// The rows and columns of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) struct Size {
    /// Characters of a line.
    pub columns: usize,
    /// Lines.
    pub rows: usize,
}

/// What is to be seen.
#[derive(Debug)]
pub(in crate::cli) struct View<'a> {
    /// What was true when the agent last told.
    pub status: &'a Status,
    /// The agent is gone: what to say of that.
    pub away: Option<&'a str>,
    /// The terminal.
    pub size: Size,
    /// The time and where the reader is.
    pub page: &'a Page,
    /// What the terminal can show.
    pub glyphs: &'a Glyphs,
}
