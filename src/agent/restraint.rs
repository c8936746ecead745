//! Two programs that write against each other must come to rest.

use std::time::{Duration, Instant};

/// After the first time; then twice as long each time. Ten seconds see five of them.
const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(600);
/// After so long without one it starts over; at least, and this many times the last wait.
const REST: Duration = Duration::from_secs(60);
const RESTS: u32 = 2;

/// Lets something happen at once, and again only after longer and longer waits.
#[derive(Debug, Default)]
pub(super) struct Restraint {
    last: Option<(Instant, Duration)>,
}

impl Restraint {
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

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::Restraint;

    #[test]
    fn who_insists_is_answered_ever_more_rarely() {
        let (mut restraint, start) = (Restraint::default(), Instant::now());
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
        let (mut restraint, start) = (Restraint::default(), Instant::now());
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
