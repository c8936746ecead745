//! Variables of the caller's shell that win over what `go env -w` wrote. Only the caller's
//! own process can know them; an agent has another environment.

use std::collections::BTreeMap;

use crate::environment::Environment;
use crate::model::status::Shadow;

/// The variables of `applied` that this environment sets too, whatever to: even the same
/// value would stay behind at the next switch.
pub(super) fn shadows(env: &Environment, applied: &BTreeMap<String, String>) -> Vec<Shadow> {
    let shadow = |(name, written): (&String, &String)| {
        Some(Shadow {
            name: name.clone(),
            value: without_credentials(env.get(name)?),
            written: Some(written.clone()),
        })
    };
    applied.iter().filter_map(shadow).collect()
}

/// Takes `user:password@` out of every element of a list of URLs.
fn without_credentials(value: &str) -> String {
    let hide = |part: &str| {
        let (scheme, rest) = match part.split_once("://") {
            Some((scheme, rest)) => (format!("{scheme}://"), rest),
            None => (String::new(), part),
        };
        let authority = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        match rest.get(..authority).and_then(|head| head.rfind('@')) {
            Some(at) => format!("{scheme}{}", rest.get(at + 1..).unwrap_or_default()),
            None => part.to_owned(),
        }
    };
    value.split_inclusive([',', '|', ' ']).map(hide).collect()
}

#[cfg(test)]
mod tests {
    use super::{shadows, without_credentials};
    use crate::environment::Environment;

    #[test]
    fn a_variable_of_the_shell_shadows_what_was_written() {
        let env: Environment = [
            ("GOPROXY", "https://me:secret@corp.example,direct"),
            ("GOSUMDB", ""),
            ("GOFLAGS", "-v"),
        ]
        .into_iter()
        .collect();
        let applied = [("GOPROXY", "off"), ("GOSUMDB", "off")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let found = shadows(&env, &applied.into_iter().collect());
        assert_eq!(found.len(), 1, "an empty one counts as unset: {found:?}");
        assert_eq!(found[0].name, "GOPROXY");
        assert_eq!(found[0].value, "https://corp.example,direct");
    }

    #[test]
    fn credentials_are_taken_out_of_every_element() {
        for (value, shown) in [
            ("https://u:p@a/x@y|b:c@d", "https://a/x@y|d"),
            ("sum.golang.org https://u:p@s/", "sum.golang.org https://s/"),
            ("https://u:p@q@a", "https://a"),
            ("direct", "direct"),
        ] {
            assert_eq!(without_credentials(value), shown);
        }
    }
}
