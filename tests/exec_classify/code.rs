//! What is no failure of the network although it sounds like one; and what comes first of many.

use goroam::exec::{Class, CommandOutput, Exit, classify};

use crate::judge;

#[test]
fn words_of_the_network_in_other_mouths_are_code() {
    for text in [
        "curl: (7) Failed to connect to proxy.golang.org port 443: Connection refused\nmake: *** [Makefile:3: all] Error 7\n",
        "curl: (60) SSL certificate problem: unable to get local issuer certificate\n",
        "fatal: unable to access 'https://github.com/x/y/': Could not resolve host: github.com\n",
        "2026/11/22 05:34:24 Get \"https://proxy.golang.org/x/@v/list\": dial tcp: lookup proxy.golang.org: no such host\nexit status 1\n",
        "Get \"https://proxy.golang.org/x/@v/list\": x509: certificate signed by unknown authority\nexit status 1\n",
        "panic: dial tcp 127.0.0.1:5432: connect: connection refused\n\ngoroutine 1 [running]:\nmain.main()\n\t/src/main.go:3 +0x1d\nexit status 2\n",
        "SECURITY ERROR\nexit status 3\n",
        "verifying the download: checksum mismatch\nexit status 3\n",
        "deploy@host1: dial tcp 10.0.0.1:22: connect: connection refused\nexit status 1\n",
        "joe@mail.example.com: read tcp 10.0.0.2:5000->10.0.0.1:25: read: connection reset by peer\n",
        "mail.go:7:3: joe@example.com: dial tcp 10.0.0.1:25: i/o timeout\n",
        "x.go:5:3: check: error: Connection refused by the server\n",
        "main.go:12: zip: not a valid zip file\nexit status 1\n",
        "main.go:12: unknown revision abc\nexit status 1\n",
        "main.go:12: a.test/m@v1.0.0: Get \"http://h/a.test/m/@v/v1.0.0.zip\": EOF\nexit status 1\n",
        "verifying a.test/m@v1.0.0: checksum mismatch\nexit status 3\n",
        "zip: not a valid zip file\nexit status 1\n",
        "go: downloading a.test/m v1.0.0\nzip: not a valid zip file\nexit status 1\n",
        "reading http://127.0.0.1:8080/a.test/m/@v/v1.0.0.info: 503 Service Unavailable\n",
        "module lookup disabled by GOPROXY=off\n",
        "vet: ./x.go:5:2: undefined: x\n",
        "# a.test/w\n./w.go:3:15: undefined: x509\n",
        "# a.test/w\nw.go:5:2: fmt.Printf format %d has arg \"Get \\\"http://h/m/@v/v1.info\\\": EOF\" of wrong type string\n",
        "w.go:7:3: Get \"http://127.0.0.1:9/x\": dial tcp 127.0.0.1:9: connect: connection refused\n",
        "    x_test.go:12: go: a.test/m@v1.0.0: Get \"http://h/a.test/m/@v/v1.0.0.info\": EOF\n--- FAIL: TestX (0.00s)\nFAIL\nFAIL\ta.test/w\t0.1s\n",
        "go: updates to go.mod needed; to update it:\n\tgo mod tidy\n",
        "go: a.test/m@v1.0.0: missing go.sum entry for go.mod file; to add it:\n\tgo mod download a.test/m\n",
        "w.go:4:2: missing go.sum entry for module providing package a.test/m (imported by a.test/w); to add:\n\tgo get a.test/w\n",
        "w.go:4:2: no required module provides package a.test/m; to add it:\n\tgo get a.test/m\n",
        "w.go:4:2: cannot find module providing package a.test/m: import lookup disabled by -mod=vendor\n",
        "go: go.mod requires go >= 1.99 (running go 1.27.3; GOTOOLCHAIN=local)\n",
        "go: inconsistent vendoring in /src:\n\ta.test/m@v1.0.0: is explicitly required in go.mod, but not marked as explicit in vendor/modules.txt\n",
        "go: errors parsing go.mod:\ngo.mod:8: replacement module without version must be directory path (rooted or starting with . or ..)\n",
        "go: a.test/m@v1.0.0: parsing go.mod:\n\tmodule declares its path as: b.test/m\n\t        but was required as: a.test/m\n",
        "go: warning: ignoring symlink /src/x\ngo: warning: \"./...\" matched no packages\n",
        "go: writing go.mod cache: open /go/pkg/mod/cache/download/x.tmp: no space left on device\n",
        "pattern ./...: directory prefix . does not contain main module or its selected dependencies\n",
        "{\"Time\":\"2026-11-22T05:34:24Z\",\"Action\":\"output\",\"Package\":\"w\",\"Output\":\"    x_test.go:8: go: a.test/m@v1.0.0: Get \\\"http://h/a.test/m/@v/v1.0.0.info\\\": EOF\\n\"}\n",
        "app imports\n\tredis: dial tcp 127.0.0.1:6379: connect: connection refused\n",
        "{\n\t\"Error\": \"dial tcp 10.0.0.1:5432: connect: connection refused\"\n}\n",
        "main.go:12: cannot find module providing package a.test/m\nexit status 1\n",
        "Get \"http://h/x\": socks connect tcp 127.0.0.1:1080->h:80: general SOCKS server failure\n",
        "",
        "\n\r\n\u{1b}[0m",
    ] {
        let seen = judge(text, "1");
        assert_eq!(seen.class, Class::Code, "{text}\n{seen:?}");
        assert!(!seen.line.contains(['\n', '\u{1b}']), "{seen:?}");
    }
}

#[test]
fn exit_0_is_ok_whatever_was_printed() {
    let refused = "go: a.test/m@v1.0.0: Get \"http://h/a.test/m/@v/v1.0.0.info\": dial tcp 127.0.0.1:1: connect: connection refused\n";
    assert_eq!(judge(refused, "0").class, Class::Ok);
    assert_eq!(judge(refused, "7").class, Class::Refused);
}

/// The parts of a parallel download fail in several ways at once.
#[test]
fn the_gravest_of_several_failures_counts() {
    let request = |error: &str| {
        format!("w.go:4:2: a.test/m@v1.0.0: Get \"http://h/a.test/m/@v/v1.0.0.zip\": {error}\n")
    };
    let status = |status: &str| {
        format!("w.go:4:2: a.test/n@v1.0.0: reading http://h/a.test/n/@v/v1.0.0.zip: {status}\n")
    };
    let mismatch = "verifying a.test/o@v1.0.0: checksum mismatch\n\tdownloaded: h1:W/RoUyEAoyDkNzloyhe4qaU+RKONW0msDWg+5ZHMytQ=\n\tgo.sum:     h1:T8xJhYeb5wlYBiOAggnHAylDzP7qLamatAT0xkxbQqA=\n\nSECURITY ERROR\nThis download does NOT match an earlier download recorded in go.sum.\n";
    let compile = "# a.test/w\n./w.go:3:15: undefined: x\n";
    for (parts, want) in [
        (
            [&status("503 Service Unavailable"), &request("EOF")],
            Class::Reset,
        ),
        (
            [&status("404 Not Found"), &status("503 Service Unavailable")],
            Class::Busy,
        ),
        (
            [
                &status("403 Forbidden"),
                &request("dial tcp: lookup h: no such host"),
            ],
            Class::Auth,
        ),
        ([&request("EOF"), &compile.to_owned()], Class::Reset),
        (
            [
                &status("511 Network Authentication Required"),
                &mismatch.to_owned(),
            ],
            Class::Mismatch,
        ),
        ([&request("EOF"), &mismatch.to_owned()], Class::Mismatch),
    ] {
        for text in [
            parts.map(String::as_str).concat(),
            [parts[1].as_str(), parts[0].as_str()].concat(),
        ] {
            assert_eq!(judge(&text, "1").class, want, "{text}");
        }
        if want == Class::Mismatch {
            let killed = judge(parts[1], "killed");
            assert_eq!(killed.class, Class::Mismatch);
            let hashes = killed.hashes.expect("two hashes");
            assert_eq!(
                hashes.downloaded,
                "h1:W/RoUyEAoyDkNzloyhe4qaU+RKONW0msDWg+5ZHMytQ="
            );
            assert_eq!(
                hashes.wanted,
                "h1:T8xJhYeb5wlYBiOAggnHAylDzP7qLamatAT0xkxbQqA="
            );
            assert_eq!((hashes.by.as_str(), hashes.of_go_mod), ("go.sum", false));
        }
    }
    assert_eq!(judge(&request("EOF"), "killed").class, Class::Stalled);
}

#[test]
fn no_password_and_no_flood_gets_into_the_line() {
    let long = "x".repeat(100_000);
    let text = format!(
        "go: a.test/m@v1.0.0: Get \"https://joe:s3cret@h/a.test/m/@v/v1.0.0.info\": dial tcp {long}: connect: connection refused\n"
    );
    let seen = judge(&text, "1");
    assert_eq!(seen.class, Class::Refused);
    assert!(!format!("{seen:?}").contains("s3cret"), "{seen:?}");
    assert!(seen.line.chars().count() <= 401, "{}", seen.line.len());
}

/// A build prints what it likes; nothing of it may make the judge fall or take long.
#[test]
fn no_text_makes_the_judge_fall() {
    let pieces = [
        "go: ",
        "verifying ",
        "SECURITY ERROR",
        "\n",
        "\t",
        "a@v1",
        ": ",
        "Get \"",
        "\"",
        "reading http://",
        "x.go:1:2: ",
        "\u{1b}[",
        "\u{1b}]",
        "\r",
        "é\u{0}",
        "{\"Action\":\"build-output\",",
        "@",
        ".go:",
        "note:",
        "#1 2 ",
        "checksum mismatch",
        "\tdownloaded: ",
        "parse \"",
        "[",
        "] ",
        "|",
        "git ",
        " in ",
    ];
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    for _ in 0..3_000 {
        let mut text = String::new();
        for _ in 0..40 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let at = usize::try_from(state % pieces.len() as u64).unwrap();
            text.push_str(pieces[at]);
        }
        for exit in [Exit::Code(1), Exit::Code(0), Exit::Signal(9)] {
            let said = CommandOutput {
                stderr: &text,
                build_output: &text,
                exit,
                proxies: &[text.clone(), "off".to_owned()],
                killed: None,
            };
            let seen = classify(&said);
            assert_eq!(seen.class == Class::Ok, exit == Exit::Code(0));
        }
    }
    let flood = "go: a.test/m@v1.0.0: reading x: \n".repeat(50_000);
    let start = std::time::Instant::now();
    assert_eq!(judge(&flood, "1").class, Class::Code);
    // Each line against each would take hours.
    assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
}
