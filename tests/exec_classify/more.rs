//! `tests/data/go-errors-more.tsv`: what other go commands said under other subcommands and other
//! faults: `-json` forms, test, vet, list, tidy, get, install, run, generate, make and scripts; the
//! checksum database, toolchains, git; settings that cannot work; code that is wrong. Recorded by
//! `tests/lab/record-errors`, where each case has the class that it must be taken for.

use goroam::exec::tiers::elements;
use goroam::exec::{Class, CommandOutput, Exit, JsonWords, classify};

use Class::{
    Auth, Client, Config, Corrupt, Dns, Mismatch, NotFound, Portal, Refused, Reset, Timeout, Tls,
    Unreachable,
};

#[test]
fn other_commands_and_faults_are_told_rightly() {
    let mut wrong = Vec::new();
    let mut cases = std::collections::BTreeSet::new();
    let rows = include_str!("../data/go-errors-more.tsv").lines();
    for row in rows.filter(|row| !row.starts_with('#') && !row.starts_with("case\t")) {
        let fields: Vec<String> = row.split('\t').map(unescaped).collect();
        let [case, want, _version, command, goproxy, exit, stderr, json] = &fields[..] else {
            panic!("{row}");
        };
        let mut words = JsonWords::default();
        let build_output: String = json.lines().filter_map(|line| words.next(line)).collect();
        let exit = match exit.parse::<i32>().unwrap() {
            signal if signal < 0 => Exit::Signal(-signal),
            code => Exit::Code(code),
        };
        let seen = classify(&CommandOutput {
            stderr,
            build_output: &build_output,
            exit,
            proxies: &elements(goproxy),
            killed: None,
        });
        if seen.class.to_string() != *want {
            wrong.push(format!(
                "{case}, {command}: wanted {want}, got {seen:?}\n{stderr}{build_output}"
            ));
        }
        cases.insert(case.clone());
    }
    // As many as the recorder has.
    assert!(cases.len() > 400, "{}", cases.len());
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
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
        // An HTTP proxy that hangs up on CONNECT, and one that leads elsewhere.
        ("go: a.test/m@v1.0.0: Get \"https://h/a.test/m/@v/v1.0.0.info\": unexpected EOF".to_owned(), Reset),
        ("go: a.test/m@v1.0.0: Get \"https://h/a.test/m/@v/v1.0.0.info\": Temporary Redirect".to_owned(), Portal),
        // git that is led away by a login page
        (format!("{git}fatal: unable to update url base from redirection:\n\t  asked for: https://a.test/m/info/refs"), Portal),
        // net/http, over HTTP/2
        ("go: a.test/m@v1.0.0: Get \"https://h/a.test/m/@v/v1.0.0.info\": http2: server sent GOAWAY and closed the connection; LastStreamID=1, ErrCode=NO_ERROR".to_owned(), Reset),
        // An older go's tail of a cut body, without the module.
        ("go: a.test/m@v1.0.0: unexpected EOF".to_owned(), Corrupt),
        // Two modules, one body: still a mismatch, for the server chooses the body.
        ("go: a.test/m@v1.0.0: verifying module: checksum mismatch\n\tdownloaded: h1:qmlWdAwZEpJWpgDc2EjgVJTPEkOnCz46XBLGgsFrjWs=\n\tsum.test: h1:REUcgP6XxJHgZ8lZwNQ3H0gPfdNLP8rPklj6Xi5bVSY=\n\nSECURITY ERROR\nThis download does NOT match the one reported by the checksum server.\ngo: b.test/n@v1.0.0: verifying module: checksum mismatch\n\tdownloaded: h1:qmlWdAwZEpJWpgDc2EjgVJTPEkOnCz46XBLGgsFrjWs=\n\tsum.test: h1:T8xJhYeb5wlYBiOAggnHAylDzP7qLamatAT0xkxbQqA=\n".to_owned(), Mismatch),
    ] {
        let said = CommandOutput {
            stderr: &text,
            build_output: "",
            exit: Exit::Code(1),
            proxies: &[],
            killed: None,
        };
        assert_eq!(classify(&said).class, want, "{text}");
    }
}
