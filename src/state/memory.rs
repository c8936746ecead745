//! What goroam remembers between turns and between runs, and the content of the go env file before
//! its first write (the baseline), kept until `goroam restore`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::counts::Counts;
use super::file;
use super::journal::Mark;
use crate::model::status::{Drift, Pinned, Switch};
use crate::model::{EnvText, NetworkId, Observation, Snapshot, Verdict};
use crate::paths::exact;
use crate::policy::{Policy, Profile, SpeedRound};

/// Some hundred networks and targets take some hundred KiB.
const MOST_BYTES: u64 = 16 << 20;

/// A target's health over the rounds on one network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Health {
    /// What it counts as.
    pub up: bool,
    /// The number of rounds in a row with the opposite result.
    pub against: u32,
}

/// The last write of goroam.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// The path of the go env file.
    pub path: String,
    /// SHA-256 of the whole go env file, in hexadecimal.
    pub sha256: String,
    /// The managed variables; `None`: removed.
    pub values: BTreeMap<String, Option<String>>,
    /// Another program has written the file since goroam's first write: `restore` may then not
    /// restore the file as a whole, because that would lose the other program's changes.
    #[serde(default)]
    pub shared: bool,
}

/// Everything that goroam remembers. Unknown fields of a newer goroam are ignored, and fields that
/// an older one lacks are empty.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// The number of the last turn. It stays the first field, and `paused` the second: the hooks of
    /// shells read the second and third line of the file.
    pub turn: u64,
    /// Whether `goroam pause` or `goroam restore` was requested: nothing is written until `once`,
    /// `use` or `auto`.
    pub paused: bool,
    /// The profile in force.
    pub profile: Option<String>,
    /// Which variant of it is in force; 0: the first, or the only one.
    pub variant: usize,
    /// Whether it is in force until an earlier one is decided.
    pub provisional: bool,
    /// Since when it is in force.
    pub since: Option<Timestamp>,
    /// Why it was chosen, in one line.
    pub why: Option<String>,
    /// Milliseconds that the last switch took.
    pub switched_ms: Option<f64>,
    /// The profile that was chosen by hand, if any.
    pub pinned: Option<Pinned>,
    /// The network of the last turn.
    pub snapshot: Snapshot,
    /// The observations of the last round, by target.
    pub seen: BTreeMap<String, Observation>,
    /// The targets' health on this network.
    pub health: BTreeMap<String, Health>,
    /// The last profile on each known network, and when it was chosen.
    pub networks: BTreeMap<NetworkId, KnownNetwork>,
    /// The proxies whose zips could be downloaded on each network; see `agent/targets.rs`.
    pub zips: BTreeMap<NetworkId, BTreeSet<String>>,
    /// The same on this network, if nothing identifies it.
    pub zips_here: BTreeSet<String>,
    /// What is known of the targets of a `fastest` on each network.
    pub fastest: BTreeMap<NetworkId, FastestRecord>,
    /// The same on this network, if nothing identifies it.
    pub fastest_here: FastestRecord,
    /// The targets that were waited for on this network without an answer.
    pub waited: BTreeSet<String>,
    /// What goroam last wrote.
    pub written: Option<Written>,
    /// What it was about to write: set before the rename, so that after a kill in between the
    /// change does not count as another program's.
    pub pending: Option<Written>,
    /// The end of the journal.
    pub journal: Option<Mark>,
    /// A copy of the baseline, in case its own file is lost or damaged.
    pub before: Option<Baseline>,
    /// The drift that is already in the journal.
    pub drift_noted: Vec<Drift>,
    /// The last switches, newest last; at most [`MOST_SWITCHES`].
    pub switches: Vec<Switch>,
    /// The trace id of the last turn.
    pub trace: Option<String>,
    /// What was counted, for metrics.
    pub counts: Counts,
}

/// The last profile on a network, when it was chosen, and which variant of it that was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownNetwork(pub String, pub Timestamp, #[serde(default)] pub usize);

/// What is known of the targets of a `fastest` on one network. Each is named by a short text that
/// differs for another URL.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct FastestRecord {
    /// The target in use since the last turn.
    pub standing: Option<String>,
    /// The last measurements since it is in use, newest last.
    pub rounds: Vec<SpeedRound>,
    /// When the newest one ended.
    pub measured: Option<Timestamp>,
    /// The targets whose zip was wrong when it was last fetched.
    pub wrong: BTreeSet<String>,
    /// What each target was when it was last asked for a `fastest`, by its name in the policy.
    pub verdicts: BTreeMap<String, Verdict>,
}

/// The number of switches that are remembered for a quick view; the journal has all of them.
pub const MOST_SWITCHES: usize = 12;

/// The number of networks whose [`FastestRecord`] is remembered.
const MOST_RECORDS: usize = 64;

/// The maximum number of links, addresses of each, routes and rules that are remembered of the last
/// network.
const MOST_OF_A_NETWORK: usize = 1000;

impl Memory {
    /// Returns a network as it is remembered: complete unless it is flooded. Later changes are
    /// found by comparing two of these.
    pub fn network(snapshot: &Snapshot) -> Snapshot {
        snapshot.trimmed(MOST_OF_A_NETWORK).0
    }

    /// Returns the network that the machine is in. While its router is not known, this is the last
    /// one that differs in nothing else.
    pub fn network_id(&self, snapshot: &Snapshot) -> Option<NetworkId> {
        let id = snapshot.identity()?;
        if let Some(router) = &snapshot.router {
            return Some(id.with_router(router));
        }
        let like = self.networks.range(&id..);
        let like = like.take_while(|(one, _)| one.0.starts_with(&id.0));
        let like = like.filter(|(one, _)| one.is_but_for_router(&id));
        let last = like.max_by_key(|(_, one)| one.1);
        let last = last.map(|(one, _)| one.clone());
        Some(last.unwrap_or(id))
    }

    /// Returns the profile in force, if this policy has it.
    pub fn in_force<'p>(&self, policy: &'p Policy) -> Option<&'p Profile> {
        policy.profile(self.profile.as_deref()?, self.variant)
    }

    /// Returns what is known of the targets of a `fastest` on a network. `same_stay`: it is the
    /// network of the last turn.
    pub fn fastest_record(&self, same_stay: bool, snapshot: &Snapshot) -> Option<&FastestRecord> {
        match self.network_id(snapshot) {
            Some(network) => self.fastest.get(&network),
            None => Some(&self.fastest_here).filter(|_| same_stay),
        }
    }

    /// Returns the same for the network of this turn, to be added to.
    pub fn fastest_record_mut(&mut self, snapshot: &Snapshot) -> &mut FastestRecord {
        let Some(network) = self.network_id(snapshot) else {
            return &mut self.fastest_here;
        };
        let (records, networks) = (&mut self.fastest, &self.networks);
        if !records.contains_key(&network) && records.len() >= MOST_RECORDS {
            records.retain(|one, _| networks.contains_key(one));
            while records.len() >= MOST_RECORDS && records.pop_first().is_some() {}
        }
        records.entry(network).or_default()
    }

    /// Returns what the journal must hold; of an older goroam only its last turn is known.
    pub fn mark(&self) -> Mark {
        self.journal.clone().unwrap_or_else(|| Mark {
            turn: self.turn,
            ..Mark::default()
        })
    }

    /// Reads the memory. A missing or damaged one gives an empty one (with a warning in the log):
    /// goroam can find out everything again. A damaged file is renamed to `….broken`.
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

    /// Saves the memory.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        file::replace(path, &serde_json::to_vec_pretty(self)?)
    }
}

/// The values are the user's own and may hold passwords: only the names are shown.
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

/// A go env file of 1 MiB in base64, and its values in addition.
const MOST_OF_BASELINE: u64 = 8 << 20;

/// The go env file before goroam's first write.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Baseline {
    /// The path of the file.
    pub path: String,
    /// Its bytes, in base64; `None`: there was no file.
    pub bytes: Option<String>,
    /// Every variable that goroam has managed since, with its value then; `None`: it had no line.
    pub values: BTreeMap<String, Option<String>>,
    /// The earlier record was lost. This one was reconstructed from what goroam knows to have
    /// written: the values that its own lines had replaced are no longer known.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lost: bool,
}

impl Baseline {
    /// Records the content of the file (`None`: there is none) and the values of these names in it.
    pub fn capture<'a>(
        path: &Path,
        bytes: Option<&[u8]>,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Baseline {
        let mut baseline = Baseline {
            path: exact(path),
            bytes: bytes.map(|bytes| STANDARD.encode(bytes)),
            values: BTreeMap::new(),
            lost: false,
        };
        let text = EnvText(bytes.unwrap_or_default().to_vec());
        baseline.manage(&text, names);
        baseline
    }

    /// Records the present values of names that a changed policy also manages; known values stay.
    /// Reports whether there is anything new, so that it must be saved.
    pub fn manage<'a>(&mut self, text: &EnvText, names: impl IntoIterator<Item = &'a str>) -> bool {
        let known = self.values.len();
        for name in names {
            self.values
                .entry(name.to_owned())
                .or_insert_with(|| text.get(name).map(str::to_owned));
        }
        self.values.len() > known
    }

    /// Returns the file's bytes; `Ok(None)`: there was no file.
    ///
    /// # Errors
    /// If the base64 is damaged.
    pub fn decoded(&self) -> anyhow::Result<Option<Vec<u8>>> {
        let bytes = self.bytes.as_ref().map(|text| STANDARD.decode(text));
        let damaged = "the baseline's bytes are damaged, so they cannot be put back";
        bytes.transpose().context(damaged)
    }

    /// Reads the baseline; `Ok(None)` if there is none.
    ///
    /// # Errors
    /// If it exists and cannot be read or parsed.
    pub fn load(path: &Path) -> anyhow::Result<Option<Baseline>> {
        let failed = |what| {
            let shown = path.display();
            move || format!("{shown} {what}; it records what the go env file held before goroam")
        };
        let (unreadable, damaged) = (failed("cannot be read"), failed("is damaged"));
        let read = file::read(path, MOST_OF_BASELINE);
        let Some(bytes) = read.with_context(unreadable)? else {
            return Ok(None);
        };
        let baseline: Baseline = serde_json::from_slice(&bytes).with_context(&damaged)?;
        baseline.decoded().with_context(damaged)?;
        Ok(Some(baseline))
    }

    /// Saves the baseline, before the first write.
    ///
    /// # Errors
    /// If it cannot be saved; nothing may be written then.
    pub fn save(&self, path: &Path) -> anyhow::Result<()> {
        let bytes = serde_json::to_vec_pretty(self)?;
        file::replace(path, &bytes).with_context(|| path.display().to_string())
    }

    /// Removes the baseline, after `goroam restore`.
    ///
    /// # Errors
    /// If the file cannot be removed.
    pub fn remove(path: &Path) -> anyhow::Result<()> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result.with_context(|| path.display().to_string()),
        }
    }
}

/// The values are the user's own and may hold passwords: only the names are shown.
impl fmt::Debug for Baseline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Baseline")
            .field("path", &self.path)
            .field("names", &self.values.keys())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{Health, KnownNetwork, Memory, Written};
    use crate::model::{NetworkId, Snapshot};

    #[test]
    fn a_network_that_an_older_goroam_knew_has_the_first_variant() {
        let known = r#"{ "networks": { "home": ["public", "2026-01-02T03:04:05Z"] } }"#;
        let memory: Memory = serde_json::from_str(known).unwrap();
        let at = "2026-01-02T03:04:05Z".parse().unwrap();
        let home = NetworkId("home".to_owned());
        assert_eq!(
            memory.networks[&home],
            KnownNetwork("public".to_owned(), at, 0)
        );
    }

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
                    up: true,
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
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().nth(1), Some("  \"turn\": 7,"));
        assert_eq!(Memory::load(&path), memory);
        assert!(!format!("{memory:?}").contains("s3cret"));
    }

    #[test]
    fn until_its_router_is_known_a_network_is_the_last_one_with_these_numbers() {
        let text = r#"{"destination":"0.0.0.0/0","metric":0,"gateway":"192.0.2.1","link":2,
            "table":254,"kind":"unicast"}"#;
        let at = |router: Option<&str>| Snapshot {
            routes: vec![serde_json::from_str(text).unwrap()],
            router: router.map(str::to_owned),
            ..Snapshot::default()
        };
        let numbers = at(None).identity().unwrap();
        let with = |router| Some(numbers.with_router(router));
        let mut memory = Memory::default();
        let visit = |memory: &mut Memory, id: Option<NetworkId>, second: i64| {
            let at = Timestamp::from_second(second).unwrap();
            memory
                .networks
                .insert(id.unwrap(), KnownNetwork("p".to_owned(), at, 0));
        };
        assert_eq!(memory.network_id(&at(None)), Some(numbers.clone()));
        let longer = NetworkId(format!("{numbers}, home.test"));
        visit(&mut memory, Some(longer), 9);
        assert_eq!(memory.network_id(&at(None)), Some(numbers.clone()));
        // From an older goroam.
        visit(&mut memory, Some(numbers.clone()), 1);
        visit(&mut memory, with("b"), 3);
        visit(&mut memory, with("a"), 2);
        assert_eq!(memory.network_id(&at(None)), with("b"));
        assert_eq!(memory.network_id(&at(Some("a"))), with("a"));
        assert_eq!(memory.network_id(&at(Some("c"))), with("c"));
        assert_eq!(memory.network_id(&Snapshot::default()), None);
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

#[cfg(test)]
mod baseline_tests {
    use std::path::Path;

    use super::Baseline;
    use crate::model::EnvText;

    #[test]
    fn odd_bytes_come_back_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("baseline.json");
        assert_eq!(Baseline::load(&path).unwrap(), None);
        let bytes: Vec<u8> = (0..=255).collect();
        for bytes in [None, Some(b"".as_slice()), Some(bytes.as_slice())] {
            let baseline = Baseline::capture(Path::new("/h/env"), bytes, ["GOPROXY"]);
            baseline.save(&path).unwrap();
            let loaded = Baseline::load(&path).unwrap().unwrap();
            assert_eq!(loaded, baseline);
            assert_eq!(loaded.decoded().unwrap().as_deref(), bytes);
        }
        Baseline::remove(&path).unwrap();
        Baseline::remove(&path).unwrap();
        assert_eq!(Baseline::load(&path).unwrap(), None);
    }

    #[test]
    fn a_name_that_is_managed_later_gets_the_value_it_has_then() {
        let bytes = b"GOPROXY=https://joe:s3cret@h\n";
        let mut baseline = Baseline::capture(Path::new("/e"), Some(bytes), ["GOPROXY", "GOSUMDB"]);
        let now = EnvText(b"GOPROXY=off\nGOSUMDB=off\nGOFLAGS=-v\n".to_vec());
        assert!(!baseline.manage(&now, ["GOSUMDB"]));
        assert!(baseline.manage(&now, ["GOFLAGS", "GOPROXY"]));
        assert_eq!(
            baseline.values["GOPROXY"].as_deref(),
            Some("https://joe:s3cret@h")
        );
        assert_eq!(baseline.values["GOSUMDB"], None);
        assert_eq!(baseline.values["GOFLAGS"].as_deref(), Some("-v"));
        assert!(!format!("{baseline:?}").contains("s3cret"));
    }

    #[test]
    fn a_damaged_one_is_an_error_and_not_an_empty_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("baseline.json");
        for text in ["", "{", r#"{"path":"x","bytes":"!!","values":{}}"#] {
            std::fs::write(&path, text).unwrap();
            assert!(Baseline::load(&path).is_err(), "{text}");
        }
    }
}
