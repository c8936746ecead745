//! goroam in the notification area or menu bar. This is a separate program because a console
//! program would show a window for a moment at login on Windows.
#![cfg_attr(windows, windows_subsystem = "windows")]

use std::process::ExitCode;

fn main() -> ExitCode {
    goroam::tray::run(std::env::args_os())
}
