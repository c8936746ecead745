//! `goroam doctor --cache` after a real captive portal, and with what a real checksum database
//! has told the cache.

use std::path::{Path, PathBuf};

use crate::support::laptop::Ran;
use crate::support::{Lab, Laptop, goroam_bin, lab};

const GO_MOD: &str = "module example.com/app\n\ngo 1.21\n\nrequire github.com/google/uuid v1.3.0\n";
const MODULE: &str = "go/pkg/mod/cache/download/github.com/google/uuid/@v/v1.3.0.mod";

/// The project, in the home of the laptop's user.
fn project(laptop: &Laptop<'_>) -> PathBuf {
    let app = laptop.home().join("app");
    std::fs::create_dir_all(&app).unwrap();
    std::fs::write(app.join("go.mod"), GO_MOD).unwrap();
    let main = "package app\n\nimport _ \"github.com/google/uuid\"\n";
    std::fs::write(app.join("app.go"), main).unwrap();
    drop(std::fs::remove_file(app.join("go.sum")));
    app
}

fn sh(laptop: &Laptop<'_>, app: &Path, script: &str) -> Ran {
    let script = format!("cd {} && {script}", app.display());
    laptop.run("sh", &["-c", script.as_str()])
}

fn said(ran: &Ran) -> String {
    format!("{:?}\n{}\n{}", ran.status, ran.stdout, ran.stderr)
}

#[test]
fn a_login_page_that_a_hotspot_gave_for_a_go_mod_is_taken_out() {
    let Some(lab) = Lab::get() else { return };
    lab.net(&["hotspot-mode", "portal200"]);
    let doctor = format!("{} doctor --cache", goroam_bin().display());
    for version in ["1.21.13", "1.27.3"] {
        let Some(go) = lab::go(version) else { return };
        let go = go.display();
        let laptop = lab
            .laptop()
            .env("GOSUMDB", "off")
            .env("GOTOOLCHAIN", "local")
            .env("GOFLAGS", "-mod=mod")
            .env("GOPROXY", "https://proxy.golang.org");
        let app = project(&laptop);
        lab.travel("hotspot");
        let there = sh(&laptop, &app, &format!("{go} mod download"));
        assert!(!there.status.success(), "{}", said(&there));
        lab.travel("home");
        let back = sh(&laptop, &app, &format!("{go} build ./..."));
        assert!(
            back.stderr.contains("missing module line"),
            "go {version}: {}",
            said(&back)
        );
        let named = sh(&laptop, &app, &doctor);
        assert_eq!(named.status.code(), Some(1), "{}", said(&named));
        assert!(
            named.stdout.contains("holds an HTML page"),
            "{}",
            said(&named)
        );
        let fixed = sh(&laptop, &app, &format!("{doctor} --fix"));
        assert_eq!(fixed.status.code(), Some(0), "{}", said(&fixed));
        let again = sh(&laptop, &app, &format!("{go} build ./..."));
        assert!(again.status.success(), "go {version}: {}", said(&again));
    }
}

#[test]
fn what_is_kept_of_the_checksum_database_proves_others_and_is_looked_at_itself() {
    let Some(lab) = Lab::get() else { return };
    let Some(go) = lab::go("1.27.3") else { return };
    let go = go.display();
    let laptop = lab
        .laptop()
        .env("GOSUMDB", &lab.sumdb_key("sum.golang.org"))
        .env("GOTOOLCHAIN", "local")
        .env("GOFLAGS", "-mod=mod")
        .env("GOPROXY", "https://proxy.golang.org");
    lab.travel("home");
    let app = project(&laptop);
    let build = |when: &str| {
        let built = sh(&laptop, &app, &format!("{go} build ./..."));
        assert!(built.status.success(), "{when}: {}", said(&built));
    };
    build("at first");
    let doctor = format!("{} doctor --cache", goroam_bin().display());
    let clean = sh(&laptop, &app, &format!("{doctor} --hash"));
    assert_eq!(clean.status.code(), Some(0), "{}", said(&clean));

    // A go.mod that reads well, and no go.sum to speak against it.
    let module = laptop.home().join(MODULE);
    std::fs::write(
        &module,
        "module github.com/google/uuid\n\nrequire evil.test/x v1.0.0\n",
    )
    .unwrap();
    std::fs::remove_file(app.join("go.sum")).unwrap();
    let named = sh(&laptop, &app, &doctor);
    let words: Vec<&str> = named.stdout.split_whitespace().collect();
    assert!(
        words
            .join(" ")
            .contains("does not match the hash recorded by sum.golang.org"),
        "{}",
        said(&named)
    );
    let fixed = sh(&laptop, &app, &format!("{doctor} --fix"));
    assert_eq!(fixed.status.code(), Some(0), "{}", said(&fixed));
    assert!(!module.exists());
    build("after a go.mod was taken out");

    // What go stops at for good: its own tree head, an answer, a tile.
    let database = laptop
        .home()
        .join("go/pkg/mod/cache/download/sumdb/sum.golang.org");
    let lookup = database.join("lookup/github.com/google/uuid@v1.3.0");
    let head = laptop.home().join("go/pkg/sumdb/sum.golang.org/latest");
    let mut tile = database.join("tile/8/0");
    while tile.is_dir() {
        let inside = std::fs::read_dir(&tile).unwrap().next().unwrap();
        tile = inside.unwrap().path();
    }
    for victim in [&lookup, &head, &tile] {
        let kept = std::fs::read(victim).expect("go keeps it");
        std::fs::write(victim, "<html>please log in</html>\n").unwrap();
        drop(std::fs::remove_file(app.join("go.sum")));
        let broken = sh(&laptop, &app, &format!("{go} build ./..."));
        let named = sh(&laptop, &app, &doctor);
        assert!(
            named.stdout.contains("holds an HTML page") || named.stdout.contains("bytes, not"),
            "{}",
            said(&named)
        );
        let fixed = sh(&laptop, &app, &format!("{doctor} --fix"));
        assert_eq!(fixed.status.code(), Some(0), "{}", said(&fixed));
        assert!(!victim.exists(), "{kept:?}");
        build(&format!(
            "{}, which gave: {}",
            victim.display(),
            said(&broken)
        ));
    }
}
