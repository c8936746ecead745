//! Finds the module cache by go's rules (`cfg.go:gopathDir`, `cfg.go:GOMODCACHE`).

use std::path::{Path, PathBuf};

use crate::environment::Environment;
use crate::gocmd::GoDirectories;
use crate::mirror::{Layout, Trust};
use crate::model::SumDb;

/// Why the module cache was not found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CacheError {
    /// No variable and no default names it.
    #[error("module cache not found: neither GOMODCACHE, GOPATH nor HOME is set")]
    Unset,
    /// The path is relative, which go refuses, too.
    #[error("{name}={value} is relative, and go takes an absolute path only")]
    Relative {
        /// GOMODCACHE or GOPATH.
        name: &'static str,
        /// Its value.
        value: String,
    },
}

/// The locations of the module cache and its records.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// `$GOMODCACHE`, without symbolic links.
    pub(super) cache: PathBuf,
    /// `$GOMODCACHE/cache/download`
    pub(super) layout: Layout,
    /// `$GOPATH/pkg/sumdb`: the last tree head that go saw of each database.
    pub(super) heads: Option<PathBuf>,
    /// GOSUMDB and GONOSUMDB; `None` if go could not use them.
    pub(super) trust: Option<Trust>,
}

impl Place {
    /// Reads the environment, then the go env file, then go's defaults.
    pub(super) fn find(env: &Environment) -> Result<Place, CacheError> {
        let GoDirectories { gopath, modcache } = GoDirectories::find(env);
        let (name, cache) = modcache.ok_or(CacheError::Unset)?;
        if !cache.is_absolute() {
            let value = cache.display().to_string();
            return Err(CacheError::Relative { name, value });
        }
        // The cache directory itself may be a link; links inside it are not followed.
        let real = |path: &Path| dunce::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let cache = real(&cache);
        Ok(Place {
            layout: Layout::new(cache.join("cache").join("download")),
            cache,
            heads: gopath.map(|path| real(&path.join("pkg").join("sumdb"))),
            trust: Trust::find(env).ok(),
        })
    }

    /// Returns the checksum database of this name, if its key is known.
    pub(super) fn database(&self, name: &str) -> Option<SumDb> {
        let own = self.trust.as_ref().map(|trust| trust.sumdb.clone());
        let mut known = own.into_iter().chain(SumDb::parse("sum.golang.org"));
        known.find(|database| database.name() == name)
    }
}

// The tests of `Environment` cover the other locations.
#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_goes_before_the_file_and_the_file_before_the_default() {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| dunce::canonicalize(home.path()).unwrap().join(name);
        let env = |more: &[(&str, &str)]| -> Environment {
            let own = [("HOME", home.path().to_str().unwrap())];
            own.into_iter().chain(more.iter().copied()).collect()
        };
        let found = |more: &[(&str, &str)]| Place::find(&env(more)).map(|place| place.cache);
        // A link can be resolved only if its target exists.
        std::fs::create_dir_all(at("go/pkg/mod")).unwrap();
        assert_eq!(found(&[]), Ok(at("go/pkg/mod")));
        std::fs::create_dir_all(at(".config/go")).unwrap();
        std::fs::write(at(".config/go/env"), "GOMODCACHE=/nowhere/b\n").unwrap();
        if cfg!(target_os = "linux") {
            assert_eq!(found(&[]), Ok("/nowhere/b".into()));
            assert_eq!(found(&[("GOENV", "off")]), Ok(at("go/pkg/mod")));
        }
        assert_eq!(
            found(&[("GOMODCACHE", "/nowhere/a")]),
            Ok("/nowhere/a".into())
        );
        assert_eq!(
            found(&[("GOENV", "off"), ("GOPATH", "/nowhere/p:/q")]),
            Ok("/nowhere/p/pkg/mod".into())
        );
        let relative = found(&[("GOMODCACHE", "~/mod")]).unwrap_err();
        assert_eq!(
            relative.to_string(),
            "GOMODCACHE=~/mod is relative, and go takes an absolute path only"
        );
        assert_eq!(
            Place::find(&Environment::default()).unwrap_err(),
            CacheError::Unset
        );
    }
}
