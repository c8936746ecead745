//! What go would do with a GOPROXY chain on this network.
//!
//! ```text
//! Chain → ask (each hop gets go's requests) → AskedHop → predict (pure: what go does) → Prediction
//! ```
//!
//! A private name is sent to private hops only; what the others would do with it is predicted.
//!
//! May import: model, gomod, bounded, environment, probe, relay.

pub mod ask;
pub mod predict;
pub mod safe;

pub use ask::{ChainQuestion, SAMPLE, ask};
pub use predict::{
    AnswerKind, AskedHop, ChainFile, ChainOutcome, FileWalk, HopAnswer, HopAnswers, Prediction,
    SumCheck, predict, private_reach,
};
pub use safe::safe_form;
