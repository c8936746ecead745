//! The user at the other end of a loopback connection. Only Linux tells: sock_diag(7) looks one
//! socket up, while `/proc/net/tcp` is all of them, in milliseconds.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use rustix::net::netlink::SOCK_DIAG;

use crate::probe::tcp_table;
use crate::watch::netlink::{DumpSocket, u32_at};

const SOCK_DIAG_BY_FAMILY: u16 = 20;
/// The kernel answers at once.
const LIMIT: Duration = Duration::from_millis(200);

/// Reports whether the other end belongs to this user or to root.
pub(super) fn is_own(peer: SocketAddrV4, own: SocketAddrV4) -> bool {
    let found = match looked_up(peer, own) {
        Ok(owner) => Ok(Some(owner)),
        // The socket is gone, or this kernel has no sock_diag for TCP.
        Err(_) => tcp_table::owner(peer.into(), own.into()),
    };
    match found {
        Ok(Some(user)) => user == rustix::process::geteuid().as_raw() || user == 0,
        // It has closed its end already, or /proc is not there: the token decides.
        Ok(None) | Err(_) => true,
    }
}

/// Returns the owner of the socket from `peer` to `own`: `idiag_uid` of `struct inet_diag_msg`.
fn looked_up(peer: SocketAddrV4, own: SocketAddrV4) -> io::Result<u32> {
    let mut diag = DumpSocket::open(Some(SOCK_DIAG), LIMIT)?;
    let found = diag.ask_one(SOCK_DIAG_BY_FAMILY, &request(peer, own), |body| {
        u32_at(body, 64)
    })?;
    found.ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// `struct inet_diag_req_v2` and the `struct inet_diag_sockid` in it.
fn request(from: SocketAddrV4, to: SocketAddrV4) -> Vec<u8> {
    const ANY_STATE: u32 = u32::MAX;
    const NO_COOKIE: [u8; 8] = [0xff; 8];
    let octet = |number: i32| u8::try_from(number).unwrap_or_default();
    let address = |ip: &Ipv4Addr| [u32::from_ne_bytes(ip.octets()), 0, 0, 0].map(u32::to_ne_bytes);
    let mut bytes = vec![octet(libc::AF_INET), octet(libc::IPPROTO_TCP), 0, 0];
    bytes.extend(ANY_STATE.to_ne_bytes());
    bytes.extend(from.port().to_be_bytes());
    bytes.extend(to.port().to_be_bytes());
    bytes.extend(address(from.ip()).concat());
    bytes.extend(address(to.ip()).concat());
    // Any interface.
    bytes.extend([0; 4]);
    bytes.extend(NO_COOKIE);
    bytes
}

#[cfg(test)]
mod tests {
    use std::net::{SocketAddr, TcpListener, TcpStream};

    use super::*;

    fn v4(address: SocketAddr) -> SocketAddrV4 {
        match address {
            SocketAddr::V4(v4) => v4,
            SocketAddr::V6(_) => panic!("{address}"),
        }
    }

    #[test]
    fn one_socket_among_all_is_found_and_a_closed_one_is_not() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = v4(listener.local_addr().unwrap());
        let client = TcpStream::connect(own).unwrap();
        let (server, peer) = listener.accept().unwrap();
        let me = rustix::process::geteuid().as_raw();
        match looked_up(v4(peer), own) {
            Ok(owner) => assert_eq!(owner, me),
            // A sandbox without it.
            Err(error) => println!("skipped: no sock_diag: {error}"),
        }
        assert!(is_own(v4(peer), own));
        drop((client, server));
        let nobody = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 1);
        assert!(looked_up(nobody, own).is_err());
    }
}
