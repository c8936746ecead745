//! How long ago, as a person says it.

use jiff::Timestamp;

/// "2 h 04 min"; a moment that is yet to come was just now.
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

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::ago;

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
}
