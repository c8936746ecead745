//! One profile, as its lints see it.

use std::ops::Range;

pub(super) use crate::model::host::canonical_url as canonical;
use crate::model::{Hop, HopKind, Target};
use crate::policy::chains::Possible;
use crate::policy::finding::Finding;
use crate::policy::places::{ProfilePlace, part};
use crate::policy::profile::{EnvValue, Policy, Profile};

/// One profile, with what its lints look at.
pub(super) struct View<'a> {
    /// The policy.
    pub policy: &'a Policy,
    /// The profile.
    pub profile: &'a Profile,
    /// Where its parts stand.
    pub place: &'a ProfilePlace,
    /// The policy's text.
    pub text: &'a str,
    /// What its GOPROXY can become.
    pub chains: Vec<Possible>,
}

impl View<'_> {
    /// Every hop of every chain, with its chain.
    pub(super) fn hops(&self) -> impl Iterator<Item = (&Possible, &Hop)> {
        self.chains
            .iter()
            .flat_map(|possible| possible.chain.hops.iter().map(move |hop| (possible, hop)))
    }

    /// The place of a part of a chain.
    pub(super) fn span(&self, possible: &Possible, at: (usize, usize)) -> Range<usize> {
        let span = self.span_of("GOPROXY");
        match &possible.text {
            Some(value) => part(self.text, value, &span, at),
            None => span,
        }
    }

    /// The place of a variable's value.
    pub(super) fn span_of(&self, variable: &str) -> Range<usize> {
        let span = self.place.env.get(variable);
        span.unwrap_or(&self.place.name).clone()
    }

    /// A variable's value as written.
    pub(super) fn value(&self, variable: &str) -> Option<&str> {
        match self.profile.env.get(variable)? {
            EnvValue::Text(text) => Some(text),
            EnvValue::Fastest { .. } => None,
        }
    }

    /// The target at which a hop leads, if it is marked private.
    pub(super) fn private_target(&self, hop: &Hop) -> Option<&Target> {
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
pub(super) fn note(findings: &mut Vec<Finding>, finding: Finding) {
    if !findings.contains(&finding) {
        findings.push(finding);
    }
}
