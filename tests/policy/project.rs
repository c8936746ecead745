//! `[[project]]`: which one holds, and what it must not do.

use std::path::Path;
use std::time::{Duration, Instant};

use goroam::policy::file::parse_kept;
use goroam::policy::layers::{Layer, LayerKind};

use crate::policies::*;

const TARGETS: &str = r#"[target.corp]
goproxy = "https://goproxy.corp.example"
private = true
module = "git.corp.example/team/hello@v1.0.0"
"#;

/// A policy of an office, a fallback and these projects.
fn with(projects: &str) -> String {
    format!(
        "version = 1\n{TARGETS}[[profile]]\nname = \"office\"\nwhen = {{ up = \"corp\" }}\n\
         env = {{ GOPROXY = \"https://goproxy.corp.example\", GONOPROXY = \"none\", \
         GOPRIVATE = \"git.corp.example\" }}\n\
         [[profile]]\nname = \"home\"\nenv = {{ GOPROXY = \"https://proxy.golang.org,direct\", \
         GOPRIVATE = \"git.corp.example\" }}\n{projects}"
    )
}

fn project(place: &str, env: &str) -> String {
    with(&format!("[[project]]\n{place}\nenv = {{ {env} }}\n"))
}

fn codes(text: &str) -> Vec<&'static str> {
    found(text).into_iter().map(|(code, _)| code).collect()
}

const DIR: &str = "dir = \"~/oss\"";
const MATCH: &str = "match = \"git.corp.example/*\"";

#[test]
fn the_first_section_that_holds_counts() {
    let text = with(
        "[[project]]\ndir = \"~/oss/special\"\nenv = { GOFLAGS = \"-x\" }\n\
         [[project]]\nmatch = \"git.corp.example/*,gitlab.example\"\nenv = { GOFLAGS = \"-v\" }\n\
         [[project]]\ndir = \"${HOME}/oss\"\nenv = { GOFLAGS = \"-n\" }\n",
    );
    let parsed = read(&text);
    assert_eq!(parsed.findings, []);
    let policy = parsed.policy.unwrap();
    let name = |folder: &str, module: Option<&str>| {
        let is_in = |dir: &Path| Path::new(folder).starts_with(dir);
        let found = policy.project(&is_in, &|| module.map(str::to_owned));
        found.map(|project| project.rules.name.clone())
    };
    for (folder, module, want) in [
        (
            "/home/me/oss/special/x",
            Some("a.test/x"),
            Some("~/oss/special"),
        ),
        ("/home/me/oss/specialised", None, Some("${HOME}/oss")),
        (
            "/home/me/oss",
            Some("gitlab.example/a/b"),
            Some("git.corp.example/*,gitlab.example"),
        ),
        (
            "/home/me",
            Some("git.corp.example/a/v2"),
            Some("git.corp.example/*,gitlab.example"),
        ),
        ("/home/me", Some("git.corp.example"), None),
        ("/home/me", Some("git.corp.example.evil.test/a"), None),
        ("/home/me", None, None),
        ("/home/you/oss", None, None),
    ] {
        assert_eq!(name(folder, module).as_deref(), want, "{folder} {module:?}");
    }
}

#[test]
fn what_a_repository_claims_never_weakens_verification() {
    for env in [
        "GOSUMDB = \"off\"",
        "GONOSUMDB = \"git.corp.example,github.com\"",
        "GOPRIVATE = \"git.corp.example,*\"",
        "GOINSECURE = \"git.corp.example\"",
        "GOFLAGS = \"-insecure\"",
        "GOVCS = \"*:all\"",
        "GO111MODULE = \"off\"",
        "GOTOOLCHAIN = \"go1.12\"",
        "CGO_CFLAGS_ALLOW = \".*\"",
        "GOPROXY = \"http://goproxy.corp.example\", GONOPROXY = \"git.corp.example\"",
    ] {
        for accept in ["", "accept_unauthenticated = true\n"] {
            let matching = project(&format!("{accept}{MATCH}"), env);
            let refused = read(&matching);
            assert!(refused.policy.is_none(), "{env} {accept}");
            let finding = refused
                .findings
                .iter()
                .find(|one| one.code == "loosens-unproven");
            assert!(
                finding
                    .unwrap()
                    .message
                    .starts_with("any repository could "),
                "{env}"
            );
            assert!(finding.unwrap().primary.is_some(), "{env}");
            // A directory is the user's own word; what is weaker there must be accepted by name.
            let own = read(&project(&format!("{accept}{DIR}"), env));
            assert_eq!(
                own.policy.is_some(),
                !accept.is_empty(),
                "{env}: {:?}",
                own.findings
            );
            let code = if accept.is_empty() {
                "loosens-unproven"
            } else {
                "loosens-accepted"
            };
            assert!(own.findings.iter().any(|one| one.code == code), "{env}");
        }
    }
    for (place, env) in [
        (MATCH, "GOFLAGS = \"-mod=mod\""),
        (DIR, "GOTOOLCHAIN = \"local\""),
    ] {
        assert_eq!(codes(&project(place, env)), [""; 0], "{env}");
        let accepted = project(&format!("accept_unauthenticated = true\n{place}"), env);
        assert_eq!(codes(&accepted), ["accept-unneeded"]);
    }
}

#[test]
fn a_project_shows_no_name_that_a_profile_keeps() {
    for (env, why) in [
        ("GOPRIVATE = \"git.other.example\"", "git.corp.example"),
        ("GONOPROXY = \"none\"", "git.corp.example"),
        (
            "GONOSUMDB = \"none\"",
            "the checksum database would be asked for git.corp.example",
        ),
        (
            "GOPROXY = \"https://p.test,direct\"",
            "GOPRIVATE names git.corp.example",
        ),
        (
            "GOSUMDB = \"sum.golang.google.cn\", GONOSUMDB = \"none\"",
            "the checksum database",
        ),
        (
            "GOPROXY = \"https://goproxy.corp.example|direct\"",
            "after `|`",
        ),
    ] {
        for place in [DIR, MATCH] {
            let parsed = read(&project(place, env));
            assert!(parsed.policy.is_none(), "{env}");
            let mut said = parsed.findings.iter().map(|one| one.message.as_str());
            assert!(
                said.any(|said| said.contains(why)),
                "{env}: {:?}",
                parsed.findings
            );
        }
    }
    for env in [
        "GOPRIVATE = \"git.corp.example,git.other.example\"",
        "GOPROXY = \"https://p.test,direct\", GONOPROXY = \"git.corp.example\"",
        "GOPROXY = \"https://goproxy.corp.example\"",
        "GOPROXY = \"off\", GONOPROXY = \"none\"",
        "GOSUMDB = \"sum.golang.google.cn\"",
    ] {
        assert_eq!(codes(&project(MATCH, env)), [""; 0], "{env}");
    }
}

#[test]
fn every_fault_is_found_at_its_place() {
    for (section, code, place) in [
        ("env = { GOFLAGS = \"-v\" }", "missing-key", "[[project]]"),
        (
            "dir = \"~/a\"\nmatch = \"a.test\"",
            "several-conditions",
            "\"a.test\"",
        ),
        ("dir = \"oss\"", "bad-path", "\"oss\""),
        ("dir = \"~joe/oss\"", "bad-path", "\"~joe/oss\""),
        ("dir = \"~/oss/*\"", "bad-path", "\"~/oss/*\""),
        ("match = \"\"", "bad-pattern", "\"\""),
        (
            "match = \"a.test,https://b.test\"",
            "bad-pattern",
            "https://b.test",
        ),
        ("match = 3", "wrong-type", "3"),
        ("drit = \"~/a\"\ndir = \"~/b\"", "unknown-key", "drit"),
        (
            "dir = \"~/a\"\nenv = { GOENV = \"/x\" }",
            "fixed-variable",
            "GOENV",
        ),
        (
            "dir = \"~/a\"\nenv = { PATH = \"/x\" }",
            "unknown-variable",
            "PATH",
        ),
        (
            "dir = \"~/a\"\nenv = { GOPRIVATE = \"\" }",
            "empty-value",
            "\"\"",
        ),
        (
            "dir = \"~/a\"\nenv = { GOBIN = \"${GOPATH}/b\" }",
            "bad-reference",
            "\"${GOPATH}/b\"",
        ),
        (
            "dir = \"~/a\"\nenv = { GOPROXY = { fastest = [\"corp\"] } }",
            "bad-value",
            "{ fastest = [\"corp\"] }",
        ),
        (
            "dir = \"~/a\"\nenv = { GOPROXY = \"https://a.b,Direct\" }",
            "bad-goproxy",
            "Direct",
        ),
        (
            "dir = \"~/a\"\n[[project]]\ndir = \"~/a/b\"",
            "unreachable-project",
            "\"~/a/b\"",
        ),
        (
            "match = \"a.b\"\n[[project]]\nmatch = \"a.b\"",
            "unreachable-project",
            "\"a.b\"",
        ),
    ] {
        let text = with(&format!("[[project]]\n{section}\n"));
        let all = found(&text);
        assert_eq!(all, [(leak(code), place.to_owned())], "{section}");
    }
}

#[test]
fn a_kept_policy_loses_a_project_that_is_refused_now() {
    let text = with(&format!(
        "[[project]]\n{MATCH}\nenv = {{ GOSUMDB = \"off\" }}\n[[project]]\n{DIR}\nenv = {{ GOFLAGS = \"-v\" }}\n"
    ));
    let layer = Layer {
        kind: LayerKind::User,
        path: Path::new("/etc/goroam/goroam.toml"),
        text: &text,
    };
    let (kept, left_out) = parse_kept(&[layer], Some(Path::new("/home/me"))).unwrap();
    let policy = kept.policy.unwrap();
    let left: Vec<&str> = policy
        .projects
        .iter()
        .map(|one| one.rules.name.as_str())
        .collect();
    assert_eq!(
        (left, left_out),
        (vec!["~/oss"], vec!["git.corp.example/*".to_owned()])
    );
    let place = &policy.projects[0].place;
    let is_own =
        matches!(place, goroam::policy::ProjectPlace::Dir(dir) if dir == Path::new("/home/me/oss"));
    assert!(is_own, "{place:?}");
}

#[test]
fn many_projects_beside_many_profiles_are_checked_in_little_time() {
    let mut text = format!("version = 1\n{TARGETS}");
    let list = (0..150)
        .map(|i| format!("h{i}.corp.example"))
        .collect::<Vec<_>>()
        .join(",");
    for i in 0..20 {
        let list = list.replace("h1.", &format!("h{i}x."));
        text.push_str(&format!(
            "[[profile]]\nname = \"p{i}\"\nwhen = {{ up = \"corp\" }}\n\
             env = {{ GOPROXY = \"https://p.test,direct\", GOPRIVATE = \"git.corp.example,{list}\" }}\n"
        ));
    }
    text.push_str("[[profile]]\nname = \"last\"\n");
    for i in 0..65 {
        text.push_str(&format!(
            "[[project]]\ndir = \"~/{i}\"\nenv = {{ GOPRIVATE = \"git.corp.example,*x.corp.example,{list}\" }}\n"
        ));
    }
    let began = Instant::now();
    let codes = codes(&text);
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "{:?}",
        began.elapsed()
    );
    println!("{:?} for 64 projects beside 21 profiles", began.elapsed());
    assert!(codes.contains(&"too-many"), "{codes:?}");
}
