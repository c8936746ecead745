//! Policies that cannot be followed.

use std::os::unix::fs::symlink;

use crate::bench::{Bench, ENV, POLICY};
use crate::cli::mode;

/// Every kind of slip, each with the place and the words that it must be shown with.
const SLIPS: &[(&str, &[(&str, &str)])] = &[
    ("version = 1", &[]),
    ("[agnt]", &[("2", "did you mean `agent`?")]),
    ("[agent]", &[]),
    ("rechek = \"10m\"", &[("1", "did you mean `recheck`?")]),
    (
        "settle = \"10 minuts\"",
        &[("10", "did you mean \"10 minutes\"?")],
    ),
    ("on_drift = \"restor\"", &[("12", "write \"restore\"")]),
    ("fall = \"two\"", &[("8", "must be a whole number")]),
    ("[probe]", &[]),
    ("conect = \"3s\"", &[("1", "did you mean `connect`?")]),
    ("total = 8", &[("9", "must be a string")]),
    ("[target.cn]", &[]),
    ("goproxy = \"https://goproxy.cn\"", &[]),
    ("privat = true", &[("1", "did you mean `private`?")]),
    ("[target.corp]", &[]),
    (
        "goprox = \"https://corp.example\"",
        &[("1", "did you mean `goproxy`?")],
    ),
    ("[targt.x]", &[("2", "did you mean `target`?")]),
    ("[[profil]]", &[("3", "did you mean `profile`?")]),
    ("[[profile]]", &[]),
    ("name = \"a\"", &[]),
    ("whne = { up = \"cn\" }", &[("1", "did you mean `when`?")]),
    (
        "env = { GOPROXYY = \"off\" }",
        &[("9", "did you mean GOPROXY?")],
    ),
    ("[[profile]]", &[]),
    ("name = \"b\"", &[]),
    ("when = { upp = \"cn\" }", &[("10", "did you mean `up`?")]),
    ("[[profile]]", &[]),
    ("name = \"c\"", &[]),
    (
        "when = { at_least = { nn = 1, of = [\"cn\", \"crop\"] } }",
        &[("23", "did you mean `n`?"), ("43", "did you mean `corp`?")],
    ),
    (
        "env = { GOPROXY = { fastes = [\"cn\"] } }",
        &[("21", "did you mean `fastest`?")],
    ),
    ("[[profile]]", &[]),
    ("name = \"b\"", &[("8", "a second profile is called `b`")]),
    (
        "env = { GOPROXY = { fastest = [\"cm\"], seperator = \",\" } }",
        &[
            ("32", "did you mean `cn`?"),
            ("39", "did you mean `separator`?"),
        ],
    ),
];

#[test]
fn every_slip_of_a_policy_is_shown_in_one_run_with_its_place_and_the_right_spelling() {
    let Some(bench) = Bench::new() else { return };
    let lines: Vec<&str> = SLIPS.iter().map(|(line, _)| *line).collect();
    bench.policy(&lines.join("\n"));
    let json = bench.goroam("check --json").exits(2).json();
    let findings = json["findings"].as_array().unwrap();
    for (number, (line, slips)) in (1_u64..).zip(SLIPS) {
        for (column, words) in *slips {
            let shown = findings.iter().any(|finding| {
                finding["line"] == number
                    && finding["column"].as_u64() == column.parse().ok()
                    && finding.to_string().replace("\\\"", "\"").contains(words)
            });
            assert!(shown, "{number}:{column} {words}: {line}\n{findings:#?}");
        }
    }
    // A turn shows the same errors and no warning, and does nothing.
    let shown = bench.goroam("check").exits(2).stdout();
    assert!(shown.contains(" warning"), "{shown}");
    let is_error = |block: &&str| block.trim_start().starts_with("error[");
    let errors: Vec<&str> = shown.split("\n\n").filter(is_error).collect();
    assert!(!errors.is_empty(), "{shown}");
    for verb in ["once", "agent", "why", "status", "use a"] {
        let done = bench.goroam(verb).exits(2).complains("see `goroam check`");
        let told = done.stderr();
        assert!(errors.iter().all(|error| told.contains(error)), "{told}");
        assert!(!told.contains("warning["), "{told}");
    }
    assert!(!bench.is_there(ENV));
}

#[test]
fn what_is_no_policy_is_refused_by_every_verb_that_follows_one() {
    let Some(bench) = Bench::new() else { return };
    let path = bench.user.policy();
    let all_say = |exit: i32, why: &str| {
        for verb in ["once", "status", "check", "probe", "agent"] {
            let done = bench.goroam(verb).exits(exit);
            assert!(done.all().contains(why), "{why}: {}", done.all());
            assert!(done.all().contains("goroam.toml"), "{}", done.all());
        }
    };
    bench.policy("");
    all_say(2, "`goroam init` writes one");
    bench.policy("# nothing yet\n");
    all_say(2, "error");
    bench.policy(&"#".repeat(10 << 20));
    all_say(2, "exceeds the 1024 KiB limit");
    std::fs::write(&path, b"version = 1\n# \xff\n").unwrap();
    all_say(2, "is not UTF-8 (byte 14, line 2); save it as UTF-8");
    bench.policy(POLICY);
    mode(&path, 0o664);
    all_say(4, "others may write to it (mode 0664); `chmod go-w");
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    all_say(2, "is a folder, not a file");
    std::fs::remove_dir(&path).unwrap();
    bench.user.run("mkfifo").arg(&path).exits(0);
    all_say(2, "is a named pipe, not a file");
    std::fs::remove_file(&path).unwrap();
    // Its disk is not mounted just now: no reason to follow the built-in one.
    symlink(bench.user.path("dotfiles/goroam.toml"), &path).unwrap();
    all_say(2, "is a link to");
    assert!(!bench.is_there(ENV));
}

#[test]
fn a_policy_that_was_named_must_be_there() {
    let Some(bench) = Bench::new() else { return };
    for verb in ["once", "status", "agent", "probe", "why"] {
        let missing = bench.user.path("gone.toml");
        let why = format!(
            "{}: does not exist; `goroam init` writes one",
            missing.display()
        );
        bench
            .goroam(&format!("{verb} --config gone.toml"))
            .exits(2)
            .complains(&why);
        bench
            .goroam(verb)
            .env("GOROAM_CONFIG", "gone.toml")
            .exits(2)
            .complains(&why);
    }
}

#[test]
fn a_profile_or_target_that_the_policy_does_not_have_is_answered_with_the_nearest() {
    let Some(bench) = Bench::new() else { return };
    bench
        .goroam("use onyl")
        .exits(2)
        .complains("no profile or mirror \"onyl\" in")
        .complains("did you mean \"only\"?");
    bench
        .goroam("use x")
        .exits(2)
        .complains("; there are: only");
    bench
        .goroam("probe corp")
        .exits(2)
        .complains("no target or mirror \"corp\" in")
        .complains("; there are: cn, io, aliyun, google, direct, off");
    bench.policy(&format!("{POLICY}[target.corp]\ntcp = \"127.0.0.1:1\"\n"));
    bench
        .goroam("probe crop")
        .exits(2)
        .complains("did you mean \"corp\"?");
}

#[test]
fn restore_needs_no_policy() {
    let Some(bench) = Bench::new() else { return };
    bench.goroam("once").exits(0);
    bench.policy("nonsense");
    bench.goroam("once").exits(2);
    bench.goroam("restore").exits(0);
    assert!(!bench.is_there(ENV));
}
