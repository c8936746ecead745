//! What modules.txt says of the modules, against what they and the module files say. go believes
//! most of it unseen: the language version that a package is compiled with stands there alone.

use super::consistency::{canonical, describe, replacement};
use super::copied::{Source, is_source, split};
use super::facts::{Facts, From, Holding, Kind};
use super::finding::{Code, Finding};
use crate::gomod::go_version::{at_least, is_valid};
use crate::gomod::modules_txt::{Listed, ModulesTxt};

const PLACE: &str = "vendor/modules.txt";

/// Whatever it says that is not so, but for what go itself refuses (`said`: the modules that
/// this has been told of). `go`: the line that decides for vendor/.
pub(super) fn misstatements(
    facts: &Facts,
    txt: &ModulesTxt,
    go: &str,
    said: &[&str],
    again: &str,
    out: &mut Vec<Finding>,
) {
    let mut add = |code: Code, listed: &Listed, what: String| {
        let finding = Finding::new(code, what, again).of(listed.module.to_string());
        out.push(finding.at(PLACE));
    };
    if facts.unreadable.is_empty() {
        let untold = |listed: &&Listed| !said.contains(&listed.module.path.as_str());
        for listed in txt.modules.iter().filter(untold) {
            if let Some(what) = unrequired(facts, listed).or_else(|| replaced(facts, listed, go)) {
                add(Code::Misstated, listed, what);
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
            let code = if matches!(holding.from, From::Folder(_)) {
                Code::OutOfDate
            } else {
                Code::Misstated
            };
            add(code, listed, what);
        }
    }
}

/// A module without packages stands there because a go.mod requires it.
fn unrequired(facts: &Facts, listed: &Listed) -> Option<String> {
    let mut required = facts.mains.iter().flat_map(|main| &main.go_mod.require);
    let stands_for_itself = listed.packages.is_empty() && listed.replacement.is_none();
    (stands_for_itself && !required.any(|one| one.module.path == listed.module.path))
        .then(|| "is listed, but has no packages, and no go.mod requires it".to_owned())
}

/// A replacement of all versions that stands at the end hides from go that one is missing, or is
/// another one, where the module is listed.
fn replaced(facts: &Facts, listed: &Listed, go: &str) -> Option<String> {
    if listed.packages.is_empty() || !at_least(go, "1.14") {
        return None;
    }
    let is_work = facts.kind == Kind::Workspace;
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
fn language(listed: &Listed, holding: &Holding, asked: bool) -> Option<String> {
    if !matches!(holding.from, From::Zip(_) | From::Folder(_)) {
        return None;
    }
    let own = holding.go_mod.as_ref();
    // go reads the go.mod of others more leniently than its own; what is odd is let be.
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

/// Is this file, which vendoring would not have brought, one of a package that is not listed?
pub(super) fn is_unlisted(source: &Source, path: &str, go: &str) -> bool {
    let name = split(path).1;
    name.ends_with(".go")
        && !name.starts_with(['_', '.'])
        && source
            .get(path)
            .is_some_and(|file| is_source(name, file, go))
}
