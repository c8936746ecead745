//! Policies that are large, deep, broken or hostile, and one that is whole.

use std::path::PathBuf;

use goroam::policy::file::decode;
use goroam::policy::{PolicyFinding, Severity};

use crate::policies::*;

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
        ("CC = \"./cc\"", "bad-value", "\"./cc\""),
        ("CXX = \" \"", "bad-value", "\" \""),
        ("CC = \"'gcc\"", "bad-value", "\"'gcc\""),
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
    let warning = |finding: &PolicyFinding| finding.severity == Severity::Warning;
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
relay = { first_byte = "20s", retries = 0 }
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
    let relay = corp.relay;
    assert_eq!(
        (relay.first_byte.map(|span| span.as_secs()), relay.retries),
        (Some(20), Some(0))
    );
    assert_eq!((relay.connect, relay.stall), (None, None));
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

#[test]
fn a_first_byte_that_is_given_is_meant_and_patience_is_given_beside_it() {
    let seconds = |probe: &str, target: &str| {
        let text = format!(
            "version = 1\n[probe]\n{probe}\n[target.t]\ngoproxy = \"https://p.test\"\n{target}\n\
             [[profile]]\nname = \"a\"\n"
        );
        let parsed = read(&text);
        let policy = parsed
            .policy
            .unwrap_or_else(|| panic!("{:?}", parsed.findings));
        let target = &policy.targets["t"];
        let limits = target.limits;
        let patience = target.patience().map(|patience| patience.as_secs());
        (
            limits.first_byte.as_secs(),
            patience,
            limits.total.as_secs(),
        )
    };
    assert_eq!(seconds("", ""), (5, Some(60), 8));
    assert_eq!(seconds("", "patience = \"90s\""), (5, Some(90), 8));
    assert_eq!(seconds("first_byte = \"2s\"", ""), (2, None, 8));
    assert_eq!(
        seconds("first_byte = \"2s\"", "patience = \"30s\""),
        (2, Some(30), 8)
    );
    assert_eq!(seconds("patience = \"30s\"", ""), (5, Some(30), 8));
    assert_eq!(seconds("patience = \"1s\"", ""), (5, None, 8));
    // A long wait that the default end of the try cut short would be none.
    assert_eq!(seconds("", "first_byte = \"40s\""), (40, None, 43));
    assert_eq!(
        seconds("", "first_byte = \"40s\"\ntotal = \"9s\""),
        (40, None, 9)
    );
    let parsed = read("version = 1\n[probe]\npatience = \"1h\"\n[[profile]]\nname = \"a\"\n");
    assert_eq!(parsed.findings.len(), 1, "{:?}", parsed.findings);
    // Only what fetches on demand is worth it.
    let page =
        read("version = 1\n[target.t]\nhttps = \"https://p.test\"\n[[profile]]\nname = \"a\"\n");
    assert_eq!(page.policy.unwrap().targets["t"].patience(), None);
}

#[test]
fn no_key_and_no_store_of_a_fleet_is_left_out_in_silence() {
    let keys = |count: usize| format!("{:?}", vec!["E7620F1842B4E81F"; count]);
    let urls = |count: usize| format!("{:?}", vec!["https://policy.example/p.toml"; count]);
    let public = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
    let codes = |retired: usize, stores: usize| {
        let text = format!(
            "version = 1\n[policy]\nretire_keys = {}\n[fleet]\nurl = {}\nkeys = [{public:?}]\n\
             [[profile]]\nname = \"p\"\n",
            keys(retired),
            urls(stores)
        );
        let findings = parsed(&text).findings.into_iter();
        Vec::from_iter(findings.map(|finding| finding.code))
    };
    assert_eq!(codes(8, 8), [""; 0]);
    assert_eq!(codes(9, 8), ["out-of-range"]);
    assert_eq!(codes(8, 9), ["out-of-range"]);
}
