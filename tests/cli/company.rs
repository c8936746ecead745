//! A company with a module proxy of its own, on this machine.

#[path = "../support/probe_server.rs"]
pub(crate) mod server;

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use server::{Authority, Reply, Seen, Server, good_proxy};

/// A running proxy with a certificate of the company's own authority.
pub(crate) struct Company {
    _runtime: tokio::runtime::Runtime,
    server: Server,
    folder: tempfile::TempDir,
    pin: String,
}

impl Company {
    /// With a proxy that does what it should.
    pub(crate) fn new() -> Company {
        Company::answering(good_proxy)
    }

    /// With another one.
    pub(crate) fn answering(how: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Company {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new("corp");
        authority.write(folder.path());
        let other = Authority::new("other");
        std::fs::write(folder.path().join("other.pem"), &other.pem).unwrap();
        let identity = authority.identity(&["127.0.0.1"]);
        let server = runtime.block_on(Server::https(&identity, how));
        Company {
            _runtime: runtime,
            server,
            folder,
            pin: format!("sha256/{}", STANDARD.encode(identity.pin.0)),
        }
    }

    /// Its address.
    pub(crate) fn url(&self) -> String {
        self.server.url("https")
    }

    /// Its key, as a policy names it.
    pub(crate) fn pin(&self) -> &str {
        &self.pin
    }

    /// The certificate of the authority that vouches for it.
    pub(crate) fn ca(&self) -> String {
        self.path("ca.pem")
    }

    /// That of one which does not.
    pub(crate) fn other_ca(&self) -> String {
        self.path("other.pem")
    }

    fn path(&self, name: &str) -> String {
        let path: PathBuf = self.folder.path().join(name);
        path.to_str().unwrap().to_owned()
    }
}
