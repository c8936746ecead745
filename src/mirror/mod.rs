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
//! Of what only a module graph needs, `.mod` lies there without `.zip` (with `.info` where go has
//! asked for it): `list` and `@latest` do not name it.
//!
//! May import: everything below (not ipc).

mod add;
pub mod archive;
mod error;
mod foreign;
mod go;
mod index;
mod judge;
mod layout;
mod lift;
mod list;
mod lock;
mod odd_mods;
mod pin;
mod pins;
mod project;
mod proof;
mod prune;
pub mod ready;
mod said;
mod spool;
mod stage;
mod store;
pub mod sumdb;
mod toolchain;
mod tree;
mod trust;
pub mod verify;
mod wants;

pub use add::{Add, Added, AddedVersion, Notice, PresentVersion, Totals, add};
pub use error::AddError;
pub use index::{latest, listed};
pub use layout::{Layout, VersionFile};
pub use lift::How;
pub use list::{ListTotals, ListedModule, ListedVersion, Listing, list};
pub use lock::{Lock, lock};
pub use pin::{Pinned, pin, unpin};
pub use pins::{Pins, pins};
pub use prune::{Prune, Pruned, Removed, Why, prune};
pub use tree::{Files, Module, Tree};
pub use trust::{Trust, TrustError};
pub use wants::Failed;
