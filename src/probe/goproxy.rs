//! Probes a Go proxy: its `.info` must name the version, its `.mod` must have the right hash.

use url::Url;

use super::answer::{HttpAnswer, WantedBody};
use super::dial::{is_dialled, no_such_name};
use super::fault::{ProbeFailure, ProbeOutcome, down, quoted, refusal, wrong};
use super::session::ProbeSession;
use crate::gomod::{ModuleVersion, form, go_mod, sum};
use crate::model::{GoRelease, GoUrl, Phase};

/// More than any `.info` or go.mod needs. (go reads them without a limit.)
const MAX_TEXT: usize = 4 * 1024 * 1024;
/// How much of a zip is read: enough to recognise one, or to find the reason of a refusal.
const ZIP_START: usize = 1024;

/// The module that a proxy is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct AskedModule<'a> {
    pub(super) module: &'a str,
    pub(super) version: &'a str,
    pub(super) sum: Option<&'a str>,
    /// Ask for the zip, too: it often comes from another server than the small files.
    pub(super) zip: bool,
}

/// Sends two requests on one connection, and a third one for the zip, of which only the start is
/// read.
pub(super) async fn probe(
    session: &mut ProbeSession<'_>,
    url: &str,
    asked: AskedModule<'_>,
) -> ProbeOutcome {
    let base = base_url(url)?;
    let malformed = |error: sum::EscapeError| refusal(Phase::Content, error.to_string());
    let module = sum::escape_path(asked.module).map_err(malformed)?;
    let version = sum::escape_version(asked.version).map_err(malformed)?;
    let name = format!("{}@{}", asked.module, asked.version);

    let info_url = below(&base, &format!("{module}/@v/{version}.info"));
    let info = session
        .follow(&info_url, WantedBody::Body(MAX_TEXT), true)
        .await?;
    expect_ok(session, &info, &name)?;
    check_info(&info.body, asked).map_err(|wrong| info.explain(wrong, "version info"))?;

    let mod_url = below(&base, &format!("{module}/@v/{version}.mod"));
    let go_mod = session
        .follow(&mod_url, WantedBody::Body(MAX_TEXT), true)
        .await?;
    expect_ok(session, &go_mod, &name)?;
    let proven = check_mod(&go_mod.body, asked).map_err(|wrong| go_mod.explain(wrong, "go.mod"))?;
    if asked.zip {
        let zip_url = below(&base, &format!("{module}/@v/{version}.zip"));
        check_zip(session, &zip_url, &name).await?;
    }
    Ok((format!("{name}, {proven}"), session.proof(&base)))
}

/// go sends no Range, so this does not either: the connection is dropped after the first bytes.
async fn check_zip(
    session: &mut ProbeSession<'_>,
    url: &Url,
    name: &str,
) -> Result<(), ProbeFailure> {
    let want = WantedBody::Body(ZIP_START);
    let zip = session.follow(url, want, false).await;
    judge_zip(session, zip.map_err(of_zip(name))?, name)
}

/// Says that a failure is of the zip of this module.
pub(super) fn of_zip(name: &str) -> impl Fn(ProbeFailure) -> ProbeFailure + Copy {
    move |failure| ProbeFailure {
        reason: format!("zip of {name}: {}", failure.reason),
        ..failure
    }
}

/// Requires an answer that begins as a zip does.
pub(super) fn judge_zip(
    session: &ProbeSession<'_>,
    zip: HttpAnswer,
    name: &str,
) -> Result<(), ProbeFailure> {
    let of_the_zip = of_zip(name);
    if matches!(zip.status.as_u16(), 404 | 410) {
        return expect_ok(session, &zip, &format!("zip of {name}"));
    }
    expect_ok(session, &zip, name).map_err(of_the_zip)?;
    if begins_as_zip(&zip.body) {
        return Ok(());
    }
    let wrong = |reason| wrong(Phase::Content, reason);
    if zip.body.is_empty() {
        return Err(of_the_zip(wrong("200, but nothing in it")));
    }
    // Over TLS this is the server that has just answered correctly: its page is not a network's
    // login page.
    if zip.is_html() && zip.url.scheme() == "https" && zip.led_to.is_none() {
        return Err(of_the_zip(wrong("200, but HTML where a zip was asked")));
    }
    // That the zip is longer than what was read does not matter.
    let zip = zip.whole();
    let other = wrong("200, but the answer is not a zip");
    Err(of_the_zip(zip.explain(other, "a zip")))
}

/// A zip begins with its first file's header (an empty zip with its directory's end).
pub(super) fn begins_as_zip(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06")
}

/// Parses the base URL of a proxy, as a target has it, if go reads it in the same way.
pub(super) fn base_url(text: &str) -> Result<Url, ProbeFailure> {
    // The text may contain a password, so it is not shown.
    let refusal = |reason: String| refusal(Phase::Connect, reason);
    let read = GoUrl::parse(text, GoRelease::default());
    let read = read.map_err(|error| refusal(format!("go cannot read its URL: {error}")))?;
    let url = Url::parse(text).ok().filter(Url::has_host);
    let url = url.filter(|url| url.scheme() == read.scheme && !read.hostname().is_empty());
    let url = url.filter(|url| matches!(url.scheme(), "http" | "https"));
    let url = url.ok_or_else(|| refusal("its URL is not http or https".to_owned()))?;
    // The crate accepts `127.1` as 127.0.0.1; go's resolver does not.
    let host = String::from_utf8_lossy(read.hostname());
    if is_dialled(&host) {
        Ok(url)
    } else {
        Err(no_such_name(&host))
    }
}

/// Returns `base/path`, escaped as `modfetch/proxy.go:pathEscape` does (`!` becomes `%21`).
pub(super) fn below(base: &Url, path: &str) -> Url {
    let mut escaped = String::new();
    for byte in path.bytes() {
        match byte {
            b'-' | b'_' | b'.' | b'~' | b'$' | b'&' | b'+' | b'=' | b':' | b'@' | b'/' => {
                escaped.push(char::from(byte));
            }
            _ if byte.is_ascii_alphanumeric() => escaped.push(char::from(byte)),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    below_escaped(base, &escaped)
}

/// The same for a path that is escaped. A query of the base stays behind the path, and no element of
/// the path is empty, as in go (`modfetch/proxy.go:getBody`, path.Join).
pub(super) fn below_escaped(base: &Url, escaped: &str) -> Url {
    let mut url = base.clone();
    let own = base.path().split('/').filter(|part| !part.is_empty());
    let parts: Vec<&str> = own.chain([escaped]).collect();
    url.set_path(&parts.join("/"));
    url.set_fragment(None);
    url
}

/// Requires a 200. `name` is what was requested.
pub(super) fn expect_ok(
    session: &ProbeSession<'_>,
    answer: &HttpAnswer,
    name: &str,
) -> Result<(), ProbeFailure> {
    let refused = |reason: String| Err(refusal(Phase::Content, reason));
    match answer.status.as_u16() {
        200 => Ok(()),
        404 | 410 => refused(format!("has no {name} ({})", answer.status_line())),
        400 if answer.wants_https() => {
            let at = super::fault::authority(&answer.url);
            refused(format!("{at} speaks TLS, and was asked over plain http"))
        }
        403 if !answer.wants_credentials() => refused(answer.forbidden(session.sent_credentials())),
        401 | 403 => {
            let advice = session.credentials_advice(&answer.url);
            refused(format!("{advice} ({})", answer.status_line()))
        }
        407 => refused("an HTTP proxy on the way wants credentials (407)".to_owned()),
        408 | 429 | 500.. => {
            let through = match &answer.through {
                Some(via) => format!(" through {via}"),
                None => String::new(),
            };
            let reason = format!("answers {}{through}", answer.status_line());
            Err(down(Phase::Content, reason))
        }
        _ => refused(format!("answers {}", answer.status_line())),
    }
}

fn check_info(body: &[u8], asked: AskedModule<'_>) -> Result<(), ProbeFailure> {
    let module = ModuleVersion::new(asked.module, asked.version);
    form::info(body, &module)
        .map_err(|fault| wrong(Phase::Content, format!("200, but its version info {fault}")))
}

fn check_mod(body: &[u8], asked: AskedModule<'_>) -> Result<&'static str, ProbeFailure> {
    let Some(sum) = asked.sum else {
        return match go_mod::dependency(body) {
            Ok(path) if path == asked.module => Ok("go.mod names it"),
            Ok(path) => Err(wrong(
                Phase::Content,
                format!(
                    "its go.mod is of {}, not of {}",
                    quoted(&path),
                    asked.module
                ),
            )),
            Err(_) => Err(wrong(Phase::Content, "200, but the answer is not a go.mod")),
        };
    };
    let hash = sum::hash_go_mod(body);
    if hash == sum {
        return Ok("hash right");
    }
    Err(wrong(
        Phase::Content,
        format!("its go.mod has the hash {hash}, not {}", quoted(sum)),
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::target::DEFAULT_SUM;

    const ASKED: AskedModule<'static> = AskedModule {
        module: "golang.org/x/text",
        version: "v0.3.0",
        sum: None,
        zip: false,
    };

    #[test]
    fn the_module_line_is_found_wherever_go_finds_it() {
        for (text, path) in [
            ("// c\n\nmodule a.b/c // why\n\ngo 1.20\n", Some("a.b/c")),
            ("module \"a.b/c\"\n", Some("a.b/c")),
            ("module (\n\ta.b/c\n)\n", Some("a.b/c")),
            ("modules a.b/c\n", None),
            ("go 1.20\n", None),
            ("module a b\n", None),
            ("", None),
        ] {
            let reason = check_mod(text.as_bytes(), ASKED).unwrap_err().reason;
            let of_another = path.map(|path| format!("its go.mod is of {path}, not of "));
            assert_eq!(
                of_another.is_some_and(|start| reason.starts_with(&start)),
                path.is_some(),
                "{text:?}: {reason}"
            );
        }
    }

    #[test]
    fn a_go_mod_is_judged_by_its_hash_or_its_name() {
        let with_sum = AskedModule {
            sum: Some(DEFAULT_SUM),
            ..ASKED
        };
        let right = b"module golang.org/x/text\n";
        assert_eq!(check_mod(right, with_sum).unwrap(), "hash right");
        assert_eq!(check_mod(right, ASKED).unwrap(), "go.mod names it");
        let crlf = b"module golang.org/x/text\r\n";
        assert!(check_mod(crlf, with_sum).is_err());
        assert!(
            check_mod(b"module a.b/c\n", ASKED)
                .unwrap_err()
                .reason
                .contains("a.b/c")
        );
        assert!(check_mod(b"\xff", ASKED).is_err());
    }

    #[test]
    fn info_must_be_json_of_the_version_that_was_asked() {
        assert!(check_info(br#"{"version":"v0.3.0","Time":null}"#, ASKED).is_ok());
        let time = check_info(br#"{"Version":"v0.3.0","Time":"x"}"#, ASKED).unwrap_err();
        assert_eq!(
            time.reason,
            "200, but its version info has a field Time that is not a time as in RFC 3339"
        );
        let other = check_info(br#"{"Version":"v9.9.9\u001b[31m"}"#, ASKED).unwrap_err();
        assert_eq!(
            other.reason,
            "200, but its version info names another version, \"v9.9.9\\u{1b}[31m\""
        );
        for junk in [&b""[..], b"{", b"[]", b"null", b"{\"Version\":1}", b"\xff"] {
            assert!(check_info(junk, ASKED).is_err());
        }
    }

    #[test]
    fn urls_are_put_together_as_go_does() {
        let base = base_url("https://h.test/a%2Fb/?x=1").unwrap();
        assert_eq!(
            below(
                &base,
                "github.com/!burnt!sushi/toml/@v/v1.0.0+incompatible.info"
            )
            .as_str(),
            "https://h.test/a%2Fb/github.com/%21burnt%21sushi/toml/@v/v1.0.0+incompatible.info?x=1"
        );
        let base = base_url("https://h.test//a//b//").unwrap();
        assert_eq!(
            below(&base, "m/@v/list").as_str(),
            "https://h.test/a/b/m/@v/list"
        );
        assert!(base_url("file:///x").is_err());
        assert!(base_url("https://").is_err());
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(body in proptest::collection::vec(any::<u8>(), 0..200), text in "(module|[(]|[)]|//|\n| |\"|x){0,20}") {
            let _ = (check_info(&body, ASKED), check_mod(&body, ASKED), check_mod(text.as_bytes(), ASKED));
        }
    }
}
