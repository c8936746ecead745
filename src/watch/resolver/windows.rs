//! Windows: servers and suffixes of each adapter that is up. There is no file to watch, but a
//! key of the registry (`watch::windows`).

use std::net::{IpAddr, Ipv6Addr};
use std::path::PathBuf;

use windows_sys::Win32::NetworkManagement::IpHelper::IP_ADAPTER_ADDRESSES_LH;
use windows_sys::Win32::NetworkManagement::Ndis::IfOperStatusUp;
use windows_sys::Win32::Networking::WinSock::{
    AF_INET, AF_INET6, SOCKADDR_IN, SOCKADDR_IN6, SOCKET_ADDRESS,
};

use super::conf;
use crate::model::Resolver;
use crate::watch::windows::for_each_adapter;

const LONGEST_SUFFIX: usize = 256;

pub(super) fn read() -> Resolver {
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
        for server in servers {
            if !resolver.servers.contains(&server) {
                resolver.servers.push(server);
            }
        }
        for suffix in suffixes {
            if !resolver.search.contains(&suffix) {
                resolver.search.push(suffix);
            }
        }
    }
    resolver
}

pub(super) fn files() -> Vec<PathBuf> {
    Vec::new()
}

fn servers(adapter: &IP_ADAPTER_ADDRESSES_LH) -> Vec<IpAddr> {
    let mut servers = Vec::new();
    let mut next = adapter.FirstDnsServerAddress.cast_const();
    // SAFETY: the list is part of the same answer as the adapter, and ends with null.
    while let Some(server) = unsafe { next.as_ref() } {
        servers.extend(address(&server.Address).filter(|ip| !is_placeholder(ip)));
        next = server.Next;
    }
    servers
}

/// Windows lists these for each adapter that has no other IPv6 server
/// (draft-ietf-ipv6-dns-discovery, long dead).
fn is_placeholder(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(_) => false,
        IpAddr::V6(v6) => v6.segments()[..7] == [0xfec0, 0, 0, 0xffff, 0, 0, 0],
    }
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
    suffixes
        .iter()
        .filter_map(|word| conf::domain(word))
        .collect()
}

/// # Safety
/// `text` must be null or point to a string that ends with NUL.
unsafe fn wide_string(text: *const u16) -> Option<String> {
    if text.is_null() {
        return None;
    }
    let mut units = Vec::new();
    for at in 0..LONGEST_SUFFIX {
        // SAFETY: no unit before this one was the NUL, so this one is in the string too.
        let unit = unsafe { *text.add(at) };
        if unit == 0 {
            break;
        }
        units.push(unit);
    }
    Some(String::from_utf16_lossy(&units))
}

fn address(socket: &SOCKET_ADDRESS) -> Option<IpAddr> {
    let length = usize::try_from(socket.iSockaddrLength).ok()?;
    if socket.lpSockaddr.is_null() || length < size_of::<u16>() {
        return None;
    }
    // SAFETY: at least the family is there; the full structure is read only if it fits.
    unsafe {
        match socket.lpSockaddr.cast::<u16>().read_unaligned() {
            AF_INET if length >= size_of::<SOCKADDR_IN>() => {
                let v4 = socket.lpSockaddr.cast::<SOCKADDR_IN>().read_unaligned();
                Some(IpAddr::from(v4.sin_addr.S_un.S_addr.to_ne_bytes()))
            }
            AF_INET6 if length >= size_of::<SOCKADDR_IN6>() => {
                let v6 = socket.lpSockaddr.cast::<SOCKADDR_IN6>().read_unaligned();
                Some(Ipv6Addr::from(v6.sin6_addr.u.Byte).into())
            }
            _ => None,
        }
    }
}
