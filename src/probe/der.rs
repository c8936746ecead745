//! The few fields of a certificate that webpki keeps to itself (RFC 5280, 4.1). What cannot be
//! read is `None`; every length is checked.

const BIT_STRING: u8 = 3;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;

/// `rsaEncryption`.
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
/// The extension that names what a key is for, and two of its values: `serverAuth` and
/// `anyExtendedKeyUsage`.
const USAGE: &[u8] = &[0x55, 0x1d, 0x25];
const SERVER: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
const ANY: &[u8] = &[0x55, 0x1d, 0x25, 0];
/// Authority information.
const INFORMATION: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 1, 1];

/// What was read; names and keys without tag and length.
#[derive(Debug)]
pub(super) struct DerCertificate<'a> {
    serial: &'a [u8],
    /// The name of the authority that signed it.
    pub(super) issuer: &'a [u8],
    pub(super) subject: &'a [u8],
    /// A `SubjectPublicKeyInfo`.
    pub(super) key: &'a [u8],
    /// Name, whether it is critical, and value.
    extensions: Vec<(&'a [u8], bool, &'a [u8])>,
}

impl DerCertificate<'_> {
    pub(super) fn read(der: &[u8]) -> Option<DerCertificate<'_>> {
        let (_, certificate) = items(der).next()?;
        let (_, signed) = items(certificate).next()?;
        let fields: Vec<_> = items(signed).filter(|(tag, _)| *tag != VERSION).collect();
        let [
            (_, serial),
            _,
            (_, issuer),
            _,
            (_, subject),
            (_, key),
            rest @ ..,
        ] = fields.as_slice()
        else {
            return None;
        };
        let extensions = rest.iter().find(|(tag, _)| *tag == EXTENSIONS);
        let extensions = extensions.and_then(|(_, body)| items(body).next());
        let extension = |(_, body)| {
            let parts: Vec<(u8, &[u8])> = items(body).collect();
            match *parts.as_slice() {
                [(_, name), (_, value)] => Some((name, false, value)),
                [(_, name), (_, critical), (_, value)] => Some((name, critical == [0xff], value)),
                _ => None,
            }
        };
        Some(DerCertificate {
            serial,
            issuer,
            subject,
            key,
            extensions: items(extensions.map_or(&[], |(_, list)| list))
                .map(extension)
                .collect::<Option<_>>()?,
        })
    }

    /// go 1.23 and later refuse to read such a certificate.
    pub(super) fn has_negative_serial(&self) -> bool {
        self.serial.first().is_some_and(|byte| byte & 0x80 != 0)
    }

    /// It does not name uses, or a server's is among them.
    pub(super) fn may_serve(&self) -> bool {
        let uses = self.extensions.iter().find(|(name, ..)| *name == USAGE);
        uses.and_then(|(_, _, value)| items(value).next())
            .is_none_or(|(_, uses)| items(uses).any(|(_, one)| one == SERVER || one == ANY))
    }

    /// Does go know each of its critical extensions? `crypto/x509/parser.go:processExtensions`:
    /// authority and subject key, key usage, alternative names, constraints, distribution points,
    /// policies, extended usage, and authority information.
    pub(super) fn has_known_conditions(&self) -> bool {
        self.extensions
            .iter()
            .all(|(name, critical, _)| match name {
                [0x55, 0x1d, 14 | 15 | 17 | 19 | 30 | 31 | 32 | 35 | 37] => true,
                name => !critical || *name == INFORMATION,
            })
    }
}

/// The length of an RSA key (a `SubjectPublicKeyInfo` without tag and length).
pub(super) fn rsa_bits(key: &[u8]) -> Option<usize> {
    let mut parts = items(key);
    let (_, algorithm) = parts.next()?;
    let (tag, bits) = parts.next()?;
    if items(algorithm).next()?.1 != RSA || tag != BIT_STRING {
        return None;
    }
    let (_, numbers) = items(bits.strip_prefix(&[0])?).next()?;
    let (_, modulus) = items(numbers).next()?;
    let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
    let modulus = modulus.get(zeros..)?;
    let unused = usize::try_from(modulus.first()?.leading_zeros()).ok()?;
    (modulus.len() * 8).checked_sub(unused)
}

/// Tag and body of each value of a list, as far as they can be read.
fn items(mut der: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let (&[tag, first], mut rest) = der.split_first_chunk::<2>()?;
        let mut length = usize::from(first);
        if first >= 0x80 {
            let (bytes, after) = rest.split_at_checked(usize::from(first & 0x7f))?;
            if bytes.is_empty() || bytes.len() > 4 {
                return None;
            }
            let shifted = |sum: usize, byte: &u8| sum << 8 | usize::from(*byte);
            length = bytes.iter().fold(0, shifted);
            rest = after;
        }
        let body;
        (body, der) = rest.split_at_checked(length)?;
        Some((tag, body))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair};

    use super::*;

    fn certificate(uses: &[ExtendedKeyUsagePurpose]) -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["h.test".to_owned()]).unwrap();
        params.extended_key_usages = uses.to_vec();
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn uses_are_read() {
        let serves = |uses: &[ExtendedKeyUsagePurpose]| {
            DerCertificate::read(&certificate(uses))
                .unwrap()
                .may_serve()
        };
        assert!(serves(&[]));
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
        assert!(!DerCertificate::read(&der).unwrap().has_negative_serial());
        let version = [VERSION, 3, 2, 1, 2, 2];
        let at = der.windows(6).position(|part| part == version).unwrap();
        // Behind the length of the serial number.
        der[at + 7] |= 0x80;
        assert!(DerCertificate::read(&der).unwrap().has_negative_serial());
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
