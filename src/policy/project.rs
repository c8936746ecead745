//! What the values of a `[[project]]` must not do: show names that are private without it.

use std::collections::BTreeSet;
use std::ops::Range;

use super::by_hand::{chain_leak, exposed_glob, private};
use super::expand::chains;
use super::finding::{Places, PolicyFinding, shown};
use super::profile::Policy;
use crate::model::host::canonical_url;
use crate::model::pattern::NOTHING;
use crate::model::{Chain, HopKind, Patterns};

/// GOPROXY where nothing sets it.
pub const USUAL: &str = "https://proxy.golang.org,direct";

/// Says which private names the values of a project would show; `None`: none. `own` returns its
/// values, `before` the values without it; `chain` is GOPROXY with it.
pub fn project_leak(
    policy: &Policy,
    chain: &Chain,
    own: &dyn Fn(&str) -> Option<String>,
    before: &dyn Fn(&str) -> Option<String>,
) -> Option<String> {
    let set = |value: Option<String>| value.filter(|value| !value.is_empty());
    let after = |name: &str| set(own(name)).or_else(|| set(before(name)));
    let sets = |names: &[&str]| names.iter().any(|name| own(name).is_some());
    // go asks neither the proxies nor the database for what such a list names.
    type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;
    let list = |of: Lookup<'_>, name: &str| {
        Patterns::parse(
            &set(of(name))
                .or_else(|| set(of("GOPRIVATE")))
                .unwrap_or_default(),
        )
    };
    let lost = |name: &str, is_other_server: bool| {
        let kept = list(&after, name);
        let same: BTreeSet<&String> = kept.globs().iter().collect();
        let all = before("GOPRIVATE").filter(|_| is_other_server);
        let all = Patterns::parse(&all.unwrap_or_default());
        let before = list(before, name);
        let must = before.globs().iter().chain(all.globs());
        let must = must.filter(|glob| *glob != NOTHING && !same.contains(glob));
        let must = must.map(String::as_str).collect::<Vec<&str>>().join(",");
        exposed_glob(&Patterns::parse(&must), &kept).map(shown)
    };
    let changes_chain = sets(&["GOPROXY"]);
    if changes_chain && let Some(why) = chain_leak(policy, chain, &after) {
        return Some(why);
    }
    // The agent's relay, on this machine, leads to other servers.
    let is_private = |url: &str| {
        let mut own = private(policy).filter_map(|target| target.goproxy_url());
        own.any(|own| canonical_url(own) == canonical_url(url))
    };
    let goes_out = chain.hops.iter().any(|hop| match &hop.kind {
        HopKind::Proxy(url) => !is_private(url),
        HopKind::File(_) | HopKind::Direct | HopKind::Off => false,
    });
    if goes_out
        && sets(&["GOPROXY", "GONOPROXY", "GOPRIVATE"])
        && let Some(glob) = lost("GONOPROXY", changes_chain)
    {
        return Some(format!(
            "a proxy would be asked for {}, which is private without this; add it to GOPRIVATE{}",
            glob,
            if sets(&["GONOPROXY"]) {
                " or GONOPROXY"
            } else {
                ""
            }
        ));
    }
    if after("GOSUMDB").as_deref() != Some("off")
        && sets(&["GOSUMDB", "GONOSUMDB", "GOPRIVATE"])
        && let Some(glob) = lost("GONOSUMDB", sets(&["GOSUMDB"]))
    {
        return Some(format!(
            "the checksum database would be asked for {}, which is private without this; add it to \
             GOPRIVATE",
            glob
        ));
    }
    None
}

/// The variables that decide who sees the names of modules.
const SHOWING: [&str; 5] = ["GOPROXY", "GOPRIVATE", "GONOPROXY", "GONOSUMDB", "GOSUMDB"];

/// What a profile does with names.
struct Shown<'a> {
    values: [Option<String>; 5],
    chains: Vec<Chain>,
    name: (&'a str, &'a Range<usize>),
}

/// Finds sections that are never reached, and values that would show what a profile keeps private.
pub(super) fn check(policy: &Policy, places: &Places) -> Vec<PolicyFinding> {
    let mut findings = Vec::new();
    let all = || policy.projects.iter().zip(&places.projects);
    let chains = |env| {
        let chains = chains(env, &policy.targets).into_iter();
        Vec::from_iter(chains.map(|possible| possible.chain))
    };
    // Profiles that differ in nothing else are judged once.
    let mut profiles: Vec<Shown<'_>> = Vec::new();
    for (profile, at) in policy.profiles.iter().zip(&places.profiles) {
        let values = SHOWING.map(|name| profile.sets(name));
        let chains = chains(&profile.env);
        let is_same = |one: &Shown<'_>| one.values == values && one.chains == chains;
        if !policy.projects.is_empty() && !profiles.iter().any(is_same) {
            let name = (profile.name.as_str(), &at.name);
            profiles.push(Shown {
                values,
                chains,
                name,
            });
        }
    }
    for (i, (project, place)) in all().enumerate() {
        let mut earlier = all().take(i);
        if let Some((_, first)) = earlier.find(|(one, _)| project.place.is_within(&one.place)) {
            let message = "an earlier project holds wherever this one does, so it never counts";
            let finding =
                PolicyFinding::warning("unreachable-project", message, place.name.clone());
            findings.push(finding.related(first.name.clone(), "the earlier one"));
        }
        let mut set = SHOWING.iter().filter_map(|name| place.env.get(*name));
        let Some(span) = set.next() else {
            continue;
        };
        let own = |name: &str| {
            let mut values = project.values();
            let (_, value) = values.find(|(own, _)| *own == name)?;
            Some(value.to_owned())
        };
        let own_chains = chains(&project.rules.env);
        let usual = Vec::from_iter(Chain::parse(USUAL));
        let leak = |one: &Shown<'_>| {
            let before = |name: &str| {
                let at = SHOWING.iter().position(|own| *own == name)?;
                one.values.get(at)?.clone()
            };
            let mut chains = [&own_chains, &one.chains].into_iter();
            let chains = chains.find(|chains| !chains.is_empty()).unwrap_or(&usual);
            let mut chains = chains.iter();
            chains.find_map(|chain| project_leak(policy, chain, &own, &before))
        };
        let mut leaks = profiles.iter();
        if let Some((why, one)) = leaks.find_map(|one| Some((leak(one)?, one))) {
            let (profile, at) = one.name;
            let finding = PolicyFinding::error("project-leak", why, span.clone());
            let profile = format!("with profile {}", shown(profile));
            findings.push(finding.related(at.clone(), profile));
        }
    }
    findings
}
