//! `/proc/net/{tcp,tcp6,udp,udp6}` (proc_pid_net(5)).

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A kernel with a hundred thousand sockets has tables of some 15 MB.
const MAX_TABLE: u64 = 64 * 1024 * 1024;

/// The state of a connected socket (`net/tcp_states.h`).
pub const ESTABLISHED: u8 = 1;
/// The state of a socket that is connecting.
pub const SYN_SENT: u8 = 2;
const LISTEN: u8 = 10;

/// One socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketRow {
    /// As in `net/tcp_states.h`.
    pub state: u8,
    /// This end.
    pub local: SocketAddr,
    /// The other end; unspecified for a listener.
    pub remote: SocketAddr,
    /// The number of the user who opened it.
    pub user: u32,
    /// The inode number of the socket, which `/proc/PID/fd` shows as well.
    pub inode: u64,
}

/// Returns the addresses at which sockets listen.
///
/// # Errors
/// When a table cannot be read.
pub fn listeners() -> io::Result<Vec<SocketAddr>> {
    let mut all = Vec::new();
    for path in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let text = match table(path) {
            // A kernel without IPv6 has no second table.
            Err(error) if error.kind() == ErrorKind::NotFound && path.ends_with('6') => continue,
            other => other?,
        };
        let waiting = rows(&text).filter(|row| row.state == LISTEN);
        all.extend(waiting.map(|row| row.local));
    }
    Ok(all)
}

/// Returns the number of the user who opened the IPv4 connection from `local` to `remote`; `None`
/// if there is none.
///
/// # Errors
/// When the table cannot be read.
pub fn owner(local: SocketAddr, remote: SocketAddr) -> io::Result<Option<u32>> {
    let text = table("/proc/net/tcp")?;
    let found = rows(&text).find(|row| row.local == local && row.remote == remote);
    Ok(found.map(|row| row.user))
}

fn table(path: &str) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?
        .take(MAX_TABLE)
        .read_to_string(&mut text)?;
    Ok(text)
}

/// Parses the sockets of one table; skips lines of another form.
pub fn rows(text: &str) -> impl Iterator<Item = SocketRow> {
    text.lines().skip(1).filter_map(row)
}

/// `sl local remote st tx:rx tr:when retransmits uid timeout inode …`
fn row(line: &str) -> Option<SocketRow> {
    let mut words = line.split_ascii_whitespace().skip(1);
    Some(SocketRow {
        local: address(words.next()?)?,
        remote: address(words.next()?)?,
        state: u8::from_str_radix(words.next()?, 16).ok()?,
        user: words.nth(3)?.parse().ok()?,
        inode: words.nth(1)?.parse().ok()?,
    })
}

/// Parses `0100007F:0035`: words of 32 bits as they are in memory, then the port as a number.
fn address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let mut bytes = Vec::with_capacity(16);
    for word in address.as_bytes().chunks(8) {
        let word = std::str::from_utf8(word).ok()?;
        bytes.extend(u32::from_str_radix(word, 16).ok()?.to_ne_bytes());
    }
    let ip = match <[u8; 4]>::try_from(bytes.as_slice()) {
        Ok(v4) => IpAddr::V4(Ipv4Addr::from(v4)),
        Err(_) => Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).to_canonical(),
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TABLE: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
        0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4242 2 0000000000000000 0\n\
        1: 0100007F:9C40 3500007F:0035 01 00000000:00000000 00:00000000 00000000  1000        0 7 2\n\
        2: 00000000000000000000000001000000:0BB8 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 8 1\n\
        3: 00000000000000000000000001000000:A 00000000000000000000000001000000:01BB 02 0:0 0:0 0 0 0 9 1\n\
        4: 0000000000000000FFFF00000100007F:A 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 1 1\n";

    #[cfg(target_endian = "little")]
    #[test]
    fn the_kernels_table_is_read() {
        let found: Vec<String> = rows(TABLE)
            .map(|row| {
                let (local, remote) = (row.local, row.remote);
                format!("{local} {remote} {} {}", row.state, row.inode)
            })
            .collect();
        let expected = [
            "127.0.0.1:8080 0.0.0.0:0 10 4242",
            "127.0.0.1:40000 127.0.0.53:53 1 7",
            "[::1]:3000 [::]:0 10 8",
            "[::1]:10 [::1]:443 2 9",
            "127.0.0.1:10 [::]:0 10 1",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_line_of_another_form_is_skipped() {
        let text = "head\n\n0:\n0: x y 01\n1: é:1 ü:2 01 a b c d e 1";
        assert_eq!(rows(text).count(), 0);
    }

    proptest! {
        #[test]
        fn no_table_makes_it_panic(text in "([0-9A-F]{0,33}|:|0A| |\n|\u{e9}){0,40}") {
            let _ = rows(&text).count();
            let _ = address(&text);
        }
    }
}
