//! Go's own formats that prove the content of a file: h1 hashes, signed notes, tree heads, the
//! tiles that prove that a record is in a tree, and the escaping of module paths. No I/O; ring does
//! the cryptography.
//!
//! May import: model.

pub mod escape;
pub mod h1;
pub mod note;
pub mod tile;

pub use escape::{EscapeError, escape_path, escape_version, unescape_path, unescape_version};
pub use h1::{H1Error, Sum, Summing, hash_files, hash_go_mod, hash_sums, hex, sha256_hex, sum_of};
pub use note::{LookupRecord, Note, NoteError, TreeHead, check_key, key_hash};
pub use tile::{Inconsistent, ProvenTree, Tile};
