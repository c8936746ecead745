//! The steps of degradation: where modules come from under a profile.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};
use url::Url;

use super::chain::{Chain, HopKind};
use super::go_url;

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

    /// Where modules come from, in words, credentials removed: the first hop that counts.
    pub fn in_words(chain: &Chain, mirror: Option<&Path>) -> String {
        let Some(hop) = chain.hops.first() else {
            return "nowhere".to_owned();
        };
        let url = match &hop.kind {
            HopKind::Proxy(url) => {
                let host = Url::parse(url).ok();
                let host = host.as_ref().and_then(|url| url.host_str());
                return format!("module proxy {}", host.unwrap_or("(no host)"));
            }
            HopKind::Direct => return "version control".to_owned(),
            HopKind::Off => return "nowhere: anything not yet downloaded fails at once".to_owned(),
            HopKind::File(url) => url,
        };
        let is_mirror = mirror.is_some_and(|path| go_url::of_folder(path) == *url);
        let place = url.strip_prefix("file://").unwrap_or(url);
        if is_mirror {
            return match mirror {
                Some(path) => format!("the mirror {}", path.display()),
                None => "the mirror".to_owned(),
            };
        }
        if place.ends_with("/cache/download") {
            return "the module cache".to_owned();
        }
        format!("the folder {place}")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_in_words_and_without_passwords() {
        for (goproxy, words) in [
            (
                "https://me:secret@goproxy.corp.example/x,direct",
                "module proxy goproxy.corp.example",
            ),
            (
                "file:///home/me/m,file:///home/me/go/pkg/mod/cache/download,off",
                "the mirror /home/me/m",
            ),
            (
                "file:///home/me/go/pkg/mod/cache/download,off",
                "the module cache",
            ),
            ("file:///srv/modules,off", "the folder /srv/modules"),
            ("direct", "version control"),
            ("off", "nowhere: anything not yet downloaded fails at once"),
        ] {
            let chain = Chain::parse(goproxy).unwrap();
            assert_eq!(Tier::in_words(&chain, Some(Path::new("/home/me/m"))), words);
        }
    }
}
