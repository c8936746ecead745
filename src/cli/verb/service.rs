//! `goroam service`

use crate::agent::error::EXIT_DONE;
use crate::cli::args;
use crate::cli::context::Context;
use crate::cli::failure::Failure;

/// To be written.
#[expect(clippy::unused_async, reason = "to be written")]
pub(in crate::cli) async fn run(_: &Context, _: &args::Service) -> Result<u8, Failure> {
    Ok(EXIT_DONE)
}
