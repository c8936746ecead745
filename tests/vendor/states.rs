//! `goroam vendor` in repositories that are in some state of their own: sparse, partial, locked,
//! signing, nameless, in conflict.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use crate::vendored::{Shop, Vendored};
use crate::with_one;

const KIT: &str = "vendor/example.test/Kit";

#[test]
fn what_only_is_not_there_is_no_work_that_could_be_lost() {
    let Some(shop) = Shop::new("1.27.3") else {
        return;
    };
    let project = with_one(&shop);
    let one = project.state();
    fs::remove_dir_all(project.path("vendor")).unwrap();
    let said = project.goroam(&["check"], 1);
    assert!(said.contains("`goroam vendor rollback` brings"), "{said}");
    project.goroam(&["rollback"], 0);
    assert_eq!(project.state(), one);
    fs::remove_file(project.path("go.sum")).unwrap();
    fs::remove_dir_all(project.path(KIT)).unwrap();
    project.goroam(&["rollback"], 0);
    assert_eq!(project.state(), one);
    // One file that is in no commit is enough.
    fs::remove_dir_all(project.path(KIT)).unwrap();
    project.append("go.mod", "// mine\n");
    let mine = project.state();
    project.goroam(&["rollback"], 4);
    assert_eq!(project.state(), mine);
    // What is told works as it stands, though there is no go.sum any more.
    fs::remove_file(project.path("go.sum")).unwrap();
    project.git(&["rm", "-q", "--cached", "go.sum"]);
    project.git(&["commit", "-q", "-m", "no sums"]);
    let said = project.goroam(&["rollback", "one"], 4);
    let told = said.split('`').find(|word| word.starts_with("git stash"));
    assert_eq!(told, Some("git stash push -u -- vendor go.mod"), "{said}");
    let told: Vec<&str> = told.unwrap().split(' ').skip(1).collect();
    project.git(&told);
    project.goroam(&["rollback", "one"], 0);
    project.builds();
}

#[test]
fn a_sparse_checkout_gets_the_whole_of_it() {
    let Some(shop) = Shop::new("1.27.3") else {
        return;
    };
    let project = shop.usual("app", "1.21");
    project.write("other/file", "x\n");
    project.git(&["add", "-A"]);
    project.git(&["commit", "-q", "-m", "other"]);
    project.goroam(&["snapshot", "--tag", "one"], 0);
    let one = project.state();
    project.git(&["sparse-checkout", "set", "--cone", "other"]);
    assert!(!project.path("vendor").exists());
    project.goroam(&["rollback", "one"], 0);
    assert_eq!(project.state(), one);
    assert_eq!(project.git(&["status", "--short"]), "");
    project.builds();
}

#[test]
fn a_partial_clone_is_not_filled_up_without_a_word() {
    let Some(shop) = Shop::new("1.27.3") else {
        return;
    };
    let origin = with_one(&shop);
    let one = origin.state();
    origin.go(&["get", "example.test/Kit@v1.1.0"]);
    origin.go(&["mod", "vendor"]);
    origin.git(&["add", "-A"]);
    origin.git(&["commit", "-q", "-m", "two"]);
    origin.git(&["config", "uploadpack.allowFilter", "true"]);
    origin.git(&["config", "uploadpack.allowAnySHA1InWant", "true"]);
    let url = format!("file://{}", origin.folder.display());
    for filter in ["blob:none", "tree:0"] {
        let name = format!("clone-{}", filter.replace(':', "-"));
        let path = shop.path(&name);
        let filter = format!("--filter={filter}");
        origin.git(&["clone", "-q", &filter, &url, path.to_str().unwrap()]);
        let project = Vendored {
            shop: &shop,
            folder: path,
        };
        let two = project.state();
        // What is fetched comes in a pack.
        let packs = || {
            let counted = project.git(&["count-objects", "-v"]);
            let packs = counted.lines().find(|line| line.starts_with("in-pack:"));
            packs.unwrap().to_owned()
        };
        let before = packs();
        project.goroam(&["list"], 0);
        let said = project.goroam(&["rollback", "one"], 1);
        assert_eq!(packs(), before, "{said}");
        assert!(project.state() == two, "{said}");
        let told = said.split('`').find(|word| word.starts_with("git "));
        let told: Vec<&str> = told.unwrap().split(' ').skip(1).collect();
        project.git(&told);
        project.goroam(&["rollback", "one"], 0);
        assert_eq!(project.state(), one);
    }
}

#[test]
fn a_locked_index_is_seen_before_anything_is_committed() {
    let Some(shop) = Shop::new("1.27.3") else {
        return;
    };
    let project = with_one(&shop);
    let head = project.git(&["rev-parse", "HEAD"]);
    project.append("go.mod", "// mine\n");
    project.write(".git/index.lock", "");
    let said = project.goroam(&["snapshot", "--commit"], 4);
    assert!(said.contains("index.lock is there"), "{said}");
    assert_eq!(project.git(&["rev-parse", "HEAD"]), head);
    fs::remove_file(project.path(".git/index.lock")).unwrap();
    project.goroam(&["snapshot", "--commit"], 0);
    assert_eq!(project.git(&["status", "--short"]), "");
}

#[test]
fn whoever_git_does_not_know_is_told_what_to_type() {
    let Some(shop) = Shop::new("1.27.3") else {
        return;
    };
    let project = with_one(&shop);
    project.git(&["config", "--unset", "user.name"]);
    project.git(&["config", "--unset", "user.email"]);
    project.git(&["config", "user.useConfigOnly", "true"]);
    let said = project.goroam(&["snapshot"], 1);
    assert!(said.contains("`git config user.name NAME`"), "{said}");
    // What a rollback keeps is goroam's own.
    project.append("go.mod", "// mine\n");
    project.goroam(&["rollback", "--keep"], 0);
}

#[test]
fn commits_and_tags_are_signed_as_git_is_told_to() {
    let Some(shop) = Shop::new("1.27.3") else {
        return;
    };
    let project = with_one(&shop);
    let key = shop.path("key");
    let key = key.to_str().unwrap();
    let made = project
        .command(Path::new("ssh-keygen"))
        .args(["-q", "-t", "ed25519", "-N", "", "-f", key])
        .status();
    if !made.is_ok_and(|status| status.success()) {
        println!("skipped: no ssh-keygen");
        return;
    }
    let public = fs::read_to_string(format!("{key}.pub")).unwrap();
    fs::write(
        shop.path("signers"),
        format!("tester@example.test {public}"),
    )
    .unwrap();
    for (name, value) in [
        ("gpg.format", "ssh"),
        ("user.signingkey", key),
        ("commit.gpgsign", "true"),
        ("tag.gpgsign", "true"),
        (
            "gpg.ssh.allowedSignersFile",
            shop.path("signers").to_str().unwrap(),
        ),
    ] {
        project.git(&["config", name, value]);
    }
    project.append("go.mod", "// signed\n");
    project.goroam(&["snapshot", "--commit", "--tag", "signed"], 0);
    project.git(&["verify-commit", "HEAD"]);
    project.git(&["verify-tag", "signed"]);
    let list = project.json(&["list"]);
    let names: Vec<_> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["name"])
        .collect();
    assert!(names.contains(&&"signed".into()), "{list:#}");
    // A key that is gone is git's to say, and nothing is committed.
    project.git(&["config", "user.signingkey", "/nowhere/key"]);
    let head = project.git(&["rev-parse", "HEAD"]);
    project.append("go.mod", "// not signed\n");
    let said = project.goroam(&["snapshot", "--commit"], 1);
    assert!(said.contains("/nowhere/key"), "{said}");
    assert_eq!(project.git(&["rev-parse", "HEAD"]), head);
}

#[test]
fn names_that_are_no_text_come_back_too() {
    let Some(shop) = Shop::new("1.27.3") else {
        return;
    };
    let project = with_one(&shop);
    let odd = project.path(KIT).join(OsStr::from_bytes(b"\xff\xfe"));
    fs::write(&odd, "mine").unwrap();
    project.write(&format!("{KIT}/-dash\nline"), "mine, too");
    project.goroam(&["rollback"], 4);
    let done = project.json(&["rollback", "--keep"]);
    assert!(!odd.exists());
    project.goroam(&["rollback", done["kept"].as_str().unwrap()], 0);
    assert_eq!(fs::read(&odd).unwrap(), b"mine");
    assert_eq!(project.read(&format!("{KIT}/-dash\nline")), "mine, too");
}

#[test]
fn a_go_mod_in_conflict_is_no_good_one() {
    let Some(shop) = Shop::new("1.27.3") else {
        return;
    };
    let project = with_one(&shop);
    let text = project.read("go.mod");
    project.write(
        "go.mod",
        format!("<<<<<<< HEAD\n{text}=======\n>>>>>>> other\n"),
    );
    assert_eq!(project.findings(), ["unreadable go.mod"]);
    project.goroam(&["snapshot", "--commit"], 1);
}
