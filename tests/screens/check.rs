//! `goroam check`

use insta::assert_snapshot;

use crate::cli::User;
use crate::{POLICY, screen};

const ODD: &str = r#"version = 1
verison = 2

[[profile]]
name = "intranet"
when = { subnet = "10.0.0.0/8" }
env = { GOPROXY = "direct", GOSUMDB = "off" }

[[profile]]
name = "offline"
env = { GOPROXY = "off", GONOSUMDB = "*" }
"#;

#[test]
fn a_policy_without_errors_is_one_line() {
    let user = User::new();
    user.write("p.toml", POLICY);
    assert_snapshot!(screen(&user, "check p.toml"), @r"
    $ goroam check p.toml
    ✓ p.toml: no errors; 2 profiles, 1 target
    [exit 0]
    ");
    assert_snapshot!(screen(&user, "check"), @r"
    $ goroam check
    ✓ built-in default: no errors; 3 profiles, 9 targets
    [exit 0]
    ");
}

#[test]
fn each_finding_shows_its_line_and_the_way_out() {
    let user = User::new();
    user.write("odd.toml", ODD);
    assert_snapshot!(screen(&user, "check odd.toml"), @r#"
    $ goroam check odd.toml
    error[unknown-key]: unknown key `verison` in the policy
      ╭▸ odd.toml:2:1
      │
    2 │ verison = 2
      │ ━━━━━━━ did you mean `version`?
      │
      ╰ help: write `version`

    error[loosens-unproven]: anyone on the network could switch checksum
                             verification off
      ╭▸ odd.toml:7:39
      │
    6 │ when = { subnet = "10.0.0.0/8" }
      │        ───────────────────────── a subnet proves nothing: any access point can hand it out
    7 │ env = { GOPROXY = "direct", GOSUMDB = "off" }
      │                                       ━━━━━ nothing may make this weaker
      │
      ╰ help: add a fact that cannot be forged: { up = "corp" }, or keep
              sum.golang.org

    error[loosens-unproven]: anyone on the network could exempt public modules from
                             verification
       ╭▸ odd.toml:11:38
       │
    10 │ name = "offline"
       │        ───────── without `when` it holds on every network
    11 │ env = { GOPROXY = "off", GONOSUMDB = "*" }
       │                                      ━━━ nothing may make this weaker
       │
       ╰ help: add a fact that cannot be forged: { up = "corp" }, or name your own
               hosts only

    3 errors
    [exit 2]
    "#);
}

#[test]
fn a_file_that_is_no_policy_is_an_error() {
    let user = User::new();
    user.write("empty.toml", "");
    user.write("not.toml", "version = 1\n[[profile\n");
    assert_snapshot!(screen(&user, "check empty.toml"), @r"
    $ goroam check empty.toml
    error[empty-policy]: the policy is empty
     ╭▸ empty.toml
     ╰ help: `goroam init` writes one to start from

    1 error
    [exit 2]
    ");
    assert_snapshot!(screen(&user, "check not.toml"), @r"
    $ goroam check not.toml
    error[syntax]: unclosed array table, expected `]]`
      ╭▸ not.toml:2:10
      │
    2 │ [[profile
      ╰╴         ━

    1 error
    [exit 2]
    ");
    assert_snapshot!(screen(&user, "check gone.toml"), @r"
    $ goroam check gone.toml
    goroam: gone.toml: does not exist; `goroam init` writes one
    [exit 2]
    ");
}
