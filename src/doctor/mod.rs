//! Why `go` does not do what goroam set: gathers facts (variables of shells, editors and
//! managers that win over the go env file), judges them without touching anything, and says
//! what to do about each.
//!
//! ```text
//! examine (I/O) → Facts → check (pure) → Finding
//! ```
//!
//! No file is carried out, whatever language it is in, and no value leaves without its
//! credentials taken out.
//!
//! May import: model, policy, gomod, gocmd, state, agent, ipc, paths, environment,
//! meter, vendoring, and of the mirror its layout and proofs.

mod asked;
mod cache;
mod cause;
mod checks;
mod examine;
mod facts;
mod files;
mod finding;
mod format;
mod gather;
mod gomany;
mod house;
mod managers;
mod meaning;
mod network;
mod places;
mod programs;
mod project;
mod shell;
mod words;
mod writable;

pub use cache::{
    Broken, CacheError, CacheReport, CacheWish, Outcome, Piece, examine_cache, mend_cache,
};
pub use checks::check;
pub use examine::{Patient, examine};
pub use facts::{Distrusted, Facts, House, Kind, Misread, Scope, Service, Sighting, Stop};
pub use finding::{Code, Finding, Severity};
pub use project::{Encoding, Line, ModuleFile, Project, Stand, Sums, Wants};
