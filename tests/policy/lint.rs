//! What parses, but does not do what it looks like, and what weakens verification.

#[cfg(target_os = "linux")]
mod chains_as_go;

use crate::lints::*;
use goroam::policy::Severity;

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
            "GOPROXY = \"https://a.b|direct/\"",
            "word-as-host",
            "direct/",
        ),
        (
            up,
            "GOPROXY = \"https://a.b|https://OFF:443\"",
            "word-as-host",
            "https://OFF:443",
        ),
        (
            up,
            "GOPROXY = \"https://a.b,file:///m,direct\"",
            "mirror-behind-comma",
            "file:///m",
        ),
        (
            up,
            "GOPROXY = \"https://a.b,file:///m,off\"",
            "mirror-behind-comma",
            "file:///m",
        ),
        (
            up,
            "GOPROXY = \"https://a.b,direct,file:///m\"",
            "ignored-hops",
            "file:///m",
        ),
        (
            up,
            "GOPROXY = \"https://a.b,off,direct\"",
            "ignored-hops",
            "direct",
        ),
        (
            up,
            "GOPROXY = \"direct|https://a.b|https://c.d\"",
            "ignored-hops",
            "https://a.b|https://c.d",
        ),
        (
            up,
            "GOPROXY = \"https://a.b|https://A.b:443/|direct\"",
            "duplicate-hop",
            "https://A.b:443/",
        ),
        (
            up,
            "GOPROXY = \"file:///m|file:///m/,direct\"",
            "duplicate-hop",
            "file:///m/",
        ),
        (up, "GOPROXY = \"https://a.b|,direct\"", "empty-entry", ","),
        (up, "GOPROXY = \"https://a.b,\"", "empty-entry", ","),
        (up, "GOPROXY = \", https://a.b\"", "empty-entry", ","),
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
        // Two equal mirrors: the second one is also behind `|`.
        let found: Vec<_> = found
            .iter()
            .filter(|one| want != "duplicate-hop" || one.code != "mirror-behind-pipe")
            .collect();
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
        (up, "GOPROXY = \"https://a.b,direct\""),
        (up, "GOPROXY = \"https://a.b|https://c.d|direct\""),
        (up, "GOPROXY = \"direct,\""),
        (up, "GOPROXY = \"off\""),
        (
            up,
            "GOPROXY = { fastest = [\"proxy\"], then = \"https://proxy.golang.org|direct\", separator = \"|\" }",
        ),
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

#[test]
fn a_public_proxy_behind_a_comma_is_worth_a_note_and_a_private_one_before_it_is_right() {
    let found = |env: &str| -> Vec<(&'static str, Severity)> {
        let text = policy("{ up = \"corp\" }", env);
        findings(&text)
            .iter()
            .map(|finding| (finding.code, finding.severity))
            .collect()
    };
    assert_eq!(
        found("GOPROXY = \"https://a.b,https://c.d,direct\""),
        [("proxy-behind-comma", Severity::Note)]
    );
    let private =
        "GOPROXY = \"https://goproxy.corp.example,https://a.b\", GOPRIVATE = \"*.corp.example\"";
    assert_eq!(found(private), []);
}

#[test]
fn marks_of_an_input_method_are_shown_at_their_column() {
    for (variable, value, mark, words) in [
        (
            "GOPROXY",
            "https://goproxy.cn，direct",
            "，",
            "(U+FF0C) is not `,`",
        ),
        (
            "GOPROXY",
            "https://goproxy.cn、direct",
            "、",
            "(U+3001) is not `,`",
        ),
        (
            "GOPROXY",
            "https://goproxy.cn；direct",
            "；",
            "(U+FF1B) is not `;`",
        ),
        (
            "GOPROXY",
            "https://goproxy.cn｜direct",
            "｜",
            "(U+FF5C) is not `|`",
        ),
        (
            "GOPROXY",
            "https：//goproxy.cn,direct",
            "：",
            "(U+FF1A) is not `:`",
        ),
        (
            "GOPROXY",
            "https://mirrors.aliyun.com/goproxy/，direct",
            "，",
            "U+FF0C",
        ),
        ("GOPROXY", "https://goproxy。cn,direct", "。", "U+3002"),
        (
            "GOPROXY",
            "https://proxy.gоlang.org,direct",
            "о",
            "(U+043E) is not `o`",
        ),
        ("GOPROXY", "file:///srv/m，direct", "，", "U+FF0C"),
        (
            "GOSUMDB",
            "sum.golang.org\u{a0}https://sum.golang.org",
            "\u{a0}",
            "U+00A0",
        ),
        ("GOPRIVATE", "git.corp.example，lab.example", "，", "U+FF0C"),
        ("GONOPROXY", "git.corp.example；lab.example", "；", "U+FF1B"),
        ("GONOSUMDB", "git．corp.example", "．", "U+FF0E"),
        (
            "GOINSECURE",
            "git.corp.example\u{200b}",
            "\u{200b}",
            "U+200B",
        ),
        ("GOVCS", "git.corp.example：git", "：", "U+FF1A"),
        ("GOFLAGS", "–mod=mod", "–", "(U+2013) is not `-`"),
        ("GOFLAGS", "-trimpath\u{3000}-v", "\u{3000}", "U+3000"),
    ] {
        let text = policy("{ up = \"corp\" }", &format!("{variable} = \"{value}\""));
        let found = findings(&text);
        let marks: Vec<_> = found
            .iter()
            .filter(|one| one.code == "look-alike")
            .collect();
        let [finding] = marks.as_slice() else {
            panic!("{value}: {found:?}");
        };
        assert_eq!(place(finding, &text), mark, "{value}");
        assert!(finding.message.contains(words), "{}", finding.message);
        assert!(finding.message.starts_with(variable), "{}", finding.message);
        assert!(finding.help.is_some());
    }
    for (variable, value) in [
        ("GOPROXY", "https://goproxy.cn,direct"),
        ("GOPROXY", "https://bücher.example|direct"),
        ("GOPROXY", "https://例え.テスト|https://пример.рф"),
        ("GOPROXY", "file:///srv/资料，备份,off"),
        ("GOFLAGS", "'-ldflags=-X main.who=“me”'"),
    ] {
        let text = policy("{ up = \"corp\" }", &format!("{variable} = \"{value}\""));
        assert_eq!(codes(&text), [""; 0], "{value}");
    }
}

#[test]
fn marks_of_an_input_method_in_targets_are_shown() {
    for (target, mark) in [
        ("goproxy = \"https：//goproxy.corp.example\"", "："),
        ("goproxy = \"https://goproxy。corp.example\"", "。"),
        ("goproxy = \"https://goproxy.corp.example／go\"", "／"),
        ("https = \"https://gіthub.com\"", "і"),
        ("tcp = \"git.corp.example：22\"", "："),
        (
            "sumdb = \"sum.golang.org\u{3000}https://sum.golang.org\"",
            "\u{3000}",
        ),
        (
            "sumdb = \"sum.golang.org\"\nvia = \"https://goproxy．cn\"",
            "．",
        ),
    ] {
        let text = format!(
            "{}[target.odd]\n{target}\n[[profile]]\nname = \"a\"\n",
            TARGETS
        );
        let found = findings(&text);
        let marks: Vec<_> = found
            .iter()
            .filter(|finding| finding.code == "look-alike")
            .map(|finding| place(finding, &text))
            .collect();
        assert_eq!(marks, [mark], "{target}: {found:?}");
    }
}

#[test]
fn patterns_that_match_no_module_path_are_named_and_right_ones_are_not() {
    for variable in ["GOPRIVATE", "GONOPROXY", "GONOSUMDB", "GOINSECURE"] {
        for value in [
            "https://git.corp.example",
            "git.corp.example;lab.example",
            "git.corp.example:8443",
            "git@git.corp.example:team/*",
            "\\\"git.corp.example\\\"",
            ".corp.example",
            "Git.corp.example",
            "corp",
            "git.corp.example/...",
        ] {
            let text = policy("{ up = \"corp\" }", &format!("{variable} = \"{value}\""));
            let found = codes(&text);
            assert!(
                found.contains(&"bad-pattern"),
                "{variable}={value}: {found:?}"
            );
        }
        for value in [
            "git.corp.example",
            "*.corp.example,git.corp.example",
            "none",
            "${GOPRIVATE}",
        ] {
            let text = policy("{ up = \"corp\" }", &format!("{variable} = \"{value}\""));
            let found = codes(&text);
            assert!(
                !found.contains(&"bad-pattern"),
                "{variable}={value}: {found:?}"
            );
        }
    }
}

#[test]
fn a_token_in_a_value_is_a_finding_that_does_not_show_it() {
    for env in [
        "GOPROXY = \"https://joe:s3cret@a.b\"",
        "GOPROXY = \"https://a.b/go?token=s3cret,direct\"",
        "GOAUTH = \"my-helper --token=s3cret\"",
        "GOPROXY = \"https://a.b/ghp_s3cret6789abcdefABCDEF0123456789/go\"",
    ] {
        let found = findings(&policy("{ up = \"corp\" }", env));
        assert_eq!(found.len(), 1, "{env}: {found:?}");
        assert_eq!(found[0].code, "credentials-in-policy", "{env}");
        assert!(!format!("{found:?}").contains("s3cret"), "{found:?}");
    }
}

#[test]
fn a_password_with_a_comma_is_hidden_before_its_list_is_split() {
    for value in [
        "http://joe:a,s3cr3tZ@host/x",
        "http://joe:a,/s3cr3tZ@host/x",
        "http://joe:a,*s3cr3tZ,b@host/x",
        "http://joe:a;s3cr3tZ@host,*.com",
        "http://joe:a s3cr3tZ@host",
        "http://joe:a,file://s3cr3tZ@host",
        "http://s3cr3tZ,x@host",
        "joe:a,s3cr3tZ@host",
    ] {
        for name in [
            "GONOSUMDB",
            "GOPRIVATE",
            "GONOPROXY",
            "GOINSECURE",
            "GOVCS",
            "GOPROXY",
            "GOSUMDB",
        ] {
            let text = policy("{ up = \"corp\" }", &format!("{name} = \"{value}\""));
            let found = findings(&text);
            assert!(!found.is_empty(), "{name}={value}");
            assert!(!format!("{found:?}").contains("s3cr3tZ"), "{found:?}");
        }
    }
}
