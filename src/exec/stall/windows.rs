//! Looking at the command's processes and connections on Windows.
//!
//! Windows tells nobody but an administrator how many bytes a connection of another process has
//! moved. So a connection that is there has the longest limit, and what moves is read from the
//! processes' own counts.

use std::time::Duration;

use windows_sys::Win32::NetworkManagement::IpHelper::{
    MIB_TCP_STATE_ESTAB, MIB_TCP_STATE_SYN_SENT,
};

use super::sample::{Sample, Socket, State};
use super::snapshot::{Seen, processes};
use super::tree::{Process, tree};
use crate::probe::tcp_table::{Row, connections};

/// A console's own process is its first program's child, and no work of it.
const CONSOLES: [&str; 2] = ["conhost", "openconsole"];

/// Looks at one command.
#[derive(Debug)]
pub(in super::super) struct Look {
    leader: i32,
    output: u64,
}

impl Look {
    /// At the command of this number.
    pub(in super::super) fn at(leader: i32) -> Look {
        Look { leader, output: 0 }
    }

    /// One look. `output`: bytes that have come so far. The last line is of use elsewhere.
    pub(in super::super) fn look(
        &mut self,
        at: Duration,
        output: u64,
        _last_line: &dyn Fn() -> String,
    ) -> Sample {
        let mut all = processes().unwrap_or_default();
        all.retain(|seen| !CONSOLES.contains(&seen.process.name.as_str()));
        let speaks = output != self.output;
        self.output = output;
        let (sample, fetching) = sample(at, output, &all, self.leader);
        // The costly half only where nobody works and nobody speaks.
        if sample.busy || speaks || fetching.is_empty() {
            return sample;
        }
        let rows = connections().unwrap_or_default();
        let sockets = rows.iter().filter_map(|row| socket(row, &fetching));
        Sample {
            sockets: Some(sockets.collect()),
            ..sample
        }
    }
}

/// What the processes tell, and who of them fetches.
fn sample(at: Duration, output: u64, all: &[Seen], leader: i32) -> (Sample, Vec<i32>) {
    let processes: Vec<Process> = all.iter().map(|seen| seen.process.clone()).collect();
    let tree = tree(&processes, leader);
    let is_parent = |pid: i32| processes.iter().any(|process| process.parent == pid);
    // A go that has started somebody reads what that one says, in the same way as a file.
    let waits = |seen: &Seen| {
        let pid = seen.process.pid;
        seen.blocked && tree.go.contains(&pid) && !is_parent(pid)
    };
    let busy = tree.busy || all.iter().any(waits);
    let fetching = [tree.go, tree.helpers].concat();
    let own = all
        .iter()
        .filter(|seen| fetching.contains(&seen.process.pid));
    let moved = own.fold(0, |sum: u64, seen| sum.wrapping_add(seen.moved));
    let sample = Sample {
        at,
        output: output.wrapping_add(moved),
        cpu: tree.cpu,
        busy,
        sockets: Some(Vec::new()),
        downloading: false,
    };
    (sample, fetching)
}

fn socket(row: &Row, fetching: &[i32]) -> Option<Socket> {
    let owner = i32::try_from(row.owner).ok()?;
    let state = match row.state.cast_signed() {
        MIB_TCP_STATE_SYN_SENT => State::Connecting,
        MIB_TCP_STATE_ESTAB => State::Open {
            sent: None,
            received: None,
            asked: false,
        },
        _ => return None,
    };
    let ports = u64::from(row.local.port()) << 16 | u64::from(row.remote.port());
    fetching.contains(&owner).then_some(Socket {
        id: u64::from(row.owner) << 32 | ports,
        peer: Some(row.remote),
        state,
    })
}

#[cfg(test)]
mod tests {
    use super::super::judge::{Judge, Limits, What};
    use super::*;

    const LIMITS: Limits = Limits {
        connect: Duration::from_secs(3),
        first_byte: Duration::from_secs(8),
        stall: Duration::from_secs(30),
    };

    /// `NAME PID PARENT [blocked]`, one a line; the first leads.
    fn seen(lines: &str, moved: u64) -> Vec<Seen> {
        let one = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            Seen {
                process: Process {
                    pid: words[1].parse().unwrap(),
                    name: words[0].to_owned(),
                    state: b'S',
                    parent: words[2].parse().unwrap(),
                    group: 0,
                    cpu: Duration::from_millis(10),
                },
                moved,
                blocked: words.get(3) == Some(&"blocked"),
            }
        };
        lines.lines().map(one).collect()
    }

    /// Looks every 250 ms for a minute; `moved` says what has moved by which second.
    fn judged(lines: &str, state: i32, moved: fn(u64) -> u64) -> Option<(What, u64)> {
        let row = |owner| Row {
            state: state.cast_unsigned(),
            local: "10.0.0.2:50000".parse().unwrap(),
            remote: "192.0.2.1:443".parse().unwrap(),
            owner,
        };
        let rows = [row(1), row(2), row(3)];
        let mut judge = Judge::new(LIMITS);
        (0..240).find_map(|tick| {
            let at = Duration::from_millis(tick * 250);
            let all = seen(lines, moved(at.as_secs()));
            let (mut sample, fetching) = sample(at, 0, &all, 1);
            let sockets = rows.iter().filter_map(|row| socket(row, &fetching));
            sample.sockets = Some(sockets.collect());
            let stuck = judge.see(sample)?;
            assert_eq!(stuck.peer, Some(rows[0].remote));
            Some((stuck.what, at.as_secs()))
        })
    }

    #[test]
    fn a_go_of_which_nothing_moves_is_stuck_and_no_other() {
        let still = |_| 7;
        let (asks, open) = (MIB_TCP_STATE_SYN_SENT, MIB_TCP_STATE_ESTAB);
        for (lines, state, stuck) in [
            ("go 1 0", asks, Some((What::Connection, 3))),
            ("go 1 0", open, Some((What::Rest, 30))),
            ("cmd 1 0\ngo 2 1", open, Some((What::Rest, 30))),
            (
                "go 1 0 blocked\ngit 2 1\ngit-remote-https 3 2",
                open,
                Some((What::Rest, 30)),
            ),
            // The peer has ended it; go will notice.
            ("go 1 0", MIB_TCP_STATE_ESTAB + 3, None),
            ("go 1 0 blocked", open, None),
            ("go 1 0\nw.test 2 1", open, None),
            ("go 1 0\ncompile 2 1", asks, None),
            ("cmd 1 0\ngo 2 1\ntimeout 3 1", open, None),
            // A connection of somebody else's.
            ("server 1 0", open, None),
        ] {
            assert_eq!(judged(lines, state, still), stuck, "{lines}");
        }
        assert_eq!(judged("go 1 0", open, |second| second / 5), None);
    }
}
