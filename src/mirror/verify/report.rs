//! What was found, and what it means: for a version's files, for `@v/list` and `@latest`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::bounded;
use crate::gomod::ModuleVersion;
use crate::gomod::form::{MOST_INFO, info_version};
use crate::gomod::stored::{DatabaseAnswer, FileFault, Flaw, Source, StoredVersion};
use crate::mirror::layout::{self, Layout, Module, VersionFile};

/// Maximum size of `@v/list` in bytes. The longest known list has some 10,000 versions.
const MOST_LIST: u64 = 4 << 20;

/// What is wrong with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// It does not match its checksum, or its proof is false.
    Mismatch,
    /// It should be proven, but is not.
    Unproven,
    /// A file of a version is missing.
    Missing,
    /// Its content is wrong.
    Wrong,
    /// go would never ask for it.
    Stray,
    /// It cannot be read.
    Unreadable,
}

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// `MODULE@VERSION`, `MODULE`, or empty for a file that belongs to no module.
    pub of: String,
    /// The file.
    #[serde(serialize_with = "crate::paths::serialize")]
    pub file: PathBuf,
    /// The kind of fault.
    pub kind: Kind,
    /// A description of the fault.
    pub what: String,
    /// The checksum that it should have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// The source of that checksum.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The checksum that it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
    /// What to do.
    pub help: String,
}

impl Finding {
    /// A finding without checksums.
    pub(super) fn new(of: &str, file: PathBuf, kind: Kind, what: String, help: String) -> Finding {
        Finding {
            of: of.to_owned(),
            file,
            kind,
            what,
            expected: None,
            by: None,
            found: None,
            help,
        }
    }
}

/// A version that no database is asked to prove.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Unproven {
    /// Its module.
    pub module: String,
    /// Its version.
    pub version: String,
    /// Why no database is asked.
    pub why: String,
}

/// The checksum database in the mirror.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Database {
    /// Its name.
    pub name: String,
    /// Number of records in the newest stored tree; `None` if there is no tree.
    pub tree_size: Option<u64>,
    /// Number of lookups that are proven.
    pub lookups: usize,
    /// Number of tiles that are proven.
    pub tiles: usize,
}

/// The hashes of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hashes {
    /// Of its zip; `None` if only go.mod is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zip: Option<String>,
    /// Of its go.mod.
    pub go_mod: String,
    /// Whether its `.info` is there.
    pub info: bool,
}

/// The whole report.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Report {
    /// Whether everything is in order.
    pub ok: bool,
    /// Number of modules that were verified.
    pub modules: u64,
    /// Number of versions with all their files.
    pub versions: u64,
    /// Number of versions with only a go.mod, for go's version selection.
    pub go_mod_only: u64,
    /// Bytes of all their files.
    pub bytes: u64,
    /// Number of versions that the checksum database proves.
    pub proven: u64,
    /// The result for the checksum database, if it is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<Database>,
    /// All faults.
    pub bad: Vec<Finding>,
    /// Versions that no database is asked to prove.
    pub unproven: Vec<Unproven>,
    /// Duration in milliseconds.
    pub ms: u64,
    /// Versions without a fault, and their hashes.
    #[serde(skip)]
    pub sound: BTreeMap<ModuleVersion, Hashes>,
}

impl Report {
    /// Reports whether one of the faults is a wrong checksum or proof.
    pub fn has_mismatch(&self) -> bool {
        self.bad.iter().any(|one| one.kind == Kind::Mismatch)
    }
}

/// Judges one version. `listed`: the module's `list` names it, so go expects all of its files.
pub(super) fn judge(layout: &Layout, version: &StoredVersion<'_>, listed: bool) -> Report {
    let mut report = Report::default();
    let module = version.module;
    let judgement = crate::gomod::stored::judge(version);
    let finding = |file, kind, what| {
        let help = if kind == Kind::Unproven {
            // The files may be correct: only their proof is missing.
            format!("`goroam mirror add {module}` brings its proof")
        } else {
            format!("delete the version's files, then run `goroam mirror add {module}`")
        };
        let path = layout.file(module, file).unwrap_or_default();
        Finding::new(&module.to_string(), path, kind, what, help)
    };
    // A version has either all of its files, or only go.mod.
    let whole = listed || version.zip.is_some() || version.zip_hash.is_some();
    for (file, is_missing) in [
        (VersionFile::Info, whole && version.info.is_none()),
        (VersionFile::Mod, version.go_mod.is_none()),
        (VersionFile::Zip, whole && version.zip.is_none()),
    ] {
        if is_missing {
            let what = "is missing: half a version".to_owned();
            report.bad.push(finding(file, Kind::Missing, what));
        }
    }
    for Flaw { file, fault } in judgement.flaws {
        let (kind, what, stated, found) = match fault {
            FileFault::Unreadable(why) => (Kind::Unreadable, why, None, None),
            FileFault::Unproven(why) => (Kind::Unproven, why, None, None),
            FileFault::Forged(why) => (Kind::Mismatch, why, None, None),
            FileFault::Broken { why, expected } => match file {
                VersionFile::Zip | VersionFile::ZipHash => (Kind::Mismatch, why, expected, None),
                VersionFile::Mod | VersionFile::Info => (Kind::Wrong, why, expected, None),
            },
            FileFault::Differs {
                by,
                expected,
                found,
                ..
            } => {
                let what = match (&by, file) {
                    (Source::Database(_) | Source::GoSum(_), _) => "is not what is proven",
                    (Source::Zip, VersionFile::Mod) => "is not the go.mod that the zip holds",
                    (Source::Zip, _) => "does not say what the zip is",
                    (Source::ZipHash | Source::NotedMod, _) => "is not what was stored",
                };
                let stated = Some((by, expected));
                (Kind::Mismatch, what.to_owned(), stated, Some(found))
            }
        };
        let (by, expected) = stated.unzip();
        let by = by.map(|by| match by {
            Source::Database(name) => format!("the checksum database {name}"),
            Source::GoSum(place) => place,
            Source::ZipHash => "its .ziphash, written when it was stored".to_owned(),
            Source::NotedMod => "its hash, noted when it was stored".to_owned(),
            Source::Zip => "the zip".to_owned(),
        });
        report.bad.push(Finding {
            expected,
            by,
            found,
            ..finding(file, kind, what)
        });
    }
    if report.bad.is_empty()
        && let Some(hashes) = hashes(version)
    {
        report.sound.insert(module.clone(), hashes);
    }
    match &version.answer {
        DatabaseAnswer::Sums { .. } => {
            let is_proven = judgement.zip_is_proven && judgement.mod_is_proven;
            report.proven += u64::from(is_proven);
        }
        DatabaseAnswer::NotAsked(why) => report.unproven.push(Unproven {
            module: module.path.clone(),
            version: module.version.clone(),
            why: why.clone(),
        }),
        DatabaseAnswer::Absent(_) | DatabaseAnswer::False(_) => {}
    }
    report
}

fn hashes(version: &StoredVersion<'_>) -> Option<Hashes> {
    let go_mod = version.go_mod.as_ref()?.as_ref().ok()?;
    let zip = match &version.zip {
        None => None,
        Some(zip) => Some(zip.as_ref().ok()?.h1.clone()?),
    };
    Some(Hashes {
        zip,
        go_mod: go_mod.hash.clone(),
        info: version.info.is_some(),
    })
}

/// Checks that `@v/list` and `@latest` name what is there. Also returns what `list` names.
/// `pinned`: the version that `@latest` must name.
pub(super) fn check_index(
    layout: &Layout,
    path: &str,
    module: &Module,
    pinned: Option<&str>,
) -> (BTreeSet<String>, Vec<Finding>) {
    let mut bad = Vec::new();
    let mut says = |file: &PathBuf, kind, what: String| {
        let help = format!("`goroam mirror add {path}@VERSION` of any version writes it again");
        bad.push(Finding::new(path, file.clone(), kind, what, help));
    };
    let whole: Vec<String> = module
        .versions
        .iter()
        .filter(|(_, files)| layout::is_whole(files))
        .map(|(version, _)| version.version.clone())
        .collect();
    let wanted = layout::listed(&whole, pinned);
    let file = layout.list(path).unwrap_or_default();
    let mut names = BTreeSet::new();
    if module.list {
        match bounded::read_named(&file, MOST_LIST).map(String::from_utf8) {
            Err(error) => says(&file, Kind::Unreadable, error.to_string()),
            Ok(Err(_)) => says(&file, Kind::Unreadable, "is no text".to_owned()),
            Ok(Ok(text)) => {
                // go uses the first word of each line (modfetch/proxy.go:Versions).
                let words = text.lines().map(|line| line.split_whitespace().next());
                names.extend(words.flatten().map(str::to_owned));
                for name in &names {
                    let why = if !whole.contains(name) {
                        "which is not there"
                    } else if pinned.is_some() && !wanted.contains(&name.as_str()) {
                        "which the pin hides"
                    } else {
                        continue;
                    };
                    let name: String = name.chars().take(80).collect();
                    says(&file, Kind::Wrong, format!("names {name:?}, {why}"));
                }
                for version in wanted.iter().filter(|version| !names.contains(**version)) {
                    says(&file, Kind::Wrong, format!("does not name {version}"));
                }
            }
        }
    } else if !wanted.is_empty() {
        let what = "is missing: go then finds no version".to_owned();
        says(&file, Kind::Missing, what);
    }
    let newest = layout::latest(&whole, pinned);
    if module.latest {
        let file = layout.latest(path).unwrap_or_default();
        match bounded::read_named(&file, MOST_INFO).map(|bytes| info_version(&bytes)) {
            Err(error) => says(&file, Kind::Unreadable, error.to_string()),
            Ok(Ok(named)) if Some(named.as_str()) == newest => {}
            Ok(Ok(named)) => {
                let named: String = named.chars().take(80).collect();
                let instead = newest.unwrap_or("nothing");
                let what = format!("names {named:?} instead of {instead:?}");
                says(&file, Kind::Wrong, what);
            }
            Ok(Err(error)) => says(&file, Kind::Wrong, error),
        }
    }
    (names, bad)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gomod::stored::{StoredMod, StoredZip};
    use crate::mirror::layout::Tree;

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

    /// Returns the findings as `EXTENSION KIND expected-by`.
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
        if verdict.proven > 0 {
            found.push("proven".to_owned());
        }
        found.extend(verdict.unproven.into_iter().map(|unproven| unproven.why));
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
        assert!(verdict.proven > 0 && verdict.bad.is_empty());
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
        // Both were changed so that they agree.
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
            zip: Some(Err(FileFault::broken("no zip"))),
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
        // go accepts it like this; it must stay what it was when it was stored.
        let noted = |hash: &str, seen: StoredVersion<'static>| StoredVersion {
            noted_mod: Some(hash.to_owned()),
            ..seen
        };
        let stored = |hash, seen| found(&noted(hash, seen));
        assert_eq!(stored(OTHER, other(nobody())), ["private"]);
        let changed = ["mod Mismatch stored", "private"];
        assert_eq!(stored(BEFORE, other(nobody())), changed);
        // Also a mismatch if it was changed to the zip's content: go.sum has the other hash.
        assert_eq!(stored(BEFORE, good(nobody())), changed);
        // A recorded hash does not replace the database's proof.
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
        // An unproven version may be correct: no help text says to delete it.
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
            let (_, bad) = check_index(&layout, "a.test/b", module, None);
            let named = bad.into_iter().map(|finding| {
                let file: PathBuf = finding.file.file_name().unwrap().into();
                format!("{} {}", file.display(), finding.what)
            });
            named.collect::<Vec<_>>()
        };
        assert_eq!(bad(), ["list is missing: go then finds no version"]);
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
}
