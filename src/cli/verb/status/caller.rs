//! What only whoever asks can know.

use crate::cli::context::Context;
use crate::gocmd::shadows;
use crate::model::status::Status;

/// Which variables are shadowed depends on the shell that asks, not on the agent's.
pub(super) fn of_caller(context: &Context, mut status: Status) -> Status {
    status.shadowed = shadows(&context.env, &status.lines());
    status
}
