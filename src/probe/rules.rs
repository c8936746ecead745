//! Which HTTP or SOCKS proxy the go command would go through: `golang.org/x/net/http/httpproxy`,
//! which differs from what curl and others make of the same variables (loopback is never
//! proxied, ALL_PROXY is not read, NO_PROXY knows ports and `*.domain`).

use std::fmt;

use url::{Host, Url};

use crate::environment::Environment;
use crate::model::go_proxy::{Exceptions, GoProxy, Speech};
use crate::model::go_release::GoRelease;

/// The proxy variables, read once.
#[derive(Debug, Default)]
pub(super) struct ProxyRules {
    http: Option<Via>,
    https: Option<Via>,
    exceptions: Exceptions,
    cgi: bool,
}

/// A proxy to go through. Its password is in no message: Debug and Display show the host only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Via {
    proxy: GoProxy,
    variable: &'static str,
}

/// HTTP_PROXY in a CGI environment may have been set by a request's `Proxy:` header (httpoxy).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RefusedInCgi;

impl ProxyRules {
    /// Reads HTTP_PROXY, HTTPS_PROXY and NO_PROXY, upper case first; an empty one is unset. A
    /// value that go cannot read is passed over, as go does.
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

    /// The proxy for a request, if it goes through one.
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
    /// The proxy, with the credentials that it is to get.
    pub(super) fn proxy(&self) -> &GoProxy {
        &self.proxy
    }

    /// Is it spoken to over TLS?
    pub(super) fn is_tls(&self) -> bool {
        self.proxy.speech == Speech::Https
    }
}

/// With what go makes of the value, where that is not what its writer meant.
impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Via { proxy, variable } = self;
        match proxy.remark() {
            Some(remark) => write!(f, "the proxy {proxy} ({variable}: {remark})"),
            None => write!(f, "the proxy {proxy} ({variable})"),
        }
    }
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
}
