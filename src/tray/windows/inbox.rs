//! From the thread of the agent to the thread of the window: orders in a list, and a message that
//! says that there are some.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use windows_sys::Win32::Foundation::HWND;
use windows_sys::Win32::UI::WindowsAndMessaging::{PostMessageW, WM_APP};

use crate::tray::face::{Face, Notification};

/// "There are orders."
pub(super) const WM_ORDERS: u32 = WM_APP + 1;

/// What the window's thread is to do.
#[derive(Debug)]
pub(super) enum Order {
    /// Draw this.
    Show(Face),
    /// Tell the user, beside the icon.
    Notify(Notification),
    /// Show a text in a window.
    Tell { title: String, text: String },
    /// Open a file with the user's program.
    Open(PathBuf),
    /// Take the icon away.
    TakeAway,
    /// The other thread has ended, and why: end too.
    End(Result<(), String>),
}

/// The list, shared by both threads.
#[derive(Debug, Clone)]
pub(super) struct Inbox(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// A handle is a number that any thread may post to; Windows checks it.
    window: usize,
    closing: AtomicBool,
    waiting: Mutex<Waiting>,
    shown: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    orders: Vec<Order>,
    /// A message is on its way; one is enough for any number of orders.
    told: bool,
    /// How often something was shown.
    shows: u64,
}

impl Inbox {
    /// For the window that is told.
    pub(super) fn new(window: HWND) -> Inbox {
        Inbox(Arc::new(Shared {
            window: window as usize,
            closing: AtomicBool::new(false),
            waiting: Mutex::default(),
            shown: Condvar::new(),
        }))
    }

    /// Puts an order in. Does not block.
    pub(super) fn put(&self, order: Order) {
        let mut waiting = self.waiting();
        if let Order::Show(_) = order {
            // Only the last face counts.
            waiting
                .orders
                .retain(|order| !matches!(order, Order::Show(_)));
            waiting.shows += 1;
            self.0.shown.notify_all();
        }
        waiting.orders.push(order);
        if !waiting.told {
            // SAFETY: takes numbers only; a window that is gone makes it fail, and fail it may.
            let posted = unsafe { PostMessageW(self.0.window as HWND, WM_ORDERS, 0, 0) };
            waiting.told = posted != 0;
        }
    }

    /// Everything that waits.
    pub(super) fn take(&self) -> Vec<Order> {
        let mut waiting = self.waiting();
        waiting.told = false;
        std::mem::take(&mut waiting.orders)
    }

    /// From now on this is no tray that one could be sent to.
    pub(super) fn closing(&self) {
        self.0.closing.store(true, Ordering::Release);
    }

    /// Is it about to end?
    pub(super) fn is_closing(&self) -> bool {
        self.0.closing.load(Ordering::Acquire)
    }

    /// How often something was shown, for [`Inbox::wait_for_show`].
    pub(super) fn shows(&self) -> u64 {
        self.waiting().shows
    }

    /// Waits until something was shown after `before`, at most for `limit`.
    pub(super) fn wait_for_show(&self, before: u64, limit: Duration) {
        let waited = self
            .0
            .shown
            .wait_timeout_while(self.waiting(), limit, |waiting| waiting.shows == before);
        drop(waited);
    }

    /// A list is whole whatever has happened to another thread that held it.
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        let waiting = self.0.waiting.lock();
        waiting.unwrap_or_else(PoisonError::into_inner)
    }
}
