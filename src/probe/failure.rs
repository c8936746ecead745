//! The result of a probe before it becomes an [`Observation`](crate::model::Observation):
//! a finding, or a failure in a user's words.

use std::time::Duration;

use url::Url;

use crate::model::{Phase, Proof, Verdict};

/// Longest piece of a stranger's text in a reason, in characters.
const MAX_QUOTED: usize = 120;
/// Longest login URL that is kept, in characters.
const MAX_PORTAL_URL: usize = 500;

/// An `up`.
#[derive(Debug)]
pub(super) struct ProbeSuccess {
    pub(super) reason: String,
    pub(super) proof: Proof,
}

/// Anything else.
#[derive(Debug)]
pub(super) struct ProbeFailure {
    pub(super) verdict: Verdict,
    pub(super) phase: Phase,
    pub(super) reason: String,
    pub(super) definite: bool,
    /// A connection that was open, and over which no answer came in time.
    pub(super) silent: bool,
    pub(super) portal_url: Option<String>,
}

pub(super) type ProbeOutcome = Result<ProbeSuccess, ProbeFailure>;

impl ProbeFailure {
    /// No answer, or a refusal; another try may do better.
    pub(super) fn down(phase: Phase, reason: impl Into<String>) -> ProbeFailure {
        ProbeFailure {
            verdict: Verdict::Down,
            phase,
            reason: reason.into(),
            definite: false,
            silent: false,
            portal_url: None,
        }
    }

    /// A refusal that another try would only hear again.
    pub(super) fn refusal(phase: Phase, reason: impl Into<String>) -> ProbeFailure {
        ProbeFailure {
            definite: true,
            ..ProbeFailure::down(phase, reason)
        }
    }

    /// It answers, but with what is not right.
    pub(super) fn wrong(phase: Phase, reason: impl Into<String>) -> ProbeFailure {
        ProbeFailure {
            verdict: Verdict::Wrong,
            ..ProbeFailure::refusal(phase, reason)
        }
    }

    /// Something answers in its place.
    pub(super) fn portal(phase: Phase, reason: impl Into<String>) -> ProbeFailure {
        ProbeFailure {
            verdict: Verdict::Portal,
            ..ProbeFailure::refusal(phase, reason)
        }
    }

    /// With the login page, if `url` can be one.
    pub(super) fn at(mut self, url: Option<&Url>) -> ProbeFailure {
        self.portal_url = url.and_then(portal_url);
        self
    }
}

/// A stranger's text, made fit for one line: bounded, without control characters.
pub(super) fn quoted(text: &str) -> String {
    let mut out: String = text
        .chars()
        .filter(|c| !c.is_control() && !is_direction_mark(*c))
        .take(MAX_QUOTED)
        .collect();
    if text.chars().count() > MAX_QUOTED {
        out.push('…');
    }
    out
}

/// A URL for a reason: without credentials, query and fragment, which may be secrets.
pub(super) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    strip_userinfo(&mut url);
    quoted(url.as_str())
}

/// `host`, or `host:port` where the port is not the scheme's own.
pub(super) fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// Takes `user:password@` out.
pub(super) fn strip_userinfo(url: &mut Url) {
    // Both fail only for URLs that cannot hold any.
    let _ = url.set_username("");
    let _ = url.set_password(None);
}

/// `3 s`, `1.5 s`, `200 ms`.
pub(super) fn in_words(time: Duration) -> String {
    match time.as_millis() {
        ms if ms < 1000 => format!("{ms} ms"),
        ms if ms.is_multiple_of(1000) => format!("{} s", ms / 1000),
        ms => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
    }
}

fn portal_url(url: &Url) -> Option<String> {
    let mut url = url.clone();
    strip_userinfo(&mut url);
    // A parsed URL holds no control characters: they are removed or escaped.
    let text = url.as_str();
    let fit = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && text.len() <= MAX_PORTAL_URL
        && !text.contains(char::is_control);
    fit.then(|| text.to_owned())
}

/// Marks that turn the direction of a terminal's text, to make it read as what it is not.
fn is_direction_mark(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strangers_text_cannot_break_the_line_or_fill_the_screen() {
        assert_eq!(quoted("a\x1b[31m\nb\u{202e}c"), "a[31mbc");
        assert_eq!(quoted(&"x".repeat(10_000)).chars().count(), MAX_QUOTED + 1);
    }

    #[test]
    fn urls_are_shown_without_what_may_be_secret() {
        let url = Url::parse("https://joe:secret@h.test:8443/p?token=1#f").unwrap();
        assert_eq!(shown(&url), "https://h.test:8443/p");
        assert_eq!(authority(&url), "h.test:8443");
    }

    #[test]
    fn only_a_short_web_address_is_a_login_page() {
        let page = |text: &str| portal_url(&Url::parse(text).unwrap());
        assert_eq!(
            page("http://u:p@login.test/x?mac=1").as_deref(),
            Some("http://login.test/x?mac=1")
        );
        assert_eq!(page("javascript:alert(1)"), None);
        assert_eq!(page("file:///etc/passwd"), None);
        assert_eq!(page(&format!("http://h.test/{}", "x".repeat(600))), None);
    }

    #[test]
    fn times_read_as_a_person_would_say_them() {
        for (ms, words) in [(200, "200 ms"), (3000, "3 s"), (1500, "1.5 s"), (0, "0 ms")] {
            assert_eq!(in_words(Duration::from_millis(ms)), words);
        }
    }
}
