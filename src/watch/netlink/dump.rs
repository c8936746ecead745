//! Asking the kernel for all links, addresses, routes and rules.

use std::io;
use std::os::fd::AsRawFd as _;

use ipnet::IpNet;
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

use super::link::{RawLink, parse_address};
use super::message::{Message, attributes, messages, u32_at};
use super::{route, rule};
use crate::model::{Route, Rule};

/// The kernel puts at most 32 KiB into one answer (`NLMSG_GOODSIZE` and `netlink_dump`).
const BUFFER: usize = 64 * 1024;
/// How often a table that changed while it was read is read again. After that it is taken as
/// it is: whatever changed it also sends a hint, and then it is read once more.
const TRIES: usize = 4;
/// A router that speaks BGP has a million; no policy can need more than this.
const MOST: usize = 20_000;
/// The kernel answers at once; this only keeps a broken one from stopping the agent.
const PATIENCE_SECONDS: libc::time_t = 2;

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST_DUMP: u16 = 0x301;
const NLM_F_DUMP_INTR: u16 = 0x10;
const IFLA_EXT_MASK: u16 = 29;
const RTEXT_FILTER_SKIP_STATS: u32 = 1 << 3;
/// Enough for each of the headers `ifinfomsg`, `ifaddrmsg`, `rtmsg` and `fib_rule_hdr`.
const BLANK_HEADER: usize = 16;

/// A socket to ask on.
pub(in crate::watch) struct Dump {
    socket: Socket,
    sequence: u32,
    buffer: Vec<u8>,
}

impl Dump {
    /// Opens the socket, in the network namespace of the calling thread.
    ///
    /// # Errors
    /// When the system refuses netlink, as some sandboxes do.
    pub(in crate::watch) fn open() -> io::Result<Dump> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind(&SocketAddr::new(0, 0))?;
        let patience = libc::timeval {
            tv_sec: PATIENCE_SECONDS,
            tv_usec: 0,
        };
        // SAFETY: the descriptor is open as long as `socket` lives, and the pointer and length
        // are those of a `timeval`, which is what SO_RCVTIMEO takes.
        let set = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_RCVTIMEO,
                std::ptr::from_ref(&patience).cast(),
                size_of::<libc::timeval>() as libc::socklen_t,
            )
        };
        if set != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Dump {
            socket,
            sequence: 0,
            buffer: Vec::with_capacity(BUFFER),
        })
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
        mut take: impl FnMut(&Message<'_>, &mut Vec<T>),
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
        mut take: impl FnMut(&Message<'_>, &mut Vec<T>),
    ) -> io::Result<Vec<T>> {
        let mut tries = 1;
        loop {
            self.send(request, family)?;
            let (all, torn) = self.collect(&mut take)?;
            if !torn || tries == TRIES {
                return Ok(all);
            }
            tries += 1;
        }
    }

    fn send(&mut self, request: u16, family: libc::c_int) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut body = vec![0; BLANK_HEADER];
        body[0] = u8::try_from(family).unwrap_or_default();
        if request == libc::RTM_GETLINK {
            body.extend(8_u16.to_ne_bytes());
            body.extend(IFLA_EXT_MASK.to_ne_bytes());
            body.extend(RTEXT_FILTER_SKIP_STATS.to_ne_bytes());
        }
        let length = u32::try_from(BLANK_HEADER + body.len()).unwrap_or_default();
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend(request.to_ne_bytes());
        bytes.extend(NLM_F_REQUEST_DUMP.to_ne_bytes());
        bytes.extend(self.sequence.to_ne_bytes());
        bytes.extend([0; 4]);
        bytes.extend(body);
        self.socket.send_to(&bytes, &SocketAddr::new(0, 0), 0)?;
        Ok(())
    }

    /// Reads up to the end of the answer; also says whether the table changed meanwhile.
    fn collect<T>(
        &mut self,
        take: &mut impl FnMut(&Message<'_>, &mut Vec<T>),
    ) -> io::Result<(Vec<T>, bool)> {
        let mut all = Vec::new();
        let mut torn = false;
        loop {
            self.buffer.clear();
            let (_, sender) = match self.socket.recv_from(&mut self.buffer, 0) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            };
            if sender.port_number() != 0 {
                continue; // not the kernel
            }
            for message in messages(&self.buffer) {
                if message.sequence != self.sequence {
                    continue; // the rest of an answer that was given up
                }
                torn |= message.flags & NLM_F_DUMP_INTR != 0;
                match message.kind {
                    NLMSG_DONE => return Ok((all, torn)),
                    NLMSG_ERROR => {
                        let code = u32_at(message.body, 0).unwrap_or_default();
                        return Err(io::Error::from_raw_os_error(
                            code.cast_signed().saturating_neg(),
                        ));
                    }
                    _ if all.len() < MOST => take(&message, &mut all),
                    _ => {}
                }
            }
        }
    }
}

/// Can the message change what a survey shows? Most cannot: the local table, multicast,
/// what the kernel makes for each address.
pub(in crate::watch) fn is_telling(message: &Message<'_>) -> bool {
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
        let mut dump = Dump::open().unwrap();
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
}
