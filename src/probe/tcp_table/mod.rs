//! The system's table of TCP sockets, as `netstat` shows it.
//!
//! Each system's file has `listeners`, and its own `SocketRow` with what the system says.
//!
//! May import: nothing of goroam's.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(windows)]
mod windows;

#[cfg(target_os = "linux")]
pub use linux::{ESTABLISHED, SYN_SENT, SocketRow, listeners, rows};
#[cfg(windows)]
pub use windows::{SocketRow, connections, listeners};
