//! `[[project]]` in real shells, with real go commands: the hook, `env` and `exec`.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crate::cli::{User, mode};
use crate::go;
use crate::hook::{Interactive, SHELLS};

const POLICY: &str = r#"version = 1
[[profile]]
name = "office"
env = { GOPRIVATE = "git.corp.example", GOSUMDB = "sum.golang.org" }
[[profile]]
name = "plain"
[[project]]
dir = "~/oss"
env = { GOFLAGS = "-modcacherw", GOSUMDB = "sum.golang.google.cn" }
[[project]]
match = "git.corp.example/*"
env = { GOFLAGS = "-trimpath", GOBIN = "${HOME}/corp/bin" }
"#;

/// A home with two projects, a link into one of them, and `go` in its PATH.
fn at_home(shell: &Interactive, policy: &str, exports: &[(&str, &str)]) -> Option<User> {
    let go = go::go(go::VERSIONS[2])?;
    let user = shell.user_with(policy, exports)?;
    let run = format!("#!/bin/sh\nexec {} \"$@\"\n", go.display());
    mode(&user.write("bin/go", run), 0o755);
    std::fs::create_dir_all(user.path("oss/deep")).unwrap();
    std::fs::create_dir_all(user.path("src/app/cmd")).unwrap();
    user.write("src/app/go.mod", "module git.corp.example/app\n\ngo 1.21\n");
    symlink(user.path("oss/deep"), user.path("link")).unwrap();
    symlink(user.path("src/app"), user.path("app")).unwrap();
    Some(user)
}

/// Prints what go uses.
const SHOW: &str = "echo \"FLAGS[$(go env GOFLAGS)]\"";

/// What `SHOW` printed each time.
fn seen(printed: &str) -> Vec<&str> {
    // What is typed ahead may stand in the same line.
    let values = printed
        .lines()
        .filter_map(|line| line.rsplit_once("FLAGS["));
    let values = values.filter_map(|(_, value)| value.strip_suffix(']'));
    values.filter(|value| !value.contains('$')).collect()
}

fn runs(user: &User, verb: &str) -> usize {
    let runs = std::fs::read_to_string(user.path("runs")).unwrap();
    runs.lines().filter(|line| *line == verb).count()
}

#[test]
fn a_projects_variables_hold_in_its_directory_only() {
    for shell in SHELLS.iter().filter(|shell| shell.is_here()) {
        let Some(user) = at_home(shell, POLICY, &[]) else {
            return;
        };
        let places = [
            "~/oss",
            "~/oss/deep",
            "~",
            "~/link",
            "~/src/app/cmd",
            "~/app",
            "/",
        ];
        let mut lines = vec![SHOW.to_owned()];
        for place in places {
            lines.extend([format!("cd {place}"), "true".to_owned(), SHOW.to_owned()]);
        }
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let Some(printed) = shell.types(&user, &lines) else {
            return;
        };
        let (oss, corp) = ("-modcacherw", "-trimpath");
        let want = ["", oss, oss, "", oss, corp, corp, ""];
        assert_eq!(seen(&printed), want, "{}: {printed}", shell.name);
        // One for the start, and one for each new directory; none for any other prompt.
        assert_eq!(runs(&user, "hook"), 1 + places.len(), "{}", shell.name);
    }
}

#[test]
fn what_the_user_exports_counts_more_than_a_project_and_stays() {
    for shell in SHELLS.iter().filter(|shell| shell.is_here()) {
        let startup = [("GOBIN", "/start/up"), ("GOSUMDB", "off")];
        let Some(user) = at_home(shell, POLICY, &startup) else {
            return;
        };
        let unset = match shell.name {
            "fish" => "set -e GOFLAGS",
            _ => "unset GOFLAGS",
        };
        let sumdb = "echo \"FLAGS[$(go env GOSUMDB) $(go env GOBIN)]\"";
        let (outside, inside) = (shell.export("GOFLAGS", "-v"), shell.export("GOFLAGS", "-x"));
        let lines = [
            "cd ~/oss",
            sumdb,
            "cd ~/app",
            sumdb,
            unset,
            SHOW,
            "cd ~/app/cmd",
            SHOW,
            "cd ~/oss",
            SHOW,
            &inside,
            "cd ~/app",
            SHOW,
            "cd ~",
            SHOW,
            &outside,
            "cd ~/oss",
            SHOW,
            "cd ~",
            SHOW,
        ];
        let Some(printed) = shell.types(&user, &lines) else {
            return;
        };
        let want = [
            // The hook has taken the start-up file's GOSUMDB back, so the project's counts.
            "sum.golang.google.cn /start/up",
            "sum.golang.org /start/up",
            "",
            "",
            "-modcacherw",
            "-x",
            "-x",
            "-v",
            "-v",
        ];
        assert_eq!(seen(&printed), want, "{}: {printed}", shell.name);
    }
}

#[test]
fn a_shell_within_a_shell_and_a_new_policy_know_what_is_a_projects() {
    for shell in SHELLS.iter().filter(|shell| shell.is_here()) {
        let Some(user) = at_home(shell, POLICY, &[]) else {
            return;
        };
        let without = POLICY.split("[[project]]").next().unwrap();
        user.write("without.toml", without);
        let lines = [
            "cd ~/oss",
            shell.name,
            "cd ~",
            SHOW,
            "cd ~/oss",
            SHOW,
            "cp ~/without.toml ~/.config/goroam/goroam.toml",
            "goroam use plain",
            SHOW,
            "cd ~/oss/deep",
            SHOW,
            "exit",
        ];
        let Some(printed) = shell.types(&user, &lines) else {
            return;
        };
        let want = ["", "-modcacherw", "", ""];
        assert_eq!(seen(&printed), want, "{}: {printed}", shell.name);
    }
}

#[test]
fn a_policy_that_cannot_be_read_leaves_no_variable_behind() {
    for shell in SHELLS.iter().filter(|shell| shell.is_here()) {
        let Some(user) = at_home(shell, POLICY, &[]) else {
            return;
        };
        let lines = [
            "cd ~/oss",
            SHOW,
            "echo junk >~/.config/goroam/goroam.toml",
            SHOW,
            "cd ~",
            SHOW,
        ];
        let Some(printed) = shell.types(&user, &lines) else {
            return;
        };
        let want = ["-modcacherw", "-modcacherw", ""];
        assert_eq!(seen(&printed), want, "{}: {printed}", shell.name);
    }
}

#[test]
fn without_projects_a_new_directory_starts_nothing() {
    for shell in SHELLS.iter().filter(|shell| shell.is_here()) {
        let policy = POLICY.split("[[project]]").next().unwrap();
        let Some(user) = at_home(shell, policy, &[]) else {
            return;
        };
        if shell
            .types(&user, &["cd ~/oss", "cd ~/app", "cd /"])
            .is_none()
        {
            return;
        }
        assert_eq!(runs(&user, "hook"), 1, "{}", shell.name);
    }
}

/// A user with a go command in PATH, after a turn.
fn user(policy: &str) -> Option<(User, String)> {
    let go = go::go(go::VERSIONS[2])?;
    let path = format!("{}:/usr/bin:/bin", go.parent().unwrap().display());
    let user = User::new();
    user.write(".config/goroam/goroam.toml", policy);
    user.goroam("use office").env("PATH", &path).exits(0);
    user.write("src/app/go.mod", "module git.corp.example/app\n\ngo 1.21\n");
    std::fs::create_dir_all(user.path("oss/deep")).unwrap();
    Some((user, path))
}

#[test]
fn env_and_exec_use_a_projects_values_and_env_says_so() {
    let Some((user, path)) = user(POLICY) else {
        return;
    };
    let env = |folder: &str| {
        let run = user.goroam("env --json -C").arg(user.path(folder));
        run.env("PATH", &path)
    };
    let of = |json: &serde_json::Value, name: &str| {
        let one = &json[name];
        ["value", "source", "why"].map(|key| one[key].as_str().unwrap_or_default().to_owned())
    };
    let json = env("oss/deep").exits(0).json();
    assert_eq!(
        of(&json, "GOFLAGS"),
        ["-modcacherw", "project", "project ~/oss of the policy"]
    );
    assert_eq!(of(&json, "GOPRIVATE")[1], "file");
    let json = env("src/app").env("GOBIN", "/mine").exits(0).json();
    assert_eq!(
        of(&json, "GOFLAGS")[2],
        "project git.corp.example/* of the policy"
    );
    assert_eq!(of(&json, "GOBIN")[..2], ["/mine", "environment"]);
    assert_eq!(
        of(&env("").exits(0).json(), "GOFLAGS")[..2],
        ["", "default"]
    );
    // A shell without the hook takes the lines, and those alone that are set.
    let lines = user.goroam("env --shell bash -C").arg(user.path("src/app"));
    let lines = lines.env("PATH", &path).exits(0).stdout();
    let bin = user.path("corp/bin").display().to_string();
    assert!(
        lines.contains(&format!("export GOBIN='{bin}'\n")),
        "{lines}"
    );
    assert!(!lines.contains("GOMOD="), "{lines}");

    let exec = |folder: &str, vars: &[(&str, &str)]| {
        let mut run = user
            .goroam("exec --tiers proxy -- sh -c")
            .env("PATH", &path);
        for (name, value) in vars {
            run = run.env(name, value);
        }
        let mut command = run.arg("echo $(go env GOFLAGS) $GOBIN").command();
        let done = command.current_dir(user.path(folder)).output().unwrap();
        String::from_utf8(done.stdout).unwrap()
    };
    assert_eq!(exec("oss", &[]), "-modcacherw\n");
    assert_eq!(exec("src/app", &[]), format!("-trimpath {bin}\n"));
    assert_eq!(exec("src/app", &[("GOFLAGS", "-v")]), format!("-v {bin}\n"));
    // What the hook has exported in another directory is not the user's.
    let marker = "on GOFLAGS=+47c7b2f3c7d2a1bd";
    assert_eq!(
        exec("", &[("GOFLAGS", "-x"), ("GOROAM_HOOK", marker)]),
        "-x\n"
    );
    let marker = hooked_in(&user, &path, "oss");
    assert_eq!(
        exec(
            "src/app",
            &[("GOFLAGS", "-modcacherw"), ("GOROAM_HOOK", &marker)]
        ),
        format!("-trimpath {bin}\n")
    );
    assert_eq!(
        exec("", &[("GOFLAGS", "-modcacherw"), ("GOROAM_HOOK", &marker)]),
        "\n"
    );
    // Nor does it hide anything for goroam itself.
    let status = user.goroam("status --json").env("GOROAM_HOOK", &marker);
    let status = status
        .env("GOSUMDB", "sum.golang.google.cn")
        .exits(0)
        .json();
    assert_eq!(
        status["shadowed"].as_array().map(Vec::len),
        Some(0),
        "{status:#}"
    );
}

/// The marker that a hook exports in a directory.
fn hooked_in(user: &User, path: &str, folder: &str) -> String {
    let run = user.goroam("hook bash").env("PATH", path);
    let done = run
        .command()
        .current_dir(user.path(folder))
        .output()
        .unwrap();
    let text = String::from_utf8(done.stdout).unwrap();
    let marker = text
        .lines()
        .find_map(|line| line.strip_prefix("export GOROAM_HOOK="));
    marker.unwrap().trim_matches('\'').to_owned()
}

#[test]
fn a_hostile_repository_gets_nothing_that_the_policy_does_not_give_it() {
    let Some((user, path)) = user(POLICY) else {
        return;
    };
    let flags = |folder: &str| {
        let mut command = user
            .goroam("hook bash --refresh")
            .env("PATH", &path)
            .command();
        let done = command.current_dir(user.path(folder)).output().unwrap();
        let text = String::from_utf8(done.stdout).unwrap();
        let flags = text
            .lines()
            .find_map(|line| line.strip_prefix("export GOFLAGS="));
        assert!(text.contains("GOROAM_PROFILE"), "{folder}: {text}");
        assert!(
            text.lines().all(|line| !line.contains("evil")),
            "{folder}: {text}"
        );
        flags.map(str::to_owned)
    };
    // It may claim the path, and gets the strict values of that section: nothing of its own.
    let claim = "module git.corp.example/evil\n\ngo 1.21\n\ntoolchain go1.99.0-evil\n";
    user.write("evil/go.mod", claim);
    user.write(
        "evil/goroam.toml",
        "version = 1\n[[project]]\ndir = \"/\"\nenv = { GOSUMDB = \"off\" }\n",
    );
    user.write("evil/.envrc", "export GOFLAGS=-evil\n");
    assert_eq!(flags("evil").as_deref(), Some("'-trimpath'"));
    for (name, text) in [
        ("other", "module git.corp.example.evil.test/x\n".to_owned()),
        ("upper", "module GIT.CORP.EXAMPLE/x\n".to_owned()),
        ("quoted", "module \"git.corp.example\\n/x\"\n".to_owned()),
        ("none", "require git.corp.example/x v1.0.0\n".to_owned()),
        (
            "big",
            format!("module git.corp.example/x\n{}", "// x\n".repeat(300_000)),
        ),
    ] {
        user.write(&format!("{name}/go.mod"), text);
        assert_eq!(flags(name), None, "{name}");
    }
    std::fs::create_dir_all(user.path("odd/go.mod")).unwrap();
    std::fs::create_dir_all(user.path("pipe")).unwrap();
    let pipe = Command::new("mkfifo")
        .arg(user.path("pipe/go.mod"))
        .status();
    assert!(pipe.unwrap().success());
    symlink(
        "/dev/zero",
        user.write("zero/x", "").with_file_name("go.mod"),
    )
    .unwrap();
    for name in ["odd", "pipe", "zero"] {
        assert_eq!(flags(name), None, "{name}");
    }
    // A link in a repository to a project's directory: go finds the repository's go.mod above it.
    symlink(user.path("oss"), user.path("evil/link")).unwrap();
    let env = |folder: &str| {
        let run = user.goroam("env GOFLAGS GOMOD").env("PATH", &path);
        let run = run.env("PWD", user.path(folder).to_str().unwrap());
        let output = run.command().current_dir(user.path(folder)).output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    };
    let evil = user.path("evil/go.mod").display().to_string();
    assert_eq!(env("evil/link"), format!("-trimpath\n{evil}\n"));
    user.write("work/go.work", "go 1.21\n");
    symlink(user.path("oss"), user.path("work/link")).unwrap();
    assert!(env("work/link").starts_with('\n'), "{}", env("work/link"));
    symlink(user.path("oss"), user.path("mine")).unwrap();
    assert!(env("mine").starts_with("-modcacherw\n"), "{}", env("mine"));
    // And a directory that is a link itself.
    std::fs::rename(user.path("oss"), user.path("moved")).unwrap();
    symlink(user.path("moved"), user.path("oss")).unwrap();
    assert_eq!(flags("moved/deep").as_deref(), Some("'-modcacherw'"));
}

#[test]
fn a_section_that_would_show_private_names_of_this_machine_is_not_used() {
    let policy = POLICY.replace(
        "GOFLAGS = \"-modcacherw\",",
        "GOFLAGS = \"-modcacherw\", GOPRIVATE = \"git.corp.example\",",
    );
    let Some((user, path)) = user(&policy) else {
        return;
    };
    let flags = |user: &User| {
        let run = user.goroam("env GOFLAGS -C").arg(user.path("oss"));
        run.env("PATH", &path).exits(0)
    };
    assert_eq!(flags(&user).stdout(), "-modcacherw\n");
    // The user's own line, which no policy knows of.
    user.write(
        ".config/go/env",
        "GOPRIVATE=git.mine.example,git.corp.example\n",
    );
    let why = "goroam: project ~/oss is not used: a proxy would be asked for git.mine.example, \
               which is private without this; add it to GOPRIVATE\n";
    let refused = flags(&user);
    assert_eq!(
        (refused.stdout(), refused.stderr()),
        ("\n".to_owned(), why.to_owned())
    );
    let hook = |words: &str| {
        let mut command = user.goroam(words).env("PATH", &path).command();
        let done = command.current_dir(user.path("oss")).output().unwrap();
        String::from_utf8(done.stderr).unwrap()
    };
    // The hook says it once, not before each prompt.
    assert_eq!(
        [hook("hook bash"), hook("hook bash --refresh")],
        [why.to_owned(), String::new()]
    );
    assert_eq!(hook("exec --tiers proxy -- go env GOFLAGS"), why);
}

/// `direnv exec`, `goroam env --shell` in a `.envrc`, as docs/shells.md has it.
#[test]
fn direnv_takes_a_projects_values() {
    if !Path::new("/usr/bin/direnv").exists() {
        println!("skipped: no direnv here");
        return;
    }
    let Some((user, path)) = user(POLICY) else {
        return;
    };
    let docs = include_str!("../../docs/shells.md");
    let recipe = docs
        .lines()
        .find(|line| line.starts_with("eval \"$(goroam env --shell bash"));
    user.write("oss/.envrc", recipe.unwrap());
    let bin = Path::new(env!("CARGO_BIN_EXE_goroam")).parent().unwrap();
    let path = format!("{}:{path}", bin.display());
    user.run("direnv")
        .args("allow")
        .arg(user.path("oss/.envrc"))
        .env("PATH", &path)
        .exits(0);
    let exec = |folder: &str| {
        let run = user
            .run("direnv")
            .arg("exec")
            .arg(user.path(folder))
            .env("PATH", &path);
        run.args("go env GOFLAGS").exits(0).stdout()
    };
    assert_eq!([exec("oss"), exec("src/app")], ["-modcacherw\n", "\n"]);
}
