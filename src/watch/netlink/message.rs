//! Messages and attributes, as bytes (`linux/netlink.h`, `linux/rtnetlink.h`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// `struct nlmsghdr`.
pub(super) const HEADER: usize = 16;
/// `struct rtattr`.
const ATTRIBUTE_HEADER: usize = 4;

/// One message, without its header.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NetlinkMessage<'a> {
    /// `RTM_NEWLINK` and the like.
    pub(crate) kind: u16,
    /// `NLM_F_…`.
    pub(crate) flags: u16,
    /// The number of the request that it answers.
    pub(crate) sequence: u32,
    /// What follows the header.
    pub(crate) body: &'a [u8],
}

/// The messages in what one `recv` brought. Ends at the first one whose length cannot be true.
pub(crate) fn messages(mut bytes: &[u8]) -> impl Iterator<Item = NetlinkMessage<'_>> {
    std::iter::from_fn(move || {
        let length = usize::try_from(u32_at(bytes, 0)?).ok()?;
        let body = bytes.get(HEADER..length)?;
        let message = NetlinkMessage {
            kind: u16_at(bytes, 4)?,
            flags: u16_at(bytes, 6)?,
            sequence: u32_at(bytes, 8)?,
            body,
        };
        bytes = bytes.get(padded(length)..).unwrap_or_default();
        Some(message)
    })
}

/// The attributes that follow the fixed part of a message, or fill a nest: type and value.
pub(crate) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(bytes, 0)?);
        let value = bytes.get(ATTRIBUTE_HEADER..length)?;
        // The two upper bits are NLA_F_NESTED and NLA_F_NET_BYTEORDER.
        let kind = u16_at(bytes, 2)? & 0x3fff;
        bytes = bytes.get(padded(length)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// Netlink aligns messages and attributes to four bytes.
pub(super) fn padded(length: usize) -> usize {
    length.saturating_add(3) & !3
}

/// The number at an offset, in the machine's byte order.
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_ne_bytes(bytes.try_into().ok()?))
}

/// The number at an offset, in the machine's byte order.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_ne_bytes(bytes.try_into().ok()?))
}

/// An address; its length says which family it is of.
pub(in crate::watch) fn address(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(v4).into());
    }
    let v6 = <[u8; 16]>::try_from(bytes).ok()?;
    Some(Ipv6Addr::from(v6).into())
}

/// A string that ends with NUL, or at the end of the value.
pub(in crate::watch) fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0);
    let bytes = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
pub(in crate::watch) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A message with a correct header.
    pub(in crate::watch) fn message(kind: u16, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(HEADER + body.len()).unwrap();
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend([0; 10]);
        bytes.extend(body);
        bytes.resize(padded(bytes.len()), 0);
        bytes
    }

    /// An attribute with a correct header.
    pub(in crate::watch) fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(ATTRIBUTE_HEADER + value.len()).unwrap();
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(value);
        bytes.resize(padded(bytes.len()), 0);
        bytes
    }

    #[test]
    fn messages_and_attributes_come_out_as_they_were_put_in() {
        let body = [attribute(3, b"eth0\0"), attribute(0x8012, &[7; 4])].concat();
        let mut bytes = message(16, &body);
        bytes.extend(message(17, &[]));
        let read: Vec<_> = messages(&bytes).map(|m| (m.kind, m.body.len())).collect();
        assert_eq!(read, [(16, body.len()), (17, 0)]);
        let attributes: Vec<_> = attributes(&body).collect();
        assert_eq!(attributes, [(3, &b"eth0\0"[..]), (0x12, &[7; 4][..])]);
        assert_eq!(text(attributes[0].1), "eth0");
    }

    #[test]
    fn a_length_that_cannot_be_true_ends_the_reading() {
        for length in [0_u32, 3, 15, 21, u32::MAX] {
            let mut bytes = message(16, &[0; 4]);
            bytes[..4].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(messages(&bytes).count(), 0, "{length}");
        }
        for length in [0_u16, 3, 9, u16::MAX] {
            let mut bytes = attribute(1, &[0; 4]);
            bytes[..2].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(attributes(&bytes).count(), 0, "{length}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic_or_run_on(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            prop_assert!(messages(&bytes).count() <= bytes.len() / HEADER);
            prop_assert!(attributes(&bytes).count() <= bytes.len() / ATTRIBUTE_HEADER);
        }
    }
}
