//! Whose service it is, and where its parts are: looked up once, then passed down.

use std::path::PathBuf;

use super::error::ServiceError;
use crate::environment::Environment;
use crate::paths::Paths;

/// Whose service it is, and where its parts are.
#[derive(Debug, Clone)]
pub struct Site {
    /// This goroam: the program that the service is to start.
    pub program: PathBuf,
    /// The user's home.
    pub home: PathBuf,
    /// The caller's environment.
    pub env: Environment,
    /// Where goroam keeps what.
    pub paths: Paths,
}

impl Site {
    /// Finds it. A policy named by `--config` or `$GOROAM_CONFIG` is handed on to the service.
    ///
    /// # Errors
    /// When there is no home, or it cannot be told which program this is.
    pub fn find(paths: Paths, env: Environment) -> Result<Site, ServiceError> {
        let program = std::env::current_exe().map_err(|source| ServiceError::File {
            path: PathBuf::from("goroam"),
            source,
        })?;
        let Some(home) = env.home() else {
            let why = "there is no home folder, so there is no user whose service it could be";
            return Err(ServiceError::NoManager {
                why: why.to_owned(),
            });
        };
        Ok(Site {
            program,
            home,
            env,
            paths,
        })
    }
}
