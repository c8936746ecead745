//! The few styles that goroam uses.

use anstyle::{AnsiColor, Style};

/// Names: profiles, headings.
pub(in crate::cli) const BOLD: Style = Style::new().bold();
/// What is only context.
pub(in crate::cli) const DIM: Style = Style::new().dimmed();
/// It is as it should be.
pub(in crate::cli) const GOOD: Style = AnsiColor::Green.on_default();
/// It is not.
pub(in crate::cli) const BAD: Style = AnsiColor::Red.on_default();
/// Somebody should look at it.
pub(in crate::cli) const ODD: Style = AnsiColor::Yellow.on_default();

/// The symbol in front of a line. Its colour only repeats what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Mark {
    /// It is as it should be.
    Good,
    /// It is not.
    Bad,
    /// Somebody should look at it.
    Odd,
    /// Good to know.
    Note,
}

impl Mark {
    /// The symbol in its colour.
    pub(in crate::cli) fn painted(self) -> String {
        match self {
            Mark::Good => paint(GOOD, "✓"),
            Mark::Bad => paint(BAD, "✗"),
            Mark::Odd => paint(ODD, "!"),
            Mark::Note => paint(DIM, "·"),
        }
    }
}

/// The text in a style.
pub(in crate::cli) fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}
