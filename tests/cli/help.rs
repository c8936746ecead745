//! Help, completions, manual pages, and how goroam behaves in a pipe.

use std::io::Read;
use std::process::{Command, Stdio};

use crate::cli::{self, User};

const VERBS: [&str; 28] = [
    "once",
    "agent",
    "status",
    "probe",
    "chain",
    "why",
    "use",
    "auto",
    "pause",
    "service",
    "exec",
    "env",
    "hook",
    "mirror",
    "ready",
    "vendor",
    "doctor",
    "explain",
    "check",
    "test",
    "replay",
    "init",
    "fleet",
    "restore",
    "history",
    "metrics",
    "completions",
    "man",
];

#[test]
fn help_of_every_verb_has_an_example_and_that_of_goroam_the_exit_codes() {
    let user = User::new();
    for verb in VERBS {
        for flag in ["-h", "--help"] {
            let help = user.goroam(&format!("{verb} {flag}")).exits(0).stdout();
            // Only `exec` has others: those of its command.
            assert_eq!(
                help.contains("Exit codes:"),
                verb == "exec",
                "{verb}: {help}"
            );
            assert!(!help.contains("5 no agent is running"), "{verb}: {help}");
            assert!(
                help.contains(&format!("\n  goroam {verb}")),
                "{verb}: {help}"
            );
            let wide = help.lines().find(|line| line.chars().count() > 80);
            assert_eq!(wide, None, "{verb}");
        }
    }
    let help = user.goroam("--help").exits(0).stdout();
    assert!(help.contains("Exit codes:"), "{help}");
    assert!(help.contains("5 no agent is running"), "{help}");
    for verb in VERBS {
        assert!(help.contains(&format!("\n  {verb} ")), "{verb} in {help}");
    }
    assert!(help.contains("GOROAM_CONFIG"), "{help}");
}

#[test]
fn bad_usage_ends_with_2() {
    let user = User::new();
    for (words, why) in [
        ("", "Usage"),
        ("use home --for 0s", "between 1s and 366 days"),
        ("init --template nonsense", "corporate"),
        ("completions cobol", "zsh"),
    ] {
        user.goroam(words).exits(2).complains(why);
    }
}

#[test]
fn completions_are_what_the_shells_understand() {
    let user = User::new();
    // Elvish knows its completions only in a terminal; the last two are in no Debian package.
    for shell in ["bash", "zsh", "fish", "elvish", "powershell", "nushell"] {
        let script = user
            .goroam(&format!("completions {shell}"))
            .exits(0)
            .stdout();
        let asks = format!("goroam __complete {shell} ");
        let asks = [asks.clone(), asks.replace("goroam ", "(external goroam) ")];
        assert!(asks.iter().any(|asks| script.contains(asks)), "{script}");
        if ["elvish", "powershell", "nushell"].contains(&shell) {
            continue;
        }
        let path = user.write(&format!("goroam.{shell}"), &script);
        let check = if shell == "elvish" {
            "-compileonly"
        } else {
            "-n"
        };
        match Command::new(shell).arg(check).arg(&path).output() {
            Ok(checked) => {
                let complaint = String::from_utf8_lossy(&checked.stderr);
                assert!(checked.status.success(), "{shell}: {complaint}");
            }
            Err(error) if shell == "bash" => panic!("bash: {error}"),
            Err(_) => println!("skipped: no {shell} on this machine to read its completions"),
        }
    }
}

#[test]
fn manual_pages_are_written_for_every_verb() {
    let user = User::new();
    user.goroam("man").exits(0).says(".TH GOROAM 1");
    user.goroam("man pages/man1").exits(0);
    for verb in VERBS {
        let page = user.path(&format!("pages/man1/goroam-{verb}.1"));
        let text = std::fs::read_to_string(&page).unwrap();
        assert!(text.contains(".SH NAME"), "{verb}: {text}");
        assert!(text.contains("5 no agent is running"), "{verb}: {text}");
    }
    for page in [
        "goroam",
        "goroam-mirror-add",
        "goroam-service-logs",
        "goroam-vendor-check",
    ] {
        assert!(
            user.path(&format!("pages/man1/{page}.1")).exists(),
            "{page}"
        );
    }
    let file = user.write("file", "");
    user.goroam("man file")
        .exits(1)
        .complains(&file.file_name().unwrap().to_string_lossy());
}

#[test]
fn mandoc_and_groff_understand_every_manual_page() {
    let user = User::new();
    user.goroam("man pages").exits(0);
    let pages = std::fs::read_dir(user.path("pages")).unwrap();
    let mut pages: Vec<_> = pages.map(|page| page.unwrap().path()).collect();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    pages.push(root.join("docs/goroam.toml.5"));
    assert!(pages.len() > 40, "{}", pages.len());
    for (program, flags) in [
        ("mandoc", ["-Tlint", "-Wwarning"].as_slice()),
        ("groff", &["-K", "utf8", "-man", "-ww", "-z", "-Tutf8"]),
    ] {
        let Ok(checked) = Command::new(program).args(flags).args(&pages).output() else {
            println!("skipped: no {program} on this machine");
            continue;
        };
        let said = [checked.stdout, checked.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        // A page has no date: it is made of a program, which has a version.
        let said: Vec<&str> = said
            .lines()
            .filter(|line| !line.contains("missing date"))
            .collect();
        assert!(said.is_empty(), "{program}: {said:#?}");
    }
}

#[test]
fn a_pipe_gets_no_escape_codes_unless_it_asks_for_them() {
    let user = User::new();
    let escapes = |run: cli::Run| {
        let output = run.command().output().unwrap();
        assert!(!output.stderr.is_empty(), "there is something to colour");
        output.stdout.contains(&0x1b) || output.stderr.contains(&0x1b)
    };
    let fails = || user.goroam("status --watch");
    assert!(!escapes(fails()));
    assert!(!escapes(user.goroam("dance")));
    assert!(escapes(fails().arg("--color=always")));
    assert!(escapes(fails().env("CLICOLOR_FORCE", "1")));
    assert!(!escapes(
        fails().env("CLICOLOR_FORCE", "1").arg("--color=never")
    ));
    assert!(!escapes(fails().env("NO_COLOR", "1")));
}

#[test]
fn a_reader_that_has_seen_enough_is_not_an_error() {
    let user = User::new();
    for words in ["completions bash", "man", "--help", "init --print"] {
        let mut child = user
            .goroam(words)
            .command()
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let mut told = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut told)
            .unwrap();
        let status = child.wait().unwrap();
        assert!(status.success(), "{words}: {status} {told}");
        assert_eq!(told, "", "{words}");
    }
}

#[test]
fn a_terminal_gets_colours_unless_no_color_is_set() {
    let user = User::new();
    // script(1) gives the command a terminal.
    let on_terminal = |no_color: &str| {
        let line = format!("{} status --watch", env!("CARGO_BIN_EXE_goroam"));
        let output = Command::new("script")
            .args(["-qec", &line, "/dev/null"])
            .env_clear()
            .env("HOME", user.path(""))
            .env("XDG_RUNTIME_DIR", user.path("run"))
            .env("TERM", "xterm")
            .env("NO_COLOR", no_color)
            .stdin(Stdio::null())
            .output();
        output.map(|output| {
            let told = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(told.contains("no agent is running"), "{told}");
            told.contains('\x1b')
        })
    };
    match on_terminal("") {
        Ok(colored) => assert!(colored),
        Err(_) => return println!("skipped: no script(1) on this machine to make a terminal"),
    }
    assert!(!on_terminal("1").unwrap());
}
