//! Asks the running agent.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncWriteExt, BufReader};
use tokio::time::timeout;

use super::endpoint::{ClientEnd, connect, server_pid};
use super::message::{HEARTBEAT, REPLY_LIMIT, Request, VERSION, read_line};
use crate::agent::error::EXIT_FAILED;
use crate::agent::{Command, Error, Reply};
use crate::model::status::Status;
use crate::paths::Paths;

/// A local connection; more means that the agent is stuck.
const CONNECT_TIME: Duration = Duration::from_secs(1);
/// What the agent knows already.
const STATUS_TIME: Duration = Duration::from_secs(4);
/// Until the agent says that it has the command. Connecting, this and a question whether it is
/// alive take less than five seconds together.
const FIRST_WORD: Duration = Duration::from_millis(2000);
/// The answer to that question.
const SIGN_OF_LIFE: Duration = Duration::from_millis(1500);
/// Between two heartbeats; one comes each second.
const SILENCE: Duration = Duration::from_secs(4);
/// A turn with the slowest probes, each with retries, and another turn before it.
const TURN_TIME: Duration = Duration::from_secs(120);

/// Asks, and waits for the answer as long as the agent is alive: a turn may take a minute, but
/// one that was stopped or frozen is given up within five seconds.
///
/// # Errors
/// [`Error::NoAgent`] when nobody listens, [`Error::AgentSilent`] when whoever does says
/// nothing, [`Error::FromAgent`] with what the agent says.
pub async fn ask(paths: &Paths, command: Command) -> Result<Reply, Error> {
    let is_told_at_once = matches!(command, Command::Status | Command::Watch);
    let mut stream = request(paths, command, !is_told_at_once).await?;
    let silent = silent_agent(&stream);
    if is_told_at_once {
        let reply = timeout(STATUS_TIME, next_reply(&mut stream, paths)).await;
        return one_reply(reply.map_err(|_| silent)?);
    }
    let patient = patiently(&mut stream, paths, silent);
    match timeout(TURN_TIME, patient).await {
        Ok(result) => result,
        Err(_) => Err(from_agent(&format!(
            "the agent has not answered in {} s",
            TURN_TIME.as_secs()
        ))),
    }
}

/// Waits from heartbeat to heartbeat. An agent older than this has none: it is asked over
/// another connection whether it is alive.
async fn patiently(
    stream: &mut BufReader<ClientEnd>,
    paths: &Paths,
    silent: Error,
) -> Result<Reply, Error> {
    let mut wait = FIRST_WORD;
    let mut beats = false;
    loop {
        // Not given up with each wait: half a line would be lost.
        let mut line = std::pin::pin!(next_line(stream, paths));
        let line = loop {
            match timeout(wait, &mut line).await {
                Ok(line) => break line?,
                Err(_) if beats || !is_alive(paths).await => return Err(silent),
                Err(_) => {}
            }
        };
        match line {
            Some(line) if line == HEARTBEAT => (beats, wait) = (true, SILENCE),
            line => return one_reply(line.map(|line| reply(&line)).transpose()),
        }
    }
}

async fn is_alive(paths: &Paths) -> bool {
    let asked = async {
        let mut stream = request(paths, Command::Status, false).await?;
        next_reply(&mut stream, paths).await
    };
    matches!(timeout(SIGN_OF_LIFE, asked).await, Ok(Ok(Some(_))))
}

fn one_reply(reply: Result<Option<Reply>, Error>) -> Result<Reply, Error> {
    reply?.ok_or_else(|| from_agent("the agent closed the connection without an answer"))
}

/// Asks for the status, now and after each change.
///
/// # Errors
/// [`Error::NoAgent`] when nobody listens.
pub async fn watch(paths: &Paths) -> Result<Watching, Error> {
    let stream = request(paths, Command::Watch, false).await?;
    Ok(Watching {
        silent: Some(silent_agent(&stream)),
        stream,
        paths: paths.clone(),
    })
}

/// A status for every change, until it is dropped.
#[derive(Debug)]
pub struct Watching {
    stream: BufReader<ClientEnd>,
    paths: Paths,
    /// What it is called if the first status does not come.
    silent: Option<Error>,
}

impl Watching {
    /// The next status; `None` when the agent has ended. Waits as long as nothing changes.
    ///
    /// # Errors
    /// [`Error::FromAgent`] when the agent refuses or cannot be understood.
    pub async fn next(&mut self) -> Result<Option<Status>, Error> {
        let next = next_reply(&mut self.stream, &self.paths);
        let next = match self.silent.take() {
            Some(silent) => timeout(STATUS_TIME, next).await.map_err(|_| silent)?,
            None => next.await,
        };
        match next? {
            Some(Reply::Status(status)) => Ok(Some(*status)),
            Some(Reply::Turn(_) | Reply::Failed { .. }) => {
                Err(from_agent("the agent sent an unexpected answer"))
            }
            None => Ok(None),
        }
    }
}

async fn request(
    paths: &Paths,
    command: Command,
    heartbeat: bool,
) -> Result<BufReader<ClientEnd>, Error> {
    let mut stream = match timeout(CONNECT_TIME, connect(paths)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) if is_nobody(&error) => return Err(Error::NoAgent),
        // Who does not take its clients has a full queue of them.
        Ok(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => {
            return Err(Error::AgentSilent { pid: None });
        }
        Ok(Err(error)) => return Err(unreachable_agent(paths, error)),
        Err(_) => return Err(Error::AgentSilent { pid: None }),
    };
    let request = Request {
        goroam: VERSION,
        command,
        heartbeat,
    };
    let mut line =
        serde_json::to_vec(&request).map_err(|error| unreachable_agent(paths, error.into()))?;
    line.push(b'\n');
    // An agent with no room answers and closes before it reads: its answer is still there.
    match timeout(CONNECT_TIME, stream.write_all(&line)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => {}
        Ok(Err(error)) => return Err(unreachable_agent(paths, error)),
        Err(_) => return Err(Error::AgentSilent { pid: None }),
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
    let line = next_line(stream, paths).await?;
    line.map(|line| reply(&line)).transpose()
}

async fn next_line(
    stream: &mut BufReader<ClientEnd>,
    paths: &Paths,
) -> Result<Option<Vec<u8>>, Error> {
    let line = read_line(stream, REPLY_LIMIT).await;
    line.map_err(|error| unreachable_agent(paths, error))
}

fn reply(line: &[u8]) -> Result<Reply, Error> {
    let reply = serde_json::from_slice(line).map_err(|error| {
        from_agent(&format!(
            "cannot parse the agent's answer ({error}); after an update, restart the agent"
        ))
    })?;
    match reply {
        Reply::Failed { error, exit } => Err(Error::FromAgent {
            message: error,
            exit,
        }),
        Reply::Status(_) | Reply::Turn(_) => Ok(reply),
    }
}

fn silent_agent(stream: &BufReader<ClientEnd>) -> Error {
    Error::AgentSilent {
        pid: server_pid(stream.get_ref()),
    }
}

fn unreachable_agent(paths: &Paths, source: io::Error) -> Error {
    Error::State {
        what: format!("cannot ask the agent at {}", paths.socket().display()),
        source: Box::new(source),
    }
}

fn from_agent(message: &str) -> Error {
    Error::FromAgent {
        message: message.to_owned(),
        exit: EXIT_FAILED,
    }
}
