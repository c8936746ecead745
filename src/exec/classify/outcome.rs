//! What a run is judged by, and what it is judged to be.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{form, words};

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

/// What failed according to a statement, and why.
pub(super) fn blame(finding: &GoStatement) -> Blame {
    let (own, said) = split(&finding.text);
    Blame {
        who: who(own, finding),
        why: why(own, finding.class),
        said: said
            .map(str::trim)
            .filter(|said| !said.is_empty())
            .map(shortened),
    }
}

/// What go says, and what it quotes of the server's answer.
fn split(text: &str) -> (&str, Option<&str>) {
    match text.split_once("\n\tserver response:") {
        Some((own, said)) => (own, Some(said)),
        None => (text, None),
    }
}

fn shortened(text: &str) -> String {
    const MOST: usize = 120;
    let words: Vec<&str> = text.split_whitespace().collect();
    form::shown(&words.join(" ").chars().take(MOST).collect::<String>())
}

fn who(own: &str, finding: &GoStatement) -> Option<Blamed> {
    let error = error(own);
    if let Some(error) = error {
        if let Some(behind) = error.strip_prefix("proxyconnect tcp: ") {
            return Some(Blamed::HttpProxy(address(behind)));
        }
        if let Some(behind) = error.strip_prefix("socks connect tcp ") {
            let address = behind
                .split_once("->")
                .map(|(address, _)| address.to_owned());
            return Some(Blamed::HttpProxy(address));
        }
        if error.starts_with("407 ") || words::phrase(error).is_some() {
            return Some(Blamed::HttpProxy(None));
        }
    }
    if let Some(who) = database(own, finding) {
        return Some(who);
    }
    let git = own.contains(": exit status ");
    let host = finding
        .module
        .as_deref()
        .and_then(|module| module.split('/').next());
    match (git, &finding.url, host) {
        (true, None, Some(host)) => Some(Blamed::Host(host.to_owned())),
        _ => None,
    }
}

/// What stands behind the request's URL, on its line.
fn error(own: &str) -> Option<&str> {
    let line = own.lines().find(|line| line.contains("://"))?;
    let behind = match line.split_once("Get \"") {
        Some((_, asked)) => asked.split_once("\": ")?.1,
        None => line.split_once("reading ")?.1.split_once(": ")?.1,
    };
    Some(behind.trim_end())
}

/// `dial tcp 127.0.0.1:7890: …`, `dial tcp: lookup HOST: …`.
fn address(error: &str) -> Option<String> {
    let rest = error.strip_prefix("dial tcp")?;
    let name = match rest.strip_prefix(": lookup ") {
        Some(rest) => rest.split([' ', ':']).next()?,
        None => rest.strip_prefix(' ')?.split_once(": ")?.0,
    };
    (!name.is_empty()).then(|| name.to_owned())
}

/// The database that go was asking, through a proxy or by itself.
fn database(own: &str, finding: &GoStatement) -> Option<Blamed> {
    let verifying = own.contains("verifying module: ") || own.contains("verifying go.mod: ");
    let Some(url) = finding.url.as_deref() else {
        let asks = verifying && finding.class != Class::Mismatch;
        return asks.then_some(Blamed::Database(None));
    };
    if let Some((_, path)) = url.split_once("/sumdb/") {
        return Some(Blamed::Database(path.split('/').next().map(str::to_owned)));
    }
    let (_, rest) = url.split_once("://")?;
    let (host, path) = rest.split_once('/')?;
    let asks = path.starts_with("lookup/") || path.starts_with("tile/");
    (verifying || asks).then(|| Blamed::Database(Some(host.to_owned())))
}

fn why(own: &str, class: Class) -> Option<BlameReason> {
    let has = |words: &str| words::any(words, |word| own.contains(word));
    if class == Class::Auth {
        let forbidden = has(": 403 |: Forbidden|returned error: 403");
        return forbidden.then_some(BlameReason::Forbidden);
    }
    if class != Class::Tls {
        return None;
    }
    // "certificate has expired or is not yet valid: current time T is before U"
    let reason = if has("Host key verification failed") {
        BlameReason::HostKey
    } else if has(PLAIN_HTTP) {
        BlameReason::PlainHttp
    } else if has(" is before ") {
        BlameReason::NotYet(times(own, " is before "))
    } else if has(" is after |expired") {
        BlameReason::Expired(times(own, " is after "))
    } else if has("not yet valid") {
        BlameReason::NotYet(None)
    } else if has(OTHER_NAME) {
        BlameReason::OtherName
    } else if has(UNKNOWN_CA) {
        BlameReason::UnknownCa
    } else {
        return None;
    };
    Some(reason)
}

const PLAIN_HTTP: &str = "server gave HTTP response to HTTPS client|\
    first record does not look like a TLS handshake";
const OTHER_NAME: &str = "certificate is valid for |certificate is not valid for any";
const UNKNOWN_CA: &str = "unknown authority|not trusted|local issuer certificate|self-signed|\
    self signed|CERTIFICATE_VERIFY_FAILED|server verification failed";

fn times(own: &str, between: &str) -> Option<(String, String)> {
    let (before, behind) = own.split_once(between)?;
    let (_, now) = before.rsplit_once("current time ")?;
    let limit = behind.split_whitespace().next()?;
    Some((now.to_owned(), limit.to_owned()))
}
