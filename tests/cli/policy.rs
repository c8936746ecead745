//! `check` and `init`, on files as users have them.

use crate::cli::{User, mode};

#[test]
fn init_writes_a_policy_that_nobody_else_can_write_to_and_never_overwrites() {
    let user = User::new();
    user.goroam("init").exits(0).says("goroam.toml");
    let written = std::fs::read_to_string(user.policy()).unwrap();
    let printed = user.goroam("init --print").exits(0).stdout();
    assert_eq!(written, printed);
    user.goroam("init --template corporate")
        .exits(1)
        .complains(&user.policy().display().to_string())
        .complains("exists already");
    assert_eq!(std::fs::read_to_string(user.policy()).unwrap(), written);
    // Neither refused for its permissions nor for its content.
    user.goroam("check").exits(0).says("goroam.toml");
}

#[test]
fn every_template_checks_without_an_error() {
    let user = User::new();
    for name in ["default", "corporate", "classic"] {
        let config = format!("--config {name}/goroam.toml");
        user.goroam(&format!("init --template {name} {config}"))
            .exits(0);
        let json = user
            .goroam(&format!("check --json {config}"))
            .exits(0)
            .json();
        assert_eq!(json["errors"], 0, "{json}");
    }
}

#[test]
fn init_does_not_write_through_a_link() {
    let user = User::new();
    let elsewhere = user.path("elsewhere.toml");
    std::fs::create_dir_all(user.policy().parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(&elsewhere, user.policy()).unwrap();
    user.goroam("init").exits(1).complains("exists already");
    assert!(!elsewhere.exists());
}

#[test]
fn init_says_where_it_could_not_write() {
    let user = User::new();
    user.write("file", "");
    user.goroam("init --config file/goroam.toml")
        .exits(1)
        .complains("file/goroam.toml: cannot be written");
}

#[test]
fn without_a_file_the_built_in_policy_is_checked() {
    let user = User::new();
    let json = user.goroam("check --json").exits(0).json();
    assert_eq!(json["file"], "built-in default");
    assert_eq!(json["errors"], 0);
}

#[test]
fn a_file_that_was_named_must_be_there() {
    let user = User::new();
    user.goroam("check --config gone.toml")
        .exits(2)
        .complains("gone.toml");
    user.goroam("check")
        .env("GOROAM_CONFIG", "gone.toml")
        .exits(2)
        .complains("gone.toml");
}

#[test]
fn what_is_no_policy_file_is_refused_by_name() {
    let user = User::new();
    std::fs::create_dir(user.path("folder")).unwrap();
    user.goroam("check folder")
        .exits(2)
        .complains("folder: is a folder");
    user.write("latin.toml", b"version = 1\n# caf\xe9\n");
    user.goroam("check latin.toml")
        .exits(2)
        .complains("not UTF-8 (byte 17, line 2)");
    user.write("big.toml", vec![b'#'; 10 * 1024 * 1024]);
    user.goroam("check big.toml")
        .exits(2)
        .complains("exceeds the 1024 KiB limit");
    user.goroam("check /dev/zero")
        .exits(2)
        .complains("is a device, not a file");
}

#[test]
fn a_policy_that_others_may_write_to_is_refused_for_safety() {
    let user = User::new();
    let path = user.write("open.toml", "version = 1\n");
    for bits in [0o664, 0o646] {
        mode(&path, bits);
        user.goroam("check open.toml")
            .exits(4)
            .complains("chmod go-w");
    }
}

#[test]
fn check_needs_no_home() {
    let user = User::new();
    user.write("p.toml", "nonsense");
    let done = user.goroam("check p.toml --json").without("HOME");
    let json =
        serde_json::from_slice::<serde_json::Value>(&done.command().output().unwrap().stdout);
    assert_eq!(json.unwrap()["file"], "p.toml");
}

#[test]
fn a_policy_in_a_folder_that_all_may_write_to_is_not_followed() {
    let user = User::new();
    let text = "version = 1\n[[profile]]\nname = \"a\"\nenv = { GOPROXY = \"off\" }\n";
    user.write(".config/goroam/goroam.toml", text);
    for folder in [".config/goroam", ".config", ""] {
        mode(&user.path(folder), 0o777);
        for verb in ["once", "probe", "check"] {
            user.goroam(verb)
                .exits(4)
                .complains("another user could replace it");
        }
        // For a file that is only checked, as in a job of CI, it is a note.
        let named = format!("check --json --strict {}", user.policy().display());
        let json = user.goroam(&named).exits(0).json();
        assert_eq!(json["findings"][0]["code"], "replaceable", "{json}");
        mode(&user.path(folder), 0o755);
        user.goroam("check").exits(0);
    }
    // As /tmp is: only the owner may rename what is in it.
    mode(&user.path(".config/goroam"), 0o1777);
    user.goroam("check").exits(0);
}
