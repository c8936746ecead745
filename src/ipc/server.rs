//! Answers clients. Every client is a task of its own with limits on time and length, so that
//! none can hold up another or the agent.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader, ReadHalf, WriteHalf};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use super::endpoint::{Listener, ServerEnd};
use super::message::{HEARTBEAT, HEARTBEAT_PERIOD, REPLY_LIMIT, REQUEST_LIMIT, Request, read_line};
use crate::agent::error::{EXIT_FAILED, EXIT_USAGE};
use crate::agent::{Command, Error, Handle, Reply};
use crate::paths::Paths;

/// Clients at once: some watchers and somebody who asks.
const MOST_CLIENTS: usize = 16;
/// From connecting to the end of the request.
const REQUEST_TIME: Duration = Duration::from_secs(5);
/// A client that does not take its answer.
const WRITE_TIME: Duration = Duration::from_secs(5);
/// After an error of `accept`, which would come again at once (no more file descriptors).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// What the last answers may take on the way out.
const FAREWELL: Duration = Duration::from_millis(500);

/// A server that runs until this is dropped; then its clients are cut off and the socket is
/// removed.
#[derive(Debug)]
pub struct Serving {
    task: JoinHandle<()>,
    /// Dropped: no more clients.
    open: oneshot::Sender<()>,
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Serving {
    /// Ends it once the agent has ended: nobody new is let in, and who was just answered gets
    /// to hear it, most of all whoever has asked the agent to end.
    pub async fn end(mut self) {
        let (closed, _) = oneshot::channel();
        drop(std::mem::replace(&mut self.open, closed));
        // Without an agent every answer is at hand; who does not take it is cut off.
        let _ = timeout(FAREWELL, &mut self.task).await;
    }
}

/// Listens and answers, in a task of the running tokio runtime. Call it only while holding
/// the agent's lock.
///
/// # Errors
/// When the socket cannot be made.
pub fn serve(paths: &Paths, handle: Handle) -> Result<Serving, Error> {
    let listener = Listener::bind(paths).map_err(|source| Error::State {
        what: format!("cannot listen at {}", paths.socket().display()),
        source: Box::new(source),
    })?;
    let (open, closed) = oneshot::channel();
    Ok(Serving {
        task: tokio::spawn(accept_loop(paths.clone(), listener, handle, closed)),
        open,
    })
}

async fn accept_loop(
    paths: Paths,
    mut listener: Listener,
    handle: Handle,
    mut closed: oneshot::Receiver<()>,
) {
    let room = Arc::new(Semaphore::new(MOST_CLIENTS));
    // Dropped with this task, and every client's task with it.
    let mut clients = JoinSet::new();
    let mut told = false;
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
            Some(_) = clients.join_next() => continue,
        };
        let stream = match stream {
            Ok(stream) => stream,
            Err(error) => {
                // Once: who waits to be taken would fill the log with it.
                if !std::mem::replace(&mut told, true) {
                    tracing::warn!("cannot take a client: {error}");
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        told = false;
        let Ok(seat) = Arc::clone(&room).try_acquire_owned() else {
            // One that waits for its refusal to be read would itself be one client too many.
            clients.spawn(timeout(ACCEPT_PAUSE, refuse(stream)));
            continue;
        };
        let handle = handle.clone();
        clients.spawn(async move {
            if let Err(error) = answer(stream, &handle).await {
                tracing::debug!("cannot answer a client: {error}");
            }
            drop(seat);
            Ok(())
        });
    }
    drop(listener);
    while clients.join_next().await.is_some() {}
}

async fn refuse(stream: ServerEnd) {
    let (_, mut to) = tokio::io::split(stream);
    let why = format!("the agent has {MOST_CLIENTS} clients already; end a `status --watch`");
    if let Err(error) = send(&mut to, &failed(why, EXIT_FAILED)).await {
        tracing::debug!("cannot answer a client: {error}");
    }
}

async fn answer(stream: ServerEnd, handle: &Handle) -> io::Result<()> {
    let (from, mut to) = tokio::io::split(stream);
    let mut from = BufReader::new(from);
    let line = match timeout(REQUEST_TIME, read_line(&mut from, REQUEST_LIMIT)).await {
        Ok(Ok(Some(line))) => line,
        Ok(Ok(None)) => return Ok(()),
        Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
            return send(&mut to, &failed(error.to_string(), EXIT_USAGE)).await;
        }
        Ok(Err(error)) => return Err(error),
        Err(_) => {
            let why = format!("no request in {} s", REQUEST_TIME.as_secs());
            return send(&mut to, &failed(why, EXIT_FAILED)).await;
        }
    };
    let Request {
        command, heartbeat, ..
    } = match Request::parse(&line) {
        Ok(request) => request,
        Err(error) => return send(&mut to, &failed(error.to_string(), EXIT_USAGE)).await,
    };
    match command {
        // From what the agent last told, so that a turn under way delays nobody.
        Command::Status => {
            let status = handle.status().borrow().clone();
            send(&mut to, &Reply::Status(Box::new(status))).await
        }
        Command::Watch => watch(from, to, handle).await,
        Command::Once { .. }
        | Command::Use { .. }
        | Command::Auto
        | Command::Pause
        | Command::Restore
        | Command::Reload
        | Command::End => {
            let reply = if heartbeat {
                beating(&mut to, handle, command).await?
            } else {
                handle.ask(command).await
            };
            send(&mut to, &reply).await
        }
    }
}

/// Asks the agent, and tells the client meanwhile that it is being heard.
async fn beating(
    to: &mut WriteHalf<ServerEnd>,
    handle: &Handle,
    command: Command,
) -> io::Result<Reply> {
    // Of a client that has closed the connection this is an error, and nothing is done.
    beat(to).await?;
    let mut asked = std::pin::pin!(handle.ask(command));
    let mut is_there = true;
    loop {
        match timeout(HEARTBEAT_PERIOD, &mut asked).await {
            Ok(reply) => return Ok(reply),
            Err(_) if is_there => is_there = beat(to).await.is_ok(),
            Err(_) => return Ok(asked.await),
        }
    }
}

async fn beat(to: &mut WriteHalf<ServerEnd>) -> io::Result<()> {
    send_line(to, [HEARTBEAT, b"\n"].concat()).await
}

/// The status now and after each change, until the client hangs up or the agent ends.
async fn watch(
    mut from: BufReader<ReadHalf<ServerEnd>>,
    mut to: WriteHalf<ServerEnd>,
    handle: &Handle,
) -> io::Result<()> {
    let mut changes = handle.status();
    let mut ignored = [0_u8; 64];
    loop {
        let status = changes.borrow_and_update().clone();
        send(&mut to, &Reply::Status(Box::new(status))).await?;
        loop {
            tokio::select! {
                changed = changes.changed() => match changed {
                    Ok(()) => break,
                    Err(_) => return Ok(()),
                },
                read = from.read(&mut ignored) => if read? == 0 {
                    return Ok(());
                },
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
    line.push(b'\n');
    send_line(to, line).await
}

async fn send_line(to: &mut WriteHalf<ServerEnd>, line: Vec<u8>) -> io::Result<()> {
    let sent = async {
        to.write_all(&line).await?;
        to.flush().await
    };
    match timeout(WRITE_TIME, sent).await {
        Ok(done) => done,
        Err(_) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the client does not read",
        )),
    }
}

fn failed(error: String, exit: u8) -> Reply {
    Reply::Failed { error, exit }
}
