//! `goroam ready` on projects that are broken in one way each: what go builds with no network is
//! ready, what go refuses is not, and the reason is given.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::vendored::{Shop, Vendored};

/// Does go build and vet it with no network?
fn builds(project: &Vendored<'_>) -> Result<(), String> {
    for args in [["build", "./..."], ["vet", "./..."]] {
        let mut command = project.command(&project.shop.go);
        let done = command.env("GOPROXY", "off").args(args).output().unwrap();
        if !done.status.success() {
            return Err(String::from_utf8_lossy(&done.stderr).into_owned());
        }
    }
    Ok(())
}

/// `goroam ready --json`: is it ready, and the troubles.
fn ready(project: &Vendored<'_>, flags: &str) -> (bool, String) {
    let mut command = project.command(Path::new(env!("CARGO_BIN_EXE_goroam")));
    command
        .env("GOFLAGS", format!("-modcacherw {flags}"))
        .env("PATH", path(project))
        .args(["ready", "--json", "."]);
    let out = command.output().unwrap();
    let said: Value = serde_json::from_slice(&out.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&out.stderr)));
    let one = &said["projects"][0];
    let is_ready = out.status.code() == Some(0);
    assert_eq!(one["percent"] == 100, is_ready, "{said:#}");
    (is_ready, format!("{} {}", one["troubles"], one["missing"]))
}

/// The shop's go first.
fn path(project: &Vendored<'_>) -> String {
    let bin = project.shop.go.parent().unwrap().display();
    format!("{bin}:/usr/bin:/bin")
}

type Damage = fn(&Vendored<'_>);

/// What is done to a good project; part of the reason, where every go refuses that.
const DAMAGES: [(&str, Damage, &str); 24] = [
    ("nothing", |_| {}, ""),
    (
        "no go.sum line of a zip",
        |p| keep_lines("go.sum", p, |line| !line.contains("v1.0.0 h1:")),
        "example.test/Kit",
    ),
    (
        "no go.sum",
        |p| fs::remove_file(p.path("go.sum")).unwrap(),
        "example.test/Kit",
    ),
    ("ignore", |p| p.append("go.mod", "\nignore ./web\n"), ""),
    (
        "tool",
        |p| p.append("go.mod", "\ntool example.test/Kit/sys\n"),
        "",
    ),
    (
        "godebug",
        |p| p.append("go.mod", "\ngodebug default=go1.20\n"),
        "",
    ),
    (
        "an unknown directive",
        |p| p.append("go.mod", "\nfrobnicate x\n"),
        "unknown directive",
    ),
    (
        "a toolchain older than the go line",
        |p| p.append("go.mod", "\ntoolchain go1.20.1\n"),
        "",
    ),
    (
        "an excluded version",
        |p| p.append("go.mod", "\nexclude example.test/Kit v1.0.0\n"),
        "go.mod",
    ),
    (
        "no module line",
        |p| keep_lines("go.mod", p, |line| !line.starts_with("module")),
        "",
    ),
    (
        "no go line",
        |p| keep_lines("go.mod", p, |line| !line.starts_with("go ")),
        "",
    ),
    (
        "a byte order mark in go.mod",
        |p| put_first("go.mod", p, "\u{feff}"),
        "",
    ),
    (
        "a byte order mark in go.sum",
        |p| put_first("go.sum", p, "\u{feff}"),
        "",
    ),
    ("go.mod in UTF-16", |p| utf16("go.mod", p), "go.mod"),
    (
        "conflict marks in go.mod",
        |p| p.append("go.mod", "\n<<<<<<< HEAD\n"),
        "go.mod",
    ),
    (
        "conflict marks in go.sum",
        |p| p.append("go.sum", "<<<<<<< HEAD\n"),
        "go.sum",
    ),
    (
        "the wrong hash first",
        |p| put_first("go.sum", p, WRONG),
        "go.sum",
    ),
    ("the wrong hash last", |p| p.append("go.sum", WRONG), ""),
    (
        "an import that no module has",
        |p| p.write("more.go", "package main\n\nimport _ \"example.org/none\"\n"),
        "example.org/none",
    ),
    (
        "a test's import that no module has",
        |p| {
            p.write(
                "more_test.go",
                "package main\n\nimport _ \"example.org/none\"\n",
            )
        },
        "example.org/none",
    ),
    (
        "replaced by a folder that is not there",
        |p| p.append("go.mod", "\nreplace example.test/Kit => ./nowhere\n"),
        "nowhere",
    ),
    (
        "an indirect mark that is wrong",
        |p| replace("go.mod", p, "v1.0.0", "v1.0.0 // indirect"),
        "",
    ),
    (
        "a newer version wanted",
        |p| replace("go.mod", p, "v1.0.0", "v1.1.0"),
        "example.test/Kit",
    ),
    (
        "no such version",
        |p| replace("go.mod", p, "v1.0.0", "v1.9.9"),
        "example.test/Kit",
    ),
];

const WRONG: &str = "example.test/Kit v1.0.0 h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";

/// The same where vendor/ is there.
const VENDORED: [(&str, Damage, &str); 6] = [
    ("nothing", |_| {}, ""),
    (
        "a byte order mark",
        |p| put_first("vendor/modules.txt", p, "\u{feff}"),
        "vendor",
    ),
    ("empty", |p| p.write("vendor/modules.txt", ""), "vendor"),
    (
        "no list",
        |p| fs::remove_file(p.path("vendor/modules.txt")).unwrap(),
        "",
    ),
    (
        "go.mod has moved on",
        |p| replace("go.mod", p, "v1.0.0", "v1.1.0"),
        "",
    ),
    (
        "a package is gone",
        |p| fs::remove_dir_all(p.path("vendor/example.test")).unwrap(),
        "",
    ),
];

fn keep_lines(name: &str, project: &Vendored<'_>, keep: fn(&str) -> bool) {
    let text = project.read(name);
    let kept: Vec<&str> = text.lines().filter(|line| keep(line)).collect();
    project.write(name, kept.join("\n") + "\n");
}

fn put_first(name: &str, project: &Vendored<'_>, text: &str) {
    project.write(name, text.to_owned() + &project.read(name));
}

fn replace(name: &str, project: &Vendored<'_>, old: &str, new: &str) {
    project.write(name, project.read(name).replace(old, new));
}

fn utf16(name: &str, project: &Vendored<'_>) {
    let text = project.read(name);
    let units = std::iter::once(0xfeff).chain(text.encode_utf16());
    project.write(name, units.flat_map(u16::to_le_bytes).collect::<Vec<u8>>());
}

fn compare(version: &str, vendored: bool) {
    let Some(shop) = Shop::new(version) else {
        return;
    };
    let damages: &[(&str, Damage, &str)] = if vendored { &VENDORED } else { &DAMAGES };
    let (mut good, mut bad) = (0, 0);
    for (at, (what, damage, reason)) in damages.iter().enumerate() {
        let project = shop.usual(&format!("app{at}"), "1.21");
        if !vendored {
            fs::remove_dir_all(project.path("vendor")).unwrap();
        }
        builds(&project).unwrap();
        damage(&project);
        let before = files(&project.folder);
        let cache = files(&shop.path("cache"));
        let (is_ready, why) = ready(&project, "");
        assert!(
            files(&project.folder) == before,
            "{what}: it was written to"
        );
        assert!(
            files(&shop.path("cache")) == cache,
            "{what}: the cache was written to"
        );
        // The answer is kept, and stays the same.
        assert_eq!(ready(&project, ""), (is_ready, why.clone()), "{what}");
        let truth = builds(&project);
        // go 1.21 passes over lines of go.sum that newer ones refuse, and so may colleagues have.
        if *what == "conflict marks in go.sum" && truth.is_ok() {
            assert!(
                !is_ready && why.contains(reason),
                "go {version}, {what}: {why}"
            );
            continue;
        }
        assert_eq!(
            is_ready,
            truth.is_ok(),
            "go {version}, {what}: {why}; go: {truth:?}"
        );
        if !is_ready {
            assert!(why.contains(reason), "go {version}, {what}: {why}");
            assert!(
                !why.contains("doctor --cache"),
                "go {version}, {what}: {why}"
            );
        }
        *(if is_ready { &mut good } else { &mut bad }) += 1;
    }
    assert!(good > 0 && bad > 0, "{good} {bad}");
}

/// Every file below a folder, with its content.
fn files(folder: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut out = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            match entry.file_type().unwrap() {
                kind if kind.is_dir() && entry.file_name() != ".git" => open.push(entry.path()),
                kind if kind.is_file() => {
                    out.push((entry.path(), fs::read(entry.path()).unwrap()));
                }
                _ => {}
            }
        }
    }
    out.sort();
    out
}

#[test]
fn ready_says_what_go_will_do_1_21() {
    compare("1.21.13", false);
}

#[test]
fn ready_says_what_go_will_do_1_24() {
    compare("1.24.11", false);
}

#[test]
fn ready_says_what_go_will_do_1_27() {
    compare("1.27.3", false);
}

#[test]
fn ready_says_what_go_will_do_with_vendor() {
    compare("1.21.13", true);
    compare("1.27.3", true);
}

#[test]
fn a_workspace_is_asked_about_as_a_whole_and_is_not_written_to() {
    let Some(shop) = Shop::new("1.27.3") else {
        return;
    };
    let project = shop.usual("app", "1.21");
    fs::remove_dir_all(project.path("vendor")).unwrap();
    project.write("lib/go.mod", "module example.test/lib\n\ngo 1.21\n");
    project.write("lib/lib.go", "package lib\n");
    project.write("go.work", "go 1.21\n\nuse (\n\t.\n\t./lib\n)\n");
    project.write("more.go", "package main\n\nimport _ \"example.test/lib\"\n");
    builds(&project).unwrap();
    let before = files(&project.folder);
    let (is_ready, why) = ready(&project, "");
    assert!(is_ready, "{why}");
    // A module that uses what no go.sum names.
    project.write(
        "lib/lib.go",
        "package lib\n\nimport _ \"example.org/none\"\n",
    );
    let (is_ready, why) = ready(&project, "");
    assert!(!is_ready && why.contains("example.org/none"), "{why}");
    project.write("lib/lib.go", "package lib\n");
    assert!(files(&project.folder) == before, "it was written to");
}

#[test]
fn flags_of_go_env_count_and_change_no_file() {
    let Some(shop) = Shop::new("1.27.3") else {
        return;
    };
    let project = shop.usual("app", "1.21");
    fs::remove_dir_all(project.path("vendor")).unwrap();
    let before = files(&project.folder);
    assert!(ready(&project, "-mod=mod").0);
    let (is_ready, why) = ready(&project, "-mod=vendor");
    assert!(!is_ready && why.contains("vendor"), "{why}");
    assert!(files(&project.folder) == before, "it was written to");
}

#[test]
fn the_file_that_modfile_names_is_judged_and_not_go_mod() {
    let Some(shop) = Shop::new("1.27.3") else {
        return;
    };
    let project = shop.usual("app", "1.21");
    fs::remove_dir_all(project.path("vendor")).unwrap();
    let flags = "-modfile=other.mod";
    let agree = |what: &str| {
        let mut go = project.command(&project.shop.go);
        go.env("GOPROXY", "off")
            .env("GOFLAGS", format!("-modcacherw {flags}"));
        let built = go.args(["build", "./..."]).output().unwrap();
        let (is_ready, why) = ready(&project, flags);
        assert_eq!(is_ready, built.status.success(), "{what}: {why}; {built:?}");
        is_ready
    };
    assert!(!agree("no such file"));
    fs::copy(project.path("go.mod"), project.path("other.mod")).unwrap();
    assert!(!agree("no checksums"));
    fs::rename(project.path("go.sum"), project.path("other.sum")).unwrap();
    assert!(agree("both files"));
    assert!(!ready(&project, "").0, "go.sum is not there");
    project.append("other.mod", "\nfrobnicate x\n");
    assert!(!agree("an unknown directive"));
}

#[test]
fn a_go_work_above_counts_as_it_does_for_go() {
    let Some(shop) = Shop::new("1.27.3") else {
        return;
    };
    let project = shop.usual("above/app", "1.21");
    fs::remove_dir_all(project.path("vendor")).unwrap();
    let work = shop.path("above/go.work");
    for text in [
        "go 1.21\n\nuse ./app\n",
        "go 1.20\n\nuse ./app\n",
        "go 1.21\n\nuse (\n\t./app\n\t./nowhere\n)\n",
        "go 1.21\n",
        "go 1.21\n\nuse ./app\n\nreplace example.test/Kit => ./nowhere\n",
    ] {
        fs::write(&work, text).unwrap();
        let (is_ready, why) = ready(&project, "");
        let truth = builds(&project);
        assert_eq!(is_ready, truth.is_ok(), "{text}: {why}; go: {truth:?}");
    }
}

#[test]
fn a_pipe_among_the_sources_is_named_and_not_waited_for() {
    let Some(shop) = Shop::new("1.27.3") else {
        return;
    };
    let project = shop.usual("app", "1.21");
    fs::remove_dir_all(project.path("vendor")).unwrap();
    fs::create_dir(project.path("sub")).unwrap();
    let mut mkfifo = project.command(Path::new("mkfifo"));
    assert!(mkfifo.arg("sub/q.go").status().unwrap().success());
    let (is_ready, why) = ready(&project, "");
    assert!(
        !is_ready && why.contains("sub/q.go is a named pipe"),
        "{why}"
    );
}
