//! Parse, run, exit; nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    goroam::cli::run(std::env::args_os())
}
