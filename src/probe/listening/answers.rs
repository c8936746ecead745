//! Which listener takes a connection to which address.

use std::net::SocketAddr;

/// Would a connection to `address` reach this listener?
pub(super) fn answers(listener: SocketAddr, address: SocketAddr) -> bool {
    if listener.port() != address.port() {
        return false;
    }
    let (own, asked) = (listener.ip().to_canonical(), address.ip().to_canonical());
    let same_family = own.is_ipv4() == asked.is_ipv4();
    // `[::]` takes IPv4 as well, unless it was told not to, which the table does not show.
    asked.is_unspecified() || own == asked || own.is_unspecified() && (same_family || own.is_ipv6())
}

#[cfg(test)]
mod tests {
    use super::answers;

    #[test]
    fn a_wildcard_listener_answers_for_every_address_and_a_bound_one_for_its_own() {
        let answers = |listener: &str, address: &str| {
            answers(listener.parse().unwrap(), address.parse().unwrap())
        };
        assert!(answers("0.0.0.0:80", "127.0.0.1:80"));
        assert!(answers("[::]:80", "127.0.0.1:80"));
        assert!(!answers("0.0.0.0:80", "[::1]:80"));
        assert!(answers("127.0.0.1:80", "0.0.0.0:80"));
        assert!(!answers("127.0.0.1:80", "127.0.0.1:81"));
        assert!(!answers("127.0.0.2:80", "127.0.0.1:80"));
    }
}
