//! What is chosen by hand: a profile, or a mirror over the profile in force; and what there is to
//! choose from.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::clock;
use super::command::{Cause, Command};
use super::drift;
use super::error::Error;
use super::fastest;
use super::locks;
use super::round::round;
use super::session::Session;
use super::targets;
use crate::meter::Meter;
use crate::model::mask::{has_credentials, mask};
use crate::model::status::Pinned;
use crate::model::{Snapshot, Target, Truth};
use crate::policy::{
    DecisionFacts, Gaps, MIRRORS, MirrorFault, NamedMirror, OnDrift, Policy, Profile, TargetState,
    decide, goproxy_of, lay_over, standing, target_of,
};

/// A profile of the policy, and which variant of it.
type Base = (String, usize);

/// What `goroam use` can choose.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Choices {
    /// The name of what is in force; null before the first turn.
    pub profile: Option<String>,
    /// What was chosen by hand, if anything.
    pub pinned: Option<Pinned>,
    /// The policy's profiles, in order.
    pub profiles: Vec<ProfileChoice>,
    /// The mirrors that have a name.
    pub mirrors: Vec<NamedMirror>,
}

/// A profile, and what it would do now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProfileChoice {
    /// Its name.
    pub name: String,
    /// Whether its condition holds now; null: that is not known.
    pub holds: Option<bool>,
    /// The variables that it would set now, credentials removed.
    pub env: BTreeMap<String, String>,
    /// How it weakens verification; empty: it does not.
    pub loosens: Vec<String>,
}

fn refused(name: &str, fault: MirrorFault) -> Error {
    let (why, is_unsafe) = match fault {
        MirrorFault::Invalid(why) => (why, false),
        MirrorFault::Unsafe(why) => (why, true),
    };
    let mut shown: String = name.chars().take(MOST_SHOWN).collect();
    if shown.len() < name.len() {
        shown.push('…');
    }
    Error::Mirror {
        name: shown,
        why: mask(&why),
        is_unsafe,
    }
}

/// Most characters of a mirror's name in an error.
const MOST_SHOWN: usize = 200;

impl Session {
    /// Applies what a command changes before its turn: it pins a profile or removes the pin, and
    /// ends a pause. `base` is the profile for a mirror if none is in force yet.
    pub(crate) fn choose(&mut self, command: &Command, base: Option<Base>) -> Result<(), Error> {
        if let Command::Use { profile, until } = command {
            self.pin(profile, *until, base)?;
        } else if *command == Command::Auto {
            self.memory.pinned = None;
        }
        self.memory.paused &= *command == Command::Once { dry_run: true };
        Ok(())
    }

    fn pin(
        &mut self,
        name: &str,
        until: Option<Timestamp>,
        base: Option<Base>,
    ) -> Result<(), Error> {
        let pinned = Pinned {
            name: mask(name),
            until,
            ..Pinned::default()
        };
        let mut laid = None;
        let pinned = if self.is_own(name) {
            pinned
        } else if let Some(goproxy) = goproxy_of(name) {
            let (over, variant) = self.base().or(base).ok_or_else(|| Error::Mirror {
                name: mask(name),
                why: "no profile is in force yet that the other variables could come from; try \
                      again in a moment"
                    .to_owned(),
                is_unsafe: false,
            })?;
            let pinned = Pinned {
                goproxy: Some(goproxy),
                over: Some(over),
                variant,
                ..pinned
            };
            laid = self.lay(&self.loaded.policy, &pinned).transpose()?;
            pinned
        } else {
            let profiles = self.loaded.policy.names();
            return Err(self.no_choice("profile or mirror", name, profiles));
        };
        self.memory.pinned = Some(pinned);
        Arc::make_mut(&mut self.loaded).policy.by_hand = laid;
        Ok(())
    }

    /// Returns the targets with these names (none: all of them), also mirrors by their names or
    /// URLs. `speed`: only those whose speed can be measured.
    ///
    /// # Errors
    /// When a name is unknown, or cannot be measured.
    pub fn to_probe(&self, names: &[String], speed: bool) -> Result<Vec<Target>, Error> {
        let policy = &self.loaded.policy;
        if names.is_empty() {
            let all = policy.targets.values();
            let all = all.filter(|target| !speed || target.measured_zip().is_some());
            return Ok(all.cloned().collect());
        }
        let target = |name: &String| {
            let shown = mask(name);
            let found = match (policy.targets.get(name), goproxy_of(name)) {
                (Some(own), _) => Ok(own.clone()),
                (None, Some(goproxy)) => target_of(policy, &shown, &goproxy),
                (None, None) => {
                    let own = policy.targets.keys().cloned().collect();
                    return Err(self.no_choice("target or mirror", name, own));
                }
            };
            let found = found.map_err(|fault| refused(&shown, fault))?;
            if speed && found.hop_url().is_none() {
                let why = format!("it is {}, and only a proxy sends zips", found.kind_str());
                return Err(refused(&shown, MirrorFault::Invalid(why)));
            }
            Ok(found)
        };
        names.iter().map(target).collect()
    }

    fn is_own(&self, name: &str) -> bool {
        let mut profiles = self.loaded.policy.profiles.iter();
        profiles.any(|profile| profile.name == name)
    }

    /// `there`: the policy's names; the mirrors have names as well.
    fn no_choice(&self, kind: &'static str, name: &str, mut there: Vec<String>) -> Error {
        there.extend(MIRRORS.iter().map(|mirror| mirror.name.to_owned()));
        // Without its scheme a URL is no URL, but what it holds is secret all the same.
        let name = match has_credentials(name) {
            true => mask(name),
            false => name.to_owned(),
        };
        match (
            name.contains(['.', ':']),
            self.unknown(kind, &name, there.iter()),
        ) {
            (
                true,
                Error::Unknown {
                    kind, name, policy, ..
                },
            ) => Error::Unknown {
                hint: format!("; a URL begins with its scheme: https://{name}"),
                kind,
                name,
                policy,
            },
            (_, error) => error,
        }
    }

    /// Returns the profile of the policy that is in force, be it below a mirror.
    pub(super) fn base(&self) -> Option<Base> {
        let own = self.memory.profile.as_ref()?;
        let pinned = self.memory.pinned.as_ref();
        let pinned = pinned.filter(|pinned| pinned.name == *own);
        let over = pinned.and_then(|pinned| Some((pinned.over.clone()?, pinned.variant)));
        let base = over.unwrap_or_else(|| (own.clone(), self.memory.variant));
        self.is_own(&base.0).then_some(base)
    }

    /// Finds the profile for a mirror that is chosen before the first turn.
    pub(crate) async fn base_for(
        &mut self,
        command: &Command,
        snapshot: &Snapshot,
    ) -> Result<Option<Base>, Error> {
        let Command::Use { profile, .. } = command else {
            return Ok(None);
        };
        if self.is_own(profile) || goproxy_of(profile).is_none() || self.base().is_some() {
            return Ok(None);
        }
        self.memory.pinned = None;
        let input = self.input(Cause::Asked, snapshot.clone())?;
        let chosen = round(input, false, None).await?;
        let decision = chosen.probed.decision;
        Ok(Some((decision.profile, decision.variant)))
    }

    /// Lays a mirror over a profile of this policy; `None`: no mirror is pinned.
    fn lay(&self, policy: &Policy, pinned: &Pinned) -> Option<Result<Profile, Error>> {
        let (goproxy, over) = (pinned.goproxy.as_ref()?, pinned.over.as_ref()?);
        let base = (over.as_str(), pinned.variant);
        let below = policy.profile(over, pinned.variant);
        let present = self.present();
        let drift = match (self.file(), policy.agent.on_drift) {
            (Ok(file), OnDrift::Respect) => drift::find(&self.memory, &file, &present),
            (Ok(_), OnDrift::Restore) | (Err(_), _) => BTreeMap::default(),
        };
        // What was set by hand stays, and what the profile does not set is as it was.
        let baseline = self.baseline.as_ref();
        let before = |name: &str| match baseline.and_then(|baseline| baseline.values.get(name)) {
            Some(before) => before.clone(),
            None => present.line(name),
        };
        let standing = |name: &str| match drift.contains_key(name) {
            true => present.line(name),
            false => below
                .and_then(|below| below.sets(name))
                .or_else(|| before(name)),
        };
        let laid = lay_over(policy, &pinned.name, goproxy, base, &standing);
        Some(laid.map_err(|fault| refused(&pinned.name, fault)))
    }

    /// Returns the pinned mirror as a profile of this policy, if it may be used.
    pub(crate) fn mirror_over(&self, policy: &Policy) -> Option<Profile> {
        self.lay(policy, self.memory.pinned.as_ref()?)?.ok()
    }

    /// Puts the pinned mirror into the policy in force.
    pub(crate) fn lay_mirror(&mut self) {
        let laid = self.mirror_over(&self.loaded.policy);
        if laid != self.loaded.policy.by_hand {
            Arc::make_mut(&mut self.loaded).policy.by_hand = laid;
        }
    }

    /// Says why what is pinned is not in force.
    pub(crate) fn pin_trouble(&self, pinned: &Pinned) -> String {
        let why = match self.lay(&self.loaded.policy, pinned) {
            Some(Err(error)) => return format!("{error}; `goroam auto` ends that"),
            Some(Ok(_)) | None => "the policy has no such profile",
        };
        let name = &pinned.name;
        format!("{name} is pinned, but {why}; `goroam auto` ends that")
    }

    /// Returns the name of what is pinned, while the pin lasts and the policy allows it.
    pub(crate) fn pinned(&mut self, now: Timestamp) -> Option<String> {
        let pinned = self.memory.pinned.as_ref()?;
        if pinned.until.is_some_and(|until| until <= now) {
            self.memory.pinned = None;
            return None;
        }
        let is_there = !self.loaded.policy.variants(&pinned.name).is_empty();
        is_there.then(|| pinned.name.clone())
    }

    /// Returns how long the pin still lasts; `None`: there is no pin, or it has no end.
    pub(crate) fn pin_lasts(&self) -> Option<Duration> {
        let until = self.memory.pinned.as_ref()?.until?;
        // At the moment itself the pin has already ended.
        Some(clock::time_left(until, clock::now()) + Duration::from_millis(1))
    }

    /// Returns what `goroam use` can choose, and what holds now. What a running agent has just
    /// asked is not asked again.
    ///
    /// # Errors
    /// When the targets cannot be asked.
    pub async fn choices(&self) -> Result<Choices, Error> {
        let policy = &self.loaded.policy;
        let (snapshot, changes) = self.look();
        let file = self.file().ok();
        let is_looked_after =
            file.is_some_and(|file| locks::running(&self.paths, &file.path).is_some());
        let mut seen = BTreeMap::new();
        if is_looked_after && changes.is_empty() {
            seen.clone_from(&self.memory.seen);
        }
        let open = policy
            .targets
            .keys()
            .filter(|name| !seen.contains_key(*name));
        let open = Vec::from_iter(open.cloned());
        if !open.is_empty() {
            let open = self.to_probe(&open, false)?;
            let asked = self.probe(&open, false, &Meter::default()).await;
            let asked = asked.into_iter();
            seen.extend(asked.map(|one| (one.target.clone(), one)));
        }
        let seen = seen.into_iter().map(|(name, observation)| {
            let up = observation.is_up();
            (name, TargetState { observation, up })
        });
        let same_stay = targets::same_stay(&self.memory, Cause::Asked, &snapshot);
        let record = self.memory.fastest_record(same_stay, &snapshot);
        let facts = DecisionFacts {
            snapshot: &snapshot,
            seen: &seen.collect(),
            env: &self.env,
            fastest: &fastest::known(record, policy),
            gaps: Gaps::default(),
        };
        let standing = standing(policy, facts);
        let choice = |name: String| {
            let variants = policy.profiles.iter().zip(&standing);
            let variants = variants.filter(|(profile, _)| profile.name == name);
            let holds = Truth::any(variants.map(|(_, holds)| *holds));
            let decision = decide(policy, facts, Some(&name)).unwrap_or_default();
            let env = decision.env.into_iter();
            let env = env.map(|(name, value)| (name, mask(&value)));
            ProfileChoice {
                name,
                holds: match holds {
                    Truth::True => Some(true),
                    Truth::False => Some(false),
                    Truth::Unknown => None,
                },
                env: env.collect(),
                loosens: decision.loosens,
            }
        };
        let now = clock::now();
        let pinned = self.memory.pinned.as_ref();
        let lasts = |pinned: &&Pinned| pinned.until.is_none_or(|until| until > now);
        Ok(Choices {
            profile: self.memory.profile.clone(),
            pinned: pinned.filter(lasts).map(Pinned::shown),
            profiles: policy.names().into_iter().map(choice).collect(),
            mirrors: MIRRORS.to_vec(),
        })
    }
}
