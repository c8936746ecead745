//! Compares what is needed with what is there. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::need::Need;
use crate::gomod::ModuleVersion;

/// The state of one file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Held {
    /// It is there and has the hash in go.sum.
    Here,
    /// It is in none of the places.
    #[default]
    Absent,
    /// The module cache, which go reads first, holds other content.
    Other,
}

/// The state of everything that is needed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Have {
    /// Each needed zip.
    pub zips: BTreeMap<ModuleVersion, Held>,
    /// Each needed go.mod.
    pub mods: BTreeMap<ModuleVersion, Held>,
    /// The toolchain.
    pub toolchain: Toolchain,
}

/// The state of the toolchain that is needed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Toolchain {
    /// It can be started without a download.
    Ready,
    /// Its zip is there, and the proof that go needs: no go.sum names toolchains.
    Proven,
    /// Its zip is there, but go would reject it for this reason.
    Unproven(String),
    /// It is not there.
    #[default]
    Absent,
}

/// Which part of a module is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// Its files.
    Zip,
    /// Its go.mod, which the module graph needs.
    GoMod,
    /// A toolchain.
    Toolchain,
    /// The proof of a toolchain.
    Proof,
}

/// Something that is missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// The module's path.
    pub module: String,
    /// Its version.
    pub version: String,
    /// The missing part.
    pub what: What,
    /// The reason, if it is not simply absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// How ready a project is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Module versions (and a toolchain) that it needs.
    pub needed: usize,
    /// How many of these are there.
    pub here: usize,
    /// 100 only if it builds and tests without a network.
    pub percent: u8,
    /// Whether vendor/ has everything.
    pub vendored: bool,
    /// What is missing.
    pub missing: Vec<Missing>,
    /// Problems that no download fixes.
    pub troubles: Vec<String>,
}

impl Verdict {
    /// Reports whether it builds and tests without a network.
    pub fn is_ready(&self) -> bool {
        self.missing.is_empty() && self.troubles.is_empty()
    }

    /// Reports whether a toolchain or its proof is missing.
    pub(super) fn needs_toolchain(&self) -> bool {
        let mut missing = self.missing.iter();
        missing.any(|one| matches!(one.what, What::Toolchain | What::Proof))
    }

    fn lacks(&mut self, module: &ModuleVersion, what: What, why: Option<&str>) {
        self.missing.push(Missing {
            module: module.path.clone(),
            version: module.version.clone(),
            what,
            why: why.map(str::to_owned),
        });
    }

    /// Adds go's complaint, if there is one.
    pub(super) fn troubled(&mut self, trouble: Option<String>) {
        self.troubles.extend(trouble);
        self.percent = percent(self.here, self.needed, self.is_ready());
    }
}

/// Compares what is needed with what is there.
pub fn judge(need: &Need, have: &Have) -> Verdict {
    // A module whose zip and go.mod are missing counts as one missing module.
    let mut doubles: BTreeSet<&ModuleVersion> = BTreeSet::new();
    let mut units: BTreeMap<&ModuleVersion, Option<(What, Held)>> = BTreeMap::new();
    for (modules, held, what) in [
        (&need.zips, &have.zips, What::Zip),
        (&need.mods, &have.mods, What::GoMod),
    ] {
        for module in modules.keys() {
            let unit = units.entry(module).or_default();
            let held = held.get(module).copied().unwrap_or_default();
            if held == Held::Other && need.doubles.contains(module) {
                doubles.insert(module);
            } else if unit.is_none() && held != Held::Here {
                *unit = Some((what, held));
            }
        }
    }
    let mut out = Verdict {
        needed: units.len() + usize::from(need.toolchain.is_some()),
        vendored: need.vendored,
        troubles: need.troubles.clone(),
        ..Verdict::default()
    };
    for module in doubles {
        out.troubles.push(format!(
            "go.sum has two hashes for {module}, and go takes the first, which is not the module's: \
             a merge has kept both; remove the line that is wrong"
        ));
    }
    for (module, lack) in units {
        if let Some((what, held)) = lack {
            let other = "the module cache holds another content under its name: \
                         `goroam doctor --cache` looks closer";
            out.lacks(module, what, (held == Held::Other).then_some(other));
        }
    }
    match (&need.toolchain, &have.toolchain) {
        (Some((module, _)), Toolchain::Absent) => out.lacks(module, What::Toolchain, None),
        (Some((module, _)), Toolchain::Unproven(why)) => {
            out.lacks(module, What::Proof, Some(why));
        }
        _ => {}
    }
    out.here = out.needed - out.missing.len();
    out.percent = percent(out.here, out.needed, out.is_ready());
    out
}

/// Returns the percentage, rounded down; 100 only if everything is there.
pub fn percent(here: usize, needed: usize, ready: bool) -> u8 {
    if ready {
        return 100;
    }
    let percent = here.saturating_mul(100).checked_div(needed).unwrap_or(0);
    u8::try_from(percent.min(99)).unwrap_or(99)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(n: usize) -> ModuleVersion {
        ModuleVersion::new(format!("a.test/m{n}"), "v1.0.0")
    }

    fn need(count: usize) -> Need {
        let all = || (0..count).map(|n| (module(n), "h1:x".to_owned())).collect();
        Need {
            zips: all(),
            mods: all(),
            ..Need::default()
        }
    }

    fn have(count: usize) -> Have {
        let all = || (0..count).map(|n| (module(n), Held::Here)).collect();
        Have {
            zips: all(),
            mods: all(),
            ..Have::default()
        }
    }

    #[test]
    fn a_hundred_is_said_of_what_is_whole_only() {
        let full = judge(&need(300), &have(300));
        assert_eq!(
            (full.percent, full.is_ready(), full.needed),
            (100, true, 300)
        );
        let most = judge(&need(300), &have(299));
        assert_eq!(
            (most.percent, most.is_ready(), most.missing.len()),
            (99, false, 1)
        );
        assert_eq!(judge(&need(0), &have(0)).percent, 100);
        assert_eq!(judge(&need(3), &have(0)).percent, 0);
        let mut broken = need(2);
        broken.troubles.push("go.mod: line 1: x".to_owned());
        assert_eq!(judge(&broken, &have(2)).percent, 99);
    }

    #[test]
    fn what_is_missing_is_named_once_with_why() {
        let mut there = have(3);
        there.zips.insert(module(0), Held::Other);
        there.mods.remove(&module(0));
        there.mods.remove(&module(1));
        let found = judge(&need(3), &there);
        assert_eq!(found.here, 1);
        let said: Vec<_> = found
            .missing
            .iter()
            .map(|one| (one.module.as_str(), one.what, one.why.is_some()))
            .collect();
        assert_eq!(
            said,
            [
                ("a.test/m0", What::Zip, true),
                ("a.test/m1", What::GoMod, false)
            ]
        );
    }

    #[test]
    fn a_toolchain_counts_as_one_and_needs_its_proof() {
        let mut wants = need(1);
        wants.toolchain = Some((
            ModuleVersion::new("golang.org/toolchain", "v0.0.1-x"),
            "go9".into(),
        ));
        for (toolchain, lack) in [
            (Toolchain::Ready, None),
            (Toolchain::Proven, None),
            (Toolchain::Absent, Some(What::Toolchain)),
            (Toolchain::Unproven("why".to_owned()), Some(What::Proof)),
        ] {
            let found = judge(
                &wants,
                &Have {
                    toolchain,
                    ..have(1)
                },
            );
            assert_eq!(found.missing.first().map(|one| one.what), lack);
            assert_eq!(found.needed, 2);
        }
    }
}
