//! One look at a running command.

use std::net::SocketAddr;
use std::time::Duration;

/// One look at a running command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// When, since the start.
    pub at: Duration,
    /// Bytes of output that have been seen so far, with those that its processes have moved
    /// otherwise where the system counts them for processes, not for sockets (Windows).
    pub output: u64,
    /// CPU time of all its processes so far.
    pub cpu: Duration,
    /// Something is at work, or waits for something that is no network: a compiler, a test, a
    /// lock, a person.
    pub busy: bool,
    /// What go and its helpers have open. `None`: it cannot be seen on this system.
    pub sockets: Option<Vec<Socket>>,
    /// The last that was said is `go: downloading …`. Only looked at where sockets are not seen.
    pub downloading: bool,
}

/// A socket of go, or of what go has started to fetch something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Socket {
    /// Its number; another one after it was closed.
    pub id: u64,
    /// Who is at the other end.
    pub peer: Option<SocketAddr>,
    /// What it does.
    pub state: State,
}

/// What a socket does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Asks for a connection (SYN_SENT).
    Connecting,
    /// Asks a name server (UDP).
    Resolving,
    /// Is connected.
    Open {
        /// Bytes sent so far. `None`: not known.
        sent: Option<u64>,
        /// Bytes received so far. `None`: not known.
        received: Option<u64>,
        /// The last bytes went out after the last ones had come in.
        asked: bool,
    },
}
