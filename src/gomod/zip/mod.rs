//! A module's zip: what is in it, and the hash that go.sum has for it.
//!
//! Read piece by piece, so that a zip of any size takes a few buffers, and trusted in nothing: a
//! name that leads elsewhere, a size that lies, a checksum that does not agree is an error. What
//! go refuses on unpacking (`golang.org/x/mod/zip`) and is not looked at here: names that only
//! Windows dislikes, names that differ in case alone, a second go.mod, a LICENSE of over 16 MiB.
//! Nothing here unpacks.

mod content;
mod directory;
mod error;
mod mod_zip;
mod names;
mod source;

#[cfg(test)]
mod tests;

pub use directory::{Entry, MOST};
pub use error::ZipError;
pub use mod_zip::{ModZip, h1_of};
