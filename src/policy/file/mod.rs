//! Turns TOML text into a checked [`Policy`], and finds every fault in one run.
//!
//! ```text
//! texts → syntax → one document → targets, profiles (each with its faults) → the whole
//! ```
//!
//! May import: model, gomod, and the rest of this room.

mod agent;
mod condition;
mod document;
mod fleet;
mod locked;
mod merge;
mod profiles;
mod projects;
mod reader;
mod scenarios;
mod target;
mod telemetry;
mod values;

use std::path::Path;

use super::finding::{Places, PolicyFinding};
use super::layers::PolicyText;
use super::profile::Policy;

pub use document::{
    decode, fleet_settings, has_fleet, header, parse, parse_as, parse_kept, parse_layers,
};
pub use reader::Certificate;
pub use scenarios::{ParsedScenarios, parse_scenarios};

/// The location of the text: it defines what relative paths and `~` in it mean.
#[derive(Debug, Clone, Copy)]
pub struct PolicyLocation<'a> {
    /// The directory of the policy file.
    pub folder: &'a Path,
    /// The user's home directory.
    pub home: Option<&'a Path>,
}

/// The result of parsing a text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parsed {
    /// The policy, if no finding is an error.
    pub policy: Option<Policy>,
    /// Errors and warnings, in the order of the text.
    pub findings: Vec<PolicyFinding>,
    /// The certificate files that it names; they have not been read.
    pub certificates: Vec<Certificate>,
    /// The text that all places refer to, and its layers.
    pub source: PolicyText,
    /// Where the parts of the policy are.
    pub places: Places,
}
