//! From TOML text to a checked [`Policy`], with every fault found in one run.
//!
//! ```text
//! text → syntax → targets, profiles (each with its faults) → the whole (loosening, lint)
//! ```
//!
//! May import: model, gomod, and the rest of this room.

mod agent;
mod condition;
mod document;
mod profiles;
mod reader;
mod target;
mod values;

use std::path::Path;

use super::finding::PolicyFinding;
use super::profile::Policy;

pub use document::{decode, parse, parse_kept};
pub use reader::Certificate;

/// Where the text stands: what relative paths and `~` in it mean.
#[derive(Debug, Clone, Copy)]
pub struct PolicyLocation<'a> {
    /// The folder of the policy file.
    pub folder: &'a Path,
    /// The user's home.
    pub home: Option<&'a Path>,
}

/// What came of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    /// The policy, when no finding is an error.
    pub policy: Option<Policy>,
    /// Errors and warnings, in the order of the text.
    pub findings: Vec<PolicyFinding>,
    /// The files of certificates that it names, which were not looked at.
    pub certificates: Vec<Certificate>,
}
