//! `goroam exec`

use insta::assert_snapshot;

use crate::cli::User;
use crate::{screen, screen_with_go};

/// The proxy of `go env` refuses every connection; the directory `tree` has one version.
fn user() -> User {
    let user = User::new();
    let variables = "GOPROXY=http://127.0.0.1:1\nGOSUMDB=off\nGOFLAGS=-modcacherw\n";
    user.write(".config/go/env", variables);
    user.write(
        "tree/example.test/m/@v/v1.0.0.info",
        r#"{"Version":"v1.0.0"}"#,
    );
    user
}

#[test]
fn what_failed_and_where_the_modules_came_from() {
    let user = user();
    let lost = "exec -- go list -m example.test/m@v1.0.0";
    let Some(lost) = screen_with_go(&user, lost) else {
        return;
    };
    // The relay's URL, which go prints, is another one each time.
    let own = lost.split_once("goroam: ").unwrap().1;
    assert_snapshot!(own, @r"
    connection refused by 127.0.0.1:1 (refused); no step is left: 127.0.0.1:1: refused (3 requests); mirror: there is no mirror and no module cache; goroam mirror add --from . makes one; vendor: the command runs in no module
    [exit 1]
    ");
    let tree = user.path("tree").display().to_string();
    let words = format!("exec --mirror {tree} -- go list -m example.test/m@v1.0.0");
    assert_snapshot!(screen_with_go(&user, &words).unwrap(), @r"
    $ goroam exec --mirror ~/tree -- go list -m example.test/m@v1.0.0
    example.test/m v1.0.0
    goroam: connection refused by 127.0.0.1:1 (refused); built from the mirror
    [exit 0]
    ");
    let words = "exec --tiers vendor -- go version";
    assert_snapshot!(screen_with_go(&user, words).unwrap(), @r"
    $ goroam exec --tiers vendor -- go version
    goroam: no step is possible: vendor: the command runs in no module
    [exit 1]
    ");
}

#[test]
fn help_and_a_wrong_command_line() {
    let user = user();
    assert_snapshot!(screen(&user, "exec -h"), @r"
    $ goroam exec -h
    Run a command, and get its modules from whatever works

    Usage: goroam exec [OPTIONS] <COMMAND>...

    Arguments:
      <COMMAND>...  Command with its arguments

    Options:
          --tiers <STEP,…>       Sources to try, in this order [default:
                                 proxy,mirror,vendor] [possible values: proxy,
                                 mirror, vendor]
          --connect <TIME>       Time limit for a connection [default: 3s]
          --first-byte <TIME>    Time limit for the first byte [default: 3s; 60s
                                 where no other proxy can answer]
          --stall <TIME>         Give up a download that has been silent for this
                                 time [default: 30s]
          --retry-budget <TIME>  Total time to wait for busy servers (503, 429) that
                                 no other can stand in for [default: 60s]
          --summary <FORM>       Form of the summary at the end [default: text]
                                 [possible values: text, json, none]
          --mirror <DIR>         Mirror directory [env: GOROAM_MIRROR] [default: the
                                 policy's or goroam's own]
      -h, --help                 Print help (see more with '--help')

    Options of every verb:
          --config <FILE>  Policy file [env: GOROAM_CONFIG] [default: goroam.toml in
                           the config directory]
          --color <WHEN>   When to use colours; NO_COLOR and CLICOLOR_FORCE also
                           count [default: auto] [possible values: auto, always,
                           never]
      -v, --verbose...     Log more to standard error (or GOROAM_LOG=goroam=debug)

    Examples:
      goroam exec -- go build ./...
      goroam exec --tiers mirror,vendor -- go test ./...
      goroam exec --summary json -- make

    Exit codes:
      the command's own; 126 or 127 if it cannot be started, 1 if it was stopped in
      the last step; before it starts, those of `goroam --help`
    [exit 0]
    ");
    assert_snapshot!(screen(&user, "exec"), @r"
    $ goroam exec
    error: the following required arguments were not provided:
      <COMMAND>...

    Usage: goroam exec <COMMAND>...

    For more information, try '--help'.
    [exit 2]
    ");
    assert_snapshot!(screen(&user, "exec --tiers mirror,mirror -- true"), @r"
    $ goroam exec --tiers mirror,mirror -- true
    goroam: --tiers: mirror is listed twice
    [exit 2]
    ");
    assert_snapshot!(screen(&user, "exec --connect soon -- true"), @r"
    $ goroam exec --connect soon -- true
    error: invalid value 'soon' for '--connect <TIME>': expected number at 0; write it as 500ms, 30s, 5min, 2h or 30days

    For more information, try '--help'.
    [exit 2]
    ");
    assert_snapshot!(screen(&user, "exec -- no-such-program"), @r"
    $ goroam exec -- no-such-program
    goroam: no-such-program: No such file or directory (os error 2)
    [exit 127]
    ");
}
