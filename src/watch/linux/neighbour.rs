//! The neighbour table (`linux/neighbour.h`): which link-layer address an address has.

use std::net::IpAddr;

use crate::watch::netlink::{DumpSocket, TIMEOUT, attribute, find_attribute, u16_at};

/// `struct ndmsg`.
const HEADER: usize = 12;
/// Where the header has the link's index and the entry's state.
const LINK: usize = 4;
const STATE: usize = 8;
/// The neighbour has answered a moment ago, or the administrator has set its address. An entry in
/// any other state may be left from another network.
const CONFIRMED: u16 = libc::NUD_REACHABLE | libc::NUD_PERMANENT;

/// Returns the link-layer address of a neighbour that is known to be there. Sends no packet. Before
/// Linux 5.0 the kernel does not answer.
pub(in crate::watch) fn link_layer_address(link: u32, neighbour: IpAddr) -> Option<Vec<u8>> {
    let mut socket = DumpSocket::open(None, TIMEOUT).ok()?;
    let entry = socket.ask_one(libc::RTM_GETNEIGH, &request(link, neighbour), parse);
    entry.ok()?
}

fn request(link: u32, neighbour: IpAddr) -> Vec<u8> {
    let (family, address) = match neighbour {
        IpAddr::V4(v4) => (libc::AF_INET, v4.octets().to_vec()),
        IpAddr::V6(v6) => (libc::AF_INET6, v6.octets().to_vec()),
    };
    let mut body = vec![0; HEADER];
    body[0] = u8::try_from(family).unwrap_or_default();
    body[LINK..LINK + 4].copy_from_slice(&link.to_ne_bytes());
    body.extend(attribute(libc::NDA_DST, &address));
    body
}

fn parse(body: &[u8]) -> Option<Vec<u8>> {
    let is_confirmed = u16_at(body, STATE)? & CONFIRMED != 0;
    let address = find_attribute(body.get(HEADER..)?, libc::NDA_LLADDR)?;
    (is_confirmed && !address.is_empty()).then(|| address.to_vec())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(state: u16, address: &[u8]) -> Vec<u8> {
        let mut body = request(2, "192.0.2.1".parse().unwrap());
        body[STATE..STATE + 2].copy_from_slice(&state.to_ne_bytes());
        body.extend(attribute(libc::NDA_LLADDR, address));
        body
    }

    #[test]
    fn only_a_neighbour_that_has_just_answered_has_an_address() {
        let address = [2, 0, 0, 0, 0, 7];
        for (state, wanted) in [
            (libc::NUD_REACHABLE, Some(address.to_vec())),
            (libc::NUD_PERMANENT, Some(address.to_vec())),
            (libc::NUD_STALE, None),
            (libc::NUD_DELAY, None),
            (libc::NUD_FAILED, None),
            (libc::NUD_NOARP, None),
        ] {
            assert_eq!(parse(&entry(state, &address)), wanted, "{state}");
        }
        assert_eq!(parse(&entry(libc::NUD_REACHABLE, &[])), None);
        assert_eq!(parse(&request(2, "fe80::1".parse().unwrap())), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = parse(&bytes);
        }
    }
}
