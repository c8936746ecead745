//! When to take a turn, when to act on a negative result, and when to check again. Time is passed
//! in.

use std::time::{Duration, Instant};

use super::decide::Decision;
use super::evaluate::TargetState;
use crate::model::{Snapshot, Truth, Verdict};

/// Limits how often the network is read: immediately while it is quiet, otherwise at most once per
/// `settle` time, so that a storm of messages costs a bounded number of rounds.
#[derive(Debug, Clone)]
pub struct Pace {
    tokens: u32,
    filled: Instant,
    every: Duration,
}

/// The number of reads in a row that are allowed immediately. A move between two networks makes six
/// to fifteen messages that change something.
const BURST_LOOKS: u32 = 20;

impl Pace {
    /// Starts with all reads available.
    pub fn new(settle: Duration, now: Instant) -> Pace {
        Pace {
            tokens: BURST_LOOKS,
            filled: now,
            every: settle.max(Duration::from_millis(1)),
        }
    }

    /// Uses one read, or says when the next one will be available.
    ///
    /// # Errors
    /// With the time of the next read, if none is available.
    pub fn take(&mut self, now: Instant) -> Result<(), Instant> {
        let gained =
            now.saturating_duration_since(self.filled).as_millis() / self.every.as_millis();
        let gained = u32::try_from(gained).unwrap_or(u32::MAX);
        if gained > 0 {
            self.tokens = self.tokens.saturating_add(gained).min(BURST_LOOKS);
            self.filled = if self.tokens == BURST_LOOKS {
                now
            } else {
                self.filled + self.every.saturating_mul(gained)
            };
        }
        match self.tokens.checked_sub(1) {
            Some(left) => {
                self.tokens = left;
                Ok(())
            }
            None => Err(self.filled + self.every),
        }
    }
}

/// A burst of events: one move of the machine, as the kernel reports it.
#[derive(Debug, Clone, Copy)]
pub struct Burst {
    /// Its first event.
    pub first: Instant,
    /// Its last event so far.
    pub last: Instant,
    /// What happened to the name servers during it.
    pub resolver: ResolverNews,
}

/// What a burst of events did to the name servers. It shows what the network manager is about to
/// do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResolverNews {
    /// Nothing (yet).
    None,
    /// There are different ones: a network is being set up.
    Set,
    /// There are none any more: the network has been taken down for good.
    Cleared,
}

impl Burst {
    /// Starts a burst now.
    pub fn begin(now: Instant) -> Burst {
        Burst {
            first: now,
            last: now,
            resolver: ResolverNews::None,
        }
    }

    /// Adds the next event: it belongs to the same burst unless `settle` of quiet preceded it.
    #[must_use]
    pub fn next(self, now: Instant, settle: Duration) -> Burst {
        if now.saturating_duration_since(self.last) > settle {
            return Burst::begin(now);
        }
        Burst { last: now, ..self }
    }

    /// Returns when the burst ends if nothing more happens: after `settle` of quiet, or after ten
    /// times as much in total.
    pub fn ends(self, settle: Duration) -> Instant {
        (self.last + settle).min(self.first + settle.saturating_mul(10))
    }
}

/// How well a decision is founded. It determines how soon goroam may act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Footing {
    /// Something is proven to be up, or the user chose the profile: act immediately.
    Proven,
    /// Something else answers in place of a target: a definite answer, act immediately.
    Portal,
    /// Nothing can leave the machine.
    NoWayOut,
    /// There is a way out, but no probed target is up. In the middle of a move this is true
    /// everywhere for a moment (the route exists, the resolver does not yet).
    NothingUp,
}

/// Returns how well a decision is founded.
pub fn footing<'a>(
    decision: &Decision,
    snapshot: &Snapshot,
    seen: impl IntoIterator<Item = &'a TargetState>,
) -> Footing {
    let by_a_fact = decision
        .trace()
        .is_some_and(|trace| trace.what != "always" && trace.value == Truth::True);
    let (mut up, mut portal) = (false, false);
    for seen in seen {
        up |= seen.observation.is_up();
        portal |= seen.observation.verdict == Verdict::Portal;
    }
    if decision.pinned || (up && by_a_fact) {
        Footing::Proven
    } else if !snapshot.has_any_way_out() {
        Footing::NoWayOut
    } else if portal || up {
        Footing::Portal
    } else {
        Footing::NothingUp
    }
}

/// With no way out and the name servers gone, this much quiet is enough: the aeroplane must be
/// noticed almost immediately.
const CLEARED_QUIET: Duration = Duration::from_millis(15);

/// With no way out and no event about the name servers: a network manager that moves to the next
/// network announces it within some 40 ms of leaving the last one.
const SILENT_QUIET: Duration = Duration::from_millis(80);

/// How long a profile that holds waits for the earlier ones on a new network, while the settings of
/// another network are in force. Most proxies have answered by then.
const EARLIER_FIRST: Duration = Duration::from_millis(500);

/// Returns from when on a profile may be applied provisionally, in a round that began at this time.
pub fn provisional_at(began: Instant) -> Instant {
    began + EARLIER_FIRST
}

/// Returns when goroam may act on a decision made in a burst.
pub fn act_at(footing: Footing, burst: Burst, settle: Duration) -> Instant {
    match footing {
        Footing::Proven | Footing::Portal => burst.last,
        Footing::NoWayOut => match burst.resolver {
            ResolverNews::Cleared => burst.last + CLEARED_QUIET.min(settle),
            ResolverNews::None => burst.last + SILENT_QUIET.min(settle),
            ResolverNews::Set => burst.ends(settle),
        },
        Footing::NothingUp => burst.ends(settle),
    }
}

/// Returns a target's health after a round: what it counts as, and the number of rounds in a row
/// with the opposite result. `was` is `None` directly after a change of the network: then the
/// target counts as what was observed.
pub fn counts_as(was: Option<(bool, u32)>, up: bool, fall: u32, rise: u32) -> (bool, u32) {
    let Some((counted, against)) = was else {
        return (up, 0);
    };
    if up == counted {
        return (counted, 0);
    }
    let against = against.saturating_add(1);
    let enough = if counted { fall } else { rise };
    if against >= enough {
        (up, 0)
    } else {
        (counted, against)
    }
}

/// The delay of the first check after a doubtful round; it doubles up to the regular recheck.
const FIRST_AGAIN: Duration = Duration::from_secs(5);

/// Returns the time until the next round if nothing happens; `None`: only on events. A round that
/// leaves a doubt (a target fails but still counts as up, the user may log into a portal, nothing
/// answers on a network that has a way out) makes it shorter; it grows again with each such round.
pub fn look_again(recheck: Option<Duration>, doubtful_rounds: u32) -> Option<Duration> {
    let recheck = recheck?;
    if doubtful_rounds == 0 {
        return Some(recheck);
    }
    let factor = 2u32.saturating_pow(doubtful_rounds.saturating_sub(1).min(16));
    Some(FIRST_AGAIN.saturating_mul(factor).min(recheck))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTLE: Duration = Duration::from_millis(200);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn five_thousand_events_in_five_seconds_cost_a_bounded_number_of_looks() {
        let start = Instant::now();
        let mut pace = Pace::new(SETTLE, start);
        let looks = (0..5000u64)
            .filter(|i| pace.take(start + ms(*i)).is_ok())
            .count();
        assert!((20..=46).contains(&looks), "{looks}");
    }

    #[test]
    fn a_refused_look_is_told_when_to_come_again_and_gets_it_then() {
        let start = Instant::now();
        let mut pace = Pace::new(SETTLE, start);
        while pace.take(start).is_ok() {}
        let again = pace.take(start + ms(1)).unwrap_err();
        assert_eq!(again, start + SETTLE);
        assert!(pace.take(again).is_ok());
    }

    #[test]
    fn quiet_ends_a_burst_and_so_does_ten_times_the_quiet() {
        let start = Instant::now();
        let burst = Burst::begin(start).next(start + ms(100), SETTLE);
        assert_eq!((burst.first, burst.last), (start, start + ms(100)));
        assert_eq!(burst.ends(SETTLE), start + ms(300));
        let mut long = Burst::begin(start);
        for i in 1..40 {
            long = long.next(start + ms(i * 100), SETTLE);
        }
        assert_eq!(long.ends(SETTLE), start + ms(2000));
        let later = long.next(start + ms(10_000), SETTLE);
        assert_eq!(later.first, start + ms(10_000));
    }

    #[test]
    fn the_aeroplane_is_acted_upon_within_a_blink_unless_a_network_may_be_coming() {
        let now = Instant::now();
        let burst = |resolver| Burst {
            resolver,
            ..Burst::begin(now)
        };
        let wait = |footing, resolver| act_at(footing, burst(resolver), SETTLE) - now;
        use ResolverNews::{Cleared, None, Set};
        assert!(wait(Footing::NoWayOut, Cleared) <= ms(15));
        assert!(wait(Footing::NoWayOut, None) <= ms(100));
        assert_eq!(wait(Footing::NoWayOut, Set), SETTLE);
        assert_eq!(wait(Footing::Proven, Set), ms(0));
        assert_eq!(wait(Footing::Portal, Set), ms(0));
        assert_eq!(wait(Footing::NothingUp, Cleared), SETTLE);
    }

    #[test]
    fn a_target_falls_after_so_many_rounds_and_rises_after_so_many() {
        assert_eq!(counts_as(None, false, 2, 1), (false, 0));
        assert_eq!(counts_as(Some((true, 0)), false, 2, 1), (true, 1));
        assert_eq!(counts_as(Some((true, 1)), false, 2, 1), (false, 0));
        assert_eq!(counts_as(Some((true, 1)), true, 2, 1), (true, 0));
        assert_eq!(counts_as(Some((false, 0)), true, 2, 1), (true, 0));
        assert_eq!(counts_as(Some((false, 0)), true, 2, 3), (false, 1));
    }

    #[test]
    fn doubt_looks_again_soon_and_ever_less_often() {
        let recheck = Some(Duration::from_secs(600));
        assert_eq!(look_again(recheck, 0), recheck);
        assert_eq!(look_again(recheck, 1), Some(Duration::from_secs(5)));
        assert_eq!(look_again(recheck, 3), Some(Duration::from_secs(20)));
        assert_eq!(look_again(recheck, 60), recheck);
        assert_eq!(look_again(None, 1), None);
    }
}
