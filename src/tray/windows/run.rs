//! Runs the tray from start to end.

use std::process::ExitCode;

use tokio::sync::mpsc::unbounded_channel;
use tracing::Level;
use windows_sys::Win32::UI::HiDpi::{
    DPI_AWARENESS_CONTEXT_PER_MONITOR_AWARE_V2, SetProcessDpiAwarenessContext,
};
use windows_sys::Win32::UI::WindowsAndMessaging::{MB_ICONERROR, MB_ICONINFORMATION};

use super::agent::AgentThread;
use super::log_file::LogFile;
use super::only::Only;
use super::shell;
use super::window::Window;
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
