//! Does vendor/modules.txt agree with go.mod, or with go.work and its modules? The rules and
//! the words are go's (`modload.checkVendorConsistency`, go 1.14 to 1.27).

use std::collections::BTreeSet;

use super::copied::{ModuleFiles, is_source, split};
use super::facts::{HeldFrom, Holding, MainModule, ProjectKind, VendorFacts};
use super::report::{VendorCode, VendorFinding};
use crate::gomod::go_version::{at_least, is_valid};
use crate::gomod::go_work::GoWork;
use crate::gomod::modules_txt::{ListedModule, ModulesTxt};
use crate::gomod::{ModuleVersion, Replace, is_directory};

/// go would refuse to build, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Disagreement {
    /// The module.
    pub(super) module: ModuleVersion,
    /// In go's words.
    pub(super) what: String,
}

/// All disagreements, in go's order.
pub(super) fn disagreements(
    txt: &ModulesTxt,
    work: Option<&GoWork>,
    mains: &[MainModule],
) -> Vec<Disagreement> {
    let mut out = Vec::new();
    // Before 1.14 modules.txt did not say enough (a go.mod without a `go` line is older yet).
    let before_114 = work.is_none()
        && mains.first().is_none_or(|main| {
            let go = main.go_mod.go.as_ref();
            go.is_none_or(|go| !at_least(&go.value, "1.14"))
        });
    requirements(txt, mains, before_114, &mut out);
    let mut seen = BTreeSet::new();
    for main in mains {
        replaced(
            txt,
            work,
            mains,
            &main.go_mod.replace,
            before_114,
            &mut seen,
            &mut out,
        );
    }
    if let Some(work) = work {
        replaced(
            txt,
            Some(work),
            mains,
            &work.replace,
            before_114,
            &mut seen,
            &mut out,
        );
    }
    listed(txt, work, mains, &mut out);
    out
}

fn requirements(
    txt: &ModulesTxt,
    mains: &[MainModule],
    before_114: bool,
    out: &mut Vec<Disagreement>,
) {
    for required in mains.iter().flat_map(|main| &main.go_mod.require) {
        let module = &required.module;
        if txt.get(module).is_some_and(|listed| listed.explicit) {
            continue;
        }
        if !before_114 {
            out.push(Disagreement {
                module: module.clone(),
                what: "is explicitly required in go.mod, but not marked as explicit in vendor/modules.txt".to_owned(),
            });
            continue;
        }
        let mut vendored = txt.providers().filter(|l| l.module.path == module.path);
        if let Some(other) = vendored.find(|listed| listed.module.version != module.version) {
            out.push(Disagreement {
                module: module.clone(),
                what: format!(
                    "is explicitly required in go.mod, but vendor/modules.txt indicates {}",
                    other.module
                ),
            });
        }
    }
}

fn replaced(
    txt: &ModulesTxt,
    work: Option<&GoWork>,
    mains: &[MainModule],
    replaces: &[Replace],
    before_114: bool,
    seen: &mut BTreeSet<ModuleVersion>,
    out: &mut Vec<Disagreement>,
) {
    for replace in replaces.iter().filter(|replace| replace.error.is_none()) {
        let old = &replace.old;
        if !seen.insert(old.clone()) {
            continue;
        }
        let wanted = replacement(work, mains, old);
        let listed = txt.get(old);
        let marked = listed.and_then(|listed| listed.replacement.as_ref());
        let source = match wanted {
            Some((_, None)) => "go.work",
            Some(_) | None => "go.mod",
        };
        let wanted = wanted.map(|(new, folder)| canonical(new, folder.filter(|_| work.is_some())));
        let what = match (wanted, marked) {
            (None, None) => continue,
            (Some(wanted), Some(marked)) if wanted == *marked => continue,
            (Some(_), None) => {
                let provides = txt.providers().any(|listed| listed.module == *old);
                if before_114 && (old.version.is_empty() || !provides) {
                    continue;
                }
                format!("is replaced in {source}, but not marked as replaced in vendor/modules.txt")
            }
            (wanted, Some(marked)) => {
                let by = wanted.as_ref().map(describe).unwrap_or_default();
                format!(
                    "is replaced by {by} in {source}, but marked as replaced by {} in vendor/modules.txt",
                    describe(marked)
                )
            }
        };
        out.push(Disagreement {
            module: old.clone(),
            what,
        });
    }
}

fn listed(
    txt: &ModulesTxt,
    work: Option<&GoWork>,
    mains: &[MainModule],
    out: &mut Vec<Disagreement>,
) {
    for listed in txt.providers().filter(|listed| listed.explicit) {
        let mut required = mains.iter().flat_map(|main| &main.go_mod.require);
        if !required.any(|required| required.module == listed.module) {
            let article = if work.is_some() { "a " } else { "" };
            out.push(Disagreement {
                module: listed.module.clone(),
                what: format!("is marked as explicit in vendor/modules.txt, but not explicitly required in {article}go.mod"),
            });
        }
    }
    // `modload.readModGraph`: a pruned go.mod names every module that packages come from.
    let is_pruned = work.is_none()
        && mains.first().is_some_and(|main| {
            let go = main.go_mod.go.as_ref();
            go.is_some_and(|go| at_least(&go.value, "1.17"))
        });
    for listed in txt
        .providers()
        .filter(|listed| is_pruned && !listed.explicit)
    {
        let mut required = mains.iter().flat_map(|main| &main.go_mod.require);
        if !required.any(|required| required.module == listed.module) {
            out.push(Disagreement {
                module: listed.module.clone(),
                what: "is vendored, but not explicitly required in go.mod".to_owned(),
            });
        }
    }
    let marked = txt
        .modules
        .iter()
        .filter(|listed| listed.replacement.is_some());
    for listed in marked {
        if replacement(work, mains, &listed.module).is_none() {
            let place = if work.is_some() {
                "the workspace"
            } else {
                "go.mod"
            };
            out.push(Disagreement {
                module: listed.module.clone(),
                what: format!(
                    "is marked as replaced in vendor/modules.txt, but not replaced in {place}"
                ),
            });
        }
    }
}

/// By what go replaces a module, and the folder of the go.mod that says so (`None`: go.work
/// says so). `modload.replacementFrom`.
pub(super) fn replacement<'a>(
    work: Option<&'a GoWork>,
    mains: &'a [MainModule],
    module: &ModuleVersion,
) -> Option<(&'a ModuleVersion, Option<&'a str>)> {
    let is_main = |main: &MainModule| {
        let own = main.go_mod.module.as_ref();
        own.is_some_and(|own| own.value == module.path)
    };
    if module.version.is_empty() && mains.iter().any(is_main) {
        return None;
    }
    if let Some(replace) = work.and_then(|work| work.replacement(module)) {
        return Some((&replace.new, None));
    }
    mains.iter().find_map(|main| {
        let replace = main.go_mod.replacement(module)?;
        Some((&replace.new, Some(main.folder.as_str())))
    })
}

/// A folder of a workspace's module as seen from go.work (`modload.canonicalizeReplacePath`).
pub(super) fn canonical(new: &ModuleVersion, folder: Option<&str>) -> ModuleVersion {
    let Some(folder) = folder.filter(|_| new.version.is_empty() && !is_absolute(&new.path)) else {
        return new.clone();
    };
    let mut parts: Vec<&str> = Vec::new();
    let path = new.path.replace('\\', "/");
    for part in folder.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    // `modload.ToDirectoryPath`
    let joined = match parts.first() {
        None => ".".to_owned(),
        Some(&"..") => parts.join("/"),
        Some(_) => format!("./{}", parts.join("/")),
    };
    ModuleVersion::new(joined, "")
}

fn is_absolute(path: &str) -> bool {
    is_directory(path) && !path.starts_with('.')
}

/// With its version, where it has one.
pub(super) fn describe(module: &ModuleVersion) -> String {
    if module.version.is_empty() {
        module.path.clone()
    } else {
        module.to_string()
    }
}

const PLACE: &str = "vendor/modules.txt";

/// Finds what modules.txt says wrongly and go does not refuse. `said` are the modules that
/// already have a finding; `go` is the `go` line that decides for vendor/.
pub(super) fn misstatements(
    facts: &VendorFacts,
    txt: &ModulesTxt,
    go: &str,
    said: &[&str],
    again: &str,
    out: &mut Vec<VendorFinding>,
) {
    let mut add = |code: VendorCode, listed: &ListedModule, what: String| {
        let finding = VendorFinding::new(code, what, again).of(listed.module.to_string());
        out.push(finding.at(PLACE));
    };
    if facts.unreadable.is_empty() {
        let unreported = |listed: &&ListedModule| !said.contains(&listed.module.path.as_str());
        for listed in txt.modules.iter().filter(unreported) {
            if let Some(what) =
                unrequired(facts, listed).or_else(|| replaced_otherwise(facts, listed, go))
            {
                add(VendorCode::Misstated, listed, what);
            }
        }
    }
    let any = txt.modules.iter().any(|listed| listed.go.is_some());
    for holding in &facts.holdings {
        let Some(listed) = txt.get(&holding.module) else {
            continue;
        };
        let asked = at_least(go, "1.21") || any && at_least(go, "1.17");
        if let Some(what) = language(listed, holding, asked) {
            let code = if matches!(holding.from, HeldFrom::Folder(_)) {
                VendorCode::OutOfDate
            } else {
                VendorCode::Misstated
            };
            add(code, listed, what);
        }
    }
}

/// A module without packages stands there because a go.mod requires it.
fn unrequired(facts: &VendorFacts, listed: &ListedModule) -> Option<String> {
    let mut required = facts.mains.iter().flat_map(|main| &main.go_mod.require);
    let stands_for_itself = listed.packages.is_empty() && listed.replacement.is_none();
    (stands_for_itself && !required.any(|one| one.module.path == listed.module.path))
        .then(|| "is listed, but has no packages, and no go.mod requires it".to_owned())
}

/// A replacement of all versions at the end of modules.txt hides from go that the listed module's
/// own replacement is missing or different.
fn replaced_otherwise(facts: &VendorFacts, listed: &ListedModule, go: &str) -> Option<String> {
    if listed.packages.is_empty() || !at_least(go, "1.14") {
        return None;
    }
    let is_work = facts.kind == ProjectKind::Workspace;
    let wanted = replacement(facts.work.as_ref(), &facts.mains, &listed.module);
    let wanted = wanted.map(|(new, folder)| canonical(new, folder.filter(|_| is_work)));
    if wanted == listed.replacement {
        return None;
    }
    let named = |by: Option<&crate::gomod::ModuleVersion>| match by {
        Some(by) => format!("is replaced by {}", describe(by)),
        None => "is not replaced".to_owned(),
    };
    let is = named(wanted.as_ref());
    let says = named(listed.replacement.as_ref());
    Some(format!("{is}, but is listed as one that {says}"))
}

/// `## go 1.17` is the `go` line of the module's own go.mod. `asked`: it has to be there.
fn language(listed: &ListedModule, holding: &Holding, asked: bool) -> Option<String> {
    if !matches!(holding.from, HeldFrom::Zip(_) | HeldFrom::Folder(_)) {
        return None;
    }
    let own = holding.go_mod.as_ref();
    // go reads a dependency's go.mod more leniently than the main one's, so odd ones are skipped.
    if own.is_some_and(|own| !own.faults.is_empty())
        || listed.module.version.ends_with("+incompatible")
    {
        return None;
    }
    let own = own.and_then(|own| Some(own.go.as_ref()?.value.as_str()));
    match (own, listed.go.as_deref()) {
        (Some(own), _) if !is_valid(own) => None,
        (Some(own), Some(says)) if own != says => Some(format!(
            "is listed with go {says}, but its go.mod says go {own}"
        )),
        (Some(own), None) if asked => {
            Some(format!("is listed without its go version, which is {own}"))
        }
        (None, Some(says)) => Some(format!(
            "is listed with go {says}, but its go.mod names no version"
        )),
        _ => None,
    }
}

/// Does this file, which vendoring would not have copied, belong to a package that is not listed?
pub(super) fn is_unlisted(source: &ModuleFiles, path: &str, go: &str) -> bool {
    let name = split(path).1;
    name.ends_with(".go")
        && !name.starts_with(['_', '.'])
        && source
            .get(path)
            .is_some_and(|file| is_source(name, file, go))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gomod::{go_mod, go_work, modules_txt};

    fn main(folder: &str, text: &str) -> MainModule {
        MainModule {
            folder: folder.to_owned(),
            go_mod: go_mod::parse(text),
        }
    }

    fn said(txt: &str, work: Option<&str>, mains: &[MainModule]) -> Vec<String> {
        let work = work.map(go_work::parse);
        let all = disagreements(&modules_txt::parse(txt), work.as_ref(), mains);
        all.iter()
            .map(|one| format!("{} {}", describe(&one.module), one.what))
            .collect()
    }

    #[test]
    fn before_go_1_14_only_a_wrong_version_counts() {
        let txt = "# a.b/c v1.1.0\na.b/c\n";
        let old = main(
            ".",
            "module x.y/z\ngo 1.13\nrequire a.b/c v1.0.0\nreplace a.b/d => ./d\n",
        );
        let wanted = [
            "a.b/c@v1.0.0 is explicitly required in go.mod, but vendor/modules.txt indicates a.b/c@v1.1.0",
        ];
        assert_eq!(said(txt, None, &[old]), wanted);
        // No go line is older yet (`modload.indexModFile`).
        let none = main(".", "module x.y/z\nrequire a.b/c v1.1.0\n");
        assert_eq!(said(txt, None, &[none]), [""; 0]);
        let new = main(".", "module x.y/z\ngo 1.14\nrequire a.b/c v1.1.0\n");
        assert_eq!(said(txt, None, &[new]).len(), 1);
    }

    #[test]
    fn a_workspace_is_as_explicit_as_any_of_its_modules() {
        let txt = "## workspace\n# a.b/c v1.0.0\n## explicit\na.b/c\n# a.b/d v1.0.0 => ./two/d\n## explicit\na.b/d\n# a.b/d => ./two/d\n";
        let work = "go 1.22\nuse (\n./one\n./two\n)\n";
        let mains = [
            main("./one", "module x.y/one\ngo 1.21\nrequire a.b/c v1.0.0\n"),
            main(
                "./two",
                "module x.y/two\ngo 1.21\nrequire a.b/d v1.0.0\nreplace a.b/d => ./d\n",
            ),
        ];
        assert_eq!(said(txt, Some(work), &mains), [""; 0]);
        // go.work's own replacement goes before a module's.
        let other = "go 1.22\nuse ./one\nreplace a.b/d => ../d\n";
        assert_eq!(
            said(txt, Some(other), &mains),
            [
                "a.b/d is replaced by ../d in go.work, but marked as replaced by ./two/d in vendor/modules.txt"
            ]
        );
        assert_eq!(
            said(txt, Some(work), &mains[..1]),
            [
                "a.b/d@v1.0.0 is marked as explicit in vendor/modules.txt, but not explicitly required in a go.mod",
                "a.b/d@v1.0.0 is marked as replaced in vendor/modules.txt, but not replaced in the workspace",
                "a.b/d is marked as replaced in vendor/modules.txt, but not replaced in the workspace",
            ]
        );
    }

    #[test]
    fn a_module_s_folder_is_seen_from_go_work() {
        let seen =
            |path: &str, folder: &str| canonical(&ModuleVersion::new(path, ""), Some(folder)).path;
        assert_eq!(seen("./d", "./two"), "./two/d");
        assert_eq!(seen("../d", "./two"), "./d");
        assert_eq!(seen("../../d", "./two"), "../d");
        assert_eq!(seen("..", "./two"), ".");
        assert_eq!(seen("/d", "./two"), "/d");
    }
}
