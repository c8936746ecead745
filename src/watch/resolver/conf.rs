//! `resolv.conf` (resolv.conf(5)), as far as goroam needs it.

use std::io::Read as _;
use std::net::{IpAddr, Ipv6Addr};
use std::path::Path;

use crate::bounded;
use crate::model::Resolver;

/// A hand-written one has three lines.
const MOST_BYTES: u64 = 64 * 1024;
/// Go and glibc (`MAXNS`) ask the first three.
const MOST_SERVERS: usize = 3;
/// systemd-resolved asks all that it has.
#[cfg(target_os = "linux")]
const MOST_BEHIND: usize = 16;
const MOST_DOMAINS: usize = 64;

/// Reads a file; one that is not there, or cannot be read, is an empty configuration, as for
/// glibc and Go (`net/dnsconfig_unix.go`).
pub(super) fn read(path: &Path) -> Option<Resolver> {
    read_most(path, MOST_SERVERS)
}

/// The same for the file of systemd-resolved, which has more servers than others ask.
#[cfg(target_os = "linux")]
pub(super) fn read_behind(path: &Path) -> Option<Resolver> {
    read_most(path, MOST_BEHIND)
}

fn read_most(path: &Path, servers: usize) -> Option<Resolver> {
    let mut bytes = Vec::new();
    let file = bounded::open(path).ok()?;
    file.take(MOST_BYTES).read_to_end(&mut bytes).ok()?;
    Some(parse(&String::from_utf8_lossy(&bytes), servers))
}

/// As Go's `dnsReadConfig` reads it: `nameserver`, `domain` and `search`; of the latter two the
/// last one counts, and a `domain` without a name changes nothing, while a `search` without one
/// empties the list (glibc passes that one over). What Go derives from the host's name where there
/// is no list says nothing about the network and is left out.
/// A name server that is not an address is left out: looking it up would need a name server.
fn parse(text: &str, most_servers: usize) -> Resolver {
    let mut resolver = Resolver::default();
    for line in text.split('\n') {
        // Comments are lines that begin with one of these, and nothing else.
        if line.starts_with([';', '#']) {
            continue;
        }
        let mut words = line
            .split([' ', '\t', '\r'])
            .filter(|word| !word.is_empty());
        match words.next() {
            Some("nameserver") if resolver.servers.len() < most_servers => {
                let server = words.next().and_then(server);
                resolver.servers.extend(server);
            }
            Some("domain") => {
                if let Some(word) = words.next() {
                    resolver.search = domain(word).into_iter().collect();
                }
            }
            Some("search") => {
                resolver.search = words.take(MOST_DOMAINS).filter_map(domain).collect();
            }
            Some(_) | None => {}
        }
    }
    resolver
}

/// An address, without its zone (`fe80::1%eth0`: by which link), which only IPv6 has
/// (`net/netip.ParseAddr`).
pub(super) fn server(word: &str) -> Option<IpAddr> {
    let Some((address, zone)) = word.split_once('%') else {
        return word.parse().ok();
    };
    let address: Ipv6Addr = address.parse().ok()?;
    (!zone.is_empty()).then_some(address.into())
}

/// Lower case, without the trailing dot; systemd-resolved writes a lone dot for "none".
pub(super) fn domain(word: &str) -> Option<String> {
    let domain = word.trim_end_matches('.').to_ascii_lowercase();
    (!domain.is_empty()).then_some(domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Resolver {
        super::parse(text, MOST_SERVERS)
    }

    #[test]
    fn servers_and_domains_are_read() {
        let read = parse(
            "# by hand\nnameserver 10.20.0.53\n\tnameserver fe80::1%eth0\nnameserver 2001:db8::53\n\
             nameserver dns.corp.test\nnameserver\noptions ndots:5\nsearch Corp.Test. lab.test\n",
        );
        let servers: Vec<_> = read.servers.iter().map(ToString::to_string).collect();
        assert_eq!(servers, ["10.20.0.53", "fe80::1", "2001:db8::53"]);
        assert_eq!(read.search, ["corp.test", "lab.test"]);
    }

    #[test]
    fn the_last_of_search_and_domain_counts() {
        assert_eq!(
            parse("search a.test b.test\ndomain c.test d.test").search,
            ["c.test"]
        );
        assert_eq!(parse("domain c.test\nsearch a.test").search, ["a.test"]);
        assert_eq!(parse("search a.test\nsearch .").search, [""; 0]);
        assert_eq!(parse("search a.test\ndomain\n").search, ["a.test"]);
        assert_eq!(parse("search a.test\nsearch\n").search, [""; 0]);
    }

    #[test]
    fn an_endless_file_stays_small() {
        let long = "nameserver 10.0.0.1\n".repeat(10_000);
        assert_eq!(parse(&long).servers.len(), MOST_SERVERS);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("resolv.conf");
        std::fs::write(&path, format!("{}search late.test\n", long.repeat(4))).unwrap();
        assert_eq!(read(&path).unwrap().search, [""; 0]);
        assert_eq!(read(&folder.path().join("none")), None);
    }
}
