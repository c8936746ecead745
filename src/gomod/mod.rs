//! Reads Go's module files, and never runs them: go.mod, go.work, go.sum, vendor/modules.txt and
//! `.info`; also the order of versions. Pure: text in, value out.
//!
//! A part that go would refuse is a value here too (with its line), because goroam must say what is
//! wrong with a file, not only that it is wrong.
//!
//! May import: model, bounded.

mod directive;
pub mod form;
pub mod go_mod;
pub mod go_sum;
pub mod go_version;
pub mod go_work;
pub mod modules_txt;
pub mod project;
pub mod semver;
pub mod stored;
pub mod sum;
pub mod zip;

pub use directive::{At, Fault, Replace, is_conflict_marker, is_directory};
pub use go_mod::Newcomer;
pub use semver::ModuleVersion;
