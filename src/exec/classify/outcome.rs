//! The input and the result of judging a run.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// With this exit code.
    Code(i32),
    /// By this signal (Unix).
    Signal(i32),
}

/// A run and its output, as input for the judgement.
#[derive(Debug, Clone, Copy)]
pub struct CommandOutput<'a> {
    /// Its standard error, bounded; the beginning may be missing.
    pub stderr: &'a str,
    /// The `Output` of `build-output` events of `go build -json` and `go test -json` (go 1.24 and
    /// later), and the `Error` of `go mod download -json`, one after another; otherwise empty.
    pub build_output: &'a str,
    /// How it ended.
    pub exit: Exit,
    /// The elements of the GOPROXY in force, in order, including `direct` and `off`, without what
    /// follows these two.
    pub proxies: &'a [String],
    /// If goroam ended it, why: one line for a person.
    pub killed: Option<&'a str>,
}

/// The result of one run. The names are those of `--summary json`.
///
/// If several failures occur in one run, the first class in this order decides what happens next.
/// The order is: what must stop; what a person has to fix; what is broken on the other side; what
/// may pass without action. `Busy` comes after what is broken, since waiting helps only if nothing
/// else is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// The content is complete but does not match its checksum.
    Mismatch,
    /// Nothing made progress any longer; goroam ended it.
    Stalled,
    /// A login page answers instead of the server.
    Portal,
    /// The server cannot be trusted: an unknown CA, another host's certificate, an old protocol.
    Tls,
    /// 401, 403, 407: credentials are required, or these are not sufficient.
    Auth,
    /// The name could not be looked up.
    Dns,
    /// The network has no route to the server.
    Unreachable,
    /// No program listens at that address.
    Refused,
    /// A connection or an answer did not come in time; go itself gave up.
    Timeout,
    /// The connection was reset.
    Reset,
    /// The content is incomplete or is something else.
    Corrupt,
    /// Any other 5xx.
    Server,
    /// Any other 4xx.
    Client,
    /// 429 and 503: a later request may succeed.
    Busy,
    /// The settings cannot work on any network.
    Config,
    /// 404, 410, no such file: it does not exist there.
    NotFound,
    /// Any failure that the network did not cause: the code, its tests, the command line.
    Code,
    /// The command succeeded.
    Ok,
}

impl Class {
    /// Reports whether another step may help: the command failed, and neither the code nor a
    /// checksum is the cause.
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
    /// The class of the run.
    pub class: Class,
    /// The line that shows the failure, at most 400 characters, without credentials; empty for
    /// `ok`.
    pub line: String,
    /// The URL of the request that failed, as go printed it: without its password, and for a failed
    /// redirect possibly only a path.
    pub url: Option<String>,
    /// The module that the request was for.
    pub module: Option<String>,
    /// Its version, or the query (`latest`).
    pub version: Option<String>,
    /// For `mismatch`: the two hashes, if the message has two.
    pub hashes: Option<MismatchHashes>,
    /// What failed, if go's message says more than the class.
    pub blame: Blame,
}

/// The two sides of a checksum mismatch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MismatchHashes {
    /// The `h1:` hash of the downloaded content.
    pub downloaded: String,
    /// The `h1:` hash that was expected.
    pub wanted: String,
    /// The source of the expected hash: `go.sum`, `go.work.sum` or the name of a checksum database.
    pub by: String,
    /// The hash is of a go.mod, not of a zip.
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

/// What failed and why, if go's message says more than the class.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Blame {
    /// What failed, if it is not the server of the URL.
    pub who: Option<Blamed>,
    /// The reason, if the class does not state it.
    pub why: Option<BlameReason>,
    /// The server's own message, shortened.
    pub said: Option<String>,
}

/// What failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Blamed {
    /// The HTTP or SOCKS proxy of HTTPS_PROXY or HTTP_PROXY: its address, if go names it.
    HttpProxy(Option<String>),
    /// A checksum database: its name, if go names it.
    Database(Option<String>),
    /// The host of a repository.
    Host(String),
}

/// The reason of a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlameReason {
    /// A certificate is not valid yet: this clock's time, and from when it is valid.
    NotYet(Option<(String, String)>),
    /// A certificate has expired: this clock's time, and when.
    Expired(Option<(String, String)>),
    /// The server speaks plain http although TLS was expected.
    PlainHttp,
    /// The certificate is for other names.
    OtherName,
    /// The CA is not known.
    UnknownCa,
    /// ssh does not know the host's key.
    HostKey,
    /// 403 without any mention of credentials.
    Forbidden,
}

/// One statement of go that reports a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GoStatement {
    pub(super) class: Class,
    /// The whole statement, its first line with its prefix.
    pub(super) text: String,
    pub(super) url: Option<String>,
    pub(super) module: Option<String>,
    pub(super) version: Option<String>,
}
