//! `goroam mirror list`, `pin`, `unpin` and `prune`, with go as the judge.

use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::mirror_scene::{Scene, json};
use crate::project::{self, fingerprint};

/// What go in the aeroplane takes for the latest.
fn latest(scene: &Scene, home: &str) -> String {
    let away = scene.away(home);
    let said = away.go(
        &scene.go,
        &away.home,
        "list -m github.com/google/uuid@latest",
    );
    said.unwrap().trim().to_owned()
}

#[test]
fn go_takes_the_pinned_version_for_the_latest() {
    let Some(scene) = Scene::set() else { return };
    let home = scene.path("home");
    scene.goroam(
        &home,
        "add github.com/google/uuid@v1.3.0 github.com/google/uuid@v1.3.1",
        0,
    );
    assert_eq!(latest(&scene, "a"), "github.com/google/uuid v1.3.1");
    let said = scene.goroam(&home, "pin github.com/google/uuid v1.3.0", 0);
    assert!(
        said.contains("github.com/google/uuid@latest is v1.3.0"),
        "{said}"
    );
    assert_eq!(latest(&scene, "b"), "github.com/google/uuid v1.3.0");
    // Who names the other one still gets it, and the next add keeps the pin.
    let away = scene.away("c");
    away.go(
        &scene.go,
        &away.home,
        "mod download github.com/google/uuid@v1.3.1",
    )
    .unwrap();
    scene.goroam(&home, "add github.com/google/uuid@v1.3.1", 0);
    assert_eq!(latest(&scene, "d"), "github.com/google/uuid v1.3.0");
    let said = scene.goroam(&home, "pin github.com/google/uuid v9.9.9", 2);
    assert!(said.contains("it holds v1.3.0, v1.3.1"), "{said}");
    scene.goroam(&home, "unpin github.com/google/uuid", 0);
    assert_eq!(latest(&scene, "e"), "github.com/google/uuid v1.3.1");
}

#[test]
fn the_list_names_versions_sizes_and_what_proves_them() {
    let Some(scene) = Scene::set() else { return };
    let home = scene.path("home");
    scene.goroam(
        &home,
        "add github.com/google/uuid@v1.3.0 github.com/pkg/errors",
        0,
    );
    scene.goroam(&home, "pin github.com/google/uuid v1.3.0", 0);
    let mut user = scene.user.clone();
    user.gosumdb = scene.world.key();
    let said = json(&scene.as_user(&user, &home, "list --json", 0));
    assert_eq!(said["totals"]["versions"], 2, "{said}");
    assert_eq!(said["totals"]["proven"], 2, "{said}");
    let uuid = &said["modules"][0];
    assert_eq!(
        (uuid["module"].as_str(), uuid["pinned"].as_str()),
        (Some("github.com/google/uuid"), Some("v1.3.0"))
    );
    assert!(
        uuid["versions"][0]["bytes"].as_u64().unwrap() > 1000,
        "{said}"
    );
    let said = scene.as_user(&user, &home, "list github.com/pkg", 0);
    assert!(
        said.contains("github.com/pkg/errors") && !said.contains("uuid"),
        "{said}"
    );
    println!("{}", scene.as_user(&user, &home, "list", 0));
}

#[test]
fn what_is_old_goes_but_neither_what_is_pinned_nor_what_a_project_needs() {
    let Some(scene) = Scene::set() else { return };
    let home = scene.path("home");
    scene.goroam(
        &home,
        "add github.com/google/uuid@v1.3.0 github.com/google/uuid@v1.3.1 github.com/pkg/errors@v0.9.1 github.com/pkg/errors@v0.9.2",
        0,
    );
    scene.goroam(&home, "pin github.com/google/uuid v1.3.0", 0);
    let year = Duration::from_secs(365 * 86_400);
    for name in [
        "google/uuid/@v/v1.3.0",
        "google/uuid/@v/v1.3.1",
        "pkg/errors/@v/v0.9.1",
    ] {
        let info = std::fs::File::options()
            .write(true)
            .open(scene.file(&format!("github.com/{name}.info")));
        info.unwrap()
            .set_modified(SystemTime::UNIX_EPOCH + year)
            .unwrap();
    }
    let project = scene.path("src/app");
    std::fs::create_dir_all(&project).unwrap();
    std::fs::write(
        project.join("go.mod"),
        "module example.test/app\n\ngo 1.21\n\nrequire github.com/pkg/errors v0.9.1\n",
    )
    .unwrap();
    std::fs::write(
        project.join("app.go"),
        "package app\n\nimport _ \"github.com/pkg/errors\"\n",
    )
    .unwrap();
    scene.user.go(&scene.go, &project, "mod tidy").unwrap();

    let before = fingerprint(&scene.mirror());
    let dry = json(&scene.goroam(&home, "prune --older-than 90days --dry-run --json", 0));
    assert_eq!(fingerprint(&scene.mirror()), before);
    let names: Vec<_> = dry["removed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["version"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["v1.3.1", "v0.9.1"], "{dry}");

    let said = scene.goroam(&home, "prune --needed-by nowhere", 2);
    assert!(said.contains("nowhere"), "{said}");
    assert_eq!(fingerprint(&scene.mirror()), before);

    let said = json(&scene.goroam(
        &scene.path("src"),
        "prune --older-than 90days --needed-by . --json",
        0,
    ));
    let names: Vec<_> = said["removed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["version"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["v1.3.1", "v0.9.2"], "{said}");
    assert_eq!(
        std::fs::read(scene.file("github.com/pkg/errors/@v/list")).unwrap(),
        b"v0.9.1\n"
    );
    let lookup = |name: &str| scene.file(&format!("sumdb/{}/lookup/{name}", project::SUMDB));
    assert!(!lookup("github.com/google/uuid@v1.3.1").exists());
    assert!(lookup("github.com/pkg/errors@v0.9.1").is_file());
    // go agrees, and so does the check of everything.
    let away = scene.away("away");
    away.go(&scene.go, &project, "build ./...").unwrap();
    let mut user = scene.user.clone();
    user.gosumdb = scene.world.key();
    scene.as_user(&user, &home, "verify", 0);

    let said = json(&scene.goroam(&home, "prune --max-size 1B --json", 0));
    assert_eq!(said["kept"], 1, "{said}");
    assert!(
        scene.file("github.com/google/uuid/@v/v1.3.0.zip").is_file(),
        "pinned"
    );
    assert!(
        !scene.file("github.com/pkg").exists(),
        "an empty folder stays"
    );
}

#[test]
fn a_folder_that_is_no_mirror_is_not_made_one_by_looking() {
    let Some(scene) = Scene::set() else { return };
    let home = scene.path("home");
    for (args, exit) in [
        ("list", 1),
        ("prune --max-size 1B", 2),
        ("pin a.test/b v1.0.0", 2),
        ("unpin a.test/b", 2),
    ] {
        let said = scene.goroam(&home, args, exit);
        assert!(said.contains("goroam mirror add"), "{args}: {said}");
        assert!(!Path::new(&scene.mirror()).exists(), "{args}");
    }
}
