//! When to take a turn, when to trust a bad one, and when to look again. Time is passed in.

use std::time::{Duration, Instant};

use super::decide::Decision;
use super::evaluate::TargetState;
use crate::model::{Snapshot, Truth, Verdict};

/// How often the network may be looked at: at once as long as it is quiet, and at most once
/// a `settle` time when it is not, so that a storm of messages costs a bounded number of rounds.
#[derive(Debug, Clone)]
pub struct Pace {
    tokens: u32,
    filled: Instant,
    every: Duration,
}

/// Looks in a row that are taken at once. A move between two networks makes six to fifteen
/// messages that change something.
const BURST_LOOKS: u32 = 20;

impl Pace {
    /// Starts with all looks to spare.
    pub fn new(settle: Duration, now: Instant) -> Pace {
        Pace {
            tokens: BURST_LOOKS,
            filled: now,
            every: settle.max(Duration::from_millis(1)),
        }
    }

    /// Takes a look, or says when there will be one to take.
    ///
    /// # Errors
    /// With the time of the next look, when all are used up.
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

/// A burst of events: one move of the machine, as the kernel tells it.
#[derive(Debug, Clone, Copy)]
pub struct Burst {
    /// Its first event.
    pub first: Instant,
    /// Its last event so far.
    pub last: Instant,
    /// What has become of the name servers in it.
    pub resolver: ResolverNews,
}

/// What a burst of events has made of the name servers: who manages the network tells by
/// them what it is about to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResolverNews {
    /// Nothing (yet).
    None,
    /// There are others: a network is being set up.
    Set,
    /// There are none any more: the network has been taken down for good.
    Cleared,
}

impl Burst {
    /// A burst that begins now.
    pub fn begin(now: Instant) -> Burst {
        Burst {
            first: now,
            last: now,
            resolver: ResolverNews::None,
        }
    }

    /// The next event: it belongs to the same burst unless there was `settle` of quiet before it.
    #[must_use]
    pub fn next(self, now: Instant, settle: Duration) -> Burst {
        if now.saturating_duration_since(self.last) > settle {
            return Burst::begin(now);
        }
        Burst { last: now, ..self }
    }

    /// When the burst ends if nothing more happens: after `settle` of quiet, or ten times as
    /// much in all.
    pub fn ends(self, settle: Duration) -> Instant {
        (self.last + settle).min(self.first + settle.saturating_mul(10))
    }
}

/// How well a decision is founded, which says how soon it may be acted upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Footing {
    /// Something is proven to be up, or the user chose: act at once.
    Proven,
    /// Something answers in another's place: a definite answer, act at once.
    Portal,
    /// Nothing can leave the machine.
    NoWayOut,
    /// There is a way out, but nothing that was asked is up: in the middle of a move that is
    /// so for a moment everywhere (route there, resolver not yet).
    NothingUp,
}

/// How well a decision is founded.
pub fn footing<'a>(
    decision: &Decision,
    snapshot: &Snapshot,
    seen: impl IntoIterator<Item = &'a TargetState>,
) -> Footing {
    let chosen = decision
        .considered
        .iter()
        .find(|one| one.profile == decision.profile);
    let by_a_fact = chosen
        .and_then(|one| one.trace.as_ref())
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

/// With no way out and the name servers gone, this much quiet is enough: the aeroplane is to
/// be noticed within a blink.
const CLEARED_QUIET: Duration = Duration::from_millis(15);

/// With no way out and nothing heard of the name servers: a network manager on its way to
/// the next network says so within some 40 ms of having left the last one.
const SILENT_QUIET: Duration = Duration::from_millis(80);

/// When a decision made in a burst may be acted upon.
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

/// A target's health after a round: what it counts as, and the rounds in a row that said
/// otherwise. `was` is `None` right after a change of the network: then it counts as what it
/// was seen to be.
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

/// The first look again after a doubtful round; doubled up to the steady recheck.
const FIRST_AGAIN: Duration = Duration::from_secs(5);

/// How long until the next round when nothing happens; `None`: only on events. After a round
/// that leaves a doubt (a target is failing but still counts as up, a portal may be logged
/// into, nothing answers on a network that has a way out) sooner, but ever less so.
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
