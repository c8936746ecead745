//! The decision, from outside: tables for each condition, and the property that makes early
//! decisions safe: what is chosen with some answers is chosen with all of them.

use std::collections::{BTreeMap, BTreeSet};

use goroam::environment::Environment;
use goroam::model::{
    Limits, Link, LinkKind, Observation, Phases, Proof, RelayLimits, Resolver, Route, RouteKind,
    Snapshot, Speed, Target, TargetKind, Truth, Verdict,
};
use goroam::policy::{
    AgentSettings, Condition, DecisionFacts, EnvValue, FastestFacts, Gaps, Policy, Profile,
    SpeedRound, TargetState, decide, needed,
};
use proptest::prelude::*;

pub(super) fn target(name: &str) -> Target {
    Target {
        name: name.to_owned(),
        kind: TargetKind::GoProxy {
            url: format!("https://{name}.example"),
            module: "golang.org/x/text".to_owned(),
            version: "v0.3.0".to_owned(),
            sum: None,
            zip_sum: None,
        },
        limits: Limits::default(),
        relay: RelayLimits::default(),
        private: false,
        ca: Vec::new(),
        pins: Vec::new(),
    }
}

pub(super) fn profile(name: &str, when: Condition) -> Profile {
    Profile {
        name: name.to_owned(),
        when,
        env: BTreeMap::from([("GOPROXY".to_owned(), EnvValue::Text(name.to_owned()))]),
        accept_unauthenticated: false,
        keep_ready: false,
        fleet: false,
        loosens: Vec::new(),
        over: None,
    }
}

pub(super) fn policy(profiles: Vec<Profile>) -> Policy {
    let targets = ["a", "b", "c", "d"].map(|name| (name.to_owned(), target(name)));
    Policy {
        header: Default::default(),
        telemetry: Default::default(),
        metrics: Default::default(),
        agent: AgentSettings::default(),
        relay: Default::default(),
        mirror: Default::default(),
        targets: targets.into(),
        profiles,
        by_hand: None,
        projects: Vec::new(),
        locked: BTreeMap::new(),
    }
}

fn observation(name: &str, verdict: Verdict, total: f64) -> Observation {
    Observation {
        began_ms: None,
        target: name.to_owned(),
        verdict,
        reason: format!("is {verdict}"),
        failed: None,
        phases: Phases {
            total: Some(total),
            ..Phases::default()
        },
        proof: if verdict == Verdict::Up {
            Proof::Tls
        } else {
            Proof::None
        },
        definite: true,
        tries: 1,
        silent: false,
        portal_url: None,
        caveat: None,
        speed: None,
    }
}

pub(super) fn seen(answers: &[(&str, Verdict)]) -> BTreeMap<String, TargetState> {
    answers
        .iter()
        .map(|(name, verdict)| {
            let observation = observation(name, *verdict, 10.0);
            (
                (*name).to_owned(),
                TargetState {
                    up: observation.is_up(),
                    observation,
                },
            )
        })
        .collect()
}

fn up(name: &str) -> Condition {
    Condition::Up(name.to_owned())
}

fn office() -> Snapshot {
    Snapshot {
        links: vec![Link {
            index: 2,
            name: "wlan0".to_owned(),
            kind: LinkKind::Wifi,
            up: true,
            carrier: true,
            mtu: 1500,
            addresses: vec!["10.20.0.50/24".parse().unwrap()],
            ssid: Some("Corp".to_owned()),
        }],
        routes: vec![Route {
            destination: "0.0.0.0/0".parse().unwrap(),
            metric: 100,
            gateway: Some("10.20.0.1".parse().unwrap()),
            link: 2,
            table: 254,
            kind: RouteKind::Unicast,
        }],
        rules: Vec::new(),
        dns: Resolver {
            servers: vec!["10.20.0.53".parse().unwrap()],
            search: vec!["corp.example".to_owned()],
        },
        blind: false,
        router: None,
    }
}

struct World {
    snapshot: Snapshot,
    env: Environment,
    fastest: FastestFacts,
}

impl World {
    fn at(snapshot: Snapshot) -> World {
        let env = Environment::from_iter([("SITE", "berlin")]);
        World {
            snapshot,
            env,
            fastest: FastestFacts::default(),
        }
    }

    fn facts<'a>(&'a self, seen: &'a BTreeMap<String, TargetState>) -> DecisionFacts<'a> {
        DecisionFacts {
            snapshot: &self.snapshot,
            seen,
            env: &self.env,
            fastest: &self.fastest,
            gaps: Gaps::default(),
        }
    }
}

/// The value of one condition at the office, with nothing probed.
fn value(condition: Condition) -> Truth {
    let policy = policy(vec![
        profile("it", condition),
        profile("rest", Condition::Always),
    ]);
    let world = World::at(office());
    match decide(&policy, world.facts(&BTreeMap::new()), None) {
        None => Truth::Unknown,
        Some(decision) => Truth::from(decision.profile == "it"),
    }
}

#[test]
fn each_anonymous_condition_is_true_and_false_where_it_should_be() {
    use Condition::*;
    let table = [
        (Subnet("10.0.0.0/8".parse().unwrap()), true),
        (Subnet("10.20.0.50/32".parse().unwrap()), true),
        (Subnet("192.168.0.0/16".parse().unwrap()), false),
        (Gateway("10.20.0.1".parse().unwrap()), true),
        (Gateway("10.20.0.2".parse().unwrap()), false),
        (DnsServer("10.20.0.53".parse().unwrap()), true),
        (DnsServer("1.1.1.1".parse().unwrap()), false),
        (SearchDomain("corp.example".into()), true),
        (SearchDomain("CORP.example".into()), true),
        (SearchDomain("example".into()), false),
        (Ssid("Corp".into()), true),
        (Ssid("corp".into()), false),
        (InterfaceName("wl*".into()), true),
        (InterfaceName("eth?".into()), false),
        (InterfaceKind(LinkKind::Wifi), true),
        (InterfaceKind(LinkKind::Tunnel), false),
        (Online(true), true),
        (Online(false), false),
        (
            Env(BTreeMap::from([("SITE".into(), "berlin".into())])),
            true,
        ),
        (
            Env(BTreeMap::from([("SITE".into(), "paris".into())])),
            false,
        ),
        (Env(BTreeMap::from([("UNSET".into(), String::new())])), true),
        (Not(Box::new(Online(true))), false),
        (All(vec![Online(true), Ssid("Corp".into())]), true),
        (Any(vec![Online(false), Ssid("Corp".into())]), true),
    ];
    for (condition, expected) in table {
        assert_eq!(
            value(condition.clone()),
            Truth::from(expected),
            "{condition:?}"
        );
    }
    assert_eq!(value(up("a")), Truth::Unknown);
    assert_eq!(value(Portal(true)), Truth::Unknown);
    assert_eq!(value(All(vec![Online(false), up("a")])), Truth::False);
}

#[test]
fn a_black_hole_that_no_earlier_profile_needs_delays_nobody() {
    let policy = policy(vec![
        profile("intranet", up("a")),
        profile("public", Condition::All(vec![up("b"), up("c")])),
        profile("offline", Condition::Always),
    ]);
    let world = World::at(office());
    // The intranet is proven; b and c hang.
    let answers = seen(&[("a", Verdict::Up)]);
    let decision = decide(&policy, world.facts(&answers), None).unwrap();
    assert_eq!(decision.profile, "intranet");
    assert_eq!(decision.not_waited_for, ["b", "c"]);
    assert!(decision.considered[1].trace.is_none());
    // One half of public is refused: the other half is not waited for.
    let answers = seen(&[("a", Verdict::Down), ("c", Verdict::Down)]);
    assert_eq!(
        decide(&policy, world.facts(&answers), None)
            .unwrap()
            .profile,
        "offline"
    );
    // An earlier profile is open: later answers do not help.
    let answers = seen(&[("b", Verdict::Up), ("c", Verdict::Up)]);
    assert_eq!(decide(&policy, world.facts(&answers), None), None);
    assert_eq!(
        needed(&policy, world.facts(&answers), None),
        BTreeSet::from(["a".to_owned()])
    );
}

#[test]
fn what_the_network_alone_rules_out_is_not_probed_for() {
    let elsewhere = Condition::Subnet("172.16.0.0/12".parse().unwrap());
    let policy = policy(vec![
        profile("intranet", Condition::All(vec![up("a"), elsewhere])),
        profile("public", up("b")),
        profile("offline", Condition::Always),
    ]);
    let world = World::at(office());
    let nothing = BTreeMap::new();
    assert_eq!(
        needed(&policy, world.facts(&nothing), None),
        BTreeSet::from(["b".to_owned()])
    );
}

#[test]
fn a_portal_answers_for_everybody_or_it_is_none() {
    let policy = policy(vec![
        profile("portal", Condition::Portal(true)),
        profile("rest", Condition::Always),
    ]);
    let world = World::at(office());
    let choose = |answers: &[(&str, Verdict)]| {
        decide(&policy, world.facts(&seen(answers)), None).map(|decision| decision.profile)
    };
    use Verdict::{Down, Portal, Up};
    let everybody = [("a", Portal), ("b", Portal), ("c", Down), ("d", Portal)];
    assert_eq!(choose(&everybody).as_deref(), Some("portal"));
    assert_eq!(choose(&everybody[..3]), None);
    assert_eq!(choose(&[("a", Portal), ("b", Up)]).as_deref(), Some("rest"));
    let nobody = [("a", Down), ("b", Down), ("c", Down), ("d", Down)];
    assert_eq!(choose(&nobody).as_deref(), Some("rest"));
}

#[test]
fn the_first_of_the_fastest_targets_that_is_up_settles_it() {
    let mut fast = profile("restricted", up("a"));
    fast.env.insert(
        "GOPROXY".to_owned(),
        EnvValue::Fastest {
            of: vec!["b".to_owned(), "c".to_owned()],
            then: Some("direct".to_owned()),
            separator: '|',
        },
    );
    let policy = policy(vec![fast, profile("offline", Condition::Always)]);
    let world = World::at(office());
    let open = seen(&[("a", Verdict::Up)]);
    assert_eq!(decide(&policy, world.facts(&open), None), None);
    assert_eq!(needed(&policy, world.facts(&open), None).len(), 2);
    let one = seen(&[("a", Verdict::Up), ("c", Verdict::Up)]);
    let decision = decide(&policy, world.facts(&one), None).unwrap();
    assert_eq!(decision.env["GOPROXY"], "https://c.example|direct");
    // None is up: the first one named.
    let none = seen(&[
        ("a", Verdict::Up),
        ("b", Verdict::Down),
        ("c", Verdict::Down),
    ]);
    let decision = decide(&policy, world.facts(&none), None).unwrap();
    assert_eq!(decision.env["GOPROXY"], "https://b.example|direct");
}

/// Chooses among b and c.
fn fastest_of_two() -> Policy {
    let mut fast = profile("restricted", Condition::Always);
    fast.env.insert(
        "GOPROXY".to_owned(),
        EnvValue::Fastest {
            of: vec!["b".into(), "c".into()],
            then: None,
            separator: ',',
        },
    );
    policy(vec![fast])
}

/// One measurement of b and c, in milliseconds for a typical module.
fn round(b: Option<f64>, c: Option<f64>) -> SpeedRound {
    SpeedRound::from([("b".to_owned(), b), ("c".to_owned(), c)])
}

/// What is chosen where c is in use, after these measurements.
fn chosen(rounds: Vec<SpeedRound>, answers: &[(&str, Verdict)]) -> (String, String) {
    let mut world = World::at(office());
    world.fastest = FastestFacts {
        standing: Some("c".to_owned()),
        rounds,
    };
    let seen = seen(answers);
    let decision = decide(&fastest_of_two(), world.facts(&seen), None).unwrap();
    let choice = decision.fastest.unwrap();
    let url = format!("https://{}.example", choice.target);
    assert_eq!(decision.env["GOPROXY"], url);
    (choice.target, choice.reason)
}

const BOTH_UP: [(&str, Verdict); 2] = [("b", Verdict::Up), ("c", Verdict::Up)];

#[test]
fn the_mirror_in_use_is_waited_for_and_kept_until_another_is_clearly_faster_twice() {
    let policy = fastest_of_two();
    let mut world = World::at(office());
    world.fastest.standing = Some("c".to_owned());
    let b_alone = seen(&BOTH_UP[..1]);
    assert_eq!(decide(&policy, world.facts(&b_alone), None), None);
    let wanted = needed(&policy, world.facts(&b_alone), None);
    assert_eq!(wanted, BTreeSet::from(["c".to_owned()]));

    let clear = || round(Some(600.0), Some(1000.0));
    for (rounds, target, reason) in [
        (vec![], "c", "kept; not measured yet"),
        (
            vec![clear()],
            "c",
            "kept; b would be faster by 40 %, seen once",
        ),
        (
            vec![clear(), clear()],
            "b",
            "faster than c by 40 %, seen twice",
        ),
        // Not in a row.
        (
            vec![clear(), round(Some(700.0), Some(1000.0))],
            "c",
            "kept; no other is clearly faster",
        ),
        (
            vec![round(Some(700.0), Some(1000.0)), clear()],
            "c",
            "kept; b would be faster by 40 %, seen once",
        ),
        // Ten times as fast, but nobody notices.
        (
            vec![round(Some(5.0), Some(50.0)); 2],
            "c",
            "kept; no other is clearly faster",
        ),
        (
            vec![round(Some(9000.0), None); 2],
            "b",
            "faster than c, seen twice",
        ),
        (
            vec![round(None, Some(90_000.0)); 2],
            "c",
            "kept; no other is clearly faster",
        ),
        (
            vec![round(None, None); 2],
            "c",
            "kept; no other is clearly faster",
        ),
    ] {
        let found = chosen(rounds, &BOTH_UP);
        assert_eq!(found, (target.to_owned(), reason.to_owned()));
    }
}

#[test]
fn a_mirror_that_is_down_or_wrong_is_left_at_once_and_never_chosen() {
    for verdict in [Verdict::Down, Verdict::Wrong, Verdict::Portal] {
        // It was the faster one.
        let rounds = vec![round(Some(1000.0), Some(10.0)); 2];
        let found = chosen(rounds, &[("b", Verdict::Up), ("c", verdict)]);
        let reason = format!("because c is {verdict}");
        assert_eq!(found, ("b".to_owned(), reason));
        let rounds = vec![round(Some(10.0), Some(1000.0)); 2];
        let found = chosen(rounds, &[("b", verdict), ("c", Verdict::Up)]);
        assert_eq!(found.0, "c");
    }
    let world = World::at(office());
    let wrong = seen(&[("b", Verdict::Wrong), ("c", Verdict::Wrong)]);
    let decision = decide(&fastest_of_two(), world.facts(&wrong), None).unwrap();
    assert_eq!(
        (&decision.env["GOPROXY"][..], decision.fastest),
        ("off", None)
    );
}

proptest! {
    #[test]
    fn noise_of_20_percent_never_changes_the_choice(
        size in 1.0..100_000.0_f64,
        noise in proptest::collection::vec((0.8..=1.2_f64, 0.8..=1.2_f64), 1..40),
    ) {
        let rounds = noise.iter().map(|(b, c)| round(Some(size * b), Some(size * c)));
        let rounds = Vec::from_iter(rounds);
        for pair in rounds.windows(2.min(rounds.len())) {
            prop_assert_eq!(chosen(pair.to_vec(), &BOTH_UP).0, "c");
        }
    }

    #[test]
    fn noise_of_20_percent_in_each_part_of_a_measurement_never_makes_a_clear_gain(
        first_byte in 0.1..10_000.0_f64,
        bytes_per_second in 1e3..1e9_f64,
        noise in (0.8..=1.2_f64, 0.8..=1.2_f64, 0.8..=1.2_f64, 0.8..=1.2_f64),
    ) {
        let speed = |(latency, rate): (f64, f64)| Speed {
            first_byte: first_byte * latency,
            bytes_per_second: bytes_per_second * rate,
        };
        let [b, c] = [(noise.0, noise.1), (noise.2, noise.3)].map(|noise| speed(noise).expected_ms());
        let rounds = vec![round(Some(b), Some(c)); 2];
        prop_assert_eq!(chosen(rounds, &BOTH_UP).0, "c");
    }
}

#[test]
fn a_profile_that_weakens_verification_rests_on_what_is_seen_now() {
    let mut loose = profile("intranet", up("a"));
    loose.loosens.push("GOSUMDB=off".to_owned());
    let strict = profile("intranet", up("a"));
    let world = World::at(office());
    // Failing just now, but by `fall` it still counts as up.
    let answers = BTreeMap::from([(
        "a".to_owned(),
        TargetState {
            observation: observation("a", Verdict::Down, 1.0),
            up: true,
        },
    )]);
    let choose = |first: Profile| {
        let policy = policy(vec![first, profile("offline", Condition::Always)]);
        decide(&policy, world.facts(&answers), None)
            .unwrap()
            .profile
    };
    assert_eq!(choose(strict), "intranet");
    assert_eq!(choose(loose), "offline");
}

#[test]
fn a_pin_wins_over_everything_and_says_so() {
    let policy = policy(vec![
        profile("one", up("a")),
        profile("two", Condition::Always),
    ]);
    let world = World::at(Snapshot::default());
    let decision = decide(&policy, world.facts(&BTreeMap::new()), Some("one")).unwrap();
    assert_eq!((decision.profile.as_str(), decision.pinned), ("one", true));
    // A pin on a profile that the policy does not have (any more) does not hold anything up.
    let answers = seen(&[("a", Verdict::Down)]);
    assert_eq!(
        decide(&policy, world.facts(&answers), Some("gone"))
            .unwrap()
            .profile,
        "two"
    );
}

#[test]
fn variants_of_a_profile_have_one_name_and_the_first_that_holds_is_taken() {
    let variant = |target: &str| Profile {
        env: BTreeMap::from([("GOPROXY".to_owned(), EnvValue::Text(target.to_owned()))]),
        ..profile("two", up(target))
    };
    let policy = policy(vec![
        profile("one", up("a")),
        variant("b"),
        variant("c"),
        profile("last", Condition::Always),
    ]);
    assert_eq!(policy.names(), ["one", "two", "last"]);
    let world = World::at(Snapshot::default());
    let chosen = |answers: &[(&str, Verdict)], by_hand| {
        let decision = decide(&policy, world.facts(&seen(answers)), by_hand)?;
        let found = policy.profile(&decision.profile, decision.variant).unwrap();
        assert_eq!(found.sets("GOPROXY").as_ref(), decision.env.get("GOPROXY"));
        let trace = decision.trace().map(|trace| trace.what.clone());
        Some((decision.profile, decision.variant, trace))
    };
    use Verdict::{Down, Up};
    let is = |name: &str, variant, trace: Option<&str>| {
        Some((name.to_owned(), variant, trace.map(str::to_owned)))
    };
    let second = [("a", Down), ("b", Down), ("c", Up)];
    assert_eq!(chosen(&second, None), is("two", 1, Some("up c")));
    assert_eq!(
        chosen(&second[1..], Some("two")),
        is("two", 1, Some("up c"))
    );
    assert_eq!(chosen(&second[2..], Some("two")), None);
    let wanted = needed(&policy, world.facts(&seen(&second[2..])), Some("two"));
    assert_eq!(Vec::from_iter(wanted), ["b"]);
    assert_eq!(
        chosen(&[("b", Up)], Some("two")),
        is("two", 0, Some("up b"))
    );
    let neither = [("b", Down), ("c", Down)];
    assert_eq!(chosen(&neither, Some("two")), is("two", 0, Some("up b")));
    assert_eq!(chosen(&[], Some("one")), is("one", 0, None));
    // A variant that a changed policy no longer has.
    let first = policy.profile("two", 7).unwrap();
    assert_eq!(first.sets("GOPROXY").as_deref(), Some("b"));
}

pub(super) fn conditions() -> impl Strategy<Value = Condition> {
    let name = prop::sample::select(vec!["a", "b", "c", "d"]);
    let leaf = prop_oneof![
        name.clone().prop_map(up),
        name.prop_map(|name| Condition::Down(name.to_owned())),
        any::<bool>().prop_map(Condition::Portal),
        any::<bool>().prop_map(Condition::Online),
        (1usize..4).prop_map(|n| Condition::AtLeast {
            n,
            of: vec!["a".into(), "b".into(), "c".into()]
        }),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..3).prop_map(Condition::All),
            prop::collection::vec(inner.clone(), 1..3).prop_map(Condition::Any),
            inner.prop_map(|part| Condition::Not(Box::new(part))),
        ]
    })
}

pub(super) fn verdicts() -> impl Strategy<Value = Verdict> {
    prop::sample::select(vec![
        Verdict::Up,
        Verdict::Down,
        Verdict::Wrong,
        Verdict::Portal,
    ])
}

proptest! {
    #[test]
    fn an_early_decision_never_changes(
        first in conditions(),
        second in conditions(),
        all in prop::collection::vec(verdicts(), 4),
        order in Just(["a", "b", "c", "d"]).prop_shuffle(),
    ) {
        let policy = policy(vec![
            profile("first", first),
            profile("second", second),
            profile("rest", Condition::Always),
        ]);
        let world = World::at(office());
        let mut answers = BTreeMap::new();
        let mut early = None;
        for step in 0..=4 {
            let decision = decide(&policy, world.facts(&answers), None);
            match (&early, decision) {
                (None, Some(decision)) => early = Some(decision.profile),
                (Some(before), Some(decision)) => prop_assert_eq!(before, &decision.profile),
                (Some(_), None) => prop_assert!(false, "a decision was taken back"),
                (None, None) => {
                    let open = needed(&policy, world.facts(&answers), None);
                    prop_assert!(!open.is_empty(), "nothing is needed, yet nothing is decided");
                    prop_assert!(open.iter().all(|name| !answers.contains_key(name)));
                }
            }
            if let Some(name) = order.get(step) {
                let verdict = all["abcd".find(name).unwrap()];
                answers.extend(seen(&[(name, verdict)]));
            }
        }
        prop_assert!(early.is_some(), "everything has answered, yet nothing is decided");
    }
}
