//! What is wrong with a version in a mirror, as findings. Pure.

use super::report::{Finding, Hashes, Kind, Unproven};
use crate::gomod::ModuleVersion;
use crate::gomod::stored::{DatabaseAnswer, FileFault, Flaw, Source, StoredVersion};
use crate::mirror::layout::{Layout, VersionFile};

/// What a version comes to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Verdict {
    pub(super) bad: Vec<Finding>,
    pub(super) unproven: Option<Unproven>,
    pub(super) proven: bool,
    /// When nothing is wrong with it.
    pub(super) sound: Option<(ModuleVersion, Hashes)>,
}

/// `listed`: the module's `list` names it, so go expects all of its files.
pub(super) fn judge(layout: &Layout, version: &StoredVersion<'_>, listed: bool) -> Verdict {
    let module = version.module;
    let judgement = crate::gomod::stored::judge(version);
    let finding = |file, kind, what: String| Finding {
        of: module.to_string(),
        file: layout.file(module, file).unwrap_or_default(),
        kind,
        what,
        expected: None,
        by: None,
        found: None,
        help: match kind {
            // The files may be right: what is missing is their proof.
            Kind::Unproven => format!("`goroam mirror add {module}` brings its proof"),
            Kind::Mismatch | Kind::Missing | Kind::Wrong | Kind::Stray | Kind::Unreadable => {
                format!("delete the version's files, then run `goroam mirror add {module}`")
            }
        },
    };
    let mut verdict = Verdict::default();
    // A version has all of its files, or go.mod alone.
    let whole = listed || version.zip.is_some() || version.zip_hash.is_some();
    for (file, is_missing) in [
        (VersionFile::Info, whole && version.info.is_none()),
        (VersionFile::Mod, version.go_mod.is_none()),
        (VersionFile::Zip, whole && version.zip.is_none()),
    ] {
        let what = || "is missing: half a version".to_owned();
        let missing = is_missing.then(|| finding(file, Kind::Missing, what()));
        verdict.bad.extend(missing);
    }
    for Flaw { file, fault } in judgement.flaws {
        verdict.bad.push(match fault {
            FileFault::Unreadable(why) => finding(file, Kind::Unreadable, why),
            FileFault::Unproven(why) => finding(file, Kind::Unproven, why),
            FileFault::Forged(why) => finding(file, Kind::Mismatch, why),
            FileFault::Broken { why, expected } => {
                let kind = match file {
                    VersionFile::Zip | VersionFile::ZipHash => Kind::Mismatch,
                    VersionFile::Mod | VersionFile::Info => Kind::Wrong,
                };
                let (by, expected) = expected.unzip();
                Finding {
                    expected,
                    by: by.map(|by| stated_by(&by)),
                    ..finding(file, kind, why)
                }
            }
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
                Finding {
                    expected: Some(expected),
                    by: Some(stated_by(&by)),
                    found: Some(found),
                    ..finding(file, Kind::Mismatch, what.to_owned())
                }
            }
        });
    }
    if verdict.bad.is_empty() {
        verdict.sound = hashes(version).map(|hashes| (module.clone(), hashes));
    }
    match &version.answer {
        DatabaseAnswer::Sums { .. } => {
            verdict.proven = judgement.zip_is_proven && judgement.mod_is_proven;
        }
        DatabaseAnswer::NotAsked(why) => {
            verdict.unproven = Some(Unproven {
                module: module.path.clone(),
                version: module.version.clone(),
                why: why.clone(),
            });
        }
        DatabaseAnswer::Absent(_) | DatabaseAnswer::False(_) => {}
    }
    verdict
}

fn stated_by(source: &Source) -> String {
    match source {
        Source::Database(name) => format!("the checksum database {name}"),
        Source::GoSum(place) => place.clone(),
        Source::ZipHash => "its .ziphash, written when it was stored".to_owned(),
        Source::NotedMod => "its hash, noted when it was stored".to_owned(),
        Source::Zip => "the zip".to_owned(),
    }
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
