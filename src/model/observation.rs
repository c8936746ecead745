//! The result of a probe.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::text::tenths;

/// What a probe concludes about its target.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The target answers and is what it claims to be.
    Up,
    /// Something else answers instead: a login page, a redirect to one, a certificate for another
    /// name or by an untrusted issuer.
    Portal,
    /// It answers, but with the wrong content: a wrong hash, signature or version.
    Wrong,
    /// No answer, or a refusal.
    #[default]
    Down,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// The phase of a probe in which it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Looking up the name.
    Dns,
    /// The TCP connection (or the proxy's CONNECT).
    Connect,
    /// The TLS handshake.
    Tls,
    /// Waiting for the first byte of the answer.
    FirstByte,
    /// Reading the answer.
    Body,
    /// Checking the content of the answer.
    Content,
}

/// Milliseconds that each phase of the last try took; `None`: the phase was not reached or does not
/// exist (an address needs no DNS, a reused connection has none of the first three).
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Phases {
    /// Looking up the name.
    pub dns: Option<f64>,
    /// TCP, or TCP and CONNECT through a proxy.
    pub connect: Option<f64>,
    /// TLS handshake.
    pub tls: Option<f64>,
    /// From the request sent to the first byte of the answer.
    pub first_byte: Option<f64>,
    /// All tries together, from the start of the first.
    pub total: Option<f64>,
}

/// How fast a proxy sent a small zip, whose hash was right.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Speed {
    /// Milliseconds from the request to the first byte of the file, redirects included.
    pub first_byte: f64,
    /// Bytes per second from there to the last byte.
    pub bytes_per_second: f64,
}

impl Speed {
    /// The size of a typical module's zip, in bytes: most are smaller, but the large ones take most
    /// of the time.
    const TYPICAL: f64 = 500_000.0;

    /// Returns the milliseconds that a typical module would take: what mirrors are compared by.
    pub fn expected_ms(self) -> f64 {
        tenths(self.first_byte + Speed::TYPICAL / self.bytes_per_second.max(1.0) * 1000.0)
    }
}

/// What an `up` proves.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Proof {
    /// Nothing: anyone on the path could have sent it.
    #[default]
    None,
    /// The system's roots, or the target's `ca`, confirm the server's name.
    Tls,
    /// A checksum database's Ed25519 signature.
    Signed,
    /// The server's key is one of the target's pins.
    Pinned,
}

/// Part of the reason of an `up` that the go command would not get: only the target's own `ca`
/// verifies its certificate.
pub const DISTRUSTED: &str = "go does not trust its certificate";

/// What one probe of one target saw, over all its tries.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Observation {
    /// The target's name.
    pub target: String,
    /// The conclusion.
    pub verdict: Verdict,
    /// One short sentence in a user's words, without credentials: what was proven, or what went
    /// wrong.
    pub reason: String,
    /// The phase that failed; `None` when it is up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<Phase>,
    /// How long each phase took.
    pub phases: Phases,
    /// What the `up` proves.
    pub proof: Proof,
    /// Whether a retry would give the same result. True for a 404, a bad certificate, wrong
    /// content.
    pub definite: bool,
    /// Tries made.
    pub tries: u32,
    /// Milliseconds from the start of the round to the start of this probe; `None`: the round did
    /// not ask the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began_ms: Option<f64>,
    /// It accepted the request and did not answer in time: a client that waits longer may get an
    /// answer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub silent: bool,
    /// The URL of the login page, if a portal names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub portal_url: Option<String>,
    /// Why the go command cannot use the target although it is up, and what to do about it, in one
    /// sentence without credentials: go does not trust its certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caveat: Option<String>,
    /// How fast it is, if that was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed: Option<Speed>,
}

impl Observation {
    /// Reports whether the target is up.
    pub fn is_up(&self) -> bool {
        self.verdict == Verdict::Up
    }
}

/// The cause of a failed request, as far as a program must tell it from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The name could not be looked up.
    Dns,
    /// The network has no route to the server.
    Unreachable,
    /// No program listens at that address.
    Refused,
    /// No connection in time.
    Timeout,
    /// A connection, but no answer in time, or only a part of one.
    Stalled,
    /// The connection was reset, or closed too early.
    Reset,
    /// The server cannot be trusted, or speaks no TLS.
    Tls,
    /// A login page answers instead of the server.
    Portal,
    /// What came is incomplete or is something else.
    Corrupt,
    /// go's settings cannot work.
    Config,
    /// The answer's HTTP status.
    Status(u16),
}
