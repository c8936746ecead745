//! `goroam service` where there is nothing to install into, and its help.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::cli::User;

const VERBS: [&str; 7] = [
    "install",
    "uninstall",
    "start",
    "stop",
    "restart",
    "status",
    "logs",
];

#[test]
fn help_of_every_verb_of_the_service_has_an_example() {
    let user = User::new();
    for verb in VERBS {
        for flag in ["-h", "--help"] {
            let help = user
                .goroam(&format!("service {verb} {flag}"))
                .exits(0)
                .stdout();
            let example = format!("\n  goroam service {verb}");
            assert!(help.contains(&example), "{verb}: {help}");
            let wide = help.lines().find(|line| line.chars().count() > 80);
            assert_eq!(wide, None, "{verb}");
        }
    }
    user.goroam("service").exits(2);
    user.goroam("service uninstall --purge")
        .exits(2)
        .complains("--restore");
    user.goroam("service logs -n few").exits(2);
}

#[test]
fn without_a_service_manager_it_says_so_and_touches_nothing() {
    let user = User::new();
    for verb in VERBS {
        // Its XDG_RUNTIME_DIR is a folder of this test's own, where no manager can be.
        let done = user.goroam(&format!("service {verb}")).exits(1);
        let told = done.stderr();
        let way_out = match Path::new("/run/systemd/system").is_dir() {
            true => "log in",
            false => "goroam agent",
        };
        assert!(told.contains(way_out), "{verb}: {told}");
        assert_eq!(done.stdout(), "", "{verb}");
    }
    let left: Vec<_> = std::fs::read_dir(user.path(""))
        .into_iter()
        .flatten()
        .collect();
    assert_eq!(
        left.len(),
        1,
        "only the runtime folder that was there: {left:?}"
    );
}

#[test]
fn root_by_sudo_is_sent_back_even_where_root_has_no_manager() {
    let user = User::new();
    // Only root's SUDO_UID says that it is there for somebody else.
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|meta| meta.uid() == 0);
    if !is_root {
        println!("skipped: not root");
        return;
    }
    let install = user.goroam("service install").env("SUDO_UID", "1000");
    install.exits(4).complains("as yourself");
    let on_purpose = user.goroam("service install").env("SUDO_UID", "0");
    on_purpose.exits(1);
}
