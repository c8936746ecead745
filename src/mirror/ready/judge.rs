//! Compares what is needed with what is there. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::need::Need;
use crate::gomod::ModuleVersion;

/// The state of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Held {
    /// It is there and has the hash in go.sum.
    Here,
    /// It is in none of the places.
    Absent,
    /// The module cache, which go reads first, holds other content.
    Other,
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

    /// Adds go's complaint, if there is one.
    pub(super) fn troubled(&mut self, trouble: Option<String>) {
        self.troubles.extend(trouble);
        self.percent = percent(self.here, self.needed, self.is_ready());
    }
}

/// Compares what is needed with what is there. `held` is the state of a zip or a go.mod that must
/// have this hash. `toolchain`: why the needed one cannot be used, if it cannot.
pub(super) fn judge(
    need: &Need,
    held: &dyn Fn(What, &ModuleVersion, &str) -> Held,
    toolchain: Option<(What, Option<String>)>,
) -> Verdict {
    // A module whose zip and go.mod are missing counts as one missing module.
    let mut doubles: BTreeSet<&ModuleVersion> = BTreeSet::new();
    let mut units: BTreeMap<&ModuleVersion, Option<(What, Held)>> = BTreeMap::new();
    for (modules, what) in [(&need.zips, What::Zip), (&need.mods, What::GoMod)] {
        for (module, sum) in modules {
            let unit = units.entry(module).or_default();
            let held = held(what, module, sum);
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
    out.troubles.extend(doubles.into_iter().map(|module| {
        format!(
            "go.sum has two hashes for {module}, and go takes the first, which is not the module's: \
             a merge has kept both; remove the line that is wrong"
        )
    }));
    let other = "the module cache holds another content under its name: \
                 `goroam doctor --cache` looks closer";
    let lacks = units.into_iter().filter_map(|(module, lack)| {
        let (what, held) = lack?;
        let why = (held == Held::Other).then(|| other.to_owned());
        Some((module, what, why))
    });
    let named = need.toolchain.as_ref().zip(toolchain);
    let toolchain = named.map(|((module, _), (what, why))| (module, what, why));
    let missing = lacks.chain(toolchain).map(|(module, what, why)| Missing {
        module: module.path.clone(),
        version: module.version.clone(),
        what,
        why,
    });
    out.missing = missing.collect();
    out.here = out.needed - out.missing.len();
    out.percent = percent(out.here, out.needed, out.is_ready());
    out
}

/// Returns the percentage, rounded down; 100 only if everything is there.
pub(super) fn percent(here: usize, needed: usize, ready: bool) -> u8 {
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

    /// The verdict if the first `there` modules are there.
    fn judged(need: &Need, there: usize) -> Verdict {
        let first: Vec<ModuleVersion> = (0..there).map(module).collect();
        let held = |_, module: &ModuleVersion, _: &str| match first.contains(module) {
            true => Held::Here,
            false => Held::Absent,
        };
        judge(need, &held, None)
    }

    #[test]
    fn a_hundred_is_said_of_what_is_whole_only() {
        let full = judged(&need(300), 300);
        assert_eq!(
            (full.percent, full.is_ready(), full.needed),
            (100, true, 300)
        );
        let most = judged(&need(300), 299);
        assert_eq!(
            (most.percent, most.is_ready(), most.missing.len()),
            (99, false, 1)
        );
        assert_eq!(judged(&need(0), 0).percent, 100);
        assert_eq!(judged(&need(3), 0).percent, 0);
        let mut broken = need(2);
        broken.troubles.push("go.mod: line 1: x".to_owned());
        assert_eq!(judged(&broken, 2).percent, 99);
    }

    #[test]
    fn what_is_missing_is_named_once_with_why() {
        let held = |what, one: &ModuleVersion, _: &str| match what {
            What::Zip if *one == module(0) => Held::Other,
            What::GoMod if *one != module(2) => Held::Absent,
            What::Zip | What::GoMod | What::Toolchain | What::Proof => Held::Here,
        };
        let found = judge(&need(3), &held, None);
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
        let held = |_, _: &ModuleVersion, _: &str| Held::Here;
        for lack in [
            None,
            Some((What::Toolchain, None)),
            Some((What::Proof, Some("why".to_owned()))),
        ] {
            let found = judge(&wants, &held, lack.clone());
            let missing = found.missing.into_iter().next();
            assert_eq!(missing.map(|one| (one.what, one.why)), lack);
            assert_eq!(found.needed, 2);
        }
    }
}
