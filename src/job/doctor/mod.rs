//! Why `go` does not do what goroam set: gathers facts (variables of shells, editors and
//! managers that win over the go env file), judges them without touching anything, and says
//! what to do about each.
//!
//! ```text
//! gather (I/O) → Facts → checks (pure) → Finding
//! ```
//!
//! May import: model, gocmd, state, agent, ipc, paths, environment.

mod finding;

pub use finding::{Finding, Severity};
