//! `goroam status`, and `goroam once`, which prints what it set.

use insta::assert_snapshot;

use crate::cli::User;
use crate::{POLICY, screen, screen_with_go, without_network};

#[test]
fn before_the_first_turn() {
    let user = User::new();
    user.write(".config/goroam/goroam.toml", POLICY);
    assert_snapshot!(without_network(&screen(&user, "status")), @r"
    $ goroam status
    ○ no profile yet · no agent is running; `goroam once` chooses one
      network   …

      local     ·                 not needed
    [exit 0]
    ");
}

#[test]
fn after_a_turn() {
    let user = User::new();
    user.write(".config/goroam/goroam.toml", POLICY);
    let Some(once) = screen_with_go(&user, "once") else {
        return;
    };
    assert_snapshot!(once, @r"
    $ goroam once
    none → offline  (local: nothing listens at 127.0.0.1:1)
      GOPROXY  off
      undo: goroam restore; took N ms
    [exit 0]
    ");
    assert_snapshot!(without_network(&screen(&user, "status")), @r"
    $ goroam status
    ○ offline · since N:N (N s), switched in N ms no agent is running
      network   …
      why       local: nothing listens at 127.0.0.1:1
      from      nowhere: anything not yet downloaded fails at once
      GOPROXY   off                                 was not set

      local ✗ down N ms nothing listens at 127.0.0.1:1
    [exit 0]
    ");
    let run = user.goroam("status").env("GOPROXY", "direct");
    assert_snapshot!(without_network(&crate::shown(&user, run, "status")), @r"
    $ goroam status
    ○ offline · since N:N (N s), switched in N ms no agent is running
      network   …
      why       local: nothing listens at 127.0.0.1:1
      from      nowhere: anything not yet downloaded fails at once
      GOPROXY   off                                 was not set

      local ✗ down N ms nothing listens at 127.0.0.1:1

    ! GOPROXY is also set in this shell's environment (direct), which wins over
      `go env -w`. `unset GOPROXY` to let goroam's value count.
    [exit 0]
    ");
    assert_snapshot!(screen_with_go(&user, "use cache").unwrap(), @r"
    $ goroam use cache
    offline → cache  (chosen by hand)
      GOPROXY  http://127.0.0.1:1,direct
      undo: goroam restore; took N ms
    [exit 0]
    ");
    assert_snapshot!(screen_with_go(&user, "restore").unwrap(), @r"
    $ goroam restore
    cache → none
      GOPROXY  no longer set
      put back as before goroam: GOPROXY
      `goroam auto` lets goroam choose again
    [exit 0]
    ");
}
