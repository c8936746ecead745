//! `goroam why`

use crate::agent::Session;
use crate::agent::error::EXIT_DONE;
use crate::cli::args::Json;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::render;

/// The last decision, from the journal that the agent and we share.
pub(in crate::cli) async fn run(context: &Context, args: Json) -> Result<u8, Failure> {
    let mut session = Session::open(context.config.clone(), context.env.clone())?;
    let report = session.why().await?;
    if args.json {
        context.out.json(&report)?;
    } else {
        context.out.text(&render::why(&report, &context.page))?;
    }
    Ok(EXIT_DONE)
}
