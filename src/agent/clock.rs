//! The one place that reads the wall clock. All other code takes time as an argument.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::gomod::sum::sha256_hex;

/// The current time, to the millisecond.
pub(crate) fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}

/// The time from `now` until the moment.
pub(crate) fn time_left(moment: Timestamp, now: Timestamp) -> std::time::Duration {
    let left = moment.as_millisecond().saturating_sub(now.as_millisecond());
    std::time::Duration::from_millis(u64::try_from(left).unwrap_or(0))
}

/// Moments at which something is due even if no event comes.
#[derive(Debug, Default)]
pub(super) struct Timers {
    /// The next round.
    pub(super) round: Option<Instant>,
    /// A look at the network that the rate limit postponed.
    pub(super) look: Option<Instant>,
    /// A look at the go env file, after its writer had time to finish.
    pub(super) env_file: Option<Instant>,
    /// A look at the policy file, after its writer had time to finish.
    pub(super) policy: Option<Instant>,
    /// The end of a pin.
    pub(super) pin: Option<Instant>,
}

impl Timers {
    /// The earliest of these moments.
    pub(super) fn next(&self) -> Option<Instant> {
        [self.round, self.look, self.env_file, self.policy, self.pin]
            .into_iter()
            .flatten()
            .min()
    }
}

/// Reports whether the timer is due, and clears it if so.
pub(super) fn due(timer: &mut Option<Instant>, now: Instant) -> bool {
    timer.take_if(|at| *at <= now).is_some()
}

/// Sleeps until the moment; never returns if there is none.
pub(crate) async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment.into()).await,
        None => std::future::pending().await,
    }
}

/// Returns 16 random bytes in hexadecimal: the form of a trace id of W3C and OpenTelemetry.
pub(crate) fn random_id() -> String {
    let mut bytes = [0u8; 16];
    let system = ring::rand::SystemRandom::new();
    if ring::rand::SecureRandom::fill(&system, &mut bytes).is_err() {
        // Only has to differ from other ids.
        let now = Timestamp::now().as_nanosecond();
        return sha256_hex(format!("{now} {}", std::process::id()).as_bytes())[..32].to_owned();
    }
    format!("{:032x}", u128::from_be_bytes(bytes))
}

/// Varies the wait by up to 10 %, so that a thousand machines do not ask at the same time.
pub(super) fn jitter(wait: Duration) -> Duration {
    wait.mul_f64(0.9 + 0.2 * random())
}

/// A random number from 0 to below 1. Without randomness it is 0; that does no harm here.
pub(super) fn random() -> f64 {
    let mut bytes = [0u8; 4];
    let _ = ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes);
    f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0)
}

/// Of notes: the wait after the first one; it doubles each time. Five fit into ten seconds.
const NOTES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(600));
/// Of corrections: each is a turn, and a program that insists would cause as many.
const CORRECTIONS: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(3600));
/// After this long without an event the waits start over. The rest is also at least this many times
/// the last wait.
const REST: Duration = Duration::from_secs(60);
const RESTS: u32 = 2;

/// Allows an event at once, and repeats only after longer and longer waits.
#[derive(Debug)]
pub(super) struct Throttle {
    /// The first wait and the longest.
    waits: (Duration, Duration),
    last: Option<(Instant, Duration)>,
}

impl Throttle {
    /// For notes of drift in the journal.
    pub(super) fn of_notes() -> Throttle {
        let (waits, last) = (NOTES, None);
        Throttle { waits, last }
    }

    /// For writing a value again that another program has changed.
    pub(super) fn of_corrections() -> Throttle {
        let (waits, last) = (CORRECTIONS, None);
        Throttle { waits, last }
    }

    /// Reports whether the event may happen now; the error is the moment from which it may.
    pub(super) fn take(&mut self, now: Instant) -> Result<(), Instant> {
        let (first, longest) = self.waits;
        let wait = match self.last {
            Some((at, wait)) if now < at + wait => return Err(at + wait),
            Some((at, wait)) if now < at + rest(wait) => (wait * 2).min(longest),
            Some(_) | None => first,
        };
        self.last = Some((now, wait));
        Ok(())
    }

    /// Returns the moment from which the waits start over; `None`: nothing has happened, or that
    /// moment is past.
    pub(super) fn until_rested(&self, now: Instant) -> Option<Instant> {
        let (at, wait) = self.last?;
        Some(at + rest(wait)).filter(|end| *end > now)
    }

    /// Returns the wait after the last event.
    pub(super) fn wait(&self) -> Option<Duration> {
        self.last.map(|(_, wait)| wait)
    }
}

fn rest(wait: Duration) -> Duration {
    REST.max(wait * RESTS)
}

/// Programs that exchange a directory of settings take less than this.
const SETTLES: Duration = Duration::from_secs(5);

/// The time since which a file that existed is missing.
#[derive(Debug, Default)]
pub(super) struct Absence(Option<Instant>);

impl Absence {
    /// A file that is missing at the start is treated as missing for long.
    pub(super) fn at_start(is_away: bool) -> Absence {
        let since = Instant::now().checked_sub(SETTLES);
        Absence(since.filter(|_| is_away))
    }

    /// The moment until which the absence is ignored; `None`: the file exists, or has been missing
    /// for long.
    pub(super) fn settles(&mut self, is_away: bool, now: Instant) -> Option<Instant> {
        if !is_away {
            self.0 = None;
            return None;
        }
        let end = *self.0.get_or_insert(now) + SETTLES;
        (end > now).then_some(end)
    }
}

/// Reports whether the path exists as a name. A dangling link does; a path that cannot be examined
/// may.
pub(super) fn is_there(path: &Path) -> bool {
    let error = match std::fs::symlink_metadata(path) {
        Ok(_) => return true,
        Err(error) => error.kind(),
    };
    !matches!(
        error,
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::Throttle;

    #[test]
    fn who_insists_is_answered_ever_more_rarely() {
        let (mut throttle, start) = (Throttle::of_notes(), Instant::now());
        let mut times = Vec::new();
        for tick in 0..100_000_u64 {
            let now = start + Duration::from_millis(tick * 100);
            if throttle.take(now).is_ok() {
                times.push(tick / 10);
            }
        }
        let within = |seconds: u64| times.iter().filter(|time| **time < seconds).count();
        assert_eq!((within(1), within(10), within(60)), (2, 5, 7));
        // In the end, once every ten minutes.
        assert_eq!(within(10_000) - within(7_000), 5);
    }

    #[test]
    fn after_a_rest_the_next_one_is_answered_at_once() {
        let (mut throttle, start) = (Throttle::of_notes(), Instant::now());
        assert_eq!(throttle.take(start), Ok(()));
        let soon = start + Duration::from_millis(100);
        assert_eq!(throttle.take(soon), Err(start + Duration::from_millis(500)));
        assert_eq!(
            throttle.until_rested(soon),
            Some(start + Duration::from_secs(60))
        );
        let later = start + Duration::from_secs(61);
        assert_eq!(throttle.take(later), Ok(()));
        let more = later + Duration::from_millis(600);
        assert_eq!(throttle.take(more), Ok(()));
        assert_eq!(throttle.until_rested(more + Duration::from_secs(61)), None);
    }

    #[test]
    fn a_program_that_insists_is_corrected_after_minutes_and_in_the_end_once_an_hour() {
        let (mut throttle, start) = (Throttle::of_corrections(), Instant::now());
        let mut minutes = Vec::new();
        for second in 0..86_400_u64 {
            if throttle.take(start + Duration::from_secs(second)).is_ok() {
                minutes.push(second / 60);
            }
        }
        assert_eq!(minutes[..8], [0, 1, 3, 7, 15, 31, 63, 123]);
        assert_eq!(minutes.len(), 7 + 22, "{minutes:?}");
    }
}
