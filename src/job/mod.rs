//! What is done once and told: jobs that need no loop.
//!
//! May import: everything below (not host, not cli).

pub mod doctor;
pub mod exec;
pub mod meter;
pub mod mirror;
pub mod modzip;
pub mod ready;
pub mod vendor;
