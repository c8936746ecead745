//! Certificates: authorities of a test's own, and what they sign.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use goroam::model::Pin;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PublicKeyData};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};

/// A certificate authority of the test's own.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub pem: String,
}

/// A server's certificate and key.
#[derive(Clone)]
pub struct Identity {
    pub config: Arc<ServerConfig>,
    pub pin: Pin,
}

impl Authority {
    pub fn new(name: &str) -> Authority {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Authority {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    pub fn identity(&self, names: &[&str]) -> Identity {
        self.sign(params(names))
    }

    pub fn expired(&self, names: &[&str]) -> Identity {
        let mut params = params(names);
        params.not_before = rcgen::date_time_ymd(2019, 1, 1);
        params.not_after = rcgen::date_time_ymd(2020, 2, 1);
        self.sign(params)
    }

    /// A server's certificate that says it is an authority's.
    pub fn authority(&self, names: &[&str]) -> Identity {
        let mut params = params(names);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        self.sign(params)
    }

    /// One with a critical extension.
    pub fn with_condition(&self, names: &[&str], oid: &[u64]) -> Identity {
        let mut params = params(names);
        // A sequence of nothing.
        let mut extension = rcgen::CustomExtension::from_oid_content(oid, vec![0x30, 0]);
        extension.set_criticality(true);
        params.custom_extensions.push(extension);
        self.sign(params)
    }

    /// One that is for clients.
    pub fn client(&self, names: &[&str]) -> Identity {
        let mut params = params(names);
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(params)
    }

    fn sign(&self, params: CertificateParams) -> Identity {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        identity(certificate.der().clone(), &key)
    }

    /// Writes the authority where SSL_CERT_FILE or a target's `ca` can name it.
    pub fn write(&self, dir: &Path) -> PathBuf {
        let path = dir.join("ca.pem");
        std::fs::write(&path, &self.pem).unwrap();
        path
    }
}

/// What `openssl req -x509` makes: an authority that signs nothing but its own server. Gives the
/// certificate as well.
pub fn own_authority(
    names: &[&str],
    uses: &[rcgen::ExtendedKeyUsagePurpose],
) -> (Identity, String) {
    let mut params = params(names);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.extended_key_usages = uses.to_vec();
    own(params)
}

/// The same, which ended long ago.
pub fn own_authority_of_old(names: &[&str]) -> (Identity, String) {
    let mut params = params(names);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.not_before = rcgen::date_time_ymd(2019, 1, 1);
    params.not_after = rcgen::date_time_ymd(2020, 2, 1);
    own(params)
}

fn own(params: CertificateParams) -> (Identity, String) {
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    (identity(certificate.der().clone(), &key), certificate.pem())
}

/// Signed by itself, as a router's login page has it.
pub fn self_signed(names: &[&str]) -> Identity {
    let key = KeyPair::generate().unwrap();
    let certificate = params(names).self_signed(&key).unwrap();
    identity(certificate.der().clone(), &key)
}

fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    CertificateParams::new(names).unwrap()
}

fn identity(certificate: rustls::pki_types::CertificateDer<'static>, key: &KeyPair) -> Identity {
    let spki = key.subject_public_key_info();
    let digest = ring::digest::digest(&ring::digest::SHA256, &spki);
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let private = provider.key_provider.load_private_key(private).unwrap();
    // Not `with_single_cert`: that one refuses what a stranger's server would show.
    let shown = CertifiedKey::new(vec![certificate], private);
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(shown)));
    Identity {
        config: Arc::new(config),
        pin: Pin(digest.as_ref().try_into().unwrap()),
    }
}
