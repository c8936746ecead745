//! `goroam explain`

use std::io::Write as _;
use std::process::Stdio;

use insta::assert_snapshot;

use crate::cli::User;
use crate::screen;

/// The screen for a text in a pipe.
fn piped(text: &str) -> String {
    let user = User::new();
    let mut command = user.goroam("explain").env("TERM", "dumb").command();
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(text.as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    let said =
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    format!("{said}[exit {}]", output.status.code().unwrap())
}

#[test]
fn what_go_printed() {
    let text = "go: downloading github.com/pkg/errors v0.9.1\n\
        go: github.com/pkg/errors@v0.9.1: verifying go.mod: github.com/pkg/errors@v0.9.1/go.mod: \
        Get \"https://me:secret@sum.golang.org/lookup/github.com/pkg/errors@v0.9.1\": \
        dial tcp 142.250.72.17:443: i/o timeout\n";
    assert_snapshot!(piped(text), @r#"
    `verifying module: … lookup …`: the checksum database does not answer [database]
      in: go: github.com/pkg/errors@v0.9.1: verifying go.mod:
          github.com/pkg/errors@v0.9.1/go.mod: Get
          "https://me:***@sum.golang.org/lookup/github.com/pkg/errors@v0.9.1": dial
          tcp 142.250.72.17:443: i/o timeout
      The module came, but nothing proves it: sum.golang.org is blocked here.
      `sum.golang.google.cn` has the same records and the same signature, and
      answers in China. GOSUMDB=off would take whatever a proxy sends.

      $ goroam once                       # the profile `restricted` takes that host
      $ goroam use restricted             # the same by hand, until `goroam auto`
      $ go env -w GOSUMDB=sum.golang.google.cn # without goroam

    docs/troubleshooting.md#verifying-module--lookup--the-checksum-database-does-not-answer
    [exit 0]
    "#);
}

#[test]
fn codes_and_a_text_that_says_nothing() {
    let user = User::new();
    assert_snapshot!(screen(&user, "explain mismatch"), @r#"
    $ goroam explain mismatch
    `SECURITY ERROR`, `checksum mismatch` [mismatch]
      What came is not what go.sum or the checksum database has. Stop here: do not
      delete go.sum, and do not set GOSUMDB=off. Either something in between changed
      it (a login page, a filter, a bad proxy), or the author has moved the tag.

      $ goroam doctor --cache             # a login page in the module cache, with
                                            proof
      $ goroam exec -- go build ./...     # takes the right file where one has it

    docs/troubleshooting.md#security-error-checksum-mismatch
    [exit 0]
    "#);
    assert_snapshot!(screen(&user, "explain loosens-unproven"), @r#"
    $ goroam explain loosens-unproven
    [loosens-unproven]
      Anyone on the network, or any repository, could weaken verification.

      $ goroam check

    docs/policy.md#findings
    [exit 0]
    "#);
    assert_snapshot!(screen(&user, "explain shadowed-by-shell"), @r#"
    $ goroam explain shadowed-by-shell
    [shadowed-by-shell]
      A shell's start-up file sets the variable. Delete the line; `unset` it in open
      shells. A note if the hook unsets it.

      $ goroam doctor

    docs/doctor.md#codes
    [exit 0]
    "#);
    assert_snapshot!(screen(&user, "explain too many return values"), @r#"
    $ goroam explain too many return values
    goroam: no failure that goroam knows is in this text: if go printed it, it is about the code, not about the network; `goroam explain` without text lists what it knows
    [exit 1]
    "#);
}

#[test]
fn all_symptoms() {
    assert_snapshot!(screen(&User::new(), "explain"), @r#"
    $ goroam explain
      dns                `no such host`, `server misbehaving`
      timeout            `i/o timeout`, `TLS handshake timeout`
      stalled            go prints nothing and does not end
      refused            `connection refused`
      unreachable        `network is unreachable`, `no route to host`
      reset              `connection reset by peer`, `EOF`
      portal             `invalid character '<' looking for beginning of value`
      unknown-ca         `certificate signed by unknown authority`
      other-name         `certificate is valid for …, not …`
      expired            `certificate has expired or is not yet valid`
      plain-http         `server gave HTTP response to HTTPS client`
      tls                `tls: protocol version not supported`, `handshake failure`
      host-key           `Host key verification failed`
      auth               `401 Unauthorized`, `could not read Username`
      forbidden          `403 Forbidden`
      http-proxy         `Proxy Authentication Required`, `proxyconnect`
      not-found          `404 Not Found`, `410 Gone`, `unknown revision`
      database           `verifying module: … lookup …`: the checksum database does
                         not answer
      database-not-found `verifying module: … lookup …: 404 Not Found`
      mismatch           `SECURITY ERROR`, `checksum mismatch`
      corrupt            `zip: not a valid zip file`, `unexpected EOF`
      busy               `429 Too Many Requests`, `503 Service Unavailable`
      server             `500 Internal Server Error`, `502 Bad Gateway`
      client             `400 Bad Request`, `451 Unavailable For Legal Reasons`
      config             `module lookup disabled by GOPROXY=off`,
                         `invalid proxy URL`
      shadowed           `does not override conflicting OS environment variable`
      no-go-sum-line     `missing go.sum entry`
      vendoring          `inconsistent vendoring`
      older-go           `go.mod requires go >= …`

    Also every code of `goroam doctor` and `goroam check`. `goroam explain CODE`
    says what it means and what to type.
    [exit 0]
    "#);
}
