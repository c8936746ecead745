//! `goroam doctor --fix` and `--undo`, with real shells: what they exported before is gone after,
//! and is there again when it is taken back.

use std::os::unix::fs::{MetadataExt as _, symlink};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::cli::{Done, User, mode};
use crate::go;
use crate::tmux::Terminal;

const POLICY: &str = "version = 1\n[[profile]]\nname = \"p\"\n\
    env = { GOPROXY = \"direct\", GOSUMDB = \"sum.golang.org\" }\n";
const ENV: &str = "GOPROXY=direct\nGOSUMDB=sum.golang.org\n";

/// A user with a policy, and with what it writes.
fn user(files: &[(&str, &str)]) -> User {
    let user = User::new();
    user.write(".config/goroam/goroam.toml", POLICY);
    user.write(".config/go/env", ENV);
    for (name, text) in files {
        user.write(name, text);
    }
    user
}

fn read(user: &User, name: &str) -> String {
    std::fs::read_to_string(user.path(name)).unwrap()
}

fn has(shell: &str) -> bool {
    let mut command = Command::new(shell);
    let found = command.args(["-c", ":"]).stdin(Stdio::null()).status();
    let found = found.is_ok_and(|status| status.success());
    if !found {
        println!("skipped: no {shell} here");
    }
    found
}

/// What go says in an interactive login shell.
fn go_env(user: &User, shell: &str, name: &str) -> Option<String> {
    let go = go::go(go::VERSIONS[2])?;
    let path = format!("{}:/usr/bin:/bin", go.parent().unwrap().display());
    let ask = format!("PATH={path} go env {name}");
    let ask = if shell == "fish" {
        format!("env {ask}")
    } else {
        ask
    };
    let mut command = user.run(shell).args("-l -i -c").arg(&ask).command();
    let output = command.env("GOTOOLCHAIN", "local").output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    Some(said.lines().next_back().unwrap_or_default().to_owned())
}

/// The one fix of a plan, or what was left of it.
#[track_caller]
fn only(done: &Done) -> Value {
    let json = done.json();
    let fixes = json["fixes"].as_array().unwrap();
    assert_eq!(fixes.len(), 1, "{}", done.all());
    fixes[0].clone()
}

/// Fixes these files, and checks with the real shell that go uses goroam's values, that a second
/// `--fix` finds nothing, and that `--undo` restores every byte.
#[track_caller]
fn fixed(shell: &str, files: &[(&str, &str)], after: &[(&str, &str)]) {
    if !has(shell) {
        return;
    }
    let user = user(files);
    let Some(before) = go_env(&user, shell, "GOPROXY") else {
        return;
    };
    assert_eq!(before, "https://old.example", "{shell}");
    let done = user.goroam("doctor --fix --yes").exits(0);
    assert_eq!(go_env(&user, shell, "GOPROXY").unwrap(), "direct");
    assert_eq!(go_env(&user, shell, "GOSUMDB").unwrap(), "sum.golang.org");
    for (name, text) in after {
        assert_eq!(read(&user, name), *text, "{}", done.all());
    }
    user.goroam("doctor --fix --yes")
        .exits(0)
        .says("there is nothing that goroam can fix");
    user.goroam("doctor --undo")
        .exits(0)
        .says("taken back: ~/.");
    for (name, text) in files {
        assert_eq!(read(&user, name), *text, "{name}");
    }
    assert_eq!(go_env(&user, shell, "GOPROXY").unwrap(), before);
    user.goroam("doctor --undo")
        .exits(0)
        .says("nothing to take back");
}

#[test]
fn bash_no_longer_hides_what_goroam_sets_until_it_is_taken_back() {
    let reason =
        "# goroam doctor --fix: GOPROXY hides what `go env` has; undo: `goroam doctor --undo`";
    let after = format!(
        "# mine\n  {reason}\n  # export GOPROXY=https://old.example # work\nalias ll='ls -l'\n"
    );
    fixed(
        "bash",
        &[
            (".bash_profile", ". ~/.bashrc\n"),
            (
                ".bashrc",
                "# mine\n  export GOPROXY=https://old.example # work\nalias ll='ls -l'\n",
            ),
        ],
        &[(".bash_profile", ". ~/.bashrc\n"), (".bashrc", &after)],
    );
    // The line before it would come into force.
    fixed(
        "bash",
        &[(
            ".profile",
            "export GOPROXY=https://older.example\nGOPROXY=https://old.example\n\
             export GOSUMDB=off",
        )],
        &[],
    );
}

#[test]
fn zsh_and_fish_no_longer_hide_what_goroam_sets() {
    fixed(
        "zsh",
        &[
            (".zshenv", "export GOPROXY=https://older.example\n"),
            (
                ".zshrc",
                "typeset -x GOPROXY='https://old.example' GOSUMDB=off\n",
            ),
        ],
        &[],
    );
    fixed(
        "fish",
        &[
            (
                ".config/fish/conf.d/go.fish",
                "set -gx GOSUMDB off\nset -gx GOPROXY https://older.example\n",
            ),
            (
                ".config/fish/config.fish",
                "set -gx GOPROXY https://old.example\nset -gx EDITOR vi\n",
            ),
        ],
        &[],
    );
}

#[test]
fn what_is_not_sure_stays_as_it_is() {
    let lines = [
        "if true; then\n  export GOPROXY=off\nfi\n",
        "work() {\n  export GOPROXY=off\n}\nexport \\\n  GOPROXY=off\n",
        "export GOPROXY=off; echo hello >/dev/null\n",
        "export GOPROXY=off EDITOR=vi\n",
        "export GOPROXY=$(echo off)\n",
        "true && export GOPROXY=off\n",
    ];
    for text in lines {
        let user = user(&[(".bashrc", text)]);
        user.goroam("doctor --fix --yes")
            .exits(0)
            .says("for you to fix: run `goroam doctor`");
        assert_eq!(read(&user, ".bashrc"), text);
    }
    // A text that a here-document holds is data.
    let text = "cat >/dev/null <<END\nexport GOPROXY=off\nEND\nexport GOPROXY=off\n";
    let user = user(&[(".bashrc", text)]);
    user.goroam("doctor --fix --yes").exits(0);
    let after = read(&user, ".bashrc");
    assert!(after.starts_with("cat >/dev/null <<END\nexport GOPROXY=off\nEND\n# goroam"));
}

#[test]
fn a_file_that_cannot_be_changed_safely_is_left_alone_with_the_reason() {
    let line = "export GOPROXY=off\n";
    for (text, because) in [
        (
            "export GOPROXY=off\nexport CORP=$GOPROXY/x\n",
            "line 2 of it uses $GOPROXY",
        ),
        // doctor does not know `time {`, but bash does: a block must not be empty.
        (
            "time {\nexport GOPROXY=off\n}\n",
            "`bash -n` refuses the file without that line",
        ),
        (
            "export GOPROXY=off\necho ${#GOPROXY} >/dev/null\n",
            "line 2 of it uses $GOPROXY",
        ),
        (
            "time {\nexport GOPROXY=off\ntrue\n}\n",
            "line 2 is in a block, a string or a here-document, as `bash -n` reads it",
        ),
        // bash ends the document at the last line only.
        (
            "cat >/dev/null <<X\nX\r\nexport GOPROXY=off\nX\n",
            "line 3 is in a block",
        ),
        ("export GOPROXY=off\nif\n", "no shell that reads it is here"),
    ] {
        let user = user(&[(".bashrc", text)]);
        let done = user.goroam("doctor --fix --yes --json").exits(1);
        let fix = only(&done);
        assert_eq!(fix["outcome"], "kept");
        let said = fix["because"].as_str().unwrap();
        assert!(said.starts_with(because), "{said}");
        assert_eq!(read(&user, ".bashrc"), text);
    }
    let kept = |user: &User, because: &str| {
        let done = user.goroam("doctor --fix --yes").exits(1).says(because);
        assert!(!user.path(".local/state/goroam/undo.json").exists());
        drop(done);
    };
    let others = user(&[(".bashrc", line)]);
    mode(&others.path(".bashrc"), 0o666);
    kept(&others, "others may write to it");
    mode(&others.path(".bashrc"), 0o444);
    kept(&others, "it is read-only");
    let latin = user(&[]);
    latin.write(".bashrc", b"# caf\xe9\nexport GOPROXY=off\n");
    kept(&latin, "it is not UTF-8");
    let linked = user(&[(".bashrc", line)]);
    std::fs::hard_link(linked.path(".bashrc"), linked.path("copy")).unwrap();
    kept(&linked, "it has hard links");
    assert_eq!(read(&linked, "copy"), line);
    if is_root() {
        let theirs = user(&[(".bashrc", line)]);
        std::os::unix::fs::chown(theirs.path(".bashrc"), Some(1), None).unwrap();
        kept(&theirs, "it does not belong to you");
    }
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

#[test]
fn a_line_without_which_private_names_could_leak_stays() {
    // A company's proxy for all modules, exported together with GONOPROXY=none.
    let text = "export GOPROXY=https://corp.test\nexport GOPRIVATE=corp.test GONOPROXY=none\n";
    let corp = user(&[(".bashrc", text)]);
    let done = corp.goroam("doctor --fix --yes --json").exits(1);
    let because = only(&done)["because"].to_string();
    assert!(because.contains("private names"), "{because}");
    assert_eq!(read(&corp, ".bashrc"), text);
    // Lists that stay in force protect the names as before; nothing takes them away.
    let policy = POLICY.replace("GOSUMDB", "GOPRIVATE");
    let lists = user(&[
        (".config/goroam/goroam.toml", &policy),
        (
            ".bashrc",
            "export GOPROXY=off\nexport GOPRIVATE=corp.test\n",
        ),
    ]);
    lists.goroam("doctor --fix --yes").exits(0);
    let after = read(&lists, ".bashrc");
    assert!(
        after.ends_with("# export GOPROXY=off\nexport GOPRIVATE=corp.test\n"),
        "{after}"
    );
    // Before the first turn nothing is there to use instead.
    let early = user(&[(".bashrc", "export GOPROXY=off\n"), (".config/go/env", "")]);
    early
        .goroam("doctor --fix --yes")
        .exits(1)
        .says("the go env file has no GOPROXY yet: run `goroam once` first");
}

#[test]
fn tools_of_a_project_and_editors_are_advice_only() {
    let files = [
        (".envrc", "export GOPROXY=off\n"),
        ("mise.toml", "[env]\nGOPROXY = \"off\"\n"),
        (".config/environment.d/go.conf", "GOPROXY=off\n"),
        (
            ".config/Code/User/settings.json",
            "{\"go.toolsEnvVars\": {\"GOPROXY\": \"off\"}}\n",
        ),
        (
            ".config/fish/fish_variables",
            "SETUVAR --export GOPROXY:off\n",
        ),
    ];
    let user = user(&files);
    let done = user.goroam("doctor --fix --yes --json").exits(0).json();
    assert_eq!(done, serde_json::json!({"changed": false, "fixes": []}));
    for (name, text) in files {
        assert_eq!(read(&user, name), text);
    }
}

#[test]
fn without_a_person_and_without_yes_it_only_shows_what_it_would_do() {
    let text = "export GOPROXY=https://joe:s3cret@old.example\n";
    let user = user(&[(".bashrc", text)]);
    let done = user
        .goroam("doctor --fix")
        .exits(4)
        .says("GOPROXY in ~/.bashrc:1")
        .says("- export GOPROXY=https://joe:***@old.example")
        .says("+ # export GOPROXY=https://joe:***@old.example")
        .complains("nothing was changed: `goroam doctor --fix --yes` does it");
    assert!(!done.all().contains("s3cret"), "{}", done.all());
    let json = user.goroam("doctor --fix --json").exits(4);
    assert_eq!(only(&json)["outcome"], "planned");
    assert_eq!(json.json()["changed"], false);
    assert_eq!(read(&user, ".bashrc"), text);
    // doctor says what it would fix.
    let found = user.goroam("doctor --json").exits(1).json();
    let finding = &found["findings"][0];
    assert_eq!(finding["code"], "shadowed-by-shell");
    assert_eq!(finding["fix"]["kind"], "comment-out");
    user.goroam("doctor")
        .exits(1)
        .says("`goroam doctor --fix` fixes 1 of them");
    let done = user.goroam("doctor --fix --yes").exits(0);
    assert!(!done.all().contains("s3cret"), "{}", done.all());
    let undo = user.path(".local/state/goroam/undo.json");
    assert_eq!(std::fs::metadata(&undo).unwrap().mode() & 0o777, 0o600);
    user.goroam("doctor --undo").exits(0);
    assert_eq!(read(&user, ".bashrc"), text);
    assert!(!undo.exists());
}

#[test]
fn a_person_is_asked_and_no_is_the_default() {
    let text = "export GOPROXY=off\n";
    let user = user(&[(".bashrc", text)]);
    let (home, run) = (user.path(""), user.path("run"));
    let vars = [
        ("HOME", home.to_str().unwrap()),
        ("XDG_RUNTIME_DIR", run.to_str().unwrap()),
        ("LANG", "C.UTF-8"),
    ];
    let Some(terminal) = Terminal::open(80, 40, &vars) else {
        return;
    };
    let line = concat!(env!("CARGO_BIN_EXE_goroam"), " doctor --fix; echo rc=$?");
    let question = |lines: &[String]| lines.iter().any(|line| line.contains("Do this? [y/N]"));
    let ended = |lines: &[String]| lines.iter().any(|line| line.starts_with("rc="));
    terminal.enter(line);
    terminal.until("the question", question);
    terminal.enter("");
    let screen = terminal.until("the end", ended).join("\n");
    assert!(
        screen.contains("nothing was changed") && screen.contains("rc=4"),
        "{screen}"
    );
    assert_eq!(read(&user, ".bashrc"), text);
    terminal.enter("clear");
    terminal.until("an empty screen", |lines| lines.join("").trim() == "$");
    terminal.enter(line);
    terminal.until("the question", question);
    terminal.enter("y");
    let screen = terminal.until("the end", ended).join("\n");
    assert!(
        screen.contains("commented out: GOPROXY in ~/.bashrc:1"),
        "{screen}"
    );
    assert!(screen.contains("rc=0"), "{screen}");
    assert_ne!(read(&user, ".bashrc"), text);
}

#[test]
fn a_link_to_a_file_in_a_repository_stays_and_so_does_its_mode() {
    let text = "export GOPROXY=off\n";
    let user = user(&[("dotfiles/bashrc", text)]);
    let (link, real) = (user.path(".bashrc"), user.path("dotfiles/bashrc"));
    mode(&real, 0o600);
    symlink(&real, &link).unwrap();
    user.goroam("doctor --fix --yes").exits(0);
    assert_eq!(std::fs::read_link(&link).unwrap(), real);
    assert!(read(&user, "dotfiles/bashrc").ends_with("\n# export GOPROXY=off\n"));
    assert_eq!(std::fs::metadata(&real).unwrap().mode() & 0o777, 0o600);
    user.goroam("doctor --undo").exits(0);
    assert_eq!(std::fs::read_link(&link).unwrap(), real);
    assert_eq!(read(&user, "dotfiles/bashrc"), text);
}

#[test]
fn a_file_that_has_changed_since_is_not_taken_back_but_the_way_is_shown() {
    let user = user(&[
        (".bashrc", "export GOPROXY=off\n"),
        (".zshrc", "export GOPROXY=x\n"),
    ]);
    user.goroam("doctor --fix --yes").exits(0);
    let changed = format!("export EDITOR=vi\n{}", read(&user, ".bashrc"));
    user.write(".bashrc", &changed);
    user.goroam("doctor --undo")
        .exits(1)
        .says("~/.bashrc: it has changed since; delete line 2 and the `# ` in the line")
        .says("taken back: ~/.zshrc");
    assert_eq!(read(&user, ".bashrc"), changed);
    assert_eq!(read(&user, ".zshrc"), "export GOPROXY=x\n");
    user.write(".bashrc", "export EDITOR=vi\n");
    user.goroam("doctor --undo")
        .exits(1)
        .says("no line of goroam's is left");
    user.goroam("doctor --undo").exits(0);
}

#[test]
fn a_login_page_in_the_module_cache_goes_with_the_rest() {
    let user = user(&[(".bashrc", "export GOPROXY=off\n")]);
    let page = "go/pkg/mod/cache/download/example.test/a/@v/v1.0.0.mod";
    user.write(page, "<!DOCTYPE html><html></html>");
    user.goroam("doctor --fix").exits(4).says(page);
    assert!(user.path(page).exists());
    user.goroam("doctor --fix --yes")
        .exits(0)
        .says("removed: example.test/a@v1.0.0 in")
        .says("commented out: GOPROXY in ~/.bashrc:1");
    assert!(!user.path(page).exists());
}
