//! Files that matter: the policy, the go env file, the resolver's.
//!
//! A watched file that is replaced by a rename, as every careful program does, is gone for the
//! watcher; so folders are watched, and of a folder that is not there yet the nearest one above
//! it. On Linux the file itself is watched too: a bind-mounted one (`ip netns exec` does that
//! to resolv.conf) changes without a word to the folder that it appears in.
//!
//! Every link and folder on the way to a file is watched, too, by its name only: a link may be
//! pointed elsewhere, a folder be renamed.
//!
//! The notify crate asks the system for every opening of a file as well, which in `/etc` means a
//! wake-up for each program that starts anywhere (each reads `/etc/ld.so.cache`); so Linux has
//! its own small inotify without that, and without a thread.
//!
//! May import: the watch room's `Hint` and inbox.

mod arm;
#[cfg(any(not(target_os = "linux"), test))]
mod by_notify;
#[cfg(target_os = "linux")]
mod inotify;
mod plan;

pub(super) use arm::keep_watching;
#[cfg(all(target_os = "linux", test))]
pub(super) use by_notify::ByNotify;
#[cfg(not(target_os = "linux"))]
pub(super) use by_notify::ByNotify as Files;
#[cfg(target_os = "linux")]
pub(super) use inotify::Inotify as Files;
#[cfg(all(target_os = "linux", test))]
pub(super) use inotify::Inotify;
