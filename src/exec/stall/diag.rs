//! What the kernel knows of TCP connections (sock_diag(7), `linux/inet_diag.h`,
//! `linux/tcp.h`): how many bytes went and came, and when the last of them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd as _;

use netlink_sys::{Socket as Netlink, SocketAddr as Kernel, protocols::NETLINK_SOCK_DIAG};

use super::sample::{Socket, State};
use super::table::{ESTABLISHED, SYN_SENT};

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST_DUMP: u16 = 0x301;
/// `1 << (INET_DIAG_INFO - 1)`: with `struct tcp_info`.
const WITH_INFO: u8 = 1 << 1;
const INET_DIAG_INFO: u16 = 2;
/// `struct nlmsghdr` and `struct inet_diag_msg`.
const HEADER: usize = 16;
const MESSAGE: usize = 72;
/// The kernel puts at most 32 KiB into one answer.
const BUFFER: usize = 64 * 1024;
/// More than a machine has ports to one server.
const MOST: usize = 65_536;
/// The kernel answers at once; this only keeps a broken one from stopping us.
const PATIENCE_MICROSECONDS: libc::suseconds_t = 200_000;

/// A socket to ask on.
pub(super) struct Diag {
    netlink: Netlink,
    sequence: u32,
    buffer: Vec<u8>,
}

impl Diag {
    /// Opens it, for the network namespace that we are in.
    ///
    /// # Errors
    /// When the system does not have it, as in some sandboxes.
    pub(super) fn open() -> io::Result<Diag> {
        let mut netlink = Netlink::new(NETLINK_SOCK_DIAG)?;
        netlink.bind(&Kernel::new(0, 0))?;
        let patience = libc::timeval {
            tv_sec: 0,
            tv_usec: PATIENCE_MICROSECONDS,
        };
        // SAFETY: the descriptor is open as long as `netlink` lives, and the pointer and length
        // are those of a `timeval`, which is what SO_RCVTIMEO takes.
        let set = unsafe {
            libc::setsockopt(
                netlink.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_RCVTIMEO,
                std::ptr::from_ref(&patience).cast(),
                size_of::<libc::timeval>() as libc::socklen_t,
            )
        };
        if set != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Diag {
            netlink,
            sequence: 0,
            buffer: Vec::with_capacity(BUFFER),
        })
    }

    /// The TCP sockets that are connected or ask for it, if their number is wanted.
    ///
    /// # Errors
    /// When the kernel refuses or does not answer.
    pub(super) fn tcp(&mut self, wanted: &dyn Fn(u64) -> bool) -> io::Result<Vec<Socket>> {
        let mut found = Vec::new();
        self.family(libc::AF_INET, wanted, &mut found)?;
        // A kernel may have been started without IPv6.
        drop(self.family(libc::AF_INET6, wanted, &mut found));
        Ok(found)
    }

    fn family(
        &mut self,
        family: libc::c_int,
        wanted: &dyn Fn(u64) -> bool,
        found: &mut Vec<Socket>,
    ) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let request = request(family, self.sequence);
        self.netlink.send_to(&request, &Kernel::new(0, 0), 0)?;
        loop {
            self.buffer.clear();
            let (_, sender) = match self.netlink.recv_from(&mut self.buffer, 0) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            };
            if sender.port_number() == 0 && read(&self.buffer, self.sequence, wanted, found)? {
                return Ok(());
            }
        }
    }
}

fn request(family: libc::c_int, sequence: u32) -> Vec<u8> {
    const ID: usize = 48;
    let states = (1_u32 << ESTABLISHED) | (1 << SYN_SENT);
    let mut bytes = 72_u32.to_ne_bytes().to_vec();
    bytes.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    bytes.extend(NLM_F_REQUEST_DUMP.to_ne_bytes());
    bytes.extend(sequence.to_ne_bytes());
    bytes.extend([0; 4]);
    bytes.push(u8::try_from(family).unwrap_or_default());
    bytes.push(u8::try_from(libc::IPPROTO_TCP).unwrap_or_default());
    bytes.extend([WITH_INFO, 0]);
    bytes.extend(states.to_ne_bytes());
    bytes.extend([0; ID]);
    bytes
}

/// The messages of one answer; true after the last.
fn read(
    mut bytes: &[u8],
    sequence: u32,
    wanted: &dyn Fn(u64) -> bool,
    found: &mut Vec<Socket>,
) -> io::Result<bool> {
    while let Some(length) = u32_at(bytes, 0).and_then(|length| usize::try_from(length).ok()) {
        let Some(body) = bytes.get(HEADER..length) else {
            break;
        };
        let is_ours = u32_at(bytes, 8) == Some(sequence);
        match u16_at(bytes, 4) {
            Some(NLMSG_DONE) if is_ours => return Ok(true),
            Some(NLMSG_ERROR) if is_ours => {
                let code = u32_at(body, 0).unwrap_or_default().cast_signed();
                return Err(io::Error::from_raw_os_error(code.saturating_neg()));
            }
            Some(SOCK_DIAG_BY_FAMILY) if is_ours && found.len() < MOST => {
                found.extend(socket(body).filter(|socket| wanted(socket.id)));
            }
            _ => {}
        }
        bytes = bytes.get(padded(length)..).unwrap_or_default();
    }
    Ok(false)
}

/// `struct inet_diag_msg` and its attributes.
fn socket(body: &[u8]) -> Option<Socket> {
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
        SYN_SENT => State::Connecting,
        _ => open(info(body.get(MESSAGE..)?).unwrap_or_default()),
    };
    Some(Socket {
        id: u64::from(u32_at(body, 68)?),
        peer: Some(SocketAddr::new(ip, port)),
        state,
    })
}

/// The value of INET_DIAG_INFO.
fn info(mut attributes: &[u8]) -> Option<&[u8]> {
    loop {
        let length = usize::from(u16_at(attributes, 0)?);
        let value = attributes.get(4..length)?;
        if u16_at(attributes, 2)? == INET_DIAG_INFO {
            return Some(value);
        }
        attributes = attributes.get(padded(length)..)?;
    }
}

/// `struct tcp_info`; it grows from kernel to kernel. `tcpi_bytes_acked` and not
/// `tcpi_bytes_sent`: the latter counts what is sent again to somebody who is gone.
fn open(info: &[u8]) -> State {
    let (sent_ago, received_ago) = (u32_at(info, 44), u32_at(info, 52));
    State::Open {
        sent: u64_at(info, 120),
        received: u64_at(info, 128),
        asked: matches!((sent_ago, received_ago), (Some(sent), Some(received)) if sent < received),
    }
}

fn padded(length: usize) -> usize {
    length.saturating_add(3) & !3
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd;

    use super::*;

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
        let mut diag = Diag::open().unwrap();
        let mut look = || {
            let found = diag.tcp(&|id| id == wanted).unwrap();
            assert_eq!(found.len(), 1);
            assert_eq!(found[0].peer, Some(here.peer_addr().unwrap()));
            match found[0].state {
                State::Open { received, .. } => received,
                other @ (State::Connecting | State::Resolving) => panic!("{other:?}"),
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
        let found = diag.tcp(&|id| id == wanted).unwrap();
        assert!(matches!(found[0].state, State::Open { asked: true, .. }));
    }

    #[test]
    fn torn_answers_are_survived() {
        let none = |_| true;
        let mut found = Vec::new();
        for bytes in [
            &b""[..],
            &[0; 16],
            &[255; 64],
            &[20, 0, 0, 0, 20, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0, 0],
            // Its attributes have a length of zero.
            &[
                &[92, 0, 0, 0, 20, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0][..],
                &[1; 72],
                &[0; 4],
            ]
            .concat(),
        ] {
            assert!(matches!(read(bytes, 1, &none, &mut found), Ok(false)));
        }
        let refused = [
            20, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 254, 255, 255, 255,
        ];
        let error = read(&refused, 1, &none, &mut found).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(2));
    }
}
