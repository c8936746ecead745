//! Which mirror `goroam exec` takes, and that it runs a command where goroam itself has nothing:
//! no home folder, no policy that can be read, no go.

use std::path::Path;

use crate::cli::{Run, User};
use crate::go;

/// `goroam … exec …` with this go in PATH. Says which step it is and what go makes of it.
fn exec(user: &User, go: &Path, args: &str) -> Run {
    let path = format!("{}:/usr/bin:/bin", go.parent().unwrap().display());
    let run = user.goroam(args).env("PATH", &path).args("-- sh -c");
    run.arg("echo $GOROAM_TIER $(go env GOPROXY); exit 7")
}

#[test]
fn the_mirror_is_the_policys_unless_somebody_names_another_one() {
    let Some(go) = go::go(go::VERSIONS[2]) else {
        return;
    };
    let user = User::new();
    for folder in ["policys", "named", ".local/share/goroam/mirror"] {
        std::fs::create_dir_all(user.path(folder)).unwrap();
    }
    let url = |folder: &str| format!("mirror file://{},off\n", user.path(folder).display());
    let run = || exec(&user, &go, "exec --tiers mirror");
    let own = url(".local/share/goroam/mirror");
    assert_eq!(run().exits(7).stdout(), own);
    let path = user.path("policys");
    let default = include_str!("../../src/policy/templates/default.toml");
    let policy = format!("{default}\n[mirror]\npath = \"{}\"\n", path.display());
    user.write(".config/goroam/goroam.toml", policy);
    assert_eq!(run().exits(7).stdout(), url("policys"));
    let named = user.path("named").display().to_string();
    let run_named = run().env("GOROAM_MIRROR", &named);
    assert_eq!(run_named.exits(7).stdout(), url("named"));
    // It cannot be read: then it names nothing, and is nobody's obstacle.
    user.write(".config/goroam/goroam.toml", "junk [[[\n");
    assert_eq!(run().exits(7).stdout(), own);
}

#[test]
fn without_a_home_folder_the_command_runs_and_a_named_mirror_is_used() {
    let Some(go) = go::go(go::VERSIONS[2]) else {
        return;
    };
    let user = User::new();
    let done = exec(&user, &go, "exec").without("HOME").exits(7);
    assert!(done.stdout().starts_with("proxy "), "{}", done.stdout());
    let named = user.path("").display().to_string();
    let run = exec(&user, &go, "exec --tiers mirror").without("HOME");
    let said = run.env("GOROAM_MIRROR", &named).exits(7).stdout();
    assert!(said.starts_with("mirror file:///"), "{said}");
}

#[test]
fn settings_of_gos_that_are_junk_are_gos_to_complain_of() {
    let Some(go) = go::go(go::VERSIONS[2]) else {
        return;
    };
    let user = User::new();
    let run = exec(&user, &go, "exec --tiers proxy").env("GOFLAGS", "junk \"");
    assert!(run.exits(7).stdout().starts_with("proxy "));
}

#[test]
fn where_no_step_can_be_taken_a_person_is_told_why_and_a_script_reads_the_last_line() {
    let Some(go) = go::go(go::VERSIONS[2]) else {
        return;
    };
    let user = User::new();
    let done = exec(&user, &go, "exec --tiers vendor --summary json").exits(1);
    assert_eq!(done.stdout(), "");
    let why = "goroam: no step is possible: vendor: the command runs in no module\n";
    let last = "{\"tier\":\"off\",\"exit\":1,\"attempts\":[]}\n";
    assert_eq!(done.stderr(), [why, last].concat());
}
