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
fn a_project_is_checked_like_a_profile() {
    let user = User::new();
    let project = "\n[[project]]\ndir = \"~/oss\"\nenv = { GOFLAGS = \"-mod=mod\" }\n";
    user.write("p.toml", format!("{POLICY}{project}"));
    assert_snapshot!(screen(&user, "check p.toml"), @r"
    $ goroam check p.toml
    ✓ p.toml: no errors; 2 profiles, 1 target, 1 project
    [exit 0]
    ");
    let odd = "\n[[project]]\nmatch = \"git.corp.example/*\"\nenv = { GOSUMDB = \"off\" }\n\
               \n[[project]]\ndir = \"~/oss\"\nenv = { GOVCS = \"*:all\" }\n";
    user.write(
        "p.toml",
        format!("version = 1\n[[profile]]\nname = \"public\"\n{odd}"),
    );
    assert_snapshot!(screen(&user, "check p.toml"), @r#"
    $ goroam check p.toml
    error[loosens-unproven]: any repository could switch checksum verification off
      ╭▸ p.toml:7:19
      │
    6 │ match = "git.corp.example/*"
      │         ──────────────────── a module path proves nothing: any go.mod can have it
    7 │ env = { GOSUMDB = "off" }
      │                   ━━━━━ nothing may make this weaker
      │
      ╰ help: keep sum.golang.org, or name the directory: dir = "~/…"

    error[loosens-unproven]: anyone on the network could let go run svn, bzr or
                             fossil on public code
       ╭▸ p.toml:11:17
       │
    10 │ dir = "~/oss"
       │       ─────── a directory says nothing of the network
    11 │ env = { GOVCS = "*:all" }
       │                 ━━━━━━━ nothing may make this weaker
       │
       ╰ help: leave all but git and hg out, or accept it: accept_unauthenticated
               = true

    2 errors
    [exit 2]
    "#);
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
