//! Go's own formats that prove what a file is: h1 hashes, signed notes, tree heads, and the
//! escaping of module paths. No I/O; ring does the arithmetic.
//!
//! May import: model.

pub mod escape;
pub mod h1;
pub mod note;
pub mod tree;

pub use escape::{EscapeError, escape_path, escape_version, unescape_path, unescape_version};
pub use h1::{H1Error, Sum, Summing, hash_files, hash_go_mod, hash_sums, sum_of};
pub use note::{Note, NoteError, check_key, key_hash};
pub use tree::{LookupRecord, TreeHead};
