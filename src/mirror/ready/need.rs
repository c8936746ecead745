//! What go reads to build and test a project: the build list by minimal version selection, as
//! `modload.readModGraph` walks it, limited to what go.sum shows was ever used. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::gomod::go_mod::GoMod;
use crate::gomod::go_sum::Hashed;
use crate::gomod::go_version::{
    at_least, compare, is_valid, of_toolchain, toolchain_for, toolchain_module,
};
use crate::gomod::modules_txt::ModulesTxt;
use crate::gomod::project::{ProjectFiles, disagreements};
use crate::gomod::{At, ModuleVersion, semver};

/// From this version on, a go.mod names everything that its packages need, so that graphs are
/// pruned (`gover.ExplicitIndirectVersion`).
const PRUNES: &str = "1.17";
/// From this version on, go fetches toolchains.
const SWITCHES: &str = "1.21";
/// Maximum number of modules of one graph that are walked. The largest known graphs have a few
/// thousand.
const MOST: usize = 50_000;

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

/// What go reads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Need {
    /// Zips, with the `h1:` that go.sum wants.
    pub zips: BTreeMap<ModuleVersion, String>,
    /// go.mods, with the `h1:` that go.sum wants.
    pub mods: BTreeMap<ModuleVersion, String>,
    /// The toolchain that go would fetch, as a module, and its name.
    pub toolchain: Option<(ModuleVersion, String)>,
    /// Whether a consistent vendor directory has everything.
    pub vendored: bool,
    /// Modules for which go.sum has two different hashes of one file.
    pub doubles: BTreeSet<ModuleVersion>,
    /// Problems that no download fixes, one sentence each.
    pub troubles: Vec<String>,
}

/// Reports whether go uses vendor/ without a flag (`modload.setDefaultBuildMod`), and can.
fn is_vendored(project: &ProjectFiles, txt: &ModulesTxt, builder: &Builder) -> bool {
    let is_work = project.work.is_some();
    let since = if is_work { "1.22" } else { "1.14" };
    let go = project.main_file().map(GoMod::go_version);
    go.is_some_and(|go| at_least(go, since))
        && (!is_work || at_least(&builder.version, since))
        && txt.workspace == is_work
        && disagreements(txt, project).is_empty()
}

/// The paths of all modules that provide packages: from 1.17 on, go.mod names them all. `None`: a
/// go.mod is older.
fn named(project: &ProjectFiles) -> Option<BTreeSet<&str>> {
    let mut mains = project.mains.iter();
    let prunes = mains.all(|(_, main)| at_least(main.go_version(), PRUNES));
    prunes.then(|| project.required().map(|one| one.path.as_str()).collect())
}

/// The module that go reads instead of this one, if it is replaced; else the module itself.
fn replaced(project: &ProjectFiles, module: &ModuleVersion) -> ModuleVersion {
    let new = project.replacement(module);
    new.map_or_else(|| module.clone(), |(new, _)| new)
}

fn is_excluded(project: &ProjectFiles, module: &ModuleVersion) -> bool {
    let mut all = project.mains.iter().flat_map(|(_, main)| &main.exclude);
    all.any(|one| one.value == *module)
}

/// Returns what go reads to build and test the project; `read` returns the go.mods that are
/// there. A module without a version is a directory, as [`ProjectFiles::replacement`] names it.
pub(super) fn need(
    project: &ProjectFiles,
    vendor: Option<&ModulesTxt>,
    builder: &Builder,
    read: &dyn Fn(&ModuleVersion) -> Option<GoMod>,
) -> Need {
    let refused = project.unreadable.iter();
    let mut need = Need {
        vendored: vendor.is_some_and(|txt| is_vendored(project, txt, builder)),
        troubles: refused
            .map(|(name, why)| format!("{name}: {why}"))
            .collect(),
        ..Need::default()
    };
    toolchain(project, builder, &mut need);
    if need.vendored {
        return need;
    }
    let doubled = project.sums.iter();
    let doubled = doubled.filter(|(_, all)| all.iter().any(|one| all.first() != Some(one)));
    need.doubles = doubled.map(|((module, _), _)| module.clone()).collect();
    // If a file has several lines, the first counts, as for go (`modfetch.haveModSumLocked`).
    let sum = |module: &ModuleVersion, of: Hashed| {
        project.sums.get(&(module.clone(), of))?.first().cloned()
    };
    let graph = Graph::walk(project, read);
    for module in graph.read {
        if let Some(hash) = sum(&module, Hashed::GoMod) {
            need.mods.insert(module, hash);
        }
    }
    let known = named(project);
    for (path, version) in graph.selected {
        // go.sum also lists what the tests of dependencies would need (`go mod tidy`).
        if known
            .as_ref()
            .is_some_and(|known| !known.contains(path.as_str()))
        {
            continue;
        }
        let module = replaced(project, &ModuleVersion { path, version });
        if let Some(hash) = sum(&module, Hashed::Zip) {
            need.zips.insert(module, hash);
        }
    }
    let direct = project.mains.iter().flat_map(|(_, main)| &main.require);
    let direct = direct.filter(|one| !one.indirect);
    let direct = direct.map(|one| replaced(project, &one.module));
    let mut unnamed = direct.filter(|module| {
        let known = [Hashed::Zip, Hashed::GoMod].map(|of| sum(module, of).is_some());
        !module.version.is_empty() && known == [false; 2] && !project.is_main(&module.path)
    });
    if let Some(first) = unnamed.next() {
        let more = match unnamed.count() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let line = format!("go.sum does not name {first}{more}: run `go mod tidy` first");
        need.troubles.push(line);
    }
    need
}

/// The module graph, limited to the go.mods that are there.
#[derive(Debug, Default)]
struct Graph {
    /// The highest version of each path (before replacement).
    selected: BTreeMap<String, String>,
    /// The modules whose go.mod go reads (after replacement).
    read: BTreeSet<ModuleVersion>,
}

impl Graph {
    fn walk(project: &ProjectFiles, read: &dyn Fn(&ModuleVersion) -> Option<GoMod>) -> Graph {
        let mut graph = Graph::default();
        // The flag: whether to walk everything that a module leads to, however new its go.mod is.
        let mut open: Vec<(ModuleVersion, bool)> = Vec::new();
        let mut done: BTreeSet<(ModuleVersion, bool)> = BTreeSet::new();
        for (_, main) in &project.mains {
            let unpruned = !at_least(main.go_version(), PRUNES);
            for one in &main.require {
                open.push((one.module.clone(), unpruned));
            }
        }
        while let Some((module, unpruned)) = open.pop() {
            if is_excluded(project, &module) || project.is_main(&module.path) {
                continue;
            }
            graph.select(&module);
            if done.len() >= MOST || !done.insert((module.clone(), unpruned)) {
                continue;
            }
            let by = replaced(project, &module);
            let go_mod = read(&by);
            if !by.version.is_empty() {
                graph.read.insert(by);
            }
            let Some(go_mod) = go_mod else {
                continue;
            };
            let old = !at_least(go_mod.go_version(), PRUNES);
            for one in go_mod.require {
                if unpruned || old {
                    open.push((one.module, true));
                } else if !is_excluded(project, &one.module) {
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

/// Finds the toolchain that the `go` and `toolchain` lines ask for (`toolchain.Select`).
fn toolchain(project: &ProjectFiles, builder: &Builder, need: &mut Need) {
    if !at_least(&builder.version, SWITCHES) {
        return;
    }
    let Some(main) = project.main_file() else {
        return;
    };
    let (go, named) = (main.go_version(), &main.toolchain);
    let mut wanted: Option<String> = None;
    let mut version = builder.version.clone();
    if compare(go, &version).is_gt() {
        wanted = Some(toolchain_for(go));
        version = go.to_owned();
    }
    if let Some(At { value: name, .. }) = named
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
        let module = toolchain_module(&name, &builder.system);
        need.toolchain = Some((module, name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gomod::{go_mod, go_work, modules_txt};

    fn need(
        project: &ProjectFiles,
        builder: &Builder,
        read: &dyn Fn(&ModuleVersion) -> Option<GoMod>,
    ) -> Need {
        super::need(project, None, builder, read)
    }

    fn builder() -> Builder {
        Builder {
            version: "1.24.11".to_owned(),
            toolchain: "auto".to_owned(),
            system: "linux-amd64".to_owned(),
        }
    }

    fn project(go_mod: &str, go_sum: &str) -> ProjectFiles {
        let mut project = ProjectFiles {
            mains: vec![("/p".into(), go_mod::parse(go_mod))],
            ..ProjectFiles::default()
        };
        project.add_sums(go_sum).unwrap();
        project
    }

    /// Returns go.mods from lines of the form `PATH VERSION: go.mod`.
    fn look(
        mods: &'static [(&'static str, &'static str)],
    ) -> impl Fn(&ModuleVersion) -> Option<GoMod> {
        move |module| {
            let name = match module.version.as_str() {
                "" => module.path.clone(),
                _ => module.to_string(),
            };
            let found = mods.iter().find(|(of, _)| *of == name);
            found.map(|(_, text)| go_mod::parse(text))
        }
    }

    fn names(modules: &BTreeMap<ModuleVersion, String>) -> Vec<String> {
        modules.keys().map(ToString::to_string).collect()
    }

    const SUMS: &str = "a v1.0.0 h1:a\na v1.0.0/go.mod h1:a\nb v1.0.0/go.mod h1:b\n\
    b v1.1.0 h1:b\nb v1.1.0/go.mod h1:b\nb v1.2.0 h1:old\nb v1.2.0/go.mod h1:old\n\
    c v1.0.0/go.mod h1:c\nx v1.5.0 h1:x\nx v1.5.0/go.mod h1:x\n";

    #[test]
    fn the_build_list_counts_and_not_every_line_of_go_sum() {
        let project = project(
            "module m\ngo 1.16\nrequire a v1.0.0\nrequire b v1.0.0\n",
            SUMS,
        );
        let mods = look(&[
            ("a@v1.0.0", "module a\ngo 1.16\nrequire b v1.1.0\n"),
            ("b@v1.0.0", "module b\n"),
            ("b@v1.1.0", "module b\nrequire c v1.0.0\n"),
        ]);
        let need = need(&project, &builder(), &mods);
        // c was never used (it has no zip line); b v1.2.0 is from an earlier go.mod.
        assert_eq!(names(&need.zips), ["a@v1.0.0", "b@v1.1.0"]);
        assert_eq!(
            names(&need.mods),
            ["a@v1.0.0", "b@v1.0.0", "b@v1.1.0", "c@v1.0.0"]
        );
        assert_eq!(need.troubles, [""; 0]);
    }

    #[test]
    fn a_pruned_graph_ends_behind_the_requirements_of_the_new() {
        let text = "module m\ngo 1.17\nrequire a v1.0.0\n";
        let mods = look(&[
            ("a@v1.0.0", "module a\ngo 1.17\nrequire b v1.1.0\n"),
            ("b@v1.1.0", "module b\nrequire c v1.0.0\n"),
        ]);
        let new = need(&project(text, SUMS), &builder(), &mods);
        assert_eq!(names(&new.mods), ["a@v1.0.0"]);
        // From 1.17 on, go.mod names every module that provides packages: b is for a dependency's
        // tests.
        assert_eq!(names(&new.zips), ["a@v1.0.0"]);
        let old = need(
            &project(&text.replace("1.17", "1.16"), SUMS),
            &builder(),
            &mods,
        );
        assert_eq!(names(&old.mods), ["a@v1.0.0", "b@v1.1.0", "c@v1.0.0"]);
    }

    #[test]
    fn replaced_and_excluded_modules_are_what_they_are_replaced_by() {
        let text = "module m\ngo 1.16\nrequire a v1.0.0\nrequire b v1.0.0\nrequire l v1.0.0\n\
        replace b => x v1.5.0\nreplace l => ../l\nexclude c v1.0.0\n";
        let mods = look(&[
            ("a@v1.0.0", "module a\n"),
            ("x@v1.5.0", "module b\nrequire c v1.0.0\n"),
            ("../l", "module l\nrequire b v1.1.0\n"),
        ]);
        let need = need(&project(text, SUMS), &builder(), &mods);
        assert_eq!(names(&need.zips), ["a@v1.0.0", "x@v1.5.0"]);
        assert_eq!(names(&need.mods), ["a@v1.0.0", "x@v1.5.0"]);
        assert_eq!(need.troubles, [""; 0]);
    }

    #[test]
    fn what_go_sum_does_not_name_is_a_trouble_that_no_download_mends() {
        let need = need(
            &project(
                "module m\ngo 1.21\nrequire n v1.0.0\nrequire a v1.0.0\n",
                SUMS,
            ),
            &builder(),
            &|_| None,
        );
        assert_eq!(
            need.troubles,
            ["go.sum does not name n@v1.0.0: run `go mod tidy` first"]
        );
        assert_eq!(names(&need.zips), ["a@v1.0.0"]);
    }

    #[test]
    fn a_project_without_go_sum_is_one_trouble_and_not_one_for_each_module() {
        let text = "module m\ngo 1.21\nrequire n v1.0.0\nrequire a v1.0.0\nrequire b v1.0.0\n";
        let need = need(&project(text, ""), &builder(), &|_| None);
        assert_eq!(
            need.troubles,
            ["go.sum does not name n@v1.0.0 and 2 more: run `go mod tidy` first"]
        );
    }

    #[test]
    fn a_toolchain_is_needed_when_the_project_asks_for_a_newer_one() {
        let wanted = |lines: &str, version: &str, mode: &str| {
            let builder = Builder {
                version: version.to_owned(),
                toolchain: mode.to_owned(),
                ..builder()
            };
            let need = need(
                &project(&format!("module m\n{lines}\n"), ""),
                &builder,
                &|_| None,
            );
            let name = need.toolchain.map(|(module, _)| module.version);
            (name.unwrap_or_default(), need.troubles.len())
        };
        let version = |name: &str| (format!("v0.0.1-{name}.linux-amd64"), 0);
        let none = (String::new(), 0);
        assert_eq!(wanted("go 1.24", "1.24.11", "auto"), none);
        assert_eq!(wanted("go 1.27", "1.24.11", "auto"), version("go1.27.0"));
        assert_eq!(
            wanted("go 1.27.3", "1.24.11", "local+auto"),
            version("go1.27.3")
        );
        assert_eq!(
            wanted("go 1.22\ntoolchain go1.27.3", "1.24.11", "auto"),
            version("go1.27.3")
        );
        assert_eq!(
            wanted("go 1.27.3\ntoolchain go1.26.0", "1.24.11", "auto"),
            version("go1.27.3")
        );
        assert_eq!(
            wanted("go 1.22\ntoolchain default", "1.24.11", "auto"),
            none
        );
        assert_eq!(wanted("go 1.27.3", "1.24.11", "local"), (String::new(), 1));
        assert_eq!(wanted("go 1.27.3", "1.24.11", "path"), (String::new(), 1));
        assert_eq!(wanted("go 1.27.3", "1.19.8", "auto"), none);
    }

    #[test]
    fn a_consistent_vendor_folder_needs_nothing() {
        let text = "module m\ngo 1.21\nrequire a v1.0.0\nreplace a => ../a\n";
        let txt = "# a v1.0.0 => ../a\n## explicit; go 1.17\na\n# a => ../a\n";
        let with = |text: &str, txt: &str| {
            let txt = modules_txt::parse(txt);
            super::need(&project(text, SUMS), Some(&txt), &builder(), &|_| None)
        };
        assert!(with(text, txt).vendored);
        assert!(with(text, txt).zips.is_empty());
        assert!(!with(&text.replace("v1.0.0", "v1.0.1"), txt).vendored);
        assert!(!with(&text.replace("../a", "../b"), txt).vendored);
        assert!(!with(&text.replace("1.21", "1.13"), txt).vendored);
        assert!(!with(text, &txt.replace("## explicit; go 1.17\n", "")).vendored);
        assert!(!with("module m\ngo 1.21\n", txt).vendored);
    }

    #[test]
    fn a_workspace_needs_what_its_modules_need() {
        let mut project = project(
            "module m\ngo 1.21\nrequire a v1.0.0\nrequire n v0.0.0\n",
            SUMS,
        );
        let other = go_mod::parse("module n\ngo 1.21\nrequire b v1.1.0\n");
        project.mains.push(("/p/n".into(), other));
        project.work = Some(go_work::parse(
            "go 1.21\nuse ./m\nuse ./n\nreplace a => ../a\n",
        ));
        let need = need(&project, &builder(), &|_| None);
        assert_eq!(names(&need.zips), ["b@v1.1.0"]);
        assert_eq!(need.troubles, [""; 0]);
    }
}
