//! The one TLS verifier: it judges a certificate as go does, then runs a target's own checks.
//!
//! Go accepts a certificate that is itself among the roots at once (`crypto/x509.Verify`): one that
//! `openssl req -x509` has made, which is both its own authority and its own server. webpki judges
//! all other certificates; if its verdict differs from go's, the failure says so.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ring::digest::{SHA256, digest};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
};

use crate::model::{Host, Pin};

/// Faults of a certificate for which rustls has no error.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum CertificateFault {
    #[error("another key than the pinned one")]
    AnotherKey,
    /// A negative serial number: go 1.23 and later cannot read the certificate.
    #[error("a negative serial number")]
    NegativeSerial,
    /// go accepts it, but goroam's TLS cannot judge it: the RSA key is too short for ring, whose
    /// keys begin at 2048 bits; go's begin at 1024.
    #[error("an RSA key in its chain has {0} bits")]
    ShortKey(usize),
    /// go accepts it, but goroam's TLS cannot judge it: an authority's certificate is used as a
    /// server's and is signed by another authority.
    #[error("it is a certificate of an authority (CA:TRUE)")]
    Authority,
    /// go accepts it, but goroam's TLS cannot judge it: it has a critical extension, which go
    /// knows.
    #[error("it holds a critical condition, such as a policy")]
    Condition,
    /// go accepts it, but goroam's TLS cannot judge it: its key or signature is of another kind.
    #[error("its key or signature is of a kind like P-521")]
    Algorithm,
}

impl From<CertificateFault> for Error {
    fn from(fault: CertificateFault) -> Error {
        Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(fault))))
    }
}

/// The hashes of the root certificates.
pub(super) type KnownRoots = HashSet<[u8; 32]>;

/// Returns the hash that identifies a certificate among the roots, or a key among the pins.
pub(super) fn fingerprint(der: &[u8]) -> Option<[u8; 32]> {
    digest(&SHA256, der).as_ref().try_into().ok()
}

/// Accepts certificates that are roots themselves, and passes the others to another verifier.
#[derive(Debug)]
pub(super) struct AsGo {
    pub(super) inner: Arc<dyn ServerCertVerifier>,
    pub(super) known: Vec<Arc<KnownRoots>>,
    /// The roots that `inner` uses, if they are known here.
    pub(super) roots: Option<Arc<RootCertStore>>,
}

impl AsGo {
    fn judge(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<(), Error> {
        let chain: Vec<_> = std::iter::once(leaf).chain(others).collect();
        // go parses every certificate that a server sends.
        let mut read = chain.iter().filter_map(|one| DerCertificate::read(one));
        if read.any(|read| read.has_negative_serial()) {
            return Err(CertificateFault::NegativeSerial.into());
        }
        let is_root =
            fingerprint(leaf).is_some_and(|leaf| self.known.iter().any(|all| all.contains(&leaf)));
        if is_root {
            return check_root(leaf, name, now);
        }
        let judged = self.inner.verify_server_cert(leaf, others, name, ocsp, now);
        judged
            .map(|_| ())
            .map_err(|error| self.explain(error, &chain))
    }

    /// Returns the same error, or that it is not an error for go.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "a foreign enum that may grow"
    )]
    fn explain(&self, error: Error, chain: &[&CertificateDer<'_>]) -> Error {
        let Error::InvalidCertificate(why) = &error else {
            return error;
        };
        let read = || chain.iter().map(|one| DerCertificate::read(one));
        let known_condition = || {
            let known = |read: Option<DerCertificate<'_>>| {
                read.is_some_and(|read| read.has_known_conditions())
            };
            read().all(known).then_some(CertificateFault::Condition)
        };
        let found = match why {
            CertificateError::BadSignature => read()
                .flatten()
                .flat_map(|read| [rsa_bits(read.key), self.root_bits(read.issuer)])
                .flatten()
                .find(|bits| (1024..2048).contains(bits))
                .map(CertificateFault::ShortKey),
            CertificateError::UnsupportedSignatureAlgorithmContext {
                signature_algorithm_id: algorithm,
                ..
            }
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext {
                signature_algorithm_id: algorithm,
                ..
            } => (!is_broken(algorithm)).then_some(CertificateFault::Algorithm),
            CertificateError::UnhandledCriticalExtension => known_condition(),
            CertificateError::Other(other) => match other.0.downcast_ref::<webpki::Error>() {
                Some(webpki::Error::CaUsedAsEndEntity) => {
                    let leaf = read().next().flatten();
                    // go also refuses a self-signed certificate that is not a root here.
                    if leaf.is_some_and(|leaf| leaf.subject == leaf.issuer) {
                        return CertificateError::UnknownIssuer.into();
                    }
                    Some(CertificateFault::Authority)
                }
                Some(webpki::Error::UnsupportedCriticalExtension) => known_condition(),
                _ => None,
            },
            _ => None,
        };
        found.map_or(error, Error::from)
    }

    /// Returns the length of the RSA key of the root with this name.
    fn root_bits(&self, name: &[u8]) -> Option<usize> {
        let mut roots = self.roots.iter().flat_map(|store| &store.roots);
        roots.find_map(|root| {
            let key = root.subject_public_key_info.as_ref();
            (root.subject.as_ref() == name)
                .then(|| rsa_bits(key))
                .flatten()
        })
    }
}

/// Checks what remains to check of a root: its validity period, that a server may use it, and its
/// name. The handshake proves that the server has its key.
fn check_root(
    certificate: &CertificateDer<'_>,
    name: &ServerName<'_>,
    now: UnixTime,
) -> Result<(), Error> {
    let parsed = ParsedCertificate::try_from(certificate)?;
    // Nothing signs it; only the checks that webpki makes before it finds that out matter.
    let unsigned = RootCertStore::empty();
    match verify_server_cert_signed_by_trust_anchor(&parsed, &unsigned, &[], now, &[]) {
        Err(Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::Other(_),
        ))
        | Ok(()) => {}
        Err(error) => return Err(error),
    }
    if !DerCertificate::read(certificate).is_some_and(|read| read.may_serve()) {
        return Err(CertificateError::InvalidPurpose.into());
    }
    verify_server_name(&parsed, name)
}

/// MD2, MD5 and SHA-1 with RSA (1.2.840.113549.1.1.2, .4 and .5), SHA-1 with ECDSA and DSA: go
/// accepts none of these.
fn is_broken(algorithm: &[u8]) -> bool {
    const BROKEN: [&[u8]; 5] = [
        &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 2],
        &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 4],
        &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5],
        &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1],
        &[0x2a, 0x86, 0x48, 0xce, 0x38, 4, 3],
    ];
    // The object identifier may come with or without its tag and length.
    let bare = match algorithm {
        [6, length, rest @ ..] => rest.get(..usize::from(*length)).unwrap_or(rest),
        bare => bare,
    };
    BROKEN.iter().any(|broken| bare.starts_with(broken))
}

/// Judges by roots, then by a target's own requirements.
#[derive(Debug)]
pub(super) struct Verifier {
    pub(super) by: AsGo,
    /// Go's own roots, if the target trusts others as well; an inner `None`: go has no root.
    pub(super) by_go: Option<Option<AsGo>>,
    /// Set if these roots give a different verdict; the verdict itself does not change.
    pub(super) distrusted: Arc<AtomicBool>,
    /// The key of this host must be one of these, if there are any.
    pub(super) pins: Vec<Pin>,
    pub(super) host: Option<Host>,
    /// Where to note the keys that handshakes show, if they are wanted.
    pub(super) noted: Option<Arc<NotedKeys>>,
}

impl Verifier {
    fn check_pin(&self, leaf: &CertificateDer<'_>, name: &ServerName<'_>) -> Result<(), Error> {
        // A host that cannot be compared is treated as the pinned one: its key must be right.
        let here = Host::parse(&name.to_str());
        let is_another = here.is_some() && self.host.is_some() && here != self.host;
        if self.pins.is_empty() || is_another {
            return Ok(());
        }
        let key = key(leaf)?;
        if self.pins.iter().any(|pin| Some(pin) == key.as_ref()) {
            return Ok(());
        }
        Err(CertificateFault::AnotherKey.into())
    }
}

/// Returns a certificate's key in the form of a pin.
fn key(certificate: &CertificateDer<'_>) -> Result<Option<Pin>, Error> {
    let spki = ParsedCertificate::try_from(certificate)?.subject_public_key_info();
    Ok(fingerprint(spki.as_ref()).map(Pin))
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let judge = |by: &AsGo| by.judge(leaf, others, name, ocsp, now);
        let mut verdict = judge(&self.by);
        if verdict.is_ok() {
            let trusts = |by_go: &Option<AsGo>| by_go.as_ref().is_some_and(|by| judge(by).is_ok());
            if !self.by_go.as_ref().is_none_or(trusts) {
                self.distrusted.store(true, Ordering::Relaxed);
            }
            verdict = self.check_pin(leaf, name);
        }
        if let Some(noted) = &self.noted {
            match &verdict {
                Ok(()) => noted.note(name, key(leaf)?.map(ServerKey::Verified)),
                Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {
                    noted.note(name, Some(ServerKey::Untrusted));
                }
                Err(_) => {}
            }
        }
        verdict.map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let judged = self.by.inner.verify_tls12_signature(message, cert, dss);
        judged.map_err(|error| self.by.explain(error, &[cert]))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let judged = self.by.inner.verify_tls13_signature(message, cert, dss);
        judged.map_err(|error| self.by.explain(error, &[cert]))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.by.inner.supported_verify_schemes()
    }
}

/// The verdict on a server's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ServerKey {
    /// Right, with this key.
    Verified(Pin),
    /// Not signed by a trusted CA.
    Untrusted,
}

/// The verdicts by host, in the order of the handshakes.
#[derive(Debug, Default)]
pub(super) struct NotedKeys(Mutex<Vec<(Option<Host>, ServerKey)>>);

impl NotedKeys {
    /// Returns the first verdict on a host: a redirect may lead to another server of the same name.
    pub(super) fn of(&self, host: &Host) -> Option<ServerKey> {
        let noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, key) = noted.iter().find(|(name, _)| name.as_ref() == Some(host))?;
        Some(key.clone())
    }

    fn note(&self, host: &ServerName<'_>, key: Option<ServerKey>) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        noted.extend(key.map(|key| (Host::parse(&host.to_str()), key)));
    }
}

// The few fields of a certificate that webpki does not expose (RFC 5280, 4.1). What cannot be read
// is `None`; every length is checked.

const BIT_STRING: u8 = 3;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;

/// `rsaEncryption`.
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
/// The extension that lists the purposes of a key, and two of its values: `serverAuth` and
/// `anyExtendedKeyUsage`.
const USAGE: &[u8] = &[0x55, 0x1d, 0x25];
const SERVER: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
const ANY: &[u8] = &[0x55, 0x1d, 0x25, 0];
/// The authority information access extension.
const INFORMATION: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 1, 1];

/// The parsed fields; names and keys are without tag and length.
#[derive(Debug)]
pub(super) struct DerCertificate<'a> {
    serial: &'a [u8],
    /// The name of the authority that signed it.
    pub(super) issuer: &'a [u8],
    pub(super) subject: &'a [u8],
    /// A `SubjectPublicKeyInfo`.
    pub(super) key: &'a [u8],
    /// Identifier, whether it is critical, and value.
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

    /// Reports whether the serial number is negative: go 1.23 and later refuse to read such a
    /// certificate.
    pub(super) fn has_negative_serial(&self) -> bool {
        self.serial.first().is_some_and(|byte| byte & 0x80 != 0)
    }

    /// Reports whether a server may use the certificate: it lists no purposes, or a server's is
    /// among them.
    pub(super) fn may_serve(&self) -> bool {
        let uses = self.extensions.iter().find(|(name, ..)| *name == USAGE);
        uses.and_then(|(_, _, value)| items(value).next())
            .is_none_or(|(_, uses)| items(uses).any(|(_, one)| one == SERVER || one == ANY))
    }

    /// Reports whether go knows each of its critical extensions.
    /// `crypto/x509/parser.go:processExtensions`: authority and subject key, key usage, alternative
    /// names, constraints, distribution points, policies, extended usage, and authority
    /// information.
    pub(super) fn has_known_conditions(&self) -> bool {
        self.extensions
            .iter()
            .all(|(name, critical, _)| match name {
                [0x55, 0x1d, 14 | 15 | 17 | 19 | 30 | 31 | 32 | 35 | 37] => true,
                name => !critical || *name == INFORMATION,
            })
    }
}

/// Returns the length of an RSA key (a `SubjectPublicKeyInfo` without tag and length).
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

/// Returns tag and body of each value of a list, up to the first that cannot be read.
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
        // The byte after the length of the serial number.
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
