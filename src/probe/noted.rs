//! What handshakes showed of the servers' keys, for whoever wants to pin one.

use std::sync::{Arc, Mutex, PoisonError};

use ring::digest::{SHA256, digest};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};

use crate::model::{Host, Pin};

/// What a server's certificate was found to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Key {
    /// Right, with this key.
    Verified(Pin),
    /// Signed by nobody who is trusted.
    Untrusted,
}

/// By host, in the order of the handshakes.
#[derive(Debug, Default)]
pub(super) struct Noted(Mutex<Vec<(Option<Host>, Key)>>);

impl Noted {
    /// The first word on a host: a redirect may lead to another server of the same name.
    pub(super) fn of(&self, host: &Host) -> Option<Key> {
        let noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, key) = noted.iter().find(|(name, _)| name.as_ref() == Some(host))?;
        Some(key.clone())
    }

    fn note(&self, host: &ServerName<'_>, key: Key) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        noted.push((Host::parse(&host.to_str()), key));
    }
}

/// Leaves the verdict to another verifier, and notes it.
#[derive(Debug)]
pub(super) struct NotingVerifier {
    pub(super) inner: Arc<dyn ServerCertVerifier>,
    pub(super) noted: Arc<Noted>,
}

impl ServerCertVerifier for NotingVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verdict = self.inner.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        match &verdict {
            Ok(_) => {
                let spki = ParsedCertificate::try_from(end_entity)?.subject_public_key_info();
                if let Ok(key) = digest(&SHA256, spki.as_ref()).as_ref().try_into() {
                    self.noted.note(server_name, Key::Verified(Pin(key)));
                }
            }
            Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {
                self.noted.note(server_name, Key::Untrusted);
            }
            Err(_) => {}
        }
        verdict
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
