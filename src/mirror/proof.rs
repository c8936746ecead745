//! What the checksum database says of the modules that are wanted, with its proofs in the mirror.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::Path;

use super::go::Go;
use super::layout::Layout;
use super::sumdb::{Brought, ProofError, Proofs, Route};
use super::toolchain;
use crate::gomod::ModuleVersion;
use crate::gomod::stored::DatabaseAnswer;
use crate::model::{Chain, Patterns, SumDb};

/// What the checksum database says.
#[derive(Debug, Default)]
pub(super) struct Records {
    of: BTreeMap<ModuleVersion, DatabaseAnswer>,
    /// It has shown two trees that exclude each other: nothing that it says counts.
    pub(super) fork: Option<String>,
}

impl Records {
    /// Of one module.
    pub(super) fn of(&self, module: &ModuleVersion) -> DatabaseAnswer {
        let not_asked = || DatabaseAnswer::NotAsked("GOSUMDB does not cover it".to_owned());
        self.of.get(module).cloned().unwrap_or_else(not_asked)
    }
}

/// Brings the proofs of those that GOSUMDB covers, and reads their records out of the mirror. A
/// database that cannot be asked is no error here: each record says then why it is missing.
pub(super) async fn records(go: &Go<'_>, mirror: &Layout, wanted: &[&ModuleVersion]) -> Records {
    let spared = Patterns::parse(go.value("GONOSUMDB"));
    // go asks for the hash of a toolchain whatever the settings say (`modfetch.useSumDB`).
    let is_toolchain = |module: &ModuleVersion| module.path == toolchain::MODULE;
    let covered = wanted.iter().copied().cloned();
    let covered = covered.filter(|module| is_toolchain(module) || !spared.matches(&module.path));
    let mut covered: Vec<ModuleVersion> = covered.collect();
    let db = match SumDb::parse(go.value("GOSUMDB")) {
        Ok(SumDb::Off) => {
            covered.retain(is_toolchain);
            let why = "GOSUMDB=off, and go takes no toolchain without its checksum";
            return all_without(covered, why);
        }
        Ok(db) => db,
        Err(error) => return all_without(covered, &error.to_string()),
    };
    if covered.is_empty() {
        return Records::default();
    }
    let proofs = match Proofs::open(mirror, &db) {
        Ok(proofs) => proofs,
        Err(error) => return all_without(covered, &error.to_string()),
    };
    let route = match route(go) {
        Ok(route) => route,
        Err(why) => return all_without(covered, &why),
    };
    let mut records = Records::default();
    let (brought, failed) = match Box::pin(proofs.bring(&route, &covered)).await {
        Ok(brought) => (brought, None),
        Err(error) => {
            let why = error.to_string();
            records.fork = matches!(error, ProofError::Forked { .. }).then(|| why.clone());
            (Brought::default(), Some(why))
        }
    };
    let said = said(brought);
    for module in covered {
        let record = match proofs.prove(&module) {
            Ok(sums) => DatabaseAnswer::Sums {
                by: proofs.name().to_owned(),
                zip: sums.zip,
                go_mod: sums.go_mod,
            },
            Err(error) => {
                let why = said.get(&module).or(failed.as_ref());
                DatabaseAnswer::Absent(why.map_or_else(|| error.to_string(), String::clone))
            }
        };
        records.of.insert(module, record);
    }
    records
}

/// By GOPROXY, as go would; what go itself has kept is looked at first.
fn route(go: &Go<'_>) -> Result<Route, String> {
    let route = if go.is_offline() {
        Route::offline()
    } else {
        let chain = Chain::parse(go.value("GOPROXY")).map_err(|error| error.message)?;
        Route::by(chain, go.env())
    };
    let route = route.with_cache(Path::new(go.value("GOMODCACHE")));
    Ok(route.with_last_seen(OsStr::new(go.value("GOPATH"))))
}

/// What the database said of single modules.
fn said(brought: Brought) -> BTreeMap<ModuleVersion, String> {
    let unknown = brought.unknown.into_iter().map(|(module, whence)| {
        let why = format!(
            "the checksum database does not know it ({whence}); a private module belongs in GONOSUMDB"
        );
        (module, why)
    });
    BTreeMap::from_iter(unknown.chain(brought.failed))
}

fn all_without(modules: Vec<ModuleVersion>, why: &str) -> Records {
    let records = modules.into_iter();
    Records {
        of: BTreeMap::from_iter(
            records.map(|module| (module, DatabaseAnswer::Absent(why.to_owned()))),
        ),
        fork: None,
    }
}
