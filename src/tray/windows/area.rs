//! The icon in the notification area: put there, changed, put there again, taken away.

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

use super::image::dib;
use super::text::{fill, wide};
use crate::tray::face::{Face, Icon, Notification};

/// What the icon tells its window.
pub(super) const WM_ICON: u32 = WM_APP + 2;
/// The version of an icon's image that Windows reads since 3.0.
const IMAGE_VERSION: u32 = 0x0003_0000;
/// Our only icon.
const ID: u32 = 1;

/// The place of our icon.
#[derive(Debug)]
pub(super) struct Area {
    window: HWND,
    /// Is it there, as far as we know?
    there: bool,
    /// Does the shell speak to us as since Vista? Known once the icon is there.
    modern: bool,
    /// What is to be there.
    wanted: Option<(Icon, String)>,
    image: Option<Image>,
}

impl Area {
    /// Nothing is there yet.
    pub(super) fn new(window: HWND) -> Area {
        Area {
            window,
            there: false,
            modern: false,
            wanted: None,
            image: None,
        }
    }

    /// Shows this from now on. False: there is no notification area yet, or it is busy; call
    /// [`Area::again`] later.
    pub(super) fn show(&mut self, face: &Face) -> bool {
        let wanted = (face.icon, face.tooltip.clone());
        if self.there && self.wanted.as_ref() == Some(&wanted) {
            return true;
        }
        self.wanted = Some(wanted);
        self.again()
    }

    /// The shell has started anew: nothing of ours is there any more.
    pub(super) fn gone(&mut self) -> bool {
        self.there = false;
        self.again()
    }

    /// Puts there what is to be there, at the size that the screen has now.
    pub(super) fn again(&mut self) -> bool {
        let Some((icon, tooltip)) = self.wanted.clone() else {
            return true;
        };
        let size = icon_size();
        if self
            .image
            .as_ref()
            .is_none_or(|image| !image.is(icon, size))
        {
            self.image = Image::new(icon, size).or(self.image.take());
        }
        let mut data = self.data(NIF_MESSAGE | NIF_ICON | NIF_TIP | NIF_SHOWTIP);
        data.hIcon = self
            .image
            .as_ref()
            .map_or(ptr::null_mut(), |image| image.handle);
        fill(&mut data.szTip, &tooltip);
        // What is not there cannot be modified; what is there, although adding it took the
        // shell too long, cannot be added (both are documented answers).
        let changed = self.there && tell(NIM_MODIFY, &data);
        self.there = changed || tell(NIM_ADD, &data) || tell(NIM_MODIFY, &data);
        if self.there && !changed {
            data.Anonymous.uVersion = NOTIFYICON_VERSION_4;
            self.modern = tell(NIM_SETVERSION, &data);
        }
        self.there
    }

    /// Does the shell say where it was clicked, and tell of keys?
    pub(super) fn is_modern(&self) -> bool {
        self.modern
    }

    /// Tells the user, unless he has asked not to be disturbed.
    pub(super) fn notify(&self, news: &Notification) {
        let mut data = self.data(NIF_INFO);
        fill(&mut data.szInfoTitle, &news.title);
        // An empty text would take the last one away instead.
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

    /// Gives the keyboard back to the notification area after its menu was left.
    pub(super) fn focus(&self) {
        tell(NIM_SETFOCUS, &self.data(0));
    }

    /// Takes it away.
    pub(super) fn remove(&mut self) {
        self.wanted = None;
        if std::mem::take(&mut self.there) {
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
    // SAFETY: the data is whole, says its size, and outlives the call.
    unsafe { Shell_NotifyIconW(what, data) != 0 }
}

/// Pixels along the side of an icon in the task bar, which may be on another screen than any
/// window of ours.
fn icon_size() -> u32 {
    let class = wide("Shell_TrayWnd");
    // SAFETY: the name ends with a zero; the others take numbers only.
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
    // 16 at 100 %; more than 256 is no icon.
    u32::try_from(size).unwrap_or(0).clamp(16, 256)
}

/// An icon that Windows keeps for us.
#[derive(Debug)]
pub(super) struct Image {
    pub(super) handle: HICON,
    icon: Icon,
    size: u32,
}

impl Image {
    /// Draws it.
    pub(super) fn new(icon: Icon, size: u32) -> Option<Image> {
        let bytes = dib(icon, size);
        let side = size.cast_signed();
        // SAFETY: reads the bytes, whose number it is told, and copies them.
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

    fn is(&self, icon: Icon, size: u32) -> bool {
        (self.icon, self.size) == (icon, size)
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        // SAFETY: made above, destroyed once; the shell has a copy of its own.
        unsafe { DestroyIcon(self.handle) };
    }
}
