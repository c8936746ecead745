//! What every verb is given.

use std::path::PathBuf;

use super::output::Output;
use super::render::Page;
use crate::agent::Error;
use crate::environment::Environment;
use crate::paths::Paths;

/// What every verb is given.
#[derive(Debug)]
pub(super) struct Context {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// The caller's environment.
    pub env: Environment,
    /// The page that text is laid out for.
    pub page: Page,
    /// Where the answer goes.
    pub out: Output,
}

impl Context {
    /// Where goroam keeps what.
    pub(super) fn paths(&self) -> Result<Paths, Error> {
        Ok(Paths::find(self.config.clone(), &self.env)?)
    }
}
