//! Uses the terminal as a screen: takes it over while something is shown, and restores it however
//! the program ends.
//!
//! The escape sequences are those that every current terminal supports (xterm's `ctlseqs`). A
//! terminal without synchronised updates (`?2026`) or the alternate screen (`?1049`) ignores these
//! two.

use std::io::{self, Write};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::cli::render::Size;

mod event;

#[cfg(unix)]
mod unix;
#[cfg(unix)]
use unix as os;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
use windows as os;

pub(in crate::cli) use event::Event;
pub(super) use os::{Events, can_stop, stop_until_continued};

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
        // The modes are set first, so that a failure leaves nothing behind.
        os::set_modes()?;
        TAKEN.store(true, Ordering::SeqCst);
        let screen = Screen { shown: None };
        write(TAKE)?;
        Ok(screen)
    }

    /// Returns the present size.
    pub(super) fn size(&self) -> Size {
        os::size().unwrap_or(Size {
            columns: 80,
            rows: 24,
        })
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
    pub(super) fn show(&mut self, size: Size, lines: Vec<String>, width: Width) -> io::Result<()> {
        let update = update(self.shown.as_ref(), size, &lines, width);
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

/// Counts the columns of a painted line.
pub(super) type Width = fn(&str) -> usize;

/// Returns the bytes that turn one screen into the other; empty if they are equal.
fn update(
    before: Option<&(Size, Vec<String>)>,
    size: Size,
    lines: &[String],
    width: Width,
) -> Vec<u8> {
    let before = before.filter(|(last, _)| *last == size);
    let mut out = Vec::new();
    for (row, line) in lines.iter().enumerate() {
        if before.is_some_and(|(_, shown)| shown.get(row) == Some(line)) {
            continue;
        }
        out.extend_from_slice(format!("\x1b[{};1H{line}", row + 1).as_bytes());
        // Not after a full line: there the cursor is on the last character.
        if width(line) < size.columns {
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
    os::restore_modes();
}

fn write(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

#[cfg(test)]
mod tests {
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
        let width = |line: &str| line.chars().count();
        let bytes = update(before.as_ref(), SIZE, &lines(after), width);
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
    fn in_another_size_everything_is_written_anew() {
        let wider = Size { columns: 6, ..SIZE };
        let text = told(Some((wider, ["a", "b"])), ["a", "b"]);
        assert!(text.contains("\x1b[2J\x1b[1;1Ha\x1b[K\x1b[2;1Hb"), "{text}");
    }

    /// Runs this test again, as a separate program in its own terminal; `CHILD` tells it so.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_panic_gives_the_terminal_back_before_it_speaks() {
        use super::os::tests::Pty;

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
}
