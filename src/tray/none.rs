//! A system without a tray that goroam knows.

use std::process::ExitCode;

use super::site::Site;

/// Says so.
///
/// # Errors
/// Always.
pub(super) fn run(_: Site) -> Result<ExitCode, String> {
    Err("there is no tray on this system; `goroam status --watch` shows the same".to_owned())
}
