//! Ping sockets (Linux's `net.ipv4.ping_group_range`, macOS for all users), else a raw socket; the
//! packets are those of RFC 792 and RFC 4443.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{FromRawFd as _, OwnedFd};

use ring::rand::{SecureRandom as _, SystemRandom};
use tokio::net::UdpSocket;

use super::no_echo;
use crate::model::Phase;
use crate::probe::attempt::{Deadline, within};
use crate::probe::fault;
use crate::probe::fault::ProbeFailure;

/// Milliseconds to the answer.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a foreign enum that may grow"
)]
pub(super) async fn echo(deadline: Deadline, address: IpAddr) -> Result<f64, ProbeFailure> {
    let family = if address.is_ipv4() {
        Family::V4
    } else {
        Family::V6
    };
    let broken = |error: &io::Error| fault::of(error, Phase::Connect, &address.to_string());
    let socket = open(family).map_err(|error| match error.kind() {
        ErrorKind::PermissionDenied => not_here(
            "needs permission to send an echo: see net.ipv4.ping_group_range or CAP_NET_RAW"
                .to_owned(),
        ),
        _ => broken(&error),
    })?;
    let mut token = [0; 16];
    SystemRandom::new()
        .fill(&mut token)
        .map_err(|_| not_here("the system gives no random numbers".to_owned()))?;
    let id = u16::from_be_bytes([token[0], token[1]]);
    let exchange = async {
        socket.connect(SocketAddr::new(address, 0)).await?;
        socket.send(&request(family, id, &token)).await?;
        let mut packet = [0; 256];
        loop {
            let length = socket.recv(&mut packet).await?;
            if is_answer(family, packet.get(..length).unwrap_or_default(), &token) {
                return Ok(());
            }
        }
    };
    let missing = || no_echo(address);
    let (done, took) = within(deadline, Phase::FirstByte, missing, exchange).await?;
    done.map_err(|error: io::Error| broken(&error))?;
    Ok(took)
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a foreign enum that may grow"
)]
fn open(family: Family) -> io::Result<UdpSocket> {
    let socket = create(family, libc::SOCK_DGRAM).or_else(|error| match error.kind() {
        // EACCES: not this user; EPROTONOSUPPORT: a kernel without ping sockets.
        ErrorKind::PermissionDenied | ErrorKind::Unsupported => create(family, libc::SOCK_RAW),
        _ if error.raw_os_error() == Some(libc::EPROTONOSUPPORT) => create(family, libc::SOCK_RAW),
        _ => Err(error),
    })?;
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket)
}

/// connect, send and recv are the same for a ping socket as for UDP, so std's type serves.
fn create(family: Family, kind: libc::c_int) -> io::Result<std::net::UdpSocket> {
    let (domain, protocol) = match family {
        Family::V4 => (libc::AF_INET, libc::IPPROTO_ICMP),
        Family::V6 => (libc::AF_INET6, libc::IPPROTO_ICMPV6),
    };
    #[cfg(target_os = "linux")]
    let kind = kind | libc::SOCK_CLOEXEC;
    // SAFETY: socket(2) takes three integers and touches no memory of ours.
    let fd = unsafe { libc::socket(domain, kind, protocol) };
    if fd < 0 {
        let error = io::Error::last_os_error();
        // EPERM (raw sockets) and EACCES (ping sockets) mean the same here.
        return Err(match error.raw_os_error() {
            Some(libc::EPERM) => io::Error::from(ErrorKind::PermissionDenied),
            Some(_) | None => error,
        });
    }
    // SAFETY: the descriptor was opened just now and has no other owner.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    Ok(std::net::UdpSocket::from(fd))
}

fn not_here(reason: String) -> ProbeFailure {
    ProbeFailure::refusal(Phase::Connect, reason)
}

/// Which ICMP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

/// The request: header, then what the answer must bring back.
fn request(family: Family, id: u16, token: &[u8; 16]) -> Vec<u8> {
    let kind = match family {
        Family::V4 => 8,
        Family::V6 => 128,
    };
    let mut packet = vec![kind, 0, 0, 0];
    packet.extend(id.to_be_bytes());
    packet.extend([0, 1]);
    packet.extend(token);
    // For ICMPv6 the kernel fills in the sum: it covers addresses that are not known here.
    if family == Family::V4 {
        let sum = checksum(&packet);
        packet.splice(2..4, sum.to_be_bytes());
    }
    packet
}

/// Is this the answer to the request with that token? The token is what counts: a ping socket
/// rewrites the id, a raw one sees everybody's answers.
fn is_answer(family: Family, packet: &[u8], token: &[u8; 16]) -> bool {
    let (kind, packet) = match family {
        // Raw sockets, and macOS' ping sockets, show the IPv4 header as well.
        Family::V4 => (0, without_ip_header(packet)),
        Family::V6 => (129, packet),
    };
    packet.first() == Some(&kind) && packet.get(1) == Some(&0) && packet.get(8..) == Some(token)
}

fn without_ip_header(packet: &[u8]) -> &[u8] {
    match packet.first() {
        Some(first) if first >> 4 == 4 => packet
            .get(usize::from(first & 15) * 4..)
            .unwrap_or_default(),
        Some(_) | None => packet,
    }
}

/// RFC 1071.
fn checksum(packet: &[u8]) -> u16 {
    let mut sum: u32 = packet
        .chunks(2)
        .map(|pair| {
            let low = pair.get(1).copied().unwrap_or_default();
            u32::from(u16::from_be_bytes([pair[0], low]))
        })
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_request_sums_to_nothing_and_its_answer_is_known() {
        let token = [7; 16];
        let mut packet = request(Family::V4, 0x1234, &token);
        assert_eq!(checksum(&packet), 0);
        assert!(
            !is_answer(Family::V4, &packet, &token),
            "a request is no answer"
        );
        packet[0] = 0;
        assert!(is_answer(Family::V4, &packet, &token));
        assert!(!is_answer(Family::V4, &packet, &[8; 16]));
        let mut raw = vec![0x45; 20];
        raw.extend(&packet);
        assert!(is_answer(Family::V4, &raw, &token));
    }

    proptest! {
        #[test]
        fn no_packet_makes_it_panic(packet in proptest::collection::vec(any::<u8>(), 0..80)) {
            prop_assert!(!is_answer(Family::V4, &packet, &[1; 16]));
            prop_assert!(!is_answer(Family::V6, &packet, &[1; 16]));
        }
    }
}
