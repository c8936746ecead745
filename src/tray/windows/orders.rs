//! Orders for the window's thread, in a channel with a message that says that there are some.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

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
