//! vendor/ as a step of its own: is it what the verified modules hold, and the way back to one
//! that was.
//!
//! May import: everything below; of its neighbours mirror and modzip.
