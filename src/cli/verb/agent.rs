//! `goroam agent`

use std::net::TcpListener;
use std::path::Path;

use crate::agent::error::EXIT_DONE;
use crate::agent::{self, Ended, Supervisor};
use crate::cli::{Context, Failure};
use crate::ipc;
use crate::mirror::keep_in;
#[cfg(unix)]
use crate::service::sd_notify::{LISTEN, Systemd, without_notify};

/// Runs the agent until it is interrupted.
pub(in crate::cli) async fn run(context: &Context) -> Result<u8, Failure> {
    #[cfg(unix)]
    let env = without_notify(&context.env);
    #[cfg(not(unix))]
    let env = context.env.clone();
    let mut supervisor = supervisor(context);
    let opened = agent::wait_for_valid_policy(context.config.clone(), env, supervisor.as_mut());
    let Some(session) = opened.await? else {
        return Ok(EXIT_DONE);
    };
    let paths = session.paths.clone();
    // Kept as long as the agent runs; dropping it removes the socket.
    let mut serving = None;
    let serve = |handle| {
        serving = Some(ipc::serve(&paths, handle)?);
        Ok(())
    };
    let ended = agent::run(session.with_mirror(keep_in), serve, supervisor.as_mut()).await;
    if let Some(serving) = serving {
        serving.end().await;
    }
    match ended? {
        Ended::Asked => Ok(EXIT_DONE),
        Ended::Replaced { program, relay } => Err(become_program(&program, relay)),
    }
}

/// Returns systemd or launchd, if it has started this process.
fn supervisor(context: &Context) -> Box<dyn Supervisor> {
    #[cfg(unix)]
    if let Some(systemd) = Systemd::find(&context.env) {
        return Box::new(systemd);
    }
    #[cfg(target_os = "macos")]
    if let Some(launchd) = crate::service::Launchd::find(&context.env) {
        return Box::new(launchd);
    }
    let _ = context;
    Box::new(agent::Unattended)
}

/// Re-executes this process as the new program. Its lock and its socket are free from this moment
/// on, and it reads the network again. Returns only if that fails. The service manager then starts
/// the program, because the exit code reports a failure.
#[cfg(unix)]
fn become_program(program: &Path, relay: Option<TcpListener>) -> Failure {
    use std::os::fd::AsRawFd as _;
    use std::os::unix::process::CommandExt as _;

    let mut command = std::process::Command::new(program);
    command.args(std::env::args_os().skip(1));
    for name in LISTEN.into_iter().chain([agent::LISTENER]) {
        command.env_remove(name);
    }
    if let Some(relay) = &relay {
        command.env(agent::LISTENER, relay.as_raw_fd().to_string());
    }
    let error = command.exec();
    Failure::failed(format_args!(
        "cannot re-execute as {}: {error}",
        program.display()
    ))
}

#[cfg(not(unix))]
fn become_program(program: &Path, _relay: Option<TcpListener>) -> Failure {
    Failure::failed(format_args!(
        "{} was replaced; start it again",
        program.display()
    ))
}
