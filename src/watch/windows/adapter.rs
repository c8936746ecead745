//! The list of adapters, and the resolver's settings in it: servers and suffixes of each adapter
//! that is up. There is no file to watch; a key of the registry is watched instead
//! (`watch::windows`).

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::path::PathBuf;

use windows_sys::Win32::Foundation::{ERROR_BUFFER_OVERFLOW, NO_ERROR, WIN32_ERROR};
use windows_sys::Win32::NetworkManagement::IpHelper::{
    GAA_FLAG_SKIP_ANYCAST, GAA_FLAG_SKIP_FRIENDLY_NAME, GAA_FLAG_SKIP_MULTICAST,
    GAA_FLAG_SKIP_UNICAST, GetAdaptersAddresses, IP_ADAPTER_ADDRESSES_LH,
};
use windows_sys::Win32::NetworkManagement::Ndis::IfOperStatusUp;
use windows_sys::Win32::Networking::WinSock::{AF_INET, AF_INET6, AF_UNSPEC, SOCKADDR_INET};

use crate::model::Resolver;
use crate::watch::resolv_conf::domain;

const LONGEST_SUFFIX: usize = 256;
/// Microsoft recommends 15 KB for the first try.
const FIRST_SIZE: u32 = 16 * 1024;
const MOST_BYTES: u32 = 4 * 1024 * 1024;

/// Returns the current configuration; empty if there is none. Looks up no name.
pub(in crate::watch) fn resolver() -> Resolver {
    let mut found = Vec::new();
    for_each_adapter(|adapter| {
        if adapter.OperStatus != IfOperStatusUp {
            return;
        }
        let metric = adapter.Ipv4Metric.min(adapter.Ipv6Metric);
        found.push((metric, servers(adapter), suffixes(adapter)));
    });
    // Windows asks the servers of the interface with the lowest metric first.
    found.sort_by_key(|(metric, _, _)| *metric);
    let mut resolver = Resolver::default();
    for (_, servers, suffixes) in found {
        resolver.servers.extend(servers);
        resolver.search.extend(suffixes);
    }
    let (mut servers, mut search) = (BTreeSet::new(), BTreeSet::new());
    resolver.servers.retain(|server| servers.insert(*server));
    resolver
        .search
        .retain(|domain| search.insert(domain.clone()));
    resolver
}

/// No file is watched: the registry reports changes.
pub(in crate::watch) fn resolver_files() -> Vec<PathBuf> {
    Vec::new()
}

fn servers(adapter: &IP_ADAPTER_ADDRESSES_LH) -> Vec<IpAddr> {
    let mut servers = Vec::new();
    let mut next = adapter.FirstDnsServerAddress.cast_const();
    // SAFETY: the list is part of the same answer as the adapter, and ends with null.
    while let Some(server) = unsafe { next.as_ref() } {
        let socket = server.Address.lpSockaddr.cast_const().cast();
        // SAFETY: null, or an address within the same answer, as long as its family needs.
        let ip = unsafe { address(socket) };
        servers.extend(ip.filter(|ip| !is_placeholder(ip)));
        next = server.Next;
    }
    servers
}

/// Windows lists these for each adapter that has no other IPv6 server
/// (draft-ietf-ipv6-dns-discovery, abandoned long ago).
fn is_placeholder(ip: &IpAddr) -> bool {
    matches!(ip, IpAddr::V6(v6) if v6.segments()[..7] == [0xfec0, 0, 0, 0xffff, 0, 0, 0])
}

fn suffixes(adapter: &IP_ADAPTER_ADDRESSES_LH) -> Vec<String> {
    let mut suffixes: Vec<String> = Vec::new();
    // SAFETY: null, or a string within the same answer that ends with NUL.
    suffixes.extend(unsafe { wide_string(adapter.DnsSuffix) });
    let mut next = adapter.FirstDnsSuffix.cast_const();
    // SAFETY: the list is part of the same answer as the adapter, and ends with null.
    while let Some(suffix) = unsafe { next.as_ref() } {
        let length = suffix.String.iter().position(|unit| *unit == 0);
        let units = suffix.String.get(..length.unwrap_or_default());
        suffixes.extend(units.map(String::from_utf16_lossy));
        next = suffix.Next;
    }
    suffixes.iter().filter_map(|word| domain(word)).collect()
}

/// # Safety
/// `text` must be null or point to a string that ends with NUL.
unsafe fn wide_string(text: *const u16) -> Option<String> {
    if text.is_null() {
        return None;
    }
    let mut units = Vec::new();
    for at in 0..LONGEST_SUFFIX {
        // SAFETY: no earlier unit was the NUL, so this one is in the string too.
        let unit = unsafe { *text.add(at) };
        if unit == 0 {
            break;
        }
        units.push(unit);
    }
    Some(String::from_utf16_lossy(&units))
}

/// # Safety
/// `socket` must be null or point to a socket address that is as long as its family needs.
pub(super) unsafe fn address(socket: *const SOCKADDR_INET) -> Option<IpAddr> {
    if socket.is_null() {
        return None;
    }
    // SAFETY: every member of the union begins with the family, which determines the member, and
    // only that one is read; the rest is plain numbers, of which any are valid.
    unsafe {
        match (*socket).si_family {
            AF_INET => Some(IpAddr::from(
                (*socket).Ipv4.sin_addr.S_un.S_addr.to_ne_bytes(),
            )),
            AF_INET6 => Some(Ipv6Addr::from((*socket).Ipv6.sin6_addr.u.Byte).into()),
            _ => None,
        }
    }
}

/// Turns an error number of Windows into a result.
pub(super) fn check(error: WIN32_ERROR) -> io::Result<()> {
    match error {
        NO_ERROR => Ok(()),
        _ => Err(io::Error::from_raw_os_error(error.cast_signed())),
    }
}

/// Visits every adapter that has IPv4 or IPv6 (`GetAdaptersAddresses`, without the addresses, which
/// netdev reads); none if the system does not return the list.
pub(super) fn for_each_adapter(mut visit: impl FnMut(&IP_ADAPTER_ADDRESSES_LH)) {
    let flags = GAA_FLAG_SKIP_ANYCAST
        | GAA_FLAG_SKIP_FRIENDLY_NAME
        | GAA_FLAG_SKIP_MULTICAST
        | GAA_FLAG_SKIP_UNICAST;
    let mut size = FIRST_SIZE;
    while size <= MOST_BYTES {
        // The memory consists of 8-byte numbers, so that the structures in it are aligned.
        let mut memory = vec![0_u64; usize::try_from(size / 8).unwrap_or_default() + 1];
        let first = memory.as_mut_ptr().cast::<IP_ADAPTER_ADDRESSES_LH>();
        // SAFETY: `first` points to at least `size` writable, aligned bytes.
        let done = unsafe {
            GetAdaptersAddresses(
                u32::from(AF_UNSPEC),
                flags,
                std::ptr::null(),
                first,
                &raw mut size,
            )
        };
        match done {
            NO_ERROR => {
                let mut next: *const IP_ADAPTER_ADDRESSES_LH = first;
                // SAFETY: the list lies within `memory`, which outlives the loop, and ends
                // with null.
                while let Some(adapter) = unsafe { next.as_ref() } {
                    visit(adapter);
                    next = adapter.Next;
                }
                return;
            }
            // The system has returned the size that it needs; another adapter may be added in the
            // meantime.
            ERROR_BUFFER_OVERFLOW => size = size.saturating_add(FIRST_SIZE),
            _ => return,
        }
    }
}
