//! What the control asks of this system: orders for the window's thread, in a channel with a message
//! that says that there are some; and the Run key.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use futures_util::FutureExt as _;
use windows_sys::Win32::Foundation::HWND;
use windows_sys::Win32::UI::WindowsAndMessaging::{PostMessageW, WM_APP};

use super::agent::Hosting;
use crate::service::{self, ServiceRequest, ServiceStep};
use crate::tray::control::Shown;
use crate::tray::face::{Face, Notification};
use crate::tray::start::Site;

/// "There are orders."
pub(super) const WM_ORDERS: u32 = WM_APP + 1;

/// What the window's thread is to do.
#[derive(Debug)]
pub(super) enum Order {
    /// Draw this.
    Show(Face),
    /// Notify the user beside the icon.
    Notify(Notification),
    /// Open a file with the user's program.
    Open(PathBuf),
    /// Take the icon away.
    TakeAway,
    /// The other thread has ended: end too.
    End(Result<(), Refused>),
}

/// Why there is nothing to show.
#[derive(Debug)]
pub(super) struct Refused {
    /// In words.
    pub(super) why: String,
    /// The exit code.
    pub(super) exit: u8,
}

/// The way to the window's thread.
#[derive(Debug, Clone)]
pub(super) struct Orders {
    /// A handle is a number that any thread may post to; Windows checks it.
    window: usize,
    sender: Sender<Order>,
    closing: Arc<AtomicBool>,
}

impl Orders {
    /// To this window, which reads the other end when it gets [`WM_ORDERS`].
    pub(super) fn new(window: HWND) -> (Orders, Receiver<Order>) {
        let (sender, receiver) = channel();
        let orders = Orders {
            window: window as usize,
            sender,
            closing: Arc::default(),
        };
        (orders, receiver)
    }

    /// Gives an order. Does not block.
    pub(super) fn put(&self, order: Order) {
        let _ = self.sender.send(order);
        // SAFETY: takes numbers only; it may fail for a window that is gone.
        unsafe { PostMessageW(self.window as HWND, WM_ORDERS, 0, 0) };
    }

    /// From now on a second start is not sent to this tray.
    pub(super) fn closing(&self) {
        self.closing.store(true, Ordering::Release);
    }

    /// Is it about to end?
    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }
}

/// The control's hand on the window.
pub(super) struct Hand {
    orders: Orders,
    hosting: Rc<Hosting>,
    /// `None`: it cannot be told which program is to be started at login.
    service: Option<service::Site>,
}

impl Hand {
    pub(super) fn new(site: &Site, orders: Orders, hosting: Rc<Hosting>) -> Hand {
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

    /// Only the registry's part of a plan: nothing is to be started or ended, we run already.
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
                ServiceStep::SetValue { .. } | ServiceStep::RemoveValue { .. }
            )
        });
        // Values of the registry are set at once, so there is nothing to wait for.
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
