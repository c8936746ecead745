//! The menu bar of macOS: AppKit runs on the main thread, as it must; the control runs on another.
//! This code was never run (docs/platforms.md).

use std::cell::RefCell;
use std::ffi::OsStr;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use dispatch2::DispatchQueue;
use objc2::rc::Retained;
use objc2::runtime::{NSObject, NSObjectProtocol, ProtocolObject};
use objc2::{DefinedClass as _, MainThreadMarker, MainThreadOnly, define_class, msg_send, sel};
use objc2_app_kit::{
    NSApplication, NSApplicationActivationPolicy, NSControlStateValueOff, NSControlStateValueOn,
    NSImage, NSMenu, NSMenuDelegate, NSMenuItem, NSStatusBar, NSStatusItem,
    NSVariableStatusItemLength,
};
use objc2_foundation::{NSString, ns_string};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::control::{Event, Shown, Site, control};
use super::face::{Action, Face, Icon, Item, Notification};
use crate::service::tray_plist;
use crate::state::file::{private_folder, replace};

/// A script that shows a notification. Title and text are passed as arguments: if they were part of
/// the script, anyone who names a network could make the script do anything.
const NOTIFY: [&str; 3] = [
    "on run argv",
    "display notification (item 2 of argv) with title (item 1 of argv)",
    "end run",
];

/// Shows the tray until the user quits or logs out.
///
/// # Errors
/// A message, when another tray runs or a thread could not be started.
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
    put_up(main, events);
    let control = move || runtime.block_on(control(site, hand, told));
    std::thread::Builder::new()
        .name("control".to_owned())
        .spawn(control)
        .map_err(cannot)?;
    NSApplication::sharedApplication(main).run();
    Ok(ExitCode::SUCCESS)
}

/// Takes the lock. The kernel releases it however this process ends.
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

/// Passes the control's requests to the main thread or to other programs.
struct Hand {
    events: UnboundedSender<Event>,
    /// The LaunchAgent that starts the tray at login: its path and its text.
    login: Option<(PathBuf, String)>,
    /// The agent's own LaunchAgent, as `goroam service install` writes it.
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

    /// Starts a program; the user is notified if it cannot be started.
    fn start<S: AsRef<OsStr>>(&self, what: &str, program: &Path, args: &[S]) {
        if let Err(error) = start(program, args) {
            let _ = self.events.send(Event::Failed {
                what: what.to_owned(),
                why: format!("{}: {error}", program.display()),
            });
        }
    }
}

/// Starts a program that ends without help, and does not wait for it.
fn start<S: AsRef<OsStr>>(program: &Path, args: &[S]) -> std::io::Result<()> {
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    // Without a wait the child would stay as a zombie.
    std::thread::spawn(move || child.wait());
    Ok(())
}

impl Shown for Hand {
    fn show(&mut self, face: &Face) {
        let face = face.clone();
        DispatchQueue::main().exec_async(move || draw(&face));
    }

    fn notify(&mut self, news: &Notification) {
        let mut args: Vec<&str> = NOTIFY.iter().flat_map(|line| ["-e", *line]).collect();
        args.extend(["--", &news.title, &news.text]);
        // A notification of goroam's own would need an app bundle. A failure is only logged,
        // because its notification would use osascript too.
        if let Err(error) = start(Path::new("/usr/bin/osascript"), &args) {
            tracing::warn!("osascript: {error}");
        }
    }

    fn open(&mut self, path: &Path) {
        // -t: opens with the text editor, since no other program may handle .toml files.
        let args = [OsStr::new("-t"), path.as_os_str()];
        let what = format!("{} was not opened", path.display());
        self.start(&what, Path::new("/usr/bin/open"), &args);
    }

    fn start_at_login(&mut self, wanted: bool) -> Option<bool> {
        let (path, text) = self.login.as_ref()?;
        // launchd reads the directory at login; the tray already runs.
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
        DispatchQueue::main().exec_async(take_down);
    }
}

thread_local! {
    /// The bar exists only on the main thread.
    static BAR: RefCell<Option<Bar>> = const { RefCell::new(None) };
}

struct Bar {
    item: Retained<NSStatusItem>,
    menu: Retained<NSMenu>,
    /// Menu items and menus do not retain their targets.
    target: Retained<Target>,
}

/// Creates an item in the menu bar. It is empty until [`draw`].
fn put_up(main: MainThreadMarker, events: UnboundedSender<Event>) {
    // No icon in the Dock and no application menus.
    let app = NSApplication::sharedApplication(main);
    app.setActivationPolicy(NSApplicationActivationPolicy::Accessory);
    let target = Target::new(main, events);
    let menu = NSMenu::new(main);
    // Otherwise AppKit asks the target about each item.
    menu.setAutoenablesItems(false);
    menu.setDelegate(Some(ProtocolObject::from_ref(&*target)));
    let item = NSStatusBar::systemStatusBar().statusItemWithLength(NSVariableStatusItemLength);
    item.setMenu(Some(&menu));
    BAR.set(Some(Bar { item, menu, target }));
}

/// Draws this face and replaces the previous one.
fn draw(face: &Face) {
    let Some(main) = MainThreadMarker::new() else {
        return;
    };
    BAR.with_borrow(|bar| {
        if let Some(bar) = bar {
            bar.draw(main, face);
        }
    });
}

/// Ends the program.
fn take_down() {
    let Some(main) = MainThreadMarker::new() else {
        return;
    };
    if let Some(bar) = BAR.take() {
        NSStatusBar::systemStatusBar().removeStatusItem(&bar.item);
    }
    NSApplication::sharedApplication(main).terminate(None);
}

impl Bar {
    fn draw(&self, main: MainThreadMarker, face: &Face) {
        if let Some(button) = self.item.button(main) {
            let (symbol, words) = symbol(face.icon);
            let image = NSImage::imageWithSystemSymbolName_accessibilityDescription(
                &NSString::from_str(symbol),
                Some(&NSString::from_str(words)),
            );
            // A symbol is a template: black or white, to match the menu bar.
            match image {
                Some(image) => button.setImage(Some(&image)),
                None => button.setTitle(ns_string!("go")),
            }
            button.setToolTip(Some(&NSString::from_str(&face.tooltip)));
        }
        self.target.forget();
        self.menu.removeAllItems();
        self.fill(main, &self.menu, &face.menu);
    }

    fn fill(&self, main: MainThreadMarker, menu: &NSMenu, items: &[Item]) {
        for item in items {
            menu.addItem(&self.item(main, item));
        }
    }

    fn item(&self, main: MainThreadMarker, item: &Item) -> Retained<NSMenuItem> {
        match item {
            Item::Separator => NSMenuItem::separatorItem(main),
            Item::Text(text) => {
                let item = plain(main, text);
                item.setEnabled(false);
                item
            }
            Item::Choice {
                label,
                action,
                checked,
            } => {
                let item = plain(main, label);
                item.setTag(self.target.tag(action));
                // SAFETY: the target has this method, with a menu item as its argument, and
                // lives as long as the menu.
                unsafe {
                    item.setTarget(Some(&self.target));
                    item.setAction(Some(sel!(chosen:)));
                }
                tick(&item, *checked);
                item
            }
            Item::Submenu {
                label,
                checked,
                items,
            } => {
                let item = plain(main, label);
                let menu = NSMenu::new(main);
                menu.setAutoenablesItems(false);
                self.fill(main, &menu, items);
                item.setSubmenu(Some(&menu));
                tick(&item, *checked);
                item
            }
        }
    }
}

fn plain(main: MainThreadMarker, label: &str) -> Retained<NSMenuItem> {
    let item = NSMenuItem::alloc(main);
    // SAFETY: without an action, no method can be called.
    unsafe {
        NSMenuItem::initWithTitle_action_keyEquivalent(
            item,
            &NSString::from_str(label),
            None,
            ns_string!(""),
        )
    }
}

fn tick(item: &NSMenuItem, checked: bool) {
    item.setState(if checked {
        NSControlStateValueOn
    } else {
        NSControlStateValueOff
    });
}

/// Returns a symbol of SF Symbols 1, which macOS 11 has, and the text that VoiceOver reads.
fn symbol(icon: Icon) -> (&'static str, &'static str) {
    match icon {
        Icon::Good => ("checkmark.circle", "goroam: all is well"),
        Icon::Offline => ("wifi.slash", "goroam: offline"),
        Icon::Attention => ("exclamationmark.triangle", "goroam: look at this"),
        Icon::Paused => ("pause.circle", "goroam: paused"),
        Icon::Stopped => ("xmark.circle", "goroam: no agent"),
    }
}

/// The target's data.
struct Known {
    events: UnboundedSender<Event>,
    /// The actions, indexed by the menu items' tags.
    actions: RefCell<Vec<Action>>,
}

define_class!(
    // SAFETY: NSObject has no requirements for subclasses, and `Target` has no `Drop`.
    #[unsafe(super(NSObject))]
    #[thread_kind = MainThreadOnly]
    #[name = "GoroamMenuTarget"]
    #[ivars = Known]
    struct Target;

    // SAFETY: the protocol has no requirements.
    unsafe impl NSObjectProtocol for Target {}

    // SAFETY: the method has the protocol's signature.
    unsafe impl NSMenuDelegate for Target {
        #[unsafe(method(menuWillOpen:))]
        fn menu_will_open(&self, _: &NSMenu) {
            self.tell(Event::Opening);
        }
    }

    impl Target {
        #[unsafe(method(chosen:))]
        fn chosen(&self, item: &NSMenuItem) {
            let at = usize::try_from(item.tag()).ok();
            let actions = self.ivars().actions.borrow();
            if let Some(action) = at.and_then(|at| actions.get(at)) {
                self.tell(Event::Chosen(action.clone()));
            }
        }
    }
);

impl Target {
    /// Creates a target that reports to `events`.
    fn new(main: MainThreadMarker, events: UnboundedSender<Event>) -> Retained<Target> {
        let this = Target::alloc(main).set_ivars(Known {
            events,
            actions: RefCell::default(),
        });
        // SAFETY: NSObject's `init` takes no argument and returns the object.
        unsafe { msg_send![super(this), init] }
    }

    /// Forgets all tags, before the menu is rebuilt.
    fn forget(&self) {
        self.ivars().actions.borrow_mut().clear();
    }

    /// Returns a new tag for the item of this action.
    fn tag(&self, action: &Action) -> isize {
        let mut actions = self.ivars().actions.borrow_mut();
        actions.push(action.clone());
        isize::try_from(actions.len() - 1).unwrap_or(-1)
    }

    fn tell(&self, event: Event) {
        // The receiver is missing only while the program ends.
        let _ = self.ivars().events.send(event);
    }
}
