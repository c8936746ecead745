//! `goroam mirror add --from` for projects of every shape, and for networks of every mood.

use std::path::Path;

use crate::go;
use crate::mirror_scene::{Scene, json};
use crate::project::{self, fingerprint};

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// Builds, tests and lists in the aeroplane with every go, from the mirror alone.
#[track_caller]
fn holds(scene: &Scene, folder: &Path) {
    for version in go::VERSIONS {
        let Some(go) = go::go(version) else { return };
        let away = scene.away(&format!("away-{version}"));
        for args in ["build ./...", "test ./...", "list -m all", "mod graph"] {
            let said = away.go(&go, folder, args);
            assert!(said.is_ok(), "go {version} {args}: {}", said.unwrap_err());
        }
    }
}

#[test]
fn a_workspace_with_replacements_is_brought_and_left_as_it_is() {
    let Some(scene) = Scene::set() else { return };
    let work = scene.path("work");
    write(
        &work,
        "go.work",
        "go 1.21\n\nuse (\n\t./a\n\t./b\n)\n\nreplace github.com/google/uuid => github.com/google/uuid v1.3.1\n\n\
         replace example.test/local v0.0.0 => ./local\n",
    );
    write(
        &work,
        "a/go.mod",
        "module example.test/a\n\ngo 1.21\n\nrequire github.com/google/uuid v1.3.0\n",
    );
    write(
        &work,
        "a/a.go",
        "package a\n\nimport _ \"github.com/google/uuid\"\n",
    );
    write(
        &work,
        "b/go.mod",
        "module example.test/b\n\ngo 1.21\n\nrequire (\n\texample.test/local v0.0.0\n\tgithub.com/pkg/errors v0.9.1\n)\n",
    );
    write(
        &work,
        "b/b.go",
        "package b\n\nimport (\n\t_ \"example.test/a\"\n\t_ \"example.test/local\"\n\t_ \"github.com/pkg/errors\"\n)\n",
    );
    write(
        &work,
        "local/go.mod",
        "module example.test/local\n\ngo 1.21\n",
    );
    write(&work, "local/local.go", "package local\n");
    scene.user.go(&scene.go, &work, "build ./a ./b").unwrap();
    let before = fingerprint(&work);
    // From a folder within, as go itself would take it.
    let said = json(&scene.goroam(&work.join("b"), "add --from . --json", 0));
    assert_eq!(fingerprint(&work), before);
    assert!(
        scene.file("github.com/google/uuid/@v/v1.3.1.zip").is_file(),
        "{said}"
    );
    assert!(
        !scene.file("github.com/google/uuid/@v/v1.3.0.zip").exists(),
        "{said}"
    );
    for version in go::VERSIONS {
        let Some(go) = go::go(version) else { return };
        let away = scene.away(&format!("away-{version}"));
        for args in ["build ./a ./b", "test ./a ./b", "list -m all"] {
            let said = away.go(&go, &work, args);
            assert!(said.is_ok(), "go {version} {args}: {}", said.unwrap_err());
        }
    }
    assert_eq!(fingerprint(&work), before);
}

#[test]
fn an_old_go_mod_a_fork_and_an_exclusion_are_brought() {
    let Some(scene) = Scene::set() else { return };
    let old = scene.path("old");
    // Before 1.17 a go.mod names only what is imported, and every go.mod of the graph is read.
    write(
        &old,
        "go.mod",
        "module example.test/old\n\ngo 1.16\n\nrequire (\n\tgithub.com/stretchr/testify v1.8.1\n\tgithub.com/kr/pretty v0.3.0\n)\n\n\
         exclude github.com/google/uuid v1.3.0\n\nreplace github.com/pkg/errors v0.9.1 => github.com/pkg/errors v0.9.2\n",
    );
    write(
        &old,
        "old.go",
        "package old\n\nimport (\n\t_ \"github.com/kr/pretty\"\n\t_ \"github.com/stretchr/testify/assert\"\n)\n",
    );
    scene.user.go(&scene.go, &old, "mod tidy -e").unwrap();
    let before = fingerprint(&old);
    scene.goroam(&old, "add --from go.mod", 0);
    assert_eq!(fingerprint(&old), before);
    holds(&scene, &old);
}

#[test]
fn with_tests_even_tidy_works_in_the_aeroplane() {
    let Some(scene) = Scene::set() else { return };
    let project = scene.project();
    scene.goroam(&project, "add --from . --tests", 0);
    let before = fingerprint(&project);
    for version in go::VERSIONS {
        let Some(go) = go::go(version) else { return };
        let away = scene.away(&format!("away-{version}"));
        away.go(&go, &project, "mod tidy -e").unwrap();
        away.go(&go, &project, "mod download all").unwrap();
        assert_eq!(fingerprint(&project), before, "go {version}");
    }
}

#[test]
fn what_go_sum_does_not_agree_with_is_not_stored() {
    let Some(scene) = Scene::set() else { return };
    let folder = scene.path("p");
    write(
        &folder,
        "go.mod",
        "module example.test/p\n\ngo 1.21\n\nrequire github.com/google/uuid v1.3.0\n",
    );
    write(
        &folder,
        "p.go",
        "package p\n\nimport _ \"github.com/google/uuid\"\n",
    );
    scene.user.go(&scene.go, &folder, "mod tidy").unwrap();
    let good = std::fs::read_to_string(folder.join("go.sum")).unwrap();
    let (hash, _) = good.split_once("h1:").unwrap().1.split_once('\n').unwrap();
    let wrong = format!("{}A=", "A".repeat(42));
    let bad = good.replacen(hash, &wrong, 1);
    write(&folder, "go.sum", &bad);
    let said = scene.goroam(&folder, "add --from .", 6);
    assert!(
        said.contains("checksum mismatch") && said.contains(&wrong),
        "{said}"
    );
    assert!(!scene.file("github.com/google/uuid/@v").exists());
    // Nor when the mirror has it already, and another project says that it is something else.
    write(&folder, "go.sum", &good);
    scene.goroam(&folder, "add --from .", 0);
    write(&folder, "go.sum", &bad);
    let mirror = fingerprint(&scene.mirror());
    scene.goroam(&folder, "add --from .", 6);
    assert_eq!(fingerprint(&scene.mirror()), mirror);
    assert_eq!(std::fs::read_to_string(folder.join("go.sum")).unwrap(), bad);
}

#[test]
fn offline_takes_what_the_cache_holds_and_says_how_to_get_the_rest() {
    let Some(scene) = Scene::set() else { return };
    let project = scene.project();
    let said = scene.goroam(&project, "add --from . --offline", 1);
    // In the mirror that was meant, however the line is broken.
    let words: Vec<&str> = said.split_whitespace().collect();
    let mirror = scene.mirror();
    let command = format!("`goroam mirror add --from . --mirror {}`", mirror.display());
    assert!(words.join(" ").contains(&command), "{said}");
    assert!(
        !scene.world.asked().contains("uuid@v9"),
        "the database was asked"
    );
    scene.user.go(&scene.go, &project, "mod download").unwrap();
    scene.user.go(&scene.go, &project, "list -m all").unwrap();
    let asked = scene.world.asked();
    // go.sum names it all, so it comes without the database's proofs, and that is told.
    let said = json(&scene.goroam(&project, "add --from . --offline --json", 0));
    assert_eq!(scene.world.asked(), asked, "offline means offline");
    assert!(
        said["totals"]["without_proof"].as_u64().unwrap() >= 20,
        "{said}"
    );
    assert_eq!(said["added"][0]["proven_by"], "go.sum", "{said}");
    // Run again with a network, the proofs come after.
    let said = json(&scene.goroam(&project, "add --from . --json", 0));
    assert_eq!(said["totals"]["without_proof"], 0, "{said}");
    assert_eq!(said["totals"]["added"], 0, "{said}");
    holds(&scene, &project);
}

#[test]
fn without_the_database_only_a_go_sum_will_do() {
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
    let mut user = scene.user.clone();
    // Nobody listens there. go has cached what it needs of the database, and goroam takes that.
    user.gosumdb = format!(
        "{} http://127.0.0.1:1/{}",
        scene.world.key(),
        project::SUMDB
    );
    scene.as_user(&user, &home, "add github.com/google/uuid@v1.3.0", 0);
    let said = scene.as_user(&user, &home, "add github.com/google/uuid@v1.3.1", 1);
    assert!(said.contains("127.0.0.1:1"), "{said}");
    assert!(!scene.file("github.com/google/uuid/@v/v1.3.1.zip").exists());
    // A private module is stored on go's word, and the answer says so.
    let private = user.at(&scene.path("private"));
    let args = "mirror add git.corp.test/team/hello@v1.0.0 --json --mirror";
    let args = format!("{args} {}", scene.mirror().display());
    let mut command = private.goroam_command(&scene.go, &private.home);
    let output = command
        .env("GONOSUMDB", "git.corp.test,github.com")
        .args(args.split(' '))
        .output()
        .unwrap();
    let said = json(&project::answer(output).unwrap());
    assert_eq!(said["added"][0]["proven_by"], "go", "{said}");
    assert!(said["totals"]["unproven"].as_u64().unwrap() >= 1, "{said}");
}

#[test]
fn a_folder_that_is_no_mirror_and_go_s_own_cache_are_refused() {
    let Some(scene) = Scene::set() else { return };
    let home = scene.path("home");
    let refused = |place: &Path| {
        let args = format!(
            "mirror add github.com/google/uuid --mirror {}",
            place.display()
        );
        let output = scene.user.goroam(&scene.go, &home, &args);
        assert_eq!(output.status.code(), Some(4), "{output:?}");
    };
    scene
        .user
        .go(
            &scene.go,
            &home,
            "mod download github.com/google/uuid@v1.3.0",
        )
        .unwrap();
    refused(&scene.user.cache());
    refused(&home.join("go/pkg/mod"));
    write(&scene.path("docs"), "letter.txt", "dear");
    refused(&scene.path("docs"));
    assert_eq!(fingerprint(&scene.path("docs")).len(), 1);
}
