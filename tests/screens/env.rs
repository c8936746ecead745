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
    Print what go uses here, and where each value comes from

    Usage: goroam env [OPTIONS] [NAME]...

    Arguments:
      [NAME]...  Only the values of these, one on each line

    Options:
      -C, --project <DIR>  Directory in which go would run [default: this one]
          --shell <SHELL>  Lines that set the values in a shell, with credentials
                           [possible values: bash, zsh, fish, pwsh, nu]
          --no-relay       The chain itself instead of this machine's relay, for
                           containers
          --json           Print JSON for scripts; fields are added, never renamed
      -h, --help           Print help (see more with '--help')

    Options of every verb:
          --config <FILE>  Policy file [env: GOROAM_CONFIG] [default: goroam.toml in
                           the config directory]
          --color <WHEN>   When to use colours; NO_COLOR and CLICOLOR_FORCE also
                           count [default: auto] [possible values: auto, always,
                           never]
      -v, --verbose...     Log more to standard error (or GOROAM_LOG=goroam=debug)

    Examples:
      goroam env
      goroam env GOPROXY -C ~/src/app
      eval "$(goroam env --shell bash)"    keep what holds now in this shell
      docker build --build-arg GOPROXY="$(goroam env --no-relay GOPROXY)" .
    [exit 0]
    "#);
    if screen_with_go(&user, "once").is_none() {
        return;
    }
    user.write(
        "app/go.mod",
        "module m.test\n\ngo 1.21\n\ntoolchain go1.99.0\n",
    );
    assert_snapshot!(screen_with_go(&user, "env -C app").unwrap(), @r"
    $ goroam env -C app
    GO111MODULE=''  # default
    GOAUTH='netrc'  # default
    GOENV='~/.config/go/env'  # default
    GOFLAGS=''  # default
    GOINSECURE=''  # default
    GOMOD='~/app/go.mod'  # the project
    GOMODCACHE='~/go/pkg/mod'  # default
    GONOPROXY=''  # default
    GONOSUMDB=''  # default
    GOPRIVATE=''  # default
    GOPROXY='off'  # profile offline
    GOSUMDB='sum.golang.org'  # default, from GOROOT/go.env
    GOTOOLCHAIN='auto'
        # default, from GOROOT/go.env; go.mod:5 makes go run go1.99.0
    GOVCS=''  # default
    GOWORK=''  # default
    [exit 0]
    ");
    assert_snapshot!(screen_with_go(&user, "env --no-relay GOPROXY").unwrap(), @r"
    $ goroam env --no-relay GOPROXY
    off
    [exit 0]
    ");
    assert_snapshot!(screen_with_go(&user, "env --json GOPROXY").unwrap(), @r#"
    $ goroam env --json GOPROXY
    {
      "GOPROXY": {
        "value": "off",
        "source": "file",
        "why": "profile offline",
        "hides": null
      }
    }
    [exit 0]
    "#);
    assert_snapshot!(screen_with_go(&user, "env --shell fish").unwrap(), @r"
    $ goroam env --shell fish
    set -gx GOPROXY 'off'
    [exit 0]
    ");
    assert_snapshot!(screen_with_go(&user, "env GOPROXI").unwrap(), @r#"
    $ goroam env GOPROXI
    goroam: go knows no variable "GOPROXI"; did you mean GOPROXY?
    [exit 2]
    "#);
    assert_snapshot!(screen_with_go(&user, "env -C nowhere").unwrap(), @r"
    $ goroam env -C nowhere
    goroam: ~/nowhere is not a directory
    [exit 2]
    ");
}
