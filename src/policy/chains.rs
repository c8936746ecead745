//! The chains that a profile's GOPROXY can become.

use std::collections::BTreeMap;

use super::expand::expand;
use super::profile::EnvValue;
use super::variables::stand_in;
use crate::model::{Chain, Target};

/// A chain, and whether its offsets are those of the text as it stands in the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Possible {
    /// The chain, with stand-ins for `${…}`.
    pub chain: Chain,
    /// The text as written, if the offsets within the chain are right for it.
    pub text: Option<String>,
}

/// Every chain that the value can become: one, or one for each target of a `fastest`. Values
/// with faults yield none.
pub(super) fn chains(value: &EnvValue, targets: &BTreeMap<String, Target>) -> Vec<Possible> {
    match value {
        EnvValue::Text(text) => {
            let expanded = expand(text, &stand_in).unwrap_or_default();
            let exact = (expanded == *text).then(|| text.clone());
            possible(&expanded, exact).into_iter().collect()
        }
        EnvValue::Fastest {
            of,
            then,
            separator,
        } => {
            let then = then.as_deref().unwrap_or_default();
            let then = expand(then, &stand_in).unwrap_or_default();
            let mut found: Vec<Possible> = of
                .iter()
                .filter_map(|name| targets.get(name)?.hop_url())
                .filter_map(|url| possible(&format!("{url}{separator}{then}"), None))
                .collect();
            // Where every one is a mirror, the rest may be all there is.
            let proxy = |name: &String| targets.get(name).is_some_and(|one| !one.is_local());
            if !of.iter().any(proxy) {
                found.extend(possible(&then, None));
            }
            found
        }
    }
}

fn possible(value: &str, text: Option<String>) -> Option<Possible> {
    let chain = Chain::parse(value).ok()?;
    Some(Possible { chain, text })
}
