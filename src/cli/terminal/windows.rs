//! A Windows console: its modes, and its input records.

use std::io;
use std::sync::{Mutex, PoisonError};

use tokio::sync::mpsc;
use windows_sys::Win32::Foundation::{HANDLE, INVALID_HANDLE_VALUE};
use windows_sys::Win32::System::Console::{
    CONSOLE_MODE, CONSOLE_SCREEN_BUFFER_INFO, ENABLE_ECHO_INPUT, ENABLE_LINE_INPUT,
    ENABLE_PROCESSED_OUTPUT, ENABLE_VIRTUAL_TERMINAL_PROCESSING, ENABLE_WINDOW_INPUT,
    GetConsoleMode, GetConsoleScreenBufferInfo, GetStdHandle, INPUT_RECORD, KEY_EVENT,
    ReadConsoleInputW, STD_HANDLE, STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, SetConsoleMode,
    WINDOW_BUFFER_SIZE_EVENT,
};

use super::event::Event;
use crate::cli::render::Size;

/// The modes before the change: input, output.
static BEFORE: Mutex<Option<(Option<CONSOLE_MODE>, CONSOLE_MODE)>> = Mutex::new(None);

/// Returns the size of the window that shows standard output.
pub(super) fn size() -> Option<Size> {
    let out = handle(STD_OUTPUT_HANDLE)?;
    // SAFETY: the structure contains only numbers, for which zero is valid.
    let mut info: CONSOLE_SCREEN_BUFFER_INFO = unsafe { std::mem::zeroed() };
    // SAFETY: the function writes one such structure to the pointer's target, which is one.
    let done = unsafe { GetConsoleScreenBufferInfo(out, &raw mut info) };
    let span = |from: i16, to: i16| usize::try_from(i32::from(to) - i32::from(from) + 1).ok();
    let window = info.srWindow;
    let columns = span(window.Left, window.Right)?;
    let rows = span(window.Top, window.Bottom)?;
    (done != 0 && columns > 0 && rows > 0).then_some(Size { columns, rows })
}

/// Makes keys arrive at once, without being shown. The console reports its size and accepts escape
/// sequences. Ctrl-C still interrupts. If standard input is not a console, it stays as it is.
pub(super) fn set_modes() -> io::Result<()> {
    let no_console = || io::Error::other("standard output is no console");
    let out = handle(STD_OUTPUT_HANDLE).ok_or_else(no_console)?;
    let out_before = mode(out).ok_or_else(no_console)?;
    let input = handle(STD_INPUT_HANDLE);
    let in_before = input.and_then(mode);
    BEFORE
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .get_or_insert((in_before, out_before));
    set(
        out,
        out_before | ENABLE_PROCESSED_OUTPUT | ENABLE_VIRTUAL_TERMINAL_PROCESSING,
    )?;
    match (input, in_before) {
        (Some(input), Some(before)) => set(
            input,
            before & !(ENABLE_LINE_INPUT | ENABLE_ECHO_INPUT) | ENABLE_WINDOW_INPUT,
        ),
        _ => Ok(()),
    }
}

/// Restores the modes.
pub(super) fn restore_modes() {
    let before = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some((input, out)) = before else {
        return;
    };
    // A console that no longer exists has no modes.
    if let (Some(handle), Some(mode)) = (handle(STD_INPUT_HANDLE), input) {
        drop(set(handle, mode));
    }
    if let Some(handle) = handle(STD_OUTPUT_HANDLE) {
        drop(set(handle, out));
    }
}

fn handle(which: STD_HANDLE) -> Option<HANDLE> {
    // SAFETY: GetStdHandle takes a number and returns one of this process' handles.
    let handle = unsafe { GetStdHandle(which) };
    (handle != INVALID_HANDLE_VALUE && !handle.is_null()).then_some(handle)
}

/// Returns the mode; `None`: the handle is not a console.
fn mode(handle: HANDLE) -> Option<CONSOLE_MODE> {
    let mut mode = 0;
    // SAFETY: GetConsoleMode writes one number to the pointer's target, which is one.
    let done = unsafe { GetConsoleMode(handle, &raw mut mode) };
    (done != 0).then_some(mode)
}

fn set(handle: HANDLE, mode: CONSOLE_MODE) -> io::Result<()> {
    // SAFETY: SetConsoleMode takes no pointers.
    match unsafe { SetConsoleMode(handle, mode) } {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Reports whether this system can stop a program and continue it (Ctrl-Z).
pub(in crate::cli) fn can_stop() -> bool {
    false
}

/// Does nothing on Windows.
pub(in crate::cli) fn stop_until_continued() {}

/// Key presses, changes of the size, and requests to end.
#[derive(Debug)]
pub(in crate::cli) struct Events {
    keys: mpsc::Receiver<Event>,
    closed: tokio::signal::windows::CtrlClose,
    broken: tokio::signal::windows::CtrlBreak,
    interrupted: tokio::signal::windows::CtrlC,
}

impl Events {
    /// Starts to listen.
    ///
    /// # Errors
    /// When the console's events cannot be waited for.
    pub(in crate::cli) fn listen() -> io::Result<Events> {
        Ok(Events {
            keys: keys()?,
            closed: tokio::signal::windows::ctrl_close()?,
            broken: tokio::signal::windows::ctrl_break()?,
            interrupted: tokio::signal::windows::ctrl_c()?,
        })
    }

    /// Returns the next event. Dropping the future loses no event.
    pub(in crate::cli) async fn next(&mut self) -> Event {
        tokio::select! {
            _ = self.closed.recv() => Event::End(1),
            _ = self.broken.recv() => Event::End(1),
            // On a terminal this is the usual way to end the view, so it is not a failure.
            _ = self.interrupted.recv() => Event::End(0),
            Some(event) = self.keys.recv() => event,
        }
    }
}

/// Starts a thread that waits for input records, which also report the window's size.
fn keys() -> io::Result<mpsc::Receiver<Event>> {
    let (tell, keys) = mpsc::channel(16);
    if handle(STD_INPUT_HANDLE).and_then(mode).is_none() {
        return Ok(keys);
    }
    let read = move || {
        while let Some(record) = next_record() {
            let Some(event) = event(&record) else {
                continue;
            };
            if tell.blocking_send(event).is_err() {
                return;
            }
        }
    };
    std::thread::Builder::new()
        .name("keys".to_owned())
        .spawn(read)?;
    Ok(keys)
}

fn next_record() -> Option<INPUT_RECORD> {
    // A handle belongs to the process and not to the thread that got it.
    let input = handle(STD_INPUT_HANDLE)?;
    // SAFETY: the record contains only numbers, for which zero is valid.
    let mut record: INPUT_RECORD = unsafe { std::mem::zeroed() };
    let mut count = 0;
    // SAFETY: the third argument promises room for one record, which exists.
    let done = unsafe { ReadConsoleInputW(input, &raw mut record, 1, &raw mut count) };
    (done != 0 && count == 1).then_some(record)
}

fn event(record: &INPUT_RECORD) -> Option<Event> {
    match u32::from(record.EventType) {
        KEY_EVENT => {
            // SAFETY: the event's type says which member of the union was written.
            let key = unsafe { record.Event.KeyEvent };
            // SAFETY: both members are numbers; the wide function writes this one.
            let unit = unsafe { key.uChar.UnicodeChar };
            let byte = u8::try_from(unit).ok().filter(|byte| *byte != 0)?;
            (key.bKeyDown != 0).then_some(Event::Key(byte))
        }
        WINDOW_BUFFER_SIZE_EVENT => Some(Event::Changed),
        _ => None,
    }
}
