//! Shows a message box, and opens a file in the user's program for it.

use std::io;
use std::os::windows::ffi::OsStrExt as _;
use std::path::Path;
use std::ptr;

use windows_sys::Win32::System::Com::{
    COINIT_APARTMENTTHREADED, COINIT_DISABLE_OLE1DDE, CoInitializeEx, CoUninitialize,
};
use windows_sys::Win32::UI::Shell::{SE_ERR_ASSOCINCOMPLETE, SE_ERR_NOASSOC, ShellExecuteW};
use windows_sys::Win32::UI::WindowsAndMessaging::{
    MB_OK, MB_SETFOREGROUND, MESSAGEBOX_STYLE, MessageBoxW, SW_SHOWNORMAL,
};

use super::text::wide;

/// Shows a message in front of other windows, with an icon like `MB_ICONERROR`. Waits until the
/// user closes it.
pub(super) fn message(text: &str, icon: MESSAGEBOX_STYLE) {
    let (title, text) = (wide("goroam"), wide(text));
    let style = MB_OK | MB_SETFOREGROUND | icon;
    // SAFETY: both texts end with zeros and outlive the call.
    unsafe { MessageBoxW(ptr::null_mut(), text.as_ptr(), title.as_ptr(), style) };
}

/// Opens a file, with Notepad if no program is registered for such files. May take a while.
///
/// # Errors
/// When the file cannot be opened.
pub(super) fn open(path: &Path) -> Result<(), String> {
    // SAFETY: paired with CoUninitialize below if it has succeeded. COM opens some programs
    // (documented at ShellExecute).
    let initialized = unsafe {
        let flags = (COINIT_APARTMENTTHREADED | COINIT_DISABLE_OLE1DDE).cast_unsigned();
        CoInitializeEx(ptr::null(), flags) >= 0
    };
    let opened = execute(path);
    if initialized {
        // SAFETY: as above.
        unsafe { CoUninitialize() };
    }
    opened
}

fn execute(path: &Path) -> Result<(), String> {
    let file: Vec<u16> = path.as_os_str().encode_wide().chain([0]).collect();
    let verb = wide("open");
    // SAFETY: the texts end with zeros and outlive the call; the rest may be left out.
    let done = unsafe {
        ShellExecuteW(
            ptr::null_mut(),
            verb.as_ptr(),
            file.as_ptr(),
            ptr::null(),
            ptr::null(),
            SW_SHOWNORMAL,
        )
    } as usize;
    // Not a real handle: a value over 32 is success (documented at ShellExecute).
    if done > 32 {
        return Ok(());
    }
    let code = u32::try_from(done).unwrap_or(0);
    if code != SE_ERR_NOASSOC && code != SE_ERR_ASSOCINCOMPLETE {
        return Err(io::Error::last_os_error().to_string());
    }
    let notepad = std::process::Command::new("notepad.exe").arg(path).spawn();
    notepad
        .map(drop)
        .map_err(|error| format!("no program opens such files, and notepad.exe: {error}"))
}
