//! `goroam vendor` in a repository that a stranger packed: what its .git says is not obeyed.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use crate::vendored::Shop;
use crate::with_one;

#[test]
fn programs_that_the_configuration_names_are_not_run() {
    let Some(shop) = Shop::new("1.27.3") else {
        return;
    };
    let project = with_one(&shop);
    let ran = project.path(".git/ran");
    let trap = format!("#!/bin/sh\necho \"$0\" >>'{}'\n", ran.display());
    for name in ["fsmonitor", "post-index-change", "reference-transaction"] {
        let path = project.path(&format!(".git/traps/{name}"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &trap).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    project.git(&["config", "core.fsmonitor", ".git/traps/fsmonitor"]);
    project.git(&["config", "core.hooksPath", ".git/traps"]);
    // git itself does run them: the traps are good.
    project.git(&["status"]);
    project.git(&["update-index", "--refresh", "--force-write-index"]);
    let said = fs::read_to_string(&ran).unwrap();
    assert!(
        said.contains("fsmonitor") && said.contains("post-index"),
        "{said}"
    );
    fs::remove_file(&ran).unwrap();
    project.goroam(&["check"], 0);
    project.goroam(&["list"], 0);
    project.append("vendor/example.test/Kit/kit.go", "// mine\n");
    project.goroam(&["rollback", "one"], 4);
    project.goroam(&["rollback", "one", "--keep"], 0);
    assert!(!ran.exists(), "{}", fs::read_to_string(&ran).unwrap());
    project.builds();
}

#[test]
fn a_journal_that_goroam_did_not_write_removes_nothing() {
    let Some(shop) = Shop::new("1.27.3") else {
        return;
    };
    let project = with_one(&shop);
    let outside = tempfile::tempdir().unwrap();
    fs::create_dir(outside.path().join(".goroam-rollback-1")).unwrap();
    symlink(outside.path(), project.path("link")).unwrap();
    symlink(outside.path(), project.path(".goroam-rollback-2")).unwrap();
    project.write("src/mine.go", "package src\n");
    let journal = project.path(".git/goroam/rollback.json");
    let step = r#"{"path":"src/mine.go","folder":false,"old":null,"new":null}"#;
    for (stage, steps) in [
        ("src", ""),
        ("link/.goroam-rollback-1", ""),
        (".goroam-rollback-2", ""),
        (".goroam-rollback-3", step),
    ] {
        for phase in ["begun", "decided", "done"] {
            let text = format!(
                r#"{{"stage":"{stage}","target":"x","kept":"","phase":"{phase}","steps":[{steps}],"since":0}}"#
            );
            fs::write(&journal, text).unwrap();
            for verb in ["check", "list", "rollback"] {
                let said = project.goroam(&[verb], 1);
                assert!(said.contains("is not a rollback journal"), "{said}");
            }
        }
    }
    assert!(outside.path().join(".goroam-rollback-1").exists());
    assert_eq!(project.read("src/mine.go"), "package src\n");
    fs::remove_file(&journal).unwrap();
    // Files somewhere else altogether.
    fs::write(outside.path().join("go.mod"), "module mine\n").unwrap();
    let elsewhere = outside.path().to_str().unwrap();
    project.git(&["config", "core.worktree", elsewhere]);
    let said = project.goroam(&["rollback", "one", "--keep"], 1);
    assert!(said.contains("core.worktree"), "{said}");
    assert!(!outside.path().join("vendor").exists());
}

#[test]
fn a_link_or_read_only_folders_in_the_place_of_vendor_are_no_obstacle() {
    let Some(shop) = Shop::new("1.27.3") else {
        return;
    };
    let project = with_one(&shop);
    let one = project.state();
    let vendor = project.path("vendor");
    fs::remove_dir_all(&vendor).unwrap();
    symlink("nowhere", &vendor).unwrap();
    project.goroam(&["rollback", "one"], 4);
    let done = project.json(&["rollback", "one", "--keep"]);
    assert_eq!(project.state(), one);
    // What was there comes back, a link that leads nowhere.
    project.goroam(&["rollback", done["kept"].as_str().unwrap()], 0);
    assert_eq!(fs::read_link(&vendor).unwrap().to_str(), Some("nowhere"));
    project.goroam(&["rollback", "one", "--keep"], 0);
    assert_eq!(project.state(), one);
    // As they are when a vendor/ was copied from the module cache.
    let kit = project.path("vendor/example.test/Kit");
    project.append("vendor/example.test/Kit/kit.go", "// mine\n");
    fs::set_permissions(&kit, fs::Permissions::from_mode(0o555)).unwrap();
    project.goroam(&["rollback", "one", "--keep"], 0);
    assert_eq!(project.state(), one);
    project.goroam(&["list"], 0);
}
