//! Echo requests and their answers on the wire (RFC 792, RFC 4443).

/// Which ICMP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    V6,
}

/// The request: header, then what the answer must bring back.
pub(super) fn request(family: Family, id: u16, token: &[u8; 16]) -> Vec<u8> {
    let kind = match family {
        Family::V4 => 8,
        Family::V6 => 128,
    };
    let mut packet = vec![kind, 0, 0, 0];
    packet.extend(id.to_be_bytes());
    packet.extend([0, 1]);
    packet.extend(token);
    // For ICMPv6 the kernel fills in the sum: it covers addresses that are not known here.
    if family == Family::V4 {
        let sum = checksum(&packet);
        packet.splice(2..4, sum.to_be_bytes());
    }
    packet
}

/// Is this the answer to the request with that token? The token is what counts: a ping socket
/// rewrites the id, a raw one sees everybody's answers.
pub(super) fn is_answer(family: Family, packet: &[u8], token: &[u8; 16]) -> bool {
    let (kind, packet) = match family {
        // Raw sockets, and macOS' ping sockets, show the IPv4 header as well.
        Family::V4 => (0, without_ip_header(packet)),
        Family::V6 => (129, packet),
    };
    packet.first() == Some(&kind) && packet.get(1) == Some(&0) && packet.get(8..) == Some(token)
}

fn without_ip_header(packet: &[u8]) -> &[u8] {
    match packet.first() {
        Some(first) if first >> 4 == 4 => packet
            .get(usize::from(first & 15) * 4..)
            .unwrap_or_default(),
        Some(_) | None => packet,
    }
}

/// RFC 1071.
fn checksum(packet: &[u8]) -> u16 {
    let mut sum: u32 = packet
        .chunks(2)
        .map(|pair| {
            let low = pair.get(1).copied().unwrap_or_default();
            u32::from(u16::from_be_bytes([pair[0], low]))
        })
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_request_sums_to_nothing_and_its_answer_is_known() {
        let token = [7; 16];
        let mut packet = request(Family::V4, 0x1234, &token);
        assert_eq!(checksum(&packet), 0);
        assert!(
            !is_answer(Family::V4, &packet, &token),
            "a request is no answer"
        );
        packet[0] = 0;
        assert!(is_answer(Family::V4, &packet, &token));
        assert!(!is_answer(Family::V4, &packet, &[8; 16]));
        let mut raw = vec![0x45; 20];
        raw.extend(&packet);
        assert!(is_answer(Family::V4, &raw, &token));
    }

    proptest! {
        #[test]
        fn no_packet_makes_it_panic(packet in proptest::collection::vec(any::<u8>(), 0..80)) {
            prop_assert!(!is_answer(Family::V4, &packet, &[1; 16]));
            prop_assert!(!is_answer(Family::V6, &packet, &[1; 16]));
        }
    }
}
