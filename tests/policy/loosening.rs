//! The loosening rule, from outside: what may weaken verification, and on what facts.

#[cfg(target_os = "linux")]
mod as_go;

use crate::lints::*;

#[test]
fn folders_that_a_profile_sets_and_refers_to_loosen_nothing() {
    let env = "GOPATH = \"${HOME}/own\", GOMODCACHE = \"${GOPATH}/m\", \
               GOPROXY = \"file://${GOMODCACHE}/cache/download,off\", GONOPROXY = \"none\"";
    assert_eq!(codes(&policy("{ subnet = \"10.0.0.0/8\" }", env)), [""; 0]);
}

/// Databases whose signed tree head anyone on the way can record, and play again later.
const REPLAYED: &str = r#"[target.sum-in-the-clear]
sumdb = "sum.golang.org http://sum.golang.org"
[target.sum-via-plain]
sumdb = "sum.golang.org"
via = "HTTP://goproxy.cn"
[target.sum-in-a-file]
sumdb = "sum.golang.org file:///srv/sumdb"
[target.plain]"#;

#[test]
fn what_cannot_be_forged_may_loosen_and_nothing_else() {
    for (when, proven) in [
        ("{ up = \"corp\" }", true),
        ("{ up = \"sum\" }", true),
        ("{ up = \"plain\" }", false),
        ("{ up = \"sum-via-cn\" }", true),
        ("{ up = \"sum-in-the-clear\" }", false),
        ("{ up = \"sum-via-plain\" }", false),
        ("{ up = \"sum-in-a-file\" }", false),
        (
            "{ all = [{ up = \"sum-in-the-clear\" }, { up = \"sum-via-plain\" }] }",
            false,
        ),
        (
            "{ any = [{ up = \"corp\" }, { up = \"sum-in-the-clear\" }] }",
            false,
        ),
        ("{ not = { down = \"sum-in-the-clear\" } }", false),
        (
            "{ at_least = { n = 1, of = [\"sum-in-the-clear\", \"corp\"] } }",
            false,
        ),
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
        let text = policy(when, "GOSUMDB = \"off\"").replace("[target.plain]", REPLAYED);
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
        ("GOPRIVATE = \"*\"", "GOPRIVATE takes in public code: *"),
        (
            "GOPRIVATE = \"git.corp.example,**\"",
            "GOPRIVATE takes in public code: **",
        ),
        (
            "GOPRIVATE = \"[a-ln-z]*\"",
            "GOPRIVATE takes in public code: [a-ln-z]*",
        ),
        (
            "GONOSUMDB = \"*.com,git.corp.example,*.org\"",
            "GONOSUMDB takes in public code: *.com,*.org",
        ),
        (
            "GONOSUMDB = \"github.com\"",
            "GONOSUMDB takes in public code: github.com",
        ),
        (
            "GONOSUMDB = \"golang.org/x\"",
            "GONOSUMDB takes in public code: golang.org/x",
        ),
        ("GOVCS = \"*:all\"", "GOVCS=*:all"),
        ("GOVCS = \"public:git|svn\"", "GOVCS=public:git|svn"),
        ("GO111MODULE = \"off\"", "GO111MODULE=off"),
        ("GO111MODULE = \"auto\"", "GO111MODULE=auto"),
        ("GOTOOLCHAIN = \"go1.15.15\"", "GOTOOLCHAIN=go1.15.15"),
        ("CGO_CFLAGS_ALLOW = \".*\"", "CGO_CFLAGS_ALLOW=.*"),
        ("CGO_LDFLAGS_ALLOW = \"-Wl,.*\"", "CGO_LDFLAGS_ALLOW=-Wl,.*"),
        (
            "GOBIN = \"/github.com\", GOTMPDIR = \"${GOBIN}\", GONOSUMDB = \"x.example,*.com${GOTMPDIR}\"",
            "GONOSUMDB takes in public code: *.com/github.com",
        ),
        (
            "GOOS = \"github.com\", GOPRIVATE = \"${GOOS}\"",
            "GOPRIVATE takes in public code: github.com",
        ),
        (
            "GOOS = \"p.example\", GOPROXY = \"http://${GOOS}\"",
            "plain http hop http://p.example",
        ),
        ("GOTOOLCHAIN = \"go1.12.17\"", "GOTOOLCHAIN=go1.12.17"),
        ("GOTOOLCHAIN = \"go1.9+auto\"", "GOTOOLCHAIN=go1.9+auto"),
        ("GOVCS = \"*:${CC}git\"", "GOVCS is whatever CC holds"),
        ("GOFLAGS = \"-v ${CC}\"", "GOFLAGS is whatever CC holds"),
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
        (
            "GOOS = \"*\", GOPRIVATE = \"${GOOS}\"",
            "GOPRIVATE takes in public code: *",
        ),
        (
            "GOPATH = \"/m,*\", GOBIN = \"${GOPATH}\", GONOSUMDB = \"${GOBIN}\"",
            "GONOSUMDB takes in public code: *",
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
        "GOVCS = \"public:git|hg,private:all\"",
        "GOVCS = \"git.corp.example:all\"",
        "GOVCS = \"*:off\"",
        "GOPRIVATE = \"github.com/acme,*.corp.example,git.corp.example/team/*\"",
        "GONOSUMDB = \".com\"",
        "GOTOOLCHAIN = \"go1.21.0\"",
        "GOTOOLCHAIN = \"local\"",
        "GO111MODULE = \"on\"",
        "CC = \"'/opt/my gcc/bin/gcc' -m32\", CXX = \"g++ -O2\"",
        "CGO_CFLAGS_DISALLOW = \".*\"",
        "CGO_CFLAGS_ALLOW = \"\"",
        "GOARCH = \"arm64\", GOPRIVATE = \"git.corp.example/${GOARCH}\"",
        "GOFLAGS = \"-modfile=${HOME}/x.mod\"",
    ] {
        let text = policy("{ subnet = \"10.0.0.0/8\" }", env);
        let policy = read(&text).policy.unwrap();
        assert_eq!(policy.profiles[0].loosens, [""; 0], "{env}");
    }
}

#[test]
fn the_flag_that_old_go_verified_nothing_with_loosens() {
    for flags in ["-insecure", "-v --insecure=1", "'-insecure'", "-insecure=T"] {
        let env = format!("GOFLAGS = \"{flags}\"");
        let parsed = read(&policy("{ up = \"corp\" }", &env));
        let profile = &parsed.policy.unwrap().profiles[0];
        assert_eq!(profile.loosens, ["GOFLAGS=-insecure"], "{flags}");
        let found = codes(&policy("{ subnet = \"10.0.0.0/8\" }", &env));
        assert!(found.contains(&"loosens-unproven"), "{flags}: {found:?}");
    }
    for flags in ["-insecure=false", "-ldflags=-insecure", "-trimpath"] {
        let env = format!("GOFLAGS = \"{flags}\"");
        let found = codes(&policy("{ subnet = \"10.0.0.0/8\" }", &env));
        assert_eq!(found, [""; 0], "{flags}");
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
fn a_tree_head_over_plain_http_is_said_to_be_no_proof() {
    let text = policy("{ up = \"sum-in-the-clear\" }", "GOSUMDB = \"off\"")
        .replace("[target.plain]", REPLAYED);
    let found = findings(&text);
    let [finding] = found.as_slice() else {
        panic!("{found:?}");
    };
    let why = &finding.related[0].text;
    assert!(
        why.contains("plain http") && why.contains("played again"),
        "{why}"
    );
}

#[test]
fn a_kept_policy_holds_no_profile_whose_condition_is_refused_today() {
    for when in [
        "{ subnet = \"10.0.0.0/99\" }",
        "{ up = \"nobody\" }",
        "{ not = { down = \"nobody\" } }",
    ] {
        let text = policy(when, "GOSUMDB = \"off\"");
        assert!(read(&text).policy.is_none(), "{when}");
        let layer = goroam::policy::layers::Layer {
            kind: goroam::policy::layers::LayerKind::User,
            path: std::path::Path::new("/etc/goroam/goroam.toml"),
            text: &text,
        };
        let (kept, _) = goroam::policy::file::parse_kept(&[layer], None).unwrap();
        let kept = kept.policy.unwrap();
        let never = goroam::policy::Condition::Any(Vec::new());
        for profile in kept.profiles.iter().filter(|profile| profile.is_loose()) {
            assert_eq!(profile.when, never, "{when}");
        }
        assert_eq!(kept.profiles.last().unwrap().name, "last");
    }
}
