//! The hidden window, and the loop that dispatches its messages.
//!
//! It is a top-level window: a message-only window would learn neither that Explorer has started
//! (TaskbarCreated), nor that the session ends.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::ptr;
use std::rc::Rc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use windows_sys::Win32::Foundation::{HWND, LPARAM, LRESULT, POINT, WPARAM};
use windows_sys::Win32::System::LibraryLoader::GetModuleHandleW;
use windows_sys::Win32::UI::Shell::{NIN_BALLOONUSERCLICK, NIN_SELECT};
use windows_sys::Win32::UI::WindowsAndMessaging::{
    ChangeWindowMessageFilterEx, CreateWindowExW, DefWindowProcW, DestroyWindow, DispatchMessageW,
    GetCursorPos, GetMessageW, KillTimer, MSG, MSGFLT_ALLOW, PostMessageW, PostQuitMessage,
    RegisterClassExW, RegisterWindowMessageW, SetTimer, WM_APP, WM_CLOSE, WM_CONTEXTMENU,
    WM_DISPLAYCHANGE, WM_DPICHANGED, WM_ENDSESSION, WM_LBUTTONUP, WM_QUERYENDSESSION, WM_RBUTTONUP,
    WM_SETTINGCHANGE, WM_TIMER, WNDCLASSEXW, WS_OVERLAPPED,
};

use super::agent::AgentThread;
use super::area::{Area, WM_ICON};
use super::orders::{Order, Orders, Refused, WM_ORDERS};
use super::text::wide;
use super::{menu, shell};
use crate::tray::control::Event;
use crate::tray::face::{Action, Face};

/// The window class by which a second start finds the first tray.
pub(super) const CLASS: &str = "goroam-tray";
/// The message by which a second start asks the first tray for its menu. It has the same number in
/// every process.
pub(super) const SHOW_YOURSELF: &str = "goroam-tray-show-yourself";
/// The first tray's answer.
pub(super) const HERE: usize = 1;
/// Opens the menu after a second start has asked for it.
const WM_MENU: u32 = WM_APP + 3;
/// The timer after the icon could not be added.
const RETRY: usize = 1;
const RETRY_MS: u32 = 2_000;
/// At login the shell may be busy for this many times two seconds. After that, the shell announces
/// its own start, so no timer needs to run.
const MOST_RETRIES: u32 = 30;
/// Longest wait for a new face before the menu opens. A menu with slightly old times is better than
/// a slow one.
const FRESHEN: Duration = Duration::from_millis(40);
/// The shell's `NIN_SELECT`, chosen with a key. windows-sys has no name for it.
const NIN_KEYSELECT: u32 = NIN_SELECT | 1;

struct Tray {
    window: HWND,
    orders: Orders,
    ordered: Receiver<Order>,
    events: UnboundedSender<Event>,
    agent: RefCell<Option<AgentThread>>,
    area: RefCell<Area>,
    face: RefCell<Option<Face>>,
    choosing: Cell<bool>,
    retries: Cell<u32>,
    taskbar_created: u32,
    show_yourself: u32,
    ended: RefCell<Option<Result<(), Refused>>>,
}

thread_local! {
    /// The one tray, on its window's thread; a window procedure gets no other context.
    #[allow(clippy::missing_const_for_thread_local, reason = "clippy does not see that it is")]
    static TRAY: RefCell<Option<Rc<Tray>>> = const { RefCell::new(None) };
}

/// The window, before and while its loop runs.
pub(super) struct Window(Rc<Tray>);

impl Window {
    /// Creates the window. Its events go to `events`.
    ///
    /// # Errors
    /// When Windows refuses.
    pub(super) fn new(events: UnboundedSender<Event>) -> std::io::Result<Window> {
        let class = wide(CLASS);
        let (created, show) = (wide("TaskbarCreated"), wide(SHOW_YOURSELF));
        // SAFETY: names end with zeros and outlive the calls; the class' procedure has the required
        // signature and lives as long as the program.
        let (window, taskbar_created, show_yourself) = unsafe {
            let instance = GetModuleHandleW(ptr::null());
            let description = WNDCLASSEXW {
                cbSize: size_of::<WNDCLASSEXW>() as u32,
                lpfnWndProc: Some(procedure),
                hInstance: instance,
                lpszClassName: class.as_ptr(),
                ..WNDCLASSEXW::default()
            };
            if RegisterClassExW(&description) == 0 {
                return Err(std::io::Error::last_os_error());
            }
            let window = CreateWindowExW(
                0,
                class.as_ptr(),
                class.as_ptr(),
                WS_OVERLAPPED,
                0,
                0,
                0,
                0,
                ptr::null_mut(),
                ptr::null_mut(),
                instance,
                ptr::null(),
            );
            if window.is_null() {
                return Err(std::io::Error::last_os_error());
            }
            let created = RegisterWindowMessageW(created.as_ptr());
            let show = RegisterWindowMessageW(show.as_ptr());
            // When started as administrator, the tray would otherwise get no messages from programs
            // with lesser rights.
            for message in [created, show] {
                ChangeWindowMessageFilterEx(window, message, MSGFLT_ALLOW, ptr::null_mut());
            }
            (window, created, show)
        };
        let (orders, ordered) = Orders::new(window);
        let tray = Rc::new(Tray {
            window,
            orders,
            ordered,
            events,
            agent: RefCell::new(None),
            area: RefCell::new(Area::new(window)),
            face: RefCell::new(None),
            choosing: Cell::new(false),
            retries: Cell::new(0),
            taskbar_created,
            show_yourself,
            ended: RefCell::new(None),
        });
        TRAY.set(Some(Rc::clone(&tray)));
        Ok(Window(tray))
    }

    /// Returns the sender of orders for other threads.
    pub(super) fn orders(&self) -> Orders {
        self.0.orders.clone()
    }

    /// Dispatches messages until an order ends the loop. Returns how the other thread has ended.
    pub(super) fn run(self, agent: AgentThread) -> Result<(), Refused> {
        self.0.agent.replace(Some(agent));
        let mut message = MSG::default();
        // SAFETY: the place outlives the calls. 0: WM_QUIT. -1 only for an invalid window or place.
        while unsafe { GetMessageW(&mut message, ptr::null_mut(), 0, 0) } > 0 {
            // SAFETY: the message was filled above.
            unsafe { DispatchMessageW(&message) };
        }
        self.0.ended.take().unwrap_or(Ok(()))
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        self.0.take_away();
        TRAY.set(None);
        // SAFETY: created on this thread; destroyed once.
        unsafe { DestroyWindow(self.0.window) };
    }
}

unsafe extern "system" fn procedure(
    window: HWND,
    message: u32,
    wide: WPARAM,
    long: LPARAM,
) -> LRESULT {
    let tray = TRAY.with_borrow(Clone::clone);
    let tray = tray.filter(|tray| tray.window == window);
    let handled = tray.and_then(|tray| tray.message(message, wide, long));
    // SAFETY: passes on the values from Windows.
    handled.unwrap_or_else(|| unsafe { DefWindowProcW(window, message, wide, long) })
}

impl Tray {
    /// Handles a message. `None`: Windows handles it. No borrow is held while a menu or a dialog is
    /// open, because messages arrive then too.
    fn message(&self, message: u32, wide: WPARAM, long: LPARAM) -> Option<LRESULT> {
        match message {
            WM_ORDERS => {
                while let Ok(order) = self.ordered.try_recv() {
                    self.carry_out(order);
                }
                Some(0)
            }
            WM_ICON => {
                self.icon(wide, long);
                Some(0)
            }
            WM_TIMER if wide == RETRY => {
                self.draw(WM_DISPLAYCHANGE);
                Some(0)
            }
            // Agree; the work is done when the session really ends.
            WM_QUERYENDSESSION => Some(1),
            WM_ENDSESSION if wide != 0 => {
                self.end_of_session();
                Some(0)
            }
            WM_DISPLAYCHANGE | WM_DPICHANGED | WM_SETTINGCHANGE => {
                // The icons may now have another size.
                self.draw(WM_DISPLAYCHANGE);
                None
            }
            _ if message == self.taskbar_created => {
                self.retries.set(0);
                self.draw(message);
                Some(0)
            }
            _ if message == self.show_yourself => {
                if self.orders.is_closing() {
                    return Some(0);
                }
                // The other process must not wait until the user has chosen.
                // SAFETY: the call takes numbers.
                unsafe { PostMessageW(self.window, WM_MENU, 0, 0) };
                Some(HERE as LRESULT)
            }
            WM_MENU => {
                self.open_menu(cursor());
                Some(0)
            }
            // Sent by `taskkill`, or by an installer. Windows itself would remove the window and
            // leave a program that cannot be reached.
            WM_CLOSE => {
                self.tell_control(Event::Chosen(Action::Quit));
                Some(0)
            }
            _ => None,
        }
    }

    fn carry_out(&self, order: Order) {
        match order {
            Order::Show(face) => {
                let is_there = self.area.try_borrow().is_ok_and(|area| area.shows(&face));
                self.face.replace(Some(face));
                if !is_there {
                    self.draw(WM_DISPLAYCHANGE);
                }
            }
            Order::Notify(news) => self.area.borrow().notify(&news),
            Order::Open(path) => self.open(path),
            Order::TakeAway => self.take_away(),
            Order::End(how) => {
                self.ended.replace(Some(how));
                // SAFETY: the call takes a number.
                unsafe { PostQuitMessage(0) };
            }
        }
    }

    /// Draws because of a message, and tries again later if there is no notification area. While
    /// the shell is busy with a call of this thread, messages of other programs arrive: such a
    /// message is posted again, to the end of the queue.
    fn draw(&self, message: u32) {
        let Ok(mut area) = self.area.try_borrow_mut() else {
            // SAFETY: the call takes numbers.
            unsafe { PostMessageW(self.window, message, 0, 0) };
            return;
        };
        let Some(face) = self.face.borrow().clone() else {
            return;
        };
        if message == self.taskbar_created {
            area.forget();
        }
        let done = area.draw(&face);
        drop(area);
        // SAFETY: the window belongs to us; the timer has no procedure.
        unsafe {
            if done {
                self.retries.set(0);
                KillTimer(self.window, RETRY);
            } else if self.retries.get() < MOST_RETRIES {
                self.retries.set(self.retries.get() + 1);
                SetTimer(self.window, RETRY, RETRY_MS, None);
            } else {
                KillTimer(self.window, RETRY);
                tracing::warn!("the notification area does not take the icon");
            }
        }
    }

    /// Handles the shell's messages about the icon. The shell also sends them while it is busy with
    /// a call of this thread. Then the message is posted again, because a menu must not open while
    /// the icon is being drawn.
    fn icon(&self, wide: WPARAM, long: LPARAM) {
        let Ok(area) = self.area.try_borrow_mut() else {
            // SAFETY: the call takes numbers.
            unsafe { PostMessageW(self.window, WM_ICON, wide, long) };
            return;
        };
        let modern = area.is_modern();
        drop(area);
        // Since Vista the low half is the event, and `wide` is the place.
        let event = if modern {
            long as u32 & 0xffff
        } else {
            long as u32
        };
        let at = if modern {
            POINT {
                x: i32::from(wide as u16 as i16),
                y: i32::from((wide >> 16) as u16 as i16),
            }
        } else {
            cursor()
        };
        match event {
            WM_CONTEXTMENU | NIN_SELECT | NIN_KEYSELECT => self.open_menu(at),
            WM_LBUTTONUP | WM_RBUTTONUP if !modern => self.open_menu(at),
            NIN_BALLOONUSERCLICK => self.tell_control(Event::Chosen(Action::ShowStatus)),
            _ => {}
        }
    }

    fn open_menu(&self, at: POINT) {
        // Enter causes two events.
        if self.choosing.replace(true) {
            return;
        }
        self.tell_control(Event::Opening);
        while let Ok(order) = self.ordered.recv_timeout(FRESHEN) {
            let is_fresh = matches!(order, Order::Show(_));
            self.carry_out(order);
            if is_fresh {
                break;
            }
        }
        let items = self.face.borrow().as_ref().map(|face| face.menu.clone());
        let chosen = items.and_then(|items| menu::choose(self.window, at, &items));
        self.choosing.set(false);
        match chosen {
            Some(action) => self.tell_control(Event::Chosen(action)),
            None => self.area.borrow().focus(),
        }
    }

    fn tell_control(&self, event: Event) {
        if self.events.send(event).is_err() {
            // In this case an order to end is on its way.
            tracing::debug!("nobody listens to the menu any more");
        }
    }

    /// Opens a file on a separate thread: programs on network drives start slowly.
    fn open(&self, path: PathBuf) {
        let events = self.events.clone();
        let opener = std::thread::Builder::new().name("open".to_owned());
        let opened = opener.spawn(move || {
            if let Err(why) = shell::open(&path) {
                let what = "It could not be opened".to_owned();
                let why = format!("{}: {why}", path.display());
                drop(events.send(Event::Failed { what, why }));
            }
        });
        if let Err(error) = opened {
            tracing::warn!("a file cannot be opened: {error}");
        }
    }

    fn take_away(&self) {
        self.face.take();
        if let Ok(mut area) = self.area.try_borrow_mut() {
            area.remove();
        }
    }

    /// Handles the end of the session. Windows ends the process when this returns.
    fn end_of_session(&self) {
        tracing::info!("the session ends");
        if let Some(agent) = self.agent.take() {
            agent.end_now();
        }
        self.take_away();
    }
}

fn cursor() -> POINT {
    let mut at = POINT::default();
    // SAFETY: the place outlives the call.
    unsafe { GetCursorPos(&mut at) };
    at
}
