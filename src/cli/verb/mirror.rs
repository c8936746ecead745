//! `goroam mirror`

use crate::agent::error::EXIT_FAILED;
use crate::cli::args;
use crate::cli::context::Context;
use crate::cli::failure::Failure;

pub(in crate::cli) fn run(_context: &Context, _args: &args::Mirror) -> Result<u8, Failure> {
    Err(Failure::said("not built yet", EXIT_FAILED))
}
