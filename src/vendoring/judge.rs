//! From facts to findings. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::consistency::disagreements;
use super::copied::{self, Print, Source, expected, folder_of, is_for_tests, is_metadata};
use super::facts::{Facts, From, Holding, Kept, Kind, Vendor};
use super::finding::{Code, Finding};
use super::listing::{is_unlisted, misstatements};
use crate::gomod::go_version::at_least;
use crate::gomod::modules_txt::{Listed, ModulesTxt};

/// All that is wrong, the worst first; what is only to be known last.
pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    let mut out = Vec::new();
    let file = facts.kind.file();
    for (file, why) in &facts.unreadable {
        let mend = "mend it by hand, or `goroam vendor rollback`";
        out.push(Finding::new(Code::Unreadable, why.clone(), mend).at(file.clone()));
    }
    let again = format!("`{}`", facts.kind.command());
    match &facts.vendor {
        Vendor::Missing => out.push(Finding::new(
            Code::NoVendor,
            format!("there is no vendor/ beside {file}"),
            format!("{again} makes it; `goroam vendor rollback` brings a snapshot back"),
        )),
        Vendor::NotAFolder => out.push(Finding::new(
            Code::NotAFolder,
            "vendor is a file, or a link that leads to no folder",
            format!("move it away, then {again}"),
        )),
        Vendor::NoList => out.push(Finding::new(
            Code::NoModulesTxt,
            "vendor/ has no modules.txt, so nothing says what is in it",
            format!("{again} makes both anew"),
        )),
        Vendor::Listed(txt) => listed(facts, txt, &again, &mut out),
    }
    out.sort_by(|a, b| {
        let key = |f: &Finding| {
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

fn listed(facts: &Facts, txt: &ModulesTxt, again: &str, out: &mut Vec<Finding>) {
    let go = go_line(facts);
    mode(facts, txt, go, again, out);
    let all = disagreements(txt, facts.work.as_ref(), &facts.mains);
    let told: Vec<&str> = all.iter().map(|one| one.module.path.as_str()).collect();
    misstatements(facts, txt, go.unwrap_or("1.16"), &told, again, out);
    for one in &all {
        let module = if one.module.version.is_empty() {
            one.module.path.clone()
        } else {
            one.module.to_string()
        };
        out.push(
            Finding::new(Code::Inconsistent, one.what.as_str(), again)
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

/// The `go` line that decides for vendor/; `None`: there is none.
fn go_line(facts: &Facts) -> Option<&str> {
    let of_main = || facts.mains.first()?.go_mod.go.as_ref();
    let line = match facts.kind {
        Kind::Workspace => facts.work.as_ref().and_then(|work| work.go.as_ref()),
        Kind::Module => of_main(),
    };
    line.map(|line| line.value.as_str())
}

/// Would go use it (`modload.setDefaultBuildMod`)?
fn mode(facts: &Facts, txt: &ModulesTxt, go: Option<&str>, again: &str, out: &mut Vec<Finding>) {
    let is_workspace = facts.kind == Kind::Workspace;
    if txt.workspace != is_workspace {
        let what = if txt.workspace {
            "vendor/ was made for a workspace, and there is no go.work: go does not use it"
        } else {
            "vendor/ was made for a module, and there is a go.work: go does not use it"
        };
        out.push(Finding::new(Code::Inconsistent, what, again).at("vendor/modules.txt"));
    }
    if go.is_none_or(|go| !at_least(go, "1.14")) {
        let says = go.map_or("no go line".to_owned(), |go| format!("go {go}"));
        let what = [
            facts.kind.file(),
            " says ",
            &says,
            ": go uses vendor/ by itself from 1.14 on",
        ];
        let mend = "`go mod edit -go=1.14` or later, or -mod=vendor with each command";
        out.push(Finding::new(Code::NotUsed, what.concat(), mend));
    }
}

/// vendor/ with its owners.
struct Tree<'a> {
    facts: &'a Facts,
    /// The module that each vendored package is of.
    packages: BTreeMap<&'a str, &'a Listed>,
    providers: Vec<&'a Listed>,
    /// Each file with the nearest of its owners.
    nearest: Vec<(&'a str, &'a Print, &'a Listed)>,
}

impl<'a> Tree<'a> {
    fn new(facts: &'a Facts, txt: &'a ModulesTxt) -> Tree<'a> {
        let mut packages = BTreeMap::new();
        let mut providers: Vec<&Listed> = txt.providers().collect();
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
            if let (Kept::File(print), Some(first)) = (kept, tree.owners(path).first()) {
                tree.nearest.push((path, print, first));
            }
        }
        tree
    }

    /// The modules that a file may come from, the nearest first: the one that the package in
    /// its folder is of, else every one whose path is above it. Licences of a module reach up
    /// into folders of others.
    fn owners(&self, path: &str) -> Vec<&'a Listed> {
        let (folder, name) = copied::split(path);
        if let Some(listed) = self.packages.get(folder)
            && !is_metadata(name)
        {
            return vec![listed];
        }
        let above = |listed: &&&Listed| folder_of(folder, &listed.module.path).is_some();
        self.providers.iter().filter(above).copied().collect()
    }

    fn holding(&self, listed: &Listed) -> Option<&'a Holding> {
        self.facts
            .holdings
            .iter()
            .find(|h| h.module == listed.module)
    }
}

fn module(
    tree: &Tree<'_>,
    listed: &Listed,
    holding: &Holding,
    go: &str,
    again: &str,
    out: &mut Vec<Finding>,
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
            let what = [
                "modules.txt lists the package ",
                package,
                ", but none of its files is there",
            ];
            out.push(
                Finding::new(Code::PackageMissing, what.concat(), again)
                    .of(&name)
                    .at(format!("vendor/{package}")),
            );
        }
    }
    let (source, code) = match &holding.from {
        From::Zip(source) => (source, Code::FileMissing),
        From::Folder(source) => (source, Code::OutOfDate),
        From::NoSum(_) | From::NoZip(..) | From::Mismatch(..) | From::NoFolder(..) => {
            out.extend(unverified(holding).map(|finding| finding.of(name)));
            return;
        }
    };
    for file in expected(source, &listed.module.path, &there, go) {
        let path = format!("{}/{file}", listed.module.path);
        if !tree.facts.files.contains_key(&path) {
            let what = "it is missing, and vendoring brings it";
            let mend = [
                again,
                "; if git does not track it, see `git check-ignore -v` of it",
            ];
            out.push(
                Finding::new(code, what, mend.concat())
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

/// One file against the modules that it may be of; the finding is the nearest one's.
fn file(
    tree: &Tree<'_>,
    path: &str,
    print: &Print,
    listed: &Listed,
    source: &Source,
    brought: &BTreeSet<String>,
    again: &str,
) -> Option<Finding> {
    let own = folder_of(path, &listed.module.path).unwrap_or_default();
    let name = name_of(listed);
    let finding = |code, what: &str, mend: &str| {
        let finding = Finding::new(code, what, mend);
        Some(finding.of(&name).at(format!("vendor/{path}")))
    };
    let local = tree
        .holding(listed)
        .is_some_and(|h| matches!(h.from, From::Folder(..)));
    let held = source.get(own);
    if held.is_some_and(|held| held.print.sum == print.sum) {
        if brought.contains(own) || is_for_tests(source, &listed.module.path, &listed.packages, own)
        {
            return None;
        }
        let what = "`go mod vendor` leaves it out; it is what the module holds";
        return finding(Code::LeftOver, what, "let it be, if something needs it");
    }
    // Another module's licence in the same folder, or a file that cannot be told.
    let elsewhere = tree.owners(path).into_iter().skip(1).any(|other| {
        let own = folder_of(path, &other.module.path).unwrap_or_default();
        match tree.holding(other).map(|h| &h.from) {
            Some(From::Zip(source) | From::Folder(source)) => source
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
            Code::OutOfDate,
            "the folder that replaces the module has no such file",
            again,
        ),
        None => finding(
            Code::NotInModule,
            "the module has no such file",
            &["see what it is; ", again, " makes vendor/ anew without it"].concat(),
        ),
        Some(held) if held.print.with_lf == print.with_lf => finding(
            Code::LineEnds,
            "only its line ends differ (CR LF and LF): most likely git changed them on checkout (core.autocrlf)",
            &[
                "write `vendor/** -text` into .gitattributes, then ",
                again,
                " writes it anew",
            ]
            .concat(),
        ),
        Some(_) if local => finding(
            Code::OutOfDate,
            "it is not what the folder holds that replaces the module",
            again,
        ),
        Some(_) => finding(
            Code::Altered,
            "it is not what the verified module holds",
            &[
                "see `git log -p` of it; ",
                again,
                " or `goroam vendor rollback` puts it right",
            ]
            .concat(),
        ),
    }
}

/// A file that vendoring leaves out because nobody lists its package is told as that.
fn unlisted(
    tree: &Tree<'_>,
    found: Finding,
    path: &str,
    listed: &Listed,
    source: &Source,
    go: &str,
    again: &str,
) -> Finding {
    let folder = copied::split(path).0;
    let own = folder_of(path, &listed.module.path).unwrap_or_default();
    if found.code != Code::LeftOver
        || tree.packages.contains_key(folder)
        || !is_unlisted(source, own, go)
    {
        return found;
    }
    let what = [
        "modules.txt does not list the package ",
        folder,
        ", so go passes it over (from `go 1.23` on)",
    ];
    let finding = Finding::new(Code::PackageUnlisted, what.concat(), again);
    finding.of(name_of(listed)).at(format!("vendor/{path}"))
}

/// Why there was nothing to compare with.
fn unverified(holding: &Holding) -> Option<Finding> {
    let finding = match &holding.from {
        From::NoSum(module) => Finding::new(
            Code::NoSum,
            "go.sum does not say what its zip must be, so nothing proves these files",
            format!(
                "`go mod download {module}` writes that line, after the checksum database agrees"
            ),
        ),
        From::NoZip(module, tried) => {
            let mut what =
                "not verified: its zip is neither in the module cache nor in the mirror".to_owned();
            for why in tried {
                what.push_str("; ");
                what.push_str(why);
            }
            let module = module.to_string();
            Finding::new(
                Code::NoZip,
                what,
                format!("`go mod download {module}` or `goroam mirror add {module}` brings it"),
            )
        }
        From::Mismatch(module, path, is, wanted) => Finding::new(
            Code::ZipMismatch,
            format!("{} is {is}, but go.sum says {wanted}", path.display()),
            format!(
                "compare go.sum with your version control; if go.sum is right, remove that zip and `go mod download {module}`"
            ),
        ),
        From::NoFolder(path, why) => Finding::new(
            Code::NoFolder,
            format!(
                "not compared: {}, which replaces it, cannot be read: {why}",
                path.display()
            ),
            "bring that folder back, or mend the replace line",
        ),
        From::Zip(_) | From::Folder(..) => return None,
    };
    Some(finding)
}

/// Files that no listed module could own, what is no file, and what may be executed.
fn strangers(tree: &Tree<'_>, out: &mut Vec<Finding>) {
    for path in &tree.facts.executable {
        let what = "it may be executed; no file is that `go mod vendor` writes";
        let at = format!("vendor/{path}");
        let mend = format!("`chmod a-x {at}`");
        out.push(Finding::new(Code::Executable, what, mend).at(at));
    }
    for (path, kept) in &tree.facts.files {
        let at = format!("vendor/{path}");
        let owner = tree.owners(path).first().map(|listed| name_of(listed));
        let finding = match (kept, &owner) {
            (Kept::Link, _) => Finding::new(
                Code::Link,
                "it is a link; `go mod vendor` makes none, and what it leads to is not verified",
                "remove it",
            ),
            (Kept::Odd, _) => Finding::new(
                Code::NotInModule,
                "it cannot be read as a file",
                "see what it is, and remove it",
            ),
            (Kept::File(_), None) => Finding::new(
                Code::NotInModule,
                "modules.txt lists no module that it could be of",
                "see what it is, and remove it",
            ),
            (Kept::File(_), Some(_)) => continue,
        };
        let finding = finding.at(at);
        out.push(match owner {
            Some(owner) => finding.of(owner),
            None => finding,
        });
    }
}

fn name_of(listed: &Listed) -> String {
    listed.module.to_string()
}
