//! The resident agent: one loop that only dispatches events. A round runs beside it and is dropped
//! when something newer happens; nothing of a round is visible before it is finished.

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc, oneshot, watch};
use tracing::{error, info};

use super::clock::until;
use super::command::{Answer, Command, Reply};
use super::error::Error;
use super::fleet::{FleetLayer, FleetUpdate};
use super::health::Exported;
use super::locks::SingleInstance;
use super::policy_file;
use super::resident::Agent;
use super::round::{RoundEvent, RoundInProgress};
use super::session::Session;
use super::signals::{self, Signal};
use super::supervisor::{Life, Supervisor};
use crate::environment::Environment;
use crate::model::Observation;
use crate::model::status::Status;
use crate::paths::Paths;
use crate::relay::stats::Incident;
use crate::watch::{Hint, WatchPaths, Watcher};

/// An agent that has been idle for this long returns memory to the system: doing so after each
/// event would cost more than it saves.
const REST: Duration = Duration::from_secs(2);

/// A handle for the socket's server, to send commands to the running agent.
#[derive(Debug, Clone)]
pub struct Handle {
    commands: mpsc::Sender<(Command, Answer)>,
    status: watch::Receiver<Status>,
    places: Arc<Notify>,
}

impl Handle {
    /// Makes a handle to the loop below, which answers `commands` and updates `status`.
    pub fn new(
        commands: tokio::sync::mpsc::Sender<(Command, tokio::sync::oneshot::Sender<Reply>)>,
        status: watch::Receiver<Status>,
    ) -> Handle {
        Handle {
            commands,
            status,
            places: Arc::default(),
        }
    }

    /// Waits until something happens to the agent's files; the socket is one of them.
    pub async fn places(&self) {
        self.places.notified().await;
    }

    /// Sends a command, and waits for the answer.
    pub async fn ask(&self, command: Command) -> Reply {
        let (answer, reply) = oneshot::channel();
        let ended = || Reply::Failed {
            error: "the agent is ending".to_owned(),
            exit: 1,
        };
        if self.commands.send((command, answer)).await.is_err() {
            return ended();
        }
        reply.await.unwrap_or_else(|_| ended())
    }

    /// Returns the status, now and after each change.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }
}

/// Runs the agent. Holds the locks that allow one agent for this go env file; `serve` gets a handle
/// to answer the socket with. Runs until SIGTERM, SIGINT or Ctrl-C, or until a command ends it.
///
/// # Errors
/// When another agent is running, or the agent cannot start.
pub async fn run(
    session: Session,
    serve: impl FnOnce(Handle) -> Result<(), Error>,
    supervisor: &mut dyn Supervisor,
) -> Result<Ended, Error> {
    // Neither the environment nor the user changes while the agent runs.
    let env_file = session.file()?.path;
    session.keep_folder()?;
    let mut single = SingleInstance::take(&session.paths, &env_file)?;
    if session.last_good.is_none() {
        policy_file::keep_last_good(&session.paths, &session.loaded);
    }
    let mut signals = signals::listen().map_err(Error::state("signals"))?;
    let (commands, mut asked) = mpsc::channel(16);
    let (publish, status) = watch::channel(session.status());
    let handle = Handle::new(commands, status);
    let places = Arc::clone(&handle.places);
    serve(handle)?;

    // A named pipe on Windows is not a file.
    let socket = cfg!(unix).then(|| session.paths.socket());
    let own = single.files().cloned().chain(socket).collect();
    let mut agent = Agent::new(session, publish, own, supervisor.kept());
    agent.start();
    let mut heartbeat = Heartbeat::begin(supervisor, &agent);
    let mut trim_at = None;
    loop {
        // Only while idle, and with the watchdog running: it restarts a new program that hangs.
        if agent.work.is_none()
            && let Some(program) = agent.update.take_over()
        {
            if signals::hand_over(signals).await {
                info!(
                    "shutting down instead of re-executing {}",
                    program.display()
                );
                return Ok(heartbeat.end(&mut agent).await);
            }
            info!("re-executing as updated binary {}", program.display());
            let relay = agent.hand_over_relay().await;
            return Ok(Ended::Replaced { program, relay });
        }
        agent.export_if_due();
        heartbeat.rest(&agent);
        let event = tokio::select! {
            biased;
            signal = signals.next() => Event::Signal(signal),
            Some((command, answer)) = asked.recv() => Event::Asked(command, answer),
            hint = agent.watcher.next() => Event::Hint(hint),
            incidents = agent.relay.incidents() => Event::Incidents(incidents),
            seen = agent.late.next() => Event::Late(Box::new(seen)),
            seen = agent.speeds.next() => Event::Measured(seen),
            event = RoundInProgress::next(&mut agent.work) => Event::Round(Box::new(event)),
            sent = Agent::sent(&mut agent.sending) => Event::Exported(sent),
            () = until(agent.timers.next()) => Event::Time,
            () = until(heartbeat.beat) => Event::Beat,
            () = until(agent.update.due) => Event::CheckBinary,
            () = until(agent.prefetch.due) => Event::StartPrefetch,
            () = until(agent.fleet.due) => Event::StartFleet,
            ended = agent.fleet.ended() => Event::FleetEnded(ended),
            status = agent.prefetch.ended() => Event::PrefetchEnded(status),
            () = until(trim_at) => {
                trim_memory();
                trim_at = None;
                continue;
            }
        };
        if !matches!(event, Event::Beat) {
            trim_at = Some(Instant::now() + REST);
        }
        heartbeat.work(&agent);
        single.keep();
        match event {
            Event::Signal(Signal::End) => {
                info!("shutting down");
                return Ok(heartbeat.end(&mut agent).await);
            }
            Event::Signal(Signal::Reload) => {
                heartbeat.tell(Life::Reloading, &agent);
                agent.reload(true);
                heartbeat.tell(Life::Ready, &agent);
            }
            Event::Asked(command, answer) => {
                let ends = command == Command::End;
                agent.asked(command, answer).await;
                if ends {
                    info!("shutting down on request");
                    return Ok(heartbeat.end(&mut agent).await);
                }
            }
            Event::Hint(hint) => {
                places.notify_one();
                agent.hint(hint).await;
            }
            Event::Round(event) => match *event {
                RoundEvent::Early(early) => agent.apply_early(early).await,
                RoundEvent::Done(ready) => agent.done(ready).await,
            },
            Event::Late(seen) => agent.answered_late(*seen),
            Event::Incidents(incidents) => agent.note_incidents(&incidents),
            Event::Measured(seen) => agent.measured(seen),
            Event::Exported(exported) => agent.exported(exported),
            Event::Time => agent.time().await,
            Event::CheckBinary => {
                agent
                    .check_binary(heartbeat.supervisor.starts_again())
                    .await
            }
            Event::StartPrefetch => agent.start_prefetch(),
            Event::StartFleet => agent.start_fleet(),
            Event::FleetEnded(ended) => agent.fleet_ended(ended),
            Event::PrefetchEnded(status) => agent.prefetch_ended(status).await,
            Event::Beat => {}
        }
    }
}

enum Event {
    Signal(Signal),
    Asked(Command, Answer),
    Hint(Hint),
    Round(Box<RoundEvent>),
    Late(Box<Observation>),
    Incidents(Vec<Incident>),
    Measured(Vec<Observation>),
    Exported(Exported),
    Time,
    Beat,
    CheckBinary,
    StartPrefetch,
    StartFleet,
    FleetEnded(Result<FleetUpdate, Error>),
    PrefetchEnded(std::io::Result<std::process::ExitStatus>),
}

/// Whether the loop is working or idle, and when the next heartbeat is due.
struct Heartbeat<'a> {
    supervisor: &'a mut dyn Supervisor,
    /// When the next heartbeat is due; `None`: idle.
    beat: Option<Instant>,
}

impl<'a> Heartbeat<'a> {
    /// Starts in the working state: starting is work.
    fn begin(supervisor: &'a mut dyn Supervisor, agent: &Agent) -> Heartbeat<'a> {
        let mut heartbeat = Heartbeat {
            supervisor,
            beat: None,
        };
        heartbeat.tell(Life::Ready, agent);
        heartbeat.work(agent);
        heartbeat
    }

    /// Something has happened: the loop is working, or continues to.
    fn work(&mut self, agent: &Agent) {
        let Some(every) = self.supervisor.heartbeat() else {
            return;
        };
        let now = Instant::now();
        match self.beat {
            None => self.tell(Life::Working, agent),
            Some(beat) if beat <= now => self.tell(Life::Beat, agent),
            Some(_) => return,
        }
        self.beat = Some(now + every);
    }

    /// The event has been handled; a round may still be under way.
    fn rest(&mut self, agent: &Agent) {
        if agent.work.is_some() {
            return;
        }
        self.beat = None;
        self.tell(Life::Resting, agent);
    }

    /// Ends what the agent runs.
    async fn end(&mut self, agent: &mut Agent) -> Ended {
        agent.end_relay(self.supervisor).await;
        self.tell(Life::Ending, agent);
        Ended::Asked
    }

    /// Reports the state with the status that was published last.
    fn tell(&mut self, life: Life, agent: &Agent) {
        self.supervisor.tell(life, &agent.last_published());
    }
}

/// Why the agent has ended.
#[derive(Debug)]
pub enum Ended {
    /// By a signal or a command.
    Asked,
    /// The program was replaced; this process should re-execute as the new one.
    Replaced {
        /// Where it is.
        program: PathBuf,
        /// The relay's listener, to be named by [`LISTENER`](super::LISTENER).
        relay: Option<TcpListener>,
    },
}

/// Opens the session; `None`: the agent was ended before there was a usable policy. No timer runs
/// while it waits. If the supervisor does not start the agent again, the error is returned at once.
///
/// # Errors
/// See [`Session::open`].
pub async fn wait_for_valid_policy(
    config: Option<PathBuf>,
    env: Environment,
    supervisor: &mut dyn Supervisor,
) -> Result<Option<Session>, Error> {
    let open = || Session::open_to_stay(config.clone(), env.clone());
    match open() {
        Ok(session) => return Ok(Some(session)),
        Err(error) if supervisor.starts_again() && is_the_policys_fault(&error) => {}
        Err(error) => return Err(error),
    }
    // Nothing serves the relay's port while this waits: go is to be refused.
    drop(supervisor.kept());
    let paths = Paths::find(config.clone(), &env)?;
    // What another program has changed of the fleet's policy is fetched again.
    if let Ok(Some(settings)) = policy_file::fleet_settings(&paths)
        && policy_file::fleet_of(&paths, &env).is_err()
    {
        let update = FleetLayer::update(settings, paths.clone(), env.clone());
        if let Err(error) = update.await {
            error!("{error}");
        }
    }
    let mut signals = signals::listen().map_err(Error::state("signals"))?;
    let mut watcher = Watcher::start(WatchPaths {
        policy: paths.policies(),
        ..WatchPaths::default()
    });
    // The watches work from here on; a fix made before sent no event.
    tokio::task::yield_now().await;
    loop {
        let refused = match open() {
            Ok(session) => {
                info!("read the policy again");
                return Ok(Some(session));
            }
            Err(refused) => refused.to_string(),
        };
        error!("waiting for a usable policy: {refused}");
        let status = Status {
            troubles: vec![refused],
            ..Status::default()
        };
        supervisor.tell(Life::Ready, &status);
        // The watchdog has run since the start, and no heartbeat follows here.
        supervisor.tell(Life::Resting, &status);
        let signal = loop {
            tokio::select! {
                signal = signals.next() => break signal,
                hint = watcher.next() => if hint == Hint::PolicyFile {
                    break Signal::Reload;
                },
            }
        };
        if signal == Signal::End {
            supervisor.tell(Life::Ending, &status);
            return Ok(None);
        }
    }
}

/// Reports whether a change to a watched file can fix the error.
fn is_the_policys_fault(error: &Error) -> bool {
    matches!(error, Error::Policy { .. } | Error::PolicyFile { .. })
}

/// Returns what a round needed and an idle agent does not need: free heap memory, and the program's
/// pages, which the system reads from its page cache again when they are used.
fn trim_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: malloc_trim has no preconditions; it only returns free pages to the system. The
    // callback is called with valid data during the call only, and does not unwind.
    unsafe {
        libc::malloc_trim(0);
        libc::dl_iterate_phdr(Some(release_code), std::ptr::null_mut());
    }
}

/// Releases the code pages of the first object, which is the program itself (dl_iterate_phdr(3)).
#[cfg(all(target_os = "linux", target_env = "gnu"))]
unsafe extern "C" fn release_code(
    info: *mut libc::dl_phdr_info,
    _: libc::size_t,
    _: *mut libc::c_void,
) -> libc::c_int {
    const STOP: libc::c_int = 1;

    // SAFETY: sysconf has no preconditions.
    let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(65536);
    // SAFETY: dl_iterate_phdr passes a valid description, and its headers live as long as it does.
    let (base, headers) = unsafe {
        let info = &*info;
        let headers = std::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum));
        (info.dlpi_addr, headers)
    };
    for header in headers {
        let is_code = header.p_type == libc::PT_LOAD && header.p_flags & libc::PF_X != 0;
        if !is_code || header.p_flags & libc::PF_W != 0 {
            continue;
        }
        let start = base.wrapping_add(header.p_vaddr);
        let (Ok(start), Ok(length)) = (usize::try_from(start), usize::try_from(header.p_memsz))
        else {
            continue;
        };
        let whole = start & !(page - 1);
        // SAFETY: the pages map the program's file and cannot have been written to, so each is read
        // again unchanged.
        unsafe {
            libc::madvise(
                std::ptr::without_provenance_mut(whole),
                start - whole + length,
                libc::MADV_DONTNEED,
            );
        }
    }
    STOP
}
