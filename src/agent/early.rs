//! A provisional turn: while a round waits for silent targets on a new network, it hands one over to
//! the agent, and continues. The agent carries it out like any other turn.

use std::collections::BTreeMap;
use std::time::Instant;

use tokio::sync::oneshot;

use super::clock;
use super::drift::Present;
use super::gofacts::GoFacts;
use super::turn::{AfterEarly, Input, PreparedTurn, Probed, now_present, plan};
use crate::model::plan::PlanStep;
use crate::policy::settle::provisional_at;
use crate::policy::{Decision, DecisionFacts, TargetState, provisional};
use crate::state::Health;

/// Where a round hands over its provisional turn.
pub(super) struct EarlyTurns {
    pub(super) at: Instant,
    to: oneshot::Sender<EarlyTurn>,
}

/// A provisional turn.
pub(super) struct EarlyTurn {
    pub(super) turn: PreparedTurn,
    /// What the round has to know afterwards.
    pub(super) done: oneshot::Sender<AfterEarly>,
}

impl EarlyTurns {
    /// Returns both ends, if what is in force was chosen for another network, and nothing is known
    /// of this one.
    pub(super) fn open(input: &Input) -> Option<(EarlyTurns, oneshot::Receiver<EarlyTurn>)> {
        let memory = &input.memory;
        let known = memory.network_id(&input.snapshot);
        let known = known.and_then(|network| memory.networks.get(&network));
        let is_new = input.burst.is_some()
            && input.pinned.is_none()
            && memory.profile.is_some()
            && !memory.snapshot.may_be_in(&input.snapshot)
            && known.is_none_or(|known| memory.profile.as_ref() != Some(&known.0));
        let (to, early) = oneshot::channel();
        let at = provisional_at(input.began);
        is_new.then_some((EarlyTurns { at, to }, early))
    }
}

impl Input {
    /// Returns the provisional decision, if there is one.
    pub(super) fn provisional(&self, go: &GoFacts, facts: DecisionFacts<'_>) -> Option<Decision> {
        let present = now_present(self).ok()?;
        let after = |decision: &Decision, name: &str| self.after(go, &present, decision, name);
        provisional(&self.loaded.policy, facts, &after)
    }

    /// Returns the value that the go env file would hold.
    fn after(
        &self,
        go: &GoFacts,
        present: &Present,
        decision: &Decision,
        name: &str,
    ) -> Option<String> {
        let (plan, _) = plan(self, go, present, decision).ok()?;
        let step = plan.steps.into_iter().find(|step| step.name() == name);
        match step {
            Some(PlanStep::Set { value, .. }) => Some(value),
            Some(PlanStep::Unset { .. }) => None,
            Some(PlanStep::Leave { .. }) | None => present.line(name),
        }
    }
}

/// Has a provisional decision applied; `None`: it changes nothing, or could not be applied.
pub(super) async fn apply_early(
    to: EarlyTurns,
    input: &Input,
    go: &GoFacts,
    decision: Decision,
    seen: &BTreeMap<String, TargetState>,
    health: &BTreeMap<String, Health>,
) -> Option<AfterEarly> {
    let input = Input {
        trace: clock::random_id(),
        ..input.clone()
    };
    let probed = Probed {
        decision,
        seen: seen.clone(),
        health: health.clone(),
        ..Probed::default()
    };
    let turn = PreparedTurn::of(input, go.clone(), probed, true).await;
    let turn = turn.ok().filter(|turn| !turn.plan.is_empty())?;
    let (done, after) = oneshot::channel();
    to.to.send(EarlyTurn { turn, done }).ok()?;
    after.await.ok()
}
