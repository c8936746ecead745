//! `goroam metrics`

use clap::Args;

use super::status;
use crate::agent::Session;
use crate::agent::error::EXIT_DONE;
use crate::cli::{Context, Failure};

/// `goroam metrics`
#[derive(Debug, Clone, Copy, Args)]
pub struct Metrics;

/// Prints the metrics in Prometheus' text format. The counts are in the state, which an agent keeps
/// after each turn; everything else is in its status.
pub(in crate::cli) async fn run(context: &Context, Metrics: Metrics) -> Result<u8, Failure> {
    let status = status::ask(context, false).await?;
    let session = Session::open_to_restore(context.config.clone(), context.env.clone())?;
    context.out.raw(session.metrics(&status).as_bytes())?;
    Ok(EXIT_DONE)
}
