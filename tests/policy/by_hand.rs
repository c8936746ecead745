//! A mirror that is chosen by hand, laid over a profile: the rules of a policy apply to it.

use goroam::policy::{EnvValue, MIRRORS, MirrorFault, Policy, goproxy_of, lay_over};

use crate::policies::read;

const POLICY: &str = r#"
version = 1
[target.corp]
goproxy = "https://goproxy.corp.test"
private = true
module = "git.corp.test/team/hello@v1.0.0"
[[profile]]
name = "office"
when = { up = "corp" }
env = { GOPROXY = "https://goproxy.corp.test", GOSUMDB = "off", GOPRIVATE = "git.corp.test" }
[[profile]]
name = "outside"
env = { GOPROXY = "direct", GOPRIVATE = "git.corp.test", GOSUMDB = "sum.golang.org" }
"#;

fn policy() -> Policy {
    read(POLICY).policy.unwrap()
}

/// Lays what was typed over `outside`, with these values of GOPRIVATE and GONOPROXY.
fn lay(typed: &str, goprivate: &str, gonoproxy: &str) -> Result<(), MirrorFault> {
    let standing = |name: &str| match name {
        "GOPRIVATE" => Some(goprivate.to_owned()),
        "GONOPROXY" => Some(gonoproxy.to_owned()),
        _ => None,
    };
    let goproxy = goproxy_of(typed).unwrap();
    lay_over(&policy(), typed, &goproxy, ("outside", 0), &standing).map(drop)
}

#[test]
fn every_named_mirror_takes_the_place_of_goproxy_and_of_nothing_else() {
    let policy = policy();
    let outside = policy.profile("outside", 0).unwrap();
    for mirror in MIRRORS {
        let standing = |name: &str| outside.sets(name);
        let laid = lay_over(
            &policy,
            mirror.name,
            mirror.goproxy,
            ("outside", 0),
            &standing,
        )
        .unwrap();
        let mut env = laid.env.clone();
        let goproxy = env.insert("GOPROXY".to_owned(), outside.env["GOPROXY"].clone());
        assert_eq!(goproxy, Some(EnvValue::Text(mirror.goproxy.to_owned())));
        assert_eq!(env, outside.env);
        assert_eq!(laid.over.as_deref(), Some("outside"));
    }
    for neither in ["", "CN", "goproxy.cn", "cn,direct", "outside"] {
        assert_eq!(goproxy_of(neither), None, "{neither}");
    }
}

#[test]
fn private_names_reach_no_proxy_but_the_companys_own() {
    let (own, foreign) = ("https://goproxy.corp.test/", "https://mirror.test");
    for (typed, goprivate, gonoproxy, is_refused) in [
        (foreign, "git.corp.test", "", false),
        (foreign, "git.corp.test", "*.corp.test", false),
        (foreign, "*.corp.test", "*.corp.test,x.test", false),
        (foreign, "", "git.corp.test", false),
        (foreign, "git.corp.test", "none", true),
        (
            foreign,
            "git.corp.test,git.mine.test",
            "git.corp.test",
            true,
        ),
        (foreign, "*.corp.test", "git.corp.test", true),
        (foreign, "", "", true),
        (foreign, "git.other.test", "", true),
        ("cn", "git.corp.test", "none", true),
        (
            "https://127.0.0.1.mirror.test",
            "git.corp.test",
            "none",
            true,
        ),
        (own, "git.corp.test", "none", false),
        ("http://127.0.0.1:3000", "git.corp.test", "none", false),
        ("http://[::1]:3000", "git.corp.test", "none", false),
        ("file:///mirror", "git.corp.test", "none", false),
        ("direct", "git.corp.test", "none", false),
        ("off", "git.corp.test", "none", false),
    ] {
        let laid = lay(typed, goprivate, gonoproxy);
        let refused = matches!(laid, Err(MirrorFault::Unsafe(_)));
        let case = format!("{typed} {goprivate} {gonoproxy}: {laid:?}");
        assert_eq!((laid.is_err(), refused), (is_refused, is_refused), "{case}");
    }
}

#[test]
fn what_a_policy_refuses_is_refused_from_the_command_line_too() {
    for typed in [
        "https://",
        "https:///path",
        "ftp://mirror.test",
        "https://mirror.test|https://other.test",
        "https://mirror.test,off",
        "https://mirror.test https://other.test",
        "https://mirror.test;direct",
        "https://mirror.test\n",
        "https://mirror.test\u{ff0c}direct",
        "file://host/mirror",
        &format!("https://mirror.test/{}", "x".repeat(9000)),
    ] {
        let laid = lay(typed, "git.corp.test", "");
        assert!(
            matches!(laid, Err(MirrorFault::Invalid(_))),
            "{typed}: {laid:?}"
        );
    }
    let plain = lay("http://mirror.test", "git.corp.test", "");
    assert!(matches!(plain, Err(MirrorFault::Unsafe(_))), "{plain:?}");
}

#[test]
fn a_profile_that_verifies_less_is_no_ground_for_a_mirror() {
    let policy = policy();
    let over = |name: &str, goproxy: &str| {
        let standing = |name: &str| policy.profile("office", 0)?.sets(name);
        lay_over(&policy, name, goproxy, ("office", 0), &standing)
    };
    let Err(MirrorFault::Unsafe(why)) = over("cn", "https://goproxy.cn,direct") else {
        panic!("GOSUMDB=off lets any mirror send anything");
    };
    assert!(why.contains("GOSUMDB=off"), "{why}");
    assert!(over("off", "off").is_ok());
    assert!(lay_over(&policy, "cn", "direct", ("gone", 0), &|_| None).is_err());
}
