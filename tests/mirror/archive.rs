//! `goroam mirror export` and `import` with real modules and a real checksum database.

use crate::mirror_owner::{self, Scene, content};

const SOME: &str = "github.com/pkg/errors@v0.9.1 github.com/kr/text@v0.2.0";

#[test]
fn over_the_air_gap_a_project_builds_with_the_checksum_database_on() {
    let Some(scene) = Scene::set("") else { return };
    let (archive, there) = (scene.path("modules.tar"), scene.path("there"));
    let said = scene.export(&archive);
    assert!(said["versions"].as_u64().unwrap() >= 20, "{said}");
    assert_eq!(said["bytes"], archive.metadata().unwrap().len());
    // Never over what is there.
    let before = std::fs::read(&archive).unwrap();
    let again = scene.mirror_does(&format!("export {}", archive.display()), 1);
    assert!(again.err.contains("is there already"), "{}", again.err);
    assert_eq!(std::fs::read(&archive).unwrap(), before);
    // The same modules make the same archive.
    scene.export(&scene.path("again.tar"));
    assert!(std::fs::read(scene.path("again.tar")).unwrap() == before);

    let done = scene.import(&archive, &there);
    assert_eq!(done.code, 0, "{}{}", done.out, done.err);
    let said = done.json();
    assert_eq!(said["unproven"], serde_json::json!([]), "{said}");
    assert_eq!(
        said["added"].as_array().unwrap().len() as u64,
        said["proven"].as_u64().unwrap()
    );
    assert_eq!(content(&there), content(&scene.mirror()));
    assert!(!there.join(".goroam/import").exists());
    // Once more there is nothing to do.
    let said = scene.import(&archive, &there).json();
    assert_eq!(said["added"], serde_json::json!([]), "{said}");
    let verified = scene.goroam(&there, scene.folder.path(), "verify");
    assert_eq!(verified.code, 0, "{}", verified.out);

    let away = scene.owner.away(&there).at(&scene.path("home-there"));
    let project = scene.path("project");
    for args in ["build ./...", "test ./...", "mod verify"] {
        let said = away.go(&scene.go, &project, args);
        assert!(said.is_ok(), "go {args}: {}", said.unwrap_err());
    }
    // Without its go.sum each hash is the checksum database's to give.
    std::fs::remove_file(project.join("go.sum")).unwrap();
    let away = away.at(&scene.path("home-nosum"));
    for args in ["mod download", "get -t ./...", "mod verify"] {
        let said = away.go(&scene.go, &project, args);
        assert!(said.is_ok(), "go {args}: {}", said.unwrap_err());
    }
}

#[test]
fn what_projects_need_is_exported_and_what_is_missing_is_named() {
    let Some(scene) = Scene::set(SOME) else {
        return;
    };
    let project = scene.path("src/app");
    std::fs::create_dir_all(&project).unwrap();
    let sums = "github.com/pkg/errors v0.9.1 h1:x=\ngolang.org/x/none v0.1.0/go.mod h1:y=\n";
    std::fs::write(project.join("go.sum"), sums).unwrap();
    let archive = scene.path("some.tar");
    let args = format!(
        "export {} --needed-by {} --json",
        archive.display(),
        scene.path("src").display()
    );
    let said = scene.mirror_does(&args, 1).json();
    assert_eq!(
        said["missing"],
        serde_json::json!(["golang.org/x/none@v0.1.0"])
    );
    assert_eq!(said["versions"], 1);
    let there = scene.path("there");
    let said = scene.import(&archive, &there).json();
    assert_eq!(
        said["added"],
        serde_json::json!(["github.com/pkg/errors@v0.9.1"])
    );
    assert_eq!(scene.goroam(&there, scene.folder.path(), "verify").code, 0);
    // The other one comes to it, with a newer tree or the same.
    scene.export(&scene.path("all.tar"));
    let done = scene.import(&scene.path("all.tar"), &there);
    assert_eq!(done.code, 0, "{}{}", done.out, done.err);
    assert_eq!(done.json()["present"], 1);
    assert_eq!(scene.goroam(&there, scene.folder.path(), "verify").code, 0);
}

#[test]
fn a_killed_import_leaves_a_mirror_in_order_and_the_next_one_goes_on() {
    let Some(scene) = Scene::set("") else { return };
    let archive = scene.path("modules.tar");
    scene.export(&archive);
    let there = scene.path("there");
    let junk = there.join(".goroam/import/junk");
    std::fs::create_dir_all(&junk).unwrap();
    let mut killed = 0;
    for n in 0..12 {
        let mut command = scene.owner.goroam_command(&scene.go, scene.folder.path());
        command
            .args(["mirror", "--mirror"])
            .arg(&there)
            .arg("import")
            .arg(&archive);
        command.stdout(std::process::Stdio::null());
        let mut child = command.spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(30 + n * n * 25));
        killed += u32::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
        let said = scene
            .goroam(&there, scene.folder.path(), "verify --json")
            .json();
        let bad = mirror_owner::findings(&said, &there);
        // A version without .info is not there yet, a list may be one behind: both are for the
        // next turn. No file is other than it should be.
        let is_late = |found: &String| {
            found.ends_with(".info missing")
                || found.ends_with("/@v/list missing")
                || found.ends_with("/@v/list wrong")
                || found.ends_with("/@latest wrong")
        };
        assert!(bad.iter().all(is_late), "{bad:?}");
    }
    println!("{killed} of 12 were killed in the midst");
    assert!(killed >= 3, "{killed}");
    let done = scene.import(&archive, &there);
    assert_eq!(done.code, 0, "{}{}", done.out, done.err);
    assert!(!junk.exists());
    let verified = scene.goroam(&there, scene.folder.path(), "verify");
    assert_eq!(verified.code, 0, "{}", verified.out);
    assert_eq!(content(&there), content(&scene.mirror()));
}

#[test]
fn an_import_that_finds_no_room_names_the_file_that_has_none_and_leaves_nothing() {
    let Some(scene) = Scene::set(SOME) else {
        return;
    };
    let (archive, there) = (scene.path("modules.tar"), scene.path("there"));
    scene.export(&archive);
    let goroam = scene.owner.goroam_command(&scene.go, scene.folder.path());
    // No file may be longer than a few KB, which is how a full disk looks to whoever writes.
    let limited = "trap '' XFSZ; ulimit -f 4; exec \"$@\"";
    let mut command = std::process::Command::new("sh");
    command
        .args(["-c", limited, "sh"])
        .arg(goroam.get_program())
        .args(goroam.get_args())
        .args(["mirror", "--mirror"])
        .arg(&there)
        .arg("import")
        .arg(&archive);
    for (name, value) in goroam.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    let done = command.output().unwrap();
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(1), "{told}");
    let place = there.join(".goroam/import");
    assert!(told.contains(&place.display().to_string()), "{told}");
    assert!(!told.contains("modules.tar"), "{told}");
    assert!(!place.exists());
    let said = scene.import(&archive, &there);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
}

/// The mirror's file system is full, not the archive's.
#[test]
fn a_full_disk_is_named_and_nothing_stays_of_what_was_taken() {
    let Some(scene) = Scene::set(SOME) else {
        return;
    };
    let (archive, there) = (scene.path("modules.tar"), scene.path("there"));
    scene.export(&archive);
    std::fs::create_dir(&there).unwrap();
    let script = "mount -t tmpfs -o size=16k none \"$1\" || exit 77; mkdir \"$1/m\"; \
                  \"$2\" mirror import \"$3\" --mirror \"$1/m\"; code=$?; \
                  find \"$1/m\" -type f; exit $code";
    let mut command = scene.owner.command("unshare".as_ref(), scene.folder.path());
    command.args(["--mount", "--map-root-user", "sh", "-c", script, "sh"]);
    command.args([
        there.as_os_str(),
        env!("CARGO_BIN_EXE_goroam").as_ref(),
        archive.as_os_str(),
    ]);
    let output = command.output().unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    if output.status.code() == Some(77) {
        println!("skipped: nothing can be mounted here: {err}");
        return;
    }
    assert_eq!(output.status.code(), Some(1), "{out}{err}");
    let said = err.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        said.contains(&format!("{}/m: ", there.display()))
            && said.contains("No space left")
            && said.contains("nothing was taken"),
        "{said}"
    );
    let left: Vec<&str> = out
        .lines()
        .filter(|line| !line.ends_with("/lock"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}
