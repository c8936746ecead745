//! Connects the agent and the backend: follows the agent's status, builds faces and notifications
//! from it, and turns clicks into commands. The code is the same on every system.

use super::face::{Action, Face, Notification, Surroundings};
use super::menu::face;
use super::notification::NotificationThrottle;
use super::texts;
use crate::agent::{Command, Error, Reply, TurnReport, until};
use crate::environment::Environment;
use crate::ipc::{Followed, Following, ask, follow};
use crate::model::status::Status;
use crate::paths::Paths;
use crate::state::entry::Outcome;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;

/// Longest wait between two attempts to find an agent: one wake-up a minute while no agent runs.
/// While one runs, the tray does not wake up at all.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// The tray's files and environment.
#[derive(Debug, Clone)]
pub struct Site {
    /// The locations of the agent's socket, the policy and the journal.
    pub paths: Paths,
    /// The environment of the tray.
    pub env: Environment,
}

/// What a backend can do. The calls come from the control's thread; a backend whose window belongs
/// to another thread passes them on. No call blocks.
pub trait Shown {
    /// Draws this face and replaces the previous one.
    fn show(&mut self, face: &Face);
    /// Shows a notification to the user.
    fn notify(&mut self, news: &Notification);
    /// Opens a file with the user's program for such files.
    fn open(&mut self, path: &std::path::Path);
    /// Enables or disables the start at login. Returns the resulting state.
    fn start_at_login(&mut self, wanted: bool) -> Option<bool>;
    /// Reports whether the tray starts at login. `None`: this backend does not know.
    fn starts_at_login(&self) -> Option<bool>;
    /// Reports whether the backend can start an agent when none runs.
    fn can_start_agent(&self) -> bool {
        false
    }
    /// Starts the agent without waiting for it. The control notices it when it answers.
    fn start_agent(&mut self) {}
    /// Removes the icon; the control ends.
    fn end(&mut self);
}

/// What a backend reports to the control.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The user has chosen a menu entry.
    Chosen(Action),
    /// The menu is about to be opened: "since" and "ago" must be up to date.
    Opening,
    /// The backend could not do what was requested; the user is notified.
    Failed {
        /// What failed: "goroam could not be started".
        what: String,
        /// Why, and what to do about it.
        why: String,
    },
}

/// Runs until the user quits, or until the backend drops its end of `events`. Needs a tokio runtime
/// with time and network; uses no CPU time while nothing happens.
pub async fn control(site: Site, shown: impl Shown, mut events: UnboundedReceiver<Event>) {
    let following = follow(site.paths.clone(), None, LONGEST_WAIT);
    let mut control = Control {
        site,
        shown,
        following,
        status: None,
        drawn: None,
        complaint: None,
        throttle: NotificationThrottle::default(),
        clicks: JoinSet::new(),
    };
    loop {
        let due = control.throttle.due();
        tokio::select! {
            event = events.recv() => match event {
                Some(Event::Chosen(Action::Quit)) => return control.shown.end(),
                Some(Event::Chosen(action)) => control.chosen(&action),
                Some(Event::Opening) => {
                    control.following.ask_now();
                    control.draw();
                }
                Some(Event::Failed { what, why }) => control.complain(&what, &why),
                None => return,
            },
            Some(seen) = control.following.next() => control.seen(seen),
            Some(done) = control.clicks.join_next() => match done {
                Ok(done) => control.done(done),
                Err(error) => control.complain("goroam has made a mistake", &error.to_string()),
            },
            () = until(due) => {
                if let Some(news) = control.throttle.tell(Instant::now()) {
                    control.shown.notify(&news);
                }
            }
        }
    }
}

struct Control<S> {
    site: Site,
    shown: S,
    following: Following,
    status: Option<Status>,
    drawn: Option<Face>,
    /// Why the last agent's answer could not be parsed. It is reported once.
    complaint: Option<String>,
    throttle: NotificationThrottle,
    clicks: JoinSet<Click>,
}

/// The result of a click, and the title of the notification if the click failed.
type Click = (String, Result<Option<Done>, String>);

/// The remaining step of a click. A new status arrives by itself.
#[derive(Debug)]
enum Done {
    /// A file was written; open it.
    Written(PathBuf),
    /// The network was probed.
    Probed(Box<TurnReport>),
}

impl<S: Shown> Control<S> {
    fn seen(&mut self, seen: Followed) {
        match seen {
            Followed::Status(status) => {
                self.throttle.saw(&status, Instant::now());
                self.status = Some(*status);
                self.complaint = None;
            }
            // A restarting agent is back in a moment, and the user need not see a gap.
            Followed::Ended => {}
            Followed::Failed(error) => {
                self.status = None;
                let why = error.to_string();
                if !matches!(error, Error::NoAgent) && self.complaint.as_ref() != Some(&why) {
                    self.complain("The agent cannot be asked", &why);
                    self.complaint = Some(why);
                }
            }
        }
        self.draw();
    }

    /// Draws only what has changed: some backends flicker.
    fn draw(&mut self) {
        let around = Surroundings {
            starts_at_login: self.shown.starts_at_login(),
            can_start: self.shown.can_start_agent(),
            now: jiff::Zoned::now(),
        };
        let face = face(self.status.as_ref(), &around);
        if self.drawn.as_ref() != Some(&face) {
            self.shown.show(&face);
            self.drawn = Some(face);
        }
    }

    fn chosen(&mut self, action: &Action) {
        let paths = self.site.paths.clone();
        match action {
            Action::ShowStatus => {
                let status = self.status.clone();
                self.open("The status cannot be opened", move || {
                    texts::status(&paths, status.as_ref())
                });
            }
            Action::OpenPolicy => {
                let followed = self.status.as_ref();
                let followed = followed.map(|status| PathBuf::from(&status.policy));
                let env = self.site.env.clone();
                self.open("The policy cannot be opened", move || {
                    texts::policy(&paths, &env, followed)
                });
            }
            Action::OpenLog => self.open("The log cannot be opened", move || texts::log(&paths)),
            Action::Pin { profile, within } => {
                let failed = format!("{profile} was not put in force");
                let now = jiff::Timestamp::now();
                match within.map(|within| now.checked_add(within)).transpose() {
                    Ok(until) => {
                        let profile = profile.clone();
                        self.ask(&failed, Command::Use { profile, until });
                    }
                    Err(error) => self.complain(&failed, &error.to_string()),
                }
            }
            Action::Automatic => self.ask("It does not choose by the network", Command::Auto),
            Action::ProbeNow => {
                self.ask(
                    "The network was not probed",
                    Command::Once { dry_run: false },
                );
            }
            Action::Pause => self.ask("goroam was not paused", Command::Pause),
            Action::StartAgent => {
                self.shown.start_agent();
                self.following.ask_now();
            }
            Action::StartAtLogin(wanted) => {
                if self.shown.start_at_login(*wanted) != Some(*wanted) {
                    let why = "the system refused it; the icon stays for this session";
                    self.complain("Start at login was not changed", why);
                }
                self.draw();
            }
            // `Quit` has already ended the loop.
            Action::Quit => {}
        }
    }

    /// Sends the command in a task: a turn may take minutes, and the next click must not wait for
    /// it.
    fn ask(&mut self, failed: &str, command: Command) {
        let (paths, failed) = (self.site.paths.clone(), failed.to_owned());
        self.clicks.spawn(async move {
            let is_probe = matches!(command, Command::Once { .. });
            let result = match ask(&paths, command).await {
                Ok(Reply::Turn(turn)) => match &turn.outcome {
                    Outcome::Failed { error, .. } => Err(error.clone()),
                    Outcome::Written { .. }
                    | Outcome::Unchanged
                    | Outcome::DryRun
                    | Outcome::Restored { .. } => Ok(is_probe.then_some(turn).map(Done::Probed)),
                },
                Ok(Reply::Status(_)) => Ok(None),
                Ok(Reply::Failed { error, .. }) => Err(error),
                Err(error) => Err(error.to_string()),
            };
            (failed, result)
        });
    }

    fn open(
        &mut self,
        failed: &str,
        write: impl FnOnce() -> Result<PathBuf, String> + Send + 'static,
    ) {
        let failed = failed.to_owned();
        let written = move || (failed, write().map(|path| Some(Done::Written(path))));
        self.clicks.spawn_blocking(written);
    }

    fn done(&mut self, (failed, result): Click) {
        match result {
            Ok(Some(Done::Written(path))) => self.shown.open(&path),
            Ok(Some(Done::Probed(turn))) => self.probed(turn.from.as_deref(), &turn.status),
            Ok(None) => {}
            Err(why) => {
                // An agent that did not answer may have returned, or ended.
                self.following.ask_now();
                self.complain(&failed, &why);
            }
        }
    }

    /// Shows the result of a manual probe even if nothing has changed. A switch causes its own
    /// notification.
    fn probed(&mut self, before: Option<&str>, after: &Status) {
        if after.notify && before == after.profile.as_deref() {
            let profile = after.profile.as_deref().unwrap_or("no profile");
            let why = after.why.as_deref().unwrap_or("nothing has changed");
            let title = format!("{profile} stays");
            self.shown.notify(&Notification::new(&title, why, false));
        }
    }

    fn complain(&mut self, what: &str, why: &str) {
        self.shown.notify(&Notification::new(what, why, true));
    }
}
