//! Standard output: text with colours where they are wanted, or JSON.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use crate::environment::Environment;

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

    /// Is somebody looking at it?
    pub(super) fn is_terminal(self) -> bool {
        io::stdout().is_terminal()
    }

    /// Can it be drawn on? A dumb terminal (an editor's shell) only takes one line after another.
    pub(super) fn is_screen(self, env: &Environment) -> bool {
        let dumb = match env.get("TERM") {
            Some(term) => term == "dumb",
            None => cfg!(unix),
        };
        self.is_terminal() && !dumb
    }
}
