//! What a probe saw.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a probe concludes about its target.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It is there and it is what it claims to be.
    Up,
    /// Something answers in its place: a login page, a redirect to one, a certificate for
    /// another name or by nobody who is trusted.
    Portal,
    /// It answers, but with the wrong content: a hash, a signature or a version that is not right.
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
    /// Judging what came.
    Content,
}

/// Milliseconds that each phase of the last try took; `None`: not reached, or there is no
/// such phase (an address needs no DNS, a reused connection none of the first three).
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Phases {
    /// Looking up the name.
    pub dns: Option<f64>,
    /// TCP, or TCP and CONNECT through a proxy.
    pub connect: Option<f64>,
    /// TLS handshake.
    pub tls: Option<f64>,
    /// Request sent to first byte of the answer.
    pub first_byte: Option<f64>,
    /// All tries together, from the start of the first.
    pub total: Option<f64>,
}

/// What an `up` is worth.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Proof {
    /// Nothing: anybody on the way could have said it.
    #[default]
    None,
    /// The system's roots, or the target's `ca`, vouch for the server's name.
    Tls,
    /// A checksum database's Ed25519 signature.
    Signed,
    /// The server's key is one of the target's pins.
    Pinned,
}

/// What stands in the reason of an `up` that the go command would not get: its certificate is
/// right by the target's own `ca` only.
pub const DISTRUSTED: &str = "go does not trust its certificate";

/// What one probe of one target saw, over all its tries.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Observation {
    /// The target's name.
    pub target: String,
    /// What it concludes.
    pub verdict: Verdict,
    /// One short sentence in a user's words, without credentials: what was proven, or what went wrong.
    pub reason: String,
    /// The phase that failed; `None` when it is up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<Phase>,
    /// How long each phase took.
    pub phases: Phases,
    /// What the `up` is worth.
    pub proof: Proof,
    /// Would a retry say the same? True for a 404, a bad certificate, wrong content.
    pub definite: bool,
    /// Tries made.
    pub tries: u32,
    /// It took the request and did not answer in time: who waits longer may get an answer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub silent: bool,
    /// The login page, where a portal names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub portal_url: Option<String>,
    /// What stands in the go command's way although it is up, and what to do about it, in one
    /// sentence without credentials: go does not trust its certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caveat: Option<String>,
}

impl Observation {
    /// Is the target up?
    pub fn is_up(&self) -> bool {
        self.verdict == Verdict::Up
    }
}
