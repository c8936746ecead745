//! How a server's certificate is judged: by go's roots, by a target's own CA files, and by
//! its pins. Sessions are never resumed, so every probe sees the certificate again.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::client::danger::ServerCertVerifier;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, ring as ring_provider};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::OnceCell;

use super::certificate::{AsGo, KnownRoots, fingerprint};
use super::failure::ProbeFailure;
use super::roots::{self, Roots};
use super::verifier::NotedKeys;
use super::verifier::{CertificateCheck, Verifier};
use crate::environment::Environment;
use crate::model::{Host, Phase, Pin};

/// The TLS settings of one round, built when they are first needed.
#[derive(Debug, Default)]
pub(super) struct Tls {
    roots: OnceCell<Option<Roots>>,
    configs: Mutex<Vec<(ExtraTrust, Config)>>,
    /// Where the keys that handshakes show are noted, if they are wanted.
    noted: Option<Arc<NotedKeys>>,
}

/// The settings for one target.
#[derive(Debug, Clone)]
pub(super) struct Config {
    pub(super) tls: Arc<ClientConfig>,
    /// A certificate was right by the target's own `ca` only: go, which has no such setting, does
    /// not trust it.
    pub(super) distrusted: Arc<AtomicBool>,
}

/// The CAs that a target trusts beside the system's roots, and the keys that it insists on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ExtraTrust {
    pub(super) ca: Vec<PathBuf>,
    pub(super) pins: Vec<Pin>,
    /// The host that the pins are for; redirects and proxies lead to others.
    pub(super) host: Option<Host>,
}

impl Tls {
    /// Settings with which it is noted what the handshakes show.
    pub(super) fn noting(noted: Arc<NotedKeys>) -> Tls {
        Tls {
            noted: Some(noted),
            ..Tls::default()
        }
    }

    /// The settings for a target. A target's unusable CA file is its own, definite failure.
    pub(super) async fn config(
        &self,
        env: &Environment,
        trust: &ExtraTrust,
    ) -> Result<Config, ProbeFailure> {
        if let Some(config) = self.known(trust) {
            return Ok(config);
        }
        let roots = self.roots.get_or_init(|| read_roots(env)).await;
        let extra = read_extra(trust).await?;
        // Two targets may build the same one at once; that costs less than making one wait
        // for the other's CA file on a folder that does not answer.
        let config = build(roots.as_ref(), extra, trust, self.noted.as_ref())?;
        self.configs().push((trust.clone(), config.clone()));
        Ok(config)
    }

    fn known(&self, trust: &ExtraTrust) -> Option<Config> {
        let configs = self.configs();
        let (_, config) = configs.iter().find(|(known, _)| known == trust)?;
        Some(config.clone())
    }

    fn configs(&self) -> MutexGuard<'_, Vec<(ExtraTrust, Config)>> {
        self.configs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The reading is some 300 small files when it is not cached, so not on the agent's one thread.
async fn read_roots(env: &Environment) -> Option<Roots> {
    let env = env.clone();
    tokio::task::spawn_blocking(move || roots::on_disk(&env))
        .await
        .unwrap_or_default()
}

async fn read_extra(trust: &ExtraTrust) -> Result<Vec<CertificateDer<'static>>, ProbeFailure> {
    if trust.ca.is_empty() {
        return Ok(Vec::new());
    }
    let paths = trust.ca.clone();
    let read = tokio::task::spawn_blocking(move || {
        let mut all = Vec::new();
        for path in &paths {
            all.extend(roots::extra(path)?);
        }
        Ok::<_, roots::CaError>(all)
    });
    match read.await {
        Ok(Ok(extra)) => Ok(extra),
        Ok(Err(error)) => Err(ProbeFailure::refusal(Phase::Tls, error.to_string())),
        Err(_) => Err(ProbeFailure::down(
            Phase::Tls,
            "the reading of its CA files was broken off",
        )),
    }
}

fn build(
    system: Option<&Roots>,
    extra: Vec<CertificateDer<'static>>,
    trust: &ExtraTrust,
    noted: Option<&Arc<NotedKeys>>,
) -> Result<Config, ProbeFailure> {
    let unusable = |error: &dyn fmt::Display| ProbeFailure::refusal(Phase::Tls, error.to_string());
    let provider = Arc::new(ring_provider::default_provider());
    let distrusted = Arc::new(AtomicBool::new(false));
    let by_go = (!extra.is_empty()).then(|| as_go_would(system, &provider));
    let own: KnownRoots = extra.iter().filter_map(|der| fingerprint(der)).collect();
    let mut known = vec![Arc::new(own)];
    known.extend(system.map(|system| Arc::clone(&system.known)));
    let mut roots = None;
    let inner = match system {
        Some(system) => {
            let all = with_extra(&system.store, extra)?;
            roots = Some(Arc::clone(&all));
            with_roots(all, &provider)?
        }
        None => with_platform(extra, &provider).map_err(|error| {
            unusable(&format!(
                "the system's certificate verifier cannot be used: {error}"
            ))
        })?,
    };
    let by = AsGo {
        inner,
        known,
        roots,
    };
    let mut checks = Vec::new();
    if let Some(by_go) = by_go {
        let distrusted = Arc::clone(&distrusted);
        checks.push(CertificateCheck::Doubt { by_go, distrusted });
    }
    if !trust.pins.is_empty() {
        let (pins, host) = (trust.pins.clone(), trust.host.clone());
        checks.push(CertificateCheck::Pins { pins, host });
    }
    checks.extend(noted.map(|noted| CertificateCheck::Note(Arc::clone(noted))));
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(&error))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Verifier { by, checks }))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // A resumed session shows no certificate: nothing would be proven.
    config.resumption = Resumption::disabled();
    Ok(Config {
        tls: Arc::new(config),
        distrusted,
    })
}

/// The verifier without the target's own CA files; `None`: there is not even one root.
fn as_go_would(system: Option<&Roots>, provider: &Arc<CryptoProvider>) -> Option<AsGo> {
    let roots = match system {
        Some(system) => Some(with_extra(&system.store, Vec::new()).ok()?),
        None => None,
    };
    let inner = match &roots {
        Some(roots) => with_roots(Arc::clone(roots), provider).ok()?,
        None => with_platform(Vec::new(), provider).ok()?,
    };
    let known = system.map(|system| Arc::clone(&system.known));
    Some(AsGo {
        inner,
        known: known.into_iter().collect(),
        roots,
    })
}

fn with_extra(
    system: &Arc<RootCertStore>,
    extra: Vec<CertificateDer<'static>>,
) -> Result<Arc<RootCertStore>, ProbeFailure> {
    let mut roots = Arc::clone(system);
    if !extra.is_empty() {
        let roots = Arc::make_mut(&mut roots);
        roots.add_parsable_certificates(extra);
    }
    if roots.is_empty() {
        return Err(ProbeFailure::refusal(
            Phase::Tls,
            "this machine has no trusted roots: install ca-certificates, or set SSL_CERT_FILE",
        ));
    }
    Ok(roots)
}

fn with_roots(
    roots: Arc<RootCertStore>,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, ProbeFailure> {
    let built = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(provider)).build();
    match built {
        Ok(verifier) => Ok(verifier),
        Err(error) => Err(ProbeFailure::refusal(Phase::Tls, error.to_string())),
    }
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

/// The TLS error inside of an error of tokio-rustls, hyper or reqwest.
pub(super) fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<rustls::Error>() {
            return Some(found);
        }
        next = match error.downcast_ref::<io::Error>() {
            // io::Error::source() steps over the error it wraps.
            Some(error) => error.get_ref().map(|inner| inner as &(dyn Error + 'static)),
            None => error.source(),
        };
    }
    None
}
