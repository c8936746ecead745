//! The steps, and the environment that each one gives to the command. Pure: facts in, value out.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::model::go_url;
use crate::model::{Chain, HopKind, Tier};
use crate::policy::without_mod;

/// go's variables when `goroam exec` started, and where the command runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FrozenSettings {
    /// The output of `go env` for each of [`NAMES`].
    pub values: BTreeMap<String, String>,
    /// The directory of the module in which the command runs.
    pub module: Option<PathBuf>,
    /// The directory of the workspace in which it runs.
    pub workspace: Option<PathBuf>,
    /// The go command's version: major and minor.
    pub version: (u32, u32),
}

/// What this machine has that a step could use.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LocalSources {
    /// The mirror's directory, if it exists.
    pub mirror: Option<PathBuf>,
    /// `$GOMODCACHE/cache/download`, if it exists.
    pub cache: Option<PathBuf>,
    /// The module's own directory has a `vendor/modules.txt`.
    pub vendored_module: bool,
    /// The workspace's directory has one.
    pub vendored_workspace: bool,
}

/// One step that can be taken, or the reason why it cannot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TierPlan {
    /// Which step.
    pub tier: Tier,
    /// The relay serves this step and those that follow it in its group.
    pub is_relayed: bool,
    /// The variables to set over the command's own environment, including [`TIER`]; or, in a user's
    /// words, why this step is not available here.
    pub how: Result<Vec<(String, String)>, String>,
}

/// The variable that shows the active step to the command.
pub const TIER: &str = "GOROAM_TIER";

/// go's variables that decide where modules come from and how they are checked. GOAUTH is known
/// since 1.24, GOTOOLCHAIN since 1.21; older versions of go report them as empty.
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

/// Lists of patterns. An empty variable of the OS environment counts as unset, so an empty list is
/// set to a pattern that matches no module.
const PATTERNS: [&str; 4] = ["GONOPROXY", "GOPRIVATE", "GONOSUMDB", "GOINSECURE"];

/// Returns the requested steps, in that order, each with its environment. `relay`: the variables
/// that make go ask the relay, which serves several steps as one.
///
/// Every step puts the values of `go env` into the OS environment, so that a switch of the agent in
/// the middle of a build does not mix two networks' settings. No step weakens a check: GOSUMDB is
/// `off` only if it was before, and GONOSUMDB and GOFLAGS lose nothing but `-mod=`. Variables that
/// the command itself sets (`env GOPROXY=… go build`) take precedence; goroam cannot prevent that.
pub fn plan(
    frozen: &FrozenSettings,
    around: &LocalSources,
    wanted: &[Tier],
    relay: Option<&[(&'static str, String)]>,
) -> Vec<TierPlan> {
    let together = relay.map_or(&[][..], |_| relayed(wanted));
    let step = |tier: &Tier| {
        let own = match tier {
            Tier::Mirror => mirror(frozen, around),
            Tier::Vendor => vendor(frozen, around),
            Tier::Proxy | Tier::Direct | Tier::Cache | Tier::Off => Ok(Vec::new()),
        };
        let is_relayed = together.first() == Some(tier);
        let how = match (relay, own) {
            (Some(relay), _) if is_relayed => Ok(relay.to_vec()),
            // The relay's step is this one, too, unless this one is not possible.
            (_, Ok(_)) if together.contains(tier) => return None,
            (_, own) => own,
        };
        Some(TierPlan {
            tier: *tier,
            is_relayed,
            how: how.map(|changed| pinned(frozen, *tier, changed)),
        })
    };
    wanted.iter().filter_map(step).collect()
}

/// Returns the steps that one relay can serve: the proxies, and the mirror before or after them.
pub fn relayed(wanted: &[Tier]) -> &[Tier] {
    let mut groups = wanted.split(|tier| *tier == Tier::Vendor);
    let group = groups.find(|group| group.contains(&Tier::Proxy));
    group.unwrap_or_default()
}

/// Returns the elements of a GOPROXY as go reads them: elements after `direct` or `off` are
/// ignored. Empty if go would refuse the list.
pub fn elements(goproxy: &str) -> Vec<String> {
    let hops = Chain::parse(goproxy).map(|chain| chain.hops);
    let element = |kind| match kind {
        HopKind::Proxy(url) | HopKind::File(url) => url,
        HopKind::Direct => "direct".to_owned(),
        HopKind::Off => "off".to_owned(),
    };
    let hops = hops.unwrap_or_default().into_iter();
    hops.map(|hop| element(hop.kind)).collect()
}

/// Returns the URL of the checksum database that GOSUMDB names, which go uses if no proxy has it
/// (modfetch/sumdb.go:dbDial).
pub fn database(gosumdb: &str) -> Option<String> {
    let mut words = gosumdb.split_whitespace();
    let name = words.next()?.split('+').next()?;
    if name == "off" {
        return None;
    }
    let url = words.next().map(str::to_owned);
    Some(url.unwrap_or_else(|| format!("https://{name}")))
}

/// What a step changes; or, in a user's words, why this step is not available here.
type Changed = Result<Vec<(&'static str, String)>, String>;

/// Returns the frozen values, with the step's changes.
fn pinned(
    frozen: &FrozenSettings,
    tier: Tier,
    changed: Vec<(&str, String)>,
) -> Vec<(String, String)> {
    let mut all: BTreeMap<&str, String> = BTreeMap::new();
    for (name, value) in &frozen.values {
        if !value.is_empty() {
            all.insert(name, value.clone());
        } else if PATTERNS.contains(&name.as_str()) {
            all.insert(name, "none".to_owned());
        }
    }
    all.extend(changed);
    all.insert(TIER, tier.to_string());
    let all = all
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value));
    all.collect()
}

fn mirror(frozen: &FrozenSettings, around: &LocalSources) -> Changed {
    let mut goproxy = String::new();
    for tree in [&around.mirror, &around.cache].into_iter().flatten() {
        let path = tree.to_str();
        let path = path.ok_or_else(|| format!("{} cannot be written as a URL", tree.display()))?;
        goproxy.push_str(&format!("file://{},", go_url::path(path)));
    }
    if goproxy.is_empty() {
        return Err(
            "there is no mirror and no module cache; goroam mirror add --from . makes one"
                .to_owned(),
        );
    }
    let mut set = vec![
        ("GOPROXY", goproxy + "off"),
        // go would fetch modules that GONOPROXY names from the network, not from the mirror.
        ("GONOPROXY", "none".to_owned()),
    ];
    if let Some(sumdb) = without_url(frozen.get("GOSUMDB")) {
        set.push(("GOSUMDB", sumdb));
    }
    Ok(set)
}

/// Returns GOSUMDB without its URL: with a URL, go never asks the mirror for the checksum database
/// (modfetch/sumdb.go:dbDial).
fn without_url(gosumdb: &str) -> Option<String> {
    match gosumdb.split_whitespace().next()? {
        "sum.golang.google.cn" => Some("sum.golang.org".to_owned()),
        key => Some(key.to_owned()),
    }
}

fn vendor(frozen: &FrozenSettings, around: &LocalSources) -> Changed {
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
        .ok_or_else(|| "GOFLAGS holds a quote that is not closed".to_owned())?;
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

impl FrozenSettings {
    /// Returns a frozen value; empty if it is not known.
    pub fn get(&self, name: &str) -> &str {
        self.values.get(name).map_or("", String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Tier; 3] = [Tier::Proxy, Tier::Mirror, Tier::Vendor];

    fn frozen(values: &[(&str, &str)]) -> FrozenSettings {
        let mut frozen = FrozenSettings {
            module: Some("/src/w".into()),
            version: (1, 27),
            ..FrozenSettings::default()
        };
        for (name, value) in values {
            frozen
                .values
                .insert((*name).to_owned(), (*value).to_owned());
        }
        frozen
    }

    fn around() -> LocalSources {
        LocalSources {
            mirror: Some("/srv/a mirror,1".into()),
            cache: Some("/go/pkg/mod/cache/download".into()),
            vendored_module: true,
            vendored_workspace: false,
        }
    }

    fn value(plan: &TierPlan, name: &str) -> Option<String> {
        let vars = plan.how.as_ref().expect("a step");
        let found = vars.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value.clone())
    }

    #[test]
    fn the_proxy_step_is_what_go_env_says_and_nothing_else() {
        let frozen = frozen(&[
            ("GOPROXY", "https://p|direct"),
            ("GOSUMDB", "sum.golang.google.cn"),
            ("GOFLAGS", "-mod=mod"),
            ("GONOPROXY", ""),
            ("GOPRIVATE", "corp.example"),
            ("GOVCS", ""),
        ]);
        let plans = plan(&frozen, &around(), &[Tier::Proxy], None);
        let said = plans[0].how.clone().expect("a step");
        let want = [
            ("GOFLAGS", "-mod=mod"),
            // Otherwise a GOPRIVATE that is written in the meantime would become its default.
            ("GONOPROXY", "none"),
            ("GOPRIVATE", "corp.example"),
            ("GOPROXY", "https://p|direct"),
            ("GOROAM_TIER", "proxy"),
            ("GOSUMDB", "sum.golang.google.cn"),
        ];
        assert_eq!(said, want.map(|(n, v)| (n.to_owned(), v.to_owned())));
    }

    #[test]
    fn the_mirror_step_reads_files_only_and_keeps_the_checksum_database() {
        for (gosumdb, want) in [
            ("sum.golang.org", "sum.golang.org"),
            ("sum.golang.google.cn", "sum.golang.org"),
            ("sum.golang.org https://sum.example", "sum.golang.org"),
            (
                "x.test+033de0ae+Ac4z https://x.test",
                "x.test+033de0ae+Ac4z",
            ),
            ("off", "off"),
        ] {
            let frozen = frozen(&[
                ("GOSUMDB", gosumdb),
                ("GOFLAGS", "-mod=mod -modcacherw"),
                ("GONOSUMDB", "corp.example"),
            ]);
            let plans = plan(&frozen, &around(), &[Tier::Mirror], None);
            assert_eq!(value(&plans[0], "GOSUMDB").as_deref(), Some(want));
            assert_eq!(
                value(&plans[0], "GOFLAGS").as_deref(),
                Some("-mod=mod -modcacherw")
            );
            assert_eq!(
                value(&plans[0], "GONOSUMDB").as_deref(),
                Some("corp.example")
            );
            assert_eq!(value(&plans[0], "GONOPROXY").as_deref(), Some("none"));
            assert_eq!(
                value(&plans[0], "GOPROXY").as_deref(),
                Some("file:///srv/a mirror%2C1,file:///go/pkg/mod/cache/download,off")
            );
        }
        let mut bare = around();
        bare.mirror = None;
        let plans = plan(&frozen(&[]), &bare, &[Tier::Mirror], None);
        assert_eq!(
            value(&plans[0], "GOPROXY").as_deref(),
            Some("file:///go/pkg/mod/cache/download,off")
        );
        bare.cache = None;
        let plans = plan(&frozen(&[]), &bare, &[Tier::Mirror], None);
        let why = plans[0].how.as_ref().expect_err("no step");
        assert!(why.contains("goroam mirror add"), "{why}");
    }

    #[test]
    fn the_vendor_step_merges_goflags_and_needs_a_vendor_folder_that_go_would_take() {
        for (goflags, want) in [
            ("", "-mod=vendor"),
            ("-mod=mod -trimpath", "-trimpath -mod=vendor"),
            ("--mod=readonly", "-mod=vendor"),
            (
                "'-ldflags=-s -w' -modcacherw",
                "'-ldflags=-s -w' -modcacherw -mod=vendor",
            ),
            ("-modfile=x.mod", "-modfile=x.mod -mod=vendor"),
        ] {
            let plans = plan(
                &frozen(&[("GOFLAGS", goflags)]),
                &around(),
                &[Tier::Vendor],
                None,
            );
            assert_eq!(value(&plans[0], "GOFLAGS").as_deref(), Some(want));
            assert_eq!(value(&plans[0], "GOPROXY").as_deref(), Some("off"));
            assert_eq!(value(&plans[0], TIER).as_deref(), Some("vendor"));
        }
        let no = |frozen: &FrozenSettings, around: &LocalSources| {
            plan(frozen, around, &[Tier::Vendor], None)[0]
                .how
                .clone()
                .expect_err("no step")
        };
        let mut outside = frozen(&[]);
        outside.module = None;
        assert!(no(&outside, &around()).contains("no module"));
        let mut unvendored = around();
        unvendored.vendored_module = false;
        assert!(no(&frozen(&[]), &unvendored).contains("go mod vendor"));
        assert!(no(&frozen(&[("GOFLAGS", "'-x")]), &around()).contains("quote"));
        // In a workspace a member's own vendor directory is not used.
        let mut workspace = frozen(&[]);
        workspace.workspace = Some("/src".into());
        assert!(no(&workspace, &around()).contains("go work vendor"));
        let mut vendored = around();
        vendored.vendored_workspace = true;
        assert!(
            plan(&workspace, &vendored, &[Tier::Vendor], None)[0]
                .how
                .is_ok()
        );
        workspace.version = (1, 21);
        assert!(no(&workspace, &vendored).contains("1.22"));
    }

    #[test]
    fn the_relay_serves_the_proxies_and_the_mirror_as_one_step() {
        let relay = [("GOPROXY", "http://127.0.0.1:1/t,direct".to_owned())];
        let steps = |wanted: &[Tier], around: &LocalSources| -> Vec<String> {
            let plans = plan(&frozen(&[]), around, wanted, Some(&relay));
            let shown = |plan: &TierPlan| match (&plan.how, plan.is_relayed) {
                (Err(_), _) => format!("no {}", plan.tier),
                (Ok(_), true) => {
                    assert_eq!(value(plan, "GOPROXY").as_ref(), Some(&relay[0].1));
                    format!("relay from {}", plan.tier)
                }
                (Ok(_), false) => plan.tier.to_string(),
            };
            plans.iter().map(shown).collect()
        };
        assert_eq!(steps(&ALL, &around()), ["relay from proxy", "vendor"]);
        let mirror_first = [Tier::Mirror, Tier::Proxy];
        assert_eq!(steps(&mirror_first, &around()), ["relay from mirror"]);
        let apart = [Tier::Proxy, Tier::Vendor, Tier::Mirror];
        let want = ["relay from proxy", "vendor", "mirror"];
        assert_eq!(steps(&apart, &around()), want);
        let bare = LocalSources::default();
        assert_eq!(
            steps(&ALL, &bare),
            ["relay from proxy", "no mirror", "no vendor"]
        );
    }

    #[test]
    fn no_step_loosens_a_check() {
        let frozen = frozen(&[
            ("GOSUMDB", "sum.golang.org https://s.example"),
            ("GONOSUMDB", ""),
            ("GOINSECURE", ""),
            ("GOFLAGS", "-mod=mod"),
        ]);
        for plan in plan(&frozen, &around(), &ALL, None) {
            let vars = plan.how.clone().expect("a step");
            assert!(vars.iter().all(|(_, value)| !value.contains("insecure")));
            assert_ne!(value(&plan, "GOSUMDB").as_deref(), Some("off"));
            for list in ["GONOSUMDB", "GOINSECURE"] {
                assert_eq!(value(&plan, list).as_deref(), Some("none"), "{list}");
            }
        }
    }

    #[test]
    fn the_database_is_where_gosumdb_says() {
        for (gosumdb, url) in [
            ("sum.golang.org", Some("https://sum.golang.org")),
            ("sum.golang.google.cn", Some("https://sum.golang.google.cn")),
            ("x.test+033de0ae+Ac4z", Some("https://x.test")),
            (
                "x.test+033de0ae+Ac4z http://y.test/z",
                Some("http://y.test/z"),
            ),
            ("off", None),
            ("", None),
        ] {
            assert_eq!(database(gosumdb).as_deref(), url);
        }
    }

    #[test]
    fn the_elements_of_a_chain_are_those_that_go_reads() {
        assert_eq!(
            elements("a.test , http://b|direct,https://c"),
            ["https://a.test", "http://b", "direct"]
        );
        assert_eq!(elements("off"), ["off"]);
        assert_eq!(elements("https://%zz,off"), [""; 0]);
    }
}
