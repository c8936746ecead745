//! Everything that a turn needs, with or without an agent: paths, policy, go command,
//! baseline and memory.

use std::path::PathBuf;

use jiff::Timestamp;

use super::command::TurnReport;
use super::error::Error;
use crate::environment::Environment;
use crate::model::Observation;
use crate::model::status::Status;
use crate::paths::Paths;
use crate::policy::{Decision, Finding, Policy};

/// A policy that has been read, and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// The policy.
    pub policy: Policy,
    /// The file; `None`: the built-in default.
    pub path: Option<PathBuf>,
    /// Its text.
    pub text: String,
    /// Warnings.
    pub warnings: Vec<Finding>,
}

/// Everything that a turn needs.
#[derive(Debug)]
pub struct Session {
    /// Where goroam keeps what.
    pub paths: Paths,
    /// The environment of this process.
    pub env: Environment,
    /// The policy in force.
    pub loaded: Loaded,
}

impl Session {
    /// Reads the policy and what is remembered. Touches nothing; does not look for go yet.
    ///
    /// # Errors
    /// When there is no home folder or the policy cannot be used.
    pub fn open(config: Option<PathBuf>, env: Environment) -> Result<Session, Error> {
        let paths = Paths::find(config, &env)?;
        let loaded = load_policy(&paths, &env)?;
        Ok(Session { paths, env, loaded })
    }

    /// One turn: looks, probes, decides, writes.
    ///
    /// # Errors
    /// When it could not be done; the go env file is then as it was.
    pub async fn once(&mut self, dry_run: bool) -> Result<TurnReport, Error> {
        let _ = dry_run;
        Err(Error::NoAgent)
    }

    /// Stays with a profile until then (`None`: until `auto`), and takes a turn.
    ///
    /// # Errors
    /// When there is no such profile, or the turn fails.
    pub async fn use_profile(
        &mut self,
        name: &str,
        until: Option<Timestamp>,
    ) -> Result<TurnReport, Error> {
        let _ = (name, until);
        Err(Error::NoAgent)
    }

    /// Chooses by the network again, and takes a turn.
    ///
    /// # Errors
    /// When the turn fails.
    pub async fn auto(&mut self) -> Result<TurnReport, Error> {
        Err(Error::NoAgent)
    }

    /// What is true now, as far as can be said without probing.
    pub fn status(&self) -> Status {
        Status::default()
    }

    /// Asks the targets with these names (none: all of them), all at once.
    ///
    /// # Errors
    /// When a name is not in the policy.
    pub async fn probe(&self, names: &[String]) -> Result<Vec<Observation>, Error> {
        let _ = names;
        Ok(Vec::new())
    }

    /// The last decision and how it came about; takes a dry turn if there is none yet.
    ///
    /// # Errors
    /// When there is none and the turn fails.
    pub async fn why(&mut self) -> Result<WhyReport, Error> {
        Err(Error::NoAgent)
    }

    /// Puts the go env file back to what it was before goroam's first write.
    ///
    /// # Errors
    /// When there is nothing to put back, or it could not be done.
    pub async fn restore(&mut self) -> Result<TurnReport, Error> {
        Err(Error::NothingToRestore)
    }
}

/// The last decision, and what led to it.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct WhyReport {
    /// What was chosen, and why.
    pub decision: Decision,
    /// What the probes saw.
    pub report: Vec<Observation>,
    /// What had changed.
    pub changes: Vec<String>,
    /// The turn in the journal; `None` for a dry turn.
    pub turn: Option<u64>,
    /// When.
    pub at: Option<jiff::Timestamp>,
    /// Milliseconds from the first event to the decision.
    pub decided_ms: Option<f64>,
    /// One line, as status shows it.
    pub summary: String,
}

/// Reads the policy file, or the built-in default when there is none and none was named.
///
/// # Errors
/// When it cannot be read, others may write to it, or it has errors.
pub fn load_policy(paths: &Paths, env: &Environment) -> Result<Loaded, Error> {
    let _ = (paths, env);
    Err(Error::NoAgent)
}
