//! The tray's control between a real socket and a backend that only writes down what it is
//! asked for.

use std::path::{Path, PathBuf};
use std::time::Duration;

use goroam::agent::{Command, Handle, Reply};
use goroam::environment::Environment;
use goroam::ipc::Serving;
use goroam::model::status::{AgentState, Status};
use goroam::paths::Paths;
use goroam::tray::Site;
use goroam::tray::control::{Event, Shown, control};
use goroam::tray::face::{Action, Face, Icon, Notification};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{mpsc, oneshot, watch};

/// Longer than anything in here may take, for a machine that is busy with other things.
const DEADLINE: Duration = Duration::from_secs(30);

/// What the backend was asked for.
#[derive(Debug, Clone, PartialEq)]
enum Asked {
    Show(Box<Face>),
    Notify(Notification),
    Open(PathBuf),
    StartAgent,
    End,
}

struct Backend {
    asked: UnboundedSender<Asked>,
    starts: bool,
}

impl Backend {
    fn asked(&self, what: Asked) {
        let _ = self.asked.send(what);
    }
}

impl Shown for Backend {
    fn show(&mut self, face: &Face) {
        self.asked(Asked::Show(Box::new(face.clone())));
    }
    fn notify(&mut self, news: &Notification) {
        self.asked(Asked::Notify(news.clone()));
    }
    fn open(&mut self, path: &Path) {
        self.asked(Asked::Open(path.to_owned()));
    }
    /// Switches on, and refuses to switch off.
    fn start_at_login(&mut self, wanted: bool) -> Option<bool> {
        self.starts |= wanted;
        Some(self.starts)
    }
    fn starts_at_login(&self) -> Option<bool> {
        Some(self.starts)
    }
    fn can_start_agent(&self) -> bool {
        true
    }
    fn start_agent(&mut self) {
        self.asked(Asked::StartAgent);
    }
    fn end(&mut self) {
        self.asked(Asked::End);
    }
}

/// A tray whose backend can be asked what it was asked for.
struct Tray {
    paths: Paths,
    events: UnboundedSender<Event>,
    asked: UnboundedReceiver<Asked>,
    control: tokio::task::JoinHandle<()>,
    folder: tempfile::TempDir,
}

impl Tray {
    fn start() -> Tray {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths {
            policy: folder.path().join("config/goroam.toml"),
            policy_named: true,
            machine_policy: "/nowhere/goroam.toml".into(),
            state: folder.path().join("state"),
            data: folder.path().join("state"),
            runtime: folder.path().join("run"),
        };
        let (events, told) = unbounded_channel();
        let (ask, asked) = unbounded_channel();
        let backend = Backend {
            asked: ask,
            starts: false,
        };
        let site = Site {
            paths: paths.clone(),
            env: Environment::default(),
        };
        Tray {
            paths,
            events,
            asked,
            control: tokio::spawn(control(site, backend, told)),
            folder,
        }
    }

    fn click(&self, action: Action) {
        self.events.send(Event::Chosen(action)).unwrap();
    }

    /// Waits until it is asked for this; what comes before is passed over.
    async fn until<T>(&mut self, what: &str, is: impl Fn(&Asked) -> Option<T>) -> T {
        let seen = async {
            loop {
                let asked = self.asked.recv().await.unwrap();
                if let Some(found) = is(&asked) {
                    return found;
                }
            }
        };
        let seen = tokio::time::timeout(DEADLINE, seen).await;
        seen.unwrap_or_else(|_| panic!("not in time: {what}"))
    }

    async fn until_icon(&mut self, icon: Icon) -> Face {
        let is = |asked: &Asked| match asked {
            Asked::Show(face) if face.icon == icon => Some((**face).clone()),
            _ => None,
        };
        self.until(&format!("{icon:?}"), is).await
    }

    async fn until_news(&mut self) -> Notification {
        let is = |asked: &Asked| match asked {
            Asked::Notify(news) => Some(news.clone()),
            _ => None,
        };
        self.until("news", is).await
    }
}

/// Somebody who answers in the agent's place: `once` never, `auto` with a refusal.
struct Agent {
    status: watch::Sender<Status>,
    asked: UnboundedReceiver<Command>,
    serving: Serving,
}

impl Agent {
    fn start(paths: &Paths) -> Agent {
        let (commands, inbox) = mpsc::channel(8);
        let (status, seen) = watch::channel(office());
        let (tell, asked) = unbounded_channel();
        tokio::spawn(answer(inbox, tell, seen.clone()));
        let serving = goroam::ipc::serve(paths, Handle::new(commands, seen)).unwrap();
        Agent {
            status,
            asked,
            serving,
        }
    }

    async fn next(&mut self) -> Command {
        let next = tokio::time::timeout(DEADLINE, self.asked.recv()).await;
        next.unwrap().unwrap()
    }

    /// Its end, seen from outside: the socket is gone.
    async fn end(self, paths: &Paths) {
        drop(self.serving);
        while paths.socket().exists() {
            tokio::task::yield_now().await;
        }
    }
}

async fn answer(
    mut inbox: mpsc::Receiver<(Command, oneshot::Sender<Reply>)>,
    tell: UnboundedSender<Command>,
    seen: watch::Receiver<Status>,
) {
    let mut kept = Vec::new();
    while let Some((command, reply)) = inbox.recv().await {
        let refusal = Reply::Failed {
            error: "the disk is full".to_owned(),
            exit: 1,
        };
        match &command {
            Command::Once { .. } => kept.push(reply),
            Command::Auto => drop(reply.send(refusal)),
            _ => drop(reply.send(Reply::Status(Box::new(seen.borrow().clone())))),
        }
        let _ = tell.send(command);
    }
}

fn office() -> Status {
    Status {
        profile: Some("office".to_owned()),
        agent: AgentState::Running,
        profiles: vec!["office".to_owned(), "home".to_owned()],
        network: goroam::model::status::NetworkStatus {
            default_routes: vec![goroam::model::status::RouteStatus {
                link: "eth0".to_owned(),
                gateway: None,
                metric: 0,
            }],
            ..Default::default()
        },
        notify: true,
        ..Status::default()
    }
}

#[tokio::test]
async fn clicks_reach_the_agent_and_none_waits_for_another() {
    let mut tray = Tray::start();
    let mut agent = Agent::start(&tray.paths);
    tray.events.send(Event::Opening).unwrap();
    tray.until_icon(Icon::Good).await;
    // The answer to this one never comes.
    tray.click(Action::ProbeNow);
    assert_eq!(agent.next().await, Command::Once { dry_run: false });
    let before = jiff::Timestamp::now().as_second();
    tray.click(Action::Pin {
        profile: "home".to_owned(),
        within: Some(Duration::from_secs(7200)),
    });
    let Command::Use { profile, until } = agent.next().await else {
        panic!("not a use");
    };
    assert_eq!(profile, "home");
    let left = until.unwrap().as_second() - before;
    assert!((7200..7230).contains(&left), "{left}");
    tray.click(Action::Pin {
        profile: "home".to_owned(),
        within: None,
    });
    let until = None;
    assert_eq!(agent.next().await, Command::Use { profile, until });
    tray.click(Action::Pause);
    assert_eq!(agent.next().await, Command::Pause);
    tray.click(Action::Automatic);
    assert_eq!(agent.next().await, Command::Auto);
    let refused = Notification {
        title: "It does not choose by the network".to_owned(),
        text: "the disk is full".to_owned(),
        trouble: true,
    };
    assert_eq!(tray.until_news().await, refused);
    tray.click(Action::Quit);
    tray.until("the end", |asked| (*asked == Asked::End).then_some(()))
        .await;
    tokio::time::timeout(DEADLINE, tray.control)
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn an_agent_that_ends_and_comes_back_is_followed_again() {
    let mut tray = Tray::start();
    let stopped = tray.until_icon(Icon::Stopped).await;
    assert_eq!(stopped.tooltip, "goroam: no agent is running");
    tray.click(Action::StartAgent);
    tray.until("start", |asked| (*asked == Asked::StartAgent).then_some(()))
        .await;
    for _ in 0..2 {
        let agent = Agent::start(&tray.paths);
        // Nobody has to click for it.
        tray.until_icon(Icon::Good).await;
        agent.status.send_modify(|status| status.paused = true);
        tray.until_icon(Icon::Paused).await;
        agent.end(&tray.paths).await;
        tray.until_icon(Icon::Stopped).await;
    }
    tray.click(Action::Pause);
    let news = tray.until_news().await;
    assert_eq!(news.title, "goroam was not paused");
    assert!(
        news.text.starts_with("no agent is running"),
        "{}",
        news.text
    );
}

/// Real time: paused time would run on while a real socket is waited for.
#[tokio::test]
async fn an_agent_that_is_gone_is_asked_for_ever_more_rarely_and_at_once_when_somebody_looks() {
    let tray = Tray::start();
    std::fs::create_dir_all(&tray.paths.runtime).unwrap();
    let listener = tokio::net::UnixListener::bind(tray.paths.socket()).unwrap();
    let count = async |time: Duration| {
        let mut count = 0;
        let end = tokio::time::Instant::now() + time;
        while let Ok(Ok(_)) = tokio::time::timeout_at(end, listener.accept()).await {
            count += 1;
        }
        count
    };
    // 0.25, 0.5, 1, 2 s: the fifth would come after 3.75 s.
    let tries = count(Duration::from_millis(3000)).await;
    assert!((2..=5).contains(&tries), "{tries} in 3 s");
    tray.events.send(Event::Opening).unwrap();
    let soon = tokio::time::timeout(Duration::from_millis(200), listener.accept()).await;
    assert!(soon.is_ok(), "nobody came when somebody looked");
}

#[tokio::test]
async fn a_switch_is_told_once_and_in_silence_not_at_all() {
    let mut tray = Tray::start();
    let agent = Agent::start(&tray.paths);
    tray.until_icon(Icon::Good).await;
    let switch = |name: &str| {
        agent.status.send_modify(|status| {
            status.profile = Some(name.to_owned());
            status.why = Some("the route moved".to_owned());
        });
    };
    agent.status.send_modify(|status| status.notify = false);
    switch("cafe");
    tray.until("the café", |asked| match asked {
        Asked::Show(face) => face.tooltip.starts_with("cafe").then_some(()),
        _ => None,
    })
    .await;
    agent.status.send_modify(|status| status.notify = true);
    switch("home");
    let news = tray.until_news().await;
    let told = (news.title.as_str(), news.text.as_str(), news.trouble);
    assert_eq!(told, ("cafe → home", "the route moved", false));
    let more = tokio::time::timeout(Duration::from_millis(1800), tray.until_news()).await;
    assert!(more.is_err(), "{more:?}");
}

#[tokio::test]
async fn an_agent_that_cannot_be_understood_is_complained_of_once() {
    let mut tray = Tray::start();
    std::fs::create_dir_all(&tray.paths.runtime).unwrap();
    let listener = tokio::net::UnixListener::bind(tray.paths.socket()).unwrap();
    let mut answered = 0;
    while answered < 3 {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 256]).await;
        stream.write_all(b"{\"dance\":1}\n").await.unwrap();
        answered += 1;
        tray.events.send(Event::Opening).unwrap();
    }
    let news = tray.until_news().await;
    assert_eq!(news.title, "The agent cannot be asked");
    assert!(news.text.contains("restart the agent"), "{}", news.text);
    let more = tokio::time::timeout(Duration::from_millis(500), tray.until_news()).await;
    assert!(more.is_err(), "{more:?}");
}

#[tokio::test]
async fn the_policy_is_made_from_the_template_and_never_overwritten() {
    let mut tray = Tray::start();
    let opened = |asked: &Asked| match asked {
        Asked::Open(path) => Some(path.clone()),
        _ => None,
    };
    tray.click(Action::OpenPolicy);
    let path = tray.until("the policy", opened).await;
    assert_eq!(path, tray.paths.policy);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("version = 1"), "{text}");
    std::fs::write(&path, "mine").unwrap();
    tray.click(Action::OpenPolicy);
    tray.until("the policy", opened).await;
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");

    // The agent follows another file: that is the one to edit, unless it is built in.
    let agent = Agent::start(&tray.paths);
    let other = tray.folder.path().join("other.toml");
    std::fs::write(&other, "theirs").unwrap();
    let cases = [
        ("follows", other.display().to_string(), &other),
        ("built in", "built in".to_owned(), &path),
    ];
    for (why, policy, want) in cases {
        agent.status.send_modify(|status| {
            status.policy = policy;
            status.why = Some(why.to_owned());
        });
        tray.until("the other policy", |asked| match asked {
            Asked::Show(face) => face.tooltip.ends_with(why).then_some(()),
            _ => None,
        })
        .await;
        tray.click(Action::OpenPolicy);
        assert_eq!(tray.until("the policy", opened).await, *want);
    }
}

#[tokio::test]
async fn the_status_the_log_and_a_refusal_to_start_at_login_are_told() {
    let mut tray = Tray::start();
    let _agent = Agent::start(&tray.paths);
    tray.until_icon(Icon::Good).await;
    tray.click(Action::ShowStatus);
    let opened = |asked: &Asked| match asked {
        Asked::Open(path) => Some(std::fs::read_to_string(path).unwrap()),
        _ => None,
    };
    let text = tray.until("the status", opened).await;
    assert!(text.starts_with("goroam status\n\noffice\n"), "{text}");
    tray.click(Action::OpenLog);
    let text = tray.until("the log", opened).await;
    assert!(text.contains("no turn was taken yet"), "{text}");
    tray.click(Action::StartAtLogin(true));
    tray.until("the tick", |asked| match asked {
        Asked::Show(face) => format!("{face:?}")
            .contains("StartAtLogin(false)")
            .then_some(()),
        _ => None,
    })
    .await;
    tray.click(Action::StartAtLogin(false));
    assert_eq!(
        tray.until_news().await.title,
        "Start at login was not changed"
    );
}
