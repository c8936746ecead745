//! Samples the command's processes and connections on Windows.
//!
//! Windows tells only an administrator how many bytes a connection of another process has moved. So
//! every open connection has the longest limit, and movement is read from the processes' own
//! counts. `NtQuerySystemInformation` returns all processes and threads in one call (winternl.h;
//! the fields that it calls reserved are the same since Windows Vista: Process Hacker's
//! `ntexapi.h`).

use std::io;
use std::time::Duration;

use windows_sys::Wdk::System::SystemInformation::{
    NtQuerySystemInformation, SystemProcessInformation,
};
use windows_sys::Win32::Foundation::STATUS_INFO_LENGTH_MISMATCH;
use windows_sys::Win32::NetworkManagement::IpHelper::{
    MIB_TCP_STATE_ESTAB, MIB_TCP_STATE_SYN_SENT,
};
use windows_sys::Win32::System::WindowsProgramming::{
    SYSTEM_PROCESS_INFORMATION, SYSTEM_THREAD_INFORMATION,
};

use super::judge::{Sample, Socket, SocketState};
use super::tree::{Process, tree};
use crate::probe::tcp_table::{SocketRow, connections};

/// Bytes; a desktop with 300 processes and 4,000 threads needs some 400 KiB.
const FIRST_SIZE: usize = 512 << 10;
const MOST: usize = 64 << 20;
/// In `Reserved1`: the creation time, and the CPU time in user and kernel mode, in 100 ns.
const CREATED: usize = 24;
const USER: usize = 32;
const KERNEL: usize = 40;
/// `KTHREAD_STATE`: the thread waits.
const WAITING: u32 = 5;
/// `KWAIT_REASON`: within a call to a driver that lets its caller wait. go uses such calls for
/// files and pipes: a lock of another go, a reader of its output, a console in which a person
/// selects text. For the network go waits on its completion port (`WrQueue`).
const EXECUTIVE: [u32; 2] = [0, 7];
/// `KWAIT_REASON`: suspended by a debugger, or by the process that started it.
const SUSPENDED: [u32; 2] = [5, 12];

/// A console's own process is a child of the console's first program, but does no work for it.
const CONSOLES: [&str; 2] = ["conhost", "openconsole"];

/// Samples one command.
#[derive(Debug)]
pub(in super::super) struct CommandSampler {
    leader: i32,
    output: u64,
}

impl CommandSampler {
    /// For the command with this process ID.
    pub(in super::super) fn at(leader: i32) -> CommandSampler {
        CommandSampler { leader, output: 0 }
    }

    /// Takes one sample. `output`: bytes of output so far.
    pub(in super::super) fn look(&mut self, at: Duration, output: u64) -> Sample {
        let mut all = processes().unwrap_or_default();
        all.retain(|seen| !CONSOLES.contains(&seen.process.name.as_str()));
        let speaks = output != self.output;
        self.output = output;
        let (sample, fetching) = sample(at, output, &all, self.leader);
        // The expensive part runs only if no process works and no output comes.
        if sample.busy || speaks || fetching.is_empty() {
            return sample;
        }
        let rows = connections().unwrap_or_default();
        let sockets = rows.iter().filter_map(|row| socket(row, &fetching));
        Sample {
            sockets: sockets.collect(),
            ..sample
        }
    }
}

/// Returns what the processes show, and which of them fetch.
fn sample(at: Duration, output: u64, all: &[ProcessCounts], leader: i32) -> (Sample, Vec<i32>) {
    let processes: Vec<Process> = all.iter().map(|seen| seen.process.clone()).collect();
    let tree = tree(&processes, leader);
    let is_parent = |pid: i32| processes.iter().any(|process| process.parent == pid);
    // A go that has started a process reads that process's output in the same way as a file.
    let waits = |seen: &ProcessCounts| {
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
        sockets: Vec::new(),
    };
    (sample, fetching)
}

fn socket(row: &SocketRow, fetching: &[i32]) -> Option<Socket> {
    let owner = i32::try_from(row.owner).ok()?;
    let state = match row.state.cast_signed() {
        MIB_TCP_STATE_SYN_SENT => SocketState::Connecting,
        MIB_TCP_STATE_ESTAB => SocketState::Open {
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

/// One process at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ProcessCounts {
    /// As on other systems; the name is without `.exe` and in lower case.
    process: Process,
    /// The bytes of its reads, writes and other requests to drivers, including those to sockets.
    /// Wine does not count them.
    moved: u64,
    /// A thread waits for a driver other than the network's. Wine does not report this.
    blocked: bool,
}

/// Returns all processes.
///
/// # Errors
/// When the system does not return them.
fn processes() -> io::Result<Vec<ProcessCounts>> {
    let mut size = FIRST_SIZE;
    while size <= MOST {
        // The memory is made of words, so that the structures are aligned.
        let mut memory = vec![0_u64; size / 8];
        let mut needed = 0;
        // SAFETY: the memory has that many writable bytes.
        let status = unsafe {
            NtQuerySystemInformation(
                SystemProcessInformation,
                memory.as_mut_ptr().cast(),
                u32::try_from(size).unwrap_or_default(),
                &raw mut needed,
            )
        };
        match status {
            0 => return Ok(all(&memory)),
            // More processes may start in the meantime.
            STATUS_INFO_LENGTH_MISMATCH => size *= 2,
            other => return Err(io::Error::other(format!("status {other:#x}"))),
        }
    }
    Err(io::Error::other("they are too many"))
}

fn all(memory: &[u64]) -> Vec<ProcessCounts> {
    let bytes = Bytes(memory);
    let mut found = Vec::new();
    let mut created = Vec::new();
    let mut at = 0;
    // SAFETY: the structure is plain data, for which any bits are a value.
    while let Some(one) = unsafe { bytes.read::<SYSTEM_PROCESS_INFORMATION>(at) } {
        let threads = at + size_of::<SYSTEM_PROCESS_INFORMATION>();
        if let Some(seen) = counts(bytes, &one, threads) {
            created.push((seen.process.pid, number(&one.Reserved1, CREATED)));
            found.push(seen);
        }
        match usize::try_from(one.NextEntryOffset) {
            Ok(next) if next > 0 => at += next,
            _ => break,
        }
    }
    // The system reuses a process ID after the process has ended; a child knows only its parent's
    // ID.
    let since = |pid: i32| created.iter().find(|(other, _)| *other == pid);
    for seen in &mut found {
        let process = &mut seen.process;
        let own = since(process.pid).map_or(0, |(_, at)| *at);
        if since(process.parent).is_some_and(|(_, parents)| *parents > own) {
            process.parent = 0;
        }
    }
    found
}

fn counts(
    bytes: Bytes<'_>,
    one: &SYSTEM_PROCESS_INFORMATION,
    threads: usize,
) -> Option<ProcessCounts> {
    let name = bytes.text(one.ImageName.Buffer, one.ImageName.Length.into());
    let name = name.to_lowercase();
    let cpu = number(&one.Reserved1, USER).saturating_add(number(&one.Reserved1, KERNEL));
    let count = usize::try_from(one.NumberOfThreads).unwrap_or(usize::MAX);
    let states: Vec<(u32, u32)> = (0..count)
        .map_while(|index| {
            let at = index.checked_mul(size_of::<SYSTEM_THREAD_INFORMATION>())?;
            // SAFETY: the structure is plain data, for which any bits are a value.
            unsafe { bytes.read::<SYSTEM_THREAD_INFORMATION>(threads.checked_add(at)?) }
        })
        .map(|thread| (thread.ThreadState, thread.WaitReason))
        .collect();
    Some(ProcessCounts {
        process: Process {
            pid: i32::try_from(one.UniqueProcessId as usize).ok()?,
            name: name.strip_suffix(".exe").unwrap_or(&name).to_owned(),
            state: if is_suspended(&states) { b'T' } else { b'S' },
            parent: i32::try_from(one.Reserved2 as usize).unwrap_or_default(),
            group: 0,
            cpu: Duration::from_micros(cpu / 10),
        },
        moved: one
            .Reserved7
            .iter()
            .fold(0, |sum, count| sum.wrapping_add(count.cast_unsigned())),
        blocked: is_blocked(&states),
    })
}

/// Takes the states and wait reasons of a process's threads.
fn is_blocked(threads: &[(u32, u32)]) -> bool {
    let mut waits = threads.iter().filter(|(state, _)| *state == WAITING);
    waits.any(|(_, reason)| EXECUTIVE.contains(reason))
}

fn is_suspended(threads: &[(u32, u32)]) -> bool {
    let suspended = |(state, reason): &(u32, u32)| *state == WAITING && SUSPENDED.contains(reason);
    !threads.is_empty() && threads.iter().all(suspended)
}

fn number(reserved: &[u8; 48], at: usize) -> u64 {
    let bytes = reserved.get(at..at + 8);
    bytes.map_or(0, |bytes| {
        u64::from_le_bytes(bytes.try_into().unwrap_or_default())
    })
}

/// The memory that the system has written to; nothing is read beyond its end.
#[derive(Clone, Copy)]
struct Bytes<'a>(&'a [u64]);

impl Bytes<'_> {
    /// # Safety
    /// Any bits must be a value of `T`.
    unsafe fn read<T>(self, at: usize) -> Option<T> {
        let end = at.checked_add(size_of::<T>())?;
        if end > size_of_val(self.0) {
            return None;
        }
        // SAFETY: the whole value lies within the slice; it need not be aligned.
        Some(unsafe { self.0.as_ptr().byte_add(at).cast::<T>().read_unaligned() })
    }

    /// Reads UTF-16 of this many bytes at an address that the system has returned.
    fn text(self, from: *const u16, length: usize) -> String {
        let at = (from as usize).wrapping_sub(self.0.as_ptr() as usize);
        let unit = |index: usize| {
            let at = at.checked_add(index.checked_mul(2)?)?;
            // SAFETY: any bits are a value of `u16`.
            unsafe { self.read::<u16>(at) }
        };
        let units: Vec<u16> = (0..length / 2).map_while(unit).collect();
        String::from_utf16_lossy(&units)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::stall::judge::{StallJudge, StallLimits, WaitsFor};

    const LIMITS: StallLimits = StallLimits {
        connect: Duration::from_secs(3),
        first_byte: Duration::from_secs(8),
        stall: Duration::from_secs(30),
    };

    /// Makes processes from `NAME PID PARENT [blocked]`, one a line; the first is the leader.
    fn seen(lines: &str, moved: u64) -> Vec<ProcessCounts> {
        let one = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            ProcessCounts {
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

    /// Takes a sample every 250 ms for a minute; `moved` returns the bytes moved by each second.
    fn judged(lines: &str, state: i32, moved: fn(u64) -> u64) -> Option<(WaitsFor, u64)> {
        let row = |owner| SocketRow {
            state: state.cast_unsigned(),
            local: "10.0.0.2:50000".parse().unwrap(),
            remote: "192.0.2.1:443".parse().unwrap(),
            owner,
        };
        let rows = [row(1), row(2), row(3)];
        let mut judge = StallJudge::new(LIMITS);
        (0..240).find_map(|tick| {
            let at = Duration::from_millis(tick * 250);
            let all = seen(lines, moved(at.as_secs()));
            let (mut sample, fetching) = sample(at, 0, &all, 1);
            let sockets = rows.iter().filter_map(|row| socket(row, &fetching));
            sample.sockets = sockets.collect();
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
            ("go 1 0", asks, Some((WaitsFor::Connection, 3))),
            ("go 1 0", open, Some((WaitsFor::Rest, 30))),
            ("cmd 1 0\ngo 2 1", open, Some((WaitsFor::Rest, 30))),
            (
                "go 1 0 blocked\ngit 2 1\ngit-remote-https 3 2",
                open,
                Some((WaitsFor::Rest, 30)),
            ),
            // The peer has closed it; go will notice.
            ("go 1 0", MIB_TCP_STATE_ESTAB + 3, None),
            ("go 1 0 blocked", open, None),
            ("go 1 0\nw.test 2 1", open, None),
            ("go 1 0\ncompile 2 1", asks, None),
            ("cmd 1 0\ngo 2 1\ntimeout 3 1", open, None),
            // Another process's connection.
            ("server 1 0", open, None),
        ] {
            assert_eq!(judged(lines, state, still), stuck, "{lines}");
        }
        assert_eq!(judged("go 1 0", open, |second| second / 5), None);
    }

    #[test]
    fn this_test_and_its_child_are_among_them() {
        let mut child = std::process::Command::new("cmd")
            .args(["/d", "/c", "pause"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let all = processes().unwrap();
        let find = |pid: u32| {
            let pid = pid.cast_signed();
            all.iter().find(|seen| seen.process.pid == pid).cloned()
        };
        let (own, other) = (find(std::process::id()), find(child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
        let (own, other) = (own.unwrap().process, other.unwrap().process);
        assert_eq!((other.name.as_str(), other.parent), ("cmd", own.pid));
        assert!(
            own.name.starts_with("goroam") && own.state == b'S',
            "{own:?}"
        );
    }

    #[test]
    fn what_lies_beyond_the_memory_is_not_read() {
        assert_eq!(all(&[]), []);
        assert_eq!(all(&[0; 20]), []);
        // The next entry, the name and the threads lie outside of the memory.
        let mut torn = vec![u64::MAX; size_of::<SYSTEM_PROCESS_INFORMATION>() / 8];
        torn[10] = 4;
        assert_eq!(all(&torn).len(), 1);
    }

    #[test]
    fn threads_say_why_they_wait() {
        // Running, on the completion port, waiting for another thread; then in a driver.
        let network = [(2, 0), (WAITING, 15), (WAITING, 6), (WAITING, 4)];
        assert!(!is_blocked(&network) && !is_suspended(&network));
        assert!(is_blocked(&[(WAITING, 15), (WAITING, 0)]));
        assert!(is_suspended(&[(WAITING, 5), (WAITING, 5)]));
        assert!(!is_suspended(&[(WAITING, 5), (WAITING, 15)]));
        // As Wine reports it.
        let untold = [(0, 0), (0, 0)];
        assert!(!is_blocked(&untold) && !is_suspended(&untold) && !is_suspended(&[]));
    }
}
