//! Checks vendor/: gathers the facts, then judges them (pure).

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::Path;

use super::copied::{ModuleFiles, Print, below, expected, is_for_tests, is_metadata};
use super::copied::{is_source, split};
use super::error::Result;
use super::gather::{Holding, Shelves, VendorFacts, VendoredFile, gather};
use super::project::VendorProject;
use super::report::{VendorCode, VendorFinding, VendorReport, Weight};
use crate::gomod::ModuleVersion;
use crate::gomod::go_version::{at_least, is_valid};
use crate::gomod::modules_txt::{ListedModule, ModulesTxt};
use crate::gomod::project::{ProjectFiles, describe, disagreements};

/// Checks that vendor/ exists, that modules.txt agrees with the module files, and that each file
/// equals the verified module's. Only reads, and runs no command.
///
/// # Errors
/// When vendor/ cannot be read.
pub fn check(project: &VendorProject, shelves: &Shelves) -> Result<VendorReport> {
    check_at(project, &project.root, shelves)
}

/// The same as [`check`], but `project` may be a copy that is being prepared; local replacements
/// are looked up below `at`, the project itself.
///
/// # Errors
/// When vendor/ cannot be read.
pub(super) fn check_at(
    project: &VendorProject,
    at: &Path,
    shelves: &Shelves,
) -> Result<VendorReport> {
    let facts = gather(project, at, shelves)?;
    let findings = judge(&facts);
    let compared = |local: bool| {
        let holdings = facts.holdings.values();
        let compared = holdings.filter(|h| h.local == local && h.files.is_ok());
        compared.count()
    };
    Ok(VendorReport {
        good: findings.iter().all(|f| f.weight == Weight::Note),
        kind: facts.kind,
        root: project.root.display().to_string(),
        modules: facts.holdings.len(),
        verified: compared(false),
        local: compared(true),
        files: facts.files.len(),
        findings,
    })
}

/// Returns all findings, the worst first and notes last.
fn judge(facts: &VendorFacts) -> Vec<VendorFinding> {
    let unreadable = facts.project.unreadable.iter();
    let unreadable = unreadable.map(|(name, why)| {
        let mend = "fix it by hand, or run `goroam vendor rollback`";
        VendorFinding::new(VendorCode::Unreadable, why.as_str(), mend).at(name)
    });
    let mut out: Vec<VendorFinding> = unreadable.collect();
    match &facts.txt {
        Ok(txt) => Judge::new(facts, txt).all(&mut out),
        Err(absent) => out.push(absent.clone()),
    }
    fn key(f: &VendorFinding) -> impl Ord {
        (Reverse(f.weight), &f.module, &f.file, f.code)
    }
    out.sort_by(|a, b| key(a).cmp(&key(b)));
    out
}

/// A vendor/ with its modules.txt.
struct Judge<'a> {
    facts: &'a VendorFacts,
    txt: &'a ModulesTxt,
    /// The `go` line that applies to vendor/.
    go: &'a str,
    /// The command that creates vendor/ again.
    again: String,
    /// The module of each vendored package.
    packages: BTreeMap<&'a str, &'a ListedModule>,
    /// The modules that provide packages; modules with a longer path come first.
    providers: Vec<&'a ListedModule>,
}

impl<'a> Judge<'a> {
    fn new(facts: &'a VendorFacts, txt: &'a ModulesTxt) -> Judge<'a> {
        let mut packages = BTreeMap::new();
        for listed in txt.providers() {
            packages.extend(listed.packages.iter().map(|name| (name.as_str(), listed)));
        }
        let mut providers: Vec<&ListedModule> = txt.providers().collect();
        providers.sort_by_key(|listed| Reverse(listed.module.path.len()));
        Judge {
            facts,
            txt,
            go: facts.project.go().unwrap_or("1.16"),
            again: format!("`{}`", facts.kind.command()),
            packages,
            providers,
        }
    }

    fn all(&self, out: &mut Vec<VendorFinding>) {
        self.mode(out);
        let all = disagreements(self.txt, &self.facts.project);
        let said: Vec<&str> = all.iter().map(|(module, _)| module.path.as_str()).collect();
        self.misstatements(&said, out);
        for (module, what) in &all {
            let finding = self.again(VendorCode::Inconsistent, what.as_str());
            out.push(finding.of(describe(module)).at("vendor/modules.txt"));
        }
        let mut files: BTreeMap<_, Vec<(&str, &Print)>> = BTreeMap::new();
        for (path, file) in &self.facts.files {
            let owner = self.owners(path).first().copied();
            match (file, owner) {
                (VendoredFile::File(print), Some(owner)) => {
                    let of_owner = files.entry(&owner.module).or_default();
                    of_owner.push((path, print));
                }
                _ => out.push(stranger(path, *file, owner)),
            }
        }
        for listed in self.txt.providers() {
            if let Some(holding) = self.facts.holdings.get(&listed.module) {
                let files = files.get(&listed.module);
                let files = files.map_or(&[][..], Vec::as_slice);
                self.module(listed, holding, files, out);
            }
        }
        for path in &self.facts.executable {
            let what = "it is executable; `go mod vendor` writes no executable files";
            let at = format!("vendor/{path}");
            let mend = format!("run `chmod a-x {at}`");
            out.push(VendorFinding::new(VendorCode::Executable, what, mend).at(at));
        }
    }

    /// Finds errors in modules.txt that go does not refuse. `said` are the modules that already have
    /// a finding.
    fn misstatements(&self, said: &[&str], out: &mut Vec<VendorFinding>) {
        let project = &self.facts.project;
        let mut add = |code: VendorCode, listed: &ListedModule, what: String| {
            let finding = self.again(code, what).of(&listed.module);
            out.push(finding.at("vendor/modules.txt"));
        };
        let unreported = |l: &&ListedModule| !said.contains(&l.module.path.as_str());
        let readable = self
            .txt
            .modules
            .iter()
            .filter(|_| project.unreadable.is_empty());
        for listed in readable.filter(unreported) {
            let misstated = unrequired(project, listed)
                .or_else(|| replaced_otherwise(project, listed, self.go));
            if let Some(what) = misstated {
                add(VendorCode::Misstated, listed, what);
            }
        }
        let any = self.txt.modules.iter().any(|listed| listed.go.is_some());
        let asked = at_least(self.go, "1.21") || any && at_least(self.go, "1.17");
        for listed in &self.txt.modules {
            if let Some(holding) = self.facts.holdings.get(&listed.module)
                && let Some(what) = language(listed, holding, asked)
            {
                let code = match holding.local {
                    true => VendorCode::OutOfDate,
                    false => VendorCode::Misstated,
                };
                add(code, listed, what);
            }
        }
    }

    /// Creates a finding that vendoring again fixes.
    fn again(&self, code: VendorCode, what: impl Into<String>) -> VendorFinding {
        VendorFinding::new(code, what, self.again.as_str())
    }

    /// Checks that go would use vendor/ (`modload.setDefaultBuildMod`).
    fn mode(&self, out: &mut Vec<VendorFinding>) {
        let is_workspace = self.facts.project.work.is_some();
        if self.txt.workspace != is_workspace {
            let what = if is_workspace {
                "vendor/ was made for a module, but there is a go.work: go does not use it"
            } else {
                "vendor/ was made for a workspace, but there is no go.work: go does not use it"
            };
            let finding = self.again(VendorCode::Inconsistent, what);
            out.push(finding.at("vendor/modules.txt"));
        }
        let go = self.facts.project.go();
        if go.is_none_or(|go| !at_least(go, "1.14")) {
            let says = go.map_or("no go line".to_owned(), |go| format!("go {go}"));
            let file = self.facts.kind.file();
            let what = format!("{file} says {says}: go uses vendor/ by default from 1.14 on");
            let mend = "run `go mod edit -go=1.14` or later, or pass -mod=vendor to each command";
            out.push(VendorFinding::new(VendorCode::NotUsed, what, mend));
        }
    }

    /// Returns the modules that a file may come from, the nearest first: the module of the package
    /// in its directory, or else every module whose path is above it. A licence may also belong to
    /// a module further up, because vendoring copies licences from all directories above a package.
    fn owners(&self, path: &str) -> Vec<&'a ListedModule> {
        let (folder, name) = split(path);
        if let Some(listed) = self.packages.get(folder)
            && !is_metadata(name)
        {
            return vec![listed];
        }
        let above = |listed: &&&ListedModule| below(folder, &listed.module.path).is_some();
        self.providers.iter().filter(above).copied().collect()
    }

    /// Checks one module. `files`: the files in vendor/ that belong to it.
    fn module(
        &self,
        listed: &ListedModule,
        holding: &Holding,
        files: &[(&str, &Print)],
        out: &mut Vec<VendorFinding>,
    ) {
        let has_files = |package: &&String| {
            let prefix = format!("{package}/");
            let mut below = self.facts.files.range(prefix.clone()..);
            below
                .next()
                .is_some_and(|(path, _)| path.starts_with(&prefix))
        };
        let (there, missing): (Vec<&String>, Vec<&String>) =
            listed.packages.iter().partition(has_files);
        for package in missing {
            let what =
                format!("modules.txt lists the package {package}, but none of its files is there");
            let finding = self.again(VendorCode::PackageMissing, what);
            out.push(finding.of(&listed.module).at(format!("vendor/{package}")));
        }
        let source = match &holding.files {
            Ok(source) => source,
            Err(finding) => return out.push(finding.clone().of(&listed.module)),
        };
        let module = &listed.module.path;
        for file in expected(source, module, there, self.go) {
            let path = format!("{module}/{file}");
            if !self.facts.files.contains_key(&path) {
                let code = if holding.local {
                    VendorCode::OutOfDate
                } else {
                    VendorCode::FileMissing
                };
                let mend = format!(
                    "run {}; if git does not track it, `git check-ignore -v` says why",
                    self.again
                );
                let what = "it is missing, but vendoring copies it";
                let finding = VendorFinding::new(code, what, mend).of(&listed.module);
                out.push(finding.at(format!("vendor/{path}")));
            }
        }
        let brought = expected(source, module, &listed.packages, self.go);
        for (path, print) in files {
            let own = below(path, module).unwrap_or_default();
            let finding = match source.get(own) {
                Some(held) if held.print.sum == print.sum => {
                    if brought.contains(own) || is_for_tests(source, module, &listed.packages, own)
                    {
                        continue;
                    }
                    self.left_over(path, own, source)
                }
                _ if self.is_of_another(path, print) => continue,
                held => self.differs(held.map(|held| &held.print), print, holding.local),
            };
            out.push(finding.of(&listed.module).at(format!("vendor/{path}")));
        }
    }

    /// Reports a file of the module that vendoring does not copy.
    fn left_over(&self, path: &str, own: &str, source: &ModuleFiles) -> VendorFinding {
        let (folder, name) = split(path);
        let is_go = name.ends_with(".go") && !name.starts_with(['_', '.']);
        let file = source.get(own).filter(|_| is_go);
        if !self.packages.contains_key(folder)
            && file.is_some_and(|file| is_source(name, file, self.go))
        {
            let what = format!(
                "modules.txt does not list the package {folder}, so go ignores it (from `go 1.23` on)"
            );
            return self.again(VendorCode::PackageUnlisted, what);
        }
        let what = "`go mod vendor` leaves it out, though the module has exactly this file";
        VendorFinding::new(VendorCode::LeftOver, what, "keep it if something needs it")
    }

    /// Reports whether it is another module's licence in the same directory, or may belong to a
    /// module that was not read.
    fn is_of_another(&self, path: &str, print: &Print) -> bool {
        let mut others = self.owners(path).into_iter().skip(1);
        others.any(|other| {
            let own = below(path, &other.module.path).unwrap_or_default();
            match self.facts.holdings.get(&other.module).map(|h| &h.files) {
                Some(Ok(source)) => source.get(own).is_some_and(|f| f.print.sum == print.sum),
                Some(Err(_)) | None => true,
            }
        })
    }

    /// Reports a file that differs from the module's file.
    fn differs(&self, held: Option<&Print>, print: &Print, is_local: bool) -> VendorFinding {
        let again = &self.again;
        match held {
            None if is_local => self.again(
                VendorCode::OutOfDate,
                "the folder that replaces the module has no such file",
            ),
            None => VendorFinding::new(
                VendorCode::NotInModule,
                "the module has no such file",
                format!("inspect it; {again} creates vendor/ again without it"),
            ),
            Some(held) if held.with_lf == print.with_lf => VendorFinding::new(
                VendorCode::LineEnds,
                "only its line ends differ (CR LF and LF): most likely git changed them on checkout (core.autocrlf)",
                format!(
                    "add `vendor/** -text` to .gitattributes, then run {again} to write it again"
                ),
            ),
            Some(_) if is_local => self.again(
                VendorCode::OutOfDate,
                "it differs from the file in the folder that replaces the module",
            ),
            Some(_) => VendorFinding::new(
                VendorCode::Altered,
                "it differs from the file in the verified module",
                format!(
                    "`git log -p` shows its changes; {again} or `goroam vendor rollback` restores it"
                ),
            ),
        }
    }
}

/// Reports a link, a device, or a file that belongs to no listed module.
fn stranger(path: &str, file: VendoredFile, owner: Option<&ListedModule>) -> VendorFinding {
    let (code, what, mend) = match file {
        VendoredFile::Link => (
            VendorCode::Link,
            "it is a link; `go mod vendor` creates none, and its target is not verified",
            "remove it",
        ),
        VendoredFile::Odd => (
            VendorCode::NotInModule,
            "it is not a readable file",
            "inspect it, then remove it",
        ),
        VendoredFile::File(_) => (
            VendorCode::NotInModule,
            "modules.txt lists no module that it could belong to",
            "inspect it, then remove it",
        ),
    };
    let finding = VendorFinding::new(code, what, mend).at(format!("vendor/{path}"));
    match owner {
        Some(owner) => finding.of(&owner.module),
        None => finding,
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
