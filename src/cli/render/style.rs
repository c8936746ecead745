//! The few styles that goroam uses.

use anstyle::{AnsiColor, Style};

/// For names: profiles, headings.
pub(in crate::cli) const BOLD: Style = Style::new().bold();
/// For context.
pub(in crate::cli) const DIM: Style = Style::new().dimmed();
/// For a good state.
pub(in crate::cli) const GOOD: Style = AnsiColor::Green.on_default();
/// For a bad state.
pub(in crate::cli) const BAD: Style = AnsiColor::Red.on_default();
/// For something that needs attention.
pub(in crate::cli) const ODD: Style = AnsiColor::Yellow.on_default();

/// The symbol in front of a line. Its colour only repeats the meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Mark {
    /// A good state.
    Good,
    /// A bad state.
    Bad,
    /// Something that needs attention.
    Odd,
    /// Information.
    Note,
}

impl Mark {
    /// Returns the symbol in its colour.
    pub(in crate::cli) fn painted(self) -> String {
        match self {
            Mark::Good => paint(GOOD, "✓"),
            Mark::Bad => paint(BAD, "✗"),
            Mark::Odd => paint(ODD, "!"),
            Mark::Note => paint(DIM, "·"),
        }
    }
}

/// Formats the text in a style.
pub(in crate::cli) fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}
