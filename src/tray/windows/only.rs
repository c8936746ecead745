//! Allows one tray in a session: a second start shows the menu of the first and ends.

use std::ptr;
use std::time::{Duration, Instant};

use windows_sys::Win32::Foundation::{
    CloseHandle, HANDLE, HWND, WAIT_ABANDONED, WAIT_OBJECT_0, WAIT_TIMEOUT,
};
use windows_sys::Win32::System::Threading::{CreateMutexW, WaitForSingleObject};
use windows_sys::Win32::UI::WindowsAndMessaging::{
    AllowSetForegroundWindow, FindWindowW, GetWindowThreadProcessId, RegisterWindowMessageW,
    SMTO_ABORTIFHUNG, SendMessageTimeoutW,
};

use super::text::wide;
use super::window::{CLASS, HERE, SHOW_YOURSELF};

/// The mutex of this session; users of other sessions have their own icon.
const NAME: &str = r"Local\goroam-tray";
/// How long to wait for the first tray, which may be starting or ending.
const PATIENCE: Duration = Duration::from_secs(10);
const PACE_MS: u32 = 100;
const ANSWER_MS: u32 = 2_000;

/// Held while this process is the tray of the session.
#[derive(Debug)]
pub(super) struct Only(HANDLE);

impl Only {
    /// Takes the mutex. `None`: another tray runs, and was asked to show itself.
    pub(super) fn take() -> Option<Only> {
        let name = wide(NAME);
        // SAFETY: the name ends with a zero and outlives the call.
        let only = Only(unsafe { CreateMutexW(ptr::null(), 0, name.as_ptr()) });
        let end = Instant::now() + PATIENCE;
        loop {
            // SAFETY: the handle belongs to us. Without one (another user runs a tray in this
            // session, whose object we may not open) the call fails; then this tray continues.
            match unsafe { WaitForSingleObject(only.0, PACE_MS) } {
                WAIT_OBJECT_0 | WAIT_ABANDONED => return Some(only),
                WAIT_TIMEOUT if first_is_here() || Instant::now() > end => return None,
                WAIT_TIMEOUT => {}
                _ => return Some(only),
            }
        }
    }
}

impl Drop for Only {
    fn drop(&mut self) {
        // The mutex is released when its owner's thread ends or its last handle is closed.
        if !self.0.is_null() {
            // SAFETY: created above, closed once.
            unsafe { CloseHandle(self.0) };
        }
    }
}

/// Asks the first tray to open its menu; false: it does not run, or is about to end.
fn first_is_here() -> bool {
    let (class, message) = (wide(CLASS), wide(SHOW_YOURSELF));
    let mut answer = 0;
    // SAFETY: names end with zeros, places outlive their calls; windows of other processes are
    // numbers that Windows checks.
    unsafe {
        let window: HWND = FindWindowW(class.as_ptr(), ptr::null());
        if window.is_null() {
            return false;
        }
        let mut process = 0;
        GetWindowThreadProcessId(window, &mut process);
        // Only the process in front may let another one come to the front.
        AllowSetForegroundWindow(process);
        let message = RegisterWindowMessageW(message.as_ptr());
        SendMessageTimeoutW(
            window,
            message,
            0,
            0,
            SMTO_ABORTIFHUNG,
            ANSWER_MS,
            &mut answer,
        );
    }
    answer == HERE
}
