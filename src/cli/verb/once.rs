//! `goroam once`

use super::take_turn::take_turn;
use crate::agent::Command;
use crate::cli::args::Once;
use crate::cli::context::Context;
use crate::cli::failure::Failure;

/// Takes a turn now.
pub(in crate::cli) async fn run(context: &Context, args: Once) -> Result<u8, Failure> {
    let command = Command::Once {
        dry_run: args.dry_run,
    };
    take_turn(context, command, args.format.json).await
}
