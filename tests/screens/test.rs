//! `goroam test`

use insta::assert_snapshot;

use crate::cli::User;
use crate::{POLICY, screen};

const SCENARIOS: &str = r#"[[scenario]]
name = "something listens here"
answers = { local = "up" }
expect = { profile = "cache", env = { GOPROXY = "http://127.0.0.1:1,direct" } }

[[scenario]]
name = "nothing does"
answers = { local = "down" }
expect = { profile = "offline" }
"#;

const WRONG: &str = r#"[[scenario]]
name = "on a tunnel"
network = { kind = "tunnel" }
answers = { local = "down" }
expect = { profile = "cache", env = { GOPROXY = "http://127.0.0.1:1,direct" }, not = { GOSUMDB = "off" } }

[[scenario]]
name = "no answer yet"
expect = { profile = "cache" }
"#;

#[test]
fn what_is_as_expected_is_one_line_each() {
    let user = User::new();
    user.write("p.toml", POLICY);
    user.write("tests/a.toml", SCENARIOS);
    user.write("tests/notes.txt", "not a test");
    assert_snapshot!(screen(&user, "test p.toml tests"), @r"
    $ goroam test p.toml tests
    ✓ something listens here: cache
    ✓ nothing does: offline
    2 scenarios, all as expected
    [exit 0]
    ");
    assert_snapshot!(screen(&user, "check p.toml --tests tests"), @r"
    $ goroam check p.toml --tests tests
    ✓ p.toml: no errors; 2 profiles, 1 target
    ✓ something listens here: cache
    ✓ nothing does: offline
    2 scenarios, all as expected
    [exit 0]
    ");
}

#[test]
fn what_differs_is_shown_with_its_place_and_the_reason() {
    let user = User::new();
    user.write("p.toml", POLICY);
    user.write("wrong.toml", WRONG);
    assert_snapshot!(screen(&user, "test p.toml wrong.toml"), @r#"
    $ goroam test p.toml wrong.toml
    warning[unused-fact]: `kind` changes nothing: no condition of the policy asks
                          for it
      ╭▸ wrong.toml:3:13
      │
    3 │ network = { kind = "tunnel" }
      │             ━━━━
      │
      ╰ help: take it out, or let a condition of the policy ask for it

    1 warning

    ✗ on a tunnel: offline (wrong.toml:2:8)
      profile: expected cache, but offline
      GOPROXY: expected http://127.0.0.1:1,direct, but off
      cache was not chosen, because
      ✗ up local  down in this scenario
      offline was chosen, because
      ✓ always
    ✗ no answer yet: not decided: needs local (wrong.toml:8:8)
      profile: expected cache, but not decided: needs local
      → add what is missing to `answers`, or expect `needs`
    2 scenarios: 2 not as expected
    [exit 1]
    "#);
}

#[test]
fn a_file_that_cannot_be_used_is_not_a_failed_test() {
    let user = User::new();
    user.write("p.toml", POLICY);
    user.write(
        "odd.toml",
        SCENARIOS.replace("nothing does\"", "nothing does\"\nnetwrk = {}"),
    );
    user.write("empty/a.txt", "");
    assert_snapshot!(screen(&user, "test p.toml odd.toml"), @r"
    $ goroam test p.toml odd.toml
    error[unknown-key]: unknown key `netwrk` in [[scenario]]
      ╭▸ odd.toml:8:1
      │
    8 │ netwrk = {}
      │ ━━━━━━ did you mean `network`?
      │
      ╰ help: write `network`

    1 error
    goroam: odd.toml: 1 error
    [exit 2]
    ");
    assert_snapshot!(screen(&user, "test p.toml empty"), @r"
    $ goroam test p.toml empty
    goroam: empty has no file of scenarios (*.toml)
    [exit 2]
    ");
    assert_snapshot!(screen(&user, "test p.toml none.toml"), @r"
    $ goroam test p.toml none.toml
    goroam: cannot read none.toml: No such file or directory (os error 2)
    [exit 2]
    ");
    assert_snapshot!(screen(&user, "test none.toml odd.toml"), @r"
    $ goroam test none.toml odd.toml
    goroam: none.toml: does not exist; `goroam init` writes one
    [exit 2]
    ");
}
