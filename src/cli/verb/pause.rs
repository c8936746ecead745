//! `goroam pause`

use crate::agent::error::{EXIT_DONE, EXIT_FAILED};
use crate::agent::{Command, Reply};
use crate::cli::args::Json;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::render;
use crate::ipc;

const NOTHING: &str = "\
While paused, nothing is changed: if you set GOPROXY by hand now, what goroam has
set beside it (GONOPROXY=none and the like) stays. `goroam auto` ends the pause.
";

/// Leaves everything as it is. Without an agent there is nothing to pause, which is told.
pub(in crate::cli) async fn run(context: &Context, args: Json) -> Result<u8, Failure> {
    let paths = context.paths()?;
    let status = match ipc::ask(&paths, Command::Pause).await? {
        Reply::Status(status) => *status,
        Reply::Turn(_) | Reply::Failed { .. } => {
            let message = "the agent answered with something else; after an update, restart it";
            return Err(Failure::said(message, EXIT_FAILED));
        }
    };
    if args.json {
        context.out.json(&status)?;
    } else {
        let status = render::status(&status, &context.page);
        context.out.text(&format!("{status}\n{NOTHING}"))?;
    }
    Ok(EXIT_DONE)
}
