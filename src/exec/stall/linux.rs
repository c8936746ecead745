//! Looking at the command's processes and sockets on Linux.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::diag::Diag;
use super::process::processes;
use super::sample::{Sample, Socket, State};
use super::table::{ESTABLISHED, Row, SYN_SENT, rows};
use super::tree::tree;

/// What is read of a table of sockets, in bytes.
const MOST: u64 = 4 << 20;
/// Port of a name server.
const DNS: u16 = 53;
/// Where a thread of go waits (`/proc/PID/task/TID/wchan`, a function of the kernel) if it is not
/// for the network, of which go hears through epoll: for another go's lock, for the reader of its
/// output, for its input, for a person.
const EXCUSES: [&str; 8] = [
    "flock",
    "lock_inode_wait",
    "fcntl_setlk",
    "pipe_write",
    "pipe_read",
    "tty",
    "wait_woken",
    "wait_for_partner",
];

/// Looks at one command.
pub(in super::super) struct Look {
    leader: i32,
    diag: Option<Diag>,
    output: u64,
}

impl std::fmt::Debug for Look {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Look")
            .field("leader", &self.leader)
            .finish()
    }
}

impl Look {
    /// At the command of this number.
    pub(in super::super) fn at(leader: i32) -> Look {
        Look {
            leader,
            diag: Diag::open().ok(),
            output: 0,
        }
    }

    /// One look. `output`: bytes that have come so far. The last line is of use elsewhere.
    pub(in super::super) fn look(
        &mut self,
        at: Duration,
        output: u64,
        _last_line: &dyn Fn() -> String,
    ) -> Sample {
        let seen = tree(&processes().unwrap_or_default(), self.leader);
        let speaks = output != self.output;
        self.output = output;
        let mut sample = Sample {
            at,
            output,
            cpu: seen.cpu,
            busy: seen.busy,
            sockets: Some(Vec::new()),
            downloading: false,
        };
        // The costly half only where nobody works and nobody speaks.
        if seen.busy || speaks {
            return sample;
        }
        let mut inodes = BTreeSet::new();
        for pid in seen.go.iter().chain(&seen.helpers) {
            sample.busy |= sockets(*pid, &mut inodes);
        }
        if inodes.is_empty() || sample.busy {
            return sample;
        }
        let excuses: Vec<Excuse> = seen.go.iter().map(|pid| excuse(*pid)).collect();
        if excuses.contains(&Excuse::Has) {
            sample.busy = true;
            return sample;
        }
        let network = process(*seen.go.first().unwrap_or(&self.leader)).join("net");
        let mut found = self.tcp(&network, &inodes);
        found.extend(resolving(&network, &inodes));
        if excuses.contains(&Excuse::Unknown) {
            found.retain(|socket| waits_for_sure(socket.state));
        }
        sample.sockets = Some(found);
        sample
    }

    fn tcp(&mut self, network: &Path, inodes: &BTreeSet<u64>) -> Vec<Socket> {
        let wanted = |inode: u64| inodes.contains(&inode);
        if let Some(diag) = &mut self.diag {
            match diag.tcp(&wanted) {
                Ok(found) => return found,
                Err(error) => {
                    tracing::debug!(%error, "sock_diag does not answer; reads /proc/net/tcp");
                    self.diag = None;
                }
            }
        }
        let both = read(network, "tcp", inodes).into_iter();
        both.filter_map(|row| {
            let state = match row.state {
                SYN_SENT => State::Connecting,
                ESTABLISHED => State::Open {
                    sent: None,
                    received: None,
                    asked: false,
                },
                _ => return None,
            };
            Some(socket(row, state))
        })
        .collect()
    }
}

/// UDP sockets that ask a name server. go makes one for each question.
fn resolving(network: &Path, inodes: &BTreeSet<u64>) -> Vec<Socket> {
    let rows = read(network, "udp", inodes).into_iter();
    rows.filter(|row| row.peer.port() == DNS)
        .map(|row| socket(row, State::Resolving))
        .collect()
}

fn socket(row: Row, state: State) -> Socket {
    Socket {
        id: row.inode,
        peer: Some(row.peer),
        state,
    }
}

fn read(network: &Path, name: &str, inodes: &BTreeSet<u64>) -> Vec<Row> {
    let mut found = Vec::new();
    for name in [name.to_owned(), format!("{name}6")] {
        let mut text = String::new();
        if let Ok(file) = fs::File::open(network.join(name)) {
            // What cannot be read to the end is used as far as it came.
            drop(file.take(MOST).read_to_string(&mut text));
        }
        found.extend(rows(&text).filter(|row| inodes.contains(&row.inode)));
    }
    found
}

fn process(pid: i32) -> PathBuf {
    Path::new("/proc").join(pid.to_string())
}

/// The numbers of a process's sockets; true if it has opened the terminal to ask a person.
fn sockets(pid: i32, inodes: &mut BTreeSet<u64>) -> bool {
    let Ok(open) = fs::read_dir(process(pid).join("fd")) else {
        return false;
    };
    let mut asks = false;
    for link in open.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok()) {
        let Some(link) = link.to_str() else { continue };
        asks |= link == "/dev/tty";
        let number = link
            .strip_prefix("socket:[")
            .and_then(|rest| rest.strip_suffix(']'));
        inodes.extend(number.and_then(|number| number.parse::<u64>().ok()));
    }
    asks
}

/// Does a go wait for something that is no network?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Excuse {
    Has,
    None,
    /// The kernel does not say where its threads wait.
    Unknown,
}

fn excuse(pid: i32) -> Excuse {
    let Ok(threads) = fs::read_dir(process(pid).join("task")) else {
        return Excuse::Has;
    };
    let mut excuse = Excuse::Unknown;
    for thread in threads.filter_map(|entry| Some(entry.ok()?.path())) {
        let waits = fs::read_to_string(thread.join("wchan")).unwrap_or_default();
        let stat = fs::read(thread.join("stat")).unwrap_or_default();
        let on_disk = super::process::parse(&stat, 1).is_some_and(|one| one.state == b'D');
        if on_disk || EXCUSES.iter().any(|excuse| waits.contains(excuse)) {
            return Excuse::Has;
        }
        // `0` is a thread that runs, or one of which we may not know.
        if !matches!(waits.as_str(), "" | "0") {
            excuse = Excuse::None;
        }
    }
    excuse
}

/// An idle connection looks like one whose answer has stopped half-way, but not like these.
fn waits_for_sure(state: State) -> bool {
    match state {
        State::Connecting | State::Resolving => true,
        State::Open {
            received, asked, ..
        } => asked || received == Some(0),
    }
}
