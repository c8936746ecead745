//! Ping sockets (Linux's `net.ipv4.ping_group_range`, macOS for everybody), else a raw socket.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{FromRawFd as _, OwnedFd};

use ring::rand::{SecureRandom as _, SystemRandom};
use tokio::net::UdpSocket;

use super::no_echo;
use super::packet::{Family, is_answer, request};
use crate::model::Phase;
use crate::probe::attempt::{Deadline, within};
use crate::probe::failure::Failure;
use crate::probe::fault;

/// Milliseconds to the answer.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a foreign enum that may grow"
)]
pub(super) async fn echo(deadline: Deadline, address: IpAddr) -> Result<f64, Failure> {
    let family = if address.is_ipv4() {
        Family::V4
    } else {
        Family::V6
    };
    let broken = |error: &io::Error| fault::socket(error, Phase::Connect, &address.to_string());
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
    // SAFETY: the descriptor was opened just now and nobody else has it.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    Ok(std::net::UdpSocket::from(fd))
}

fn not_here(reason: String) -> Failure {
    Failure::refusal(Phase::Connect, reason)
}
