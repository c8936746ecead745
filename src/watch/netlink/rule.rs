//! Policy-routing rules (`linux/fib_rules.h`).

use std::fmt::Write as _;

use super::message::{address, attributes, text, u16_at, u32_at};
use crate::model::Rule;

const FRA_DST: u16 = 1;
const FRA_SRC: u16 = 2;
const FRA_IIFNAME: u16 = 3;
const FRA_GOTO: u16 = 4;
const FRA_PRIORITY: u16 = 6;
const FRA_FWMARK: u16 = 10;
const FRA_SUPPRESS_PREFIXLEN: u16 = 14;
const FRA_TABLE: u16 = 15;
const FRA_FWMASK: u16 = 16;
const FRA_OIFNAME: u16 = 17;
const FRA_PAD: u16 = 18;
const FRA_UID_RANGE: u16 = 20;
const FRA_PROTOCOL: u16 = 21;
const FRA_IP_PROTO: u16 = 22;
const FRA_SPORT_RANGE: u16 = 23;
const FRA_DPORT_RANGE: u16 = 24;
const FRA_SUPPRESS_IFGROUP: u16 = 13;
/// `struct fib_rule_hdr`.
const RULE_HEADER: usize = 12;
const FIB_RULE_INVERT: u32 = 2;
/// Priority and table of the rules that always exist: local, main, default.
const BUILT_IN: [(u32, u32); 3] = [(0, 255), (32766, 254), (32767, 253)];

/// The rule in the body of `RTM_NEWRULE`. `None` for the three that always exist, and for
/// broken ones.
pub(in crate::watch) fn parse(body: &[u8]) -> Option<Rule> {
    let family = libc::c_int::from(*body.first()?);
    if family != libc::AF_INET && family != libc::AF_INET6 {
        return None;
    }
    let (to_prefix, from_prefix) = (*body.get(1)?, *body.get(2)?);
    let tos = *body.get(3)?;
    let action = *body.get(7)?;
    let flags = u32_at(body, 8)?;
    let mut rule = Rule {
        priority: 0,
        v6: family == libc::AF_INET6,
        table: u32::from(*body.get(4)?),
        text: String::new(),
    };
    let mut words = String::new();
    let mut mask = u32::MAX;
    let mut mark = None;
    for (kind, value) in attributes(body.get(RULE_HEADER..)?) {
        let number = u32_at(value, 0);
        // Writing to a String cannot fail.
        let _ = match kind {
            FRA_PRIORITY => {
                rule.priority = number?;
                Ok(())
            }
            FRA_TABLE => {
                rule.table = number?;
                Ok(())
            }
            FRA_FWMARK => {
                mark = number;
                Ok(())
            }
            FRA_FWMASK => {
                mask = number?;
                Ok(())
            }
            FRA_SRC => write!(words, "from {}/{from_prefix} ", address(value)?),
            FRA_DST => write!(words, "to {}/{to_prefix} ", address(value)?),
            FRA_IIFNAME => write!(words, "iif {} ", text(value)),
            FRA_OIFNAME => write!(words, "oif {} ", text(value)),
            FRA_GOTO => write!(words, "goto {} ", number?),
            FRA_UID_RANGE => write!(words, "uids {}-{} ", number?, u32_at(value, 4)?),
            FRA_IP_PROTO => write!(words, "proto {} ", value.first()?),
            FRA_SPORT_RANGE => write!(words, "sport {} ", ports(value)?),
            FRA_DPORT_RANGE => write!(words, "dport {} ", ports(value)?),
            // "No limit" is spelt -1.
            FRA_SUPPRESS_PREFIXLEN | FRA_SUPPRESS_IFGROUP if number == Some(u32::MAX) => Ok(()),
            FRA_SUPPRESS_PREFIXLEN => write!(words, "suppress_prefixlength {} ", number?),
            // Who made it, and padding, do not steer a packet.
            FRA_PROTOCOL | FRA_PAD => Ok(()),
            // Whatever it means, another value means another rule.
            other => write!(words, "attribute{other} {value:02x?} "),
        };
    }
    if BUILT_IN.contains(&(rule.priority, rule.table))
        && words.is_empty()
        && mark.is_none()
        && flags & FIB_RULE_INVERT == 0
    {
        return None;
    }
    if tos != 0 {
        let _ = write!(words, "tos {tos:#x} ");
    }
    match mark {
        Some(mark) if mask == u32::MAX => drop(write!(words, "fwmark {mark:#x} ")),
        Some(mark) => drop(write!(words, "fwmark {mark:#x}/{mask:#x} ")),
        None => {}
    }
    let not = if flags & FIB_RULE_INVERT != 0 {
        "not "
    } else {
        ""
    };
    let from = if words.contains("from ") {
        ""
    } else {
        "from all "
    };
    // FR_ACT_TO_TBL; the others are goto, nop, and the same refusals as routes have.
    let end = match action {
        1 => format!("lookup {}", rule.table),
        2 => "goto".to_owned(),
        6 => "blackhole".to_owned(),
        7 => "unreachable".to_owned(),
        8 => "prohibit".to_owned(),
        other => format!("action {other}"),
    };
    rule.text = format!("{not}{from}{words}{end}");
    Some(rule)
}

fn ports(value: &[u8]) -> Option<String> {
    let (low, high) = (u16_at(value, 0)?, u16_at(value, 2)?);
    Some(format!("{low}-{high}"))
}

#[cfg(test)]
mod tests {
    use super::super::message::tests::attribute;
    use super::*;
    use proptest::prelude::*;

    fn body(table: u8, attributes: &[Vec<u8>]) -> Vec<u8> {
        let mut body = vec![libc::AF_INET as u8, 0, 32, 0, table, 0, 0, 1];
        body.extend([0; 4]);
        body.extend(attributes.concat());
        body
    }

    fn number(kind: u16, value: u32) -> Vec<u8> {
        attribute(kind, &value.to_ne_bytes())
    }

    #[test]
    fn the_three_rules_that_always_exist_are_left_out() {
        for (priority, table) in BUILT_IN {
            let attributes = [
                number(FRA_PRIORITY, priority),
                number(FRA_TABLE, table),
                number(FRA_SUPPRESS_PREFIXLEN, u32::MAX),
                attribute(FRA_PROTOCOL, &[2]),
            ];
            assert_eq!(parse(&body(0, &attributes)), None);
        }
        // At the same place, and yet another rule.
        let mine = [number(FRA_PRIORITY, 0), number(FRA_FWMARK, 1)];
        assert!(parse(&body(255, &mine)).is_some());
    }

    #[test]
    fn a_rule_is_spelt_as_ip_rule_spells_it() {
        let attributes = [
            number(FRA_PRIORITY, 100),
            attribute(FRA_SRC, &[10, 9, 0, 2]),
            attribute(FRA_IIFNAME, b"eth0\0"),
            number(FRA_FWMARK, 0x10),
            number(FRA_FWMASK, 0xff),
        ];
        let rule = parse(&body(77, &attributes)).unwrap();
        assert_eq!((rule.priority, rule.table, rule.v6), (100, 77, false));
        assert_eq!(
            rule.text,
            "from 10.9.0.2/32 iif eth0 fwmark 0x10/0xff lookup 77"
        );
    }

    #[test]
    fn wireguards_two_rules_differ_from_the_built_in_ones() {
        let quick = [
            number(FRA_PRIORITY, 32765),
            number(FRA_SUPPRESS_PREFIXLEN, 0),
        ];
        let rule = parse(&body(254, &quick)).unwrap();
        assert_eq!(rule.text, "from all suppress_prefixlength 0 lookup 254");
        let mut marked = body(0, &[number(FRA_PRIORITY, 32764), number(FRA_FWMARK, 51820)]);
        marked[8..12].copy_from_slice(&FIB_RULE_INVERT.to_ne_bytes());
        marked.extend(number(FRA_TABLE, 51820));
        let rule = parse(&marked).unwrap();
        assert_eq!(rule.text, "not from all fwmark 0xca6c lookup 51820");
    }

    #[test]
    fn an_attribute_of_a_future_kernel_makes_another_rule() {
        let one = parse(&body(77, &[number(99, 1)])).unwrap();
        let two = parse(&body(77, &[number(99, 2)])).unwrap();
        assert_ne!(one, two);
    }

    proptest! {
        #[test]
        fn no_bytes_make_rules_panic(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
            let _ = parse(&bytes);
            let _ = parse(&body(77, &[bytes]));
        }
    }
}
