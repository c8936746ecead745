//! The policy of a fleet: one signed file that many machines follow.
//!
//! ```text
//! body, signature → judge (signature, then version, then content) → FleetState → text in force
//! ```
//!
//! - `settings`: what a machine knows of its fleet (`[fleet]`), and which policies would weaken
//!   verification; `header`: what a policy says of itself (`[policy]`)
//! - `keys`: minisign's keys and signatures
//! - `judge`: whether an offered policy replaces the one that is held; `state` is what is held
//! - `schedule`: when a machine may ask the store
//! - `draft`: what signing writes into the text
//!
//! May import: model, gomod, and the reader of policies.

mod draft;
mod header;
mod judge;
mod keys;
mod schedule;
mod settings;
mod state;

pub use draft::{content_hash, set_keys};
pub use header::{PolicyHeader, PreviousVersion, Release, Rollout};
pub use judge::{
    Judge, Judged, MOST_BODY, MOST_SIGNATURE, Refusal, Refused, WARN_BEFORE, check_draft,
};
pub use keys::{FleetKey, key_id, signer};
pub use schedule::{FetchEnd, FetchSchedule};
pub use settings::{FleetSettings, pair_url, previous_url};
pub use state::{FleetState, HeldPair, Offer, SeenVersion, StoreTag};
