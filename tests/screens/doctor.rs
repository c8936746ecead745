//! `goroam doctor`

use insta::assert_snapshot;

use crate::cli::User;
use crate::{POLICY, screen, screen_with_go};

/// How many places are looked at depends on the machine.
fn without_places(text: &str) -> String {
    let (before, after) = text.split_once("looked at ").unwrap();
    let (_, after) = after.split_once(' ').unwrap();
    format!("{before}looked at N {after}")
}

#[test]
fn a_variable_of_this_shell_wins() {
    let user = User::new();
    user.write(".config/goroam/goroam.toml", POLICY);
    if screen_with_go(&user, "once").is_none() {
        return;
    }
    let clean = screen_with_go(&user, "doctor").unwrap();
    assert_snapshot!(without_places(&clean), @r"
    $ goroam doctor
    · no agent is running [no-agent]
      Nothing reacts when the network changes.
      → run `goroam service install`, or `goroam agent` in a terminal

    ✓ nothing is in the way: go does what goroam sets; looked at N places
    [exit 0]
    ");
    user.write(".bashrc", "export GOPROXY=direct\n");
    let found = screen_with_go(&user, "doctor").unwrap();
    assert_snapshot!(without_places(&found), @r"
    $ goroam doctor
    ✗ GOPROXY is set to direct in ~/.bashrc:1 [shadowed-by-shell]
      It overrides what goroam wrote, off.
      Reaches bash terminals.
      → delete that line

    · no agent is running [no-agent]
      Nothing reacts when the network changes.
      → run `goroam service install`, or `goroam agent` in a terminal

    1 error, 1 note; looked at N places
    → `goroam doctor --fix` fixes 1 of them: it shows what, and asks
    [exit 1]
    ");
}

#[test]
fn a_line_is_shown_commented_out_and_taken_back() {
    let user = User::new();
    user.write(".config/goroam/goroam.toml", POLICY);
    if screen_with_go(&user, "once").is_none() {
        return;
    }
    user.write(".bashrc", "export GOPROXY=direct\n");
    user.write(".zshrc", "export GOPROXY=$(cat ~/.proxy)\n");
    assert_snapshot!(screen_with_go(&user, "doctor --fix").unwrap(), @r"
    $ goroam doctor --fix
    ! GOPROXY in ~/.bashrc:1
      - export GOPROXY=direct
      + # goroam doctor --fix: GOPROXY hides what `go env` has; undo:
        `goroam doctor --undo`
      + # export GOPROXY=direct

    → 1 finding for you to fix: run `goroam doctor`
    goroam: nothing was changed: `goroam doctor --fix --yes` does it without asking
    [exit 4]
    ");
    assert_snapshot!(screen_with_go(&user, "doctor --fix --yes").unwrap(), @r"
    $ goroam doctor --fix --yes
    ✓ commented out: GOPROXY in ~/.bashrc:1

    → open shells and programs keep the old values: start new ones
    → `goroam doctor --undo` takes it back
    → 1 finding for you to fix: run `goroam doctor`
    [exit 0]
    ");
    assert_snapshot!(screen_with_go(&user, "doctor --fix").unwrap(), @r"
    $ goroam doctor --fix
    ✓ there is nothing that goroam can fix
    → 1 finding for you to fix: run `goroam doctor`
    [exit 0]
    ");
    assert_snapshot!(screen_with_go(&user, "doctor --undo").unwrap(), @r"
    $ goroam doctor --undo
    ✓ taken back: ~/.bashrc
    [exit 0]
    ");
    assert_snapshot!(screen_with_go(&user, "doctor --undo").unwrap(), @r"
    $ goroam doctor --undo
    nothing to take back
    [exit 0]
    ");
}

#[test]
fn a_login_page_in_the_module_cache() {
    let user = User::new();
    assert_snapshot!(screen(&user, "doctor --cache"), @r"
    $ goroam doctor --cache
    ✓ nothing broken was found; 0 versions in ~/go/pkg/mod; zips were
      looked into, not hashed (--hash)
    [exit 0]
    ");
    let at = "go/pkg/mod/cache/download/example.test/a/@v";
    user.write(&format!("{at}/v1.0.0.mod"), "<!DOCTYPE html><html></html>");
    assert_snapshot!(screen(&user, "doctor --cache"), @r"
    $ goroam doctor --cache
    ✗ v1.0.0.mod of example.test/a@v1.0.0 holds an HTML page [cache-mod]
      go fails with “parsing go.mod: missing module line”, or with “checksum
      mismatch” where go.sum knows better, in every project that needs it and on any
      network.
      in the way: ~/go/pkg/mod/cache/download/example.test/a/@v/v1.0.0.mod
      → run `goroam doctor --cache --fix`, which removes just that

    1 broken; 1 version in ~/go/pkg/mod; zips were looked into, not
    hashed (--hash)
    [exit 1]
    ");
    assert_snapshot!(screen(&user, "doctor --cache --fix"), @r"
    $ goroam doctor --cache --fix
    ✓ v1.0.0.mod of example.test/a@v1.0.0 holds an HTML page [cache-mod]
      removed: ~/go/pkg/mod/cache/download/example.test/a/@v/v1.0.0.mod
      → run `go mod download example.test/a@v1.0.0`, or let the next build fetch it

    ✓ 1 removed, nothing else was touched; 1 version in ~/go/pkg/mod;
      zips were looked into, not hashed (--hash)
    [exit 0]
    ");
}
