//! Text for people and shells: sizes, spans of time, counts, quoted words.

use std::fmt::Display;
use std::time::Duration;

use jiff::{Timestamp, Zoned};

/// Parses `500MB`, `2GB`, `1.5 GiB`, `4096` as bytes. `K`, `M`, `G`, `T` alone are powers of 1000.
///
/// # Errors
/// If it is not a number with such a unit; in words for a message.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number: f64 = number
        .parse()
        .map_err(|_| "it is a number with a unit: 500MB, 2GB".to_owned())?;
    let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" => 1_000,
        "m" | "mb" => 1_000_000,
        "g" | "gb" => 1_000_000_000,
        "t" | "tb" => 1_000_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "tib" => 1 << 40,
        other => {
            return Err(format!(
                "no unit {other:?}: kB, MB, GB, TB or KiB, MiB, GiB, TiB"
            ));
        }
    };
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float to an integer saturates"
    )]
    Ok((number * factor as f64) as u64)
}

/// Formats the time since `at`, as in "2 h 04 min". A moment in the future is shown as just now.
pub fn ago(at: Timestamp, now: Timestamp) -> String {
    let seconds = (now.as_second() - at.as_second()).max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    if days > 0 {
        format!("{days} d {} h", hours % 24)
    } else if hours > 0 {
        format!("{hours} h {:02} min", minutes % 60)
    } else if minutes > 0 {
        format!("{minutes} min")
    } else {
        format!("{seconds} s")
    }
}

/// Formats a time: "09:12" today, else "2026-11-20 09:12".
pub fn moment(at: Timestamp, now: &Zoned) -> String {
    let at = at.to_zoned(now.time_zone().clone());
    if at.date() == now.date() {
        at.strftime("%H:%M").to_string()
    } else {
        at.strftime("%Y-%m-%d %H:%M").to_string()
    }
}

/// Returns milliseconds, rounded to a tenth: more digits are noise, and long in JSON.
pub fn milliseconds(time: Duration) -> f64 {
    tenths(time.as_secs_f64() * 1000.0)
}

/// Rounds to a tenth.
pub fn tenths(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

/// Formats a duration: milliseconds below 10 s, then seconds.
pub fn duration(ms: f64) -> String {
    if !ms.is_finite() || ms < 0.0 {
        "–".to_owned()
    } else if ms < 1.0 {
        "<1 ms".to_owned()
    } else if ms < 10_000.0 {
        format!("{ms:.0} ms")
    } else {
        format!("{:.1} s", ms / 1000.0)
    }
}

/// Reports whether the character changes the direction of text in a terminal, so that text can look
/// like something else.
pub fn is_direction_mark(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod since_tests {
    use jiff::Timestamp;

    use super::{ago, duration, moment};

    #[test]
    fn the_two_largest_units_are_told() {
        let at = |second| Timestamp::from_second(second).unwrap();
        for (seconds, want) in [
            (-5, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (7_440, "2 h 04 min"),
            (86_400 * 3 + 3_600 * 5, "3 d 5 h"),
        ] {
            assert_eq!(ago(at(1_000), at(1_000 + seconds)), want);
        }
    }

    #[test]
    fn times_read_as_a_person_would_say_them() {
        let now: jiff::Zoned = "2026-11-22T11:16:00+01:00[+01:00]".parse().unwrap();
        let at = |text: &str| text.parse().unwrap();
        assert_eq!(moment(at("2026-11-22T08:12:00Z"), &now), "09:12");
        assert_eq!(moment(at("2026-11-21T23:30:00Z"), &now), "00:30");
        assert_eq!(moment(at("2026-11-20T08:12:00Z"), &now), "2026-11-20 09:12");
    }

    #[test]
    fn durations_are_milliseconds_up_to_ten_seconds() {
        for (ms, text) in [
            (0.4, "<1 ms"),
            (38.2, "38 ms"),
            (9999.4, "9999 ms"),
            (12_340.0, "12.3 s"),
            (f64::NAN, "–"),
            (-1.0, "–"),
        ] {
            assert_eq!(duration(ms), text);
        }
    }
}

/// Quotes the word so that a POSIX shell reads it as one word.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:\\@+~".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// Formats a count: "1 module", "2 modules".
pub fn plural<N: Copy + Display + PartialEq + From<u8>>(count: N, word: &str) -> String {
    let s = if count == N::from(1) { "" } else { "s" };
    format!("{count} {word}{s}")
}

/// Formats the counts that are not zero: "2 errors, 1 warning".
pub fn tally(counts: &[(usize, &str)]) -> String {
    let counts = counts.iter().filter(|(count, _)| *count > 0);
    let parts: Vec<String> = counts.map(|(count, word)| plural(*count, word)).collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::parse_size;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, bytes) in [
            ("500MB", 500_000_000),
            ("1.5 GiB", 1_610_612_736),
            ("2g", 2_000_000_000),
            ("4096", 4096),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for bad in ["", "MB", "-1MB", "2 parsec", "1.2.3MB"] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
    }
}

#[cfg(test)]
mod words_tests {
    use super::*;

    #[test]
    fn what_a_shell_would_take_apart_is_quoted() {
        for (word, want) in [
            ("/home/me/src", "/home/me/src"),
            (r"C:\src", r"C:\src"),
            ("my src", "'my src'"),
            ("it's", r"'it'\''s'"),
            ("$(rm)", "'$(rm)'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(word), want);
        }
    }

    #[test]
    fn one_has_no_s_and_nothing_is_left_out() {
        assert_eq!(plural(1_u64, "module"), "1 module");
        assert_eq!(plural(0_usize, "module"), "0 modules");
        let counts = [(2, "error"), (0, "warning"), (1, "note")];
        assert_eq!(tally(&counts), "2 errors, 1 note");
        assert_eq!(tally(&[]), "");
    }
}
