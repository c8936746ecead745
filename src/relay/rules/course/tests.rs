use super::*;
use crate::model::chain::HopKind;
use crate::relay::rules::hop::HopLimits;

const SORT: RequestSort = RequestSort::Info;
const SECOND: Duration = Duration::from_secs(1);
const FAST: &str = "refuses the connection";

fn hop(name: &str, class: HopClass, then: Option<Separator>) -> RelayHop {
    RelayHop {
        name: name.to_owned(),
        kind: HopKind::Proxy(format!("https://{name}")),
        class,
        is_own: false,
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
    let mut health = Health::new(hops.len(), Duration::ZERO);
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
        is_exact: true,
        sort: SORT,
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

/// A tree that goroam has added.
fn own() -> RelayHop {
    RelayHop {
        is_own: true,
        ..hop("the mirror", HopClass::Local, PIPE)
    }
}

#[test]
fn a_tree_of_goroams_own_stands_in_for_any_hop_and_leaks_nothing() {
    let served = || AttemptEnd::Served(SECOND);
    let corp = || hop("corp", HopClass::Private, COMMA);
    let hops = [corp(), hop("public", HopClass::Public, None), own()];
    for kind in [FailureKind::Down, FailureKind::Refused] {
        let ends = [failed(kind), served(), served()];
        let walked = walk(&hops, ChainEnd::Nothing, false, &ends);
        assert_eq!(walked.1, Verdict::Serve(2));
        assert!(!walked.0.contains(&1), "{walked:?}");
    }
    // What it lacks does not send the path on either, nor to `direct`.
    let hops = [corp(), own()];
    let ends = [failed(FailureKind::Down), AttemptEnd::NotFound(SECOND)];
    for end in [ChainEnd::Nothing, ChainEnd::Direct] {
        let (_, verdict) = walk(&hops, end, false, &ends);
        assert!(matches!(verdict, Verdict::Failed(_)), "{verdict:?}");
    }
    let ends = [AttemptEnd::NotFound(SECOND), AttemptEnd::NotFound(SECOND)];
    let (_, verdict) = walk(&hops, ChainEnd::Direct, false, &ends);
    assert_eq!(verdict, Verdict::NotFound);
}

#[test]
fn a_list_of_goroams_own_tree_does_not_hide_what_direct_finds() {
    let list = |hops: &[RelayHop], ends: &[AttemptEnd]| {
        let mut health = Health::new(hops.len(), Duration::ZERO);
        let now = Instant::now();
        let subject = Subject {
            is_private: false,
            is_exact: false,
            sort: SORT,
            deadline: now + 60 * SECOND,
            chance: 7,
        };
        let mut course = Course::new(hops, ChainEnd::Direct, subject, &mut health);
        while let Step::Ask { hop, .. } = course.next_step(&mut health, now) {
            course.report(hop, ends[hop].clone(), &mut health, now);
        }
        course.next_step(&mut health, now)
    };
    let served = AttemptEnd::Served(SECOND);
    let hops = [hop("public", HopClass::Public, COMMA), own()];
    let ends = [AttemptEnd::NotFound(SECOND), served.clone()];
    assert_eq!(list(&hops, &ends), Step::Done(Verdict::NotFound));
    let ends = [failed(FailureKind::Down), served.clone()];
    assert_eq!(list(&hops, &ends), Step::Done(Verdict::Serve(1)));
    assert_eq!(list(&[own()], &[served]), Step::Done(Verdict::NotFound));
}

#[test]
fn an_old_list_is_served_and_marked_only_where_nobody_has_answered() {
    let walk = |hops: &[RelayHop], end, is_exact, ends: &[AttemptEnd]| {
        let mut health = Health::new(hops.len(), Duration::ZERO);
        let now = Instant::now();
        let subject = Subject {
            is_private: false,
            is_exact,
            sort: SORT,
            deadline: now + 60 * SECOND,
            chance: 7,
        };
        let mut course = Course::new(hops, end, subject, &mut health);
        while let Step::Ask { hop, .. } = course.next_step(&mut health, now) {
            course.report(hop, ends[hop].clone(), &mut health, now);
        }
        let Step::Done(verdict) = course.next_step(&mut health, now) else {
            panic!("nothing is under way");
        };
        let is_stale = matches!(verdict, Verdict::Serve(hop) if course.is_stale(hop));
        (verdict, is_stale)
    };
    let (served, not_found) = (AttemptEnd::Served(SECOND), AttemptEnd::NotFound(SECOND));
    let down = || failed(FailureKind::Down);
    let hops = [
        hop("one", HopClass::Public, COMMA),
        hop("two", HopClass::Public, COMMA),
        own(),
    ];
    for end in [ChainEnd::Nothing, ChainEnd::Direct] {
        let ends = [down(), down(), served.clone()];
        assert_eq!(walk(&hops, end, false, &ends), (Verdict::Serve(2), true));
        // A file of one version does not grow old.
        assert_eq!(walk(&hops, end, true, &ends), (Verdict::Serve(2), false));
        let ends = [down(), served.clone(), served.clone()];
        assert_eq!(walk(&hops, end, false, &ends), (Verdict::Serve(1), false));
        let ends = [not_found.clone(), down(), served.clone()];
        let (verdict, is_stale) = walk(&hops, end, false, &ends);
        assert!(verdict != Verdict::Serve(2) && !is_stale, "{verdict:?}");
    }
    // As the last hop of a chain it answers as go would have it answer.
    let ends = [not_found.clone(), not_found, served];
    let last = walk(&hops, ChainEnd::Nothing, false, &ends);
    assert_eq!(last, (Verdict::Serve(2), false));
}

#[test]
fn a_busy_hop_is_waited_for_within_the_budget_unless_another_can_serve() {
    let failure = Failure {
        retry_after: Some(2 * SECOND),
        ..Failure::new(FailureKind::Fast, "answers 503")
    };
    let busy = AttemptEnd::Failed(failure);
    let alone = [hop("busy", HopClass::Public, None)];
    for (budget, asked) in [(0, 1), (3, 2), (5, 3)] {
        let mut health = Health::new(1, budget * SECOND);
        let ends = std::slice::from_ref(&busy);
        let (hops, verdict) = walk_with(&mut health, &alone, ChainEnd::Nothing, false, ends);
        assert_eq!(hops.len(), asked, "{budget}");
        assert!(matches!(verdict, Verdict::Failed(_)), "{verdict:?}");
    }
    let hops = [hop("busy", HopClass::Public, COMMA), own()];
    let mut health = Health::new(2, 60 * SECOND);
    let ends = [busy, AttemptEnd::Served(SECOND)];
    let walked = walk_with(&mut health, &hops, ChainEnd::Nothing, false, &ends);
    assert_eq!(walked, (vec![0, 1], Verdict::Serve(1)));
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
        let (_, verdict) = walk(&hops, ChainEnd::Direct, false, std::slice::from_ref(&end));
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
    let mut health = Health::new(2, Duration::ZERO);
    let asked = |health: &mut Health| walk_with(health, &hops, ChainEnd::Nothing, false, &ends).0;
    assert_eq!(asked(&mut health), [0, 1]);
    assert_eq!(asked(&mut health), [1]);
    // If both have failed, the last is asked first, and the other one after all.
    let ends = [failed(FailureKind::Down), failed(FailureKind::Down)];
    walk_with(&mut health, &hops, ChainEnd::Nothing, false, &ends);
    let (asked, _) = walk_with(&mut health, &hops, ChainEnd::Nothing, false, &ends);
    assert_eq!(asked, [1, 0]);
}

#[test]
fn a_hop_that_was_passed_over_is_asked_if_all_others_fail() {
    let hops = [
        hop("a", HopClass::Public, COMMA),
        hop("b", HopClass::Public, None),
    ];
    let mut health = Health::new(2, Duration::ZERO);
    let mut walk = |a, b| walk_with(&mut health, &hops, ChainEnd::Nothing, false, &[a, b]);
    let (served, down) = (AttemptEnd::Served(SECOND / 100), failed(FailureKind::Down));
    let not_found = AttemptEnd::NotFound(SECOND / 100);
    walk(down.clone(), served.clone());
    // a works again, and b has failed meanwhile.
    assert_eq!(walk(served, down.clone()), (vec![1, 0], Verdict::Serve(0)));
    // But a 404 is not doubted.
    walk(down.clone(), not_found.clone());
    assert_eq!(walk(down, not_found), (vec![1], Verdict::NotFound));
}

#[test]
fn a_hop_that_was_passed_over_is_asked_before_go_gets_a_502() {
    let hops = [
        hop("a", HopClass::Gatekeeper, PIPE),
        hop("b", HopClass::Gatekeeper, None),
    ];
    let served = AttemptEnd::Served(SECOND / 100);
    // Neither is an outage, and neither is a 404 that counts while a has failed.
    for last in [
        AttemptEnd::NotFound(SECOND / 100),
        failed(FailureKind::Refused),
    ] {
        let mut health = Health::new(2, Duration::ZERO);
        let mut walk = |a, b| walk_with(&mut health, &hops, ChainEnd::Nothing, false, &[a, b]);
        walk(failed(FailureKind::Down), served.clone());
        assert_eq!(walk(served.clone(), last), (vec![1, 0], Verdict::Serve(0)));
    }
}

#[test]
fn a_hop_that_the_deadline_kept_from_being_asked_lacks_nothing() {
    let hops = [hop("a", HopClass::Public, None)];
    let mut health = Health::new(1, Duration::ZERO);
    let now = Instant::now();
    let subject = Subject {
        is_private: false,
        is_exact: true,
        sort: SORT,
        deadline: now,
        chance: 1,
    };
    let mut course = Course::new(&hops, ChainEnd::Nothing, subject, &mut health);
    let done = course.next_step(&mut health, now);
    assert!(matches!(done, Step::Done(Verdict::Failed(_))), "{done:?}");
}

#[test]
fn a_hop_with_wrong_content_is_out_and_named_first() {
    let hops = [
        hop("a", HopClass::Public, COMMA),
        hop("b", HopClass::Public, None),
    ];
    let mut health = Health::new(2, Duration::ZERO);
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
    let mut health = Health::new(2, Duration::ZERO);
    let start = Instant::now();
    let subject = Subject {
        is_private: false,
        is_exact: true,
        sort: SORT,
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
    let mut health = Health::new(2, Duration::ZERO);
    let start = Instant::now();
    let subject = Subject {
        is_private: false,
        is_exact: true,
        sort: SORT,
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

/// Walks with attempts that overlap and end in any order, as `moves` says; fails if a path is sent
/// to a hop that must not have it.
fn check_walk(
    health: &mut Health,
    hops: &[RelayHop],
    (end, is_private): (ChainEnd, bool),
    ends: &[AttemptEnd],
    moves: &mut dyn Iterator<Item = usize>,
) {
    let mut now = Instant::now();
    let subject = Subject {
        is_private,
        is_exact: moves.next() != Some(0),
        sort: SORT,
        deadline: now + 60 * SECOND,
        chance: 7,
    };
    let mut course = Course::new(hops, end, subject, health);
    let (mut under_way, mut not_found) = (Vec::new(), Vec::new());
    loop {
        match course.next_step(health, now) {
            Step::Ask { hop, .. } => {
                assert!(hops[hop].may_see(is_private), "{hop}");
                // Every hop before it that guards must have said that it has no such thing.
                for before in 0..hop {
                    let guard = &hops[before];
                    let guards = matches!(guard.class, HopClass::Private | HopClass::Gatekeeper);
                    if guards && guard.may_see(is_private) && !hops[hop].is_own {
                        let passes = guard.then == PIPE && !under_way.contains(&before);
                        assert!(
                            passes || not_found.contains(&before),
                            "{before}, then {hop}"
                        );
                    }
                }
                under_way.push(hop);
            }
            Step::Wait(until) => match moves.next().filter(|_| !under_way.is_empty()) {
                Some(which) if which > 1 => {
                    let hop = under_way.remove(which % under_way.len());
                    if matches!(ends[hop], AttemptEnd::NotFound(_)) {
                        not_found.push(hop);
                    }
                    course.report(hop, ends[hop].clone(), health, now);
                }
                Some(_) | None => now = until,
            },
            Step::Done(Verdict::Serve(hop)) => {
                assert_eq!(ends[hop], AttemptEnd::Served(SECOND));
                return;
            }
            Step::Done(_) => return,
        }
    }
}

proptest::proptest! {
    #[test]
    fn no_private_path_reaches_a_public_hop_and_every_walk_ends(
        shape in proptest::collection::vec((0..5_usize, 0..3_usize, 0..7_usize, 0..7_usize), 1..7),
        is_private in proptest::bool::ANY,
        is_direct in proptest::bool::ANY,
        moves in proptest::collection::vec(0..12_usize, 1..40),
    ) {
        let classes = [HopClass::Local, HopClass::Public, HopClass::Private, HopClass::Gatekeeper];
        let thens = [COMMA, PIPE, None];
        let hops: Vec<RelayHop> = shape.iter().map(|(class, then, ..)| match classes.get(*class) {
            Some(class) => hop("h", *class, thens[*then]),
            None => own(),
        }).collect();
        let kinds = [FailureKind::WrongContent, FailureKind::Refused, FailureKind::Fast, FailureKind::Down];
        let end = |end: usize| match end {
            0..4 => failed(kinds[end]),
            4 => AttemptEnd::Served(SECOND),
            _ => AttemptEnd::NotFound(SECOND),
        };
        let first: Vec<AttemptEnd> = shape.iter().map(|(.., first, _)| end(*first)).collect();
        let later: Vec<AttemptEnd> = shape.iter().map(|(.., later)| end(*later)).collect();
        let chain_end = if is_direct { ChainEnd::Direct } else { ChainEnd::Nothing };
        let mut health = Health::new(hops.len(), 2 * SECOND);
        let mut moves = moves.into_iter();
        // The second and third request find breakers that the first has opened.
        for ends in [&first, &later, &first] {
            check_walk(&mut health, &hops, (chain_end, is_private), ends, &mut moves);
        }
    }
}

#[test]
fn a_request_does_not_wait_out_a_hop_that_others_found_silent_meanwhile() {
    let hops = [
        hop("silent", HopClass::Public, COMMA),
        hop("good", HopClass::Public, None),
    ];
    let mut health = Health::new(2, SECOND);
    while health.spend_hedge() {}
    let start = Instant::now();
    let subject = Subject {
        is_private: false,
        is_exact: true,
        sort: SORT,
        deadline: start + 60 * SECOND,
        chance: 1,
    };
    let mut course = Course::new(&hops, ChainEnd::Nothing, subject, &mut health);
    assert!(matches!(
        course.next_step(&mut health, start),
        Step::Ask { hop: 0, .. }
    ));
    let Step::Wait(due) = course.next_step(&mut health, start) else {
        panic!("nothing to wait for");
    };
    assert!(due < start + 3 * SECOND);
    health.failed(0, SORT, &Failure::new(FailureKind::Down, FAST), start);
    assert!(matches!(
        course.next_step(&mut health, due),
        Step::Ask { hop: 1, .. }
    ));
}
