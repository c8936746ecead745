//! Which HTTP or SOCKS proxy the go command would go through: `golang.org/x/net/http/httpproxy`,
//! which differs from what curl and reqwest make of the same variables (loopback is never
//! proxied, ALL_PROXY is not read, NO_PROXY knows ports and `*.domain`).

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use url::{Host, Url};

use super::failure::{authority, strip_userinfo};
use crate::environment::Environment;

/// The proxy variables, read once.
#[derive(Debug, Default)]
pub(super) struct ProxyRules {
    http: Option<Via>,
    https: Option<Via>,
    exceptions: Vec<Exception>,
    cgi: bool,
}

/// A proxy to go through. Its password is in no message: Debug and Display show the host only.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Via {
    url: Url,
    variable: &'static str,
}

/// HTTP_PROXY in a CGI environment may have been set by a request's `Proxy:` header (httpoxy).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RefusedInCgi;

#[derive(Debug, PartialEq, Eq)]
enum Exception {
    Everything,
    Net(IpNet),
    Address {
        ip: IpAddr,
        port: Option<String>,
    },
    Domain {
        suffix: String,
        itself: bool,
        port: Option<String>,
    },
}

impl ProxyRules {
    /// Reads HTTP_PROXY, HTTPS_PROXY and NO_PROXY, upper case first; an empty one is unset.
    pub(super) fn from_env(env: &Environment) -> ProxyRules {
        let any = |upper: &'static str, lower: &'static str| {
            env.get(upper)
                .map(|value| (upper, value))
                .or_else(|| env.get(lower).map(|value| (lower, value)))
        };
        let via = |found: Option<(&'static str, &str)>| {
            found.and_then(|(variable, value)| {
                Some(Via {
                    url: parse_proxy(value)?,
                    variable,
                })
            })
        };
        let exceptions = any("NO_PROXY", "no_proxy")
            .map(|(_, value)| parse_exceptions(value))
            .unwrap_or_default();
        ProxyRules {
            http: via(any("HTTP_PROXY", "http_proxy")),
            https: via(any("HTTPS_PROXY", "https_proxy")),
            exceptions,
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
        Ok(self.applies(url).then_some(via))
    }

    fn applies(&self, url: &Url) -> bool {
        let (name, ip) = match url.host() {
            Some(Host::Domain("localhost")) | None => return false,
            Some(Host::Domain(name)) => (name.to_ascii_lowercase(), None),
            Some(Host::Ipv4(ip)) => (ip.to_string(), Some(IpAddr::V4(ip))),
            Some(Host::Ipv6(ip)) => (ip.to_string(), Some(IpAddr::V6(ip).to_canonical())),
        };
        if ip.is_some_and(|ip| ip.is_loopback()) {
            return false;
        }
        let port = url.port_or_known_default().unwrap_or_default().to_string();
        !self
            .exceptions
            .iter()
            .any(|exception| exception.matches(&name, ip, &port))
    }
}

impl Via {
    /// The URL, with the credentials that the proxy is to get.
    pub(super) fn url(&self) -> &Url {
        &self.url
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the proxy {} ({})", authority(&self.url), self.variable)
    }
}

impl fmt::Debug for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut url = self.url.clone();
        strip_userinfo(&mut url);
        f.debug_tuple("Via").field(&url.as_str()).finish()
    }
}

impl Exception {
    fn matches(&self, name: &str, ip: Option<IpAddr>, port: &str) -> bool {
        let same_port = |wanted: &Option<String>| wanted.as_deref().is_none_or(|p| p == port);
        match self {
            Exception::Everything => true,
            Exception::Net(net) => ip.is_some_and(|ip| net.contains(&ip)),
            Exception::Address { ip: wanted, port } => ip == Some(*wanted) && same_port(port),
            Exception::Domain {
                suffix,
                itself,
                port,
            } => {
                let found = name.ends_with(suffix.as_str())
                    || *itself && suffix.strip_prefix('.') == Some(name);
                found && same_port(port)
            }
        }
    }
}

/// `httpproxy.parseProxy`: a value that is no URL with a host gets `http://` put before it;
/// what is no URL even then is ignored.
fn parse_proxy(value: &str) -> Option<Url> {
    let url = Url::parse(value)
        .ok()
        .filter(Url::has_host)
        .or_else(|| Url::parse(&format!("http://{value}")).ok())?;
    url.has_host().then_some(url)
}

/// `httpproxy.config.init`.
fn parse_exceptions(value: &str) -> Vec<Exception> {
    let mut exceptions = Vec::new();
    for entry in value.split(',') {
        let entry = entry.trim().to_lowercase();
        if entry == "*" {
            return vec![Exception::Everything];
        }
        if let Ok(net) = entry.parse::<IpNet>() {
            exceptions.push(Exception::Net(net));
            continue;
        }
        let (host, port) = split_port(&entry);
        if let Ok(ip) = host.parse::<IpAddr>() {
            let ip = ip.to_canonical();
            exceptions.push(Exception::Address { ip, port });
            continue;
        }
        // "*.corp.test" is ".corp.test": what is below it, not the domain itself.
        let host = match host.strip_prefix("*.") {
            Some(_) => host.get(1..).unwrap_or_default(),
            None => host,
        };
        if host.is_empty() {
            continue;
        }
        let itself = !host.starts_with('.');
        let dot = if itself { "." } else { "" };
        exceptions.push(Exception::Domain {
            suffix: format!("{dot}{host}"),
            itself,
            port,
        });
    }
    exceptions
}

/// `net.SplitHostPort`, or the whole as a host where that fails.
fn split_port(entry: &str) -> (&str, Option<String>) {
    let bracketed = entry
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("]:"));
    if let Some((host, port)) = bracketed {
        return (host, Some(port.to_owned()));
    }
    match entry.rsplit_once(':') {
        // "corp.test:" is the host with any port, as Go's empty port string matches all.
        Some((host, port)) if !host.contains([':', '[', ']']) => {
            (host, Some(port.to_owned()).filter(|port| !port.is_empty()))
        }
        Some(_) | None => (entry, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(vars: &[(&str, &str)], url: &str) -> Option<String> {
        let env: Environment = vars.iter().copied().collect();
        let rules = ProxyRules::from_env(&env);
        let via = rules.for_url(&Url::parse(url).unwrap()).unwrap();
        via.map(|via| via.url().as_str().trim_end_matches('/').to_owned())
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
        let rules = ProxyRules::from_env(&env);
        let url = Url::parse("http://a.test/").unwrap();
        assert_eq!(rules.for_url(&url), Err(RefusedInCgi));
    }

    #[test]
    fn the_proxys_password_is_in_no_message() {
        let env: Environment = [("HTTPS_PROXY", "http://joe:secret@p.test:3128")]
            .into_iter()
            .collect();
        let rules = ProxyRules::from_env(&env);
        let via = rules.https.clone().unwrap();
        let said = format!("{rules:?} {via:?} {via}");
        assert!(!said.contains("secret"), "{said}");
        assert_eq!(via.to_string(), "the proxy p.test:3128 (HTTPS_PROXY)");
    }
}
