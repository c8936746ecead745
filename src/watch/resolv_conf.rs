//! The parts of `resolv.conf` (resolv.conf(5)) that goroam needs, and the servers behind
//! systemd-resolved's stub.

use std::io::Read as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use crate::bounded;
use crate::model::Resolver;

const CONF: &str = "/etc/resolv.conf";
/// The file to which systemd-resolved writes the servers that it uses (systemd-resolved(8)).
const BEHIND_THE_STUB: &str = "/run/systemd/resolve/resolv.conf";
/// The addresses on which systemd-resolved listens; the second one bypasses its own caches.
const STUBS: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(127, 0, 0, 53)),
    IpAddr::V4(Ipv4Addr::new(127, 0, 0, 54)),
];
/// A hand-written one has three lines.
const MOST_BYTES: u64 = 64 * 1024;
/// Go and glibc (`MAXNS`) ask the first three.
pub(super) const MOST_SERVERS: usize = 3;
/// systemd-resolved uses all its servers.
const MOST_BEHIND: usize = 16;
const MOST_DOMAINS: usize = 64;

/// Returns the current configuration; empty if there is none. Looks up no name.
pub(super) fn resolver() -> Resolver {
    behind_stub(Path::new(CONF), Path::new(BEHIND_THE_STUB))
}

/// Returns the files that the system rewrites when the configuration changes.
pub(super) fn resolver_files() -> Vec<PathBuf> {
    let mut files = vec![PathBuf::from(CONF)];
    // Without systemd-resolved this directory does not exist. Watching the directory above until it
    // appears would cost a wake-up for each change in /run.
    let behind = Path::new(BEHIND_THE_STUB);
    if behind.parent().is_some_and(Path::exists) {
        files.push(behind.to_owned());
    }
    files
}

/// Replaces the stub by the servers behind it: the stub's address is the same on every network, so
/// it does not identify a network.
fn behind_stub(path: &Path, behind: &Path) -> Resolver {
    let mut resolver = read(path, MOST_SERVERS).unwrap_or_default();
    if resolver.servers.iter().any(|server| STUBS.contains(server))
        && let Some(real) = read(behind, MOST_BEHIND)
    {
        if !real.servers.is_empty() {
            resolver.servers = real.servers;
        }
        if !real.search.is_empty() {
            resolver.search = real.search;
        }
    }
    resolver
}

/// Reads a file; a file that is missing or cannot be read is an empty configuration, as for glibc
/// and Go (`net/dnsconfig_unix.go`).
pub(super) fn read(path: &Path, most_servers: usize) -> Option<Resolver> {
    let mut bytes = Vec::new();
    let file = bounded::open(path).ok()?;
    file.take(MOST_BYTES).read_to_end(&mut bytes).ok()?;
    Some(parse(&String::from_utf8_lossy(&bytes), most_servers))
}

/// Parses the file as Go's `dnsReadConfig` does: `nameserver`, `domain` and `search`. Of the latter
/// two the last one counts. A `domain` without a name changes nothing, while a `search` without one
/// empties the list (glibc ignores that one). If there is no list, Go derives one from the host's
/// name; it does not depend on the network and is left out. A name server that is not an address is
/// left out: looking it up would need a name server.
fn parse(text: &str, most_servers: usize) -> Resolver {
    let mut resolver = Resolver::default();
    for line in text.split('\n') {
        // Only lines that begin with one of these are comments.
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

/// Parses an address without its zone (`fe80::1%eth0`: which link to use), which only IPv6 has
/// (`net/netip.ParseAddr`).
pub(super) fn server(word: &str) -> Option<IpAddr> {
    let Some((address, zone)) = word.split_once('%') else {
        return word.parse().ok();
    };
    let address: Ipv6Addr = address.parse().ok()?;
    (!zone.is_empty()).then_some(address.into())
}

/// Returns a domain in lower case, without the trailing dot; systemd-resolved writes a single dot
/// for "none".
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
        assert_eq!(read(&path, MOST_SERVERS).unwrap().search, [""; 0]);
        assert_eq!(read(&folder.path().join("none"), MOST_SERVERS), None);
    }

    #[test]
    fn behind_the_stub_are_the_real_servers() {
        let folder = tempfile::tempdir().unwrap();
        let (stub, real) = (folder.path().join("stub"), folder.path().join("real"));
        std::fs::write(&stub, "nameserver 127.0.0.53\nsearch corp.test\n").unwrap();
        let alone = behind_stub(&stub, &real);
        assert_eq!(alone.servers, [STUBS[0]]);
        std::fs::write(&real, "nameserver 10.20.0.53\nsearch .\n").unwrap();
        let behind = behind_stub(&stub, &real);
        assert_eq!(behind.servers, ["10.20.0.53".parse::<IpAddr>().unwrap()]);
        assert_eq!(behind.search, ["corp.test"]);
        std::fs::write(&stub, "nameserver 10.9.0.53\n").unwrap();
        let direct = behind_stub(&stub, &real);
        assert_eq!(direct.servers, ["10.9.0.53".parse::<IpAddr>().unwrap()]);
    }
}
