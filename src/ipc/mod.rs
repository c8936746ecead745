//! The wire between the command line (and trays) and the agent: JSON lines over a socket
//! that only this user can open. The client sends one line, the request with the protocol's
//! version first; the agent answers with one line, or with one a change to `watch`.
//!
//! ```text
//! client::ask → endpoint → server → agent::Handle → Reply → endpoint → client
//! ```
//!
//! A program that may open the socket may also write the go env file, so it is guarded three times:
//! a private folder, a private socket, and the peer's user asked of the kernel.
//!
//! May import: model, agent, paths.

pub mod client;
mod follow;
pub mod server;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

// Both have the same shape: `Listener::{bind, keep, accept}`, `connect`, `server_pid` and the two
// ends' types.
#[cfg(unix)]
use unix as endpoint;
#[cfg(windows)]
use windows as endpoint;

pub use client::{Watching, ask, watch};
pub use follow::{Followed, Following, follow};
pub use server::{Serving, serve};
#[cfg(windows)]
pub use windows::is_listening;
