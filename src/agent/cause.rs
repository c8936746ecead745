//! What sets off a turn.

/// What sets off a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The agent has started.
    Start,
    /// Somebody asked: `once`, `use`, `auto`.
    Asked,
    /// The steady re-probe, or a look again after a doubtful round.
    Recheck,
    /// Something about the network changed.
    Network,
    /// The machine has slept.
    Wake,
    /// The policy changed.
    Policy,
    /// Somebody else changed a managed variable.
    Drift,
    /// A pin has run out.
    PinEnded,
    /// A target has answered that was waited for beside the rounds.
    Late,
}

impl Cause {
    /// The word that the journal keeps.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Cause::Start => "start",
            Cause::Asked => "asked",
            Cause::Recheck => "recheck",
            Cause::Network => "network",
            Cause::Wake => "wake",
            Cause::Policy => "policy",
            Cause::Drift => "drift",
            Cause::PinEnded => "pin ended",
            Cause::Late => "late answer",
        }
    }

    /// Is what was learnt of the targets before no longer true? Then `fall` and `rise` do not
    /// apply: they smooth over hiccups on one network, not over a move to another.
    pub(crate) fn is_fresh(self) -> bool {
        match self {
            Cause::Start | Cause::Network | Cause::Wake | Cause::Policy | Cause::Asked => true,
            Cause::Recheck | Cause::Drift | Cause::PinEnded | Cause::Late => false,
        }
    }

    /// Does it ask for goroam's values even where somebody else has changed them?
    pub(crate) fn overrides_drift(self) -> bool {
        matches!(self, Cause::Asked | Cause::Policy)
    }
}
