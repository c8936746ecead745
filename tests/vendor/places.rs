//! `goroam vendor` where a repository is not the usual one.

use std::fs;
use std::path::Path;

use crate::vendored::{MAIN, Shop, Vendored};

const KIT: &str = "vendor/example.test/Kit";

#[test]
fn each_module_of_one_repository_has_its_own_snapshots() {
    let Some(shop) = Shop::new("1.27.3") else {
        return;
    };
    let mono = shop.project("mono", &[("README", "x\n")]);
    let go_mod = "module example.test/app\n\ngo 1.21\n\nrequire example.test/Kit v1.0.0\n";
    for name in ["one", "deep/two"] {
        let part = mono.within(name);
        part.write("go.mod", go_mod);
        part.write("main.go", MAIN);
        part.go(&["mod", "tidy"]);
        part.go(&["mod", "vendor"]);
        mono.git(&["add", "-A"]);
        mono.git(&["commit", "-q", "-m", name]);
        part.goroam(&["snapshot"], 0);
        assert_eq!(part.json(&["list"]).as_array().unwrap().len(), 1);
    }
    let (one, two) = (mono.within("one"), mono.within("deep/two"));
    let (one_was, two_was) = (one.state(), two.state());
    for part in [&one, &two] {
        part.go(&["get", "example.test/Kit@v1.1.0"]);
        part.go(&["mod", "vendor"]);
        part.goroam(&["snapshot", "--commit"], 0);
    }
    let two_is = two.state();
    // From a folder inside of the module, too.
    fs::create_dir_all(one.path("internal/x")).unwrap();
    let inside = Vendored {
        shop: &shop,
        folder: one.path("internal/x"),
    };
    inside.goroam(&["rollback"], 0);
    assert_eq!((one.state(), two.state()), (one_was, two_is));
    two.goroam(&["rollback", "-C", "../two"], 0);
    assert_eq!(two.state(), two_was);
    let said = Vendored {
        shop: &shop,
        folder: mono.folder.clone(),
    }
    .goroam(&["check"], 1);
    assert!(said.contains("neither a go.mod nor a go.work"), "{said}");
}

#[test]
fn a_workspace_goes_back_with_the_files_of_its_modules() {
    let Some(shop) = Shop::new("1.24.11") else {
        return;
    };
    let member = "module example.test/a\n\ngo 1.21\n\nrequire example.test/Kit v1.0.0\n";
    let work = shop.project(
        "work",
        &[
            ("go.work", "go 1.22\n\nuse ./a\n"),
            ("a/go.mod", member),
            ("a/a.go", MAIN),
        ],
    );
    let a = work.within("a");
    work.go(&["work", "sync"]);
    a.go(&["get", "example.test/Kit@v1.0.0"]);
    work.go(&["work", "vendor"]);
    work.git(&["add", "-A"]);
    work.git(&["commit", "-q", "-m", "vendored"]);
    let made = work.json(&["snapshot"]);
    assert_eq!(
        made["paths"],
        serde_json::json!(["vendor", "go.work", "go.work.sum", "a/go.mod", "a/go.sum"])
    );
    let was = (work.state(), a.state());
    a.go(&["get", "example.test/Kit@v1.1.0"]);
    work.go(&["work", "vendor"]);
    work.write("b/go.mod", "module example.test/b\n\ngo 1.21\n");
    work.write("go.work", "go 1.22\n\nuse (\n\t./a\n\t./b\n)\n");
    let said = work.goroam(&["rollback"], 4);
    assert!(said.contains("changed  a/go.mod"), "{said}");
    let done = work.json(&["rollback", "--keep"]);
    assert_eq!((work.state(), a.state()), was);
    let mut build = work.command(Path::new(&format!(
        "{}/bin/go",
        work.go(&["env", "GOROOT"]).trim()
    )));
    build
        .args(["build", "-o", "/dev/null", "./a"])
        .env("GOFLAGS", "-mod=vendor")
        .env("GOPROXY", "off");
    assert!(
        build
            .env("GOMODCACHE", shop.path("empty"))
            .status()
            .unwrap()
            .success()
    );
    work.goroam(&["rollback", done["kept"].as_str().unwrap()], 0);
    assert!(work.read("go.work").contains("./b") && a.read("go.mod").contains("v1.1.0"));
    // A module outside of the repository cannot be pinned.
    fs::create_dir(shop.path("outside")).unwrap();
    fs::write(
        shop.path("outside/go.mod"),
        "module example.test/o\n\ngo 1.21\n",
    )
    .unwrap();
    work.write("go.work", "go 1.22\n\nuse (\n\t./a\n\t../outside\n)\n");
    let said = work.goroam(&["rollback"], 1);
    assert!(said.contains("outside of the repository"), "{said}");
}

#[test]
fn linked_work_trees_and_hooks_are_no_other_places() {
    let Some(shop) = Shop::new("1.27.3") else {
        return;
    };
    let project = shop.usual("app", "1.21");
    project.goroam(&["snapshot", "--tag", "one"], 0);
    let linked = shop.path("linked");
    project.git(&["worktree", "add", "-q", linked.to_str().unwrap(), "HEAD"]);
    let linked = Vendored {
        shop: &shop,
        folder: linked,
    };
    let was = linked.state();
    linked.go(&["get", "example.test/Kit@v1.1.0"]);
    linked.go(&["mod", "vendor"]);
    linked.goroam(&["snapshot", "--commit", "--tag", "two"], 0);
    linked.goroam(&["rollback", "one"], 0);
    assert_eq!(linked.state(), was);
    assert!(project.git(&["status", "--porcelain"]).is_empty());
    // As in a hook of another repository: git says where that one is.
    let mut hooked = linked.goroam_command(&["rollback", "two"]);
    hooked
        .env("GIT_DIR", "/nonexistent")
        .env("GIT_WORK_TREE", "/nonexistent")
        .env("GIT_INDEX_FILE", "/nonexistent/index")
        .env("GIT_PAGER", "false")
        .env("GIT_EXTERNAL_DIFF", "false");
    linked.ran(hooked, &["rollback"], 0);
    assert!(linked.read("go.mod").contains("v1.1.0"));
    linked.builds();
}

#[test]
fn without_a_usable_repository_it_is_said_why() {
    let Some(shop) = Shop::new("1.24.11") else {
        return;
    };
    let project = shop.usual("app", "1.21");
    let mut without = project.goroam_command(&["list"]);
    without.env("PATH", "/nonexistent");
    let said = project.ran(without, &["list"], 1);
    assert!(said.contains("there is no git in PATH"), "{said}");
    let mut check = project.goroam_command(&["check"]);
    check.env("PATH", "/nonexistent");
    project.ran(check, &["check"], 0);
    fs::write(project.path(".git/HEAD.lock"), "").unwrap();
    fs::remove_file(project.path(".git/HEAD.lock")).unwrap();
    // Inside of a .git folder, and in a bare one.
    let bare = project.within(".git");
    fs::copy(project.path("go.mod"), bare.path("go.mod")).unwrap();
    let said = bare.goroam(&["list"], 1);
    assert!(said.contains("no work tree"), "{said}");
    fs::remove_file(bare.path("go.mod")).unwrap();
    project.git(&["config", "core.bare", "true"]);
    let said = project.goroam(&["list"], 1);
    assert!(said.contains("no work tree"), "{said}");
    project.git(&["config", "--unset", "core.bare"]);
    if std::os::unix::fs::chown(project.path("."), Some(4242), None).is_ok() {
        std::os::unix::fs::chown(project.path(".git"), Some(4242), None).unwrap();
        let said = project.goroam(&["rollback"], 4);
        assert!(said.contains("safe.directory"), "{said}");
        project.goroam(&["check"], 0);
        std::os::unix::fs::chown(project.path("."), Some(0), None).unwrap();
        std::os::unix::fs::chown(project.path(".git"), Some(0), None).unwrap();
    } else {
        println!("skipped: only root can give a folder away");
    }
    fs::rename(project.path(".git"), shop.path("gone")).unwrap();
    let said = project.goroam(&["snapshot"], 1);
    assert!(said.contains("in no git repository"), "{said}");
    project.goroam(&["check"], 0);
}

#[test]
fn a_repository_inside_of_vendor_is_never_taken_for_its_files() {
    let Some(shop) = Shop::new("1.27.3") else {
        return;
    };
    let project = shop.usual("app", "1.21");
    project.goroam(&["snapshot", "--tag", "one"], 0);
    project.append("go.mod", "// x\n");
    project.git(&["commit", "-q", "-a", "-m", "x"]);
    let nested = project.within(&format!("{KIT}/sys"));
    nested.git(&["init", "-q"]);
    nested.git(&["add", "-A"]);
    nested.git(&[
        "-c",
        "user.name=x",
        "-c",
        "user.email=x@x",
        "commit",
        "-q",
        "-m",
        "x",
    ]);
    nested.append("sys.go", "// mine\n");
    for args in [&["rollback"][..], &["rollback", "--keep"]] {
        let said = project.goroam(args, 4);
        assert!(said.contains("a separate git repository"), "{said}");
    }
    assert!(nested.read("sys.go").contains("// mine"));
}

/// A random walk: whatever the user does to these files, a rollback either refuses or leaves a
/// way back to exactly what was there.
#[test]
fn uncommitted_work_is_never_lost() {
    let Some(shop) = Shop::new("1.27.3") else {
        return;
    };
    let project = shop.usual("app", "1.21");
    project.goroam(&["snapshot", "--tag", "one"], 0);
    project.go(&["get", "example.test/Kit@v1.1.0"]);
    project.go(&["mod", "vendor"]);
    project.goroam(&["snapshot", "--commit", "--tag", "two"], 0);
    let seed = std::env::var("GOROAM_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let mut random: u64 = seed.unwrap_or(20_261_122);
    println!("seed {random}");
    let mut next = |below: u64| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below
    };
    let (mut refused, mut went) = (0, 0);
    for round in 0..24 {
        let mut done = Vec::new();
        for _ in 0..=next(3) {
            let what = next(10);
            done.push(what);
            let text = format!("// round {round}\n");
            match what {
                0 => project.append("go.mod", &text),
                1 => drop(fs::remove_file(project.path("go.sum"))),
                2 => project.write(&format!("{KIT}/mine.go"), &text),
                3 => drop(fs::remove_dir_all(project.path(&format!("{KIT}/sys")))),
                4 => project.write(".gitignore", "*.log\n"),
                5 => project.write(&format!("{KIT}/ignored.log"), &text),
                6 => drop(std::os::unix::fs::symlink(
                    "/etc",
                    project.path(&format!("{KIT}/link")),
                )),
                7 => drop(fs::remove_dir_all(project.path("vendor"))),
                8 => project.write("vendor/modules.txt", &text),
                _ => {
                    project.git(&["add", "-A"]);
                    project.git(&["commit", "-q", "--allow-empty", "-m", &text]);
                }
            }
        }
        let before = project.state();
        let target = ["one", "two"][usize::try_from(next(2)).unwrap()];
        let plain = project
            .goroam_command(&["rollback", target, "--json"])
            .output()
            .unwrap();
        let out = if plain.status.code() == Some(4) {
            refused += 1;
            assert_eq!(
                project.state(),
                before,
                "round {round}, {done:?}: refused, and changed"
            );
            project
                .goroam_command(&["rollback", target, "--keep", "--json"])
                .output()
                .unwrap()
        } else {
            plain
        };
        let said = String::from_utf8_lossy(&out.stdout).into_owned()
            + &String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "round {round}, {done:?}: {said}");
        let rolled: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
        project.builds();
        let Some(kept) = rolled["kept"].as_str() else {
            continue;
        };
        went += 1;
        if next(2) == 0 {
            project.goroam(&["rollback", kept], 0);
            assert_eq!(
                project.state(),
                before,
                "round {round}, {done:?}: {kept} is not what was there"
            );
        } else {
            // git alone has it, too.
            let tree = project.git(&["archive", "--format=tar", kept]);
            assert!(!tree.is_empty());
        }
    }
    assert!(refused >= 3 && went >= 10, "{refused} {went}");
}
