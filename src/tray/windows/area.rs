//! The icon in the notification area: adds, changes, adds again and removes it.

use std::ptr;

use windows_sys::Win32::Foundation::HWND;
use windows_sys::Win32::UI::HiDpi::{GetDpiForSystem, GetDpiForWindow, GetSystemMetricsForDpi};
use windows_sys::Win32::UI::Shell::{
    NIF_ICON, NIF_INFO, NIF_MESSAGE, NIF_SHOWTIP, NIF_TIP, NIIF_INFO, NIIF_RESPECT_QUIET_TIME,
    NIIF_WARNING, NIM_ADD, NIM_DELETE, NIM_MODIFY, NIM_SETFOCUS, NIM_SETVERSION,
    NOTIFYICON_VERSION_4, NOTIFYICONDATAW, Shell_NotifyIconW,
};
use windows_sys::Win32::UI::WindowsAndMessaging::{
    CreateIconFromResourceEx, DestroyIcon, FindWindowW, HICON, LR_DEFAULTCOLOR, SM_CXSMICON, WM_APP,
};

use super::text::{dib, fill, wide};
use crate::tray::face::{Face, Icon, Notification};

/// The message from the icon to its window.
pub(super) const WM_ICON: u32 = WM_APP + 2;
/// The version of the icon image format; Windows reads it since 3.0.
const IMAGE_VERSION: u32 = 0x0003_0000;
/// The number of the only icon.
const ID: u32 = 1;

/// The icon's place in the notification area.
#[derive(Debug)]
pub(super) struct Area {
    window: HWND,
    /// What the area shows, as last drawn.
    shown: Option<(Icon, String)>,
    /// Whether the shell uses the messages introduced with Vista. Known after the icon was added.
    modern: bool,
    image: Option<Image>,
}

impl Area {
    /// Creates an empty place.
    pub(super) fn new(window: HWND) -> Area {
        Area {
            window,
            shown: None,
            modern: false,
            image: None,
        }
    }

    /// Reports whether this face is already shown.
    pub(super) fn shows(&self, face: &Face) -> bool {
        let shown = self.shown.as_ref();
        shown.is_some_and(|(icon, tooltip)| *icon == face.icon && *tooltip == face.tooltip)
    }

    /// Forgets the icon after the shell has restarted without it.
    pub(super) fn forget(&mut self) {
        self.shown = None;
    }

    /// Draws the face at the screen's present icon size. False: the notification area does not
    /// exist yet, or is busy; call this again later.
    pub(super) fn draw(&mut self, face: &Face) -> bool {
        let (icon, size) = (face.icon, icon_size());
        let is_drawn = |image: &Image| (image.icon, image.size) == (icon, size);
        if !self.image.as_ref().is_some_and(is_drawn) {
            self.image = Image::new(icon, size).or(self.image.take());
        }
        let mut data = self.data(NIF_MESSAGE | NIF_ICON | NIF_TIP | NIF_SHOWTIP);
        let image = self.image.as_ref();
        data.hIcon = image.map_or(ptr::null_mut(), |image| image.handle);
        fill(&mut data.szTip, &face.tooltip);
        // A missing icon cannot be modified. An existing icon cannot be added, not even if the
        // shell was too slow to confirm the first addition (both answers are documented).
        let changed = self.shown.is_some() && tell(NIM_MODIFY, &data);
        let there = changed || tell(NIM_ADD, &data) || tell(NIM_MODIFY, &data);
        if there && !changed {
            data.Anonymous.uVersion = NOTIFYICON_VERSION_4;
            self.modern = tell(NIM_SETVERSION, &data);
        }
        self.shown = there.then(|| (icon, face.tooltip.clone()));
        there
    }

    /// Reports whether the shell's messages contain the place of a click, and keys.
    pub(super) fn is_modern(&self) -> bool {
        self.modern
    }

    /// Notifies the user, unless the user has asked not to be disturbed.
    pub(super) fn notify(&self, news: &Notification) {
        let mut data = self.data(NIF_INFO);
        fill(&mut data.szInfoTitle, &news.title);
        // An empty text would remove the last notification instead.
        let text = if news.text.is_empty() {
            " "
        } else {
            &news.text
        };
        fill(&mut data.szInfo, text);
        let kind = if news.trouble {
            NIIF_WARNING
        } else {
            NIIF_INFO
        };
        data.dwInfoFlags = kind | NIIF_RESPECT_QUIET_TIME;
        if !tell(NIM_MODIFY, &data) {
            tracing::info!("not shown: {}: {}", news.title, news.text);
        }
    }

    /// Returns the keyboard focus to the notification area after its menu was closed.
    pub(super) fn focus(&self) {
        tell(NIM_SETFOCUS, &self.data(0));
    }

    /// Removes the icon.
    pub(super) fn remove(&mut self) {
        if self.shown.take().is_some() {
            tell(NIM_DELETE, &self.data(0));
        }
    }

    fn data(&self, flags: u32) -> NOTIFYICONDATAW {
        NOTIFYICONDATAW {
            cbSize: size_of::<NOTIFYICONDATAW>() as u32,
            hWnd: self.window,
            uID: ID,
            uFlags: flags,
            uCallbackMessage: WM_ICON,
            ..NOTIFYICONDATAW::default()
        }
    }
}

impl Drop for Area {
    fn drop(&mut self) {
        self.remove();
    }
}

fn tell(what: u32, data: &NOTIFYICONDATAW) -> bool {
    // SAFETY: the data is complete, contains its size, and outlives the call.
    unsafe { Shell_NotifyIconW(what, data) != 0 }
}

/// Returns the side of a task bar icon in pixels. The task bar may be on another screen than any
/// window of this process.
fn icon_size() -> u32 {
    let class = wide("Shell_TrayWnd");
    // SAFETY: the name ends with a zero; the other calls take numbers only.
    let size = unsafe {
        let bar = FindWindowW(class.as_ptr(), ptr::null());
        let dpi = if bar.is_null() {
            0
        } else {
            GetDpiForWindow(bar)
        };
        let dpi = if dpi == 0 { GetDpiForSystem() } else { dpi };
        GetSystemMetricsForDpi(SM_CXSMICON, dpi)
    };
    // 16 at 100 %; more than 256 is not an icon.
    u32::try_from(size).unwrap_or(0).clamp(16, 256)
}

/// An icon that Windows holds for this process.
#[derive(Debug)]
struct Image {
    handle: HICON,
    icon: Icon,
    size: u32,
}

impl Image {
    /// Draws the icon.
    fn new(icon: Icon, size: u32) -> Option<Image> {
        let bytes = dib(icon, size);
        let side = size.cast_signed();
        // SAFETY: the call reads and copies the bytes; it gets their number.
        let handle = unsafe {
            let length = bytes.len() as u32;
            let (bytes, is_icon) = (bytes.as_ptr(), 1);
            CreateIconFromResourceEx(
                bytes,
                length,
                is_icon,
                IMAGE_VERSION,
                side,
                side,
                LR_DEFAULTCOLOR,
            )
        };
        if handle.is_null() {
            let error = std::io::Error::last_os_error();
            tracing::warn!("no icon of {size} pixels: {error}");
            return None;
        }
        Some(Image { handle, icon, size })
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        // SAFETY: created above, destroyed once; the shell has its own copy.
        unsafe { DestroyIcon(self.handle) };
    }
}
