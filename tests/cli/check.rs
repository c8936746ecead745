//! What `check` shows of policies that are wrong, and what a wrong policy does to the others.

use crate::cli::User;

const LOOSE: &str = r#"version = 1
[[profile]]
name = "intranet"
when = { subnet = "10.0.0.0/8" }
env  = { GOPROXY = "direct", GOSUMDB = "off" }
[[profile]]
name = "offline"
env  = { GOPROXY = "off" }
"#;

#[test]
fn a_script_gets_every_finding_of_a_file_with_its_place_in_one_run() {
    let user = User::new();
    let text = "version = 1\nverison = 2\n[[profile]]\nname = \"a\"\nwhen = { up = \"crop\" }\n";
    user.write("bad.toml", text);
    let json = user.goroam("check bad.toml --json").exits(2).json();
    let findings = json["findings"].as_array().unwrap();
    assert_eq!((&json["errors"], findings.len()), (&3.into(), 3));
    let key = &findings[0];
    assert_eq!(
        (key["line"].as_u64(), key["column"].as_u64()),
        (Some(2), Some(1))
    );
    assert_eq!(key["severity"], "error");
}

#[test]
fn text_that_is_no_toml_is_a_finding_with_a_place() {
    let user = User::new();
    for text in [
        "version = 1\n[[profile\n",
        "=",
        "version = 1\n\u{feff}x = \"\u{202e}\"\n",
        "ö",
    ] {
        user.write("bad.toml", text);
        user.goroam("check bad.toml").exits(2).says("bad.toml:");
        let json = user.goroam("check bad.toml --json").exits(2).json();
        assert!(json["errors"].as_u64().unwrap() >= 1, "{json}");
    }
}

#[test]
fn warnings_alone_are_shown_and_are_no_failure() {
    let user = User::new();
    let text = LOOSE.replace(
        "env  = { GOPROXY = \"direct\"",
        "accept_unauthenticated = true\nenv  = { GOPROXY = \"direct\"",
    );
    user.write("loose.toml", text);
    user.goroam("check loose.toml")
        .exits(0)
        .says("warning[")
        .says("1 warning");
}

#[test]
fn a_file_of_certificates_that_is_of_no_use_is_a_warning_at_its_name() {
    let user = User::new();
    let text = "version = 1\n[target.a]\nhttps = \"https://a.b\"\nca = [\"gone.pem\", \"key.pem\", \"ca.pem\"]\n\
                [[profile]]\nname = \"a\"\nwhen = { up = \"a\" }\n[[profile]]\nname = \"b\"\n";
    user.write("p.toml", text);
    user.write("key.pem", "-----BEGIN PRIVATE KEY-----\n");
    user.write("ca.pem", "-----BEGIN CERTIFICATE-----\n");
    let json = user.goroam("check p.toml --json").exits(0).json();
    let findings = json["findings"].as_array().unwrap();
    let found: Vec<_> = findings
        .iter()
        .map(|one| (one["code"].as_str().unwrap(), one["column"].as_u64()))
        .collect();
    assert_eq!(found, [("unusable-ca", Some(7)), ("unusable-ca", Some(19))]);
    let said = user.goroam("check p.toml").exits(0).stdout();
    assert!(said.contains("gone.pem is not there"), "{said}");
    assert!(said.contains("key.pem holds no certificate"), "{said}");
}

#[test]
fn strict_makes_every_warning_an_error_and_leaves_notes_alone() {
    let user = User::new();
    let policy = |chain: &str| {
        format!("version = 1\n[[profile]]\nname = \"a\"\nenv = {{ GOPROXY = \"{chain}\" }}\n")
    };
    user.write("odd.toml", policy("direct,https://a.b"));
    user.goroam("check odd.toml").exits(0).says("1 warning");
    user.goroam("check --strict odd.toml")
        .exits(2)
        .says("error[ignored-hops]")
        .says("1 error");
    let json = user
        .goroam("check --strict --json odd.toml")
        .exits(2)
        .json();
    assert_eq!(json["strict"], true);
    assert_eq!((&json["errors"], &json["warnings"]), (&1.into(), &0.into()));
    assert_eq!(json["findings"][0]["severity"], "error");
    let json = user.goroam("check --json odd.toml").exits(0).json();
    assert_eq!(
        (&json["strict"], &json["warnings"]),
        (&false.into(), &1.into())
    );

    user.write("noted.toml", policy("https://a.b,https://c.d,direct"));
    let json = user
        .goroam("check --strict --json noted.toml")
        .exits(0)
        .json();
    assert_eq!((&json["errors"], &json["notes"]), (&0.into(), &1.into()));
    assert_eq!(json["findings"][0]["severity"], "note");
    user.goroam("check --strict noted.toml")
        .exits(0)
        .says("1 note");

    user.write("right.toml", policy("https://a.b,direct"));
    user.goroam("check --strict right.toml")
        .exits(0)
        .says("no errors");
}

#[test]
fn what_goroam_brings_itself_passes_the_strict_check() {
    let user = User::new();
    for template in ["default", "corporate"] {
        let text = user
            .goroam(&format!("init --print --template {template}"))
            .exits(0)
            .stdout();
        user.write("p.toml", &text);
        user.goroam("check --strict p.toml")
            .exits(0)
            .says("no errors");
    }
}

#[test]
fn a_token_is_not_shown_where_the_check_points_at_it() {
    let user = User::new();
    let text = "version = 1\n[[profile]]\nname = \"a\"\n\
                env = { GOPROXY = \"https://a.b?token=s3cret,direct\" }\n";
    user.write("p.toml", text);
    let done = user
        .goroam("check --strict p.toml")
        .exits(2)
        .says("credentials-in-policy");
    assert!(!done.all().contains("s3cret"), "{}", done.all());
    let json = user.goroam("check --json p.toml").exits(0).json();
    assert!(!json.to_string().contains("s3cret"), "{json}");
}
