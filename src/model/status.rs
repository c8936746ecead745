//! What is true now, as `goroam status` and the socket tell it. The JSON form is fixed for
//! scripts: fields are added, never renamed or dropped.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::chain::Tier;
use super::observation::{Observation, Phases, Verdict};
use super::snapshot::{Link, LinkKind, NetworkId, Resolver, Route, Snapshot};

/// Is an agent running?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AgentState {
    /// One answers on the socket.
    Running,
    /// None does.
    #[default]
    Stopped,
}

/// A profile that the user has chosen by hand (`goroam use`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pinned {
    /// The profile's name.
    pub name: String,
    /// Until when; `None`: until `goroam auto`.
    pub until: Option<Timestamp>,
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
    /// Is it on this machine, so that it says nothing of the network?
    #[serde(default)]
    pub local: bool,
    /// What was proven or what went wrong; "not needed" where nothing was asked.
    pub reason: String,
    /// Milliseconds by phase.
    pub ms: Phases,
    /// What the last rounds saw, oldest first: milliseconds where it was up, null where it was
    /// not. Empty unless an agent is running.
    #[serde(default)]
    pub history: Vec<Option<f64>>,
}

/// A switch from one profile to another, as status shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Switch {
    /// When.
    pub at: Timestamp,
    /// The profile before; null at the first.
    pub from: Option<String>,
    /// The profile since then.
    pub to: String,
    /// Why, in one line.
    pub why: Option<String>,
    /// Milliseconds from the event to the written file.
    pub ms: Option<f64>,
}

/// A variable whose value in the OS environment wins over what was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shadow {
    /// The variable.
    pub name: String,
    /// Its value in the environment, credentials removed.
    pub value: String,
    /// What `go env -w` wrote, credentials removed.
    pub written: Option<String>,
}

/// A managed variable that somebody else has changed since goroam wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drift {
    /// The variable.
    pub name: String,
    /// What goroam wrote; `None`: it had removed the line.
    pub wrote: Option<String>,
    /// What stands there now; `None`: the line is gone.
    pub found: Option<String>,
    /// What goroam had set beside it, and has put back to what it was before goroam.
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
    /// Up and with a carrier.
    pub running: bool,
    /// Its addresses with prefix lengths.
    pub addresses: Vec<String>,
    /// The Wi-Fi network's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssid: Option<String>,
    /// How many more addresses it has.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more_addresses: usize,
}

/// Addresses of a link, and default routes, that are told one by one.
const MOST_TOLD: usize = 32;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// A default route as status shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteStatus {
    /// The link's name.
    pub link: String,
    /// The next hop; null on point-to-point links.
    pub gateway: Option<String>,
    /// Lower wins.
    pub metric: u32,
}

/// The network as status shows it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct NetworkStatus {
    /// What stands for this network; null when offline.
    pub identity: Option<NetworkId>,
    /// All links but loopback.
    pub links: Vec<LinkStatus>,
    /// Default routes that work, best first.
    pub default_routes: Vec<RouteStatus>,
    /// How many more default routes there are.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more_default_routes: usize,
    /// Name servers and search domains.
    pub dns: Resolver,
}

/// How ready the projects that `goroam ready` remembers were for a place without a network, when
/// somebody looked last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readiness {
    /// When.
    pub at: Timestamp,
    /// 100: all of them build and test with no network.
    pub percent: u8,
    /// How many projects.
    pub projects: usize,
    /// How many module versions are missing.
    pub missing: usize,
    /// Why the agent could not bring what is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// The policy file is refused, and the last good policy is in force in its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastGood {
    /// When it was first found good.
    pub at: Timestamp,
    /// SHA-256 of its text, in hexadecimal.
    pub sha256: String,
    /// Why the policy file is refused.
    pub refused: String,
    /// Profiles of it that are never chosen: they weaken verification in a way that is refused.
    #[serde(default)]
    pub left_out: Vec<String>,
}

/// What is true now. An agent of another version may tell more or less: what it does not tell has
/// its default, and what is not known here is passed over.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    /// The profile in force; null before the first turn.
    pub profile: Option<String>,
    /// Since when it is in force.
    pub since: Option<Timestamp>,
    /// Is an agent running?
    pub agent: AgentState,
    /// Chosen by hand?
    pub pinned: Option<Pinned>,
    /// The managed variables as they stand in the go env file now, credentials removed.
    pub applied: BTreeMap<String, String>,
    /// Every target of the policy.
    pub targets: Vec<TargetStatus>,
    /// Variables of this environment that win over what was written.
    pub shadowed: Vec<Shadow>,
    /// Managed variables that somebody else changed.
    pub drift: Vec<Drift>,
    /// The network.
    pub network: NetworkStatus,
    /// Where modules come from now.
    pub tier: Option<Tier>,
    /// Milliseconds from the event to the written file, at the last switch.
    pub switched_ms: Option<f64>,
    /// Why this profile, in one line.
    pub why: Option<String>,
    /// The profile `accept_unauthenticated`s something that weakens verification.
    pub weakened: Vec<String>,
    /// What is wrong just now, one line each: a watcher that could not start, a policy edit
    /// that was not taken, a go command that is missing.
    pub troubles: Vec<String>,
    /// Where the policy came from: a path, or "built in".
    pub policy: String,
    /// The number of the last turn in the journal.
    pub turn: Option<u64>,
    /// Values before goroam's first write, of the managed variables.
    pub was: BTreeMap<String, Option<String>>,
    /// The policy's profiles, in its order.
    #[serde(default)]
    pub profiles: Vec<String>,
    /// The last switches, newest last.
    #[serde(default)]
    pub switches: Vec<Switch>,
    /// Nothing is written until `once`, `use` or `auto`.
    #[serde(default)]
    pub paused: bool,
    /// The version of the goroam that answers; null when an agent older than this answers.
    #[serde(default)]
    pub version: Option<String>,
    /// Where modules come from now, in words: "module proxy goproxy.io", "the mirror /m".
    #[serde(default)]
    pub from: Option<String>,
    /// How ready the remembered projects are; null: nobody has looked yet.
    #[serde(default)]
    pub ready: Option<Readiness>,
    /// The policy file is refused; null: it is in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_good: Option<LastGood>,
    /// `[agent] notify`: does the user want to be told of switches and trouble?
    #[serde(default = "yes")]
    pub notify: bool,
}

fn yes() -> bool {
    true
}

impl Status {
    /// Every managed variable as it stands in the go env file; `None`: it has no line.
    pub fn lines(&self) -> BTreeMap<String, Option<String>> {
        let none = self.was.keys().map(|name| (name.clone(), None));
        let applied = self.applied.iter();
        let applied = applied.map(|(name, value)| (name.clone(), Some(value.clone())));
        none.chain(applied).collect()
    }
}

impl TargetStatus {
    /// From what was seen; `None`: nobody needed to ask.
    pub fn new(name: &str, seen: Option<&Observation>) -> TargetStatus {
        TargetStatus {
            name: name.to_owned(),
            local: false,
            up: seen.map(Observation::is_up),
            verdict: seen.map(|seen| seen.verdict),
            reason: seen.map_or("not needed", |seen| &seen.reason).to_owned(),
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
