//! Finds errors in vendor/modules.txt that go does not refuse.

use super::gather::{Holding, VendorFacts};
use super::report::{VendorCode, VendorFinding};
use crate::gomod::ModuleVersion;
use crate::gomod::go_version::{at_least, is_valid};
use crate::gomod::modules_txt::{ListedModule, ModulesTxt};
use crate::gomod::project::{ProjectFiles, describe};

/// Finds them. `said` are the modules that already have a
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
