//! Server and client over a real socket, with a task that answers in the agent's place.

use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot, watch};

use super::{Serving, ask, serve, watch as watch_agent};
use crate::agent::{Command, Error, Handle, Reply};
use crate::model::status::Status;
use crate::paths::Paths;

/// Longer than anything in here may take, for a machine that is busy with other things.
const DEADLINE: Duration = Duration::from_secs(20);

/// An agent that says of each command what it was, and never ends a `restore`.
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
        // The server may have answered and closed before it has read everything.
        drop(stream.write_all(bytes).await);
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer);
        drop(tokio::time::timeout(DEADLINE, read).await.unwrap());
        String::from_utf8(answer).unwrap()
    }

    /// Waits until no client is being served: watchers are what holds the status' receivers.
    async fn without_watchers(&self) {
        let gone = async {
            // The server's own handle keeps one.
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
    // A path that is too long for a socket, one that leads through a file, and a dead agent's.
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
    // And it still answers.
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

/// Real time: paused time would end the client's patience along with the server's.
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
