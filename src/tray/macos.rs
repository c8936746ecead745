//! The menu bar of macOS: AppKit on the main thread, where it has to be, the control on another.
//! Nobody has run this yet (docs/platforms.md).

use std::ffi::OsStr;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use dispatch2::DispatchQueue;
use objc2::MainThreadMarker;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::control::{Event, Shown, control};
use super::face::{Face, Notification};
use super::macos_bar as bar;
use super::site::Site;
use crate::service::tray_plist;
use crate::state::file::{private_folder, replace};

/// What is told goes in as arguments: a script that it stood in could be made to do anything by
/// whoever names a network.
const NOTIFY: [&str; 3] = [
    "on run argv",
    "display notification (item 2 of argv) with title (item 1 of argv)",
    "end run",
];

/// Shows the tray until the user quits or logs out.
///
/// # Errors
/// In words: another one is there, or a thread could not be started.
pub(super) fn run(site: Site) -> Result<ExitCode, String> {
    let main = MainThreadMarker::new().ok_or("the menu bar is the main thread's")?;
    let _only = only_one(&site)?;
    let cannot = |error: std::io::Error| format!("cannot start: {error}");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(cannot)?;
    let (events, told) = unbounded_channel();
    let hand = Hand::new(&site, events.clone());
    bar::put_up(main, events);
    let control = move || runtime.block_on(control(site, hand, told));
    std::thread::Builder::new()
        .name("control".to_owned())
        .spawn(control)
        .map_err(cannot)?;
    bar::run(main);
    Ok(ExitCode::SUCCESS)
}

/// The kernel gives the lock back however this one ends.
fn only_one(site: &Site) -> Result<File, String> {
    let path = site.paths.runtime.join("tray.lock");
    let cannot = |error: std::io::Error| format!("{}: {error}", path.display());
    private_folder(&site.paths.runtime).map_err(cannot)?;
    let mut options = File::options();
    options.write(true).create(true).truncate(false);
    let lock = crate::bounded::open_lock(&options, &path).map_err(cannot)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err("goroam is in the menu bar already".to_owned()),
        Err(TryLockError::Error(error)) => Err(cannot(error)),
    }
}

/// What the control wants, handed to the main thread or to other programs.
struct Hand {
    events: UnboundedSender<Event>,
    /// The LaunchAgent that starts it at login, and what is to stand in it.
    login: Option<(PathBuf, String)>,
    /// The agent's own, as `goroam service install` writes it.
    agent: Option<PathBuf>,
    goroam: Option<PathBuf>,
}

impl Hand {
    fn new(site: &Site, events: UnboundedSender<Event>) -> Hand {
        let home = site.env.home();
        let program = std::env::current_exe().ok();
        let config = site.paths.policy_named.then_some(&*site.paths.policy);
        let login = home
            .as_deref()
            .zip(program.as_deref())
            .and_then(|(home, program)| tray_plist(home, program, config).ok());
        Hand {
            events,
            login,
            agent: home.map(|home| home.join("Library/LaunchAgents/dev.goroam.agent.plist")),
            goroam: program.map(|program| program.with_file_name("goroam")),
        }
    }

    /// Starts a program that ends by itself, and does not wait for it.
    fn start<S: AsRef<OsStr>>(&self, what: &str, program: &Path, args: &[S]) {
        let child = Command::new(program)
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        match child {
            // Somebody has to ask how it ended, or it stays as a zombie.
            Ok(mut child) => drop(std::thread::spawn(move || child.wait())),
            Err(error) => {
                let _ = self.events.send(Event::Failed {
                    what: what.to_owned(),
                    why: format!("{}: {error}", program.display()),
                });
            }
        }
    }
}

impl Shown for Hand {
    fn show(&mut self, face: &Face) {
        let face = face.clone();
        DispatchQueue::main().exec_async(move || bar::draw(&face));
    }

    fn notify(&mut self, news: &Notification) {
        let mut args: Vec<&str> = NOTIFY.iter().flat_map(|line| ["-e", *line]).collect();
        args.extend(["--", &news.title, &news.text]);
        // A notification of our own would take an app bundle.
        match Command::new("/usr/bin/osascript")
            .args(&args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
        {
            Ok(mut child) => drop(std::thread::spawn(move || child.wait())),
            // To tell of it would take the same way.
            Err(error) => tracing::warn!("osascript: {error}"),
        }
    }

    fn tell(&mut self, title: &str, text: &str) {
        let (title, text) = (title.to_owned(), text.to_owned());
        DispatchQueue::main().exec_async(move || bar::tell(&title, &text));
    }

    fn open(&mut self, path: &Path) {
        // -t: with the text editor, for nothing else may know what a .toml is.
        let args = [OsStr::new("-t"), path.as_os_str()];
        let what = format!("{} was not opened", path.display());
        self.start(&what, Path::new("/usr/bin/open"), &args);
    }

    fn start_at_login(&mut self, wanted: bool) -> Option<bool> {
        let (path, text) = self.login.as_ref()?;
        // launchd reads the folder at login; it is running already now.
        let done = match (wanted, path.parent()) {
            (true, Some(folder)) => {
                std::fs::create_dir_all(folder).and_then(|()| replace(path, text.as_bytes()))
            }
            (true, None) => Ok(()),
            (false, _) => std::fs::remove_file(path),
        };
        if let Err(error) = done {
            tracing::warn!("{}: {error}", path.display());
        }
        self.starts_at_login()
    }

    fn starts_at_login(&self) -> Option<bool> {
        self.login.as_ref().map(|(path, _)| path.exists())
    }

    fn can_start_agent(&self) -> bool {
        let is_file = |path: &Option<PathBuf>| path.as_deref().is_some_and(Path::is_file);
        is_file(&self.agent) && is_file(&self.goroam)
    }

    fn start_agent(&mut self) {
        if let Some(goroam) = self.goroam.clone() {
            self.start("goroam was not started", &goroam, &["service", "start"]);
        }
    }

    fn end(&mut self) {
        DispatchQueue::main().exec_async(bar::take_down);
    }
}
