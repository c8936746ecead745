//! The terminal as a screen: taken over while something is shown on it, and given back however
//! that ends.
//!
//! The escape sequences are those that every terminal of today knows (xterm's `ctlseqs`); one
//! that does not know synchronised updates (`?2026`) or the alternate screen (`?1049`) leaves
//! them out.

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

/// Alternate screen, no cursor, no wrapping at the right edge, empty.
const TAKE: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[H\x1b[2J";
/// All of it back. Emptied first, for a terminal that has only one screen.
const GIVE_BACK: &[u8] = b"\x1b[H\x1b[2J\x1b[?7h\x1b[?25h\x1b[?1049l";
/// What stands between these two appears at once.
const BEGIN: &[u8] = b"\x1b[?2026h";
const END: &[u8] = b"\x1b[?2026l";

/// Is the screen ours? It is given back once, by whoever comes first: the end or a panic.
static TAKEN: AtomicBool = AtomicBool::new(false);
static HOOK: Once = Once::new();

/// The screen, while it is taken.
#[derive(Debug)]
pub(super) struct Screen {
    /// What stands on it, and in which size.
    shown: Option<(Size, Vec<String>)>,
}

impl Screen {
    /// Takes the terminal over.
    ///
    /// # Errors
    /// When it is none, or cannot be written to.
    pub(super) fn take() -> io::Result<Screen> {
        HOOK.call_once(|| {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                // Before the message: on the other screen nobody would see it.
                give_back();
                before(panic);
            }));
        });
        // First the modes, so that a failure leaves nothing behind.
        os::set_modes()?;
        TAKEN.store(true, Ordering::SeqCst);
        let screen = Screen { shown: None };
        write(TAKE)?;
        Ok(screen)
    }

    /// Its size now.
    pub(super) fn size(&self) -> Size {
        os::size().unwrap_or(Size {
            columns: 80,
            rows: 24,
        })
    }

    /// What stands on it is not known any more.
    pub(super) fn forget(&mut self) {
        self.shown = None;
    }

    /// Shows these lines, one for each row; writes only those that are others than before.
    ///
    /// # Errors
    /// When the terminal is gone.
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

/// How many columns a painted line takes.
pub(super) type Width = fn(&str) -> usize;

/// The bytes that make one screen of another; empty where nothing differs.
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
        // Not behind a full line: the cursor stands on its last character there.
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
    // A terminal that is gone has nothing to be given back.
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

    /// A program of its own within a terminal of its own: this test again, as `CHILD` says.
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
