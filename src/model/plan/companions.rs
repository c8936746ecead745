//! Variables that belong together. goroam writes them as one set: `GONOPROXY=none` is private
//! beside `GOPROXY=file://…`, and sends private names to a public proxy beside another GOPROXY.
//! So a value that the user sets by hand ends what goroam has set for it.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::Patterns;

/// Everything that a proxy may have been the reason for.
const OF_GOPROXY: &[&str] = &[
    "GOAUTH",
    "GOFLAGS",
    "GOINSECURE",
    "GONOPROXY",
    "GONOSUMCHECK",
    "GONOSUMDB",
    "GOPRIVATE",
    "GOSUMDB",
    "GOVCS",
];
const OF_VERIFICATION: &[&str] = &[
    "GOFLAGS",
    "GOINSECURE",
    "GONOSUMCHECK",
    "GONOSUMDB",
    "GOPRIVATE",
    "GOSUMDB",
    "GOVCS",
];
/// GOPRIVATE is what the other two default to, so each of them can undo it.
const OF_PRIVACY: &[&str] = &["GONOPROXY", "GONOSUMDB", "GOPRIVATE"];

/// The variables that goroam may have set because of this one's value.
pub fn companions(name: &str) -> &'static [&'static str] {
    match name {
        "GOPROXY" => OF_GOPROXY,
        "GOSUMDB" | "GONOSUMDB" => OF_VERIFICATION,
        "GOPRIVATE" | "GONOPROXY" => OF_PRIVACY,
        _ => &[],
    }
}

/// Which of goroam's values end because these names were set by hand, and what each goes back
/// to; `None`: no line.
///
/// `ours` is what goroam has set or is about to set; `own` says what a variable is without
/// goroam: what was set by hand, what it was before, or what the file says of one that goroam
/// does not manage. A value of goroam's that is at least as private and as well verified as the
/// user's own stays: a GOPRIVATE that the policy adds must not be taken from private names.
pub fn ended(
    by_hand: &BTreeSet<String>,
    ours: &BTreeMap<String, Option<String>>,
    own: &dyn Fn(&str) -> Option<String>,
) -> BTreeMap<String, Option<String>> {
    let mut ended = BTreeMap::new();
    for name in by_hand.iter().flat_map(|name| companions(name)) {
        if by_hand.contains(*name) {
            continue;
        }
        let Some(set) = ours.get(*name) else {
            continue;
        };
        let before = own(name);
        if *set != before && !may_stay(name, set.as_deref().unwrap_or_default(), own) {
            ended.insert((*name).to_owned(), before);
        }
    }
    ended
}

/// Is it at least as private and as well verified as without goroam?
fn may_stay(name: &str, set: &str, own: &dyn Fn(&str) -> Option<String>) -> bool {
    let before = own(name).unwrap_or_default();
    match name {
        "GONOPROXY" | "GONOSUMDB" | "GOPRIVATE" => {
            let before = if before.is_empty() && name != "GOPRIVATE" {
                own("GOPRIVATE").unwrap_or_default()
            } else {
                before
            };
            let (set, before) = (Patterns::parse(set), Patterns::parse(&before));
            let is_wider = before.globs().iter().all(|glob| set.globs().contains(glob));
            is_wider && !set.globs().is_empty() && set.globs().iter().all(|glob| is_narrow(glob))
        }
        "GOSUMDB" => before == "off" && set != "off",
        "GOINSECURE" => matches!(set, "" | "none"),
        "GOFLAGS" => is_insecure(&before) && !is_insecure(set),
        "GOVCS" => before.contains(":all") && !set.contains(":all"),
        _ => false,
    }
}

/// A host, or all hosts below a domain; `none` and `*` are neither.
fn is_narrow(glob: &str) -> bool {
    let host = glob.split('/').next().unwrap_or_default();
    let (host, labels) = match host.strip_prefix("*.") {
        Some(domain) => (domain, 2),
        None => (host, 1),
    };
    let is_literal = !host.contains(['*', '?', '[', '\\']);
    is_literal
        && host.split('.').filter(|label| !label.is_empty()).count() >= labels
        && host != "none"
}

fn is_insecure(flags: &str) -> bool {
    let name = |flag: &str| {
        flag.trim_matches(['\'', '"'])
            .trim_start_matches('-')
            .to_owned()
    };
    flags.split_whitespace().any(|flag| {
        matches!(
            name(flag).as_str(),
            "insecure" | "insecure=true" | "insecure=1"
        )
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::ended;

    /// `GOPROXY=x` was set by hand; goroam has set `ours`, and before it there was `own`.
    fn left(by_hand: &str, ours: &[(&str, &str)], own: &[(&str, &str)]) -> Vec<String> {
        let ours: BTreeMap<String, Option<String>> = ours
            .iter()
            .map(|(name, value)| ((*name).to_owned(), Some((*value).to_owned())))
            .collect();
        let own = |name: &str| {
            let found = own.iter().find(|(own, _)| *own == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let ended = ended(&[by_hand.to_owned()].into(), &ours, &own);
        ended
            .into_iter()
            .map(|(name, value)| format!("{name}={}", value.as_deref().unwrap_or("-")))
            .collect()
    }

    #[test]
    fn what_was_private_beside_goroams_proxy_only_ends_with_it() {
        let offline = [("GOPROXY", "file:///m,off"), ("GONOPROXY", "none")];
        let own = [("GOPRIVATE", "corp.test")];
        assert_eq!(left("GOPROXY", &offline, &own), ["GONOPROXY=-"]);
        assert_eq!(left("GOPROXY", &offline, &[]), ["GONOPROXY=-"]);
        let own = [("GONOPROXY", "a.test"), ("GOPRIVATE", "b.test")];
        assert_eq!(left("GOPROXY", &offline, &own), ["GONOPROXY=a.test"]);
        assert_eq!(left("GOPRIVATE", &offline, &own), ["GONOPROXY=a.test"]);
        assert_eq!(left("GOTOOLCHAIN", &offline, &own), [""; 0]);
    }

    #[test]
    fn what_verifies_less_than_the_user_does_ends() {
        let weak = [
            ("GOSUMDB", "off"),
            ("GONOSUMDB", "*"),
            ("GOINSECURE", "*.test"),
            ("GOFLAGS", "-mod=vendor"),
            ("GOVCS", "*:all"),
        ];
        let all = [
            "GOFLAGS=-",
            "GOINSECURE=-",
            "GONOSUMDB=-",
            "GOSUMDB=-",
            "GOVCS=-",
        ];
        assert_eq!(left("GOPROXY", &weak, &[]), all);
        assert_eq!(
            left("GOSUMDB", &weak[1..], &[]),
            all.iter()
                .copied()
                .filter(|l| *l != "GOSUMDB=-")
                .collect::<Vec<_>>()
        );
        assert_eq!(left("GONOPROXY", &weak, &[]), ["GONOSUMDB=-"]);
    }

    #[test]
    fn what_is_stricter_or_more_private_than_the_user_stays() {
        let strict = [
            ("GOSUMDB", "sum.golang.org"),
            ("GOINSECURE", "none"),
            ("GOFLAGS", "-v"),
        ];
        let own = [
            ("GOSUMDB", "off"),
            ("GOINSECURE", "*"),
            ("GOFLAGS", "-insecure"),
        ];
        assert_eq!(left("GOPROXY", &strict, &own), [""; 0]);
        let private = [
            ("GOPRIVATE", "git.corp.test,old.test"),
            ("GONOPROXY", "none"),
        ];
        assert_eq!(
            left("GOPROXY", &private, &[("GOPRIVATE", "old.test")]),
            ["GONOPROXY=-"]
        );
        assert_eq!(
            left("GOPROXY", &private, &[("GOPRIVATE", "other.test")]),
            ["GONOPROXY=-", "GOPRIVATE=other.test"]
        );
        for wide in ["*", "*.test", "[a-z]*.test", "git.corp.test,*"] {
            assert_eq!(
                left("GOPROXY", &[("GOPRIVATE", wide)], &[]),
                ["GOPRIVATE=-"],
                "{wide}"
            );
        }
    }
}
