//! What a condition proves: can it hold although nothing that cannot be forged is there?

use std::collections::BTreeMap;

use super::profile::Condition;
use crate::model::Target;

/// Can the condition not hold without an authenticated fact?
pub(super) fn is_proven(condition: &Condition, targets: &BTreeMap<String, Target>) -> bool {
    guarantees(condition, true, targets)
}

/// Does `condition == value` imply that some authenticated target is up?
fn guarantees(condition: &Condition, value: bool, targets: &BTreeMap<String, Target>) -> bool {
    let authenticated = |name: &String| targets.get(name).is_some_and(Target::is_authenticated);
    match (condition, value) {
        (Condition::Up(name), true) | (Condition::Down(name), false) => authenticated(name),
        // Even if all others are up, one of the `n` is authenticated.
        (Condition::AtLeast { n, of }, true) => {
            of.iter().filter(|name| !authenticated(name)).count() < *n
        }
        // One part is enough: all of them have the value.
        (Condition::All(parts), true) | (Condition::Any(parts), false) => {
            parts.iter().any(|part| guarantees(part, value, targets))
        }
        // Nobody knows which part has the value: each must do.
        (Condition::Any(parts), true) | (Condition::All(parts), false) => {
            !parts.is_empty() && parts.iter().all(|part| guarantees(part, value, targets))
        }
        (Condition::Not(part), _) => guarantees(part, !value, targets),
        (
            Condition::Always
            | Condition::Up(_)
            | Condition::Down(_)
            | Condition::AtLeast { .. }
            | Condition::Portal(_)
            | Condition::Online(_)
            | Condition::InterfaceName(_)
            | Condition::InterfaceKind(_)
            | Condition::Subnet(_)
            | Condition::Gateway(_)
            | Condition::DnsServer(_)
            | Condition::SearchDomain(_)
            | Condition::Ssid(_)
            | Condition::Env(_),
            _,
        ) => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{Limits, TargetKind};

    /// Two that are proven by TLS, two that anybody can forge.
    fn targets() -> BTreeMap<String, Target> {
        let urls = ["https://a.b", "https://c.d", "http://e.f", "http://g.h"];
        let named = urls.iter().enumerate().map(|(i, url)| {
            let target = Target {
                name: i.to_string(),
                kind: TargetKind::Https {
                    url: (*url).to_owned(),
                    status: Vec::new(),
                    body: None,
                },
                limits: Limits::default(),
                private: false,
                ca: Vec::new(),
                pins: Vec::new(),
            };
            (i.to_string(), target)
        });
        named.collect()
    }

    fn conditions() -> impl Strategy<Value = Condition> {
        let name = (0..4usize).prop_map(|i| i.to_string());
        let names = proptest::sample::subsequence(vec![0, 1, 2, 3], 1..=4);
        let leaf = prop_oneof![
            name.clone().prop_map(Condition::Up),
            name.prop_map(Condition::Down),
            any::<bool>().prop_map(Condition::Online),
            any::<bool>().prop_map(Condition::Portal),
            Just(Condition::Always),
            (0..4usize, names).prop_map(|(n, of)| Condition::AtLeast {
                n,
                of: of.iter().map(ToString::to_string).collect(),
            }),
        ];
        leaf.prop_recursive(4, 24, 3, |part| {
            prop_oneof![
                part.clone().prop_map(|part| Condition::Not(Box::new(part))),
                proptest::collection::vec(part.clone(), 0..4).prop_map(Condition::All),
                proptest::collection::vec(part, 0..4).prop_map(Condition::Any),
            ]
        })
    }

    /// The value on a network on which nothing authenticated answers.
    fn forged(condition: &Condition, up: [bool; 2], online: bool, portal: bool) -> bool {
        let is_up = |name: &String| match name.as_str() {
            "2" => up[0],
            "3" => up[1],
            _ => false,
        };
        let value = |part: &Condition| forged(part, up, online, portal);
        match condition {
            Condition::Up(name) => is_up(name),
            Condition::Down(name) => !is_up(name),
            Condition::AtLeast { n, of } => of.iter().filter(|name| is_up(name)).count() >= *n,
            Condition::Online(wanted) => *wanted == online,
            Condition::Portal(wanted) => *wanted == portal,
            Condition::All(parts) => parts.iter().all(value),
            Condition::Any(parts) => parts.iter().any(value),
            Condition::Not(part) => !value(part),
            Condition::Always
            | Condition::InterfaceName(_)
            | Condition::InterfaceKind(_)
            | Condition::Subnet(_)
            | Condition::Gateway(_)
            | Condition::DnsServer(_)
            | Condition::SearchDomain(_)
            | Condition::Ssid(_)
            | Condition::Env(_) => true,
        }
    }

    proptest! {
        /// Whoever runs the network chooses what the forgeable targets and facts say. If any
        /// choice makes the condition hold, it must not count as proven.
        #[test]
        fn nobody_can_forge_what_counts_as_proven(condition in conditions()) {
            let proven = is_proven(&condition, &targets());
            for choice in 0..16u8 {
                let bit = |i: u8| choice & (1 << i) != 0;
                let holds = forged(&condition, [bit(0), bit(1)], bit(2), bit(3));
                prop_assert!(!(proven && holds), "{:?}", condition);
            }
        }
    }

    #[test]
    fn a_target_that_is_not_there_proves_nothing() {
        let up = Condition::Up("nobody".to_owned());
        assert!(!is_proven(&up, &targets()));
        assert!(is_proven(&Condition::Up("0".to_owned()), &targets()));
    }
}
