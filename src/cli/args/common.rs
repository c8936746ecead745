//! Arguments that several verbs share.

use std::time::Duration;

use clap::Args;

/// The exit codes that scripts can rely on, as help shows them.
pub(in crate::cli) const EXIT_CODES: &str = exit_codes!();

/// `--json`
#[derive(Debug, Clone, Copy, Args)]
pub struct Json {
    /// Print JSON for scripts; fields are added, never renamed
    #[arg(long)]
    pub json: bool,
}

/// Parses `500ms`, `30s`, `1h 30min`. For other text humantime reports "expected number at 0" and
/// the like, so the message also shows the format.
pub(in crate::cli) fn parse_span(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|error| format!("{error}; write it as 500ms, 30s, 5min, 2h or 30days"))
}

/// The longest time limit. The system's clock cannot count to the end of any span.
const LONGEST_LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

/// Parses a time limit. Zero is refused: it would end everything before it has begun.
pub(in crate::cli) fn parse_limit(text: &str) -> Result<Duration, String> {
    match parse_span(text)? {
        Duration::ZERO => Err("a limit must be longer than nothing".to_owned()),
        limit if limit > LONGEST_LIMIT => Err("a limit must not be longer than 24h".to_owned()),
        limit => Ok(limit),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{parse_limit, parse_span};

    #[test]
    fn a_span_that_is_none_is_answered_with_the_form() {
        assert_eq!(parse_span("1h 30min"), Ok(Duration::from_secs(5400)));
        assert_eq!(parse_span("0s"), Ok(Duration::ZERO));
        for bad in ["soon", "5", "", "2 fortnights"] {
            let why = parse_span(bad).unwrap_err();
            assert!(why.ends_with("500ms, 30s, 5min, 2h or 30days"), "{why}");
        }
    }

    #[test]
    fn a_limit_of_nothing_and_one_without_an_end_are_refused() {
        assert_eq!(parse_limit("1ms"), Ok(Duration::from_millis(1)));
        assert_eq!(parse_limit("24h"), Ok(Duration::from_secs(86_400)));
        for bad in ["0s", "0ms", "soon", "24h 1s", "500000000000y"] {
            assert!(parse_limit(bad).is_err(), "{bad}");
        }
    }
}
