//! The mirror: a tree of modules that any go reads by `file://`, with the checksum database's
//! proofs beside them, so that GOSUMDB stays on where there is no network.
//!
//! ```text
//! ROOT/MODULE/@v/{list,VERSION.info,VERSION.mod,VERSION.zip,VERSION.ziphash}, ROOT/MODULE/@latest
//! ROOT/sumdb/NAME/{supported,lookup/MODULE@VERSION,tile/8/LEVEL/…}
//! ROOT/.goroam/…      goroam's own: lock, pins, tree heads; nothing that go reads
//! ```
//!
//! A version is there when its `.info` is: `.zip` and `.mod` come before it, the proofs before
//! these, `list` after it. So a kill at any point leaves a mirror that go can use.
//!
//! May import: everything below; of its neighbours modzip.

mod layout;
mod place;
mod tree;
mod trust;
pub mod verify;

pub use layout::{File, Layout};
pub use place::{Asked, place};
pub use tree::{Files, Module, Tree};
pub use trust::{Trust, TrustError};
