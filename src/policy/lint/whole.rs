//! The policy as a whole: every profile's lints, and what concerns several parts.

use std::collections::BTreeSet;

use super::view::{View, canonical};
use super::{chain, offline, private};
use crate::model::HopKind;
use crate::policy::chains::chains;
use crate::policy::finding::Finding;
use crate::policy::places::{Places, ProfilePlace};
use crate::policy::profile::{Condition, EnvValue, Policy, Profile};

/// Looks the whole policy over.
pub(in crate::policy) fn lint(policy: &Policy, places: &Places, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (profile, place) in policy.profiles.iter().zip(&places.profiles) {
        let view = View {
            policy,
            profile,
            place,
            text,
            chains: chains(&profile.env, &policy.targets),
        };
        findings.extend(chain::lint(&view));
        findings.extend(private::lint(&view));
        findings.extend(offline::lint(&view));
    }
    findings.extend(shadowed(policy, places));
    findings.extend(unused(policy, places));
    findings
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
        for possible in chains(&profile.env, &policy.targets) {
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
    matches!(condition, Condition::Portal(_)) || condition.parts().iter().any(asks_for_portal)
}
