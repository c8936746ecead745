//! `goroam mirror import` of archives that somebody has tampered with.

use std::path::Path;

use crate::mirror_owner::{Scene, content};
use crate::project::{SUMDB, World};
use crate::tar_parts::{Part, joined, part, parts};

const SOME: &str = "github.com/pkg/errors@v0.9.1 github.com/kr/text@v0.2.0";

#[test]
fn a_flipped_bit_anywhere_is_refused_or_changes_nothing() {
    let Some(scene) = Scene::set(SOME) else {
        return;
    };
    let archive = scene.path("modules.tar");
    scene.export(&archive);
    let whole = std::fs::read(&archive).unwrap();
    let good = content(&scene.mirror());
    let (mut refused, mut harmless) = (0, 0);
    for n in 0..60 {
        let at = n * (whole.len() - 1025) / 59;
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (n % 8);
        let (tampered, there) = (
            scene.path("tampered.tar"),
            scene.path(&format!("there-{n}")),
        );
        std::fs::write(&tampered, bytes).unwrap();
        let done = scene.import(&tampered, &there);
        let said = format!("byte {at}: {} {}{}", done.code, done.out, done.err);
        match done.code {
            0 => {
                assert_eq!(
                    scene.goroam(&there, scene.folder.path(), "verify").code,
                    0,
                    "{said}"
                );
                harmless += 1;
            }
            1 | 6 => {
                assert_eq!(content(&there), [], "{said}");
                refused += 1;
            }
            _ => panic!("{said}"),
        }
        assert!(!there.join(".goroam/import").exists(), "{said}");
    }
    println!("{refused} of 60 bits refused, {harmless} harmless");
    assert!(refused >= 40, "{refused}");
    assert_eq!(content(&scene.mirror()), good);
    // Cut anywhere.
    for n in 1..12 {
        let (cut, there) = (scene.path("cut.tar"), scene.path("there-cut"));
        std::fs::write(&cut, &whole[..whole.len() * n / 12]).unwrap();
        let done = scene.import(&cut, &there);
        assert_eq!((done.code, content(&there)), (1, vec![]), "{}", done.err);
    }
}

#[test]
fn a_hostile_archive_is_refused_as_a_whole() {
    let Some(scene) = Scene::set(SOME) else {
        return;
    };
    scene.export(&scene.path("modules.tar"));
    let whole = parts(&std::fs::read(scene.path("modules.tar")).unwrap());
    let there = scene.path("there");
    // Taking it apart and joining it again changes nothing.
    let tampered = scene.path("tampered.tar");
    std::fs::write(&tampered, joined(&whole)).unwrap();
    assert_eq!(scene.import(&tampered, &scene.path("fine")).code, 0);

    let refused = |what: &str, change: &dyn Fn(&mut Vec<Part>), code: i32, why: &str| {
        let mut parts = whole.clone();
        change(&mut parts);
        std::fs::write(&tampered, joined(&parts)).unwrap();
        let done = scene.import(&tampered, &there);
        assert_eq!(done.code, code, "{what}: {}{}", done.out, done.err);
        let words: Vec<&str> = done.err.split_whitespace().collect();
        assert!(words.join(" ").contains(why), "{what}: {}", done.err);
        assert_eq!(content(&there), [], "{what}");
    };
    let adds = |name: &'static str, kind: u8| {
        move |parts: &mut Vec<Part>| parts.push((name.into(), kind, b"x".to_vec()))
    };
    for name in [
        "../../escaped",
        "/tmp/escaped",
        "a.test/b/@v/../../../escaped",
        "a.test/b/@v/v1.0.0.zip",
        ".goroam/pins.json",
        ".goroam/lock",
        "sumdb/../escaped",
        "github.com/pkg/errors/@v/list",
        "C:\\escaped",
        "github.com/pkg/errors/@v/v0.9.1.zip",
        "goroam-mirror.json",
    ] {
        refused(
            name,
            &adds(name, b'0'),
            1,
            "which its list does not name, or twice",
        );
    }
    let proof = format!("sumdb/{SUMDB}/../../x");
    refused(
        &proof,
        &|parts| parts.push((proof.clone(), b'0', vec![])),
        1,
        "does not name",
    );
    for (kind, what) in [
        (b'1', "hard link"),
        (b'2', "link"),
        (b'5', "folder"),
        (b'3', "device"),
        (b'L', "GNU name"),
    ] {
        refused(
            what,
            &adds("github.com/pkg/errors/@v/x", kind),
            1,
            "not a regular file",
        );
    }
    refused(
        "no list",
        &|parts| drop(parts.remove(0)),
        1,
        "does not begin with its list",
    );
    refused(
        "list not first",
        &|parts| parts.swap(0, 1),
        1,
        "does not begin with its list",
    );
    refused("empty", &Vec::clear, 1, "not an archive");
    refused(
        "lacks a zip",
        &|parts| parts.retain(|(name, ..)| !name.ends_with("errors/@v/v0.9.1.zip")),
        1,
        "lacks",
    );
    let in_list = |from: &'static str, to: &'static str| {
        move |parts: &mut Vec<Part>| {
            let text = String::from_utf8(parts[0].2.clone()).unwrap();
            assert!(text.contains(from), "{text}");
            parts[0].2 = text.replacen(from, to, 1).into_bytes();
        }
    };
    refused(
        "newer format",
        &in_list("\"format\": 1", "\"format\": 2"),
        1,
        "format 2",
    );
    refused(
        "path",
        &in_list("github.com/kr/text", "github.com/../text"),
        1,
        "malformed module path",
    );
    refused(
        "version",
        &in_list("v0.2.0", "v0.2/../0"),
        1,
        "goroam-mirror.json",
    );
    refused("no JSON", &in_list("{", "<html>"), 1, "goroam-mirror.json");
    refused(
        "hash",
        &in_list("\"zip\": \"h1:", "\"zip\": \"h1:A"),
        6,
        "not what the archive's list says",
    );

    // Another zip, and a list that goes with it: the checksum database says otherwise.
    let other = part(&mut whole.clone(), "text/@v/v0.2.0.zip").2.clone();
    let swap = |parts: &mut Vec<Part>| part(parts, "errors/@v/v0.9.1.zip").2 = other.clone();
    refused("swapped zip", &swap, 6, "not a module zip");
    let forged = |parts: &mut Vec<Part>| {
        let go_mod = part(parts, "errors/@v/v0.9.1.mod");
        let before = goroam::gomod::sum::hash_go_mod(&go_mod.2);
        go_mod.2 = b"module github.com/pkg/errors\n\ngo 1.99\n".to_vec();
        let after = goroam::gomod::sum::hash_go_mod(&go_mod.2);
        let text = String::from_utf8(parts[0].2.clone()).unwrap();
        parts[0].2 = text.replace(&before, &after).into_bytes();
    };
    refused("forged go.mod", &forged, 6, "is not what is proven");
    // And without what proves it.
    let unproven = |parts: &mut Vec<Part>| {
        forged(parts);
        parts.retain(|(name, ..)| !name.contains("/lookup/github.com/pkg/errors"));
    };
    refused(
        "forged, no proof",
        &unproven,
        6,
        "is not the go.mod that the zip holds",
    );
    let unproven = |parts: &mut Vec<Part>| {
        parts.retain(|(name, ..)| !name.contains("/lookup/github.com/pkg/errors"));
    };
    refused("no proof", &unproven, 1, "is not proven by this mirror");
    let lookup = |parts: &mut Vec<Part>| {
        let lookup = part(parts, "/lookup/github.com/pkg/errors@v0.9.1");
        let text = String::from_utf8(lookup.2.clone()).unwrap();
        lookup.2 = text.replace("v0.9.1 h1:", "v0.9.1 h1:A").into_bytes();
    };
    refused("forged lookup", &lookup, 6, "");
    // Nothing escaped.
    assert!(!Path::new("/tmp/escaped").exists() && !scene.path("escaped").exists());
}

#[test]
fn another_database_s_key_proves_nothing_here() {
    let Some(scene) = Scene::set(SOME) else {
        return;
    };
    let Some(other) = World::start() else { return };
    let archive = scene.path("modules.tar");
    scene.export(&archive);
    // The same name, another key.
    let stranger = other
        .user(&scene.path("stranger"))
        .away(&scene.path("there"));
    let args = format!("import {}", archive.display());
    let there = scene.path("there");
    let done = scene.goroam_as(&stranger, &there, scene.folder.path(), &args, &[]);
    assert_eq!(done.code, 6, "{}{}", done.out, done.err);
    assert_eq!(content(&there), []);
}

#[test]
fn private_modules_come_by_the_archive_s_word_and_never_over_others() {
    let Some(scene) = Scene::set("git.corp.test/team/hello@v1.1.0") else {
        return;
    };
    let archive = scene.path("modules.tar");
    scene.export(&archive);
    let private = [("GOPRIVATE", "git.corp.test")];
    let import = |archive: &Path, there: &Path| {
        let args = format!("import {} --json", archive.display());
        scene.goroam_as(&scene.owner, there, scene.folder.path(), &args, &private)
    };
    let there = scene.path("there");
    let said = import(&archive, &there).json();
    assert_eq!(
        said["unproven"][0]["module"], "git.corp.test/team/hello",
        "{said}"
    );
    // Of what it needs, the public part is proven as ever.
    let unproven = said["unproven"].as_array().unwrap();
    assert!(
        unproven
            .iter()
            .all(|one| one["module"].as_str().unwrap().starts_with("git.corp.test"))
    );
    // Another one of the same name: its list agrees with it, but the mirror holds this one.
    let mut parts = parts(&std::fs::read(&archive).unwrap());
    let zip = part(&mut parts, "hello/@v/v1.1.0.zip");
    let held = zip.2.clone();
    let (before, other) = (scene.path("before.zip"), scene.path("other.zip"));
    std::fs::write(&before, &held).unwrap();
    let h1 = |path: &Path| goroam::gomod::zip::h1_of(path).unwrap();
    std::fs::write(&other, renamed(&held)).unwrap();
    zip.2 = std::fs::read(&other).unwrap();
    let text = String::from_utf8(parts[0].2.clone()).unwrap();
    parts[0].2 = text.replace(&h1(&before), &h1(&other)).into_bytes();
    let tampered = scene.path("tampered.tar");
    std::fs::write(&tampered, joined(&parts)).unwrap();
    let fresh = import(&tampered, &scene.path("fresh"));
    assert_eq!(
        fresh.code, 0,
        "nobody knows better there: {}{}",
        fresh.out, fresh.err
    );
    let good = content(&there);
    let done = import(&tampered, &there);
    assert_eq!(done.code, 6, "{}{}", done.out, done.err);
    assert!(
        done.err.contains("the mirror holds another"),
        "{}",
        done.err
    );
    assert_eq!(content(&there), good);
}

/// The zip with one file's name changed, in its directory: another zip, and a whole one.
fn renamed(zip: &[u8]) -> Vec<u8> {
    let mut zip = zip.to_vec();
    let at = zip
        .windows(4)
        .rposition(|four| four == b"PK\x01\x02")
        .unwrap();
    let length = usize::from(u16::from_le_bytes([zip[at + 28], zip[at + 29]]));
    let last = at + 46 + length - 1;
    zip[last] = if zip[last] == b'z' { b'y' } else { b'z' };
    zip
}
