//! The system's requests to a resident process: end, or read the policy again.

use crate::signals::Signals;
#[cfg(windows)]
use crate::signals::Source;

/// The request of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// SIGTERM, SIGINT, Ctrl-C, Ctrl-Break.
    End,
    /// SIGHUP, SIGUSR1 or SIGUSR2, or a policy that changed while there was none that could be
    /// used: read it again.
    Reload,
}

/// What each signal asks for, and its disposition between two programs, when neither listens. By
/// default SIGUSR1 and SIGUSR2 would end the process.
#[cfg(unix)]
const SIGNALS: [(libc::c_int, Signal, libc::sighandler_t); 5] = [
    (libc::SIGTERM, Signal::End, libc::SIG_DFL),
    (libc::SIGINT, Signal::End, libc::SIG_DFL),
    (libc::SIGHUP, Signal::Reload, libc::SIG_IGN),
    (libc::SIGUSR1, Signal::Reload, libc::SIG_IGN),
    (libc::SIGUSR2, Signal::Reload, libc::SIG_IGN),
];

/// What each event of the console asks for.
#[cfg(windows)]
const SIGNALS: [(Source, Signal, ()); 3] = [
    (Source::CtrlC, Signal::End, ()),
    (Source::CtrlBreak, Signal::End, ()),
    (Source::Close, Signal::End, ()),
];

/// Starts to listen to the system's requests.
pub(crate) fn listen() -> std::io::Result<Signals<Signal>> {
    Signals::listen(SIGNALS.map(|(source, asks, _)| (source, asks)))
}

/// Prepares for another program to take over this process. From now on nothing listens. Signals
/// that end an agent end the process. The others, which would end it too, are ignored until the new
/// program listens (it reads everything again). True: a signal asked it to end just before, so no
/// program may take over.
#[cfg(unix)]
pub(crate) async fn hand_over(mut signals: Signals<Signal>) -> bool {
    /// A signal that has arrived is a byte in a pipe, which the runtime reads when it is idle.
    const ON_THE_WAY: std::time::Duration = std::time::Duration::from_millis(10);

    for (number, _, until_then) in SIGNALS {
        // SAFETY: neither disposition runs code of goroam; the call cannot fail for these signals.
        unsafe { libc::signal(number, until_then) };
    }
    let end = async { while signals.next().await != Signal::End {} };
    tokio::time::timeout(ON_THE_WAY, end).await.is_ok()
}

/// On this system no program takes over a process.
#[cfg(windows)]
#[allow(clippy::unused_async, reason = "it has to wait on Unix")]
pub(crate) async fn hand_over(_: Signals<Signal>) -> bool {
    false
}
