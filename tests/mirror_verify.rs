//! `goroam mirror verify` with real modules and a real checksum database, whole and tampered with.
#![cfg(target_os = "linux")]
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test says why it fails"
)]

#[path = "support/go.rs"]
mod go;
#[path = "support/mirror_owner.rs"]
mod mirror_owner;
#[path = "support/project.rs"]
mod project;

use std::path::Path;

use goroam::gosum::hash_go_mod;
use goroam::job::mirror::{File, Layout, Tree};
use goroam::job::modzip::h1_of;
use mirror_owner::Scene;
use project::{World, answer};

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
        let zip = h1_of(&layout.file(version, File::Zip).unwrap()).unwrap();
        assert_eq!(said["Sum"], zip, "{version}");
        let go_mod = std::fs::read(layout.file(version, File::Mod).unwrap()).unwrap();
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
        text.out.contains("every file is what its checksum says"),
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
