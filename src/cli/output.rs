//! Standard output: text with colours where they are wanted, or JSON.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

/// Standard output.
#[derive(Debug, Clone, Copy)]
pub(super) struct Output;

impl Output {
    /// Prints text as it is; colours are taken out where they are not wanted.
    pub(super) fn text(self, text: &str) -> io::Result<()> {
        let mut out = anstream::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    /// Prints bytes that are no text for a person: a file's content.
    pub(super) fn raw(self, bytes: &[u8]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(bytes)?;
        out.flush()
    }

    /// Prints a value as indented JSON.
    pub(super) fn json(self, value: &impl Serialize) -> io::Result<()> {
        let mut text = serde_json::to_vec_pretty(value)?;
        text.push(b'\n');
        self.raw(&text)
    }

    /// Prints a value as one line of JSON.
    pub(super) fn json_line(self, value: &impl Serialize) -> io::Result<()> {
        let mut text = serde_json::to_vec(value)?;
        text.push(b'\n');
        self.raw(&text)
    }

    /// Prints text in the place of everything that the terminal shows.
    pub(super) fn redraw(self, text: &str) -> io::Result<()> {
        // Home and erase below, not a reset: nothing flickers. Past anstream, which takes this
        // out along with the colours.
        self.raw(b"\x1b[H\x1b[J")?;
        self.text(text)
    }

    /// Is somebody looking at it?
    pub(super) fn is_terminal(self) -> bool {
        io::stdout().is_terminal()
    }
}
