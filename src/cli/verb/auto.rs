//! `goroam auto`

use super::take_turn::take_turn;
use crate::agent::Command;
use crate::cli::args::Json;
use crate::cli::context::Context;
use crate::cli::failure::Failure;

/// Chooses by the network again.
pub(in crate::cli) async fn run(context: &Context, args: Json) -> Result<u8, Failure> {
    take_turn(context, Command::Auto, args.json).await
}
