//! The checksum database's records of the requested modules, with its proofs in the mirror. Also
//! which checksum database this machine's go trusts: reads GOSUMDB and GONOSUMDB as go does. This
//! needs no go command: a mirror may be on a machine that builds nothing.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::Path;

use super::go::Go;
use super::layout::Layout;
use super::sumdb::{Brought, ProofError, Proofs, Route};
use crate::environment::Environment;
use crate::gocmd::{EnvFile, EnvText, LocateError};
use crate::gomod::ModuleVersion;
use crate::gomod::go_version::TOOLCHAIN;
use crate::gomod::stored::DatabaseAnswer;
use crate::model::{Chain, Patterns, SumDb};

/// The records of the checksum database.
#[derive(Debug, Default)]
pub(super) struct Records {
    of: BTreeMap<ModuleVersion, DatabaseAnswer>,
    /// Set if the database has shown two trees that contradict each other: then none of its records
    /// counts.
    pub(super) fork: Option<String>,
}

impl Records {
    /// Returns the record of one module.
    pub(super) fn of(&self, module: &ModuleVersion) -> DatabaseAnswer {
        let not_asked = || DatabaseAnswer::NotAsked("GOSUMDB does not cover it".to_owned());
        self.of.get(module).cloned().unwrap_or_else(not_asked)
    }
}

/// Fetches the proofs of the modules that GOSUMDB covers, and reads their records from the mirror.
/// An unreachable database is not an error here: each record then says why it is missing.
pub(super) async fn records(go: &Go<'_>, mirror: &Layout, wanted: &[&ModuleVersion]) -> Records {
    let spared = Patterns::parse(go.value("GONOSUMDB"));
    // go asks for the hash of a toolchain regardless of the settings (`modfetch.useSumDB`).
    let is_toolchain = |module: &ModuleVersion| module.path == TOOLCHAIN;
    let covered = wanted.iter().copied().cloned();
    let covered = covered.filter(|module| is_toolchain(module) || !spared.matches(&module.path));
    let mut covered: Vec<ModuleVersion> = covered.collect();
    let db = SumDb::parse(go.value("GOSUMDB"));
    if let Ok(SumDb::Off) = db {
        covered.retain(is_toolchain);
    }
    let mut records = Records::default();
    if covered.is_empty() {
        return records;
    }
    let opened = db.map_err(|error| error.to_string()).and_then(|db| {
        if db == SumDb::Off {
            let why = "GOSUMDB=off, and go takes no toolchain without its checksum";
            return Err(why.to_owned());
        }
        let proofs = Proofs::open(mirror, &db).map_err(|error| error.to_string())?;
        Ok((proofs, route(go)?))
    });
    let (proofs, route) = match opened {
        Ok(opened) => opened,
        Err(why) => {
            let absent = |module| (module, DatabaseAnswer::Absent(why.clone()));
            records.of = covered.into_iter().map(absent).collect();
            return records;
        }
    };
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
        let record = proofs.answer(&module).unwrap_or_else(|error| {
            let why = said.get(&module).or(failed.as_ref());
            DatabaseAnswer::Absent(why.map_or_else(|| error.to_string(), String::clone))
        });
        records.of.insert(module, record);
    }
    records
}

/// Follows GOPROXY as go does; uses what go itself has cached first.
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

/// What the database answered about single modules.
fn said(brought: Brought) -> BTreeMap<ModuleVersion, String> {
    let unknown = brought.unknown.into_iter().map(|(module, whence)| {
        let why = format!(
            "the checksum database does not know it ({whence}); a private module belongs in GONOSUMDB"
        );
        (module, why)
    });
    BTreeMap::from_iter(unknown.chain(brought.failed))
}

/// The checksum database, and the modules that are not checked with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    /// GOSUMDB.
    pub sumdb: SumDb,
    /// GONOSUMDB, which takes its default from GOPRIVATE.
    pub exempt: Patterns,
}

impl Trust {
    /// Reads the OS environment, then the go env file, then go's defaults (`cfg.EnvOrAndChanged`).
    /// An empty value counts as not set. Does not read `$GOROOT/go.env`.
    ///
    /// # Errors
    /// When the env file exists but cannot be used, or GOSUMDB cannot be parsed.
    pub fn find(env: &Environment) -> Result<Trust, String> {
        let file = match EnvFile::locate(env) {
            Ok(file) => file
                .read()
                .map_err(|error| format!("the go env file: {}: {error}", file.path.display()))?,
            Err(LocateError::Off | LocateError::NoHome) => None,
            Err(error) => return Err(format!("the go env file: {error}")),
        };
        let file = file.unwrap_or(EnvText(Vec::new()));
        let value = |name: &str| {
            let set = [env.get(name), file.get(name)];
            set.into_iter().flatten().find(|value| !value.is_empty())
        };
        let sumdb = SumDb::parse(value("GOSUMDB").unwrap_or("sum.golang.org"))
            .map_err(|error| error.to_string())?;
        let exempt = value("GONOSUMDB").or_else(|| value("GOPRIVATE"));
        Ok(Trust {
            sumdb,
            exempt: Patterns::parse(exempt.unwrap_or_default()),
        })
    }

    /// Returns why the database is not asked about this module (`modfetch.useSumDB`); `None` if it
    /// is asked.
    pub fn not_asked(&self, module: &str) -> Option<&'static str> {
        if self.sumdb == SumDb::Off {
            Some("GOSUMDB=off")
        } else if self.exempt.matches(module) && module != TOOLCHAIN {
            Some("GONOSUMDB or GOPRIVATE names it")
        } else {
            None
        }
    }
}

#[cfg(test)]
mod trust_tests {
    use super::*;

    const KEY: &str = "lab.sum.test+3ae09bdd+AQ==";

    #[test]
    fn the_environment_comes_before_the_file_and_the_file_before_the_defaults() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("go.env");
        let found = |vars: &[(&str, &str)], text: &str| {
            std::fs::write(&file, text).unwrap();
            let goenv = ("GOENV", file.to_str().unwrap());
            let vars = vars.iter().copied().chain([goenv]);
            Trust::find(&vars.collect()).unwrap()
        };
        let none = found(&[], "");
        assert_eq!(none.sumdb.name(), "sum.golang.org");
        assert_eq!(none.not_asked("a.test/b"), None);
        let in_file = found(&[("GOSUMDB", "")], "GOSUMDB=off\nGOPRIVATE=a.test\n");
        assert_eq!(in_file.sumdb, SumDb::Off);
        assert_eq!(in_file.not_asked("b.test/b"), Some("GOSUMDB=off"));
        let set = [("GOSUMDB", "sum.golang.org"), ("GONOSUMDB", "c.test")];
        let set = found(&set, "GOSUMDB=off\nGOPRIVATE=a.test\n");
        assert_eq!(set.not_asked("a.test/b"), None);
        assert!(set.not_asked("c.test/b").is_some());
    }

    #[test]
    fn a_database_that_go_could_not_ask_is_an_error() {
        let env = [("GOENV", "off"), ("GOSUMDB", KEY)].into_iter().collect();
        assert!(Trust::find(&env).is_err());
    }
}
