//! Finds what overrides goroam's settings: reads the places that set go's variables (shells,
//! editors, service managers), the project and goroam's own state, and says what to do about each
//! problem. Only `fix` and `cache` change something.
//!
//! ```text
//! examine (I/O) → DoctorFacts → check (pure) → DoctorFinding → fix
//! ```
//!
//! No file is executed, whatever language it is in, and credentials are removed from every value.
//!
//! May import: model, policy, gomod, gocmd, state, agent, ipc, paths, environment, meter,
//! vendoring, and from the mirror its layout and proofs.

mod cache;
mod checks;
mod examine;
mod facts;
mod file_url;
mod files;
mod finding;
mod fix;
mod format;
mod gather;
mod managers;
mod network;
mod own;
mod places;
mod programs;
mod project;
mod repair;
mod shell;
mod stops;
mod values;
mod words;

pub use cache::{
    Broken, CacheError, CacheReport, CacheWish, Outcome, Piece, examine_cache, mend_cache,
};
pub use checks::check;
pub use examine::{DoctorInput, examine};
pub use facts::{DoctorFacts, EnvFileLine, Kind, Scope, ServiceFacts, Sighting, Stop};
pub use finding::{Code, DoctorFinding, Severity};
pub use fix::{Prepared, UndoError, Undone, assign, carry_out, plan_cache, prepare, undo};
pub use repair::{Fix, FixKind, FixOutcome};
