//! Whom this machine's go believes about checksums: GOSUMDB and GONOSUMDB, as go finds them.
//! go itself need not be there: a mirror may be kept on a machine that builds nothing.

use crate::environment::Environment;
use crate::gocmd::{EnvFile, EnvText, LocateError};
use crate::model::SumDb;
use crate::model::pattern::Patterns;

/// The checksum database, and which modules it is not asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    /// GOSUMDB.
    pub sumdb: SumDb,
    /// GONOSUMDB, which takes its default from GOPRIVATE.
    pub exempt: Patterns,
}

/// Why it cannot be told whom go believes.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The go env file cannot be found or read.
    #[error("the go env file: {0}")]
    File(String),
    /// GOSUMDB is none that go could use.
    #[error("{0}")]
    SumDb(String),
}

impl Trust {
    /// The OS environment, then the go env file, then go's defaults (`cfg.EnvOrAndChanged`). An
    /// empty value counts as none. `$GOROOT/go.env` is not read.
    ///
    /// # Errors
    /// When the env file is there but of no use, or GOSUMDB cannot be read.
    pub fn find(env: &Environment) -> Result<Trust, TrustError> {
        let file = match EnvFile::locate(env) {
            Ok(file) => file
                .read()
                .map_err(|error| TrustError::File(format!("{}: {error}", file.path.display())))?,
            Err(LocateError::Off | LocateError::NoHome) => None,
            Err(error) => return Err(TrustError::File(error.to_string())),
        };
        let file = file.unwrap_or(EnvText(Vec::new()));
        let value = |name: &str| {
            let set = [env.get(name), file.get(name)];
            set.into_iter().flatten().find(|value| !value.is_empty())
        };
        let sumdb = SumDb::parse(value("GOSUMDB").unwrap_or("sum.golang.org"))
            .map_err(|error| TrustError::SumDb(error.to_string()))?;
        let exempt = value("GONOSUMDB").or_else(|| value("GOPRIVATE"));
        Ok(Trust {
            sumdb,
            exempt: Patterns::parse(exempt.unwrap_or_default()),
        })
    }

    /// Why the database is not asked about this module (`modfetch.useSumDB`); `None`: it is.
    pub fn not_asked(&self, module: &str) -> Option<&'static str> {
        if self.sumdb == SumDb::Off {
            Some("GOSUMDB=off")
        } else if self.exempt.matches(module) && module != "golang.org/toolchain" {
            Some("GONOSUMDB or GOPRIVATE names it")
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
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
        assert!(matches!(Trust::find(&env), Err(TrustError::SumDb(_))));
    }
}
