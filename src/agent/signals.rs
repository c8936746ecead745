//! What the system tells a process that stays: end, or read again.

/// What was asked by a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// SIGTERM, SIGINT, Ctrl-C, Ctrl-Break.
    End,
    /// SIGHUP, or a changed policy while there is none that can be used: read it again.
    Reload,
}

#[cfg(unix)]
mod os {
    use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

    use super::Signal;

    /// The signals that an agent listens to.
    #[derive(Debug)]
    pub(crate) struct Signals {
        term: Stream,
        int: Stream,
        hup: Stream,
    }

    impl Signals {
        /// Starts listening.
        pub(crate) fn listen() -> std::io::Result<Signals> {
            Ok(Signals {
                term: signal(SignalKind::terminate())?,
                int: signal(SignalKind::interrupt())?,
                hup: signal(SignalKind::hangup())?,
            })
        }

        /// Waits for the next one. Cancel-safe.
        pub(crate) async fn next(&mut self) -> Signal {
            tokio::select! {
                _ = self.term.recv() => Signal::End,
                _ = self.int.recv() => Signal::End,
                _ = self.hup.recv() => Signal::Reload,
            }
        }
    }
}

#[cfg(windows)]
mod os {
    use tokio::signal::windows::{CtrlBreak, CtrlC, CtrlClose, ctrl_break, ctrl_c, ctrl_close};

    use super::Signal;

    /// The console events that an agent listens to.
    #[derive(Debug)]
    pub(crate) struct Signals {
        c: CtrlC,
        brk: CtrlBreak,
        close: CtrlClose,
    }

    impl Signals {
        /// Starts listening.
        pub(crate) fn listen() -> std::io::Result<Signals> {
            Ok(Signals {
                c: ctrl_c()?,
                brk: ctrl_break()?,
                close: ctrl_close()?,
            })
        }

        /// Waits for the next one. Cancel-safe. Windows has no "read again".
        pub(crate) async fn next(&mut self) -> Signal {
            tokio::select! {
                _ = self.c.recv() => Signal::End,
                _ = self.brk.recv() => Signal::End,
                _ = self.close.recv() => Signal::End,
            }
        }
    }
}

pub(crate) use os::Signals;
