//! Go's own formats that prove what a file is: h1 hashes, signed notes, tree heads, and the
//! escaping of module paths. No I/O; ring does the arithmetic.
//!
//! May import: model.

pub mod escape;
pub mod h1;
pub mod note;
