//! The events of the terminal.

/// An event of the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Event {
    /// A key press, as the byte that it sends.
    Key(u8),
    /// The size may have changed, or another program may have written on the screen.
    Changed,
    /// The program must end, with this exit code.
    End(u8),
}
