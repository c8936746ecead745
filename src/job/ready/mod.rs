//! Is a project ready for a place without a network?
//!
//! May import: everything below; of its neighbours mirror.
