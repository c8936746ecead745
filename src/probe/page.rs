//! Probes an http or https URL: the status, optionally a text, and that there is no login page
//! instead.

use url::Url;

use super::answer::{HttpAnswer, WantedBody, redirect_portal, same_site};
use super::fault::{ProbeFailure, ProbeOutcome, down, portal, quoted, refusal, wrong};
use super::goproxy::base_url;
use super::session::ProbeSession;
use crate::model::Phase;

/// How much of a page is searched for a text.
const MAX_PAGE: usize = 1024 * 1024;

/// Words that appear in the host or path of a login page.
const LOGIN: [&str; 6] = ["login", "portal", "captive", "hotspot", "signin", "sign-in"];

/// Sends one request; a redirect is an answer.
pub(super) async fn probe(
    session: &mut ProbeSession<'_>,
    url: &str,
    status: &[u16],
    body: Option<&str>,
) -> ProbeOutcome {
    let url = base_url(url)?;
    let want = if body.is_some() {
        WantedBody::Body(MAX_PAGE)
    } else {
        WantedBody::Head
    };
    let answer = session.page(&url, want).await?;
    let code = answer.status.as_u16();
    let named = status.contains(&code);
    // A target that lists 302 in `status` accepts redirects.
    if !named
        && let Some(next) = answer.redirect()
        && leads_away(&url, &next)
    {
        return Err(redirect_portal(code, &next));
    }
    let by_default = status.is_empty() && (200..400).contains(&code);
    if !named && !by_default {
        return Err(unwanted(&answer, status));
    }
    if let Some(text) = body
        && !holds(&answer.body, text)
    {
        // Over TLS it is the server's own page that has changed.
        return Err(if answer.is_html() && url.scheme() == "http" {
            portal(
                Phase::Content,
                format!("{code}, but this is not the page that was asked for"),
            )
        } else {
            let reason = format!("{code}, but without the text {:?}", quoted(text));
            wrong(Phase::Content, reason)
        });
    }
    Ok((answer.status_line(), session.proof(&url)))
}

/// Reports whether a redirect leads to a login page, or to another site over plain http, which any
/// network could have changed.
fn leads_away(from: &Url, to: &Url) -> bool {
    if same_site(from, to) {
        return false;
    }
    let place = format!("{}{}", to.host_str().unwrap_or_default(), to.path()).to_ascii_lowercase();
    from.scheme() == "http" || to.scheme() != "https" || LOGIN.iter().any(|w| place.contains(w))
}

fn unwanted(answer: &HttpAnswer, status: &[u16]) -> ProbeFailure {
    let wanted = match status {
        [] => String::new(),
        list => {
            let list: Vec<String> = list.iter().map(u16::to_string).collect();
            format!(", not {}", list.join(" or "))
        }
    };
    let reason = format!("answers {}{wanted}", answer.status_line());
    if matches!(answer.status.as_u16(), 408 | 429 | 500..) {
        down(Phase::Content, reason)
    } else {
        refusal(Phase::Content, reason)
    }
}

fn holds(body: &[u8], text: &str) -> bool {
    text.is_empty() || body.windows(text.len()).any(|part| part == text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_within_the_site_is_fine_and_one_to_a_login_page_is_not() {
        let away =
            |from: &str, to: &str| leads_away(&Url::parse(from).unwrap(), &Url::parse(to).unwrap());
        assert!(!away("http://example.test/", "https://example.test/"));
        assert!(!away(
            "https://example.test/",
            "https://www.example.test/login"
        ));
        assert!(!away("https://example.test/", "https://cdn.other.test/x"));
        assert!(away("http://example.test/", "http://10.0.0.1/"));
        assert!(away("http://example.test/", "https://wifi.hotel.example/"));
        assert!(away("https://example.test/", "http://wifi.hotel.example/"));
        assert!(away(
            "https://example.test/",
            "https://login.hotel.example/"
        ));
    }
}
