//! What is applied on a new network before the earlier profiles are decided: it works here, it
//! weakens nothing, and no private name reaches a stranger.

use std::collections::BTreeMap;

use goroam::environment::Environment;
use goroam::model::{Patterns, Snapshot, TargetKind, Truth, Verdict};
use goroam::policy::templates::{Company, Template};
use goroam::policy::{
    Condition, DecisionFacts, EnvValue, FastestFacts, Gaps, Policy, Profile, decide, provisional,
};
use proptest::prelude::*;

use crate::decide::{conditions, policy, profile, seen, target, verdicts};
use crate::policies::read;
use Verdict::{Down, Portal, Up, Wrong};

/// Returns the decision with these answers, all other targets being open. A variable that a profile
/// does not set is as in `before`.
fn early(
    policy: &Policy,
    answers: &[(&str, Verdict)],
    before: &[(&str, &str)],
) -> Option<goroam::policy::Decision> {
    let seen = seen(answers);
    let facts = DecisionFacts {
        snapshot: &Snapshot::default(),
        seen: &seen,
        env: &Environment::default(),
        fastest: &FastestFacts::default(),
        gaps: Gaps::default(),
    };
    let chosen = provisional(policy, facts, &|decision, name| {
        let before = before.iter().find(|(one, _)| *one == name);
        let before = before.map(|(_, value)| (*value).to_owned());
        decision.env.get(name).cloned().or(before)
    });
    if let Some(decision) = &chosen {
        assert!(decide(policy, facts, None).is_none(), "{decision:?}");
        assert!(decision.provisional && !decision.open().is_empty());
    }
    chosen
}

fn name(decision: Option<goroam::policy::Decision>) -> Option<String> {
    decision.map(|decision| decision.profile)
}

#[test]
fn in_china_the_mirrors_are_used_while_google_is_silent() {
    let policy = read(Template::Default.text()).policy.unwrap();
    let chosen = early(&policy, &[("cn", Up), ("sum-cn", Up)], &[]).unwrap();
    assert_eq!(chosen.profile, "restricted");
    assert_eq!(chosen.open(), ["public"]);
    assert_eq!(chosen.env["GOPROXY"], "https://goproxy.cn,direct");
    for answers in [
        &[][..],
        // Nothing says that the first variant will not hold, but the second one works.
        &[("cn", Up)],
        // `public` can no longer hold: this is a decision, no provisional one.
        &[("proxy", Down), ("cn", Up), ("sum-cn", Up)],
        &[("proxy", Up), ("sum", Up)],
        // All that is left is `offline`, which rests on no answer.
        &[("cn", Down), ("io", Down), ("aliyun", Down), ("mirror", Up)],
    ] {
        assert_eq!(name(early(&policy, answers, &[])), None, "{answers:?}");
    }
    let variant = early(&policy, &[("cn", Up), ("sum-via-cn", Up)], &[]).unwrap();
    assert_eq!(
        (variant.profile.as_str(), variant.variant),
        ("restricted", 1)
    );
    assert_eq!(variant.open(), ["public", "restricted"]);
}

#[test]
fn only_an_answer_of_this_network_that_weakens_nothing_is_enough() {
    let up = |name: &str| Condition::Up(name.to_owned());
    let not = |condition| Condition::Not(Box::new(condition));
    let of = vec!["b".to_owned(), "c".to_owned()];
    let at_least = |n| Condition::AtLeast { n, of: of.clone() };
    let answers = [("b", Up), ("c", Portal), ("d", Wrong)];
    for (when, is_enough) in [
        (up("b"), true),
        (
            Condition::All(vec![up("b"), Condition::Online(false)]),
            true,
        ),
        (
            Condition::Any(vec![up("b"), Condition::Online(false)]),
            false,
        ),
        (at_least(1), true),
        (at_least(0), false),
        (Condition::Down("c".to_owned()), false),
        (not(up("c")), false),
        (Condition::All(vec![up("b"), not(up("c"))]), false),
        (Condition::All(vec![up("b"), not(at_least(2))]), false),
        (
            Condition::All(vec![up("b"), Condition::Portal(false)]),
            false,
        ),
        (Condition::Online(false), false),
        (Condition::Always, false),
    ] {
        let mut policy = policy(vec![
            profile("first", up("a")),
            profile("second", when.clone()),
            profile("rest", Condition::Always),
        ]);
        let chosen = name(early(&policy, &answers, &[]));
        let wanted = is_enough.then(|| "second".to_owned());
        assert_eq!(chosen, wanted, "{when:?}");
        policy.profiles[1].loosens = vec!["GOSUMDB=off".to_owned()];
        assert_eq!(name(early(&policy, &answers, &[])), None, "{when:?}");
    }
    let mut local = policy(vec![
        profile("first", up("a")),
        profile("second", up("b")),
        profile("rest", Condition::Always),
    ]);
    local.targets.get_mut("b").unwrap().kind = TargetKind::Mirror {
        path: "/mirror".into(),
    };
    assert_eq!(name(early(&local, &answers, &[])), None);
}

#[test]
fn a_stranger_hears_no_private_name_while_the_office_may_be_here() {
    let company = |private: &str| {
        let company = Company {
            url: "https://goproxy.corp.example".to_owned(),
            host: "goproxy.corp.example".to_owned(),
            private: private.to_owned(),
            ..Company::default()
        };
        read(&company.text()).policy.unwrap()
    };
    let answers = [("proxy", Up), ("sum", Up)];
    let chosen =
        |private: &str, before: &[(&str, &str)]| name(early(&company(private), &answers, before));
    let outside = Some("outside".to_owned());
    let private = "git.corp.example,*.lab.example";
    assert_eq!(chosen(private, &[]), outside);
    assert_eq!(chosen("", &[]), None);
    assert_eq!(chosen("", &[("GOPRIVATE", private)]), outside);
    // What the user has set sends the private modules to the proxy, or to the database.
    assert_eq!(chosen(private, &[("GONOPROXY", "none")]), None);
    assert_eq!(chosen(private, &[("GONOPROXY", "git.corp.example")]), None);
    assert_eq!(chosen(private, &[("GONOSUMDB", "none")]), None);
    assert_eq!(chosen(private, &[("GONOSUMDB", private)]), outside);

    // Once the office is ruled out, the decision is final.
    let policy = company("");
    let answers = [("company", Down), ("proxy", Up), ("sum", Up)];
    assert_eq!(name(early(&policy, &answers, &[])), None);
}

/// Modules that the lists below speak of.
const MODULES: [&str; 3] = ["git.one.test/a", "hg.one.test/b", "git.two.test/c"];

fn lists() -> impl Strategy<Value = Option<String>> {
    prop::option::of(prop::sample::select(vec![
        "",
        "none",
        "git.one.test",
        "*.one.test",
        "git.two.test",
        "git.one.test,git.two.test",
        "*.test",
    ]))
    .prop_map(|list| list.map(str::to_owned))
}

fn profiles(name: &'static str) -> impl Strategy<Value = Profile> {
    let goproxy = prop::sample::select(vec![
        "https://a.example",
        "https://b.example,direct",
        "https://d.example|off",
        "http://127.0.0.1:3000,https://c.example",
        "direct",
        "off",
    ]);
    let gosumdb = prop::option::of(prop::sample::select(vec!["off", "sum.golang.org"]));
    let values = (goproxy, gosumdb, lists(), lists(), lists());
    (conditions(), values, prop::bool::weighted(0.2)).prop_map(move |(when, values, loose)| {
        let (goproxy, gosumdb, private, no_proxy, no_sumdb) = values;
        let mut env = BTreeMap::from([("GOPROXY", Some(goproxy.to_owned()))]);
        env.insert("GOSUMDB", gosumdb.map(str::to_owned));
        env.extend([("GOPRIVATE", private), ("GONOPROXY", no_proxy)]);
        env.insert("GONOSUMDB", no_sumdb);
        let env = env
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), EnvValue::Text(value?))));
        let loosens = if loose {
            vec!["it".to_owned()]
        } else {
            Vec::new()
        };
        Profile {
            env: env.collect(),
            loosens,
            ..profile(name, when)
        }
    })
}

proptest! {
    #[test]
    fn nothing_provisional_weakens_verification_or_shows_a_private_name(
        profiles in (profiles("first"), profiles("second"), profiles("third")),
        private in prop::collection::vec(any::<bool>(), 4),
        own_module in any::<bool>(),
        answers in prop::collection::vec(prop::option::of(verdicts()), 4),
        before in (lists(), lists()),
    ) {
        let (first, second, third) = profiles;
        let mut policy = policy(vec![first, second, third, profile("rest", Condition::Always)]);
        for (name, is_private) in ["a", "b", "c", "d"].iter().zip(private) {
            let mut target = target(name);
            target.private = is_private;
            if let TargetKind::GoProxy { module, .. } = &mut target.kind && own_module {
                *module = MODULES[0].to_owned();
            }
            policy.targets.insert((*name).to_owned(), target);
        }
        let answers = ["a", "b", "c", "d"].into_iter().zip(answers);
        let answers = Vec::from_iter(answers.filter_map(|(name, one)| Some((name, one?))));
        let before = [("GOPRIVATE", before.0), ("GONOPROXY", before.1)];
        let before = before.iter().filter_map(|(name, one)| Some((*name, one.as_deref()?)));
        let before = Vec::from_iter(before);
        let Some(decision) = early(&policy, &answers, &before) else { return Ok(()) };
        prop_assert!(decision.loosens.is_empty());
        prop_assert!(decision.trace().is_some_and(|trace| trace.value == Truth::True));
        prop_assert!(answers.iter().any(|(_, one)| *one == Up));

        let is_private = |name: &str| policy.targets[name].private;
        let is_stranger = |goproxy: &str| {
            ["a", "b", "c", "d"]
                .into_iter()
                .any(|name| goproxy.contains(&format!("//{name}.")) && !is_private(name))
        };
        let value = |name: &str| {
            let before = before.iter().find(|(one, _)| *one == name);
            let before = before.map(|(_, value)| (*value).to_owned());
            let value = decision.env.get(name).cloned().or(before);
            value.filter(|value| !value.is_empty())
        };
        let matches = |list: Option<String>, module: &str| {
            list.is_some_and(|list| Patterns::parse(&list).matches(module))
        };
        let is_asked = |module: &str| {
            let kept = value("GONOPROXY").or_else(|| value("GOPRIVATE"));
            is_stranger(&decision.env["GOPROXY"]) && !matches(kept, module)
        };
        let is_looked_up = |module: &str| {
            let kept = value("GONOSUMDB").or_else(|| value("GOPRIVATE"));
            value("GOSUMDB").as_deref() != Some("off") && !matches(kept, module)
        };
        for (open, considered) in policy.profiles.iter().zip(&decision.considered) {
            let is_open = considered.trace.as_ref().is_some_and(|trace| trace.value == Truth::Unknown);
            let asks_private = open.when.targets().into_iter().any(is_private);
            if !is_open {
                continue;
            }
            for module in MODULES {
                let lists = ["GOPRIVATE", "GONOPROXY", "GONOSUMDB"];
                let is_its = lists.into_iter().any(|list| matches(open.sets(list), module))
                    || (asks_private && own_module && module == MODULES[0]);
                prop_assert!(
                    !is_its || !(is_asked(module) || is_looked_up(module)),
                    "{module} of {}: {decision:#?}", open.name
                );
            }
        }
    }
}
