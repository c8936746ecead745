//! Runs a program in a new terminal (pty) and reads its output.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::AsFd;
use std::process::{Child, Command};
use std::sync::mpsc::Sender;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{self, OptionalActions, Termios, Winsize};

use crate::run::{Result, spelled};

/// The columns and rows of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    pub columns: u16,
    pub rows: u16,
}

/// A running program and its terminal; the program is ended when this is dropped.
pub struct Pty {
    keys: File,
    child: Child,
}

impl Pty {
    /// Starts the program; each piece of its output is given to `sends`, and an empty one at its end.
    pub fn start<E: Send + 'static>(
        mut command: Command,
        size: Size,
        events: Sender<E>,
        event: fn(Vec<u8>) -> E,
    ) -> Result<Pty> {
        let what = spelled(&command);
        let fault = |why: std::io::Error| format!("{what}: its terminal: {why}");
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC);
        let master = master.map_err(|why| fault(why.into()))?;
        let opened = grantpt(&master).and_then(|()| unlockpt(&master));
        let name = opened.and_then(|()| ptsname(&master, Vec::new()));
        let name = name.map_err(|why| fault(why.into()))?;
        let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY;
        let slave = rustix::fs::open(&*name, flags, rustix::fs::Mode::empty());
        let slave = File::from(slave.map_err(|why| fault(why.into()))?);
        let shape = Winsize {
            ws_row: size.rows,
            ws_col: size.columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        termios::tcsetwinsize(&slave, shape).map_err(|why| fault(why.into()))?;
        command.stdin(slave.try_clone().map_err(fault)?);
        command.stdout(slave.try_clone().map_err(fault)?);
        command.stderr(slave);
        command.env("TERM", "xterm-256color");
        let child = command.spawn().map_err(fault)?;
        // Only the program has the terminal now: its end is the end of what can be read.
        drop(command);
        let keys = File::from(master);
        let mut output = keys.try_clone().map_err(fault)?;
        std::thread::spawn(move || {
            let mut bytes = [0; 65536];
            loop {
                let count = output.read(&mut bytes).unwrap_or(0);
                if events.send(event(bytes[..count].to_vec())).is_err() || count == 0 {
                    break;
                }
            }
        });
        Ok(Pty { keys, child })
    }

    /// Types this.
    pub fn press(&mut self, keys: &str) -> Result {
        let typed = self.keys.write_all(keys.as_bytes());
        typed.map_err(|why| format!("a terminal: {why}"))
    }

    /// Waits for the program's end; reports whether it succeeded.
    pub fn wait(&mut self) -> Result<bool> {
        let status = self.child.wait().map_err(|why| why.to_string())?;
        Ok(status.success())
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the size of the caller's terminal; `None`: standard output is not a terminal.
pub fn own_size() -> Option<Size> {
    let shape = termios::tcgetwinsize(std::io::stdout()).ok()?;
    Some(Size {
        columns: shape.ws_col,
        rows: shape.ws_row,
    })
}

/// The caller's terminal, which shows no keys and passes on all of them, until this is dropped.
pub struct RawKeys(Termios);

impl RawKeys {
    pub fn take() -> Result<RawKeys> {
        let stdin = std::io::stdin();
        let fault = |why| format!("standard input: {why}");
        let before = termios::tcgetattr(stdin.as_fd()).map_err(fault)?;
        let mut raw = before.clone();
        raw.make_raw();
        termios::tcsetattr(stdin.as_fd(), OptionalActions::Now, &raw).map_err(fault)?;
        Ok(RawKeys(before))
    }
}

impl Drop for RawKeys {
    fn drop(&mut self) {
        let _ = termios::tcsetattr(std::io::stdin(), OptionalActions::Now, &self.0);
    }
}
