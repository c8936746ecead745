//! What of a status depends on who asks.

use std::path::Path;

use crate::cli::context::Context;
use crate::gocmd::shadows;
use crate::mirror::ready::tally;
use crate::model::plural;
use crate::model::status::Status;
/// Which variables are shadowed depends on the shell that asks, not on the agent's.
pub(super) fn of_caller(context: &Context, mut status: Status) -> Status {
    status.shadowed = shadows(&context.env, &status.lines());
    counted(status)
}

/// "the mirror /m, 41 modules": counted by who looks, and not by the agent each time it tells.
fn counted(mut status: Status) -> Status {
    if let Some(from) = &mut status.from
        && let Some(path) = from.strip_prefix("the mirror ")
    {
        let (modules, _) = tally(Path::new(path));
        *from = format!("{from}, {}", plural(modules, "module"));
    }
    status
}
