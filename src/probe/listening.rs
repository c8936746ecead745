//! Is anything listening at an address of this machine? No packet leaves it.

use std::io;
use std::net::SocketAddr;

use super::fault::{ProbeFailure, ProbeOutcome, ProbeSuccess};
use crate::model::{Phase, Proof};

/// Looks, without connecting where the system has a table of its sockets.
pub(super) async fn probe(address: SocketAddr) -> ProbeOutcome {
    let listens = is_listening(address).await.map_err(|error| {
        let reason = format!("the system's table of listeners cannot be read: {error}");
        ProbeFailure::down(Phase::Connect, reason)
    })?;
    if listens {
        return Ok(ProbeSuccess {
            reason: format!("something listens at {address}"),
            proof: Proof::None,
        });
    }
    let reason = format!("nothing listens at {address}");
    Err(ProbeFailure::refusal(Phase::Connect, reason))
}

#[cfg(any(target_os = "linux", windows))]
#[expect(
    clippy::unused_async,
    reason = "the signature must match the other systems'"
)]
async fn is_listening(address: SocketAddr) -> io::Result<bool> {
    let all = super::tcp_table::listeners()?;
    Ok(all.iter().any(|listener| answers(*listener, address)))
}

/// Systems whose tables are not read: connects to an own address, which stays on this machine.
#[cfg(not(any(target_os = "linux", windows)))]
async fn is_listening(address: SocketAddr) -> io::Result<bool> {
    use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
    use std::time::Duration;

    use tokio::net::TcpStream;
    use tokio::time::timeout;

    /// The kernel answers for itself.
    const LIMIT: Duration = Duration::from_millis(500);

    let candidates = if address.ip().is_unspecified() {
        vec![
            SocketAddr::from((Ipv4Addr::LOCALHOST, address.port())),
            SocketAddr::from((Ipv6Addr::LOCALHOST, address.port())),
        ]
    } else {
        vec![address]
    };
    for candidate in candidates {
        // Only an own address can be bound; a connection to another one would leave the machine.
        let is_own = TcpListener::bind((candidate.ip(), 0)).is_ok();
        let connect = || timeout(LIMIT, TcpStream::connect(candidate));
        if is_own && matches!(connect().await, Ok(Ok(_))) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Would a connection to `address` reach this listener?
#[cfg(any(target_os = "linux", windows, test))]
fn answers(listener: SocketAddr, address: SocketAddr) -> bool {
    if listener.port() != address.port() {
        return false;
    }
    let (own, asked) = (listener.ip().to_canonical(), address.ip().to_canonical());
    let same_family = own.is_ipv4() == asked.is_ipv4();
    // `[::]` takes IPv4 as well, unless it was told not to, which the table does not show.
    asked.is_unspecified() || own == asked || own.is_unspecified() && (same_family || own.is_ipv6())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_listener_answers_for_every_address_and_a_bound_one_for_its_own() {
        let answers = |listener: &str, address: &str| {
            answers(listener.parse().unwrap(), address.parse().unwrap())
        };
        assert!(answers("0.0.0.0:80", "127.0.0.1:80"));
        assert!(answers("[::]:80", "127.0.0.1:80"));
        assert!(!answers("0.0.0.0:80", "[::1]:80"));
        assert!(answers("127.0.0.1:80", "0.0.0.0:80"));
        assert!(!answers("127.0.0.1:80", "127.0.0.1:81"));
        assert!(!answers("127.0.0.2:80", "127.0.0.1:80"));
    }

    #[tokio::test]
    async fn a_listener_of_this_machine_is_seen_until_it_ends() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        probe(address).await.unwrap();
        drop(listener);
        let failure = probe(address).await.unwrap_err();
        assert_eq!(failure.reason, format!("nothing listens at {address}"));
    }

    #[tokio::test]
    async fn another_machines_address_is_not_connected_to() {
        // TEST-NET-1, which no machine has.
        let failure = probe("192.0.2.1:443".parse().unwrap()).await.unwrap_err();
        assert_eq!(failure.reason, "nothing listens at 192.0.2.1:443");
    }
}
