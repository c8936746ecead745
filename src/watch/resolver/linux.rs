//! Linux and the BSDs: `/etc/resolv.conf`, and what is behind systemd-resolved's stub.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use super::conf;
use crate::model::Resolver;

const CONF: &str = "/etc/resolv.conf";
/// systemd-resolved writes the servers that it asks itself here (systemd-resolved(8)).
const BEHIND_THE_STUB: &str = "/run/systemd/resolve/resolv.conf";
/// systemd-resolved listens here; the second one skips its own caches.
const STUBS: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(127, 0, 0, 53)),
    IpAddr::V4(Ipv4Addr::new(127, 0, 0, 54)),
];

pub(super) fn read() -> Resolver {
    read_from(Path::new(CONF), Path::new(BEHIND_THE_STUB))
}

pub(super) fn files() -> Vec<PathBuf> {
    let mut files = vec![PathBuf::from(CONF)];
    // Without systemd-resolved there is no such folder; watching the one above it, until it
    // appears, would cost a wake-up for each thing that happens in /run.
    let behind = Path::new(BEHIND_THE_STUB);
    if behind.parent().is_some_and(Path::exists) {
        files.push(behind.to_owned());
    }
    files
}

/// The stub's address is the same on every network, so it says nothing about where we are.
fn read_from(path: &Path, behind: &Path) -> Resolver {
    let read = conf::read(path).unwrap_or_default();
    if !read.servers.iter().any(|server| STUBS.contains(server)) {
        return read;
    }
    let Some(real) = conf::read_behind(behind) else {
        return read;
    };
    Resolver {
        servers: if real.servers.is_empty() {
            read.servers
        } else {
            real.servers
        },
        search: if real.search.is_empty() {
            read.search
        } else {
            real.search
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn behind_the_stub_are_the_real_servers() {
        let folder = tempfile::tempdir().unwrap();
        let (stub, real) = (folder.path().join("stub"), folder.path().join("real"));
        std::fs::write(&stub, "nameserver 127.0.0.53\nsearch corp.test\n").unwrap();
        let alone = read_from(&stub, &real);
        assert_eq!(alone.servers, [STUBS[0]]);
        std::fs::write(&real, "nameserver 10.20.0.53\nsearch .\n").unwrap();
        let behind = read_from(&stub, &real);
        assert_eq!(behind.servers, ["10.20.0.53".parse::<IpAddr>().unwrap()]);
        assert_eq!(behind.search, ["corp.test"]);
        std::fs::write(&stub, "nameserver 10.9.0.53\n").unwrap();
        let direct = read_from(&stub, &real);
        assert_eq!(direct.servers, ["10.9.0.53".parse::<IpAddr>().unwrap()]);
    }
}
