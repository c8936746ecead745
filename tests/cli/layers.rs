//! The machine's policy below the user's, without an agent.

use crate::cli::{User, can_mount};

const MACHINE: &str = r#"version = 1
[agent]
recheck = "5m"
[policy]
locked = ["GOSUMDB", "GOPROXY"]
[target.corp]
goproxy = "https://goproxy.corp.example"
[[profile]]
name = "office"
when = { up = "corp" }
[[profile]]
name = "elsewhere"
env = { GOPROXY = "https://proxy.golang.org,off", GOSUMDB = "sum.golang.org" }
"#;

const SETTINGS: &str = "version = 1\n[agent]\nfall = 1\n";

/// A user of a machine with this policy, and the user's own.
fn user(machine: &str, own: &str) -> Option<User> {
    let user = User::new();
    user.write("machine/goroam.toml", machine);
    user.write(".config/goroam/goroam.toml", own);
    can_mount().then_some(user)
}

#[test]
fn a_fault_is_shown_in_the_file_that_has_it() {
    let Some(user) = user(MACHINE, "version = 1\n[agent]\nfal = 1\n") else {
        return;
    };
    for verb in ["check", "once", "probe"] {
        let done = user.goroam(verb).with_machine().exits(2);
        let all = done.all();
        assert!(all.contains(".config/goroam/goroam.toml:3:1"), "{all}");
        assert!(!all.contains("/etc/goroam"), "{all}");
    }
    let json = user.goroam("check --json").with_machine().exits(2).json();
    let own = user.policy().display().to_string();
    assert_eq!(json["findings"][0]["file"], own);
    assert_eq!(json["findings"][0]["line"], 3);

    user.write(".config/goroam/goroam.toml", SETTINGS);
    user.write("machine/goroam.toml", MACHINE.replace("recheck", "rechek"));
    let done = user.goroam("once").with_machine().exits(2);
    done.complains("/etc/goroam/goroam.toml:3:1")
        .complains("/etc/goroam/goroam.toml: 1 error");
    user.goroam("restore")
        .with_machine()
        .exits(1)
        .complains("nothing to restore");
    user.write("machine/goroam.toml", MACHINE);
    let good = user.goroam("check").with_machine().exits(0).stdout();
    assert!(good.starts_with("✓ /etc/goroam/goroam.toml, "), "{good}");
    assert!(
        good.lines().all(|line| line.chars().count() <= 80),
        "{good}"
    );
    user.write("machine/goroam.toml", MACHINE.replace("recheck", "rechek"));
    // One file is checked alone.
    user.goroam("check .config/goroam/goroam.toml")
        .with_machine()
        .exits(0);
    user.goroam("check machine/goroam.toml")
        .with_machine()
        .exits(2);
}

#[test]
fn a_locked_variable_is_refused_with_both_files_and_to_a_mirror_by_hand() {
    let own = "version = 1\n[[profile]]\nname = \"mine\"\n[profile.env]\nGOSUMDB = \"off\"\n";
    let Some(user) = user(MACHINE, own) else {
        return;
    };
    let done = user.goroam("once").with_machine().exits(2);
    let done = done.complains("error[locked]: GOSUMDB is locked by /etc/goroam/goroam.toml:5");
    let done = done.complains("/etc/goroam/goroam.toml:5:11");
    done.complains(".config/goroam/goroam.toml:5:11");

    user.write(".config/goroam/goroam.toml", SETTINGS);
    let Some(go) = crate::go::go(crate::go::VERSIONS[2]) else {
        return;
    };
    let path = format!("{}:/usr/bin:/bin", go.parent().unwrap().display());
    let run = user.goroam("use cn").env("PATH", &path);
    let refused = run.with_machine().exits(4);
    refused.complains("GOPROXY is locked by /etc/goroam/goroam.toml:5");
}

#[test]
fn each_part_of_the_policy_is_listed_with_its_layer_and_line() {
    let own = "version = 1\n[agent]\nfall = 1\n[fleet]\nurl = \"https://policy.example/p.toml\"\n\
               keys = [\"RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3\"]\n\
               [target.mine]\ngoproxy = \"https://u:secret@mine.example\"\n\
               [[profile]]\nname = \"home\"\nwhen = { up = \"mine\" }\n";
    let Some(user) = user(MACHINE, own) else {
        return;
    };
    let done = user.goroam("check --layers").with_machine().exits(0);
    let shown = done
        .stdout()
        .replace(&user.policy().display().to_string(), "USER");
    let layers = shown.split("\nwarning").next().unwrap();
    assert_eq!(
        layers,
        "\
layers, the highest first:
  user          USER
  machine       /etc/goroam/goroam.toml
settings:
  user:3        agent.fall = 1
  machine:3     agent.recheck = \"5m\"
  user:6        fleet.keys =
                [\"RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3\"]
  user:5        fleet.url = \"https://policy.example/p.toml\"
targets:
  machine:6     corp
  user:7        mine
profiles, in the order in which they are tried:
  user:10       home
  machine:9     office
  machine:12    elsewhere
  machine:13      GOPROXY = \"https://proxy.golang.org,off\"
  machine:13      GOSUMDB = \"sum.golang.org\"
GOPROXY is locked by /etc/goroam/goroam.toml:5
GOSUMDB is locked by /etc/goroam/goroam.toml:5"
    );
    assert!(!done.all().contains("secret"), "{}", done.all());

    let json = user
        .goroam("check --layers --json")
        .with_machine()
        .exits(0)
        .json();
    let layers = &json["layers"];
    assert_eq!(layers["files"][1]["layer"], "machine");
    assert_eq!(layers["settings"]["agent.fall"]["line"], 3);
    let elsewhere = &layers["profiles"][2]["env"]["GOPROXY"];
    assert_eq!(elsewhere["file"], "/etc/goroam/goroam.toml");
    assert_eq!(elsewhere["line"], 13);
}

#[test]
fn why_names_the_file_and_line_of_the_profile_and_its_values() {
    let Some(user) = user(MACHINE, SETTINGS) else {
        return;
    };
    let Some(go) = crate::go::go(crate::go::VERSIONS[2]) else {
        return;
    };
    let path = format!("{}:/usr/bin:/bin", go.parent().unwrap().display());
    let goroam = |words: &str| user.goroam(words).env("PATH", &path).with_machine();
    goroam("once").exits(0);
    let why = goroam("why").exits(0).stdout().replace('\n', " ");
    let says = "Set by /etc/goroam/goroam.toml: profile line 12, GOPROXY line 13, GOSUMDB line 13.";
    assert!(why.contains(says), "{why}");
    let sources = &goroam("why --json").exits(0).json()["sources"];
    assert_eq!(sources["profile"]["layer"], "machine");
    assert_eq!(sources["profile"]["line"], 12);
    assert_eq!(sources["env"]["GOSUMDB"]["line"], 13);
    let status = goroam("status --json").exits(0).json();
    assert_eq!(&status["sources"], sources);
}

#[test]
fn init_names_the_layer_below_and_what_it_has_locked() {
    let Some(user) = user(MACHINE, SETTINGS) else {
        return;
    };
    std::fs::remove_file(user.policy()).unwrap();
    let done = user
        .goroam("init --yes --template default")
        .with_machine()
        .exits(0);
    let said = done
        .stdout()
        .split_whitespace()
        .collect::<Vec<&str>>()
        .join(" ");
    assert!(
        said.contains("/etc/goroam/goroam.toml is a policy below yours"),
        "{said}"
    );
    assert!(
        said.contains("is locked by /etc/goroam/goroam.toml:5"),
        "{said}"
    );
}
