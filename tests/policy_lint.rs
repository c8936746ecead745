//! What parses, but does not do what it looks like, and what weakens verification.

#[path = "support/lints.rs"]
mod lints;

use goroam::policy::Severity;
use lints::*;

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
            "GOPROXY = \"https://a.b,direct\", GOPRIVATE = \"github.com/x\"".to_owned(),
            "private-not-covered",
            "\"github.com/x\"",
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
        "GOPROXY = \"file:///m,off\", GOPRIVATE = \"github.com/x\", GONOPROXY = \"none\""
            .to_owned(),
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
        (
            "{ up = \"proxy\" }",
            "GOPROXY = \"https://goproxy.cn/,direct\", GOSUMDB = \"sum.golang.org https://sum.golang.google.cn\"",
            "sumdb-url-bypasses-proxy",
            "\"sum.golang.org https://sum.golang.google.cn\"",
        ),
        (
            up,
            "GOFLAGS = \"-modfile=$HOME/x.mod\", CC = \"$x $\"",
            "bare-dollar",
            "$HOME",
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
    let fallback = |when: &str| {
        format!(
            "{TARGETS}[[profile]]\nname = \"a\"\nwhen = {{ up = \"proxy\" }}\n\
             [[profile]]\nname = \"b\"\nwhen = {when}\nenv = {{ {air_gap} }}\n\
             [[profile]]\nname = \"c\"\n"
        )
    };
    for when in [
        "{ up = \"mirror\" }",
        "{ not = { up = \"proxy\" } }",
        "{ all = [{ down = \"proxy\" }, { up = \"mirror\" }] }",
    ] {
        assert_eq!(codes(&fallback(when)), ["direct-in-air-gap"], "{when}");
    }
    for when in [
        "{ all = [{ up = \"mirror\" }, { up = \"ssh\" }] }",
        "{ subnet = \"10.0.0.0/8\" }",
        "{ not = { down = \"corp\" } }",
    ] {
        assert_eq!(codes(&fallback(when)), [""; 0], "{when}");
    }
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
