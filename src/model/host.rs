//! Makes names of hosts comparable: pins, credentials, redirects and exceptions all depend on
//! whether two names mean one host. All such comparisons are made here.

use std::net::IpAddr;

use url::Url;

/// A host, independent of how it was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// In lower case, in ASCII (IDNA), without the final dot.
    Name(String),
    /// An address. An IPv4 address may have been written as `::ffff:10.0.0.1`, `127.1` or
    /// `0x7f000001`.
    Address(IpAddr),
}

impl Host {
    /// Parses a name or an address, with or without brackets, without a port. `None`: it cannot be
    /// the host of a URL, and equals no other host.
    pub fn parse(text: &str) -> Option<Host> {
        if let Ok(address) = bare(text).parse::<IpAddr>() {
            return Some(Host::Address(address.to_canonical()));
        }
        match url::Host::parse(text).ok()? {
            url::Host::Domain(name) => Host::name(&name),
            url::Host::Ipv4(ip) => Some(Host::Address(ip.into())),
            url::Host::Ipv6(ip) => Some(Host::Address(IpAddr::V6(ip).to_canonical())),
        }
    }

    /// Returns the host of a URL.
    pub fn of(url: &Url) -> Option<Host> {
        match url.host()? {
            url::Host::Domain(name) => Host::parse(name),
            url::Host::Ipv4(ip) => Some(Host::Address(ip.into())),
            url::Host::Ipv6(ip) => Some(Host::Address(IpAddr::V6(ip).to_canonical())),
        }
    }

    fn name(name: &str) -> Option<Host> {
        // DNS ignores one dot at the end; two dots make an empty label.
        let name = name.strip_suffix('.').unwrap_or(name);
        let usable = !name.is_empty() && !name.ends_with('.');
        usable.then(|| Host::Name(name.to_ascii_lowercase()))
    }

    /// Reports whether the host can only be this machine, or one that a stranger's server cannot
    /// impersonate by DNS.
    pub fn is_near(&self) -> bool {
        match self {
            Host::Name(name) => name == "localhost" || name.ends_with(".localhost"),
            Host::Address(IpAddr::V4(ip)) => {
                ip.is_loopback() || ip.is_private() || ip.is_link_local()
            }
            Host::Address(IpAddr::V6(ip)) => {
                ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local()
            }
        }
    }

    /// Reports whether go reaches this machine, and no other, by a host that is spelled this way in
    /// a URL, with or without brackets. go parses addresses with `net.ParseIP`: it looks up `127.1`, `0x7f.1` and
    /// `2130706433` in DNS as names, and also `localhost.` with a dot. RFC 6761, 6.3 is about
    /// `localhost` only.
    pub fn is_this_machine(spelled: &str) -> bool {
        let address = bare(spelled).parse::<IpAddr>();
        spelled.eq_ignore_ascii_case("localhost")
            || address.is_ok_and(|ip| ip.to_canonical().is_loopback())
    }
}

/// Shows an address without brackets.
impl std::fmt::Display for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name),
            Host::Address(ip) => ip.fmt(f),
        }
    }
}

/// Returns an address without the brackets that it has in a URL.
fn bare(host: &str) -> &str {
    let inner = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    inner.unwrap_or(host)
}

/// Reports whether two URLs lead to one server: the same host and port. In doubt the answer is no.
pub fn is_same_server(one: &Url, other: &Url) -> bool {
    let port = |url: &Url| url.port_or_known_default();
    Host::of(one).is_some() && Host::of(one) == Host::of(other) && port(one) == port(other)
}

/// Returns a URL in a form that is the same for equal URLs: without default port, userinfo, or a
/// slash at its end.
pub fn canonical_url(text: &str) -> String {
    let Ok(url) = Url::parse(text) else {
        return text.trim_end_matches('/').to_owned();
    };
    let Some(host) = Host::of(&url) else {
        return text.trim_end_matches('/').to_owned();
    };
    let port = url
        .port()
        .map(|port| format!(":{port}"))
        .unwrap_or_default();
    let query = url
        .query()
        .map(|query| format!("?{query}"))
        .unwrap_or_default();
    let path = url.path().trim_end_matches('/');
    format!("{}://{host}{port}{path}{query}", url.scheme())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_host_is_one_host_however_it_is_written() {
        for same in [
            &["corp.test", "CORP.test", "corp.test.", "Corp.Test."][..],
            &[
                "10.0.0.1",
                "::ffff:10.0.0.1",
                "[::ffff:10.0.0.1]",
                "[::FFFF:a00:1]",
                "10.1",
            ],
            &["127.0.0.1", "127.1", "0x7f.1", "2130706433", "017700000001"],
            &["::1", "[::1]", "[0:0:0:0:0:0:0:1]"],
            &[
                "bücher.example",
                "xn--bcher-kva.example",
                "BÜCHER.example.",
                "b\u{fc}cher。example",
            ],
        ] {
            let first = Host::parse(same[0]);
            assert!(first.is_some(), "{same:?}");
            for other in same {
                assert_eq!(Host::parse(other), first, "{other}");
                if let Ok(url) = Url::parse(&format!("https://{other}/")) {
                    assert_eq!(Host::of(&url), first, "{url}");
                }
            }
        }
        for (one, other) in [
            ("corp.test", "corp.test.evil"),
            ("corp.test", "orp.test"),
            ("10.0.0.1", "10.0.0.2"),
            ("::1", "127.0.0.1"),
        ] {
            assert_ne!(Host::parse(one), Host::parse(other));
        }
        for none in [
            "",
            ".",
            "corp..",
            "a b",
            "[::1",
            "fe80::1%eth0",
            "[fe80::1%25eth0]",
            "a:1",
        ] {
            assert_eq!(Host::parse(none), None, "{none}");
        }
    }

    #[test]
    fn this_machine_is_what_go_takes_for_it() {
        for here in [
            "localhost",
            "LOCALHOST",
            "127.0.0.1",
            "127.9.9.9",
            "::1",
            "[::1]",
            "::ffff:127.0.0.1",
        ] {
            assert!(Host::is_this_machine(here), "{here}");
        }
        for asked in [
            "",
            "localhost.",
            "a.localhost",
            "localhost.corp.test",
            "127.1",
            "127.0.0.1.",
            "0x7f.1",
            "0x7f000001",
            "2130706433",
            "127.000.000.001",
            "0177.0.0.1",
            "10.0.0.1",
            "::",
            "0.0.0.0",
        ] {
            assert!(!Host::is_this_machine(asked), "{asked}");
        }
    }

    #[test]
    fn one_server_has_one_port_as_well() {
        let same =
            |a: &str, b: &str| is_same_server(&Url::parse(a).unwrap(), &Url::parse(b).unwrap());
        assert!(same("https://corp.test/a", "https://CORP.test.:443/b"));
        assert!(!same("https://corp.test", "https://corp.test:444"));
        assert!(!same("https://corp.test", "http://corp.test"));
        assert!(!same("file:///a", "file:///a"));
    }

    #[test]
    fn equal_urls_are_equal() {
        for (one, other) in [
            ("https://Corp.test.:443/go/", "https://u:p@corp.test/go"),
            ("http://[::ffff:10.0.0.1]:80", "http://10.0.0.1/"),
        ] {
            assert_eq!(canonical_url(one), canonical_url(other));
        }
        assert_ne!(
            canonical_url("https://a.test/x"),
            canonical_url("https://a.test/X")
        );
    }
}
