//! `goroam init` in real networks: a mistyped name, and a company's checksum database.

use std::ffi::OsStr;
use std::path::Path;

use crate::support::{Lab, goroam_bin};
use crate::tmux::Terminal;

const CORP: &str = "https://goproxy.corp.test";

#[test]
fn a_mistyped_host_is_refused_until_it_is_confirmed() {
    let Some(lab) = Lab::get() else { return };
    let laptop = lab.laptop();
    lab.travel("office");
    let policy = laptop.home().join(".config/goroam/goroam.toml");
    let typo = "https://goproxy.crop.test";
    let ran = laptop.goroam(&["init", "--proxy", typo]);
    assert_eq!(ran.status.code(), Some(2), "{}", ran.stderr);
    for told in ["DNS knows no goproxy.crop.test", "--yes"] {
        assert!(ran.stderr.contains(told), "{}", ran.stderr);
    }
    assert!(!policy.exists());

    // At a terminal it is asked, and Enter is no.
    let home = laptop.home().to_str().unwrap();
    let dir = lab.dir().to_str().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/in-laptop");
    let goroam = goroam_bin();
    let words = [script.as_os_str(), goroam.as_os_str()];
    let words = [&words[..], &["init", "--no-service"].map(OsStr::new)].concat();
    let vars = [("LAB_HOME", home), ("LAB", dir), ("LAB_CA", "all")];
    let Some(terminal) = Terminal::running(100, 60, &vars, &words) else {
        return;
    };
    terminal.shows("address [none]:");
    terminal.enter(typo);
    terminal.shows("! DNS knows no goproxy.crop.test");
    terminal.shows("[y/N]:");
    terminal.enter("");
    terminal.until("the first question again", |lines| {
        lines
            .iter()
            .filter(|line| line.contains("address [none]:"))
            .count()
            == 2
    });
    terminal.enter(CORP);
    terminal.shows("✓ its key is sha256/");
    terminal.shows("[Y/n, p prints it]:");
    assert!(!policy.exists());
    drop(terminal);

    let ran = laptop.goroam(&["init", "--proxy", typo, "--yes", "--no-service"]);
    assert!(ran.status.success(), "{}", ran.stderr);
    assert!(std::fs::read_to_string(&policy).unwrap().contains(typo));
}

#[test]
fn a_proxy_that_passes_the_checksum_database_on_is_seen_with_it_in_the_office() {
    let Some(lab) = Lab::get() else { return };
    let laptop = lab.laptop();
    lab.travel("office");
    let env = laptop.home().join(".config/go");
    std::fs::create_dir_all(&env).unwrap();
    let gosumdb = lab.sumdb_key("sum.corp.test");
    std::fs::write(env.join("env"), format!("GOSUMDB={gosumdb}\n")).unwrap();
    let ran = laptop.goroam(&["init", "--proxy", CORP, "--apply"]);
    assert!(ran.status.success(), "{}{}", ran.stdout, ran.stderr);
    for told in ["✓ sum.corp.test answers through the proxy", "none → office"] {
        assert!(ran.stdout.contains(told), "no {told}: {}", ran.stdout);
    }
    let checked = laptop.goroam(&["check", "--strict"]);
    assert!(checked.status.success(), "{}", checked.stdout);

    // Nothing leads to the public database, and that is said before the first build fails.
    let laptop = lab.laptop();
    let ran = laptop.goroam(&["init", "--proxy", CORP]);
    let said = ran.stdout.replace("\n    ", " ");
    assert!(said.contains("sum.golang.org does not answer"), "{said}");
    assert!(
        said.contains("public modules that no go.sum lists fail here"),
        "{said}"
    );
}
