//! The relay's chain: the hops of a GOPROXY value, the operator of each, and which paths are
//! private.

use std::fmt;

use url::Url;

use super::hop::{ChainEnd, HopClass, HopLimits, RelayHop, is_well_known};
use crate::model::chain::{Chain, HopKind, Separator};
use crate::model::pattern::Patterns;
use crate::model::{RelayLimits, Target};

/// How GOPROXY names the relay: it decides what a relay that is gone costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormKind {
    /// `R|CHAIN`: every hop is public. Without the relay go walks the chain itself.
    Open,
    /// `R,direct`: without the relay go stops.
    Guarded,
    /// `R|file:///mirror,off`: without the relay go uses the mirror, and nothing leaks.
    Gatekeeper,
}

impl fmt::Display for FormKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FormKind::Open => "open",
            FormKind::Guarded => "guarded",
            FormKind::Gatekeeper => "gatekeeper",
        })
    }
}

/// A GOPROXY value with the relay in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayForm {
    /// Which form.
    pub kind: FormKind,
    /// The value.
    pub goproxy: String,
}

/// What a policy says about proxies: base URLs, as in GOPROXY.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownProxies {
    /// Targets without `private`.
    pub public: Vec<String>,
    /// Targets with `private = true`.
    pub private: Vec<String>,
    /// The limits of single targets.
    pub limits: Vec<(String, RelayLimits)>,
}

/// A chain as the relay walks it.
#[derive(Debug, Clone)]
pub struct RelayChain {
    /// The hops, in order.
    pub hops: Vec<RelayHop>,
    /// What follows the last hop.
    pub end: ChainEnd,
    /// GOPRIVATE, or GONOPROXY: paths that only private hops may see.
    pub private: Patterns,
    /// The limits of a hop without its own.
    pub limits: HopLimits,
}

impl KnownProxies {
    /// The targets of a policy that speak the module proxy protocol.
    pub fn of<'a>(targets: impl IntoIterator<Item = &'a Target>) -> KnownProxies {
        let mut known = KnownProxies::default();
        for target in targets {
            let list = match target.private {
                true => &mut known.private,
                false => &mut known.public,
            };
            list.extend(target.goproxy_url().map(str::to_owned));
            if let Some(url) = target.goproxy_url()
                && target.relay != RelayLimits::default()
            {
                known.limits.push((url.to_owned(), target.relay));
            }
        }
        known
    }

    /// Lets the limits of a command line count before those of the targets.
    pub fn with_limits(mut self, given: RelayLimits) -> KnownProxies {
        for (_, own) in &mut self.limits {
            *own = given.or(*own);
        }
        self
    }

    fn limits_of(&self, url: &str) -> RelayLimits {
        let is_it = |(one, _): &&(String, RelayLimits)| bare(one) == bare(url);
        let own = self.limits.iter().find(is_it);
        own.map_or_else(RelayLimits::default, |(_, limits)| *limits)
    }
}

impl RelayChain {
    /// Reads a GOPROXY value that has been parsed.
    pub fn new(
        chain: &Chain,
        known: &KnownProxies,
        private: Patterns,
        limits: HopLimits,
    ) -> RelayChain {
        let is_listed = |list: &[String], url: &str| {
            let same = |one: &String| bare(one) == bare(url);
            list.iter().any(same)
        };
        let mut hops = Vec::new();
        let mut end = ChainEnd::Nothing;
        for hop in &chain.hops {
            let mut own = limits;
            let (name, class) = match &hop.kind {
                HopKind::Direct => {
                    end = ChainEnd::Direct;
                    continue;
                }
                HopKind::Off => continue,
                HopKind::File(url) => (
                    url.strip_prefix("file://").unwrap_or(url).to_owned(),
                    HopClass::Local,
                ),
                HopKind::Proxy(url) => {
                    own = limits.with(known.limits_of(url));
                    let name = name_of(url);
                    let host = name
                        .rsplit_once(':')
                        .map_or(name.as_str(), |(host, _)| host);
                    let class = if is_listed(&known.private, url) {
                        HopClass::Private
                    } else if is_listed(&known.public, url) || is_well_known(host) {
                        HopClass::Public
                    } else {
                        HopClass::Gatekeeper
                    };
                    (name, class)
                }
            };
            hops.push(RelayHop {
                name,
                kind: hop.kind.clone(),
                class,
                is_own: false,
                sees_private: matches!(class, HopClass::Local | HopClass::Private),
                then: hop.then,
                limits: own,
            });
        }
        // Without a policy that names the private ones, a proxy that is not known to be public may
        // be the company's: go sends it private paths too, once GONOPROXY lets it.
        if !hops.iter().any(|hop| hop.class == HopClass::Private) {
            for hop in &mut hops {
                hop.sees_private |= hop.class == HopClass::Gatekeeper;
            }
        }
        RelayChain {
            hops,
            end,
            private,
            limits,
        }
    }

    /// The numbers of the hops with this base URL.
    pub fn at(&self, url: &str) -> Vec<usize> {
        let is_it = |hop: &RelayHop| match &hop.kind {
            HopKind::Proxy(own) => bare(own) == bare(url),
            HopKind::File(_) | HopKind::Direct | HopKind::Off => false,
        };
        let hops = self.hops.iter().enumerate();
        hops.filter_map(|(number, hop)| is_it(hop).then_some(number))
            .collect()
    }

    /// The GOPROXY that goes through the relay at `url`; `None` if there is no proxy to relay.
    /// `goproxy` is the chain's own value, `mirror` a `file://` URL.
    pub fn form(&self, url: &str, goproxy: &str, mirror: Option<&str>) -> Option<RelayForm> {
        let is_remote = |hop: &RelayHop| hop.class != HopClass::Local;
        if !self.hops.iter().any(is_remote) {
            return None;
        }
        let is_open = |hop: &RelayHop| matches!(hop.class, HopClass::Public | HopClass::Local);
        let (kind, goproxy) = if self.hops.iter().all(is_open) {
            (FormKind::Open, format!("{url}|{goproxy}"))
        } else if self.end == ChainEnd::Direct {
            (FormKind::Guarded, format!("{url},direct"))
        } else {
            let mirror = mirror.map_or_else(String::new, |mirror| format!("{mirror},"));
            (FormKind::Gatekeeper, format!("{url}|{mirror}off"))
        };
        Some(RelayForm { kind, goproxy })
    }

    /// Adds a tree of this machine, at the beginning or at the end: its name and its `file://` URL.
    pub fn add_own(&mut self, at_the_end: bool, name: &str, url: String, limits: HopLimits) {
        let own = self.hops.iter().take_while(|hop| hop.is_own).count();
        let place = if at_the_end { self.hops.len() } else { own };
        let hop = RelayHop {
            name: name.to_owned(),
            kind: HopKind::File(url),
            class: HopClass::Local,
            is_own: true,
            sees_private: true,
            then: Some(Separator::Pipe),
            limits,
        };
        self.hops.insert(place, hop);
    }

    /// Reports whether only private hops may see this module path.
    pub fn is_private(&self, module: &str) -> bool {
        self.private.matches(module)
    }

    /// Returns the hops of a checksum database's requests: those of the chain, then the database's
    /// own server, which go itself would ask last.
    pub fn with_database(&self, name: &str) -> Vec<RelayHop> {
        let mut hops = self.hops.clone();
        if let Some(last) = hops.last_mut() {
            last.then = last.then.or(Some(Separator::Comma));
        }
        hops.push(RelayHop {
            name: name.to_owned(),
            kind: HopKind::Proxy(format!("https://{name}")),
            class: HopClass::Public,
            is_own: false,
            sees_private: false,
            then: None,
            limits: self.limits,
        });
        hops
    }
}

/// `host`, or `host:port` if the URL has a port.
fn name_of(url: &str) -> String {
    let url = Url::parse(url).ok();
    let host = url.as_ref().and_then(Url::host_str).unwrap_or("(no host)");
    match url.as_ref().and_then(Url::port) {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// A base URL without what does not change where it leads.
fn bare(url: &str) -> Option<Url> {
    let mut url = Url::parse(url.trim_end_matches('/')).ok()?;
    // Both fail only for URLs that cannot have userinfo.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    Some(url)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_hop_is_what_the_policy_says_else_a_gatekeeper() {
        let value = "https://me:pw@goproxy.corp.example/go/,https://athens.corp.example|\
                     https://proxy.golang.org,https://mirror.example:8443|file:///srv/m,direct";
        let known = KnownProxies {
            public: vec!["https://mirror.example:8443/".to_owned()],
            private: vec!["https://goproxy.corp.example/go".to_owned()],
            ..KnownProxies::default()
        };
        let chain = RelayChain::new(
            &Chain::parse(value).unwrap(),
            &known,
            Patterns::parse("corp.example"),
            HopLimits::default(),
        );
        let hops: Vec<_> = chain
            .hops
            .iter()
            .map(|hop| (hop.name.as_str(), hop.class, hop.then))
            .collect();
        let (comma, pipe) = (Some(Separator::Comma), Some(Separator::Pipe));
        assert_eq!(
            hops,
            [
                ("goproxy.corp.example", HopClass::Private, comma),
                ("athens.corp.example", HopClass::Gatekeeper, pipe),
                ("proxy.golang.org", HopClass::Public, comma),
                ("mirror.example:8443", HopClass::Public, pipe),
                ("/srv/m", HopClass::Local, comma),
            ]
        );
        assert_eq!(chain.end, ChainEnd::Direct);
        assert!(chain.is_private("corp.example/x") && !chain.is_private("rsc.io/quote"));
        let database = chain.with_database("sum.golang.org");
        assert_eq!(database.len(), 6);
        assert_eq!(database[4].then, comma);
    }

    #[test]
    fn a_target_has_its_own_limits_and_a_command_line_counts_before_them() {
        let slow = Duration::from_secs(20);
        let own = RelayLimits {
            first_byte: Some(slow),
            retries: Some(0),
            ..RelayLimits::default()
        };
        let known = KnownProxies {
            limits: vec![("https://corp.example/go".to_owned(), own)],
            ..KnownProxies::default()
        };
        let limits = |known: &KnownProxies, given: RelayLimits| {
            let value = "https://me:pw@corp.example/go/,https://proxy.golang.org";
            let chain = Chain::parse(value).unwrap();
            let limits = HopLimits::default().with(given);
            let chain = RelayChain::new(&chain, known, Patterns::parse(""), limits);
            let hops = chain.with_database("sum.golang.org");
            hops.iter().map(|hop| hop.limits).collect::<Vec<_>>()
        };
        let usual = HopLimits::default();
        let expected = HopLimits {
            first_byte: slow,
            patience: slow,
            retries: 0,
            ..usual
        };
        let none = RelayLimits::default();
        assert_eq!(limits(&known, none), [expected, usual, usual]);
        let given = RelayLimits {
            retries: Some(1),
            stall: Some(slow),
            ..none
        };
        let expected = HopLimits {
            retries: 1,
            stall: slow,
            ..expected
        };
        let rest = usual.with(given);
        let known = known.with_limits(given);
        assert_eq!(limits(&known, given), [expected, rest, rest]);
    }

    #[test]
    fn the_form_depends_on_the_operators_of_the_hops() {
        let known = KnownProxies {
            public: Vec::new(),
            private: vec!["https://corp.example".to_owned()],
            ..KnownProxies::default()
        };
        let form = |value: &str, mirror| {
            let chain = Chain::parse(value).unwrap();
            let limits = HopLimits::default();
            let chain = RelayChain::new(&chain, &known, Patterns::parse(""), limits);
            chain.form("R", value, mirror).map(|form| form.goproxy)
        };
        for (value, mirror, expected) in [
            (
                "https://proxy.golang.org,direct",
                None,
                Some("R|https://proxy.golang.org,direct"),
            ),
            (
                "https://corp.example,https://proxy.golang.org",
                Some("file:///m"),
                Some("R|file:///m,off"),
            ),
            ("https://corp.example", None, Some("R|off")),
            (
                "https://corp.example,direct",
                Some("file:///m"),
                Some("R,direct"),
            ),
            ("https://unknown.example|direct", None, Some("R,direct")),
            ("off", None, None),
            ("direct", None, None),
            ("file:///m,off", None, None),
        ] {
            assert_eq!(form(value, mirror).as_deref(), expected, "{value}");
        }
    }
}
