//! What a run is judged by, and what it is judged to be.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// With this exit code.
    Code(i32),
    /// By this signal (Unix).
    Signal(i32),
}

/// A run and its output, as far as it is judged.
#[derive(Debug, Clone, Copy)]
pub struct CommandOutput<'a> {
    /// Its standard error, bounded; the beginning may be missing.
    pub stderr: &'a str,
    /// The `Output` of `build-output` events of `go build -json` and `go test -json` (go 1.24 and
    /// later), and the `Error` of `go mod download -json`, one after another; else empty.
    pub build_output: &'a str,
    /// How it ended.
    pub exit: Exit,
    /// The elements of the GOPROXY in force, in order, `direct` and `off` among them, without
    /// what stands behind these.
    pub proxies: &'a [String],
    /// goroam ended it, and why: one line for a person.
    pub killed: Option<&'a str>,
}

/// What became of one run. The words are those of `--summary json`.
///
/// The order says which of several failures in one run decides what happens next, the gravest
/// first: what must stop; what a person has to fix; what is broken there; what may pass by itself.
/// `busy` is behind what is broken, since waiting helps only where nothing else is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// What came is whole, but not what its checksum says.
    Mismatch,
    /// Nothing moved any longer; goroam ended it.
    Stalled,
    /// A login page answers in its place.
    Portal,
    /// No trust: an unknown CA, another host's certificate, an old protocol.
    Tls,
    /// 401, 403, 407: credentials are wanted, or these are not enough.
    Auth,
    /// The name could not be looked up.
    Dns,
    /// There is no route to it.
    Unreachable,
    /// No program listens there.
    Refused,
    /// A connection or an answer did not come in time; go itself gave up.
    Timeout,
    /// The connection was cut.
    Reset,
    /// What came is incomplete or something else.
    Corrupt,
    /// Any other 5xx.
    Server,
    /// Any other 4xx.
    Client,
    /// 429 and 503: later, perhaps.
    Busy,
    /// The settings themselves cannot work.
    Config,
    /// 404, 410, no such file: it is not there.
    NotFound,
    /// Everything that is not the network's fault: the code, its tests, the command line.
    Code,
    /// It did what was asked.
    Ok,
}

impl Class {
    /// Another step may help: neither the command succeeded, nor is its code or a checksum wrong.
    pub fn is_of_the_network(self) -> bool {
        !matches!(self, Class::Ok | Class::Code | Class::Mismatch)
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// A run, judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Classified {
    /// What became of it.
    pub class: Class,
    /// The line that says so, at most 400 characters, without credentials; empty for `ok`.
    pub line: String,
    /// The URL of the request that failed, as go printed it: without its password, and for a
    /// failed redirect perhaps only a path.
    pub url: Option<String>,
    /// The module it was about.
    pub module: Option<String>,
    /// Its version, or the query (`latest`).
    pub version: Option<String>,
    /// For `mismatch`: the two hashes, where there are two.
    pub hashes: Option<MismatchHashes>,
    /// What failed, as far as go's words say more than the class.
    pub blame: Blame,
}

/// The two sides of a checksum mismatch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MismatchHashes {
    /// The `h1:` of what came.
    pub downloaded: String,
    /// The `h1:` that was wanted.
    pub wanted: String,
    /// Who wanted it: `go.sum`, `go.work.sum` or the name of a checksum database.
    pub by: String,
    /// It is the hash of a go.mod and not of a zip.
    pub of_go_mod: bool,
}

impl Classified {
    pub(in crate::exec) fn plain(class: Class, line: String) -> Classified {
        Classified {
            class,
            line,
            url: None,
            module: None,
            version: None,
            hashes: None,
            blame: Blame::default(),
        }
    }
}

/// What failed and why, as far as go's words say more than the class.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Blame {
    /// Who failed, if it is not the server of the URL.
    pub who: Option<Blamed>,
    /// What is wrong, where the class does not say it.
    pub why: Option<BlameReason>,
    /// The server's own words, shortened.
    pub said: Option<String>,
}

/// Who failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Blamed {
    /// The HTTP or SOCKS proxy of HTTPS_PROXY or HTTP_PROXY: its address, as far as go names it.
    HttpProxy(Option<String>),
    /// A checksum database: its name, as far as go names it.
    Database(Option<String>),
    /// The host of a repository.
    Host(String),
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlameReason {
    /// A certificate is not valid yet: this clock's time, and from when it is valid.
    NotYet(Option<(String, String)>),
    /// A certificate has expired: this clock's time, and when.
    Expired(Option<(String, String)>),
    /// Plain http is spoken where TLS was asked for.
    PlainHttp,
    /// The certificate is for other names.
    OtherName,
    /// The CA is not known.
    UnknownCa,
    /// ssh does not know the host's key.
    HostKey,
    /// 403: not a word about credentials.
    Forbidden,
}

/// One statement of go's that says what failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GoStatement {
    pub(super) class: Class,
    /// The whole statement, its first line with its prefix.
    pub(super) text: String,
    pub(super) url: Option<String>,
    pub(super) module: Option<String>,
    pub(super) version: Option<String>,
}
