//! How a server's certificate is judged: by go's roots, by a target's own CA files, and by
//! its pins. Sessions are never resumed, so every probe sees the certificate again.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rustls::client::danger::ServerCertVerifier;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, ring as ring_provider};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::OnceCell;

use super::fault::ProbeFailure;
use super::roots::{self, Roots};
use super::verifier::{AsGo, KnownRoots, NotedKeys, Verifier, fingerprint};
use crate::environment::Environment;
use crate::model::{Host, Phase, Target};

/// What the TLS settings of one round share.
#[derive(Debug)]
pub(super) struct Tls {
    roots: OnceCell<Option<Roots>>,
    /// Where the keys that handshakes show are noted, if they are wanted.
    noted: Option<Arc<NotedKeys>>,
}

impl Tls {
    pub(super) fn noting(noted: Option<Arc<NotedKeys>>) -> Tls {
        Tls {
            roots: OnceCell::new(),
            noted,
        }
    }

    /// The settings for a target, whose pins are for this host: redirects and proxies lead to
    /// others. `distrusted` is set once a certificate is right by the target's own `ca` only.
    pub(super) async fn config(
        &self,
        env: &Environment,
        target: &Target,
        host: Option<Host>,
        distrusted: &Arc<AtomicBool>,
    ) -> Result<Arc<ClientConfig>, ProbeFailure> {
        // The reading is some 300 small files when it is not cached, so not on the agent's one thread.
        let read_roots = async || {
            let env = env.clone();
            let read = tokio::task::spawn_blocking(move || roots::on_disk(&env));
            read.await.unwrap_or_default()
        };
        let system = self.roots.get_or_init(read_roots).await.as_ref();
        let extra = read_extra(&target.ca).await?;
        let provider = Arc::new(ring_provider::default_provider());
        let by_go = (!extra.is_empty()).then(|| as_go(system, Vec::new(), &provider).ok());
        let verifier = Verifier {
            by: as_go(system, extra, &provider)?,
            by_go,
            distrusted: Arc::clone(distrusted),
            pins: target.pins.clone(),
            host,
            noted: self.noted.clone(),
        };
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| ProbeFailure::refusal(Phase::Tls, error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        // A resumed session shows no certificate: nothing would be proven.
        config.resumption = Resumption::disabled();
        Ok(Arc::new(config))
    }
}

/// A target's unusable CA file is its own, definite failure.
async fn read_extra(ca: &[PathBuf]) -> Result<Vec<CertificateDer<'static>>, ProbeFailure> {
    if ca.is_empty() {
        return Ok(Vec::new());
    }
    let paths = ca.to_vec();
    let read = tokio::task::spawn_blocking(move || {
        let all: Result<Vec<_>, String> = paths.iter().map(|path| roots::extra(path)).collect();
        all.map(|all| all.concat())
    });
    match read.await {
        Ok(read) => read.map_err(|why| ProbeFailure::refusal(Phase::Tls, why)),
        Err(_) => Err(ProbeFailure::down(
            Phase::Tls,
            "the reading of its CA files was broken off",
        )),
    }
}

/// Judges by the system's roots and by these.
fn as_go(
    system: Option<&Roots>,
    extra: Vec<CertificateDer<'static>>,
    provider: &Arc<CryptoProvider>,
) -> Result<AsGo, ProbeFailure> {
    let refusal = |why: String| ProbeFailure::refusal(Phase::Tls, why);
    let own: KnownRoots = extra.iter().filter_map(|der| fingerprint(der)).collect();
    let mut known = vec![Arc::new(own)];
    let Some(system) = system else {
        let inner = with_platform(extra, provider).map_err(|error| {
            refusal(format!(
                "the system's certificate verifier cannot be used: {error}"
            ))
        })?;
        return Ok(AsGo {
            inner,
            known,
            roots: None,
        });
    };
    known.push(Arc::clone(&system.known));
    let mut roots = Arc::clone(&system.store);
    if !extra.is_empty() {
        Arc::make_mut(&mut roots).add_parsable_certificates(extra);
    }
    if roots.is_empty() {
        return Err(ProbeFailure::refusal(
            Phase::Tls,
            "this machine has no trusted roots: install ca-certificates, or set SSL_CERT_FILE",
        ));
    }
    let provider = Arc::clone(provider);
    let inner = WebPkiServerVerifier::builder_with_provider(Arc::clone(&roots), provider).build();
    Ok(AsGo {
        inner: inner.map_err(|error| refusal(error.to_string()))?,
        known,
        roots: Some(roots),
    })
}

#[cfg(any(windows, target_vendor = "apple"))]
fn with_platform(
    extra: Vec<CertificateDer<'static>>,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, rustls::Error> {
    use rustls_platform_verifier::Verifier;
    let provider = Arc::clone(provider);
    Ok(Arc::new(if extra.is_empty() {
        Verifier::new(provider)?
    } else {
        Verifier::new_with_extra_roots(extra, provider)?
    }))
}

/// Elsewhere the roots are always on disk.
#[cfg(not(any(windows, target_vendor = "apple")))]
fn with_platform(
    _extra: Vec<CertificateDer<'static>>,
    _provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, rustls::Error> {
    Err(rustls::Error::General("there is none".to_owned()))
}

/// For connections that are never to become TLS.
pub(super) fn trusting_none() -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(ring_provider::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth())
}
