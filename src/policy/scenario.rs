//! A policy's own tests: what it must choose on a network where targets answer so and so. Pure: no
//! network and no go command, only the decision.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde::Serialize;

use super::by_hand::stranger;
use super::decide::{Decision, decide, open};
use super::evaluate::{DecisionFacts, Gaps, TargetState};
use super::finding::shown;
use super::profile::{Condition, Policy};
use super::project::USUAL;
use super::speeds::FastestFacts;
use crate::environment::Environment;
use crate::model::mask::mask;
use crate::model::{
    Chain, Observation, Patterns, Phase, Proof, Snapshot, Target, TargetKind, Verdict,
};

/// Stands in `answers` for every target that is not named there.
pub const OTHERS: &str = "*";

/// One network with its answers, and what must come of it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// The place of the name in the file.
    pub span: Range<usize>,
    /// The network; without links nothing on it can answer.
    pub snapshot: Snapshot,
    /// A login page answers for every target on the network that `answers` does not name.
    pub portal: bool,
    /// The environment of the agent.
    pub env: Environment,
    /// What targets answer, by name; [`OTHERS`]: all that are not named. `None`: no answer yet.
    pub answers: BTreeMap<String, Option<Verdict>>,
    /// What must come of it.
    pub expect: Expectation,
}

/// What must come of a scenario.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Expectation {
    /// The chosen profile.
    pub profile: Option<String>,
    /// Values that it sets, as the policy writes them; `None`: it does not set the variable.
    pub env: BTreeMap<String, Option<String>>,
    /// Values that it must not set.
    pub not: BTreeMap<String, String>,
    /// Modules that no public proxy and no checksum database may be asked for.
    pub private: Vec<String>,
    /// Whether it weakens verification.
    pub loosens: Option<bool>,
    /// The targets without whose answer there is no decision.
    pub needs: BTreeSet<String>,
}

/// What came of a scenario.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScenarioResult {
    /// What was chosen; `None`: it depends on `needs`.
    pub decision: Option<Decision>,
    /// The missing facts that the choice depends on.
    pub needs: Vec<String>,
    /// What differs from what was expected.
    pub differences: Vec<Difference>,
}

/// One thing that is not as expected, without credentials.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// `profile`, `needs`, `loosens`, a variable, or a module.
    pub what: String,
    /// What was expected.
    pub expected: String,
    /// What came.
    pub found: String,
}

/// Decides a scenario, and compares with what it expects.
pub fn judge(policy: &Policy, scenario: &Scenario) -> ScenarioResult {
    let targets = policy.targets.values();
    let seen = targets.filter_map(|target| Some((target.name.clone(), answer(scenario, target)?)));
    let facts = DecisionFacts {
        snapshot: &scenario.snapshot,
        seen: &seen.collect(),
        env: &scenario.env,
        fastest: &FastestFacts::default(),
        gaps: Gaps::default(),
    };
    let decision = decide(policy, facts, None);
    let needs = match decision {
        None => open(policy, facts, None),
        Some(_) => Vec::new(),
    };
    let mut judgement = ScenarioResult {
        decision,
        needs,
        differences: Vec::new(),
    };
    judgement.differences = judgement.compared(policy, &scenario.expect);
    judgement
}

impl ScenarioResult {
    /// Describes the choice: "office", or what it depends on.
    pub fn outcome(&self) -> String {
        match &self.decision {
            Some(decision) => decision.profile.clone(),
            None => format!("not decided: needs {}", self.needs.join(", ")),
        }
    }

    fn compared(&self, policy: &Policy, expect: &Expectation) -> Vec<Difference> {
        let mut differences = Vec::new();
        let mut differ = |what: &str, expected: String, found: String| {
            differences.push(Difference {
                what: what.to_owned(),
                expected: mask(&expected),
                found: mask(&found),
            });
        };
        let decision = self.decision.as_ref();
        if let Some(profile) = &expect.profile
            && decision.is_none_or(|decision| decision.profile != *profile)
        {
            differ("profile", profile.clone(), self.outcome());
        }
        let is_open = |name: &String| self.needs.contains(name);
        if !expect.needs.iter().all(is_open) {
            let expected = Vec::from_iter(expect.needs.iter().cloned()).join(", ");
            differ("needs", expected, self.outcome());
        }
        let Some(decision) = decision else {
            return differences;
        };
        let shown = |value: Option<&String>| value.map_or("not set".to_owned(), String::clone);
        for (name, wanted) in &expect.env {
            let found = decision.env.get(name);
            if found != wanted.as_ref() {
                differ(name, shown(wanted.as_ref()), shown(found));
            }
        }
        for (name, unwanted) in &expect.not {
            if decision.env.get(name) == Some(unwanted) {
                differ(name, format!("not {unwanted}"), unwanted.clone());
            }
        }
        if let Some(wanted) = expect.loosens
            && wanted == decision.loosens.is_empty()
        {
            let found = match decision.loosens.as_slice() {
                [] => "false".to_owned(),
                how => format!("true ({})", how.join(", ")),
            };
            differ("loosens", wanted.to_string(), found);
        }
        for module in &expect.private {
            if let Some(leak) = leak(policy, decision, module) {
                differ(module, "stays private".to_owned(), leak);
            }
        }
        differences
    }
}

/// Returns what a target answers in the scenario; `None`: that is not known.
fn answer(scenario: &Scenario, target: &Target) -> Option<TargetState> {
    let answers = &scenario.answers;
    let given = answers.get(&target.name).or_else(|| answers.get(OTHERS));
    // Only what speaks HTTP can show a page in place of its answer.
    let speaks_http = matches!(
        target.kind,
        TargetKind::GoProxy { .. } | TargetKind::SumDb { .. } | TargetKind::Https { .. }
    );
    let (verdict, reason) = match given {
        Some(answer) => (*answer.as_ref()?, None),
        None if scenario.portal && speaks_http => (Verdict::Portal, None),
        None if scenario.snapshot.links.is_empty() && !target.is_local() => {
            (Verdict::Down, Some("no network"))
        }
        None => return None,
    };
    let up = verdict == Verdict::Up;
    let is_signed = matches!(target.kind, TargetKind::SumDb { .. });
    let proof = match up {
        true if !target.pins.is_empty() => Proof::Pinned,
        true if is_signed => Proof::Signed,
        true if target.is_authenticated() => Proof::Tls,
        _ => Proof::None,
    };
    let observation = Observation {
        target: target.name.clone(),
        verdict,
        reason: reason.map_or_else(|| format!("{verdict} in this scenario"), str::to_owned),
        failed: (!up).then_some(Phase::Connect),
        proof,
        definite: true,
        tries: 1,
        ..Observation::default()
    };
    Some(TargetState { observation, up })
}

/// Says who else would be asked for a module under a decision; `None`: no one. A variable that the
/// profile does not set counts with go's default.
fn leak(policy: &Policy, decision: &Decision, module: &str) -> Option<String> {
    let set = |name: &str| decision.env.get(name).filter(|value| !value.is_empty());
    let keeps = |name: &str| {
        let list = set(name).or_else(|| set("GOPRIVATE"));
        list.is_some_and(|list| Patterns::parse(list).matches(module))
    };
    let chain = set("GOPROXY").map_or(USUAL, String::as_str);
    let chain = Chain::parse(chain).ok()?;
    if let Some(url) = stranger(policy, &chain).filter(|_| !keeps("GONOPROXY")) {
        return Some(format!("{} would be asked for it", shown(url)));
    }
    let is_looked_up = set("GOSUMDB").is_none_or(|database| database != "off");
    (is_looked_up && !keeps("GONOSUMDB"))
        .then(|| "the checksum database would be asked for it".to_owned())
}

/// The facts that a policy asks for.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// Targets: of conditions, of a `fastest`, and all on the network if a condition is `portal`.
    pub(super) targets: BTreeSet<String>,
    /// Keys of a scenario's `network`, and `online`.
    pub(super) facts: BTreeSet<&'static str>,
    /// Variables of the agent's environment.
    pub(super) env: BTreeSet<String>,
}

impl Asked {
    pub(super) fn by(policy: &Policy) -> Asked {
        let mut asked = Asked::default();
        for profile in &policy.profiles {
            asked
                .targets
                .extend(profile.fastest().into_iter().flatten().cloned());
            let targets = profile.when.targets().into_iter();
            asked.targets.extend(targets.map(str::to_owned));
            for (fact, _) in profile.when.facts() {
                let key = match fact {
                    Condition::Online(_) => "online",
                    Condition::InterfaceName(_) => "interface",
                    Condition::InterfaceKind(_) => "kind",
                    Condition::Subnet(_) => "address",
                    Condition::Gateway(_) => "gateway",
                    Condition::DnsServer(_) => "dns_server",
                    Condition::SearchDomain(_) => "search_domain",
                    Condition::Ssid(_) => "ssid",
                    Condition::Env(wanted) => {
                        asked.env.extend(wanted.keys().cloned());
                        continue;
                    }
                    Condition::Portal(_) => {
                        let remote = policy.targets.values().filter(|target| !target.is_local());
                        asked
                            .targets
                            .extend(remote.map(|target| target.name.clone()));
                        continue;
                    }
                    Condition::Always
                    | Condition::Up(_)
                    | Condition::Down(_)
                    | Condition::AtLeast { .. }
                    | Condition::All(_)
                    | Condition::Any(_)
                    | Condition::Not(_) => continue,
                };
                asked.facts.insert(key);
            }
        }
        asked
    }
}
