//! `goroam hook`, and `goroam status --short`.

use insta::assert_snapshot;

use crate::cli::User;
use crate::{POLICY, screen, screen_with_go};

#[test]
fn how_it_is_loaded() {
    let user = User::new();
    assert_snapshot!(screen(&user, "hook --help"), @r#"
    $ goroam hook --help
    Print code that keeps a shell's exports out of the way

    For the end of a start-up file. Unsets GOPROXY and GOSUMDB while the profile in
    force sets them, if they were exported before this line, and puts them back when
    it does not; never GOPRIVATE or GONO…, and never what you export later. Exports
    the variables of the policy's `[[project]]` that holds in the directory. Sets
    GOROAM_PROFILE, for the prompt. A prompt starts no process, except after a turn
    or a pause, and in a new directory if the policy has projects.

    Usage: goroam hook [OPTIONS] <SHELL>

    Arguments:
      <SHELL>
              Shell of the start-up file
              
              [possible values: bash, zsh, fish, pwsh]

    Options:
          --refresh
              Only what has changed since; the hook runs this by itself

      -h, --help
              Print help (see a summary with '-h')

    Options of every verb:
          --config <FILE>
              Policy file [env: GOROAM_CONFIG] [default: goroam.toml in the config
              directory]

          --color <WHEN>
              When to use colours; NO_COLOR and CLICOLOR_FORCE also count
              
              [default: auto]
              [possible values: auto, always, never]

      -v, --verbose...
              Log more to standard error (or GOROAM_LOG=goroam=debug)

    Examples:
      goroam hook fish | source      in ~/.config/fish/config.fish
      eval "$(goroam hook bash)"     in ~/.bashrc
      eval "$(goroam hook zsh)"      in ~/.zshrc
      goroam hook pwsh | Out-String | Invoke-Expression      in $PROFILE
    [exit 0]
    "#);
    assert_snapshot!(screen(&user, "hook nu"), @r"
    $ goroam hook nu
    error: invalid value 'nu' for '<SHELL>'
      [possible values: bash, zsh, fish, pwsh]

    For more information, try '--help'.
    [exit 2]
    ");
}

#[test]
fn what_a_prompt_shows() {
    let user = User::new();
    user.write(".config/goroam/goroam.toml", POLICY);
    assert_snapshot!(screen(&user, "status --short"), @r"
    $ goroam status --short
    [exit 0]
    ");
    if screen_with_go(&user, "once").is_none() {
        return;
    }
    assert_snapshot!(screen(&user, "status --short"), @r"
    $ goroam status --short
    offline
    [exit 0]
    ");
    screen_with_go(&user, "use offline");
    assert_snapshot!(screen(&user, "status --short"), @r"
    $ goroam status --short
    offline*
    [exit 0]
    ");
    let run = user.goroam("status --short").env("GOPROXY", "direct");
    assert_snapshot!(crate::shown(&user, run, "status --short"), @r"
    $ goroam status --short
    offline*!
    [exit 0]
    ");
    assert_snapshot!(screen_with_go(&user, "hook fish --refresh").unwrap(), @r"
    $ goroam hook fish --refresh
    set -gx GOROAM_HOOK 'on'
    set -g __goroam_projects
    set -gx GOROAM_PROFILE 'offline*'
    [exit 0]
    ");
}
