//! Installs the start at login.

use super::args::Init;
use super::dialogue::Dialogue;
use super::voice::Voice;
use crate::agent::error::{EXIT_FAILED, EXIT_REFUSED};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::paths::Paths;
use crate::service::{self, ServiceError, ServiceRequest, Site};

/// Reports whether to install the service. Asks only if that is possible and not done yet.
pub(super) async fn wanted(
    context: &Context,
    args: &Init,
    paths: &Paths,
    dialogue: Option<Dialogue>,
    voice: &Voice,
) -> Result<bool, Failure> {
    if args.service || args.no_service {
        return Ok(args.service);
    }
    if args.stdout || (!args.yes && dialogue.is_none()) {
        return Ok(false);
    }
    let state =
        Site::find(paths.clone(), context.env.clone()).and_then(|site| service::state(&site));
    match state {
        Err(why) => {
            voice.remark(&format!("it cannot be started at login: {why}"))?;
            Ok(false)
        }
        Ok(state) if state.installed.is_some() && state.enabled => {
            voice.good(&format!("it starts at login already ({})", state.kind))?;
            Ok(false)
        }
        Ok(_) => match dialogue {
            Some(dialogue) => dialogue.agrees("Start at login").await,
            None => Ok(true),
        },
    }
}

/// Installs and starts the service. Returns what was done, line by line.
pub(super) async fn install(
    context: &Context,
    paths: &Paths,
    voice: &Voice,
) -> Result<Vec<String>, Failure> {
    let site = Site::find(paths.clone(), context.env.clone()).map_err(failure)?;
    let steps = service::plan(ServiceRequest::Install, &site).map_err(failure)?;
    let done = service::carry_out(&steps, &site).await.map_err(failure)?;
    for line in &done {
        voice.good(line)?;
    }
    Ok(done)
}

fn failure(error: ServiceError) -> Failure {
    if let ServiceError::Agent(error) = error {
        return error.into();
    }
    let refused = matches!(error, ServiceError::Refused(_));
    let exit = if refused { EXIT_REFUSED } else { EXIT_FAILED };
    let message = format!("{error}; `goroam service install` tries that part again");
    Failure::said(message, exit)
}
