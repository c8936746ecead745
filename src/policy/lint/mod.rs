//! Findings about values that parse, but do not do what they look like.

mod chain;
mod offline;
mod private;

use std::collections::BTreeSet;

use super::chains::{Possible, chains};
use super::finding::Finding;
use super::places::{Places, ProfilePlace, part};
use super::profile::{Condition, EnvValue, Policy, Profile};
use crate::model::{Hop, HopKind, Target};

/// Looks the whole policy over.
pub(super) fn lint(policy: &Policy, places: &Places, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (profile, place) in policy.profiles.iter().zip(&places.profiles) {
        let view = View {
            policy,
            profile,
            place,
            text,
            chains: profile
                .env
                .get("GOPROXY")
                .map(|value| chains(value, &policy.targets))
                .unwrap_or_default(),
        };
        findings.extend(chain::lint(&view));
        findings.extend(private::lint(&view));
        findings.extend(offline::lint(&view));
    }
    findings.extend(shadowed(policy, places));
    findings.extend(unused(policy, places));
    findings
}

/// One profile, with what its lints look at.
struct View<'a> {
    policy: &'a Policy,
    profile: &'a Profile,
    place: &'a ProfilePlace,
    text: &'a str,
    /// What its GOPROXY can become.
    chains: Vec<Possible>,
}

impl View<'_> {
    /// Every hop of every chain, with its chain.
    fn hops(&self) -> impl Iterator<Item = (&Possible, &Hop)> {
        self.chains
            .iter()
            .flat_map(|possible| possible.chain.hops.iter().map(move |hop| (possible, hop)))
    }

    /// The place of a part of a chain.
    fn span(&self, possible: &Possible, at: (usize, usize)) -> std::ops::Range<usize> {
        let span = self.span_of("GOPROXY");
        match &possible.text {
            Some(value) => part(self.text, value, &span, at),
            None => span,
        }
    }

    /// The place of a variable's value.
    fn span_of(&self, variable: &str) -> std::ops::Range<usize> {
        let span = self.place.env.get(variable);
        span.unwrap_or(&self.place.name).clone()
    }

    /// A variable's value as written.
    fn value(&self, variable: &str) -> Option<&str> {
        match self.profile.env.get(variable)? {
            EnvValue::Text(text) => Some(text),
            EnvValue::Fastest { .. } => None,
        }
    }

    /// The target at which a hop leads, if it is marked private.
    fn private_target(&self, hop: &Hop) -> Option<&Target> {
        let HopKind::Proxy(url) = &hop.kind else {
            return None;
        };
        let url = canonical(url);
        self.policy.targets.values().find(|target| {
            target.private && target.goproxy_url().map(canonical) == Some(url.clone())
        })
    }
}

/// Adds a finding that is not there yet: the chains of a `fastest` say the same.
fn note(findings: &mut Vec<Finding>, finding: Finding) {
    if !findings.contains(&finding) {
        findings.push(finding);
    }
}

/// A URL in a form in which equal ones are equal: host in lower case, no default port, no
/// userinfo, no trailing slash.
fn canonical(url: &str) -> String {
    match url::Url::parse(url) {
        Ok(mut parsed) => {
            // Both fail for URLs that cannot have a userinfo; those have none.
            let _ = parsed.set_username("");
            let _ = parsed.set_password(None);
            parsed.as_str().trim_end_matches('/').to_owned()
        }
        Err(_) => url.trim_end_matches('/').to_owned(),
    }
}

/// A profile whose condition stands at an earlier one is never reached.
fn shadowed(policy: &Policy, places: &Places) -> Vec<Finding> {
    let mut findings = Vec::new();
    let all: Vec<(&Profile, &ProfilePlace)> =
        policy.profiles.iter().zip(&places.profiles).collect();
    for (i, (profile, place)) in all.iter().enumerate() {
        let twin = all.iter().take(i).find(|(earlier, place)| {
            place.when_understood
                && earlier.when != Condition::Always
                && earlier.when == profile.when
        });
        if let (Some((_, earlier)), Some(when), true) = (twin, &place.when, place.when_understood) {
            let finding = Finding::warning(
                "unreachable-profile",
                "an earlier profile has the same condition, so this one is never reached",
                when.clone(),
            );
            let at = earlier.when.clone().unwrap_or_else(|| earlier.name.clone());
            findings.push(finding.related(at, "the earlier one"));
        }
    }
    findings
}

/// Targets that no condition, no `fastest` and no chain refers to.
fn unused(policy: &Policy, places: &Places) -> Vec<Finding> {
    let mut used: BTreeSet<&str> = BTreeSet::new();
    let mut urls: BTreeSet<String> = BTreeSet::new();
    for profile in &policy.profiles {
        used.extend(profile.when.targets());
        if asks_for_portal(&profile.when) {
            let witnesses = policy.targets.values().filter(|target| !target.is_local());
            used.extend(witnesses.map(|target| target.name.as_str()));
        }
        for value in profile.env.values() {
            if let EnvValue::Fastest { of, .. } = value {
                used.extend(of.iter().map(String::as_str));
            }
        }
        for possible in profile
            .env
            .get("GOPROXY")
            .map(|value| chains(value, &policy.targets))
            .unwrap_or_default()
        {
            for hop in possible.chain.hops {
                if let HopKind::Proxy(url) = hop.kind {
                    urls.insert(canonical(&url));
                }
            }
        }
    }
    // A condition that was not understood may have named any of them.
    if places.profiles.iter().any(|place| !place.when_understood) {
        return Vec::new();
    }
    let unused = policy.targets.values().filter(|target| {
        let in_chain = target
            .goproxy_url()
            .is_some_and(|url| urls.contains(&canonical(url)));
        !used.contains(target.name.as_str()) && !in_chain
    });
    unused
        .filter_map(|target| {
            let span = places.targets.get(&target.name)?.clone();
            let message = format!("no profile asks for target `{}`", target.name);
            Some(
                Finding::warning("unused-target", message, span)
                    .help("`goroam probe` still asks it; take it out if nobody looks"),
            )
        })
        .collect()
}

/// Any target on the network is a witness of a portal.
fn asks_for_portal(condition: &Condition) -> bool {
    match condition {
        Condition::Portal(_) => true,
        Condition::All(parts) | Condition::Any(parts) => parts.iter().any(asks_for_portal),
        Condition::Not(part) => asks_for_portal(part),
        Condition::Always
        | Condition::Up(_)
        | Condition::Down(_)
        | Condition::AtLeast { .. }
        | Condition::Online(_)
        | Condition::InterfaceName(_)
        | Condition::InterfaceKind(_)
        | Condition::Subnet(_)
        | Condition::Gateway(_)
        | Condition::DnsServer(_)
        | Condition::SearchDomain(_)
        | Condition::Ssid(_)
        | Condition::Env(_) => false,
    }
}
