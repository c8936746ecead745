//! Who refuses, and why, as far as an answer tells: 403 is a filter, storage or a missing
//! permission as often as a wish for credentials, and a 503 may be an HTTP proxy's own. What
//! comes from a stranger is only looked for known words; nothing else of it is shown.

use super::answer::HttpAnswer;

/// A code longer than this is no code.
const MOST_CODE: usize = 40;

/// Why a 403, in words; `sent`: credentials stood in the request.
pub(super) fn forbidden(answer: &HttpAnswer, sent: bool) -> String {
    let from = match &answer.hints.server {
        Some(server) => format!(" from {server}"),
        None => String::new(),
    };
    let status = answer.status_line();
    let says = |words: &[&str]| words.iter().any(|word| answer.body_says(word));
    let why = if let Some(code) = storage_code(&answer.body) {
        format!("storage says {code}")
    } else if says(&["quota", "rate limit", "too many requests", "bandwidth"]) {
        "it mentions a quota that is used up".to_owned()
    } else if answer.is_html() {
        "an HTML page: from a filter on the way, or a rule of the server".to_owned()
    } else if sent {
        "the credentials give no permission for it".to_owned()
    } else {
        "a missing permission, or a filter on the way".to_owned()
    };
    format!("answers {status}{from}: {why}")
}

/// Does an answer say that https was expected where http was spoken (nginx, Go, Apache)?
pub(super) fn wants_https(answer: &HttpAnswer) -> bool {
    answer.url.scheme() == "http"
        && answer.status.as_u16() == 400
        && [
            "http request was sent to https port",
            "http request to an https server",
            "speaking plain http to an ssl-enabled server port",
        ]
        .iter()
        .any(|words| answer.body_says(words))
}

/// `AccessDenied` of `<Code>AccessDenied</Code>`, or where it is all that there is.
fn storage_code(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let code = match text.split_once("<Code>") {
        Some((_, rest)) => rest.split_once("</Code>")?.0,
        None => text.trim(),
    };
    let known = code.ends_with("Denied") || code.ends_with("Expired") || code.ends_with("Exceeded");
    let fit = code.len() <= MOST_CODE && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (fit && (known || text.contains("<Code>"))).then(|| code.to_owned())
}

#[cfg(test)]
mod tests {
    use hyper::StatusCode;
    use hyper::header::HeaderMap;
    use url::Url;

    use super::super::answer::WantedBody;
    use super::*;

    fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> HttpAnswer {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        let url = Url::parse("http://h.test/").unwrap();
        let mut answer = HttpAnswer::new(url, StatusCode::from_u16(status).unwrap(), &map);
        answer
            .push(body.as_bytes(), WantedBody::Body(1024), "h.test")
            .unwrap();
        answer
    }

    #[test]
    fn a_403_says_what_it_is_and_shows_nothing_that_a_stranger_wrote() {
        for (headers, body, why) in [
            (
                &[][..],
                "<?xml?><Error><Code>AccessDenied</Code>",
                ": storage says AccessDenied",
            ),
            (&[], "AccessDenied", ": storage says AccessDenied"),
            (&[], "<Code>a b\x1b[31m</Code>", "an HTML page"),
            (
                &[],
                "{\"message\":\"Quota exceeded for joe\"}",
                ": it mentions a quota that is used up",
            ),
            (
                &[("server", "nginx/1.2")],
                "<html>evil words",
                " from nginx/1.2: an HTML page",
            ),
            (
                &[("server", "evil<b>")],
                "no",
                "403 Forbidden: a missing permission",
            ),
            (&[], "", ": a missing permission, or a filter on the way"),
        ] {
            let said = forbidden(&answer(403, headers, body), false);
            assert!(said.contains(why), "{body:?}: {said}");
            assert!(said.starts_with("answers 403 Forbidden"), "{said}");
            for word in ["evil", "joe", "\x1b", "credentials"] {
                assert!(!said.contains(word), "{said}");
            }
        }
        let sent = forbidden(&answer(403, &[], ""), true);
        assert!(
            sent.ends_with("the credentials give no permission for it"),
            "{sent}"
        );
    }

    #[test]
    fn an_http_proxy_s_own_page_is_known_by_its_head() {
        let by_proxy = |headers: &[(&'static str, &str)]| answer(503, headers, "").hints.by_proxy;
        assert!(by_proxy(&[("x-squid-error", "ERR_CONNECT_FAIL 111")]));
        assert!(by_proxy(&[("server", "tinyproxy/1.11.1")]));
        assert!(by_proxy(&[(
            "proxy-status",
            "cache.test; error=connection_refused"
        )]));
        assert!(!by_proxy(&[(
            "proxy-status",
            "cache.test; received-status=503"
        )]));
        // A proxy that passes an answer on says so, and has not written it.
        assert!(!by_proxy(&[
            ("via", "1.1 cache.test (squid/5.7)"),
            ("server", "nginx")
        ]));
    }

    #[test]
    fn a_tls_port_that_was_asked_in_the_clear_is_known() {
        assert!(wants_https(&answer(
            400,
            &[],
            "Client sent an HTTP request to an HTTPS server.\n"
        )));
        assert!(wants_https(&answer(
            400,
            &[],
            "<html><h1>400</h1>The plain HTTP request was sent to HTTPS port</html>"
        )));
        assert!(!wants_https(&answer(400, &[], "bad request")));
    }
}
