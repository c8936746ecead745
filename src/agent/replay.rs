//! What another policy would have done in the turns of the journal. Only what a line holds counts: a
//! target that was not asked, and the environment, are not known.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;

use crate::environment::Environment;
use crate::model::mask::mask;
use crate::policy::{
    Decision, DecisionFacts, FastestFacts, Gaps, Policy, TargetState, decide, open,
};
use crate::state::Entry;
use crate::state::entry::is_as_recorded;

/// A turn of the journal under another policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReplayedTurn {
    /// Its number.
    pub turn: u64,
    /// When it ended.
    pub at: Timestamp,
    /// What started it.
    pub cause: String,
    /// What was chosen.
    pub was: Option<String>,
    /// Whether the line holds only a part of the network.
    pub shortened: bool,
    /// What comes of it now.
    #[serde(flatten)]
    pub result: ReplayResult,
}

/// What comes of a turn under another policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "result")]
pub enum ReplayResult {
    /// The same profile and the same values.
    Same,
    /// Something else.
    Differs {
        /// The profile.
        profile: String,
        /// The values that differ, credentials removed.
        values: BTreeMap<String, ReplayedValue>,
    },
    /// That depends on something that the line does not hold.
    Unknown {
        /// On what.
        needs: Vec<String>,
    },
    /// No policy decided this turn by what was seen.
    Skipped {
        /// Why.
        why: &'static str,
    },
}

/// A value then and now; `None`: the profile does not set the variable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReplayedValue {
    /// The recorded value.
    pub was: Option<String>,
    /// The value by the other policy.
    pub now: Option<String>,
}

/// Decides every turn with another policy. `others`: its targets that are not what they were when
/// the turns were recorded.
pub fn replay(entries: &[Entry], policy: &Policy, others: &BTreeSet<String>) -> Vec<ReplayedTurn> {
    let turns = entries.iter().map(|entry| {
        let decision = entry.decision.as_ref();
        ReplayedTurn {
            turn: entry.turn,
            at: entry.at,
            cause: entry.cause.clone(),
            was: decision.map(|decision| decision.profile.clone()),
            shortened: entry.left_out.is_some(),
            result: one(entry, policy, others),
        }
    });
    turns.collect()
}

fn one(entry: &Entry, policy: &Policy, others: &BTreeSet<String>) -> ReplayResult {
    let skipped = |why| ReplayResult::Skipped { why };
    let Some(was) = &entry.decision else {
        return skipped("nothing was decided");
    };
    if was.over.is_some() {
        return skipped("a mirror was chosen by hand");
    }
    if !was.pinned && was.considered.iter().all(|one| one.trace.is_none()) {
        return skipped("taken from memory; the next turn proved it");
    }
    let is_its = |name: &String| policy.targets.contains_key(name) && !others.contains(name);
    let seen = entry.report.iter().filter(|seen| is_its(&seen.target));
    let seen = seen.map(|seen| {
        let state = TargetState {
            up: seen.is_up() != entry.counts_as_before.contains(&seen.target),
            observation: seen.clone(),
        };
        (seen.target.clone(), state)
    });
    let standing = was.fastest.as_ref().map(|choice| choice.target.clone());
    let facts = DecisionFacts {
        snapshot: &entry.snapshot,
        seen: &seen.collect(),
        env: &Environment::default(),
        fastest: &FastestFacts {
            standing: standing.filter(is_its),
            rounds: Vec::new(),
        },
        gaps: Gaps {
            env: true,
            network: entry.left_out.is_some(),
        },
    };
    let pinned = was.pinned.then_some(was.profile.as_str());
    match decide(policy, facts, pinned) {
        None => ReplayResult::Unknown {
            needs: open(policy, facts, pinned),
        },
        Some(now) => compared(was, &now),
    }
}

fn compared(was: &Decision, now: &Decision) -> ReplayResult {
    let mut values = BTreeMap::new();
    for name in was.env.keys().chain(now.env.keys()) {
        let own = was.env.get(name);
        let other = now.env.get(name).map(|value| mask(value));
        let is_same = match (own, &other) {
            (Some(own), Some(other)) => is_as_recorded(own, other),
            (own, other) => own == other.as_ref(),
        };
        if !is_same {
            let value = ReplayedValue {
                was: own.cloned(),
                now: other,
            };
            values.insert(name.clone(), value);
        }
    }
    if values.is_empty() && was.profile == now.profile {
        return ReplayResult::Same;
    }
    ReplayResult::Differs {
        profile: now.profile.clone(),
        values,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::Path;

    use super::{Environment, ReplayResult, replay};
    use crate::model::{Observation, Snapshot, Verdict};
    use crate::policy::file::{PolicyLocation, parse};
    use crate::policy::{DecisionFacts, FastestFacts, Gaps, Policy, TargetState, decide};
    use crate::state::Entry;
    use crate::state::entry::LeftOut;

    const OLD: &str = r#"version = 1
[target.corp]
goproxy = "https://goproxy.corp.example"
[target.proxy]
goproxy = "https://proxy.golang.org"
[target.cn]
goproxy = "https://goproxy.cn"
[[profile]]
name = "office"
when = { up = "corp" }
env = { GOPROXY = "https://me:s3cret@goproxy.corp.example" }
[[profile]]
name = "public"
when = { up = "proxy" }
env = { GOPROXY = "https://proxy.golang.org,direct" }
[[profile]]
name = "abroad"
when = { up = "cn" }
env = { GOPROXY = { fastest = ["proxy", "cn"], then = "direct" } }
[[profile]]
name = "offline"
env = { GOPROXY = "off" }
"#;

    fn policy(text: &str) -> Policy {
        let (folder, home) = (Path::new("/"), None);
        let parsed = parse(text, PolicyLocation { folder, home });
        parsed
            .policy
            .unwrap_or_else(|| panic!("{:?}", parsed.findings))
    }

    /// The line of a turn with these answers, as the journal holds it. `!`: the target counts as
    /// the opposite.
    fn line(answers: &[&str], pinned: Option<&str>) -> Entry {
        let seen = answers.iter().map(|answer| {
            let up = answer.starts_with('+');
            let observation = Observation {
                target: answer.trim_start_matches(['+', '-', '!']).to_owned(),
                verdict: if up { Verdict::Up } else { Verdict::Down },
                ..Observation::default()
            };
            let up = up != answer.contains('!');
            (observation.target.clone(), TargetState { observation, up })
        });
        let seen: BTreeMap<String, TargetState> = seen.collect();
        let facts = DecisionFacts {
            snapshot: &Snapshot::default(),
            seen: &seen,
            env: &Environment::default(),
            fastest: &FastestFacts::default(),
            gaps: Gaps::default(),
        };
        let mut decision = decide(&policy(OLD), facts, pinned).unwrap();
        for value in decision.env.values_mut() {
            *value = crate::model::mask::mask(value);
        }
        let before = seen
            .values()
            .filter(|state| state.up != state.observation.is_up());
        Entry {
            counts_as_before: before
                .map(|state| state.observation.target.clone())
                .collect(),
            decision: Some(decision),
            report: seen.into_values().map(|state| state.observation).collect(),
            ..Entry::default()
        }
    }

    fn result(entry: &Entry, new: &str, others: &[&str]) -> String {
        let others = BTreeSet::from_iter(others.iter().map(|name| (*name).to_owned()));
        let turns = replay(std::slice::from_ref(entry), &policy(new), &others);
        match &turns[0].result {
            ReplayResult::Same => "same".to_owned(),
            ReplayResult::Unknown { needs } => format!("needs {}", needs.join(" ")),
            ReplayResult::Skipped { why } => (*why).to_owned(),
            ReplayResult::Differs { profile, values } => {
                let names = Vec::from_iter(values.keys().cloned()).join(" ");
                format!("{profile} {names}")
            }
        }
    }

    #[test]
    fn the_same_policy_decides_the_same_whatever_was_asked() {
        for answers in [
            ["+corp"].as_slice(),
            &["-corp", "+proxy"],
            &["-corp", "-proxy", "+cn"],
            &["-corp", "-proxy", "-cn"],
            // `fall`: it still counts as up.
            &["-!corp"],
            &["+!corp", "+proxy"],
        ] {
            assert_eq!(
                result(&line(answers, None), OLD, &[]),
                "same",
                "{answers:?}"
            );
        }
        let by_hand = line(&[], Some("public"));
        assert_eq!(result(&by_hand, OLD, &[]), "same");
    }

    #[test]
    fn what_a_turn_did_not_ask_is_not_known() {
        let office = line(&["+corp"], None);
        let proxy_first = OLD.replace(
            "up = \"corp\"",
            "all = [{ up = \"proxy\" }, { up = \"corp\" }]",
        );
        assert_eq!(result(&office, &proxy_first, &[]), "needs proxy");
        let home = line(&["-corp", "+proxy"], None);
        assert_eq!(result(&home, &proxy_first, &[]), "same");
        // A target of the same name at another place is another target.
        assert_eq!(result(&office, OLD, &["corp"]), "needs corp");
        let by_env = OLD.replace(
            "{ up = \"corp\" }",
            "{ all = [{ up = \"corp\" }, { env = { SITE = \"lab\" } }] }",
        );
        assert_eq!(result(&office, &by_env, &[]), "needs env SITE=lab");
        assert_eq!(result(&home, &by_env, &[]), "same");
    }

    #[test]
    fn what_a_line_leaves_out_of_the_network_is_not_known() {
        let by_subnet = OLD.replace("{ up = \"corp\" }", "{ subnet = \"10.0.0.0/8\" }");
        let mut entry = line(&["-corp", "+proxy"], None);
        assert_eq!(result(&entry, &by_subnet, &[]), "same");
        entry.left_out = Some(LeftOut {
            omitted: Default::default(),
            sha256: String::new(),
        });
        assert_eq!(result(&entry, &by_subnet, &[]), "needs subnet 10.0.0.0/8");
    }

    #[test]
    fn another_profile_and_other_values_are_named_without_a_password() {
        let office = line(&["+corp"], None);
        let other = OLD.replace("me:s3cret@goproxy.corp", "me:0ther@goproxy2.corp");
        assert_eq!(result(&office, &other, &[]), "office GOPROXY");
        let turns = replay(
            std::slice::from_ref(&office),
            &policy(&other),
            &BTreeSet::new(),
        );
        let shown = serde_json::to_string(&turns).unwrap();
        assert!(
            shown.contains("goproxy2.corp") && !shown.contains("0ther"),
            "{shown}"
        );
        let renamed = OLD.replace("name = \"office\"", "name = \"work\"");
        assert_eq!(result(&office, &renamed, &[]), "work ");
        let by_hand = line(&[], Some("public"));
        assert_eq!(
            result(&by_hand, &OLD.replace(",direct", ",off"), &[]),
            "public GOPROXY"
        );
    }

    #[test]
    fn what_no_policy_decided_is_left_out() {
        assert_eq!(result(&Entry::default(), OLD, &[]), "nothing was decided");
        let mut known = line(&["+corp"], None);
        for considered in &mut known.decision.as_mut().unwrap().considered {
            considered.trace = None;
        }
        assert!(result(&known, OLD, &[]).starts_with("taken from memory"));
    }
}
