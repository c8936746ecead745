//! One hop of the relay's chain, and what may be sent to it.

use std::fmt;
use std::time::Duration;

use url::Url;

use crate::model::chain::{HopKind, Separator};
use crate::model::host::is_same_server;
use crate::model::{Cause, RelayLimits};

/// A hop as the relay uses it. The order in the chain is the policy's; speed never changes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayHop {
    /// How messages name it: its host, without credentials, or `the mirror`.
    pub name: String,
    /// Where it leads; never `direct` or `off`, which end the chain ([`ChainEnd`]).
    pub kind: HopKind,
    /// Its operator.
    pub class: HopClass,
    /// A tree that goroam has added to the chain: the mirror, the module cache.
    pub is_own: bool,
    /// Private paths may be sent to it.
    pub sees_private: bool,
    /// What follows it in the chain.
    pub then: Option<Separator>,
    /// Its time limits.
    pub limits: HopLimits,
}

/// The operator of a hop. It decides what may be sent there and whether an outage moves on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HopClass {
    /// A directory on this machine: nothing leaves it.
    Local,
    /// Known to be public: a target without `private`, or a well-known public proxy.
    Public,
    /// A target with `private = true`.
    Private,
    /// Not known. Before a comma it may be there to keep paths from the next hop, so its outage
    /// never sends a path on.
    Gatekeeper,
}

impl fmt::Display for HopClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HopClass::Local => "local",
            HopClass::Public => "public",
            HopClass::Private => "private",
            HopClass::Gatekeeper => "unknown",
        })
    }
}

/// Time limits of one attempt at a hop, and how often it is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HopLimits {
    /// DNS, TCP and TLS together.
    pub connect: Duration,
    /// From the request to the first byte of the response, where another hop can answer instead.
    pub first_byte: Duration,
    /// The same where no other hop can, and for private hops: they fetch on demand.
    pub patience: Duration,
    /// Without a byte of the body.
    pub stall: Duration,
    /// Further attempts after a fast failure; a time-out is never repeated.
    pub retries: u32,
}

impl HopLimits {
    /// Uses the limits that the user has given. One for the first byte counts wherever the hop
    /// stands.
    pub fn with(self, given: RelayLimits) -> HopLimits {
        HopLimits {
            connect: given.connect.unwrap_or(self.connect),
            first_byte: given.first_byte.unwrap_or(self.first_byte),
            patience: given.first_byte.unwrap_or(self.patience),
            stall: given.stall.unwrap_or(self.stall),
            retries: given.retries.unwrap_or(self.retries),
        }
    }
}

impl Default for HopLimits {
    fn default() -> HopLimits {
        HopLimits {
            connect: Duration::from_secs(3),
            first_byte: Duration::from_secs(3),
            patience: Duration::from_secs(60),
            stall: Duration::from_secs(10),
            retries: 2,
        }
    }
}

/// The element that ends a chain: go itself walks it, the relay cannot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChainEnd {
    /// The list simply ends, or ends with `off`.
    Nothing,
    /// `direct`: version control, asked by go after a 404 of the relay.
    Direct,
}

/// Why a hop did not serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Its kind, which decides what follows.
    pub kind: FailureKind,
    /// For people, without the hop's name: `refuses the connection`.
    pub why: String,
    /// For programs; `None`: only goroam can say so, not the server.
    pub cause: Option<Cause>,
    /// When a busy server wants to be asked again.
    pub retry_after: Option<Duration>,
    /// It happened to an earlier request; the hop was not asked again.
    pub is_remembered: bool,
}

impl Failure {
    /// A failure of this request.
    pub fn new(kind: FailureKind, why: impl Into<String>) -> Failure {
        Failure {
            kind,
            why: why.into(),
            cause: None,
            retry_after: None,
            is_remembered: false,
        }
    }

    /// Sets the cause.
    pub fn by(self, cause: Cause) -> Failure {
        Failure {
            cause: Some(cause),
            ..self
        }
    }
}

/// The kinds of failure, in the order in which go gets them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailureKind {
    /// A hash contradicts what came.
    WrongContent,
    /// 401, 403, 407 and other 4xx: an answer, not an outage.
    Refused,
    /// A refused connection, a reset, 5xx, an early end, a page in place of the file, no trust.
    Fast,
    /// Silent for a whole time limit, or what another request would meet again: a login page, a
    /// certificate that is not trusted, a name that does not exist.
    Down,
    /// Not asked, because it failed shortly before.
    Open,
}

/// Public module proxies that anyone may use.
const WELL_KNOWN: [&str; 6] = [
    "proxy.golang.org",
    "goproxy.io",
    "goproxy.cn",
    "athens.azurefd.net",
    "mirrors.aliyun.com",
    "repo.huaweicloud.com",
];

/// Servers that must never see a private path, wherever a redirect leads: those of the hops that may
/// not see it, and the well-known ones.
pub fn kept_from_private(hops: &[RelayHop]) -> Vec<Url> {
    let server = |hop: &RelayHop| match &hop.kind {
        HopKind::Proxy(url) => Url::parse(url).ok(),
        HopKind::File(_) | HopKind::Direct | HopKind::Off => None,
    };
    let known = |host: &&str| Url::parse(&format!("https://{host}")).ok();
    let (private, public): (Vec<&RelayHop>, Vec<&RelayHop>) =
        hops.iter().partition(|hop| hop.may_see(true));
    // One server may have a private and a public tree.
    let is_private = |url: &Url| {
        let mut own = private.iter().filter_map(|hop| server(hop));
        own.any(|own| is_same_server(&own, url))
    };
    let public = public.into_iter().filter_map(server);
    let all = public.chain(WELL_KNOWN.iter().filter_map(known));
    all.filter(|url| !is_private(url)).collect()
}

/// Is this host a well-known public module proxy?
pub fn is_well_known(host: &str) -> bool {
    let host = host.trim_end_matches('.');
    WELL_KNOWN
        .iter()
        .any(|known| known.eq_ignore_ascii_case(host))
}

impl RelayHop {
    /// May a path be sent to this hop?
    pub fn may_see(&self, is_private: bool) -> bool {
        self.sees_private || !is_private
    }

    /// Does its 404 mean that there is no such module, rather than that it has no copy?
    pub fn is_authoritative(&self) -> bool {
        self.class != HopClass::Local
    }

    /// May the next hop be asked after an outage of this one? After `|` always, as go does; after
    /// `,` only where the hop is known to guard nothing.
    pub fn outage_moves_on(&self) -> bool {
        self.then == Some(Separator::Pipe)
            || matches!(self.class, HopClass::Public | HopClass::Local)
    }
}
