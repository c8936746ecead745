//! May a version be stored? Every source that states a hash has to agree. Pure.

use std::path::Path;

use crate::gomod::go_sum::Hashed;
use crate::gomod::stored::{DatabaseAnswer, FileFault, Source, StoredVersion, VersionFile, judge};

/// Who vouches for a version that is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verified {
    /// The checksum database's name, `go.sum`, or `go` (which checked it by the user's settings).
    pub(super) by: String,
    /// Why the checksum database's proof is not there although go will ask for it.
    pub(super) without_proof: Option<String>,
}

/// Why a version is not stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) why: String,
    /// Something is not what its checksum says.
    pub(super) mismatch: bool,
}

impl Refusal {
    pub(super) fn because(why: impl Into<String>) -> Refusal {
        Refusal {
            why: why.into(),
            mismatch: false,
        }
    }
}

/// Refuses a version that differs from what any source states, and one that nothing proves;
/// names the strongest source of the others. `noted`: where the zip's `.ziphash` is.
pub(super) fn may_store(version: &StoredVersion<'_>, noted: &Path) -> Result<Verified, Refusal> {
    for flaw in judge(version).flaws {
        let FileFault::Differs {
            by,
            expected,
            found,
            ..
        } = flaw.fault
        else {
            continue;
        };
        let by = match by {
            Source::Database(name) => name,
            Source::GoSum(place) => place,
            Source::ZipHash | Source::Zip | Source::NotedMod => noted.display().to_string(),
        };
        // A note that differs from a zip that is proven: go would not take the two either.
        let (what, here, said) = match flaw.file {
            VersionFile::ZipHash => ("zip", expected, found),
            VersionFile::Zip => ("zip", found, expected),
            VersionFile::Mod | VersionFile::Info => ("go.mod", found, expected),
        };
        return Err(Refusal {
            why: format!(
                "checksum mismatch of its {what}\nhere: {here}\n{by}: {said}\nOne of them was \
                 changed after it was made. Compare both with what the module's origin says before \
                 you trust either."
            ),
            mismatch: true,
        });
    }
    let is_claimed = |of| version.claims.iter().any(|claim| claim.of == of);
    let in_go_sum = is_claimed(Hashed::GoMod) && (version.zip.is_none() || is_claimed(Hashed::Zip));
    let (by, without_proof) = match &version.answer {
        DatabaseAnswer::Sums { by, zip, go_mod } => {
            if go_mod.is_none() || version.zip.is_some() && zip.is_none() {
                let why = format!("{by} has no checksum of {}", version.module);
                return Err(Refusal::because(why));
            }
            (by.as_str(), None)
        }
        DatabaseAnswer::Absent(why) | DatabaseAnswer::False(why) if in_go_sum => {
            ("go.sum", Some(why.clone()))
        }
        DatabaseAnswer::Absent(why) | DatabaseAnswer::False(why) => {
            return Err(Refusal::because(format!(
                "nothing proves it: no go.sum names it, and {why}"
            )));
        }
        DatabaseAnswer::NotAsked(_) if in_go_sum => ("go.sum", None),
        DatabaseAnswer::NotAsked(_) => ("go", None),
    };
    Ok(Verified {
        by: by.to_owned(),
        without_proof,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gomod::ModuleVersion;
    use crate::gomod::stored::{Claim, StoredMod, StoredZip};

    fn h1(letter: &str) -> String {
        format!("h1:{}=", letter.repeat(43))
    }

    fn says(zip: &str, go_mod: &str) -> DatabaseAnswer {
        DatabaseAnswer::Sums {
            by: "sum.test".to_owned(),
            zip: Some(h1(zip)),
            go_mod: Some(h1(go_mod)),
        }
    }

    fn not_asked() -> DatabaseAnswer {
        DatabaseAnswer::NotAsked("private".to_owned())
    }

    /// The zip's hash is of `z`, the go.mod's of `m`.
    fn judged(
        claims: (Option<&str>, Option<&str>),
        noted: Option<&str>,
        answer: &DatabaseAnswer,
    ) -> Result<Verified, Refusal> {
        let claim = |of, letter: Option<&str>| {
            letter.map(|letter| Claim {
                of,
                hash: h1(letter),
                by: "/p/go.sum".to_owned(),
                sure: true,
            })
        };
        let claims = [claim(Hashed::Zip, claims.0), claim(Hashed::GoMod, claims.1)];
        let module = ModuleVersion::new("a.test/b", "v1.0.0");
        let version = StoredVersion {
            module: &module,
            info: None,
            go_mod: Some(Ok(StoredMod {
                hash: h1("m"),
                form: Ok(()),
            })),
            noted_mod: None,
            zip_hash: noted.map(|letter| Ok(h1(letter).into_bytes())),
            zip: Some(Ok(StoredZip {
                h1: Some(h1("z")),
                go_mod: None,
            })),
            answer: answer.clone(),
            claims: claims.into_iter().flatten().collect(),
        };
        may_store(&version, Path::new("/c/v1.0.0.ziphash"))
    }

    #[test]
    fn each_source_can_refuse_it() {
        let (good, private) = (says("z", "m"), not_asked());
        let (other_zip, other_mod) = (says("X", "m"), says("z", "X"));
        for (claims, noted, answer, by) in [
            ((Some("X"), None), None, &good, "/p/go.sum"),
            ((None, Some("X")), None, &good, "/p/go.sum"),
            ((None, Some("X")), None, &private, "/p/go.sum"),
            ((None, None), Some("X"), &good, "/c/v1.0.0.ziphash"),
            ((None, None), Some("X"), &private, "/c/v1.0.0.ziphash"),
            ((None, None), None, &other_zip, "sum.test"),
            ((None, None), None, &other_mod, "sum.test"),
        ] {
            let refusal = judged(claims, noted, answer).unwrap_err();
            assert!(refusal.mismatch, "{refusal:?}");
            let said = format!("\n{by}: {}\n", h1("X"));
            assert!(refusal.why.contains(&said), "{refusal:?}");
        }
    }

    #[test]
    fn the_strongest_source_is_named() {
        let good = says("z", "m");
        let (both, none) = ((Some("z"), Some("m")), (None, None));
        let by = |claims, answer: &DatabaseAnswer| judged(claims, Some("z"), answer).unwrap().by;
        assert_eq!(by(both, &good), "sum.test");
        assert_eq!(by(both, &not_asked()), "go.sum");
        assert_eq!(by((Some("z"), None), &not_asked()), "go");
        assert_eq!(by(none, &not_asked()), "go");
    }

    #[test]
    fn without_the_database_only_a_whole_go_sum_will_do() {
        for answer in [DatabaseAnswer::Absent, DatabaseAnswer::False] {
            let answer = answer("it is asleep".to_owned());
            let (both, half) = ((Some("z"), Some("m")), (Some("z"), None));
            let verified = judged(both, None, &answer).unwrap();
            assert_eq!(verified.without_proof.as_deref(), Some("it is asleep"));
            let refusal = judged(half, None, &answer).unwrap_err();
            assert!(
                !refusal.mismatch && refusal.why.contains("it is asleep"),
                "{refusal:?}"
            );
        }
    }

    #[test]
    fn a_record_that_lacks_the_zip_proves_no_zip() {
        let half = DatabaseAnswer::Sums {
            by: "sum.test".to_owned(),
            zip: None,
            go_mod: Some(h1("m")),
        };
        assert!(judged((None, None), None, &half).is_err());
    }
}
