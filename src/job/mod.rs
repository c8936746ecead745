//! What is done once and told: jobs that need no loop.
//!
//! May import: everything below (not host, not cli).

pub mod doctor;
