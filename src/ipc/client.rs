//! Asks the running agent.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncWriteExt, BufReader};
use tokio::time::timeout;

use super::endpoint::{ClientEnd, connect};
use super::message::{REPLY_LIMIT, Request, VERSION, read_line};
use crate::agent::error::EXIT_FAILED;
use crate::agent::{Command, Error, Reply};
use crate::model::status::Status;
use crate::paths::Paths;

/// A local connection; more means that the agent is stuck.
const CONNECT_TIME: Duration = Duration::from_secs(1);
/// What the agent knows already.
const STATUS_TIME: Duration = Duration::from_secs(5);
/// A turn with the slowest probes, each with retries, and another turn before it.
const TURN_TIME: Duration = Duration::from_secs(120);

/// Asks, and waits for the answer.
///
/// # Errors
/// [`Error::NoAgent`] when nobody listens, [`Error::FromAgent`] with what the agent says.
pub async fn ask(paths: &Paths, command: Command) -> Result<Reply, Error> {
    let limit = match command {
        Command::Status | Command::Watch | Command::Pause | Command::Reload | Command::End => {
            STATUS_TIME
        }
        Command::Once { .. } | Command::Use { .. } | Command::Auto | Command::Restore => TURN_TIME,
    };
    let mut stream = request(paths, command).await?;
    match timeout(limit, next_reply(&mut stream, paths)).await {
        Ok(Ok(Some(reply))) => Ok(reply),
        Ok(Ok(None)) => Err(silent("the agent closed the connection without an answer")),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(silent(&format!(
            "the agent has not answered in {} s",
            limit.as_secs()
        ))),
    }
}

/// Asks for the status, now and after each change.
///
/// # Errors
/// [`Error::NoAgent`] when nobody listens.
pub async fn watch(paths: &Paths) -> Result<Watching, Error> {
    let stream = request(paths, Command::Watch).await?;
    Ok(Watching {
        stream,
        paths: paths.clone(),
    })
}

/// A status for every change, until it is dropped.
#[derive(Debug)]
pub struct Watching {
    stream: BufReader<ClientEnd>,
    paths: Paths,
}

impl Watching {
    /// The next status; `None` when the agent has ended. Waits as long as nothing changes.
    ///
    /// # Errors
    /// [`Error::FromAgent`] when the agent refuses or cannot be understood.
    pub async fn next(&mut self) -> Result<Option<Status>, Error> {
        match next_reply(&mut self.stream, &self.paths).await? {
            Some(Reply::Status(status)) => Ok(Some(*status)),
            Some(Reply::Turn(_) | Reply::Failed { .. }) => {
                Err(silent("the agent answered with something else"))
            }
            None => Ok(None),
        }
    }
}

async fn request(paths: &Paths, command: Command) -> Result<BufReader<ClientEnd>, Error> {
    let mut stream = match timeout(CONNECT_TIME, connect(paths)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) if is_nobody(&error) => return Err(Error::NoAgent),
        Ok(Err(error)) => return Err(unreachable_agent(paths, error)),
        Err(_) => {
            return Err(unreachable_agent(paths, io::ErrorKind::TimedOut.into()));
        }
    };
    let request = Request {
        goroam: VERSION,
        command,
    };
    let mut line =
        serde_json::to_vec(&request).map_err(|error| unreachable_agent(paths, error.into()))?;
    line.push(b'\n');
    // An agent with no room answers and closes before it reads: its answer is still there.
    if let Err(error) = stream.write_all(&line).await
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        return Err(unreachable_agent(paths, error));
    }
    Ok(BufReader::new(stream))
}

/// Nobody listens, or nobody could: the path is too long for a socket, or leads through a file.
fn is_nobody(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::InvalidInput
            | io::ErrorKind::NotADirectory
    )
}

async fn next_reply(
    stream: &mut BufReader<ClientEnd>,
    paths: &Paths,
) -> Result<Option<Reply>, Error> {
    let line = read_line(stream, REPLY_LIMIT)
        .await
        .map_err(|error| unreachable_agent(paths, error))?;
    let Some(line) = line else {
        return Ok(None);
    };
    let reply = serde_json::from_slice(&line).map_err(|error| {
        silent(&format!(
            "the agent's answer cannot be understood ({error}); after an update, restart the agent"
        ))
    })?;
    match reply {
        Reply::Failed { error, exit } => Err(Error::FromAgent {
            message: error,
            exit,
        }),
        Reply::Status(_) | Reply::Turn(_) => Ok(Some(reply)),
    }
}

fn unreachable_agent(paths: &Paths, source: io::Error) -> Error {
    Error::State {
        what: format!("cannot ask the agent at {}", paths.socket().display()),
        source: Box::new(source),
    }
}

fn silent(message: &str) -> Error {
    Error::FromAgent {
        message: message.to_owned(),
        exit: EXIT_FAILED,
    }
}
