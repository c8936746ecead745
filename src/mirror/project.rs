//! Finds what a project needs by running go on copies of its go.mod, go.sum and go.work, so that
//! the project's files do not change.
//!
//! With `-modfile` go reads and writes a go.mod elsewhere, and still takes everything relative (a
//! `replace` with a directory, the packages) from the project's own directory. A workspace has no
//! `-modfile`; there go.work itself is copied, with absolute directories, and go writes only the
//! go.work.sum beside the copy (`modload.WriteGoMod`).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::go::{Go, Mode, toolchain_of};
use super::needed::{copy_if_any, copy_work, sums_of, text_of};
use super::wants::{AddError, Wants, complaint, lines, meant, took};
use crate::bounded;
use crate::gocmd::job::Ran;
use crate::gomod::go_sum::Hashed;
use crate::gomod::{ModuleVersion, go_mod, go_work};

/// An existing project.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Project {
    /// The directory of a go.mod.
    Module(PathBuf),
    /// A go.work.
    Work(PathBuf),
}

/// Returns the project: a given go.mod or go.work, or the one that go uses in a directory.
pub(super) fn project(go: &Go<'_>, named: &Path) -> Result<Project, AddError> {
    let named = dunce::canonicalize(named).map_err(|error| AddError::file(named, &error))?;
    let folder = || named.parent().unwrap_or(&named).to_owned();
    if named.is_file() {
        return match named.file_name().and_then(|name| name.to_str()) {
            Some("go.mod") => Ok(Project::Module(folder())),
            Some("go.work") => Ok(Project::Work(named)),
            _ => Err(AddError::Usage(format!(
                "{} is neither a folder nor a go.mod or go.work",
                named.display()
            ))),
        };
    }
    // The user's GOWORK counts here, as in the user's own builds.
    if let Some(work) = go_work::find(go.env().get("GOWORK"), &named, Path::is_file) {
        return Ok(Project::Work(work));
    }
    let mut above = named.ancestors();
    match above.find(|folder| folder.join("go.mod").is_file()) {
        Some(folder) => Ok(Project::Module(folder.to_owned())),
        None => Err(AddError::Usage(format!(
            "{}: there is no go.mod or go.work in it or above it; name a project's directory",
            named.display()
        ))),
    }
}

/// Adds to `wants` what a project needs for build and test; with `tests` also what the tests of its
/// dependencies need, which `go mod tidy` reads.
pub(super) async fn want(
    go: &Go<'_>,
    project: &Project,
    tests: bool,
    wants: &mut Wants,
) -> Result<(), AddError> {
    let copies = tempfile::tempdir().map_err(AddError::temporary)?;
    match project {
        Project::Module(folder) => module(go, folder, copies.path(), tests, wants).await,
        Project::Work(file) => work(go, file, copies.path(), wants).await,
    }
}

/// Returns the toolchains that a project's go.mod and go.work files name.
pub(super) fn toolchains(go: &Go<'_>, project: &Project) -> Result<BTreeSet<String>, AddError> {
    let files = match project {
        Project::Module(folder) => vec![folder.join("go.mod")],
        Project::Work(file) => {
            let folder = file.parent().unwrap_or(file);
            let members = go_work::parse(&text_of(file).map_err(AddError::Failed)?)
                .r#use
                .into_iter();
            let mut files: Vec<PathBuf> = members
                .map(|member| folder.join(member.value).join("go.mod"))
                .collect();
            // Both files have the same two lines.
            files.push(file.clone());
            files
        }
    };
    let mut all = BTreeSet::new();
    for file in files {
        let read = go_mod::parse(&text_of(&file).map_err(AddError::Failed)?);
        all.extend(toolchain_of(&read, go.version()));
    }
    Ok(all)
}

/// Adds what a build with these copies of go.mod and go.sum needs.
pub(super) async fn want_copy(
    go: &Go<'_>,
    folder: &Path,
    name: &str,
    wants: &mut Wants,
) -> Result<(), AddError> {
    let asked = Asked {
        go,
        folder,
        mode: Mode::Module,
        modfile: folder.join("go.mod"),
        name: name.to_owned(),
    };
    asked.build(&["all"], wants).await?;
    wants.want_mods(&asked.sums())
}

/// One project as input for go.
struct Asked<'a> {
    go: &'a Go<'a>,
    folder: &'a Path,
    mode: Mode<'a>,
    modfile: PathBuf,
    /// The name for messages.
    name: String,
}

impl Asked<'_> {
    fn sums(&self) -> PathBuf {
        self.modfile.with_extension("sum")
    }

    async fn run(&self, args: &[&str], rest: &[&str]) -> Result<Ran, AddError> {
        let modfile = format!("-modfile={}", self.modfile.display());
        let mut all = args.to_vec();
        if matches!(self.mode, Mode::Module) {
            all.push(&modfile);
        }
        all.extend(rest);
        let mut ran = self.go.run(self.folder, self.mode, &all).await?;
        let copy = match self.mode {
            Mode::Module => &self.modfile,
            Mode::Work(copy) => copy,
        };
        ran.err = meant(&ran.err, copy, &self.name);
        Ok(ran)
    }

    /// Downloads modules; `counted` are those that the meter counts meanwhile.
    async fn download(
        &self,
        what: &[&str],
        counted: impl Iterator<Item = &ModuleVersion>,
        wants: &mut Wants,
    ) -> Result<(), AddError> {
        let ran = tokio::select! {
            ran = self.run(&["mod", "download", "-json"], what) => ran?,
            never = self.go.count(counted) => match never {},
        };
        took(&ran, &self.name, wants);
        Ok(())
    }

    /// Downloads what a build needs, and makes go read every go.mod of the graph and the `.info` of
    /// each version in the build list.
    async fn build(&self, what: &[&str], wants: &mut Wants) -> Result<(), AddError> {
        let listed: Vec<ModuleVersion> = wants.listed().cloned().collect();
        self.download(what, listed.iter(), wants).await?;
        let ran = self.run(&["list", "-m", "-e", "-json"], &["all"]).await?;
        if !ran.success {
            wants.fail(&self.name, "", &complaint(&ran.err));
        }
        Ok(())
    }
}

async fn module(
    go: &Go<'_>,
    folder: &Path,
    copies: &Path,
    tests: bool,
    wants: &mut Wants,
) -> Result<(), AddError> {
    let [file, sum] = ["go.mod", "go.sum"].map(|name| folder.join(name));
    wants.insist(&sum)?;
    refuse_odd(
        folder,
        &go_mod::parse(&text_of(&file).map_err(AddError::Failed)?).replace,
    )?;
    for from in [&file, &sum] {
        let to = copies.join(from.file_name().unwrap_or_default());
        copy_if_any(from, &to).map_err(|error| AddError::Failed(error.to_string()))?;
    }
    let asked = Asked {
        go,
        folder,
        mode: Mode::Module,
        modfile: copies.join("go.mod"),
        name: file.display().to_string(),
    };
    // Without arguments: what build and test of the module's own packages need. Before go 1.17 in
    // go.mod that is everything, since such a go.mod names only the direct dependencies.
    asked
        .build(if tests { &["all"] } else { &[] }, wants)
        .await?;
    wants.want_mods(&asked.sums())?;
    if !tests {
        return Ok(());
    }
    // If tidy does not find a package for another system's files, the rest is still needed.
    let tidy = asked.run(&["mod", "tidy", "-e"], &[]).await?;
    if !tidy.success {
        wants.fail(&asked.name, "", &complaint(&tidy.err));
        return Ok(());
    }
    wants.want_mods(&asked.sums())?;
    let lines = lines(&asked.sums())?.into_iter();
    let zips = lines.filter(|line| line.of == Hashed::Zip);
    let missing = zips.filter(|line| !wants.zips.contains(&line.module));
    let missing: Vec<ModuleVersion> = missing.map(|line| line.module).collect();
    for some in missing.chunks(200) {
        let names: Vec<String> = some.iter().map(ToString::to_string).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        asked.download(&names, some.iter(), wants).await?;
    }
    Ok(())
}

/// Refuses special files: go itself would block on a named pipe where a `replace` expects a go.mod.
fn refuse_odd(folder: &Path, replaces: &[crate::gomod::Replace]) -> Result<(), AddError> {
    for replace in replaces.iter().filter(|replace| replace.is_local()) {
        let file = folder.join(&replace.new.path).join("go.mod");
        match bounded::open(&file) {
            // If it is missing, go reports that with the module's name.
            Err(error) if error.kind() == std::io::ErrorKind::InvalidInput => {
                return Err(AddError::file(&file, &error));
            }
            Ok(_) | Err(_) => {}
        }
    }
    Ok(())
}

async fn work(go: &Go<'_>, file: &Path, copies: &Path, wants: &mut Wants) -> Result<(), AddError> {
    let folder = file.parent().unwrap_or(file);
    let read = go_work::parse(&text_of(file).map_err(AddError::Failed)?);
    refuse_odd(folder, &read.replace)?;
    let name = file.display().to_string();
    let unknown = read.unknown.first().map(|verb| {
        let (line, value) = (verb.line, &verb.value);
        format!("line {line}: unknown directive: {value}")
    });
    if let Some(fault) = read.faults.first().map(ToString::to_string).or(unknown) {
        wants.fail(&name, "", &fault);
        return Ok(());
    }
    let members = read.r#use.iter().map(|member| folder.join(&member.value));
    let members: Vec<PathBuf> = members.collect();
    for member in &members {
        let file = member.join("go.mod");
        if file.exists() {
            refuse_odd(
                member,
                &go_mod::parse(&text_of(&file).map_err(AddError::Failed)?).replace,
            )?;
        }
    }
    let copy = copy_work(&read, file, copies);
    let copy = copy.map_err(|error| AddError::Failed(error.to_string()))?;
    let sums: Vec<PathBuf> = members.iter().map(|member| member.join("go.sum")).collect();
    for sum in sums.iter().chain([&sums_of(file)]) {
        wants.insist(sum)?;
    }
    let asked = Asked {
        go,
        folder,
        mode: Mode::Work(&copy),
        modfile: PathBuf::new(),
        name,
    };
    asked.build(&[], wants).await?;
    for sum in sums.iter().chain([&sums_of(&copy)]) {
        wants.want_mods(sum)?;
    }
    Ok(())
}
