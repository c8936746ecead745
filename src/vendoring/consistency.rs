//! Checks that vendor/modules.txt agrees with go.mod, or with go.work and its modules. The rules
//! and the words are go's (`modload.checkVendorConsistency`, go 1.14 to 1.27).

use std::collections::BTreeSet;

use super::gather::{Holding, VendorFacts};
use super::project::ProjectFiles;
use super::report::{VendorCode, VendorFinding};
use crate::gomod::ModuleVersion;
use crate::gomod::go_version::{at_least, is_valid};
use crate::gomod::modules_txt::{ListedModule, ModulesTxt};

/// Returns the modules because of which go would refuse to build, and why in go's words. In go's
/// order.
pub(super) fn disagreements(
    txt: &ModulesTxt,
    project: &ProjectFiles,
) -> Vec<(ModuleVersion, String)> {
    let mut out: Vec<(ModuleVersion, String)> = Vec::new();
    let is_module = project.work.is_none();
    let is_since = |version| project.go().is_some_and(|go| at_least(go, version));
    // Before 1.14 modules.txt did not have enough information (a go.mod without a `go` line is even
    // older).
    let before_114 = is_module && !is_since("1.14");
    let required: BTreeSet<&ModuleVersion> = project.required().collect();
    for module in project.required() {
        if txt.get(module).is_some_and(|listed| listed.explicit) {
            continue;
        }
        let mut vendored = txt.providers().filter(|l| l.module.path == module.path);
        let what = if !before_114 {
            "is explicitly required in go.mod, but not marked as explicit in vendor/modules.txt"
                .to_owned()
        } else if let Some(other) = vendored.find(|l| l.module.version != module.version) {
            format!(
                "is explicitly required in go.mod, but vendor/modules.txt indicates {}",
                other.module
            )
        } else {
            continue;
        };
        out.push((module.clone(), what));
    }
    let mut seen = BTreeSet::new();
    let replaces = project.mains.iter().flat_map(|(_, main)| &main.replace);
    let replaces = replaces.chain(project.work.iter().flat_map(|work| &work.replace));
    for replace in replaces.filter(|replace| replace.error.is_none()) {
        let old = &replace.old;
        let listed = txt.get(old);
        let marked = listed.and_then(|listed| listed.replacement.as_ref());
        let wanted = project.replacement(old);
        if !seen.insert(old) || wanted.as_ref().map(|(new, _)| new) == marked {
            continue;
        }
        let provides = listed.is_some_and(|listed| !listed.packages.is_empty());
        let what = match (wanted, marked) {
            (_, None) if before_114 && (old.version.is_empty() || !provides) => continue,
            (wanted, None) => format!(
                "is replaced in {}, but not marked as replaced in vendor/modules.txt",
                wanted.map_or("go.mod", |(_, file)| file)
            ),
            (wanted, Some(marked)) => {
                let (by, file) = wanted.map_or((String::new(), "go.mod"), |(new, file)| {
                    (describe(&new), file)
                });
                format!(
                    "is replaced by {by} in {file}, but marked as replaced by {} in vendor/modules.txt",
                    describe(marked)
                )
            }
        };
        out.push((old.clone(), what));
    }
    // `modload.readModGraph`: a pruned go.mod names every module that provides packages.
    let is_pruned = is_module && is_since("1.17");
    let unrequired = |l: &&ListedModule| !required.contains(&l.module);
    let providers = || txt.providers().filter(unrequired);
    for listed in providers().filter(|listed| listed.explicit) {
        let article = if is_module { "" } else { "a " };
        out.push((
            listed.module.clone(),
            format!("is marked as explicit in vendor/modules.txt, but not explicitly required in {article}go.mod"),
        ));
    }
    for listed in providers().filter(|listed| is_pruned && !listed.explicit) {
        let what = "is vendored, but not explicitly required in go.mod";
        out.push((listed.module.clone(), what.to_owned()));
    }
    let marked = txt.modules.iter().filter(|l| l.replacement.is_some());
    for listed in marked.filter(|l| project.replacement(&l.module).is_none()) {
        let place = if is_module { "go.mod" } else { "the workspace" };
        let what =
            format!("is marked as replaced in vendor/modules.txt, but not replaced in {place}");
        out.push((listed.module.clone(), what));
    }
    out
}

/// Formats a module with its version, if it has one.
pub(super) fn describe(module: &ModuleVersion) -> String {
    if module.version.is_empty() {
        module.path.clone()
    } else {
        module.to_string()
    }
}

/// Finds errors in modules.txt that go does not refuse. `said` are the modules that already have a
/// finding; `go` is the `go` line that applies to vendor/.
pub(super) fn misstatements(
    facts: &VendorFacts,
    txt: &ModulesTxt,
    go: &str,
    said: &[&str],
    again: &str,
    out: &mut Vec<VendorFinding>,
) {
    let mut add = |code: VendorCode, listed: &ListedModule, what: String| {
        let finding = VendorFinding::new(code, what, again).of(&listed.module);
        out.push(finding.at("vendor/modules.txt"));
    };
    let project = &facts.project;
    let unreported = |l: &&ListedModule| !said.contains(&l.module.path.as_str());
    let readable = txt.modules.iter().filter(|_| project.unreadable.is_empty());
    for listed in readable.filter(unreported) {
        let misstated =
            unrequired(project, listed).or_else(|| replaced_otherwise(project, listed, go));
        if let Some(what) = misstated {
            add(VendorCode::Misstated, listed, what);
        }
    }
    let any = txt.modules.iter().any(|listed| listed.go.is_some());
    let asked = at_least(go, "1.21") || any && at_least(go, "1.17");
    for listed in &txt.modules {
        let holding = facts.holdings.get(&listed.module);
        let Some((holding, what)) = holding.and_then(|h| Some((h, language(listed, h, asked)?)))
        else {
            continue;
        };
        let code = if holding.local {
            VendorCode::OutOfDate
        } else {
            VendorCode::Misstated
        };
        add(code, listed, what);
    }
}

/// Reports a module that has no packages and that no go.mod requires. A module without packages is
/// listed only because a go.mod requires it.
fn unrequired(project: &ProjectFiles, listed: &ListedModule) -> Option<String> {
    let stands_for_itself = listed.packages.is_empty() && listed.replacement.is_none();
    let is_required = project.required().any(|one| one.path == listed.module.path);
    (stands_for_itself && !is_required)
        .then(|| "is listed, but has no packages, and no go.mod requires it".to_owned())
}

/// Reports a listed module whose own replacement is missing or different, which go does not notice
/// if the end of modules.txt replaces all versions of the module.
fn replaced_otherwise(project: &ProjectFiles, listed: &ListedModule, go: &str) -> Option<String> {
    let wanted = project.replacement(&listed.module).map(|(new, _)| new);
    if listed.packages.is_empty() || !at_least(go, "1.14") || wanted == listed.replacement {
        return None;
    }
    let named = |by: &Option<ModuleVersion>| match by {
        Some(by) => format!("is replaced by {}", describe(by)),
        None => "is not replaced".to_owned(),
    };
    let (is, says) = (named(&wanted), named(&listed.replacement));
    Some(format!("{is}, but is listed as one that {says}"))
}

/// Compares `## go 1.17` with the `go` line of the module's own go.mod. `asked`: the line must be
/// there.
fn language(listed: &ListedModule, holding: &Holding, asked: bool) -> Option<String> {
    let own = holding.go_mod.as_ref();
    // go reads a dependency's go.mod more leniently than the main one's, so a go.mod with faults is
    // skipped.
    if holding.files.is_err()
        || own.is_some_and(|own| !own.faults.is_empty())
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

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::gomod::go_mod::{self, GoMod};
    use crate::gomod::{go_work, modules_txt};

    fn main(folder: &str, text: &str) -> (PathBuf, GoMod) {
        (Path::new("/w").join(folder), go_mod::parse(text))
    }

    fn project(work: Option<&str>, mains: &[(PathBuf, GoMod)]) -> ProjectFiles {
        ProjectFiles {
            root: "/w".into(),
            work: work.map(go_work::parse),
            mains: mains.to_vec(),
            ..ProjectFiles::default()
        }
    }

    fn said(txt: &str, work: Option<&str>, mains: &[(PathBuf, GoMod)]) -> Vec<String> {
        let all = disagreements(&modules_txt::parse(txt), &project(work, mains));
        all.iter()
            .map(|(module, what)| format!("{} {what}", describe(module)))
            .collect()
    }

    #[test]
    fn before_go_1_14_only_a_wrong_version_counts() {
        let txt = "# a.b/c v1.1.0\na.b/c\n";
        let old = main(
            "",
            "module x.y/z\ngo 1.13\nrequire a.b/c v1.0.0\nreplace a.b/d => ./d\n",
        );
        let wanted = [
            "a.b/c@v1.0.0 is explicitly required in go.mod, but vendor/modules.txt indicates a.b/c@v1.1.0",
        ];
        assert_eq!(said(txt, None, &[old]), wanted);
        // A go.mod without a go line is even older (`modload.indexModFile`).
        let none = main("", "module x.y/z\nrequire a.b/c v1.1.0\n");
        assert_eq!(said(txt, None, &[none]), [""; 0]);
        let new = main("", "module x.y/z\ngo 1.14\nrequire a.b/c v1.1.0\n");
        assert_eq!(said(txt, None, &[new]).len(), 1);
    }

    #[test]
    fn a_workspace_is_as_explicit_as_any_of_its_modules() {
        let txt = "## workspace\n# a.b/c v1.0.0\n## explicit\na.b/c\n# a.b/d v1.0.0 => ./two/d\n## explicit\na.b/d\n# a.b/d => ./two/d\n";
        let work = "go 1.22\nuse (\n./one\n./two\n)\n";
        let mains = [
            main("one", "module x.y/one\ngo 1.21\nrequire a.b/c v1.0.0\n"),
            main(
                "two",
                "module x.y/two\ngo 1.21\nrequire a.b/d v1.0.0\nreplace a.b/d => ./d\n",
            ),
        ];
        assert_eq!(said(txt, Some(work), &mains), [""; 0]);
        // go.work's own replacement has precedence over a module's.
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
        let seen = |path: &str, folder: &str| {
            let text = format!("module x.y/two\nreplace a.b/d => {path}\n");
            let project = project(Some("go 1.22\n"), &[main(folder, &text)]);
            let (new, _) = project.replacement(&ModuleVersion::new("a.b/d", "v1.0.0"))?;
            Some(new.path)
        };
        assert_eq!(seen("./d", "two").as_deref(), Some("./two/d"));
        assert_eq!(seen("../d", "two").as_deref(), Some("./d"));
        assert_eq!(seen("../../d", "two").as_deref(), Some("../d"));
        assert_eq!(seen("..", "two").as_deref(), Some("."));
        assert_eq!(seen("/d", "two").as_deref(), Some("/d"));
    }
}
