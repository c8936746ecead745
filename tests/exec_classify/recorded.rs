//! `tests/data/go-errors.tsv`: runs of go 1.19, 1.21 and 1.27 against proxies that misbehave.

use goroam::exec::Class;

/// One run.
#[derive(Debug)]
pub(crate) struct Recorded {
    pub(crate) case: String,
    pub(crate) exit: String,
    pub(crate) stderr: String,
}

/// All of them.
pub(crate) fn recorded() -> Vec<Recorded> {
    include_str!("../data/go-errors.tsv")
        .lines()
        .skip(1)
        .map(|row| {
            let fields: Vec<&str> = row.split('\t').collect();
            let [
                case,
                _version,
                _separator,
                exit,
                _seconds,
                _fell_through,
                stderr,
            ] = fields[..]
            else {
                panic!("{row}");
            };
            let (case, _command) = case.split_once(" [").expect(case);
            Recorded {
                case: case.to_owned(),
                exit: exit.to_owned(),
                stderr: stderr.replace("\\n", "\n").replace("\\t", "\t"),
            }
        })
        .collect()
}

/// What a run must be taken for.
pub(crate) fn expected(run: &Recorded) -> Class {
    if run.exit == "0" {
        return Class::Ok;
    }
    let (_, class, _) = CASES
        .iter()
        .find(|(case, _, _)| *case == run.case)
        .unwrap_or_else(|| panic!("{}", run.case));
    // go stopped before it came to the faulty thing.
    if run.stderr.contains("updates to go.mod needed") {
        return Class::Code;
    }
    // Behind a `|`, or with a go.sum that knows the module, the hash speaks first.
    if run.stderr.contains("SECURITY ERROR") {
        return Class::Mismatch;
    }
    *class
}

/// What each case is, and why.
const CASES: [(&str, Class, &str); 61] = [
    ("s400", Class::Client, "a 4xx"),
    ("s401", Class::Auth, "credentials are wanted"),
    ("s403", Class::Auth, "credentials do not suffice"),
    ("s404", Class::NotFound, ""),
    ("s407", Class::Auth, "the HTTP proxy's"),
    ("s410", Class::NotFound, "as go takes it: fs.ErrNotExist"),
    ("s418", Class::Client, "a 4xx"),
    ("s429", Class::Busy, "later"),
    ("s451", Class::Client, "a 4xx"),
    ("s502", Class::Server, "a 5xx"),
    ("s503", Class::Busy, "later"),
    ("s504", Class::Server, "a 5xx: the server's own time-out"),
    ("txt403", Class::Auth, "with the server's words behind it"),
    (
        "txt404",
        Class::NotFound,
        "with the server's words behind it",
    ),
    ("txt503", Class::Busy, "with the server's words behind it"),
    ("html", Class::Portal, "HTML where JSON was asked"),
    (
        "redirhtml",
        Class::Portal,
        "led to HTML where JSON was asked",
    ),
    (
        "redirloop",
        Class::Portal,
        "a login page leads those without cookies in a circle",
    ),
    ("empty", Class::Corrupt, "no JSON, and no page either"),
    ("trunczip", Class::Corrupt, "cut"),
    ("shortzip", Class::Corrupt, "cut, with a length that fits"),
    ("wrongzip", Class::Mismatch, "whole, and another"),
    ("badver", Class::Corrupt, "an .info of another version"),
    ("eof", Class::Reset, "closed without an answer"),
    ("garbage", Class::Corrupt, "not HTTP"),
    ("zip403", Class::Auth, "for zips only"),
    ("zip404", Class::NotFound, "for zips only"),
    ("zip500", Class::Server, "for zips only"),
    (
        "ziphtml",
        Class::Corrupt,
        "the text says no more than that it is no zip",
    ),
    ("modhtml", Class::Mismatch, "always met by go.sum"),
    ("refused", Class::Refused, ""),
    ("dns-refused", Class::Dns, "the resolver says REFUSED"),
    ("tls-wronghost", Class::Tls, ""),
    ("tls-expired", Class::Tls, ""),
    ("tls-old", Class::Tls, ""),
    (
        "tls-redir-to-http",
        Class::Portal,
        "what a login page does to https",
    ),
    ("tls-404", Class::NotFound, ""),
    ("tls-403", Class::Auth, ""),
    ("tls-503", Class::Busy, ""),
    ("tls-ok", Class::Ok, "nothing is wrong there"),
    ("https-to-http-port", Class::Tls, "no TLS is spoken there"),
    (
        "http-to-https-port",
        Class::Client,
        "400, as nginx and net/http answer",
    ),
    (
        "file-missing",
        Class::NotFound,
        "ENOENT is a file proxy's 404",
    ),
    (
        "file-zip-noperm(non-root)",
        Class::Config,
        "GOPROXY names what this user may not read",
    ),
    (
        "httpproxy-407connect",
        Class::Auth,
        "the HTTP proxy's, without a number",
    ),
    ("happyeyeballs-6dead", Class::Ok, "go goes round it"),
    ("noarp-hostunreach", Class::Unreachable, ""),
    ("hang-tls", Class::Timeout, "go's own 10 s"),
    ("blackhole", Class::Timeout, "go's own 30 s"),
    ("blackhole-2addr", Class::Timeout, ""),
    ("blackhole6", Class::Timeout, ""),
    ("backlog-full", Class::Timeout, ""),
    ("hang-headers", Class::Stalled, "goroam ends it"),
    ("hang-accept", Class::Stalled, "goroam ends it"),
    ("hang-zip", Class::Stalled, "goroam ends it"),
    ("sumdb-lookup-502", Class::Server, ""),
    ("sumdb-supported-500", Class::Server, ""),
    (
        "sumdb-supported-404-then-direct-nxdomain",
        Class::Dns,
        "asked directly",
    ),
    (
        "sumdb-captive-html",
        Class::Portal,
        "200, and no record at all",
    ),
    ("sumdb-wrongmod", Class::Mismatch, ""),
    ("sumdb-wrongzip", Class::Mismatch, ""),
];
