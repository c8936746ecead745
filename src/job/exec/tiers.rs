//! The steps: which environment each one gives to the command. Pure: facts in, value out.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::model::file_url;
use crate::model::{Chain, HopKind, Tier};
use crate::policy::without_mod;

/// What go's variables were when `goroam exec` started, and where the command runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frozen {
    /// What `go env` said of each of [`NAMES`].
    pub values: BTreeMap<String, String>,
    /// The folder of the module in which the command runs.
    pub module: Option<PathBuf>,
    /// The folder of the workspace in which it runs.
    pub workspace: Option<PathBuf>,
    /// The go command's version: major and minor.
    pub version: (u32, u32),
}

/// What lies on this machine that a step could use.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Around {
    /// The mirror's folder, if it is there.
    pub mirror: Option<PathBuf>,
    /// `$GOMODCACHE/cache/download`, if it is there.
    pub cache: Option<PathBuf>,
    /// The module's own folder has a `vendor/modules.txt`.
    pub vendored_module: bool,
    /// The workspace's folder has one.
    pub vendored_workspace: bool,
}

/// One step, ready to be taken; or why it cannot be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TierPlan {
    /// Which step.
    pub tier: Tier,
    /// The variables to set over the command's own environment, [`TIER`] among them; or, in a
    /// user's words, why there is no such step here.
    pub how: Result<Vec<(String, String)>, String>,
}

/// Says the active step to the command.
pub const TIER: &str = "GOROAM_TIER";

/// go's variables that decide where modules come from and how they are checked. GOAUTH is
/// known since 1.24, GOTOOLCHAIN since 1.21; older ones say that they are empty.
pub const NAMES: [&str; 11] = [
    "GOPROXY",
    "GONOPROXY",
    "GOPRIVATE",
    "GOSUMDB",
    "GONOSUMDB",
    "GOINSECURE",
    "GOVCS",
    "GOAUTH",
    "GOFLAGS",
    "GOTOOLCHAIN",
    "GOMODCACHE",
];

/// Lists of patterns. An empty variable of the OS environment counts as unset, so the empty
/// list is pinned by a pattern that matches no module.
const PATTERNS: [&str; 4] = ["GONOPROXY", "GOPRIVATE", "GONOSUMDB", "GOINSECURE"];

/// The steps that are wanted, in that order, each with its environment.
///
/// Every step pins what `go env` says into the OS environment, so that a switch of the agent in
/// the middle of a build does not mix two networks' settings. No step weakens a check: GOSUMDB
/// is never `off` unless it was before, and GONOSUMDB and GOFLAGS lose nothing but `-mod=`.
/// What the command sets by itself (`env GOPROXY=… go build`) wins, and cannot be helped.
pub fn plan(frozen: &Frozen, around: &Around, wanted: &[Tier]) -> Vec<TierPlan> {
    wanted
        .iter()
        .map(|tier| {
            let changed = match tier {
                Tier::Mirror => mirror(frozen, around),
                Tier::Vendor => vendor(frozen, around),
                Tier::Proxy | Tier::Direct | Tier::Off => Ok(Vec::new()),
            };
            TierPlan {
                tier: *tier,
                how: changed.map(|changed| pinned(frozen, *tier, changed)),
            }
        })
        .collect()
}

/// The elements of a GOPROXY as go reads them: what stands behind `direct` or `off` is not there.
/// Empty when go would refuse the list.
pub fn elements(goproxy: &str) -> Vec<String> {
    let Ok(chain) = Chain::parse(goproxy) else {
        return Vec::new();
    };
    chain
        .hops
        .into_iter()
        .map(|hop| match hop.kind {
            HopKind::Proxy(url) | HopKind::File(url) => url,
            HopKind::Direct => "direct".to_owned(),
            HopKind::Off => "off".to_owned(),
        })
        .collect()
}

/// The frozen values, with what the step changes in them.
fn pinned(frozen: &Frozen, tier: Tier, changed: Vec<(&str, String)>) -> Vec<(String, String)> {
    let mut all: BTreeMap<&str, String> = BTreeMap::new();
    for (name, value) in &frozen.values {
        if !value.is_empty() {
            all.insert(name, value.clone());
        } else if PATTERNS.contains(&name.as_str()) {
            all.insert(name, "none".to_owned());
        }
    }
    all.extend(changed);
    all.insert(TIER, tier.as_str().to_owned());
    all.into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn mirror(frozen: &Frozen, around: &Around) -> Result<Vec<(&'static str, String)>, String> {
    let mut goproxy = String::new();
    for tree in [&around.mirror, &around.cache].into_iter().flatten() {
        let path = tree
            .to_str()
            .ok_or_else(|| format!("{} cannot be written as a URL", tree.display()))?;
        goproxy.push_str("file://");
        goproxy.push_str(&file_url::path(path));
        goproxy.push(',');
    }
    if goproxy.is_empty() {
        return Err(
            "there is no mirror and no module cache; goroam mirror add --from . makes one"
                .to_owned(),
        );
    }
    let mut set = vec![
        ("GOPROXY", goproxy + "off"),
        // What GONOPROXY names would go past the mirror, to the network.
        ("GONOPROXY", "none".to_owned()),
    ];
    if let Some(sumdb) = without_url(frozen.get("GOSUMDB")) {
        set.push(("GOSUMDB", sumdb));
    }
    Ok(set)
}

/// GOSUMDB without its URL: with one, go never asks the mirror for the checksum database
/// (modfetch/sumdb.go:dbDial).
fn without_url(gosumdb: &str) -> Option<String> {
    match gosumdb.split_whitespace().next()? {
        "sum.golang.google.cn" => Some("sum.golang.org".to_owned()),
        key => Some(key.to_owned()),
    }
}

fn vendor(frozen: &Frozen, around: &Around) -> Result<Vec<(&'static str, String)>, String> {
    if frozen.workspace.is_some() {
        if !around.vendored_workspace {
            return Err(
                "the workspace has no vendor/modules.txt; go work vendor makes it".to_owned(),
            );
        }
        // Release notes of Go 1.22.
        if frozen.version < (1, 22) {
            return Err("go before 1.22 cannot use the vendor folder of a workspace".to_owned());
        }
    } else if frozen.module.is_none() {
        return Err("the command runs in no module".to_owned());
    } else if !around.vendored_module {
        return Err("the module has no vendor/modules.txt; go mod vendor makes it".to_owned());
    }
    let mut goflags = without_mod(frozen.get("GOFLAGS"))
        .map_err(|()| "GOFLAGS holds a quote that is not closed".to_owned())?;
    if !goflags.is_empty() {
        goflags.push(' ');
    }
    goflags.push_str("-mod=vendor");
    Ok(vec![
        ("GOPROXY", "off".to_owned()),
        ("GONOPROXY", "none".to_owned()),
        ("GOFLAGS", goflags),
    ])
}

impl Frozen {
    /// A frozen value; empty when it is not known.
    pub fn get(&self, name: &str) -> &str {
        self.values.get(name).map_or("", String::as_str)
    }
}
