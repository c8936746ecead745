//! Who starts the agent, looks after it and shows it: service managers and trays. Hosts have
//! no logic of their own about networks; they ask the agent as everybody does, and draw what it
//! says.
//!
//! May import: agent, ipc, and what is below them (not job, not cli).

#[cfg(unix)]
pub mod notify;
pub mod service;
pub mod tray;
