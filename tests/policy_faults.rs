//! Every fault of a policy file is found, in one run, at its place.

#![allow(clippy::unwrap_used)] // helpers of tests stand outside of `#[test]`

use std::path::{Path, PathBuf};

use goroam::policy::file::{Parsed, Place, decode, parse};
use goroam::policy::{Finding, Severity};

fn read(text: &str) -> Parsed {
    let place = Place {
        folder: Path::new("/etc/goroam"),
        home: Some(Path::new("/home/me")),
    };
    parse(text, place)
}

/// Code and place of every finding, the place as the text that stands there.
fn found(text: &str) -> Vec<(&'static str, String)> {
    let place = |finding: &Finding| {
        let label = finding.primary.as_ref();
        label.map_or(String::new(), |label| text[label.span.clone()].to_owned())
    };
    let findings = read(text).findings;
    findings
        .iter()
        .map(|finding| (finding.code, place(finding)))
        .collect()
}

/// A whole policy around some targets and a condition of its first profile.
fn policy(targets: &str, when: &str) -> String {
    format!(
        "version = 1\n[target.proxy]\ngoproxy = \"https://proxy.golang.org\"\n{targets}\n\
         [[profile]]\nname = \"first\"\nwhen = {when}\n[[profile]]\nname = \"last\"\n"
    )
}

fn with_env(env: &str) -> String {
    format!("version = 1\n[[profile]]\nname = \"only\"\nenv = {{ {env} }}\n")
}

fn with_target(body: &str) -> String {
    policy(
        &format!("[target.t]\n{body}"),
        "{ all = [{ up = \"t\" }, { up = \"proxy\" }] }",
    )
}

#[track_caller]
fn one(text: &str, code: &str, place: &str) -> Finding {
    assert_eq!(
        found(text),
        [(code, place.to_owned())].map(|(c, p)| (leak(c), p)),
        "{text}"
    );
    read(text).findings.remove(0)
}

fn leak(code: &str) -> &'static str {
    Box::leak(code.to_owned().into_boxed_str())
}

#[test]
fn the_head_of_the_file_is_checked() {
    for (text, code, place) in [
        ("", "empty-policy", ""),
        ("# nothing\n\n", "empty-policy", ""),
        ("[[profile]]\nname = \"a\"\n", "missing-version", ""),
        (
            "version = 2\n[[profile]]\nname = \"a\"\n",
            "unknown-version",
            "2",
        ),
        (
            "version = \"1\"\n[[profile]]\nname = \"a\"\n",
            "wrong-type",
            "\"1\"",
        ),
        ("version = 1\n", "no-profiles", ""),
        ("version = 1\nprofile = []\n", "no-profiles", ""),
        (
            "version = 1\ntargets = 3\n[[profile]]\nname = \"a\"\n",
            "unknown-key",
            "targets",
        ),
        (
            "version = 1\n[profile]\nname = \"a\"\n",
            "wrong-type",
            "[profile]",
        ),
        (
            "version = 1\n[[target]]\nname = \"x\"\n[[profile]]\nname = \"a\"\n",
            "wrong-type",
            "[[target]]",
        ),
    ] {
        one(text, code, place);
    }
    let help = one("", "empty-policy", "").help.unwrap();
    assert!(help.contains("goroam init"), "{help}");
}

#[test]
fn the_settings_of_the_agent_and_the_probes_are_checked() {
    for (body, code, place) in [
        ("[agent]\nsettel = \"1s\"", "unknown-key", "settel"),
        ("[agent]\nrecheck = \"soon\"", "bad-duration", "\"soon\""),
        ("[agent]\nrecheck = \"1ms\"", "out-of-range", "\"1ms\""),
        ("[agent]\nrecheck = 10", "wrong-type", "10"),
        ("[agent]\nsettle = \"2h\"", "out-of-range", "\"2h\""),
        ("[agent]\nfall = 0", "out-of-range", "0"),
        ("[agent]\nrise = -1", "out-of-range", "-1"),
        (
            "[agent]\nfall = 99999999999999999999",
            "out-of-range",
            "99999999999999999999",
        ),
        ("[agent]\nfall = 1.5", "wrong-type", "1.5"),
        ("[agent]\non_drift = \"restor\"", "bad-value", "\"restor\""),
        ("[agent]\ngo = \"\"", "bad-path", "\"\""),
        ("[agent]\ngo = \"~other/go\"", "bad-path", "\"~other/go\""),
        ("[probe]\nconect = \"1s\"", "unknown-key", "conect"),
        ("[probe]\ntotal = \"0s\"", "out-of-range", "\"0s\""),
        ("[probe]\nretries = true", "wrong-type", "true"),
        ("[probe]\ntotal = \"1s\"", "limits-order", "\"1s\""),
        ("agent = 3", "wrong-type", "3"),
    ] {
        let text = format!("version = 1\n{body}\n[[profile]]\nname = \"a\"\n");
        one(&text, code, place);
    }
}

#[test]
fn targets_are_checked() {
    const SHORT: &str = "\"sha256/AAAA\"";
    for (body, code, place) in [
        ("", "no-kind", "[target.t]"),
        (
            "goproxy = \"https://a.b\"\ntcp = \"a:1\"",
            "several-kinds",
            "tcp",
        ),
        (
            "goproxy = \"https://a.b\"\nprivat = true",
            "unknown-key",
            "privat",
        ),
        (
            "icmp = \"10.0.0.1\"\nbody = \"x\"",
            "key-of-other-kind",
            "body",
        ),
        (
            "tcp = \"a.b:1\"\nprivate = true",
            "key-of-other-kind",
            "private",
        ),
        ("goproxy = \"goproxy.cn\"", "bad-url", "\"goproxy.cn\""),
        (
            "goproxy = \"https://a.b,direct\"",
            "bad-url",
            "\"https://a.b,direct\"",
        ),
        (
            "goproxy = \"file:///srv/m\"",
            "bad-url",
            "\"file:///srv/m\"",
        ),
        ("goproxy = \"https://\"", "bad-url", "\"https://\""),
        ("goproxy = 3", "wrong-type", "3"),
        (
            "goproxy = \"https://a.b\"\npin = [\"sha256/AAAA\"]",
            "bad-pin",
            SHORT,
        ),
        ("goproxy = \"https://a.b\"\npin = []", "bad-pin", "[]"),
        (
            "goproxy = \"https://a.b\"\nmodule = \"git.b/x\"",
            "bad-module",
            "\"git.b/x\"",
        ),
        (
            "goproxy = \"https://a.b\"\nmodule = \"git.b/x@latest\"",
            "bad-module",
            "\"git.b/x@latest\"",
        ),
        (
            "goproxy = \"https://a.b\"\nmodule = \"git.b/x@v1\"",
            "bad-module",
            "\"git.b/x@v1\"",
        ),
        (
            "goproxy = \"https://a.b\"\nsum = \"h1:x\"",
            "bad-sum",
            "\"h1:x\"",
        ),
        (
            "goproxy = \"https://a.b\"\nsum = \"h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"",
            "sum-without-module",
            "\"h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"",
        ),
        (
            "sumdb = \"sum.corp.example\"",
            "bad-sumdb",
            "\"sum.corp.example\"",
        ),
        ("sumdb = \"off\"", "bad-sumdb", "\"off\""),
        (
            "sumdb = \"sum.golang.google.cn\"\nvia = \"https://goproxy.cn\"",
            "sumdb-url-and-via",
            "via",
        ),
        (
            "sumdb = \"sum.golang.org\"\nvia = \"goproxy.cn\"",
            "bad-url",
            "\"goproxy.cn\"",
        ),
        ("https = \"ftp://a.b\"", "bad-url", "\"ftp://a.b\""),
        (
            "https = \"https://a.b\"\nstatus = [200, 99]",
            "out-of-range",
            "99",
        ),
        ("https = \"https://a.b\"\nstatus = []", "out-of-range", "[]"),
        ("https = \"https://a.b\"\nbody = 3", "wrong-type", "3"),
        ("icmp = \"10.0.0.300\"", "bad-address", "\"10.0.0.300\""),
        (
            "tcp = \"git.corp.example\"",
            "bad-address",
            "\"git.corp.example\"",
        ),
        (
            "tcp = \"git.corp.example:0\"",
            "bad-address",
            "\"git.corp.example:0\"",
        ),
        ("tcp = \"::1:22\"", "bad-address", "\"::1:22\""),
        (
            "listening = \"localhost:3000\"",
            "bad-address",
            "\"localhost:3000\"",
        ),
        ("mirror = \"file:///m\"", "bad-path", "\"file:///m\""),
        ("mirror = \"${GOPATH}/m\"", "bad-path", "\"${GOPATH}/m\""),
        (
            "icmp = \"10.0.0.1\"\nconnect = \"1d\"",
            "out-of-range",
            "\"1d\"",
        ),
    ] {
        one(&with_target(body), code, place);
    }
    let text = policy(
        "[target.\"a\\u001bb\"]\nicmp = \"10.0.0.1\"",
        "{ up = \"proxy\" }",
    );
    let finding = one(&text, "bad-name", "\"a\\u001bb\"");
    assert!(!finding.message.contains('\u{1b}'), "{finding:?}");
}

#[test]
fn conditions_are_checked() {
    for (when, code, place) in [
        ("{ up = \"prxy\" }", "unknown-target", "\"prxy\""),
        ("{ up = 3 }", "wrong-type", "3"),
        ("\"up\"", "wrong-type", "\"up\""),
        ("{}", "empty-condition", "{}"),
        ("{ all = [] }", "empty-condition", "[]"),
        ("{ any = [] }", "empty-condition", "[]"),
        ("{ env = {} }", "empty-condition", "{}"),
        ("{ env = { A = 3 } }", "wrong-type", "3"),
        ("{ al = [{ up = \"proxy\" }] }", "unknown-key", "al"),
        (
            "{ up = \"proxy\", portal = false }",
            "several-conditions",
            "portal",
        ),
        (
            "{ all = { up = \"proxy\" } }",
            "wrong-type",
            "{ up = \"proxy\" }",
        ),
        ("{ not = [] }", "wrong-type", "[]"),
        ("{ portal = \"yes\" }", "wrong-type", "\"yes\""),
        (
            "{ at_least = { n = 2, of = [\"proxy\"] } }",
            "out-of-range",
            "2",
        ),
        (
            "{ at_least = { n = 0, of = [\"proxy\"] } }",
            "out-of-range",
            "0",
        ),
        ("{ at_least = { n = 1, of = [] } }", "out-of-range", "1"),
        ("{ at_least = { n = 1 } }", "missing-key", "{ n = 1 }"),
        (
            "{ at_least = { n = 2, of = [\"proxy\", \"proxy\"] } }",
            "named-twice",
            "\"proxy\"",
        ),
        (
            "{ interface = { kind = \"wlan\" } }",
            "bad-kind",
            "\"wlan\"",
        ),
        ("{ interface = { kid = \"wifi\" } }", "unknown-key", "kid"),
        ("{ interface = \"en[\" }", "bad-glob", "\"en[\""),
        (
            "{ subnet = \"10.0.0.0/33\" }",
            "bad-subnet",
            "\"10.0.0.0/33\"",
        ),
        ("{ subnet = \"10.0.0.0\" }", "bad-subnet", "\"10.0.0.0\""),
        ("{ gateway = \"gw\" }", "bad-address", "\"gw\""),
        ("{ dns_server = \"1.1.1\" }", "bad-address", "\"1.1.1\""),
        (
            "{ search_domain = \"corp example\" }",
            "bad-domain",
            "\"corp example\"",
        ),
        ("{ ssid = \"\" }", "bad-value", "\"\""),
    ] {
        let text = policy("", when);
        let all = found(&text);
        assert!(
            all.contains(&(leak(code), place.to_owned())),
            "{when}: {all:?}"
        );
        assert_eq!(all.len(), 1, "{when}: {all:?}");
        assert!(read(&text).policy.is_none(), "{when}");
    }
}

#[test]
fn the_list_of_profiles_is_checked() {
    let head = "version = 1\n[target.proxy]\ngoproxy = \"https://proxy.golang.org\"\n";
    let up = "when = { up = \"proxy\" }\n";
    for (body, code, place) in [
        (
            format!("[[profile]]\nname = \"a\"\n{up}"),
            "no-catch-all",
            "{ up = \"proxy\" }",
        ),
        (
            format!("[[profile]]\nname = \"a\"\n{up}[[profile]]\nname = \"a\"\n"),
            "duplicate-profile",
            "\"a\"",
        ),
        (
            format!("[[profile]]\n{up}[[profile]]\nname = \"a\"\n"),
            "missing-key",
            "[[profile]]",
        ),
        (
            format!(
                "[[profile]]\nname = \"a\"\n[[profile]]\nname = \"b\"\n{up}[[profile]]\nname = \"c\"\n"
            ),
            "unreachable-profile",
            "\"b\"",
        ),
        (
            format!(
                "[[profile]]\nname = \"a\"\n{up}[[profile]]\nname = \"b\"\n{up}[[profile]]\nname = \"c\"\n"
            ),
            "unreachable-profile",
            "{ up = \"proxy\" }",
        ),
        (
            format!("[[profile]]\nname = \"a\"\n{up}whenn = 1\n[[profile]]\nname = \"c\"\n"),
            "unknown-key",
            "whenn",
        ),
        (
            format!(
                "[[profile]]\nname = \"a\"\n{up}accept_unauthenticated = 1\n[[profile]]\nname = \"c\"\n"
            ),
            "wrong-type",
            "1",
        ),
        (
            "[[profile]]\nname = \"c\"\n".to_owned(),
            "unused-target",
            "proxy",
        ),
    ] {
        one(&format!("{head}{body}"), code, place);
    }
}

#[test]
fn the_values_of_variables_are_checked() {
    for (env, code, place) in [
        ("GOPROXXY = \"direct\"", "unknown-variable", "GOPROXXY"),
        ("GOROOT = \"/x\"", "fixed-variable", "GOROOT"),
        ("GOPROXY = 3", "wrong-type", "3"),
        ("GOPROXY = \"\"", "empty-value", "\"\""),
        ("GOPROXY = \"https://a.b, Direct\"", "bad-goproxy", "Direct"),
        ("GOPROXY = 'https://a.b,/srv'", "bad-goproxy", "/srv"),
        (
            "GOPROXY = \"\"\"https://a.b,foo\"\"\"",
            "bad-goproxy",
            "foo",
        ),
        ("GOPROXY = \"a\\nb\"", "bad-value", "\"a\\nb\""),
        (
            "GOPROXY = \"${GOPROXY},direct\"",
            "bad-reference",
            "\"${GOPROXY},direct\"",
        ),
        (
            "GOPROXY = \"file://${HOMEE}/m,off\"",
            "bad-reference",
            "${HOMEE}",
        ),
        ("GOPROXY = \"file://${HOME/m,off\"", "bad-reference", "${"),
        ("GOPROXY = { fastest = [] }", "missing-key", "[]"),
        ("GOPROXY = { fastest = [\"x\"] }", "unknown-target", "\"x\""),
        ("GOPROXY = { fastet = [\"x\"] }", "unknown-key", "fastet"),
        (
            "GOSUMDB = { fastest = [\"x\"] }",
            "wrong-type",
            "{ fastest = [\"x\"] }",
        ),
        ("GOSUMDB = \"OFF\"", "bad-gosumdb", "\"OFF\""),
        (
            "GOFLAGS = \"-x -mod=vendor\"",
            "goflags-mod-vendor",
            "-mod=vendor",
        ),
        ("GOTOOLCHAIN = \"1.24\"", "bad-gotoolchain", "\"1.24\""),
        (
            "GOPRIVATE = \"a.b,https://c.d\"",
            "bad-pattern",
            "https://c.d",
        ),
        (
            "GOPROXY = \"direct,https://a.b\"",
            "ignored-hops",
            "https://a.b",
        ),
    ] {
        let text = with_env(env);
        let all = found(&text);
        assert!(
            all.contains(&(leak(code), place.to_owned())),
            "{env}: {all:?}"
        );
    }
    let targets = "[target.gw]\nicmp = \"10.0.0.1\"";
    for (table, code, place) in [
        ("{ fastest = [\"proxy\", \"gw\"] }", "not-a-proxy", "\"gw\""),
        (
            "{ fastest = [\"proxy\"], separator = \";\" }",
            "bad-value",
            "\";\"",
        ),
        (
            "{ fastest = [\"proxy\"], then = \"Direct\" }",
            "bad-goproxy",
            "Direct",
        ),
        ("{ fastest = \"proxy\" }", "wrong-type", "\"proxy\""),
    ] {
        let text = format!(
            "{}env = {{ GOPROXY = {table} }}\n",
            policy(targets, "{ up = \"gw\" }")
        );
        let all = found(&text);
        assert!(
            all.contains(&(leak(code), place.to_owned())),
            "{table}: {all:?}"
        );
    }
}

#[test]
fn syntax_errors_come_several_at_once_and_do_not_hide_the_rest() {
    let text = "version = 1\n[agent]\nsettel = \"1s\"\n[target.x]\ngoproxy = \"https://x\n\
                [[profile]]\nname = \"a\"\nname = \"b\"\nenv = { GOPROXY = direct }\n";
    let codes: Vec<&str> = found(text).into_iter().map(|(code, _)| code).collect();
    assert_eq!(codes, ["unknown-key", "syntax", "duplicate-key", "syntax"]);
    assert!(read(text).policy.is_none());
}

#[test]
fn what_broken_syntax_hides_is_not_guessed_at() {
    let codes =
        |text: &str| -> Vec<&str> { found(text).into_iter().map(|(code, _)| code).collect() };
    let broken = "version = 1\n# [target.corp]\nfall = \n[[profile]]\nname = \"a\"\n\
                  when = { any = [{ up = \"corp\" }, { up = \"cropp\" }] }\n";
    // `corp` may be meant to be defined, `cropp` is nowhere, and the end may be missing.
    assert_eq!(codes(broken), ["syntax", "unknown-target"]);
    let twice = "version = 1\n[agent]\nfall = 1\nfall = 2\n[[profile]]\nname = \"a\"\n\
                 when = { up = \"x\" }\n";
    assert_eq!(
        codes(twice),
        ["duplicate-key", "no-catch-all", "unknown-target"]
    );
}

#[test]
fn a_warning_does_not_refuse_the_policy_and_an_error_does() {
    let parsed = read("version = 1\n[target.a]\nicmp = \"10.0.0.1\"\n[[profile]]\nname = \"x\"\n");
    assert_eq!(parsed.findings[0].severity, Severity::Warning);
    assert!(parsed.policy.is_some());
    let parsed = read("version = 1\nx = 1\n[[profile]]\nname = \"x\"\n");
    assert_eq!(parsed.findings[0].severity, Severity::Error);
    assert!(parsed.policy.is_none());
}

#[test]
fn credentials_are_warned_of_and_never_repeated() {
    for text in [
        with_target("goproxy = \"https://joe:s3cret@a.b\""),
        with_target("goproxy = \"https://joe:s3cret@a b\""),
        with_target("goproxy = \"joe:s3cret@a.b\""),
        with_target("goproxy = \"http://joe:s3cret@a.b\""),
        with_target("sumdb = \"sum.golang.org https://joe:s3cret@a.b\""),
        with_target("https = \"https://joe:s3cret@a.b\""),
        with_env("GOPROXY = \"https://joe:s3cret@a.b,direct\""),
        with_env("GOPROXY = \"http://joe:s3cret@a.b,direct\""),
        with_env("GOPROXY = \"joe:s3cret@a.b:x,Direct\""),
        with_env("GOINSECURE = \"https://joe:s3cret@a.b\""),
    ] {
        let findings = read(&text).findings;
        assert!(!findings.is_empty());
        for finding in findings {
            let said = format!("{finding:?}");
            assert!(!said.contains("s3cret"), "{said}");
        }
    }
    let codes: Vec<&str> = found(&with_target("goproxy = \"https://joe:s3cret@a.b\""))
        .into_iter()
        .map(|(code, _)| code)
        .collect();
    assert_eq!(codes, ["credentials-in-policy"]);
}

#[test]
fn hostile_sizes_are_refused_quickly() {
    let huge = format!("version = 1\nx = \"{}\"\n", "a".repeat(10 << 20));
    let finding = read(&huge).findings.remove(0);
    assert_eq!(finding.code, "too-long");
    assert_eq!(decode(huge.as_bytes()).unwrap_err().code, "too-long");

    for deep in [
        policy(
            "",
            &format!(
                "{}{{ up = \"proxy\" }}{}",
                "{ not = ".repeat(40),
                " }".repeat(40)
            ),
        ),
        policy(
            "",
            &format!("{}{}", "{ not = ".repeat(100_000), " }".repeat(100_000)),
        ),
        policy(
            "",
            &format!("{}{}", "[".repeat(500_000), "]".repeat(500_000)),
        ),
        format!("version = 1\n[{}a]\n", "a.".repeat(300_000)),
    ] {
        let parsed = read(&deep);
        assert!(parsed.policy.is_none());
        assert!(parsed.findings.len() <= 101);
    }
    let many = format!(
        "version = 1\n{}[[profile]]\nname = \"a\"\n",
        (0..50_000)
            .map(|i| format!("k{i} = 1\n"))
            .collect::<String>()
    );
    assert_eq!(
        read(&many).findings.last().unwrap().code,
        "too-many-findings"
    );
}

#[test]
fn many_warnings_take_nothing_away_from_the_policy() {
    let targets: String = (0..200)
        .map(|i| format!("[target.t{i}]\ngoproxy = \"https://u:p@h{i}.b\"\n"))
        .collect();
    let text = format!(
        "version = 1\n{targets}[[profile]]\nname = \"a\"\nenv = {{ GOPROXY = \"off\", GOFLAGS = \"\" }}\n"
    );
    let parsed = read(&text);
    assert_eq!(parsed.findings.len(), 101);
    let warning = |finding: &Finding| finding.severity == Severity::Warning;
    assert!(parsed.findings.iter().all(warning));
    let policy = parsed.policy.unwrap();
    assert_eq!(
        (policy.targets.len(), policy.profiles[0].env.len()),
        (200, 2)
    );
}

#[test]
fn a_full_file_is_read_in_a_moment_whatever_it_is_full_of() {
    let fill = |unit: &dyn Fn(usize) -> String, room: usize| {
        let mut text = String::new();
        for i in 0.. {
            let unit = unit(i);
            if text.len() + unit.len() > room {
                return text;
            }
            text.push_str(&unit);
        }
        text
    };
    const ROOM: usize = (1 << 20) - 2000;
    let targets = (0..250)
        .map(|i| format!("[target.t{i}]\ngoproxy = \"https://t{i}.b\"\nprivate = true\n"))
        .collect::<String>();
    let names = fill(&|i| format!("\"t{}\",", i % 250), 700_000);
    let wrong = fill(&|i| format!("\"u{i}\","), 700_000);
    let hops = fill(&|i| format!("t{}.b,", i % 250), 700_000);
    for text in [
        fill(&|i| format!("k{i} = = \n"), ROOM),
        fill(&|i| format!("versio{i} = 1\n"), ROOM),
        fill(&|i| format!("[target.t{i}]\nicmp = \"1.1.1.1\"\n"), ROOM),
        fill(
            &|i| format!("[[profile]]\nname = \"{i}\"\nwhen = {{ online = true }}\n"),
            ROOM,
        ),
        fill(
            &|i| format!("[[profile]]\nenv = {{ GOPROXXY{i} = \"\" }}\n"),
            ROOM,
        ),
        format!(
            "{targets}[[profile]]\nname = \"a\"\nwhen = {{ at_least = {{ n = 2, of = [{names}] }} }}\n"
        ),
        format!(
            "{targets}[[profile]]\nname = \"a\"\nwhen = {{ at_least = {{ n = 2, of = [{wrong}] }} }}\n"
        ),
        format!(
            "{targets}[[profile]]\nname = \"a\"\nenv = {{ GOPROXY = {{ fastest = [{names}] }} }}\n"
        ),
        format!("{targets}[[profile]]\nname = \"a\"\nenv = {{ GOPROXY = \"{hops}\" }}\n"),
        format!(
            "{targets}[[profile]]\nname = \"a\"\nenv = {{ GOPROXY = \"{}\" }}\n",
            &hops[..8000]
        ),
        format!(
            "[[profile]]\nname = \"a\"\nenv = {{ GOPRIVATE = \"{}\" }}\n",
            "[a-z]*,".repeat(1000)
        ),
        format!(
            "[[profile]]\nname = \"a\"\nenv = {{ GOFLAGS = \"{}\" }}\n",
            "${HOME}".repeat(100_000)
        ),
    ] {
        let started = std::time::Instant::now();
        let parsed = read(&format!("version = 1\n{text}"));
        assert!(parsed.findings.len() <= 101);
        // Some hundred times what it takes, so that a busy machine does not fail it.
        assert!(
            started.elapsed().as_secs() < 10,
            "{:?}: {:.100}",
            started.elapsed(),
            text
        );
    }
}

#[test]
fn conditions_nest_to_a_depth_and_no_further() {
    let nested = |depth: usize| {
        let when = format!(
            "{}{{ up = \"proxy\" }}{}",
            "{ not = ".repeat(depth),
            " }".repeat(depth)
        );
        read(&policy("", &when))
    };
    assert!(nested(31).policy.is_some());
    assert_eq!(nested(32).findings[0].code, "too-deep");
}

#[test]
fn text_that_is_not_utf8_is_named_by_its_line() {
    let finding = decode(b"version = 1\n# caf\xe9\n").unwrap_err();
    assert_eq!(finding.code, "not-utf8");
    assert!(finding.message.contains("line 2"), "{}", finding.message);
    assert_eq!(decode("# café".as_bytes()), Ok("# café"));
}

#[test]
fn a_whole_policy_becomes_what_it_says() {
    let text = "\u{feff}version = 1\n\
        [agent]\nrecheck = \"off\"\nsettle = \"1h30m\"\n[[profile]]\nname = \"a\"\n";
    assert_eq!(found(text), [("out-of-range", "\"1h30m\"".to_owned())]);

    let text = r#"
version = 1
[agent]
recheck = "1h30m"
fall = 3
on_drift = "restore"
go = "bin/go"
[probe]
connect = "1s"
retries = 0
[target.corp]
goproxy = "https://goproxy.corp.example/"
ca = ["corp.pem", "~/ca.pem"]
pin = "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
private = true
total = "20s"
[target.m]
mirror = "${HOME}/go-mirror"
[target.git]
tcp = "[::1]:22"
[[profile]]
name = "a"
when = { any = [{ up = "corp" }, { not = { up = "m" } }, { down = "git" }, { subnet = "10.1.2.3/8" }, { search_domain = "Corp.Example." }] }
env = { GOPROXY = { fastest = ["corp"], then = "direct" } }
[[profile]]
name = "b"
"#;
    let parsed = read(text);
    assert_eq!(parsed.findings, []);
    let policy = parsed.policy.unwrap();
    assert_eq!(policy.agent.recheck.unwrap().as_secs(), 5400);
    assert_eq!(policy.agent.go, Some(PathBuf::from("/etc/goroam/bin/go")));
    let corp = &policy.targets["corp"];
    assert_eq!(corp.goproxy_url(), Some("https://goproxy.corp.example"));
    assert_eq!(
        corp.ca,
        [
            PathBuf::from("/etc/goroam/corp.pem"),
            PathBuf::from("/home/me/ca.pem")
        ]
    );
    assert_eq!(
        (corp.limits.connect.as_secs(), corp.limits.total.as_secs()),
        (1, 20)
    );
    assert_eq!(
        (corp.limits.first_byte.as_secs(), corp.limits.retries),
        (5, 0)
    );
    assert_eq!(corp.pins.len(), 1);
    let said = format!("{:?}", policy.profiles[0]);
    assert!(said.contains("Subnet(10.0.0.0/8)"), "{said}");
    assert!(said.contains("SearchDomain(\"corp.example\")"), "{said}");
    assert!(format!("{:?}", policy.targets["m"].kind).contains("/home/me/go-mirror"));
    assert!(format!("{:?}", policy.targets["git"].kind).contains("\"::1\""));
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,200}") {
        read(&text);
    }

    #[test]
    fn no_toml_makes_it_panic(
        parts in proptest::collection::vec(
            proptest::sample::select(vec![
                "version = 1\n", "[target.t]\n", "[[profile]]\n", "[agent]\n", "[probe]\n",
                "name = \"é\"\n", "when = ", "{ all = [", "] }", "{ up = \"t\" }", ", ", "\n",
                "goproxy = \"https://ü:p@h\"\n", "env = { GOPROXY = \"", "\" }\n", "file://${", "}",
                "sumdb = \"sum.golang.org\"\n", "pin = ['''\n''']\n", "\"\"\"", "'", "\\u00e9", "ä",
            ]),
            0..40,
        )
    ) {
        let text = parts.concat();
        for finding in read(&text).findings {
            for label in finding.primary.iter().chain(&finding.related) {
                proptest::prop_assert!(text.get(label.span.clone()).is_some(), "{:?}", label);
            }
        }
    }
}
