//! Files that matter: the policy, the go env file, the resolver's.
//!
//! A watched file that is replaced by a rename, as every careful program does, is gone for the
//! watcher; so folders are watched, and of a folder that is not there yet the nearest one above
//! it. On Linux the file itself is watched too: a bind-mounted one (`ip netns exec` does that
//! to resolv.conf) changes without a word to the folder that it appears in.
//!
//! May import: the watch room's `Hint` and inbox.

mod arm;
mod plan;

pub(super) use arm::keep_watching;
