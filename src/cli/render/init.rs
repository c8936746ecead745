//! Formats the output of `goroam init` while it asks.

use super::page::Page;
use super::status::network;
use super::style::{BOLD, DIM, GOOD, ODD, paint};
use super::text::{Sheet, clean, pad, wrap};
use crate::model::status::NetworkStatus;

/// The first column's width: "GOPRIVATE" and most other names fit.
const NAME_COLUMNS: usize = 10;

/// Formats what exists already: the network, and the variables with their locations.
pub(in crate::cli) fn here(
    found: Option<&NetworkStatus>,
    variables: &[(&str, String, &str)],
    page: &Page,
) -> String {
    let mut sheet = Sheet::new(page.columns);
    sheet.line("What is here:");
    let mut entry = |name: &str, text: &str| {
        let lead = format!("  {} ", paint(DIM, &pad(name, NAME_COLUMNS)));
        sheet.entry(&lead, NAME_COLUMNS + 3, text, NAME_COLUMNS + 3);
    };
    if let Some(found) = found {
        entry("network", &network(found));
    }
    for (name, value, origin) in variables {
        entry(name, &format!("{} ({origin})", clean(value)));
    }
    if variables.is_empty() {
        entry("go env", "nothing is set but Go's own defaults");
    }
    sheet.finish()
}

/// Formats a question; the cursor follows it.
pub(in crate::cli) fn question(text: &str) -> String {
    format!("\n{} ", paint(BOLD, &format!("{}:", clean(text))))
}

/// Formats the reason why an answer is not accepted.
pub(in crate::cli) fn refusal(why: &str) -> String {
    marked(&paint(ODD, "!"), why)
}

/// Formats a remark.
pub(in crate::cli) fn remark(text: &str) -> String {
    marked(&paint(ODD, "!"), text)
}

/// Formats a success.
pub(in crate::cli) fn good(text: &str) -> String {
    marked(&paint(GOOD, "✓"), text)
}

fn marked(mark: &str, text: &str) -> String {
    let mut out = String::new();
    for (i, line) in wrap(&clean(text), 76, 76).into_iter().enumerate() {
        let lead = if i == 0 { mark } else { " " };
        out.push_str(&format!("  {lead} {line}\n"));
    }
    out
}

/// Formats a policy as it will be in the file: comments are dim, headings are bold.
pub(in crate::cli) fn policy(text: &str) -> String {
    let bar = paint(DIM, "│");
    let mut out = String::new();
    for line in text.lines() {
        let shown = clean(line);
        let shown = match line.chars().next() {
            Some('#') => paint(DIM, &shown),
            Some('[') => paint(BOLD, &shown),
            Some(_) | None => shown,
        };
        out.push_str(format!("  {bar} {shown}").trim_end_matches(' '));
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{here, policy, question, remark};
    use crate::cli::render::fixtures::{office, page, plain, too_wide};

    #[test]
    fn what_is_here_is_told_in_a_few_lines() {
        let status = office();
        let variables = [(
            "GOPROXY",
            "https://joe:***@h\x1b[2J".to_owned(),
            "go env file",
        )];
        let text = here(Some(&status.network), &variables, &page());
        assert_eq!(
            plain(&text),
            "What is here:\n  \
             network    wlan0 (wifi “corp”) via 10.20.0.1 · dns 10.20.0.53 · corp.example\n  \
             GOPROXY    https://joe:***@h\u{fffd}[2J (go env file)\n"
        );
        assert_eq!(too_wide(&text), None);
        let text = plain(&here(None, &[], &page()));
        assert_eq!(
            text,
            "What is here:\n  go env     nothing is set but Go's own defaults\n"
        );
    }

    #[test]
    fn the_policy_is_shown_as_it_will_stand_there() {
        let text = plain(&policy("# why\n\n[target.a]\nca = \"\x1b[2J\"\n"));
        assert_eq!(
            text,
            "  │ # why\n  │\n  │ [target.a]\n  │ ca = \"\u{fffd}[2J\"\n"
        );
    }

    #[test]
    fn nothing_that_is_said_commands_the_terminal() {
        for text in [question("a\x1b[2J"), remark("a\x1b[2J")] {
            assert!(!plain(&text).contains('\x1b'), "{text:?}");
        }
        assert_eq!(too_wide(&remark(&"word ".repeat(60))), None);
    }
}
