//! A policy that cannot be used is no reason to have no agent until somebody starts one: where
//! a service manager looks after the agent, it waits for a better one.

use std::path::PathBuf;

use tracing::{error, info};

use super::error::Error;
use super::session::Session;
use super::signals::{Signal, Signals};
use super::supervisor::{Life, Supervisor};
use crate::environment::Environment;
use crate::model::status::Status;
use crate::paths::Paths;
use crate::watch::{Hint, WatchPaths, Watcher};

/// Opens the session; `None`: it was ended before there was a usable policy. No timer runs
/// while it waits. Whoever does not start the agent again gets the error at once.
///
/// # Errors
/// See [`Session::open`].
pub async fn open_patiently(
    config: Option<PathBuf>,
    env: Environment,
    supervisor: &mut dyn Supervisor,
) -> Result<Option<Session>, Error> {
    let refused = match Session::open_to_stay(config.clone(), env.clone()) {
        Ok(session) => return Ok(Some(session)),
        Err(refused) => refused,
    };
    if !(supervisor.starts_again() && is_the_policys_fault(&refused)) {
        return Err(refused);
    }
    let paths = Paths::find(config.clone(), &env)?;
    let mut signals = Signals::listen().map_err(|source| Error::State {
        what: "signals".to_owned(),
        source: source.into(),
    })?;
    let mut watcher = Watcher::start(WatchPaths {
        policy: Some(paths.policy),
        ..WatchPaths::default()
    });
    // The watches are there from here on; what was mended before sent no event.
    tokio::task::yield_now().await;
    let mut refused = match Session::open_to_stay(config.clone(), env.clone()) {
        Ok(session) => return Ok(Some(session)),
        Err(again) => again,
    };
    loop {
        error!("waits for a policy that can be used: {refused}");
        let status = Status {
            troubles: vec![refused.to_string()],
            ..Status::default()
        };
        supervisor.tell(Life::Ready, &status);
        // It runs since the start, and nobody gives a sign of life here.
        supervisor.tell(Life::Resting, &status);
        loop {
            let signal = tokio::select! {
                signal = signals.next() => signal,
                hint = watcher.next() => match hint {
                    Hint::PolicyFile => Signal::Reload,
                    Hint::Network
                    | Hint::Resolver
                    | Hint::Lost
                    | Hint::EnvFile
                    | Hint::Program
                    | Hint::Wake => continue,
                },
            };
            match signal {
                Signal::End => {
                    supervisor.tell(Life::Ending, &status);
                    return Ok(None);
                }
                Signal::Reload => break,
            }
        }
        match Session::open_to_stay(config.clone(), env.clone()) {
            Ok(session) => {
                info!("read the policy again");
                return Ok(Some(session));
            }
            Err(again) => refused = again,
        }
    }
}

/// What somebody mends in a file that is watched.
fn is_the_policys_fault(error: &Error) -> bool {
    matches!(error, Error::Policy { .. } | Error::PolicyFile { .. })
}
