//! Files that matter: the policy, the go env file, the resolver's.
//!
//! A watched file that is replaced by a rename, as every careful program does, is gone for the
//! watcher; so folders are watched, and of a folder that is not there yet the nearest one above
//! it. On Linux the file itself is watched too: a bind-mounted one (`ip netns exec` does that
//! to resolv.conf) changes without a word to the folder that it appears in.
//!
//! The policy and the go env file are watched by notify. It asks the system for every opening
//! of a file as well, which in `/etc` means a wake-up for each program that starts anywhere
//! (each reads `/etc/ld.so.cache`); so on Linux the resolver's files have their own small
//! inotify without that.
//!
//! May import: the watch room's `Hint` and inbox.

mod arm;
mod by_notify;
#[cfg(target_os = "linux")]
mod inotify;
mod plan;

pub(super) use arm::keep_watching;
pub(super) use by_notify::ByNotify;
#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
pub(super) use by_notify::ByNotify as Quiet;
#[cfg(target_os = "linux")]
pub(super) use inotify::Quiet;
