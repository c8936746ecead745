//! Decides which HTTP or SOCKS proxy the go command would use (`golang.org/x/net/http/httpproxy`,
//! which differs from how curl and others read the same variables: loopback is never proxied,
//! ALL_PROXY is not read, NO_PROXY accepts ports and `*.domain`), and connects through it as
//! net/http does.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use hyper::header::HeaderValue;
use rustls::ClientConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use url::{Host, Url};

use super::answer::wants_credentials;
use super::attempt::{Deadline, ProbeAttempt, within};
use super::dial::{bare_host, dial, is_dialled, peer};
use super::fault::{self, NotAsHttp, ProbeFailure, authority, down, refusal, wrong};
use super::goauth::Headers;
use super::http1::{Http1, UserAgent};
use super::wire::{Wire, handshake};
use crate::environment::Environment;
use crate::model::go_proxy::{Exceptions, GoProxy, Speech};
use crate::model::{GoRelease, Phase};

/// The proxy variables, read once.
#[derive(Debug, Default)]
pub(super) struct ProxyRules {
    http: Option<Via>,
    https: Option<Via>,
    exceptions: Exceptions,
    cgi: bool,
}

/// A proxy to use. No message contains its password: Debug and Display show the host only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Via {
    proxy: GoProxy,
    variable: &'static str,
}

/// HTTP_PROXY in a CGI environment may have been set by a request's `Proxy:` header (httpoxy).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RefusedInCgi;

impl ProxyRules {
    /// Reads HTTP_PROXY, HTTPS_PROXY and NO_PROXY, upper case first; an empty one is unset. A value
    /// that go cannot read is ignored, as go does.
    pub(super) fn from_env(env: &Environment, release: GoRelease) -> ProxyRules {
        let any = |upper: &'static str, lower: &'static str| {
            env.get(upper)
                .map(|value| (upper, value))
                .or_else(|| env.get(lower).map(|value| (lower, value)))
        };
        let via = |found: Option<(&'static str, &str)>| {
            let (variable, value) = found?;
            let proxy = GoProxy::parse(value, release).ok()?;
            Some(Via { proxy, variable })
        };
        let exceptions = any("NO_PROXY", "no_proxy").map_or("", |(_, value)| value);
        ProxyRules {
            http: via(any("HTTP_PROXY", "http_proxy")),
            https: via(any("HTTPS_PROXY", "https_proxy")),
            exceptions: Exceptions::parse(exceptions, release),
            cgi: env.get("REQUEST_METHOD").is_some(),
        }
    }

    /// Returns the proxy for a request, if the request uses one.
    pub(super) fn for_url(&self, url: &Url) -> Result<Option<&Via>, RefusedInCgi> {
        let via = match url.scheme() {
            "https" => &self.https,
            "http" => &self.http,
            _ => &None,
        };
        let Some(via) = via else { return Ok(None) };
        if url.scheme() == "http" && self.cgi {
            return Err(RefusedInCgi);
        }
        let host = match url.host() {
            Some(Host::Domain(name)) => name.to_owned(),
            Some(Host::Ipv4(ip)) => ip.to_string(),
            Some(Host::Ipv6(ip)) => ip.to_string(),
            None => return Ok(None),
        };
        let port = url.port_or_known_default().unwrap_or_default().to_string();
        Ok((!self.exceptions.takes_out(&host, &port)).then_some(via))
    }
}

impl Via {
    /// Returns the proxy, with the credentials to send to it.
    pub(super) fn proxy(&self) -> &GoProxy {
        &self.proxy
    }

    /// Reports whether the connection to the proxy uses TLS.
    pub(super) fn is_tls(&self) -> bool {
        self.proxy.speech == Speech::Https
    }
}

/// Also shows how go reads the value, if its author meant something else.
impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Via { proxy, variable } = self;
        match proxy.remark() {
            Some(remark) => write!(f, "the proxy {proxy} ({variable}: {remark})"),
            None => write!(f, "the proxy {proxy} ({variable})"),
        }
    }
}

/// Headers for a proxy, sent with every request that it forwards.
#[derive(Debug)]
pub(super) struct Forward {
    pub(super) authorization: Option<HeaderValue>,
    /// The proxy's name in messages.
    pub(super) name: String,
}

/// Connects to a proxy, and through it if the destination is beyond the proxy.
pub(super) async fn through(
    attempt: &mut ProbeAttempt,
    url: &Url,
    via: &Via,
    tls: Option<&Arc<ClientConfig>>,
    deadline: Deadline,
) -> Result<(Wire, Option<Forward>), ProbeFailure> {
    let (proxy, name) = (via.proxy(), via.to_string());
    let unusable = |why: &str| refusal(Phase::Connect, format!("{name} cannot be used: {why}"));
    let port = proxy
        .port
        .ok_or_else(|| unusable("go dials no such port"))?;
    if !is_dialled(&proxy.host) {
        return Err(unusable("go asks DNS for that name, and there is none"));
    }
    let host = match proxy.host.as_str() {
        // For `net.Dial`, an empty host is this machine.
        "" => "127.0.0.1",
        host => host,
    };
    let soon = attempt.connect_deadline();
    let dialled = dial(attempt, soon, (host, port), &name).await;
    let stream = dialled.map_err(|failure| of_the_proxy(failure, &name))?;
    let mut wire: Wire = Box::new(stream);
    let login = proxy.url.user.as_ref().map(|user| {
        let password = user.password.as_deref().unwrap_or_default();
        (user.name.as_slice(), password)
    });
    if proxy.speech == Speech::Https
        && let Some(config) = tls
    {
        // net/http uses HTTP/1.1 to a proxy, even if the proxy offers another version.
        let mut config = ClientConfig::clone(config);
        config.alpn_protocols.retain(|name| name != b"h2");
        let at = (host, name.clone());
        (wire, ..) = handshake(wire, Arc::new(config), at, deadline).await?;
    }
    let headers = login.and_then(|(user, password)| Headers::basic(user, password));
    let authorization = headers.and_then(|Headers(all)| Some(all.into_iter().next()?.1));
    if proxy.speech != Speech::Socks5 && url.scheme() != "https" {
        let forward = Forward {
            authorization,
            name,
        };
        return Ok((wire, Some(forward)));
    }
    let (server, to) = (bare_host(url), authority(url));
    let port = url.port_or_known_default().unwrap_or(80);
    let missing = || format!("no connection to {to} through {name}");
    let opened = async {
        if proxy.speech == Speech::Socks5 {
            socks5(&mut wire, (&server, port), login).await?;
            return Ok(wire);
        }
        connect(wire, &peer(&server, port), authorization.as_ref()).await
    };
    let (opened, _) = within(deadline, Phase::Connect, missing, opened).await?;
    let wire = opened.map_err(|closed| match closed {
        Closed::Io(error) => fault::of(&error, Phase::Connect, &name),
        Closed::Answer(why) => {
            let reason = format!("{name} does not connect to {to}: {why}");
            down(Phase::Connect, reason)
        }
        Closed::Strange => strange(&name),
        Closed::Credentials => wants_credentials(&name),
    })?;
    Ok((wire, None))
}

/// The server is not a proxy.
pub(super) fn strange(via: &str) -> ProbeFailure {
    let reason = format!("{via} answers, but not as a proxy does");
    wrong(Phase::Connect, reason)
}

/// Turns a failure into one of the connection to the proxy.
pub(super) fn of_the_proxy(failure: ProbeFailure, via: &str) -> ProbeFailure {
    if failure.phase != Phase::Dns {
        return failure;
    }
    let reason = format!("DNS does not know {via}");
    ProbeFailure { reason, ..failure }
}

/// Why the tunnel was not opened.
#[derive(Debug)]
enum Closed {
    Io(io::Error),
    /// The proxy's answer.
    Answer(String),
    /// No proxy answers like this.
    Strange,
    /// The proxy requires a password, or another password.
    Credentials,
}

impl From<io::Error> for Closed {
    fn from(error: io::Error) -> Closed {
        match error.get_ref() {
            Some(inner) if inner.is::<NotAsHttp>() => Closed::Strange,
            Some(_) | None => Closed::Io(error),
        }
    }
}

/// `CONNECT host:port`.
async fn connect(
    wire: Wire,
    to: &str,
    authorization: Option<&HeaderValue>,
) -> Result<Wire, Closed> {
    let agent = UserAgent::Library.header(false);
    let mut request = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n").into_bytes();
    let headers = [
        ("User-Agent", Some(&agent)),
        ("Proxy-Authorization", authorization),
    ];
    for (name, value) in headers {
        let Some(value) = value else { continue };
        for part in [name.as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            request.extend_from_slice(part);
        }
    }
    request.extend_from_slice(b"\r\n");
    // A tunnel has no interim answers, so the release does not matter.
    let http = Http1::new(wire, GoRelease::default());
    let (status, wire) = http.open_tunnel(&request).await?;
    match status {
        200 => Ok(wire),
        407 => Err(Closed::Credentials),
        status => Err(Closed::Answer(format!("it answers {status}"))),
    }
}

/// The meaning of the replies from 1 on, in RFC 1928, 6.
const REPLIES: [&str; 8] = [
    "general SOCKS server failure",
    "connection not allowed by ruleset",
    "network unreachable",
    "host unreachable",
    "connection refused",
    "TTL expired",
    "command not supported",
    "address type not supported",
];

/// Opens a tunnel with SOCKS5 (RFC 1928, 1929). The proxy gets the name and looks it up itself.
async fn socks5(
    wire: &mut Wire,
    (host, port): (&str, u16),
    login: Option<(&[u8], &[u8])>,
) -> Result<(), Closed> {
    let greeting: &[u8] = match login {
        Some(_) => &[5, 2, 0, 2],
        None => &[5, 1, 0],
    };
    match (exchange(wire, greeting).await?, login) {
        ([5, 0], _) => {}
        ([5, 2], Some((user, password))) => {
            let length = |text: &[u8]| u8::try_from(text.len()).map_err(|_| Closed::Credentials);
            let (first, second) = ([1, length(user)?], [length(password)?]);
            let login = [&first, user, &second, password].concat();
            let [_, 0] = exchange(wire, &login).await? else {
                return Err(Closed::Credentials);
            };
        }
        ([5, _], _) => return Err(Closed::Credentials),
        _ => return Err(Closed::Strange),
    }
    let mut request = vec![5, 1, 0];
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => request.extend([&[1], ip.octets().as_slice()].concat()),
        Ok(IpAddr::V6(ip)) => request.extend([&[4], ip.octets().as_slice()].concat()),
        Err(_) => {
            let too_long = |_| Closed::Answer("name too long".to_owned());
            let length = u8::try_from(host.len()).map_err(too_long)?;
            request.extend([&[3, length], host.as_bytes()].concat());
        }
    }
    request.extend_from_slice(&port.to_be_bytes());
    let [5, reply, _, kind] = exchange(wire, &request).await? else {
        return Err(Closed::Strange);
    };
    if reply != 0 {
        let why = REPLIES.get(usize::from(reply) - 1);
        return Err(Closed::Answer((*why.unwrap_or(&"unknown code")).to_owned()));
    }
    let length = match kind {
        1 => 4,
        4 => 16,
        3 => usize::from(wire.read_u8().await?),
        _ => return Err(Closed::Strange),
    };
    wire.read_exact(&mut vec![0; length + 2]).await?;
    Ok(())
}

/// Sends a message, and reads an answer of this length.
async fn exchange<const LENGTH: usize>(wire: &mut Wire, say: &[u8]) -> io::Result<[u8; LENGTH]> {
    wire.write_all(say).await?;
    wire.flush().await?;
    let mut said = [0; LENGTH];
    wire.read_exact(&mut said).await?;
    Ok(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(vars: &[(&str, &str)], url: &str) -> Option<String> {
        let env: Environment = vars.iter().copied().collect();
        let rules = ProxyRules::from_env(&env, GoRelease::default());
        let via = rules.for_url(&Url::parse(url).unwrap()).unwrap();
        via.map(|via| via.proxy().url.text())
    }

    #[test]
    fn which_variable_counts_is_as_in_go() {
        let p = Some("http://p.test:3128".to_owned());
        let value = "http://p.test:3128";
        for (vars, url, expected) in [
            (vec![("HTTPS_PROXY", value)], "https://a.test/", p.clone()),
            (vec![("HTTPS_PROXY", value)], "http://a.test/", None),
            (vec![("HTTP_PROXY", value)], "http://a.test/", p.clone()),
            (vec![("HTTP_PROXY", value)], "https://a.test/", None),
            (vec![("https_proxy", value)], "https://a.test/", p.clone()),
            (
                vec![("HTTP_PROXY", ""), ("http_proxy", value)],
                "http://a.test/",
                p.clone(),
            ),
            (
                vec![("HTTPS_PROXY", value), ("https_proxy", "http://q.test")],
                "https://a.test/",
                p.clone(),
            ),
            (
                vec![("ALL_PROXY", value), ("all_proxy", value)],
                "https://a.test/",
                None,
            ),
            (
                vec![("HTTPS_PROXY", "p.test:3128")],
                "https://a.test/",
                p.clone(),
            ),
            (vec![("HTTPS_PROXY", ":::")], "https://a.test/", None),
            (
                vec![("HTTPS_PROXY", value), ("REQUEST_METHOD", "GET")],
                "https://a.test/",
                p.clone(),
            ),
            (
                vec![("HTTPS_PROXY", "socks5://s.test:1080")],
                "https://a.test/",
                Some("socks5://s.test:1080".to_owned()),
            ),
        ] {
            assert_eq!(proxy(&vars, url), expected, "{vars:?} {url}");
        }
    }

    #[test]
    fn what_is_excepted_is_as_in_go() {
        for (exceptions, url, direct) in [
            ("", "http://localhost:8080/", true),
            ("", "http://127.0.0.1:8080/", true),
            ("", "http://127.8.9.1/", true),
            ("", "http://[::1]:8080/", true),
            ("", "http://sub.localhost/", false),
            ("*", "http://a.test/", true),
            ("corp.test", "http://corp.test/", true),
            ("corp.test", "http://git.corp.test/", true),
            ("corp.test", "http://mycorp.test/", false),
            (".corp.test", "http://corp.test/", false),
            (".corp.test", "http://git.corp.test/", true),
            ("*.corp.test", "http://corp.test/", false),
            ("*.corp.test", "http://git.corp.test/", true),
            ("corp.test:8080", "http://corp.test:8080/", true),
            ("corp.test:8080", "http://corp.test/", false),
            ("corp.test:80", "http://corp.test/", true),
            ("CORP.test", "http://corp.TEST/", true),
            ("10.0.0.0/8", "http://10.1.2.3/", true),
            ("10.0.0.0/8", "http://11.1.2.3/", false),
            ("10.0.0.0/8", "http://ten.test/", false),
            ("10.1.2.3", "http://10.1.2.3:99/", true),
            ("10.1.2.3:99", "http://10.1.2.3:99/", true),
            ("10.1.2.3:99", "http://10.1.2.3:98/", false),
            ("fd00::/8", "http://[fd00::1]/", true),
            ("[fd00::1]:80", "http://[fd00::1]/", true),
            ("fd00::1", "http://[fd00::1]:81/", true),
            ("other.test, corp.test ,", "http://corp.test/", true),
            (":8080", "http://corp.test:8080/", false),
        ] {
            let vars = [("HTTP_PROXY", "p.test"), ("NO_PROXY", exceptions)];
            assert_eq!(proxy(&vars, url).is_none(), direct, "{exceptions:?} {url}");
        }
    }

    #[test]
    fn http_proxy_is_refused_where_a_request_may_have_set_it() {
        let env: Environment = [("HTTP_PROXY", "p.test"), ("REQUEST_METHOD", "GET")]
            .into_iter()
            .collect();
        let rules = ProxyRules::from_env(&env, GoRelease::default());
        let url = Url::parse("http://a.test/").unwrap();
        assert_eq!(rules.for_url(&url), Err(RefusedInCgi));
    }

    #[test]
    fn the_proxys_password_is_in_no_message() {
        let env: Environment = [("HTTPS_PROXY", "http://joe:secret@p.test:3128")]
            .into_iter()
            .collect();
        let rules = ProxyRules::from_env(&env, GoRelease::default());
        let via = rules.https.clone().unwrap();
        let said = format!("{rules:?} {via:?} {via}");
        assert!(!said.contains("secret"), "{said}");
        assert_eq!(via.to_string(), "the proxy p.test:3128 (HTTPS_PROXY)");
    }

    async fn answered(bytes: &[u8]) -> Result<(), Closed> {
        let (near, mut far) = tokio::io::duplex(1 << 20);
        far.write_all(bytes).await.unwrap();
        far.shutdown().await.unwrap();
        connect(Box::new(near), "h.test:443", None)
            .await
            .map(|_| ())
    }

    #[tokio::test]
    async fn the_proxys_status_is_understood_and_nothing_else_is() {
        let ok = b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n";
        assert!(answered(ok).await.is_ok());
        assert!(answered(b"HTTP/1.0 200\n\n").await.is_ok());
        let busy = answered(b"HTTP/1.1 503 No\r\n\r\n").await;
        assert!(matches!(busy, Err(Closed::Answer(why)) if why == "it answers 503"));
        let locked = answered(b"HTTP/1.1 407 No\r\n\r\n").await;
        assert!(matches!(locked, Err(Closed::Credentials)));
        let endless = "X: y\r\n".repeat(20_000);
        for strange in [
            "SSH-2.0-x\r\n\r\n",
            "HTTP/1.1 2000 OK\r\n\r\n",
            "HTTP/1.1\r\n\r\n",
            endless.as_str(),
        ] {
            let closed = answered(strange.as_bytes()).await;
            assert!(matches!(closed, Err(Closed::Strange)));
        }
        let cut = answered(b"HTTP/1.1 200 OK\r\n").await;
        assert!(matches!(cut, Err(Closed::Io(_))));
    }
}
