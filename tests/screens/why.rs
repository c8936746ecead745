//! `goroam why`

use insta::assert_snapshot;

use crate::cli::User;
use crate::{POLICY, screen_with_go};

#[test]
fn the_profile_with_its_conditions_and_those_that_were_passed_over() {
    let user = User::new();
    user.write(".config/goroam/goroam.toml", POLICY);
    let Some(why) = screen_with_go(&user, "why") else {
        return;
    };
    assert_snapshot!(why, @r"
    $ goroam why
    offline was chosen because it always holds
    cache was not, because
      ✗ up local  nothing listens at 127.0.0.1:1
    Loosens nothing. Modules come from nowhere: anything not yet downloaded fails at
    once. Decided in N ms. Only looked: nothing was written.
    [exit 0]
    ");
    screen_with_go(&user, "once").unwrap();
    screen_with_go(&user, "use cache").unwrap();
    assert_snapshot!(screen_with_go(&user, "why").unwrap(), @r"
    $ goroam why
    cache was chosen by hand; `goroam auto` ends that
    Loosens nothing. Modules come from module proxy 127.0.0.1. Decided in N ms.
    local was not waited for. Turn 2 in the journal.
    [exit 0]
    ");
}
