//! The changes to write: the difference between the present go env file and the decision. Pure;
//! `gocmd` applies it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::model::Patterns;

/// What to do with one variable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "do")]
pub enum PlanStep {
    /// `go env -w NAME=VALUE`.
    Set {
        /// The variable.
        name: String,
        /// Its value, as go stores it.
        value: String,
    },
    /// `go env -u NAME`.
    Unset {
        /// The variable.
        name: String,
    },
    /// No change, and the reason.
    Leave {
        /// The variable.
        name: String,
        /// "is right already", "was changed outside goroam".
        why: String,
    },
}

impl PlanStep {
    /// Returns the name of the variable.
    pub fn name(&self) -> &str {
        match self {
            PlanStep::Set { name, .. }
            | PlanStep::Unset { name }
            | PlanStep::Leave { name, .. } => name,
        }
    }
}

/// What to do with each managed variable, sorted by name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Plan {
    /// One step for each variable.
    pub steps: Vec<PlanStep>,
}

impl Plan {
    /// Returns the steps that change something.
    pub fn changes(&self) -> impl Iterator<Item = &PlanStep> {
        self.steps
            .iter()
            .filter(|step| !matches!(step, PlanStep::Leave { .. }))
    }

    /// Reports whether there is nothing to change.
    pub fn is_empty(&self) -> bool {
        self.changes().next().is_none()
    }
}

/// The desired state of one managed variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Want {
    /// Exactly this value.
    Value(String),
    /// Its value before goroam first changed it; `None`: no line.
    Baseline(Option<String>),
    /// The value that another program or the user has set.
    Respect,
}

/// Returns the steps that bring each variable to its desired state. `present` is what the file
/// holds; a name that is not in it has no line.
pub fn diff(present: &BTreeMap<String, String>, wants: &BTreeMap<String, Want>) -> Plan {
    let steps = wants.iter().map(|(name, want)| {
        let now = present.get(name);
        let wanted = match want {
            Want::Value(value) => Some(value),
            Want::Baseline(value) => value.as_ref(),
            Want::Respect => {
                return PlanStep::Leave {
                    name: name.clone(),
                    why: "was changed outside goroam".to_owned(),
                };
            }
        };
        match (wanted, now) {
            (wanted, now) if wanted == now => PlanStep::Leave {
                name: name.clone(),
                why: "is right already".to_owned(),
            },
            (Some(value), _) => PlanStep::Set {
                name: name.clone(),
                value: value.clone(),
            },
            (None, _) => PlanStep::Unset { name: name.clone() },
        }
    });
    Plan {
        steps: steps.collect(),
    }
}

// Groups of variables that depend on each other. goroam writes them as one set: `GONOPROXY=none` is
// private beside `GOPROXY=file://…`, but beside another GOPROXY it sends private names to a public
// proxy. So a value that the user sets by hand ends what goroam has set because of it.

/// Every variable that may have been set because of a proxy.
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
/// The other two default to GOPRIVATE, so each of them can override it.
const OF_PRIVACY: &[&str] = &["GONOPROXY", "GONOSUMDB", "GOPRIVATE"];

/// Returns the variables that goroam may have set because of this one's value.
pub fn companions(name: &str) -> &'static [&'static str] {
    match name {
        "GOPROXY" => OF_GOPROXY,
        "GOSUMDB" | "GONOSUMDB" => OF_VERIFICATION,
        "GOPRIVATE" | "GONOPROXY" => OF_PRIVACY,
        _ => &[],
    }
}

/// Returns which of goroam's values end because these names were set by hand, and the value that
/// each returns to; `None`: no line.
///
/// `ours` is what goroam has set or is about to set. `own` returns the value of a variable without
/// goroam: the value set by hand, the value before goroam, or, for a variable that goroam does not
/// manage, the value in the file. A value of goroam's that is at least as private and as well
/// verified as the user's own stays: private names must not lose a GOPRIVATE that the policy adds.
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

/// Reports whether the value is at least as private and as well verified as without goroam.
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

/// Reports whether the pattern is a host, or all hosts below a domain; `none` and `*` are neither.
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
mod companions_tests {
    use std::collections::BTreeMap;

    use super::ended;

    /// `GOPROXY=x` was set by hand; goroam has set `ours`, and before that the values were `own`.
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

#[cfg(test)]
mod tests {
    use super::{Plan, PlanStep, Want, diff};

    fn plan(present: &[(&str, &str)], wants: &[(&str, Want)]) -> Plan {
        let present = present
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
            .collect();
        let wants = wants
            .iter()
            .map(|(n, w)| ((*n).to_owned(), w.clone()))
            .collect();
        diff(&present, &wants)
    }

    #[test]
    fn a_value_that_stands_is_left_alone() {
        let plan = plan(
            &[("GOPROXY", "off")],
            &[("GOPROXY", Want::Value("off".into()))],
        );
        assert!(plan.is_empty());
    }

    #[test]
    fn a_name_that_the_profile_does_not_set_goes_back_to_the_baseline() {
        let plan = plan(
            &[("GOPRIVATE", "corp.example"), ("GOSUMDB", "off")],
            &[
                ("GOPRIVATE", Want::Baseline(None)),
                ("GOSUMDB", Want::Baseline(Some("sum.golang.org".into()))),
            ],
        );
        assert_eq!(
            plan.steps,
            [
                PlanStep::Unset {
                    name: "GOPRIVATE".into()
                },
                PlanStep::Set {
                    name: "GOSUMDB".into(),
                    value: "sum.golang.org".into()
                },
            ]
        );
    }

    #[test]
    fn an_empty_value_is_not_the_same_as_no_line() {
        let plan = plan(&[("GOPRIVATE", "")], &[("GOPRIVATE", Want::Baseline(None))]);
        assert_eq!(
            plan.steps,
            [PlanStep::Unset {
                name: "GOPRIVATE".into()
            }]
        );
    }
}
