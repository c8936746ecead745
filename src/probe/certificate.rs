//! Certificates that go takes and webpki does not, and why a certificate is refused.
//!
//! Go takes a certificate that is itself among the roots at once (`crypto/x509.Verify`): one that
//! `openssl req -x509` has made, which is its own authority and its own server. Everything else
//! is webpki's to judge; where its verdict is not go's, that is said.

use std::collections::HashSet;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use ring::digest::{SHA256, digest};
use rustls::client::danger::ServerCertVerifier;
use rustls::client::verify_server_name;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error, OtherError, RootCertStore};

use super::der::{DerCertificate, rsa_bits};

/// The hashes of certificates that are roots.
pub(super) type KnownRoots = HashSet<[u8; 32]>;

/// How a certificate is known among the roots.
pub(super) fn fingerprint(certificate: &[u8]) -> Option<[u8; 32]> {
    digest(&SHA256, certificate).as_ref().try_into().ok()
}

/// What go takes and goroam's TLS cannot judge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beyond {
    /// An RSA key of so many bits; ring begins at 2048, go at 1024.
    ShortKey(usize),
    /// An authority's certificate that serves as a server's, signed by another one.
    Authority,
    /// A key or a signature of another kind, such as P-521.
    Algorithm,
    /// A condition that go knows: certificate policies and the like.
    Condition,
}

impl fmt::Display for Beyond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Beyond::ShortKey(bits) => write!(f, "an RSA key in its chain has {bits} bits"),
            Beyond::Authority => f.write_str("it is a certificate of an authority (CA:TRUE)"),
            Beyond::Condition => f.write_str("it holds a critical condition, such as a policy"),
            Beyond::Algorithm => f.write_str("its key or signature is of a kind like P-521"),
        }
    }
}

impl StdError for Beyond {}

/// A certificate with a serial number below zero: go 1.23 and later cannot read it.
#[derive(Debug)]
struct NegativeSerial;

impl fmt::Display for NegativeSerial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a negative serial number")
    }
}

impl StdError for NegativeSerial {}

/// What a server shows of itself in a handshake.
#[derive(Debug)]
pub(super) struct ShownCertificate<'a> {
    pub(super) leaf: &'a CertificateDer<'a>,
    pub(super) others: &'a [CertificateDer<'a>],
    /// What it was asked as.
    pub(super) name: &'a ServerName<'a>,
    pub(super) ocsp: &'a [u8],
    pub(super) now: UnixTime,
}

/// Takes certificates that are roots themselves, and leaves the others to another verifier.
#[derive(Debug)]
pub(super) struct AsGo {
    pub(super) inner: Arc<dyn ServerCertVerifier>,
    pub(super) known: Vec<Arc<KnownRoots>>,
    /// The roots that `inner` goes by, where they are known here.
    pub(super) roots: Option<Arc<RootCertStore>>,
}

impl AsGo {
    pub(super) fn judge(&self, shown: &ShownCertificate<'_>) -> Result<(), Error> {
        let chain: Vec<_> = std::iter::once(shown.leaf).chain(shown.others).collect();
        // go reads all that a server shows.
        let mut read = chain.iter().filter_map(|one| DerCertificate::read(one));
        if read.any(|read| read.serial_is_negative) {
            let error = CertificateError::Other(OtherError(Arc::new(NegativeSerial)));
            return Err(Error::InvalidCertificate(error));
        }
        if self.is_root(shown.leaf) {
            return check_root(shown.leaf, shown.name, shown.now);
        }
        let ShownCertificate {
            leaf,
            others,
            name,
            ocsp,
            now,
        } = *shown;
        let judged = self.inner.verify_server_cert(leaf, others, name, ocsp, now);
        match judged {
            Ok(_) => Ok(()),
            Err(error) => Err(self.beyond(error, &chain)),
        }
    }

    fn is_root(&self, certificate: &CertificateDer<'_>) -> bool {
        let Some(fingerprint) = fingerprint(certificate) else {
            return false;
        };
        self.known.iter().any(|known| known.contains(&fingerprint))
    }

    /// The same error, or that it is none for go.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "a foreign enum that may grow"
    )]
    pub(super) fn beyond(&self, error: Error, chain: &[&CertificateDer<'_>]) -> Error {
        let Error::InvalidCertificate(why) = &error else {
            return error;
        };
        let found = match why {
            CertificateError::BadSignature => chain
                .iter()
                .filter_map(|certificate| DerCertificate::read(certificate))
                .flat_map(|read| [read.rsa_bits, self.root_bits(read.issuer)])
                .flatten()
                .find(|bits| (1024..2048).contains(bits))
                .map(Beyond::ShortKey),
            CertificateError::UnsupportedSignatureAlgorithmContext {
                signature_algorithm_id,
                ..
            }
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext {
                signature_algorithm_id,
                ..
            } => (!is_broken(signature_algorithm_id)).then_some(Beyond::Algorithm),
            CertificateError::UnhandledCriticalExtension => unknown_condition(chain),
            CertificateError::Other(other) => match other.0.downcast_ref::<webpki::Error>() {
                Some(webpki::Error::CaUsedAsEndEntity) => {
                    let leaf = chain.first().and_then(|leaf| DerCertificate::read(leaf));
                    // One that signed itself and is not a root here is refused by go as well.
                    if leaf.is_some_and(|leaf| leaf.self_issued) {
                        return Error::InvalidCertificate(CertificateError::UnknownIssuer);
                    }
                    Some(Beyond::Authority)
                }
                Some(webpki::Error::UnsupportedCriticalExtension) => unknown_condition(chain),
                _ => None,
            },
            _ => None,
        };
        match found {
            Some(beyond) => {
                let error = CertificateError::Other(OtherError(Arc::new(beyond)));
                Error::InvalidCertificate(error)
            }
            None => error,
        }
    }

    /// The length of an RSA key of the root with this name.
    fn root_bits(&self, name: &[u8]) -> Option<usize> {
        let roots = self.roots.as_ref()?;
        let mut named = roots
            .roots
            .iter()
            .filter(|root| root.subject.as_ref() == name);
        named.find_map(|root| rsa_bits(root.subject_public_key_info.as_ref()))
    }
}

/// Conditions that go knows and webpki does not (`parseCertificate`): policies, and what may
/// stand there for revocation.
fn unknown_condition(chain: &[&CertificateDer<'_>]) -> Option<Beyond> {
    let known = chain.iter().all(|certificate| {
        DerCertificate::read(certificate).is_some_and(|read| read.conditions_known)
    });
    known.then_some(Beyond::Condition)
}

/// What is left to check of a root: its name, its time, and that it may serve. That the server
/// has its key is proven by the handshake.
fn check_root(
    certificate: &CertificateDer<'_>,
    server_name: &ServerName<'_>,
    now: UnixTime,
) -> Result<(), Error> {
    let invalid = |error| Err(Error::InvalidCertificate(error));
    let parsed = ParsedCertificate::try_from(certificate)?;
    let Some(read) = DerCertificate::read(certificate) else {
        return invalid(CertificateError::BadEncoding);
    };
    let moment = |seconds: i64| {
        let seconds = u64::try_from(seconds).unwrap_or(0);
        UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds))
    };
    let today = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    if today < read.not_before {
        return invalid(CertificateError::NotValidYetContext {
            time: now,
            not_before: moment(read.not_before),
        });
    }
    if today > read.not_after {
        return invalid(CertificateError::ExpiredContext {
            time: now,
            not_after: moment(read.not_after),
        });
    }
    if !read.may_serve {
        return invalid(CertificateError::InvalidPurpose);
    }
    verify_server_name(&parsed, server_name)
}

/// MD2, MD5 and SHA-1 of RSA (1.2.840.113549.1.1.2, .4 and .5), SHA-1 of ECDSA and DSA: go takes
/// none of these.
fn is_broken(algorithm: &[u8]) -> bool {
    const BROKEN: [&[u8]; 5] = [
        &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 2],
        &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 4],
        &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5],
        &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1],
        &[0x2a, 0x86, 0x48, 0xce, 0x38, 4, 3],
    ];
    BROKEN.iter().any(|broken| {
        algorithm.windows(broken.len() + 2).any(|part| {
            part.strip_prefix(&[6])
                .is_some_and(|rest| rest.get(1..) == Some(broken))
        }) || algorithm.starts_with(broken)
    })
}

/// Why a certificate is refused, in a user's words behind "certificate of HOST". Both go and
/// goroam refuse it.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a foreign enum that may grow"
)]
pub(super) fn refusal(error: &CertificateError) -> &'static str {
    if let CertificateError::Other(other) = error {
        if other.0.downcast_ref::<NegativeSerial>().is_some() {
            return "has a negative serial number, which go 1.23 and later do not take";
        }
        return match other.0.downcast_ref::<webpki::Error>() {
            Some(webpki::Error::UnsupportedCriticalExtension) => {
                "holds a condition that nothing here knows"
            }
            Some(webpki::Error::UnsupportedCertVersion) => "is of an old version of X.509",
            Some(webpki::Error::NameConstraintViolation) => {
                "is for a name that its authority may not sign"
            }
            Some(webpki::Error::PathLenConstraintViolated) => {
                "is signed by more authorities than one of them allows"
            }
            Some(webpki::Error::EndEntityUsedAsCa) => "is signed by a certificate that is not a CA",
            Some(
                webpki::Error::MaximumNameConstraintComparisonsExceeded
                | webpki::Error::MaximumPathBuildCallsExceeded
                | webpki::Error::MaximumPathDepthExceeded
                | webpki::Error::MaximumSignatureChecksExceeded,
            ) => "comes with a chain that takes too long to check",
            Some(_) | None => "cannot be read",
        };
    }
    match error {
        CertificateError::BadEncoding => "cannot be read",
        CertificateError::BadSignature => "has a signature that is wrong",
        CertificateError::UnhandledCriticalExtension => "holds a condition that nothing here knows",
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "is not for servers"
        }
        CertificateError::Revoked => "is revoked",
        CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "is signed with MD5 or SHA-1, which go does not take"
        }
        _ => "is not as go wants it",
    }
}
