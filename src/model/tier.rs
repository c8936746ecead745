//! The steps of degradation: where modules come from under a profile.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::chain::Chain;
use super::hop::HopKind;

/// Where modules come from, best first. The derived order is the order of degradation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// A module proxy on the network.
    Proxy,
    /// Version control, without a proxy.
    Direct,
    /// A local `file://` tree: a mirror or the module cache.
    Mirror,
    /// The project's own vendor folder: only a step of `goroam exec`, no chain has it.
    Vendor,
    /// Nothing: `GOPROXY=off`; only what is vendored or cached builds.
    Off,
}

impl Tier {
    /// The tier of a chain: that of its first hop.
    pub fn of(chain: &Chain) -> Tier {
        match chain.hops.first().map(|hop| &hop.kind) {
            Some(HopKind::Proxy(_)) => Tier::Proxy,
            Some(HopKind::File(_)) => Tier::Mirror,
            Some(HopKind::Direct) => Tier::Direct,
            Some(HopKind::Off) | None => Tier::Off,
        }
    }

    /// The word that stands for the tier in what goroam prints.
    pub fn as_str(self) -> &'static str {
        match self {
            Tier::Proxy => "proxy",
            Tier::Direct => "direct",
            Tier::Mirror => "mirror",
            Tier::Vendor => "vendor",
            Tier::Off => "off",
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
