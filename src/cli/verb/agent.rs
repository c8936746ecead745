//! `goroam agent`

use crate::agent::error::EXIT_DONE;
use crate::agent::{self, Session};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::ipc;

/// Stays and keeps it right, until it is interrupted.
pub(in crate::cli) async fn run(context: &Context) -> Result<u8, Failure> {
    let session = Session::open(context.config.clone(), context.env.clone())?;
    let paths = session.paths.clone();
    // Lives as long as the agent; dropping it removes the socket.
    let mut serving = None;
    let serve = |handle| {
        serving = Some(ipc::serve(&paths, handle)?);
        Ok(())
    };
    #[cfg(target_os = "macos")]
    let mut supervisor = crate::host::service::LogKeeper::new(&context.env);
    #[cfg(not(target_os = "macos"))]
    let mut supervisor = agent::Unattended;
    let ended = agent::run(session, serve, &mut supervisor).await;
    drop(serving);
    ended?;
    Ok(EXIT_DONE)
}
