//! Decides whether an offered policy replaces the one that is held. The order matters: nothing is
//! parsed before its signature is right.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use super::header::{PolicyHeader, Release, Rollout};
use super::keys::{decode, signer};
use super::settings::{FleetSettings, weaker};
use super::state::{FleetState, HeldPair, Offer, SeenVersion};
use crate::gomod::sum::sha256_hex;
use crate::policy::file::{PolicyLocation, header, parse_as};
use crate::policy::finding::shown;
use crate::policy::layers::LayerKind;

/// The longest policy, in bytes.
pub const MOST_BODY: usize = 256 << 10;
/// The longest signature, in bytes. minisign's have some 300.
pub const MOST_SIGNATURE: usize = 4 << 10;
/// This long before it expires a policy is called old.
pub const WARN_BEFORE: Duration = Duration::from_secs(7 * 86_400);
/// A clock that is this much behind the policy's date is wrong.
const CLOCK_SLACK: Duration = Duration::from_secs(86_400);
/// The shares of a roll-out are counted in hundredths.
const WHOLE: u128 = 100;

/// Everything that a judgement depends on.
#[derive(Debug, Clone, Copy)]
pub struct Judge<'a> {
    /// `[fleet]`.
    pub settings: &'a FleetSettings,
    /// What is held.
    pub state: &'a FleetState,
    /// The time.
    pub now: Timestamp,
    /// The version of goroam.
    pub goroam: &'a str,
    /// What relative paths and `~` in the policy mean.
    pub location: PolicyLocation<'a>,
}

/// A right offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judged {
    /// It is what is held.
    Same,
    /// It replaces what is held; this is the new state.
    New(Box<FleetState>),
    /// It is right, but this machine applies the version before it, whose bytes are not held.
    NeedsPrevious {
        /// That version.
        version: u64,
    },
}

/// Why an offer is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It is longer than a policy may be.
    TooLong,
    /// The signature is not by one of the keys, or not of these bytes.
    Signature,
    /// The key no longer counts.
    Retired,
    /// It lacks what a fleet's policy must say of itself.
    Header,
    /// It is another policy.
    OtherId,
    /// It is older than one that was seen.
    RolledBack,
    /// There are two policies with one version.
    Twins,
    /// It needs a newer goroam.
    NeedsNewer,
    /// It has expired.
    Expired,
    /// It has errors.
    Policy,
    /// It weakens verification.
    Weaker,
    /// The version before, which this machine is to apply, is not the one that the policy names.
    Previous,
}

impl Refusal {
    /// Returns the word for scripts.
    pub fn code(self) -> &'static str {
        match self {
            Refusal::TooLong => "too-long",
            Refusal::Signature => "bad-signature",
            Refusal::Retired => "retired-key",
            Refusal::Header => "bad-header",
            Refusal::OtherId => "other-id",
            Refusal::RolledBack => "rolled-back",
            Refusal::Twins => "same-version",
            Refusal::NeedsNewer => "needs-newer",
            Refusal::Expired => "expired",
            Refusal::Policy => "bad-policy",
            Refusal::Weaker => "weaker",
            Refusal::Previous => "bad-previous",
        }
    }
}

/// A refused offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The kind of refusal.
    pub why: Refusal,
    /// The reason, and what to do.
    pub reason: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Refused {}

fn refused(why: Refusal, reason: impl Into<String>) -> Refused {
    Refused {
        why,
        reason: reason.into(),
    }
}

/// A policy whose signature and content are right.
struct Right<'a> {
    text: &'a str,
    header: PolicyHeader,
    id: String,
    version: u64,
    key: String,
}

impl<'a> Judge<'a> {
    /// Judges an offer.
    ///
    /// # Errors
    /// When it is refused: what is held stays in force.
    pub fn judge(&self, offer: Offer<'_>) -> Result<Judged, Refused> {
        let key = self.signed(offer)?;
        let (text, header) = read_header(offer.body)?;
        let sha256 = sha256_hex(offer.body);
        let held = self.state.newest.as_ref();
        let is_held = held.is_some_and(|held| held.text == text);
        // Anyone can write other comments into a signature: only the text counts.
        if is_held && self.held().is_ok() {
            return Ok(Judged::Same);
        }
        let right = self.identified(text, header, key, &sha256)?;
        self.supported(&right.header)?;
        if !is_held {
            self.fresh(&right.header)?;
        }
        self.content(text)?;
        let mut state = self.state.clone();
        state.id = Some(right.id);
        let seen = SeenVersion {
            version: right.version,
            sha256,
        };
        state.highest.insert(right.key, seen);
        state
            .retired
            .extend(right.header.retire_keys.iter().cloned());
        if let Some(before) = self.stays_before(&right.header) {
            let previous = before.previous.as_ref();
            let Some(named) = previous else {
                return Err(refused(
                    Refusal::Header,
                    "[policy.rollout] has no `previous`: sign it again with the version before",
                ));
            };
            let is_named = |text: &&String| sha256_hex(text.as_bytes()) == named.sha256;
            let newest = held.map(|held| &held.text);
            let texts = [newest, self.state.previous.as_ref()];
            let Some(text) = texts.into_iter().flatten().find(is_named) else {
                let version = named.version;
                return Ok(Judged::NeedsPrevious { version });
            };
            self.content(text)?;
            state.previous = Some(text.clone());
        } else {
            state.previous = None;
        }
        state.newest = Some(HeldPair {
            text: right.text.to_owned(),
            signature: offer.signature.to_owned(),
        });
        Ok(Judged::New(Box::new(state)))
    }

    /// Judges an offer together with the version before it, which this machine is to apply.
    ///
    /// # Errors
    /// When one of them is refused.
    pub fn judge_with(&self, offer: Offer<'_>, previous: &[u8]) -> Result<Judged, Refused> {
        let wrong = |why: &str| refused(Refusal::Previous, format!("the version before it {why}"));
        let text = std::str::from_utf8(previous).map_err(|_| wrong("is not UTF-8"))?;
        let state = FleetState {
            previous: Some(text.to_owned()),
            ..self.state.clone()
        };
        let judge = Judge {
            state: &state,
            ..*self
        };
        match judge.judge(offer)? {
            Judged::NeedsPrevious { version } => Err(wrong(&format!(
                "is not the version {version} that the policy names: put those bytes beside it"
            ))),
            judged @ (Judged::Same | Judged::New(_)) => Ok(judged),
        }
    }

    /// Judges what is held, as read from the disk: another program may have changed it. Returns the
    /// text in force; `None`: nothing is held.
    ///
    /// # Errors
    /// When it is not what a store has offered, or may no longer be applied.
    pub fn held(&self) -> Result<Option<(&'a str, PolicyHeader)>, Refused> {
        let Some(pair) = &self.state.newest else {
            return Ok(None);
        };
        let key = self.signed(pair.offer())?;
        let sha256 = sha256_hex(pair.text.as_bytes());
        let right = self.identified(&pair.text, header(&pair.text), key, &sha256)?;
        let text = match self.stays_before(&right.header) {
            Some(Rollout {
                previous: Some(named),
                ..
            }) => self
                .state
                .previous
                .as_ref()
                .filter(|text| sha256_hex(text.as_bytes()) == named.sha256)
                .ok_or_else(|| {
                    let reason = "the version before it, which this machine applies, was changed";
                    refused(Refusal::Previous, reason)
                })?,
            Some(_) | None => &pair.text,
        };
        self.content(text)?;
        Ok(Some((text, right.header)))
    }

    /// Returns the key that has signed the bytes.
    fn signed(&self, offer: Offer<'_>) -> Result<String, Refused> {
        if offer.body.len() > MOST_BODY || offer.signature.len() > MOST_SIGNATURE {
            return Err(too_long());
        }
        let bad = |reason: String| refused(Refusal::Signature, reason);
        let signature = decode(offer.signature);
        let (Some(signature), Some(id)) = (signature, signer(offer.signature)) else {
            return Err(bad("its signature is not one of minisign".to_owned()));
        };
        let Some(key) = self.settings.keys.iter().find(|key| key.id == id) else {
            let reason = format!("it is signed by key {id}, which is not in [fleet] keys");
            return Err(bad(reason));
        };
        if self.state.retired.contains(&id) {
            let reason = format!("it is signed by key {id}, which an earlier policy has retired");
            return Err(refused(Refusal::Retired, reason));
        }
        if !key.has_signed(offer.body, &signature) {
            let reason = format!("its signature by key {id} does not match its bytes");
            return Err(bad(reason));
        }
        Ok(id)
    }

    /// Checks what the policy says of itself against what was seen.
    fn identified<'t>(
        &self,
        text: &'t str,
        header: PolicyHeader,
        key: String,
        sha256: &str,
    ) -> Result<Right<'t>, Refused> {
        let (id, version) = stated(&header, &key)?;
        if let Some(own) = self.state.id.as_ref().filter(|own| **own != id) {
            let reason = format!(
                "it is policy {}, and this machine follows {}: to change that, remove fleet.json \
                 and fleet.toml in the state directory",
                shown(&id),
                shown(own)
            );
            return Err(refused(Refusal::OtherId, reason));
        }
        // A leaked key may have signed a very high version. Once it is retired, or no longer
        // listed, its versions no longer count. Those of a lost record always do.
        let counts = |key: &str| {
            let mut listed = self.settings.keys.iter();
            key.is_empty()
                || listed.any(|one| one.id == key)
                    && !self.state.retired.contains(key)
                    && !header.retire_keys.iter().any(|one| one == key)
        };
        let held = self.held_version();
        let seen = self.state.highest.iter();
        let seen = seen.chain(held.iter().map(|(key, seen)| (key, seen)));
        let seen = seen.filter(|(key, _)| counts(key)).map(|(_, seen)| seen);
        if let Some(newer) = seen.clone().find(|seen| seen.version > version) {
            let reason = format!(
                "it is version {version}, and version {} was seen: the store has an old copy, or \
                 it was rolled back; if that version was a mistake, retire the key that signed it",
                newer.version
            );
            return Err(refused(Refusal::RolledBack, reason));
        }
        let mut twins = seen.filter(|seen| seen.version == version);
        if twins.any(|seen| seen.sha256 != sha256) {
            let reason = format!("there are two policies of version {version}: raise the version");
            return Err(refused(Refusal::Twins, reason));
        }
        Ok(Right {
            text,
            header,
            id,
            version,
            key,
        })
    }

    /// Returns the version of what is held and its key, if its signature is right: that counts as
    /// seen even if the record of it was lost.
    fn held_version(&self) -> Option<(String, SeenVersion)> {
        let pair = self.state.newest.as_ref()?;
        let key = self.signed(pair.offer()).ok()?;
        Some((key, SeenVersion::of(&pair.text)?))
    }

    fn supported(&self, header: &PolicyHeader) -> Result<(), Refused> {
        match (header.min_goroam, Release::parse(self.goroam)) {
            (Some(least), Some(own)) if own < least => {
                let reason = format!("it needs goroam {least} or newer, and this is {own}");
                Err(refused(Refusal::NeedsNewer, reason))
            }
            (_, _) => Ok(()),
        }
    }

    /// A policy that is held stays in force when it expires; a new one must not have expired.
    fn fresh(&self, header: &PolicyHeader) -> Result<(), Refused> {
        match header.expires {
            Some(expires) if is_expired(header, self.now) => {
                let reason = format!("it expired at {expires}: sign a new version");
                Err(refused(Refusal::Expired, reason))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn content(&self, text: &str) -> Result<(), Refused> {
        content(text, self.location, self.settings.allow_weaker)
    }

    /// Returns the roll-out if this machine is not among those that apply the policy.
    fn stays_before<'h>(&self, header: &'h PolicyHeader) -> Option<&'h Rollout> {
        let rollout = header.rollout.as_ref()?;
        let place = sha256_hex(format!("{}|{}", rollout.salt, self.state.machine).as_bytes());
        let first = place.get(..16).unwrap_or_default();
        let place = u64::from_str_radix(first, 16).unwrap_or(u64::MAX);
        let share = u128::from(rollout.percent) << 64;
        (u128::from(place) * WHOLE >= share).then_some(rollout)
    }
}

impl FleetState {
    /// Returns the text in force.
    pub fn in_force(&self) -> Option<&String> {
        self.previous
            .as_ref()
            .or_else(|| self.newest.as_ref().map(|pair| &pair.text))
    }
}

impl PolicyHeader {
    /// Says how old it is at this moment; `None`: young enough.
    pub fn age_warning(&self, now: Timestamp) -> Option<String> {
        let expires = self.expires?;
        if is_expired(self, now) {
            return Some(format!("expired at {expires}; it stays in force"));
        }
        let soon = now.checked_add(WARN_BEFORE).ok()?;
        (is_judged(self, now) && expires <= soon).then(|| format!("expires at {expires}"))
    }
}

/// Reports whether the policy has expired, as far as this clock can say.
pub(super) fn is_expired(header: &PolicyHeader, now: Timestamp) -> bool {
    is_judged(header, now) && header.expires.is_some_and(|expires| expires <= now)
}

fn is_judged(header: &PolicyHeader, now: Timestamp) -> bool {
    let Some(issued) = header.issued else {
        return true;
    };
    issued
        .checked_sub(CLOCK_SLACK)
        .map_or(true, |least| now >= least)
}

/// Checks what a text says as each machine does, before anything is known of it. `key`: the number of
/// the key that signs it.
///
/// # Errors
/// When no machine would take it.
pub fn check_draft(
    text: &str,
    key: &str,
    location: PolicyLocation<'_>,
    allow_weaker: bool,
) -> Result<(), Refused> {
    if text.len() > MOST_BODY {
        return Err(too_long());
    }
    content(text, location, allow_weaker)?;
    stated(&header(text), key).map(drop)
}

fn too_long() -> Refused {
    let most = MOST_BODY >> 10;
    let reason = format!("it exceeds the {most} KiB limit for a fleet's policy");
    refused(Refusal::TooLong, reason)
}

/// Returns the name and the version of a policy that says all that it must.
fn stated(header: &PolicyHeader, key: &str) -> Result<(String, u64), Refused> {
    let wrong = |reason: String| Err(refused(Refusal::Header, reason));
    let (Some(id), Some(version), Some(issued), Some(expires)) =
        (&header.id, header.version, header.issued, header.expires)
    else {
        return wrong(
            "[policy] needs id, version, issued and expires; `goroam fleet sign` sets version and \
             issued"
                .to_owned(),
        );
    };
    if expires <= issued {
        return wrong("[policy] expires before it was issued".to_owned());
    }
    if header.retire_keys.iter().any(|one| one == key) {
        return wrong(format!(
            "it retires key {key}, which has signed it: use another key"
        ));
    }
    Ok((id.clone(), version))
}

/// Checks a policy as `goroam check` does, and that it weakens nothing.
fn content(text: &str, location: PolicyLocation<'_>, allow_weaker: bool) -> Result<(), Refused> {
    let parsed = parse_as(LayerKind::Fleet, text, location);
    let Some(policy) = parsed.policy else {
        let first = parsed.findings.iter().find(|finding| finding.is_error());
        let first = first.map_or("", |finding| finding.message.as_str());
        return Err(refused(Refusal::Policy, format!("it has errors: {first}")));
    };
    let weaker = weaker(&policy);
    if weaker.is_empty() || allow_weaker {
        return Ok(());
    }
    let reason = format!(
        "it weakens verification or runs programs ({}); only the machine's own file can allow \
         that, with [fleet] allow_weaker = true",
        weaker.join("; ")
    );
    Err(refused(Refusal::Weaker, reason))
}

fn read_header(body: &[u8]) -> Result<(&str, PolicyHeader), Refused> {
    let text = std::str::from_utf8(body)
        .map_err(|_| refused(Refusal::Policy, "it is not UTF-8".to_owned()))?;
    Ok((text, header(text)))
}
