//! `GetExtendedTcpTable`.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use windows_sys::Win32::Foundation::{ERROR_INSUFFICIENT_BUFFER, NO_ERROR};
use windows_sys::Win32::NetworkManagement::IpHelper::{
    GetExtendedTcpTable, MIB_TCP6ROW_OWNER_PID, MIB_TCPROW_OWNER_PID, TCP_TABLE_CLASS,
    TCP_TABLE_OWNER_PID_CONNECTIONS, TCP_TABLE_OWNER_PID_LISTENER,
};
use windows_sys::Win32::Networking::WinSock::{ADDRESS_FAMILY, AF_INET, AF_INET6};

const FIRST_SIZE: u32 = 16 * 1024;
/// The tables of a hundred thousand connections have some 6 MB.
const MOST_BYTES: u32 = 64 * 1024 * 1024;
/// Both kinds of row consist of 32-bit words (and of bytes in groups of four).
const WORDS_V4: usize = size_of::<MIB_TCPROW_OWNER_PID>() / 4;
const WORDS_V6: usize = size_of::<MIB_TCP6ROW_OWNER_PID>() / 4;

/// One socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketRow {
    /// `MIB_TCP_STATE_…`.
    pub state: u32,
    /// This end.
    pub local: SocketAddr,
    /// The other end; has no meaning for a listener.
    pub remote: SocketAddr,
    /// The process that opened it; 0 if that has ended.
    pub owner: u32,
}

/// Returns the addresses at which sockets listen.
///
/// # Errors
/// When the system does not return the table.
pub fn listeners() -> io::Result<Vec<SocketAddr>> {
    let rows = both(TCP_TABLE_OWNER_PID_LISTENER)?;
    Ok(rows.iter().map(|row| row.local).collect())
}

/// Returns the sockets that have or had a connection, or are connecting.
///
/// # Errors
/// When the system does not return the table.
pub fn connections() -> io::Result<Vec<SocketRow>> {
    both(TCP_TABLE_OWNER_PID_CONNECTIONS)
}

fn both(class: TCP_TABLE_CLASS) -> io::Result<Vec<SocketRow>> {
    let (v4, v6) = (table(AF_INET, class)?, table(AF_INET6, class)?);
    let v4 = rows::<WORDS_V4>(&v4).map(v4_row);
    Ok(v4.chain(rows::<WORDS_V6>(&v6).map(v6_row)).collect())
}

/// Returns the table as words: the number of rows, then the rows.
fn table(family: ADDRESS_FAMILY, class: TCP_TABLE_CLASS) -> io::Result<Vec<u32>> {
    let mut size = FIRST_SIZE;
    while size <= MOST_BYTES {
        let mut words = vec![0_u32; usize::try_from(size / 4).unwrap_or_default() + 1];
        // SAFETY: the memory has at least `size` writable bytes, aligned as the rows require.
        let done = unsafe {
            GetExtendedTcpTable(
                words.as_mut_ptr().cast(),
                &raw mut size,
                0,
                u32::from(family),
                class,
                0,
            )
        };
        match done {
            NO_ERROR => return Ok(words),
            // The system has returned the size that it needs; another socket may be opened in the
            // meantime.
            ERROR_INSUFFICIENT_BUFFER => size = size.saturating_add(FIRST_SIZE),
            _ => return Err(io::Error::from_raw_os_error(done.cast_signed())),
        }
    }
    Err(io::Error::other("it is too large"))
}

fn rows<const WORDS: usize>(table: &[u32]) -> impl Iterator<Item = &[u32; WORDS]> {
    let (count, rows) = table.split_first().unwrap_or((&0, &[]));
    let count = usize::try_from(*count).unwrap_or(usize::MAX);
    rows.as_chunks::<WORDS>().0.iter().take(count)
}

/// `MIB_TCPROW_OWNER_PID`.
fn v4_row(row: &[u32; WORDS_V4]) -> SocketRow {
    let [state, own, own_port, other, other_port, owner] = *row;
    SocketRow {
        state,
        local: v4(own, own_port),
        remote: v4(other, other_port),
        owner,
    }
}

/// `MIB_TCP6ROW_OWNER_PID`: each address is followed by its scope.
fn v6_row(row: &[u32; WORDS_V6]) -> SocketRow {
    let [a, b, c, d, _, own, e, f, g, h, _, other, state, owner] = *row;
    SocketRow {
        state,
        local: v6([a, b, c, d], own),
        remote: v6([e, f, g, h], other),
        owner,
    }
}

fn v4(address: u32, number: u32) -> SocketAddr {
    SocketAddr::new(Ipv4Addr::from(address.to_ne_bytes()).into(), port(number))
}

fn v6(words: [u32; 4], number: u32) -> SocketAddr {
    let mut address = [0; 16];
    for (to, from) in address.chunks_mut(4).zip(words) {
        to.copy_from_slice(&from.to_ne_bytes());
    }
    SocketAddr::new(Ipv6Addr::from(address).into(), port(number))
}

/// The port is in network order, in the lower half of the word.
fn port(number: u32) -> u16 {
    let [first, second, ..] = number.to_ne_bytes();
    u16::from_be_bytes([first, second])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_both_families_are_read_and_what_lies_behind_them_is_not() {
        let loopback = u32::from_ne_bytes([127, 0, 0, 1]);
        let [own, other] = [[0x1f, 0x90, 0, 0], [0x01, 0xbb, 0, 0]].map(u32::from_ne_bytes);
        let row = |local: &str, remote: &str| SocketRow {
            state: 5,
            local: local.parse().unwrap(),
            remote: remote.parse().unwrap(),
            owner: 7,
        };
        let v4 = [1, 5, loopback, own, loopback, other, 7, 9, 9, 9, 9, 9, 9];
        let found: Vec<SocketRow> = rows::<WORDS_V4>(&v4).map(v4_row).collect();
        assert_eq!(found, [row("127.0.0.1:8080", "127.0.0.1:443")]);
        let one = u32::from_ne_bytes([0, 0, 0, 1]);
        let v6 = [1, 0, 0, 0, one, 0, own, 0, 0, 0, one, 0, other, 5, 7, 9, 9];
        let found: Vec<SocketRow> = rows::<WORDS_V6>(&v6).map(v6_row).collect();
        assert_eq!(found, [row("[::1]:8080", "[::1]:443")]);
        assert_eq!(rows::<WORDS_V4>(&[]).count(), 0);
        assert_eq!(rows::<WORDS_V4>(&[u32::MAX, 1, 2]).count(), 0);
    }

    #[test]
    fn a_connection_of_ours_is_ours() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stream = std::net::TcpStream::connect(address).unwrap();
        let own = stream.local_addr().unwrap();
        let found = connections().unwrap();
        let found = found.iter().find(|row| row.local == own).unwrap();
        assert_eq!(found.remote, address);
        // For sockets of the own process, Wine does not know the owner.
        if std::env::var_os("WINEPREFIX").is_none() {
            assert_eq!(found.owner, std::process::id());
        }
        assert!(listeners().unwrap().contains(&address));
    }
}
