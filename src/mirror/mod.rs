//! The mirror: a tree of modules that any go reads through `file://`, with the checksum database's
//! proofs beside them, so that GOSUMDB stays on without a network.
//!
//! ```text
//! ROOT/MODULE/@v/{list,VERSION.info,VERSION.mod,VERSION.zip,VERSION.ziphash}, ROOT/MODULE/@latest
//! ROOT/sumdb/NAME/{supported,lookup/MODULE@VERSION,tile/8/LEVEL/…}
//! ROOT/.goroam/…      goroam's own: lock, pins, tree heads; nothing that go reads
//! ```
//!
//! A version exists when its `.info` exists. goroam writes the proofs first, then `.zip` and
//! `.mod`, then `.info`, then `list`. So a kill at any point leaves a mirror that go can use.
//!
//! If only a module graph needs a version, the mirror has its `.mod` without `.zip` (with `.info`
//! if go has asked for it): `list` and `@latest` do not name it.
//!
//! May import: everything below (not ipc).

mod add;
pub mod archive;
mod go;
mod layout;
mod list;
mod needed;
mod passed;
mod project;
mod proof;
mod prune;
pub mod ready;
mod stage;
mod store;
pub mod sumdb;
pub mod verify;
mod wants;

pub use add::{Add, Added, Notice, Totals, add};
pub(crate) use layout::FilesBelow;
pub use layout::{Files, Layout, Module, Tree, VersionFile, latest, listed};
pub use list::{ListTotals, ListedModule, ListedVersion, Listing, Pinned, list, pin};
pub use needed::{needed_by, projects, read_project, required_by};
pub use passed::keep_in;
pub use proof::Trust;
pub use prune::{Prune, Pruned, Removed, Why, prune};
pub use stage::{AddedVersion, How, ZipCame};
pub use store::{Pins, lock, pins};
pub use wants::{AddError, Failed};
