//! One tray in a session: a second start shows the menu of the first and ends.

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

/// Of this session; another session's user wants an icon too.
const NAME: &str = r"Local\goroam-tray";
/// The first may be starting or ending.
const PATIENCE: Duration = Duration::from_secs(10);
const PACE_MS: u32 = 100;
const ANSWER_MS: u32 = 2_000;

/// Held while this is the tray of the session.
#[derive(Debug)]
pub(super) struct Only(HANDLE);

impl Only {
    /// `None`: another one is there, and was asked to show itself.
    pub(super) fn take() -> Option<Only> {
        let name = wide(NAME);
        // SAFETY: the name ends with a zero and outlives the call.
        let only = Only(unsafe { CreateMutexW(ptr::null(), 0, name.as_ptr()) });
        let end = Instant::now() + PATIENCE;
        loop {
            // SAFETY: the handle is ours. Without one (somebody else in this session runs a
            // tray, whose object we may not open) the answer is a failure: go on then.
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
        // With its owner's thread or its last handle it is free.
        if !self.0.is_null() {
            // SAFETY: made above, closed once.
            unsafe { CloseHandle(self.0) };
        }
    }
}

/// Asks the first to open its menu; false: there is none, or it is about to end.
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
        // Only who is in front may let another one come to the front.
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
