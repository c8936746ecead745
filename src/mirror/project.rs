//! What a project needs: go is asked, on copies of its go.mod, go.sum and go.work, so that the
//! project stays byte for byte as it is.
//!
//! `-modfile` lets go read and write a go.mod elsewhere while everything relative (a `replace`
//! with a folder, the packages) is taken from the project's own folder. In a workspace there is
//! no `-modfile`; there go.work itself is the copy, with its folders made absolute, and go
//! writes nothing but the go.work.sum beside it (`modload.WriteGoMod`).

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::go::{Go, Mode, toolchain_of};
use super::needed::{MOST_SUM, elsewhere};
use super::wants::{AddError, Wants, complaint, lines, meant, took};
use crate::bounded;
use crate::gocmd::job::Ran;
use crate::gomod::form::MOST_MOD;
use crate::gomod::go_sum::Hashed;
use crate::gomod::{go_mod, go_work};

/// A project that is there.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Project {
    /// The folder of a go.mod.
    Module(PathBuf),
    /// A go.work.
    Work(PathBuf),
}

/// Which project is meant: a go.mod or go.work, or what go uses in a folder.
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
    // A user's GOWORK counts here, as it does for the user's own builds.
    if let Some(work) = go_work::find(go.env().get("GOWORK"), &named, Path::is_file) {
        return Ok(Project::Work(work));
    }
    match above(&named, "go.mod") {
        Some(file) => Ok(Project::Module(file.parent().unwrap_or(&named).to_owned())),
        None => Err(AddError::Usage(format!(
            "{}: there is no go.mod or go.work in it or above it; name a project's folder",
            named.display()
        ))),
    }
}

fn above(folder: &Path, name: &str) -> Option<PathBuf> {
    let mut all = folder.ancestors().map(|folder| folder.join(name));
    all.find(|file| file.is_file())
}

/// Adds to `wants` what a project needs for build and test; with `tests` also what the tests of
/// its dependencies need, which `go mod tidy` looks at.
pub(super) async fn want(
    go: &Go<'_>,
    project: &Project,
    tests: bool,
    wants: &mut Wants,
) -> Result<(), AddError> {
    let copies = tempfile::tempdir().map_err(AddError::temporary)?;
    match project {
        Project::Module(folder) => {
            wants.insist(&folder.join("go.sum"))?;
            refuse_odd(
                folder,
                &go_mod::parse(&text_of(&folder.join("go.mod"))?).replace,
            )?;
            let asked = Asked {
                go,
                folder,
                mode: Mode::Module,
                modfile: copies.path().join("go.mod"),
                name: folder.join("go.mod").display().to_string(),
            };
            module(&asked, tests, wants).await
        }
        Project::Work(file) => {
            let copy = copies.path().join("go.work");
            work(go, file, &copy, wants).await
        }
    }
}

/// The toolchains that a project's go.mod and go.work files name.
pub(super) fn toolchains(go: &Go<'_>, project: &Project) -> Result<BTreeSet<String>, AddError> {
    let files = match project {
        Project::Module(folder) => vec![folder.join("go.mod")],
        Project::Work(file) => {
            let folder = file.parent().unwrap_or(file);
            let members = go_work::parse(&text_of(file)?).r#use.into_iter();
            let mut files: Vec<PathBuf> = members
                .map(|member| folder.join(member.value).join("go.mod"))
                .collect();
            // Both have the same two lines.
            files.push(file.clone());
            files
        }
    };
    let mut all = BTreeSet::new();
    for file in files {
        let read = go_mod::parse(&text_of(&file)?);
        all.extend(toolchain_of(&read, go.version()));
    }
    Ok(all)
}

fn text_of(file: &Path) -> Result<String, AddError> {
    let bytes =
        bounded::read_named(file, MOST_MOD).map_err(|error| AddError::file(file, &error))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Adds what a build of these copies of go.mod and go.sum needs.
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
    download(&asked, &["all"], wants).await?;
    list_all(&asked, wants).await?;
    wants.want_mods(&asked.sums())
}

/// What go is asked about.
struct Asked<'a> {
    go: &'a Go<'a>,
    folder: &'a Path,
    mode: Mode<'a>,
    modfile: PathBuf,
    /// For messages.
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
}

async fn module(asked: &Asked<'_>, tests: bool, wants: &mut Wants) -> Result<(), AddError> {
    for name in ["go.mod", "go.sum"] {
        let from = asked.folder.join(name);
        match bounded::copy(&from, &asked.modfile.with_file_name(name), MOST_SUM) {
            Err(error) if name == "go.mod" || error.kind() != std::io::ErrorKind::NotFound => {
                return Err(AddError::file(&from, &error));
            }
            _ => writable(&asked.modfile.with_file_name(name)),
        }
    }
    // Without words: what build and test of the module's own packages need. Before go 1.17 in
    // go.mod that is everything, since such a go.mod names only the direct ones.
    download(asked, if tests { &["all"] } else { &[] }, wants).await?;
    list_all(asked, wants).await?;
    wants.want_mods(&asked.sums())?;
    if !tests {
        return Ok(());
    }
    // What tidy cannot find for some other system's files is no reason to leave out the rest.
    let tidy = asked.run(&["mod", "tidy", "-e"], &[]).await?;
    if !tidy.success {
        wants.fail(&asked.name, "", &complaint(&tidy.err));
        return Ok(());
    }
    wants.want_mods(&asked.sums())?;
    let lines = lines(&asked.sums())?.into_iter();
    let zips = lines.filter(|line| line.of == Hashed::Zip);
    let missing: Vec<String> = zips
        .filter(|line| !wants.zips.contains(&line.module))
        .map(|line| line.module.to_string())
        .collect();
    let missing: Vec<&str> = missing.iter().map(String::as_str).collect();
    for some in missing.chunks(200) {
        download(asked, some, wants).await?;
    }
    Ok(())
}

/// go itself would wait for a named pipe in the place of a go.mod that a `replace` leads to.
fn refuse_odd(folder: &Path, replaces: &[crate::gomod::Replace]) -> Result<(), AddError> {
    for replace in replaces.iter().filter(|replace| replace.is_local()) {
        let file = folder.join(&replace.new.path).join("go.mod");
        match bounded::open(&file) {
            // What is not there is go's to say, by the module's name.
            Err(error) if error.kind() == std::io::ErrorKind::InvalidInput => {
                return Err(AddError::file(&file, &error));
            }
            Ok(_) | Err(_) => {}
        }
    }
    Ok(())
}

async fn work(go: &Go<'_>, file: &Path, copy: &Path, wants: &mut Wants) -> Result<(), AddError> {
    let folder = file.parent().unwrap_or(file);
    let read = go_work::parse(&text_of(file)?);
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
            refuse_odd(member, &go_mod::parse(&text_of(&file)?).replace)?;
        }
    }
    let sum = file.with_extension("work.sum");
    fs::write(copy, elsewhere(&read, folder)).map_err(|error| AddError::file(copy, &error))?;
    let copied = copy.with_extension("work.sum");
    if sum.exists() {
        bounded::copy(&sum, &copied, MOST_SUM).map_err(|error| AddError::file(&sum, &error))?;
        writable(&copied);
    }
    let sums: Vec<PathBuf> = members.iter().map(|member| member.join("go.sum")).collect();
    for sum in sums.iter().chain([&sum]) {
        wants.insist(sum)?;
    }
    let asked = Asked {
        go,
        folder,
        mode: Mode::Work(copy),
        modfile: PathBuf::new(),
        name,
    };
    download(&asked, &[], wants).await?;
    list_all(&asked, wants).await?;
    for sum in sums.iter().chain([&copied]) {
        wants.want_mods(sum)?;
    }
    Ok(())
}

async fn download(asked: &Asked<'_>, what: &[&str], wants: &mut Wants) -> Result<(), AddError> {
    let ran = asked.run(&["mod", "download", "-json"], what).await?;
    took(&ran, &asked.name, wants);
    Ok(())
}

/// Has go read every go.mod of the graph, and the `.info` of each version in the build list.
async fn list_all(asked: &Asked<'_>, wants: &mut Wants) -> Result<(), AddError> {
    let ran = asked.run(&["list", "-m", "-e", "-json"], &["all"]).await?;
    if !ran.success {
        wants.fail(&asked.name, "", &complaint(&ran.err));
    }
    Ok(())
}

/// A copy of a read-only file is one, too.
fn writable(file: &Path) {
    if let Ok(meta) = fs::metadata(file) {
        let mut permissions = meta.permissions();
        #[cfg(unix)]
        std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o600);
        #[cfg(not(unix))]
        #[expect(
            clippy::permissions_set_readonly_false,
            reason = "what it warns of is Unix alone"
        )]
        permissions.set_readonly(false);
        let _ = fs::set_permissions(file, permissions);
    }
}
