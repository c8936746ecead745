//! Which certificate authorities go trusts: `crypto/x509/root.go` and its lists per system.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::der::DerCertificate;
use super::verifier::{KnownRoots, fingerprint};
use crate::bounded;
use crate::environment::Environment;
use crate::trust;

/// Larger than any bundle; a device or a runaway file named by mistake ends here.
const MAX_FILE: u64 = 16 * 1024 * 1024;
/// More than any folder of roots holds.
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
/// …and all files of these folders.
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

/// A file as it was when it was read: path, modification time, length, inode.
type Stamp = (PathBuf, Option<std::time::SystemTime>, u64, u64);

/// The last roots that were read, with the state of the files they came from. Reading some
/// 300 files again for every round would cost more than the probes do.
static LAST: Mutex<Option<(Vec<Stamp>, Roots)>> = Mutex::new(None);

/// The certificates that go trusts.
#[derive(Debug, Clone)]
pub(super) struct Roots {
    pub(super) store: Arc<RootCertStore>,
    /// The certificates themselves, of which the store keeps but name and key.
    pub(super) known: Arc<KnownRoots>,
}

/// The roots on disk, or `None` where the system's own verifier is asked instead: on macOS
/// and Windows, unless SSL_CERT_FILE or SSL_CERT_DIR is set, which go 1.27 takes in its place.
pub(super) fn on_disk(env: &Environment) -> Option<Roots> {
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

/// The files that go reads its roots from; `None` as in [`on_disk`].
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

/// The certificates of one PEM file that a target trusts in addition; or why it is of no use.
pub(super) fn extra(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let named = |what: String| format!("the CA file {} {what}", path.display());
    let unreadable = |error| named(format!("cannot be read: {error}"));
    let file = bounded::open(path).map_err(unreadable)?;
    let meta = file.metadata().map_err(unreadable)?;
    // Who writes this file decides which network is proven.
    trust::file_and_way(path, &meta).map_err(|why| named(format!("proves nothing: {why}")))?;
    let mut found = certificates(&bounded::read_open(&file, MAX_FILE).map_err(unreadable)?);
    found.retain(|der| RootCertStore::empty().add(der.clone()).is_ok());
    if found.is_empty() {
        return Err(named("holds no certificate".to_owned()));
    }
    Ok(found)
}

/// What to do where go does not trust what these files vouch for, and where that was looked at:
/// the user's shells may have other variables than this process.
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

/// Which of these CA files holds no certificate that go knows on this machine, in this
/// environment. Reads files and asks no network; where the system's own verifier decides, or a
/// file cannot be read, nothing is said.
pub fn unknown_to_go(env: &Environment, files: &[PathBuf]) -> Vec<PathBuf> {
    let Some(sources) = sources(env).filter(|_| !files.is_empty()) else {
        return Vec::new();
    };
    // Two certificates of authorities that agree in name and key vouch for the same.
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
        // Like AppendCertsFromPEM: what cannot be read or parsed is passed over.
        let Ok(pem) = bounded::read(path, MAX_FILE) else {
            continue;
        };
        for der in certificates(&pem) {
            // Debian's folder holds each root twice: alone and in ca-certificates.crt.
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

/// `readUniqueDirectoryEntries`: links to a neighbour (OpenSSL's hash names) are passed over.
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
        // A changed file is seen, though the variables are the same.
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
