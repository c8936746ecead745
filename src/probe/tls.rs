//! Decides how a server's certificate is judged: by go's roots, by a target's own CA files, and by
//! its pins. Sessions are never resumed, so every probe sees the certificate again. Which
//! authorities go trusts: `crypto/x509/root.go` and its lists for each system.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::ServerCertVerifier;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, ring as ring_provider};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::OnceCell;

use super::fault::{ProbeFailure, down, refusal};
use super::verifier::{AsGo, DerCertificate, KnownRoots, NotedKeys, Verifier, fingerprint};
use crate::bounded;
use crate::environment::Environment;
use crate::model::{Host, Phase, Target};
use crate::trust;

/// What the TLS settings of one round share.
#[derive(Debug)]
pub(super) struct Tls {
    roots: OnceCell<Option<Roots>>,
    /// Where to note the keys that handshakes show, if they are wanted.
    noted: Option<Arc<NotedKeys>>,
}

impl Tls {
    pub(super) fn noting(noted: Option<Arc<NotedKeys>>) -> Tls {
        Tls {
            roots: OnceCell::new(),
            noted,
        }
    }

    /// Makes the settings for a target. Its pins apply to this host only, since redirects and
    /// proxies lead to others. `distrusted` is set if a certificate is right only by the target's
    /// own `ca`.
    pub(super) async fn config(
        &self,
        env: &Environment,
        target: &Target,
        host: Option<Host>,
        distrusted: &Arc<AtomicBool>,
    ) -> Result<Arc<ClientConfig>, ProbeFailure> {
        // If it is not cached, this reads some 300 small files, so it does not run on the agent's
        // one thread.
        let read_roots = async || {
            let env = env.clone();
            let read = tokio::task::spawn_blocking(move || on_disk(&env));
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
            .map_err(|error| refusal(Phase::Tls, error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        // A resumed session shows no certificate: nothing would be proven.
        config.resumption = Resumption::disabled();
        Ok(Arc::new(config))
    }
}

/// An unusable CA file of a target is a definite failure of that target.
async fn read_extra(ca: &[PathBuf]) -> Result<Vec<CertificateDer<'static>>, ProbeFailure> {
    if ca.is_empty() {
        return Ok(Vec::new());
    }
    let paths = ca.to_vec();
    let read = tokio::task::spawn_blocking(move || {
        let all: Result<Vec<_>, String> = paths.iter().map(|path| extra(path)).collect();
        all.map(|all| all.concat())
    });
    match read.await {
        Ok(read) => read.map_err(|why| refusal(Phase::Tls, why)),
        Err(_) => Err(down(
            Phase::Tls,
            "the reading of its CA files was broken off",
        )),
    }
}

/// Makes a verifier with the system's roots and these roots.
fn as_go(
    system: Option<&Roots>,
    extra: Vec<CertificateDer<'static>>,
    provider: &Arc<CryptoProvider>,
) -> Result<AsGo, ProbeFailure> {
    let refusal = |why: String| refusal(Phase::Tls, why);
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
        let why =
            "this machine has no trusted roots: install ca-certificates, or set SSL_CERT_FILE";
        return Err(refusal(why.to_owned()));
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

/// On other systems the roots are always on disk.
#[cfg(not(any(windows, target_vendor = "apple")))]
fn with_platform(
    _extra: Vec<CertificateDer<'static>>,
    _provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, rustls::Error> {
    Err(rustls::Error::General("there is none".to_owned()))
}

/// Makes settings for connections that never become TLS.
pub(super) fn trusting_none() -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(ring_provider::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth())
}

/// Larger than any bundle; reading a device or a huge file that was named by mistake stops here.
const MAX_FILE: u64 = 16 * 1024 * 1024;
/// More than any directory of roots contains.
const MAX_FILES: usize = 4096;

/// `crypto/x509/root_linux.go` and `root_bsd.go`: the first of these files that can be read…
const FILES: &[&str] = if cfg!(target_os = "linux") {
    &[
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/ca-bundle.pem",
        "/etc/pki/tls/cacert.pem",
        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
        "/etc/ssl/cert.pem",
    ]
} else if cfg!(any(windows, target_vendor = "apple")) {
    &[]
} else {
    &[
        "/usr/local/etc/ssl/cert.pem",
        "/etc/ssl/cert.pem",
        "/usr/local/share/certs/ca-root-nss.crt",
        "/etc/openssl/certs/ca-certificates.crt",
    ]
};
/// …and all files of these directories.
const FOLDERS: &[&str] = if cfg!(target_os = "linux") {
    &["/etc/ssl/certs", "/etc/pki/tls/certs"]
} else if cfg!(any(windows, target_vendor = "apple")) {
    &[]
} else {
    &[
        "/etc/ssl/certs",
        "/usr/local/share/certs",
        "/etc/openssl/certs",
    ]
};

/// The state of a file when it was read: path, modification time, length, inode.
type Stamp = (PathBuf, Option<std::time::SystemTime>, u64, u64);

/// The last roots that were read, with the state of their files. Reading some 300 files again for
/// every round would cost more than the probes do.
static LAST: Mutex<Option<(Vec<Stamp>, Roots)>> = Mutex::new(None);

/// The certificates that go trusts.
#[derive(Debug, Clone)]
struct Roots {
    store: Arc<RootCertStore>,
    /// The certificates themselves; the store keeps only names and keys.
    known: Arc<KnownRoots>,
}

/// Returns the roots on disk, or `None` if the system's own verifier is used instead: on macOS and
/// Windows, unless SSL_CERT_FILE or SSL_CERT_DIR is set, which go 1.27 uses instead of the system's
/// verifier.
fn on_disk(env: &Environment) -> Option<Roots> {
    let sources = sources(env)?;
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((stamps, roots)) = last.as_ref()
        && *stamps == sources
    {
        return Some(roots.clone());
    }
    let roots = load(&sources);
    *last = Some((sources, roots.clone()));
    Some(roots)
}

/// Returns the files that go reads its roots from; `None` as in [`on_disk`].
fn sources(env: &Environment) -> Option<Vec<Stamp>> {
    let (file, folders) = (env.path("SSL_CERT_FILE"), env.get("SSL_CERT_DIR"));
    if cfg!(any(windows, target_vendor = "apple")) && file.is_none() && folders.is_none() {
        return None;
    }
    let files = file.map_or_else(
        || FILES.iter().map(PathBuf::from).collect(),
        |file| vec![file],
    );
    let folders: Vec<PathBuf> = folders.map_or_else(
        || FOLDERS.iter().map(PathBuf::from).collect(),
        |list| std::env::split_paths(list).collect(),
    );
    let sources = files
        .into_iter()
        .filter(|file| bounded::open(file).is_ok())
        .find_map(stamp)
        .into_iter()
        .chain(folders.iter().flat_map(|folder| folder_files(folder)))
        .collect();
    Some(sources)
}

/// Reads the certificates of one PEM file that a target trusts in addition; the error says why it
/// cannot be used.
fn extra(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let named = |what: String| format!("the CA file {} {what}", path.display());
    let unreadable = |error| named(format!("cannot be read: {error}"));
    let file = bounded::open(path).map_err(unreadable)?;
    let meta = file.metadata().map_err(unreadable)?;
    // A user who can write this file decides which network is proven.
    trust::file_and_way(path, &meta).map_err(|why| named(format!("proves nothing: {why}")))?;
    let mut found = certificates(&bounded::read_open(&file, MAX_FILE).map_err(unreadable)?);
    found.retain(|der| RootCertStore::empty().add(der.clone()).is_ok());
    if found.is_empty() {
        return Err(named("holds no certificate".to_owned()));
    }
    Ok(found)
}

/// Tells the user what to do if go does not trust what these files certify, and in which
/// environment that was checked: the user's shells may have other variables than this process.
pub fn remedy(env: &Environment, ca: &[PathBuf]) -> String {
    let names: Vec<String> = ca.iter().map(|path| path.display().to_string()).collect();
    let names = names.join(", ");
    let looked = match (env.get("SSL_CERT_FILE"), env.get("SSL_CERT_DIR")) {
        (Some(file), _) => format!("SSL_CERT_FILE={file}"),
        (None, Some(folders)) => format!("SSL_CERT_DIR={folders}"),
        (None, None) => "the system's roots; SSL_CERT_FILE is not set".to_owned(),
    };
    let store = match () {
        () if cfg!(windows) => "certutil -user -addstore Root FILE",
        () if cfg!(target_vendor = "apple") => "security add-trusted-cert",
        () => {
            "on Debian: copy it to /usr/local/share/ca-certificates/NAME.crt and run \
               update-ca-certificates"
        }
    };
    format!(
        "every go command that asks it fails with x509, as `ca` counts for goroam's probes only. \
         Add {names} to the system's trust store ({store}), or set SSL_CERT_FILE where go runs \
         (looked at here: {looked})"
    )
}

/// Returns those CA files that contain no certificate that go knows on this machine, in this
/// environment. Reads files and uses no network. Returns nothing if the system's own verifier
/// decides, or a file cannot be read.
pub fn unknown_to_go(env: &Environment, files: &[PathBuf]) -> Vec<PathBuf> {
    let Some(sources) = sources(env).filter(|_| !files.is_empty()) else {
        return Vec::new();
    };
    // Two certificates of authorities with the same name and key certify the same.
    let name_and_key = |der: CertificateDer<'_>| {
        let read = DerCertificate::read(&der)?;
        Some((read.subject.to_vec(), read.key.to_vec()))
    };
    let roots: HashSet<_> = sources
        .iter()
        .filter_map(|(path, ..)| bounded::read(path, MAX_FILE).ok())
        .flat_map(|pem| certificates(&pem))
        .filter_map(name_and_key)
        .collect();
    let is_unknown = |path: &&PathBuf| {
        let known = |own| name_and_key(own).is_some_and(|own| roots.contains(&own));
        extra(path).is_ok_and(|own| !own.into_iter().any(known))
    };
    files.iter().filter(is_unknown).cloned().collect()
}

fn load(sources: &[Stamp]) -> Roots {
    let mut roots = RootCertStore::empty();
    let mut seen = KnownRoots::new();
    for (path, ..) in sources {
        // Like AppendCertsFromPEM: skips what cannot be read or parsed.
        let Ok(pem) = bounded::read(path, MAX_FILE) else {
            continue;
        };
        for der in certificates(&pem) {
            // Debian's directory has each root twice: in a file of its own and in
            // ca-certificates.crt.
            let Some(fingerprint) = fingerprint(&der) else {
                continue;
            };
            if !seen.contains(&fingerprint) && roots.add(der).is_ok() {
                seen.insert(fingerprint);
            }
        }
    }
    Roots {
        store: Arc::new(roots),
        known: Arc::new(seen),
    }
}

fn certificates(pem: &[u8]) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem)
        .filter_map(Result::ok)
        .collect()
}

/// `readUniqueDirectoryEntries`: skips links to a file in the same directory (OpenSSL's hash
/// names).
fn folder_files(folder: &Path) -> Vec<Stamp> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut stamps: Vec<Stamp> = entries
        .take(MAX_FILES)
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| !is_same_folder_link(path))
        .filter_map(stamp)
        .collect();
    stamps.sort();
    stamps
}

fn is_same_folder_link(path: &Path) -> bool {
    fs::read_link(path).is_ok_and(|target| target.components().count() == 1 && target.is_relative())
}

fn stamp(path: PathBuf) -> Option<Stamp> {
    let meta = fs::metadata(&path).ok().filter(fs::Metadata::is_file)?;
    #[cfg(unix)]
    let inode = std::os::unix::fs::MetadataExt::ino(&meta);
    #[cfg(not(unix))]
    let inode = 0;
    Some((path, meta.modified().ok(), meta.len(), inode))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authority(name: &str) -> String {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.self_signed(&key).unwrap().pem()
    }

    fn count(file: &Path, folder: &Path) -> usize {
        let vars = [
            ("SSL_CERT_FILE", file.to_str().unwrap()),
            ("SSL_CERT_DIR", folder.to_str().unwrap()),
        ];
        on_disk(&vars.into_iter().collect()).unwrap().store.len()
    }

    #[test]
    fn file_and_folder_are_both_read_and_a_root_in_both_counts_once() {
        let dir = tempfile::tempdir().unwrap();
        let (file, folder) = (dir.path().join("bundle.pem"), dir.path().join("d"));
        fs::create_dir(&folder).unwrap();
        let (one, two) = (authority("one"), authority("two"));
        fs::write(&file, &one).unwrap();
        assert_eq!(count(&file, &folder), 1);
        fs::write(folder.join("any name"), format!("{one}{two}")).unwrap();
        assert_eq!(count(&file, &folder), 2);
        fs::write(folder.join("junk"), "-----BEGIN CERTIFICATE-----\nxx\n").unwrap();
        assert_eq!(count(&file, &folder), 2);
        // A changed file is detected although the variables are the same.
        fs::write(&file, format!("{one}{}", authority("three"))).unwrap();
        assert_eq!(count(&file, &folder), 3);
        assert_eq!(count(&dir.path().join("absent"), &folder), 2);
    }

    #[test]
    fn a_ca_file_of_no_use_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ca.pem");
        assert!(extra(&path).unwrap_err().contains("ca.pem cannot be read"));
        fs::write(&path, "no certificate").unwrap();
        assert!(
            extra(&path)
                .unwrap_err()
                .ends_with("ca.pem holds no certificate")
        );
        fs::write(&path, authority("one")).unwrap();
        assert_eq!(extra(&path).unwrap().len(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_ca_file_that_others_may_write_to_proves_nothing() {
        use std::os::unix::fs::PermissionsExt as _;

        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ca.pem");
        fs::write(&path, authority("one")).unwrap();
        for mode in [0o666, 0o646, 0o664] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let said = extra(&path).unwrap_err();
            assert!(
                said.contains("proves nothing") && said.contains("chmod go-w"),
                "{said}"
            );
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(extra(&path).is_ok());
        if std::os::unix::fs::chown(&path, Some(65534), None).is_ok() {
            let said = extra(&path).unwrap_err();
            assert!(said.contains("belongs to uid 65534"), "{said}");
        }
    }
}
