//! `goroam mirror verify` with real modules and a real checksum database, whole and tampered with.

use std::path::Path;

use goroam::gomod::sum::hash_go_mod;
use goroam::gomod::zip::h1_of;
use goroam::mirror::{Layout, Tree, VersionFile};

use crate::go;
use crate::mirror_owner::{self, Scene};
use crate::project::{self, World, answer};

const ERRORS: &str = "github.com/pkg/errors";
const AT: &str = "github.com/pkg/errors/@v/v0.9.1";

#[test]
fn each_module_of_the_lab_has_the_hash_that_go_gives_it() {
    let Some(world) = World::start() else { return };
    let Some(go) = go::go(go::VERSIONS[2]) else {
        return;
    };
    let home = tempfile::tempdir().unwrap();
    let mut user = world.user(home.path());
    user.gosumdb = "off".to_owned();
    let layout = Layout::new(&world.tree);
    let tree = Tree::read(&layout).unwrap();
    let versions = tree
        .modules
        .values()
        .flat_map(|module| module.versions.keys());
    let versions: Vec<_> = versions.collect();
    assert!(versions.len() >= 30, "{}", versions.len());
    let mut command = user.command(&go, home.path());
    command.args(["mod", "download", "-json"]);
    command.args(versions.iter().map(ToString::to_string));
    let said = answer(command.output().unwrap()).unwrap();
    let mut compared = 0;
    for said in serde_json::Deserializer::from_str(&said).into_iter::<serde_json::Value>() {
        let said = said.unwrap();
        let is = |version: &&&goroam::gomod::ModuleVersion| {
            said["Path"] == version.path && said["Version"] == version.version
        };
        let version = versions.iter().find(is).unwrap();
        let zip = h1_of(&layout.file(version, VersionFile::Zip).unwrap()).unwrap();
        assert_eq!(said["Sum"], zip, "{version}");
        let go_mod = std::fs::read(layout.file(version, VersionFile::Mod).unwrap()).unwrap();
        assert_eq!(said["GoModSum"], hash_go_mod(&go_mod), "{version}");
        compared += 1;
    }
    assert_eq!(compared, versions.len());
}

#[test]
fn a_clean_mirror_is_clean_by_however_many_threads() {
    let Some(scene) = Scene::set("") else { return };
    let mut said = ["--jobs 1", "--jobs 2", "--jobs 7"].map(|jobs| scene.verify(jobs, 0));
    for said in &mut said {
        said["ms"] = 0.into();
    }
    assert_eq!(said[0], said[1]);
    assert_eq!(said[0], said[2]);
    let said = &said[0];
    assert_eq!(
        (&said["ok"], &said["bad"]),
        (&true.into(), &serde_json::json!([]))
    );
    let number = |name: &str| said[name].as_u64().unwrap();
    assert!(number("versions") >= 20, "{said}");
    assert_eq!(
        number("proven"),
        number("versions") + number("go_mod_only"),
        "{said}"
    );
    let lookups = said["database"]["lookups"].as_u64().unwrap();
    assert!(lookups >= number("versions"), "{said}");
    let text = scene.mirror_does("verify", 0);
    assert!(
        text.out.contains("every file matches its checksum"),
        "{}",
        text.out
    );
    // Nobody looks at a terminal here, so nothing is drawn.
    assert_eq!(text.err, "");
}

/// Changes a file of the mirror, has it verified, and puts the file back.
struct Tamper<'a> {
    scene: &'a Scene,
}

impl Tamper<'_> {
    #[track_caller]
    fn with(&self, file: &str, change: impl FnOnce(&Path), args: &str, code: i32) -> Vec<String> {
        let path = self.scene.file(file);
        let before = std::fs::read(&path).ok();
        // The mirror's zip is a link to the module cache's.
        if let Some(before) = &before {
            std::fs::remove_file(&path).unwrap();
            std::fs::write(&path, before).unwrap();
        }
        change(&path);
        let found = self.scene.found(args, code);
        if path.is_dir() {
            std::fs::remove_dir_all(&path).unwrap();
        } else {
            let _ = std::fs::remove_file(&path);
        }
        if let Some(before) = before {
            std::fs::write(&path, before).unwrap();
        }
        found
    }
}

#[test]
fn each_way_to_tamper_is_found_and_named() {
    let Some(scene) = Scene::set("github.com/pkg/errors@v0.9.1 github.com/kr/text@v0.2.0") else {
        return;
    };
    let tamper = Tamper { scene: &scene };
    let remove = |path: &Path| std::fs::remove_file(path).unwrap();
    let other = |end: &str| {
        let from = scene.file(&format!("github.com/kr/text/@v/v0.2.0.{end}"));
        let bytes = std::fs::read(from).unwrap();
        move |path: &Path| std::fs::write(path, bytes).unwrap()
    };
    let cut = |path: &Path| {
        let bytes = std::fs::read(path).unwrap();
        std::fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
    };
    let say = |text: &'static str| move |path: &Path| std::fs::write(path, text).unwrap();
    let at = |end: &str| format!("{AT}.{end}");
    let one = |file: String, kind: &str| vec![format!("{file} {kind}")];
    // The zip.
    assert_eq!(
        tamper.with(&at("zip"), cut, ERRORS, 6),
        one(at("zip"), "mismatch")
    );
    assert_eq!(
        tamper.with(&at("zip"), say(""), ERRORS, 6),
        one(at("zip"), "mismatch")
    );
    assert_eq!(
        tamper.with(&at("zip"), other("zip"), ERRORS, 6),
        one(at("zip"), "mismatch")
    );
    let found = tamper.with(&at("zip"), remove, ERRORS, 1);
    assert!(found.contains(&format!("{AT}.zip missing")), "{found:?}");
    // What was noted of it.
    let found = tamper.with(&at("ziphash"), other("ziphash"), ERRORS, 6);
    assert_eq!(found, one(at("ziphash"), "mismatch"));
    // go.mod.
    assert_eq!(
        tamper.with(&at("mod"), other("mod"), ERRORS, 6),
        one(at("mod"), "mismatch")
    );
    assert_eq!(
        tamper.with(&at("mod"), say("<html>"), ERRORS, 6),
        one(at("mod"), "mismatch")
    );
    assert_eq!(
        tamper.with(&at("mod"), remove, ERRORS, 1),
        one(at("mod"), "missing")
    );
    // .info.
    let found = tamper.with(&at("info"), other("info"), ERRORS, 1);
    assert!(found.contains(&format!("{AT}.info wrong")), "{found:?}");
    let found = tamper.with(&at("info"), remove, ERRORS, 1);
    assert!(found.contains(&format!("{AT}.info missing")), "{found:?}");
    // list and @latest.
    let list = format!("{ERRORS}/@v/list");
    assert_eq!(
        tamper.with(&list, say("v0.9.1\nv9.9.9\n"), ERRORS, 1),
        one(list.clone(), "wrong")
    );
    assert_eq!(
        tamper.with(&list, remove, ERRORS, 1),
        one(list.clone(), "missing")
    );
    let latest = format!("{ERRORS}/@latest");
    assert_eq!(
        tamper.with(&latest, other("info"), ERRORS, 1),
        one(latest.clone(), "wrong")
    );
    // The proofs.
    let lookup = format!(
        "sumdb/{}/lookup/github.com/pkg/errors@v0.9.1",
        project::SUMDB
    );
    assert_eq!(
        tamper.with(&lookup, remove, ERRORS, 1),
        one(at("zip"), "unproven")
    );
    let forge = |path: &Path| {
        let text = std::fs::read_to_string(path).unwrap();
        std::fs::write(path, text.replace("v0.9.1 h1:", "v0.9.1 h1:A")).unwrap();
    };
    let found = tamper.with(&lookup, forge, "", 6);
    assert_eq!(
        found,
        [format!("{AT}.zip mismatch"), format!("{lookup} mismatch")]
    );
    let tile = format!("sumdb/{}/tile/8/0", project::SUMDB);
    let tile = first_file(&scene.file(&tile));
    let tile = tile
        .strip_prefix(scene.mirror())
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    let flip = |path: &Path| {
        let mut bytes = std::fs::read(path).unwrap();
        bytes[5] ^= 1;
        std::fs::write(path, bytes).unwrap();
    };
    assert!(!tamper.with(&tile, flip, "", 6).is_empty());
    // What does not belong there.
    for stray in [
        "README",
        "github.com/pkg/errors/@v/v0.9.1.zip123.tmp",
        "github.com/pkg/errors/@v/v0.9.2.zip.part",
        "github.com/pkg/Errors/@v",
        "github.com/pkg/errors/notes",
    ] {
        let make = |path: &Path| {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            match stray.ends_with("@v") {
                true => std::fs::create_dir_all(path).unwrap(),
                false => std::fs::write(path, "x").unwrap(),
            }
        };
        assert_eq!(
            tamper.with(stray, make, "", 1),
            one(stray.to_owned(), "stray")
        );
    }
    let _ = std::fs::remove_dir(scene.file("github.com/pkg/Errors"));
    scene.verify("", 0);
}

fn first_file(folder: &Path) -> std::path::PathBuf {
    let mut entries: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    entries.sort();
    let first = entries.remove(0);
    if first.is_dir() {
        first_file(&first)
    } else {
        first
    }
}

#[test]
fn a_flipped_bit_that_verify_passes_over_is_one_that_go_passes_over() {
    let Some(scene) = Scene::set("github.com/pkg/errors@v0.9.1") else {
        return;
    };
    let zip = scene.file(&format!("{AT}.zip"));
    let whole = std::fs::read(&zip).unwrap();
    // The mirror's zip is a link to the module cache's.
    std::fs::remove_file(&zip).unwrap();
    let (mut found, mut harmless) = (0, 0);
    for n in 0..48 {
        let at = n * (whole.len() - 1) / 47;
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (n % 8);
        std::fs::write(&zip, bytes).unwrap();
        let done = scene.goroam(
            &scene.mirror(),
            scene.folder.path(),
            "verify github.com/pkg/errors",
        );
        if done.code == 0 {
            let home = scene.path(&format!("home-{n}"));
            let away = scene.owner.at(&home);
            let said = away.go(
                &scene.go,
                &home,
                "mod download github.com/pkg/errors@v0.9.1",
            );
            assert!(said.is_ok(), "byte {at}: {}", said.unwrap_err());
            harmless += 1;
        } else {
            assert_eq!(done.code, 6, "byte {at}: {}{}", done.out, done.err);
            found += 1;
        }
    }
    println!("{found} of 48 bits matter, and are found; {harmless} matter to go neither");
    assert!(found >= 24, "{found}");
}

#[test]
fn where_nobody_proves_it_the_note_and_the_zip_itself_still_speak() {
    let Some(scene) = Scene::set("github.com/pkg/errors@v0.9.1") else {
        return;
    };
    let as_private = |code: i32| {
        let env = [("GONOSUMDB", "github.com/pkg")];
        let at = scene.folder.path();
        let done = scene.goroam_as(&scene.owner, &scene.mirror(), at, "verify --json", &env);
        assert_eq!(done.code, code, "{}{}", done.out, done.err);
        done.json()
    };
    let said = as_private(0);
    assert_eq!(said["unproven"][0]["module"], ERRORS, "{said}");
    assert_eq!(
        said["unproven"][0]["why"],
        "GONOSUMDB or GOPRIVATE names it"
    );
    assert_eq!(said["proven"], 0);
    let note = scene.file(&format!("{AT}.ziphash"));
    std::fs::write(&note, "h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=").unwrap();
    let said = as_private(6);
    assert_eq!(
        mirror_owner::findings(&said, &scene.mirror()),
        [format!("{AT}.zip mismatch")]
    );
    let by = said["bad"][0]["by"].as_str().unwrap();
    assert!(by.contains(".ziphash"), "{by}");
}

/// A proxy with a private module whose `.mod` is not the go.mod in its zip.
fn odd_proxy(at: &Path) {
    let script = "import os,sys,zipfile; d=sys.argv[1]+'/odd.test/m/@v/'; os.makedirs(d); \
                  z=zipfile.ZipFile(d+'v1.0.0.zip','w'); p='odd.test/m@v1.0.0/'; \
                  z.writestr(p+'go.mod',sys.argv[2]); z.writestr(p+'m.go','package m\\n'); z.close()";
    let mut command = std::process::Command::new("python3");
    command.args(["-c", script]).arg(at).arg(IN_ZIP);
    answer(command.output().unwrap()).unwrap();
    let write = |name: &str, text: &str| std::fs::write(at.join(ODD).join(name), text).unwrap();
    write("v1.0.0.mod", ODD_MOD);
    write("v1.0.0.info", "{\"Version\":\"v1.0.0\"}");
    write("list", "v1.0.0\n");
}

const ODD: &str = "odd.test/m/@v";
const IN_ZIP: &str = "module odd.test/m\n\ngo 1.20\n";
const ODD_MOD: &str = "module odd.test/m\n\ngo 1.19\n";

#[test]
fn a_mod_that_is_not_the_zips_is_right_as_go_took_it() {
    let Some(mut scene) = Scene::set("github.com/pkg/errors@v0.9.1") else {
        return;
    };
    let proxy = scene.path("proxy");
    odd_proxy(&proxy);
    scene.owner.goproxy = format!("file://{}", proxy.display());
    let private = [("GONOSUMDB", "odd.test")];
    let does = |mirror: &Path, at: &Path, args: &str, code: i32| {
        let done = scene.goroam_as(&scene.owner, mirror, at, args, &private);
        assert_eq!(done.code, code, "{args}: {}{}", done.out, done.err);
        done
    };
    let adds = |go: &Path, user: &project::User, mirror: &Path, at: &Path| {
        let mut command = user.goroam_command(go, at);
        command.args(["mirror", "add", "--from", ".", "--mirror"]);
        answer(command.arg(mirror).output().unwrap()).unwrap();
    };
    // From a project whose go.sum names both.
    let project = scene.path("project");
    std::fs::create_dir(&project).unwrap();
    let write = |name: &str, text: &str| std::fs::write(project.join(name), text).unwrap();
    write(
        "go.mod",
        "module a.test/p\n\ngo 1.21\n\nrequire odd.test/m v1.0.0\n",
    );
    write("p.go", "package p\n\nimport _ \"odd.test/m\"\n");
    let mirrors = ["1.21.13", "1.27.3"].map(|version| {
        let go = go::go(version)?;
        let mut user = scene.owner.at(&scene.path(&format!("home-{version}")));
        user.gosumdb = "off".to_owned();
        user.go(&go, &project, "mod tidy").unwrap();
        for args in ["build ./...", "mod verify"] {
            user.go(&go, &project, args).unwrap();
        }
        let mirror = scene.path(&format!("mirror-{version}"));
        adds(&go, &user, &mirror, &project);
        Some((go, mirror))
    });
    let [Some(old), Some(new)] = mirrors else {
        return;
    };
    for (go, mirror) in [&old, &new] {
        does(mirror, &project, "verify", 0);
        // Over an air gap, too: the archive's own list has the hash of it.
        let (archive, there) = (mirror.with_extension("tar"), mirror.with_extension("there"));
        does(
            mirror,
            &project,
            &format!("export {}", archive.display()),
            0,
        );
        does(
            &there,
            &project,
            &format!("import {}", archive.display()),
            0,
        );
        does(&there, &project, "verify", 0);
        let mut away = scene.owner.away(&there).at(&mirror.with_extension("home"));
        away.gosumdb = "off".to_owned();
        away.go(go, &project, "build ./...").unwrap();
    }
    // What it was changed to since is found, also where that is what the zip holds.
    let mirror = &new.1;
    let file = mirror.join(ODD).join("v1.0.0.mod");
    for text in [IN_ZIP, "module odd.test/m\n\ngo 1.18\n"] {
        std::fs::write(&file, text).unwrap();
        let said = does(mirror, &project, "verify --json", 6).json();
        let found = mirror_owner::findings(&said, mirror);
        assert_eq!(found, [format!("{ODD}/v1.0.0.mod mismatch")]);
        let by = said["bad"][0]["by"].as_str().unwrap();
        assert!(by.contains("when it was stored"), "{by}");
    }
    // What it says to do helps.
    std::fs::remove_dir_all(mirror.join("odd.test")).unwrap();
    does(mirror, &project, "add odd.test/m@v1.0.0", 0);
    does(mirror, &project, "verify", 0);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), ODD_MOD);
    // Nothing is noted of what is not there, nor of a `.mod` that is the zip's.
    let note = mirror.join(".goroam/mods.json");
    assert!(std::fs::read_to_string(&note).unwrap().contains("odd.test"));
    does(mirror, &project, "prune --max-size 0", 0);
    assert_eq!(std::fs::read_to_string(&note).unwrap(), "{}\n");
    // Where the database is to prove it, the note is no proof.
    let said = scene.goroam(&old.1, &project, "verify --json");
    assert_eq!(said.code, 6, "{}{}", said.out, said.err);
    let found = mirror_owner::findings(&said.json(), &old.1);
    assert!(
        found.contains(&format!("{ODD}/v1.0.0.mod mismatch")),
        "{found:?}"
    );
}

#[test]
fn where_there_is_no_mirror_it_says_how_to_make_one() {
    let home = tempfile::tempdir().unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_goroam"));
    command
        .env_clear()
        .env("HOME", home.path())
        .env("GOENV", "off");
    command.args(["mirror", "verify", "--mirror", "/nowhere/at/all"]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("/nowhere/at/all") && said.contains("goroam mirror add"),
        "{said}"
    );
}
