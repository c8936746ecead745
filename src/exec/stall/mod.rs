//! Finds out whether the command is stuck in the network. go itself has no time limit for an
//! answer.
//!
//! ```text
//! look (I/O: processes, sockets) → Sample → Judge (pure) → Stuck
//! ```
//!
//! A command is ended only if nothing else explains its silence: see [`judge`].

mod judge;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(any(target_os = "linux", windows)))]
mod other;
#[cfg(any(target_os = "linux", windows))]
mod tree;
#[cfg(windows)]
mod windows;

pub use judge::{Sample, Socket, SocketState, StallJudge, StallLimits, Stuck, WaitsFor};
#[cfg(target_os = "linux")]
pub(super) use linux::{CommandSampler, processes};
#[cfg(not(any(target_os = "linux", windows)))]
pub(super) use other::CommandSampler;
#[cfg(windows)]
pub(super) use windows::CommandSampler;
