//! Systems whose tables are not read: a connection, to an own address, which stays here.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::probe::failure::Failure;

/// The kernel answers for itself.
const LIMIT: Duration = Duration::from_millis(500);

pub(super) async fn is_listening(address: SocketAddr) -> Result<bool, Failure> {
    let port = address.port();
    let candidates = if address.ip().is_unspecified() {
        vec![
            SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port),
            SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), port),
        ]
    } else {
        vec![address]
    };
    for candidate in candidates {
        if is_own(candidate.ip())
            && matches!(
                timeout(LIMIT, TcpStream::connect(candidate)).await,
                Ok(Ok(_))
            )
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Only an own address can be bound; a connection to another one would leave the machine.
fn is_own(ip: IpAddr) -> bool {
    TcpListener::bind(SocketAddr::new(ip, 0)).is_ok()
}
