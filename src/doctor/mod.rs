//! Finds what overrides goroam's settings: reads the places that set go's variables (shells,
//! editors, service managers), the project and goroam's own state, and says what to do about each
//! problem. Changes nothing.
//!
//! ```text
//! examine (I/O) → DoctorFacts → check (pure) → DoctorFinding
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
mod format;
mod gather;
mod managers;
mod network;
mod own;
mod places;
mod programs;
mod project;
mod shell;
mod startups;
mod stops;
mod values;

pub use cache::{
    Broken, CacheError, CacheReport, CacheWish, Outcome, Piece, examine_cache, mend_cache,
};
pub use checks::check;
pub use examine::{DoctorInput, examine};
pub use facts::{DoctorFacts, EnvFileLine, Kind, Scope, ServiceFacts, Sighting, Stop};
pub use finding::{Code, DoctorFinding, Severity};
