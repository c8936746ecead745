//! Where the agent listens: a socket in a private folder, or a named pipe with a private
//! access list. Each system's file has the same shape: `Listener::{bind, keep, accept}`,
//! `connect`, and the two ends' types.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
use unix as os;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
use windows as os;

#[cfg(windows)]
pub use windows::is_listening;

pub(super) use os::{ClientEnd, Listener, ServerEnd, connect, server_pid};
