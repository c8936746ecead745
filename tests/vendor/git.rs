//! `goroam vendor snapshot`, `list` and `rollback` on real git repositories.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::vendored::{self, Shop, Vendored};

const KIT: &str = "vendor/example.test/Kit";

/// With a snapshot `one` of Kit v1.0.0 and a snapshot `two` of v1.1.0, which is there.
fn with_two<'s>(shop: &'s Shop, name: &str) -> Vendored<'s> {
    let project = shop.usual(name, "1.21");
    project.goroam(&["snapshot", "--tag", "one"], 0);
    project.go(&["get", "example.test/Kit@v1.1.0"]);
    project.go(&["mod", "vendor"]);
    project.goroam(
        &["snapshot", "--commit", "--tag", "two", "-m", "Kit two"],
        0,
    );
    project
}

#[test]
fn a_snapshot_pins_what_is_there_and_is_listed() {
    let Some(shop) = Shop::new("1.27.3") else {
        return;
    };
    let project = with_two(&shop, "app");
    let default = project.json(&["snapshot"]);
    let name = default["tag"].as_str().unwrap();
    assert!(name.starts_with("goroam-vendor/20"), "{name}");
    assert_eq!(default["committed"], false);
    let tree = project.git(&["rev-parse", "HEAD:vendor"]);
    assert_eq!(default["tree"], tree.trim());
    let message = project.git(&["tag", "-l", "--format=%(contents)", name]);
    assert!(
        message.contains(&format!("Goroam-Tree: {}", tree.trim())),
        "{message}"
    );
    let list = project.json(&["list"]);
    let names: Vec<_> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        (names.len(), names.contains(&"one")),
        (3, true),
        "{names:?}"
    );
    let present = |name: &str| {
        list.as_array()
            .unwrap()
            .iter()
            .find(|one| one["name"] == name)
            .unwrap()["present"]
            .clone()
    };
    assert_eq!(
        (present("one"), present("two"), present(name)),
        (false.into(), true.into(), true.into())
    );
    // Another tag of the user's is none of these.
    project.git(&["tag", "-a", "-m", "release", "v1.0.0"]);
    assert_eq!(project.json(&["list"]), list);
    let said = project.goroam(&["list"], 0);
    assert!(
        said.contains("Kit two") && said.contains("● is what is there now"),
        "{said}"
    );
}

#[test]
fn what_is_dirty_unverified_or_taken_is_refused() {
    let Some(shop) = Shop::new("1.24.11") else {
        return;
    };
    let project = shop.usual("app", "1.21");
    project.goroam(&["snapshot", "--tag", "one"], 0);
    let said = project.goroam(&["snapshot", "--tag", "one"], 4);
    assert!(said.contains("moves no tag"), "{said}");
    project.goroam(&["snapshot", "--tag", "a b"], 2);
    project.goroam(&["snapshot", "--tag=-x"], 2);
    // Dirt elsewhere is the user's affair.
    project.append("main.go", "// more\n");
    project.goroam(&["snapshot", "--tag", "elsewhere"], 0);
    project.append("go.mod", "// more\n");
    let said = project.goroam(&["snapshot"], 4);
    assert!(
        said.contains("changed  go.mod") && said.contains("--commit"),
        "{said}"
    );
    // What the index's flags hide is seen.
    project.git(&["update-index", "--assume-unchanged", "go.mod"]);
    project.goroam(&["snapshot"], 4);
    project.git(&["update-index", "--no-assume-unchanged", "go.mod"]);
    project.git(&["add", "go.mod"]);
    project.write("go.mod", project.read("go.mod").replace("// more\n", ""));
    let said = project.goroam(&["snapshot"], 4);
    assert!(said.contains("staged"), "{said}");
    let said = project.goroam(&["snapshot", "--commit"], 4);
    assert!(
        said.contains("neither in the last commit nor in the files"),
        "{said}"
    );
    project.git(&["reset", "-q", "--hard"]);
    project.append(&format!("{KIT}/kit.go"), "// x\n");
    let said = project.goroam(&["snapshot", "--commit"], 6);
    assert!(said.contains("[altered]"), "{said}");
    assert_eq!(project.json(&["list"]).as_array().unwrap().len(), 2);
}

#[test]
fn a_commit_for_a_snapshot_holds_these_paths_and_nothing_else() {
    let Some(shop) = Shop::new("1.27.3") else {
        return;
    };
    let project = shop.usual("app", "1.21");
    project.go(&["get", "example.test/Kit@v1.1.0"]);
    project.go(&["mod", "vendor"]);
    project.write("staged.txt", "staged\n");
    project.append("main.go", "// more\n");
    project.git(&["add", "staged.txt", "main.go"]);
    project.write("untracked.txt", "x\n");
    let hook = project.path(".git/hooks/pre-commit");
    project.write(
        ".git/hooks/pre-commit",
        "#!/bin/sh\ngit diff --cached --name-only > hooked\nexit 1\n",
    );
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    let head = project.git(&["rev-parse", "HEAD"]);
    project.goroam(&["snapshot", "--commit"], 1);
    assert_eq!(project.git(&["rev-parse", "HEAD"]), head, "a hook said no");
    let hooked = project.read("hooked");
    assert!(
        hooked.contains("go.mod") && !hooked.contains("staged.txt"),
        "{hooked}"
    );
    fs::remove_file(project.path("hooked")).unwrap();
    project.write(".git/hooks/pre-commit", "#!/bin/sh\nexit 0\n");
    project.goroam(&["snapshot", "--commit", "--tag", "two"], 0);
    let committed = project.git(&["show", "--name-only", "--format=", "HEAD"]);
    assert!(
        committed
            .lines()
            .all(|path| path.starts_with("vendor/") || path.starts_with("go.")),
        "{committed}"
    );
    assert!(committed.contains(&format!("{KIT}/deep/er/more.go")));
    let status = project.git(&["status", "--porcelain"]);
    assert_eq!(status, "M  main.go\nA  staged.txt\n?? untracked.txt\n");
    // A merge would be ended by a commit.
    project.write(".git/MERGE_HEAD", head);
    project.append("go.mod", "\n// x\n");
    let said = project.goroam(&["snapshot", "--commit"], 4);
    assert!(said.contains("a merge is under way"), "{said}");
}

#[test]
fn an_ignored_vendor_is_no_snapshot_and_the_rule_is_named() {
    let Some(shop) = Shop::new("1.24.11") else {
        return;
    };
    let project = shop.usual("app", "1.21");
    project.git(&["rm", "-r", "-q", "--cached", "vendor"]);
    project.write(".gitignore", "# x\n/vendor/\n");
    project.git(&["add", ".gitignore"]);
    project.git(&["commit", "-q", "-m", "no vendor"]);
    for args in [&["snapshot"][..], &["snapshot", "--commit"]] {
        let said = project.goroam(args, 4);
        assert!(said.contains("`/vendor/` in .gitignore, line 2"), "{said}");
    }
    project.git(&["add", "-f", "vendor"]);
    project.goroam(&["snapshot", "--commit"], 0);
    // One file that a rule for something else keeps out.
    project.write(".gitignore", "*.tmpl\n");
    project.git(&["rm", "-q", "--cached", &format!("{KIT}/files/page.tmpl")]);
    let said = project.goroam(&["snapshot", "--commit"], 4);
    assert!(said.contains("page.tmpl by `*.tmpl`"), "{said}");
}

#[test]
fn after_a_bad_update_the_newest_good_snapshot_builds_again() {
    let Some(shop) = Shop::new("1.27.3") else {
        return;
    };
    let project = with_two(&shop, "app");
    let two = project.state();
    // go get, go mod vendor half-way, go.sum lost, a file edited; somebody committed that.
    project.go(&["get", "example.test/Kit@v1.0.0"]);
    fs::remove_dir_all(project.path(&format!("{KIT}/sys"))).unwrap();
    fs::remove_file(project.path("go.sum")).unwrap();
    project.append(&format!("{KIT}/kit.go"), "func broken(\n");
    let said = project.goroam(&["rollback"], 4);
    for named in [
        "changed  go.mod",
        "deleted  go.sum",
        "--keep",
        "git stash push",
    ] {
        assert!(said.contains(named), "no {named} in {said}");
    }
    let bad = project.state();
    project.git(&["commit", "-q", "-a", "-m", "bad update"]);
    let index = project.git(&["ls-files", "-s"]);
    let done = project.json(&["rollback"]);
    assert_eq!(done["to"], "two", "{done:#}");
    assert_eq!(project.state(), two);
    project.builds();
    project.goroam(&["check"], 0);
    assert_eq!(
        project.git(&["ls-files", "-s"]),
        index,
        "the index is left alone"
    );
    // What was there is kept, and comes back, bad as it is.
    let kept = done["kept"].as_str().unwrap();
    project.goroam(&["rollback", kept], 0);
    assert_eq!(project.state(), bad);
    // Uncommitted, and kept on the way.
    project.append("go.mod", "// mine\n");
    let mine = project.state();
    let done = project.json(&["rollback", "one", "--keep"]);
    project.builds();
    project.goroam(&["rollback", done["kept"].as_str().unwrap()], 0);
    assert_eq!(project.state(), mine);
}

#[test]
fn a_snapshot_that_is_not_good_is_refused_or_passed_over() {
    let Some(shop) = Shop::new("1.24.11") else {
        return;
    };
    let project = with_two(&shop, "app");
    // As one would be whose file somebody changed in git.
    project.append(&format!("{KIT}/kit.go"), "// evil\n");
    project.git(&["commit", "-q", "-a", "-m", "evil"]);
    let message = project.git(&["tag", "-l", "--format=%(contents)", "two"]);
    let mut tag = project.command(std::path::Path::new("git"));
    tag.args(["tag", "-a", "-m", &message, "goroam-vendor/99991231-235959"]);
    // Newer than any that the same second may have seen.
    tag.env("GIT_COMMITTER_DATE", "2099-01-01T00:00:00Z");
    assert!(tag.status().unwrap().success());
    let before = project.state();
    let said = project.goroam(&["rollback", "HEAD"], 0);
    assert!(said.contains("already"), "{said}");
    project.goroam(&["rollback", "two"], 0);
    let said = project.goroam(&["rollback", "99991231-235959"], 6);
    assert!(
        said.contains("[altered]") && said.contains("nothing was changed"),
        "{said}"
    );
    project.goroam(&["rollback", "HEAD"], 6);
    project.git(&["checkout", "-q", "HEAD", "--", "vendor"]);
    assert_eq!(project.state(), before);
    // Inconsistent: 1. The default goes on to the next.
    project.git(&["rm", "-q", "vendor/modules.txt"]);
    project.git(&["commit", "-q", "-m", "no modules.txt"]);
    project.goroam(&["rollback", "one"], 0);
    project.goroam(&["rollback", "HEAD"], 1);
    let done = project.json(&["rollback"]);
    assert_eq!(done["to"], "two");
    assert_eq!(done["skipped"].as_array().unwrap().len(), 1, "{done:#}");
    // Nothing at hand to compare with: said, and gone on.
    fs::rename(shop.path("cache"), shop.path("elsewhere")).unwrap();
    let said = project.goroam(&["rollback", "one"], 0);
    assert!(said.contains("not verified: 1 of 1 modules"), "{said}");
    project.builds();
}

#[test]
fn what_names_no_commit_or_holds_no_vendor_is_a_clear_error() {
    let Some(shop) = Shop::new("1.27.3") else {
        return;
    };
    let project = shop.usual("app", "1.21");
    let said = project.goroam(&["rollback"], 1);
    assert!(said.contains("goroam vendor snapshot"), "{said}");
    project.goroam(&["rollback", "--", "--upload-pack=x"], 2);
    let said = project.goroam(&["rollback", "nowhere"], 2);
    assert!(said.contains("names no commit"), "{said}");
    project.git(&["rm", "-r", "-q", "vendor"]);
    project.git(&["commit", "-q", "-m", "no vendor"]);
    let said = project.goroam(&["rollback", "HEAD"], 1);
    assert!(said.contains("holds no vendor/"), "{said}");
    // A vendor/ that is gone altogether comes back.
    project.goroam(&["rollback", "HEAD~1"], 0);
    project.builds();
}

#[test]
fn git_writes_the_files_with_its_filters_line_ends_and_modes() {
    let Some(shop) = Shop::new("1.27.3") else {
        return;
    };
    let project = shop.usual("app", "1.21");
    // A filter that keeps content another way in git, as LFS does.
    let global = ["config", "--global"];
    project.git(&[&global[..], &["filter.rot.clean", "tr a-z n-za-m"]].concat());
    project.git(&[&global[..], &["filter.rot.smudge", "tr a-z n-za-m"]].concat());
    project.git(&[&global[..], &["filter.rot.required", "true"]].concat());
    project.write(".gitattributes", "*.go filter=rot\n");
    project.git(&["add", "--renormalize", "."]);
    fs::set_permissions(
        project.path(&format!("{KIT}/sys/c.h")),
        fs::Permissions::from_mode(0o755),
    )
    .unwrap();
    project.git(&["add", "-A"]);
    project.git(&["commit", "-q", "-m", "filtered"]);
    let blob = project.git(&["cat-file", "blob", &format!("HEAD:{KIT}/kit.go")]);
    assert!(blob.contains("cnpxntr xvg"), "{blob}");
    project.goroam(&["snapshot", "--tag", "one"], 0);
    let one = project.state();
    project.go(&["get", "example.test/Kit@v1.1.0"]);
    project.go(&["mod", "vendor"]);
    project.goroam(&["snapshot", "--commit"], 0);
    project.goroam(&["rollback", "one"], 0);
    assert_eq!(project.state(), one);
    project.builds();
    // autocrlf: the cause is named, and it is no reason to refuse.
    project.git(&["config", "core.autocrlf", "true"]);
    project.goroam(&["rollback", "HEAD"], 0);
    let said = project.goroam(&["check"], 6);
    assert!(said.contains("core.autocrlf"), "{said}");
}

#[test]
fn no_filter_that_the_repository_names_is_run_for_looking_or_going_back() {
    let Some(shop) = Shop::new("1.27.3") else {
        return;
    };
    let project = shop.usual("app", "1.21");
    project.goroam(&["snapshot", "--tag", "one"], 0);
    let (ran, one) = (shop.path("ran"), project.state());
    let script = format!("#!/bin/sh\necho ran >>'{}'\ncat\n", ran.display());
    let program = shop.path("filter");
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let program = program.to_str().unwrap();
    // What an archive with its .git may hold, each in a file that git reads as the repository's.
    let attributes = project.path(".git/info/attributes");
    let config = project.path(".git/config");
    let plain = fs::read_to_string(&config).unwrap();
    let included = project.path(".git/more");
    let named =
        format!("[filter \"e.v\"]\n\tclean = {program}\n\tsmudge = {program}\n\trequired\n");
    fs::write(&included, &named).unwrap();
    fs::create_dir_all(attributes.parent().unwrap()).unwrap();
    for (how, extra) in [
        ("in its own file", named.clone()),
        ("included", "[include]\n\tpath = more\n".to_owned()),
        (
            "as a process",
            format!("[filter \"e.v\"]\n\tprocess = {program}\n"),
        ),
    ] {
        fs::write(&config, format!("{plain}\n{extra}")).unwrap();
        fs::write(&attributes, "* filter=e.v\n").unwrap();
        touch(&project);
        let said = project.goroam(&["list"], 0);
        assert!(
            said.contains("one") && said.contains("e.v"),
            "{how}: {said}"
        );
        let said = project.goroam(&["rollback", "--keep", "one"], 4);
        assert!(said.contains("e.v"), "{how}: {said}");
        // No file goes through it: all is as ever.
        fs::write(&attributes, "").unwrap();
        project.append("go.mod", "// mine\n");
        project.goroam(&["rollback", "--keep", "one"], 0);
        assert_eq!(project.state(), one, "{how}");
        let said = project.goroam(&["list"], 0);
        assert!(!said.contains("cannot say"), "{how}: {said}");
        assert!(!ran.exists(), "{how}: the repository's program ran");
    }
    // The test can fail: git itself runs it.
    fs::write(&config, format!("{plain}\n{named}")).unwrap();
    fs::write(&attributes, "* filter=e.v\n").unwrap();
    touch(&project);
    project.git(&["status", "--short"]);
    assert!(ran.exists());
}

#[test]
fn a_pipe_where_git_opens_a_file_is_named_and_not_waited_for() {
    let Some(shop) = Shop::new("1.27.3") else {
        return;
    };
    let project = shop.usual("app", "1.21");
    project.goroam(&["snapshot", "--tag", "one"], 0);
    for name in [
        ".gitattributes",
        "vendor/.gitattributes",
        ".git/packed-refs",
    ] {
        let path = project.path(name);
        let kept = fs::read(&path).ok();
        drop(fs::remove_file(&path));
        let mut mkfifo = project.command(std::path::Path::new("mkfifo"));
        assert!(mkfifo.arg(name).status().unwrap().success());
        for verb in [&["list"][..], &["rollback", "one"]] {
            let said = project.goroam(verb, 4);
            assert!(said.contains("is a named pipe"), "{name}: {said}");
        }
        fs::remove_file(&path).unwrap();
        if let Some(kept) = kept {
            fs::write(&path, kept).unwrap();
        }
    }
    project.goroam(&["list"], 0);
}

/// Makes git read the vendored files again.
fn touch(project: &vendored::Vendored<'_>) {
    let file = project.path(&format!("{KIT}/kit.go"));
    let file = fs::File::options().append(true).open(file).unwrap();
    let earlier = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
    file.set_modified(earlier).unwrap();
}
