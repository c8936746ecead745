//! Orders for the window's thread: a channel, and a window message that announces them.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use windows_sys::Win32::Foundation::HWND;
use windows_sys::Win32::UI::WindowsAndMessaging::{PostMessageW, WM_APP};

use crate::tray::face::{Face, Notification};

/// The message that announces orders.
pub(super) const WM_ORDERS: u32 = WM_APP + 1;

/// A request to the window's thread.
#[derive(Debug)]
pub(super) enum Order {
    /// Draw this face.
    Show(Face),
    /// Notify the user beside the icon.
    Notify(Notification),
    /// Open a file with the user's program.
    Open(PathBuf),
    /// Remove the icon.
    TakeAway,
    /// End: the other thread has ended.
    End(Result<(), Refused>),
}

/// Why the tray cannot be shown.
#[derive(Debug)]
pub(super) struct Refused {
    /// A message.
    pub(super) why: String,
    /// The exit code.
    pub(super) exit: u8,
}

/// The sender of orders to the window's thread.
#[derive(Debug, Clone)]
pub(super) struct Orders {
    /// The window's handle: a number that any thread may post to; Windows checks it.
    window: usize,
    sender: Sender<Order>,
    closing: Arc<AtomicBool>,
}

impl Orders {
    /// Creates a channel to this window, which reads the receiver when it gets [`WM_ORDERS`].
    pub(super) fn new(window: HWND) -> (Orders, Receiver<Order>) {
        let (sender, receiver) = channel();
        let orders = Orders {
            window: window as usize,
            sender,
            closing: Arc::default(),
        };
        (orders, receiver)
    }

    /// Sends an order. Does not block.
    pub(super) fn put(&self, order: Order) {
        let _ = self.sender.send(order);
        // SAFETY: the call takes numbers only; it may fail if the window no longer exists.
        unsafe { PostMessageW(self.window as HWND, WM_ORDERS, 0, 0) };
    }

    /// Makes a second start ignore this tray from now on.
    pub(super) fn closing(&self) {
        self.closing.store(true, Ordering::Release);
    }

    /// Reports whether the tray is about to end.
    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }
}
