//! `GetExtendedTcpTable`, as `netstat` has it.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use windows_sys::Win32::Foundation::{ERROR_INSUFFICIENT_BUFFER, NO_ERROR};
use windows_sys::Win32::NetworkManagement::IpHelper::{
    GetExtendedTcpTable, MIB_TCP6ROW_OWNER_PID, MIB_TCPROW_OWNER_PID, TCP_TABLE_OWNER_PID_LISTENER,
};
use windows_sys::Win32::Networking::WinSock::{ADDRESS_FAMILY, AF_INET, AF_INET6};

use super::answers::answers;
use crate::model::Phase;
use crate::probe::failure::Failure;

const FIRST_SIZE: u32 = 16 * 1024;
/// A hundred thousand listeners have tables of some 6 MB.
const MOST_BYTES: u32 = 64 * 1024 * 1024;
/// Both kinds of row hold nothing but 32-bit words (and bytes in fours).
const WORDS_V4: usize = size_of::<MIB_TCPROW_OWNER_PID>() / 4;
const WORDS_V6: usize = size_of::<MIB_TCP6ROW_OWNER_PID>() / 4;

#[expect(
    clippy::unused_async,
    reason = "the signature must match the other systems'"
)]
pub(super) async fn is_listening(address: SocketAddr) -> Result<bool, Failure> {
    let unread = |error: io::Error| {
        let reason = format!("the system's table of listeners cannot be read: {error}");
        Failure::down(Phase::Connect, reason)
    };
    let v4 = table(AF_INET).map_err(unread)?;
    if rows::<WORDS_V4>(&v4).any(|row| answers(v4_listener(row), address)) {
        return Ok(true);
    }
    let v6 = table(AF_INET6).map_err(unread)?;
    Ok(rows::<WORDS_V6>(&v6).any(|row| answers(v6_listener(row), address)))
}

/// The table as words: the number of rows, then the rows.
fn table(family: ADDRESS_FAMILY) -> io::Result<Vec<u32>> {
    let mut size = FIRST_SIZE;
    while size <= MOST_BYTES {
        let mut words = vec![0_u32; usize::try_from(size / 4).unwrap_or_default() + 1];
        // SAFETY: the memory has at least `size` writable bytes, aligned as the rows want.
        let done = unsafe {
            GetExtendedTcpTable(
                words.as_mut_ptr().cast(),
                &raw mut size,
                0,
                u32::from(family),
                TCP_TABLE_OWNER_PID_LISTENER,
                0,
            )
        };
        match done {
            NO_ERROR => return Ok(words),
            // The system has said how much it needs; another listener may come meanwhile.
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

/// `MIB_TCPROW_OWNER_PID`: state, local address, local port, …
fn v4_listener(row: &[u32; WORDS_V4]) -> SocketAddr {
    let [_, address, number, ..] = *row;
    SocketAddr::new(Ipv4Addr::from(address.to_ne_bytes()).into(), port(number))
}

/// `MIB_TCP6ROW_OWNER_PID`: local address, its scope, local port, …
fn v6_listener(row: &[u32; WORDS_V6]) -> SocketAddr {
    let [a, b, c, d, _, number, ..] = *row;
    let mut address = [0; 16];
    for (to, from) in address.chunks_mut(4).zip([a, b, c, d]) {
        to.copy_from_slice(&from.to_ne_bytes());
    }
    SocketAddr::new(Ipv6Addr::from(address).into(), port(number))
}

/// In network order, in the lower half of the word.
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
        let number = u32::from_ne_bytes([0x1f, 0x90, 0, 0]);
        let v4 = [1, 2, loopback, number, 0, 0, 7, 2, 9, 9, 9, 9, 9];
        let found: Vec<SocketAddr> = rows::<WORDS_V4>(&v4).map(v4_listener).collect();
        assert_eq!(found, ["127.0.0.1:8080".parse().unwrap()]);
        let mut v6 = vec![1, 0, 0, 0, u32::from_ne_bytes([0, 0, 0, 1]), 0, number];
        v6.resize(1 + WORDS_V6, 0);
        let found: Vec<SocketAddr> = rows::<WORDS_V6>(&v6).map(v6_listener).collect();
        assert_eq!(found, ["[::1]:8080".parse().unwrap()]);
        assert_eq!(rows::<WORDS_V4>(&[]).count(), 0);
        assert_eq!(rows::<WORDS_V4>(&[u32::MAX, 1, 2]).count(), 0);
    }
}
