//! `goroam env`, beside the go command and in real shells.

use std::process::Command;

use crate::cli::User;
use crate::go;

/// With what each shell treats in its own way.
const ODD: &str = "https://joe:s3'c\"r\\e$t`!\u{1b}[1m@goproxy.corp.example/a b";

fn policy(user: &User, env: &str) {
    let text = format!("version = 1\n[[profile]]\nname = \"office\"\nenv = {{ {env} }}\n");
    user.write(".config/goroam/goroam.toml", text);
}

fn path_to(go: &std::path::Path) -> String {
    format!("{}:/usr/bin:/bin", go.parent().unwrap().display())
}

#[test]
fn every_value_is_the_one_that_go_itself_uses() {
    for version in go::VERSIONS {
        let Some(go) = go::go(version) else { return };
        let (user, path) = (User::new(), path_to(&go));
        policy(
            &user,
            "GOPROXY = \"https://p.example,direct\", GOPRIVATE = \"x.example\"",
        );
        user.write(".config/go/env", "GOBIN=/own/bin\n");
        user.goroam("once").env("PATH", &path).exits(0);
        user.write("w/go.work", "go 1.21\n\nuse ./m\n");
        user.write("w/m/go.mod", "module m.example\n\ngo 1.21\n");
        for (folder, vars) in [
            ("", &[][..]),
            ("w/m", &[("GOPROXY", "off"), ("GOARCH", "arm64")]),
            ("w/m", &[("GOWORK", "off"), ("GOFLAGS", "-mod=mod")]),
            ("w", &[("GOENV", "off"), ("GOTOOLCHAIN", "local")]),
        ] {
            let own = user.path(folder).display().to_string();
            let mut asked = user.goroam("env --json -C").arg(&own).env("PATH", &path);
            let mut real = user.run(go.to_str().unwrap()).args("env -json");
            for (name, value) in vars {
                (asked, real) = (asked.env(name, value), real.env(name, value));
            }
            let json = asked.exits(0).json();
            let mut command = real.command();
            let real = command.current_dir(&own).output().unwrap();
            let real: serde_json::Value = serde_json::from_slice(&real.stdout).unwrap();
            let said = json.as_object().unwrap();
            assert!(said.len() > 10, "{json:#}");
            for (name, one) in said {
                assert_eq!(
                    one["value"], real[name],
                    "{name} with go {version} in {own}"
                );
            }
            let source = |name: &str| json[name]["source"].as_str().unwrap_or_default();
            for (name, _) in vars {
                assert_eq!(source(name), "environment", "{name}: {json:#}");
            }
            let file = if vars.iter().any(|(name, _)| *name == "GOENV") {
                ["", "default"]
            } else {
                ["file", "file"]
            };
            assert_eq!([source("GOBIN"), source("GOPRIVATE")], file, "{json:#}");
            let is_project = source("GOWORK") == "project";
            assert_eq!(is_project, folder.starts_with('w') && vars[0].0 != "GOWORK");
        }
    }
}

#[test]
fn an_export_that_hides_a_profiles_value_is_named_and_no_list_shows_a_password() {
    let Some(go) = go::go(go::VERSIONS[2]) else {
        return;
    };
    let (user, path) = (User::new(), path_to(&go));
    policy(&user, "GOPROXY = \"https://joe:s3cret@p.example\"");
    user.goroam("once").env("PATH", &path).exits(0);
    let with_go = |words: &str| user.goroam(words).env("PATH", &path);
    let hidden = "# environment; it hides the value of profile office, https://joe:***@p.example";
    let listed = with_go("env").env("GOPROXY", "off").env("COLUMNS", "200");
    listed.exits(0).says(hidden);
    for words in ["env", "env --json", "env --json GOPROXY"] {
        let done = with_go(words).exits(0);
        assert!(!done.all().contains("s3cret"), "{}", done.all());
    }
    // What programs read is what go uses.
    for words in ["env GOPROXY", "env --shell bash", "env --shell nu GOPROXY"] {
        with_go(words).exits(0).says("s3cret");
    }
    // Without a go command, what is set is known, and nothing else.
    let without_go = |words: &str| user.goroam(words).env("PATH", "/nowhere");
    without_go("env GOPROXY").exits(0).says("s3cret");
    without_go("env GOPROXY GOFLAGS").exits(3);
    without_go("env").exits(3);
}

#[test]
fn a_shell_that_evaluates_the_lines_has_exactly_these_values() {
    let user = User::new();
    user.write(".config/go/env", format!("GOPROXY={ODD}\n"));
    for shell in ["bash", "zsh", "fish", "sh"] {
        if Command::new(shell).args(["-c", ":"]).status().is_err() {
            println!("skipped: no {shell} here");
            continue;
        }
        let form = if shell == "sh" { "bash" } else { shell };
        let evaluate = if shell == "fish" {
            format!("$GOROAM env --shell {form} GOPROXY | source; env -0")
        } else {
            format!("eval \"$($GOROAM env --shell {form} GOPROXY)\"; env -0")
        };
        let run = user.run(shell).arg("-c").arg(evaluate);
        let out = run.env("GOROAM", env!("CARGO_BIN_EXE_goroam")).exits(0);
        let out = out.stdout();
        let value = out.split('\0').find_map(|one| one.strip_prefix("GOPROXY="));
        assert_eq!(value, Some(ODD), "{shell}");
    }
}
