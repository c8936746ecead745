//! The few styles that goroam uses.

use anstyle::{AnsiColor, Style};

/// Names: profiles, headings.
pub(super) const BOLD: Style = Style::new().bold();
/// What is only context.
pub(super) const DIM: Style = Style::new().dimmed();
/// It is as it should be.
pub(super) const GOOD: Style = AnsiColor::Green.on_default();
/// It is not.
pub(super) const BAD: Style = AnsiColor::Red.on_default();
/// Somebody should look at it.
pub(super) const ODD: Style = AnsiColor::Yellow.on_default();

/// The text in a style.
pub(super) fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}
