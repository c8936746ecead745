//! The wire between the command line (and trays) and the agent: JSON lines over a socket
//! that only this user can open. The client sends one line, the request with the protocol's
//! version first; the agent answers with one line, or with one a change to `watch`.
//!
//! ```text
//! client::ask → endpoint → server → agent::Handle → Reply → endpoint → client
//! ```
//!
//! Whoever may open the socket may also write the go env file, so it is guarded three times:
//! a private folder, a private socket, and the peer's user asked of the kernel.
//!
//! May import: model, agent, paths.

pub mod client;
mod endpoint;
pub mod message;
pub mod server;
#[cfg(test)]
#[cfg(unix)]
mod tests;

pub use client::{Watching, ask, watch};
#[cfg(windows)]
pub use endpoint::is_listening;
pub use server::{Serving, serve};
