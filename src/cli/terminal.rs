//! Uses the terminal as a screen: takes it over while something is shown, and restores it however
//! the program ends.
//!
//! The escape sequences are those that every current terminal supports (xterm's `ctlseqs`). A
//! terminal without synchronised updates (`?2026`) or the alternate screen (`?1049`) ignores these
//! two.

use std::io::{self, IsTerminal as _, Write};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::event::{KeyCode, KeyEventKind, KeyModifiers};
use crossterm::terminal::{disable_raw_mode, enable_raw_mode};
use tokio::sync::mpsc;

use crate::cli::render::{Size, width_of_painted};
use crate::signals::Signals;
pub(super) use os::{CAN_STOP, stop_until_continued};

/// An event of the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// A key; with Ctrl, the control character.
    Key(char),
    /// The size may have changed, or another program may have written on the screen.
    Changed,
    /// The program must end, with this exit code.
    End(u8),
}

/// Switches to the alternate screen, hides the cursor, disables wrapping at the right edge and
/// clears the screen.
const TAKE: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[H\x1b[2J";
/// Restores all of it. The screen is cleared first, for a terminal that has only one screen.
const GIVE_BACK: &[u8] = b"\x1b[H\x1b[2J\x1b[?7h\x1b[?25h\x1b[?1049l";
/// Text between these two appears at once.
const BEGIN: &[u8] = b"\x1b[?2026h";
const END: &[u8] = b"\x1b[?2026l";

/// Whether the screen is taken. It is restored once, either at the end or after a panic, whichever
/// comes first.
static TAKEN: AtomicBool = AtomicBool::new(false);
static HOOK: Once = Once::new();

/// The screen, while it is taken.
#[derive(Debug)]
pub(super) struct Screen {
    /// The lines on the screen, and its size.
    shown: Option<(Size, Vec<String>)>,
}

impl Screen {
    /// Takes the terminal over.
    ///
    /// # Errors
    /// When standard output is not a terminal, or cannot be written to.
    pub(super) fn take() -> io::Result<Screen> {
        HOOK.call_once(|| {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                // Before the message: on the alternate screen the user would not see it.
                give_back();
                before(panic);
            }));
        });
        // The modes are set first, so that a failure leaves nothing behind. Keys arrive at once,
        // without being shown; so do those that would interrupt or stop this program, because the
        // screen must be restored first.
        if io::stdin().is_terminal() {
            enable_raw_mode()?;
        }
        os::prepare()?;
        TAKEN.store(true, Ordering::SeqCst);
        let screen = Screen { shown: None };
        write(TAKE)?;
        Ok(screen)
    }

    /// Returns the present size.
    pub(super) fn size(&self) -> Size {
        // A serial line or a new pty may not know its size.
        let (columns, rows) = match crossterm::terminal::size() {
            Ok((columns, rows)) if columns > 0 && rows > 0 => (columns, rows),
            Ok(_) | Err(_) => (80, 24),
        };
        Size {
            columns: columns.into(),
            rows: rows.into(),
        }
    }

    /// Forgets the lines on the screen, when they are no longer known.
    pub(super) fn forget(&mut self) {
        self.shown = None;
    }

    /// Shows these lines, one for each row. Writes only the lines that differ from the previous
    /// ones.
    ///
    /// # Errors
    /// When the terminal no longer exists.
    pub(super) fn show(&mut self, size: Size, lines: Vec<String>) -> io::Result<()> {
        let update = update(self.shown.as_ref(), size, &lines);
        self.shown = Some((size, lines));
        if update.is_empty() {
            Ok(())
        } else {
            write(&update)
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Returns the bytes that turn one screen into the other; empty if they are equal.
fn update(before: Option<&(Size, Vec<String>)>, size: Size, lines: &[String]) -> Vec<u8> {
    let before = before.filter(|(last, _)| *last == size);
    let mut out = Vec::new();
    for (row, line) in lines.iter().enumerate() {
        if before.is_some_and(|(_, shown)| shown.get(row) == Some(line)) {
            continue;
        }
        out.extend_from_slice(format!("\x1b[{};1H{line}", row + 1).as_bytes());
        // Not after a full line: there the cursor is on the last character.
        if width_of_painted(line) < size.columns {
            out.extend_from_slice(b"\x1b[K");
        }
    }
    if out.is_empty() {
        return out;
    }
    let clear: &[u8] = match before {
        Some(_) => b"",
        None => b"\x1b[H\x1b[2J",
    };
    [BEGIN, clear, &out, END].concat()
}

fn give_back() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    // A terminal that no longer exists needs no restoring.
    drop(write(GIVE_BACK));
    drop(disable_raw_mode());
}

fn write(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

/// Key presses, changes of the size, and requests to end.
#[derive(Debug)]
pub(super) struct Events {
    keys: mpsc::Receiver<Event>,
    signals: Signals<Event>,
}

impl Events {
    /// Starts to listen.
    ///
    /// # Errors
    /// When the system's signals cannot be waited for.
    pub(super) fn listen() -> io::Result<Events> {
        let (tell, keys) = mpsc::channel(16);
        let signals = Signals::listen(os::SIGNALS)?;
        // crossterm's stream of events would start a thread, too.
        if io::stdin().is_terminal() {
            let thread = std::thread::Builder::new().name("keys".to_owned());
            thread.spawn(move || while tell.blocking_send(next_key()).is_ok() {})?;
        }
        Ok(Events { keys, signals })
    }

    /// Returns the next event. Dropping the future loses no event.
    pub(super) async fn next(&mut self) -> Event {
        tokio::select! {
            event = self.signals.next() => event,
            Some(event) = self.keys.recv() => event,
        }
    }
}

/// Waits for a key or for another size of the terminal.
fn next_key() -> Event {
    loop {
        match crossterm::event::read() {
            // Windows also reports when a key is released.
            Ok(crossterm::event::Event::Key(key)) if key.kind == KeyEventKind::Release => {}
            Ok(crossterm::event::Event::Key(key)) => {
                let KeyCode::Char(c) = key.code else {
                    return Event::Key('\0');
                };
                let is_control = key.modifiers.contains(KeyModifiers::CONTROL) && c.is_ascii();
                return Event::Key(if is_control {
                    char::from(c as u8 & 0x1f)
                } else {
                    c
                });
            }
            Ok(_) => return Event::Changed,
            // The terminal no longer exists.
            Err(_) => return Event::End(os::HUNG_UP),
        }
    }
}

#[cfg(unix)]
mod os {
    use std::io;

    use super::Event;

    /// 128 plus the signal's number, as in a shell.
    pub(super) const HUNG_UP: u8 = 128 + 1;

    pub(super) const SIGNALS: [(libc::c_int, Event); 5] = [
        (libc::SIGTERM, Event::End(128 + 15)),
        (libc::SIGHUP, Event::End(HUNG_UP)),
        // On a terminal this is the usual way to end the view, so it is not a failure.
        (libc::SIGINT, Event::End(0)),
        (libc::SIGWINCH, Event::Changed),
        (libc::SIGCONT, Event::Changed),
    ];

    #[expect(clippy::unnecessary_wraps, reason = "must match Windows")]
    pub(super) fn prepare() -> io::Result<()> {
        Ok(())
    }

    /// Whether this system can stop a program and continue it (Ctrl-Z).
    pub(in crate::cli) const CAN_STOP: bool = true;

    /// Stops this job as Ctrl-Z does, and returns when it is continued.
    pub(in crate::cli) fn stop_until_continued() {
        // SAFETY: kill takes no pointers; 0 is this process' own group, as with the terminal's
        // Ctrl-Z.
        unsafe { libc::kill(0, libc::SIGTSTP) };
    }
}

#[cfg(windows)]
mod os {
    use std::io;

    use crossterm_winapi::{ConsoleMode, Handle};
    use windows_sys::Win32::System::Console::ENABLE_WINDOW_INPUT;

    use super::Event;
    use crate::signals::Source;

    pub(super) const HUNG_UP: u8 = 1;

    pub(super) const SIGNALS: [(Source, Event); 3] = [
        (Source::Close, Event::End(1)),
        (Source::CtrlBreak, Event::End(1)),
        // On a terminal this is the usual way to end the view, so it is not a failure.
        (Source::CtrlC, Event::End(0)),
    ];

    /// Makes the console accept escape sequences and report its size.
    pub(super) fn prepare() -> io::Result<()> {
        if !crossterm::ansi_support::supports_ansi() {
            return Err(io::Error::other("standard output is not a console"));
        }
        if let Ok(input) = Handle::current_in_handle() {
            let console = ConsoleMode::from(input);
            console.set_mode(console.mode()? | ENABLE_WINDOW_INPUT)?;
        }
        Ok(())
    }

    pub(in crate::cli) const CAN_STOP: bool = false;

    /// Does nothing on Windows.
    pub(in crate::cli) fn stop_until_continued() {}
}

#[cfg(test)]
mod tests {
    #[cfg(target_os = "linux")]
    use std::{
        fs::File,
        io::Read,
        os::fd::{AsRawFd, FromRawFd, OwnedFd},
        process::{Command, Stdio},
    };

    use super::{Size, update};

    const SIZE: Size = Size {
        columns: 5,
        rows: 2,
    };

    fn lines(lines: [&str; 2]) -> Vec<String> {
        lines.map(str::to_owned).to_vec()
    }

    fn told(before: Option<(Size, [&str; 2])>, after: [&str; 2]) -> String {
        let before = before.map(|(size, shown)| (size, lines(shown)));
        let bytes = update(before.as_ref(), SIZE, &lines(after));
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn only_lines_that_differ_are_written_and_a_full_one_is_not_erased_behind() {
        assert_eq!(
            told(None, ["a", "12345"]),
            "\x1b[?2026h\x1b[H\x1b[2J\x1b[1;1Ha\x1b[K\x1b[2;1H12345\x1b[?2026l"
        );
        assert_eq!(told(Some((SIZE, ["a", "b"])), ["a", "b"]), "");
        assert_eq!(
            told(Some((SIZE, ["a", "b"])), ["a", ""]),
            "\x1b[?2026h\x1b[2;1H\x1b[K\x1b[?2026l"
        );
    }

    #[test]
    fn in_another_size_everything_is_written_again() {
        let wider = Size { columns: 6, ..SIZE };
        let text = told(Some((wider, ["a", "b"])), ["a", "b"]);
        assert!(text.contains("\x1b[2J\x1b[1;1Ha\x1b[K\x1b[2;1Hb"), "{text}");
    }

    /// Runs this test again, as a separate program in its own terminal; `CHILD` tells it so.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_panic_gives_the_terminal_back_before_it_speaks() {
        const CHILD: &str = "GOROAM_TEST_PANICS";
        const NAME: &str = "cli::terminal::tests::a_panic_gives_the_terminal_back_before_it_speaks";
        if std::env::var_os(CHILD).is_some() {
            let _screen = super::Screen::take().unwrap();
            panic!("to be seen");
        }
        let pty = Pty::open();
        let before = pty.modes();
        let mut test = std::process::Command::new(std::env::current_exe().unwrap());
        test.args(["--exact", NAME, "--nocapture"]).env(CHILD, "1");
        let said = pty.run(test);
        let back = said.find("\x1b[?1049l").expect(&said);
        let spoken = said.find("to be seen").expect(&said);
        assert!(back < spoken, "{said}");
        assert_eq!(said.matches("\x1b[?1049l").count(), 1, "{said}");
        assert_eq!(pty.modes(), before);
    }

    /// Both ends of a pseudo-terminal.
    #[cfg(target_os = "linux")]
    struct Pty {
        outside: File,
        inside: OwnedFd,
    }

    #[cfg(target_os = "linux")]
    impl Pty {
        fn open() -> Pty {
            let (mut outside, mut inside) = (-1, -1);
            let null = std::ptr::null_mut;
            // SAFETY: openpty writes two descriptors; the other pointers may be null.
            let done = unsafe {
                libc::openpty(
                    &raw mut outside,
                    &raw mut inside,
                    null(),
                    std::ptr::null(),
                    std::ptr::null(),
                )
            };
            assert_eq!(done, 0);
            // SAFETY: both have just been opened and have no other owner.
            unsafe {
                Pty {
                    outside: File::from_raw_fd(outside),
                    inside: OwnedFd::from_raw_fd(inside),
                }
            }
        }

        /// Returns the local and the input modes.
        fn modes(&self) -> (libc::tcflag_t, libc::tcflag_t) {
            // SAFETY: `termios` contains only numbers, for which zero is valid.
            let mut modes: libc::termios = unsafe { std::mem::zeroed() };
            // SAFETY: tcgetattr writes one `termios` to the pointer's target, which is one.
            let done = unsafe { libc::tcgetattr(self.inside.as_raw_fd(), &raw mut modes) };
            assert_eq!(done, 0);
            (modes.c_lflag, modes.c_iflag)
        }

        /// Returns everything that a command writes until it ends.
        fn run(&self, mut command: Command) -> String {
            let end = || Stdio::from(self.inside.try_clone().unwrap());
            command.stdin(end()).stdout(end()).stderr(end());
            let mut child = command.spawn().unwrap();
            let mut outside = self.outside.try_clone().unwrap();
            // SAFETY: fcntl with F_SETFL takes no pointers.
            unsafe { libc::fcntl(outside.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
            let mut said = Vec::new();
            let mut some = [0; 4096];
            loop {
                let ended = child.try_wait().unwrap().is_some();
                match outside.read(&mut some) {
                    Ok(count) if count > 0 => said.extend_from_slice(&some[..count]),
                    Ok(_) | Err(_) if ended => return String::from_utf8_lossy(&said).into_owned(),
                    Ok(_) | Err(_) => std::thread::yield_now(),
                }
            }
        }
    }
}
