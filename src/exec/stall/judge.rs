//! Decides whether the command is stuck. Pure: samples in, verdict out.
//!
//! A command is stuck if *nothing* about it moves for a time limit while one of go's sockets waits
//! for a server. Nothing moves means: no output, no request, hardly any bytes on any of its
//! sockets, hardly any CPU time, and no working process but go and its helpers (git, ssh). The
//! conditions about processes and CPU time keep a sleeping test, a server under `go run` and a long
//! link alive; the condition about the socket keeps a go alive that waits for something else. An
//! idle connection that is kept for later (net/http keeps them for 90 s) looks like an answer that
//! has stopped half-way; the other conditions distinguish the two.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

/// A longer gap between two samples means that goroam was stopped or the machine slept. Then all
/// time limits start again.
const GAP: Duration = Duration::from_secs(3);
/// CPU time that a waiting go uses (its monitor thread, the collector): 20 ms, and 5 % of the time.
/// Measured: less than one tick of 10 ms in 30 s, but 2 % when two servers send it one byte at a
/// time, 200 a second.
const IDLE_CPU: Duration = Duration::from_millis(20);
const IDLE_SHARE: u32 = 20;
/// How much may arrive on one socket without counting as progress: this many bytes in all, and the
/// same for each second. A server that sends one byte at a time would keep go waiting for hours.
/// The slowest modem in use is four times as fast.
const NOTHING: u64 = 1024;
const TRICKLE: u64 = 256;

/// One sample of a running command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// When it was taken, counted from the start.
    pub at: Duration,
    /// Bytes of output so far. If the system counts bytes for processes and not for sockets
    /// (Windows), this includes all other bytes that the processes have moved.
    pub output: u64,
    /// CPU time of all its processes so far.
    pub cpu: Duration,
    /// A process is working, or waits for something other than the network: a compiler, a test, a
    /// lock, a person.
    pub busy: bool,
    /// The open sockets of go and its helpers.
    pub sockets: Vec<Socket>,
}

impl Sample {
    /// Leaves out the connections to the relay. While it works on a request, the command waits for
    /// nothing else.
    pub(in crate::exec) fn without(&mut self, is_relay: impl Fn(SocketAddr) -> bool, works: bool) {
        self.sockets
            .retain(|socket| !socket.peer.is_some_and(&is_relay));
        self.busy |= works;
    }
}

/// A socket of go, or of a process that go has started to fetch something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Socket {
    /// Its number; a new one after it was closed.
    pub id: u64,
    /// The address of the other end.
    pub peer: Option<SocketAddr>,
    /// Its state.
    pub state: SocketState,
}

/// The state of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketState {
    /// Connecting (SYN_SENT).
    Connecting,
    /// Waiting for a name server (UDP).
    Resolving,
    /// Connected.
    Open {
        /// Bytes sent so far. `None`: not known.
        sent: Option<u64>,
        /// Bytes received so far. `None`: not known.
        received: Option<u64>,
        /// The last bytes sent are later than the last bytes received.
        asked: bool,
    },
}

/// The time limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StallLimits {
    /// For a connection, and for a name lookup.
    pub connect: Duration,
    /// From the request to the first byte of the answer.
    pub first_byte: Duration,
    /// Between two bytes of an answer.
    pub stall: Duration,
}

/// What a stuck command waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitsFor {
    /// A connection.
    Connection,
    /// A name server.
    Name,
    /// The first byte of an answer, or of a TLS handshake.
    Answer,
    /// The rest of an answer; nothing arrives.
    Rest,
    /// The rest of an answer; hardly anything arrives.
    More,
}

/// The verdict that the command is stuck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stuck {
    /// What it waits for.
    pub what: WaitsFor,
    /// The address of the server that should have answered.
    pub peer: Option<SocketAddr>,
    /// For how long nothing has moved.
    pub silent: Duration,
}

/// What is remembered from one sample to the next.
#[derive(Debug)]
pub struct StallJudge {
    limits: StallLimits,
    last: Option<Sample>,
    quiet: Option<Quiet>,
    /// For each socket, since when it has waited for the same thing, and its current state.
    since: BTreeMap<u64, (Duration, SocketState)>,
    /// Since when at least one question to a name server has always been open.
    resolving: Option<Duration>,
    /// Since when at least one connection attempt has always been open: a name may have many
    /// addresses, which go tries one after another.
    connecting: Option<Duration>,
}

/// A period in which nothing has moved.
#[derive(Debug)]
struct Quiet {
    since: Duration,
    /// The CPU time at its start.
    cpu: Duration,
    /// What each socket had received at its start.
    received: BTreeMap<u64, u64>,
}

impl StallJudge {
    /// Makes a judge that has seen nothing yet.
    pub fn new(limits: StallLimits) -> StallJudge {
        StallJudge {
            limits,
            last: None,
            quiet: None,
            since: BTreeMap::new(),
            resolving: None,
            connecting: None,
        }
    }

    /// Takes one sample into account.
    pub fn see(&mut self, sample: Sample) -> Option<Stuck> {
        let gap = match &self.last {
            Some(last) => sample.at.saturating_sub(last.at) > GAP,
            None => false,
        };
        if gap {
            *self = StallJudge::new(self.limits);
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

    /// Notes since when each socket has waited; reports whether anything has moved, apart from
    /// received bytes.
    fn follow(&mut self, sample: &Sample) -> bool {
        let mut moved = sample.busy;
        moved |= self
            .last
            .as_ref()
            .is_some_and(|last| last.output != sample.output);
        let sockets = &sample.sockets;
        let mut since = BTreeMap::new();
        for socket in sockets {
            let before = self.since.get(&socket.id);
            let same = before.filter(|(_, before)| waits(*before) == waits(socket.state));
            // A socket that is new and connected has sent a request in the meantime.
            let is_open = matches!(socket.state, SocketState::Open { .. });
            moved |= same.is_none() && (is_open || before.is_some());
            let at = same.map_or(sample.at, |(at, _)| *at);
            since.insert(socket.id, (at, socket.state));
        }
        self.since = since;
        let always = |state: SocketState, since: Option<Duration>| {
            let is = sockets.iter().any(|socket| socket.state == state);
            is.then(|| since.unwrap_or(sample.at))
        };
        self.resolving = always(SocketState::Resolving, self.resolving);
        self.connecting = always(SocketState::Connecting, self.connecting);
        moved
    }

    fn stuck(&self, sample: &Sample, quiet: &Quiet) -> Option<Stuck> {
        let stuck = |socket: &Socket| {
            let what = quiet.waits(socket);
            let (since, limit) = match what {
                WaitsFor::Connection => (self.connecting?, self.limits.connect),
                WaitsFor::Name => (self.resolving?, self.limits.connect),
                WaitsFor::Answer => (self.since.get(&socket.id)?.0, self.limits.first_byte),
                WaitsFor::Rest | WaitsFor::More => {
                    (self.since.get(&socket.id)?.0, self.limits.stall)
                }
            };
            let silent = sample.at.saturating_sub(since.max(quiet.since));
            (silent >= limit).then_some(Stuck {
                what,
                peer: socket.peer,
                silent,
            })
        };
        sample.sockets.iter().find_map(stuck)
    }
}

impl Quiet {
    fn from(sample: &Sample) -> Quiet {
        let sockets = &sample.sockets;
        Quiet {
            since: sample.at,
            cpu: sample.cpu,
            received: sockets
                .iter()
                .filter_map(|socket| Some((socket.id, received(socket.state)?)))
                .collect(),
        }
    }

    /// Reports whether the quiet period is over: the command has worked since, or a significant
    /// number of bytes has arrived.
    fn is_over(&self, sample: &Sample) -> bool {
        let passed = sample.at.saturating_sub(self.since);
        let used = sample.cpu.saturating_sub(self.cpu);
        if used > IDLE_CPU + passed / IDLE_SHARE {
            return true;
        }
        let nothing = NOTHING + TRICKLE * passed.as_secs();
        let sockets = &sample.sockets;
        sockets.iter().any(|socket| self.came(socket) > nothing)
    }

    /// Returns the bytes that have arrived since the start of the period.
    fn came(&self, socket: &Socket) -> u64 {
        let before = self.received.get(&socket.id).copied().unwrap_or(0);
        received(socket.state).unwrap_or(0).saturating_sub(before)
    }

    fn waits(&self, socket: &Socket) -> WaitsFor {
        match waits(socket.state) {
            (WaitsFor::Rest, _) if self.came(socket) > 0 => WaitsFor::More,
            (what, _) => what,
        }
    }
}

/// Returns what the socket waits for, and how much it has sent before: after sending more, it waits
/// for something new.
fn waits(state: SocketState) -> (WaitsFor, Option<u64>) {
    match state {
        SocketState::Connecting => (WaitsFor::Connection, None),
        SocketState::Resolving => (WaitsFor::Name, None),
        SocketState::Open {
            sent,
            received,
            asked,
        } => {
            if asked || received == Some(0) {
                (WaitsFor::Answer, sent)
            } else {
                (WaitsFor::Rest, sent)
            }
        }
    }
}

fn received(state: SocketState) -> Option<u64> {
    match state {
        SocketState::Connecting | SocketState::Resolving => None,
        SocketState::Open { received, .. } => received,
    }
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.what {
            WaitsFor::Connection => "no connection to",
            WaitsFor::Name => "no name looked up by",
            WaitsFor::Answer => "no answer from",
            WaitsFor::Rest => "nothing more from",
            WaitsFor::More => "hardly anything from",
        };
        match self.peer {
            Some(peer) => write!(f, "{what} {peer}")?,
            None => f.write_str("nothing more was downloaded")?,
        }
        write!(f, " for {:.1} s", self.silent.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: StallLimits = StallLimits {
        connect: Duration::from_secs(3),
        first_byte: Duration::from_secs(8),
        stall: Duration::from_secs(30),
    };

    /// Makes a socket in a state.
    fn socket(id: u64, state: SocketState) -> Socket {
        Socket {
            id,
            peer: None,
            state,
        }
    }

    fn open(sent: u64, received: u64, asked: bool) -> SocketState {
        SocketState::Open {
            sent: Some(sent),
            received: Some(received),
            asked,
        }
    }

    /// Takes a sample every 250 ms for this many seconds; `each` changes an idle sample for a given
    /// time. Returns what the command was stuck in, and the second in which it was found.
    fn judged(seconds: u64, each: impl Fn(f64, &mut Sample)) -> Option<(WaitsFor, u64)> {
        let mut judge = StallJudge::new(LIMITS);
        for tick in 0..=seconds * 4 {
            let at = Duration::from_millis(tick * 250);
            let mut sample = Sample {
                at,
                output: 0,
                cpu: Duration::from_millis(500),
                busy: false,
                sockets: Vec::new(),
            };
            each(at.as_secs_f64(), &mut sample);
            if let Some(stuck) = judge.see(sample) {
                assert!(stuck.silent >= LIMITS.connect);
                return Some((stuck.what, at.as_secs()));
            }
        }
        None
    }

    /// A sample with one socket in this state.
    fn with(state: SocketState) -> impl Fn(f64, &mut Sample) {
        move |_, sample| sample.sockets = vec![socket(1, state)]
    }

    #[test]
    fn each_wait_has_its_limit() {
        for (state, stuck) in [
            (SocketState::Connecting, (WaitsFor::Connection, 3)),
            (SocketState::Resolving, (WaitsFor::Name, 3)),
            (open(200, 0, true), (WaitsFor::Answer, 8)),
            // A TLS server that accepts connections and never answers.
            (open(0, 0, false), (WaitsFor::Answer, 8)),
            (open(900, 5000, true), (WaitsFor::Answer, 8)),
            (open(200, 700, false), (WaitsFor::Rest, 30)),
        ] {
            assert_eq!(judged(60, with(state)), Some(stuck), "{state:?}");
        }
        let unknown = SocketState::Open {
            sent: None,
            received: None,
            asked: false,
        };
        assert_eq!(judged(60, with(unknown)), Some((WaitsFor::Rest, 30)));
    }

    #[test]
    fn whatever_moves_keeps_it_alive() {
        type Each = fn(f64, &mut Sample);
        let cases: [(&str, Each); 7] = [
            ("no socket at all", |_, _| {}),
            ("a compiler or a test is at work", |_, sample| {
                sample.busy = true;
                sample.sockets = vec![socket(1, open(1, 0, true))];
            }),
            ("it prints a dot every two seconds", |at, sample| {
                sample.output = (at / 2.0) as u64;
                sample.sockets = vec![socket(1, SocketState::Connecting)];
            }),
            ("it computes", |at, sample| {
                sample.cpu += Duration::from_secs_f64(at * 0.1);
                sample.sockets = vec![socket(1, SocketState::Connecting)];
            }),
            ("a slow modem", |at, sample| {
                let came = (at * 900.0) as u64;
                sample.sockets = vec![socket(1, open(90, came, false))];
            }),
            ("another connection brings something", |at, sample| {
                let other = open(90, (at * 900.0) as u64, false);
                sample.sockets = vec![socket(1, SocketState::Connecting), socket(2, other)];
            }),
            ("a request every five seconds", |at, sample| {
                let count = (at / 5.0) as u64;
                sample.sockets = vec![socket(1, open(count * 90, count * 400, false))];
            }),
        ];
        for (what, each) in cases {
            assert_eq!(judged(120, each), None, "{what}");
        }
    }

    #[test]
    fn a_limit_begins_when_everything_has_become_quiet() {
        // An idle connection, a compiler for a minute, then a request on that connection.
        let story = |at: f64, sample: &mut Sample| {
            sample.busy = at < 60.0;
            let state = if at < 60.0 {
                open(90, 400, false)
            } else {
                open(180, 400, true)
            };
            sample.sockets = vec![socket(1, state)];
        };
        assert_eq!(judged(120, story), Some((WaitsFor::Answer, 68)));
        // The wait for a connection is not the wait for an answer.
        let story = |at: f64, sample: &mut Sample| {
            let state = if at < 2.0 {
                SocketState::Connecting
            } else {
                open(90, 0, true)
            };
            sample.sockets = vec![socket(1, state)];
        };
        assert_eq!(judged(120, story), Some((WaitsFor::Answer, 10)));
    }

    #[test]
    fn a_resolver_that_asks_again_and_again_has_one_limit() {
        let story = |at: f64, sample: &mut Sample| {
            sample.sockets = vec![socket(at as u64, SocketState::Resolving)];
        };
        assert_eq!(judged(60, story), Some((WaitsFor::Name, 3)));
    }

    /// A name with many addresses, all of them dead: each is given up before the limit.
    #[test]
    fn dead_addresses_that_are_tried_one_after_another_have_one_limit() {
        let story = |at: f64, sample: &mut Sample| {
            sample.sockets = vec![socket((at / 2.0) as u64, SocketState::Connecting)];
        };
        assert_eq!(judged(60, story), Some((WaitsFor::Connection, 3)));
    }

    #[test]
    fn a_trickle_is_no_progress() {
        for bytes_a_second in [0.1, 1.0, 10.0, 200.0] {
            let story = |at: f64, sample: &mut Sample| {
                let came = 1 + (at * bytes_a_second) as u64;
                sample.sockets = vec![socket(1, open(90, came, false))];
            };
            let stuck = judged(60, story);
            assert_eq!(stuck, Some((WaitsFor::More, 30)), "{bytes_a_second}");
        }
        // Two sockets that trickle together are not one that flows; one that flows is enough.
        let two = |other: f64| {
            judged(60, move |at, sample| {
                let came = |rate: f64| open(90, 1 + (at * rate) as u64, false);
                sample.sockets = vec![socket(1, came(200.0)), socket(2, came(other))];
            })
        };
        assert_eq!(two(200.0), Some((WaitsFor::More, 30)));
        assert_eq!(two(900.0), None);
    }

    #[test]
    fn small_answers_of_a_slow_server_are_progress() {
        let story = |at: f64, sample: &mut Sample| {
            let count = (at / 7.0) as u64;
            let asked = at % 7.0 < 6.5;
            sample.sockets = vec![socket(1, open(90 * count + 90, 300 * count, asked))];
        };
        assert_eq!(judged(300, story), None);
        // Each time the connection is new.
        let story = |at: f64, sample: &mut Sample| {
            let count = (at / 7.0) as u64;
            sample.sockets = vec![socket(count, open(90, 0, true))];
        };
        assert_eq!(judged(300, story), None);
    }

    #[test]
    fn time_in_which_nobody_looked_does_not_count() {
        let mut judge = StallJudge::new(LIMITS);
        let mut at = Duration::ZERO;
        for pause in [0, 250, 250, 3_600_000, 250, 2000] {
            at += Duration::from_millis(pause);
            let sample = Sample {
                at,
                output: 0,
                cpu: Duration::ZERO,
                busy: false,
                sockets: vec![socket(1, SocketState::Connecting)],
            };
            assert_eq!(judge.see(sample), None, "{at:?}");
        }
    }
}
