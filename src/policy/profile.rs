//! The checked policy: the content of a file in which every name is known to be valid.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;

use super::fleet::PolicyHeader;
use super::telemetry::{MetricsSettings, TelemetrySettings};
use crate::model::{LinkKind, Patterns, RelayLimits, Target, TargetKind};

/// A whole policy, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// `[policy]`.
    pub header: PolicyHeader,
    /// `[agent]`.
    pub agent: AgentSettings,
    /// `[mirror]`.
    pub mirror: MirrorSettings,
    /// `[relay]`.
    pub relay: RelaySettings,
    /// `[telemetry]`.
    pub telemetry: TelemetrySettings,
    /// `[metrics]`.
    pub metrics: MetricsSettings,
    /// `[target.NAME]`, by name.
    pub targets: BTreeMap<String, Target>,
    /// `[[profile]]`, in the order in which they are tried. The last one always holds. Several in a
    /// row with one name are variants of one profile.
    pub profiles: Vec<Profile>,
    /// A mirror that was chosen by hand, over one of the profiles.
    pub by_hand: Option<Profile>,
    /// `[[project]]`: the first that holds counts.
    pub projects: Vec<Project>,
    /// The variables that a layer has locked, and where: `FILE:LINE`.
    pub locked: BTreeMap<String, String>,
}

/// `[agent]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentSettings {
    /// The interval of the regular recheck; `None`: only on events.
    pub recheck: Option<Duration>,
    /// A burst of events ends after this much quiet, or after ten times as much in total.
    pub settle: Duration,
    /// How many rounds in a row a target that was up must fail before it counts as down.
    pub fall: u32,
    /// How many rounds in a row a target that was down must answer before it counts as up.
    pub rise: u32,
    /// What to do when another program or the user changes a managed variable.
    pub on_drift: OnDrift,
    /// The go command; `None`: goroam searches for it.
    pub go: Option<PathBuf>,
    /// Whether a tray shows notifications of switches and problems.
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
    /// Its directory as the policy names it; after [`Policy::settle_mirror`] the directory in use.
    pub path: Option<PathBuf>,
    /// Whether the agent downloads what projects need, on networks whose profile allows it.
    pub keep_ready: bool,
    /// The maximum number of bytes that these downloads may take.
    pub max_size: u64,
}

/// `[relay]`: the local module proxy of the agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelaySettings {
    /// Whether the agent runs it, and writes its URL into GOPROXY.
    pub enabled: bool,
    /// The port of 127.0.0.1; 0: any free one.
    pub port: u16,
    /// The limits of each hop that are given.
    pub limits: RelayLimits,
    /// The limit for one request.
    pub deadline: Duration,
    /// Whether the mirror keeps what passes with a proven hash.
    pub keep: bool,
    /// The size of the mirror in bytes from which on it keeps nothing more.
    pub max_size: u64,
}

impl Default for RelaySettings {
    fn default() -> RelaySettings {
        RelaySettings {
            enabled: false,
            port: 0,
            limits: RelayLimits::default(),
            deadline: Duration::from_secs(600),
            keep: false,
            max_size: MAX_SIZE,
        }
    }
}

/// In bytes: the default of `max_size` in `[mirror]` and `[relay]`.
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

/// The placeholder for a target's directory until the mirror's directory is known.
pub(super) const MIRROR: &str = "${MIRROR}";

/// What to do when another program or the user changes a managed variable.
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
    /// Whether the user accepts that facts which can be forged weaken verification here.
    pub accept_unauthenticated: bool,
    /// Whether the agent may fill the mirror on the networks of this profile.
    pub keep_ready: bool,
    /// Whether the agent may fetch the fleet's policy on the networks of this profile.
    pub fleet: bool,
    /// How it weakens verification, one phrase each; empty: it does not.
    pub loosens: Vec<String>,
    /// The profile that this one replaces GOPROXY of; `None`: it is one of the policy's own.
    pub over: Option<String>,
}

impl Profile {
    /// Reports whether it weakens verification in any way.
    pub fn is_loose(&self) -> bool {
        !self.loosens.is_empty()
    }

    /// Returns the targets of its `fastest`, which only GOPROXY can have.
    pub fn fastest(&self) -> Option<&[String]> {
        match self.env.get("GOPROXY")? {
            EnvValue::Fastest { of, .. } => Some(of),
            EnvValue::Text(_) => None,
        }
    }
}

/// A value of `env`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnvValue {
    /// Text with `${NAME}` not yet expanded.
    Text(String),
    /// The fastest of these targets that is up, then the rest of the chain. A mirror that is not up
    /// is left out: unlike a proxy, it is known to have nothing.
    Fastest {
        /// GOPROXY and mirror targets; among equals, the first is preferred.
        of: Vec<String>,
        /// The rest of the chain.
        then: Option<String>,
        /// `,` or `|`, between the fastest and the rest.
        separator: char,
    },
}

/// `[[project]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Where it holds.
    pub place: ProjectPlace,
    /// What it sets. Its name is the place as written; it has no condition and no `fastest`.
    pub rules: Profile,
}

/// Where a project's section holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProjectPlace {
    /// In this directory and below it.
    Dir(PathBuf),
    /// Where the main module's path matches, as in GOPRIVATE. Any repository can bear any path.
    Match(Patterns),
}

impl ProjectPlace {
    /// Reports whether this place never counts behind `earlier`.
    pub(super) fn is_within(&self, earlier: &ProjectPlace) -> bool {
        match (self, earlier) {
            (ProjectPlace::Dir(own), ProjectPlace::Dir(above)) => own.starts_with(above),
            (own, earlier) => own == earlier,
        }
    }
}

impl Project {
    /// Returns its values as written.
    pub fn values(&self) -> impl Iterator<Item = (&str, &str)> {
        self.rules
            .env
            .iter()
            .filter_map(|(name, value)| match value {
                EnvValue::Text(text) => Some((name.as_str(), text.as_str())),
                EnvValue::Fastest { .. } => None,
            })
    }
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
        /// The minimum number.
        n: usize,
        /// The targets.
        of: Vec<String>,
    },
    /// Something else answers in place of the probed hosts (true), or not (false).
    Portal(bool),
    /// There is a default route (true), or none (false).
    Online(bool),
    /// A running link's name matches the glob (`*`, `?`, `[…]`).
    InterfaceName(String),
    /// A running link is of this kind.
    InterfaceKind(LinkKind),
    /// One of the machine's own addresses is in it.
    Subnet(IpNet),
    /// A default route uses it.
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
    /// Returns every target that it names.
    pub fn targets(&self) -> BTreeSet<&str> {
        let mut names = BTreeSet::new();
        for (fact, _) in self.facts() {
            if let Condition::Up(target) | Condition::Down(target) = fact {
                names.insert(target.as_str());
            } else if let Condition::AtLeast { of, .. } = fact {
                names.extend(of.iter().map(String::as_str));
            }
        }
        names
    }

    /// Reports whether it asks for a part of the network that a short description may lack.
    pub(super) fn asks_network(&self) -> bool {
        matches!(
            self,
            Condition::InterfaceName(_)
                | Condition::InterfaceKind(_)
                | Condition::Subnet(_)
                | Condition::Gateway(_)
                | Condition::DnsServer(_)
                | Condition::SearchDomain(_)
                | Condition::Ssid(_)
        )
    }

    /// Returns the parts of `all`, `any` and `not`; for other conditions, nothing.
    pub fn parts(&self) -> &[Condition] {
        if let Condition::All(parts) | Condition::Any(parts) = self {
            parts
        } else if let Condition::Not(part) = self {
            std::slice::from_ref(part)
        } else {
            &[]
        }
    }

    /// Returns the conditions in it that have no parts, each with the value it must have (below
    /// `not`: false) for this condition to hold.
    pub(super) fn facts(&self) -> Vec<(&Condition, bool)> {
        let (mut facts, mut open) = (Vec::new(), vec![(self, true)]);
        while let Some((condition, value)) = open.pop() {
            let is_not = matches!(condition, Condition::Not(_));
            if is_not || matches!(condition, Condition::All(_) | Condition::Any(_)) {
                let parts = condition.parts().iter();
                open.extend(parts.map(|part| (part, value != is_not)));
            } else {
                facts.push((condition, value));
            }
        }
        facts
    }

    /// Reports whether `self == value` implies that one of its facts has a value for which `proves`
    /// holds.
    pub(super) fn implies(&self, value: bool, proves: &impl Fn(&Condition, bool) -> bool) -> bool {
        match (self, value) {
            // One part is enough: all of them have the value.
            (Condition::All(parts), true) | (Condition::Any(parts), false) => {
                parts.iter().any(|part| part.implies(value, proves))
            }
            // Any one part may be the one with the value, so each must prove it.
            (Condition::Any(parts), true) | (Condition::All(parts), false) => {
                !parts.is_empty() && parts.iter().all(|part| part.implies(value, proves))
            }
            (Condition::Not(part), _) => part.implies(!value, proves),
            (fact, _) => proves(fact, value),
        }
    }
}

impl Policy {
    /// Replaces `${MIRROR}` in the policy by the mirror's directory.
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

    /// Returns the variants of the profile with this name, in order; a profile chosen by hand comes
    /// before all others. Empty: there is none.
    pub fn variants(&self, name: &str) -> &[Profile] {
        let is_named = |profile: &&Profile| profile.name == name;
        if let Some(by_hand) = self.by_hand.as_ref().filter(is_named) {
            return std::slice::from_ref(by_hand);
        }
        let before = self.profiles.iter().take_while(|one| !is_named(one));
        let (_, rest) = self.profiles.split_at(before.count());
        rest.split_at(rest.iter().take_while(is_named).count()).0
    }

    /// Returns this variant of the profile with this name, or the first one if the policy no longer
    /// has so many.
    pub fn profile(&self, name: &str, variant: usize) -> Option<&Profile> {
        let variants = self.variants(name);
        variants.get(variant).or(variants.first())
    }

    /// Returns which variant of its name a profile is; 0: the first.
    pub(super) fn variant_of(&self, profile: &Profile) -> usize {
        let mut variants = self.variants(&profile.name).iter();
        let at = variants.position(|one| std::ptr::eq(one, profile));
        at.unwrap_or_default()
    }

    /// Returns the names of the policy's own profiles, in order, each once.
    pub fn names(&self) -> Vec<String> {
        let names = self.profiles.iter().map(|profile| profile.name.clone());
        let mut names = Vec::from_iter(names);
        names.dedup();
        names
    }

    /// Returns the first project that holds. `is_in` reports whether a directory is the one in
    /// question or above it; `module` is the path of the main module.
    pub fn project(
        &self,
        is_in: &dyn Fn(&Path) -> bool,
        module: &dyn Fn() -> Option<String>,
    ) -> Option<&Project> {
        let mut projects = self.projects.iter();
        projects.find(|project| match &project.place {
            ProjectPlace::Dir(dir) => is_in(dir),
            ProjectPlace::Match(patterns) => module().is_some_and(|path| patterns.matches(&path)),
        })
    }

    /// Returns every `NAME` of a `${NAME}` in the values that the profiles set.
    pub fn references(&self) -> BTreeSet<String> {
        let values = self
            .profiles
            .iter()
            .flat_map(|profile| profile.env.values());
        let texts = values.filter_map(|value| match value {
            EnvValue::Text(text) => Some(text),
            EnvValue::Fastest { then, .. } => then.as_ref(),
        });
        let names = texts.flat_map(|text| references(text));
        names.map(str::to_owned).collect()
    }

    /// Returns every variable that any profile sets: the variables that goroam manages.
    pub fn managed(&self) -> BTreeSet<&str> {
        let profiles = self.profiles.iter().chain(&self.by_hand);
        BTreeSet::from_iter(profiles.flat_map(|profile| profile.env.keys().map(String::as_str)))
    }
}

/// Returns the names in every `${NAME}` of a text, in order: those that `lookup` will be called
/// with.
pub fn references(text: &str) -> impl Iterator<Item = &str> {
    text.split("${")
        .skip(1)
        .filter_map(|rest| rest.split_once('}'))
        .map(|(name, _)| name)
}

/// Reports whether the condition holds only if an authenticated target answers, which cannot be
/// forged.
pub(super) fn is_proven(condition: &Condition, targets: &BTreeMap<String, Target>) -> bool {
    let authenticated = |name: &String| targets.get(name).is_some_and(Target::is_authenticated);
    condition.implies(true, &|fact, value| match (fact, value) {
        (Condition::Up(name), true) | (Condition::Down(name), false) => authenticated(name),
        // Even if all others are up, one of the `n` is authenticated.
        (Condition::AtLeast { n, of }, true) => {
            of.iter().filter(|name| !authenticated(name)).count() < *n
        }
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{Limits, TargetKind};

    /// Two targets that are proven by TLS, two that anyone can forge.
    fn targets() -> BTreeMap<String, Target> {
        let urls = ["https://a.b", "https://c.d", "http://e.f", "http://g.h"];
        let named = urls.iter().enumerate().map(|(i, url)| {
            let target = Target {
                name: i.to_string(),
                kind: TargetKind::Https {
                    url: (*url).to_owned(),
                    status: Vec::new(),
                    body: None,
                },
                limits: Limits::default(),
                relay: RelayLimits::default(),
                private: false,
                ca: Vec::new(),
                pins: Vec::new(),
            };
            (i.to_string(), target)
        });
        named.collect()
    }

    fn conditions() -> impl Strategy<Value = Condition> {
        let name = (0..4usize).prop_map(|i| i.to_string());
        let names = proptest::sample::subsequence(vec![0, 1, 2, 3], 1..=4);
        let leaf = prop_oneof![
            name.clone().prop_map(Condition::Up),
            name.prop_map(Condition::Down),
            any::<bool>().prop_map(Condition::Online),
            any::<bool>().prop_map(Condition::Portal),
            Just(Condition::Always),
            (0..4usize, names).prop_map(|(n, of)| Condition::AtLeast {
                n,
                of: of.iter().map(ToString::to_string).collect(),
            }),
        ];
        leaf.prop_recursive(4, 24, 3, |part| {
            prop_oneof![
                part.clone().prop_map(|part| Condition::Not(Box::new(part))),
                proptest::collection::vec(part.clone(), 0..4).prop_map(Condition::All),
                proptest::collection::vec(part, 0..4).prop_map(Condition::Any),
            ]
        })
    }

    /// The value on a network where no authenticated target answers.
    fn forged(condition: &Condition, up: [bool; 2], online: bool, portal: bool) -> bool {
        let is_up = |name: &String| match name.as_str() {
            "2" => up[0],
            "3" => up[1],
            _ => false,
        };
        let value = |part: &Condition| forged(part, up, online, portal);
        match condition {
            Condition::Up(name) => is_up(name),
            Condition::Down(name) => !is_up(name),
            Condition::AtLeast { n, of } => of.iter().filter(|name| is_up(name)).count() >= *n,
            Condition::Online(wanted) => *wanted == online,
            Condition::Portal(wanted) => *wanted == portal,
            Condition::All(parts) => parts.iter().all(value),
            Condition::Any(parts) => parts.iter().any(value),
            Condition::Not(part) => !value(part),
            Condition::Always
            | Condition::InterfaceName(_)
            | Condition::InterfaceKind(_)
            | Condition::Subnet(_)
            | Condition::Gateway(_)
            | Condition::DnsServer(_)
            | Condition::SearchDomain(_)
            | Condition::Ssid(_)
            | Condition::Env(_) => true,
        }
    }

    proptest! {
        /// The operator of the network chooses the result of the forgeable targets and facts. If
        /// any choice makes the condition hold, it must not count as proven.
        #[test]
        fn nobody_can_forge_what_counts_as_proven(condition in conditions()) {
            let proven = is_proven(&condition, &targets());
            for choice in 0..16u8 {
                let bit = |i: u8| choice & (1 << i) != 0;
                let holds = forged(&condition, [bit(0), bit(1)], bit(2), bit(3));
                prop_assert!(!(proven && holds), "{:?}", condition);
            }
        }
    }

    #[test]
    fn a_target_that_is_not_there_proves_nothing() {
        let up = Condition::Up("nobody".to_owned());
        assert!(!is_proven(&up, &targets()));
        assert!(is_proven(&Condition::Up("0".to_owned()), &targets()));
    }
}
