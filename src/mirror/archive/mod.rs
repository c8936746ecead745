//! `goroam mirror export` and `import`: one archive to carry over an air gap.
//!
//! ```text
//! goroam-mirror.json               what is in it: each version's hashes, each database's tree head
//! sumdb/NAME/…, .goroam/sumdb/…    what proves it, as in the mirror
//! MODULE/@v/VERSION.{zip,mod,info}
//! ```
//!
//! A tar file, not compressed: zips are. `list` and `@latest` are made anew where it arrives.
//!
//! May import: the rest of the mirror, and everything below.

mod error;
mod export;
mod import;
mod manifest;
mod needed;
mod tar;

pub use error::ArchiveError;
pub use export::{Exported, export};
pub use import::{Imported, import};
pub use needed::{needed_by, required_by};
