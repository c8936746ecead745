//! Ping sockets (Linux's `net.ipv4.ping_group_range`, macOS for all users), otherwise a raw socket;
//! the packets are those of RFC 792 and RFC 4443.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};

use ring::rand::{SecureRandom as _, SystemRandom};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

use super::attempt::{Deadline, within};
use super::fault::{self, ProbeFailure, refusal};
use crate::model::Phase;

/// Sends an echo request; returns the milliseconds until the answer.
pub(super) async fn echo(deadline: Deadline, address: IpAddr) -> Result<f64, ProbeFailure> {
    let v4 = address.is_ipv4();
    let broken = |error: &io::Error| fault::of(error, Phase::Connect, &address.to_string());
    let socket = open(v4).map_err(|error| {
        if error.kind() != ErrorKind::PermissionDenied {
            return broken(&error);
        }
        let reason =
            "needs permission to send an echo: see net.ipv4.ping_group_range or CAP_NET_RAW";
        refusal(Phase::Connect, reason)
    })?;
    let mut token = [0; 16];
    SystemRandom::new()
        .fill(&mut token)
        .map_err(|_| refusal(Phase::Connect, "the system gives no random numbers"))?;
    let id = u16::from_be_bytes([token[0], token[1]]);
    let exchange = async {
        socket.connect(SocketAddr::new(address, 0)).await?;
        socket.send(&request(v4, id, &token)).await?;
        let mut packet = [0; 256];
        loop {
            let length = socket.recv(&mut packet).await?;
            if is_answer(v4, packet.get(..length).unwrap_or_default(), &token) {
                return Ok(());
            }
        }
    };
    let missing = || format!("no echo from {address}");
    let (done, took) = within(deadline, Phase::FirstByte, missing, exchange).await?;
    done.map_err(|error: io::Error| broken(&error))?;
    Ok(took)
}

/// connect, send and recv work for a ping socket as for UDP, so this uses the UDP type.
fn open(v4: bool) -> io::Result<UdpSocket> {
    let (domain, protocol) = match v4 {
        true => (Domain::IPV4, Protocol::ICMPV4),
        false => (Domain::IPV6, Protocol::ICMPV6),
    };
    let create = |kind| Socket::new(domain, kind, Some(protocol));
    let socket = create(Type::DGRAM).or_else(|error| match error.raw_os_error() {
        // This user may not open ping sockets, or the kernel has none.
        Some(libc::EACCES | libc::EPERM | libc::EPROTONOSUPPORT) => create(Type::RAW),
        Some(_) | None => Err(error),
    })?;
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket.into())
}

/// Makes the request: the header, then the token that the answer must return.
fn request(v4: bool, id: u16, token: &[u8; 16]) -> Vec<u8> {
    let mut packet = vec![if v4 { 8 } else { 128 }, 0, 0, 0];
    packet.extend(id.to_be_bytes());
    packet.extend([0, 1]);
    packet.extend(token);
    // For ICMPv6 the kernel fills in the checksum: it covers addresses that are not known here.
    if v4 {
        let sum = checksum(&packet);
        packet.splice(2..4, sum.to_be_bytes());
    }
    packet
}

/// Reports whether this is the answer to the request with that token. Only the token counts: a ping
/// socket rewrites the id, and a raw socket receives the answers of all programs.
fn is_answer(v4: bool, packet: &[u8], token: &[u8; 16]) -> bool {
    let (kind, packet) = match v4 {
        // Raw sockets, and macOS' ping sockets, return the IPv4 header as well.
        true => (0, without_ip_header(packet)),
        false => (129, packet),
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
        let mut packet = request(true, 0x1234, &token);
        assert_eq!(checksum(&packet), 0);
        assert!(!is_answer(true, &packet, &token), "a request is no answer");
        packet[0] = 0;
        assert!(is_answer(true, &packet, &token));
        assert!(!is_answer(true, &packet, &[8; 16]));
        let mut raw = vec![0x45; 20];
        raw.extend(&packet);
        assert!(is_answer(true, &raw, &token));
    }

    proptest! {
        #[test]
        fn no_packet_makes_it_panic(packet in proptest::collection::vec(any::<u8>(), 0..80)) {
            prop_assert!(!is_answer(true, &packet, &[1; 16]));
            prop_assert!(!is_answer(false, &packet, &[1; 16]));
        }
    }
}
