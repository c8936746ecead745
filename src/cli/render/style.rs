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

/// The text in a style.
pub(in crate::cli) fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}
