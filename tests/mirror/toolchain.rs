//! `goroam mirror add --toolchain` with a real go that is too old for a project, and a real
//! newer one as the module that go fetches it as.

use std::path::Path;
use std::process::Command;

use crate::go;
use crate::mirror_scene::{self, json};
use crate::project::{self, World, answer};

/// What a build needs of a GOROOT, as `cmd/distpack` packs it: no go.mod may lie in a module.
const PACK: &str = r#"
import os, sys, zipfile
root, into, version = sys.argv[1:]
os.makedirs(into)
base = os.path.join(into, version)
skip = ("src/cmd/", "test/", "api/", "doc/", "misc/")
tools = ("asm", "compile", "link", "buildid", "cgo")
with zipfile.ZipFile(base + ".zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as z:
    for folder, folders, files in os.walk(root):
        folders[:] = [f for f in folders if f not in ("testdata", "__pycache__")]
        for name in files:
            path = os.path.join(folder, name)
            below = os.path.relpath(path, root)
            if below.startswith(skip) or name.endswith(("_test.go", ".py")):
                continue
            if below.startswith("pkg/tool/") and name not in tools:
                continue
            if name == "go.mod":
                below = below[:-len(name)] + "_go.mod"
            z.write(path, "golang.org/toolchain@" + version + "/" + below)
open(base + ".mod", "w").write("module golang.org/toolchain\n")
open(base + ".info", "w").write('{"Version":"%s","Time":"2025-11-26T02:01:51Z"}' % version)
open(os.path.join(into, "list"), "w")
"#;

/// A proxy's tree: a module, and go 1.24.11.
fn tree(folder: &Path, newer: &Path) {
    let lab =
        std::env::var_os("LAB").map_or("/var/tmp/goroam-lab".into(), std::path::PathBuf::from);
    let pkg = folder.join("github.com/pkg");
    std::fs::create_dir_all(&pkg).unwrap();
    let errors = lab.join("tree/corp/github.com/pkg/errors");
    answer(
        Command::new("cp")
            .arg("-r")
            .args([&errors, &pkg])
            .output()
            .unwrap(),
    )
    .unwrap();
    let system = if cfg!(target_arch = "aarch64") {
        "arm64"
    } else {
        "amd64"
    };
    let pack = Command::new("python3")
        .args(["-c", PACK])
        .arg(newer.parent().unwrap().parent().unwrap())
        .arg(folder.join("golang.org/toolchain/@v"))
        .arg(format!("v0.0.1-go1.24.11.linux-{system}"))
        .output();
    answer(pack.unwrap()).unwrap();
}

#[test]
fn a_go_that_is_too_old_takes_the_newer_one_out_of_the_mirror() {
    // The lab's modules are there when this is.
    let Some(_first) = World::start() else { return };
    let (Some(old), Some(newer)) = (go::go("1.21.13"), go::go("1.24.11")) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    tree(&path("tree"), &newer);
    let Some(world) = World::with_tree(&path("tree")) else {
        return;
    };
    let user = world.user(&path("home"));
    let project = path("project");
    std::fs::create_dir_all(&project).unwrap();
    let write = |name: &str, text: &str| std::fs::write(project.join(name), text).unwrap();
    // A language that go 1.21 is too old for; the toolchain line is how projects name a release.
    write(
        "go.mod",
        "module example.test/app\n\ngo 1.24.0\n\ntoolchain go1.24.11\n\n\
         require github.com/pkg/errors v0.9.1\n",
    );
    write(
        "main.go",
        "package main\n\nimport (\n\t\"runtime\"\n\n\t_ \"github.com/pkg/errors\"\n)\n\n\
         func main() { println(runtime.Version()) }\n",
    );
    let on = user.at(&path("other"));
    on.go(&newer, &project, "mod tidy").unwrap();

    let mirror = path("mirror");
    let add = |what: &str| {
        let args = format!("mirror add {what} --mirror {}", mirror.display());
        user.goroam(&old, &project, &args)
    };
    let refused = add("--from .");
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8(refused.stdout).unwrap();
    assert!(
        said.contains("--toolchain") && said.contains("go1.24") && !said.contains("GOTOOLCHAIN"),
        "{said}"
    );
    let before = project::fingerprint(&project);
    let said = json(&answer(add("--from . --toolchain --json")).unwrap());
    assert_eq!(said["totals"]["added"], 2, "{said}");
    assert_eq!(said["totals"]["unproven"], 0, "{said}");
    assert_eq!(project::fingerprint(&project), before);

    let auto = |mut command: Command, args: &[&str]| {
        answer(
            command
                .env("GOTOOLCHAIN", "auto")
                .env("CGO_ENABLED", "0")
                .args(args)
                .output()
                .unwrap(),
        )
    };
    let away = user.away(&mirror).at(&path("away"));
    let ready = path("mirror").display().to_string();
    let ready = ["ready", ".", "--mirror", ready.as_str()];
    let said = auto(away.goroam_command(&old, &project), &ready).unwrap();
    assert!(said.contains("100 %"), "{said}");
    auto(away.command(&old, &project), &["build", "-o", "app", "."]).unwrap();
    let ran = Command::new(project.join("app")).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&ran.stderr).trim(), "go1.24.11");

    // A toolchain that was changed on the way is no toolchain, whatever GOSUMDB's exceptions are.
    let mut zips = std::fs::read_dir(mirror.join("golang.org/toolchain/@v")).unwrap();
    let zip = zips.find_map(|entry| {
        let path = entry.unwrap().path();
        (path.extension()? == "zip").then_some(path)
    });
    mirror_scene::tamper(&zip.unwrap());
    let again = user.away(&mirror).at(&path("again"));
    let said = auto(again.command(&old, &project), &["version"]).unwrap_err();
    assert!(said.contains("SECURITY ERROR"), "{said}");
}
