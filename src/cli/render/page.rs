//! The page for the layout of text, and its formats for times.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::model::text::{ago, moment};

/// The usual width. A pipe gets it too, so that its text is the same everywhere.
const USUAL_COLUMNS: usize = 80;
/// The largest width: longer lines are hard to read.
const MOST_COLUMNS: usize = 200;
/// In seconds. Longer times are shown without minutes.
const DAY: i64 = 86_400;

/// The page for the layout of text.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Page {
    /// Columns of a line.
    pub columns: usize,
    /// The present time.
    pub now: Timestamp,
    /// The reader's time zone.
    pub zone: TimeZone,
}

impl Page {
    /// Creates a page with `$COLUMNS` columns (80 if the value is not usable), the present time and
    /// the system's time zone.
    pub(in crate::cli) fn new(columns: Option<&str>) -> Page {
        let columns = columns
            .and_then(|text| text.parse().ok())
            .filter(|columns| *columns >= 40)
            .map_or(USUAL_COLUMNS, |columns: usize| columns.min(MOST_COLUMNS));
        Page {
            columns,
            now: Timestamp::now(),
            zone: TimeZone::system(),
        }
    }

    /// Returns the same page for a text within JSON, which has no width.
    pub(in crate::cli) fn in_json(&self) -> Page {
        Page {
            columns: usize::from(u16::MAX),
            ..self.clone()
        }
    }

    /// Returns the same page with the present time.
    pub(in crate::cli) fn later(&self) -> Page {
        Page {
            now: Timestamp::now(),
            ..self.clone()
        }
    }

    /// Formats a time: "09:12" today, else "2026-11-20 09:12".
    pub(in crate::cli) fn moment(&self, at: Timestamp) -> String {
        moment(at, &self.now.to_zoned(self.zone.clone()))
    }

    /// Formats a day: "2026-11-20".
    pub(in crate::cli) fn day(&self, at: Timestamp) -> String {
        at.to_zoned(self.zone.clone())
            .strftime("%Y-%m-%d")
            .to_string()
    }

    /// Formats a time with seconds: "09:12:03".
    pub(in crate::cli) fn clock(&self, at: Timestamp) -> String {
        at.to_zoned(self.zone.clone())
            .strftime("%H:%M:%S")
            .to_string()
    }

    /// Formats the time since then: "2 h 04 min".
    pub(in crate::cli) fn ago(&self, at: Timestamp) -> String {
        ago(at, self.now)
    }
}

impl Page {
    /// Formats the same without seconds, for a screen that stays: "just now".
    pub(in crate::cli) fn ago_in_minutes(&self, at: Timestamp) -> String {
        match self.now.as_second() - at.as_second() {
            ..60 => "just now".to_owned(),
            _ => self.ago(at),
        }
    }

    /// Returns how long [`Page::ago_in_minutes`] stays the same.
    pub(in crate::cli) fn stays(&self, at: Timestamp) -> Duration {
        let ago = (self.now.as_second() - at.as_second()).max(0);
        let step = if ago < DAY { 60 } else { 3600 };
        let left = step - ago % step;
        // A little later than the exact moment, since a timer may end slightly early.
        Duration::from_secs(left.unsigned_abs()) + Duration::from_millis(20)
    }
}

#[cfg(test)]
mod tests {
    use super::Page;
    use crate::cli::render::fixtures::{at, page};

    #[test]
    fn times_read_as_a_person_would_say_them() {
        let page = page();
        assert_eq!(page.moment(at("09:12:00")), "09:12");
        assert_eq!(
            page.moment("2026-11-20T09:12:00Z".parse().unwrap()),
            "2026-11-20 09:12"
        );
        assert_eq!(page.ago(at("09:12:00")), "2 h 04 min");
        assert_eq!(page.ago(at("11:13:01")), "2 min");
        assert_eq!(page.ago(at("11:15:59")), "1 s");
        assert_eq!(page.ago("2026-11-18T10:00:00Z".parse().unwrap()), "4 d 1 h");
        assert_eq!(page.ago(at("23:59:00")), "0 s", "a clock that was set back");
    }

    #[test]
    fn on_a_screen_a_time_grows_old_by_the_minute_then_by_the_hour() {
        let page = page();
        assert_eq!(page.ago_in_minutes(at("11:15:59")), "just now");
        assert_eq!(page.ago_in_minutes(at("23:59:00")), "just now");
        assert_eq!(page.ago_in_minutes(at("11:14:59")), "1 min");
        let stays = |at| page.stays(at).as_secs();
        assert_eq!(stays(at("11:15:59")), 59);
        assert_eq!(stays(at("11:16:00")), 60);
        assert_eq!(stays(at("09:12:10")), 10);
        assert_eq!(stays("2026-11-18T10:00:00Z".parse().unwrap()), 2640);
    }

    #[test]
    fn a_senseless_width_is_the_usual_one() {
        for (columns, width) in [
            (None, 80),
            (Some("0"), 80),
            (Some("x"), 80),
            (Some("100"), 100),
        ] {
            assert_eq!(Page::new(columns).columns, width);
        }
    }
}
