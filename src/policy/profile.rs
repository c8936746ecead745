//! The checked policy: what a file says once every name in it is known to be right.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use crate::model::{LinkKind, Target, TargetKind};

/// A whole policy, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// `[agent]`.
    pub agent: AgentSettings,
    /// `[mirror]`.
    pub mirror: MirrorSettings,
    /// `[target.NAME]`, by name.
    pub targets: BTreeMap<String, Target>,
    /// `[[profile]]`, in the order in which they are tried. The last one always holds.
    pub profiles: Vec<Profile>,
}

/// `[agent]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentSettings {
    /// Steady re-probe; `None`: only on events.
    pub recheck: Option<Duration>,
    /// A burst of events ends after this much quiet, or after ten times as much in all.
    pub settle: Duration,
    /// Rounds in a row that a target which was up must fail before it counts as down.
    pub fall: u32,
    /// Rounds in a row that a target which was down must answer before it counts as up.
    pub rise: u32,
    /// What to do when somebody else changes a managed variable.
    pub on_drift: OnDrift,
    /// The go command; `None`: it is looked for.
    pub go: Option<PathBuf>,
    /// Does a tray tell of switches and of trouble?
    pub notify: bool,
}

impl Default for AgentSettings {
    fn default() -> AgentSettings {
        AgentSettings {
            recheck: Some(Duration::from_secs(600)),
            settle: Duration::from_millis(200),
            fall: 2,
            rise: 1,
            on_drift: OnDrift::Respect,
            go: None,
            notify: true,
        }
    }
}

/// `[mirror]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MirrorSettings {
    /// Its folder as the policy names it; after [`Policy::settle_mirror`] the one that is used.
    pub path: Option<PathBuf>,
    /// Is the agent to bring what projects need, on networks whose profile allows it?
    pub keep_ready: bool,
    /// Bytes that this may bring at most.
    pub max_size: u64,
}

/// Bytes: `[mirror] max_size` where the policy does not say.
const MAX_SIZE: u64 = 5_000_000_000;

impl Default for MirrorSettings {
    fn default() -> MirrorSettings {
        MirrorSettings {
            path: None,
            keep_ready: false,
            max_size: MAX_SIZE,
        }
    }
}

/// What a target's folder is called until it is known where the mirror is.
pub(super) const MIRROR: &str = "${MIRROR}";

/// What to do when somebody else changes a managed variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDrift {
    /// Leave it until the next switch.
    Respect,
    /// Write goroam's value again.
    Restore,
}

/// `[[profile]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// When it holds.
    pub when: Condition,
    /// The go variables it sets.
    pub env: BTreeMap<String, EnvValue>,
    /// The user accepts that anonymous facts may weaken verification here.
    pub accept_unauthenticated: bool,
    /// May the agent fill the mirror on the networks of this profile?
    pub keep_ready: bool,
    /// How it weakens verification, one phrase each; empty: it does not.
    pub loosens: Vec<String>,
}

impl Profile {
    /// Does it weaken verification in any way?
    pub fn is_loose(&self) -> bool {
        !self.loosens.is_empty()
    }
}

/// A value of `env`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnvValue {
    /// Text with `${NAME}` not yet expanded.
    Text(String),
    /// The fastest of these targets that is up, then the rest of the chain. A mirror that is
    /// not up is left out: unlike a proxy it is known not to have anything.
    Fastest {
        /// GOPROXY and mirror targets, in the order of preference among equals.
        of: Vec<String>,
        /// The rest of the chain.
        then: Option<String>,
        /// `,` or `|`, between the fastest and the rest.
        separator: char,
    },
}

/// `when`, checked. Names of targets in it exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// No `when`.
    Always,
    /// The target is up.
    Up(String),
    /// The target is known not to be up.
    Down(String),
    /// At least `n` of the targets are up.
    AtLeast {
        /// How many.
        n: usize,
        /// Which.
        of: Vec<String>,
    },
    /// Something answers in the place of the probed hosts (or nothing of the sort does).
    Portal(bool),
    /// There is a default route (or none).
    Online(bool),
    /// A running link's name matches the glob (`*`, `?`, `[…]`).
    InterfaceName(String),
    /// A running link is of this kind.
    InterfaceKind(LinkKind),
    /// An own address is in it.
    Subnet(IpNet),
    /// A default route goes by it.
    Gateway(IpAddr),
    /// It is one of the name servers.
    DnsServer(IpAddr),
    /// It is one of the search domains (lower case, no trailing dot).
    SearchDomain(String),
    /// A running link is in this Wi-Fi network.
    Ssid(String),
    /// The agent's environment has all these values.
    Env(BTreeMap<String, String>),
    /// All of these.
    All(Vec<Condition>),
    /// Any of these.
    Any(Vec<Condition>),
    /// Not this.
    Not(Box<Condition>),
}

impl Condition {
    /// Every target that it names.
    pub fn targets(&self) -> BTreeSet<&str> {
        let mut names = BTreeSet::new();
        self.collect_targets(&mut names);
        names
    }

    /// What `all`, `any` and `not` are made of; nothing for the other conditions.
    pub fn parts(&self) -> &[Condition] {
        match self {
            Condition::All(parts) | Condition::Any(parts) => parts,
            Condition::Not(part) => std::slice::from_ref(part),
            Condition::Always
            | Condition::Up(_)
            | Condition::Down(_)
            | Condition::AtLeast { .. }
            | Condition::Portal(_)
            | Condition::Online(_)
            | Condition::InterfaceName(_)
            | Condition::InterfaceKind(_)
            | Condition::Subnet(_)
            | Condition::Gateway(_)
            | Condition::DnsServer(_)
            | Condition::SearchDomain(_)
            | Condition::Ssid(_)
            | Condition::Env(_) => &[],
        }
    }

    fn collect_targets<'a>(&'a self, names: &mut BTreeSet<&'a str>) {
        if let Condition::Up(target) | Condition::Down(target) = self {
            names.insert(target);
        } else if let Condition::AtLeast { of, .. } = self {
            names.extend(of.iter().map(String::as_str));
        }
        for part in self.parts() {
            part.collect_targets(names);
        }
    }
}

impl Policy {
    /// Puts the mirror's folder where the policy says `${MIRROR}`.
    pub fn settle_mirror(&mut self, folder: PathBuf) {
        for target in self.targets.values_mut() {
            if let TargetKind::Mirror { path } = &mut target.kind
                && path.as_os_str() == MIRROR
            {
                path.clone_from(&folder);
            }
        }
        self.mirror.path = Some(folder);
    }

    /// The profile with this name, and its place in the order.
    pub fn profile(&self, name: &str) -> Option<(usize, &Profile)> {
        self.profiles
            .iter()
            .enumerate()
            .find(|(_, profile)| profile.name == name)
    }

    /// Every variable that any profile sets: what goroam manages.
    pub fn managed(&self) -> BTreeSet<&str> {
        let profiles = self.profiles.iter();
        BTreeSet::from_iter(profiles.flat_map(|profile| profile.env.keys().map(String::as_str)))
    }
}
