//! Files in a table, and what is seen of them.

use std::collections::BTreeSet;
use std::path::Path;

use super::super::facts::DoctorFacts;
use super::super::files::Table;
use crate::environment::Environment;

#[cfg_attr(not(unix), allow(dead_code))]
fn seen(env: &[(&str, &str)], table: &[(&str, &str)]) -> (Vec<String>, DoctorFacts) {
    let names: BTreeSet<String> = ["GOPROXY".to_owned()].into();
    let env: Environment = env.iter().copied().collect();
    let mut facts = DoctorFacts::default();
    let table = Table::of(table);
    let (home, here) = (Path::new("/home/me"), Path::new("/home/me/src/x"));
    super::files(&mut facts, &table, &env, home, here, &names);
    let all = facts
        .seen
        .iter()
        .map(|one| {
            let value = one.value.as_deref().unwrap_or("?");
            format!("{} = {value} → {}", one.place, one.reaches.join(", "))
        })
        .collect();
    (all, facts)
}

#[cfg(target_os = "linux")]
#[test]
fn every_place_is_looked_at() {
    let json = "{\"go.toolsEnvVars\": {\"GOPROXY\": \"off\"}}";
    let (seen, facts) = seen(
        &[],
        &[
            ("/home/me/.bashrc", "export GOPROXY=off"),
            ("/home/me/.config/environment.d/go.conf", "GOPROXY=off"),
            ("/etc/environment", "GOPROXY=off"),
            (
                "/home/me/.config/fish/fish_variables",
                "SETUVAR --export GOPROXY:off",
            ),
            ("/home/me/.config/Code/User/settings.json", json),
            ("/home/me/.config/Code/User/profiles/a1/settings.json", json),
            ("/home/me/src/.vscode/settings.json", json),
            (
                "/home/me/src/x/.idea/workspace.xml",
                "<component name=\"VgoProject\"><entry key=\"GOPROXY\" value=\"off\"/>",
            ),
            (
                "/home/me/.config/nvim/lua/plugins/go.lua",
                "vim.env.GOPROXY = 'off'",
            ),
            (
                "/home/me/.config/doom/config.el",
                "(setenv \"GOPROXY\" \"off\")",
            ),
            ("/home/me/src/mise.toml", "[env]\nGOPROXY='off'"),
            ("/home/me/src/.envrc", "export GOPROXY=off"),
            (
                "/home/me/.config/powershell/profile.ps1",
                "$env:GOPROXY='off'",
            ),
        ],
    );
    assert_eq!(
        seen,
        [
            "~/.bashrc:1 = off → bash terminals",
            "~/.config/fish/fish_variables:1 = off → fish shells",
            "~/src/.envrc:1 = off → shells with direnv in ~/src",
            "~/.config/environment.d/go.conf:1 = off → every login",
            "/etc/environment:1 = off → every login",
            "~/.config/powershell/profile.ps1:1 = off → shells that read it",
            "~/.config/Code/User/settings.json:1 (go.toolsEnvVars) = off → the editor",
            "~/.config/Code/User/profiles/a1/settings.json:1 (go.toolsEnvVars) = off → the editor",
            "~/src/.vscode/settings.json:1 (go.toolsEnvVars) = off → the editor",
            "~/src/x/.idea/workspace.xml:1 (Go modules) = off → the editor",
            "~/.config/doom/config.el:1 = off → the editor",
            "~/src/mise.toml:2 = off → shells with mise",
            "~/.config/nvim/lua/plugins/go.lua:1 = off → the editor",
        ]
    );
    // This shell, and thirteen files.
    assert_eq!(facts.looked.len(), 14, "{:?}", facts.looked);
}

#[cfg(unix)]
#[test]
fn one_line_that_several_shells_read_is_seen_once() {
    let (seen, _) = seen(
        &[("GOPROXY", "https://joe:s3cret@h")],
        &[("/home/me/.profile", "export GOPROXY=https://joe:s3cret@h")],
    );
    assert_eq!(
        seen,
        [
            "this shell = https://joe:***@h → ",
            "~/.profile:1 = https://joe:***@h → programs of the desktop, bash login shells",
        ]
    );
}

#[cfg(unix)]
#[test]
fn a_file_of_a_shell_that_is_not_the_users_is_marked() {
    let files = [("/home/me/.zshrc", "export GOPROXY=off")];
    let (_, facts) = seen(&[("SHELL", "/bin/bash")], &files);
    assert!(facts.seen[0].foreign);
    let (_, facts) = seen(&[("SHELL", "/bin/zsh")], &files);
    assert!(!facts.seen[0].foreign);
}

#[cfg(unix)]
#[test]
fn what_cannot_be_read_is_noted_once() {
    let (_, facts) = seen(&[], &[("/home/me/.profile", "(unreadable)")]);
    let places: Vec<_> = facts
        .findings
        .iter()
        .map(|one| one.place.as_deref())
        .collect();
    assert_eq!(places, [Some("~/.profile")]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_takes_over_what_is_set_above_it_and_a_desktops_own_scripts_are_read() {
    let (found, _) = seen(
        &[],
        &[
            ("/home/me/src/x/.envrc", "source_up\n"),
            ("/home/me/src/.envrc", "export GOPROXY=off\n"),
            ("/home/me/.envrc", "export GOPROXY=direct\n"),
            (
                "/home/me/.config/plasma-workspace/env/go.sh",
                "export GOPROXY=off\n",
            ),
        ],
    );
    assert_eq!(
        found,
        [
            "~/.config/plasma-workspace/env/go.sh:1 = off → programs of the desktop",
            "~/src/.envrc:1 = off → shells with direnv in ~/src",
        ]
    );
}

#[cfg(unix)]
#[test]
fn go_env_w_in_a_start_up_file_is_no_shadow_but_found() {
    let text = "alias cn='go env -w GOPROXY=a'\n(go env -w GOPROXY=b)\ngo env GOPROXY\n\
                f() { go env -w GOPROXY=c; }\ngo env -w GOFLAGS=-v GOPROXY=https://j:s3cret@d\n\
                command -v go && go env -w \"GOPROXY=e\"\n";
    let (shadows, facts) = seen(&[], &[("/home/me/.bashrc", text)]);
    assert_eq!(shadows, [""; 0]);
    let found: Vec<String> = facts
        .rewrites
        .iter()
        .map(|one| format!("{} {:?} {}", one.place, one.value, one.certain))
        .collect();
    assert_eq!(
        found,
        [
            "~/.bashrc:5 Some(\"https://j:***@d\") true",
            "~/.bashrc:6 Some(\"e\") false",
        ]
    );
}
