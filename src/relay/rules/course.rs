//! The course of one request over the hops: which hop next, when to try again, when to ask a second
//! hop beside the first, when to give up, and what go gets in the end. Without sockets and
//! clocks: the driver carries out each [`Step`], and reports how each attempt ended.

use std::time::{Duration, Instant};

use super::breaker::{BreakerState, Permit};
use super::health::Health;
use super::hop::{ChainEnd, Failure, FailureKind, HopClass, RelayHop};
use super::request::RequestSort;
use crate::model::Cause;
use crate::model::chain::Separator;

/// The pause before an attempt is repeated: this, times a random number from one to four.
const BACK_OFF: Duration = Duration::from_millis(50);
/// Repetitions over all hops of one request.
const RETRY_BUDGET: u32 = 6;

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Send the request to this hop, after this pause.
    Ask {
        /// The hop's number in the chain.
        hop: usize,
        /// How long to wait first.
        pause: Duration,
        /// How long its first byte may take.
        first_byte: Duration,
    },
    /// Wait until an attempt ends, at most until this moment.
    Wait(Instant),
    /// The request is decided. Attempts that are still under way are cancelled.
    Done(Verdict),
}

/// How a request ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// This hop served it.
    Serve(usize),
    /// 404: an authoritative hop has no such thing, or go is to continue with `direct`.
    NotFound,
    /// 502: what failed, the most useful first.
    Failed(Vec<(usize, Failure)>),
    /// 403: no hop of the chain may see this path.
    NoHop,
}

impl Verdict {
    /// What failed, if that is why there is no file.
    pub fn failures(self) -> Vec<(usize, Failure)> {
        match self {
            Verdict::Failed(failures) => failures,
            Verdict::Serve(_) | Verdict::NotFound | Verdict::NoHop => Vec::new(),
        }
    }
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttemptEnd {
    /// The file came, the first byte after this time, and no hash contradicts it.
    Served(Duration),
    /// 404, 410, or a file that is not there; the answer came after this time.
    NotFound(Duration),
    /// Anything else.
    Failed(Failure),
}

/// One request on its way.
#[derive(Debug)]
pub struct Course<'a> {
    hops: &'a [RelayHop],
    end: ChainEnd,
    /// The hops that may see the path, in order.
    order: Vec<usize>,
    /// How many of them were begun.
    begun: usize,
    under_way: Vec<Attempt>,
    ended: Vec<(usize, Ended)>,
    retries_left: u32,
    deadline: Instant,
    /// A random number, for the pauses.
    chance: u32,
    is_exact: bool,
    sort: RequestSort,
    verdict: Option<Verdict>,
}

#[derive(Debug)]
struct Attempt {
    hop: usize,
    /// Repetitions so far.
    repeated: u32,
    since: Instant,
    first_byte: Duration,
    /// To be sent (again) by the driver; `None`: it is under way.
    to_send: Option<Duration>,
    /// The next hop was already asked beside this one, or must not be.
    is_hedged: bool,
    has_started: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Ended {
    NotFound,
    Failed(Failure),
}

/// What a request is about, as far as the course must know.
#[derive(Debug, Clone, Copy)]
pub struct Subject {
    /// Does the path match GOPRIVATE (or GONOPROXY)? Then only private hops may see it.
    pub is_private: bool,
    /// One version is asked for, and not which versions there are?
    pub is_exact: bool,
    /// The sort of file.
    pub sort: RequestSort,
    /// The moment after which go gets an answer, whatever is under way.
    pub deadline: Instant,
    /// Any number, for the pauses between repetitions.
    pub chance: u32,
}

impl<'a> Course<'a> {
    /// Begins a request.
    pub fn new(
        hops: &'a [RelayHop],
        end: ChainEnd,
        subject: Subject,
        health: &mut Health,
    ) -> Course<'a> {
        health.begin_request();
        let may_see = |hop: &usize| {
            let hop = hops.get(*hop);
            hop.is_some_and(|hop| hop.may_see(subject.is_private))
        };
        Course {
            hops,
            end,
            order: (0..hops.len()).filter(may_see).collect(),
            begun: 0,
            under_way: Vec::new(),
            ended: Vec::new(),
            retries_left: RETRY_BUDGET,
            deadline: subject.deadline,
            chance: subject.chance,
            is_exact: subject.is_exact,
            sort: subject.sort,
            verdict: None,
        }
    }

    /// These hops are trees on this machine that have no such file.
    pub fn without(mut self, absent: &[usize]) -> Course<'a> {
        self.order.retain(|hop| !absent.contains(hop));
        self.ended
            .extend(absent.iter().map(|hop| (*hop, Ended::NotFound)));
        self
    }

    /// The next step. Call it again after each step but [`Step::Wait`], and after each report.
    pub fn next_step(&mut self, health: &mut Health, now: Instant) -> Step {
        if self.verdict.is_none() && now >= self.deadline {
            self.give_up(health, now);
        }
        while self.verdict.is_none() {
            if let Some(attempt) = self
                .under_way
                .iter_mut()
                .find(|each| each.to_send.is_some())
            {
                let pause = attempt.to_send.take().unwrap_or_default();
                return Step::Ask {
                    hop: attempt.hop,
                    pause,
                    first_byte: attempt.first_byte,
                };
            }
            match self.next_to_begin(health, now) {
                Next::Begin(at) => self.begin(at, health, now),
                Next::Again(at) => self.ask_after_all(at, now),
                Next::Wait(until) => return Step::Wait(until.min(self.deadline)),
                Next::Conclude => self.verdict = Some(self.conclude()),
            }
        }
        for attempt in std::mem::take(&mut self.under_way) {
            health.cancelled(attempt.hop, self.sort);
        }
        Step::Done(self.verdict.clone().unwrap_or(Verdict::NoHop))
    }

    /// The first byte of the file came: the hop is not silent, so no other is asked beside it. The
    /// silent ones that were asked before it have lost. That is known here, before the file is
    /// verified, so that the proof does not wait for them.
    pub fn started(&mut self, hop: usize, health: &mut Health, now: Instant) {
        let Some(attempt) = self.under_way.iter_mut().find(|each| each.hop == hop) else {
            return;
        };
        attempt.is_hedged = true;
        if std::mem::replace(&mut attempt.has_started, true) {
            return;
        }
        let place = |hop| self.order.iter().position(|one| *one == hop);
        let silent = self.under_way.iter().filter(|each| !each.has_started);
        for slow in silent.filter(|each| place(each.hop) < place(hop)) {
            health.lost_hedge(slow.hop, self.sort, now);
        }
    }

    /// An attempt ended.
    pub fn report(&mut self, hop: usize, end: AttemptEnd, health: &mut Health, now: Instant) {
        let Some(at) = self.under_way.iter().position(|each| each.hop == hop) else {
            return; // cancelled meanwhile
        };
        match end {
            AttemptEnd::Served(first_byte) => {
                health.answered(hop, self.sort, first_byte, now);
                self.started(hop, health, now);
                self.under_way.remove(at);
                self.verdict.get_or_insert(Verdict::Serve(hop));
            }
            AttemptEnd::NotFound(first_byte) => {
                health.answered(hop, self.sort, first_byte, now);
                self.under_way.remove(at);
                self.ended.push((hop, Ended::NotFound));
            }
            AttemptEnd::Failed(failure) => {
                health.failed(hop, self.sort, &failure, now);
                let pause = self.pause();
                let limit = self.hops.get(hop).map_or(0, |hop| hop.limits.retries);
                if let Some(attempt) = self.under_way.get_mut(at)
                    && failure.kind == FailureKind::Fast
                    && failure.retry_after.is_none()
                    && attempt.repeated < limit
                    && self.retries_left > 0
                    && now + pause < self.deadline
                {
                    attempt.repeated += 1;
                    attempt.to_send = Some(pause);
                    self.retries_left -= 1;
                } else {
                    let attempt = self.under_way.remove(at);
                    let asked = failure.retry_after;
                    self.ended.push((hop, Ended::Failed(failure)));
                    self.wait_for_busy(attempt, asked, health, now);
                }
            }
        }
    }

    /// The hops that failed so far.
    pub fn failures(&self) -> Vec<(usize, Failure)> {
        let failed = |(hop, ended): &(usize, Ended)| match ended {
            Ended::NotFound => None,
            Ended::Failed(failure) => Some((*hop, failure.clone())),
        };
        self.ended.iter().filter_map(failed).collect()
    }

    fn next_to_begin(&mut self, health: &mut Health, now: Instant) -> Next {
        let next = self.next_hop();
        if self.under_way.is_empty() {
            let again = || self.passed_over().map_or(Next::Conclude, Next::Again);
            return next.map_or_else(again, Next::Begin);
        }
        let is_public = |at: &usize| self.order.get(*at).is_some_and(|hop| self.is_public(*hop));
        let beside = next.filter(is_public);
        let slow = self.under_way.iter().position(|attempt| !attempt.is_hedged);
        let slow = slow.and_then(|slow| self.under_way.get_mut(slow));
        let (Some(attempt), Some(beside)) = (slow, beside) else {
            return Next::Wait(self.deadline);
        };
        let due = attempt.since + health.hedge_after(attempt.hop, self.sort);
        if now < due {
            return Next::Wait(due);
        }
        // Asked once; without credit the first hop has its whole time limit, unless other requests
        // have found it silent meanwhile.
        attempt.is_hedged = true;
        if health.state(attempt.hop, self.sort, now) != BreakerState::Closed || health.spend_hedge()
        {
            Next::Begin(beside)
        } else {
            Next::Wait(self.deadline)
        }
    }

    /// The place among the ended ones of a hop that was passed over, if all others have failed by
    /// now, or go would get no file and no 404: it may work again, and for this sort of files it may
    /// never have failed.
    fn passed_over(&self) -> Option<usize> {
        let kind = |ended: &Ended| match ended {
            Ended::NotFound => None,
            Ended::Failed(failure) => Some(failure.kind),
        };
        let is_outage = |(hop, ended): &(usize, Ended)| {
            let outage = [FailureKind::Fast, FailureKind::Down, FailureKind::Open];
            self.is_own(*hop) || kind(ended).is_some_and(|kind| outage.contains(&kind))
        };
        let mut ended = self.ended.iter();
        let at = ended.position(|(_, ended)| kind(ended) == Some(FailureKind::Open));
        let fails = || matches!(self.conclude(), Verdict::Failed(_));
        at.filter(|_| self.ended.iter().all(is_outage) || fails())
    }

    fn ask_after_all(&mut self, at: usize, now: Instant) {
        let (hop, _) = self.ended.remove(at);
        // A tree of goroam's own may have been asked before hops whose turn comes now.
        let place = self.order.iter().position(|one| *one == hop);
        self.begun = place.map_or(self.begun, |place| place + 1);
        let limits = self.hops.get(hop).map(|hop| hop.limits).unwrap_or_default();
        self.under_way.push(Attempt {
            hop,
            repeated: 0,
            since: now,
            first_byte: limits.first_byte,
            to_send: Some(Duration::ZERO),
            is_hedged: true,
            has_started: false,
        });
    }

    /// The place in the order of the hop that may be asked next.
    fn next_hop(&self) -> Option<usize> {
        let may_pass = self.may_pass();
        let mut places = self.begun..self.order.len();
        let has_ended = |hop: usize| self.ended.iter().any(|(ended, _)| *ended == hop);
        places.find(|at| match self.order.get(*at) {
            Some(hop) if has_ended(*hop) => false,
            Some(hop) if self.is_own(*hop) => self.may_use_own(*at),
            Some(_) | None => may_pass,
        })
    }

    /// Nothing leaves this machine with a request to a tree of goroam's own, so no hop keeps a path
    /// from it. But an old list of it must not hide what another hop or `direct` says: it stands in
    /// only where no hop has answered.
    fn may_use_own(&self, at: usize) -> bool {
        if !self.under_way.is_empty() {
            return false;
        }
        let later = self.order.get(at..).unwrap_or_default();
        let comes_first = later.iter().any(|hop| !self.is_own(*hop));
        if self.is_exact || comes_first {
            return true;
        }
        let is_answer = |(hop, ended): &(usize, Ended)| {
            let hop = self.hops.get(*hop);
            *ended == Ended::NotFound && hop.is_some_and(RelayHop::is_authoritative)
        };
        match self.has_failed() {
            true => !self.ended.iter().any(is_answer),
            false => self.end == ChainEnd::Nothing,
        }
    }

    fn has_failed(&self) -> bool {
        self.ended
            .iter()
            .any(|(_, ended)| *ended != Ended::NotFound)
    }

    /// Reports whether this hop's answer may be old: a list of versions from a tree on this
    /// machine, as no other hop has answered.
    pub fn is_stale(&self, hop: usize) -> bool {
        let hop = self.hops.get(hop);
        let is_local = hop.is_some_and(|hop| hop.class == HopClass::Local);
        is_local && !self.is_exact && self.has_failed()
    }

    /// A busy server that no other hop can stand in for is asked again when it wants to be, as long
    /// as the budget allows.
    fn wait_for_busy(
        &mut self,
        attempt: Attempt,
        asked: Option<Duration>,
        health: &mut Health,
        now: Instant,
    ) {
        let is_alone = self.under_way.is_empty() && self.next_hop().is_none();
        let Some(asked) = asked.filter(|_| is_alone) else {
            return;
        };
        let pause = health.wait(attempt.hop, asked, now, self.deadline);
        if pause.is_some() {
            self.ended.pop();
            self.under_way.push(Attempt {
                to_send: pause,
                ..attempt
            });
        }
    }

    /// Does what is known of the hops before the next one let the request pass on to it?
    fn may_pass(&self) -> bool {
        let ended = self
            .ended
            .iter()
            .all(|(hop, ended)| self.moves_on(*hop, ended));
        // Beside a hop that has not answered, only among public hops.
        ended && self.under_way.iter().all(|each| self.is_public(each.hop))
    }

    fn moves_on(&self, hop: usize, ended: &Ended) -> bool {
        let Some(hop) = self.hops.get(hop) else {
            return false;
        };
        match ended {
            Ended::NotFound => true,
            Ended::Failed(failure) if failure.kind == FailureKind::Refused => {
                hop.then == Some(Separator::Pipe)
            }
            Ended::Failed(_) => hop.outage_moves_on(),
        }
    }

    fn is_own(&self, hop: usize) -> bool {
        self.hops.get(hop).is_some_and(|hop| hop.is_own)
    }

    fn is_public(&self, hop: usize) -> bool {
        let hop = self.hops.get(hop);
        hop.is_some_and(|hop| hop.class == HopClass::Public)
    }

    /// Begins the next hop of the order, or passes over it if its breaker is open and another hop
    /// can serve.
    fn begin(&mut self, at: usize, health: &mut Health, now: Instant) {
        let Some(&hop) = self.order.get(at) else {
            return;
        };
        self.begun = at + 1;
        let permit = health.permit(hop, self.sort, now);
        let moves_on = self.hops.get(hop).is_some_and(RelayHop::outage_moves_on);
        let later = self.order.get(self.begun..).unwrap_or_default();
        let has_next = later.iter().any(|next| moves_on || self.is_own(*next));
        let has_other = has_next || !self.under_way.is_empty();
        let is_passed_over = match permit {
            Permit::Closed | Permit::Trial => false,
            Permit::Open => has_other,
            Permit::Banned => true,
        };
        if is_passed_over {
            let why = match health.last_failure(hop, self.sort) {
                Some(failure) => format!("{} (not asked again yet)", failure.why),
                None => "is down".to_owned(),
            };
            let kind = if permit == Permit::Banned {
                FailureKind::WrongContent
            } else {
                FailureKind::Open
            };
            let failure = Failure {
                kind,
                why,
                cause: health
                    .last_failure(hop, self.sort)
                    .and_then(|failure| failure.cause),
                retry_after: None,
                is_remembered: true,
            };
            self.ended.push((hop, Ended::Failed(failure)));
            return;
        }
        let limits = self.hops.get(hop).map(|hop| hop.limits).unwrap_or_default();
        let may_take_long = match self.hops.get(hop).map(|hop| hop.class) {
            Some(HopClass::Private) => true,
            Some(HopClass::Public | HopClass::Gatekeeper | HopClass::Local) | None => !has_next,
        };
        self.under_way.push(Attempt {
            hop,
            repeated: 0,
            since: now,
            first_byte: if may_take_long {
                limits.patience
            } else {
                limits.first_byte
            },
            to_send: Some(Duration::ZERO),
            is_hedged: !self.is_public(hop),
            has_started: false,
        });
    }

    /// The deadline is over.
    fn give_up(&mut self, health: &mut Health, now: Instant) {
        for attempt in std::mem::take(&mut self.under_way) {
            let why = "did not answer within the deadline of the request";
            let failure = Failure::new(FailureKind::Down, why).by(Cause::Stalled);
            health.failed(attempt.hop, self.sort, &failure, now);
            self.ended.push((attempt.hop, Ended::Failed(failure)));
        }
        // A hop that was not asked has not said that it lacks the file.
        if let Some(hop) = self.next_hop().and_then(|at| self.order.get(at)) {
            let why = "was not asked within the deadline of the request";
            let failure = Failure::new(FailureKind::Open, why).by(Cause::Stalled);
            self.ended.push((*hop, Ended::Failed(failure)));
        }
        self.verdict = Some(self.conclude());
    }

    /// What go gets when no hop served.
    fn conclude(&self) -> Verdict {
        if self.order.is_empty() && self.ended.is_empty() && self.end == ChainEnd::Nothing {
            return Verdict::NoHop;
        }
        let has_reached_end =
            self.next_hop().is_none() && self.under_way.is_empty() && self.may_pass();
        let last = self.order.iter().rev().find(|hop| !self.is_own(**hop));
        // go walks `direct` itself, after a 404. After `,` only if the last hop said so.
        let hands_over = self.end == ChainEnd::Direct
            && has_reached_end
            && self.ended.iter().all(|(hop, ended)| {
                *ended == Ended::NotFound
                    || (Some(hop) != last && self.moves_on(*hop, ended))
                    || self
                        .hops
                        .get(*hop)
                        .is_some_and(|hop| hop.then == Some(Separator::Pipe))
            });
        if hands_over {
            return Verdict::NotFound;
        }
        let class = |hop: &usize| self.hops.get(*hop).map(|hop| hop.class);
        let mut failures: Vec<(usize, Failure)> = Vec::new();
        let mut is_not_found = self
            .ended
            .iter()
            .all(|(_, ended)| *ended == Ended::NotFound);
        for (hop, ended) in &self.ended {
            match ended {
                Ended::NotFound => {
                    is_not_found |= self.hops.get(*hop).is_some_and(RelayHop::is_authoritative);
                }
                Ended::Failed(failure) => failures.push((*hop, failure.clone())),
            }
        }
        let guards = |(hop, _): &(usize, Failure)| {
            matches!(class(hop), Some(HopClass::Private | HopClass::Gatekeeper))
        };
        let is_wrong = |(_, failure): &(usize, Failure)| failure.kind == FailureKind::WrongContent;
        if is_not_found && !failures.iter().any(guards) && !failures.iter().any(is_wrong) {
            return Verdict::NotFound;
        }
        failures.sort_by_key(|(hop, failure)| (failure.kind, *hop));
        Verdict::Failed(failures)
    }

    fn pause(&mut self) -> Duration {
        // Knuth's multiplier: far from random, which pauses do not need.
        self.chance = self.chance.wrapping_mul(2_654_435_761).wrapping_add(1);
        BACK_OFF * (1 + (self.chance >> 30))
    }
}

enum Next {
    Begin(usize),
    Again(usize),
    Wait(Instant),
    Conclude,
}

#[cfg(test)]
mod tests;
