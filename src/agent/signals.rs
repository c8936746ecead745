//! The system's requests to a resident process: end, or read the policy again.

/// The request of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// SIGTERM, SIGINT, Ctrl-C, Ctrl-Break.
    End,
    /// SIGHUP, SIGUSR1 or SIGUSR2, or a policy that changed while there was none that could be
    /// used: read it again.
    Reload,
}

#[cfg(unix)]
mod os {
    use std::future::poll_fn;
    use std::task::Poll;
    use std::time::Duration;

    use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

    use super::Signal;

    /// A signal that has arrived is a byte in a pipe, which the runtime reads when it is idle.
    const ON_THE_WAY: Duration = Duration::from_millis(10);

    /// What each signal asks for, and its disposition between two programs, when neither listens.
    /// By default SIGUSR1 and SIGUSR2 would end the process.
    const SIGNALS: [(libc::c_int, Signal, libc::sighandler_t); 5] = [
        (libc::SIGTERM, Signal::End, libc::SIG_DFL),
        (libc::SIGINT, Signal::End, libc::SIG_DFL),
        (libc::SIGHUP, Signal::Reload, libc::SIG_IGN),
        (libc::SIGUSR1, Signal::Reload, libc::SIG_IGN),
        (libc::SIGUSR2, Signal::Reload, libc::SIG_IGN),
    ];

    /// The signals that the agent listens to.
    #[derive(Debug)]
    pub(crate) struct ProcessSignals(Vec<(Stream, Signal)>);

    impl ProcessSignals {
        /// Starts listening.
        pub(crate) fn listen() -> std::io::Result<ProcessSignals> {
            let listen = |(number, asks, _)| Ok((signal(SignalKind::from_raw(number))?, asks));
            let streams: std::io::Result<_> = SIGNALS.into_iter().map(listen).collect();
            Ok(ProcessSignals(streams?))
        }

        /// Waits for the next one. Cancel-safe.
        pub(crate) async fn next(&mut self) -> Signal {
            poll_fn(|context| {
                let mut streams = self.0.iter_mut();
                let come = streams.find_map(|(stream, asks)| {
                    stream.poll_recv(context).is_ready().then_some(*asks)
                });
                come.map_or(Poll::Pending, Poll::Ready)
            })
            .await
        }

        /// Prepares for another program to take over this process. From now on nothing listens.
        /// Signals that end an agent end the process. The others, which would end it too, are
        /// ignored until the new program listens (it reads everything again). True: a signal asked
        /// it to end just before, so no program may take over.
        pub(crate) async fn hand_over(mut self) -> bool {
            for (number, _, until_then) in SIGNALS {
                // SAFETY: neither disposition runs code of goroam; the call cannot fail for these
                // signals.
                unsafe { libc::signal(number, until_then) };
            }
            let end = async { while self.next().await != Signal::End {} };
            tokio::time::timeout(ON_THE_WAY, end).await.is_ok()
        }
    }
}

#[cfg(windows)]
mod os {
    use tokio::signal::windows::{CtrlBreak, CtrlC, CtrlClose, ctrl_break, ctrl_c, ctrl_close};

    use super::Signal;

    /// The console events that the agent listens to.
    #[derive(Debug)]
    pub(crate) struct ProcessSignals {
        c: CtrlC,
        brk: CtrlBreak,
        close: CtrlClose,
    }

    impl ProcessSignals {
        /// Starts listening.
        pub(crate) fn listen() -> std::io::Result<ProcessSignals> {
            Ok(ProcessSignals {
                c: ctrl_c()?,
                brk: ctrl_break()?,
                close: ctrl_close()?,
            })
        }

        /// Waits for the next one. Cancel-safe. Windows has no event for "read again".
        pub(crate) async fn next(&mut self) -> Signal {
            tokio::select! {
                _ = self.c.recv() => Signal::End,
                _ = self.brk.recv() => Signal::End,
                _ = self.close.recv() => Signal::End,
            }
        }

        /// On this system no program takes over a process.
        #[allow(clippy::unused_async, reason = "it has to wait on Unix")]
        pub(crate) async fn hand_over(self) -> bool {
            false
        }
    }
}

pub(crate) use os::ProcessSignals;
