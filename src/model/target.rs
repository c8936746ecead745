//! Targets: what a probe requests, and within which limits.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::sumdb::SumDb;

/// Time limits of one try of one probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// DNS, TCP and TLS together.
    pub connect: Duration,
    /// From the request's last byte to the answer's first.
    pub first_byte: Duration,
    /// The same for a try that may take long: a module proxy with a cold cache fetches on demand,
    /// and some drop the fetch when the client disconnects. If it is not longer than `first_byte`,
    /// no such try is made.
    pub patience: Duration,
    /// The whole try.
    pub total: Duration,
    /// Further tries after one that gave no definite answer, each with the full limits.
    pub retries: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connect: Duration::from_secs(3),
            first_byte: Duration::from_secs(5),
            patience: Duration::from_secs(60),
            total: Duration::from_secs(8),
            retries: 1,
        }
    }
}

/// What a user has given of the limits of one hop of the relay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RelayLimits {
    /// DNS, TCP and TLS together.
    pub connect: Option<Duration>,
    /// From the request to the first byte.
    pub first_byte: Option<Duration>,
    /// Silence within a file.
    pub stall: Option<Duration>,
    /// Further attempts after a fast failure.
    pub retries: Option<u32>,
}

impl RelayLimits {
    /// These, and those of `other` where none are given here.
    pub fn or(self, other: RelayLimits) -> RelayLimits {
        RelayLimits {
            connect: self.connect.or(other.connect),
            first_byte: self.first_byte.or(other.first_byte),
            stall: self.stall.or(other.stall),
            retries: self.retries.or(other.retries),
        }
    }
}

/// SHA-256 of a certificate's SubjectPublicKeyInfo (RFC 7469's pin), written `sha256/BASE64`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin(pub [u8; 32]);

/// An endpoint on the network (or on this machine) that a policy names and a probe checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its name in the policy: `[target.NAME]`.
    pub name: String,
    /// What is requested, and how.
    pub kind: TargetKind,
    /// Its time limits: its own, else those of `[probe]`, else the built-in ones.
    pub limits: Limits,
    /// What differs from `[relay]` where the relay asks it.
    pub relay: RelayLimits,
    /// Serves private modules: nothing may follow it with `|`.
    pub private: bool,
    /// PEM files that are trusted in addition to the system's roots, for this target only.
    pub ca: Vec<PathBuf>,
    /// The server's key must be one of these; empty: any key with a trusted chain.
    pub pins: Vec<Pin>,
}

/// What is requested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetKind {
    /// Speaks the GOPROXY protocol: `.info` must name the version, `.mod` must have the hash.
    GoProxy {
        /// Base URL, without a trailing slash. May hold `user:password@`; never print it as it is.
        url: String,
        /// Module path, unescaped.
        module: String,
        /// Module version, unescaped.
        version: String,
        /// The go.sum hash that the `.mod` must have (`h1:…`); `None`: any well-formed go.mod of
        /// that module.
        sum: Option<String>,
        /// The go.sum hash of the module's zip; `None`: its speed is measured with [`SMALL_ZIP`].
        zip_sum: Option<String>,
    },
    /// A checksum database: a signed tree head must verify.
    SumDb {
        /// Name, key and, where it is given, URL.
        db: SumDb,
        /// Base URL of the proxy whose `/sumdb/` pass-through is used, in the same way as go uses
        /// it.
        via: Option<String>,
    },
    /// An http or https URL that must answer with a status (and a body).
    Https {
        /// The URL.
        url: String,
        /// Accepted statuses; empty: any 2xx or 3xx.
        status: Vec<u16>,
        /// Text that the body must contain.
        body: Option<String>,
    },
    /// An ICMP echo.
    Icmp {
        /// The address to ping.
        address: IpAddr,
    },
    /// A TCP connection that is accepted.
    Tcp {
        /// Host name or address.
        host: String,
        /// Port.
        port: u16,
    },
    /// A program that listens at this address of this machine. No packet is sent.
    Listening {
        /// The address; an unspecified IP means any.
        address: SocketAddr,
    },
    /// A `file://` module mirror that exists.
    Mirror {
        /// Its directory, with `~` and `${…}` expanded.
        path: PathBuf,
    },
}

/// The module that is requested by default: its `.mod` is one line, and its hash is in countless
/// public go.sum files.
pub const DEFAULT_MODULE: (&str, &str) = ("golang.org/x/text", "v0.3.0");
/// The go.sum hash of [`DEFAULT_MODULE`]'s go.mod.
pub const DEFAULT_SUM: &str = "h1:NqM8EUOU14njkJ3fqMW+pc6Ldnwhi/IjpwHt7yyuwOQ=";

/// The zip that speed is measured with by default, and its go.sum hash: about 100 kB, and in so many
/// projects that every public proxy has it at hand.
pub const SMALL_ZIP: (&str, &str, &str) = (
    "gopkg.in/yaml.v3",
    "v3.0.1",
    "h1:fxVm/GzAzEWqLHuvctI91KS9hhNmmWOoWu0XTYJS7CA=",
);

impl Target {
    /// Returns a page that no policy names, to be fetched within these limits.
    pub fn page(url: &str, limits: Limits) -> Target {
        Target {
            name: String::new(),
            kind: TargetKind::Https {
                url: url.to_owned(),
                status: Vec::new(),
                body: None,
            },
            limits,
            relay: RelayLimits::default(),
            private: false,
            ca: Vec::new(),
            pins: Vec::new(),
        }
    }

    /// Returns the word for its kind, as the policy spells the key.
    pub fn kind_str(&self) -> &'static str {
        match self.kind {
            TargetKind::GoProxy { .. } => "goproxy",
            TargetKind::SumDb { .. } => "sumdb",
            TargetKind::Https { .. } => "https",
            TargetKind::Icmp { .. } => "icmp",
            TargetKind::Tcp { .. } => "tcp",
            TargetKind::Listening { .. } => "listening",
            TargetKind::Mirror { .. } => "mirror",
        }
    }

    /// Returns the proxy's base URL, for a target that speaks the GOPROXY protocol.
    pub fn goproxy_url(&self) -> Option<&str> {
        let TargetKind::GoProxy { url, .. } = &self.kind else {
            return None;
        };
        Some(url)
    }

    /// Returns what its speed is measured with: a module, its version, and the hash of its zip.
    pub fn measured_zip(&self) -> Option<(&str, &str, &str)> {
        match &self.kind {
            TargetKind::GoProxy {
                module,
                version,
                zip_sum: Some(sum),
                ..
            } => Some((module, version, sum)),
            TargetKind::GoProxy { zip_sum: None, .. } => Some(SMALL_ZIP),
            TargetKind::SumDb { .. }
            | TargetKind::Https { .. }
            | TargetKind::Icmp { .. }
            | TargetKind::Tcp { .. }
            | TargetKind::Listening { .. }
            | TargetKind::Mirror { .. } => None,
        }
    }

    /// Returns its element in a GOPROXY list: a proxy's base URL, or a mirror's directory as a URL.
    pub fn hop_url(&self) -> Option<String> {
        if let TargetKind::Mirror { path } = &self.kind {
            return Some(super::go_url::of_folder(path));
        }
        self.goproxy_url().map(str::to_owned)
    }

    /// Returns the URL of its HTTP requests, if the target states one.
    fn url(&self) -> Option<&str> {
        match &self.kind {
            TargetKind::GoProxy { url, .. }
            | TargetKind::Https { url, .. }
            | TargetKind::SumDb { via: Some(url), .. }
            | TargetKind::SumDb {
                db: SumDb::Database { url: Some(url), .. },
                ..
            } => Some(url),
            TargetKind::SumDb { .. }
            | TargetKind::Icmp { .. }
            | TargetKind::Tcp { .. }
            | TargetKind::Listening { .. }
            | TargetKind::Mirror { .. } => None,
        }
    }

    /// Returns how long a patient try waits for a first byte. `None`: no try waits longer than
    /// `first_byte`. Only a server that fetches on demand is worth the wait.
    pub fn patience(&self) -> Option<Duration> {
        let fetches = matches!(
            self.kind,
            TargetKind::GoProxy { .. } | TargetKind::SumDb { .. }
        );
        (fetches && self.limits.patience > self.limits.first_byte).then_some(self.limits.patience)
    }

    /// Reports whether the operator of the network cannot forge an `up` of this target. True for
    /// TLS (system roots, `ca` or `pin`); false for plain http, ICMP, TCP, and for facts that only
    /// this machine reports about itself. A signed tree head and a module with the right hash are
    /// public: over plain http anyone can record and replay them.
    pub fn is_authenticated(&self) -> bool {
        // Without a URL, go and the probe request a database at `https://NAME`.
        match (self.url(), &self.kind) {
            (Some(url), _) => begins_with(url, "https://"),
            (None, TargetKind::SumDb { db, .. }) => *db != SumDb::Off,
            (None, _) => false,
        }
    }

    /// Reports whether it is requested over plain http, so that there is no certificate to check.
    pub fn asks_in_the_clear(&self) -> bool {
        self.url().is_some_and(|url| begins_with(url, "http://"))
    }

    /// Reports whether it needs no network: `listening` and `mirror` do not.
    pub fn is_local(&self) -> bool {
        matches!(
            self.kind,
            TargetKind::Listening { .. } | TargetKind::Mirror { .. }
        )
    }
}

fn begins_with(url: &str, scheme: &str) -> bool {
    url.get(..scheme.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
}
