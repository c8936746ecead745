//! Between the agent and what is drawn: follows the agent's status, makes faces and news of it,
//! and turns clicks into commands. The same on every system.

use super::face::{Action, Face, Notification, Surroundings};
use super::looks::face;
use super::site::Site;
use super::throttle::NotificationThrottle;
use super::{log, site, status_text};
use crate::agent::{Command, Error, Reply};
use crate::ipc::ask;
use crate::ipc::watch;
use crate::model::status::Status;
use crate::paths::Paths;
use crate::state::entry::Outcome;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;
use tokio::sync::Notify;
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::task::JoinSet;

/// What a backend can do. Called on the control's thread; a backend whose window lives on
/// another thread hands it over there. No call blocks.
pub trait Shown {
    /// Draws this in the place of what was drawn before.
    fn show(&mut self, face: &Face);
    /// Tells the user.
    fn notify(&mut self, news: &Notification);
    /// Shows a text that is too long for a menu.
    fn tell(&mut self, title: &str, text: &str);
    /// Opens a file with whatever the user opens such files with.
    fn open(&mut self, path: &std::path::Path);
    /// Starts at login from now on, or not any more; what is so afterwards.
    fn start_at_login(&mut self, wanted: bool) -> Option<bool>;
    /// Is started at login? `None`: this backend cannot say.
    fn starts_at_login(&self) -> Option<bool>;
    /// Can it start an agent that is not running?
    fn can_start_agent(&self) -> bool {
        false
    }
    /// Starts it, without waiting for it: it is seen when it answers.
    fn start_agent(&mut self) {}
    /// Takes the icon away; the control ends.
    fn end(&mut self);
}

/// What a backend tells the control.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The user has chosen something.
    Chosen(Action),
    /// The menu is about to be opened: "since" and "ago" are to be fresh.
    Opening,
    /// Something the backend had been asked for could not be done; the user is told.
    Failed {
        /// What: "goroam could not be started".
        what: String,
        /// Why, and the way out.
        why: String,
    },
}

/// Runs until the user quits, or until the backend has gone away with its end of `events`.
/// Needs a tokio runtime with time and network; costs nothing while nothing happens.
pub async fn control(site: Site, shown: impl Shown, mut events: UnboundedReceiver<Event>) {
    let hurry = Arc::new(Notify::new());
    let (tell, mut told) = mpsc::channel(1);
    // Dropped with this function, and what is under way with it.
    let mut background = JoinSet::new();
    background.spawn(follow(site.paths.clone(), tell, Arc::clone(&hurry)));
    let mut control = Control {
        site,
        shown,
        hurry,
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
                Some(Event::Chosen(action)) => control.chosen(action),
                Some(Event::Opening) => control.opening(),
                Some(Event::Failed { what, why }) => control.complain(&what, &why),
                None => return,
            },
            Some(seen) = told.recv() => control.seen(seen),
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

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

struct Control<S> {
    site: Site,
    shown: S,
    hurry: Arc<Notify>,
    status: Option<Status>,
    drawn: Option<Face>,
    /// What the last agent that could not be understood was told off for.
    complaint: Option<String>,
    throttle: NotificationThrottle,
    clicks: JoinSet<Done>,
}

/// What came of a click.
#[derive(Debug)]
enum Done {
    Answered(Action, Box<Result<Reply, Error>>),
    Opened(&'static str, Result<PathBuf, String>),
}

impl<S: Shown> Control<S> {
    fn seen(&mut self, seen: Followed) {
        match seen {
            Followed::Status(status) => {
                self.throttle.saw(&status, Instant::now());
                self.status = Some(*status);
                self.complaint = None;
            }
            Followed::Gone(words) => {
                self.status = None;
                if words.is_some() && words != self.complaint {
                    self.complain(
                        "The agent cannot be asked",
                        words.as_deref().unwrap_or_default(),
                    );
                    self.complaint = words;
                }
            }
        }
        self.draw();
    }

    /// Only what has changed is drawn: some backends blink.
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

    fn opening(&mut self) {
        self.hurry.notify_one();
        self.draw();
    }

    fn chosen(&mut self, action: Action) {
        match &action {
            Action::ShowStatus => {
                let text = status_text::text(self.status.as_ref(), &jiff::Zoned::now());
                self.shown.tell("goroam status", &text);
            }
            Action::Pin { profile, within } => {
                let now = jiff::Timestamp::now();
                let until = within.map(|within| now.checked_add(within));
                match until.transpose() {
                    Ok(until) => {
                        let profile = profile.clone();
                        self.ask(action, Command::Use { profile, until });
                    }
                    Err(error) => self.complain(&what_failed(&action), &error.to_string()),
                }
            }
            Action::Automatic => self.ask(action, Command::Auto),
            Action::ProbeNow => self.ask(action, Command::Once { dry_run: false }),
            Action::Pause => self.ask(action, Command::Pause),
            Action::OpenPolicy => self.open_policy(),
            Action::OpenLog => {
                let paths = self.site.paths.clone();
                let write = move || Done::Opened("The log cannot be opened", log::write(&paths));
                self.clicks.spawn_blocking(write);
            }
            Action::StartAgent => {
                self.shown.start_agent();
                self.hurry.notify_one();
            }
            Action::StartAtLogin(wanted) => {
                if self.shown.start_at_login(*wanted) != Some(*wanted) {
                    let why = "the system has not taken it; the icon stays for this session";
                    self.complain("Start at login was not changed", why);
                }
                self.draw();
            }
            // It has ended the loop already.
            Action::Quit => {}
        }
    }

    /// In a task of its own: a turn may take minutes, and the next click is not to wait for it.
    fn ask(&mut self, action: Action, command: Command) {
        let paths = self.site.paths.clone();
        self.clicks.spawn(async move {
            let answer = ask(&paths, command).await;
            Done::Answered(action, Box::new(answer))
        });
    }

    fn open_policy(&mut self) {
        let followed = self
            .status
            .as_ref()
            .map(|status| PathBuf::from(&status.policy));
        let site = self.site.clone();
        self.clicks.spawn_blocking(move || {
            let opened = site::find_or_write(&site, followed);
            Done::Opened("The policy cannot be opened", opened)
        });
    }

    fn done(&mut self, done: Done) {
        match done {
            Done::Opened(_, Ok(path)) => self.shown.open(&path),
            Done::Opened(what, Err(why)) => self.complain(what, &why),
            Done::Answered(action, answer) => match *answer {
                Ok(Reply::Turn(turn)) => match turn.outcome {
                    Outcome::Failed { error } => self.complain(&what_failed(&action), &error),
                    Outcome::Written { .. }
                    | Outcome::Unchanged
                    | Outcome::DryRun
                    | Outcome::Restored { .. } => {
                        self.answer(&action, turn.from.as_deref(), &turn.status)
                    }
                },
                Ok(Reply::Status(_)) => {}
                Ok(Reply::Failed { error, .. }) => self.complain(&what_failed(&action), &error),
                Err(error) => {
                    // It may be back by now, or gone without a word.
                    self.hurry.notify_one();
                    self.complain(&what_failed(&action), &error.to_string());
                }
            },
        }
    }

    /// Whoever has probed by hand wants to hear of it, even if nothing has changed; a switch is
    /// told anyhow.
    fn answer(&mut self, action: &Action, before: Option<&str>, after: &Status) {
        let profile = after.profile.as_deref().unwrap_or("no profile");
        if *action == Action::ProbeNow && after.notify && before == after.profile.as_deref() {
            let why = after.why.as_deref().unwrap_or("nothing has changed");
            let title = format!("{profile} stays");
            self.shown.notify(&Notification::new(&title, why, false));
        }
    }

    fn complain(&mut self, what: &str, why: &str) {
        self.shown.notify(&Notification::new(what, why, true));
    }
}

/// What a click did not do.
fn what_failed(action: &Action) -> String {
    match action {
        Action::Pin { profile, .. } => format!("{profile} was not put in force"),
        Action::Automatic => "It does not choose by the network".to_owned(),
        Action::ProbeNow => "The network was not probed".to_owned(),
        Action::Pause => "goroam was not paused".to_owned(),
        Action::ShowStatus
        | Action::OpenPolicy
        | Action::OpenLog
        | Action::StartAgent
        | Action::StartAtLogin(_)
        | Action::Quit => "That was not done".to_owned(),
    }
}

/// The first wait for an agent that is gone: a service manager that starts it again needs about
/// as long. Each wait is twice the one before.
const SHORTEST: Duration = Duration::from_millis(250);
/// One wake-up a minute while there is no agent. With one, there is none at all.
const LONGEST: Duration = Duration::from_secs(60);

/// What is seen of the agent.
#[derive(Debug)]
pub(super) enum Followed {
    /// It answers.
    Status(Box<Status>),
    /// It does not; with words where there is one that cannot be understood.
    Gone(Option<String>),
}

/// Tells what it sees, until nobody listens. `hurry` ends a wait: somebody looks at the menu.
pub(super) async fn follow(paths: Paths, seen: mpsc::Sender<Followed>, hurry: Arc<Notify>) {
    let mut wait = SHORTEST;
    loop {
        let was_there = match watch_once(&paths, &seen).await {
            Ok(was_there) => was_there,
            Err(Some(error)) => {
                let words = (!matches!(error, Error::NoAgent)).then(|| error.to_string());
                if seen.send(Followed::Gone(words)).await.is_err() {
                    return;
                }
                false
            }
            Err(None) => return,
        };
        if was_there {
            wait = SHORTEST;
        }
        tokio::select! {
            () = tokio::time::sleep(wait) => wait = LONGEST.min(wait * 2),
            () = hurry.notified() => wait = SHORTEST,
            () = seen.closed() => return,
        }
    }
}

/// Follows one agent to its end: has it told anything? `Err(None)`: nobody listens any more.
async fn watch_once(paths: &Paths, seen: &mpsc::Sender<Followed>) -> Result<bool, Option<Error>> {
    let mut watching = watch(paths).await?;
    let mut was_there = false;
    loop {
        let status = tokio::select! {
            status = watching.next() => status?,
            () = seen.closed() => return Err(None),
        };
        let Some(status) = status else {
            break;
        };
        was_there = true;
        let status = Followed::Status(Box::new(status));
        seen.send(status).await.map_err(|_| None)?;
    }
    // One that is being restarted is back in a moment, and nobody need see a gap.
    if was_there {
        Ok(true)
    } else {
        Err(Some(Error::NoAgent))
    }
}
