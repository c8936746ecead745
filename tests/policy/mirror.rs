//! `[mirror]`, `keep_ready`, `${MIRROR}` and what `offline` becomes of them.

use std::collections::BTreeMap;
use std::path::Path;

use goroam::environment::Environment;
use goroam::model::{Observation, Phases, Proof, Snapshot, TargetKind, Verdict};
use goroam::paths::Paths;
use goroam::policy::templates::{Company, Template};
use goroam::policy::{DecisionFacts, FastestFacts, Gaps, Policy, TargetState, decide};

use crate::policies::read;

fn codes(text: &str) -> Vec<&'static str> {
    read(text).findings.iter().map(|one| one.code).collect()
}

/// A policy with this `[mirror]` and this in its only profile.
fn with(mirror: &str, profile: &str) -> String {
    format!("version = 1\n[mirror]\n{mirror}\n[[profile]]\nname = \"all\"\n{profile}\n")
}

#[test]
fn the_mirror_s_table_is_read() {
    let text = with(
        "path = \"~/m\"\nkeep_ready = true\nmax_size = \"1.5 GB\"",
        "keep_ready = true",
    );
    let parsed = read(&text);
    assert_eq!(parsed.findings, []);
    let policy = parsed.policy.unwrap();
    let mirror = &policy.mirror;
    assert_eq!(mirror.path.as_deref(), Some(Path::new("/home/me/m")));
    assert_eq!((mirror.keep_ready, mirror.max_size), (true, 1_500_000_000));
    assert!(policy.profiles[0].keep_ready);
    let plain = read(&with("", "")).policy.unwrap();
    assert_eq!(plain.mirror.max_size, 5_000_000_000);
    assert!(!plain.mirror.keep_ready && !plain.profiles[0].keep_ready);
}

#[test]
fn slips_in_it_are_named_with_the_way_out() {
    for (mirror, profile, code, words) in [
        ("pth = \"/m\"", "", "unknown-key", "write `path`"),
        ("keepready = true", "", "unknown-key", "write `keep_ready`"),
        ("path = 3", "", "wrong-type", "path"),
        ("path = \"file:///m\"", "", "bad-path", "~/go-mirror"),
        ("keep_ready = \"yes\"", "", "wrong-type", "keep_ready"),
        ("max_size = 5", "", "wrong-type", "5GB"),
        ("max_size = \"5 pounds\"", "", "bad-size", "5GB"),
        ("max_size = \"0\"", "", "bad-size", "5GB"),
        ("", "keep_ready = 1", "wrong-type", "keep_ready"),
        (
            "keep_ready = true",
            "",
            "keep-ready-nowhere",
            "keep_ready = true",
        ),
    ] {
        let text = with(mirror, profile);
        let found = read(&text).findings;
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert_eq!(found[0].code, code, "{text}");
        let said = format!(
            "{} {}",
            found[0].message,
            found[0].help.clone().unwrap_or_default()
        );
        assert!(said.contains(words), "{text}: {said}");
        assert!(found[0].primary.is_some(), "{text}");
    }
    assert_eq!(
        codes("version = 1\nmirror = 3\n[[profile]]\nname = \"a\"\n"),
        ["wrong-type"]
    );
}

#[test]
fn the_mirror_s_folder_is_named_by_flag_environment_policy_or_goroam_in_this_order() {
    let folder = tempfile::tempdir().unwrap();
    let here = |name: &str| folder.path().join(name);
    let home = folder.path().to_str().unwrap();
    let env: Environment = [("HOME", home), ("USERPROFILE", home)]
        .into_iter()
        .collect();
    let there = here("env");
    let named: Environment = env
        .iter()
        .chain([("GOROAM_MIRROR", there.to_str().unwrap())])
        .collect();
    let paths = Paths::find(Some(here("goroam.toml")), &env).unwrap();
    let (flag, policy) = (Some(here("flag")), Some(here("policy")));
    assert_eq!(paths.mirror_at(flag, policy.clone(), &named), here("flag"));
    assert_eq!(paths.mirror_at(None, policy.clone(), &named), here("env"));
    assert_eq!(paths.mirror_at(None, policy, &env), here("policy"));
    assert_eq!(paths.mirror_at(None, None, &env), paths.mirror());
    assert!(paths.mirror_at(Some("x".into()), None, &env).is_absolute());
}

fn seen(name: &str, up: bool) -> (String, TargetState) {
    let observation = Observation {
        began_ms: None,
        target: name.to_owned(),
        verdict: if up { Verdict::Up } else { Verdict::Down },
        reason: String::new(),
        failed: None,
        phases: Phases {
            total: Some(1.0),
            ..Phases::default()
        },
        proof: Proof::None,
        definite: true,
        tries: 1,
        silent: false,
        portal_url: None,
        caveat: None,
        speed: None,
    };
    (name.to_owned(), TargetState { observation, up })
}

/// What `offline` sets, with everything on the network down.
fn offline(policy: &Policy, mirror: bool) -> BTreeMap<String, String> {
    let seen: BTreeMap<String, TargetState> = policy
        .targets
        .keys()
        .map(|name| seen(name, mirror && name == "mirror"))
        .collect();
    let facts = DecisionFacts {
        snapshot: &Snapshot::blind(),
        seen: &seen,
        env: &Environment::default(),
        fastest: &FastestFacts::default(),
        gaps: Gaps::default(),
    };
    let decision = decide(policy, facts, None).unwrap();
    assert_eq!(decision.profile, "offline");
    decision.env
}

#[test]
fn offline_takes_the_mirror_where_there_is_one_and_keeps_checksums_on() {
    let company = Company {
        url: "https://goproxy.corp.example".to_owned(),
        host: "goproxy.corp.example".to_owned(),
        sumdb: Some("sum.golang.org https://corp.example/sumdb".to_owned()),
        ..Company::default()
    };
    let all = [
        Template::Default.text().to_owned(),
        Template::Corporate.text().to_owned(),
        company.text(),
        Company {
            sumdb: Some("off".to_owned()),
            ..company
        }
        .text(),
    ];
    for text in all {
        let parsed = read(&text);
        assert_eq!(parsed.findings, [], "{text}");
        let mut policy = parsed.policy.unwrap();
        policy.settle_mirror("/home/me/go mirror".into());
        let with = offline(&policy, true);
        let cache = "file://${GOMODCACHE}/cache/download,off";
        assert_eq!(
            with["GOPROXY"],
            format!("file:///home/me/go mirror,{cache}")
        );
        let without = offline(&policy, false);
        assert_eq!(without["GOPROXY"], cache);
        for env in [with, without] {
            // A URL would pass the proofs in the mirror over.
            assert_eq!(env["GOSUMDB"], "sum.golang.org");
            assert_eq!(env["GONOPROXY"], "none");
        }
    }
}

#[test]
fn a_mirror_target_may_be_the_mirror() {
    let text = "version = 1\n[target.here]\nmirror = \"${MIRROR}\"\n[target.there]\nmirror = \"m\"\n\
        [[profile]]\nname = \"a\"\nwhen = { any = [{ up = \"here\" }, { up = \"there\" }] }\n\
        env = { GOPROXY = \"file://${MIRROR},off\", GONOPROXY = \"none\" }\n[[profile]]\nname = \"b\"\n";
    let parsed = read(text);
    assert_eq!(parsed.findings, []);
    let mut policy = parsed.policy.unwrap();
    policy.settle_mirror("/mirror".into());
    let path = |name: &str| {
        let kind = &policy.targets[name].kind;
        let TargetKind::Mirror { path } = kind else {
            panic!("{kind:?}")
        };
        path.clone()
    };
    assert_eq!(path("here"), Path::new("/mirror"));
    assert_eq!(path("there"), Path::new("/etc/goroam/m"));
    let bad = text.replace("${MIRROR}\"\n[target.there]", "${MIROR}\"\n[target.there]");
    assert!(codes(&bad).contains(&"bad-path"), "{:?}", codes(&bad));
}

#[test]
fn a_policy_that_writes_mod_vendor_for_everybody_is_refused_in_any_spelling() {
    for value in [
        "-mod=vendor",
        "--mod=vendor",
        "-trimpath -mod=vendor",
        "  -mod=vendor\\t-trimpath",
        "'-mod=vendor'",
        "-mod=mod -mod=vendor",
    ] {
        let text = with("", &format!("env = {{ GOFLAGS = \"{value}\" }}"));
        let found = read(&text).findings;
        let one = found.iter().find(|one| one.code == "goflags-mod-vendor");
        let one = one.unwrap_or_else(|| panic!("{value}: {found:?}"));
        assert!(read(&text).policy.is_none(), "{value}");
        let help = one.help.clone().unwrap_or_default();
        assert!(help.contains("goroam exec --tiers vendor"), "{help}");
        let span = one.primary.clone().unwrap().span;
        assert!(text[span].contains("-mod=vendor"), "{value}");
    }
    // go refuses to run with such a value: a flag and its value are one word.
    let text = with("", "env = { GOFLAGS = \"-mod vendor\" }");
    assert_eq!(codes(&text), ["bad-goflags"]);
    for fine in [
        "-mod=readonly",
        "-modfile=vendor.mod",
        "-ldflags=-mod=vendor",
    ] {
        let text = with("", &format!("env = {{ GOFLAGS = \"{fine}\" }}"));
        assert_eq!(codes(&text), [""; 0], "{fine}");
    }
}
