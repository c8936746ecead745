//! What goroam remembers between turns and between runs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::baseline::Baseline;
use super::file;
use super::journal::Mark;
use crate::model::status::{Drift, Pinned, Switch};
use crate::model::{NetworkId, Observation, Snapshot};

/// Some hundred networks and targets take some hundred KiB.
const MOST_BYTES: u64 = 16 << 20;

/// A target's health over the rounds on one network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Health {
    /// What it counts as; `None` before the first round on this network.
    pub up: Option<bool>,
    /// Rounds in a row that said otherwise.
    pub against: u32,
}

/// What goroam last wrote.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// The go env file.
    pub path: String,
    /// SHA-256 of the whole go env file, in hexadecimal.
    pub sha256: String,
    /// The managed variables; `None`: removed.
    pub values: BTreeMap<String, Option<String>>,
    /// Somebody else has written the file since goroam's first write: `restore` may not give
    /// it back as a whole, for that would lose what they wrote.
    #[serde(default)]
    pub shared: bool,
}

/// Everything that is remembered. Unknown fields of a newer goroam are ignored, missing
/// ones of an older one are empty.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// The last turn's number.
    pub turn: u64,
    /// The profile in force.
    pub profile: Option<String>,
    /// Since when.
    pub since: Option<Timestamp>,
    /// Why, in one line.
    pub why: Option<String>,
    /// Milliseconds that the last switch took.
    pub switched_ms: Option<f64>,
    /// Chosen by hand.
    pub pinned: Option<Pinned>,
    /// The network of the last turn.
    pub snapshot: Snapshot,
    /// What the last round saw, by target.
    pub seen: BTreeMap<String, Observation>,
    /// The targets' health on this network.
    pub health: BTreeMap<String, Health>,
    /// The last profile on each known network, and when.
    pub networks: BTreeMap<NetworkId, (String, Timestamp)>,
    /// The proxies whose zips came through on each network; see `agent/targets.rs`.
    pub zips: BTreeMap<NetworkId, BTreeSet<String>>,
    /// The same on this network, where it has nothing to be recognised by.
    pub zips_here: BTreeSet<String>,
    /// The targets that were waited for on this network, and stayed silent.
    pub waited: BTreeSet<String>,
    /// What goroam last wrote.
    pub written: Option<Written>,
    /// What it was about to write: set before the rename, so that a kill in between is not
    /// taken for somebody else's change.
    pub pending: Option<Written>,
    /// The end of the journal.
    pub journal: Option<Mark>,
    /// A copy of the baseline, for when its own file is lost or damaged.
    pub before: Option<Baseline>,
    /// The drift that the journal has told of already.
    pub drift_noted: Vec<Drift>,
    /// `goroam pause` or `goroam restore` was asked of the agent: nothing is written until
    /// `once`, `use` or `auto`.
    pub paused: bool,
    /// The last switches, newest last; at most [`MOST_SWITCHES`].
    pub switches: Vec<Switch>,
}

/// Switches that are remembered for a glance; the journal has them all.
pub const MOST_SWITCHES: usize = 12;

/// Links, addresses of each, routes and rules of the last network that are remembered.
const MOST_OF_A_NETWORK: usize = 1000;

impl Memory {
    /// A network as it is remembered, which is whole but where somebody floods it. What changed
    /// since is told by comparing such with such.
    pub fn network(snapshot: &Snapshot) -> Snapshot {
        snapshot.trimmed(MOST_OF_A_NETWORK).0
    }

    /// What the journal must hold; of a goroam of before only its last turn is known.
    pub fn mark(&self) -> Mark {
        self.journal.clone().unwrap_or_else(|| Mark {
            turn: self.turn,
            ..Mark::default()
        })
    }

    /// Reads it; a missing or damaged one is an empty one (with a warning in the log): it can
    /// all be found out again. A damaged one is moved aside to `….broken`.
    pub fn load(path: &Path) -> Memory {
        let bytes = match file::read(path, MOST_BYTES) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Memory::default(),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "cannot read the state file; starting with empty state");
                return Memory::default();
            }
        };
        match serde_json::from_slice(&bytes) {
            Ok(memory) => memory,
            Err(error) => {
                let aside = broken(path);
                let moved = std::fs::rename(path, &aside).is_ok();
                tracing::warn!(
                    path = %path.display(),
                    line = error.line(),
                    column = error.column(),
                    aside = moved.then(|| aside.display().to_string()),
                    "state file is corrupt; starting with empty state"
                );
                Memory::default()
            }
        }
    }

    /// Keeps it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self, path: &Path) -> std::io::Result<()> {
        file::replace(path, &serde_json::to_vec_pretty(self)?)
    }
}

/// The values are the user's own, perhaps with passwords: only the names are shown.
impl fmt::Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Written")
            .field("sha256", &self.sha256)
            .field("names", &self.values.keys())
            .finish()
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory")
            .field("turn", &self.turn)
            .field("profile", &self.profile)
            .field("since", &self.since)
            .field("pinned", &self.pinned)
            .field("health", &self.health)
            .field("written", &self.written)
            .field("pending", &self.pending)
            .field("paused", &self.paused)
            .finish_non_exhaustive()
    }
}

fn broken(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".broken");
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::{Health, Memory, Written};

    #[test]
    fn what_is_kept_is_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        assert_eq!(Memory::load(&path), Memory::default());
        let memory = Memory {
            turn: 7,
            profile: Some("corp".into()),
            health: [(
                "corp".to_owned(),
                Health {
                    up: Some(true),
                    against: 1,
                },
            )]
            .into(),
            written: Some(Written {
                path: "/home/me/.config/go/env".to_owned(),
                sha256: "ab".into(),
                values: [(
                    "GOPROXY".to_owned(),
                    Some("https://joe:s3cret@h".to_owned()),
                )]
                .into(),
                shared: false,
            }),
            ..Memory::default()
        };
        memory.save(&path).unwrap();
        assert_eq!(Memory::load(&path), memory);
        assert!(!format!("{memory:?}").contains("s3cret"));
    }

    #[test]
    fn a_damaged_one_is_moved_aside_and_an_older_or_newer_one_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        std::fs::write(&path, "{\"turn\": 3, \"profile\": [").unwrap();
        assert_eq!(Memory::load(&path), Memory::default());
        assert!(!path.exists());
        assert!(folder.path().join("state.json.broken").exists());
        std::fs::write(&path, "{\"turn\": 3, \"from_the_future\": [1]}").unwrap();
        assert_eq!(Memory::load(&path).turn, 3);
    }
}
