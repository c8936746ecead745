//! The command with all that it starts: one process group, or one job object on Windows.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(super) use unix::Group;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(super) use windows::Group;

/// What has happened to the command itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GroupChange {
    /// It was stopped, by this signal; Windows has no such thing.
    #[cfg_attr(windows, expect(dead_code, reason = "stopping is a thing of Unix"))]
    Stopped(i32),
    /// It has ended.
    Ended,
}
