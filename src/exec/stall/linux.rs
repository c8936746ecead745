//! Samples the command's processes (proc_pid_stat(5)) and sockets on Linux. Only sock_diag(7) tells
//! how many bytes a TCP connection has moved, and when the last of them (`linux/inet_diag.h`,
//! `linux/tcp.h`).

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::net::netlink::SOCK_DIAG;

use super::judge::{Sample, Socket, SocketState};
use super::tree::{Process, tree};
use crate::probe::tcp_table::{ESTABLISHED, SYN_SENT, SocketRow, rows};
use crate::watch::netlink::{DumpSocket, find_attribute, u32_at};

/// More processes than any build machine has; further ones are not examined.
const MOST_PROCESSES: usize = 100_000;

/// How many bytes of a table of sockets are read.
const MOST_TABLE: u64 = 4 << 20;
/// Port of a name server.
const DNS: u16 = 53;
/// Where a thread of go waits (`/proc/PID/task/TID/wchan`, a function of the kernel) if it does not
/// wait for the network, which go does through epoll: for another go's lock, for the reader of its
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
const SOCK_DIAG_BY_FAMILY: u16 = 20;
/// `1 << (INET_DIAG_INFO - 1)`: with `struct tcp_info`.
const WITH_INFO: u8 = 1 << 1;
const INET_DIAG_INFO: u16 = 2;
/// `struct inet_diag_msg`.
const DIAG_MESSAGE: usize = 72;
/// The kernel answers at once; this only keeps a faulty kernel from blocking goroam.
const DIAG_TIMEOUT: Duration = Duration::from_millis(200);

/// Samples one command.
pub(in super::super) struct CommandSampler {
    leader: i32,
    diag: Option<DumpSocket>,
    output: u64,
}

impl std::fmt::Debug for CommandSampler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Look")
            .field("leader", &self.leader)
            .finish()
    }
}

impl CommandSampler {
    /// For the command with this process ID.
    pub(in super::super) fn at(leader: i32) -> CommandSampler {
        CommandSampler {
            leader,
            diag: DumpSocket::open(Some(SOCK_DIAG), DIAG_TIMEOUT).ok(),
            output: 0,
        }
    }

    /// Takes one sample. `output`: bytes of output so far.
    pub(in super::super) fn look(&mut self, at: Duration, output: u64) -> Sample {
        let seen = tree(&processes().unwrap_or_default(), self.leader);
        let speaks = output != self.output;
        self.output = output;
        let mut sample = Sample {
            at,
            output,
            cpu: seen.cpu,
            busy: seen.busy,
            sockets: Vec::new(),
        };
        // The expensive part runs only if no process works and no output comes.
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
        sample.sockets = found;
        sample
    }

    fn tcp(&mut self, network: &Path, inodes: &BTreeSet<u64>) -> Vec<Socket> {
        let wanted = |inode: u64| inodes.contains(&inode);
        if let Some(diag) = &mut self.diag {
            match connections(diag, &wanted) {
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
                SYN_SENT => SocketState::Connecting,
                ESTABLISHED => SocketState::Open {
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

/// Returns the UDP sockets that wait for a name server. go opens one for each question.
fn resolving(network: &Path, inodes: &BTreeSet<u64>) -> Vec<Socket> {
    let rows = read(network, "udp", inodes).into_iter();
    rows.filter(|row| row.remote.port() == DNS)
        .map(|row| socket(row, SocketState::Resolving))
        .collect()
}

fn socket(row: SocketRow, state: SocketState) -> Socket {
    Socket {
        id: row.inode,
        peer: Some(row.remote),
        state,
    }
}

fn read(network: &Path, name: &str, inodes: &BTreeSet<u64>) -> Vec<SocketRow> {
    let mut found = Vec::new();
    for name in [name.to_owned(), format!("{name}6")] {
        let mut text = String::new();
        if let Ok(file) = fs::File::open(network.join(name)) {
            // If the table cannot be read to its end, the part that was read is used.
            drop(file.take(MOST_TABLE).read_to_string(&mut text));
        }
        found.extend(rows(&text).filter(|row| inodes.contains(&row.inode)));
    }
    found
}

fn process(pid: i32) -> PathBuf {
    Path::new("/proc").join(pid.to_string())
}

/// Collects the inode numbers of a process's sockets; true if it has opened the terminal to ask a
/// person.
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

/// Whether a go waits for something other than the network.
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
        let on_disk = parse_stat(&stat, 1).is_some_and(|one| one.state == b'D');
        if on_disk || EXCUSES.iter().any(|excuse| waits.contains(excuse)) {
            return Excuse::Has;
        }
        // `0` is a running thread, or one that goroam may not examine.
        if !matches!(waits.as_str(), "" | "0") {
            excuse = Excuse::None;
        }
    }
    excuse
}

/// An idle connection looks like one whose answer has stopped half-way; these states are
/// unambiguous.
fn waits_for_sure(state: SocketState) -> bool {
    match state {
        SocketState::Connecting | SocketState::Resolving => true,
        SocketState::Open {
            received, asked, ..
        } => asked || received == Some(0),
    }
}

/// Returns the TCP sockets that are connected or connecting, if their number is wanted.
///
/// # Errors
/// When the kernel refuses or does not answer.
fn connections(diag: &mut DumpSocket, wanted: &dyn Fn(u64) -> bool) -> io::Result<Vec<Socket>> {
    let mut ask = |family| {
        diag.ask(SOCK_DIAG_BY_FAMILY, &request(family), |body| {
            connection(body).filter(|socket| wanted(socket.id))
        })
    };
    let mut found: Vec<Socket> = ask(libc::AF_INET)?;
    // The kernel may have been started without IPv6.
    found.extend(ask(libc::AF_INET6).unwrap_or_default());
    Ok(found)
}

/// `struct inet_diag_req_v2`.
fn request(family: libc::c_int) -> Vec<u8> {
    const ID: usize = 48;
    let states = (1_u32 << ESTABLISHED) | (1 << SYN_SENT);
    let mut bytes = vec![
        u8::try_from(family).unwrap_or_default(),
        u8::try_from(libc::IPPROTO_TCP).unwrap_or_default(),
        WITH_INFO,
        0,
    ];
    bytes.extend(states.to_ne_bytes());
    bytes.extend([0; ID]);
    bytes
}

/// `struct inet_diag_msg` and its attributes.
fn connection(body: &[u8]) -> Option<Socket> {
    let port = u16::from_be_bytes(body.get(6..8)?.try_into().ok()?);
    let peer = body.get(24..40)?;
    let ip = match libc::c_int::from(*body.first()?) {
        libc::AF_INET => {
            let v4: [u8; 4] = peer.get(..4)?.try_into().ok()?;
            IpAddr::V4(Ipv4Addr::from(v4))
        }
        _ => {
            let v6: [u8; 16] = peer.try_into().ok()?;
            IpAddr::V6(Ipv6Addr::from(v6)).to_canonical()
        }
    };
    let state = match *body.get(1)? {
        SYN_SENT => SocketState::Connecting,
        _ => open(find_attribute(body.get(DIAG_MESSAGE..)?, INET_DIAG_INFO).unwrap_or_default()),
    };
    Some(Socket {
        id: u64::from(u32_at(body, 68)?),
        peer: Some(SocketAddr::new(ip, port)),
        state,
    })
}

/// Reads `struct tcp_info`, which grows from kernel to kernel. Uses `tcpi_bytes_acked`, not
/// `tcpi_bytes_sent`: the latter counts bytes that are sent again to a peer that is gone.
fn open(info: &[u8]) -> SocketState {
    let (sent_ago, received_ago) = (u32_at(info, 44), u32_at(info, 52));
    SocketState::Open {
        sent: u64_at(info, 120),
        received: u64_at(info, 128),
        asked: matches!((sent_ago, received_ago), (Some(sent), Some(received)) if sent < received),
    }
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

/// Returns the processes of this machine.
///
/// # Errors
/// When there is no /proc.
pub(in super::super) fn processes() -> io::Result<Vec<Process>> {
    let ticks = ticks();
    let pids = fs::read_dir("/proc")?.filter_map(|entry| {
        let name = entry.ok()?.file_name();
        name.to_str()?.parse::<i32>().ok()
    });
    let one = |pid: i32| {
        let stat = fs::read(process(pid).join("stat")).ok()?;
        parse_stat(&stat, ticks)
    };
    // A process that has ended in the meantime is skipped.
    Ok(pids.filter_map(one).take(MOST_PROCESSES).collect())
}

/// `PID (NAME) STATE PPID PGRP …`; the name may contain any character, so the last `)` ends it.
fn parse_stat(stat: &[u8], ticks: u64) -> Option<Process> {
    let stat = String::from_utf8_lossy(stat);
    let (pid, rest) = stat.split_once(" (")?;
    let (name, rest) = rest.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().take(15).collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    // utime, stime, cutime, cstime: fields 14 to 17 of the manual page.
    let used = [11, 12, 13, 14].iter().filter_map(|at| number(*at));
    let used = used.fold(0_u64, u64::saturating_add);
    Some(Process {
        pid: pid.parse().ok()?,
        name: name.to_owned(),
        state: *fields.first()?.as_bytes().first()?,
        parent: fields.get(1)?.parse().ok()?,
        group: fields.get(2)?.parse().ok()?,
        cpu: Duration::from_millis(used.saturating_mul(1000) / ticks.max(1)),
    })
}

/// Returns the CPU time ticks in a second.
fn ticks() -> u64 {
    // SAFETY: sysconf takes and returns a number.
    u64::try_from(unsafe { libc::sysconf(libc::_SC_CLK_TCK) }).unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn a_name_with_spaces_and_brackets_is_a_name() {
        let stat = b"42 (a) S 1 (b) T 7 9 9 0 -1 4194304 1 2 3 4 50 60 1 2 20 0 1 0 5 6 7";
        let process = parse_stat(stat, 100).unwrap();
        assert_eq!((process.pid, process.name.as_str()), (42, "a) S 1 (b"));
        assert_eq!((process.state, process.parent, process.group), (b'T', 7, 9));
        assert_eq!(process.cpu, Duration::from_millis(1130));
        for torn in [&b""[..], b"42", b"42 (x", b"42 (x) ", b"42 (x) S 1"] {
            assert_eq!(parse_stat(torn, 100), None);
        }
    }

    #[test]
    fn this_test_is_among_them() {
        let own = i32::try_from(std::process::id()).unwrap();
        let all = processes().unwrap();
        let process = all.iter().find(|one| one.pid == own).unwrap();
        assert!(!process.is_dead() && process.parent > 0 && process.group > 0);
    }

    fn inode(stream: &TcpStream) -> u64 {
        let link = format!("/proc/self/fd/{}", stream.as_raw_fd());
        let link = std::fs::read_link(link).unwrap();
        let link = link.to_str().unwrap();
        let number = link.strip_prefix("socket:[").unwrap();
        number.strip_suffix(']').unwrap().parse().unwrap()
    }

    #[test]
    fn the_kernel_counts_bytes_and_knows_who_spoke_last() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut here = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut there, _) = listener.accept().unwrap();
        let wanted = inode(&here);
        let mut diag = DumpSocket::open(Some(SOCK_DIAG), DIAG_TIMEOUT).unwrap();
        let mut look = || {
            let found = connections(&mut diag, &|id| id == wanted).unwrap();
            assert_eq!(found.len(), 1);
            assert_eq!(found[0].peer, Some(here.peer_addr().unwrap()));
            match found[0].state {
                SocketState::Open { received, .. } => received,
                other @ (SocketState::Connecting | SocketState::Resolving) => panic!("{other:?}"),
            }
        };
        assert_eq!(look(), Some(0));
        there.write_all(b"12345").unwrap();
        let mut buffer = [0; 5];
        (&here).read_exact(&mut buffer).unwrap();
        assert_eq!(look(), Some(5));
        // The kernel counts in steps of up to 10 ms.
        std::thread::sleep(std::time::Duration::from_millis(50));
        here.write_all(b"?").unwrap();
        let found = connections(&mut diag, &|id| id == wanted).unwrap();
        assert!(matches!(
            found[0].state,
            SocketState::Open { asked: true, .. }
        ));
    }

    #[test]
    fn a_torn_entry_is_survived() {
        for length in 0..DIAG_MESSAGE {
            assert_eq!(connection(&vec![2; length]), None);
        }
        // Its attributes have a length of zero.
        let torn = [&[1; DIAG_MESSAGE][..], &[0; 4]].concat();
        let unknown = SocketState::Open {
            sent: None,
            received: None,
            asked: false,
        };
        let mut entry = connection(&torn).unwrap();
        assert_eq!(entry.state, unknown);
        entry = connection(&torn[..DIAG_MESSAGE]).unwrap();
        assert_eq!(entry.state, unknown);
    }
}
