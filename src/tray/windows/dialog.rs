//! A message that cannot be overlooked, for what happens before there is an icon.

use std::ptr;

use windows_sys::Win32::UI::WindowsAndMessaging::{
    MB_ICONERROR, MB_ICONINFORMATION, MB_OK, MB_SETFOREGROUND, MESSAGEBOX_STYLE, MessageBoxW,
};

use super::text::wide;

/// Says what went wrong, and waits until it was read.
pub(super) fn complain(title: &str, text: &str) {
    show(title, text, MB_ICONERROR);
}

/// Says something, and waits until it was read.
pub(super) fn inform(title: &str, text: &str) {
    show(title, text, MB_ICONINFORMATION);
}

fn show(title: &str, text: &str, kind: MESSAGEBOX_STYLE) {
    let (title, text) = (wide(title), wide(text));
    let style = MB_OK | MB_SETFOREGROUND | kind;
    // SAFETY: both texts end with zeros and outlive the call.
    unsafe { MessageBoxW(ptr::null_mut(), text.as_ptr(), title.as_ptr(), style) };
}
