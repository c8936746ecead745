//! The mirror, `ready`, `vendor check` and `doctor` on Windows: goroam.exe and a real go.exe, under
//! Wine, with the paths and files that Windows has.

use std::path::PathBuf;

use crate::wine::Wine;
use crate::wine_helper::Holder;

const MODULE: &str = "example.com/hello@v1.0.0";
const PROJECT: &str = r"C:\users\dev\My Project";
/// Nobody may write, rename or remove it meanwhile.
const READ_ONLY: u32 = 1;

/// Somebody with go and a project with Windows' ends of lines, whose proxy is a folder; no
/// checksum database knows the module. go leaves its module cache read-only.
fn user() -> Option<Wine> {
    let mut wine = Wine::get()?.with_go("1.27.3");
    wine.make_module("tree");
    wine.set("GOPROXY", "file:///C:/tree");
    wine.set("GONOSUMDB", "example.com");
    wine.write(
        "My Project/go.mod",
        "module w.test\r\n\r\ngo 1.20\r\n\r\nrequire example.com/hello v1.0.0\r\n",
    );
    let code = "package w\r\n\r\nimport _ \"example.com/hello\"\r\n";
    wine.write("My Project/w.go", code);
    wine.run_go("-C").arg(PROJECT).args("mod tidy").exits(0);
    Some(wine)
}

/// A file of go's module cache.
fn cached(wine: &Wine, name: &str) -> PathBuf {
    let cache = wine.home().join("go/pkg/mod/cache/download");
    cache.join("example.com/hello/@v").join(name)
}

#[test]
fn an_archive_carries_the_mirror_to_a_long_path_and_go_reads_it_there() {
    let Some(wine) = user() else { return };
    wine.goroam("mirror add").arg(MODULE).exits(0);
    let archive = r"C:\users\dev\My Archive.tar";
    wine.goroam("mirror export").arg(archive).exits(0);
    let long = format!(
        r"C:\far{}",
        r"\a-folder-whose-name-takes-its-room".repeat(9)
    );
    assert!(long.len() > 300);
    // As somebody writes it who wants a long path taken as it stands.
    for mirror in [format!(r"\\?\{long}"), "C:/Other Mirror".to_owned()] {
        let with = |words: &str| wine.goroam(words).env("GOROAM_MIRROR", &mirror);
        with("mirror import").arg(archive).exits(0);
        with("mirror verify").exits(0).says("1 version");
        let saved = with("exec --tiers mirror -- go mod download").arg(MODULE);
        saved
            .env("GOMODCACHE", r"C:\cache of another")
            .env("GOFLAGS", "-modcacherw")
            .exits(0);
        let other = wine.drive().join("cache of another");
        assert!(other.join("example.com/hello@v1.0.0/hello.go").exists());
        std::fs::remove_dir_all(other).unwrap();
    }
    let damaged = wine.write("damaged.tar", {
        let mut bytes = std::fs::read(wine.home().join("My Archive.tar")).unwrap();
        let word = b"const Word";
        let middle = bytes.windows(word.len()).position(|some| some == word);
        bytes[middle.unwrap()] ^= 1;
        bytes
    });
    wine.goroam(r"mirror import --mirror C:\third")
        .arg(wine.windows(&damaged))
        .exits(6);
}

#[test]
fn prune_takes_out_what_no_project_needs_unless_it_is_in_use() {
    let Some(wine) = user() else { return };
    wine.goroam("mirror add").arg(MODULE).exits(0);
    let needed = wine
        .goroam("mirror prune --needed-by")
        .arg(PROJECT)
        .exits(0);
    needed.says("nothing to remove");
    let zip = wine
        .local()
        .join("goroam/data/mirror/example.com/hello/@v/v1.0.0.zip");
    let holder = Holder::of(&wine, &zip, READ_ONLY);
    let held = wine.goroam("mirror prune --older-than 0s").done();
    assert!(!held.status.success(), "{}", held.all());
    assert!(held.stderr.contains("v1.0.0.zip"), "{}", held.all());
    holder.lets_go();
    wine.goroam("mirror prune --older-than 0s").exits(0);
    assert!(!zip.exists());
    wine.goroam("mirror verify").exits(0);
    wine.goroam("mirror list").exits(0).says("0 modules");
}

#[test]
fn a_project_is_made_ready_and_builds_from_what_was_brought() {
    let Some(wine) = user() else { return };
    let empty = |words: &str| wine.goroam(words).env("GOMODCACHE", r"C:\empty");
    empty("ready").arg(PROJECT).exits(1).says("hello v1.0.0");
    let ready = empty("ready --fetch")
        .arg(r"c:/USERS/dev/my project")
        .exits(0);
    ready.says("offline-ready 100 %");
    let saved = wine
        .goroam("exec --summary json --tiers proxy,mirror -- go -C")
        .env("GOMODCACHE", r"C:\emptier")
        .arg(PROJECT)
        .args("list -deps -f {{.Module}} example.com/hello")
        .env("GOPROXY", "http://127.0.0.1:1")
        .exits(0);
    assert!(
        saved.stdout.contains(MODULE.split_once('@').unwrap().1),
        "{}",
        saved.all()
    );
    assert!(
        saved.stderr.contains(r#""tier":"mirror""#),
        "{}",
        saved.all()
    );
}

#[test]
fn vendor_is_compared_and_without_git_there_is_no_snapshot() {
    let Some(wine) = user() else { return };
    wine.run_go("-C").arg(PROJECT).args("mod vendor").exits(0);
    wine.goroam("vendor check -C").arg(PROJECT).exits(0);
    wine.write(
        "My Project/vendor/example.com/hello/hello.go",
        "package hello\r\n\r\nconst Word = 42\r\n",
    );
    // What a checkout with core.autocrlf makes of it.
    let changed = wine.goroam("vendor check -C").arg(PROJECT).exits(6);
    changed.says("hello.go");
    for verb in ["snapshot --tag good", "list", "rollback"] {
        let refused = wine
            .goroam("vendor")
            .args(verb)
            .arg("-C")
            .arg(PROJECT)
            .exits(1);
        refused.complains("there is no git in PATH");
    }
}

#[test]
fn doctor_takes_broken_entries_out_of_a_read_only_cache_and_leaves_what_is_in_use() {
    let Some(wine) = user() else { return };
    let page = "<html><body>Log in</body></html>";
    let (go_mod, info) = (cached(&wine, "v1.0.0.mod"), cached(&wine, "v1.0.0.info"));
    for file in [&go_mod, &info] {
        std::fs::write(file, page).unwrap();
        let mut mode = std::fs::metadata(file).unwrap().permissions();
        mode.set_readonly(true);
        std::fs::set_permissions(file, mode).unwrap();
    }
    let zip = std::fs::read(cached(&wine, "v1.0.0.zip")).unwrap();
    let holder = Holder::of(&wine, &info, READ_ONLY);
    wine.goroam("doctor --cache").exits(1).says("v1.0.0.mod");
    let partly = wine.goroam("doctor --cache --fix").exits(1);
    assert!(!go_mod.exists() && info.exists(), "{}", partly.all());
    holder.lets_go();
    wine.goroam("doctor --cache --fix").exits(0);
    assert!(!info.exists());
    assert_eq!(std::fs::read(cached(&wine, "v1.0.0.zip")).unwrap(), zip);
    wine.goroam("doctor --cache --hash").exits(0);
    wine.run_go("mod download").arg(MODULE).exits(0);
    assert!(go_mod.exists() && info.exists());
}

#[test]
fn doctor_gives_the_local_form_of_a_replacement_by_a_url() {
    let Some(wine) = user() else { return };
    wine.write(
        "broken/go.mod",
        "module b\r\n\r\ngo 1.20\r\n\r\nreplace example.com/hello => file:///C:/src/hello\r\n",
    );
    wine.goroam("doctor")
        .arg(r"C:\users\dev\broken")
        .env("GOPROXY", "file:///C:/users/dev/AppData/Local/go-build")
        .exits(1)
        .says("replace example.com/hello => C:/src/hello")
        .says("[goproxy-build-cache]")
        .says("file:///C:/users/dev/go/pkg/mod/cache/download");
}
