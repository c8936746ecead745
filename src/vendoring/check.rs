//! Runs one check: reads vendor/, the module files and the modules' zips, then judges them.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::consistency::{canonical, replacement};
use super::copied::{ModuleFile, ModuleFiles, Print, folder_of, split};
use super::error::Error;
use super::facts::{HeldFrom, Holding, VendorFacts, VendorState, VendoredFile};
use super::judge::judge;
use super::project::{MOST, ProjectFiles, VendorProject, read_text};
use super::report::{VendorReport, Weight};
use crate::environment::Environment;
use crate::gocmd::EnvFile;
use crate::gomod::ModuleVersion;
use crate::gomod::go_mod::{self, GoMod};
use crate::gomod::modules_txt::{self, ListedModule};
use crate::gomod::sum::{Summing, hash_go_mod, hash_sums};
use crate::gomod::zip::{Entry, ModZip};
use crate::mirror::Layout;
use crate::{bounded, mirror, pool};

/// Checks that vendor/ exists, that modules.txt agrees with the module files, and that each file
/// equals the verified module's. Only reads, and runs no command.
///
/// # Errors
/// When vendor/ cannot be read.
pub fn check(project: &VendorProject, shelves: &Shelves) -> Result<VendorReport, Error> {
    check_at(project, &project.root, shelves)
}

/// The same for a copy of the project; local replacements are looked up below `at`.
pub(super) fn check_at(
    project: &VendorProject,
    at: &Path,
    shelves: &Shelves,
) -> Result<VendorReport, Error> {
    Ok(report(project, &gather(project, at, shelves)?))
}

fn report(project: &VendorProject, facts: &VendorFacts) -> VendorReport {
    let findings = judge(facts);
    let count = |is: fn(&HeldFrom) -> bool| facts.holdings.iter().filter(|h| is(&h.from)).count();
    VendorReport {
        good: findings
            .iter()
            .all(|finding| finding.weight == Weight::Note),
        kind: facts.kind,
        root: project.root.display().to_string(),
        modules: facts.holdings.len(),
        verified: count(|from| matches!(from, HeldFrom::Zip(_))),
        local: count(|from| matches!(from, HeldFrom::Folder(..))),
        files: match facts.vendor {
            VendorState::Listed(_) => facts.files.len(),
            VendorState::Missing | VendorState::NotAFolder | VendorState::NoList => 0,
        },
        findings,
    }
}

/// Files of more bytes are not looked into for CR LF, build lines and embeds.
const WHOLE: u64 = 16 << 20;
/// How deep folders may lie in one another.
const DEEPEST: usize = 100;
/// Files that are looked at; Kubernetes vendors some 5,000.
const MOST_FILES: usize = 1_000_000;
/// What says what is in vendor/.
const LIST: &str = "modules.txt";
/// Bytes of a buffer.
const BUFFER: usize = 64 << 10;

/// Reads everything. Local replacements are looked up below `at`: the project itself, even when
/// `project` is a copy that is being prepared.
///
/// # Errors
/// When vendor/ cannot be walked.
pub(super) fn gather(
    project: &VendorProject,
    at: &Path,
    shelves: &Shelves,
) -> Result<VendorFacts, Error> {
    let files = project.read();
    let folder = project.vendor();
    // A link is followed, as go follows it (`modload.setDefaultBuildMod` asks by `fsys.Stat`).
    let vendor = match fs::metadata(&folder) {
        Err(_) if folder.is_symlink() => VendorState::NotAFolder,
        Err(error) if error.kind() == io::ErrorKind::NotFound => VendorState::Missing,
        Err(error) => return Err(Error::io(&folder, error)),
        Ok(meta) if !meta.is_dir() => VendorState::NotAFolder,
        Ok(_) => {
            let path = folder.join("modules.txt");
            match read_text(&path) {
                Ok(text) => VendorState::Listed(modules_txt::parse(&text)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => VendorState::NoList,
                Err(error) => return Err(Error::io(&path, error)),
            }
        }
    };
    let mut tree = Tree::default();
    let mut holdings = Vec::new();
    if let VendorState::Listed(txt) = &vendor {
        walk(&folder, "", 0, &mut tree)?;
        // A link in its place stays in the list, so that it is reported.
        if matches!(tree.kept.get(LIST), Some(VendoredFile::File(_))) {
            tree.kept.remove(LIST);
        }
        if tree.executable.iter().any(|name| name == LIST) {
            tree.executable.clear();
        }
        let providers: Vec<&ListedModule> = txt.providers().collect();
        holdings = pool::map(&providers, pool::processors().min(8), |listed| {
            let (from, go_mod) = hold(listed, &files, at, shelves, &tree.kept);
            Holding {
                module: listed.module.clone(),
                from,
                go_mod,
            }
        });
    }
    Ok(VendorFacts {
        kind: project.kind,
        work: files.work,
        mains: files.mains,
        unreadable: files.unreadable,
        vendor,
        files: tree.kept,
        executable: tree.executable,
        holdings,
    })
}

/// What is below vendor/.
#[derive(Default)]
struct Tree {
    kept: BTreeMap<String, VendoredFile>,
    executable: Vec<String>,
}

fn walk(folder: &Path, below: &str, depth: usize, out: &mut Tree) -> Result<(), Error> {
    let failed = |error| Error::io(folder, error);
    if depth > DEEPEST || out.kept.len() > MOST_FILES {
        return Err(failed(io::Error::other(
            "too many files, or folders too deep",
        )));
    }
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let path = entry.path();
        let kind = entry.file_type().map_err(|error| Error::io(&path, error))?;
        let name = entry.file_name();
        let name = format!("{below}{}", name.to_string_lossy());
        if kind.is_dir() {
            walk(&path, &format!("{name}/"), depth + 1, out)?;
            continue;
        }
        let kept = if kind.is_symlink() {
            VendoredFile::Link
        } else if kind.is_file() {
            if entry.metadata().is_ok_and(|meta| may_be_executed(&meta)) {
                out.executable.push(name.clone());
            }
            let print = bounded::open_no_link(&path).and_then(|mut file| print(&mut file, None));
            print.map_or(VendoredFile::Odd, |(print, _)| VendoredFile::File(print))
        } else {
            VendoredFile::Odd
        };
        out.kept.insert(name, kept);
    }
    Ok(())
}

#[cfg(unix)]
fn may_be_executed(meta: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;

    meta.permissions().mode() & 0o111 != 0
}

/// Windows has no such mode.
#[cfg(windows)]
fn may_be_executed(_: &fs::Metadata) -> bool {
    false
}

/// A file's print, and its content if it is not too long.
fn print(file: &mut dyn Read, size: Option<u64>) -> io::Result<(Print, Vec<u8>)> {
    let mut bytes = Vec::with_capacity(size.map_or(0, |size| {
        usize::try_from(size.min(WHOLE)).unwrap_or_default()
    }));
    file.take(WHOLE + 1).read_to_end(&mut bytes)?;
    let mut summing = Summing::new();
    summing.update(&bytes);
    if bytes.len() as u64 <= WHOLE {
        let sum = summing.finish();
        let with_lf = lf_sum(&bytes).unwrap_or(sum);
        return Ok((Print { sum, with_lf }, bytes));
    }
    let mut buffer = vec![0; BUFFER];
    loop {
        let length = file.read(&mut buffer)?;
        if length == 0 {
            break;
        }
        summing.update(buffer.get(..length).unwrap_or_default());
    }
    let sum = summing.finish();
    let print = Print { sum, with_lf: sum };
    Ok((print, Vec::new()))
}

/// The sum with every CR LF as LF; `None` if there is no CR LF.
fn lf_sum(bytes: &[u8]) -> Option<crate::gomod::sum::Sum> {
    if !bytes.windows(2).any(|two| two == b"\r\n") {
        return None;
    }
    let mut summing = Summing::new();
    let mut lines = bytes.split(|&b| b == b'\n').peekable();
    while let Some(line) = lines.next() {
        if lines.peek().is_none() {
            summing.update(line);
        } else {
            summing.update(line.strip_suffix(b"\r").unwrap_or(line));
            summing.update(b"\n");
        }
    }
    Some(summing.finish())
}

/// What one module holds.
fn hold(
    listed: &ListedModule,
    files: &ProjectFiles,
    at: &Path,
    shelves: &Shelves,
    kept: &BTreeMap<String, VendoredFile>,
) -> (HeldFrom, Option<GoMod>) {
    let by = replacement(files.work.as_ref(), &files.mains, &listed.module);
    let by = by.map(|(new, folder)| canonical(new, folder.filter(|_| files.work.is_some())));
    // Where the files disagree, modules.txt says what vendor/ was made from.
    let by = by.filter(|by| listed.replacement.as_ref() == Some(by));
    match by.or_else(|| listed.replacement.clone()) {
        Some(by) if by.version.is_empty() => {
            let folder = at.join(by.path.replace('\\', "/"));
            match local(&folder, listed, kept) {
                Ok(source) => {
                    let text = read_text(&folder.join("go.mod")).ok();
                    (HeldFrom::Folder(source), text.as_deref().map(go_mod::parse))
                }
                Err(error) => (HeldFrom::NoFolder(folder, error.to_string()), None),
            }
        }
        Some(by) => from_zip(by, files, shelves),
        None => from_zip(listed.module.clone(), files, shelves),
    }
}

fn from_zip(
    module: ModuleVersion,
    files: &ProjectFiles,
    shelves: &Shelves,
) -> (HeldFrom, Option<GoMod>) {
    let Some(wanted) = files.sums.get(&module).and_then(|sums| sums.first()) else {
        return (HeldFrom::NoSum(module), None);
    };
    let all_agree = files
        .sums
        .get(&module)
        .is_some_and(|sums| sums.iter().all(|sum| sum == wanted));
    let mut tried = Vec::new();
    let mut other = None;
    for layout in &shelves.layouts {
        let path = match layout.file(&module, mirror::VersionFile::Zip) {
            Ok(path) => path,
            Err(error) => {
                tried.push(error.to_string());
                continue;
            }
        };
        if !path.is_file() {
            continue;
        }
        match read_zip(&path, &module) {
            Ok(read) if read.sum == *wanted && all_agree => {
                let go_mod = own_go_mod(&module, files, shelves).or(read.go_mod);
                return (HeldFrom::Zip(read.source), go_mod);
            }
            Ok(read) => {
                other.get_or_insert((path, read.sum));
            }
            Err(why) => tried.push(why),
        }
    }
    let from = match other {
        Some((path, sum)) => {
            let sums = files.sums.get(&module).map(|sums| sums.join(" and "));
            HeldFrom::Mismatch(module, path, sum, sums.unwrap_or_default())
        }
        None => HeldFrom::NoZip(module, tried),
    };
    (from, None)
}

/// The go.mod that go reads of a module: the `.mod` beside the zip, which need not be the go.mod
/// in it; go.sum has a separate line for it (`modfetch.GoMod`).
fn own_go_mod(module: &ModuleVersion, files: &ProjectFiles, shelves: &Shelves) -> Option<GoMod> {
    let wanted = files.go_mod_sums.get(module)?;
    shelves.layouts.iter().find_map(|layout| {
        let path = layout.file(module, mirror::VersionFile::Mod).ok()?;
        let bytes = crate::bounded::read(&path, MOST).ok()?;
        let text = String::from_utf8_lossy(&bytes);
        wanted
            .contains(&hash_go_mod(&bytes))
            .then(|| go_mod::parse(&text))
    })
}

/// A zip that was read.
struct ZipRead {
    /// Its hash.
    sum: String,
    source: ModuleFiles,
    go_mod: Option<GoMod>,
}

/// A zip's hash and its files, read once: what is compared is what was hashed.
fn read_zip(path: &Path, module: &ModuleVersion) -> Result<ZipRead, String> {
    let zip = ModZip::open(path).map_err(|error| error.to_string())?;
    zip.belongs_to(&module.path, &module.version)
        .map_err(|error| error.to_string())?;
    let root = format!("{module}/");
    let mut source = ModuleFiles::new();
    let mut sums = Vec::new();
    let mut own = None;
    let mut each = |entry: &Entry, content: &mut dyn Read| {
        let (print, bytes) = print(content, Some(entry.size))?;
        sums.push((entry.name.clone(), print.sum));
        if let Some(name) = entry.name.strip_prefix(&root)
            && !name.ends_with('/')
        {
            if name == "go.mod" {
                own = Some(go_mod::parse(&String::from_utf8_lossy(&bytes)));
            }
            source.insert(
                name.to_owned(),
                ModuleFile::new(split(name).1, print, &bytes),
            );
        }
        Ok(())
    };
    zip.for_each(&mut each).map_err(|error| error.to_string())?;
    let sums = sums
        .iter()
        .map(|(name, sum)| (name.as_str(), *sum))
        .collect();
    let sum = hash_sums(sums).map_err(|error| error.to_string())?;
    Ok(ZipRead {
        sum,
        source,
        go_mod: own,
    })
}

/// The files of a folder that replaces a module: those in the packages' folders and above them,
/// below them only where a file embeds, and whatever vendor/ has besides. Not the whole of it,
/// which may be a repository.
fn local(
    folder: &Path,
    listed: &ListedModule,
    kept: &BTreeMap<String, VendoredFile>,
) -> io::Result<ModuleFiles> {
    let mut source = ModuleFiles::new();
    fs::read_dir(folder)?;
    let packages = listed.packages.iter();
    for package in packages.filter_map(|package| folder_of(package, &listed.module.path)) {
        let mut above = package;
        loop {
            folder_files(folder, above, &mut source)?;
            if above.is_empty() {
                break;
            }
            above = split(above).0;
        }
        let embeds = source
            .iter()
            .any(|(path, file)| split(path).0 == package && file.embeds.imported);
        if embeds {
            below(folder, package, 0, &mut source)?;
        }
    }
    let prefix = format!("{}/", listed.module.path);
    let vendored = kept.range(prefix.clone()..).map(|(path, _)| path);
    for path in vendored.map_while(|path| path.strip_prefix(&prefix)) {
        if !source.contains_key(path) {
            note(&folder.join(path), path, &mut source)?;
        }
    }
    Ok(source)
}

/// Reads the regular files of one folder. A missing folder is not an error.
fn folder_files(root: &Path, folder: &str, out: &mut ModuleFiles) -> io::Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    let entries = match fs::read_dir(root.join(folder)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(folders),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let path = match folder {
            "" => name.into_owned(),
            folder => format!("{folder}/{name}"),
        };
        if entry.file_type()?.is_dir() {
            folders.push(PathBuf::from(path));
        } else if !out.contains_key(&path) {
            note(&entry.path(), &path, out)?;
        }
    }
    Ok(folders)
}

fn below(root: &Path, folder: &str, depth: usize, out: &mut ModuleFiles) -> io::Result<()> {
    if depth > DEEPEST || out.len() > MOST_FILES {
        return Err(io::Error::other("too many files, or folders too deep"));
    }
    for folder in folder_files(root, folder, out)? {
        // Another module begins there (`load.resolveEmbed`).
        if !root.join(&folder).join("go.mod").exists() {
            below(root, &folder.to_string_lossy(), depth + 1, out)?;
        }
    }
    Ok(())
}

/// Reads one regular file; anything else is skipped, as vendoring does.
fn note(path: &Path, name: &str, out: &mut ModuleFiles) -> io::Result<()> {
    if fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file()) {
        let (print, bytes) = print(&mut bounded::open_no_link(path)?, None)?;
        out.insert(
            name.to_owned(),
            ModuleFile::new(split(name).1, print, &bytes),
        );
    }
    Ok(())
}

/// Trees in the layout of a proxy that may hold a module's zip; the first good one is taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shelves {
    /// The module cache's download folder, and the mirror.
    pub layouts: Vec<Layout>,
}

impl Shelves {
    /// The module cache, by go's rules (`cfg.GOMODCACHE`: the variable, the go env file, the
    /// first folder of GOPATH), and this mirror. None of them need exist.
    pub fn find(env: &Environment, mirror: Option<&Path>) -> Shelves {
        let file = EnvFile::locate(env).ok().and_then(|file| file.read().ok()?);
        let value = |name: &str| {
            let written = || file.as_ref().and_then(|file| file.get(name));
            let value = env.get(name).or_else(written);
            value.filter(|value| !value.is_empty()).map(str::to_owned)
        };
        let gopath = || {
            let list = value("GOPATH")?;
            std::env::split_paths(&list).find(|path| !path.as_os_str().is_empty())
        };
        let cache = value("GOMODCACHE").map(PathBuf::from).or_else(|| {
            let gopath = gopath().or_else(|| Some(env.home()?.join("go")))?;
            Some(gopath.join("pkg").join("mod"))
        });
        let download = cache.map(|cache| cache.join("cache").join("download"));
        let folders = download.into_iter().chain(mirror.map(Path::to_owned));
        Shelves {
            layouts: folders.map(Layout::new).collect(),
        }
    }
}
