//! `goroam env`

use insta::assert_snapshot;

use crate::cli::User;
use crate::{POLICY, screen, screen_with_go};

#[test]
fn what_goroam_has_set() {
    let user = User::new();
    user.write(".config/goroam/goroam.toml", POLICY);
    assert_snapshot!(screen(&user, "env -h"), @r#"
    $ goroam env -h
    Print the variables that goroam manages, as they are

    Usage: goroam env [OPTIONS] [NAME]...

    Arguments:
      [NAME]...  Only the values of these, one on each line [default: all]

    Options:
          --no-relay  The chain itself instead of this machine's relay, for
                      containers
          --json      Print JSON for scripts; fields are added, never renamed
      -h, --help      Print help (see more with '--help')

    Options of every verb:
          --config <FILE>  Policy file [env: GOROAM_CONFIG] [default: goroam.toml in
                           the config directory]
          --color <WHEN>   When to use colours; NO_COLOR and CLICOLOR_FORCE also
                           count [default: auto] [possible values: auto, always,
                           never]
      -v, --verbose...     Log more to standard error (or GOROAM_LOG=goroam=debug)

    Examples:
      goroam env
      docker build --build-arg GOPROXY="$(goroam env --no-relay GOPROXY)" .

    Exit codes:
      0 done  1 failed  2 bad usage or bad policy  3 no usable go command
      4 refused for safety  5 no agent is running  6 a checksum does not match
    [exit 0]
    "#);
    assert_snapshot!(screen(&user, "env"), @r"
    $ goroam env
    [exit 0]
    ");
    assert_snapshot!(screen(&user, "env GOPROXY"), @r"
    $ goroam env GOPROXY
    goroam: nothing is managed yet: run `goroam once`
    [exit 2]
    ");
    if screen_with_go(&user, "once").is_none() {
        return;
    }
    assert_snapshot!(screen_with_go(&user, "env").unwrap(), @r"
    $ goroam env
    GOPROXY='off'
    [exit 0]
    ");
    assert_snapshot!(screen_with_go(&user, "env --no-relay GOPROXY").unwrap(), @r"
    $ goroam env --no-relay GOPROXY
    off
    [exit 0]
    ");
    assert_snapshot!(screen_with_go(&user, "env --json").unwrap(), @r#"
    $ goroam env --json
    {
      "GOPROXY": "off"
    }
    [exit 0]
    "#);
    assert_snapshot!(screen_with_go(&user, "env GOFLAGS").unwrap(), @r"
    $ goroam env GOFLAGS
    goroam: GOFLAGS is not managed; these are: GOPROXY
    [exit 2]
    ");
}
