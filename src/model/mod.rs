//! The types that every other room uses: links, routes, snapshots, targets, observations, chains.
//! Facts and values only. Nothing here reads a clock, a socket, a file or the environment, so that
//! a decision can be replayed from a journal line.
//!
//! May import: std, serde, ipnet and jiff's types. Nothing else of goroam.

pub mod chain;
pub mod change;
pub mod env_text;
pub mod go_proxy;
pub mod go_release;
pub mod go_url;
pub mod host;
pub mod lookalike;
pub mod mask;
pub mod metrics;
pub mod observation;
pub mod origin;
pub mod pattern;
pub mod plan;
mod portal;
pub mod public_code;
mod public_suffix;
pub mod snapshot;
pub mod status;
pub mod sumdb;
pub mod target;
pub mod text;
pub mod truth;

pub use chain::{Chain, ChainError, Hop, HopKind, Separator, Tier};
pub use change::Change;
pub use env_text::EnvText;
pub use go_proxy::GoProxy;
pub use go_release::GoRelease;
pub use go_url::GoUrl;
pub use host::Host;
pub use lookalike::Lookalike;
pub use mask::mask;
pub use observation::{Cause, Observation, Phase, Phases, Proof, Speed, Verdict};
pub use origin::{LayerKind, Origin, RulesOrigin};
pub use pattern::{PatternFault, Patterns};
pub use portal::Portal;
pub use snapshot::{
    Link, LinkKind, NetworkId, Omitted, Resolver, Route, RouteKind, Rule, Snapshot,
};
pub use sumdb::{SumDb, SumDbError, VerifierKey};
pub use target::{Limits, Pin, RelayLimits, Target, TargetKind};
pub use text::{ago, plural, quoted, tally};
pub use truth::Truth;
