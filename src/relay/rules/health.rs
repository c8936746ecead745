//! What all requests together know about the hops: breakers, latencies, and how many requests may
//! still be doubled. Pure: time is passed in.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::breaker::{Breaker, BreakerState, Outcome, Permit};
use super::hop::{Failure, FailureKind};
use super::request::RequestSort;
use crate::model::Cause;

/// A second hop is asked beside one that is slower than its 95th percentile, but never sooner.
const SOONEST_HEDGE: Duration = Duration::from_millis(300);
/// The same for a hop with too few answers for a percentile.
const USUAL_HEDGE: Duration = Duration::from_secs(1);
/// Answers that the percentile is taken of, and how few are too few.
const SAMPLES: usize = 32;
const FEWEST_SAMPLES: usize = 5;
/// Each request earns a tenth of a hedge, so at most 10 % are doubled; two are free at first.
const HEDGE_COST: u32 = 10;
const FIRST_CREDIT: u32 = 2 * HEDGE_COST;
const MOST_CREDIT: u32 = 10 * HEDGE_COST;

/// Hedges in a row that a hop may lose before it counts as silent.
const MOST_LOST_HEDGES: u32 = 2;
/// A server that says 0 must not be asked in a tight loop.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);

/// What is known about the hops of one chain on one network.
#[derive(Debug, Clone)]
pub struct Health {
    hops: Vec<HopHealth>,
    hedge_credit: u32,
    /// How long requests may still wait for busy servers.
    patience: Duration,
}

#[derive(Debug, Clone, Default)]
struct HopHealth {
    /// An outage is one of all sorts. But an answer ends it for its own sort only: else a proxy that
    /// is silent about one sort costs a time limit again and again.
    sorts: [SortHealth; RequestSort::COUNT],
    /// It wants no request before.
    busy_until: Option<Instant>,
}

#[derive(Debug, Clone, Default)]
struct SortHealth {
    breaker: Breaker,
    lost_hedges: u32,
    last_failure: Option<Failure>,
    latencies: VecDeque<Duration>,
}

impl HopHealth {
    fn record(&mut self, sort: RequestSort, outcome: Outcome, failure: Failure, now: Instant) {
        let Some(own) = self.sorts.get_mut(sort as usize) else {
            return;
        };
        own.breaker.record(outcome, now);
        own.last_failure = Some(failure);
        if own.breaker.state(now) == BreakerState::Closed {
            return;
        }
        let own = own.clone();
        for other in &mut self.sorts {
            other.breaker.follow(&own.breaker);
            other.last_failure.clone_from(&own.last_failure);
        }
    }
}

impl Health {
    /// Nothing is known yet. `patience`: how long requests may wait for busy servers in all.
    pub fn new(hops: usize, patience: Duration) -> Health {
        Health {
            hops: vec![HopHealth::default(); hops],
            hedge_credit: FIRST_CREDIT,
            patience,
        }
    }

    /// May this hop be asked?
    pub fn permit(&mut self, hop: usize, sort: RequestSort, now: Instant) -> Permit {
        let own = self.own_mut(hop, sort);
        own.map_or(Permit::Banned, |own| own.breaker.ask(now))
    }

    /// The hop's state for this sort of requests.
    pub fn state(&self, hop: usize, sort: RequestSort, now: Instant) -> BreakerState {
        let own = self.own(hop, sort);
        own.map_or(BreakerState::Closed, |own| own.breaker.state(now))
    }

    /// The hop's state for people: it works again as soon as it has answered anything.
    pub fn overall(&self, hop: usize, now: Instant) -> BreakerState {
        let sorts = self.hops.get(hop).into_iter().flat_map(|hop| &hop.sorts);
        let mut states = sorts.map(|own| own.breaker.state(now));
        let first = states.next().unwrap_or(BreakerState::Closed);
        states.fold(first, |all, state| match (all, state) {
            (BreakerState::Closed, _) | (_, BreakerState::Closed) => BreakerState::Closed,
            (all, _) => all,
        })
    }

    /// The median time to its answers; `None` if there were none.
    pub fn usual_time(&self, hop: usize) -> Option<Duration> {
        let sorts = &self.hops.get(hop)?.sorts;
        let times = sorts.iter().flat_map(|own| &own.latencies);
        let mut times: Vec<Duration> = times.copied().collect();
        times.sort_unstable();
        times.get(times.len() / 2).copied()
    }

    /// How long to wait for a busy server that asks for this time; `None`: not at all. Requests that
    /// wait for the same server at the same time cost their time once.
    pub fn wait(
        &mut self,
        hop: usize,
        asked: Duration,
        now: Instant,
        deadline: Instant,
    ) -> Option<Duration> {
        let hop = self.hops.get_mut(hop)?;
        // A server may ask for more than the clock can count.
        let until = now.checked_add(asked.max(SHORTEST_WAIT))?;
        let known = hop.busy_until.map_or(now, |until| until.max(now));
        let more = until.saturating_duration_since(known);
        let left = self.patience.checked_sub(more);
        self.patience = left.filter(|_| until < deadline)?;
        hop.busy_until = Some(until.max(known));
        Some(until - now)
    }

    /// Why it failed last.
    pub fn last_failure(&self, hop: usize, sort: RequestSort) -> Option<&Failure> {
        self.own(hop, sort)?.last_failure.as_ref()
    }

    fn own(&self, hop: usize, sort: RequestSort) -> Option<&SortHealth> {
        self.hops.get(hop)?.sorts.get(sort as usize)
    }

    fn own_mut(&mut self, hop: usize, sort: RequestSort) -> Option<&mut SortHealth> {
        self.hops.get_mut(hop)?.sorts.get_mut(sort as usize)
    }

    /// A request begins.
    pub fn begin_request(&mut self) {
        self.hedge_credit = (self.hedge_credit + 1).min(MOST_CREDIT);
    }

    /// May one more request be doubled? Takes it off the credit.
    pub fn spend_hedge(&mut self) -> bool {
        let left = self.hedge_credit.checked_sub(HEDGE_COST);
        self.hedge_credit = left.unwrap_or(self.hedge_credit);
        left.is_some()
    }

    /// After how long a second hop may be asked beside this one.
    pub fn hedge_after(&self, hop: usize, sort: RequestSort) -> Duration {
        let Some(latencies) = self.own(hop, sort).map(|own| &own.latencies) else {
            return USUAL_HEDGE;
        };
        if latencies.len() < FEWEST_SAMPLES {
            return USUAL_HEDGE;
        }
        let mut sorted: Vec<Duration> = latencies.iter().copied().collect();
        sorted.sort_unstable();
        let p95 = sorted.get(sorted.len() * 95 / 100).copied();
        p95.unwrap_or(USUAL_HEDGE).max(SOONEST_HEDGE)
    }

    /// The hop answered, the first byte after `first_byte`.
    pub fn answered(&mut self, hop: usize, sort: RequestSort, first_byte: Duration, now: Instant) {
        let Some(own) = self.own_mut(hop, sort) else {
            return;
        };
        own.breaker.record(Outcome::Answered, now);
        own.lost_hedges = 0;
        own.last_failure = None;
        if own.latencies.len() == SAMPLES {
            own.latencies.pop_front();
        }
        own.latencies.push_back(first_byte);
    }

    /// The hop had not answered when a hop that was asked later did. The second time in a row counts
    /// as silence, so that not every request waits for the hedge.
    pub fn lost_hedge(&mut self, hop: usize, sort: RequestSort, now: Instant) {
        let Some(own) = self.own_mut(hop, sort) else {
            return;
        };
        own.lost_hedges += 1;
        if own.lost_hedges >= MOST_LOST_HEDGES {
            let why = "is slower than the next proxy of the chain";
            let failure = Failure::new(FailureKind::Down, why).by(Cause::Stalled);
            self.failed(hop, sort, &failure, now);
        }
    }

    /// The hop failed.
    pub fn failed(&mut self, hop: usize, sort: RequestSort, failure: &Failure, now: Instant) {
        let outcome = match failure.kind {
            FailureKind::WrongContent => Outcome::WrongContent,
            FailureKind::Down => Outcome::Down,
            FailureKind::Fast => Outcome::FailedFast,
            FailureKind::Refused => Outcome::Answered,
            FailureKind::Open => return,
        };
        if let Some(hop) = self.hops.get_mut(hop) {
            hop.record(sort, outcome, failure.clone(), now);
        }
    }

    /// An attempt was given up because another hop was faster.
    pub fn cancelled(&mut self, hop: usize, sort: RequestSort) {
        if let Some(own) = self.own_mut(hop, sort) {
            own.breaker.give_back();
        }
    }

    /// The agent's probes found the hop up or down.
    pub fn probed(&mut self, hop: usize, is_up: bool, now: Instant) {
        let sorts = self.hops.get_mut(hop).into_iter();
        for own in sorts.flat_map(|hop| &mut hop.sorts) {
            own.breaker.take_over(is_up, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SORT: RequestSort = RequestSort::Info;

    #[test]
    fn a_tenth_of_the_requests_and_two_more_are_doubled() {
        let mut health = Health::new(1, Duration::ZERO);
        let mut doubled = 0;
        for _ in 0..1000 {
            health.begin_request();
            doubled += usize::from(health.spend_hedge());
        }
        assert_eq!(doubled, 102);
    }

    #[test]
    fn a_server_that_asks_for_ever_is_not_waited_for() {
        let (mut health, now) = (Health::new(1, Duration::MAX), Instant::now());
        let deadline = now + Duration::from_secs(60);
        let asked = Duration::from_secs(u64::MAX);
        assert_eq!(health.wait(0, asked, now, deadline), None);
    }

    #[test]
    fn the_second_hop_waits_for_the_usual_time_of_the_first() {
        let mut health = Health::new(2, Duration::ZERO);
        let now = Instant::now();
        assert_eq!(health.hedge_after(0, SORT), USUAL_HEDGE);
        for n in 1..=100 {
            health.answered(0, SORT, Duration::from_millis(n * 10), now);
        }
        // Of the last 32 answers, 690 to 1000 ms.
        assert_eq!(health.hedge_after(0, SORT), Duration::from_millis(990));
        for _ in 0..32 {
            health.answered(0, SORT, Duration::from_millis(2), now);
        }
        assert_eq!(health.hedge_after(0, SORT), SOONEST_HEDGE);
    }

    #[test]
    fn silence_about_one_sort_of_requests_is_not_forgotten_when_another_is_answered() {
        let (mut health, now) = (Health::new(1, Duration::ZERO), Instant::now());
        let later = now + Duration::from_secs(11);
        health.lost_hedge(0, RequestSort::Database, now);
        health.answered(0, SORT, Duration::ZERO, now);
        assert_eq!(health.permit(0, RequestSort::Database, now), Permit::Closed);
        health.lost_hedge(0, RequestSort::Database, now);
        // Nothing is asked of it, until one request of the sort is answered.
        assert_eq!(health.permit(0, SORT, now), Permit::Open);
        assert_ne!(health.overall(0, now), BreakerState::Closed);
        assert_eq!(health.permit(0, SORT, later), Permit::Trial);
        health.answered(0, SORT, Duration::ZERO, later);
        assert_eq!(health.permit(0, SORT, later), Permit::Closed);
        assert_eq!(health.overall(0, later), BreakerState::Closed);
        assert_eq!(
            health.permit(0, RequestSort::Database, later),
            Permit::Trial
        );
        assert_eq!(health.permit(0, RequestSort::Database, later), Permit::Open);
    }
}
