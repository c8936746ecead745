//! What git, ssh and libcurl say when go fetches direct. go prints it behind
//! `git …: exit status 128:`, indented (modfetch/codehost/codehost.go:RunError).

use super::outcome::Class;

/// Where what a version control said begins in one of go's statements: behind its exit status.
pub(super) fn output(body: &str) -> Option<usize> {
    let ran = body.find(": exit status ")?;
    let end = body.get(ran..)?.find(":\n\t")?;
    let status = body.get(ran..ran + end)?;
    (!status.contains('\n')).then_some(ran + end + 1)
}

/// What a version control system reports, and about which URL.
pub(super) fn in_output(output: &str) -> Option<(Class, Option<String>)> {
    for line in output.lines().map(str::trim_start) {
        let server = of_the_server(line);
        let found = match server {
            Some(said) => said_there(said).map(|class| (class, None)),
            None => of(line),
        };
        // git's last words; a server may have written what follows.
        let last = line.starts_with(ERR);
        if found.is_some() || last {
            return found.or(Some((Class::Server, None)));
        }
    }
    None
}

/// What one of its lines says, if it is one, and of which URL.
pub(super) fn of(part: &str) -> Option<(Class, Option<String>)> {
    let line = part.lines().next().unwrap_or_default();
    let theirs = BEGIN.iter().any(|begin| line.starts_with(begin));
    if !theirs || of_the_server(line).is_some() {
        return None;
    }
    Some((of_words(line)?, url(line)))
}

/// git's words before those of a server that refuses (gitprotocol-pack, `ERR`).
const ERR: &str = "fatal: remote error: ";

/// What the server says (git's sideband, and its ERR).
fn of_the_server(line: &str) -> Option<&str> {
    line.strip_prefix("remote: ")
        .or_else(|| line.strip_prefix(ERR))
}

/// Why a server refuses, as far as its words are to be believed: nothing of them is waited for,
/// and no URL in them is asked.
fn said_there(said: &str) -> Option<Class> {
    of_words(said).filter(|class| matches!(class, Class::NotFound | Class::Auth))
}

fn of_words(line: &str) -> Option<Class> {
    let mut words = WORDS.iter();
    let (_, class) = words.find(|(words, _)| words.iter().any(|word| line.contains(word)))?;
    Some(*class)
}

/// Did go run a version control here? `git init --bare in DIR: …`
pub(super) fn is_run(body: &str) -> bool {
    ["git ", "hg ", "svn ", "fossil ", "bzr "]
        .iter()
        .any(|tool| body.starts_with(tool) || body.contains(&[": ", tool].concat()))
        && body.contains(" in ")
}

/// The URL that git names, in quotes or not.
fn url(line: &str) -> Option<String> {
    let at = line.find("https://").or_else(|| line.find("http://"))?;
    let url = line.get(at..)?;
    let end = url.find(['\'', '"', ' ']).unwrap_or(url.len());
    url.get(..end)
        .map(|url| url.trim_end_matches(':').to_owned())
}

/// How their complaints begin.
const BEGIN: [&str; 10] = [
    "fatal: ",
    "error: ",
    "remote: ",
    "ssh: ",
    "Host key verification failed",
    "kex_exchange_identification: ",
    "Connection closed by ",
    "Connection reset by ",
    "abort: ",
    "git@",
];

/// The nearer cause first.
const WORDS: [(&[&str], Class); 16] = [
    (
        &[
            "Could not resolve",
            "Name or service not known",
            "Temporary failure in name resolution",
            "nodename nor servname",
            "Couldn't resolve",
        ],
        Class::Dns,
    ),
    (&["Connection refused", "actively refused"], Class::Refused),
    (
        &["Network is unreachable", "No route to host", "Host is down"],
        Class::Unreachable,
    ),
    (
        &["timed out", "Timeout was reached", "Operation too slow"],
        Class::Timeout,
    ),
    (
        &[
            "CERTIFICATE_VERIFY_FAILED",
            "certificate problem",
            "certificate verification failed",
            "certificate verify failed",
            "server verification failed",
            "SSL: no alternative certificate",
            "does not match target host name",
            "Host key verification failed",
            "schannel",
            "SSL certificate",
        ],
        Class::Tls,
    ),
    (
        &[
            "Connection reset",
            "Empty reply from server",
            "Connection closed by",
            "connection was closed",
            "the remote end hung up",
            "early EOF",
            "unexpected disconnect",
            "SSL_ERROR_SYSCALL",
            "unexpected eof while reading",
            "Recv failure",
            "Send failure",
            "terminated properly",
            "non-properly terminated",
            "RPC failed",
        ],
        Class::Reset,
    ),
    // A login page for those that have no cookies leads them in a circle, or away.
    (
        &[
            "redirects followed",
            "unable to update url base from redirection",
        ],
        Class::Portal,
    ),
    // 200, and nothing of git's.
    (&["not valid: is this a git repository?"], Class::Corrupt),
    (&["GnuTLS recv error", "GnuTLS send error"], Class::Reset),
    (
        &[
            "gnutls_handshake",
            "SSL routines",
            "SSL connect error",
            "TLS connect error",
        ],
        Class::Tls,
    ),
    (
        &[
            "could not read Username",
            "could not read Password",
            "Authentication failed",
            "Permission denied",
            "returned error: 401",
            "returned error: 403",
            "returned error: 407",
            "HTTP code 407",
            "response 407",
            "authorization failed",
        ],
        Class::Auth,
    ),
    (&["returned error: 429", "returned error: 503"], Class::Busy),
    (
        &["returned error: 5", "HTTP code 5", "response 5"],
        Class::Server,
    ),
    (
        // GitHub and others say so of a private repository, too.
        &[
            "Repository not found",
            "repository not found",
            "' not found",
            "returned error: 404",
            "returned error: 410",
            "could not find remote ref",
            "couldn't find remote ref",
            "unknown revision",
            "does not appear to be a git repository",
        ],
        Class::NotFound,
    ),
    (
        &["returned error: 4", "HTTP code 4", "response 4"],
        Class::Client,
    ),
    (
        &["Failed to connect", "Couldn't connect", "Could not connect"],
        Class::Refused,
    ),
];
