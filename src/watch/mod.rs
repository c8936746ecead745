//! Observes the system: links, addresses, routes, rules, resolver, files, wake from suspend. Every
//! message is only a hint; [`survey()`] reads the network again, and `model::Change` names what
//! differs.
//!
//! ```text
//! OS sources → Hint → (agent) survey() → Snapshot → Change::between
//! ```
//!
//! Each system's file has the same functions: `tables` (routes and rules), `link_layer_address`,
//! `resolver`, `resolver_files` (what to watch) and `start_sources`. Linux also reads `links`; on other systems
//! netdev does (`survey`).
//!
//! May import: model, environment. This room does not know policy and probe.

mod files;
mod kinds;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "macos")]
mod macos;
#[cfg(target_os = "linux")]
pub(crate) mod netlink;
#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
mod other;
// macOS and Windows use only a part of it: their settings are kept elsewhere.
#[cfg_attr(any(windows, target_os = "macos"), allow(dead_code))]
mod resolv_conf;
#[cfg(any(target_os = "macos", test))]
mod route_message;
mod source;
pub mod survey;
pub mod wake;
pub mod watcher;
#[cfg(windows)]
mod windows;

#[cfg(target_os = "linux")]
use linux as os;
#[cfg(target_os = "macos")]
use macos as os;
#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
use other as os;
#[cfg(windows)]
use windows as os;

pub use source::Hint;
pub use survey::{router, survey};
pub use wake::WakeClock;
pub use watcher::{WatchPaths, Watcher};
