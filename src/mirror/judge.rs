//! Is a file what everybody who knows says it is? Facts in, verdict out; pure.

use std::path::Path;

use super::wants::Claim;
use crate::gomod::ModuleVersion;

/// What the checksum database says of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Record {
    /// Its proven record.
    Says {
        /// The database.
        name: String,
        zip: Option<String>,
        go_mod: Option<String>,
    },
    /// GOSUMDB=off, or GONOSUMDB or GOPRIVATE match: go does not ask it either.
    Uncovered,
    /// It should prove this, and cannot: the reason.
    Without(String),
}

/// Whose word a version was stored on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verified {
    /// The checksum database's name, `go.sum`, or `go` (which checked it by the user's settings).
    pub(super) by: String,
    /// Why the checksum database's proof is not there although go will ask for it.
    pub(super) without_proof: Option<String>,
}

/// What is known of the files of one version.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    pub(super) module: &'a ModuleVersion,
    /// Of the zip, computed from its content; `None`: only its go.mod is wanted.
    pub(super) zip: Option<&'a str>,
    /// Of the go.mod, computed.
    pub(super) go_mod: &'a str,
    /// What go noted when it stored the zip, and where.
    pub(super) noted: Option<(&'a str, &'a Path)>,
    /// The project's go.sum on the zip.
    pub(super) claim_zip: Option<&'a Claim>,
    /// The project's go.sum on the go.mod.
    pub(super) claim_mod: Option<&'a Claim>,
    pub(super) record: &'a Record,
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

/// Everybody who knows has to agree; the strongest who does is named.
pub(super) fn judge(facts: &Facts<'_>) -> Result<Verified, Refusal> {
    let by_go_sum = |claim: &Claim| claim.file.display().to_string();
    if let (Some(zip), Some(claim)) = (facts.zip, facts.claim_zip) {
        same(zip, &claim.hash, "zip", &by_go_sum(claim))?;
    }
    if let Some(claim) = facts.claim_mod {
        same(facts.go_mod, &claim.hash, "go.mod", &by_go_sum(claim))?;
    }
    if let Record::Says { name, zip, go_mod } = facts.record {
        if let (Some(seen), Some(said)) = (facts.zip, zip) {
            same(seen, said, "zip", name)?;
        }
        if let Some(said) = go_mod {
            same(facts.go_mod, said, "go.mod", name)?;
        }
    }
    if let (Some(zip), Some((noted, file))) = (facts.zip, facts.noted) {
        same(zip, noted, "zip", &file.display().to_string())?;
    }
    let in_go_sum = facts.claim_mod.is_some() && (facts.zip.is_none() || facts.claim_zip.is_some());
    let word = if in_go_sum { "go.sum" } else { "go" }.to_owned();
    match facts.record {
        Record::Says { name, zip, go_mod } => {
            if go_mod.is_none() || facts.zip.is_some() && zip.is_none() {
                let why = format!("{name} has no checksum of {}", facts.module);
                return Err(Refusal::because(why));
            }
            Ok(Verified {
                by: name.clone(),
                without_proof: None,
            })
        }
        Record::Uncovered => Ok(Verified {
            by: word,
            without_proof: None,
        }),
        Record::Without(why) if in_go_sum => Ok(Verified {
            by: word,
            without_proof: Some(why.clone()),
        }),
        Record::Without(why) => Err(Refusal::because(format!(
            "nothing proves it: no go.sum names it, and {why}"
        ))),
    }
}

fn same(seen: &str, said: &str, what: &str, who: &str) -> Result<(), Refusal> {
    // go passes over hashes of kinds that it does not know.
    if seen == said || !said.starts_with("h1:") {
        return Ok(());
    }
    Err(Refusal {
        why: format!(
            "checksum mismatch of its {what}\nhere: {seen}\n{who}: {said}\nOne of them was changed \
             after it was made. Compare both with what the module's origin says before you trust either."
        ),
        mismatch: true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(hash: &str) -> Claim {
        Claim {
            hash: hash.to_owned(),
            file: "/p/go.sum".into(),
        }
    }

    fn says(zip: &str, go_mod: &str) -> Record {
        Record::Says {
            name: "sum.test".to_owned(),
            zip: Some(zip.to_owned()),
            go_mod: Some(go_mod.to_owned()),
        }
    }

    /// The zip's hash is `h1:z`, the go.mod's `h1:m`.
    fn judged(
        claims: (Option<&str>, Option<&str>),
        noted: Option<&str>,
        record: &Record,
    ) -> Result<Verified, Refusal> {
        let module = ModuleVersion::new("a.test/b", "v1.0.0");
        let (zip, go_mod) = (claims.0.map(claim), claims.1.map(claim));
        judge(&Facts {
            module: &module,
            zip: Some("h1:z"),
            go_mod: "h1:m",
            noted: noted.map(|hash| (hash, Path::new("/c/v1.0.0.ziphash"))),
            claim_zip: zip.as_ref(),
            claim_mod: go_mod.as_ref(),
            record,
        })
    }

    #[test]
    fn each_of_those_who_know_can_refuse_it() {
        let good = says("h1:z", "h1:m");
        for (claims, noted, record, who) in [
            ((Some("h1:X"), None), None, &good, "/p/go.sum"),
            ((None, Some("h1:X")), None, &good, "/p/go.sum"),
            ((None, None), Some("h1:X"), &good, "/c/v1.0.0.ziphash"),
            ((None, None), None, &says("h1:X", "h1:m"), "sum.test"),
            ((None, None), None, &says("h1:z", "h1:X"), "sum.test"),
        ] {
            let refusal = judged(claims, noted, record).unwrap_err();
            assert!(refusal.mismatch, "{refusal:?}");
            let said = format!("\n{who}: h1:X\n");
            assert!(refusal.why.contains(&said), "{refusal:?}");
        }
    }

    #[test]
    fn the_strongest_word_is_named() {
        let good = says("h1:z", "h1:m");
        let (both, none) = ((Some("h1:z"), Some("h1:m")), (None, None));
        let by = |claims, record| judged(claims, Some("h1:z"), record).unwrap().by;
        assert_eq!(by(both, &good), "sum.test");
        assert_eq!(by(both, &Record::Uncovered), "go.sum");
        assert_eq!(by((Some("h1:z"), None), &Record::Uncovered), "go");
        assert_eq!(by(none, &Record::Uncovered), "go");
    }

    #[test]
    fn without_the_database_only_a_whole_go_sum_will_do() {
        let without = Record::Without("it is asleep".to_owned());
        let (both, half) = ((Some("h1:z"), Some("h1:m")), (Some("h1:z"), None));
        let verified = judged(both, None, &without).unwrap();
        assert_eq!(verified.without_proof.as_deref(), Some("it is asleep"));
        let refusal = judged(half, None, &without).unwrap_err();
        assert!(
            !refusal.mismatch && refusal.why.contains("it is asleep"),
            "{refusal:?}"
        );
    }

    #[test]
    fn a_record_that_lacks_the_zip_proves_no_zip() {
        let half = Record::Says {
            name: "sum.test".to_owned(),
            zip: None,
            go_mod: Some("h1:m".to_owned()),
        };
        assert!(judged((None, None), None, &half).is_err());
    }
}
