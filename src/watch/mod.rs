//! Eyes: links, addresses, routes, rules, resolver, files, wake from suspend. Every message
//! is only a hint; [`survey()`] reads the world again, and `model::Change` says what differs.
//!
//! ```text
//! OS sources → Hint → (agent) survey() → Snapshot → Change::between
//! ```
//!
//! May import: model, environment. The other wings (policy, probe) are unknown here.

#[cfg(windows)]
mod adapters;
/// On Linux our own netlink socket hears of addresses too.
#[cfg(not(target_os = "linux"))]
mod address;
#[cfg(target_os = "macos")]
mod calendar;
#[cfg(target_os = "linux")]
mod clock_set;
#[cfg(target_os = "macos")]
mod configd;
pub mod event;
mod files;
mod inbox;
mod kind;
#[cfg(target_os = "linux")]
mod netlink;
#[cfg(windows)]
mod power_windows;
#[cfg(windows)]
mod registry_windows;
mod resolver;
mod route;
mod source;
#[cfg(target_os = "linux")]
mod ssid;
pub mod survey;
pub mod wake;
pub mod watcher;

pub use event::Hint;
pub use survey::{SurveyError, survey};
pub use wake::WakeClock;
pub use watcher::{WatchPaths, Watcher};
