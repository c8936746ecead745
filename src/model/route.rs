//! Routes and policy-routing rules.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// What the kernel does with a packet that matches the route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RouteKind {
    /// Sends it on.
    Unicast,
    /// Drops it without a word.
    Blackhole,
    /// Answers "no route to host".
    Unreachable,
    /// Answers "administratively prohibited".
    Prohibit,
    /// Goes on with the next table.
    Throw,
}

impl RouteKind {
    /// The kernel's word for what it does instead of sending the packet on; `None` for
    /// [`RouteKind::Unicast`].
    pub fn as_str(self) -> Option<&'static str> {
        match self {
            RouteKind::Unicast => None,
            RouteKind::Blackhole => Some("blackhole"),
            RouteKind::Unreachable => Some("unreachable"),
            RouteKind::Prohibit => Some("prohibit"),
            RouteKind::Throw => Some("throw"),
        }
    }
}

/// One route of the kernel's tables, IPv4 or IPv6.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Route {
    /// Where it leads; `0.0.0.0/0` and `::/0` are the default routes.
    pub destination: IpNet,
    /// Lower wins within one destination.
    pub metric: u32,
    /// The next hop; `None` on point-to-point links.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<IpAddr>,
    /// The link's index; 0 for routes that lead nowhere (blackhole and its kin).
    pub link: u32,
    /// The routing table; 254 is Linux' main table, 0 where the system has only one.
    pub table: u32,
    /// What happens to the packet.
    pub kind: RouteKind,
}

/// Linux' main routing table (`RT_TABLE_MAIN`).
pub const TABLE_MAIN: u32 = 254;

impl Route {
    /// Leads everywhere: `0.0.0.0/0` or `::/0`.
    pub fn is_default(&self) -> bool {
        self.destination.prefix_len() == 0
    }

    /// For IPv6.
    pub fn is_v6(&self) -> bool {
        matches!(self.destination, IpNet::V6(_))
    }

    /// A unicast default route of the main (or only) table.
    pub fn is_main_default(&self) -> bool {
        self.is_default() && self.kind == RouteKind::Unicast && self.is_in_main_table()
    }

    /// In the table that is used unless a rule says otherwise.
    pub fn is_in_main_table(&self) -> bool {
        self.table == TABLE_MAIN || self.table == 0
    }
}

/// One policy-routing rule (`ip rule`), kept as the kernel's own words: goroam only needs
/// to know that the set has changed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Rule {
    /// Lower is looked at first.
    pub priority: u32,
    /// For IPv6.
    pub v6: bool,
    /// The table it leads to.
    pub table: u32,
    /// Selector and action, in a stable spelling.
    pub text: String,
}
