//! The requests of one try: over one connection if possible, with the credentials that go would
//! send, following the redirects that go would follow.

use std::sync::Arc;

use percent_encoding::percent_decode_str;
use rustls::ClientConfig;
use tokio::time::Instant;
use url::Url;

use super::answer::{HttpAnswer, LocationKind, WantedBody, redirect_portal};
use super::attempt::{Download, ProbeAttempt, within};
use super::connection::{Connection, RequestParts};
use super::credentials::Credentials;
use super::fault::{ProbeFailure, authority, refusal, shown, strip_userinfo};
use super::goauth::Headers;
use super::http1::UserAgent;
use super::proxied;
use super::tls::Tls;
use super::tunnel::{ProxyRules, Via};
use crate::environment::Environment;
use crate::model::host::is_same_server;
use crate::model::{Cause, GoRelease, Host, Phase, Proof, Target};

/// `net/http` stops before the eleventh request.
const MAX_REQUESTS: usize = 10;

/// What all probes of one round share.
#[derive(Debug)]
pub(super) struct RoundShared {
    pub(super) env: Environment,
    pub(super) rules: ProxyRules,
    pub(super) credentials: Credentials,
    pub(super) tls: Tls,
    /// The release of the go in use.
    pub(super) release: GoRelease,
}

/// The requests of one try.
pub(super) struct ProbeSession<'a> {
    shared: &'a RoundShared,
    target: &'a Target,
    attempt: &'a mut ProbeAttempt,
    line: Option<Connection>,
    sent_credentials: bool,
    agent: UserAgent,
    /// The entity tag of what the caller has.
    has: Option<&'a str>,
}

impl<'a> ProbeSession<'a> {
    pub(super) fn new(
        shared: &'a RoundShared,
        target: &'a Target,
        attempt: &'a mut ProbeAttempt,
    ) -> Self {
        ProbeSession {
            shared,
            target,
            attempt,
            line: None,
            sent_credentials: false,
            agent: UserAgent::of(shared.release),
            has: None,
        }
    }

    /// Takes over a connection that an earlier session has left open.
    pub(super) fn take(&mut self, line: Option<Connection>) {
        self.line = line;
    }

    /// The next answer need not have a body that has this entity tag.
    pub(super) fn unless(&mut self, etag: Option<&'a str>) -> &mut Self {
        self.has = etag;
        self
    }

    /// Returns the connection, for a later session.
    pub(super) fn give(self) -> Option<Connection> {
        self.line
    }

    /// Stores the body of the next 200 there, instead of reading its beginning.
    pub(super) fn download(&mut self, download: Download) {
        self.attempt.download = Some(download);
    }

    /// Requests `url` and follows redirects as go does: not from https to http, and with
    /// credentials only if go sends them. `bent`: a redirect that leads nowhere may come from a
    /// network that redirects to a login page. That is not so if this server has just sent what
    /// only a module proxy has.
    pub(super) async fn follow(
        &mut self,
        url: &Url,
        want: WantedBody,
        bent: bool,
    ) -> Result<HttpAnswer, ProbeFailure> {
        let answer = self.walk(url, want, bent).await?;
        // A filter may let another User-Agent through. (go asks again after every 4xx over https; a
        // missing file stays missing.)
        let by_name = self.agent == UserAgent::Command
            && answer.url.scheme() == "https"
            && matches!(
                answer.status.as_u16(),
                400 | 401 | 403 | 405 | 406 | 418 | 451
            );
        if !self.has_better_credentials(url, &answer).await? && !by_name {
            return Ok(answer);
        }
        // go 1.27 then sends net/http's User-Agent.
        let agent = std::mem::replace(&mut self.agent, UserAgent::Library);
        let answer = self.walk(url, want, bent).await;
        self.agent = agent;
        answer
    }

    /// `web/http.go:get`: after a 4xx over https GOAUTH's commands run again, with the URL.
    async fn has_better_credentials(
        &mut self,
        url: &Url,
        answer: &HttpAnswer,
    ) -> Result<bool, ProbeFailure> {
        if url.scheme() != "https" || has_userinfo(url) || !answer.status.is_client_error() {
            return Ok(false);
        }
        let start = Instant::now();
        let credentials = &self.shared.credentials;
        let asked = credentials
            .ask_for(url, answer.status, &answer.headers)
            .await;
        self.attempt.pause(start.elapsed());
        Ok(asked)
    }

    /// `bent`: any network could have sent a redirect that came over plain http.
    async fn walk(
        &mut self,
        url: &Url,
        want: WantedBody,
        bent: bool,
    ) -> Result<HttpAnswer, ProbeFailure> {
        self.begin(url).await?;
        let (start, mut authorization) = self.credentials(url)?;
        let mut by_url = has_userinfo(url);
        let mut url = start.clone();
        let mut from: Option<Url> = None;
        let mut led_to: Option<(u16, Url)> = None;
        let bent = bent && start.scheme() == "http";
        for _ in 0..MAX_REQUESTS {
            let asked = self
                .ask(&start, &url, from.as_ref(), authorization.as_ref(), want)
                .await;
            let mut answer = match (asked, &led_to) {
                (Err(failure), Some((status, page))) if bent => {
                    let mut portal = redirect_portal(*status, page);
                    if failure.timed_out {
                        (portal.timed_out, portal.phase) = (true, failure.phase);
                    }
                    return Err(portal);
                }
                (asked, _) => asked?,
            };
            let Some(mut next) = answer.redirect() else {
                let status = answer.status;
                return match &led_to {
                    Some((redirect, page)) if bent && !status.is_success() => {
                        Err(redirect_portal(*redirect, page))
                    }
                    Some(_) | None => {
                        answer.led_to = led_to;
                        Ok(answer)
                    }
                };
            };
            let login = userinfo(&next);
            strip_userinfo(&mut next);
            let download = self.attempt.download.as_ref();
            let mut never_to = download.iter().flat_map(|download| &download.never_to);
            if never_to.any(|server| is_same_server(server, &next)) {
                let (from, to) = (authority(&url), authority(&next));
                let reason = format!("{from} redirects a private path to {to}, which is public");
                return Err(refusal(Phase::Content, reason));
            }
            if answer.location_kind() == LocationKind::None {
                if bent && authority(&next) != authority(&url) {
                    return Err(redirect_portal(answer.status.as_u16(), &next));
                }
                let reason = format!("{} redirects to what go cannot read", authority(&url));
                return Err(refusal(Phase::Content, reason).by(Cause::Portal));
            }
            let secure = next.scheme() == "https";
            if !secure && (url.scheme() == "https" || next.scheme() != "http") {
                return Err(redirect_portal(answer.status.as_u16(), &next));
            }
            if !is_same_server(&next, &url) && authority(&next) != authority(&url) {
                led_to.get_or_insert_with(|| (answer.status.as_u16(), next.clone()));
            }
            // The header of GOAUTH is sent to the same host and its subdomains. Userinfo is not a
            // header: it is kept if the redirect is only a path; otherwise the redirect's own
            // userinfo is used.
            let stays = if by_url {
                answer.location_kind() == LocationKind::Path
            } else {
                is_at_or_below(&next, &start)
            };
            if !stays {
                authorization = None;
            }
            if authorization.is_none() && login.is_some() {
                (authorization, by_url) = (login, true);
            }
            from = Some(std::mem::replace(&mut url, next));
        }
        Err(refusal(
            Phase::Content,
            format!("{} redirects in a circle", authority(&start)),
        ))
    }

    /// Requests `url`; a redirect is the answer.
    pub(super) async fn once(
        &mut self,
        url: &Url,
        want: WantedBody,
    ) -> Result<HttpAnswer, ProbeFailure> {
        self.begin(url).await?;
        let (url, authorization) = self.credentials(url)?;
        self.ask(&url, &url, None, authorization.as_ref(), want)
            .await
    }

    /// Does the same for a page, which go never requests: behind a proxy reqwest fetches one over https.
    pub(super) async fn page(
        &mut self,
        url: &Url,
        want: WantedBody,
    ) -> Result<HttpAnswer, ProbeFailure> {
        let via = self.via(url)?;
        // In clear, interim answers without end would keep hyper, and with it the thread, busy.
        let via = via.filter(|_| url.scheme() == "https");
        let Some(way) = via.and_then(|via| Some((proxied::proxy(via, url)?, via))) else {
            return self.once(url, want).await;
        };
        self.begin(url).await?;
        let (url, credentials) = self.credentials(url)?;
        let tls = self.tls(&url, &url).await?;
        let ask = RequestParts {
            agent: self.agent,
            credentials: credentials.as_ref(),
            referer: None,
            want,
            resume: None,
            has: None,
            post: None,
        };
        proxied::get(self.attempt, &url, way, tls, &ask).await
    }

    /// Prepares the credentials; the time is not counted against this try.
    async fn begin(&mut self, url: &Url) -> Result<(), ProbeFailure> {
        if url.scheme() != "https" {
            return Ok(());
        }
        let start = Instant::now();
        self.shared.credentials.begin().await?;
        self.attempt.pause(start.elapsed());
        Ok(())
    }

    /// Returns the strength of the proof that an answer over this URL's scheme gives.
    pub(super) fn proof(&self, url: &Url) -> Proof {
        match url.scheme() {
            "https" if !self.target.pins.is_empty() => Proof::Pinned,
            "https" => Proof::Tls,
            _ => Proof::None,
        }
    }

    /// Reports whether credentials have been sent.
    pub(super) fn sent_credentials(&self) -> bool {
        self.sent_credentials
    }

    /// Tells the user what to do about a server that demands credentials.
    pub(super) fn credentials_advice(&self, url: &Url) -> String {
        let host = authority(url);
        match (url.scheme(), self.sent_credentials) {
            ("https", true) => "the credentials are refused".to_owned(),
            ("https", false) => {
                format!(
                    "wants credentials: {}",
                    self.shared.credentials.advice(&host)
                )
            }
            _ => "wants credentials, which go sends over https only".to_owned(),
        }
    }

    /// Returns userinfo over https, otherwise GOAUTH's credentials over https; refuses userinfo
    /// over http, as go does (`cmd/go/internal/web/http.go`).
    fn credentials(&mut self, url: &Url) -> Result<(Url, Option<Headers>), ProbeFailure> {
        let mut bare = url.clone();
        strip_userinfo(&mut bare);
        if url.scheme() != "https" {
            if has_userinfo(url) {
                let reason = format!("go refuses to send credentials to {}", shown(url));
                return Err(refusal(Phase::Connect, reason));
            }
            if !self.target.pins.is_empty() {
                let reason = "its pin cannot be proven over plain http";
                return Err(refusal(Phase::Connect, reason));
            }
            return Ok((bare, None));
        }
        let authorization = if has_userinfo(url) {
            userinfo(url)
        } else {
            self.shared.credentials.for_url(url)
        };
        self.sent_credentials |= authorization.is_some();
        Ok((bare, authorization))
    }

    /// Sends a request. `from`: the URL that redirected here.
    async fn ask(
        &mut self,
        start: &Url,
        url: &Url,
        from: Option<&Url>,
        credentials: Option<&Headers>,
        want: WantedBody,
    ) -> Result<HttpAnswer, ProbeFailure> {
        let download = self.attempt.download.as_ref();
        let ask = RequestParts {
            agent: self.agent,
            credentials,
            // `net/http.refererForURL`.
            referer: from.filter(|from| from.scheme() != "https" || url.scheme() == "https"),
            want,
            resume: download.and_then(|download| download.resume.clone()),
            has: self.has,
            post: None,
        };
        if let Some(line) = &mut self.line
            && line.serves(url).await
        {
            let deadline = self.attempt.first_byte_deadline();
            let asked = line.get(self.attempt, url, &ask).await;
            match asked {
                // The server may close a kept connection while the request is being sent.
                Err(failure)
                    if failure.phase == Phase::FirstByte
                        && !failure.definite
                        && !deadline.remaining().is_zero() => {}
                other => return other,
            }
        }
        self.line = None;
        let via = self.via(url)?;
        let tls = self.tls(start, url).await?;
        let release = self.shared.release;
        let mut line = Connection::open(self.attempt, url, via, tls, release).await?;
        let answer = line.get(self.attempt, url, &ask).await;
        self.line = Some(line);
        answer
    }

    /// Returns the proxy for this URL.
    fn via(&self, url: &Url) -> Result<Option<&'a Via>, ProbeFailure> {
        self.shared.rules.for_url(url).map_err(|_| {
            let reason = "go refuses HTTP_PROXY where REQUEST_METHOD is set (CGI)";
            refusal(Phase::Connect, reason)
        })
    }

    async fn tls(
        &mut self,
        start: &Url,
        url: &Url,
    ) -> Result<Option<Arc<ClientConfig>>, ProbeFailure> {
        if url.scheme() != "https" && !self.via(url)?.is_some_and(Via::is_tls) {
            return Ok(None);
        }
        let (shared, doubt) = (self.shared, &self.attempt.doubt);
        let host = Host::of(start);
        let config = shared.tls.config(&shared.env, self.target, host, doubt);
        let missing = || "the trusted certificates cannot be read".to_owned();
        let (config, _) = within(self.attempt.end(), Phase::Tls, missing, config).await?;
        config.map(Some)
    }
}

fn has_userinfo(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

fn userinfo(url: &Url) -> Option<Headers> {
    // In the URL it is escaped; the header has it unescaped.
    let unescaped = |text| Vec::from_iter(percent_decode_str(text));
    let user = unescaped(url.username());
    let password = unescaped(url.password().unwrap_or_default());
    has_userinfo(url).then(|| Headers::basic(&user, &password))?
}

/// `net/http.shouldCopyHeaderOnRedirect`: the same host, with any port, or a subdomain.
fn is_at_or_below(url: &Url, start: &Url) -> bool {
    match (Host::of(url), Host::of(start)) {
        (Some(Host::Name(name)), Some(Host::Name(above))) => {
            let below = name.strip_suffix(&above);
            below.is_some_and(|below| below.is_empty() || below.ends_with('.'))
        }
        (one, other) => one.is_some() && one == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn userinfo_is_unescaped_before_it_is_sent() {
        let url = Url::parse("https://us%40r:pa%3as@h.test").unwrap();
        let Headers(headers) = userinfo(&url).unwrap();
        let (_, header) = &headers[0];
        assert_eq!(header.to_str().unwrap(), "Basic dXNAcjpwYTpz");
        assert!(!format!("{header:?}").contains("dXNA"));
    }
}
