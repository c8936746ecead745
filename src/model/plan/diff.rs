//! The difference between what stands in the go env file and what is wanted.

use std::collections::BTreeMap;

use super::step::{Plan, Step};

/// What one managed variable is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Want {
    /// This value.
    Value(String),
    /// What it was before goroam first touched it; `None`: no line.
    Baseline(Option<String>),
    /// Whatever somebody else has made of it.
    Respect,
}

/// What is to be done so that each variable is what is wanted of it. `present` is what the
/// file says; a name that it does not hold has no line.
pub fn diff(present: &BTreeMap<String, String>, wants: &BTreeMap<String, Want>) -> Plan {
    let steps = wants.iter().map(|(name, want)| {
        let now = present.get(name);
        let wanted = match want {
            Want::Value(value) => Some(value),
            Want::Baseline(value) => value.as_ref(),
            Want::Respect => {
                return Step::Leave {
                    name: name.clone(),
                    why: "was changed by somebody else".to_owned(),
                };
            }
        };
        match (wanted, now) {
            (wanted, now) if wanted == now => Step::Leave {
                name: name.clone(),
                why: "is right already".to_owned(),
            },
            (Some(value), _) => Step::Set {
                name: name.clone(),
                value: value.clone(),
            },
            (None, _) => Step::Unset { name: name.clone() },
        }
    });
    Plan {
        steps: steps.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Plan, Step, Want, diff};

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
                Step::Unset {
                    name: "GOPRIVATE".into()
                },
                Step::Set {
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
            [Step::Unset {
                name: "GOPRIVATE".into()
            }]
        );
    }
}
