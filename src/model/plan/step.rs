//! A plan: what to do with each managed variable.

use serde::{Deserialize, Serialize};

/// What to do with one variable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "do")]
pub enum Step {
    /// `go env -w NAME=VALUE`.
    Set {
        /// The variable.
        name: String,
        /// Its value, as go is to store it.
        value: String,
    },
    /// `go env -u NAME`.
    Unset {
        /// The variable.
        name: String,
    },
    /// Nothing, and why.
    Leave {
        /// The variable.
        name: String,
        /// "is right already", "was changed by somebody else".
        why: String,
    },
}

impl Step {
    /// The variable.
    pub fn name(&self) -> &str {
        match self {
            Step::Set { name, .. } | Step::Unset { name } | Step::Leave { name, .. } => name,
        }
    }
}

/// What to do with each managed variable, sorted by name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Plan {
    /// One step a variable.
    pub steps: Vec<Step>,
}

impl Plan {
    /// The steps that change something.
    pub fn changes(&self) -> impl Iterator<Item = &Step> {
        self.steps
            .iter()
            .filter(|step| !matches!(step, Step::Leave { .. }))
    }

    /// Is nothing to be done?
    pub fn is_empty(&self) -> bool {
        self.changes().next().is_none()
    }
}
