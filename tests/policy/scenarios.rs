//! A policy's own tests: the files in docs/examples hold for the policies that they are about, and
//! find what is broken in them.

use std::path::Path;

use goroam::policy::Policy;
use goroam::policy::file::{ParsedScenarios, parse_scenarios};
use goroam::policy::layers::{Layer, LayerKind, PolicyText};
use goroam::policy::scenario::judge;
use goroam::policy::templates::{Company, Template};

use crate::policies::parsed;

const BUILT_IN: &str = include_str!("../../docs/examples/built-in.toml");
const COMPANY: &str = include_str!("../../docs/examples/company.toml");

/// Every kind of condition.
const EVERY_FACT: &str = r#"version = 1
[target.corp]
goproxy = "https://goproxy.corp.example"
private = true
[target.gate]
icmp = "10.20.0.1"
[target.clear]
goproxy = "http://goproxy.corp.example"
[[profile]]
name = "facts"
when = { all = [
    { interface = "wlan*" }, { interface = { kind = "wifi" } }, { subnet = "10.20.0.0/16" },
    { gateway = "10.20.0.1" }, { dns_server = "10.20.0.53" }, { search_domain = "corp.example" },
    { ssid = "Corp" }, { env = { SITE = "lab" } }, { online = true },
] }
[[profile]]
name = "login"
when = { portal = true }
[[profile]]
name = "tunnel"
when = { all = [{ interface = { kind = "tunnel" } }, { up = "corp" }] }
[[profile]]
name = "gate"
when = { any = [{ up = "gate" }, { up = "clear" }] }
[[profile]]
name = "last"
"#;

fn policy(text: &str) -> Policy {
    let parsed = parsed(text);
    parsed
        .policy
        .unwrap_or_else(|| panic!("{:?}", parsed.findings))
}

fn company() -> String {
    Company {
        url: "https://goproxy.corp.example".to_owned(),
        host: "goproxy.corp.example".to_owned(),
        private: "git.corp.example".to_owned(),
        ..Company::default()
    }
    .text()
}

fn scenarios(policy: &Policy, text: &str) -> ParsedScenarios {
    let (kind, path) = (LayerKind::User, Path::new("scenarios.toml"));
    parse_scenarios(&PolicyText::of(&[Layer { kind, path, text }]), policy)
}

/// What differs, one line each: scenario, what, found.
fn differences(policy: &str, text: &str) -> Vec<String> {
    let policy = self::policy(policy);
    let parsed = scenarios(&policy, text);
    assert_eq!(parsed.findings, []);
    let mut lines = Vec::new();
    for scenario in &parsed.scenarios {
        for one in judge(&policy, scenario).differences {
            lines.push(format!("{}; {}; {}", scenario.name, one.what, one.found));
        }
    }
    lines
}

/// Code and place of every finding.
fn found(text: &str) -> Vec<(&'static str, String)> {
    let findings = scenarios(&policy(EVERY_FACT), text).findings;
    let place = |span: std::ops::Range<usize>| text[span].to_owned();
    let found = findings.into_iter().map(|finding| {
        let place = finding
            .primary
            .map_or(String::new(), |label| place(label.span));
        (finding.code, place)
    });
    found.collect()
}

fn one(lines: &str) -> String {
    format!("[[scenario]]\nname = \"a\"\n{lines}\n")
}

#[test]
fn the_built_in_policy_does_what_its_examples_say() {
    assert_eq!(differences(Template::Default.text(), BUILT_IN), [""; 0]);
}

#[test]
fn the_company_policy_of_init_does_what_its_examples_say() {
    assert_eq!(differences(&company(), COMPANY), [""; 0]);
}

#[test]
fn the_examples_find_a_policy_that_shows_private_names_or_verifies_less() {
    let without_list = company().replace("GOPRIVATE = \"git.corp.example\"\n", "");
    let told = differences(&without_list, COMPANY);
    let leaks =
        "at home; git.corp.example/team/app; https://proxy.golang.org would be asked for it";
    assert!(told.contains(&leaks.to_owned()), "{told:#?}");
    let looked_up = "office, everything answers; git.corp.example/team/app; the checksum database \
                     would be asked for it";
    assert!(told.contains(&looked_up.to_owned()), "{told:#?}");
    let unverified = Template::Default.text().replace(
        "GOSUMDB = \"sum.golang.org\"\nGONOPROXY = \"none\"",
        "GOSUMDB = \"off\"\nGONOPROXY = \"none\"\n[[profile]]\nname = \"z\"",
    );
    let unverified = unverified.replace(
        "name = \"offline\"",
        "name = \"offline\"\naccept_unauthenticated = true",
    );
    let told = differences(&unverified, BUILT_IN);
    assert!(
        told.contains(&"in an aeroplane; loosens; true (GOSUMDB=off)".to_owned()),
        "{told:#?}"
    );
}

#[test]
fn each_fact_of_a_network_is_what_its_condition_asks_for() {
    let facts = r#"env = { SITE = "lab" }
answers = { corp = "down", gate = "down", clear = "down" }
[scenario.network]
interface = "wlan0"
ssid = "Corp"
address = "10.20.0.50/24"
gateway = "10.20.0.1"
dns_server = ["10.20.0.54", "10.20.0.53"]
search_domain = "Corp.Example."
"#;
    let expect = |profile: &str| format!("[scenario.expect]\nprofile = \"{profile}\"\n");
    assert_eq!(
        differences(EVERY_FACT, &one(&format!("{facts}{}", expect("facts")))),
        [""; 0]
    );
    for (whole, other) in [
        ("wlan0", "eth0"),
        ("ssid = \"Corp\"", "kind = \"wifi\""),
        ("ssid = \"Corp\"", "ssid = \"Corp\"\nkind = \"wired\""),
        ("10.20.0.50/24", "10.21.0.50"),
        ("gateway = \"10.20.0.1\"", "gateway = \"10.20.0.2\""),
        (", \"10.20.0.53\"", ""),
        ("Corp.Example.", "corp.test"),
        ("env = { SITE = \"lab\" }", ""),
    ] {
        let changed = facts.replace(whole, other);
        assert_ne!(changed, facts, "{whole}");
        let told = differences(EVERY_FACT, &one(&format!("{changed}{}", expect("last"))));
        assert_eq!(told, [""; 0], "{whole} → {other}");
    }
}

#[test]
fn several_links_are_a_list_and_a_login_page_answers_for_what_speaks_http() {
    let tunnel = "network = [{ kind = \"wifi\" }, { kind = \"tunnel\" }]\n\
                  answers = { corp = \"up\", gate = \"down\", clear = \"down\" }\n\
                  expect.profile = \"tunnel\"";
    assert_eq!(differences(EVERY_FACT, &one(tunnel)), [""; 0]);
    // An echo is no page: what the gateway answers has to be said.
    let page = "portal = true\nanswers = { gate = \"up\" }\nexpect.profile = \"login\"";
    assert_eq!(differences(EVERY_FACT, &one(page)), [""; 0]);
    let unsaid = "portal = true\nexpect.needs = \"gate\"";
    assert_eq!(differences(EVERY_FACT, &one(unsaid)), [""; 0]);
    // A target over plain http proves nothing, so it does not rule a login page out.
    let forged =
        "portal = true\nanswers = { gate = \"up\", clear = \"up\" }\nexpect.profile = \"login\"";
    assert_eq!(differences(EVERY_FACT, &one(forged)), [""; 0]);
    let proven =
        "portal = true\nanswers = { gate = \"up\", corp = \"up\" }\nexpect.profile = \"gate\"";
    assert_eq!(differences(EVERY_FACT, &one(proven)), [""; 0]);
}

#[test]
fn what_is_not_given_is_not_guessed() {
    let nothing = "expect.profile = \"last\"";
    let told = differences(EVERY_FACT, &one(nothing));
    assert_eq!(told, ["a; profile; not decided: needs clear, corp, gate"]);
    let decided = "answers = { \"*\" = \"down\" }\nexpect.needs = [\"corp\"]";
    assert_eq!(differences(EVERY_FACT, &one(decided)), ["a; needs; last"]);
    // Without a network nothing on it can answer.
    let away = "online = false\nexpect.profile = \"last\"";
    assert_eq!(differences(EVERY_FACT, &one(away)), [""; 0]);
}

#[test]
fn every_mistake_is_named_with_its_place() {
    let name = |code, place: &str| (code, place.to_owned());
    let ok = "expect.profile = \"last\"";
    for (text, wanted) in [
        (String::new(), vec![name("no-scenarios", "")]),
        ("[[scenario]\n".to_owned(), vec![name("syntax", "")]),
        (
            "scenarios = []\n".to_owned(),
            vec![name("unknown-key", "scenarios"), name("no-scenarios", "")],
        ),
        (
            one("expect.profile = \"lats\""),
            vec![name("unknown-profile", "\"lats\"")],
        ),
        (
            one("expect.env = { GOPROXY = \"off\" }"),
            vec![name("missing-key", "expect")],
        ),
        (
            one("expect = { profile = \"last\", env = { GOPROXI = \"off\" } }"),
            vec![name("unknown-variable", "GOPROXI")],
        ),
        (
            one("expect = { needs = \"crop\" }"),
            vec![name("unknown-target", "\"crop\"")],
        ),
        // Each of these would be as expected, whatever the policy does.
        (
            one("expect.needs = []"),
            vec![name("missing-key", "expect")],
        ),
        (
            one("expect = { needs = \"corp\", env = { GOPROXY = \"off\" } }"),
            vec![name("bad-value", "env")],
        ),
        (
            one("expect = { needs = \"corp\", loosens = true }"),
            vec![name("bad-value", "loosens")],
        ),
        (
            one(&format!(
                "online = false\nanswers = {{ \"*\" = \"up\" }}\n{ok}"
            )),
            vec![name("no-network", "\"*\"")],
        ),
        (
            one("expect = { profile = \"last\", private = \"corp\" }"),
            vec![name("bad-module", "\"corp\"")],
        ),
        (
            one(&format!("answers = {{ crop = \"up\" }}\n{ok}")),
            vec![name("unknown-target", "crop")],
        ),
        (
            one(&format!("answers = {{ corp = \"maybe\" }}\n{ok}")),
            vec![name("bad-value", "\"maybe\"")],
        ),
        (
            one(&format!("network = {{ gateway = \"ten\" }}\n{ok}")),
            vec![name("bad-address", "\"ten\"")],
        ),
        (
            one(&format!("network = {{ kind = \"wlan\" }}\n{ok}")),
            vec![name("bad-kind", "\"wlan\"")],
        ),
        (
            one(&format!("network = {{ mtu = 1 }}\n{ok}")),
            vec![name("unknown-key", "mtu")],
        ),
        (
            one(&format!(
                "online = false\nnetwork.gateway = \"10.20.0.1\"\n{ok}"
            )),
            vec![name("bad-value", "\"10.20.0.1\"")],
        ),
        (
            one(&format!("online = false\nanswers.corp = \"up\"\n{ok}")),
            vec![name("no-network", "corp")],
        ),
        (
            one(&format!("online = false\nanswers.\"*\" = \"wrong\"\n{ok}")),
            vec![name("no-network", "\"*\"")],
        ),
        (
            one(&format!("online = false\nportal = true\n{ok}")),
            vec![name("no-network", "portal")],
        ),
        (
            "[[scenario]]\nexpect.profile = \"last\"\n".to_owned(),
            vec![name("missing-key", "[[scenario]]")],
        ),
        (one(""), vec![name("missing-key", "[[scenario]]")]),
    ] {
        assert_eq!(found(&text), wanted, "{text}");
        assert!(
            scenarios(&policy(EVERY_FACT), &text).scenarios.is_empty(),
            "{text}"
        );
    }
}

#[test]
fn a_fact_that_no_condition_asks_for_is_a_warning_and_the_test_runs() {
    let policy = policy(
        "version = 1\n[target.used]\nicmp = \"10.0.0.1\"\n[target.unused]\nicmp = \"10.0.0.2\"\n\
         [[profile]]\nname = \"first\"\nwhen = { up = \"used\" }\n[[profile]]\nname = \"last\"\n",
    );
    let text = one(
        "network = { interface = \"wlan0\", gateway = \"10.0.0.1\" }\nenv = { SITE = \"lab\" }\n\
         answers = { used = \"up\", unused = \"up\" }\nexpect.profile = \"first\"",
    );
    let parsed = scenarios(&policy, &text);
    let places = parsed.findings.iter().map(|finding| {
        assert_eq!(finding.code, "unused-fact");
        &text[finding.primary.as_ref().unwrap().span.clone()]
    });
    assert_eq!(
        Vec::from_iter(places),
        ["interface", "gateway", "SITE", "unused"]
    );
    assert_eq!(judge(&policy, &parsed.scenarios[0]).differences, []);
    // `*` stands for all, also for those that none asks for.
    let all = one("answers = { \"*\" = \"down\" }\nexpect.profile = \"last\"");
    assert_eq!(scenarios(&policy, &all).findings, []);
}

#[test]
fn the_scenarios_in_the_docs_are_read_without_a_finding() {
    let policy = policy(
        &company()
            .replace("[target.company]", "[target.corp]")
            .replace("up = \"company\"", "up = \"corp\"")
            .replace(
                "when = { up = \"corp\" }",
                "when = { all = [{ up = \"corp\" }, { any = [{ up = \"corp\" }, { interface = \"wlan*\" }, \
                 { ssid = \"Corp\" }, { subnet = \"10.20.0.0/16\" }, { gateway = \"10.20.0.1\" }] }] }",
            ),
    );
    let pages = [
        include_str!("../../docs/policy-tests.md"),
        include_str!("../../docs/zh-CN/policy-tests.md"),
    ];
    for page in pages {
        let block = page.split("```toml\n").nth(1).unwrap();
        let block = block.split("```").next().unwrap();
        let parsed = scenarios(&policy, block);
        assert_eq!(parsed.findings, []);
        for scenario in &parsed.scenarios {
            assert_eq!(
                judge(&policy, scenario).differences,
                [],
                "{}",
                scenario.name
            );
        }
        assert_eq!(parsed.scenarios.len(), 4);
    }
}
