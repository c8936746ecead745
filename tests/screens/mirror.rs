//! `goroam mirror list`, `verify`, `pin` and `prune`

use insta::assert_snapshot;

use crate::cli::User;
use crate::screen;

fn user() -> User {
    let user = User::new();
    let version = ".local/share/goroam/mirror/example.test/a/@v/v1.0.0";
    user.write(&format!("{version}.mod"), "module example.test/b\n");
    user.write(&format!("{version}.info"), "{\"Version\":\"v1.0.0\"}");
    user
}

#[test]
fn what_is_in_it() {
    assert_snapshot!(screen(&user(), "mirror list"), @r"
    $ goroam mirror list
    0 modules, 0 versions, 42 B; 1 go.mod more that module graphs need
    [exit 0]
    ");
}

#[test]
fn what_is_wrong_with_it() {
    let user = user();
    let run = user.goroam("mirror verify").env("COLUMNS", "120");
    assert_snapshot!(crate::shown(&user, run, "mirror verify"), @r"
    $ goroam mirror verify
    ! example.test/a/@v/v1.0.0.mod
      ~/.local/share/goroam/mirror/sumdb/sum.golang.org/lookup/example.test/a@v1.0.0 is not there:
      example.test/a@v1.0.0 is not proven by this mirror
      → `goroam mirror add example.test/a@v1.0.0` brings its proof

    1 problem; checked 0 versions of 1 module, 42 B in N ms; of 1 more only go.mod; 0 proven by sum.golang.org
    [exit 1]
    ");
}

#[test]
fn where_there_is_none() {
    let user = User::new();
    for words in ["list", "verify"] {
        user.goroam(&format!("mirror {words}")).exits(1);
    }
    assert_snapshot!(screen(&user, "mirror list"), @r"
    $ goroam mirror list
    goroam: ~/.local/share/goroam/mirror: No such file or directory (os error 2); `goroam mirror add` makes a mirror, --mirror names one
    [exit 1]
    ");
    assert_snapshot!(screen(&user, "mirror verify"), @r"
    $ goroam mirror verify
    goroam: ~/.local/share/goroam/mirror: No such file or directory (os error 2); `goroam mirror add` makes a mirror, --mirror names one
    [exit 1]
    ");
    assert_snapshot!(screen(&user, "mirror pin example.test/a v1.0.0"), @r"
    $ goroam mirror pin example.test/a v1.0.0
    goroam: ~/.local/share/goroam/mirror is no mirror; `goroam mirror add` makes one, --mirror names one
    [exit 2]
    ");
    assert_snapshot!(screen(&user, "mirror prune --older-than 1days"), @r"
    $ goroam mirror prune --older-than 1days
    goroam: ~/.local/share/goroam/mirror is no mirror; `goroam mirror add` makes one, --mirror names one
    [exit 2]
    ");
}
