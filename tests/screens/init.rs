//! `goroam init` where nobody can be asked; the dialogue is in `tests/cli/init_dialogue.rs`.

use insta::assert_snapshot;

use crate::cli::User;
use crate::screen;

#[test]
fn a_policy_is_written_once() {
    let user = User::new();
    assert_snapshot!(screen(&user, "init"), @r"
    $ goroam init
    ~/.config/goroam/goroam.toml
      next: goroam once (or edit it, then goroam check)
    [exit 0]
    ");
    assert_snapshot!(screen(&user, "init"), @r"
    $ goroam init
    goroam: ~/.config/goroam/goroam.toml exists already and is left unchanged; `goroam check` reads it, `goroam init --force` replaces it and keeps a backup, `--print` only prints
    [exit 1]
    ");
}

#[test]
fn flags_that_do_not_fit_together() {
    let user = User::new();
    assert_snapshot!(screen(&user, "init --ca ca.pem"), @r"
    $ goroam init --ca ca.pem
    goroam: --ca and --private need a proxy: --proxy URL
    [exit 2]
    ");
    assert_snapshot!(screen(&user, "init --proxy https://proxy.golang.org"), @r"
    $ goroam init --proxy https://proxy.golang.org
    goroam: --proxy: proxy.golang.org is a public proxy, which goroam's own policy covers. Answer `none` if your company has no proxy of its own
    [exit 2]
    ");
    assert_snapshot!(screen(&user, "init --template classic --proxy https://a.test"), @r"
    $ goroam init --template classic --proxy https://a.test
    error: the argument '--template <TEMPLATE>' cannot be used with '--proxy <URL>'

    Usage: goroam init --template <TEMPLATE>

    For more information, try '--help'.
    [exit 2]
    ");
}
