//! Asking the kernel for a whole table over a netlink socket. The links, addresses, routes and
//! rules are read here; `exec::stall` asks for TCP sockets.

use std::io;
use std::os::fd::AsRawFd as _;
use std::time::Duration;

use ipnet::IpNet;
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

use super::link::{RawLink, parse_address};
use super::message::{HEADER, NetlinkMessage, attributes, messages, u32_at};
use super::{route, rule};
use crate::model::{Route, Rule};

/// The kernel puts at most 32 KiB into one answer (`NLMSG_GOODSIZE` and `netlink_dump`).
const BUFFER: usize = 64 * 1024;
/// How often a table that changed while it was read is read again. After that it is taken as
/// it is: whatever changed it also sends a hint, and then it is read once more.
const TRIES: usize = 4;
/// Entries of one table. A router that speaks BGP has a million routes; no policy needs more than
/// this, and no command opens more sockets.
const MOST: usize = 20_000;
/// The kernel answers at once; this only keeps a broken one from stopping the agent.
const TIMEOUT: Duration = Duration::from_secs(2);

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST_DUMP: u16 = 0x301;
const NLM_F_DUMP_INTR: u16 = 0x10;
const IFLA_EXT_MASK: u16 = 29;
const RTEXT_FILTER_SKIP_STATS: u32 = 1 << 3;
/// Enough for each of the headers `ifinfomsg`, `ifaddrmsg`, `rtmsg` and `fib_rule_hdr`.
const BLANK_HEADER: usize = 16;

/// A netlink socket that asks for one table after another.
pub(crate) struct DumpSocket {
    socket: Socket,
    sequence: u32,
    buffer: Vec<u8>,
}

impl DumpSocket {
    /// Opens the socket, in the network namespace of the calling thread. `timeout`: for each
    /// answer.
    ///
    /// # Errors
    /// When the system refuses netlink, as some sandboxes do.
    pub(crate) fn open(protocol: isize, timeout: Duration) -> io::Result<DumpSocket> {
        let mut socket = Socket::new(protocol)?;
        socket.bind(&SocketAddr::new(0, 0))?;
        let timeout = libc::timeval {
            tv_sec: timeout.as_secs().try_into().unwrap_or(libc::time_t::MAX),
            tv_usec: timeout.subsec_micros().into(),
        };
        // SAFETY: the descriptor is open as long as `socket` lives, and the pointer and length
        // are those of a `timeval`, which is what SO_RCVTIMEO takes.
        let set = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_RCVTIMEO,
                std::ptr::from_ref(&timeout).cast(),
                size_of::<libc::timeval>() as libc::socklen_t,
            )
        };
        if set != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(DumpSocket {
            socket,
            sequence: 0,
            buffer: Vec::with_capacity(BUFFER),
        })
    }

    /// Asks for one table, and again if it changed meanwhile. `body` follows the message's header;
    /// `take` turns each message of the answer into entries.
    ///
    /// # Errors
    /// When the kernel refuses or does not answer.
    pub(crate) fn ask<T>(
        &mut self,
        kind: u16,
        body: &[u8],
        mut take: impl FnMut(&NetlinkMessage<'_>, &mut Vec<T>),
    ) -> io::Result<Vec<T>> {
        let mut tries = 1;
        loop {
            self.send(kind, body)?;
            let answer = self.collect(&mut take)?;
            if !answer.changed || tries == TRIES {
                return Ok(answer.entries);
            }
            tries += 1;
        }
    }

    fn send(&mut self, kind: u16, body: &[u8]) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let length = u32::try_from(HEADER + body.len()).unwrap_or_default();
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(NLM_F_REQUEST_DUMP.to_ne_bytes());
        bytes.extend(self.sequence.to_ne_bytes());
        bytes.extend([0; 4]);
        bytes.extend(body);
        self.socket.send_to(&bytes, &SocketAddr::new(0, 0), 0)?;
        Ok(())
    }

    /// Reads up to the end of the answer.
    fn collect<T>(
        &mut self,
        take: &mut impl FnMut(&NetlinkMessage<'_>, &mut Vec<T>),
    ) -> io::Result<Answer<T>> {
        let mut answer = Answer {
            entries: Vec::new(),
            changed: false,
        };
        loop {
            self.buffer.clear();
            let (_, sender) = match self.socket.recv_from(&mut self.buffer, 0) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            };
            let from_kernel = sender.port_number() == 0;
            if from_kernel && answer.add(&self.buffer, self.sequence, take)? {
                return Ok(answer);
            }
        }
    }
}

/// What has come of a table.
struct Answer<T> {
    entries: Vec<T>,
    /// The table changed while it was read.
    changed: bool,
}

impl<T> Answer<T> {
    /// Takes the messages that one `recv` brought; true after the last of the answer.
    fn add(
        &mut self,
        bytes: &[u8],
        sequence: u32,
        take: &mut impl FnMut(&NetlinkMessage<'_>, &mut Vec<T>),
    ) -> io::Result<bool> {
        for message in messages(bytes) {
            if message.sequence != sequence {
                continue; // the rest of an answer that was given up
            }
            self.changed |= message.flags & NLM_F_DUMP_INTR != 0;
            match message.kind {
                NLMSG_DONE => return Ok(true),
                NLMSG_ERROR => {
                    let code = u32_at(message.body, 0).unwrap_or_default();
                    return Err(io::Error::from_raw_os_error(
                        code.cast_signed().saturating_neg(),
                    ));
                }
                _ if self.entries.len() < MOST => take(&message, &mut self.entries),
                _ => {}
            }
        }
        Ok(false)
    }
}

/// The kernel's tables of the network.
pub(in crate::watch) struct NetworkTables(DumpSocket);

impl NetworkTables {
    /// Opens the socket, in the network namespace of the calling thread.
    ///
    /// # Errors
    /// When the system refuses netlink, as some sandboxes do.
    pub(in crate::watch) fn open() -> io::Result<NetworkTables> {
        Ok(NetworkTables(DumpSocket::open(NETLINK_ROUTE, TIMEOUT)?))
    }

    /// All links, sorted by index.
    ///
    /// # Errors
    /// When the kernel refuses or does not answer.
    pub(in crate::watch) fn links(&mut self) -> io::Result<Vec<RawLink>> {
        let mut links = self.ask(libc::RTM_GETLINK, libc::AF_UNSPEC, |message, links| {
            if message.kind == libc::RTM_NEWLINK {
                links.extend(RawLink::parse(message.body));
            }
        })?;
        links.sort_by_key(|link| link.index);
        links.dedup_by_key(|link| link.index);
        Ok(links)
    }

    /// All addresses with their links' indexes, sorted.
    ///
    /// # Errors
    /// When the kernel refuses or does not answer.
    pub(in crate::watch) fn addresses(&mut self) -> io::Result<Vec<(u32, IpNet)>> {
        let mut all = self.ask(libc::RTM_GETADDR, libc::AF_UNSPEC, |message, all| {
            if message.kind == libc::RTM_NEWADDR {
                all.extend(parse_address(message.body));
            }
        })?;
        all.sort();
        all.dedup();
        Ok(all)
    }

    /// The routes that say something, sorted.
    ///
    /// # Errors
    /// When the kernel refuses or does not answer.
    pub(in crate::watch) fn routes(&mut self) -> io::Result<Vec<Route>> {
        let mut all: Vec<Route> = self.both_families(libc::RTM_GETROUTE, |message, all| {
            if message.kind == libc::RTM_NEWROUTE {
                all.extend(route::parse(message.body));
            }
        })?;
        all.sort();
        all.dedup();
        Ok(all)
    }

    /// The rules beside those that always exist, sorted.
    ///
    /// # Errors
    /// When the kernel refuses or does not answer.
    pub(in crate::watch) fn rules(&mut self) -> io::Result<Vec<Rule>> {
        let mut all: Vec<Rule> = self.both_families(libc::RTM_GETRULE, |message, all| {
            if message.kind == libc::RTM_NEWRULE {
                all.extend(rule::parse(message.body));
            }
        })?;
        all.sort();
        all.dedup();
        Ok(all)
    }

    fn both_families<T>(
        &mut self,
        request: u16,
        mut take: impl FnMut(&NetlinkMessage<'_>, &mut Vec<T>),
    ) -> io::Result<Vec<T>> {
        let mut all = self.ask(request, libc::AF_INET, &mut take)?;
        // A kernel that was started with ipv6.disable=1 does not know the family.
        if let Ok(v6) = self.ask(request, libc::AF_INET6, &mut take) {
            all.extend(v6);
        }
        Ok(all)
    }

    fn ask<T>(
        &mut self,
        request: u16,
        family: libc::c_int,
        take: impl FnMut(&NetlinkMessage<'_>, &mut Vec<T>),
    ) -> io::Result<Vec<T>> {
        let mut body = vec![0; BLANK_HEADER];
        body[0] = u8::try_from(family).unwrap_or_default();
        if request == libc::RTM_GETLINK {
            body.extend(8_u16.to_ne_bytes());
            body.extend(IFLA_EXT_MASK.to_ne_bytes());
            body.extend(RTEXT_FILTER_SKIP_STATS.to_ne_bytes());
        }
        self.0.ask(request, &body, take)
    }
}

/// Can the message change what a survey shows? Most cannot: the local table, multicast,
/// what the kernel makes for each address.
pub(in crate::watch) fn is_telling(message: &NetlinkMessage<'_>) -> bool {
    match message.kind {
        libc::RTM_NEWROUTE | libc::RTM_DELROUTE => !route::parse(message.body).is_empty(),
        // Wi-Fi drivers announce each scan by a link message with nothing in it but that.
        libc::RTM_NEWLINK => !is_wireless_event(message.body),
        libc::RTM_DELLINK
        | libc::RTM_NEWADDR
        | libc::RTM_DELADDR
        | libc::RTM_NEWRULE
        | libc::RTM_DELRULE => true,
        _ => false,
    }
}

fn is_wireless_event(body: &[u8]) -> bool {
    const IFLA_WIRELESS: u16 = 11;
    const HEADER: usize = 16;
    const IW_EVENT_COMMAND: usize = 2;
    const SIOCGIWSCAN: u16 = 0x8b19;
    attributes(body.get(HEADER..).unwrap_or_default()).any(|(kind, value)| {
        kind == IFLA_WIRELESS
            && super::message::u16_at(value, IW_EVENT_COMMAND) == Some(SIOCGIWSCAN)
    })
}

#[cfg(test)]
mod tests {
    use super::super::message::tests::message;
    use super::*;

    #[test]
    fn the_loopback_link_and_its_address_are_in_the_tables() {
        let mut dump = NetworkTables::open().unwrap();
        let links = dump.links().unwrap();
        let lo = links.iter().find(|link| link.name == "lo").unwrap();
        assert_eq!(lo.hardware, libc::ARPHRD_LOOPBACK);
        if lo.is_up() {
            let net = "127.0.0.1/8".parse().unwrap();
            assert!(dump.addresses().unwrap().contains(&(lo.index, net)));
        }
        dump.routes().unwrap();
        dump.rules().unwrap();
    }

    #[test]
    fn only_messages_that_can_change_a_survey_are_telling() {
        let telling = |kind: u16, body: &[u8]| {
            let bytes = message(kind, body);
            is_telling(&messages(&bytes).next().unwrap())
        };
        let default = [2, 0, 0, 0, 254, 3, 0, 1, 0, 0, 0, 0];
        let local = [2, 32, 0, 0, 255, 2, 0, 2, 0, 0, 0, 0];
        assert!(telling(libc::RTM_NEWROUTE, &default));
        assert!(telling(libc::RTM_DELROUTE, &default));
        assert!(!telling(libc::RTM_NEWROUTE, &local));
        assert!(telling(libc::RTM_NEWLINK, &[0; 16]));
        assert!(!telling(libc::RTM_NEWNEIGH, &[0; 16]));
    }

    #[test]
    fn torn_answers_are_survived_and_a_refusal_is_an_error() {
        let take = &mut |message: &NetlinkMessage<'_>, all: &mut Vec<u16>| all.push(message.kind);
        let mut answer = Answer {
            entries: Vec::new(),
            changed: false,
        };
        for bytes in [
            &b""[..],
            &[0; 16],
            &[255; 64],
            &[20, 0, 0, 0, 20, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0],
        ] {
            assert!(matches!(answer.add(bytes, 1, take), Ok(false)));
        }
        assert_eq!(answer.entries, [0_u16; 0]);
        let mut refused = message(NLMSG_ERROR, &(-2_i32).to_ne_bytes());
        assert!(
            matches!(answer.add(&refused, 1, take), Ok(false)),
            "of another request"
        );
        refused[8..12].copy_from_slice(&1_u32.to_ne_bytes());
        let error = answer.add(&refused, 1, take).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(2));
    }
}
