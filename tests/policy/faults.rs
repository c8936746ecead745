//! Every fault of a policy file is found, in one run, at its place.

use crate::policies::*;

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
        ("[relay]\nkeep = true", "keep-nowhere", "true"),
        (
            "[mirror]\nkeep_ready = false\n[relay]\nkeep = true",
            "keep-nowhere",
            "true",
        ),
        ("[relay]\nmax_size = \"0B\"", "bad-size", "\"0B\""),
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
            "goproxy = \"https://a.b\"\nmodule = \"a.b/c@v1.0.0\"\nzip_sum = \"x\"",
            "bad-sum",
            "\"x\"",
        ),
        (
            "goproxy = \"https://a.b\"\nzip_sum = \"h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"",
            "sum-without-module",
            "\"h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"",
        ),
        ("goproxy = \"https://a.b\"\nrelay = 3", "wrong-type", "3"),
        (
            "goproxy = \"https://a.b\"\nrelay = { first_bite = \"20s\" }",
            "unknown-key",
            "first_bite",
        ),
        (
            "goproxy = \"https://a.b\"\nrelay = { stall = \"soon\" }",
            "bad-duration",
            "\"soon\"",
        ),
        (
            "goproxy = \"https://a.b\"\nrelay = { retries = 11 }",
            "out-of-range",
            "11",
        ),
        (
            "goproxy = \"https://a.b\"\nrelay = { deadline = \"1m\" }",
            "unknown-key",
            "deadline",
        ),
        (
            "https = \"https://a.b\"\nrelay = { retries = 0 }",
            "key-of-other-kind",
            "relay",
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
            "goproxy = \"http://a.b\"\npin = \"sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"",
            "needs-tls",
            "pin",
        ),
        (
            "sumdb = \"sum.golang.org\"\nvia = \"HTTP://a.b\"\nca = \"c.pem\"",
            "needs-tls",
            "ca",
        ),
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
            format!(
                "[[profile]]\nname = \"a\"\n{up}[[profile]]\nname = \"b\"\n\
                 when = {{ down = \"proxy\" }}\n[[profile]]\nname = \"a\"\n"
            ),
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
fn a_mark_that_toml_stumbles_over_is_shown_with_the_right_one() {
    for (line, words) in [
        (
            "name = “a”",
            "`“` (U+201C) is not `\"`: write `\"` (U+0022)",
        ),
        ("name ＝ \"a\"", "`＝` (U+FF1D) is not `=`"),
        (
            "env = { CC = \"a\"，CXX = \"b\" }",
            "`，` (U+FF0C) is not `,`",
        ),
        ("name =\u{a0}\"a\"", "U+00A0 looks like a space"),
    ] {
        let text = format!("version = 1\n[[profile]]\n{line}\n");
        let found = read(&text).findings;
        let helped = |finding: &goroam::policy::PolicyFinding| {
            finding
                .help
                .as_ref()
                .is_some_and(|help| help.contains(words))
        };
        assert!(found.iter().any(helped), "{line}: {found:?}");
    }
}
