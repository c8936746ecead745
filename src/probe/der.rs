//! The few fields of a certificate that webpki keeps to itself (RFC 5280, 4.1). What cannot be
//! read is `None`; every length is checked.

/// `serverAuth` and `anyExtendedKeyUsage`, as DER.
const SERVER: &[u8] = &[6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 1];
const ANY: &[u8] = &[6, 4, 0x55, 0x1d, 0x25, 0];
/// The extension that names what a key is for.
const USAGE: &[u8] = &[0x55, 0x1d, 0x25];
/// `rsaEncryption`.
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];

const BOOLEAN: u8 = 1;
const INTEGER: u8 = 2;
const BIT_STRING: u8 = 3;
const OCTET_STRING: u8 = 4;
const OID: u8 = 6;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;

/// What was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DerCertificate<'a> {
    /// go 1.23 and later refuse to read one whose serial number is below zero.
    pub(super) serial_is_negative: bool,
    /// The name of who signed it, without tag and length.
    pub(super) issuer: &'a [u8],
    /// Its own name, and its key (a `SubjectPublicKeyInfo`), both without tag and length.
    pub(super) subject: &'a [u8],
    pub(super) key: &'a [u8],
    /// It names itself as who signed it.
    pub(super) self_issued: bool,
    /// Seconds since 1970.
    pub(super) not_before: i64,
    pub(super) not_after: i64,
    /// It does not name uses, or a server's is among them.
    pub(super) may_serve: bool,
    /// go knows each of its critical extensions.
    pub(super) conditions_known: bool,
    /// The length of its RSA key, if it has one.
    pub(super) rsa_bits: Option<usize>,
}

impl DerCertificate<'_> {
    pub(super) fn read(der: &[u8]) -> Option<DerCertificate<'_>> {
        let (certificate, _) = value(der, SEQUENCE)?;
        let (mut rest, _) = value(certificate, SEQUENCE)?;
        if let Some((_, after)) = value(rest, VERSION) {
            rest = after;
        }
        let (serial, rest) = value(rest, INTEGER)?;
        let (_, rest) = value(rest, SEQUENCE)?;
        let (issuer, rest) = value(rest, SEQUENCE)?;
        let (validity, rest) = value(rest, SEQUENCE)?;
        let (not_before, validity) = time(validity)?;
        let (not_after, _) = time(validity)?;
        let (subject, rest) = value(rest, SEQUENCE)?;
        let (key, mut rest) = value(rest, SEQUENCE)?;
        let (mut may_serve, mut conditions_known) = (true, true);
        while let Some((tag, body, after)) = next(rest) {
            if tag == EXTENSIONS {
                may_serve = serves(body)?;
                conditions_known = knows_all(body)?;
            }
            rest = after;
        }
        Some(DerCertificate {
            serial_is_negative: serial.first().is_some_and(|byte| byte & 0x80 != 0),
            issuer,
            subject,
            key,
            self_issued: subject == issuer,
            not_before,
            not_after,
            may_serve,
            conditions_known,
            rsa_bits: rsa_bits(key),
        })
    }
}

/// `crypto/x509/parser.go:processExtensions`: authority and subject key, key usage, alternative
/// names, constraints, distribution points, policies, extended usage, and authority information.
fn knows_all(extensions: &[u8]) -> Option<bool> {
    const OF_2_5_29: [u8; 9] = [14, 15, 17, 19, 30, 31, 32, 35, 37];
    const INFORMATION: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 1, 1];
    let (mut list, _) = value(extensions, SEQUENCE)?;
    while let Some((_, extension, after)) = next(list) {
        list = after;
        let (name, rest) = value(extension, OID)?;
        let known = match name {
            [0x55, 0x1d, number] => OF_2_5_29.contains(number),
            name => name == INFORMATION,
        };
        if !known && rest.starts_with(&[BOOLEAN, 1, 0xff]) {
            return Some(false);
        }
    }
    Some(true)
}

fn serves(extensions: &[u8]) -> Option<bool> {
    let (mut list, _) = value(extensions, SEQUENCE)?;
    while let Some((_, extension, after)) = next(list) {
        list = after;
        let (name, mut rest) = value(extension, OID)?;
        if name != USAGE {
            continue;
        }
        while let Some((tag, body, after)) = next(rest) {
            rest = after;
            if tag == OCTET_STRING {
                let (mut uses, _) = value(body, SEQUENCE)?;
                while let Some((_, _, after)) = next(uses) {
                    let one = uses.get(..uses.len() - after.len())?;
                    if one == SERVER || one == ANY {
                        return Some(true);
                    }
                    uses = after;
                }
                return Some(false);
            }
        }
    }
    Some(true)
}

/// The length of an RSA key (a `SubjectPublicKeyInfo` without tag and length).
pub(super) fn rsa_bits(key: &[u8]) -> Option<usize> {
    let (algorithm, rest) = value(key, SEQUENCE)?;
    let (name, _) = value(algorithm, OID)?;
    if name != RSA {
        return None;
    }
    let (bits, _) = value(rest, BIT_STRING)?;
    let (numbers, _) = value(bits.strip_prefix(&[0])?, SEQUENCE)?;
    let (modulus, _) = value(numbers, INTEGER)?;
    let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
    let modulus = modulus.get(zeros..)?;
    let first = modulus.first()?;
    usize::try_from(first.leading_zeros())
        .ok()
        .and_then(|unused| (modulus.len() * 8).checked_sub(unused))
}

/// `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ`, as seconds since 1970, and what follows.
fn time(der: &[u8]) -> Option<(i64, &[u8])> {
    let (tag, body, rest) = next(der)?;
    let text = str::from_utf8(body).ok()?.strip_suffix('Z')?;
    let (year, text) = match tag {
        UTC_TIME => (None, text),
        GENERALIZED_TIME => {
            let (year, text) = text.split_at_checked(4)?;
            (Some(year.parse::<i16>().ok()?), text)
        }
        _ => return None,
    };
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let pairs: Vec<i8> = text
        .as_bytes()
        .chunks(2)
        .map(|pair| str::from_utf8(pair).ok()?.parse().ok())
        .collect::<Option<_>>()?;
    let (year, pairs) = match (year, pairs.as_slice()) {
        (Some(year), pairs) => (year, pairs),
        // RFC 5280, 4.1.2.5.1.
        (None, [year, pairs @ ..]) => {
            let year = i16::from(*year);
            (if year < 50 { 2000 + year } else { 1900 + year }, pairs)
        }
        (None, []) => return None,
    };
    let &[month, day, hour, minute, second] = pairs else {
        return None;
    };
    let moment = jiff::civil::DateTime::new(year, month, day, hour, minute, second, 0).ok()?;
    let zoned = moment.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some((zoned.timestamp().as_second(), rest))
}

/// The body of a value of this kind, and what follows.
fn value(der: &[u8], wanted: u8) -> Option<(&[u8], &[u8])> {
    let (tag, body, rest) = next(der)?;
    (tag == wanted).then_some((body, rest))
}

/// Tag, body, and what follows.
fn next(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, first], mut rest) = der.split_first_chunk::<2>()?;
    let mut length = usize::from(first);
    if first >= 0x80 {
        let (bytes, after) = rest.split_at_checked(usize::from(first & 0x7f))?;
        if bytes.is_empty() || bytes.len() > 4 {
            return None;
        }
        length = bytes
            .iter()
            .fold(0, |sum: usize, byte| sum << 8 | usize::from(*byte));
        rest = after;
    }
    let (body, rest) = rest.split_at_checked(length)?;
    Some((tag, body, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair};

    use super::*;

    fn certificate(uses: &[ExtendedKeyUsagePurpose]) -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["h.test".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(1999, 12, 31);
        params.not_after = rcgen::date_time_ymd(2060, 3, 1);
        params.extended_key_usages = uses.to_vec();
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn times_and_uses_are_read() {
        let der = certificate(&[]);
        let read = DerCertificate::read(&der).unwrap();
        // `date -u -d 1999-12-31 +%s`, `date -u -d 2060-03-01 +%s`.
        assert_eq!(
            (read.not_before, read.not_after),
            (946_598_400, 2_845_324_800)
        );
        assert_eq!((read.may_serve, read.rsa_bits), (true, None));
        let serves = |uses: &[ExtendedKeyUsagePurpose]| {
            DerCertificate::read(&certificate(uses)).unwrap().may_serve
        };
        assert!(!serves(&[ExtendedKeyUsagePurpose::ClientAuth]));
        assert!(serves(&[
            ExtendedKeyUsagePurpose::ClientAuth,
            ExtendedKeyUsagePurpose::ServerAuth
        ]));
        assert!(serves(&[ExtendedKeyUsagePurpose::Any]));
    }

    #[test]
    fn a_serial_number_below_zero_is_seen() {
        let mut der = certificate(&[]);
        assert!(!DerCertificate::read(&der).unwrap().serial_is_negative);
        let version = [VERSION, 3, INTEGER, 1, 2, INTEGER];
        let at = der.windows(6).position(|part| part == version).unwrap();
        // Behind the length of the serial number.
        der[at + 7] |= 0x80;
        assert!(DerCertificate::read(&der).unwrap().serial_is_negative);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(at in 0..300usize, byte: u8, junk in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = DerCertificate::read(&junk);
            let mut damaged = certificate(&[ExtendedKeyUsagePurpose::ServerAuth]);
            if let Some(place) = damaged.get_mut(at) {
                *place = byte;
            }
            let _ = DerCertificate::read(&damaged);
        }
    }
}
