//! The protocol, and the agent's side of it. Each client has its own task with limits on time and
//! length, so that no client can delay another or the agent.

use std::io;
use std::pin::pin;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{
    AsyncBufRead, AsyncBufReadExt, AsyncReadExt as _, AsyncWriteExt, BufReader, ReadHalf, WriteHalf,
};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use super::endpoint::{Listener, ServerEnd};
use crate::agent::error::{EXIT_FAILED, EXIT_USAGE};
use crate::agent::{Command, Error, Handle, Reply};
use crate::paths::Paths;

/// The protocol's version. It changes when an older client would misinterpret an answer.
pub(super) const VERSION: u64 = 1;
/// Longest request in bytes. The longest real request is a profile's name and a time.
const REQUEST_LIMIT: u64 = 64 * 1024;
/// Longest answer in bytes: a turn's report with every condition of a big policy.
pub(super) const REPLY_LIMIT: u64 = 1024 * 1024;

/// A line before the answer: the agent has the command and is alive. The first one is sent before
/// the command runs, so that no command runs for a client that has given up.
pub(super) const HEARTBEAT: &[u8] = br#"{"working":true}"#;
/// Time between two heartbeats.
const HEARTBEAT_PERIOD: Duration = Duration::from_secs(1);
/// Most clients at once: some watchers and a few that send commands.
const MOST_CLIENTS: usize = 16;
/// Time limit from connecting to the end of the request.
const REQUEST_TIME: Duration = Duration::from_secs(5);
/// Time limit for a client to read its answer.
const WRITE_TIME: Duration = Duration::from_secs(5);
/// Pause after an error of `accept` that would repeat at once (no more file descriptors).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Time limit for sending the last answers at shutdown.
const FAREWELL: Duration = Duration::from_millis(500);

/// The client's one line: `{"goroam":1,"command":{"verb":"status"}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Request {
    /// The client's [`VERSION`].
    pub(super) goroam: u64,
    /// The command.
    pub(super) command: Command,
    /// Whether the client understands [`HEARTBEAT`]. An older agent ignores this field.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) heartbeat: bool,
}

impl Request {
    /// Reads a client's line. The error is the message to send back.
    fn parse(line: &[u8]) -> Result<Request, String> {
        let given: Value = serde_json::from_slice(line).unwrap_or_default();
        let Some(Value::Number(asked)) = given.get("goroam") else {
            return Err("not a valid request to goroam's agent".to_owned());
        };
        if asked.as_u64() != Some(VERSION) {
            return Err(format!(
                "the agent speaks version {VERSION} of goroam's protocol and was asked in version \
                 {asked}; after an update, restart the agent"
            ));
        }
        let request: Request = serde_json::from_slice(line)
            .map_err(|error| format!("the agent does not know this command: {error}"))?;
        // serde ignores unknown fields, and a "restore, but only say what would be done" must not
        // restore. A newer client may ask for more than this agent supports.
        let known = serde_json::to_value(&request).unwrap_or_default();
        let unknown = unknown_field(&given, &known)
            .or_else(|| unknown_field(&given["command"], &known["command"]));
        match unknown {
            Some(name) if !request.command.only_asks() => Err(format!(
                "the agent does not know the field {name:?} of this command, so it does nothing; \
                 after an update, restart the agent"
            )),
            Some(_) | None => Ok(request),
        }
    }
}

fn unknown_field<'a>(given: &'a Value, known: &Value) -> Option<&'a String> {
    let mut names = given.as_object()?.keys();
    names.find(|name| known.get(name.as_str()).is_none())
}

/// Reads one line without its end, or `None` when the other side has closed. Data without a line
/// end counts as a line: a script that forgets the newline still gets its answer.
///
/// # Errors
/// When the line is longer than `limit` bytes, or reading fails.
pub(super) async fn read_line(
    from: &mut (impl AsyncBufRead + Unpin),
    limit: u64,
) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let read = from.take(limit + 1).read_until(b'\n', &mut line).await?;
    if read == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    } else if read as u64 > limit {
        let why = format!("a line of more than {} KiB", limit / 1024);
        return Err(io::Error::new(io::ErrorKind::InvalidData, why));
    }
    Ok(Some(line))
}

/// A server that runs until this is dropped. Then its clients are disconnected and the socket is
/// removed.
#[derive(Debug)]
pub struct Serving {
    task: JoinHandle<()>,
    /// When this is dropped, the server accepts no more clients.
    open: Option<oneshot::Sender<()>>,
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Serving {
    /// Ends the server after the agent has ended. It accepts no new client. Clients that were just
    /// answered, most of all the one that has asked the agent to end, can still read their answer.
    pub async fn end(mut self) {
        self.open = None;
        // Without an agent every answer is ready; a client that does not read it is disconnected.
        let _ = timeout(FAREWELL, &mut self.task).await;
    }
}

/// Listens and answers, in a task of the running tokio runtime. Call this only while holding the
/// agent's lock.
///
/// # Errors
/// When the socket cannot be created.
pub fn serve(paths: &Paths, handle: Handle) -> Result<Serving, Error> {
    let listener = Listener::bind(paths).map_err(|source| Error::State {
        what: format!("cannot listen at {}", paths.socket().display()),
        source: Box::new(source),
    })?;
    let (open, closed) = oneshot::channel();
    Ok(Serving {
        task: tokio::spawn(accept_loop(paths.clone(), listener, handle, closed)),
        open: Some(open),
    })
}

async fn accept_loop(
    paths: Paths,
    mut listener: Listener,
    handle: Handle,
    mut closed: oneshot::Receiver<()>,
) {
    // Dropped with this task, which also drops every client's task.
    let mut clients = JoinSet::new();
    let mut is_known = false;
    loop {
        let stream = tokio::select! {
            _ = &mut closed => break,
            stream = listener.accept() => stream,
            () = handle.places() => {
                if let Err(error) = listener.keep(&paths) {
                    tracing::warn!("cannot listen at {} again: {error}", paths.socket().display());
                }
                continue;
            }
        };
        while clients.try_join_next().is_some() {}
        match stream {
            Ok(stream) if clients.len() < MOST_CLIENTS => {
                let handle = handle.clone();
                clients.spawn(async move {
                    if let Err(error) = answer(stream, &handle).await {
                        tracing::debug!("cannot answer a client: {error}");
                    }
                });
            }
            Ok(stream) => {
                let (_, mut to) = tokio::io::split(stream);
                let why =
                    format!("the agent has {MOST_CLIENTS} clients already; end a `status --watch`");
                // The line fits into any socket's buffer.
                let _ = timeout(ACCEPT_PAUSE, send(&mut to, &failed(why, EXIT_FAILED))).await;
            }
            Err(error) => {
                // Logged once: otherwise a client that waits to be accepted would fill the log.
                if !is_known {
                    tracing::warn!("cannot take a client: {error}");
                }
                is_known = true;
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        }
        is_known = false;
    }
    drop(listener);
    while clients.join_next().await.is_some() {}
}

async fn answer(stream: ServerEnd, handle: &Handle) -> io::Result<()> {
    let (from, mut to) = tokio::io::split(stream);
    let mut from = BufReader::new(from);
    let request = match timeout(REQUEST_TIME, read_line(&mut from, REQUEST_LIMIT)).await {
        Ok(Ok(None)) => return Ok(()),
        Ok(Ok(Some(line))) => Request::parse(&line).map_err(|why| failed(why, EXIT_USAGE)),
        Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
            Err(failed(error.to_string(), EXIT_USAGE))
        }
        Ok(Err(error)) => return Err(error),
        Err(_) => {
            let why = format!("no request in {} s", REQUEST_TIME.as_secs());
            Err(failed(why, EXIT_FAILED))
        }
    };
    let reply = match request {
        Err(reply) => reply,
        Ok(request) if request.command == Command::Watch => {
            return watch(from, to, handle).await;
        }
        // Uses the status that the agent published last, so that a turn under way delays no client.
        Ok(request) if request.command == Command::Status => {
            Reply::Status(Box::new(handle.status().borrow().clone()))
        }
        Ok(request) if request.heartbeat => beating(&mut to, handle, request.command).await?,
        Ok(request) => handle.ask(request.command).await,
    };
    send(&mut to, &reply).await
}

/// Passes the command to the agent, and sends heartbeats to the client meanwhile.
async fn beating(
    to: &mut WriteHalf<ServerEnd>,
    handle: &Handle,
    command: Command,
) -> io::Result<Reply> {
    // If the client has closed the connection, this fails and the command does not run.
    send_line(to, HEARTBEAT).await?;
    let mut asked = pin!(handle.ask(command));
    let mut is_there = true;
    loop {
        match timeout(HEARTBEAT_PERIOD, &mut asked).await {
            Ok(reply) => return Ok(reply),
            Err(_) if is_there => is_there = send_line(to, HEARTBEAT).await.is_ok(),
            Err(_) => return Ok(asked.await),
        }
    }
}

/// Sends the status now and after each change, until the client disconnects or the agent ends.
async fn watch(
    mut from: BufReader<ReadHalf<ServerEnd>>,
    mut to: WriteHalf<ServerEnd>,
    handle: &Handle,
) -> io::Result<()> {
    let mut changes = handle.status();
    let mut sink = tokio::io::sink();
    loop {
        let status = changes.borrow_and_update().clone();
        send(&mut to, &Reply::Status(Box::new(status))).await?;
        tokio::select! {
            changed = changes.changed() => if changed.is_err() {
                return Ok(());
            },
            hung_up = tokio::io::copy(&mut from, &mut sink) => {
                return hung_up.map(|_| ());
            }
        }
    }
}

async fn send(to: &mut WriteHalf<ServerEnd>, reply: &Reply) -> io::Result<()> {
    let mut line = serde_json::to_vec(reply)?;
    if line.len() as u64 > REPLY_LIMIT {
        let why = format!("the answer is longer than {} KiB", REPLY_LIMIT / 1024);
        line = serde_json::to_vec(&failed(why, EXIT_FAILED))?;
    }
    send_line(to, &line).await
}

async fn send_line(to: &mut WriteHalf<ServerEnd>, line: &[u8]) -> io::Result<()> {
    let line = [line, b"\n"].concat();
    let late = || io::Error::new(io::ErrorKind::TimedOut, "the client does not read");
    let sent = timeout(WRITE_TIME, to.write_all(&line)).await;
    sent.map_err(|_| late())??;
    to.flush().await
}

fn failed(error: String, exit: u8) -> Reply {
    Reply::Failed { error, exit }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Request, read_line};
    use crate::agent::Command;

    const NOT_A_REQUEST: &str = "not a valid request to goroam's agent";

    #[test]
    fn a_request_says_its_version_and_its_command() {
        let request = Request {
            goroam: 1,
            command: Command::Status,
            heartbeat: false,
        };
        let line = serde_json::to_vec(&request).unwrap();
        assert_eq!(line, br#"{"goroam":1,"command":{"verb":"status"}}"#);
        assert_eq!(Request::parse(&line), Ok(request));
    }

    #[test]
    fn another_version_is_told_apart_from_nonsense() {
        let newer = br#"{"goroam":2,"command":{"verb":"dance"}}"#;
        let said = Request::parse(newer).unwrap_err();
        assert!(said.contains("was asked in version 2"), "{said}");
        let nonsense = Request::parse(b"GET / HTTP/1.1");
        assert_eq!(nonsense, Err(NOT_A_REQUEST.to_owned()));
        let unknown = Request::parse(br#"{"goroam":1,"command":{"verb":"dance"}}"#);
        let said = unknown.unwrap_err();
        assert!(said.contains("dance"), "{said}");
    }

    #[test]
    fn a_command_with_an_unknown_field_is_not_carried_out_half() {
        let parse = |command: &str, more: &str| {
            let line = format!(r#"{{"goroam":1,"command":{{{command}}}{more}}}"#);
            Request::parse(line.as_bytes())
        };
        for (command, more) in [
            (r#""verb":"restore","dry_run":true"#, ""),
            (r#""verb":"once","dry_run":true,"profile":"x""#, ""),
            (r#""verb":"end""#, r#","unless_busy":true"#),
        ] {
            let said = parse(command, more).unwrap_err();
            assert!(said.contains("does not know the field"), "{said}");
        }
        for verb in ["status", "watch"] {
            let asked = parse(&format!(r#""verb":"{verb}","since":-1"#), r#","id":7"#);
            assert!(asked.is_ok(), "{asked:?}");
        }
        assert!(parse(r#""verb":"once","dry_run":true"#, "").is_ok());
        assert!(parse(r#""verb":"use","profile":"x","until":null"#, "").is_ok());
    }

    #[test]
    fn odd_numbers_and_deep_nesting_are_refused_in_words() {
        for version in ["-1", "1.5", "0", "18446744073709551615", "1e30"] {
            let line = format!(r#"{{"goroam":{version},"command":{{"verb":"status"}}}}"#);
            let said = Request::parse(line.as_bytes()).unwrap_err();
            assert!(said.contains("was asked in version"), "{said}");
        }
        let deep = format!(r#"{{"goroam":1,"command":{}"#, "[".repeat(60_000));
        for line in [
            deep.as_bytes(),
            br#"{"goroam":1e999}"#,
            b"\xff\xfe",
            b"",
            b"null",
        ] {
            assert_eq!(Request::parse(line), Err(NOT_A_REQUEST.to_owned()));
        }
        let until = br#"{"goroam":1,"command":{"verb":"use","profile":"x","until":-1}}"#;
        let said = Request::parse(until).unwrap_err();
        assert!(said.contains("does not know this command"), "{said}");
    }

    #[tokio::test]
    async fn a_line_of_just_the_limit_is_read_and_one_byte_more_is_not() {
        let mut text: &[u8] = b"12345678\nrest";
        assert!(read_line(&mut text, 7).await.is_err());
        let mut text: &[u8] = b"12345678\nrest";
        let line = read_line(&mut text, 8).await.unwrap();
        assert_eq!(line, Some(b"12345678".to_vec()));
        let line = read_line(&mut text, 8).await.unwrap();
        assert_eq!(line, Some(b"rest".to_vec()));
        assert_eq!(read_line(&mut text, 8).await.unwrap(), None);
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(
            line in proptest::collection::vec(any::<u8>(), 0..80),
            at in 0..60_usize,
            byte in any::<u8>(),
        ) {
            let _ = Request::parse(&line);
            let mut near = br#"{"goroam":1,"command":{"verb":"use","profile":"x"}}"#.to_vec();
            if let Some(place) = near.get_mut(at) {
                *place = byte;
            }
            let _ = Request::parse(&near);
        }
    }
}
