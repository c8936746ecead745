//! `/proc/net/tcp` and `/proc/net/tcp6`.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::answers::answers;
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

/// The listening sockets of a table as `/proc/net/tcp` has it (`proc_pid_net(5)`): state 0A.
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

    proptest! {
        #[test]
        fn no_table_makes_it_panic(text in "([0-9A-F]{0,33}|:|0A| |\n|\u{e9}){0,40}") {
            let _ = listeners(&text).count();
            let _ = local_address(&text);
        }
    }
}
