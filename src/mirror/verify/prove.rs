//! What the checksum database says, by what the mirror keeps of it.

use super::report::{Database, Finding, Kind};
use crate::gomod::ModuleVersion;
use crate::gomod::stored::DatabaseAnswer;
use crate::mirror::layout::Layout;
use crate::mirror::sumdb::{ProofError, Proofs};
use crate::mirror::trust::Trust;

/// Who is asked about each version, by several threads at once. Asks no network.
#[derive(Debug)]
pub struct Prover {
    trust: Trust,
    /// `None` when GOSUMDB=off.
    proofs: Option<Proofs>,
}

impl Prover {
    /// What this mirror keeps, held to the key that this machine trusts.
    ///
    /// # Errors
    /// When what is kept of it cannot be read at all.
    pub fn open(layout: &Layout, trust: Trust) -> Result<Prover, ProofError> {
        let proofs = match Proofs::open(layout, &trust.sumdb) {
            Ok(proofs) => Some(proofs),
            Err(ProofError::Off) => None,
            Err(error) => return Err(error),
        };
        Ok(Prover { trust, proofs })
    }

    /// What is kept of the database; `None` when GOSUMDB=off.
    pub fn proofs(&self) -> Option<&Proofs> {
        self.proofs.as_ref()
    }

    /// The same of another mirror.
    ///
    /// # Errors
    /// When what is kept there cannot be read at all.
    pub fn beside(&self, layout: &Layout) -> Result<Prover, ProofError> {
        Prover::open(layout, self.trust.clone())
    }

    /// What the database says of a version.
    pub(super) fn prove(&self, module: &ModuleVersion) -> DatabaseAnswer {
        let Some(proofs) = &self.proofs else {
            return DatabaseAnswer::NotAsked("GOSUMDB=off".to_owned());
        };
        if let Some(why) = self.trust.not_asked(&module.path) {
            return DatabaseAnswer::NotAsked(why.to_owned());
        }
        match proofs.prove(module) {
            Ok(sums) => DatabaseAnswer::Sums {
                by: proofs.name().to_owned(),
                zip: sums.zip,
                go_mod: sums.go_mod,
            },
            Err(error) if kind(&error) == Kind::Mismatch => {
                DatabaseAnswer::False(error.to_string())
            }
            Err(error) => DatabaseAnswer::Absent(error.to_string()),
        }
    }

    /// Everything else that is kept of the database: heads, tiles, lookups of no version.
    pub(super) fn database(&self) -> (Option<Database>, Vec<Finding>) {
        let Some(proofs) = &self.proofs else {
            return (None, Vec::new());
        };
        let finding = |file, error: &ProofError| Finding {
            of: proofs.name().to_owned(),
            file,
            kind: kind(error),
            what: error.to_string(),
            expected: None,
            by: None,
            found: None,
            help: "delete the file and run `goroam mirror add` for what it proves".to_owned(),
        };
        match proofs.verify() {
            Ok(report) => {
                let database = Database {
                    name: proofs.name().to_owned(),
                    tree_size: report.head.map(|head| head.head.size),
                    lookups: report.lookups,
                    tiles: report.tiles,
                };
                let faults = report.faults.into_iter();
                let bad = faults.map(|(path, error)| finding(path, &error));
                (Some(database), bad.collect())
            }
            Err(error) => (None, vec![finding(Default::default(), &error)]),
        }
    }
}

/// Is it missing, or is it false?
fn kind(error: &ProofError) -> Kind {
    match error {
        ProofError::Unreadable(_) => Kind::Unreadable,
        ProofError::Unusable(_) => Kind::Wrong,
        error if error.is_mismatch() => Kind::Mismatch,
        _ => Kind::Unproven,
    }
}
