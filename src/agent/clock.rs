//! The one place that reads the wall clock. Everything below takes time as an argument.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;

/// Now, to the millisecond.
pub(crate) fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}

/// A moment from now.
pub(crate) fn time_left(moment: Timestamp, now: Timestamp) -> std::time::Duration {
    let left = moment.as_millisecond().saturating_sub(now.as_millisecond());
    std::time::Duration::from_millis(u64::try_from(left).unwrap_or(0))
}

/// Moments at which something is due though nothing happens.
#[derive(Debug, Default)]
pub(super) struct Timers {
    /// The next round.
    pub(super) round: Option<Instant>,
    /// A look at the network that the pace put off.
    pub(super) look: Option<Instant>,
    /// A look at the go env file, after its writer has had time to finish.
    pub(super) env_file: Option<Instant>,
    /// A look at the policy file, after its writer has had time to finish.
    pub(super) policy: Option<Instant>,
    /// A pin runs out.
    pub(super) pin: Option<Instant>,
}

impl Timers {
    /// The first of them.
    pub(super) fn next(&self) -> Option<Instant> {
        [self.round, self.look, self.env_file, self.policy, self.pin]
            .into_iter()
            .flatten()
            .min()
    }
}

/// Is it due? Then it is so only once.
pub(super) fn due(timer: &mut Option<Instant>, now: Instant) -> bool {
    timer.take_if(|at| *at <= now).is_some()
}

/// Sleeps until then; never returns if there is no such moment.
pub(super) async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment.into()).await,
        None => std::future::pending().await,
    }
}

/// Up to 10 % sooner or later, so that a thousand machines do not ask together.
pub(super) fn jitter(wait: Duration) -> Duration {
    let mut byte = [0u8; 1];
    // Without randomness there is no jitter, which does no harm.
    let _ = ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut byte);
    wait.mul_f64(0.9 + 0.2 * f64::from(byte[0]) / 255.0)
}

/// After the first time; then twice as long each time. Ten seconds see five of them.
const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(600);
/// After so long without one it starts over; at least, and this many times the last wait.
const REST: Duration = Duration::from_secs(60);
const RESTS: u32 = 2;

/// Lets something happen at once, and again only after longer and longer waits.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    last: Option<(Instant, Duration)>,
}

impl Backoff {
    /// May it happen now? If not: when.
    pub(super) fn take(&mut self, now: Instant) -> Result<(), Instant> {
        let wait = match self.last {
            Some((at, wait)) if now < at + wait => return Err(at + wait),
            Some((at, wait)) if now < at + REST.max(wait * RESTS) => (wait * 2).min(LONGEST),
            Some(_) | None => FIRST,
        };
        self.last = Some((now, wait));
        Ok(())
    }

    /// How long it holds back by now, where that is worth telling.
    pub(super) fn holds_back(&self, now: Instant) -> Option<Duration> {
        let (at, wait) = self.last?;
        (wait >= FIRST * 8 && now < at + REST.max(wait * RESTS)).then_some(wait)
    }
}

/// Longer than programs that exchange a folder of settings take.
const SETTLES: Duration = Duration::from_secs(5);

/// Since when a file that was there is not.
#[derive(Debug, Default)]
pub(super) struct Absence(Option<Instant>);

impl Absence {
    /// One that is away already has been so for long.
    pub(super) fn at_start(is_away: bool) -> Absence {
        let since = Instant::now().checked_sub(SETTLES);
        Absence(since.filter(|_| is_away))
    }

    /// Until when nothing is made of it; `None`: it is there, or has been away for long.
    pub(super) fn settles(&mut self, is_away: bool, now: Instant) -> Option<Instant> {
        if !is_away {
            self.0 = None;
            return None;
        }
        let end = *self.0.get_or_insert(now) + SETTLES;
        (end > now).then_some(end)
    }
}

/// Has the path a name? A link to nowhere has one, and so may have what cannot be looked at.
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

    use super::Backoff;

    #[test]
    fn who_insists_is_answered_ever_more_rarely() {
        let (mut restraint, start) = (Backoff::default(), Instant::now());
        let mut times = Vec::new();
        for tick in 0..100_000_u64 {
            let now = start + Duration::from_millis(tick * 100);
            if restraint.take(now).is_ok() {
                times.push(tick / 10);
            }
        }
        let within = |seconds: u64| times.iter().filter(|time| **time < seconds).count();
        assert_eq!((within(1), within(10), within(60)), (2, 5, 7));
        // Every ten minutes in the end.
        assert_eq!(within(10_000) - within(7_000), 5);
    }

    #[test]
    fn after_a_rest_the_next_one_is_answered_at_once() {
        let (mut restraint, start) = (Backoff::default(), Instant::now());
        assert_eq!(restraint.take(start), Ok(()));
        let soon = start + Duration::from_millis(100);
        assert_eq!(
            restraint.take(soon),
            Err(start + Duration::from_millis(500))
        );
        assert_eq!(restraint.holds_back(soon), None);
        let later = start + Duration::from_secs(61);
        assert_eq!(restraint.take(later), Ok(()));
        let more = later + Duration::from_millis(600);
        assert_eq!(restraint.take(more), Ok(()));
    }
}
