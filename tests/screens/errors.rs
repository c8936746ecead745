//! What goroam says when it cannot do what it was asked to.

use insta::assert_snapshot;

use crate::cli::User;
use crate::{POLICY, screen};

#[test]
fn a_wrong_command_line() {
    let user = User::new();
    assert_snapshot!(screen(&user, "dance"), @r"
    $ goroam dance
    error: unrecognized subcommand 'dance'

      tip: a similar subcommand exists: 'once'

    Usage: goroam [OPTIONS] <COMMAND>

    For more information, try '--help'.
    [exit 2]
    ");
    let told = |words: &str| {
        let shown = screen(&user, words);
        let mut lines = shown.lines();
        assert_eq!(
            (lines.clone().count(), lines.next_back()),
            (3, Some("[exit 2]")),
            "{shown}"
        );
        lines.nth(1).unwrap().to_owned()
    };
    let words = [
        "list",
        "ls",
        "switch",
        "logs",
        "version",
        "update",
        "install",
        "-v uninstall",
        "stop",
        "undo",
        "config",
        "cn",
        "https://joe:secret@a.test",
    ];
    assert_snapshot!(words.map(told).join("\n"), @r"
    goroam: there is no `list`; `goroam use` lists profiles and mirrors, `goroam mirror list` modules
    goroam: there is no `ls`; `goroam use` lists profiles and mirrors, `goroam mirror list` modules
    goroam: there is no `switch`; `goroam use NAME` takes a profile or a mirror, `goroam use` lists them
    goroam: there is no `logs`; `goroam history` shows each switch, `goroam service logs` the agent's log
    goroam: there is no `version`; `goroam --version` prints it
    goroam: there is no `update`; update it as you installed it, and the agent goes on with the new program
    goroam: there is no `install`; `goroam service install` starts it at every login
    goroam: there is no `uninstall`; `goroam service uninstall --restore` ends it and puts everything back
    goroam: there is no `stop`; `goroam service start` and `stop`, or `goroam agent` in a terminal
    goroam: there is no `undo`; `goroam restore` puts back what was before goroam
    goroam: there is no `config`; `goroam init` writes a policy, `goroam check` checks it
    goroam: a mirror is chosen with `goroam use`
    goroam: a mirror is chosen with `goroam use`
    ");
    assert_snapshot!(screen(&user, "mirror update"), @r"
    $ goroam mirror update
    error: unrecognized subcommand 'update'

    Usage: goroam mirror [OPTIONS] <COMMAND>

    For more information, try '--help'.
    [exit 2]
    ");
    assert_snapshot!(screen(&user, "status --frobnicate"), @r"
    $ goroam status --frobnicate
    error: unexpected argument '--frobnicate' found

    Usage: goroam status [OPTIONS]

    For more information, try '--help'.
    [exit 2]
    ");
    assert_snapshot!(screen(&user, "use --for 2h"), @r"
    $ goroam use --for 2h
    error: the following required arguments were not provided:
      <NAME>

    Usage: goroam use --for <TIME> <NAME>

    For more information, try '--help'.
    [exit 2]
    ");
    assert_snapshot!(screen(&user, "use home --for soon"), @r"
    $ goroam use home --for soon
    error: invalid value 'soon' for '--for <TIME>': expected number at 0; write it as 500ms, 30s, 5min, 2h or 30days

    For more information, try '--help'.
    [exit 2]
    ");
    assert_snapshot!(screen(&user, "mirror prune"), @r"
    $ goroam mirror prune
    error: the following required arguments were not provided:
      <--older-than <TIME>|--max-size <SIZE>|--needed-by <DIR>>

    Usage: goroam mirror prune [OPTIONS] --older-than <TIME>
           goroam mirror prune [OPTIONS] --max-size <SIZE>
           goroam mirror prune [OPTIONS] --needed-by <DIR>

    For more information, try '--help'.
    [exit 2]
    ");
}

#[test]
fn without_an_agent() {
    let user = User::new();
    assert_snapshot!(screen(&user, "pause"), @r"
    $ goroam pause
    goroam: no agent is running; start one with `goroam agent`
    [exit 5]
    ");
    assert_snapshot!(screen(&user, "status --watch"), @r"
    $ goroam status --watch
    goroam: no agent is running; start one with `goroam agent`
    [exit 5]
    ");
}

#[test]
fn without_a_go_command() {
    if std::path::Path::new("/usr/local/go/bin/go").exists() {
        return println!("skipped: this machine has a go in /usr/local");
    }
    let user = User::new();
    let run = user.goroam("once").env("PATH", "/nowhere");
    assert_snapshot!(crate::shown(&user, run, "once"), @r#"
    $ goroam once
    goroam: no go command found. Looked in PATH (1 folder), /usr/local/go/bin, /usr/lib/go*/bin, ~/go/bin, ~/sdk, mise, asdf, goenv and gvm, Homebrew, snap. Install Go from go.dev/dl or set `go = "/path/to/go"` in [agent]
    [exit 3]
    "#);
}

#[test]
fn with_a_policy_that_has_an_error() {
    let user = User::new();
    let policy = POLICY.replace("up = \"local\"", "up = \"locla\"");
    user.write(".config/goroam/goroam.toml", policy);
    assert_snapshot!(screen(&user, "once"), @r#"
    $ goroam once
    error[unknown-target]: no target is called `locla`
      ╭▸ ~/.config/goroam/goroam.toml:6:15
      │
    6 │ when = { up = "locla" }
      │               ━━━━━━━ did you mean `local`?
      │
      ╰ help: write "local"

    1 error
    goroam: ~/.config/goroam/goroam.toml: 1 error; see `goroam check`
    [exit 2]
    "#);
}

#[test]
fn outside_of_a_project() {
    let user = User::new();
    assert_snapshot!(screen(&user, "vendor check"), @r"
    $ goroam vendor check
    goroam: there is neither a go.mod nor a go.work in ~ or above it; name the project's folder with -C
    [exit 1]
    ");
    assert_snapshot!(screen(&user, "ready gone"), @r"
    $ goroam ready gone
    goroam: gone cannot be read as a directory
    [exit 2]
    ");
    assert_snapshot!(screen(&user, "doctor gone"), @r"
    $ goroam doctor gone
    goroam: gone is not a directory
    [exit 2]
    ");
}

#[test]
fn whoever_asked_for_json_gets_failures_as_json() {
    let user = User::new();
    let line = |words: &str| {
        let output = user.goroam(words).command().output().unwrap();
        assert!(output.stdout.is_empty(), "{words}");
        let text = String::from_utf8(output.stderr).unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        let code = json["error"]["exit_code"].as_i64().map(|code| code as i32);
        assert_eq!(code, output.status.code(), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
        text.replace(user.path("").to_str().unwrap().trim_end_matches('/'), "~")
    };
    let words = [
        "pause --json",
        "--color always vendor check --json",
        "status --json --frobnicate",
        "use home --for soon --json",
        "list --json",
        "ready gone --json",
    ];
    assert_snapshot!(words.map(line).concat(), @r#"
    {"error":{"message":"no agent is running; start one with `goroam agent`","exit_code":5}}
    {"error":{"message":"there is neither a go.mod nor a go.work in ~ or above it; name the project's folder with -C","exit_code":1}}
    {"error":{"message":"unexpected argument '--frobnicate' found","exit_code":2}}
    {"error":{"message":"invalid value 'soon' for '--for <TIME>': expected number at 0; write it as 500ms, 30s, 5min, 2h or 30days","exit_code":2}}
    {"error":{"message":"there is no `list`; `goroam use` lists profiles and mirrors, `goroam mirror list` modules","exit_code":2}}
    {"error":{"message":"gone cannot be read as a directory","exit_code":2}}
    "#);
    let policy = POLICY.replace("up = \"local\"", "up = \"locla\"");
    user.write(".config/goroam/goroam.toml", policy);
    let json: serde_json::Value = serde_json::from_str(&line("probe --json")).unwrap();
    let found = &json["error"]["findings"][0];
    assert_eq!(found["code"], "unknown-target");
    assert_eq!(
        (&found["line"], &found["help"]),
        (&6.into(), &"write \"local\"".into())
    );
    // What follows `exec` or `--` is another program's.
    assert_snapshot!(screen(&user, "exec -- /gone --json"), @r"
    $ goroam exec -- /gone --json
    goroam: /gone: No such file or directory (os error 2)
    [exit 127]
    ");
}
