//! Children that do not outlive us, for Linux; Windows has job objects for that.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// The command gets this signal when the thread that starts it ends: if we are killed outright,
/// nobody would watch it any longer, and a hung go would keep its locks for ever. Every runtime
/// here starts its commands from the thread that it lives on.
pub fn end_with_us(command: &mut Command, signal: i32) {
    let tie = move || {
        // SAFETY: prctl with PR_SET_PDEATHSIG takes a number.
        unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, signal) };
        Ok(())
    };
    // SAFETY: the closure only makes one system call, which is safe between fork and exec.
    unsafe { command.pre_exec(tie) };
}
