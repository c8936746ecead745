//! A network where we have been before: the profile of last time, applied before the first
//! probe has answered. Such a network is recognised by facts that anybody can imitate, so a
//! profile that weakens verification is never chosen this way.

use std::collections::{BTreeMap, BTreeSet};

use super::error::Error;
use super::round::{self, Input, Ready, ground, plan};
use crate::policy::{Considered, Decision, EnvValue};

/// The decision of last time on this network, when it differs from what is in force and may
/// be used unproven.
pub(crate) fn decision(input: &Input) -> Option<Decision> {
    let identity = input.snapshot.identity()?;
    let (name, _) = input.memory.networks.get(&identity)?;
    let (_, profile) = input.loaded.policy.profile(name)?;
    if input.pinned.is_some()
        || profile.is_loose()
        || input.memory.profile.as_ref() == Some(&profile.name)
    {
        return None;
    }
    let mut env = BTreeMap::new();
    for (name, value) in &profile.env {
        // Which one is the fastest has to be found out; that is what the round is for.
        let EnvValue::Text(text) = value else {
            return None;
        };
        env.insert(name.clone(), text.clone());
    }
    let considered = input.loaded.policy.profiles.iter();
    Some(Decision {
        profile: profile.name.clone(),
        pinned: false,
        env,
        considered: considered
            .map(|profile| Considered {
                profile: profile.name.clone(),
                trace: None,
            })
            .collect(),
        loosens: Vec::new(),
        accept_unauthenticated: profile.accept_unauthenticated,
        not_waited_for: profile
            .when
            .targets()
            .into_iter()
            .map(str::to_owned)
            .collect(),
    })
}

/// Gets the file ready for it.
pub(crate) async fn get_ready(input: Input, decision: Decision) -> Result<Ready, Error> {
    let (go, present) = ground(&input).await?;
    let plan = plan(&input, &go, &present, &decision)?;
    let prepared = round::get_ready(&input, &go, &plan, true).await?;
    Ok(Ready {
        input,
        go,
        seen: BTreeMap::new(),
        health: BTreeMap::new(),
        silent: BTreeSet::new(),
        waited: BTreeSet::new(),
        decision,
        present,
        plan,
        prepared,
        ms: BTreeMap::new(),
    })
}
