//! A local module proxy that fails over where go itself does not: each request walks the chain by
//! itself, within seconds, and no wrong byte is passed on.
//!
//! ```text
//! request → Course (pure: which hop next) ⇄ driver (sockets, spool, hash) → response
//! ```
//!
//! `rules` decides, without sockets and clocks.
//!
//! May import: model, gomod, probe, watch (netlink), environment, bounded.

mod checksum;
mod database;
pub mod engine;
mod epoch;
mod keep;
pub mod metrics;
mod page;
pub mod passed;
#[cfg(target_os = "linux")]
mod peer;
pub mod rules;
pub mod server;
pub mod setup;
pub mod spool;
pub mod stats;
mod upstream;
mod verify;
mod walk;
mod watchdog;

pub use engine::RelayEngine;
pub use epoch::RelaySetup;
pub use server::{RelayServer, ServerEnd};
pub use walk::Reply;
pub use watchdog::{Watchdog, observed};
