//! What happens at the terminal.

/// What happens at the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Event {
    /// A key, as the byte that it sends.
    Key(u8),
    /// It may have another size now, or somebody else has written on it.
    Changed,
    /// Somebody asks this program to end, with this exit code.
    End(u8),
}
