use std::path::PathBuf;

use super::judge::judge;
use super::*;
use crate::gomod::stored::{DatabaseAnswer, StoredMod, StoredVersion, StoredZip, ZipFault};

const ZIP: &str = "h1:zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz=";
const MOD: &str = "h1:mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm=";
const OTHER: &str = "h1:ooooooooooooooooooooooooooooooooooooooooooo=";
const BEFORE: &str = "h1:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb=";

fn version() -> &'static ModuleVersion {
    Box::leak(Box::new(ModuleVersion::new("a.test/b", "v1.0.0")))
}

fn sums() -> DatabaseAnswer {
    DatabaseAnswer::Sums {
        by: "sum.test".to_owned(),
        zip: Some(ZIP.to_owned()),
        go_mod: Some(MOD.to_owned()),
    }
}

fn good(answer: DatabaseAnswer) -> StoredVersion<'static> {
    StoredVersion {
        module: version(),
        info: Some(Ok(br#"{"Version":"v1.0.0"}"#.to_vec())),
        go_mod: Some(Ok(StoredMod {
            hash: MOD.to_owned(),
            form: Ok(()),
        })),
        noted_mod: None,
        zip_hash: Some(Ok(ZIP.into())),
        zip: Some(Ok(StoredZip {
            h1: Some(ZIP.to_owned()),
            go_mod: Some(MOD.to_owned()),
        })),
        answer,
        claims: Vec::new(),
    }
}

/// What is found, as `FILE'S END KIND expected-by`.
fn found(seen: &StoredVersion<'_>) -> Vec<String> {
    let verdict = judge(&Layout::new("/m"), seen, true);
    let mut found: Vec<_> = verdict
        .bad
        .iter()
        .map(|finding| {
            let end = finding.file.extension().unwrap().to_str().unwrap();
            let by = finding.by.as_deref().unwrap_or("-");
            let by = by.split([' ', ',']).next_back().unwrap();
            format!("{end} {:?} {by}", finding.kind)
        })
        .collect();
    if verdict.proven {
        found.push("proven".to_owned());
    }
    found.extend(verdict.unproven.map(|unproven| unproven.why));
    found
}

#[test]
fn a_version_in_order_is_proven_or_not_asked_for() {
    assert_eq!(found(&good(sums())), ["proven"]);
    assert_eq!(
        found(&good(DatabaseAnswer::NotAsked("GOSUMDB=off".into()))),
        ["GOSUMDB=off"]
    );
    let mod_only = StoredVersion {
        zip: None,
        zip_hash: None,
        info: None,
        ..good(sums())
    };
    let verdict = judge(&Layout::new("/m"), &mod_only, false);
    assert!(verdict.proven && verdict.bad.is_empty());
}

#[test]
fn what_is_proven_counts_for_more_than_what_was_noted() {
    let other = |h1: &str| {
        Some(Ok(StoredZip {
            h1: Some(h1.to_owned()),
            go_mod: Some(MOD.to_owned()),
        }))
    };
    let tampered = StoredVersion {
        zip: other(OTHER),
        ..good(sums())
    };
    assert_eq!(found(&tampered), ["zip Mismatch sum.test"]);
    // Both were changed to agree with one another.
    let both = StoredVersion {
        zip_hash: Some(Ok(format!("{OTHER}\n").into_bytes())),
        ..tampered.clone()
    };
    assert_eq!(found(&both), ["zip Mismatch sum.test"]);
    let note = StoredVersion {
        zip_hash: Some(Ok(OTHER.into())),
        ..good(sums())
    };
    assert_eq!(found(&note), ["ziphash Mismatch zip", "proven"]);
    let nobody = DatabaseAnswer::NotAsked("private".into());
    let noted = StoredVersion {
        answer: nobody.clone(),
        ..tampered
    };
    assert_eq!(found(&noted), ["zip Mismatch stored", "private"]);
    let broken = StoredVersion {
        zip: Some(Err(ZipFault::Broken("no zip".to_owned()))),
        ..good(nobody)
    };
    assert_eq!(found(&broken), ["zip Mismatch stored", "private"]);
}

#[test]
fn go_mod_is_held_to_the_database_and_else_to_the_zip() {
    let other = |proof| StoredVersion {
        go_mod: Some(Ok(StoredMod {
            hash: OTHER.to_owned(),
            form: Ok(()),
        })),
        ..good(proof)
    };
    assert_eq!(found(&other(sums())), ["mod Mismatch sum.test"]);
    let nobody = || DatabaseAnswer::NotAsked("private".into());
    assert_eq!(found(&other(nobody())), ["mod Mismatch zip", "private"]);
    // go takes it so; what it was when it was stored is what it is to be.
    let noted = |hash: &str, seen: StoredVersion<'static>| StoredVersion {
        noted_mod: Some(hash.to_owned()),
        ..seen
    };
    let stored = |hash, seen| found(&noted(hash, seen));
    assert_eq!(stored(OTHER, other(nobody())), ["private"]);
    let changed = ["mod Mismatch stored", "private"];
    assert_eq!(stored(BEFORE, other(nobody())), changed);
    // Also if it was changed to what the zip holds: go.sum has the other one.
    assert_eq!(stored(BEFORE, good(nobody())), changed);
    // A note is no word on what the database proves, or should prove.
    assert_eq!(stored(OTHER, other(sums())), ["mod Mismatch sum.test"]);
    for proof in [
        DatabaseAnswer::Absent("none".into()),
        DatabaseAnswer::False("forged".into()),
    ] {
        let found = stored(OTHER, other(proof));
        assert!(found.contains(&"mod Mismatch zip".to_owned()), "{found:?}");
    }
    let page = StoredVersion {
        go_mod: Some(Ok(StoredMod {
            hash: OTHER.to_owned(),
            form: Err("a web page".to_owned()),
        })),
        zip: None,
        zip_hash: None,
        ..good(nobody())
    };
    assert!(found(&page).contains(&"mod Wrong -".to_owned()));
}

#[test]
fn a_proof_that_is_missing_or_false_is_said() {
    assert_eq!(
        found(&good(DatabaseAnswer::Absent("none".into()))),
        ["zip Unproven -"]
    );
    assert_eq!(
        found(&good(DatabaseAnswer::False("forged".into()))),
        ["zip Mismatch -"]
    );
    // What is not proven yet may be right: nobody is told to delete it.
    for (proof, deletes) in [
        (DatabaseAnswer::Absent("none".into()), false),
        (DatabaseAnswer::False("forged".into()), true),
    ] {
        let verdict = judge(&Layout::new("/m"), &good(proof), true);
        let help = &verdict.bad.first().unwrap().help;
        assert_eq!(help.contains("delete"), deletes, "{help}");
    }
}

#[test]
fn half_a_version_is_named_by_what_is_missing() {
    let all = good(sums());
    let no_info = StoredVersion {
        info: None,
        ..all.clone()
    };
    assert_eq!(found(&no_info), ["info Missing -", "proven"]);
    let no_mod = StoredVersion {
        go_mod: None,
        ..all.clone()
    };
    assert_eq!(found(&no_mod), ["mod Missing -"]);
    let no_zip = StoredVersion {
        zip: None,
        ..all.clone()
    };
    assert_eq!(found(&no_zip), ["zip Missing -", "proven"]);
    let swapped = StoredVersion {
        info: Some(Ok(br#"{"Version":"v1.0.1"}"#.to_vec())),
        ..all.clone()
    };
    assert_eq!(found(&swapped), ["info Wrong -", "proven"]);
    let page = StoredVersion {
        info: Some(Ok(b"<html>".to_vec())),
        ..all
    };
    assert_eq!(found(&page), ["info Wrong -", "proven"]);
}

#[test]
fn list_and_latest_name_what_is_there() {
    let root = tempfile::tempdir().unwrap();
    let layout = Layout::new(root.path());
    let put = |name: &str, text: &str| {
        let path = root.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    put("a.test/b/@v/v1.0.0.zip", "");
    put("a.test/b/@v/v1.0.0.info", "");
    put("a.test/b/@v/v0.0.0-20200102150405-abcdefabcdef.info", "");
    put("a.test/b/@v/v0.0.0-20200102150405-abcdefabcdef.zip", "");
    put("a.test/b/@v/v1.0.1.mod", "");
    let bad = || {
        let tree = Tree::read(&layout).unwrap();
        let module = &tree.modules["a.test/b"];
        let listed = module.list.then(|| listing::listed(&layout, "a.test/b"));
        let bad = listing::check(&layout, "a.test/b", module, listed.as_ref(), None);
        let named = bad.into_iter().map(|finding| {
            let file: PathBuf = finding.file.file_name().unwrap().into();
            format!("{} {}", file.display(), finding.what)
        });
        named.collect::<Vec<_>>()
    };
    assert_eq!(bad(), ["list is missing: go finds no version by itself"]);
    put("a.test/b/@v/list", "v1.0.0 2024-01-01T00:00:00Z\n");
    assert_eq!(bad(), [""; 0]);
    put("a.test/b/@v/list", "v1.0.1\n");
    assert_eq!(
        bad(),
        [
            "list names \"v1.0.1\", which is not there",
            "list does not name v1.0.0"
        ]
    );
    put("a.test/b/@v/list", "v1.0.0\n");
    put("a.test/b/@latest", r#"{"Version":"v1.0.0"}"#);
    assert_eq!(bad(), [""; 0]);
    put("a.test/b/@latest", r#"{"Version":"v1.0.1"}"#);
    assert_eq!(bad(), ["@latest names \"v1.0.1\" instead of \"v1.0.0\""]);
}
