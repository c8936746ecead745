//! The one verifier of TLS: it judges a certificate as go does, then runs a target's own checks.
//!
//! Go takes a certificate that is itself among the roots at once (`crypto/x509.Verify`): one that
//! `openssl req -x509` has made, which is its own authority and its own server. Everything else
//! is webpki's to judge; where its verdict is not go's, that is said.

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

use super::der::{DerCertificate, rsa_bits};
use crate::model::{Host, Pin};

/// Faults of a certificate that rustls has no name for.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum CertificateFault {
    #[error("another key than the pinned one")]
    AnotherKey,
    /// go 1.23 and later cannot read it.
    #[error("a negative serial number")]
    NegativeSerial,
    /// What go takes and goroam's TLS cannot judge: ring's RSA keys begin at 2048 bits, go's at 1024…
    #[error("an RSA key in its chain has {0} bits")]
    ShortKey(usize),
    /// …an authority's certificate that serves as a server's, signed by another one…
    #[error("it is a certificate of an authority (CA:TRUE)")]
    Authority,
    /// …a condition that go knows…
    #[error("it holds a critical condition, such as a policy")]
    Condition,
    /// …a key or a signature of another kind.
    #[error("its key or signature is of a kind like P-521")]
    Algorithm,
}

impl From<CertificateFault> for Error {
    fn from(fault: CertificateFault) -> Error {
        Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(fault))))
    }
}

/// The hashes of certificates that are roots.
pub(super) type KnownRoots = HashSet<[u8; 32]>;

/// How a certificate is known among the roots, and a key among the pins.
pub(super) fn fingerprint(der: &[u8]) -> Option<[u8; 32]> {
    digest(&SHA256, der).as_ref().try_into().ok()
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
    fn judge(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<(), Error> {
        let chain: Vec<_> = std::iter::once(leaf).chain(others).collect();
        // go reads all that a server shows.
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

    /// The same error, or that it is none for go.
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
                    // One that signed itself and is not a root here is refused by go as well.
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

    /// The length of an RSA key of the root with this name.
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

/// What is left to check of a root: its time, that it may serve, and its name. That the server
/// has its key is proven by the handshake.
fn check_root(
    certificate: &CertificateDer<'_>,
    name: &ServerName<'_>,
    now: UnixTime,
) -> Result<(), Error> {
    let parsed = ParsedCertificate::try_from(certificate)?;
    // Nothing signs it; what webpki looks at before it finds that out counts.
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
    // With the tag and the length of an object identifier, or without.
    let bare = match algorithm {
        [6, length, rest @ ..] => rest.get(..usize::from(*length)).unwrap_or(rest),
        bare => bare,
    };
    BROKEN.iter().any(|broken| bare.starts_with(broken))
}

/// Judges by roots, then by what a target wants.
#[derive(Debug)]
pub(super) struct Verifier {
    pub(super) by: AsGo,
    /// Go's own roots, where the target trusts others as well; `None` in it: go has no root.
    pub(super) by_go: Option<Option<AsGo>>,
    /// Set where these do not say the same; the verdict stays.
    pub(super) distrusted: Arc<AtomicBool>,
    /// The key of this host must be one of these, if there are any.
    pub(super) pins: Vec<Pin>,
    pub(super) host: Option<Host>,
    /// Where the keys that handshakes show are noted, if they are wanted.
    pub(super) noted: Option<Arc<NotedKeys>>,
}

impl Verifier {
    fn check_pin(&self, leaf: &CertificateDer<'_>, name: &ServerName<'_>) -> Result<(), Error> {
        // A host that cannot be compared is taken for the pinned one: its key must be right.
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

/// What a pin holds of a certificate's key.
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

/// What a server's certificate was found to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ServerKey {
    /// Right, with this key.
    Verified(Pin),
    /// Not signed by a trusted CA.
    Untrusted,
}

/// By host, in the order of the handshakes.
#[derive(Debug, Default)]
pub(super) struct NotedKeys(Mutex<Vec<(Option<Host>, ServerKey)>>);

impl NotedKeys {
    /// The first word on a host: a redirect may lead to another server of the same name.
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
