//! Parses the arguments, runs the verb and exits.

use std::process::ExitCode;

fn main() -> ExitCode {
    goroam::cli::run(std::env::args_os())
}
