//! Stuck or not. Pure: samples in, verdict out.
//!
//! Stuck is a command of which *nothing* moves for a limit, while one of go's sockets waits for
//! somebody: no output, no byte on any of its sockets, no CPU time worth naming, and no process
//! but go and its helpers (git, ssh) at work. The second half is what keeps a test that sleeps,
//! a server under `go run` and a long link alive; the first what keeps a go alive that waits for
//! something else. An idle connection that is kept for later (net/http keeps them for 90 s) looks
//! like an answer that has stopped half-way; it is the other conditions that tell them apart.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use super::sample::{Sample, Socket, State};

/// A gap between two looks: we were stopped, or the machine slept. Everything begins anew then.
const GAP: Duration = Duration::from_secs(3);
/// CPU time that a waiting go uses (its monitor thread, the collector): 20 ms, and 2 % of the
/// time. Measured: less than one tick of 10 ms in 30 s.
const IDLE_CPU: Duration = Duration::from_millis(20);
const IDLE_SHARE: u32 = 50;

/// How long is too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For a connection, and for a name.
    pub connect: Duration,
    /// From the request to the first byte of the answer.
    pub first_byte: Duration,
    /// Between two bytes of an answer.
    pub stall: Duration,
}

/// What it waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// A connection.
    Connection,
    /// A name server.
    Name,
    /// The first byte of an answer, or of a TLS handshake.
    Answer,
    /// The rest of an answer.
    Rest,
}

/// It is stuck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stuck {
    /// What it waits for.
    pub what: What,
    /// Who should have said something.
    pub peer: Option<SocketAddr>,
    /// For how long nothing has moved.
    pub silent: Duration,
}

/// What is remembered from one look to the next.
#[derive(Debug)]
pub struct Judge {
    limits: Limits,
    last: Option<Sample>,
    /// Since when nothing has moved, and the CPU time then.
    quiet: Option<(Duration, Duration)>,
    /// Since when each socket has been as it is.
    since: BTreeMap<u64, (Duration, State)>,
    /// Since when there has always been a question to a name server.
    resolving: Option<Duration>,
}

impl Judge {
    /// Nothing has been seen yet.
    pub fn new(limits: Limits) -> Judge {
        Judge {
            limits,
            last: None,
            quiet: None,
            since: BTreeMap::new(),
            resolving: None,
        }
    }

    /// Takes one look into account.
    pub fn see(&mut self, sample: Sample) -> Option<Stuck> {
        let gap = match &self.last {
            Some(last) => sample.at.saturating_sub(last.at) > GAP,
            None => false,
        };
        if gap {
            *self = Judge::new(self.limits);
        }
        let moved = self.follow(&sample);
        let since = match self.quiet {
            Some((since, cpu)) if !moved && !self.worked(&sample, since, cpu) => since,
            _ => {
                self.quiet = Some((sample.at, sample.cpu));
                sample.at
            }
        };
        let stuck = self.stuck(&sample, since);
        self.last = Some(sample);
        stuck
    }

    /// Notes since when each socket has been as it is; has anything moved?
    fn follow(&mut self, sample: &Sample) -> bool {
        let mut moved = sample.busy;
        moved |= self
            .last
            .as_ref()
            .is_some_and(|last| last.output != sample.output);
        let sockets = sample.sockets.as_deref().unwrap_or_default();
        let mut since = BTreeMap::new();
        let mut resolves = false;
        for socket in sockets {
            resolves |= socket.state == State::Resolving;
            let entry = match self.since.get(&socket.id) {
                Some(&(at, before)) if before == socket.state => (at, before),
                Some(&(_, before)) => {
                    moved |= counts(before) != counts(socket.state);
                    (sample.at, socket.state)
                }
                None => (sample.at, socket.state),
            };
            since.insert(socket.id, entry);
        }
        self.since = since;
        self.resolving = match (resolves, self.resolving) {
            (true, Some(at)) => Some(at),
            (true, None) => Some(sample.at),
            (false, _) => None,
        };
        moved
    }

    fn worked(&self, sample: &Sample, since: Duration, cpu: Duration) -> bool {
        let used = sample.cpu.saturating_sub(cpu);
        used > IDLE_CPU + sample.at.saturating_sub(since) / IDLE_SHARE
    }

    fn stuck(&self, sample: &Sample, quiet: Duration) -> Option<Stuck> {
        let Some(sockets) = &sample.sockets else {
            let silent = sample.at.saturating_sub(quiet);
            return (sample.downloading && silent >= self.limits.stall).then_some(Stuck {
                what: What::Rest,
                peer: None,
                silent,
            });
        };
        let stuck = |socket: &Socket| {
            let (what, limit) = self.waits(socket.state);
            let since = match what {
                What::Name => self.resolving?,
                What::Connection | What::Answer | What::Rest => self.since.get(&socket.id)?.0,
            };
            let silent = sample.at.saturating_sub(since.max(quiet));
            (silent >= limit).then_some(Stuck {
                what,
                peer: socket.peer,
                silent,
            })
        };
        sockets.iter().find_map(stuck)
    }

    fn waits(&self, state: State) -> (What, Duration) {
        match state {
            State::Connecting => (What::Connection, self.limits.connect),
            State::Resolving => (What::Name, self.limits.connect),
            State::Open {
                received, asked, ..
            } if asked || received == Some(0) => (What::Answer, self.limits.first_byte),
            State::Open { .. } => (What::Rest, self.limits.stall),
        }
    }
}

/// Bytes out and in: a socket that only changes from asking for a connection to having one has
/// not brought anything yet, but is no longer stuck in that.
fn counts(state: State) -> (bool, Option<u64>, Option<u64>) {
    match state {
        State::Connecting => (false, None, None),
        State::Resolving => (false, None, Some(0)),
        State::Open { sent, received, .. } => (true, sent, received),
    }
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.what {
            What::Connection => "no connection to",
            What::Name => "no name looked up by",
            What::Answer => "no answer from",
            What::Rest => "nothing more from",
        };
        match self.peer {
            Some(peer) => write!(f, "{what} {peer}")?,
            None => f.write_str("nothing more was downloaded")?,
        }
        write!(f, " for {:.1} s", self.silent.as_secs_f64())
    }
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
