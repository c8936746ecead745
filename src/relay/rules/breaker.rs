//! A circuit breaker for one hop: remembers that it failed, so that one request pays for an outage
//! and not every request. Pure: time is passed in.

use std::time::{Duration, Instant};

/// Fast failures in a row (refused, reset, 5xx) after which a hop counts as down.
const FAST_FAILURES: u32 = 3;
/// How long a hop that failed is left alone before one request tries it again; doubled with each
/// failed trial up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What is known about one hop.
#[derive(Debug, Clone, Default)]
pub struct Breaker {
    failures: u32,
    open: Option<Open>,
    /// Served wrong content: out until the network changes.
    is_banned: bool,
}

#[derive(Debug, Clone)]
struct Open {
    until: Instant,
    pause: Duration,
    /// One request is under way that decides.
    on_trial: bool,
}

/// May a hop be asked?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permit {
    /// Yes.
    Closed,
    /// Yes, as the one request that finds out whether the hop works again.
    Trial,
    /// No, unless no other hop can serve.
    Open,
    /// No, until the network changes.
    Banned,
}

/// What is known about a hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// Nothing speaks against it.
    Closed,
    /// It failed; the next request tries it after this time.
    Open(Duration),
    /// It served wrong content.
    Banned,
}

/// How an attempt at a hop ended, as far as the breaker is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It answered: with the file, or with a definite 404, 410 or 403.
    Answered,
    /// It failed at once: refused, reset, 5xx, an early end.
    FailedFast,
    /// It was silent for its whole time limit, or failed in a way that lasts.
    Down,
    /// It served content that its hash contradicts.
    WrongContent,
}

impl Breaker {
    /// Says whether a request may be sent; one request at a time gets a [`Permit::Trial`].
    pub fn ask(&mut self, now: Instant) -> Permit {
        if self.is_banned {
            return Permit::Banned;
        }
        match &mut self.open {
            None => Permit::Closed,
            Some(open) if now >= open.until && !open.on_trial => {
                open.on_trial = true;
                Permit::Trial
            }
            Some(_) => Permit::Open,
        }
    }

    /// Records how an attempt ended.
    pub fn record(&mut self, outcome: Outcome, now: Instant) {
        match outcome {
            Outcome::Answered => (self.failures, self.open) = (0, None),
            Outcome::WrongContent => self.is_banned = true,
            // Each silent request costs its whole time limit, so one is enough.
            Outcome::Down => self.trip(now),
            Outcome::FailedFast => {
                self.failures = self.failures.saturating_add(1);
                let on_trial = self.open.as_ref().is_some_and(|open| open.on_trial);
                if on_trial || self.failures >= FAST_FAILURES {
                    self.trip(now);
                }
            }
        }
    }

    /// What the hop's state is, without asking for a permit.
    pub fn state(&self, now: Instant) -> BreakerState {
        match &self.open {
            _ if self.is_banned => BreakerState::Banned,
            Some(open) => BreakerState::Open(open.until.saturating_duration_since(now)),
            None => BreakerState::Closed,
        }
    }

    /// Opens with another one, unless a trial of its own is under way.
    pub fn follow(&mut self, other: &Breaker) {
        self.is_banned |= other.is_banned;
        if let Some(open) = &other.open
            && !self.open.as_ref().is_some_and(|own| own.on_trial)
        {
            self.open = Some(Open {
                on_trial: false,
                ..open.clone()
            });
        }
    }

    /// A trial was cancelled before it ended: the next request may try.
    pub fn give_back(&mut self) {
        if let Some(open) = &mut self.open {
            open.on_trial = false;
        }
    }

    /// A probe found the hop down (or up) before any request did.
    pub fn take_over(&mut self, is_up: bool, now: Instant) {
        if is_up {
            (self.failures, self.open) = (0, None);
        } else if self.open.is_none() {
            self.trip(now);
        }
    }

    fn trip(&mut self, now: Instant) {
        let pause = match &self.open {
            // Requests that were under way when it tripped do not lengthen the pause.
            Some(open) if !open.on_trial => return,
            Some(open) => open.pause.saturating_mul(2).min(LONGEST_PAUSE),
            None => FIRST_PAUSE,
        };
        self.open = Some(Open {
            until: now + pause,
            pause,
            on_trial: false,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn one_silence_opens_it_and_one_answer_on_trial_closes_it() {
        let start = Instant::now();
        let mut breaker = Breaker::default();
        assert_eq!(breaker.ask(start), Permit::Closed);
        breaker.record(Outcome::Down, start);
        assert_eq!(breaker.ask(start + 9 * SECOND), Permit::Open);
        assert_eq!(breaker.ask(start + 10 * SECOND), Permit::Trial);
        assert_eq!(
            breaker.ask(start + 10 * SECOND),
            Permit::Open,
            "one at a time"
        );
        breaker.record(Outcome::Answered, start + 10 * SECOND);
        assert_eq!(breaker.ask(start + 10 * SECOND), Permit::Closed);
    }

    #[test]
    fn fast_failures_open_it_at_the_third_and_an_answer_between_starts_the_count_again() {
        let start = Instant::now();
        let mut breaker = Breaker::default();
        for outcome in [
            Outcome::FailedFast,
            Outcome::FailedFast,
            Outcome::Answered,
            Outcome::FailedFast,
            Outcome::FailedFast,
        ] {
            breaker.record(outcome, start);
            assert_eq!(breaker.ask(start), Permit::Closed);
        }
        breaker.record(Outcome::FailedFast, start);
        assert_eq!(breaker.ask(start), Permit::Open);
    }

    #[test]
    fn each_failed_trial_doubles_the_pause_up_to_a_minute_and_late_failures_do_not() {
        let mut now = Instant::now();
        let mut breaker = Breaker::default();
        breaker.record(Outcome::Down, now);
        // Seven others were under way.
        for _ in 0..7 {
            breaker.record(Outcome::Down, now);
        }
        for pause in [10, 20, 40, 60, 60] {
            assert_eq!(
                breaker.ask(now + pause * SECOND - SECOND / 10),
                Permit::Open
            );
            now += pause * SECOND;
            assert_eq!(breaker.ask(now), Permit::Trial);
            breaker.record(Outcome::FailedFast, now);
        }
    }

    #[test]
    fn a_cancelled_trial_lets_the_next_request_try() {
        let start = Instant::now();
        let mut breaker = Breaker::default();
        breaker.record(Outcome::Down, start);
        let later = start + 10 * SECOND;
        assert_eq!(breaker.ask(later), Permit::Trial);
        breaker.give_back();
        assert_eq!(breaker.ask(later), Permit::Trial);
    }

    #[test]
    fn wrong_content_bans_a_hop_whatever_it_answers_later() {
        let start = Instant::now();
        let mut breaker = Breaker::default();
        breaker.record(Outcome::WrongContent, start);
        breaker.record(Outcome::Answered, start);
        breaker.take_over(true, start);
        assert_eq!(breaker.ask(start + 3600 * SECOND), Permit::Banned);
    }

    #[test]
    fn what_a_probe_knows_is_taken_over_at_once() {
        let start = Instant::now();
        let mut breaker = Breaker::default();
        breaker.take_over(false, start);
        assert_eq!(breaker.ask(start), Permit::Open);
        breaker.take_over(true, start);
        assert_eq!(breaker.ask(start), Permit::Closed);
    }
}
