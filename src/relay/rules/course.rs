//! The course of one request over the hops: which hop next, when to try again, when to ask a second
//! hop beside the first, when to give up, and what go gets in the end. Without sockets and
//! clocks: the driver carries out each [`Step`], and reports how each attempt ended.

use std::time::{Duration, Instant};

use super::breaker::Permit;
use super::health::Health;
use super::hop::{ChainEnd, Failure, FailureKind, HopClass, RelayHop};
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
            verdict: None,
        }
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
                Next::Begin => self.begin(health, now),
                Next::Wait(until) => return Step::Wait(until.min(self.deadline)),
                Next::Conclude => self.verdict = Some(self.conclude()),
            }
        }
        for attempt in std::mem::take(&mut self.under_way) {
            health.cancelled(attempt.hop);
        }
        Step::Done(self.verdict.clone().unwrap_or(Verdict::NoHop))
    }

    /// The first byte of the file came: the hop is not silent, so no other is asked beside it.
    pub fn started(&mut self, hop: usize) {
        if let Some(attempt) = self.under_way.iter_mut().find(|each| each.hop == hop) {
            attempt.is_hedged = true;
            attempt.has_started = true;
        }
    }

    /// An attempt ended.
    pub fn report(&mut self, hop: usize, end: AttemptEnd, health: &mut Health, now: Instant) {
        let Some(at) = self.under_way.iter().position(|each| each.hop == hop) else {
            return; // cancelled meanwhile
        };
        match end {
            AttemptEnd::Served(first_byte) => {
                health.answered(hop, first_byte, now);
                self.under_way.remove(at);
                let place = |hop| self.order.iter().position(|one| *one == hop);
                let silent = self.under_way.iter().filter(|each| !each.has_started);
                // The hop that answered was asked later than these.
                for slow in silent.filter(|each| place(each.hop) < place(hop)) {
                    health.lost_hedge(slow.hop, now);
                }
                self.verdict.get_or_insert(Verdict::Serve(hop));
            }
            AttemptEnd::NotFound(first_byte) => {
                health.answered(hop, first_byte, now);
                self.under_way.remove(at);
                self.ended.push((hop, Ended::NotFound));
            }
            AttemptEnd::Failed(failure) => {
                health.failed(hop, &failure, now);
                let pause = self.pause();
                let limit = self.hops.get(hop).map_or(0, |hop| hop.limits.retries);
                if let Some(attempt) = self.under_way.get_mut(at)
                    && failure.kind == FailureKind::Fast
                    && attempt.repeated < limit
                    && self.retries_left > 0
                    && now + pause < self.deadline
                {
                    attempt.repeated += 1;
                    attempt.to_send = Some(pause);
                    self.retries_left -= 1;
                } else {
                    self.under_way.remove(at);
                    self.ended.push((hop, Ended::Failed(failure)));
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
        let has_next = self.begun < self.order.len() && self.may_pass();
        if self.under_way.is_empty() {
            return if has_next {
                Next::Begin
            } else {
                Next::Conclude
            };
        }
        let may_hedge = has_next
            && self
                .order
                .get(self.begun)
                .is_some_and(|hop| self.is_public(*hop));
        let slow = self.under_way.iter().position(|attempt| !attempt.is_hedged);
        let Some(slow) = slow.filter(|_| may_hedge) else {
            return Next::Wait(self.deadline);
        };
        let Some(attempt) = self.under_way.get_mut(slow) else {
            return Next::Wait(self.deadline);
        };
        let due = attempt.since + health.hedge_after(attempt.hop);
        if now < due {
            return Next::Wait(due);
        }
        // Asked once; without credit the first hop has its whole time limit.
        attempt.is_hedged = true;
        if health.spend_hedge() {
            Next::Begin
        } else {
            Next::Wait(self.deadline)
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

    fn is_public(&self, hop: usize) -> bool {
        let hop = self.hops.get(hop);
        hop.is_some_and(|hop| hop.class == HopClass::Public)
    }

    /// Begins the next hop of the order, or passes over it if its breaker is open and another hop
    /// can serve.
    fn begin(&mut self, health: &mut Health, now: Instant) {
        let Some(&hop) = self.order.get(self.begun) else {
            return;
        };
        self.begun += 1;
        let permit = health.permit(hop, now);
        let moves_on = self.hops.get(hop).is_some_and(RelayHop::outage_moves_on);
        let has_next = moves_on && self.begun < self.order.len();
        let has_other = has_next || !self.under_way.is_empty();
        let is_passed_over = match permit {
            Permit::Closed | Permit::Trial => false,
            Permit::Open => has_other,
            Permit::Banned => true,
        };
        if is_passed_over {
            let why = match health.last_failure(hop) {
                Some(failure) => format!("{} (not asked again yet)", failure.why),
                None => "is down".to_owned(),
            };
            let kind = if permit == Permit::Banned {
                FailureKind::WrongContent
            } else {
                FailureKind::Open
            };
            let is_remembered = true;
            let failure = Failure {
                kind,
                why,
                is_remembered,
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
            let failure = Failure::new(FailureKind::Down, why);
            health.failed(attempt.hop, &failure, now);
            self.ended.push((attempt.hop, Ended::Failed(failure)));
        }
        self.verdict = Some(self.conclude());
    }

    /// What go gets when no hop served.
    fn conclude(&self) -> Verdict {
        if self.order.is_empty() && self.end == ChainEnd::Nothing {
            return Verdict::NoHop;
        }
        let has_reached_end =
            self.begun == self.order.len() && self.under_way.is_empty() && self.may_pass();
        let last = self.order.last();
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
    Begin,
    Wait(Instant),
    Conclude,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::chain::HopKind;
    use crate::relay::rules::hop::HopLimits;

    const SECOND: Duration = Duration::from_secs(1);
    const FAST: &str = "refuses the connection";

    fn hop(name: &str, class: HopClass, then: Option<Separator>) -> RelayHop {
        RelayHop {
            name: name.to_owned(),
            kind: HopKind::Proxy(format!("https://{name}")),
            class,
            sees_private: matches!(class, HopClass::Local | HopClass::Private),
            then,
            limits: HopLimits::default(),
        }
    }

    const COMMA: Option<Separator> = Some(Separator::Comma);
    const PIPE: Option<Separator> = Some(Separator::Pipe);

    fn failed(kind: FailureKind) -> AttemptEnd {
        let why = FAST.to_owned();
        AttemptEnd::Failed(Failure::new(kind, why))
    }

    /// Walks a chain in which each hop always ends in the same way; the hops that were asked, in
    /// order, and the verdict.
    fn walk(
        hops: &[RelayHop],
        end: ChainEnd,
        is_private: bool,
        ends: &[AttemptEnd],
    ) -> (Vec<usize>, Verdict) {
        let mut health = Health::new(hops.len());
        walk_with(&mut health, hops, end, is_private, ends)
    }

    fn walk_with(
        health: &mut Health,
        hops: &[RelayHop],
        end: ChainEnd,
        is_private: bool,
        ends: &[AttemptEnd],
    ) -> (Vec<usize>, Verdict) {
        let mut now = Instant::now();
        let subject = Subject {
            is_private,
            deadline: now + 60 * SECOND,
            chance: 7,
        };
        let mut course = Course::new(hops, end, subject, health);
        let mut asked = Vec::new();
        loop {
            match course.next_step(health, now) {
                Step::Ask { hop, pause, .. } => {
                    asked.push(hop);
                    now += pause;
                    course.report(hop, ends[hop].clone(), health, now);
                }
                Step::Wait(_) => panic!("nothing is under way"),
                Step::Done(verdict) => return (asked, verdict),
            }
        }
    }

    #[test]
    fn refusing_hops_are_asked_three_times_each_silent_ones_once_and_the_third_serves() {
        let hops = [
            hop("a", HopClass::Public, COMMA),
            hop("b", HopClass::Public, COMMA),
            hop("c", HopClass::Public, None),
        ];
        let served = AttemptEnd::Served(SECOND / 100);
        let fast = failed(FailureKind::Fast);
        let ends = [fast.clone(), fast, served.clone()];
        assert_eq!(
            walk(&hops, ChainEnd::Nothing, false, &ends),
            (vec![0, 0, 0, 1, 1, 1, 2], Verdict::Serve(2))
        );
        let silent = failed(FailureKind::Down);
        let ends = [silent.clone(), silent, served];
        assert_eq!(
            walk(&hops, ChainEnd::Nothing, false, &ends),
            (vec![0, 1, 2], Verdict::Serve(2))
        );
    }

    #[test]
    fn all_bad_is_a_502_with_every_hop_once() {
        let hops = [
            hop("a", HopClass::Public, PIPE),
            hop("b", HopClass::Public, None),
        ];
        let ends = [failed(FailureKind::Down), failed(FailureKind::Fast)];
        let (_, verdict) = walk(&hops, ChainEnd::Nothing, false, &ends);
        let Verdict::Failed(failures) = verdict else {
            panic!("{verdict:?}");
        };
        let kinds: Vec<_> = failures
            .iter()
            .map(|(hop, failure)| (*hop, failure.kind))
            .collect();
        assert_eq!(kinds, [(1, FailureKind::Fast), (0, FailureKind::Down)]);
    }

    #[test]
    fn a_private_or_unknown_hop_before_a_comma_keeps_the_path_when_it_fails() {
        for class in [HopClass::Private, HopClass::Gatekeeper] {
            let hops = [
                hop("corp", class, COMMA),
                hop("public", HopClass::Public, None),
            ];
            for kind in [FailureKind::Down, FailureKind::Fast, FailureKind::Refused] {
                let ends = [failed(kind), AttemptEnd::Served(SECOND)];
                let (asked, verdict) = walk(&hops, ChainEnd::Nothing, false, &ends);
                assert!(!asked.contains(&1), "{class:?} {kind:?}");
                assert!(matches!(verdict, Verdict::Failed(_)), "{verdict:?}");
            }
            let ends = [AttemptEnd::NotFound(SECOND), AttemptEnd::Served(SECOND)];
            let (asked, verdict) = walk(&hops, ChainEnd::Nothing, false, &ends);
            assert_eq!((asked, verdict), (vec![0, 1], Verdict::Serve(1)));
        }
    }

    #[test]
    fn a_private_path_is_seen_by_private_hops_only() {
        let hops = [
            hop("public", HopClass::Public, PIPE),
            hop("corp", HopClass::Private, PIPE),
            hop("other", HopClass::Gatekeeper, None),
        ];
        let found = AttemptEnd::Served(SECOND);
        for end in [
            failed(FailureKind::Fast),
            AttemptEnd::NotFound(SECOND),
            found.clone(),
        ] {
            let ends = [found.clone(), end, found.clone()];
            let (asked, _) = walk(&hops, ChainEnd::Nothing, true, &ends);
            assert!(asked.iter().all(|hop| *hop == 1), "{asked:?}");
        }
        let public = [hop("public", HopClass::Public, None)];
        let (asked, verdict) = walk(&public, ChainEnd::Nothing, true, &[found]);
        assert_eq!((asked, verdict), (vec![], Verdict::NoHop));
    }

    #[test]
    fn a_404_of_an_authoritative_hop_counts_though_a_public_one_is_down() {
        let hops = [
            hop("down", HopClass::Public, COMMA),
            hop("good", HopClass::Public, None),
        ];
        let ends = [failed(FailureKind::Fast), AttemptEnd::NotFound(SECOND)];
        assert_eq!(
            walk(&hops, ChainEnd::Nothing, false, &ends).1,
            Verdict::NotFound
        );
        let hops = [
            hop("corp", HopClass::Private, PIPE),
            hop("good", HopClass::Public, None),
        ];
        let (_, verdict) = walk(&hops, ChainEnd::Nothing, false, &ends);
        assert!(matches!(verdict, Verdict::Failed(_)), "{verdict:?}");
        // A directory without the file says nothing about the module.
        let hops = [
            hop("mirror", HopClass::Local, COMMA),
            hop("down", HopClass::Public, None),
        ];
        let ends = [AttemptEnd::NotFound(SECOND), failed(FailureKind::Fast)];
        let (_, verdict) = walk(&hops, ChainEnd::Nothing, false, &ends);
        assert!(matches!(verdict, Verdict::Failed(_)), "{verdict:?}");
    }

    #[test]
    fn go_is_sent_on_to_direct_as_the_chain_says() {
        let not_found = || AttemptEnd::NotFound(SECOND);
        for (then, class, end, is_handed_over) in [
            (COMMA, HopClass::Public, not_found(), true),
            (COMMA, HopClass::Private, not_found(), true),
            (COMMA, HopClass::Private, failed(FailureKind::Fast), false),
            (
                COMMA,
                HopClass::Gatekeeper,
                failed(FailureKind::Down),
                false,
            ),
            (PIPE, HopClass::Private, failed(FailureKind::Fast), true),
            (PIPE, HopClass::Public, failed(FailureKind::Down), true),
        ] {
            let hops = [hop("a", class, then)];
            let (_, verdict) = walk(&hops, ChainEnd::Direct, false, &[end.clone()]);
            assert_eq!(
                verdict == Verdict::NotFound,
                is_handed_over,
                "{class:?} {end:?}"
            );
        }
        let (_, verdict) = walk(&[], ChainEnd::Direct, true, &[]);
        assert_eq!(verdict, Verdict::NotFound);
    }

    #[test]
    fn one_request_pays_for_a_silent_hop_and_the_next_ones_pass_over_it() {
        let hops = [
            hop("a", HopClass::Public, COMMA),
            hop("b", HopClass::Public, None),
        ];
        let ends = [failed(FailureKind::Down), AttemptEnd::Served(SECOND)];
        let mut health = Health::new(2);
        let asked =
            |health: &mut Health| walk_with(health, &hops, ChainEnd::Nothing, false, &ends).0;
        assert_eq!(asked(&mut health), [0, 1]);
        assert_eq!(asked(&mut health), [1]);
        // The last that could serve is asked although it failed.
        let ends = [failed(FailureKind::Down), failed(FailureKind::Down)];
        walk_with(&mut health, &hops, ChainEnd::Nothing, false, &ends);
        let (asked, _) = walk_with(&mut health, &hops, ChainEnd::Nothing, false, &ends);
        assert_eq!(asked, [1]);
    }

    #[test]
    fn a_hop_with_wrong_content_is_out_and_named_first() {
        let hops = [
            hop("a", HopClass::Public, COMMA),
            hop("b", HopClass::Public, None),
        ];
        let mut health = Health::new(2);
        let wrong = failed(FailureKind::WrongContent);
        let ends = [wrong.clone(), AttemptEnd::Served(SECOND)];
        let walked = walk_with(&mut health, &hops, ChainEnd::Nothing, false, &ends);
        assert_eq!(walked, (vec![0, 1], Verdict::Serve(1)));
        let ends = [AttemptEnd::Served(SECOND), AttemptEnd::NotFound(SECOND)];
        let (asked, verdict) = walk_with(&mut health, &hops, ChainEnd::Nothing, false, &ends);
        assert_eq!(asked, [1]);
        let Verdict::Failed(failures) = verdict else {
            panic!("{verdict:?}");
        };
        assert_eq!(failures[0].1.kind, FailureKind::WrongContent);
    }

    #[test]
    fn a_second_public_hop_is_asked_beside_a_slow_one_and_the_first_answer_wins() {
        let hops = [
            hop("slow", HopClass::Public, COMMA),
            hop("quick", HopClass::Public, None),
        ];
        let mut health = Health::new(2);
        let start = Instant::now();
        let subject = Subject {
            is_private: false,
            deadline: start + 60 * SECOND,
            chance: 1,
        };
        let mut course = Course::new(&hops, ChainEnd::Nothing, subject, &mut health);
        let ask = |hop| Step::Ask {
            hop,
            pause: Duration::ZERO,
            first_byte: if hop == 0 { 3 * SECOND } else { 60 * SECOND },
        };
        assert_eq!(course.next_step(&mut health, start), ask(0));
        assert_eq!(
            course.next_step(&mut health, start),
            Step::Wait(start + SECOND)
        );
        assert_eq!(course.next_step(&mut health, start + SECOND), ask(1));
        // Its 404 does not win against a hop that has not answered.
        course.report(
            1,
            AttemptEnd::NotFound(SECOND),
            &mut health,
            start + 2 * SECOND,
        );
        assert_eq!(
            course.next_step(&mut health, start + 2 * SECOND),
            Step::Wait(subject.deadline)
        );
        course.report(
            0,
            AttemptEnd::Served(SECOND),
            &mut health,
            start + 3 * SECOND,
        );
        let done = course.next_step(&mut health, start + 3 * SECOND);
        assert_eq!(done, Step::Done(Verdict::Serve(0)));
    }

    #[test]
    fn nothing_is_asked_beside_a_private_hop_however_slow_it_is() {
        let hops = [
            hop("corp", HopClass::Private, PIPE),
            hop("public", HopClass::Public, None),
        ];
        let mut health = Health::new(2);
        let start = Instant::now();
        let subject = Subject {
            is_private: false,
            deadline: start + 60 * SECOND,
            chance: 1,
        };
        let mut course = Course::new(&hops, ChainEnd::Nothing, subject, &mut health);
        let _ = course.next_step(&mut health, start);
        let later = start + 59 * SECOND;
        assert_eq!(
            course.next_step(&mut health, later),
            Step::Wait(subject.deadline)
        );
        let done = course.next_step(&mut health, subject.deadline);
        assert!(matches!(done, Step::Done(Verdict::Failed(_))), "{done:?}");
    }

    proptest::proptest! {
        #[test]
        fn no_private_path_reaches_a_public_hop_and_every_walk_ends(
            shape in proptest::collection::vec((0..4_usize, 0..3_usize, 0..7_usize), 1..7),
            is_private in proptest::bool::ANY,
            is_direct in proptest::bool::ANY,
        ) {
            let classes = [HopClass::Local, HopClass::Public, HopClass::Private, HopClass::Gatekeeper];
            let thens = [COMMA, PIPE, None];
            let hops: Vec<RelayHop> = shape.iter().map(|(class, then, _)| hop("h", classes[*class], thens[*then])).collect();
            let kinds = [FailureKind::WrongContent, FailureKind::Refused, FailureKind::Fast, FailureKind::Down];
            let ends: Vec<AttemptEnd> = shape.iter().map(|(_, _, end)| match end {
                0..4 => failed(kinds[*end]),
                4 => AttemptEnd::Served(SECOND),
                _ => AttemptEnd::NotFound(SECOND),
            }).collect();
            let end = if is_direct { ChainEnd::Direct } else { ChainEnd::Nothing };
            let (asked, verdict) = walk(&hops, end, is_private, &ends);
            for hop in &asked {
                proptest::prop_assert!(hops[*hop].may_see(is_private));
                // No hop before it keeps the path.
                for before in asked.iter().filter(|before| *before < hop) {
                    let guards = matches!(hops[*before].class, HopClass::Private | HopClass::Gatekeeper);
                    let is_outage = matches!(ends[*before], AttemptEnd::Failed(_));
                    proptest::prop_assert!(!(guards && is_outage && hops[*before].then != PIPE));
                }
            }
            if let Verdict::Serve(hop) = verdict {
                proptest::prop_assert_eq!(&ends[hop], &AttemptEnd::Served(SECOND));
            }
        }
    }
}
