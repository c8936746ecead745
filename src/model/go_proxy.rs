//! How the go command interprets HTTP_PROXY, HTTPS_PROXY and NO_PROXY:
//! `golang.org/x/net/http/httpproxy` and the first lines of `net/http.Transport.dialConn`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use super::go_release::GoRelease;
use super::go_url::{GoUrl, GoUrlError};

/// An HTTP or SOCKS proxy as go would use it. Neither Debug nor Display shows credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct GoProxy {
    /// The protocol spoken with the proxy.
    pub speech: Speech,
    /// The value as it was read, with the credentials that are sent to the proxy.
    pub url: GoUrl,
    /// A name or an address without brackets. Empty: this machine.
    pub host: String,
    /// The port that is dialled; `None`: the number is not a valid port, so go dials nothing.
    pub port: Option<u16>,
    /// Whether `http://` was put before the value.
    pub completed: bool,
    /// The host may be part of a password, because an `@` follows it.
    hides_host: bool,
}

/// The protocol that is spoken with a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speech {
    /// HTTP: absolute URLs, or CONNECT. Also every scheme that go does not know.
    Http,
    /// The same over TLS.
    Https,
    /// SOCKS5; the proxy looks names up.
    Socks5,
}

impl GoProxy {
    /// `httpproxy.parseProxy`: a value without scheme or host gets `http://` put before it. If even
    /// that cannot be parsed, go ignores the value and connects directly.
    ///
    /// # Errors
    /// Why go ignores it.
    pub fn parse(value: &str, release: GoRelease) -> Result<GoProxy, GoUrlError> {
        let url = GoUrl::parse(value, release);
        let is_complete = |url: &GoUrl| {
            if release.takes_any_proxy_scheme() {
                !url.scheme.is_empty() && !url.host.is_empty()
            } else {
                matches!(url.scheme.as_str(), "http" | "https" | "socks5")
            }
        };
        let complete = url.as_ref().is_ok_and(is_complete);
        if !complete {
            let whole = format!("http://{value}");
            if let Ok(url) = GoUrl::parse(&whole, release) {
                return Ok(GoProxy::of(url, &whole, true, release));
            }
        }
        Ok(GoProxy::of(url?, value, false, release))
    }

    fn of(url: GoUrl, value: &str, completed: bool, release: GoRelease) -> GoProxy {
        let (speech, usual) = match url.scheme.as_str() {
            "http" => (Speech::Http, 80),
            "https" => (Speech::Https, 443),
            "socks5" => (Speech::Socks5, 1080),
            "socks5h" if release.knows_socks5h() => (Speech::Socks5, 1080),
            // canonicalAddr knows no port for this scheme, and the dialler does not accept 0.
            _ => (Speech::Http, 0),
        };
        let port = match url.port() {
            "" => Some(usual),
            digits => digits.parse().ok(),
        };
        let host = String::from_utf8_lossy(url.hostname()).into_owned();
        let after = value.find("://").map_or(0, |at| at + 3);
        let behind = value.get(after..).and_then(|rest| {
            let end = rest.find(['/', '?', '#'])?;
            rest.get(end..)
        });
        GoProxy {
            speech,
            host,
            port,
            completed,
            hides_host: behind.is_some_and(|behind| behind.contains('@')) || !url.opaque.is_empty(),
            url,
        }
    }

    /// Returns what a user should know about the value: go reads it differently from what its
    /// writer meant. `None`: nothing to say. The text holds no credentials.
    pub fn remark(&self) -> Option<String> {
        let known = ["http", "https", "socks5", "socks5h"];
        if self.completed && known.contains(&self.host.as_str()) {
            return Some(format!(
                "go takes {:?} for the name of the proxy's host: a `/` is missing or too many",
                self.host
            ));
        }
        if self.host.is_empty() {
            return Some("it names no host, so go asks this machine itself".to_owned());
        }
        if self.port.is_none() {
            return Some("its port is invalid: the highest is 65535".to_owned());
        }
        if !known.contains(&self.url.scheme.as_str()) {
            return Some(format!(
                "go does not know the scheme {:?} and speaks HTTP to it{}",
                self.url.scheme,
                if self.port == Some(0) {
                    ", at port 0"
                } else {
                    ""
                }
            ));
        }
        if self.url.scheme == "socks5h" && self.speech == Speech::Http {
            return Some("this go does not know socks5h and speaks HTTP to it".to_owned());
        }
        if self.hides_host {
            return Some(
                "an `@` follows its host: write a `/`, `?` or `#` in a password as %2F, %3F or %23"
                    .to_owned(),
            );
        }
        if is_short_address(&self.host) {
            return Some(format!(
                "go does not take {} for an address, but for a name",
                self.host
            ));
        }
        None
    }
}

/// Shows `host:port`, unless the host may be part of a password.
impl fmt::Display for GoProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.hides_host {
            return f.write_str("of a value that cannot be shown");
        }
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        let usual = match self.url.scheme.as_str() {
            "http" => 80,
            "https" => 443,
            _ => 0,
        };
        match self.port {
            Some(port) if port == usual && usual > 0 => f.write_str(&host),
            Some(port) => write!(f, "{host}:{port}"),
            None => write!(f, "{host} at a port that is none"),
        }
    }
}

impl fmt::Debug for GoProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GoProxy({self})")
    }
}

/// The hosts that NO_PROXY exempts from the proxy.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Exceptions {
    /// Each entry with its port, if it names one.
    all: Vec<(Exception, Option<String>)>,
    keeps_addresses_apart: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Exception {
    Everything,
    Net(IpNet),
    /// The names below this one, and (if true) the name itself.
    Domain(String, bool),
}

impl Exceptions {
    /// `httpproxy.config.init`.
    pub fn parse(value: &str, release: GoRelease) -> Exceptions {
        let mut all = Vec::new();
        for entry in value.split(',') {
            let entry = entry.trim().to_lowercase();
            if entry == "*" {
                all = vec![(Exception::Everything, None)];
                break;
            }
            if let Some(net) = cidr(&entry) {
                all.push((Exception::Net(net), None));
                continue;
            }
            let (host, port) = split_host_port(&entry);
            // The brackets of "[::1]:80" have been removed here; those of "[::1]" are part of a
            // name.
            if let Ok(ip) = host.parse::<IpAddr>() {
                all.push((Exception::Net(ip.to_canonical().into()), port));
                continue;
            }
            // "*.corp.test" means ".corp.test": the names below the domain, not the domain itself.
            let below = host.strip_prefix("*.").or_else(|| host.strip_prefix('.'));
            if !host.is_empty() {
                let name = below.unwrap_or(host).to_owned();
                all.push((Exception::Domain(name, below.is_none()), port));
            }
        }
        Exceptions {
            all,
            keeps_addresses_apart: release.keeps_addresses_apart(),
        }
    }

    /// `httpproxy.config.useProxy`, inverted: reports whether a request to this host and port goes
    /// directly. `host` is a name in ASCII, or an address without brackets. Loopback always goes
    /// directly.
    pub fn takes_out(&self, host: &str, port: &str) -> bool {
        let apart = self.keeps_addresses_apart;
        let bare = host.split('%').next().filter(|_| apart).unwrap_or(host);
        let ip = bare.parse::<IpAddr>().ok().map(|ip| ip.to_canonical());
        if host == "localhost" || ip.is_some_and(|ip| ip.is_loopback()) {
            return true;
        }
        let name = host.trim().to_lowercase();
        let matches = |exception: &Exception| match exception {
            Exception::Everything => true,
            Exception::Net(net) => ip.is_some_and(|ip| net.contains(&ip)),
            Exception::Domain(domain, itself) => {
                let before = name.strip_suffix(domain.as_str());
                let before = before.filter(|_| !apart || ip.is_none());
                before.is_some_and(|before| before.ends_with('.') || *itself && before.is_empty())
            }
        };
        let same_port = |own: &Option<String>| own.as_deref().is_none_or(|own| own == port);
        let mut all = self.all.iter();
        all.any(|(exception, own)| same_port(own) && matches(exception))
    }
}

/// `net.ParseCIDR`; an IPv4 network that is written as IPv6 becomes an IPv4 network.
fn cidr(entry: &str) -> Option<IpNet> {
    let net: IpNet = entry.parse().ok()?;
    let IpNet::V6(six) = net else {
        return Some(net);
    };
    match six.addr().to_ipv4_mapped() {
        Some(ip) if six.prefix_len() >= 96 => {
            IpNet::new(IpAddr::V4(ip), six.prefix_len() - 96).ok()
        }
        Some(_) | None => Some(net),
    }
}

/// `net.SplitHostPort`; if that fails, the whole text is the host. An empty port means any port.
fn split_host_port(entry: &str) -> (&str, Option<String>) {
    let whole = (entry, None);
    let Some(colon) = entry.rfind(':') else {
        return whole;
    };
    let (host, port) = (&entry[..colon], &entry[colon + 1..]);
    let bracketed = host.strip_prefix('[').map(|rest| rest.strip_suffix(']'));
    let host = match bracketed {
        Some(Some(inner)) if !inner.contains(['[', ']']) => inner,
        Some(_) => return whole,
        None if host.contains([':', '[', ']']) => return whole,
        None => host,
    };
    if port.contains(['[', ']']) {
        return whole;
    }
    (host, Some(port.to_owned()).filter(|port| !port.is_empty()))
}

/// Reports whether `inet_aton` or a browser reads the text as an IPv4 address (`127.1`, `0x7f.1`,
/// `127.0.0.1.`) while go's resolver reads it as a name.
pub fn is_short_address(host: &str) -> bool {
    if host.parse::<Ipv4Addr>().is_ok() {
        return false;
    }
    let host = host.strip_suffix('.').unwrap_or(host);
    let parts: Vec<&str> = host.split('.').collect();
    parts.len() <= 4 && parts.iter().all(|part| is_number(part))
}

fn is_number(part: &str) -> bool {
    let hex = part.strip_prefix("0x").or_else(|| part.strip_prefix("0X"));
    match hex {
        Some(digits) => digits.bytes().all(|b| b.is_ascii_hexdigit()),
        None => !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> String {
        match GoProxy::parse(value, GoRelease::default()) {
            Ok(proxy) => format!("{:?} {proxy}", proxy.speech),
            Err(error) => format!("ignored: {error}"),
        }
    }

    #[test]
    fn a_value_is_completed_misread_or_passed_over_as_go_does() {
        for (value, expected) in [
            ("http://p.test:3128", "Http p.test:3128"),
            ("p.test:3128", "Http p.test:3128"),
            ("p.test", "Http p.test"),
            ("HTTPS://p.test", "Https p.test"),
            ("socks5://p.test", "Socks5 p.test:1080"),
            ("socks4://p.test:9", "Http p.test:9"),
            ("foo://p.test", "Http p.test:0"),
            ("http:/p.test", "Http http"),
            // Opaque: there is no host, so go connects to this machine at port 80.
            ("http:p.test:80", "Http of a value that"),
            ("http:///p.test", "Http http"),
            (" http://p.test", "ignored"),
            ("http://p.test\r", "ignored"),
            ("http://p.test:99999", "Http p.test at a port that is none"),
            ("http://joe:p%ss@p.test", "ignored"),
            // Completed to http://http://joe…: a host named http.
            ("http://joe:p^s@p.test", "Http of a value that"),
            ("http://joe:p@ss@p.test", "Http p.test"),
            ("http://joe:p#ss@p.test", "Http of a value that"),
            ("[::1]:80", "Http [::1]"),
            (":::", "ignored"),
            (":3128", "Http :3128"),
        ] {
            let said = read(value);
            assert!(said.starts_with(expected), "{value:?}: {said}");
        }
    }

    #[test]
    fn no_message_holds_a_piece_of_a_password() {
        for value in [
            "http://joe:s3cret@p.test",
            "http://joe:s3cret/x@p.test",
            "http://joe:12345/s3cret@p.test",
            "http://s3cret/x@p.test",
            "http://joe:s3cret#x@p.test",
            "http://joe:s3%cret@p.test",
            "s3cret:x@p.test:80",
            "joe:s3cret p@p.test",
        ] {
            let read = GoProxy::parse(value, GoRelease::default());
            let mut said = format!("{read:?}");
            if let Ok(proxy) = read {
                said.push_str(&format!(
                    "{proxy} {:?} {:?}",
                    proxy.url.user,
                    proxy.remark()
                ));
            }
            assert!(
                !said.contains("s3") && !said.contains("12345"),
                "{value}: {said}"
            );
        }
    }

    #[test]
    fn what_go_reads_otherwise_is_said() {
        for (value, word) in [
            ("http:/p.test", "name of the proxy's host"),
            ("foo://p.test", "at port 0"),
            ("socks4://p.test:9", "speaks HTTP"),
            ("http://p.test:99999", "65535"),
            (":3128", "no host"),
            ("http://127.1:3128", "for a name"),
            ("http://joe/s3@p.test", "%2F"),
        ] {
            let remark = GoProxy::parse(value, GoRelease::default())
                .unwrap()
                .remark();
            assert!(
                remark.as_deref().is_some_and(|said| said.contains(word)),
                "{value}: {remark:?}"
            );
        }
        for value in [
            "p.test:3128",
            "https://p.test",
            "socks5h://p.test",
            "http://10.0.0.1:1",
        ] {
            let remark = GoProxy::parse(value, GoRelease::default())
                .unwrap()
                .remark();
            assert_eq!(remark, None, "{value}");
        }
    }

    #[test]
    fn short_addresses_are_told_from_names_and_addresses() {
        for short in [
            "127.1",
            "0x7f.1",
            "2130706433",
            "127.0.0.01",
            "127.0.0.1.",
            "0x7F000001",
        ] {
            assert!(is_short_address(short), "{short}");
        }
        for other in ["127.0.0.1", "a.test", "1.2.3.4.5", "127.1.test", "::1", ""] {
            assert!(!is_short_address(other), "{other}");
        }
    }
}
