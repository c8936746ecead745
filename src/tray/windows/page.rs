//! A window with a text that can be read, selected and copied. There is one; closing hides it.

use std::io;
use std::ptr;

use windows_sys::Win32::Foundation::{HWND, LPARAM, LRESULT, RECT, SIZE, WPARAM};
use windows_sys::Win32::Graphics::Gdi::{
    COLOR_WINDOW, COLOR_WINDOWTEXT, CreateFontIndirectW, DeleteObject, FF_MODERN, FIXED_PITCH,
    GetDC, GetSysColor, GetSysColorBrush, GetTextExtentPoint32W, HDC, HFONT, LOGFONTW, ReleaseDC,
    SelectObject, SetBkColor, SetTextColor,
};
use windows_sys::Win32::System::LibraryLoader::GetModuleHandleW;
use windows_sys::Win32::UI::Controls::EM_SETSEL;
use windows_sys::Win32::UI::HiDpi::{
    AdjustWindowRectExForDpi, GetDpiForWindow, GetSystemMetricsForDpi,
};
use windows_sys::Win32::UI::Input::KeyboardAndMouse::{
    GetKeyState, SetFocus, VK_A, VK_CONTROL, VK_ESCAPE,
};
use windows_sys::Win32::UI::WindowsAndMessaging::{
    CW_USEDEFAULT, CreateWindowExW, DefWindowProcW, DestroyWindow, ES_AUTOHSCROLL, ES_AUTOVSCROLL,
    ES_MULTILINE, ES_READONLY, GetClientRect, GetDlgItem, ICON_BIG, ICON_SMALL, IDC_ARROW,
    LoadCursorW, MSG, MoveWindow, RegisterClassExW, SM_CXICON, SM_CXSMICON, SM_CXVSCROLL,
    SM_CYHSCROLL, SW_HIDE, SW_SHOWNORMAL, SWP_NOACTIVATE, SWP_NOMOVE, SWP_NOZORDER, SendMessageW,
    SetForegroundWindow, SetWindowPos, SetWindowTextW, ShowWindow, WM_CLOSE, WM_CTLCOLORSTATIC,
    WM_DPICHANGED, WM_GETFONT, WM_KEYDOWN, WM_SETFOCUS, WM_SETFONT, WM_SETICON, WM_SIZE,
    WNDCLASSEXW, WS_CHILD, WS_HSCROLL, WS_OVERLAPPEDWINDOW, WS_VISIBLE, WS_VSCROLL,
};

use super::area::Image;
use super::text::{crlf, wide};
use crate::tray::face::Icon;

const CLASS: &str = "goroam-page";
/// The text's number within its window.
const FIELD: i32 = 1;
/// What the window has room for without scrolling: at least, at most.
const COLUMNS: (usize, usize) = (60, 100);
const LINES: (usize, usize) = (12, 36);
/// The letters' height and the free space around the text, at 96 dots an inch.
const LETTERS: i32 = 15;
const MARGIN: i32 = 10;

/// The window.
#[derive(Debug)]
pub(super) struct Page {
    window: HWND,
    field: HWND,
    /// Shown by the window as long as it lives.
    _icons: Vec<Image>,
}

impl Page {
    /// Shows a text in the place of the one before, in front of other windows.
    ///
    /// # Errors
    /// When Windows refuses a window.
    pub(super) fn show(page: Option<Page>, title: &str, text: &str) -> io::Result<Page> {
        let page = page.map_or_else(Page::new, Ok)?;
        let (title, content) = (wide(title), wide(&crlf(text)));
        page.fit(text);
        // SAFETY: the windows are ours; the texts end with zeros and are copied.
        unsafe {
            SetWindowTextW(page.window, title.as_ptr());
            SetWindowTextW(page.field, content.as_ptr());
            SendMessageW(page.field, EM_SETSEL, 0, 0);
            ShowWindow(page.window, SW_SHOWNORMAL);
            SetForegroundWindow(page.window);
        }
        Ok(page)
    }

    /// Is this a key that closes the window, or selects all of it? Then it is done.
    pub(super) fn takes(&self, message: &MSG) -> bool {
        let ours = message.hwnd == self.field || message.hwnd == self.window;
        if !ours || message.message != WM_KEYDOWN {
            return false;
        }
        // SAFETY: the windows are ours; the rest takes numbers.
        unsafe {
            // The highest bit: it is down.
            let control = GetKeyState(VK_CONTROL.into()) < 0;
            if message.wParam == usize::from(VK_ESCAPE) {
                ShowWindow(self.window, SW_HIDE);
                true
            } else if message.wParam == usize::from(VK_A) && control {
                // From the start to the end. Fields of many lines do not know Ctrl-A.
                SendMessageW(self.field, EM_SETSEL, 0, -1);
                true
            } else {
                false
            }
        }
    }

    fn new() -> io::Result<Page> {
        let (class, edit) = (wide(CLASS), wide("EDIT"));
        let style = WS_CHILD | WS_VISIBLE | WS_VSCROLL | WS_HSCROLL;
        let kind = ES_MULTILINE | ES_READONLY | ES_AUTOVSCROLL | ES_AUTOHSCROLL;
        // SAFETY: names end with zeros and outlive the calls; the procedure has the signature
        // that is asked for. A class that is there already is not made again, which is fine.
        unsafe {
            let instance = GetModuleHandleW(ptr::null());
            RegisterClassExW(&WNDCLASSEXW {
                cbSize: size_of::<WNDCLASSEXW>() as u32,
                lpfnWndProc: Some(procedure),
                hInstance: instance,
                hCursor: LoadCursorW(ptr::null_mut(), IDC_ARROW),
                hbrBackground: GetSysColorBrush(COLOR_WINDOW),
                lpszClassName: class.as_ptr(),
                ..WNDCLASSEXW::default()
            });
            let window = CreateWindowExW(
                0,
                class.as_ptr(),
                class.as_ptr(),
                WS_OVERLAPPEDWINDOW,
                CW_USEDEFAULT,
                CW_USEDEFAULT,
                CW_USEDEFAULT,
                CW_USEDEFAULT,
                ptr::null_mut(),
                ptr::null_mut(),
                instance,
                ptr::null(),
            );
            if window.is_null() {
                return Err(io::Error::last_os_error());
            }
            let field = CreateWindowExW(
                0,
                edit.as_ptr(),
                ptr::null(),
                style | kind.cast_unsigned(),
                0,
                0,
                0,
                0,
                window,
                FIELD as usize as *mut _,
                instance,
                ptr::null(),
            );
            // From here on dropping it takes the window away.
            let mut page = Page {
                window,
                field,
                _icons: Vec::new(),
            };
            if field.is_null() {
                return Err(io::Error::last_os_error());
            }
            set_font(window, field);
            let dpi = GetDpiForWindow(window);
            for (kind, metric) in [(ICON_SMALL, SM_CXSMICON), (ICON_BIG, SM_CXICON)] {
                let size = GetSystemMetricsForDpi(metric, dpi).clamp(16, 256);
                if let Some(image) = Image::new(Icon::Good, size.cast_unsigned()) {
                    SendMessageW(window, WM_SETICON, kind as usize, image.handle as isize);
                    page._icons.push(image);
                }
            }
            Ok(page)
        }
    }

    /// As large as the text, within bounds.
    fn fit(&self, text: &str) {
        let columns = text.lines().map(|line| line.chars().count()).max();
        let columns = columns.unwrap_or(0).clamp(COLUMNS.0, COLUMNS.1) as i32;
        let lines = text.lines().count().clamp(LINES.0, LINES.1) as i32;
        // SAFETY: the windows are ours and every place outlives its call.
        unsafe {
            let dpi = GetDpiForWindow(self.window);
            let letter = letter(self.field);
            let around = 2 * scaled(MARGIN, dpi);
            let mut size = RECT {
                left: 0,
                top: 0,
                // One more of each: a field keeps a little for itself.
                right: (columns + 1) * letter.cx
                    + GetSystemMetricsForDpi(SM_CXVSCROLL, dpi)
                    + around,
                bottom: (lines + 1) * letter.cy
                    + GetSystemMetricsForDpi(SM_CYHSCROLL, dpi)
                    + around,
            };
            AdjustWindowRectExForDpi(&mut size, WS_OVERLAPPEDWINDOW, 0, 0, dpi);
            let (width, height) = (size.right - size.left, size.bottom - size.top);
            let flags = SWP_NOMOVE | SWP_NOZORDER | SWP_NOACTIVATE;
            SetWindowPos(self.window, ptr::null_mut(), 0, 0, width, height, flags);
        }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // SAFETY: made on this thread, destroyed once, its field with it; then nobody uses the
        // font any more.
        unsafe {
            let font = SendMessageW(self.field, WM_GETFONT, 0, 0);
            DestroyWindow(self.window);
            DeleteObject(font as HFONT);
        }
    }
}

unsafe extern "system" fn procedure(
    window: HWND,
    message: u32,
    wide: WPARAM,
    long: LPARAM,
) -> LRESULT {
    // SAFETY: Windows' own handles, passed on; with WM_DPICHANGED `long` points to a rectangle
    // (documented there), with WM_CTLCOLORSTATIC `wide` is the place that is painted.
    unsafe {
        let field = GetDlgItem(window, FIELD);
        match message {
            WM_CLOSE => {
                ShowWindow(window, SW_HIDE);
                0
            }
            WM_SIZE if !field.is_null() => {
                let mut inside = RECT::default();
                GetClientRect(window, &mut inside);
                let margin = scaled(MARGIN, GetDpiForWindow(window));
                // The scroll bars stay at the edge.
                let (width, height) = (inside.right - margin, inside.bottom - margin);
                MoveWindow(field, margin, margin, width.max(0), height.max(0), 1);
                0
            }
            WM_SETFOCUS if !field.is_null() => {
                SetFocus(field);
                0
            }
            WM_DPICHANGED if !field.is_null() && long != 0 => {
                let to = *(long as *const RECT);
                set_font(window, field);
                let (width, height) = (to.right - to.left, to.bottom - to.top);
                let flags = SWP_NOZORDER | SWP_NOACTIVATE;
                SetWindowPos(
                    window,
                    ptr::null_mut(),
                    to.left,
                    to.top,
                    width,
                    height,
                    flags,
                );
                0
            }
            // What can only be read is grey otherwise.
            WM_CTLCOLORSTATIC => {
                let place = wide as HDC;
                SetTextColor(place, GetSysColor(COLOR_WINDOWTEXT));
                SetBkColor(place, GetSysColor(COLOR_WINDOW));
                GetSysColorBrush(COLOR_WINDOW) as LRESULT
            }
            _ => DefWindowProcW(window, message, wide, long),
        }
    }
}

/// A font whose columns line up, at the size that the window's screen asks for.
///
/// # Safety
/// Both must be windows of this thread.
unsafe fn set_font(window: HWND, field: HWND) {
    // SAFETY: promised by the caller; the old font is ours, or null, which is refused.
    unsafe {
        let mut font = LOGFONTW {
            lfHeight: -scaled(LETTERS, GetDpiForWindow(window)),
            lfPitchAndFamily: FIXED_PITCH | FF_MODERN,
            ..LOGFONTW::default()
        };
        super::text::fill(&mut font.lfFaceName, "Consolas");
        let font = CreateFontIndirectW(&font);
        let before = SendMessageW(field, WM_GETFONT, 0, 0);
        SendMessageW(field, WM_SETFONT, font as usize, 1);
        DeleteObject(before as HFONT);
    }
}

/// How large a letter is.
///
/// # Safety
/// It must be a window of this thread.
unsafe fn letter(field: HWND) -> SIZE {
    // SAFETY: promised by the caller; what is selected or got is put back, and places outlive
    // their calls.
    unsafe {
        let place = GetDC(field);
        let font = SendMessageW(field, WM_GETFONT, 0, 0) as HFONT;
        let before = SelectObject(place, font);
        let mut size = SIZE { cx: 8, cy: 16 };
        GetTextExtentPoint32W(place, wide("0").as_ptr(), 1, &mut size);
        SelectObject(place, before);
        ReleaseDC(field, place);
        size
    }
}

/// From 96 dots an inch, where Windows' numbers are at home.
fn scaled(dots: i32, dpi: u32) -> i32 {
    let dpi = i32::try_from(dpi).unwrap_or(96).max(96);
    dots * dpi / 96
}
