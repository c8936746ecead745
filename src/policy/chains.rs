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

/// Every chain that GOPROXY can become: one, or one for each target of a `fastest`. Values
/// with faults yield none.
pub(super) fn chains(
    env: &BTreeMap<String, EnvValue>,
    targets: &BTreeMap<String, Target>,
) -> Vec<Possible> {
    match env.get("GOPROXY") {
        None => Vec::new(),
        Some(EnvValue::Text(text)) => {
            let expanded = resolve(text, env);
            let exact = (expanded == *text).then(|| text.clone());
            possible(&expanded, exact).into_iter().collect()
        }
        Some(EnvValue::Fastest {
            of,
            then,
            separator,
        }) => {
            let then = resolve(then.as_deref().unwrap_or_default(), env);
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

/// A value as it will be applied: with what the same profile sets for `${…}`, and a stand-in for
/// what it does not.
pub(super) fn resolve(text: &str, env: &BTreeMap<String, EnvValue>) -> String {
    /// As deep as values are looked up that refer to one another.
    const DEEPEST: usize = 8;
    fn within(text: &str, env: &BTreeMap<String, EnvValue>, depth: usize) -> String {
        let lookup = |name: &str| match env.get(name) {
            Some(EnvValue::Text(own)) if depth < DEEPEST => Some(within(own, env, depth + 1)),
            Some(_) | None => stand_in(name),
        };
        expand(text, &lookup).unwrap_or_default()
    }
    within(text, env, 0)
}

fn possible(value: &str, text: Option<String>) -> Option<Possible> {
    let chain = Chain::parse(value).ok()?;
    Some(Possible { chain, text })
}
