//! `goroam use`

use insta::assert_snapshot;

use crate::cli::User;
use crate::{POLICY, screen, screen_with_go};

#[test]
fn the_profiles_with_what_each_would_set_and_the_mirrors() {
    let user = User::new();
    user.write(".config/goroam/goroam.toml", POLICY);
    assert_snapshot!(screen(&user, "use"), @r"
    $ goroam use
    ✗ cache  does not hold
        GOPROXY  http://127.0.0.1:1,direct
    ✓ offline  holds
        GOPROXY  off

    Mirrors, for GOPROXY alone; all else stays as it is:
      cn      https://goproxy.cn,direct
      io      https://goproxy.io,direct
      aliyun  https://mirrors.aliyun.com/goproxy,direct
      google  https://proxy.golang.org,direct
      direct  direct
      off     off
      URL     URL,direct

    goroam takes the first profile that holds. `goroam use NAME` stays with one,
    with `--for 2h` for two hours; `goroam auto` goes by the network again.
    [exit 0]
    ");
    if screen_with_go(&user, "use cn --for 2h").is_none() {
        return;
    }
    assert_snapshot!(screen_with_go(&user, "use io").unwrap(), @r"
    $ goroam use io
    cn → io  (GOPROXY chosen by hand, all else as in offline)
      GOPROXY  https://goproxy.io,direct
      undo: goroam restore; took N ms
    [exit 0]
    ");
    assert_snapshot!(screen_with_go(&user, "why").unwrap(), @r"
    $ goroam why
    io was chosen by hand for GOPROXY, all else is as in offline; `goroam auto` ends
    that
    Loosens nothing. Modules come from module proxy goproxy.io. Decided in N ms.
    local was not waited for. Turn 2 in the journal.
    [exit 0]
    ");
    assert_snapshot!(screen_with_go(&user, "use").unwrap(), @r"
    $ goroam use
    ✗ cache  does not hold
        GOPROXY  http://127.0.0.1:1,direct
    ✓ offline  holds
        GOPROXY  off
    ▸ io  in force, by hand over offline
        GOPROXY  https://goproxy.io,direct

    Mirrors, for GOPROXY alone; all else stays as it is:
      cn      https://goproxy.cn,direct
      io      https://goproxy.io,direct
      aliyun  https://mirrors.aliyun.com/goproxy,direct
      google  https://proxy.golang.org,direct
      direct  direct
      off     off
      URL     URL,direct

    goroam takes the first profile that holds. `goroam use NAME` stays with one,
    with `--for 2h` for two hours; `goroam auto` goes by the network again.
    [exit 0]
    ");
    assert_snapshot!(screen_with_go(&user, "history").unwrap(), @r"
    $ goroam history
    N:N:N → cn in N ms: asked; chosen by hand
    N:N:N cn → io in N ms: asked; chosen by hand
    [exit 0]
    ");
    assert_snapshot!(screen_with_go(&user, "auto").unwrap(), @r"
    $ goroam auto
    io → offline  (local: nothing listens at 127.0.0.1:1)
      GOPROXY  off
      undo: goroam restore; took N ms
    [exit 0]
    ");
}

#[test]
fn a_narrow_terminal_shows_the_list_too() {
    let user = User::new();
    user.write(".config/goroam/goroam.toml", POLICY);
    let narrow = user.goroam("use").env("COLUMNS", "40");
    assert_snapshot!(crate::shown(&user, narrow, "use"), @r"
    $ goroam use
    ✗ cache  does not hold
        GOPROXY  http://127.0.0.1:1,direct
    ✓ offline  holds
        GOPROXY  off

    Mirrors, for GOPROXY alone; all else
    stays as it is:
      cn      https://goproxy.cn,direct
      io      https://goproxy.io,direct
      aliyun  https://mirrors.aliyun.com/goproxy,direct
      google  https://proxy.golang.org,direct
      direct  direct
      off     off
      URL     URL,direct

    goroam takes the first profile that
    holds. `goroam use NAME` stays with one,
    with `--for 2h` for two hours;
    `goroam auto` goes by the network again.
    [exit 0]
    ");
}

#[test]
fn a_name_that_is_not_there() {
    let user = User::new();
    user.write(".config/goroam/goroam.toml", POLICY);
    assert_snapshot!(screen(&user, "use aliyum"), @r#"
    $ goroam use aliyum
    goroam: no profile or mirror "aliyum" in ~/.config/goroam/goroam.toml; did you mean "aliyun"?
    [exit 2]
    "#);
    assert_snapshot!(screen(&user, "use goproxy.cn"), @r#"
    $ goroam use goproxy.cn
    goroam: no profile or mirror "goproxy.cn" in ~/.config/goroam/goroam.toml; a URL begins with its scheme: https://goproxy.cn
    [exit 2]
    "#);
}

/// A profile with two variants, of which the second holds.
const VARIANTS: &str = r#"version = 1
[target.local]
listening = "127.0.0.1:1"
[[profile]]
name = "cache"
when = { up = "local" }
env = { GOPROXY = "http://127.0.0.1:1,direct" }
[[profile]]
name = "cache"
when = { down = "local" }
env = { GOPROXY = "off", GONOPROXY = "none" }
[[profile]]
name = "offline"
env = { GOPROXY = "off" }
"#;

#[test]
fn variants_of_a_profile_are_one_profile_and_by_hand_the_one_that_holds_is_taken() {
    let user = User::new();
    user.write(".config/goroam/goroam.toml", VARIANTS);
    let listed = screen(&user, "use");
    assert_snapshot!(listed.split("\n\n").next().unwrap_or_default(), @r"
    $ goroam use
    ✓ cache  holds
        GONOPROXY  none
        GOPROXY    off
    ✓ offline  holds
        GOPROXY  off
    ");
    if screen_with_go(&user, "use cache").is_none() {
        return;
    }
    assert_snapshot!(screen_with_go(&user, "auto").unwrap(), @r"
    $ goroam auto
    cache stays  (down local (nothing listens at 127.0.0.1:1))
      all 2 variables are as they should be already
    [exit 0]
    ");
    assert_snapshot!(screen_with_go(&user, "why").unwrap(), @r"
    $ goroam why
    cache was chosen, because
      ✓ down local  nothing listens at 127.0.0.1:1
    another variant of cache was not, because
      ✗ up local  nothing listens at 127.0.0.1:1
    offline was not reached.
    Loosens nothing. Modules come from nowhere: anything not yet downloaded fails at
    once. Decided in N ms. Turn 2 in the journal.
    [exit 0]
    ");
    assert_snapshot!(screen_with_go(&user, "use io").unwrap(), @r"
    $ goroam use io
    cache → io  (GOPROXY chosen by hand, all else as in cache)
      GOPROXY    https://goproxy.io,direct
      undo: goroam restore; took N ms
    [exit 0]
    ");
    assert_snapshot!(screen_with_go(&user, "env GONOPROXY").unwrap(), @r"
    $ goroam env GONOPROXY
    none
    [exit 0]
    ");
}
