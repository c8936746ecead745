//! `goroam chain`

use insta::assert_snapshot;

use crate::cli::User;
use crate::{POLICY, screen_with_go};

#[test]
fn each_hop_what_go_does_then_and_the_other_chain() {
    let user = User::new();
    user.write(".config/goroam/goroam.toml", POLICY);
    user.write(".config/go/env", "GOPROXY=http://127.0.0.1:1|off\n");
    let Some(chain) = screen_with_go(&user, "chain http://127.0.0.1:1,http://127.0.0.1:2,direct")
    else {
        return;
    };
    assert_snapshot!(chain, @r"
    $ goroam chain http://127.0.0.1:1,http://127.0.0.1:2,direct
    ✗ http://127.0.0.1:1,  unknown
        connection refused by 127.0.0.1:1; go stops: it moves on after 404 and 410
        only (`,`).
    · http://127.0.0.1:2,  unknown
        go does not get this far.
    · direct
        go does not get this far.
    `go mod download github.com/pkg/errors@v0.9.1` fails.
    goroam would write the same chain.
    [exit 0]
    ");
    let words = "chain http://127.0.0.1:1|file:///mirror|direct --module git.corp.example/x@v1.0.0";
    assert_snapshot!(screen_with_go(&user, words).unwrap(), @r"
    $ goroam chain http://127.0.0.1:1|file:///mirror|direct --module git.corp.example/x@v1.0.0
    ! http://127.0.0.1:1|  unknown
        connection refused by 127.0.0.1:1; go moves on.
    · file:///mirror|  local
        has no such file; go moves on.
    ! direct
        go turns to version control.
    `go mod download git.corp.example/x@v1.0.0` turns to version control.
    goroam would write file:///mirror|direct
    [exit 0]
    ");
    assert_snapshot!(screen_with_go(&user, "chain").unwrap(), @r"
    $ goroam chain
    ! http://127.0.0.1:1|  unknown
        connection refused by 127.0.0.1:1; go moves on.
    ✗ off
        go stops: nothing more is tried.
    `go mod download github.com/pkg/errors@v0.9.1` fails.
    The policy would write off
    [exit 0]
    ");
    user.write(
        ".config/go/env",
        "GOPRIVATE=git.corp.example,*.corp.example\nGONOPROXY=git.corp.example\n",
    );
    let words =
        "chain http://127.0.0.1:1|http://127.0.0.1:2|off --module git.corp.example/x@v1.0.0";
    assert_snapshot!(screen_with_go(&user, words).unwrap(), @r"
    $ goroam chain http://127.0.0.1:1|http://127.0.0.1:2|off --module git.corp.example/x@v1.0.0
    · http://127.0.0.1:1|  unknown
        go does not get this far.
    · http://127.0.0.1:2|  unknown
        go does not get this far.
    · off
        go does not get this far.
    `go mod download git.corp.example/x@v1.0.0` asks no proxy: GONOPROXY matches the
    module.
    Names of git.corp.example go past all proxies.
    go asks http://127.0.0.1:1, then http://127.0.0.1:2 here for names of
    *.corp.example.
    goroam would write off
    [exit 0]
    ");
    user.write("tree/a.test/m/@v/v1.0.0.info", r#"{"Version":"v1.0.0"}"#);
    let tree = user.path("tree").display().to_string();
    let words = format!("chain file://{tree},off --module a.test/m@v1.0.0");
    assert_snapshot!(screen_with_go(&user, &words).unwrap(), @r"
    $ goroam chain file://~/tree,off --module a.test/m@v1.0.0
    · file://~/tree,  local
        has no such file; go moves on.
    ✗ off
        go stops: nothing more is tried.
    `go mod download a.test/m@v1.0.0` fails: module lookup disabled by GOPROXY=off.
    The list of versions, with which `go get a.test/m@latest` begins: go fails:
    module lookup disabled by GOPROXY=off.
    Names of git.corp.example go past all proxies.
    go asks file://~/tree here for names of *.corp.example.
    goroam would write the same chain.
    [exit 0]
    ");
    assert_snapshot!(screen_with_go(&user, "chain ftp://h/x").unwrap(), @r"
    $ goroam chain ftp://h/x
    goroam: go fails each request with this GOPROXY: invalid proxy URL scheme (must be https, http, file): ftp://h/x
    [exit 2]
    ");
    assert_snapshot!(screen_with_go(&user, "chain off --module a.test/m").unwrap(), @r"
    $ goroam chain off --module a.test/m
    error: invalid value 'a.test/m' for '--module <MODULE@VERSION>': write it with an exact version: example.com/hello@v1.2.3

    For more information, try '--help'.
    [exit 2]
    ");
}
