//! The tray on a Linux desktop: a StatusNotifierItem, its menu (com.canonical.dbusmenu) and
//! notifications, all over the session's D-Bus. Without a host for such items (a plain window
//! manager, GNOME without its extension) the tray waits for one, and uses no CPU time meanwhile.

use super::autostart::Autostart;
use super::control::{Event, Shown, Site, control};
use super::face::{Face, Icon, Notification, Surroundings};
use super::icon::rgba;
use super::menu::face;
use super::sni_item::{SniItem, without_markup};
use futures_util::StreamExt as _;
use ksni::{Handle, TrayMethods as _};
use std::cell::Cell;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use zbus::fdo::RequestNameFlags;
use zbus::zvariant::Value;
use zbus::{Connection, MessageStream};

/// Time limit for an answer over D-Bus; a slower program hangs.
const ANSWERS: Duration = Duration::from_secs(10);
/// Time limit for removing the icon before the process ends.
const ENDS: Duration = Duration::from_secs(2);
/// The program that opens a file with the desktop's program for such files.
const OPENER: &str = "xdg-open";
/// The bus name that the one tray of a session owns.
const OWN_NAME: &str = "goroam.Tray";
const WATCHER: &str = "org.kde.StatusNotifierWatcher";

/// Shows the tray until the user quits or the session ends.
///
/// # Errors
/// A message, when the session bus is missing or another tray runs in this session.
pub(super) fn run(site: Site) -> Result<ExitCode, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start: {error}"))?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, tray(site))
}

async fn tray(site: Site) -> Result<ExitCode, String> {
    let bus = session_bus().await?;
    let closed = closed(&bus);
    let (events, told) = unbounded_channel();
    let handle = show_item(&bus, &events).await?;
    let (jobs, todo) = unbounded_channel();
    let work = tokio::task::spawn_local(work(todo, handle, bus.clone(), events.clone()));
    let desktop = Desktop::new(&site, jobs, events);
    tokio::select! {
        () = control(site, desktop, told) => {}
        () = closed => say("the session has ended"),
    }
    let _ = tokio::time::timeout(ENDS, work).await;
    Ok(ExitCode::SUCCESS)
}

async fn session_bus() -> Result<Connection, String> {
    let bus = async {
        zbus::connection::Builder::session()?
            .method_timeout(ANSWERS)
            .build()
            .await
    };
    let bus = bus.await.map_err(|error| {
        format!(
            "there is no session bus ({error}); start it within a desktop session, or set \
             DBUS_SESSION_BUS_ADDRESS"
        )
    })?;
    match bus
        .request_name_with_flags(OWN_NAME, RequestNameFlags::DoNotQueue.into())
        .await
    {
        Ok(_) => Ok(bus),
        Err(zbus::Error::NameTaken) => {
            Err("goroam-tray is running in this session already".to_owned())
        }
        Err(error) => Err(format!("the session bus refuses: {error}")),
    }
}

/// Ends when the bus closes: otherwise this process would outlive its session.
fn closed(bus: &Connection) -> impl Future<Output = ()> + use<> {
    let mut messages = MessageStream::from(bus);
    async move { while let Some(Ok(_)) = messages.next().await {} }
}

async fn show_item(
    bus: &Connection,
    events: &UnboundedSender<Event>,
) -> Result<Handle<SniItem>, String> {
    let first = face(None, &Surroundings::default());
    let item = SniItem::new(first, events.clone(), || {
        say(
            "no program in this session shows tray icons (GNOME needs the extension \
             AppIndicator); waiting for one",
        );
    });
    let shown = item.assume_sni_available(true).spawn().await;
    let handle = shown.map_err(|error| format!("the icon cannot be shown: {error}"))?;
    // ksni first asks for the watcher and then listens for a new one. It misses a watcher that
    // starts in between, which can happen at login. So the item is registered again here; if no
    // watcher runs, ksni is notified when one starts.
    if handle.update(|item| item.was_without_host()).await == Some(true) {
        let _ = register(bus).await;
    }
    Ok(handle)
}

/// Registers the item as ksni does, under the specification's name for the first item of a process.
/// A watcher that already knows it ignores the call.
async fn register(bus: &Connection) -> zbus::Result<()> {
    let name = format!("org.kde.StatusNotifierItem-{}-1", std::process::id());
    let path = "/StatusNotifierWatcher";
    let method = "RegisterStatusNotifierItem";
    let to = Some(WATCHER);
    bus.call_method(to, path, to, method, &(name,)).await?;
    Ok(())
}

/// Work that takes time, done in the order of the requests.
enum Job {
    Show(Face),
    Notify(Notification),
    Run {
        command: Vec<PathBuf>,
        what: String,
        way_out: String,
    },
    End,
}

async fn work(
    mut todo: UnboundedReceiver<Job>,
    item: Handle<SniItem>,
    bus: Connection,
    events: UnboundedSender<Event>,
) {
    // A switch replaces the last switch, and a trouble replaces the last trouble.
    let last = [Rc::new(Cell::new(0)), Rc::new(Cell::new(0))];
    while let Some(job) = todo.recv().await {
        match job {
            Job::Show(face) => {
                item.update(move |item| item.set(face)).await;
            }
            Job::Notify(news) => {
                let (bus, last) = (bus.clone(), Rc::clone(&last[usize::from(news.trouble)]));
                tokio::task::spawn_local(async move {
                    match notify(&bus, &news, last.get()).await {
                        Ok(id) => last.set(id),
                        Err(error) => say(&format!("{}: {} ({error})", news.title, news.text)),
                    }
                });
            }
            Job::Run {
                command,
                what,
                way_out,
            } => {
                let events = events.clone();
                tokio::task::spawn_local(async move {
                    if let Err(why) = run_to_its_end(&command).await {
                        let why = format!("{why}; {way_out}");
                        let _ = events.send(Event::Failed { what, why });
                    }
                });
            }
            Job::End => break,
        }
    }
    item.shutdown().await;
}

/// Runs a command. Its standard error is the error message if it fails.
async fn run_to_its_end(command: &[PathBuf]) -> Result<(), String> {
    let Some((program, args)) = command.split_first() else {
        return Ok(());
    };
    // An editor that xdg-open has started would be killed by writing to a pipe without a reader.
    let stderr = if program == Path::new(OPENER) {
        Stdio::null()
    } else {
        Stdio::piped()
    };
    let failed = |error| format!("{}: {error}", program.display());
    let mut command = tokio::process::Command::new(program);
    command
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let child = command.stderr(stderr).spawn().map_err(failed)?;
    let output = child.wait_with_output().await.map_err(failed)?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().find(|line| !line.trim().is_empty());
    Err(match said {
        Some(said) => said.to_owned(),
        None => format!("{} failed ({})", program.display(), output.status),
    })
}

/// Handles the control's requests; slow work is passed to [`work`].
struct Desktop {
    jobs: UnboundedSender<Job>,
    events: UnboundedSender<Event>,
    autostart: Option<Autostart>,
    has_service_manager: bool,
}

impl Desktop {
    fn new(site: &Site, jobs: UnboundedSender<Job>, events: UnboundedSender<Event>) -> Desktop {
        let config = site.paths.policy_named.then(|| site.paths.policy.clone());
        let program = std::env::current_exe().ok();
        let user_runtime = site.env.path("XDG_RUNTIME_DIR");
        Desktop {
            jobs,
            events,
            autostart: program.and_then(|program| Autostart::find(&site.env, program, config)),
            has_service_manager: user_runtime.is_some_and(|path| path.join("systemd").is_dir()),
        }
    }

    fn job(&self, job: Job) {
        // The receiver is missing only while the program ends.
        let _ = self.jobs.send(job);
    }

    fn run(&self, command: &[&OsStr], what: &str, way_out: String) {
        self.job(Job::Run {
            command: command.iter().map(PathBuf::from).collect(),
            what: what.to_owned(),
            way_out,
        });
    }
}

impl Shown for Desktop {
    fn show(&mut self, face: &Face) {
        self.job(Job::Show(face.clone()));
    }

    fn notify(&mut self, news: &Notification) {
        self.job(Job::Notify(news.clone()));
    }

    fn open(&mut self, path: &Path) {
        let what = format!("{} cannot be opened", path.display());
        let way_out = format!("it is at {}", path.display());
        self.run(&[OPENER.as_ref(), path.as_ref()], &what, way_out);
    }

    fn start_at_login(&mut self, wanted: bool) -> Option<bool> {
        let autostart = self.autostart.as_ref()?;
        if let Err(error) = autostart.set(wanted) {
            let why = error.to_string();
            let what = "The autostart entry was not changed".to_owned();
            let _ = self.events.send(Event::Failed { what, why });
        }
        Some(autostart.is_on())
    }

    fn starts_at_login(&self) -> Option<bool> {
        self.autostart.as_ref().map(Autostart::is_on)
    }

    fn can_start_agent(&self) -> bool {
        self.has_service_manager
    }

    fn start_agent(&mut self) {
        let command = ["systemctl", "--user", "start", "goroam.service"];
        let way_out = "`goroam service install` sets it up".to_owned();
        self.run(&command.map(OsStr::new), "goroam was not started", way_out);
    }

    fn end(&mut self) {
        self.job(Job::End);
    }
}

/// Writes a line for the user who started the tray in a terminal. At login it goes to the session's
/// log.
fn say(text: &str) {
    let line = format!("goroam-tray: {text}\n");
    let _ = std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes());
}

const SERVER: &str = "org.freedesktop.Notifications";
const PATH: &str = "/org/freedesktop/Notifications";
/// Size of the picture beside the text, in pixels.
const PICTURE: u8 = 48;

/// Shows a notification to the user. `replaces`: the number of the notification that it replaces if
/// that is still on the screen, 0 for none. Returns the number of the new one.
///
/// # Errors
/// When no notification server runs, or it refuses.
pub(super) async fn notify(
    bus: &Connection,
    news: &Notification,
    replaces: u32,
) -> zbus::Result<u32> {
    let ask = |method| bus.call_method(Some(SERVER), PATH, Some(SERVER), method, &());
    let capabilities: Vec<String> = ask("GetCapabilities").await?.body().deserialize()?;
    let text = if capabilities.iter().any(|can| can == "body-markup") {
        without_markup(&news.text)
    } else {
        news.text.clone()
    };
    let no_actions: &[&str] = &[];
    // -1: the server decides how long to show it.
    let expires = -1_i32;
    let body = (
        "goroam",
        replaces,
        "",
        news.title.as_str(),
        text.as_str(),
        no_actions,
        hints(news),
        expires,
    );
    let reply = bus
        .call_method(Some(SERVER), PATH, Some(SERVER), "Notify", &body)
        .await?;
    reply.body().deserialize()
}

fn hints(news: &Notification) -> HashMap<&'static str, Value<'static>> {
    let icon = if news.trouble {
        Icon::Attention
    } else {
        Icon::Good
    };
    let side = i32::from(PICTURE);
    let pixels = rgba(icon, u32::from(PICTURE));
    let picture = (side, side, side * 4, true, 8_i32, 4_i32, pixels);
    // Normal, even for trouble: a critical notification stays on the screen until the user closes
    // it.
    let normal = 1_u8;
    HashMap::from([
        ("urgency", Value::from(normal)),
        ("desktop-entry", Value::from("goroam-tray")),
        ("image-data", Value::from(picture)),
    ])
}
