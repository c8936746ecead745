//! What became of one run, in one word.

use std::fmt;

use serde::Serialize;

/// What became of one run. The words are those of `--summary json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// It did what was asked.
    Ok,
    /// A connection or an answer did not come in time; go itself gave up.
    Timeout,
    /// Nobody listens there.
    Refused,
    /// The name could not be looked up.
    Dns,
    /// The connection was cut.
    Reset,
    /// There is no way there.
    Unreachable,
    /// 401, 403, 407: credentials are wanted, or these are not enough.
    Auth,
    /// 429 and 503: later, perhaps.
    Busy,
    /// Any other 5xx.
    Server,
    /// Any other 4xx.
    Client,
    /// 404, 410, no such file: it is not there.
    NotFound,
    /// No trust: an unknown CA, another host's certificate, an old protocol.
    Tls,
    /// A login page answers in its place.
    Portal,
    /// What came is cut or is no such thing.
    Corrupt,
    /// What came is whole, but not what its checksum says.
    Mismatch,
    /// Nothing moved any longer; goroam ended it.
    Stalled,
    /// The settings themselves cannot work.
    Config,
    /// Everything that is not the network's fault: the code, its tests, the command line.
    Code,
}

impl Class {
    /// The word that stands for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Class::Ok => "ok",
            Class::Timeout => "timeout",
            Class::Refused => "refused",
            Class::Dns => "dns",
            Class::Reset => "reset",
            Class::Unreachable => "unreachable",
            Class::Auth => "auth",
            Class::Busy => "busy",
            Class::Server => "server",
            Class::Client => "client",
            Class::NotFound => "not-found",
            Class::Tls => "tls",
            Class::Portal => "portal",
            Class::Corrupt => "corrupt",
            Class::Mismatch => "mismatch",
            Class::Stalled => "stalled",
            Class::Config => "config",
            Class::Code => "code",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
