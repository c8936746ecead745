//! What a machine knows of its fleet, and which policies it does not take from it.

use std::time::Duration;

use url::Url;

use super::keys::FleetKey;
use crate::model::TargetKind;
use crate::policy::expand::resolve;
use crate::policy::goflags;
use crate::policy::loosen::is_plain_http;
use crate::policy::profile::{EnvValue, Policy};

/// `[fleet]`: in a file of this machine, never in the fleet's policy.
#[derive(Clone, PartialEq, Eq)]
pub struct FleetSettings {
    /// Where the policy is; the first that answers counts.
    pub urls: Vec<Url>,
    /// The keys that may sign it; any one of them is enough.
    pub keys: Vec<FleetKey>,
    /// The least time between two fetches.
    pub refresh: Duration,
    /// Whether the policy may weaken verification.
    pub allow_weaker: bool,
}

impl std::fmt::Debug for FleetSettings {
    /// A URL may hold a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let hosts = self.urls.iter().map(Url::host_str);
        f.debug_struct("FleetSettings")
            .field("hosts", &hosts.collect::<Vec<_>>())
            .field("keys", &self.keys)
            .field("refresh", &self.refresh)
            .field("allow_weaker", &self.allow_weaker)
            .finish()
    }
}

/// Returns the URL of the signature of a policy.
pub fn pair_url(policy: &Url) -> Url {
    beside(policy, |name| format!("{name}.minisig"))
}

/// Returns the URL of an earlier version of a policy: `policy-41.toml` for `policy.toml`.
pub fn previous_url(policy: &Url, version: u64) -> Url {
    beside(policy, |name| match name.rsplit_once('.') {
        Some((stem, end)) => format!("{stem}-{version}.{end}"),
        None => format!("{name}-{version}"),
    })
}

fn beside(url: &Url, name: impl Fn(&str) -> String) -> Url {
    let (folder, last) = url.path().rsplit_once('/').unwrap_or(("", url.path()));
    let mut other = url.clone();
    other.set_path(&format!("{folder}/{}", name(last)));
    other
}

/// Says how a fleet's policy weakens verification, or has go run a program, one phrase each. Here it
/// does not count whether a fact that cannot be forged has to hold: only the machine's own file
/// decides that less is verified, and which programs run.
pub(super) fn weaker(policy: &Policy) -> Vec<String> {
    let mut found = Vec::new();
    let profiles = policy.profiles.iter().map(|rules| ("profile", rules));
    let projects = policy.projects.iter().map(|one| ("project", &one.rules));
    for (what, rules) in profiles.chain(projects) {
        let programs = rules
            .env
            .iter()
            .filter_map(|(variable, value)| match value {
                EnvValue::Text(text) => program(variable, &resolve(text, &rules.env)),
                EnvValue::Fastest { .. } => None,
            });
        let phrases = rules.loosens.iter().cloned().chain(programs);
        found.extend(phrases.map(|phrase| format!("{what} {}: {phrase}", rules.name)));
    }
    for (name, target) in &policy.targets {
        if let TargetKind::GoProxy { url, .. } = &target.kind
            && is_plain_http(url)
        {
            found.push(format!("target {name} is asked over plain http"));
        }
    }
    if policy.agent.go.is_some() {
        found.push("[agent] go names a program".to_owned());
    }
    found
}

/// Variables with the command line of a program that go runs.
const PROGRAMS: [&str; 7] = [
    "AR",
    "CC",
    "CXX",
    "FC",
    "GCCGO",
    "GOCACHEPROG",
    "PKG_CONFIG",
];

/// Says how a value has go run a program.
fn program(variable: &str, value: &str) -> Option<String> {
    let is_own = |word: Option<&str>| matches!(word, None | Some("off" | "netrc" | "git"));
    let runs = match variable {
        "GOAUTH" => !value
            .split(';')
            .all(|it| is_own(it.split_whitespace().next())),
        "GOFLAGS" => goflags::runs_a_program(value),
        // A compiler's flags may name plug-ins.
        _ => {
            PROGRAMS.contains(&variable)
                || variable.starts_with("CGO_") && variable.ends_with("FLAGS")
        }
    };
    (runs && !value.is_empty()).then(|| format!("{variable} has go run a program"))
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::{pair_url, previous_url};

    #[test]
    fn the_files_of_a_policy_are_beside_it() {
        let url = Url::parse("https://u:p@h.test/a.b/policy.toml").unwrap();
        assert_eq!(pair_url(&url).path(), "/a.b/policy.toml.minisig");
        assert_eq!(previous_url(&url, 41).path(), "/a.b/policy-41.toml");
        let url = Url::parse("https://h.test/policy").unwrap();
        assert_eq!(previous_url(&url, 1).path(), "/policy-1");
    }
}
