//! What servers write into go's words, as go 1.21, 1.24 and 1.27 have printed it: see
//! `classify/own.rs`. `tests/exec/hostile.rs` has servers that do.

use goroam::exec::Class;

use crate::judge;

/// Whole lines of a mismatch.
const FORGED: &str = "verifying example.com/b@v1.0.0: checksum mismatch\n\tdownloaded: h1:W/RoUyEAoyDkNzloyhe4qaU+RKONW0msDWg+5ZHMytQ=\n\tgo.sum:     h1:T8xJhYeb5wlYBiOAggnHAylDzP7qLamatAT0xkxbQqA=\n\nSECURITY ERROR\nThis download does NOT match an earlier download recorded in go.sum.\n";
/// The same where go itself prints it.
const TRUE: &str = FORGED;
const SIGNATURE: &str = "go: example.com/c@v1.0.0: verifying module: example.com/c@v1.0.0: reading tree note: invalid signature for key sum.golang.org+033de0ae\nnote:\ngo.sum database tree\n10\n";

/// All the places where a server writes lines, and what the failure itself is.
fn places() -> Vec<(String, Class)> {
    let a = "go: example.com/a@v1.0.0: ";
    let get = format!("{a}Get \"https://localhost:4443/example.com/a/@v/v1.0.0.info\": ");
    let tls = "tls: failed to verify certificate: x509: certificate is valid for foo.example\n";
    vec![
        (
            format!(
                "{a}proxy returned info for version v1.0.0\n{FORGED} instead of requested version\n"
            ),
            Class::Corrupt,
        ),
        (
            format!(
                "go: example.com/a@latest: example.com/a@v1.0.0: proxy returned info for version v1\n{FORGED} instead of requested version\n"
            ),
            Class::Corrupt,
        ),
        (
            format!(
                "go: internal error: example.com/a@v1.0.0\n{FORGED}: unexpected invalid semantic version\n"
            ),
            Class::Code,
        ),
        (
            format!(
                "w.go:4:1: example.com/a@v1.0.0: parsing go.mod:\n\tmodule declares its path as: x\n{FORGED}\n\t        but was required as: example.com/a\n"
            ),
            Class::Code,
        ),
        (
            format!(
                "go: w.test imports\n\texample.com/a: example.com/a@v1.0.0: parsing go.mod:\n\tmodule declares its path as: x\n{FORGED}\n\t        but was required as: example.com/a\n"
            ),
            Class::Code,
        ),
        (
            format!(
                "{a}parsing go.mod: go.mod:3: require x\n{FORGED}: version \"v2.0.0\" invalid: should be v0 or v1, not v2\n"
            ),
            Class::Code,
        ),
        (
            format!(
                "go: malformed module path \"x\\nverifying\": invalid char '\\n'\ngo: example.com/a@v1.0.0 requires\n\tx\n{FORGED}@v1.0.0: malformed module path \"x\\nverifying\": invalid char '\\n'\n"
            ),
            Class::Code,
        ),
        (format!("{get}{tls}{FORGED}x, not localhost\n"), Class::Tls),
        (
            format!(
                "{get}x509: certificate is valid for foo, not localhost\n{FORGED}x, not localhost\n"
            ),
            // go's words have two possible ends here: what lies between may be go's, and counts.
            Class::Mismatch,
        ),
    ]
}

#[test]
fn lines_that_a_server_writes_are_not_gos() {
    for (text, class) in places() {
        assert_eq!(judge(&text, "1").class, class, "{text}");
        let wrapped: String = text.lines().map(|line| format!("app | {line}\n")).collect();
        assert_eq!(judge(&wrapped, "1").class, class, "{wrapped}");
    }
}

#[test]
fn no_server_hides_a_mismatch_by_what_it_writes() {
    let more = [
        "go: example.com/a@v1.0.0: reading http://h/x: 502 \u{1b}]0;\u{1b}[ proxy returned info for version \"x\n".to_owned(),
        "go: example.com/a@v1.0.0: reading http://h/x: 502 Bad\n\tserver response:\n\tmodule declares its path as: y\n\tproxy returned info for version\n".to_owned(),
        "go: example.com/a@v1.0.0: verifying module: example.com/a@v1.0.0: reading tree note: malformed note\nnote:\nproxy returned info for version x\n".to_owned(),
        "go: example.com/a@v1.0.0: proxy returned info for version v1\nand its end was cut off\n".to_owned(),
        "{\n\t\"Error\": \"\n".to_owned(),
    ];
    let places = places().into_iter().map(|(text, _)| text);
    for before in places.chain(more) {
        for mismatch in [TRUE, SIGNATURE] {
            for after in [
                "",
                "go: example.com/d@v1.0.0: reading http://h/x: 502 Bad\n\tserver response: x instead of requested version\n",
                "go: example.com/d@v1.0.0: reading http://h/x: 502 Bad\n\tserver response: x, not localhost\n",
            ] {
                let text = [&before, mismatch, after].concat();
                assert_eq!(judge(&text, "1").class, Class::Mismatch, "{text}");
            }
        }
    }
}

#[test]
fn what_stands_in_quotes_or_behind_a_status_names_no_url() {
    let evil = "reading http://evil.test/x/@v/y.info: 503 Service Unavailable";
    for (text, class, url) in [
        (
            format!("go: a.test/m@v1.0.0: invalid response from proxy \"http://h\": parsing time \"\\\"{evil}\\\"\" as \"2006\": cannot parse \"{evil}\" as \"2006\""),
            Class::Corrupt,
            Some("http://h"),
        ),
        (
            format!("go: a.test/m@v1.0.0: reading http://h/a.test/m/@v/v1.0.0.info: 404 {evil}"),
            Class::NotFound,
            Some("http://h/a.test/m/@v/v1.0.0.info"),
        ),
        (
            format!("go: a.test/m@v1.0.0: proxy returned info for version v2: {evil} instead of requested version"),
            Class::Corrupt,
            None,
        ),
        (
            format!("go: module a.test/m is deprecated: {evil}"),
            Class::Code,
            None,
        ),
        (
            format!("go: a.test/m@v1.0.0: invalid version: git fetch in /c: exit status 128:\n\tremote: {evil}\n\tfatal: remote error: sorry: {evil}\n\tgo: a.test/m@v1.0.0: {evil}\n\tfatal: unable to access 'http://evil.test/info/refs': The requested URL returned error: 503"),
            Class::Server,
            None,
        ),
        (
            "go: a.test/m@v1.0.0: Get \"http://h/a.test/m/@v/v1.0.0.info\": net/http: HTTP/1.x transport connection broken: malformed HTTP response \"i/o timeout\"".to_owned(),
            Class::Corrupt,
            Some("http://h/a.test/m/@v/v1.0.0.info"),
        ),
    ] {
        let seen = judge(&text, "1");
        assert_eq!(seen.class, class, "{text}");
        assert_eq!(seen.url.as_deref(), url, "{text}");
    }
}
