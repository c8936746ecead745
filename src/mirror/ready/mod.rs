//! Finds out whether a project is ready for work without a network.
//!
//! ```text
//! projects (I/O) → folders → examine (I/O): ProjectFiles → need (pure) → Need
//!                                           Shelf → judge → Verdict
//! ask: if nothing is missing, go says whether it would build it
//! ```
//!
//! The names in go.sum decide: they name what a build of the project once read, and go takes
//! nothing else without the checksum database.
//!
//! May import: the rest of the mirror, and everything below.

mod ask;
mod examine;
mod judge;
mod need;
mod shelf;

pub use ask::Answers;
pub use examine::{
    Examined, Report, bring, examine, forget, note, remember, remembered, step_back,
};
pub use judge::{Missing, Verdict, What};
pub use need::Builder;
pub use shelf::{ProofStore, ReadyTools, Shelf, tally, tools};
