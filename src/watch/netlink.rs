//! Linux netlink (`linux/netlink.h`): messages and attributes as bytes, and the socket that
//! requests a table from the kernel. `watch/linux` reads the tables of the network, `exec::stall`
//! those of TCP sockets, `relay` looks one socket up. The bytes come from the kernel only, but no byte sequence
//! may cause a panic here.
//!
//! `netlink-packet-route` could do this too, but would add a third copy of the slowest crate in the
//! tree.

use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::io::retry_on_intr;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, bind, recvfrom, sendto,
    socket_with,
};

/// `struct nlmsghdr`.
const HEADER: usize = 16;
/// Netlink aligns messages and attributes to four bytes.
pub(super) const ALIGNMENT: usize = 4;
/// `struct rtattr`.
const ATTRIBUTE_HEADER: usize = 4;
/// The kernel puts at most 32 KiB into one answer (`NLMSG_GOODSIZE` and `netlink_dump`).
pub(super) const BUFFER: usize = 64 * 1024;
/// How often a table that changed during reading is read again. After that it is used as it is:
/// every change also sends a hint, and then the table is read once more.
const TRIES: usize = 4;
/// The most entries of one table. A router that speaks BGP has a million routes; no policy needs
/// more than this, and no command opens more sockets.
const MOST: usize = 20_000;

/// The kernel answers at once; this only keeps a faulty kernel from blocking the agent.
pub(super) const TIMEOUT: Duration = Duration::from_secs(2);
/// Enough for each of the headers `ifinfomsg`, `ifaddrmsg`, `rtmsg` and `fib_rule_hdr`.
const BLANK_HEADER: usize = 16;

const IFLA_EXT_MASK: u16 = 29;
const RTEXT_FILTER_SKIP_STATS: u32 = 1 << 3;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST_DUMP: u16 = 0x301;
const NLM_F_REQUEST_ACK: u16 = 0x5;
const NLM_F_DUMP_INTR: u16 = 0x10;

/// One message, without its header.
#[derive(Debug, Clone, Copy)]
pub(super) struct NetlinkMessage<'a> {
    /// `RTM_NEWLINK` or another type.
    pub(super) kind: u16,
    /// `NLM_F_…`.
    flags: u16,
    /// The number of the request that the message answers.
    sequence: u32,
    /// What follows the header.
    pub(super) body: &'a [u8],
}

/// Splits the bytes of one `recv` into messages. Ends at the first one whose length is invalid.
pub(super) fn messages(mut bytes: &[u8]) -> impl Iterator<Item = NetlinkMessage<'_>> {
    std::iter::from_fn(move || {
        let length = usize::try_from(u32_at(bytes, 0)?).ok()?;
        let message = NetlinkMessage {
            kind: u16_at(bytes, 4)?,
            flags: u16_at(bytes, 6)?,
            sequence: u32_at(bytes, 8)?,
            body: bytes.get(HEADER..length)?,
        };
        bytes = bytes
            .get(length.next_multiple_of(ALIGNMENT)..)
            .unwrap_or_default();
        Some(message)
    })
}

/// Returns type and value of each attribute after the fixed part of a message, or within a nested
/// attribute.
pub(super) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(bytes, 0)?);
        let value = bytes.get(ATTRIBUTE_HEADER..length)?;
        // The two upper bits are NLA_F_NESTED and NLA_F_NET_BYTEORDER.
        let kind = u16_at(bytes, 2)? & 0x3fff;
        bytes = bytes
            .get(length.next_multiple_of(ALIGNMENT)..)
            .unwrap_or_default();
        Some((kind, value))
    })
}

/// Makes an attribute, to be part of a request.
pub(super) fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(ATTRIBUTE_HEADER + value.len()).unwrap_or_default();
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
    bytes
}

/// Returns the value of the attribute of that type.
pub(crate) fn find_attribute(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    attributes(bytes)
        .find(|(one, _)| *one == kind)
        .map(|(_, value)| value)
}

/// Reads the number at an offset, in the machine's byte order.
pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_ne_bytes(bytes.try_into().ok()?))
}

/// Reads the number at an offset, in the machine's byte order.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_ne_bytes(bytes.try_into().ok()?))
}

/// Reads an address; its length determines its family.
pub(super) fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from))
        .ok()
}

/// Reads a string that ends with NUL, or at the end of the value.
pub(super) fn text(bytes: &[u8]) -> String {
    let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

/// Opens a socket in the network namespace of the calling thread. `groups`: the groups whose
/// messages it receives, one bit each.
///
/// # Errors
/// When the system refuses netlink, as some sandboxes do.
pub(super) fn open(
    protocol: Option<Protocol>,
    groups: u32,
    flags: SocketFlags,
) -> io::Result<OwnedFd> {
    let flags = flags | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, protocol)?;
    bind(&socket, &SocketAddrNetlink::new(0, groups))?;
    Ok(socket)
}

/// Returns what the kernel has sent; empty if another process sent it.
pub(super) fn receive<'a>(socket: &OwnedFd, buffer: &'a mut [u8]) -> io::Result<&'a [u8]> {
    let (length, _, sender) = retry_on_intr(|| recvfrom(socket, &mut *buffer, RecvFlags::empty()))?;
    let sender = sender.and_then(|any| SocketAddrNetlink::try_from(any).ok());
    let from_kernel = sender.is_some_and(|sender| sender.pid() == 0);
    Ok(buffer
        .get(..length)
        .filter(|_| from_kernel)
        .unwrap_or_default())
}

/// A netlink socket that requests one table after another.
pub(crate) struct DumpSocket {
    socket: OwnedFd,
    sequence: u32,
    buffer: Vec<u8>,
}

impl DumpSocket {
    /// Opens the socket. `protocol`: `None` means NETLINK_ROUTE; `timeout`: for each answer.
    ///
    /// # Errors
    /// When the system refuses netlink, as some sandboxes do.
    pub(crate) fn open(protocol: Option<Protocol>, timeout: Duration) -> io::Result<DumpSocket> {
        let socket = open(protocol, 0, SocketFlags::empty())?;
        set_socket_timeout(&socket, Timeout::Recv, Some(timeout))?;
        Ok(DumpSocket {
            socket,
            sequence: 0,
            buffer: vec![0; BUFFER],
        })
    }

    /// Requests one entry: `None` if `parse` does not understand it.
    ///
    /// # Errors
    /// When there is no such entry, or the kernel refuses or does not answer.
    pub(crate) fn ask_one<T>(
        &mut self,
        kind: u16,
        body: &[u8],
        parse: impl Fn(&[u8]) -> Option<T>,
    ) -> io::Result<Option<T>> {
        self.send(kind, NLM_F_REQUEST_ACK, body)?;
        let mut answer = Answer {
            entries: Vec::new(),
            changed: false,
        };
        let (socket, sequence) = (&self.socket, self.sequence);
        while !answer.add(receive(socket, &mut self.buffer)?, sequence, &parse)? {}
        Ok(answer.entries.pop())
    }

    /// Requests one table, and again if it changed during reading. `body` follows the message's
    /// header; `parse` turns the body of each message of the answer into entries.
    ///
    /// # Errors
    /// When the kernel refuses or does not answer.
    pub(crate) fn ask<T, E: IntoIterator<Item = T>>(
        &mut self,
        kind: u16,
        body: &[u8],
        parse: impl Fn(&[u8]) -> E,
    ) -> io::Result<Vec<T>> {
        let mut tries = 1;
        loop {
            self.send(kind, NLM_F_REQUEST_DUMP, body)?;
            let mut answer = Answer {
                entries: Vec::new(),
                changed: false,
            };
            while !answer.add(
                receive(&self.socket, &mut self.buffer)?,
                self.sequence,
                &parse,
            )? {}
            if !answer.changed || tries == TRIES {
                return Ok(answer.entries);
            }
            tries += 1;
        }
    }

    fn send(&mut self, kind: u16, flags: u16, body: &[u8]) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let length = u32::try_from(HEADER + body.len()).unwrap_or_default();
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend(self.sequence.to_ne_bytes());
        bytes.extend([0; 4]);
        bytes.extend(body);
        let kernel = SocketAddrNetlink::new(0, 0);
        sendto(&self.socket, &bytes, SendFlags::empty(), &kernel)?;
        Ok(())
    }
}

/// Requests one table of the network from the kernel (`RTM_GETLINK` or another type).
pub(super) fn network_table<T, E: IntoIterator<Item = T>>(
    request: u16,
    families: &[libc::c_int],
    parse: fn(&[u8]) -> E,
) -> io::Result<Vec<T>> {
    let mut socket = DumpSocket::open(None, TIMEOUT)?;
    let mut all = Vec::new();
    for family in families {
        let mut body = vec![0; BLANK_HEADER];
        body[0] = u8::try_from(*family).unwrap_or_default();
        if request == libc::RTM_GETLINK {
            body.extend(8_u16.to_ne_bytes());
            body.extend(IFLA_EXT_MASK.to_ne_bytes());
            body.extend(RTEXT_FILTER_SKIP_STATS.to_ne_bytes());
        }
        match socket.ask(request, &body, parse) {
            Ok(entries) => all.extend(entries),
            // A kernel that was started with ipv6.disable=1 does not know the family.
            Err(_) if *family == libc::AF_INET6 => {}
            Err(error) => return Err(error),
        }
    }
    Ok(all)
}

/// The part of a table that has arrived.
struct Answer<T> {
    entries: Vec<T>,
    /// The table changed during reading.
    changed: bool,
}

impl<T> Answer<T> {
    /// Handles the messages of one `recv`; true after the last message of the answer.
    fn add<E: IntoIterator<Item = T>>(
        &mut self,
        bytes: &[u8],
        sequence: u32,
        parse: &impl Fn(&[u8]) -> E,
    ) -> io::Result<bool> {
        // Other messages are the rest of an answer that was given up.
        for message in messages(bytes).filter(|message| message.sequence == sequence) {
            self.changed |= message.flags & NLM_F_DUMP_INTR != 0;
            match message.kind {
                NLMSG_DONE => return Ok(true),
                NLMSG_ERROR => {
                    let code = u32_at(message.body, 0).unwrap_or_default().cast_signed();
                    if code == 0 {
                        return Ok(true); // NLM_F_ACK
                    }
                    return Err(io::Error::from_raw_os_error(code.saturating_neg()));
                }
                _ if self.entries.len() < MOST => self.entries.extend(parse(message.body)),
                _ => {}
            }
        }
        Ok(false)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Makes a message with a correct header.
    pub(in crate::watch) fn message(kind: u16, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(HEADER + body.len()).unwrap();
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend([0; 10]);
        bytes.extend(body);
        bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
        bytes
    }

    #[test]
    fn messages_and_attributes_come_out_as_they_were_put_in() {
        let body = [attribute(3, b"eth0\0"), attribute(0x8012, &[7; 4])].concat();
        let mut bytes = message(16, &body);
        bytes.extend(message(17, &[]));
        let read: Vec<_> = messages(&bytes).map(|m| (m.kind, m.body.len())).collect();
        assert_eq!(read, [(16, body.len()), (17, 0)]);
        let attributes: Vec<_> = attributes(&body).collect();
        assert_eq!(attributes, [(3, &b"eth0\0"[..]), (0x12, &[7; 4][..])]);
        assert_eq!(text(attributes[0].1), "eth0");
    }

    #[test]
    fn a_length_that_cannot_be_true_ends_the_reading() {
        for length in [0_u32, 3, 15, 21, u32::MAX] {
            let mut bytes = message(16, &[0; 4]);
            bytes[..4].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(messages(&bytes).count(), 0, "{length}");
        }
        for length in [0_u16, 3, 9, u16::MAX] {
            let mut bytes = attribute(1, &[0; 4]);
            bytes[..2].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(attributes(&bytes).count(), 0, "{length}");
        }
    }

    #[test]
    fn torn_answers_are_survived_and_a_refusal_is_an_error() {
        let parse = &|body: &[u8]| [body.len()];
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
            assert!(matches!(answer.add(bytes, 1, parse), Ok(false)));
        }
        assert_eq!(answer.entries, [0_usize; 0]);
        let mut refused = message(NLMSG_ERROR, &(-2_i32).to_ne_bytes());
        assert!(
            matches!(answer.add(&refused, 1, parse), Ok(false)),
            "of another request"
        );
        refused[8..12].copy_from_slice(&1_u32.to_ne_bytes());
        let error = answer.add(&refused, 1, parse).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(2));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic_or_run_on(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            prop_assert!(messages(&bytes).count() <= bytes.len() / HEADER);
            prop_assert!(attributes(&bytes).count() <= bytes.len() / ATTRIBUTE_HEADER);
        }
    }
}
