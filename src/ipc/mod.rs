//! The connection between the command line (and trays) and the agent: JSON lines over a socket that
//! only this user can open. The client first sends one line, the request with the protocol's
//! version. The agent answers with one line, or, for `watch`, with one line for each change.
//!
//! ```text
//! client::ask → endpoint → server → agent::Handle → Reply → endpoint → client
//! ```
//!
//! A program that may open the socket may also write the go env file. So three checks guard it: a
//! private directory, a private socket, and the peer's user as the kernel reports it.
//!
//! May import: model, agent, paths.

pub mod client;
pub mod server;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

// Both modules have the same interface: `Listener::{bind, keep, accept}`, `connect`, `server_pid`
// and the types of the two ends.
#[cfg(unix)]
use unix as endpoint;
#[cfg(windows)]
use windows as endpoint;

pub use client::{Followed, Following, Watching, ask, follow, watch};
pub use server::{Serving, serve};
#[cfg(windows)]
pub use windows::is_listening;
