//! The present state, as `goroam status` and the socket report it. The JSON form is fixed for
//! scripts: fields are added, never renamed or removed.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::chain::Tier;
use super::mask::mask;
use super::observation::{Observation, Phases, Verdict};
use super::origin::RulesOrigin;
use super::snapshot::{Link, LinkKind, NetworkId, Resolver, Route, Snapshot};

/// Whether an agent is running.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AgentState {
    /// An agent answers on the socket.
    Running,
    /// No agent answers.
    #[default]
    Stopped,
}

/// What the user has chosen by hand (`goroam use`).
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Pinned {
    /// The name of the profile, or of the mirror.
    pub name: String,
    /// Until when; `None`: until `goroam auto`.
    pub until: Option<Timestamp>,
    /// What a mirror puts into GOPROXY; `None`: a profile was chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goproxy: Option<String>,
    /// The profile that everything else comes from, if a mirror was chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<String>,
    /// Which variant of that profile; 0: the first, or the only one.
    #[serde(default, skip_serializing_if = "is_default")]
    pub variant: usize,
}

impl Pinned {
    /// Returns it without credentials.
    pub fn shown(&self) -> Pinned {
        Pinned {
            goproxy: self.goproxy.as_deref().map(mask),
            ..self.clone()
        }
    }

    /// Returns who chose: "by hand", "by hand over public".
    pub fn by_hand(&self) -> String {
        match &self.over {
            Some(over) => format!("by hand over {over}"),
            None => "by hand".to_owned(),
        }
    }
}

/// A mirror's URL may hold a password.
impl fmt::Debug for Pinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.shown();
        f.debug_struct("Pinned")
            .field("name", &shown.name)
            .field("until", &shown.until)
            .field("goproxy", &shown.goproxy)
            .field("over", &shown.over)
            .finish()
    }
}

/// A target as status shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TargetStatus {
    /// Its name in the policy.
    pub name: String,
    /// Up, not up, or not known (not probed, or not waited for).
    pub up: Option<bool>,
    /// The verdict behind `up`.
    pub verdict: Option<Verdict>,
    /// Whether it is on this machine, so that it says nothing about the network.
    #[serde(default)]
    pub local: bool,
    /// What was proven or what went wrong; "not needed" if the target was not probed.
    pub reason: String,
    /// The login page that answers in its place, if that page names itself.
    #[serde(default)]
    pub portal_url: Option<String>,
    /// Milliseconds by phase.
    pub ms: Phases,
    /// The results of the last rounds, oldest first: milliseconds if it was up, null if it was not.
    /// Empty unless an agent is running.
    #[serde(default)]
    pub history: Vec<Option<f64>>,
}

/// The agent's relay as status shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelayStatus {
    /// Its URL, without the token.
    pub url: String,
    /// How GOPROXY names it: `open`, `guarded` or `gatekeeper`; null while GOPROXY does not.
    pub form: Option<String>,
    /// The chain that it walks, credentials removed.
    pub chain: Option<String>,
    /// Requests that it has answered.
    pub requests: u64,
    /// Those that another proxy served because one failed.
    pub fail_overs: u64,
    /// Files whose hash was wrong.
    pub incidents: u64,
    /// Lists of versions that may be old: they came from this machine, as no proxy answered.
    #[serde(default)]
    pub stale: u64,
    /// Versions that the mirror keeps because they passed.
    #[serde(default)]
    pub kept: u64,
    /// Why the mirror does not keep what passes at present; null if it does, or is not to.
    #[serde(default)]
    pub not_kept: Option<String>,
}

/// How sending of traces and metrics to a collector goes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TelemetryStatus {
    /// The collector, credentials removed.
    pub otlp: String,
    /// When it last accepted something, since this agent has started.
    pub sent: Option<Timestamp>,
    /// Why the last export failed; null: it did not.
    pub failed: Option<String>,
    /// Turns whose trace waits for the next export.
    pub queued: usize,
    /// Turns whose trace was never accepted.
    pub dropped: u64,
    /// Since when no export has succeeded; null: the last one has.
    pub unsent: Option<Timestamp>,
}

/// A switch from one profile to another, as status shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Switch {
    /// When it happened.
    pub at: Timestamp,
    /// The profile before; null for the first switch.
    pub from: Option<String>,
    /// The profile since then.
    pub to: String,
    /// The reason, in one line.
    pub why: Option<String>,
    /// Milliseconds from the event to the written file.
    pub ms: Option<f64>,
}

/// A variable whose value in the OS environment overrides what was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shadow {
    /// The variable.
    pub name: String,
    /// Its value in the environment, credentials removed.
    pub value: String,
    /// What `go env -w` wrote, credentials removed.
    pub written: Option<String>,
}

/// A managed variable that another program or the user has changed since goroam wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drift {
    /// The variable.
    pub name: String,
    /// What goroam wrote; `None`: it had removed the line.
    pub wrote: Option<String>,
    /// The present value; `None`: the line is gone.
    pub found: Option<String>,
    /// The variables that goroam had set together with it, and has restored to their values before
    /// goroam.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ended: Vec<String>,
}

/// A link as status shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkStatus {
    /// Its name.
    pub name: String,
    /// `wired`, `wifi`, `tunnel`, …
    pub kind: String,
    /// Whether it is up and has a carrier.
    pub running: bool,
    /// Its addresses with prefix lengths.
    pub addresses: Vec<String>,
    /// The Wi-Fi network's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssid: Option<String>,
    /// The number of further addresses.
    #[serde(default, skip_serializing_if = "is_default")]
    pub more_addresses: usize,
}

/// The maximum number of addresses of a link, and of default routes, that are listed.
const MOST_TOLD: usize = 32;

/// Reports whether JSON leaves the value out, because a reader takes it for granted.
pub fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A default route as status shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteStatus {
    /// The link's name.
    pub link: String,
    /// The next hop; null on point-to-point links.
    pub gateway: Option<String>,
    /// The lowest metric wins.
    pub metric: u32,
}

/// The network as status shows it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct NetworkStatus {
    /// The identity of this network; null when offline.
    pub identity: Option<NetworkId>,
    /// All links but loopback.
    pub links: Vec<LinkStatus>,
    /// Default routes that work, best first.
    pub default_routes: Vec<RouteStatus>,
    /// The number of further default routes.
    #[serde(default, skip_serializing_if = "is_default")]
    pub more_default_routes: usize,
    /// Name servers and search domains.
    pub dns: Resolver,
}

/// How ready the projects that `goroam ready` remembers were for work without a network, at the
/// last check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readiness {
    /// When it was checked.
    pub at: Timestamp,
    /// 100: all of them build and test with no network.
    pub percent: u8,
    /// The number of projects.
    pub projects: usize,
    /// The number of missing module versions.
    pub missing: usize,
    /// Why the agent could not download what is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// The policy file is refused, and the last good policy is in force instead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastGood {
    /// When it was first found valid.
    pub at: Timestamp,
    /// SHA-256 of its text, in hexadecimal.
    pub sha256: String,
    /// Why the policy file is refused.
    pub refused: String,
    /// Its profiles that are never chosen, because they weaken verification in a way that is
    /// refused.
    #[serde(default)]
    pub left_out: Vec<String>,
}

/// The policy of the fleet that the machine belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct FleetStatus {
    /// Its name; null: none was fetched yet.
    pub id: Option<String>,
    /// The newest version that was accepted.
    pub version: Option<u64>,
    /// The version in force: an earlier one while only a share of the machines applies the newest.
    pub applied: Option<u64>,
    /// When it was signed.
    pub issued: Option<Timestamp>,
    /// When it expires.
    pub expires: Option<Timestamp>,
    /// Whether it has expired. It stays in force.
    pub expired: bool,
    /// When a store was last asked with success.
    pub fetched_at: Option<Timestamp>,
    /// Why the store's last offer was refused; null: it was not.
    pub refused: Option<FleetRefusal>,
    /// What is wrong with it, in one line.
    pub warning: Option<String>,
}

/// Why a fleet's policy was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FleetRefusal {
    /// When.
    pub at: Timestamp,
    /// The kind of refusal, in one word.
    pub code: String,
    /// Why, and what to do.
    pub reason: String,
}

/// The present state. An agent of another version may send more or fewer fields: a missing field
/// has its default, and an unknown field is ignored.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    /// The profile in force; null before the first turn.
    pub profile: Option<String>,
    /// Since when it is in force.
    pub since: Option<Timestamp>,
    /// Whether an agent is running.
    pub agent: AgentState,
    /// Whether it is in force until an earlier profile is decided.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub provisional: bool,
    /// The profile that was chosen by hand, if any.
    pub pinned: Option<Pinned>,
    /// The managed variables as they are in the go env file now, credentials removed.
    pub applied: BTreeMap<String, String>,
    /// Every target of the policy.
    pub targets: Vec<TargetStatus>,
    /// Variables of this environment that override what was written.
    pub shadowed: Vec<Shadow>,
    /// Managed variables that another program or the user changed.
    pub drift: Vec<Drift>,
    /// The network.
    pub network: NetworkStatus,
    /// Where modules come from now.
    pub tier: Option<Tier>,
    /// Milliseconds from the event to the written file, at the last switch.
    pub switched_ms: Option<f64>,
    /// Why this profile was chosen, in one line.
    pub why: Option<String>,
    /// Which file and line the profile comes from, and each variable that it sets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sources: Option<RulesOrigin>,
    /// What the profile, or a value that another program has set, weakens in verification.
    pub weakened: Vec<String>,
    /// Present problems, one line each: a watcher that could not start, a policy edit that was
    /// rejected, a go command that is missing.
    pub troubles: Vec<String>,
    /// Where the policy came from: a path, or "built in".
    pub policy: String,
    /// The number of the last turn in the journal.
    pub turn: Option<u64>,
    /// Values of the managed variables before goroam's first write.
    pub was: BTreeMap<String, Option<String>>,
    /// The policy's profiles, in its order.
    #[serde(default)]
    pub profiles: Vec<String>,
    /// The last switches, newest last.
    #[serde(default)]
    pub switches: Vec<Switch>,
    /// Whether goroam is paused: nothing is written until `once`, `use` or `auto`.
    #[serde(default)]
    pub paused: bool,
    /// The version of the goroam that answers; null if the agent is older than this field.
    #[serde(default)]
    pub version: Option<String>,
    /// Where modules come from now, in words: "module proxy goproxy.io", "the mirror /m".
    #[serde(default)]
    pub from: Option<String>,
    /// How ready the remembered projects are; null: not checked yet.
    #[serde(default)]
    pub ready: Option<Readiness>,
    /// Set if the policy file is refused; null: it is in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_good: Option<LastGood>,
    /// The policy of the fleet; absent if the machine belongs to none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fleet: Option<FleetStatus>,
    /// The agent's relay; absent without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relay: Option<RelayStatus>,
    /// The trace id of the last turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// How sending of traces and metrics goes; absent if `[telemetry]` is off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub telemetry: Option<TelemetryStatus>,
    /// `[agent] notify`: whether the user wants notifications of switches and problems.
    #[serde(default = "yes")]
    pub notify: bool,
}

fn yes() -> bool {
    true
}

impl Status {
    /// Returns whether an agent acts by itself: a paused one does not.
    pub fn acting(&self) -> AgentState {
        if self.paused {
            AgentState::Stopped
        } else {
            self.agent
        }
    }

    /// Returns every managed variable as it is in the go env file; `None`: it has no line.
    pub fn lines(&self) -> BTreeMap<String, Option<String>> {
        let none = self.was.keys().map(|name| (name.clone(), None));
        let applied = self.applied.iter();
        let applied = applied.map(|(name, value)| (name.clone(), Some(value.clone())));
        none.chain(applied).collect()
    }
}

impl TargetStatus {
    /// Creates the status from an observation; `None`: the target was not probed.
    pub fn new(name: &str, seen: Option<&Observation>) -> TargetStatus {
        TargetStatus {
            name: name.to_owned(),
            local: false,
            up: seen.map(Observation::is_up),
            verdict: seen.map(|seen| seen.verdict),
            reason: seen.map_or("not needed", |seen| &seen.reason).to_owned(),
            portal_url: seen.and_then(|seen| seen.portal_url.clone()),
            ms: seen.map(|seen| seen.phases).unwrap_or_default(),
            history: Vec::new(),
        }
    }
}

impl From<&Snapshot> for NetworkStatus {
    fn from(snapshot: &Snapshot) -> NetworkStatus {
        let link = |link: &Link| {
            let told = link.addresses.iter().take(MOST_TOLD);
            LinkStatus {
                name: link.name.clone(),
                kind: link.kind.to_string(),
                running: link.is_running(),
                addresses: told.map(ToString::to_string).collect(),
                ssid: link.ssid.clone(),
                more_addresses: link.addresses.len().saturating_sub(MOST_TOLD),
            }
        };
        let route = |route: &&Route| RouteStatus {
            link: snapshot.link_name(route.link),
            gateway: route.gateway.map(|gateway| gateway.to_string()),
            metric: route.metric,
        };
        let links = snapshot.links.iter();
        let defaults = snapshot.default_routes();
        NetworkStatus {
            identity: snapshot.identity(),
            links: links
                .filter(|link| link.kind != LinkKind::Loopback)
                .map(link)
                .collect(),
            default_routes: defaults.iter().take(MOST_TOLD).map(route).collect(),
            more_default_routes: defaults.len().saturating_sub(MOST_TOLD),
            dns: snapshot.dns.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Status;

    #[test]
    fn the_status_of_another_version_is_understood() {
        let told = r#"{"profile":"home","of_the_future":{"x":[-1]}}"#;
        let status: Status = serde_json::from_str(told).unwrap();
        assert_eq!(status.profile.as_deref(), Some("home"));
        assert!(status.notify && status.version.is_none());
    }
}
