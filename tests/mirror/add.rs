//! `goroam mirror add` with real modules, real go commands and a real checksum database.

use crate::go;
use crate::mirror_scene::{Scene, json, tamper};
use crate::project::{self, fingerprint};

#[test]
fn a_project_builds_and_tests_in_the_aeroplane_with_every_go() {
    let Some(scene) = Scene::set() else { return };
    let project = scene.project();
    let before = fingerprint(&project);
    let said = json(&scene.goroam(&project, "add --from . --json", 0));
    assert!(said["totals"]["added"].as_u64().unwrap() >= 20, "{said}");
    assert_eq!(said["totals"]["unproven"], 0, "{said}");
    assert_eq!(said["added"][0]["proven_by"], project::SUMDB);
    assert_eq!(said["added"][0]["how"], "link");
    assert_eq!(fingerprint(&project), before);
    for version in go::VERSIONS {
        let Some(go) = go::go(version) else { return };
        // Without its go.sum, too: then every single hash is the checksum database's to give.
        for (kind, drop_sum) in [("sum", false), ("nosum", true)] {
            let copy = scene.path(&format!("copy-{version}-{kind}"));
            let done = std::process::Command::new("cp")
                .arg("-r")
                .args([&project, &copy])
                .status();
            assert!(done.unwrap().success());
            let away = scene.away(&format!("home-{version}-{kind}"));
            if drop_sum {
                std::fs::remove_file(copy.join("go.sum")).unwrap();
                away.go(&go, &copy, "mod download").unwrap();
                away.go(&go, &copy, "get -t ./...").unwrap();
            }
            for args in [
                "build ./...",
                "vet ./...",
                "test ./...",
                "list -m all",
                "mod graph",
                "mod verify",
            ] {
                let said = away.go(&go, &copy, args);
                assert!(said.is_ok(), "go {version} {args}: {}", said.unwrap_err());
            }
        }
    }
}

#[test]
fn what_was_there_is_not_brought_again() {
    let Some(scene) = Scene::set() else { return };
    let project = scene.project();
    scene.goroam(&project, "add --from .", 0);
    let before = fingerprint(&scene.mirror());
    let said = json(&scene.goroam(&project, "add --from go.mod --json", 0));
    assert_eq!(said["totals"]["added"], 0, "{said}");
    assert!(said["totals"]["present"].as_u64().unwrap() >= 20, "{said}");
    assert_eq!(fingerprint(&scene.mirror()), before);
    // What a full disk or a copying tool has cut short is brought again, without being asked for.
    let zip = scene.file("github.com/google/uuid/@v/v1.3.0.zip");
    let bytes = std::fs::read(&zip).unwrap();
    // It may be the cache's own file.
    std::fs::remove_file(&zip).unwrap();
    std::fs::write(&zip, &bytes[..bytes.len() / 2]).unwrap();
    let said = json(&scene.goroam(&project, "add --from go.mod --json", 0));
    assert_eq!(said["totals"]["added"], 1, "{said}");
    assert_eq!(fingerprint(&scene.mirror()), before);
}

#[test]
fn versions_lie_side_by_side_also_of_a_module_with_capitals() {
    let Some(scene) = Scene::set() else { return };
    let home = scene.path("home");
    let said = scene.goroam(
        &home,
        "add github.com/BurntSushi/toml@v1.2.0 github.com/BurntSushi/toml git.corp.test/Team/Tools@v0 --json",
        0,
    );
    let said = json(&said);
    assert_eq!(said["totals"]["failed"], 0, "{said}");
    let list = std::fs::read_to_string(scene.file("github.com/!burnt!sushi/toml/@v/list")).unwrap();
    assert_eq!(list, "v1.2.0\nv1.2.1\n");
    // With what Tools needs, and what that needs.
    assert!(
        scene
            .file("git.corp.test/!team/!tools/@v/v0.3.0.zip")
            .is_file()
    );
    assert!(scene.file("git.corp.test/team/hello/@latest").is_file());
    assert!(scene.file("github.com/google/uuid/@v/list").is_file());
    let away = scene.away("away");
    for (query, version) in [("latest", "v1.2.1"), ("v1.2.0", "v1.2.0")] {
        let args = format!("list -m github.com/BurntSushi/toml@{query}");
        let said = away.go(&scene.go, &away.home, &args).unwrap();
        assert_eq!(said.trim(), format!("github.com/BurntSushi/toml {version}"));
    }
}

#[test]
fn a_tampered_zip_in_the_mirror_is_refused_by_go_itself() {
    let Some(scene) = Scene::set() else { return };
    let home = scene.path("home");
    scene.goroam(
        &home,
        "add github.com/google/uuid@v1.3.0 github.com/google/uuid@v1.3.1",
        0,
    );
    let zip = |version: &str| scene.file(&format!("github.com/google/uuid/@v/{version}.zip"));
    let away = scene.away("away");
    away.go(
        &scene.go,
        &away.home,
        "mod download github.com/google/uuid@v1.3.0",
    )
    .unwrap();
    tamper(&zip("v1.3.0"));
    let away = scene.away("away-again");
    let said = away.go(
        &scene.go,
        &away.home,
        "mod download github.com/google/uuid@v1.3.0",
    );
    let said = said.unwrap_err();
    assert!(
        said.contains("checksum mismatch") && said.contains("SECURITY ERROR"),
        "{said}"
    );
}

#[test]
fn a_cache_that_was_changed_after_go_looked_at_it_is_refused() {
    let Some(scene) = Scene::set() else { return };
    let home = scene.path("home");
    scene
        .user
        .go(
            &scene.go,
            &home,
            "mod download github.com/google/uuid@v1.3.0",
        )
        .unwrap();
    tamper(
        &scene
            .user
            .cache()
            .join("github.com/google/uuid/@v/v1.3.0.zip"),
    );
    let said = scene.goroam(&home, "add github.com/google/uuid@v1.3.0", 6);
    assert!(
        said.contains("checksum mismatch") && said.contains(&format!("{}: h1:", project::SUMDB)),
        "{said}"
    );
    assert!(!scene.file("github.com/google/uuid/@v/v1.3.0.zip").exists());
    assert!(!scene.file("github.com/google/uuid/@v/v1.3.0.info").exists());
    // The same where no checksum database covers it: go's own note of the hash remains.
    let mut user = scene.user.clone();
    user.gosumdb = "off".to_owned();
    let said = scene.as_user(&user, &home, "add github.com/google/uuid@v1.3.0", 6);
    assert!(said.contains("v1.3.0.ziphash:"), "{said}");
    assert!(!scene.file("github.com/google/uuid/@v/v1.3.0.info").exists());
}

#[test]
fn a_login_page_in_the_cache_is_never_stored() {
    let Some(scene) = Scene::set() else { return };
    let home = scene.path("home");
    let mut user = scene.user.clone();
    user.gosumdb = "off".to_owned();
    user.go(
        &scene.go,
        &home,
        "mod download github.com/google/uuid@v1.3.0",
    )
    .unwrap();
    let page = "<html><body>Welcome to the hotel</body></html>\n";
    for end in ["mod", "info", "zip"] {
        let file = user
            .cache()
            .join(format!("github.com/google/uuid/@v/v1.3.0.{end}"));
        let good = std::fs::read(&file).unwrap();
        std::fs::write(&file, page).unwrap();
        let args = "add github.com/google/uuid@v1.3.0 --offline";
        let args = format!("mirror {args} --mirror {}", scene.mirror().display());
        let output = user.goroam(&scene.go, &home, &args);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(matches!(output.status.code(), Some(1 | 6)), "{end}: {said}");
        println!("{end}: {said}");
        assert!(
            !scene.file("github.com/google/uuid/@v/v1.3.0.info").exists(),
            "{end}"
        );
        assert!(
            !scene.file("github.com/google/uuid/@v/list").exists(),
            "{end}"
        );
        std::fs::write(&file, good).unwrap();
    }
    scene.as_user(
        &user,
        &home,
        "add github.com/google/uuid@v1.3.0 --offline",
        0,
    );
}
