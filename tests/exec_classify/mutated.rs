//! The recorded runs on other machines: other hosts, modules, systems, and other wrappers.

use goroam::exec::Class;

use crate::judge;
use crate::recorded::{Recorded, expected, recorded};

/// Each way of changing a run must leave what it is taken for.
fn all_stay(what: &str, change: impl Fn(&str) -> String) {
    let mut wrong = Vec::new();
    let mut changed = 0;
    for run in recorded() {
        let text = change(&run.stderr);
        changed += usize::from(text != run.stderr);
        let seen = judge(&text, &run.exit);
        if seen.class != expected(&run) {
            wrong.push(format!("{run:?}\n  as {text:?}\n  is {seen:?}"));
        }
    }
    assert!(changed > 40, "{what} changes {changed} runs only");
    assert!(
        wrong.is_empty(),
        "{what}: {}\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

fn each_line(text: &str, before: &str, after: &str) -> String {
    text.lines()
        .map(|line| format!("{before}{line}{after}\n"))
        .collect()
}

#[test]
fn other_hosts_and_modules_make_no_difference() {
    for base in [
        "https://goproxy.corp.example:8443/artifactory/api/go/go",
        "http://[fd99::7]:8080",
        "https://joe:xxxxx@goproxy.corp.example",
        "http://timeout.refused.example/portal/404",
    ] {
        all_stay(base, |text| text.replace("http://127.0.0.1:8080", base));
    }
    all_stay("a module with capitals", |text| {
        text.replace("/example.com/m/@v", "/github.com/%21burnt%21sushi/toml/@v")
            .replace("example.com/m", "github.com/BurntSushi/toml")
    });
    for version in [
        "v0.0.0-20230101000000-abcdefabcdef",
        "v2.0.0+incompatible",
        "v3.1.0-RC1",
    ] {
        all_stay(version, |text| text.replace("v1.1.0", version));
    }
    all_stay("a file in a folder", |text| {
        text.replace("w.go:3:8", "internal/a b/w.go:113:8")
    });
}

#[test]
fn wrappers_make_no_difference() {
    all_stay("CRLF", |text| text.replace('\n', "\r\n"));
    all_stay("make", |text| {
        format!(
            "make[1]: Entering directory '/src'\n{text}\nmake[1]: *** [Makefile:2: all] Error 1\n"
        )
    });
    all_stay("downloads", |text| {
        format!(
            "go: downloading golang.org/x/text v0.3.0\ngo: finding module for package x\n{text}"
        )
    });
    all_stay("a script", |text| {
        format!("+ go build ./...\n{text}\n./build.sh: line 3: go: failed\n")
    });
    all_stay("colours", |text| each_line(text, "\u{1b}[31m", "\u{1b}[0m"));
    all_stay("BuildKit", |text| each_line(text, "#12 34.56 ", ""));
    all_stay("a CI log", |text| {
        each_line(text, "2026-11-22T05:34:24.1234567Z ", "")
    });
    all_stay("jobs in brackets", |text| each_line(text, "[build] ", ""));
    all_stay("compose", |text| each_line(text, "builder-1  | ", ""));
    all_stay("a cut front", |text| {
        format!("ing example.com/x v1.0.0\n{text}")
    });
    all_stay("compile errors beside it", |text| {
        format!("{text}\n# example.com/w/other\nother/o.go:3:15: undefined: x\n")
    });
}

/// What other systems say in place of Linux' words (golang.org/x/sys, net/dial and Windows'
/// FormatMessage).
#[test]
fn other_systems_words_mean_the_same() {
    for (linux, other) in [
        (
            "connect: connection refused",
            "connectex: No connection could be made because the target machine actively refused it.",
        ),
        (
            "connect: no route to host",
            "connectex: A socket operation was attempted to an unreachable host.",
        ),
        ("connect: no route to host", "connect: host is down"),
        (
            "connect: no route to host",
            "connect: network is unreachable",
        ),
        ("connect: no route to host", "connect: permission denied"),
        ("connect: no route to host", "connect: invalid argument"),
        (
            ": i/o timeout",
            ": connectex: A connection attempt failed because the connected party did not properly respond after a period of time, or established connection failed because connected host has failed to respond.",
        ),
        (": i/o timeout", ": connect: operation timed out"),
        (
            "on 127.0.0.53:53: server misbehaving",
            "getaddrinfow: No such host is known.",
        ),
        (
            "on 127.0.0.53:53: server misbehaving",
            "on 10.0.0.1:53: read udp 10.0.0.2:4->10.0.0.1:53: i/o timeout",
        ),
        ("on 127.0.0.53:53: server misbehaving", ": no such host"),
        (
            "no such file or directory",
            "The system cannot find the path specified.",
        ),
        ("permission denied", "Access is denied."),
        (
            "info\": EOF",
            "info\": read tcp 10.0.0.1:4->10.0.0.2:443: wsarecv: An existing connection was forcibly closed by the remote host.",
        ),
        (
            "info\": EOF",
            "info\": write tcp 10.0.0.1:4->10.0.0.2:443: write: broken pipe",
        ),
        ("info\": EOF", "info\": http2: client connection lost"),
        (
            "info\": EOF",
            "info\": stream error: stream ID 1; INTERNAL_ERROR; received from peer",
        ),
        (
            "x509: cannot validate certificate for 127.0.0.1 because it doesn't contain any IP SANs",
            "x509: “proxy.example” certificate is not trusted",
        ),
        (
            "x509: cannot validate certificate for 127.0.0.1 because it doesn't contain any IP SANs",
            "x509: certificate signed by unknown authority",
        ),
        (
            "remote error: tls: protocol version not supported",
            "remote error: tls: certificate required",
        ),
        (
            "remote error: tls: protocol version not supported",
            "tls: first record does not look like a TLS handshake",
        ),
    ] {
        let mut tried = 0;
        for run in recorded().iter().filter(|run| run.stderr.contains(linux)) {
            let text = run.stderr.replace(linux, other);
            let seen = judge(&text, &run.exit);
            assert_eq!(seen.class, expected(run), "{text}");
            tried += 1;
        }
        assert!(tried > 0, "{linux}");
    }
}

#[test]
fn what_a_test_logs_is_code_whatever_it_quotes() {
    for run in recorded().iter().filter(|run| run.exit == "1") {
        for before in ["    x_test.go:12: ", "\t", "        "] {
            let quoted = each_line(&run.stderr, before, "");
            let text =
                format!("--- FAIL: TestX (0.00s)\n{quoted}FAIL\nFAIL\texample.com/w\t0.004s\n");
            let seen = judge(&text, "1");
            assert_eq!(seen.class, Class::Code, "{text}\n{seen:?}");
        }
    }
}

/// A row's line must name the row's own module, so that a person and the second look find it.
#[test]
fn the_telling_line_names_the_module_and_the_url() {
    let told = |run: &Recorded| judge(&run.stderr, &run.exit);
    let named = recorded();
    let named = named
        .iter()
        .filter(|run| run.exit == "1" && !run.stderr.contains("zip: not a valid"))
        .filter(|run| !run.stderr.contains("updates to go.mod"));
    for run in named {
        let seen = told(run);
        assert_eq!(
            seen.module.as_deref(),
            Some("example.com/m"),
            "{run:?} {seen:?}"
        );
        assert!(seen.version.is_some(), "{run:?}");
        assert!(run.stderr.contains(&seen.line), "{seen:?}");
        let silent = [
            "checksum mismatch",
            "proxy returned info",
            "malformed record data",
        ];
        let silent = silent.iter().any(|words| run.stderr.contains(words));
        assert_eq!(seen.url.is_some(), !silent, "{run:?} {seen:?}");
        assert_eq!(
            seen.hashes.is_some(),
            run.stderr.contains("checksum mismatch"),
            "{run:?}"
        );
    }
}
