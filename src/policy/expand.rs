//! `${NAME}` in a value of `env`: go's own variables, HOME and the mirror.

use std::collections::BTreeMap;

use super::finding::shown;
use super::profile::EnvValue;
use super::variables::stand_in;
use crate::model::go_url::path as url_path;
use crate::model::{Chain, Target};

/// Replaces every `${NAME}` by the result of `lookup` for the name. A `$` without a `{` after it
/// stays as it is. Directly after `file://` a path is written in URL form: `C:\go` becomes
/// `/C:/go`, and characters that would end the URL or the list are percent-encoded.
///
/// # Errors
/// If a `${` is not closed, or `lookup` does not know a name; in words for a message.
pub fn expand(text: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        expanded.push_str(before);
        let Some((name, behind)) = after.split_once('}') else {
            return Err("`${` is not closed with `}`".to_owned());
        };
        match lookup(name) {
            Some(value) if expanded.ends_with("file://") => expanded.push_str(&url_path(&value)),
            Some(value) => expanded.push_str(&value),
            None => return Err(format!("`${{{}}}` has no value", shown(name))),
        }
        rest = behind;
    }
    expanded.push_str(rest);
    Ok(expanded)
}

/// A chain, and whether its offsets are valid for the text of the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Possible {
    /// The chain, with placeholder values for `${…}`.
    pub chain: Chain,
    /// The text as written, if the offsets within the chain are valid for it.
    pub text: Option<String>,
}

/// Returns every chain that GOPROXY can become: one, or one for each target of a `fastest`. Values
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
            // If every target is a mirror, only the rest may remain.
            let proxy = |name: &String| targets.get(name).is_some_and(|one| !one.is_local());
            if !of.iter().any(proxy) {
                found.extend(possible(&then, None));
            }
            found
        }
    }
}

/// Returns a value as it will be applied: `${…}` is replaced by what the same profile sets, or else
/// by a placeholder value.
pub(super) fn resolve(text: &str, env: &BTreeMap<String, EnvValue>) -> String {
    /// The maximum depth of values that refer to one another.
    const DEEPEST: usize = 8;
    fn within(text: &str, env: &BTreeMap<String, EnvValue>, depth: usize) -> String {
        let lookup = |name: &str| match env.get(name) {
            Some(EnvValue::Text(own)) if depth < DEEPEST => Some(within(own, env, depth + 1)),
            Some(_) | None => stand_in(name).map(str::to_owned),
        };
        expand(text, &lookup).unwrap_or_default()
    }
    within(text, env, 0)
}

fn possible(value: &str, text: Option<String>) -> Option<Possible> {
    let chain = Chain::parse(value).ok()?;
    Some(Possible { chain, text })
}

#[cfg(test)]
mod tests {
    use super::expand;
    use crate::policy::profile::references;

    #[test]
    fn names_are_replaced_and_faults_are_named() {
        let lookup = |name: &str| (name == "HOME").then(|| "/home/me".to_owned());
        for (text, want) in [
            ("file://${HOME}/m,off", Ok("file:///home/me/m,off")),
            ("${HOME}${HOME}", Ok("/home/me/home/me")),
            ("a$b $ {HOME}", Ok("a$b $ {HOME}")),
            ("${HOME", Err("`${` is not closed with `}`")),
            ("${}", Err("`${}` has no value")),
            ("${PATH}", Err("`${PATH}` has no value")),
        ] {
            let got = expand(text, &lookup);
            assert_eq!(got.as_deref().map_err(String::as_str), want, "{text}");
        }
    }

    #[test]
    fn references_are_what_is_looked_up() {
        let text = "file://${HOME}/a,${GOMODCACHE}$x ${open";
        assert_eq!(references(text).collect::<Vec<_>>(), ["HOME", "GOMODCACHE"]);
    }

    #[test]
    fn what_was_put_in_is_not_expanded_again() {
        let lookup = |_: &str| Some("${HOME}".to_owned());
        assert_eq!(expand("${HOME}", &lookup).as_deref(), Ok("${HOME}"));
    }

    #[test]
    fn a_path_behind_file_becomes_the_path_of_a_url() {
        for (path, url) in [
            ("/home/me/go", "file:///home/me/go/m,off"),
            ("/a,b|c%d/x", "file:///a%2Cb%7Cc%25d/x/m,off"),
            ("C:\\Users\\me", "file:///C:/Users/me/m,off"),
        ] {
            let lookup = |_: &str| Some(path.to_owned());
            assert_eq!(
                expand("file://${GOMODCACHE}/m,off", &lookup).as_deref(),
                Ok(url)
            );
        }
    }
}
