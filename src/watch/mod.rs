//! Eyes: links, addresses, routes, rules, resolver, files, wake from suspend. Every message
//! is only a hint; [`survey()`] reads the world again, and `model::Change` says what differs.
//!
//! ```text
//! OS sources → Hint → (agent) survey() → Snapshot → Change::between
//! ```
//!
//! May import: model, environment. The other wings (policy, probe) are unknown here.

mod files;
mod inbox;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "macos")]
mod macos;
#[cfg(target_os = "linux")]
pub(crate) mod netlink;
mod resolver;
mod route;
mod source;
#[cfg(target_os = "linux")]
mod ssid;
pub mod survey;
pub mod wake;
pub mod watcher;
#[cfg(windows)]
mod windows;

pub use inbox::Hint;
pub use survey::{SurveyError, survey};
pub use wake::WakeClock;
pub use watcher::{WatchPaths, Watcher};
