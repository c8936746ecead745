//! Is anything listening at an address of this machine? Nothing leaves it.

use std::net::SocketAddr;
#[cfg(any(target_os = "linux", test))]
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::failure::{Failure, Finding, Outcome};
use crate::model::{Phase, Proof};

/// Looks, without connecting where the system can tell.
pub(super) async fn probe(address: SocketAddr) -> Outcome {
    if imp::is_listening(address).await? {
        return Ok(Finding {
            reason: format!("something listens at {address}"),
            proof: Proof::None,
        });
    }
    let reason = format!("nothing listens at {address}");
    Err(Failure::refusal(Phase::Connect, reason))
}

#[cfg(target_os = "linux")]
mod imp {
    use std::io::ErrorKind;
    use std::net::SocketAddr;

    use super::{answers, listeners};
    use crate::model::Phase;
    use crate::probe::failure::Failure;

    /// A kernel with a hundred thousand sockets has tables of some 15 MB.
    const MAX_TABLE: u64 = 64 * 1024 * 1024;

    #[expect(
        clippy::unused_async,
        reason = "the signature must match the other systems'"
    )]
    pub(super) async fn is_listening(address: SocketAddr) -> Result<bool, Failure> {
        for path in ["/proc/net/tcp", "/proc/net/tcp6"] {
            let table = match read(path) {
                Ok(table) => table,
                // A kernel without IPv6 has no second table.
                Err(error) if error.kind() == ErrorKind::NotFound && path.ends_with('6') => {
                    continue;
                }
                Err(error) => {
                    let reason = format!("{path} cannot be read: {error}");
                    return Err(Failure::down(Phase::Connect, reason));
                }
            };
            if listeners(&table).any(|listener| answers(listener, address)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn read(path: &str) -> std::io::Result<String> {
        use std::io::Read as _;
        let mut text = String::new();
        std::fs::File::open(path)?
            .take(MAX_TABLE)
            .read_to_string(&mut text)?;
        Ok(text)
    }
}

#[cfg(not(target_os = "linux"))]
mod imp {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
    use std::time::Duration;

    use tokio::net::TcpStream;
    use tokio::time::timeout;

    use crate::probe::failure::Failure;

    /// The kernel answers for itself.
    const LIMIT: Duration = Duration::from_millis(500);

    /// A connection to an own address stays on this machine.
    #[expect(clippy::unnecessary_wraps, reason = "the signature must match Linux")]
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
            if matches!(
                timeout(LIMIT, TcpStream::connect(candidate)).await,
                Ok(Ok(_))
            ) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The listening sockets of a table as `/proc/net/tcp` has it (`proc_pid_net(5)`): state 0A.
#[cfg(any(target_os = "linux", test))]
fn listeners(table: &str) -> impl Iterator<Item = SocketAddr> {
    table.lines().skip(1).filter_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let local = fields.next()?;
        let state = fields.nth(1)?;
        if state == "0A" {
            local_address(local)
        } else {
            None
        }
    })
}

/// `0100007F:1F90`: 32-bit words in the machine's own byte order.
#[cfg(any(target_os = "linux", test))]
fn local_address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let mut bytes = Vec::with_capacity(16);
    for word in ip.as_bytes().chunks(8) {
        let word = std::str::from_utf8(word).ok()?;
        bytes.extend(u32::from_str_radix(word, 16).ok()?.to_ne_bytes());
    }
    let ip = if let Ok(v4) = <[u8; 4]>::try_from(bytes.as_slice()) {
        IpAddr::V4(Ipv4Addr::from(v4))
    } else {
        IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?))
    };
    Some(SocketAddr::new(ip, port))
}

/// Would a connection to `address` reach this listener?
#[cfg(any(target_os = "linux", test))]
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
    use proptest::prelude::*;

    use super::*;

    const TABLE: &str = "  sl  local_address rem_address   st tx_queue\n\
        0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000\n\
        1: 0100007F:0050 0100007F:9999 01 00000000:00000000 00:00000000\n\
        2: 00000000000000000000000001000000:0BB8 00000000000000000000000000000000:0000 0A 0\n\
        3: 00000000:0016 00000000:0000 0A 0\n";

    #[cfg(target_endian = "little")]
    #[test]
    fn the_kernels_table_is_read() {
        let found: Vec<String> = listeners(TABLE).map(|a| a.to_string()).collect();
        assert_eq!(found, ["127.0.0.1:8080", "[::1]:3000", "0.0.0.0:22"]);
    }

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

    proptest! {
        #[test]
        fn no_table_makes_it_panic(text in "([0-9A-F]{0,33}|:|0A| |\n|\u{e9}){0,40}") {
            let _ = listeners(&text).count();
            let _ = local_address(&text);
        }
    }
}
