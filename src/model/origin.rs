//! Where a part of the policy stands: its layer, file and line.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Whose text a layer is, from the lowest to the highest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LayerKind {
    /// The policy inside the program: used if no other layer has a profile.
    BuiltIn,
    /// The machine's file, for all its users.
    Machine,
    /// The signed policy of a fleet.
    Fleet,
    /// The user's file.
    User,
}

impl LayerKind {
    /// Returns its name, as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            LayerKind::BuiltIn => "built-in",
            LayerKind::Machine => "machine",
            LayerKind::Fleet => "fleet",
            LayerKind::User => "user",
        }
    }
}

/// A place in one of the files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Whose file it is.
    pub layer: LayerKind,
    /// The file, for people.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
}

/// Which file and line a profile comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RulesOrigin {
    /// Its name, or its header.
    pub profile: Origin,
    /// The variables that it sets.
    pub env: BTreeMap<String, Origin>,
    /// Whether the policy has several layers.
    #[serde(skip)]
    pub is_layered: bool,
}
