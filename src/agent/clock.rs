//! The one place that reads the wall clock. Everything below takes time as an argument.

use jiff::Timestamp;

/// Now, to the millisecond.
pub(crate) fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}

/// A moment from now.
pub(crate) fn until(moment: Timestamp, now: Timestamp) -> std::time::Duration {
    let left = moment.as_millisecond().saturating_sub(now.as_millisecond());
    std::time::Duration::from_millis(u64::try_from(left).unwrap_or(0))
}
