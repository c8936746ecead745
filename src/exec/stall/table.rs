//! `/proc/PID/net/{tcp,tcp6,udp,udp6}` (proc_pid_net(5)): which sockets there are.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// One line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    /// The socket's number.
    pub(super) inode: u64,
    /// The other end.
    pub(super) peer: SocketAddr,
    /// As in `net/tcp_states.h`: 1 is connected, 2 asks for a connection.
    pub(super) state: u8,
}

/// Connected.
pub(super) const ESTABLISHED: u8 = 1;
/// Asks for a connection.
pub(super) const SYN_SENT: u8 = 2;

/// All lines that are such.
pub(super) fn rows(text: &str) -> impl Iterator<Item = Row> {
    text.lines().skip(1).filter_map(row)
}

/// `sl local remote st tx:rx tr:when retransmits uid timeout inode …`
fn row(line: &str) -> Option<Row> {
    let mut words = line.split_ascii_whitespace();
    let peer = address(words.nth(2)?)?;
    let state = u8::from_str_radix(words.next()?, 16).ok()?;
    let inode = words.nth(5)?.parse().ok()?;
    Some(Row { inode, peer, state })
}

/// `0100007F:0035`: words of 32 bits as they lie in memory, then the port as a number.
fn address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| {
        let word = address.get(at * 8..at * 8 + 8)?;
        Some(u32::from_str_radix(word, 16).ok()?.to_ne_bytes())
    };
    let ip = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let words = [word(0)?, word(1)?, word(2)?, word(3)?];
            let bytes: [u8; 16] = words.concat().try_into().ok()?;
            IpAddr::V6(Ipv6Addr::from(bytes)).to_canonical()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_endian = "little")]
    #[test]
    fn both_families_are_read() {
        let v4 = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   0: 0100007F:9C40 3500007F:0035 01 00000000:00000000 00:00000000 00000000  1000        0 4242 2 0000000000000000 0\n";
        let peer = "127.0.0.53:53".parse().unwrap();
        let (inode, state) = (4242, ESTABLISHED);
        assert_eq!(rows(v4).collect::<Vec<_>>(), [Row { inode, peer, state }]);
        let v6 = "head\n 0: 00000000000000000000000001000000:A 00000000000000000000000001000000:01BB 02 0:0 0:0 0 0 0 7 1";
        let peer = "[::1]:443".parse().unwrap();
        let (inode, state) = (7, SYN_SENT);
        assert_eq!(rows(v6).collect::<Vec<_>>(), [Row { inode, peer, state }]);
    }

    #[test]
    fn what_is_no_such_line_is_passed_over() {
        assert_eq!(
            rows("head\n\n0:\n0: x y 01\n1: é:1 ü:2 01 a b c d e 1").count(),
            0
        );
    }
}
