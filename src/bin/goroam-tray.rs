//! goroam in the notification area or menu bar; nothing else. A program of its own, for a
//! console program would flash a window at login on Windows.
#![cfg_attr(windows, windows_subsystem = "windows")]

use std::process::ExitCode;

fn main() -> ExitCode {
    goroam::tray::run(std::env::args_os())
}
