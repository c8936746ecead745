//! `goroam fleet`

use insta::assert_snapshot;

use crate::cli::User;
use crate::screen;

/// The key of minisign's own page.
const MEMBER: &str = "\
version = 1

[fleet]
url = \"https://me:secret@policy.corp.example/policy.toml\"
keys = [\"RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3\"]
";

#[test]
fn the_verbs_and_a_machine_that_has_fetched_nothing() {
    let user = User::new();
    assert_snapshot!(screen(&user, "fleet status"), @r"
    $ goroam fleet status
    goroam: this machine belongs to no fleet: name one in the machine's or your own policy file, [fleet] url = …, keys = […]
    [exit 2]
    ");
    user.write(".config/goroam/goroam.toml", MEMBER);
    assert_snapshot!(screen(&user, "fleet status"), @r"
    $ goroam fleet status
      policy    no policy was fetched yet
      keys      E7620F1842B4E81F
      url       https://me:***@policy.corp.example/policy.toml
    [exit 0]
    ");
    assert_snapshot!(screen(&user, "fleet -h"), @r"
    $ goroam fleet -h
    Follow a signed policy: fetch, show, verify, sign

    Usage: goroam fleet [OPTIONS] <COMMAND>

    Commands:
      update  Fetch the policy now and apply it
      status  Show version, age and what was refused
      verify  Verify a policy and its signature, as machines do
      sign    Check, number and sign a policy with the minisign tool
      help    Print this message or the help of the given subcommand(s)

    Options:
      -h, --help  Print help (see more with '--help')

    Options of every verb:
          --config <FILE>  Policy file [env: GOROAM_CONFIG] [default: goroam.toml in
                           the config directory]
          --color <WHEN>   When to use colours; NO_COLOR and CLICOLOR_FORCE also
                           count [default: auto] [possible values: auto, always,
                           never]
      -v, --verbose...     Log more to standard error (or GOROAM_LOG=goroam=debug)

    Examples:
      goroam fleet update                 fetch it now
      goroam fleet status
      goroam fleet verify policy.toml --key minisign.pub
      goroam fleet sign policy.toml --secret-key minisign.key
    [exit 0]
    ");
}
