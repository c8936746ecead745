//! What parses, but does not do what it looks like, and what weakens verification.

#![allow(clippy::unwrap_used)] // helpers of tests stand outside of `#[test]`

use std::path::Path;

use goroam::policy::file::{Parsed, Place, parse};
use goroam::policy::{Finding, Severity};

const TARGETS: &str = r#"
version = 1
[target.corp]
goproxy = "https://goproxy.corp.example"
private = true
module = "git.corp.example/team/hello@v1.0.0"
[target.proxy]
goproxy = "https://proxy.golang.org"
[target.sum]
sumdb = "sum.golang.org"
[target.sum-via-cn]
sumdb = "sum.golang.org"
via = "https://goproxy.cn"
[target.plain]
goproxy = "http://10.20.0.2:3000"
[target.web]
https = "http://intranet.corp.example"
[target.gw]
icmp = "10.20.0.1"
[target.ssh]
tcp = "git.corp.example:22"
[target.athens]
listening = "127.0.0.1:3000"
[target.mirror]
mirror = "~/go-mirror"
"#;

/// A policy whose first profile has this condition and these variables.
fn policy(when: &str, env: &str) -> String {
    format!(
        "{TARGETS}[[profile]]\nname = \"first\"\nwhen = {when}\nenv = {{ {env} }}\n\
         [[profile]]\nname = \"last\"\n"
    )
}

fn read(text: &str) -> Parsed {
    let place = Place {
        folder: Path::new("/etc/goroam"),
        home: Some(Path::new("/home/me")),
    };
    parse(text, place)
}

/// All findings but those about the many targets that a test does not use.
fn findings(text: &str) -> Vec<Finding> {
    let mut findings = read(text).findings;
    findings.retain(|finding| finding.code != "unused-target");
    findings
}

fn codes(text: &str) -> Vec<&'static str> {
    findings(text).iter().map(|finding| finding.code).collect()
}

fn place(finding: &Finding, text: &str) -> String {
    text[finding.primary.as_ref().unwrap().span.clone()].to_owned()
}

#[test]
fn what_cannot_be_forged_may_loosen_and_nothing_else() {
    for (when, proven) in [
        ("{ up = \"corp\" }", true),
        ("{ up = \"sum\" }", true),
        ("{ up = \"plain\" }", false),
        ("{ up = \"web\" }", false),
        ("{ up = \"gw\" }", false),
        ("{ up = \"ssh\" }", false),
        ("{ up = \"athens\" }", false),
        ("{ up = \"mirror\" }", false),
        ("{ down = \"corp\" }", false),
        ("{ not = { down = \"corp\" } }", true),
        ("{ not = { up = \"corp\" } }", false),
        ("{ not = { not = { up = \"corp\" } } }", true),
        ("{ subnet = \"10.0.0.0/8\" }", false),
        ("{ ssid = \"Corp\" }", false),
        ("{ search_domain = \"corp.example\" }", false),
        ("{ gateway = \"10.0.0.1\" }", false),
        ("{ dns_server = \"10.0.0.1\" }", false),
        ("{ interface = \"wg*\" }", false),
        ("{ interface = { kind = \"tunnel\" } }", false),
        ("{ portal = false }", false),
        ("{ online = true }", false),
        ("{ env = { SITE = \"lab\" } }", false),
        (
            "{ all = [{ up = \"corp\" }, { subnet = \"10.0.0.0/8\" }] }",
            true,
        ),
        (
            "{ all = [{ up = \"gw\" }, { subnet = \"10.0.0.0/8\" }] }",
            false,
        ),
        (
            "{ any = [{ up = \"corp\" }, { subnet = \"10.0.0.0/8\" }] }",
            false,
        ),
        ("{ any = [{ up = \"corp\" }, { up = \"sum\" }] }", true),
        (
            "{ any = [{ up = \"corp\" }, { not = { down = \"sum\" } }] }",
            true,
        ),
        (
            "{ not = { any = [{ down = \"corp\" }, { portal = true }] } }",
            true,
        ),
        (
            "{ not = { all = [{ down = \"corp\" }, { portal = true }] } }",
            false,
        ),
        (
            "{ not = { all = [{ down = \"corp\" }, { down = \"sum\" }] } }",
            true,
        ),
        ("{ at_least = { n = 1, of = [\"corp\", \"sum\"] } }", true),
        ("{ at_least = { n = 1, of = [\"corp\", \"gw\"] } }", false),
        ("{ at_least = { n = 2, of = [\"corp\", \"gw\"] } }", true),
        (
            "{ at_least = { n = 2, of = [\"corp\", \"gw\", \"ssh\"] } }",
            false,
        ),
        ("{ not = { at_least = { n = 1, of = [\"corp\"] } } }", false),
    ] {
        let text = policy(when, "GOSUMDB = \"off\"");
        let want: &[&str] = if proven { &[] } else { &["loosens-unproven"] };
        assert_eq!(codes(&text), want, "{when}");
        assert_eq!(read(&text).policy.is_some(), proven, "{when}");
    }
}

#[test]
fn every_way_of_loosening_is_known() {
    for (env, phrase) in [
        ("GOSUMDB = \"off\"", "GOSUMDB=off"),
        (
            "GOINSECURE = \"*.corp.example\"",
            "GOINSECURE=*.corp.example",
        ),
        ("GOPRIVATE = \"*\"", "GOPRIVATE matches every path"),
        (
            "GOPRIVATE = \"git.corp.example,**\"",
            "GOPRIVATE matches every path",
        ),
        ("GOPRIVATE = \"[a-z]*\"", "GOPRIVATE matches every path"),
        ("GONOSUMDB = \"*/*\"", "GONOSUMDB matches every path"),
        (
            "GOPROXY = \"http://p.corp.example,direct\"",
            "plain http hop http://p.corp.example",
        ),
        (
            "GOPROXY = \"HTTP://[::2]:80\"",
            "plain http hop HTTP://[::2]:80",
        ),
        (
            "GOPROXY = { fastest = [\"proxy\", \"plain\"], then = \"direct\" }",
            "plain http hop http://10.20.0.2:3000",
        ),
        (
            "GONOSUMDB = \"${GOPRIVATE}\"",
            "GONOSUMDB is whatever GOPRIVATE holds",
        ),
    ] {
        let text = policy("{ up = \"corp\" }", env);
        let parsed = read(&text);
        assert_eq!(
            parsed.policy.unwrap().profiles[0].loosens,
            [phrase],
            "{env}"
        );
        let text = policy("{ subnet = \"10.0.0.0/8\" }", env);
        assert_eq!(codes(&text), ["loosens-unproven"], "{env}");
    }
    for env in [
        "GOSUMDB = \"sum.golang.org\"",
        "GOSUMDB = \"sum.golang.google.cn\"",
        "GOPRIVATE = \"*.corp.example\"",
        "GONOSUMDB = \"none\"",
        "GOINSECURE = \"none\"",
        "GONOPROXY = \"*\"",
        "GOPROXY = \"http://127.0.0.1:3000,direct\"",
        "GOPROXY = \"http://[::1]:3000\"",
        "GOPROXY = \"http://localhost:3000\"",
        "GOPROXY = \"off,http://p.corp.example\"",
        "GOVCS = \"*:all\"",
    ] {
        let text = policy("{ subnet = \"10.0.0.0/8\" }", env);
        let policy = read(&text).policy.unwrap();
        assert_eq!(policy.profiles[0].loosens, [""; 0], "{env}");
    }
}

#[test]
fn the_finding_shows_the_value_and_the_condition() {
    let text = policy(
        "{ subnet = \"10.0.0.0/8\" }",
        "GOPROXY = \"direct\", GOSUMDB = \"off\"",
    );
    let found = findings(&text);
    let [finding] = found.as_slice() else {
        panic!("{found:?}");
    };
    assert_eq!(place(finding, &text), "\"off\"");
    assert_eq!(
        finding.primary.as_ref().unwrap().text,
        "nothing may make this weaker"
    );
    assert_eq!(
        &text[finding.related[0].span.clone()],
        "{ subnet = \"10.0.0.0/8\" }"
    );
    assert!(
        finding.related[0].text.contains("any access point"),
        "{finding:?}"
    );
    assert!(
        finding.help.as_ref().unwrap().contains("{ up = \"corp\" }"),
        "{finding:?}"
    );
}

#[test]
fn a_profile_that_always_holds_proves_nothing() {
    let text = format!("{TARGETS}[[profile]]\nname = \"x\"\nenv = {{ GOSUMDB = \"off\" }}\n");
    assert_eq!(codes(&text), ["loosens-unproven"]);
    let accepted = format!("{text}accept_unauthenticated = true\n");
    assert_eq!(codes(&accepted), ["loosens-accepted"]);
    let policy = read(&accepted).policy.unwrap();
    assert!(policy.profiles[0].accept_unauthenticated && policy.profiles[0].is_loose());
    let refused = format!("{text}accept_unauthenticated = false\n");
    assert_eq!(codes(&refused), ["loosens-unproven"]);
}

#[test]
fn accepting_what_is_proven_is_idle() {
    let text = policy("{ up = \"corp\" }", "GOSUMDB = \"off\"").replace(
        "[[profile]]\nname = \"last\"",
        "accept_unauthenticated = true\n[[profile]]\nname = \"last\"",
    );
    assert_eq!(codes(&text), ["accept-unneeded"]);
}

#[test]
fn a_target_with_a_fault_does_not_count_as_forged_or_proven() {
    let text =
        policy("{ up = \"corp\" }", "GOSUMDB = \"off\"").replace("private = true", "privat = true");
    assert_eq!(codes(&text), ["unknown-key"]);
}

#[test]
fn private_names_do_not_leak() {
    let corp = "https://goproxy.corp.example";
    for (env, want, at) in [
        (format!("GOPROXY = \"{corp}|direct\""), "leak-pipe", corp),
        (
            format!("GOPROXY = \"{corp}/|off\""),
            "leak-pipe",
            "https://goproxy.corp.example/",
        ),
        (
            "GOPROXY = \"https://a.b,HTTPS://GOPROXY.corp.example:443|direct\"".to_owned(),
            "leak-pipe",
            "HTTPS://GOPROXY.corp.example:443",
        ),
        (
            "GOPROXY = \"goproxy.corp.example|direct\"".to_owned(),
            "leak-pipe",
            "goproxy.corp.example",
        ),
        (
            "GOPROXY = { fastest = [\"proxy\", \"corp\"], then = \"direct\", separator = \"|\" }"
                .to_owned(),
            "leak-pipe",
            "{ fastest = [\"proxy\", \"corp\"], then = \"direct\", separator = \"|\" }",
        ),
        (
            format!("GOPROXY = \"{corp},https://a.b\""),
            "leak-comma",
            corp,
        ),
        (
            format!(
                "GOPROXY = \"{corp},https://a.b\", GOPRIVATE = \"x.corp.example\", GONOSUMDB = \"git.corp.example\""
            ),
            "leak-comma",
            corp,
        ),
        (
            format!("GOPROXY = \"{corp},direct\", GOPRIVATE = \"github.com/x\""),
            "private-not-covered",
            "\"github.com/x\"",
        ),
    ] {
        let text = policy("{ up = \"corp\" }", &env);
        let found = findings(&text);
        let found: Vec<_> = found
            .iter()
            .map(|finding| (finding.code, place(finding, &text)))
            .collect();
        assert_eq!(found, [(want, at.to_owned())], "{env}");
        assert_eq!(read(&text).policy.is_none(), want == "leak-pipe", "{env}");
    }
    for env in [
        format!("GOPROXY = \"{corp}\""),
        format!("GOPROXY = \"{corp},direct\""),
        format!("GOPROXY = \"{corp},https://a.b\", GOPRIVATE = \"*.corp.example\""),
        format!(
            "GOPROXY = \"{corp},https://a.b\", GOPRIVATE = \"x.y\", GONOPROXY = \"git.corp.example\", GONOSUMDB = \"git.corp.example\""
        ),
        format!("GOPROXY = \"{corp}/other|direct\""),
        "GOPROXY = \"https://a.b|https://goproxy.corp.example\"".to_owned(),
    ] {
        assert_eq!(codes(&policy("{ up = \"corp\" }", &env)), [""; 0], "{env}");
    }
}

#[test]
fn chains_that_go_reads_otherwise_are_named() {
    let up = "{ all = [{ up = \"proxy\" }, { up = \"sum-via-cn\" }] }";
    for (when, env, want, at) in [
        (
            up,
            "GOPROXY = \"direct,https://a.b\"",
            "ignored-hops",
            "https://a.b",
        ),
        (
            up,
            "GOPROXY = \"https://a.b|file:///m\"",
            "mirror-behind-pipe",
            "file:///m",
        ),
        (
            up,
            "GOPROXY = \"http://a.b\"",
            "plain-http-hop",
            "http://a.b",
        ),
        (
            up,
            "GOPROXY = \"https://a.b;https://c.d\"",
            "several-in-one",
            "https://a.b;https://c.d",
        ),
        (
            up,
            "GOPROXY = \"localhost:3000\"",
            "implied-https",
            "localhost:3000",
        ),
        (
            up,
            "GOSUMDB = \"sum.golang.google.cn\"",
            "sumdb-url-bypasses-proxy",
            "\"sum.golang.google.cn\"",
        ),
        (up, "GOFLAGS = \"-mod=mod\"", "goflags-mod-mod", "-mod=mod"),
        (up, "GOFLAGS = \"-insecure\"", "nothing-reads", "-insecure"),
        (
            "{ portal = true }",
            "GOPROXY = \"file:///m,direct\"",
            "direct-in-air-gap",
            "direct",
        ),
        (
            "{ online = false }",
            "GOPROXY = \"https://a.b|direct\"",
            "direct-in-air-gap",
            "direct",
        ),
        (
            "{ not = { online = true } }",
            "GOPROXY = \"https://a.b,direct\"",
            "direct-in-air-gap",
            "direct",
        ),
    ] {
        let text = policy(when, env);
        let found = findings(&text);
        let [finding] = found.as_slice() else {
            panic!("{env}: {found:?}");
        };
        assert_eq!(
            (finding.code, place(finding, &text)),
            (want, at.to_owned()),
            "{env}"
        );
        assert_eq!(finding.severity, Severity::Warning);
    }
    for (when, env) in [
        (up, "GOPROXY = \"file:///m,https://a.b,direct\""),
        (up, "GOPROXY = \"https://a.b,file:///m,off\""),
        (up, "GOSUMDB = \"sum.golang.org\""),
        ("{ up = \"proxy\" }", "GOSUMDB = \"sum.golang.google.cn\""),
        ("{ portal = true }", "GOPROXY = \"direct\""),
        ("{ portal = false }", "GOPROXY = \"https://a.b,direct\""),
    ] {
        assert_eq!(codes(&policy(when, env)), [""; 0], "{env}");
    }
}

#[test]
fn an_offline_profile_needs_gonoproxy_where_modules_are_private() {
    let text = |private: &str, last: &str| {
        format!(
            "{TARGETS}[[profile]]\nname = \"a\"\nwhen = {{ up = \"corp\" }}\nenv = {{ {private} }}\n\
             [[profile]]\nname = \"b\"\nenv = {{ {last} }}\n"
        )
    };
    let private = "GOPRIVATE = \"git.corp.example\"";
    let offline = "GOPROXY = \"file://${GOMODCACHE}/cache/download,off\"";
    assert_eq!(codes(&text(private, offline)), ["offline-needs-gonoproxy"]);
    assert_eq!(
        codes(&text(private, "GOPROXY = \"off\"")),
        ["offline-needs-gonoproxy"]
    );
    for gonoproxy in ["git.corp.example", ""] {
        let last = format!("{offline}, GONOPROXY = \"{gonoproxy}\"");
        assert_eq!(codes(&text(private, &last)), ["offline-needs-gonoproxy"]);
    }
    assert_eq!(
        codes(&text(private, &format!("{offline}, GONOPROXY = \"none\""))),
        [""; 0]
    );
    assert_eq!(
        codes(&text("GOSUMDB = \"sum.golang.org\"", offline)),
        [""; 0]
    );
    let air_gap = "GOPROXY = \"file:///m,direct\"";
    assert_eq!(
        codes(&text("GOSUMDB = \"sum.golang.org\"", air_gap)),
        ["direct-in-air-gap"]
    );
}

#[test]
fn targets_that_nobody_asks_for_are_named() {
    let unused = |text: &str| -> Vec<String> {
        let findings = read(text).findings;
        let unused = findings
            .iter()
            .filter(|finding| finding.code == "unused-target");
        unused.map(|finding| place(finding, text)).collect()
    };
    let text = policy(
        "{ up = \"gw\" }",
        "GOPROXY = { fastest = [\"proxy\"], then = \"https://goproxy.corp.example\" }",
    );
    assert_eq!(
        unused(&text),
        [
            "sum",
            "sum-via-cn",
            "plain",
            "web",
            "ssh",
            "athens",
            "mirror"
        ]
    );
    let text = policy("{ portal = true }", "");
    assert_eq!(unused(&text), ["athens", "mirror"]);
}
