//! `goroam use`

use super::take_turn::take_turn;
use crate::agent::Command;
use crate::agent::error::EXIT_USAGE;
use crate::cli::args::Use;
use crate::cli::context::Context;
use crate::cli::failure::Failure;

/// Stays with a profile.
pub(in crate::cli) async fn run(context: &Context, args: &Use) -> Result<u8, Failure> {
    let until = match args.within {
        None => None,
        Some(time) => Some(
            context
                .page
                .now
                .checked_add(time)
                .map_err(|error| Failure::said(format!("--for: {error}"), EXIT_USAGE))?,
        ),
    };
    let command = Command::Use {
        profile: args.profile.clone(),
        until,
    };
    take_turn(context, command, args.format.json).await
}
