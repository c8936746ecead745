//! What go reads to build and test a project: the build list by minimal version selection, as
//! `modload.readModGraph` walks it, cut down to what go.sum says was ever used. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::gomod::go_mod::GoMod;
use crate::gomod::go_sum::{GoSumLine, Hashed};
use crate::gomod::go_version::{at_least, compare, is_valid, of_toolchain, toolchain_for};
use crate::gomod::go_work::GoWork;
use crate::gomod::modules_txt::ModulesTxt;
use crate::gomod::{ModuleVersion, semver};

/// Since this version a go.mod names all that its packages need, so that graphs are pruned
/// (`gover.ExplicitIndirectVersion`).
const PRUNES: &str = "1.17";
/// Since this version go fetches toolchains.
const SWITCHES: &str = "1.21";
/// Modules of one graph that are walked. The largest known ones have a few thousand.
const MOST: usize = 50_000;

/// What is written in a project.
#[derive(Debug, Clone, Default)]
pub struct Project {
    /// go.work, where it is a workspace.
    pub work: Option<GoWork>,
    /// The go.mod of each main module.
    pub mains: Vec<GoMod>,
    /// Every line of every go.sum and go.work.sum.
    pub sums: Vec<GoSumLine>,
    /// vendor/modules.txt, where there is one.
    pub vendor: Option<ModulesTxt>,
}

/// The go command that will build it.
#[derive(Debug, Clone, Default)]
pub struct Builder {
    /// Its version, without `go`.
    pub version: String,
    /// GOTOOLCHAIN.
    pub toolchain: String,
    /// GOOS and GOARCH of the machine itself, as in a toolchain's version: `linux-amd64`.
    pub system: String,
}

/// Where a go.mod of the graph is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source<'a> {
    /// Of a module that is downloaded.
    Module(&'a ModuleVersion),
    /// In a folder that a `replace` names, as written there.
    Folder(&'a str),
}

/// What go reads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Need {
    /// Zips, with the `h1:` that go.sum wants.
    pub zips: BTreeMap<ModuleVersion, String>,
    /// go.mods, with the `h1:` that go.sum wants.
    pub mods: BTreeMap<ModuleVersion, String>,
    /// The toolchain that go would fetch, as a module, and its name.
    pub toolchain: Option<(ModuleVersion, String)>,
    /// A consistent vendor folder has it all.
    pub vendored: bool,
    /// Modules for which go.sum has two different hashes of one file.
    pub doubles: BTreeSet<ModuleVersion>,
    /// What no download mends, one sentence each.
    pub troubles: Vec<String>,
}

impl Project {
    /// Does go use vendor/ by itself (`modload.setDefaultBuildMod`)?
    fn is_vendored(&self, builder: &Builder) -> bool {
        let Some(txt) = &self.vendor else {
            return false;
        };
        let since = if self.work.is_some() { "1.22" } else { "1.14" };
        let go = match (&self.work, self.mains.first()) {
            (Some(work), _) => work.go_version(),
            (None, Some(main)) => main.go_version(),
            (None, None) => return false,
        };
        at_least(go, since)
            && (self.work.is_none() || at_least(&builder.version, since))
            && txt.workspace == self.work.is_some()
            && self.agrees(txt)
    }

    /// The part of `modload.checkVendorConsistency` that a changed go.mod comes up against.
    fn agrees(&self, txt: &ModulesTxt) -> bool {
        let mains = self.mains.iter();
        let required =
            BTreeSet::from_iter(mains.flat_map(|main| main.require.iter().map(|one| &one.module)));
        let own = |path: &str| {
            let mut mains = self.mains.iter();
            mains.any(|main| main.module.as_ref().is_some_and(|one| one.value == path))
        };
        let replaced = |module: &ModuleVersion| self.replacement(module);
        let listed = txt
            .modules
            .iter()
            .filter(|one| !one.module.version.is_empty());
        let mut explicit = listed.clone().filter(|one| one.explicit);
        let all_listed = required
            .iter()
            .all(|module| own(&module.path) || txt.get(module).is_some_and(|one| one.explicit));
        let same = listed.clone().all(|one| {
            let now = replaced(&one.module).map(|by| (&by.path, &by.version));
            now == one.replacement.as_ref().map(|by| (&by.path, &by.version))
        });
        all_listed && same && explicit.all(|one| required.contains(&one.module))
    }

    /// The paths of all modules that packages come from: since 1.17 go.mod names them all.
    /// `None`: a go.mod is older.
    fn named(&self) -> Option<BTreeSet<&str>> {
        let mut named = BTreeSet::new();
        for main in &self.mains {
            if !at_least(main.go_version(), PRUNES) {
                return None;
            }
            named.extend(main.require.iter().map(|one| one.module.path.as_str()));
        }
        Some(named)
    }

    fn replacement(&self, module: &ModuleVersion) -> Option<&ModuleVersion> {
        let of_work = self.work.as_ref().and_then(|work| work.replacement(module));
        let of_mains = || self.mains.iter().find_map(|main| main.replacement(module));
        of_work.or_else(of_mains).map(|replace| &replace.new)
    }

    fn is_excluded(&self, module: &ModuleVersion) -> bool {
        let mut mains = self.mains.iter();
        mains.any(|main| main.exclude.iter().any(|one| one.value == *module))
    }
}

/// What go reads to build and test the project; `read` gives the go.mods that are there.
pub fn need(
    project: &Project,
    builder: &Builder,
    read: &dyn Fn(Source<'_>) -> Option<GoMod>,
) -> Need {
    let mut need = Need {
        vendored: project.is_vendored(builder),
        ..Need::default()
    };
    toolchain(project, builder, &mut need);
    for main in &project.mains {
        let faults = main.faults.iter().map(|fault| format!("go.mod: {fault}"));
        need.troubles.extend(faults.take(3));
    }
    if need.vendored {
        return need;
    }
    // Of several lines for one file the first counts, as for go (`modfetch.haveModSumLocked`).
    let lines = project.sums.iter().rev();
    let sums = BTreeMap::from_iter(lines.map(|line| ((&line.module, line.of), &line.hash)));
    let doubled = project.sums.iter().filter(|line| {
        let first = sums.get(&(&line.module, line.of));
        first.is_some_and(|first| **first != line.hash)
    });
    need.doubles = BTreeSet::from_iter(doubled.map(|line| line.module.clone()));
    let sum = |module: &ModuleVersion, of: Hashed| sums.get(&(module, of)).map(|h| (*h).clone());
    let graph = Graph::walk(project, read);
    for module in graph.read {
        if let Some(hash) = sum(&module, Hashed::GoMod) {
            need.mods.insert(module, hash);
        }
    }
    let named = project.named();
    for (path, version) in graph.selected {
        // go.sum has more: what the tests of dependencies would need (`go mod tidy`).
        if named
            .as_ref()
            .is_some_and(|named| !named.contains(path.as_str()))
        {
            continue;
        }
        let named = ModuleVersion { path, version };
        let module = match project.replacement(&named) {
            Some(by) if by.version.is_empty() => continue,
            Some(by) => by.clone(),
            None => named,
        };
        if let Some(hash) = sum(&module, Hashed::Zip) {
            need.zips.insert(module, hash);
        }
    }
    let mut unnamed: Vec<String> = Vec::new();
    let direct = project.mains.iter().flat_map(|main| &main.require);
    for one in direct.filter(|one| !one.indirect && one.error.is_none()) {
        let module = project.replacement(&one.module).unwrap_or(&one.module);
        let local = module.version.is_empty();
        let known = [Hashed::Zip, Hashed::GoMod]
            .into_iter()
            .any(|of| sum(module, of).is_some());
        if !local && !known && !is_main(project, &module.path) {
            unnamed.push(module.to_string());
        }
    }
    if let Some(first) = unnamed.first() {
        let more = match unnamed.len() - 1 {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let line = format!("go.sum does not name {first}{more}: run `go mod tidy` first");
        need.troubles.push(line);
    }
    need
}

fn is_main(project: &Project, path: &str) -> bool {
    let mut names = project.mains.iter().filter_map(|main| main.module.as_ref());
    names.any(|module| module.value == path)
}

/// The module graph, as far as its go.mods are there.
#[derive(Debug, Default)]
struct Graph {
    /// The highest version of each path (before replacement).
    selected: BTreeMap<String, String>,
    /// The modules whose go.mod go reads (after replacement).
    read: BTreeSet<ModuleVersion>,
}

impl Graph {
    fn walk(project: &Project, read: &dyn Fn(Source<'_>) -> Option<GoMod>) -> Graph {
        let mut graph = Graph::default();
        // Whether all that a module leads to is walked, however new its go.mod is.
        let mut open: Vec<(ModuleVersion, bool)> = Vec::new();
        let mut done: BTreeSet<(ModuleVersion, bool)> = BTreeSet::new();
        for main in &project.mains {
            let unpruned = !at_least(main.go_version(), PRUNES);
            for one in main.require.iter().filter(|one| one.error.is_none()) {
                open.push((one.module.clone(), unpruned));
            }
        }
        while let Some((module, unpruned)) = open.pop() {
            if project.is_excluded(&module) || is_main(project, &module.path) {
                continue;
            }
            graph.select(&module);
            if done.len() >= MOST || !done.insert((module.clone(), unpruned)) {
                continue;
            }
            let go_mod = match project.replacement(&module) {
                Some(by) if by.version.is_empty() => read(Source::Folder(&by.path)),
                Some(by) => {
                    graph.read.insert(by.clone());
                    read(Source::Module(by))
                }
                None => {
                    graph.read.insert(module.clone());
                    read(Source::Module(&module))
                }
            };
            let Some(go_mod) = go_mod else {
                continue;
            };
            let old = !at_least(go_mod.go_version(), PRUNES);
            for one in go_mod.require.into_iter().filter(|one| one.error.is_none()) {
                if unpruned || old {
                    open.push((one.module, true));
                } else if !project.is_excluded(&one.module) {
                    graph.select(&one.module);
                }
            }
        }
        graph
    }

    fn select(&mut self, module: &ModuleVersion) {
        let present = self.selected.get(&module.path);
        if present.is_none_or(|version| semver::compare(version, &module.version).is_lt()) {
            self.selected
                .insert(module.path.clone(), module.version.clone());
        }
    }
}

/// The toolchain that the `go` and `toolchain` lines ask for (`toolchain.Select`).
fn toolchain(project: &Project, builder: &Builder, need: &mut Need) {
    if !at_least(&builder.version, SWITCHES) {
        return;
    }
    let (go, named) = match (&project.work, project.mains.first()) {
        (Some(work), _) => (work.go_version(), &work.toolchain),
        (None, Some(main)) => (main.go_version(), &main.toolchain),
        (None, None) => return,
    };
    let mut wanted: Option<String> = None;
    let mut version = builder.version.clone();
    if compare(go, &version).is_gt() {
        wanted = Some(toolchain_for(go));
        version = go.to_owned();
    }
    if let Some(name) = named.as_ref().map(|named| &named.value)
        && let Some(of) = of_toolchain(name)
        && compare(of, &version).is_gt()
    {
        wanted = Some(name.clone());
    }
    let Some(name) = wanted else {
        return;
    };
    let mode = builder.toolchain.rsplit('+').next().unwrap_or_default();
    let fixed = of_toolchain(&builder.toolchain).is_some_and(is_valid);
    if mode != "auto" && !fixed {
        need.troubles.push(format!(
            "it asks for {name}, and GOTOOLCHAIN={} lets go {} fetch none",
            builder.toolchain, builder.version
        ));
    } else if !fixed {
        let version = format!("v0.0.1-{name}.{}", builder.system);
        let module = ModuleVersion::new("golang.org/toolchain", version);
        need.toolchain = Some((module, name));
    }
}

#[cfg(test)]
mod tests;
