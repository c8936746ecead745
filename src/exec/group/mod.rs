//! The command and all that it starts: one process group, or one job object on Windows.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(super) use unix::Group;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(super) use windows::Group;

/// A change of the command's own state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GroupChange {
    /// It was stopped by this signal; this does not exist on Windows.
    #[cfg_attr(windows, expect(dead_code, reason = "stopping is a thing of Unix"))]
    Stopped(i32),
    /// It has ended.
    Ended,
}
