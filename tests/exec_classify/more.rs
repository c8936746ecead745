//! `tests/data/go-errors-more.tsv`: what go 1.21, 1.24 and 1.27 said under other subcommands and
//! other faults: `-json` forms, test, vet, list, tidy, get, install, run, generate, make and
//! scripts; the checksum database, toolchains, git; settings that cannot work; code that is wrong.

use goroam::job::exec::tiers::elements;
use goroam::job::exec::{Class, Exit, Said, classify, told_in_json};

use Class::{
    Auth, Busy, Client, Code, Config, Corrupt, Dns, Mismatch, NotFound, Portal, Refused, Reset,
    Server, Timeout, Tls, Unreachable,
};

/// What a row must be taken for: by its case, and where one fault shows in several ways, by the
/// words in which it does (the first that fit).
type Case = (&'static str, Class, &'static [(&'static str, Class)]);

#[test]
fn other_commands_and_faults_are_told_rightly() {
    let mut wrong = Vec::new();
    let mut used = vec![false; CASES.len()];
    let mut rows = 0;
    for row in include_str!("../data/go-errors-more.tsv").lines().skip(1) {
        let fields: Vec<String> = row.split('\t').map(unescaped).collect();
        let [case, _version, command, goproxy, exit, stderr, json] = &fields[..] else {
            panic!("{row}");
        };
        let build_output: String = json.lines().filter_map(told_in_json).collect();
        let seen = classify(&Said {
            stderr,
            build_output: &build_output,
            exit: Exit::Code(exit.parse().unwrap()),
            proxies: &elements(goproxy),
            killed: None,
        });
        let at = CASES.iter().position(|(name, ..)| name == case);
        let at = at.unwrap_or_else(|| panic!("{case}"));
        used[at] = true;
        let (_, class, others) = CASES[at];
        let by_words = others
            .iter()
            .find(|(words, _)| stderr.contains(words) || build_output.contains(words));
        let want = by_words.map_or(class, |(_, class)| *class);
        if seen.class != want {
            wrong.push(format!(
                "{case}, {command}: wanted {want}, got {seen:?}\n{stderr}{build_output}"
            ));
        }
        rows += 1;
    }
    assert!(rows > 600, "{rows}");
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    let unused: Vec<&str> = CASES
        .iter()
        .zip(used)
        .filter(|(_, used)| !used)
        .map(|(case, _)| case.0)
        .collect();
    assert!(unused.is_empty(), "no row for {unused:?}");
}

fn unescaped(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, c == '\\') {
            (_, true) => match chars.next() {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some('r') => out.push('\r'),
                Some(other) => out.push(other),
                None => {}
            },
            (c, false) => out.push(c),
        }
    }
    out
}

/// What go finds wrong with the module or the command line, whatever the network did.
const NO_SUCH_PACKAGE: (&str, Class) = ("but does not contain package", Code);
const LOGIN: &[(&str, Class)] = &[
    ("SECURITY ERROR", Mismatch),
    ("zip: not a valid zip file", Corrupt),
    ("parsing go.mod: missing module line", Corrupt),
];

const CASES: &[Case] = &[
    // A proxy's answers.
    ("204", Corrupt, &[]),
    ("401tls", Auth, &[]),
    ("403", Auth, &[]),
    ("404", NotFound, &[]),
    ("429:7", Busy, &[]),
    ("500", Server, &[]),
    ("503:2", Busy, &[]),
    ("511", Portal, &[]),
    ("reset", Reset, &[]),
    ("close", Reset, &[]),
    ("refuse", Refused, &[]),
    ("nxdomain", Dns, &[]),
    ("servfail", Dns, &[]),
    ("unreach", Unreachable, &[]),
    ("selfsigned", Tls, &[]),
    ("expired", Tls, &[]),
    ("wronghost", Tls, &[]),
    // A server that speaks TLS cuts a plain request off.
    ("httpport-https", Reset, &[]),
    ("portal200", Portal, LOGIN),
    ("portalpipe", Portal, LOGIN),
    ("portal-nosum", Portal, LOGIN),
    // The page that it leads to has a name that nobody knows here.
    ("portal302", Dns, &[]),
    ("modhtml", Mismatch, &[]),
    ("modhtml-nosum", Corrupt, &[]),
    ("modjunk", Corrupt, &[]),
    ("ziphtml", Corrupt, &[]),
    ("redirloop", Portal, &[]),
    (
        "emptybody",
        Corrupt,
        &[("h1:G7mAYYxgmS0lVkHyy2hEOLQCFB0DlQFTMLWggykrydY=", Portal)],
    ),
    ("trunczip", Corrupt, &[]),
    ("halfzip", Corrupt, &[]),
    ("halfzip-nosum", Corrupt, &[]),
    ("badzip", Mismatch, &[NO_SUCH_PACKAGE]),
    ("badjson", Corrupt, &[]),
    ("badver", Corrupt, &[]),
    ("garbage", Corrupt, &[]),
    ("gzipbad", Corrupt, &[]),
    ("chunkbad", Corrupt, &[]),
    ("infocut", Corrupt, &[]),
    ("bodyreset", Reset, &[]),
    // Chains.
    ("404off", NotFound, &[]),
    ("mirroroff", NotFound, &[]),
    ("403pipeoff", Auth, &[]),
    ("404direct", Tls, &[]),
    ("off", Config, &[]),
    ("filemissing", NotFound, &[]),
    // An HTTP proxy in between.
    ("hproxyrefuse", Refused, &[]),
    ("hproxyconnect403", Auth, &[]),
    ("hproxyconnect407", Auth, &[]),
    ("hproxyconnect503", Busy, &[]),
    ("socksrefuse", Refused, &[]),
    // Settings.
    ("badproxy", Config, &[]),
    ("cfg-bracket", Config, &[]),
    ("cfg-empty", Config, &[]),
    ("cfg-fileurl", Config, &[]),
    ("cfg-ftp", Config, &[]),
    ("cfg-nohost", Config, &[]),
    ("cfg-port", Config, &[]),
    ("cfg-zz", Config, &[]),
    ("cgi", Config, &[]),
    ("cmdgonetlimit", Config, &[]),
    ("cred", Config, &[]),
    ("credrefuse", Refused, &[]),
    ("fileplain", Config, &[]),
    ("goauth-off", Auth, &[]),
    ("goauth-nope", Auth, &[]),
    ("goauth-netrc;", Config, &[]),
    ("goauth-git", Config, &[]),
    ("goflags", Config, &[]),
    ("goflags2", Config, &[]),
    ("govcs", Config, &[]),
    ("govcs-bad", Config, &[]),
    ("nohome", Config, &[]),
    ("relcache", Config, &[]),
    ("ro-cache", Config, &[]),
    ("sumdbcfg-OFF", Config, &[]),
    ("sumdbcfg-foo", Config, &[]),
    ("sumdbcfg-key", Config, &[]),
    ("sumdbcfg-many", Config, &[]),
    ("sumdbcfg-url", Config, &[]),
    ("sumdbcfg-urlrefuse", Refused, &[]),
    // The checksum database.
    ("sumdb-ok", Code, &[NO_SUCH_PACKAGE]),
    ("sumdb-badzip", Mismatch, &[NO_SUCH_PACKAGE]),
    ("sumdb-wrongmod", Mismatch, &[NO_SUCH_PACKAGE]),
    ("sumdb-trunczip", Corrupt, &[]),
    ("sumdb-portal200", Portal, LOGIN),
    ("sumdb-portal302", Dns, &[]),
    ("sumdb-supported404", Dns, &[]),
    ("sumdb-supported500", Server, &[]),
    ("sumdb-lookup404", NotFound, &[]),
    ("sumdb-lookup502", Server, &[]),
    ("sumdb-lookupclose", Reset, &[]),
    ("sumdb-lookupempty", Portal, &[]),
    ("sumdb-lookuphtml", Portal, &[]),
    ("sumdb-lookupmissing", Mismatch, &[]),
    ("sumdb-notehtml", Portal, &[]),
    ("sumdb-otherkey", Mismatch, &[]),
    ("sumdb-tile404", NotFound, &[]),
    ("sumdb-tilecut", Corrupt, &[]),
    ("sumdb-tilehtml", Corrupt, &[]),
    ("sumdb-tilewrong", Mismatch, &[]),
    // Toolchains: of a 404 and of `off` go says no more than that there is none.
    ("toolchain-403", Auth, &[]),
    ("toolchain-404", NotFound, &[]),
    ("toolchain-503:2", Busy, &[]),
    ("toolchain-named", Busy, &[]),
    ("toolchain-portal200", Corrupt, &[]),
    ("toolchain-refuse", Refused, &[]),
    ("toolchain-reset", Reset, &[]),
    ("toolchain-trunczip", NotFound, &[]),
    ("toolchain-off", NotFound, &[]),
    ("toolchain-sumoff", NotFound, &[]),
    ("toolchain-bad", Config, &[]),
    ("toolchain-local", Code, &[]),
    ("toolchain-path", Code, &[]),
    // A package that is new to go.mod. `go build` and `go list` do not look for it.
    ("newimp-403", Auth, &[]),
    ("newimp-404", NotFound, &[]),
    ("newimp-503:2", Busy, &[]),
    (
        "newimp-badjson",
        Corrupt,
        &[("no required module provides package", Code)],
    ),
    ("newimp-modfile", Code, &[]),
    ("newimp-nxdomain", Dns, &[]),
    ("newimp-off", Config, &[]),
    ("newimp-portal200", Mismatch, &[]),
    ("newimp-refuse", Refused, &[]),
    ("newimp-reset", Reset, &[]),
    // No such version, module or package.
    (
        "none",
        NotFound,
        &[NO_SUCH_PACKAGE, ("ambiguous semantic version", Code)],
    ),
    (
        "none-direct",
        Tls,
        &[NO_SUCH_PACKAGE, ("ambiguous semantic version", Code)],
    ),
    // git. A peer that resets at once may be seen as one that refuses.
    ("direct-nogit", Config, &[]),
    (
        "direct-refuse",
        Reset,
        &[("Couldn't connect to server", Refused)],
    ),
    (
        "direct-reset",
        Reset,
        &[("Couldn't connect to server", Refused)],
    ),
    ("direct-close", Reset, &[]),
    ("direct-401", Auth, &[]),
    ("direct-403", Auth, &[]),
    ("direct-404", NotFound, &[]),
    ("direct-503", Busy, &[]),
    ("direct-portal200", Corrupt, &[]),
    ("direct-selfsigned", Tls, &[]),
    ("direct-expired", Tls, &[]),
    (
        "e-404direct-nodns",
        Dns,
        &[("no secure protocol found", Unreachable)],
    ),
    (
        "e-404direct-refuse",
        Reset,
        &[("Couldn't connect to server", Refused)],
    ),
    (
        "e-404direct-reset",
        Reset,
        &[("Couldn't connect to server", Refused)],
    ),
    ("e-404direct-close", Reset, &[]),
    ("e-404direct-401", Auth, &[]),
    ("e-404direct-403", Auth, &[]),
    ("e-404direct-404", NotFound, &[]),
    ("e-404direct-503", Busy, &[]),
    ("e-404direct-portal200", Corrupt, &[]),
    ("e-404direct-selfsigned", Tls, &[]),
    ("e-404direct-expired", Tls, &[]),
    (
        "e-direct-nodns",
        Dns,
        &[("no secure protocol found", Unreachable)],
    ),
    (
        "e-gonoproxy-nodns",
        Dns,
        &[("no secure protocol found", Unreachable)],
    ),
    (
        "e-direct-refuse",
        Reset,
        &[("Couldn't connect to server", Refused)],
    ),
    (
        "e-direct-reset",
        Reset,
        &[("Couldn't connect to server", Refused)],
    ),
    ("e-direct-close", Reset, &[]),
    ("e-direct-401", Auth, &[]),
    ("e-direct-403", Auth, &[]),
    ("e-direct-404", NotFound, &[]),
    ("e-direct-503", Busy, &[]),
    // A page of any kind, with no word of go's in it.
    (
        "e-direct-portal200",
        Corrupt,
        &[("no go-import meta tags", NotFound)],
    ),
    ("e-direct-selfsigned", Tls, &[]),
    ("e-direct-expired", Tls, &[]),
    ("e-git-nogit", Config, &[]),
    ("e-govcs", Config, &[]),
    ("e-gitproto-refused", Unreachable, &[]),
    ("e-ssh-nodns", Unreachable, &[]),
    ("e-ssh-refused", Unreachable, &[]),
    // make, pipes, generate, -x, -v, two at a time.
    ("wrap-403", Auth, &[]),
    ("wrap-503:2", Busy, &[]),
    ("wrap-reset", Reset, &[]),
    ("wrap-halfzip", Corrupt, &[]),
    ("wrap-badzip", Mismatch, &[]),
    // Compile errors, vet, tests and programs that talk of refused connections.
    ("ok-build", Code, &[]),
    ("nomod", Code, &[]),
    ("usage", Code, &[]),
    ("usage2", Code, &[]),
    ("vendor", Code, &[]),
];

/// No recording has these; the words are those of go's source and of git's.
#[test]
fn what_no_server_here_can_be_made_to_say_is_known_from_the_source() {
    let sumdb = "go: a.test/m@v1.0.0: verifying module: a.test/m@v1.0.0: ";
    let git = "go: a.test/m@v1.0.0: invalid version: git ls-remote -q --end-of-options https://a.test/m in /c/vcs/0: exit status 128:\n\t";
    for (text, want) in [
        // x/mod/sumdb/client.go:checkTrees
        ("SECURITY ERROR\ngo.sum database server misbehavior detected!\n\nold database:\n\tgo.sum database tree\n".to_owned(), Mismatch),
        // modfetch/fetch.go:sumdbAbsent
        ("go: a.test/m@v1.0.0: verifying module: checksum missing from sumdb response\n\nSECURITY ERROR\nThis checksum database appears".to_owned(), Mismatch),
        (format!("{sumdb}cannot authenticate record data in server response"), Mismatch),
        // Its beginning was cut off.
        ("\tgo.sum:     h1:REUcgP6XxJHgZ8lZwNQ3H0gPfdNLP8rPklj6Xi5bVSY=\n\nSECURITY ERROR\nThis download does NOT match an earlier download recorded in go.sum.\n".to_owned(), Mismatch),
        (format!("{git}fatal: unable to access 'https://a.test/m/': Could not resolve host: a.test"), Dns),
        (format!("{git}fatal: unable to access 'https://a.test/m/': Failed to connect to a.test port 443 after 3 ms: Connection refused"), Refused),
        (format!("{git}fatal: unable to access 'https://a.test/m/': Failed to connect to a.test port 443: Network is unreachable"), Unreachable),
        (format!("{git}fatal: unable to access 'https://a.test/m/': Connection timed out after 300000 milliseconds"), Timeout),
        (format!("{git}fatal: unable to access 'https://a.test/m/': The requested URL returned error: 418"), Client),
        (format!("{git}fatal: unable to access 'https://a.test/m/': SSL certificate problem: unable to get local issuer certificate"), Tls),
        (format!("{git}fatal: could not read Username for 'https://a.test': terminal prompts disabled\n\tConfirm the import path was entered correctly."), Auth),
        (format!("{git}git@a.test: Permission denied (publickey).\n\tfatal: Could not read from remote repository."), Auth),
        (format!("{git}ssh: connect to host a.test port 22: Connection timed out\n\tfatal: Could not read from remote repository."), Timeout),
        (format!("{git}ssh: Could not resolve hostname a.test: Name or service not known\n\tfatal: Could not read from remote repository."), Dns),
        (format!("{git}Host key verification failed.\n\tfatal: Could not read from remote repository."), Tls),
        ("go: a.test/m@v9.9.9: invalid version: unknown revision v9.9.9".to_owned(), NotFound),
        ("go: download go1.99.0: golang.org/toolchain@v0.0.1-go1.99.0.linux-amd64: verifying module: checksum database disabled by GOSUMDB=off".to_owned(), Config),
        // net/http, over HTTP/2
        ("go: a.test/m@v1.0.0: Get \"https://h/a.test/m/@v/v1.0.0.info\": http2: server sent GOAWAY and closed the connection; LastStreamID=1, ErrCode=NO_ERROR".to_owned(), Reset),
        // An older go's tail of a cut body, without the module.
        ("go: a.test/m@v1.0.0: unexpected EOF".to_owned(), Corrupt),
        // Two modules, one body: a login page in place of both.
        ("go: a.test/m@v1.0.0: verifying module: checksum mismatch\n\tdownloaded: h1:qmlWdAwZEpJWpgDc2EjgVJTPEkOnCz46XBLGgsFrjWs=\n\tsum.test: h1:REUcgP6XxJHgZ8lZwNQ3H0gPfdNLP8rPklj6Xi5bVSY=\n\nSECURITY ERROR\nThis download does NOT match the one reported by the checksum server.\ngo: b.test/n@v1.0.0: verifying module: checksum mismatch\n\tdownloaded: h1:qmlWdAwZEpJWpgDc2EjgVJTPEkOnCz46XBLGgsFrjWs=\n\tsum.test: h1:T8xJhYeb5wlYBiOAggnHAylDzP7qLamatAT0xkxbQqA=\n".to_owned(), Portal),
    ] {
        let said = Said {
            stderr: &text,
            build_output: "",
            exit: Exit::Code(1),
            proxies: &[],
            killed: None,
        };
        assert_eq!(classify(&said).class, want, "{text}");
    }
}
