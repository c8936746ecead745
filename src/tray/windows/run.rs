//! From start to end.

use std::process::ExitCode;

use tokio::sync::mpsc::unbounded_channel;
use tracing::Level;
use windows_sys::Win32::UI::HiDpi::{
    DPI_AWARENESS_CONTEXT_PER_MONITOR_AWARE_V2, SetProcessDpiAwarenessContext,
};

use super::behind::Thread;
use super::dialog;
use super::log_file::LogFile;
use super::only::Only;
use super::window::Window;
use crate::agent::error::EXIT_DONE;
use crate::telemetry;
use crate::tray::site::Site;

/// Shows the tray until the user quits.
///
/// # Errors
/// In words, when there can be no tray, or it has ended by a mistake.
pub(in crate::tray) fn run(site: Site) -> Result<ExitCode, String> {
    let Some(_only) = Only::take() else {
        return Ok(ExitCode::from(EXIT_DONE));
    };
    start_log(&site);
    // The manifest says so already; this is for a program that was linked without it. It must
    // come before the first window, and fails where that is settled.
    // SAFETY: takes a constant.
    unsafe { SetProcessDpiAwarenessContext(DPI_AWARENESS_CONTEXT_PER_MONITOR_AWARE_V2) };
    let (tell, events) = unbounded_channel();
    let window = Window::new(tell).map_err(|error| format!("no window: {error}"))?;
    match Thread::start(site, window.inbox(), events) {
        Ok(thread) => window.run(thread).map(|()| ExitCode::from(EXIT_DONE)),
        Err(refused) => {
            tracing::error!("{}", refused.why);
            // The order to end would close the message before anybody has read it.
            drop(window);
            complain(&refused.why);
            Ok(ExitCode::from(refused.exit))
        }
    }
}

/// Says what went wrong, where it is seen: nobody reads a tray's standard error.
pub(in crate::tray) fn complain(why: &str) {
    dialog::complain("goroam", why);
}

/// Says what was asked for.
pub(in crate::tray) fn inform(text: &str) {
    dialog::inform("goroam", text);
}

fn start_log(site: &Site) {
    // A tray without a log is better than none.
    if let Ok(log) = LogFile::open(&site.paths.log()) {
        telemetry::start_in(log, Level::INFO, &site.env);
    }
    std::panic::set_hook(Box::new(|panic| {
        tracing::error!("a mistake in goroam: {panic}");
    }));
    tracing::info!("goroam-tray {} starts", env!("CARGO_PKG_VERSION"));
}
