//! Sends commands to the running agent, and follows it through its end and the start of the next
//! one.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncWriteExt, BufReader};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::endpoint::{ClientEnd, connect, server_pid};
use super::server::{HEARTBEAT, REPLY_LIMIT, Request, VERSION, read_line};
use crate::agent::error::EXIT_FAILED;
use crate::agent::{Command, Error, Reply};
use crate::model::status::Status;
use crate::paths::Paths;

/// Time limit for connecting. The connection is local: if it takes longer, the agent is stuck.
const CONNECT_TIME: Duration = Duration::from_secs(1);
/// Time limit for answers that the agent has ready.
const STATUS_TIME: Duration = Duration::from_secs(4);
/// Time limit until the agent confirms that it has the command. Connecting, this and the check
/// whether the agent is alive take less than five seconds together.
const FIRST_WORD: Duration = Duration::from_millis(2000);
/// Time limit for that check.
const SIGN_OF_LIFE: Duration = Duration::from_millis(1500);
/// Longest time between two heartbeats; the agent sends one each second.
const SILENCE: Duration = Duration::from_secs(4);
/// Longest time for an answer: a turn with the slowest probes, each with retries, and another turn
/// before it.
const TURN_TIME: Duration = Duration::from_secs(120);

/// Sends a command and waits for the answer as long as the agent is alive. A turn may take a
/// minute, but a stopped or frozen agent is detected within five seconds.
///
/// # Errors
/// [`Error::NoAgent`] when no agent listens, [`Error::AgentSilent`] when an agent listens and does
/// not answer, [`Error::FromAgent`] with the agent's message.
pub async fn ask(paths: &Paths, command: Command) -> Result<Reply, Error> {
    let at_once = matches!(command, Command::Status | Command::Watch);
    let mut asked = request(paths, command, !at_once).await?;
    if at_once {
        return reply(asked.line_soon().await?);
    }
    match timeout(TURN_TIME, asked.last_line()).await {
        Ok(line) => reply(line?),
        Err(_) => Err(from_agent(format!(
            "the agent has not answered in {} s",
            TURN_TIME.as_secs()
        ))),
    }
}

/// Requests the status, now and after each change.
///
/// # Errors
/// [`Error::NoAgent`] when no agent listens.
pub async fn watch(paths: &Paths) -> Result<Watching, Error> {
    request(paths, Command::Watch, false).await
}

async fn request(paths: &Paths, command: Command, heartbeat: bool) -> Result<Watching, Error> {
    let silent = |_| Error::AgentSilent { pid: None };
    let request = Request {
        goroam: VERSION,
        command,
        heartbeat,
    };
    let connected = timeout(CONNECT_TIME, connect(paths))
        .await
        .map_err(silent)?;
    let mut stream = connected.map_err(|error| {
        // No agent listens, or none could: the path is too long for a socket, or a component of it
        // is a file.
        let nothing = [
            io::ErrorKind::NotFound,
            io::ErrorKind::ConnectionRefused,
            io::ErrorKind::InvalidInput,
            io::ErrorKind::NotADirectory,
        ];
        if nothing.contains(&error.kind()) {
            Error::NoAgent
        } else if error.kind() == io::ErrorKind::WouldBlock {
            // The queue of an agent that accepts no clients is full.
            Error::AgentSilent { pid: None }
        } else {
            unreachable_agent(paths, error)
        }
    })?;
    let mut line =
        serde_json::to_vec(&request).map_err(|error| unreachable_agent(paths, error.into()))?;
    line.push(b'\n');
    // An agent that serves its maximum of clients answers and closes before it reads. Its answer
    // can still be read.
    match timeout(CONNECT_TIME, stream.write_all(&line))
        .await
        .map_err(silent)?
    {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(unreachable_agent(paths, error))
        }
        Ok(()) | Err(_) => Ok(Watching {
            stream: BufReader::new(stream),
            paths: paths.clone(),
            has_answered: false,
        }),
    }
}

/// A request that the agent has received. It yields a status for every change, until it is dropped.
#[derive(Debug)]
pub struct Watching {
    stream: BufReader<ClientEnd>,
    paths: Paths,
    has_answered: bool,
}

impl Watching {
    /// Returns the next status, or `None` when the agent has ended. Waits as long as nothing
    /// changes.
    ///
    /// # Errors
    /// [`Error::FromAgent`] when the agent refuses or its answer cannot be parsed.
    pub async fn next(&mut self) -> Result<Option<Status>, Error> {
        let line = if std::mem::replace(&mut self.has_answered, true) {
            self.line().await?
        } else {
            self.line_soon().await?
        };
        if line.is_none() {
            return Ok(None);
        }
        match reply(line)? {
            Reply::Status(status) => Ok(Some(*status)),
            Reply::Turn(_) | Reply::Failed { .. } => {
                Err(from_agent("the agent sent an unexpected answer".to_owned()))
            }
        }
    }

    async fn line(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let line = read_line(&mut self.stream, REPLY_LIMIT).await;
        line.map_err(|error| unreachable_agent(&self.paths, error))
    }

    async fn line_soon(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let silent = self.silent();
        timeout(STATUS_TIME, self.line())
            .await
            .unwrap_or(Err(silent))
    }

    /// Waits from heartbeat to heartbeat. An older agent sends no heartbeats: a second connection
    /// checks whether it is alive.
    async fn last_line(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let (silent, paths) = (self.silent(), self.paths.clone());
        let (mut wait, mut beats) = (FIRST_WORD, false);
        loop {
            // The read continues across the waits: dropping it would lose half a line.
            let mut next = pin!(self.line());
            let line = loop {
                match timeout(wait, &mut next).await {
                    Ok(line) => break line?,
                    Err(_) if beats || !is_alive(&paths).await => return Err(silent),
                    Err(_) => {}
                }
            };
            if line.as_deref() != Some(HEARTBEAT) {
                return Ok(line);
            }
            (wait, beats) = (SILENCE, true);
        }
    }

    fn silent(&self) -> Error {
        Error::AgentSilent {
            pid: server_pid(self.stream.get_ref()),
        }
    }
}

async fn is_alive(paths: &Paths) -> bool {
    let asked = async { request(paths, Command::Status, false).await?.line().await };
    matches!(timeout(SIGN_OF_LIFE, asked).await, Ok(Ok(Some(_))))
}

fn reply(line: Option<Vec<u8>>) -> Result<Reply, Error> {
    let Some(line) = line else {
        let why = "the agent closed the connection without an answer";
        return Err(from_agent(why.to_owned()));
    };
    let reply = serde_json::from_slice(&line).map_err(|error| {
        from_agent(format!(
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

fn unreachable_agent(paths: &Paths, source: io::Error) -> Error {
    Error::State {
        what: format!("cannot ask the agent at {}", paths.socket().display()),
        source: Box::new(source),
    }
}

fn from_agent(message: String) -> Error {
    Error::FromAgent {
        message,
        exit: EXIT_FAILED,
    }
}

/// The first wait after an agent has ended. A service manager needs about as long to restart it.
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// An event of the agent that is followed.
#[derive(Debug)]
pub enum Followed {
    /// The current status.
    Status(Box<Status>),
    /// The agent has ended. One that restarts is back in a moment.
    Ended,
    /// No agent runs, or its answer cannot be parsed.
    Failed(Error),
}

/// Follows the running agent, and its successors, until this is dropped.
#[derive(Debug)]
pub struct Following {
    seen: mpsc::Receiver<Followed>,
    hurry: Arc<Notify>,
    _task: JoinSet<()>,
}

impl Following {
    /// Returns the next event, or `None` if the agent cannot be followed. Dropping the future loses
    /// nothing.
    pub async fn next(&mut self) -> Option<Followed> {
        self.seen.recv().await
    }

    /// Looks for an agent now, if none is connected.
    pub fn ask_now(&self) {
        self.hurry.notify_one();
    }
}

/// Follows the agent, starting with an open connection if there is one. While no agent runs, this
/// looks for one after 250 ms, then after twice that time, up to `longest`. It runs in a task,
/// because an answer that has half arrived must not be dropped for another event.
pub fn follow(paths: Paths, watching: Option<Watching>, longest: Duration) -> Following {
    let (tell, seen) = mpsc::channel(1);
    let hurry = Arc::new(Notify::new());
    let asked = Arc::clone(&hurry);
    let mut task = JoinSet::new();
    task.spawn(async move {
        let mut wait = FIRST_WAIT;
        let mut found = watching.map(Ok);
        loop {
            let ended = match found.take() {
                Some(watching) => hand_on(watching, true, &tell).await,
                None => hand_on(watch(&paths).await, false, &tell).await,
            };
            if matches!(ended, Followed::Ended) {
                wait = FIRST_WAIT;
            }
            let _ = tell.send(ended).await;
            tokio::select! {
                () = tokio::time::sleep(wait) => wait = longest.min(wait * 2),
                () = asked.notified() => wait = FIRST_WAIT,
            }
        }
    });
    Following {
        seen,
        hurry,
        _task: task,
    }
}

/// Passes on each status of one agent and returns how that agent ended. `was_there`: an agent was
/// connected before this one.
async fn hand_on(
    watching: Result<Watching, Error>,
    mut was_there: bool,
    tell: &mpsc::Sender<Followed>,
) -> Followed {
    let mut watching = match watching {
        Ok(watching) => watching,
        Err(error) => return Followed::Failed(error),
    };
    loop {
        match watching.next().await {
            Ok(Some(status)) => {
                was_there = true;
                let _ = tell.send(Followed::Status(Box::new(status))).await;
            }
            Ok(None) if was_there => return Followed::Ended,
            Ok(None) => return Followed::Failed(Error::NoAgent),
            Err(error) => return Followed::Failed(error),
        }
    }
}

/// Server and client over a real socket. A task answers instead of the agent.
#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
    use tokio::net::UnixStream;
    use tokio::sync::{mpsc, oneshot, watch};

    use super::{ask, watch as watch_agent};
    use crate::agent::{Command, Error, Handle, Reply};
    use crate::ipc::{Serving, serve};
    use crate::model::status::Status;
    use crate::paths::Paths;

    /// Longer than any operation in these tests takes, even on a busy machine.
    const DEADLINE: Duration = Duration::from_secs(20);

    /// An agent that names each command in its answer, and never ends a `restore`.
    struct Agent {
        paths: Paths,
        status: watch::Sender<Status>,
        _serving: Serving,
        _folder: tempfile::TempDir,
    }

    fn paths(folder: &Path) -> Paths {
        Paths {
            policy: folder.join("goroam.toml"),
            policy_named: false,
            machine_policy: "/nowhere/goroam.toml".into(),
            state: folder.join("state"),
            data: folder.join("state"),
            runtime: folder.join("run"),
        }
    }

    fn agent() -> Agent {
        let folder = tempfile::tempdir().unwrap();
        let paths = paths(folder.path());
        let (commands, inbox) = mpsc::channel(8);
        let (status, seen) = watch::channel(Status::default());
        tokio::spawn(answer(inbox));
        let serving = serve(&paths, Handle::new(commands, seen)).unwrap();
        Agent {
            paths,
            status,
            _serving: serving,
            _folder: folder,
        }
    }

    async fn answer(mut inbox: mpsc::Receiver<(Command, oneshot::Sender<Reply>)>) {
        let mut kept = Vec::new();
        while let Some((command, reply)) = inbox.recv().await {
            if command == Command::Restore {
                kept.push(reply);
                continue;
            }
            let error = serde_json::to_string(&command).unwrap();
            drop(reply.send(Reply::Failed { error, exit: 4 }));
        }
    }

    impl Agent {
        fn profile(&self, name: &str) {
            let profile = Some(name.to_owned());
            self.status.send_modify(|status| status.profile = profile);
        }

        async fn raw(&self) -> UnixStream {
            UnixStream::connect(self.paths.socket()).await.unwrap()
        }

        /// Sends bytes and reads everything until the server closes.
        async fn exchange(&self, bytes: &[u8]) -> String {
            let mut stream = self.raw().await;
            // The server may answer and close before it has read everything.
            drop(stream.write_all(bytes).await);
            let mut answer = Vec::new();
            let read = stream.read_to_end(&mut answer);
            drop(tokio::time::timeout(DEADLINE, read).await.unwrap());
            String::from_utf8(answer).unwrap()
        }

        /// Waits until the server serves no client: only watchers hold receivers of the status.
        async fn without_watchers(&self) {
            let gone = async {
                // The server's own handle keeps one receiver.
                while self.status.receiver_count() > 1 {
                    tokio::task::yield_now().await;
                }
            };
            tokio::time::timeout(DEADLINE, gone).await.unwrap();
        }
    }

    #[tokio::test]
    async fn status_comes_at_once_even_while_a_turn_is_under_way() {
        let agent = agent();
        agent.profile("office");
        let mut stuck = agent.raw().await;
        let restore = b"{\"goroam\":1,\"command\":{\"verb\":\"restore\"}}\n";
        stuck.write_all(restore).await.unwrap();
        let reply = tokio::time::timeout(DEADLINE, ask(&agent.paths, Command::Status)).await;
        let Reply::Status(status) = reply.unwrap().unwrap() else {
            panic!("no status");
        };
        assert_eq!(status.profile.as_deref(), Some("office"));
    }

    #[tokio::test]
    async fn a_command_reaches_the_agent_and_its_refusal_comes_back_with_the_exit_code() {
        let agent = agent();
        let command = Command::Use {
            profile: "home".to_owned(),
            until: None,
        };
        let error = ask(&agent.paths, command).await.unwrap_err();
        assert_eq!(error.exit_code(), 4);
        assert!(error.to_string().contains("\"home\""), "{error}");
    }

    #[tokio::test]
    async fn nobody_listens_is_told_apart_from_everything_else() {
        let folder = tempfile::tempdir().unwrap();
        let error = ask(&paths(folder.path()), Command::Status).await;
        assert!(matches!(error, Err(Error::NoAgent)));
        // A path that is too long for a socket, one that leads through a file, and one of a dead
        // agent.
        let long = folder.path().join("x".repeat(150));
        std::fs::write(folder.path().join("file"), "").unwrap();
        let file = folder.path().join("file");
        let dead = paths(folder.path());
        std::fs::create_dir_all(&dead.runtime).unwrap();
        drop(std::os::unix::net::UnixListener::bind(dead.socket()).unwrap());
        for paths in [paths(&long), paths(&file), dead] {
            let error = ask(&paths, Command::Status).await;
            assert!(matches!(error, Err(Error::NoAgent)), "{error:?}");
        }
    }

    #[tokio::test]
    async fn a_watcher_sees_each_change_and_its_end_frees_the_server_at_once() {
        let agent = agent();
        let mut watching = watch_agent(&agent.paths).await.unwrap();
        let first = watching.next().await.unwrap().unwrap();
        assert_eq!(first.profile, None);
        for name in ["home", "office"] {
            agent.profile(name);
            let status = watching.next().await.unwrap().unwrap();
            assert_eq!(status.profile.as_deref(), Some(name));
        }
        assert!(agent.status.receiver_count() > 1, "it is being served");
        drop(watching);
        agent.without_watchers().await;
    }

    #[tokio::test]
    async fn the_end_of_the_agent_ends_its_watchers_and_removes_the_socket() {
        let agent = agent();
        let mut watching = watch_agent(&agent.paths).await.unwrap();
        watching.next().await.unwrap().unwrap();
        let Agent {
            paths,
            _serving: serving,
            ..
        } = agent;
        drop(serving);
        let ended = tokio::time::timeout(DEADLINE, watching.next())
            .await
            .unwrap();
        assert!(matches!(ended, Ok(None)), "{ended:?}");
        assert!(!paths.socket().exists());
    }

    #[tokio::test]
    async fn nonsense_another_version_and_too_long_a_line_are_answered_clearly() {
        let agent = agent();
        let long = vec![b'x'; 70 * 1024];
        for (sent, told) in [
            (&b"GET / HTTP/1.1\r\n\r\n"[..], "not a valid request"),
            (b"\xff\xfe\n", "not a valid request"),
            (b"[]\n", "not a valid request"),
            (
                b"{\"goroam\":7,\"command\":{\"verb\":\"status\"}}\n",
                "restart the agent",
            ),
            (
                b"{\"goroam\":1,\"command\":{\"verb\":\"dance\"}}\n",
                "dance",
            ),
            (b"{\"goroam\":1}\n", "does not know this command"),
            (&long, "a line of more than 64 KiB"),
        ] {
            let answer = agent.exchange(sent).await;
            let reply: Reply = serde_json::from_str(&answer).unwrap();
            let Reply::Failed { error, exit } = reply else {
                panic!("{answer}");
            };
            assert!(error.contains(told), "{error}");
            assert_eq!(exit, 2);
        }
        // The agent still answers.
        ask(&agent.paths, Command::Status).await.unwrap();
    }

    #[tokio::test]
    async fn a_request_in_pieces_and_a_script_that_closes_its_half_are_answered() {
        let agent = agent();
        let mut stream = agent.raw().await;
        for piece in [
            &b"{\"goroam\":1,"[..],
            b"\"command\":{\"verb\":",
            b"\"status\"}}",
        ] {
            stream.write_all(piece).await.unwrap();
            tokio::task::yield_now().await;
        }
        stream.shutdown().await.unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).await.unwrap();
        assert!(
            matches!(serde_json::from_str(&line), Ok(Reply::Status(_))),
            "{line}"
        );
    }

    /// Uses real time: with paused time the client's time limit would end along with the server's.
    #[tokio::test]
    async fn a_client_that_says_nothing_is_sent_away_and_holds_up_nobody() {
        let agent = agent();
        let started = std::time::Instant::now();
        let silent = agent.exchange(b"{\"goroam\":");
        let asked = async {
            ask(&agent.paths, Command::Status).await.unwrap();
            started.elapsed()
        };
        let (answer, asked) = tokio::join!(silent, asked);
        assert!(answer.contains("no request in 5 s"), "{answer}");
        assert!(started.elapsed() >= Duration::from_secs(5));
        assert!(asked < Duration::from_secs(5), "{asked:?}");
    }

    #[tokio::test]
    async fn the_seventeenth_client_is_told_that_there_is_no_room_and_room_comes_back() {
        let agent = agent();
        let mut watchers = Vec::new();
        for _ in 0..16 {
            let mut watching = watch_agent(&agent.paths).await.unwrap();
            watching.next().await.unwrap().unwrap();
            watchers.push(watching);
        }
        let error = ask(&agent.paths, Command::Status).await.unwrap_err();
        assert!(error.to_string().contains("16 clients already"), "{error}");
        watchers.clear();
        agent.without_watchers().await;
        let again = async {
            while ask(&agent.paths, Command::Status).await.is_err() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(DEADLINE, again).await.unwrap();
    }

    #[tokio::test]
    async fn an_answer_that_is_too_long_becomes_a_short_refusal() {
        let agent = agent();
        agent.profile(&"x".repeat(1024 * 1024));
        let error = ask(&agent.paths, Command::Status).await.unwrap_err();
        assert!(
            error.to_string().contains("longer than 1024 KiB"),
            "{error}"
        );
    }
}
