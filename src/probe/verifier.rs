//! The one verifier of TLS: it judges a certificate as go does, then runs a target's
//! own checks on the verdict, in their order.

use std::error::Error as StdError;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ring::digest::{SHA256, digest};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme};

use super::certificate::{AsGo, ShownCertificate};
use crate::model::{Host, Pin};

/// A certificate is right, or why not.
pub(super) type CertificateVerdict = Result<(), Error>;

/// Judges by roots, then by each check.
#[derive(Debug)]
pub(super) struct Verifier {
    pub(super) by: AsGo,
    pub(super) checks: Vec<CertificateCheck>,
}

/// What else becomes of a verdict.
#[derive(Debug)]
pub(super) enum CertificateCheck {
    /// Notes where go's own roots (`None`: it has none) do not say the same; the verdict stays.
    Doubt {
        by_go: Option<AsGo>,
        distrusted: Arc<AtomicBool>,
    },
    /// The key of this host must be one of these.
    Pins { pins: Vec<Pin>, host: Option<Host> },
    /// Notes the key; the verdict stays.
    Note(Arc<NotedKeys>),
}

/// The chain is fine, but the key is none of the pinned ones.
#[derive(Debug)]
pub(super) struct AnotherKey;

impl CertificateCheck {
    fn run(&self, shown: &ShownCertificate<'_>, verdict: CertificateVerdict) -> CertificateVerdict {
        match self {
            CertificateCheck::Doubt { by_go, distrusted } => {
                let trusts = |by_go: &AsGo| by_go.judge(shown).is_ok();
                if verdict.is_ok() && !by_go.as_ref().is_some_and(trusts) {
                    distrusted.store(true, Ordering::Relaxed);
                }
                verdict
            }
            CertificateCheck::Pins { pins, host } => {
                verdict?;
                // A host that cannot be compared is taken for the pinned one: its key must be right.
                let here = Host::parse(&shown.name.to_str());
                if here.is_some() && host.is_some() && here != *host {
                    return Ok(());
                }
                let key = key(shown.leaf)?;
                if pins.iter().any(|pin| Some(pin) == key.as_ref()) {
                    return Ok(());
                }
                let error = CertificateError::Other(OtherError(Arc::new(AnotherKey)));
                Err(Error::InvalidCertificate(error))
            }
            CertificateCheck::Note(noted) => {
                match &verdict {
                    Ok(()) => {
                        if let Some(key) = key(shown.leaf)? {
                            noted.note(shown.name, ServerKey::Verified(key));
                        }
                    }
                    Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {
                        noted.note(shown.name, ServerKey::Untrusted);
                    }
                    Err(_) => {}
                }
                verdict
            }
        }
    }
}

/// What a pin holds of a certificate's key.
fn key(certificate: &CertificateDer<'_>) -> Result<Option<Pin>, Error> {
    let spki = ParsedCertificate::try_from(certificate)?.subject_public_key_info();
    let key = digest(&SHA256, spki.as_ref()).as_ref().try_into();
    Ok(key.ok().map(Pin))
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
        let shown = ShownCertificate {
            leaf,
            others,
            name,
            ocsp,
            now,
        };
        let verdict = self.by.judge(&shown);
        let run = |verdict, check: &CertificateCheck| check.run(&shown, verdict);
        self.checks.iter().fold(verdict, run)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let judged = self.by.inner.verify_tls12_signature(message, cert, dss);
        judged.map_err(|error| self.by.beyond(error, &[cert]))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let judged = self.by.inner.verify_tls13_signature(message, cert, dss);
        judged.map_err(|error| self.by.beyond(error, &[cert]))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.by.inner.supported_verify_schemes()
    }
}

impl fmt::Display for AnotherKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("another key than the pinned one")
    }
}

impl StdError for AnotherKey {}

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

    pub(super) fn note(&self, host: &ServerName<'_>, key: ServerKey) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        noted.push((Host::parse(&host.to_str()), key));
    }
}
