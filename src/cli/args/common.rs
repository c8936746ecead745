//! Arguments that several verbs share.

use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use jiff::civil::DateTime;

use crate::cli::render::Page;

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

/// A moment in the past, as a person writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// A moment.
    At(Timestamp),
    /// A time of the day, in the reader's zone.
    Local(DateTime),
    /// This long ago.
    Ago(Duration),
}

impl Moment {
    /// Returns the moment. A time before all times is the first one, one after them the last.
    pub(in crate::cli) fn at(self, page: &Page) -> Timestamp {
        match self {
            Moment::At(at) => at,
            Moment::Local(local) => match local.to_zoned(page.zone.clone()) {
                Ok(at) => at.timestamp(),
                Err(_) if local.year() > 0 => Timestamp::MAX,
                Err(_) => Timestamp::MIN,
            },
            Moment::Ago(ago) => page.now.checked_sub(ago).unwrap_or(Timestamp::MIN),
        }
    }
}

/// Parses `2026-11-30`, `2026-11-30 09:00`, `2026-11-30T09:00:00Z` or `30days`.
pub(in crate::cli) fn parse_moment(text: &str) -> Result<Moment, String> {
    if let Ok(ago) = humantime::parse_duration(text) {
        return Ok(Moment::Ago(ago));
    }
    let at = text.parse().map(Moment::At);
    let local = |_| text.parse().map(Moment::Local);
    at.or_else(local).map_err(|_: jiff::Error| {
        "write a day, 2026-11-30, a time, \"2026-11-30 09:00\", or how long ago, 30days".to_owned()
    })
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

    use super::{parse_limit, parse_moment, parse_span};
    use crate::cli::render::fixtures::page;

    #[test]
    fn a_moment_is_a_day_a_time_or_how_long_ago() {
        let page = page();
        for (text, wanted) in [
            ("2026-11-20", "2026-11-20T00:00:00Z"),
            ("2026-11-20 09:30", "2026-11-20T09:30:00Z"),
            ("2026-11-20T09:30:00+02:00", "2026-11-20T07:30:00Z"),
            ("2h", "2026-11-22T09:16:00Z"),
            ("1day 1h", "2026-11-21T10:16:00Z"),
        ] {
            let at = parse_moment(text).unwrap().at(&page);
            assert_eq!(at, wanted.parse().unwrap(), "{text}");
        }
        let long_ago = parse_moment("100000years").unwrap().at(&page);
        assert_eq!(long_ago, jiff::Timestamp::MIN);
        let never = parse_moment("9999-12-31").unwrap().at(&page);
        assert_eq!(never, jiff::Timestamp::MAX);
        for bad in ["", "yesterday", "2026-13-01", "9:00"] {
            let why = parse_moment(bad).unwrap_err();
            assert!(why.contains("30days"), "{bad}: {why}");
        }
    }

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
