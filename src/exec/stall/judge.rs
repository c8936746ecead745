//! Stuck or not. Pure: samples in, verdict out.
//!
//! Stuck is a command of which *nothing* moves for a limit, while one of go's sockets waits for
//! somebody: no output, no request, next to nothing that comes on any of its sockets, no CPU time
//! worth naming, and no process but go and its helpers (git, ssh) at work. The second half is what keeps a test that sleeps,
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
/// CPU time that a waiting go uses (its monitor thread, the collector): 20 ms, and 5 % of the
/// time. Measured: less than one tick of 10 ms in 30 s, but 2 % where two servers send it one byte
/// at a time, 200 a second.
const IDLE_CPU: Duration = Duration::from_millis(20);
const IDLE_SHARE: u32 = 20;
/// What comes on one socket and is no progress: this many bytes, and so many in each second. A
/// server that lets one byte go at a time would keep go waiting for hours. The slowest modem that
/// anybody builds over brings four times as much.
const NOTHING: u64 = 1024;
const TRICKLE: u64 = 256;

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
    /// The rest of an answer, of which nothing comes.
    Rest,
    /// The rest of an answer, of which hardly anything comes.
    More,
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
    quiet: Option<Quiet>,
    /// Since when each socket has waited for what it waits for, and how it is now.
    since: BTreeMap<u64, (Duration, State)>,
    /// Since when there has always been a question to a name server.
    resolving: Option<Duration>,
    /// Since when there has always been a connection that was asked for: a name may have many
    /// addresses, of which go tries one after another.
    connecting: Option<Duration>,
}

/// Nothing has moved since then.
#[derive(Debug)]
struct Quiet {
    since: Duration,
    /// The CPU time then.
    cpu: Duration,
    /// What each socket had received then.
    received: BTreeMap<u64, u64>,
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
            connecting: None,
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
        let quiet = self
            .quiet
            .take()
            .filter(|quiet| !moved && !quiet.is_over(&sample));
        let quiet = quiet.unwrap_or_else(|| Quiet::from(&sample));
        let stuck = self.stuck(&sample, &quiet);
        self.quiet = Some(quiet);
        self.last = Some(sample);
        stuck
    }

    /// Notes since when each socket has waited; has anything moved, apart from what came?
    fn follow(&mut self, sample: &Sample) -> bool {
        let mut moved = sample.busy;
        moved |= self
            .last
            .as_ref()
            .is_some_and(|last| last.output != sample.output);
        let sockets = sample.sockets.as_deref().unwrap_or_default();
        let mut since = BTreeMap::new();
        for socket in sockets {
            let before = self.since.get(&socket.id);
            let same = before.filter(|(_, before)| waits(*before) == waits(socket.state));
            // A socket that is new and connected has been asked something meanwhile.
            let is_open = matches!(socket.state, State::Open { .. });
            moved |= same.is_none() && (is_open || before.is_some());
            let at = same.map_or(sample.at, |(at, _)| *at);
            since.insert(socket.id, (at, socket.state));
        }
        self.since = since;
        let always = |state: State, since: Option<Duration>| {
            let is = sockets.iter().any(|socket| socket.state == state);
            is.then(|| since.unwrap_or(sample.at))
        };
        self.resolving = always(State::Resolving, self.resolving);
        self.connecting = always(State::Connecting, self.connecting);
        moved
    }

    fn stuck(&self, sample: &Sample, quiet: &Quiet) -> Option<Stuck> {
        let Some(sockets) = &sample.sockets else {
            let silent = sample.at.saturating_sub(quiet.since);
            return (sample.downloading && silent >= self.limits.stall).then_some(Stuck {
                what: What::Rest,
                peer: None,
                silent,
            });
        };
        let stuck = |socket: &Socket| {
            let what = quiet.waits(socket);
            let (since, limit) = match what {
                What::Connection => (self.connecting?, self.limits.connect),
                What::Name => (self.resolving?, self.limits.connect),
                What::Answer => (self.since.get(&socket.id)?.0, self.limits.first_byte),
                What::Rest | What::More => (self.since.get(&socket.id)?.0, self.limits.stall),
            };
            let silent = sample.at.saturating_sub(since.max(quiet.since));
            (silent >= limit).then_some(Stuck {
                what,
                peer: socket.peer,
                silent,
            })
        };
        sockets.iter().find_map(stuck)
    }
}

impl Quiet {
    fn from(sample: &Sample) -> Quiet {
        let sockets = sample.sockets.as_deref().unwrap_or_default();
        Quiet {
            since: sample.at,
            cpu: sample.cpu,
            received: sockets
                .iter()
                .filter_map(|socket| Some((socket.id, received(socket.state)?)))
                .collect(),
        }
    }

    /// It has worked since, or something has come that is worth naming.
    fn is_over(&self, sample: &Sample) -> bool {
        let passed = sample.at.saturating_sub(self.since);
        let used = sample.cpu.saturating_sub(self.cpu);
        if used > IDLE_CPU + passed / IDLE_SHARE {
            return true;
        }
        let nothing = NOTHING + TRICKLE * passed.as_secs();
        let sockets = sample.sockets.as_deref().unwrap_or_default();
        sockets.iter().any(|socket| self.came(socket) > nothing)
    }

    /// Bytes that have come since.
    fn came(&self, socket: &Socket) -> u64 {
        let before = self.received.get(&socket.id).copied().unwrap_or(0);
        received(socket.state).unwrap_or(0).saturating_sub(before)
    }

    fn waits(&self, socket: &Socket) -> What {
        match waits(socket.state) {
            (What::Rest, _) if self.came(socket) > 0 => What::More,
            (what, _) => what,
        }
    }
}

/// What it waits for, and how much it has said before: with more, it waits for something new.
fn waits(state: State) -> (What, Option<u64>) {
    match state {
        State::Connecting => (What::Connection, None),
        State::Resolving => (What::Name, None),
        State::Open {
            sent,
            received,
            asked,
        } => {
            if asked || received == Some(0) {
                (What::Answer, sent)
            } else {
                (What::Rest, sent)
            }
        }
    }
}

fn received(state: State) -> Option<u64> {
    match state {
        State::Connecting | State::Resolving => None,
        State::Open { received, .. } => received,
    }
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.what {
            What::Connection => "no connection to",
            What::Name => "no name looked up by",
            What::Answer => "no answer from",
            What::Rest => "nothing more from",
            What::More => "hardly anything from",
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
