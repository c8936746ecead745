//! The verbs that ask an agent: with one that answers on the socket, and without.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::mpsc;

use goroam::agent::{Command, Handle, Reply, TurnReport};
use goroam::model::plan::{Plan, PlanStep};
use goroam::model::status::{AgentState, Status};
use goroam::paths::Paths;
use goroam::state::entry::Outcome;
use tokio::sync::{oneshot, watch};

use crate::cli::User;

/// A real socket with the answers of an agent that follows orders and does nothing.
struct Agent {
    status: watch::Sender<Status>,
    asked: mpsc::Receiver<Command>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Agent {
    fn start(user: &User) -> Agent {
        let paths = Paths {
            policy: user.policy(),
            policy_named: false,
            machine_policy: "/nowhere/goroam.toml".into(),
            state: user.path("state"),
            data: user.path("data"),
            runtime: user.path("run/goroam"),
        };
        let (status, seen) = watch::channel(office(user));
        let (told, asked) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let (ready, started) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let (commands, mut inbox) = tokio::sync::mpsc::channel(8);
                let serving = goroam::ipc::serve(&paths, Handle::new(commands, seen.clone()));
                let serving = serving.unwrap();
                ready.send(()).unwrap();
                let work = async {
                    while let Some((command, reply)) = inbox.recv().await {
                        let status = seen.borrow().clone();
                        told.send(command.clone()).unwrap();
                        drop(reply.send(answer(&command, status)));
                    }
                };
                tokio::select! {
                    () = work => {}
                    _ = stopped => {}
                }
                drop(serving);
                // The server's task ends at the next turn of the runtime.
                tokio::task::yield_now().await;
            });
        });
        started.recv().unwrap();
        Agent {
            status,
            asked,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    fn end(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.end();
    }
}

fn office(user: &User) -> Status {
    Status {
        profile: Some("office".to_owned()),
        agent: AgentState::Running,
        applied: [("GOPROXY".to_owned(), "off".to_owned())].into(),
        policy: user.policy().display().to_string(),
        ..Status::default()
    }
}

fn answer(command: &Command, status: Status) -> Reply {
    if let Command::Use { profile, .. } = command
        && profile == "nowhere"
    {
        return Reply::Failed {
            error: "no profile \"nowhere\"".to_owned(),
            exit: 2,
        };
    }
    let step = PlanStep::Set {
        name: "GOPROXY".to_owned(),
        value: "off".to_owned(),
    };
    Reply::Turn(Box::new(TurnReport {
        status,
        changed: vec!["GOPROXY".to_owned()],
        decision: None,
        from: Some("home".to_owned()),
        plan: Plan { steps: vec![step] },
        outcome: match command {
            Command::Auto => Outcome::Failed {
                error: "the disk is full".to_owned(),
                kind: String::new(),
            },
            Command::Once { dry_run: true } => Outcome::DryRun,
            Command::Once { .. }
            | Command::Use { .. }
            | Command::Restore
            | Command::Pause
            | Command::End
            | Command::Reload
            | Command::Status
            | Command::Watch => Outcome::Written {
                changed: vec!["GOPROXY".to_owned()],
            },
        },
        took: [("all".to_owned(), 38.0)].into(),
    }))
}

#[test]
fn status_comes_from_the_agent_and_shadows_from_the_callers_shell() {
    let user = User::new();
    let _agent = Agent::start(&user);
    user.goroam("status").exits(0).says("● office");
    let json = user.goroam("status --json").exits(0).json();
    for field in [
        "profile", "since", "agent", "pinned", "applied", "targets", "shadowed", "drift", "network",
    ] {
        assert!(json.get(field).is_some(), "{field} in {json}");
    }
    assert_eq!(json["agent"], "running");
    assert_eq!(json["shadowed"], serde_json::json!([]));
    let shell = "https://me:secret@corp.example";
    let done = user.goroam("status --json").env("GOPROXY", shell).exits(0);
    assert_eq!(done.json()["shadowed"][0]["name"], "GOPROXY");
    assert!(!done.stdout().contains("secret"));
    let done = user.goroam("status").env("GOPROXY", shell).exits(0);
    done.says("! GOPROXY is also set in this shell's environment");
}

#[test]
fn a_turn_goes_through_the_agent() {
    let user = User::new();
    let agent = Agent::start(&user);
    let done = user.goroam("once").exits(0);
    let said = done.says("home → office").says("GOPROXY  off");
    said.says("undo: goroam restore");
    assert_eq!(agent.asked.recv(), Ok(Command::Once { dry_run: false }));
    user.goroam("once --dry-run")
        .exits(0)
        .says("nothing was written");
    assert_eq!(agent.asked.recv(), Ok(Command::Once { dry_run: true }));
    let json = user.goroam("once --json").exits(0).json();
    assert_eq!(json["changed"], serde_json::json!(["GOPROXY"]));
    assert!(
        json.get("decision").is_some() && json.get("profile").is_some(),
        "{json}"
    );
    user.goroam("restore").exits(0);
    // A turn that could not be carried out is told whole, and is a failure.
    user.goroam("auto")
        .exits(1)
        .says("not written: the disk is full");
}

#[test]
fn goenv_off_in_this_shell_is_refused_though_an_agent_would_write() {
    let user = User::new();
    let agent = Agent::start(&user);
    for words in ["once", "once --dry-run", "use home", "auto"] {
        for (goenv, why) in [("off", "GOENV=off"), ("dev", "is relative")] {
            let done = user.goroam(words).env("GOENV", goenv).exits(4);
            assert!(done.stderr().contains(why), "{words}: {}", done.stderr());
        }
    }
    assert!(agent.asked.try_recv().is_err(), "the agent was asked");
    // What was written is put back all the same, and looking is free.
    user.goroam("restore").env("GOENV", "off").exits(0);
    user.goroam("status").env("GOENV", "off").exits(0);
}

#[test]
fn use_says_for_how_long_and_passes_a_refusal_on() {
    let user = User::new();
    let agent = Agent::start(&user);
    let before = jiff::Timestamp::now();
    user.goroam("use home --for 2h").exits(0);
    let Ok(Command::Use { profile, until }) = agent.asked.recv() else {
        panic!("not a use");
    };
    assert_eq!(profile, "home");
    let seconds = until.unwrap().as_second() - before.as_second();
    assert!((7200..7200 + 60).contains(&seconds), "{seconds}");
    user.goroam("use home").exits(0);
    assert!(matches!(
        agent.asked.recv(),
        Ok(Command::Use { until: None, .. })
    ));
    user.goroam("use nowhere")
        .exits(2)
        .complains("goroam: no profile \"nowhere\"");
}

#[test]
fn another_policy_than_the_agents_is_not_passed_over_in_silence() {
    let user = User::new();
    let agent = Agent::start(&user);
    user.write(".config/goroam/goroam.toml", "version = 1\n");
    user.write("other.toml", "version = 1\n");
    user.goroam("once --config other.toml")
        .exits(2)
        .complains("the running agent follows another policy");
    assert!(agent.asked.try_recv().is_err(), "nothing was done");
    user.goroam("once --config .config/goroam/goroam.toml")
        .exits(0);
}

#[test]
fn watching_prints_each_change_and_ends_with_the_agent() {
    let user = User::new();
    for (words, first, second) in [
        ("status --watch", "office · automatic", "home · automatic"),
        (
            "status --watch --json",
            "\"profile\":\"office\"",
            "\"profile\":\"home\"",
        ),
    ] {
        let mut agent = Agent::start(&user);
        let mut child = user
            .goroam(words)
            .command()
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines.next().unwrap().unwrap();
        assert!(line.contains(first), "{line}");
        agent
            .status
            .send_modify(|status| status.profile = Some("home".to_owned()));
        let line = lines.next().unwrap().unwrap();
        assert!(line.contains(second), "{line}");
        agent.end();
        assert!(lines.next().is_none());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(5));
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains("the agent has ended"), "{told}");
    }
}

#[test]
fn watching_needs_an_agent() {
    let done = User::new().goroam("status --watch --json").exits(5);
    let done = done.complains("{\"error\":{\"message\":\"no agent is running");
    assert_eq!(done.stdout(), "");
}

#[test]
fn without_a_home_there_is_nowhere_to_keep_anything() {
    let user = User::new();
    for words in [
        "status", "once", "why", "history", "init", "restore", "agent", "auto",
    ] {
        user.goroam(words)
            .without("HOME")
            .exits(4)
            .complains("HOME is not set");
    }
}

#[test]
fn an_empty_journal_is_an_answer() {
    let user = User::new();
    let json = user.goroam("history --json").exits(0).json();
    assert_eq!(json, serde_json::json!([]));
    let json = user.goroam("history --verify --json").exits(0).json();
    assert_eq!(json["whole"], true);
}
