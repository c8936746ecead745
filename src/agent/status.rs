//! What is true now, put together from memory, policy, network and the go env file.

use std::collections::BTreeMap;

use super::clock;
use super::drift;
use super::present::{Present, managed};
use super::recall;
use super::session::Session;
use crate::gocmd::shadows;
use crate::model::mask::mask;
use crate::model::plan::companions::companions;
use crate::model::status::{Drift, NetworkStatus, Pinned, Readiness, Status, TargetStatus};
use crate::model::{Chain, Snapshot, Tier};
use crate::policy::Profile;
use crate::state::file;
use crate::watch::survey;

impl Session {
    /// What is true now, as far as can be said without probing and without running go.
    pub fn status(&self) -> Status {
        let snapshot = survey().unwrap_or_else(|_| self.memory.snapshot.clone());
        let mut status = self.status_of(&snapshot, &self.present());
        if self.journal_trouble.is_none() {
            status.troubles.extend(self.trouble_of_journal());
        }
        status
    }

    /// The managed variables as they stand now; what cannot be read counts as not there, and
    /// is a trouble.
    pub(crate) fn present(&self) -> Present {
        let names = managed(&self.loaded.policy, self.baseline.as_ref());
        let Ok(file) = self.file() else {
            return Present::default();
        };
        Present::read(&file, &names).unwrap_or_else(|error| Present {
            trouble: Some(error.to_string()),
            ..Present::default()
        })
    }

    pub(crate) fn status_of(&self, snapshot: &Snapshot, present: &Present) -> Status {
        let memory = &self.memory;
        let policy = &self.loaded.policy;
        let profile = memory
            .profile
            .as_deref()
            .and_then(|name| policy.profile(name));
        let mut troubles = Vec::new();
        troubles.extend(self.journal_trouble.clone());
        troubles.extend(self.given_up.clone());
        troubles.extend(self.baseline_trouble.clone());
        troubles.extend(recall::said(self.baseline.as_ref()));
        if let Some(told) = &self.last_good {
            let left_out = match told.left_out.as_slice() {
                [] => String::new(),
                names => format!(
                    " without {}, which weakens verification in a way that is refused",
                    names.join(", ")
                ),
            };
            troubles.push(format!(
                "the last good policy stays in force{left_out}: {}",
                told.refused
            ));
        }
        let file = self.file();
        if let Err(error) = &file {
            troubles.push(error.to_string());
        }
        troubles.extend(present.trouble.clone());
        // One that has run out is taken away by the next turn; nobody need see it until then.
        let now = clock::now();
        let lasts = |pinned: &&Pinned| pinned.until.is_none_or(|until| until > now);
        let pinned = memory.pinned.as_ref().filter(lasts);
        if let Some(pinned) = pinned
            && policy.profile(&pinned.name).is_none()
        {
            troubles.push(format!(
                "{} is pinned, but the policy has no such profile; `goroam auto` ends that",
                pinned.name
            ));
        }
        troubles.extend(memory.seen.iter().filter_map(|(name, seen)| {
            let caveat = seen
                .caveat
                .as_ref()
                .filter(|_| policy.targets.contains_key(name))?;
            Some(format!("{name}: {caveat}"))
        }));
        let names = managed(policy, self.baseline.as_ref());
        let lines: BTreeMap<String, Option<String>> =
            BTreeMap::from_iter(names.into_iter().map(|name| {
                let line = present.values.get(&name).cloned();
                (name, line)
            }));
        let weakened = profile
            .map(|(_, profile)| profile.loosens.clone())
            .unwrap_or_default();
        let drift = file.map(|file| drift::shown(memory, &file, present));
        let mut drift = drift.unwrap_or_default();
        if let Some((_, profile)) = profile {
            self.note_what_ended(profile, &mut drift);
        }
        let to_end = self.to_end(present).unwrap_or_default();
        if !to_end.is_empty() {
            let names = to_end.keys().cloned().collect::<Vec<_>>().join(", ");
            troubles.push(format!(
                "goroam has set {names} for a value that was changed by hand since: private names \
                 may get out, or less be verified; `goroam once` sets all of it again, `go env -u` \
                 takes {names} away"
            ));
        }
        let goproxy = present.values.get("GOPROXY");
        let chain = goproxy.and_then(|value| Chain::parse(value).ok());
        Status {
            profile: memory.profile.clone(),
            since: memory.since,
            agent: Default::default(),
            pinned: pinned.cloned(),
            applied: BTreeMap::from_iter(present.values.iter().map(|(n, v)| (n.clone(), mask(v)))),
            targets: policy
                .targets
                .iter()
                .map(|(name, target)| TargetStatus {
                    local: target.is_local(),
                    ..TargetStatus::new(name, memory.seen.get(name))
                })
                .collect(),
            shadowed: shadows(&self.env, &lines),
            drift,
            network: NetworkStatus::from(snapshot),
            tier: chain.as_ref().map(Tier::of),
            from: chain
                .as_ref()
                .map(|chain| Tier::in_words(chain, policy.mirror.path.as_deref())),
            ready: self.readiness(),
            switched_ms: memory.switched_ms,
            why: memory.why.clone(),
            weakened,
            troubles,
            policy: self.loaded.origin(),
            turn: (memory.turn > 0).then_some(memory.turn),
            was: self.was(),
            profiles: policy.profiles.iter().map(|p| p.name.clone()).collect(),
            switches: memory.switches.clone(),
            paused: memory.paused,
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            notify: policy.agent.notify,
            last_good: self.last_good.clone(),
        }
    }

    /// What the profile sets, and what is as before goroam since another variable was set by hand.
    fn note_what_ended(&self, profile: &Profile, drift: &mut [Drift]) {
        let (Some(written), Some(baseline)) = (&self.memory.written, &self.baseline) else {
            return;
        };
        let by_hand: Vec<String> = drift.iter().map(|drift| drift.name.clone()).collect();
        for drift in drift {
            let beside = companions(&drift.name)
                .iter()
                .map(|name| (*name).to_owned());
            drift.ended = beside
                .filter(|name| profile.env.contains_key(name) && !by_hand.contains(name))
                .filter(|name| written.values.get(name) == baseline.values.get(name))
                .collect();
        }
    }

    /// What `goroam ready` left behind; a file that cannot be read is one that is not there.
    pub(crate) fn readiness(&self) -> Option<Readiness> {
        let bytes = file::read(&self.paths.readiness(), 64 << 10).ok()??;
        serde_json::from_slice(&bytes).ok()
    }

    fn was(&self) -> BTreeMap<String, Option<String>> {
        let Some(baseline) = &self.baseline else {
            return BTreeMap::new();
        };
        let shown = |value: &Option<String>| value.as_ref().map(|value| mask(value));
        BTreeMap::from_iter(
            baseline
                .values
                .iter()
                .map(|(name, value)| (name.clone(), shown(value))),
        )
    }
}
