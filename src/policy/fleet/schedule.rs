//! When a machine may ask the store. Many machines ask one store, so they must not ask at the same
//! time; and an idle machine must not wake up for it.
//!
//! Only an event (a network change, a recheck, the start) sets a time, and only once. A fetch that
//! failed sets none: it only says from when on the next event may set one.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// The longest wait between an event and the fetch.
const SPREAD: Duration = Duration::from_secs(300);
/// The least wait after a failure: with less, many machines would ask again at once.
const LEAST: Duration = Duration::from_secs(10);
/// The wait after the first failure is at most this; it doubles each time.
const FIRST: Duration = Duration::from_secs(30);
/// The wait after a failure is at most this.
const MOST: Duration = Duration::from_secs(900);
/// A store that asks for a longer wait is asked again after this.
const MOST_ASKED: Duration = Duration::from_secs(86_400);
/// A policy and its signature that do not match were fetched between two writes.
const AGAIN: Duration = Duration::from_secs(60);
const MOST_AGAIN: u32 = 3;

/// How a fetch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FetchEnd {
    /// The store has answered: with a policy, right or not, or that nothing has changed.
    Answered,
    /// The policy and its signature do not match.
    Mismatch,
    /// No store answered, or each of them answered with an error.
    Failed {
        /// How long the store asks to be left alone.
        retry_after: Option<Duration>,
    },
}

/// When a machine may ask the store. Randomness is passed in: a number from 0 to below 1.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FetchSchedule {
    /// When the store last answered.
    answered: Option<Timestamp>,
    /// Failures since then.
    failures: u32,
    /// Pairs in a row that did not match.
    mismatches: u32,
    /// The earliest moment of the next fetch.
    not_before: Option<Timestamp>,
}

impl FetchSchedule {
    /// Begins with what an earlier process knew.
    pub fn new(answered: Option<Timestamp>) -> FetchSchedule {
        FetchSchedule {
            answered,
            ..FetchSchedule::default()
        }
    }

    /// Returns how long after an event the store is to be asked; `None`: not for this event.
    pub fn after_event(&self, now: Timestamp, refresh: Duration, random: f64) -> Option<Duration> {
        // A clock that was set back must not stop the fetches.
        let is_fresh = |at: Timestamp| at <= now && since(now, at) < refresh;
        let is_whole = self.failures == 0 && self.mismatches == 0;
        if is_whole && self.answered.is_some_and(is_fresh) {
            return None;
        }
        if self.failures == 0 && self.answered.is_none() {
            return Some(Duration::ZERO);
        }
        let spread = SPREAD.mul_f64(random);
        let held_back = self.not_before.map(|at| since(at, now));
        Some(spread.max(held_back.unwrap_or_default()))
    }

    /// Notes the end of a fetch. Returns when to ask again without an event.
    pub fn ended(&mut self, now: Timestamp, end: FetchEnd, random: f64) -> Option<Duration> {
        match end {
            FetchEnd::Answered => *self = FetchSchedule::new(Some(now)),
            FetchEnd::Mismatch => {
                self.mismatches += 1;
                if self.mismatches <= MOST_AGAIN {
                    return Some(AGAIN);
                }
                // The next event asks again, as after a failure.
                self.mismatches = 0;
                self.failures = self.failures.max(1);
            }
            FetchEnd::Failed { retry_after } => {
                let longest = FIRST.saturating_mul(1 << self.failures.min(16)).min(MOST);
                let wait = LEAST + (longest - LEAST).mul_f64(random);
                let wait = wait.max(retry_after.unwrap_or_default().min(MOST_ASKED));
                self.failures = self.failures.saturating_add(1);
                let wait = SignedDuration::try_from(wait).unwrap_or_default();
                self.not_before = now.checked_add(wait).ok();
            }
        }
        None
    }
}

/// The time from `earlier` to `later`; zero if it is the other way round.
fn since(later: Timestamp, earlier: Timestamp) -> Duration {
    Duration::try_from(later.duration_since(earlier)).unwrap_or_default()
}
