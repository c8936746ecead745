//! From facts to findings. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::consistency::disagreements;
use super::consistency::{is_unlisted, misstatements};
use super::copied::{self, ModuleFiles, Print, expected, folder_of, is_for_tests, is_metadata};
use super::facts::{HeldFrom, Holding, ProjectKind, VendorFacts, VendorState, VendoredFile};
use super::report::{VendorCode, VendorFinding};
use crate::gomod::go_version::at_least;
use crate::gomod::modules_txt::{ListedModule, ModulesTxt};

/// All findings, the worst first and notes last.
pub(super) fn judge(facts: &VendorFacts) -> Vec<VendorFinding> {
    let mut out = Vec::new();
    let file = facts.kind.file();
    for (file, why) in &facts.unreadable {
        let mend = "fix it by hand, or run `goroam vendor rollback`";
        out.push(VendorFinding::new(VendorCode::Unreadable, why.clone(), mend).at(file.clone()));
    }
    let again = format!("`{}`", facts.kind.command());
    match &facts.vendor {
        VendorState::Missing => out.push(VendorFinding::new(
            VendorCode::NoVendor,
            format!("there is no vendor/ beside {file}"),
            format!("run {again} to create it; `goroam vendor rollback` brings a snapshot back"),
        )),
        VendorState::NotAFolder => out.push(VendorFinding::new(
            VendorCode::NotAFolder,
            "vendor is a file, or a link to no folder",
            format!("move it away, then run {again}"),
        )),
        VendorState::NoList => out.push(VendorFinding::new(
            VendorCode::NoModulesTxt,
            "vendor/ has no modules.txt, so its content is not known",
            format!("run {again} to create both again"),
        )),
        VendorState::Listed(txt) => listed(facts, txt, &again, &mut out),
    }
    out.sort_by(|a, b| {
        let key = |f: &VendorFinding| {
            (
                std::cmp::Reverse(f.weight),
                f.module.clone(),
                f.file.clone(),
            )
        };
        key(a).cmp(&key(b)).then(a.code.cmp(&b.code))
    });
    out
}

fn listed(facts: &VendorFacts, txt: &ModulesTxt, again: &str, out: &mut Vec<VendorFinding>) {
    let go = go_line(facts);
    mode(facts, txt, go, again, out);
    let all = disagreements(txt, facts.work.as_ref(), &facts.mains);
    let reported: Vec<&str> = all.iter().map(|one| one.module.path.as_str()).collect();
    misstatements(facts, txt, go.unwrap_or("1.16"), &reported, again, out);
    for one in &all {
        let module = if one.module.version.is_empty() {
            one.module.path.clone()
        } else {
            one.module.to_string()
        };
        out.push(
            VendorFinding::new(VendorCode::Inconsistent, one.what.as_str(), again)
                .of(module)
                .at("vendor/modules.txt"),
        );
    }
    let tree = Tree::new(facts, txt);
    for listed in txt.providers() {
        let holding = facts.holdings.iter().find(|h| h.module == listed.module);
        if let Some(holding) = holding {
            module(&tree, listed, holding, go.unwrap_or("1.16"), again, out);
        }
    }
    strangers(&tree, out);
}

/// The `go` line that decides for vendor/, if there is one.
fn go_line(facts: &VendorFacts) -> Option<&str> {
    let of_main = || facts.mains.first()?.go_mod.go.as_ref();
    let line = match facts.kind {
        ProjectKind::Workspace => facts.work.as_ref().and_then(|work| work.go.as_ref()),
        ProjectKind::Module => of_main(),
    };
    line.map(|line| line.value.as_str())
}

/// Would go use it (`modload.setDefaultBuildMod`)?
fn mode(
    facts: &VendorFacts,
    txt: &ModulesTxt,
    go: Option<&str>,
    again: &str,
    out: &mut Vec<VendorFinding>,
) {
    let is_workspace = facts.kind == ProjectKind::Workspace;
    if txt.workspace != is_workspace {
        let what = if txt.workspace {
            "vendor/ was made for a workspace, but there is no go.work: go does not use it"
        } else {
            "vendor/ was made for a module, but there is a go.work: go does not use it"
        };
        out.push(
            VendorFinding::new(VendorCode::Inconsistent, what, again).at("vendor/modules.txt"),
        );
    }
    if go.is_none_or(|go| !at_least(go, "1.14")) {
        let says = go.map_or("no go line".to_owned(), |go| format!("go {go}"));
        let file = facts.kind.file();
        let what = format!("{file} says {says}: go uses vendor/ by default from 1.14 on");
        let mend = "run `go mod edit -go=1.14` or later, or pass -mod=vendor to each command";
        out.push(VendorFinding::new(VendorCode::NotUsed, what, mend));
    }
}

/// The files of vendor/ with the modules that may own them.
struct Tree<'a> {
    facts: &'a VendorFacts,
    /// The module that each vendored package is of.
    packages: BTreeMap<&'a str, &'a ListedModule>,
    providers: Vec<&'a ListedModule>,
    /// Each file with the nearest of its owners.
    nearest: Vec<(&'a str, &'a Print, &'a ListedModule)>,
}

impl<'a> Tree<'a> {
    fn new(facts: &'a VendorFacts, txt: &'a ModulesTxt) -> Tree<'a> {
        let mut packages = BTreeMap::new();
        let mut providers: Vec<&ListedModule> = txt.providers().collect();
        for listed in &providers {
            for package in &listed.packages {
                packages.insert(package.as_str(), *listed);
            }
        }
        // The longest path first: the nearest module.
        providers.sort_by_key(|listed| std::cmp::Reverse(listed.module.path.len()));
        let mut tree = Tree {
            facts,
            packages,
            providers,
            nearest: Vec::new(),
        };
        for (path, kept) in &facts.files {
            if let (VendoredFile::File(print), Some(first)) = (kept, tree.owners(path).first()) {
                tree.nearest.push((path, print, first));
            }
        }
        tree
    }

    /// The modules that a file may come from, the nearest first: the one that the package in
    /// its folder is of, else every one whose path is above it. Licences of a module reach up
    /// into folders of others.
    fn owners(&self, path: &str) -> Vec<&'a ListedModule> {
        let (folder, name) = copied::split(path);
        if let Some(listed) = self.packages.get(folder)
            && !is_metadata(name)
        {
            return vec![listed];
        }
        let above = |listed: &&&ListedModule| folder_of(folder, &listed.module.path).is_some();
        self.providers.iter().filter(above).copied().collect()
    }

    fn holding(&self, listed: &ListedModule) -> Option<&'a Holding> {
        self.facts
            .holdings
            .iter()
            .find(|h| h.module == listed.module)
    }
}

fn module(
    tree: &Tree<'_>,
    listed: &ListedModule,
    holding: &Holding,
    go: &str,
    again: &str,
    out: &mut Vec<VendorFinding>,
) {
    let name = name_of(listed);
    let has_files = |package: &str| {
        let mut below = tree.facts.files.range(format!("{package}/")..);
        below.next().is_some_and(|(path, _)| {
            copied::split(path).0 == package || folder_of(path, package).is_some()
        })
    };
    let mut there = Vec::new();
    for package in &listed.packages {
        if has_files(package) {
            there.push(package.clone());
        } else {
            let what =
                format!("modules.txt lists the package {package}, but none of its files is there");
            out.push(
                VendorFinding::new(VendorCode::PackageMissing, what, again)
                    .of(&name)
                    .at(format!("vendor/{package}")),
            );
        }
    }
    let (source, code) = match &holding.from {
        HeldFrom::Zip(source) => (source, VendorCode::FileMissing),
        HeldFrom::Folder(source) => (source, VendorCode::OutOfDate),
        HeldFrom::NoSum(_)
        | HeldFrom::NoZip(..)
        | HeldFrom::Mismatch(..)
        | HeldFrom::NoFolder(..) => {
            out.extend(unverified(holding).map(|finding| finding.of(name)));
            return;
        }
    };
    for file in expected(source, &listed.module.path, &there, go) {
        let path = format!("{}/{file}", listed.module.path);
        if !tree.facts.files.contains_key(&path) {
            let what = "it is missing, but vendoring copies it";
            let mend =
                format!("run {again}; if git does not track it, `git check-ignore -v` says why");
            out.push(
                VendorFinding::new(code, what, mend)
                    .of(&name)
                    .at(format!("vendor/{path}")),
            );
        }
    }
    let brought: BTreeSet<String> = expected(source, &listed.module.path, &listed.packages, go);
    for (path, print, first) in &tree.nearest {
        if first.module == listed.module {
            let found = file(tree, path, print, listed, source, &brought, again);
            out.extend(found.map(|found| unlisted(tree, found, path, listed, source, go, again)));
        }
    }
}

/// Compares one file with the modules that may own it; the finding names the nearest one.
fn file(
    tree: &Tree<'_>,
    path: &str,
    print: &Print,
    listed: &ListedModule,
    source: &ModuleFiles,
    brought: &BTreeSet<String>,
    again: &str,
) -> Option<VendorFinding> {
    let own = folder_of(path, &listed.module.path).unwrap_or_default();
    let name = name_of(listed);
    let finding = |code, what: &str, mend: &str| {
        let finding = VendorFinding::new(code, what, mend);
        Some(finding.of(&name).at(format!("vendor/{path}")))
    };
    let local = tree
        .holding(listed)
        .is_some_and(|h| matches!(h.from, HeldFrom::Folder(..)));
    let held = source.get(own);
    if held.is_some_and(|held| held.print.sum == print.sum) {
        if brought.contains(own) || is_for_tests(source, &listed.module.path, &listed.packages, own)
        {
            return None;
        }
        let what = "`go mod vendor` leaves it out, though the module has exactly this file";
        return finding(VendorCode::LeftOver, what, "keep it if something needs it");
    }
    // Another module's licence in the same folder, or a module that was not read.
    let elsewhere = tree.owners(path).into_iter().skip(1).any(|other| {
        let own = folder_of(path, &other.module.path).unwrap_or_default();
        match tree.holding(other).map(|h| &h.from) {
            Some(HeldFrom::Zip(source) | HeldFrom::Folder(source)) => source
                .get(own)
                .is_some_and(|held| held.print.sum == print.sum),
            _ => true,
        }
    });
    if elsewhere {
        return None;
    }
    match held {
        None if local => finding(
            VendorCode::OutOfDate,
            "the folder that replaces the module has no such file",
            again,
        ),
        None => finding(
            VendorCode::NotInModule,
            "the module has no such file",
            &format!("inspect it; {again} creates vendor/ again without it"),
        ),
        Some(held) if held.print.with_lf == print.with_lf => finding(
            VendorCode::LineEnds,
            "only its line ends differ (CR LF and LF): most likely git changed them on checkout (core.autocrlf)",
            &format!("add `vendor/** -text` to .gitattributes, then run {again} to write it again"),
        ),
        Some(_) if local => finding(
            VendorCode::OutOfDate,
            "it differs from the file in the folder that replaces the module",
            again,
        ),
        Some(_) => finding(
            VendorCode::Altered,
            "it differs from the file in the verified module",
            &format!(
                "`git log -p` shows its changes; {again} or `goroam vendor rollback` restores it"
            ),
        ),
    }
}

/// Turns a left-over file of a package that modules.txt does not list into that finding.
fn unlisted(
    tree: &Tree<'_>,
    found: VendorFinding,
    path: &str,
    listed: &ListedModule,
    source: &ModuleFiles,
    go: &str,
    again: &str,
) -> VendorFinding {
    let folder = copied::split(path).0;
    let own = folder_of(path, &listed.module.path).unwrap_or_default();
    if found.code != VendorCode::LeftOver
        || tree.packages.contains_key(folder)
        || !is_unlisted(source, own, go)
    {
        return found;
    }
    let what = format!(
        "modules.txt does not list the package {folder}, so go ignores it (from `go 1.23` on)"
    );
    let finding = VendorFinding::new(VendorCode::PackageUnlisted, what, again);
    finding.of(name_of(listed)).at(format!("vendor/{path}"))
}

/// The finding for a module that could not be compared.
fn unverified(holding: &Holding) -> Option<VendorFinding> {
    let finding = match &holding.from {
        HeldFrom::NoSum(module) => VendorFinding::new(
            VendorCode::NoSum,
            "go.sum has no hash of its zip, so these files cannot be verified",
            format!(
                "run `go mod download {module}`: it adds that line once the checksum database agrees"
            ),
        ),
        HeldFrom::NoZip(module, tried) => {
            let mut what =
                "not verified: its zip is neither in the module cache nor in the mirror".to_owned();
            for why in tried {
                what.push_str("; ");
                what.push_str(why);
            }
            let module = module.to_string();
            VendorFinding::new(
                VendorCode::NoZip,
                what,
                format!("run `go mod download {module}` or `goroam mirror add {module}`"),
            )
        }
        HeldFrom::Mismatch(module, path, is, wanted) => VendorFinding::new(
            VendorCode::ZipMismatch,
            format!(
                "{} has the hash {is}, but go.sum says {wanted}",
                path.display()
            ),
            format!(
                "compare go.sum with your version control; if go.sum is right, remove that zip and run `go mod download {module}`"
            ),
        ),
        HeldFrom::NoFolder(path, why) => VendorFinding::new(
            VendorCode::NoFolder,
            format!(
                "not compared: {}, which replaces it, cannot be read: {why}",
                path.display()
            ),
            "restore that folder, or fix the replace line",
        ),
        HeldFrom::Zip(_) | HeldFrom::Folder(..) => return None,
    };
    Some(finding)
}

/// Files that no listed module could own, links and devices, and executable files.
fn strangers(tree: &Tree<'_>, out: &mut Vec<VendorFinding>) {
    for path in &tree.facts.executable {
        let what = "it is executable; `go mod vendor` writes no executable files";
        let at = format!("vendor/{path}");
        let mend = format!("run `chmod a-x {at}`");
        out.push(VendorFinding::new(VendorCode::Executable, what, mend).at(at));
    }
    for (path, kept) in &tree.facts.files {
        let at = format!("vendor/{path}");
        let owner = tree.owners(path).first().map(|listed| name_of(listed));
        let finding = match (kept, &owner) {
            (VendoredFile::Link, _) => VendorFinding::new(
                VendorCode::Link,
                "it is a link; `go mod vendor` creates none, and its target is not verified",
                "remove it",
            ),
            (VendoredFile::Odd, _) => VendorFinding::new(
                VendorCode::NotInModule,
                "it is not a readable file",
                "inspect it, then remove it",
            ),
            (VendoredFile::File(_), None) => VendorFinding::new(
                VendorCode::NotInModule,
                "modules.txt lists no module that it could belong to",
                "inspect it, then remove it",
            ),
            (VendoredFile::File(_), Some(_)) => continue,
        };
        let finding = finding.at(at);
        out.push(match owner {
            Some(owner) => finding.of(owner),
            None => finding,
        });
    }
}

fn name_of(listed: &ListedModule) -> String {
    listed.module.to_string()
}
