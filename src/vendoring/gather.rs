//! Collects the facts for a check of vendor/: reads vendor/, the module files and the modules'
//! zips.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::Path;

use super::copied::{ModuleFile, ModuleFiles, Print, above, below, join, split};
use super::error::{About, Error, Result};
use super::project::{MOST, VendorProject, read_text};
use super::report::{ProjectKind, VendorCode, VendorFinding};
use crate::environment::Environment;
use crate::gocmd::GoDirectories;
use crate::gomod::ModuleVersion;
use crate::gomod::go_mod::{self, GoMod};
use crate::gomod::go_sum::Hashed;
use crate::gomod::modules_txt::{self, ListedModule, ModulesTxt};
use crate::gomod::project::ProjectFiles;
use crate::gomod::sum::{Summing, hash_go_mod, hash_sums};
use crate::gomod::zip::{Entry, ModZip};
use crate::mirror::{FilesBelow, Layout, VersionFile};
use crate::{bounded, pool};

/// Maximum size in bytes of a file that is examined for CR LF, build lines and embeds.
const WHOLE: u64 = 16 << 20;
/// Maximum depth of directories.
const DEEPEST: usize = 100;
/// Maximum number of files; Kubernetes vendors some 5,000.
const MOST_FILES: usize = 1_000_000;
/// The file that lists the content of vendor/.
const LIST: &str = "modules.txt";

/// Everything that a check needs: files are read, nothing is judged.
#[derive(Debug)]
pub(super) struct VendorFacts {
    /// The kind of project that vendor/ belongs to.
    pub(super) kind: ProjectKind,
    /// The module files.
    pub(super) project: ProjectFiles,
    /// vendor/modules.txt, or why it is missing.
    pub(super) txt: Result<ModulesTxt, VendorFinding>,
    /// The files below vendor/, by path with `/`; without modules.txt.
    pub(super) files: BTreeMap<String, VendoredFile>,
    /// The executable ones of these files. Empty if modules.txt is executable: then all files are
    /// on this file system.
    pub(super) executable: Vec<String>,
    /// What each module that provides packages was compared with.
    pub(super) holdings: BTreeMap<ModuleVersion, Holding>,
}

/// An entry below vendor/.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum VendoredFile {
    /// A file.
    File(Print),
    /// A link.
    Link,
    /// A device, a socket, or a file that cannot be read.
    Odd,
}

/// The content of a module.
#[derive(Debug)]
pub(super) struct Holding {
    /// Its files: from a zip that matches go.sum, or from the directory that replaces the module.
    /// Otherwise why nothing can be compared.
    pub(super) files: Result<ModuleFiles, VendorFinding>,
    /// Whether a directory replaces it.
    pub(super) local: bool,
    /// Its own go.mod, or that of its replacement; `None` if it has none, or it was not read.
    pub(super) go_mod: Option<GoMod>,
}

/// Reads everything. `project` may be a copy that is being prepared; local replacements are looked
/// up below `at`, the project itself.
///
/// # Errors
/// When vendor/ cannot be read.
pub(super) fn gather(project: &VendorProject, at: &Path, shelves: &Shelves) -> Result<VendorFacts> {
    let mut facts = VendorFacts {
        kind: project.kind,
        project: project.read(),
        txt: listed(project)?,
        files: BTreeMap::new(),
        executable: Vec::new(),
        holdings: BTreeMap::new(),
    };
    let Ok(txt) = &facts.txt else {
        return Ok(facts);
    };
    let (files, executable) = (&mut facts.files, &mut facts.executable);
    walk(&project.vendor(), files, executable)?;
    // If modules.txt is a link, it stays in the list, so that it is reported.
    if matches!(files.get(LIST), Some(VendoredFile::File(_))) {
        files.remove(LIST);
    }
    if executable.iter().any(|name| name == LIST) {
        executable.clear();
    }
    let providers: Vec<&ListedModule> = txt.providers().collect();
    let holdings = pool::map(&providers, pool::processors().min(8), |listed| {
        let holding = hold(listed, &facts.project, at, shelves, &facts.files);
        (listed.module.clone(), holding)
    });
    facts.holdings = holdings.into_iter().collect();
    Ok(facts)
}

/// Reads vendor/modules.txt, or returns why go cannot use vendor/.
fn listed(project: &VendorProject) -> Result<Result<ModulesTxt, VendorFinding>> {
    let folder = project.vendor();
    let path = folder.join(LIST);
    let command = format!("`{}`", project.kind.command());
    // Follows a link, as go does (`modload.setDefaultBuildMod` uses `fsys.Stat`).
    let (code, what, mend) = match fs::metadata(&folder) {
        Ok(meta) if meta.is_dir() => {
            if let Some(text) = bounded::if_any(read_text(&path)).about(&path)? {
                return Ok(Ok(modules_txt::parse(&text)));
            }
            let what = "vendor/ has no modules.txt, so its content is not known".to_owned();
            let mend = format!("run {command} to create both again");
            (VendorCode::NoModulesTxt, what, mend)
        }
        Err(error) if !folder.is_symlink() => {
            if error.kind() != io::ErrorKind::NotFound {
                return Err(Error::io(&folder, error));
            }
            let what = format!("there is no vendor/ beside {}", project.kind.file());
            let mend = format!(
                "run {command} to create it; `goroam vendor rollback` brings a snapshot back"
            );
            (VendorCode::NoVendor, what, mend)
        }
        Ok(_) | Err(_) => {
            let what = "vendor is a file, or a link to no folder".to_owned();
            let mend = format!("move it away, then run {command}");
            (VendorCode::NotAFolder, what, mend)
        }
    };
    Ok(Err(VendorFinding::new(code, what, mend)))
}

/// Reads everything below vendor/, and which files are executable.
fn walk(
    folder: &Path,
    files: &mut BTreeMap<String, VendoredFile>,
    executable: &mut Vec<String>,
) -> Result<()> {
    let all = FilesBelow::list(folder, "", &[]).all();
    for (name, path) in all.map_err(|error| Error::System(error.to_string()))? {
        let meta = fs::symlink_metadata(&path).about(&path)?;
        let file = if meta.is_symlink() {
            VendoredFile::Link
        } else if meta.is_file() {
            if may_be_executed(&meta) {
                executable.push(name.clone());
            }
            let print = bounded::open_no_link(&path).and_then(|mut file| print(&mut file, 0));
            print.map_or(VendoredFile::Odd, |(print, _)| VendoredFile::File(print))
        } else {
            VendoredFile::Odd
        };
        files.insert(name, file);
    }
    Ok(())
}

fn too_many() -> io::Error {
    io::Error::other("too many files, or folders too deep")
}

#[cfg(unix)]
fn may_be_executed(meta: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;

    meta.permissions().mode() & 0o111 != 0
}

/// Windows has no mode for executable files.
#[cfg(windows)]
fn may_be_executed(_: &fs::Metadata) -> bool {
    false
}

/// Hashes a file, and returns its content if it is not too long. `size`: its length, if known.
fn print(file: &mut dyn Read, size: u64) -> io::Result<(Print, Vec<u8>)> {
    let mut bytes = Vec::with_capacity(usize::try_from(size.min(WHOLE)).unwrap_or_default());
    file.take(WHOLE + 1).read_to_end(&mut bytes)?;
    let is_whole = bytes.len() as u64 <= WHOLE;
    let mut summing = Summing::default();
    summing.update(&bytes);
    io::copy(file, &mut summing)?;
    let sum = summing.finish();
    let mut with_lf = sum;
    if is_whole && bytes.contains(&b'\r') {
        let is_cr = |(at, b): &(usize, &u8)| **b == b'\r' && bytes.get(at + 1) == Some(&b'\n');
        let all = bytes.iter().enumerate().filter(|each| !is_cr(each));
        let mut summing = Summing::default();
        summing.update(&all.map(|(_, b)| *b).collect::<Vec<u8>>());
        with_lf = summing.finish();
    }
    if !is_whole {
        bytes.clear();
    }
    Ok((Print { sum, with_lf }, bytes))
}

/// Reads the content of one module. If go.mod names another replacement, the one in modules.txt
/// counts: vendor/ was made from it.
fn hold(
    listed: &ListedModule,
    project: &ProjectFiles,
    at: &Path,
    shelves: &Shelves,
    vendored: &BTreeMap<String, VendoredFile>,
) -> Holding {
    let module = listed.replacement.as_ref().unwrap_or(&listed.module);
    if !module.version.is_empty() {
        let (files, go_mod) = match from_zip(module, project, shelves) {
            Ok((files, go_mod)) => (Ok(files), go_mod),
            Err(finding) => (Err(finding), None),
        };
        return Holding {
            files,
            local: false,
            go_mod,
        };
    }
    let folder = at.join(module.path.replace('\\', "/"));
    let go_mod = read_text(&folder.join("go.mod")).ok();
    let files = local(&folder, listed, vendored).map_err(|error| {
        VendorFinding::new(
            VendorCode::NoFolder,
            format!(
                "not compared: {}, which replaces it, cannot be read: {error}",
                folder.display()
            ),
            "restore that folder, or fix the replace line",
        )
    });
    Holding {
        files,
        local: true,
        go_mod: go_mod.as_deref().map(go_mod::parse),
    }
}

/// Returns the files of the zip that matches go.sum, and the module's go.mod.
fn from_zip(
    module: &ModuleVersion,
    project: &ProjectFiles,
    shelves: &Shelves,
) -> Result<(ModuleFiles, Option<GoMod>), VendorFinding> {
    let sums = project.sums.get(&(module.clone(), Hashed::Zip));
    let sums = sums.map_or(&[][..], Vec::as_slice);
    if sums.is_empty() {
        return Err(VendorFinding::new(
            VendorCode::NoSum,
            "go.sum has no hash of its zip, so these files cannot be verified",
            format!(
                "run `go mod download {module}`: it adds that line once the checksum database agrees"
            ),
        ));
    }
    let mut what =
        "not verified: its zip is neither in the module cache nor in the mirror".to_owned();
    let mut other = None;
    for layout in &shelves.layouts {
        let path = layout.file(module, VersionFile::Zip);
        let read = match path.map_err(|error| error.to_string()) {
            Ok(path) if !path.is_file() => continue,
            Ok(path) => read_zip(&path, module).map(|read| (path, read)),
            Err(why) => Err(why),
        };
        match read {
            Ok((_, (sum, files, go_mod))) if sums.iter().all(|wanted| *wanted == sum) => {
                let own = own_go_mod(module, project, shelves);
                return Ok((files, own.or(go_mod)));
            }
            Ok((path, (sum, ..))) => {
                other.get_or_insert((path, sum));
            }
            Err(why) => what.push_str(&format!("; {why}")),
        }
    }
    let Some((path, sum)) = other else {
        let mend = format!("run `go mod download {module}` or `goroam mirror add {module}`");
        return Err(VendorFinding::new(VendorCode::NoZip, what, mend));
    };
    Err(VendorFinding::new(
        VendorCode::ZipMismatch,
        format!(
            "{} has the hash {sum}, but go.sum says {}",
            path.display(),
            sums.join(" and ")
        ),
        format!(
            "compare go.sum with your version control; if go.sum is right, remove that zip and run `go mod download {module}`"
        ),
    ))
}

/// Returns the go.mod that go reads for a module: the `.mod` beside the zip, which may differ from
/// the go.mod in the zip; go.sum has a separate line for it (`modfetch.GoMod`).
fn own_go_mod(module: &ModuleVersion, project: &ProjectFiles, shelves: &Shelves) -> Option<GoMod> {
    let wanted = project.sums.get(&(module.clone(), Hashed::GoMod))?;
    shelves.layouts.iter().find_map(|layout| {
        let path = layout.file(module, VersionFile::Mod).ok()?;
        let bytes = bounded::read(&path, MOST).ok()?;
        let text = String::from_utf8_lossy(&bytes);
        let is_wanted = wanted.contains(&hash_go_mod(&bytes));
        is_wanted.then(|| go_mod::parse(&text))
    })
}

/// A zip's hash, its files and its go.mod. The zip is read only once, so that the compared bytes
/// are the hashed ones.
type ZipRead = (String, ModuleFiles, Option<GoMod>);

fn read_zip(path: &Path, module: &ModuleVersion) -> Result<ZipRead, String> {
    let zip = ModZip::open(path).map_err(|error| error.to_string())?;
    zip.belongs_to(&module.path, &module.version)
        .map_err(|error| error.to_string())?;
    let root = format!("{module}/");
    let mut files = ModuleFiles::new();
    let mut sums = Vec::new();
    let mut own = None;
    let mut each = |entry: &Entry, content: &mut dyn Read| {
        let (print, bytes) = print(content, entry.size)?;
        sums.push((entry.name.clone(), print.sum));
        let name = entry.name.strip_prefix(&root);
        if let Some(name) = name.filter(|name| !name.ends_with('/')) {
            if name == "go.mod" {
                own = Some(go_mod::parse(&String::from_utf8_lossy(&bytes)));
            }
            files.insert(name.to_owned(), ModuleFile::new(name, print, &bytes));
        }
        Ok(())
    };
    zip.for_each(&mut each).map_err(|error| error.to_string())?;
    let sums = sums.iter().map(|(name, sum)| (name.as_str(), *sum));
    let sum = hash_sums(sums.collect()).map_err(|error| error.to_string())?;
    Ok((sum, files, own))
}

/// Reads the files of a directory that replaces a module: those in the packages' directories and
/// above them, those below only if a file embeds, and every path that vendor/ has in addition. Does
/// not read the whole directory, which may be a repository.
fn local(
    root: &Path,
    listed: &ListedModule,
    vendored: &BTreeMap<String, VendoredFile>,
) -> io::Result<ModuleFiles> {
    let mut files = ModuleFiles::new();
    fs::read_dir(root)?;
    let module = &listed.module.path;
    for package in listed
        .packages
        .iter()
        .filter_map(|package| below(package, module))
    {
        for folder in above(package) {
            read_folder(root, folder, 0, &mut files)?;
        }
        let embeds = |(path, file): (&String, &ModuleFile)| {
            split(path).0 == package && !file.embeds.is_empty()
        };
        if files.iter().any(embeds) {
            read_folder(root, package, DEEPEST, &mut files)?;
        }
    }
    let prefix = format!("{module}/");
    let vendored = vendored.range(prefix.clone()..).map(|(path, _)| path);
    for path in vendored.map_while(|path| path.strip_prefix(&prefix)) {
        note(&root.join(path), path, &mut files)?;
    }
    Ok(files)
}

/// Reads the regular files of a directory, and those of this many levels of directories below it. A
/// missing directory is not an error.
fn read_folder(root: &Path, folder: &str, levels: usize, out: &mut ModuleFiles) -> io::Result<()> {
    let Some(entries) = bounded::if_any(fs::read_dir(root.join(folder)))? else {
        return Ok(());
    };
    for entry in entries {
        let entry = entry?;
        let path = join(folder, &entry.file_name().to_string_lossy());
        if !entry.file_type()?.is_dir() {
            note(&entry.path(), &path, out)?;
        } else if levels > 0 && !entry.path().join("go.mod").exists() {
            // A directory with a go.mod is another module (`load.resolveEmbed`).
            read_folder(root, &path, levels - 1, out)?;
        }
    }
    Ok(())
}

/// Reads one regular file, once; skips anything else, as vendoring does.
fn note(path: &Path, name: &str, out: &mut ModuleFiles) -> io::Result<()> {
    if out.len() > MOST_FILES {
        return Err(too_many());
    }
    let is_file = fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file());
    if is_file && !out.contains_key(name) {
        let (print, bytes) = print(&mut bounded::open_no_link(path)?, 0)?;
        out.insert(name.to_owned(), ModuleFile::new(name, print, &bytes));
    }
    Ok(())
}

/// Trees in the layout of a proxy that may hold a module's zip; the first correct zip is used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shelves {
    /// The module cache's download directory, and the mirror.
    pub layouts: Vec<Layout>,
}

impl Shelves {
    /// Finds the module cache, and adds this mirror. Neither need exist.
    pub fn find(env: &Environment, mirror: Option<&Path>) -> Shelves {
        let cache = GoDirectories::find(env).modcache.map(|(_, cache)| cache);
        let download = cache.map(|cache| cache.join("cache").join("download"));
        let folders = download.into_iter().chain(mirror.map(Path::to_owned));
        Shelves {
            layouts: folders.map(Layout::new).collect(),
        }
    }
}
