//! Runs the tray from start to end. A session has one: a second start shows the menu of the first
//! and ends.

use std::process::ExitCode;
use std::ptr;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::unbounded_channel;
use tracing::Level;
use windows_sys::Win32::Foundation::{
    CloseHandle, HANDLE, HWND, WAIT_ABANDONED, WAIT_OBJECT_0, WAIT_TIMEOUT,
};
use windows_sys::Win32::System::Threading::{CreateMutexW, WaitForSingleObject};
use windows_sys::Win32::UI::HiDpi::{
    DPI_AWARENESS_CONTEXT_PER_MONITOR_AWARE_V2, SetProcessDpiAwarenessContext,
};
use windows_sys::Win32::UI::WindowsAndMessaging::{
    AllowSetForegroundWindow, FindWindowW, GetWindowThreadProcessId, MB_ICONERROR,
    MB_ICONINFORMATION, RegisterWindowMessageW, SMTO_ABORTIFHUNG, SendMessageTimeoutW,
};

use super::agent::AgentThread;
use super::log_file::LogFile;
use super::shell;
use super::text::wide;
use super::window::{CLASS, HERE, SHOW_YOURSELF, Window};
use crate::telemetry;
use crate::tray::control::Site;

/// Shows the tray until the user quits.
///
/// # Errors
/// A message, when the tray cannot be shown.
pub(in crate::tray) fn run(site: Site) -> Result<ExitCode, String> {
    let Some(_only) = Only::take() else {
        return Ok(ExitCode::SUCCESS);
    };
    // A tray without a log is better than no tray.
    if let Ok(log) = LogFile::open(&site.paths.log()) {
        telemetry::start_in(log, Level::INFO, &site.env);
    }
    tracing::info!("goroam-tray {} starts", env!("CARGO_PKG_VERSION"));
    // The manifest declares this already; the call is for a program linked without the manifest. It
    // must come before the first window, and fails if the setting is already fixed.
    // SAFETY: the call takes a constant.
    unsafe { SetProcessDpiAwarenessContext(DPI_AWARENESS_CONTEXT_PER_MONITOR_AWARE_V2) };
    let (tell, events) = unbounded_channel();
    let window = Window::new(tell).map_err(|error| format!("no window: {error}"))?;
    let agent = AgentThread::start(site, window.orders(), events)
        .map_err(|error| format!("cannot start: {error}"))?;
    Ok(match window.run(agent) {
        Ok(()) => ExitCode::SUCCESS,
        Err(refused) => {
            tracing::error!("{}", refused.why);
            complain(&refused.why, refused.exit)
        }
    })
}

/// Shows an error in a message box: a tray's standard error is not visible.
pub(in crate::tray) fn complain(why: &str, exit: u8) -> ExitCode {
    shell::message(why, MB_ICONERROR);
    ExitCode::from(exit)
}

/// Shows requested information in a message box.
pub(in crate::tray) fn inform(text: &str) -> ExitCode {
    shell::message(text, MB_ICONINFORMATION);
    ExitCode::SUCCESS
}

/// The mutex of this session; users of other sessions have their own icon.
const NAME: &str = r"Local\goroam-tray";
/// How long to wait for the first tray, which may be starting or ending.
const PATIENCE: Duration = Duration::from_secs(10);
const PACE_MS: u32 = 100;
const ANSWER_MS: u32 = 2_000;

/// Held while this process is the tray of the session.
#[derive(Debug)]
struct Only(HANDLE);

impl Only {
    /// Takes the mutex. `None`: another tray runs, and was asked to show itself.
    fn take() -> Option<Only> {
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
