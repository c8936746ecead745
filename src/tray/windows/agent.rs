//! The thread behind the window: the control, and goroam's agent if this process runs it. On
//! Windows one process contains everything. If another agent of this user runs already, the tray is
//! its client until that agent ends; then the tray takes over.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{sleep, timeout};

use super::orders::{Order, Orders, Refused};
use crate::agent::error::EXIT_FAILED;
use crate::agent::{self, Command, Error, Handle, Session, Unattended};
use crate::ipc;
use crate::service::{self, ServiceRequest, ServiceStep};
use crate::tray::control::{Event, Shown, Site, control};
use crate::tray::face::{Face, Notification};

/// Time limit at the end of a session. Windows waits five seconds for a program (`WM_ENDSESSION`).
const END_OF_SESSION: Duration = Duration::from_secs(4);
/// Threads for DNS or files end after this idle time: they cost memory in a resident agent.
const THREAD_KEEP_ALIVE: Duration = Duration::from_secs(2);
/// Most findings of a policy in a message; a message that is higher than the screen cannot be
/// closed.
const MOST_FINDINGS: usize = 5;
/// The wait after a failure. It doubles after each further failure: the user is notified, and may
/// need time to fix it.
const SHORTEST: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_secs(300);
/// The time between an agent's lock and its pipe, or between its pipe and its end.
const MOMENT: Duration = Duration::from_millis(300);
/// Time limit for the agent's end; a turn that is writing is completed.
const END_TIME: Duration = Duration::from_secs(3);

/// The running thread.
#[derive(Debug)]
pub(super) struct AgentThread {
    end: Arc<Notify>,
    ended: Receiver<()>,
}

impl AgentThread {
    /// Starts the thread; its last order ends the window's loop.
    ///
    /// # Errors
    /// When the thread cannot be created.
    pub(super) fn start(
        site: Site,
        orders: Orders,
        events: UnboundedReceiver<Event>,
    ) -> std::io::Result<AgentThread> {
        let end = Arc::new(Notify::new());
        let (over, ended) = sync_channel(0);
        let asked_to_end = Arc::clone(&end);
        let thread = std::thread::Builder::new().name("agent".to_owned());
        thread.spawn(move || {
            let _over = over;
            let how = live(&site, &orders, events, &asked_to_end);
            orders.put(Order::End(how));
        })?;
        Ok(AgentThread { end, ended })
    }

    /// Ends the thread and waits for its end, but only for a limited time: the session ends.
    pub(super) fn end_now(&self) {
        self.end.notify_one();
        let ended = self.ended.recv_timeout(END_OF_SESSION);
        if ended == Err(RecvTimeoutError::Timeout) {
            tracing::warn!("not everything was done before the session ended");
        }
    }
}

fn live(
    site: &Site,
    orders: &Orders,
    events: UnboundedReceiver<Event>,
    end: &Notify,
) -> Result<(), Refused> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .thread_keep_alive(THREAD_KEEP_ALIVE)
        .build()
        .map_err(|error| Refused {
            why: format!("cannot start: {error}"),
            exit: EXIT_FAILED,
        })?;
    let ended = runtime.block_on(control_and_host(site, orders, events, end));
    // A look-up without an answer would delay the end by its whole time limit.
    runtime.shutdown_background();
    ended
}

async fn control_and_host(
    site: &Site,
    orders: &Orders,
    events: UnboundedReceiver<Event>,
    end: &Notify,
) -> Result<(), Refused> {
    let first = match open(site) {
        Ok(session) => Some(session),
        // An agent that already runs has read a policy.
        Err(_) if ipc::ask(&site.paths, Command::Status).await.is_ok() => None,
        Err(error) => return Err(refused(&error)),
    };
    let hosting = Rc::new(Hosting::default());
    let hand = Hand::new(site, orders.clone(), Rc::clone(&hosting));
    let mut hosted = pin!(hosting.host(site, first, orders));
    tokio::select! {
        // The agent was asked to end, so the tray ends too.
        () = &mut hosted => return Ok(()),
        () = control(site.clone(), hand, events) => {}
        () = end.notified() => {}
    }
    orders.closing();
    hosting.end(hosted).await;
    Ok(())
}

/// Includes all findings of a policy: there is no terminal to print them in.
fn refused(error: &Error) -> Refused {
    let mut why = error.to_string();
    if let Error::Policy {
        texts, findings, ..
    } = error
    {
        let errors = findings.iter().filter(|it| it.is_error());
        for finding in errors.take(MOST_FINDINGS) {
            let at = finding.primary.as_ref().map_or(0, |label| label.span.start);
            why.push_str(&format!("\n\n{}: {}", texts.place(at), finding.message));
        }
    }
    Refused {
        why,
        exit: error.exit_code(),
    }
}

/// The state of the agent in this process.
#[derive(Debug, Default)]
pub(super) struct Hosting {
    agent: RefCell<Option<Handle>>,
    waiting: Cell<bool>,
    again: Notify,
}

impl Hosting {
    /// Reports whether it waits after a failure.
    pub(super) fn waits(&self) -> bool {
        self.waiting.get()
    }

    /// Ends the wait after a failure.
    pub(super) fn try_now(&self) {
        self.again.notify_one();
    }

    /// Asks this process' agent to end, if it runs, and polls `hosting` until its end.
    async fn end(&self, hosting: impl Future<Output = ()>) {
        let agent = self.agent.borrow().clone();
        let Some(agent) = agent else { return };
        let ended = async {
            tokio::join!(agent.ask(Command::End), hosting);
        };
        if timeout(END_TIME, ended).await.is_err() {
            tracing::warn!("the agent does not end; it is left behind");
        }
    }

    /// Runs an agent whenever no other agent runs, until it is asked to end. `first` is its session
    /// if one is already open.
    async fn host(&self, site: &Site, first: Option<Session>, orders: &Orders) {
        let (mut next, mut pause) = (first, SHORTEST);
        let mut told = String::new();
        loop {
            let session = next.take().map_or_else(|| open(site), Ok);
            let ended = match session {
                Ok(session) => self.run(session, orders).await,
                Err(error) => Err(error.to_string()),
            };
            let why = match ended {
                Ok(Ended::Asked) => return,
                Ok(Ended::Second) => {
                    tracing::info!("another agent of this user is running; follows that");
                    other_ends(site).await;
                    (pause, told) = (SHORTEST, String::new());
                    continue;
                }
                Err(why) => why,
            };
            tracing::error!("the agent has failed: {why}");
            if told != why {
                let news = Notification::new("goroam's agent has ended", &why, true);
                orders.put(Order::Notify(news));
                told = why;
            }
            self.waiting.set(true);
            tokio::select! {
                () = sleep(pause) => {}
                () = self.again.notified() => pause = SHORTEST,
            }
            self.waiting.set(false);
            pause = LONGEST.min(pause * 2);
        }
    }

    async fn run(&self, session: Session, orders: &Orders) -> Result<Ended, String> {
        let paths = session.paths.clone();
        let mut serving = None;
        let serve = |handle: Handle| {
            serving = Some(ipc::serve(&paths, handle.clone())?);
            self.agent.replace(Some(handle));
            Ok(())
        };
        let mut unattended = Unattended;
        // Boxed because the future is large.
        let ended = Box::pin(agent::run(
            session.with_mirror(crate::mirror::keep_in),
            serve,
            &mut unattended,
        ))
        .await;
        self.agent.replace(None);
        if ended.is_ok() {
            // Set before the clients see the agent end: one of them may be about to start a new
            // tray.
            orders.closing();
        }
        if let Some(serving) = serving {
            serving.end().await;
        }
        match ended {
            Ok(agent::Ended::Asked) => Ok(Ended::Asked),
            Ok(agent::Ended::Replaced { program, .. }) => succeed(&program).map(|()| Ended::Asked),
            Err(Error::SecondAgent { .. }) => Ok(Ended::Second),
            Err(error) => Err(error.to_string()),
        }
    }
}

enum Ended {
    Asked,
    Second,
}

/// Starts the new program as the successor of this one. It waits until this one has ended.
fn succeed(program: &std::path::Path) -> Result<(), String> {
    let mut command = std::process::Command::new(program);
    let started = command.args(std::env::args_os().skip(1)).spawn();
    started
        .map(drop)
        .map_err(|error| format!("cannot go on as {}: {error}", program.display()))
}

/// Opens a session with the present policy and memory.
fn open(site: &Site) -> Result<Session, Error> {
    let named = site.paths.policy_named;
    Session::open(named.then(|| site.paths.policy.clone()), site.env.clone())
}

/// Waits for the end of the agent that holds the lock.
async fn other_ends(site: &Site) {
    if let Ok(mut watching) = ipc::watch(&site.paths).await {
        while let Ok(Some(_)) = watching.next().await {}
    }
    sleep(MOMENT).await;
}

/// Passes the control's requests to the window.
struct Hand {
    orders: Orders,
    hosting: Rc<Hosting>,
    /// `None`: the program to start at login is unknown.
    service: Option<service::Site>,
}

impl Hand {
    fn new(site: &Site, orders: Orders, hosting: Rc<Hosting>) -> Hand {
        let service = service::Site::find(site.paths.clone(), site.env.clone());
        if let Err(error) = &service {
            tracing::warn!("start at login: {error}");
        }
        Hand {
            orders,
            hosting,
            service: service.ok(),
        }
    }

    /// Carries out only the registry's part of a plan: no program must be started or ended, since
    /// the tray already runs.
    fn set_login(&self, wanted: bool) -> Result<(), service::ServiceError> {
        let Some(site) = &self.service else {
            return Ok(());
        };
        let wish = if wanted {
            ServiceRequest::Install
        } else {
            ServiceRequest::Uninstall
        };
        let mut steps = service::plan(wish, site)?;
        steps.retain(|step| {
            matches!(
                step,
                ServiceStep::SetValue(..) | ServiceStep::RemoveValue(..)
            )
        });
        // Registry values are set immediately, so there is nothing to wait for.
        match service::carry_out(&steps, site).now_or_never() {
            Some(done) => done.map(drop),
            None => Ok(()),
        }
    }
}

impl Shown for Hand {
    fn show(&mut self, face: &Face) {
        self.orders.put(Order::Show(face.clone()));
    }

    fn notify(&mut self, news: &Notification) {
        self.orders.put(Order::Notify(news.clone()));
    }

    fn open(&mut self, path: &Path) {
        self.orders.put(Order::Open(path.to_owned()));
    }

    fn start_at_login(&mut self, wanted: bool) -> Option<bool> {
        if let Err(error) = self.set_login(wanted) {
            tracing::warn!("start at login: {error}");
        }
        self.starts_at_login()
    }

    fn starts_at_login(&self) -> Option<bool> {
        let state = service::state(self.service.as_ref()?);
        state.ok().map(|state| state.enabled)
    }

    fn can_start_agent(&self) -> bool {
        self.hosting.waits()
    }

    fn start_agent(&mut self) {
        self.hosting.try_now();
    }

    fn end(&mut self) {
        self.orders.put(Order::TakeAway);
    }
}
