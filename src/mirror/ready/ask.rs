//! Asks go whether it builds a project without a network, once all files are known to be there.
//! Only go can say whether it wants to write go.mod, rejects one of its lines, misses a line of
//! go.sum or finds vendor/ inconsistent.
//!
//! go runs without any network, on copies of the module files, with a temporary module cache that
//! links to the user's: it writes none of the user's files.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::need::Need;
use super::shelf::{ReadyTools, Shelf, read};
use crate::bounded;
use crate::environment::{Environment, is_same_name};
use crate::gocmd::job::{Job, Ran, offline};
use crate::gomod::ModuleVersion;
use crate::gomod::go_version::at_least;
use crate::gomod::go_work;
use crate::gomod::project::ProjectFiles;
use crate::gomod::sum::{Summing, hex};
use crate::mirror::layout::{Layout, VersionFile};
use crate::mirror::needed::{MOST_FILE, copy_if_any, copy_work, sums_of};
use crate::paths::Paths;
use crate::policy::expand::expand;
use crate::state::file;

/// Time limit. go first unpacks hundreds of modules if only the mirror has them.
const LIMIT: Duration = Duration::from_secs(300);
/// Maximum number of lines of go's output that are kept.
const MOST_LINES: usize = 4;
/// Maximum number of stored answers.
const MOST_ANSWERS: usize = 500;
/// Maximum number of a project's files that are checked for changes.
const MOST_FILES: usize = 100_000;
/// Maximum size in bytes of a zip that is copied where links are impossible (`zip.MaxZipFile`).
#[cfg(windows)]
const MOST_ZIP: u64 = 500 << 20;
/// Maximum depth of a project's directories.
const DEEPEST: usize = 64;

/// Returns why go would not build and test the project in this directory. `None`: it would, or it
/// would run as another go than the installed one. `mains` are the directories of its main modules.
pub(super) async fn ask(
    folder: &Path,
    project: &ProjectFiles,
    need: &Need,
    tools: &ReadyTools,
    answers: &mut Answers,
) -> Option<String> {
    if need.toolchain.is_some() {
        return None;
    }
    let key = match key(folder, project, need, tools) {
        Err(Some(pipe)) => {
            let pipe = pipe.display();
            return Some(format!("{pipe} is a named pipe, and go would wait for it"));
        }
        key => key.ok(),
    };
    if let Some(known) = key.as_ref().and_then(|key| answers.get(key)) {
        return known.clone();
    }
    let scratch = match Scratch::new(folder, project, need, tools) {
        Ok(scratch) => scratch,
        Err(error) => return Some(format!("go cannot be asked: {error:#}")),
    };
    let job = Job {
        go: &tools.go,
        env: &tools.env,
        folder,
        set: scratch.set.clone(),
    };
    let mut args = vec!["list", "-deps", "-test", "-modcacherw", "-f", "{{/**/}}"];
    if at_least(&tools.builder.version, "1.18") {
        args.push("-buildvcs=false");
    }
    args.extend(scratch.modfile.as_deref());
    args.push("./...");
    match job.run_for(&args, LIMIT).await {
        Ok(ran) => {
            let answer = words(&ran);
            if let Some(key) = key {
                answers.keep(key, answer.clone());
            }
            answer
        }
        // A timeout of go is not stored as an answer.
        Err(error) => Some(error.to_string()),
    }
}

/// Returns go's error output in one line, or `None` if go succeeded.
fn words(ran: &Ran) -> Option<String> {
    if ran.success {
        return None;
    }
    let lines: Vec<&str> = ran
        .err
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    let shown = lines.get(..MOST_LINES).unwrap_or(&lines).join(" ");
    let more = if lines.len() > MOST_LINES { " …" } else { "" };
    Some(if shown.is_empty() {
        "`go list` fails here without a word".to_owned()
    } else {
        format!("go refuses it: {shown}{more}")
    })
}

/// The directory where go may write, and the variables that point go to it.
struct Scratch {
    /// The directory is removed on drop.
    _folder: tempfile::TempDir,
    set: Vec<(&'static str, OsString)>,
    modfile: Option<String>,
}

impl Scratch {
    fn new(
        folder: &Path,
        project: &ProjectFiles,
        need: &Need,
        tools: &ReadyTools,
    ) -> io::Result<Scratch> {
        let scratch = tempfile::Builder::new().prefix("goroam-ready-").tempdir()?;
        let modcache = scratch.path().join("mod");
        let linked = need.zips.keys().chain(need.mods.keys());
        for module in linked {
            // go unpacks again what cannot be linked.
            let _ = link(&tools.shelf, module, &modcache);
        }
        let mut set = vec![("GOMODCACHE", modcache.into())];
        set.extend(offline(&tools.env, proxies(&tools.shelf)));
        let work = match project.work {
            Some(_) => Some(folder.join("go.work")),
            None => above(folder, &tools.env),
        };
        let mut modfile = None;
        match work {
            // go writes nothing if it takes everything from vendor/, which is beside go.work.
            Some(_) if need.vendored && project.work.is_some() => {}
            Some(file) => {
                let work = go_work::parse(&bounded::read_text(&file, MOST_FILE)?);
                if let Some(fault) = work.faults.first() {
                    let fault = format!("{}: {fault}", file.display());
                    return Err(io::Error::other(fault));
                }
                let copy = copy_work(&work, &file, scratch.path())?;
                set.push(("GOWORK", copy.into()));
            }
            None => {
                let copy = scratch.path().join("go.mod");
                let (file, sum) = tools.module_files(folder);
                copy_if_any(&file, &copy)?;
                copy_if_any(&sum, &scratch.path().join("go.sum"))?;
                modfile = Some(format!("-modfile={}", copy.display()));
                set.push(("GOWORK", "off".into()));
            }
        }
        Ok(Scratch {
            _folder: scratch,
            set,
            modfile,
        })
    }
}

/// Returns the go.work that go uses for a module that has none beside it.
fn above(folder: &Path, env: &Environment) -> Option<PathBuf> {
    go_work::find(env.get("GOWORK"), folder, Path::is_file)
}

/// Returns a GOPROXY that has the user's module cache and the mirror as proxies.
fn proxies(shelf: &Shelf) -> OsString {
    let url = |folder: &Path| {
        let lookup = |_: &str| Some(folder.display().to_string());
        expand("file://${GOMODCACHE}", &lookup).unwrap_or_else(|_| "off".to_owned())
    };
    let [cache, mirror] = [shelf.cache().root(), shelf.mirror().root()].map(url);
    format!("{cache},{mirror},off").into()
}

/// Links the user's cached files of a module into the module cache at `modcache`, so that go need
/// not unpack it again.
fn link(shelf: &Shelf, module: &ModuleVersion, modcache: &Path) -> io::Result<()> {
    let own = Layout::new(modcache.join("cache").join("download"));
    for file in VersionFile::ALL {
        let (Ok(from), Ok(to)) = (shelf.cache().file(module, file), own.file(module, file)) else {
            return Ok(());
        };
        if from.is_file() {
            linked(&from, &to)?;
        }
    }
    if let Some((from, below)) = shelf.unpacked(module) {
        linked(&from, &modcache.join(below))?;
    }
    Ok(())
}

#[cfg(unix)]
fn linked(from: &Path, to: &Path) -> io::Result<()> {
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent)?;
    }
    match std::os::unix::fs::symlink(from, to) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        done => done,
    }
}

/// On Windows, symbolic links need a right that few users have; go unpacks what it needs.
#[cfg(windows)]
fn linked(from: &Path, to: &Path) -> io::Result<()> {
    if from.is_dir() {
        return Ok(());
    }
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::hard_link(from, to).or_else(|_| bounded::copy(from, to, MOST_ZIP))
}

/// Hashes everything that go's answer depends on.
///
/// # Errors
/// The path of a named pipe among the files that go reads of a module; `None`: there is too much to
/// read.
fn key(
    folder: &Path,
    project: &ProjectFiles,
    need: &Need,
    tools: &ReadyTools,
) -> Result<String, Option<PathBuf>> {
    let mut key = Key::default();
    let go = &tools.go;
    key.add("go", go.path.display().to_string().as_bytes());
    key.add("version", tools.builder.version.as_bytes());
    key.add("settings", tools.settings.as_bytes());
    let matters = |name: &str| {
        let starts = name.get(..2).is_some_and(|start| is_same_name(start, "GO"));
        starts || is_same_name(name, "CGO_ENABLED")
    };
    let mut vars: BTreeMap<&str, &str> = BTreeMap::from_iter(tools.env.iter());
    vars.retain(|name, _| matters(name));
    for (name, value) in vars {
        key.add(name, value.as_bytes());
    }
    for (module, sum) in need.zips.iter().chain(&need.mods) {
        key.add(&module.to_string(), sum.as_bytes());
    }
    if let Some(file) = above(folder, &tools.env) {
        key.add("workspace", file.as_os_str().as_encoded_bytes());
        key.file("above", &sums_of(&file));
        key.file("above", &file);
    }
    for name in ["go.work", "go.work.sum", "vendor/modules.txt"] {
        key.file(name, &folder.join(name));
    }
    if tools.modfile.is_some() {
        let (file, sum) = tools.module_files(folder);
        key.file("modfile", &file);
        key.file("modfile", &sum);
    }
    let mut left = MOST_FILES;
    for (main, _) in &project.mains {
        for name in ["go.mod", "go.sum"] {
            key.file(name, &main.join(name));
        }
        files(main, 0, &mut left, &mut key)?;
    }
    Ok(key.finish())
}

/// Adds the names, sizes and times of a module's files, which stand for its imports and embedded
/// files.
///
/// # Errors
/// As [`key`]; `None` also if they cannot be read.
fn files(
    folder: &Path,
    depth: usize,
    left: &mut usize,
    key: &mut Key,
) -> Result<(), Option<PathBuf>> {
    let entries = fs::read_dir(folder).ok().filter(|_| depth <= DEEPEST);
    let entries = entries.ok_or(None)?;
    let mut entries: Vec<_> = entries.flatten().collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name();
        let meta = entry.metadata().map_err(|_| None)?;
        *left = left.checked_sub(1).ok_or(None)?;
        #[cfg(unix)]
        if std::os::unix::fs::FileTypeExt::is_fifo(&meta.file_type()) {
            return Err(Some(entry.path()));
        }
        if name == ".git" {
            continue;
        }
        if meta.is_dir() {
            key.add("folder", name.as_encoded_bytes());
            files(&entry.path(), depth + 1, left, key)?;
            continue;
        }
        let changed = meta.modified().ok();
        let changed = changed.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
        let changed = changed.ok_or(None)?;
        let stamp = format!("{} {}", meta.len(), changed.as_nanos());
        key.add(&name.to_string_lossy(), stamp.as_bytes());
    }
    key.add("end", b"");
    Ok(())
}

/// A hash of everything that go's answer about a project depends on.
#[derive(Default)]
struct Key(Summing);

impl Key {
    /// Adds one item. Names and contents are delimited, so that they cannot be confused.
    fn add(&mut self, name: &str, content: &[u8]) {
        for part in [name.as_bytes(), content] {
            self.0.update(&(part.len() as u64).to_le_bytes());
            self.0.update(part);
        }
    }

    /// Adds the text of a file, or the fact that it does not exist.
    fn file(&mut self, name: &str, path: &Path) {
        let text = read(path, MOST_FILE);
        self.add(name, text.as_deref().unwrap_or_default().as_bytes());
    }

    fn finish(self) -> String {
        hex(&self.0.finish())
    }
}

/// Loads a file of goroam's. An unreadable one counts as missing: its content can be collected
/// again.
pub(super) fn load<T: DeserializeOwned + Default>(path: &Path) -> T {
    let bytes = file::read(path, 4 << 20).ok().flatten();
    let value = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    value.unwrap_or_default()
}

/// Stored answers of go about projects, by the hash of what they depend on. goroam asks again only
/// if something has changed.
#[derive(Debug, Default)]
pub struct Answers {
    all: BTreeMap<String, Answer>,
    asked: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Answer {
    /// When go answered, in seconds since 1970.
    at: i64,
    /// Why go would not build it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trouble: Option<String>,
}

impl Answers {
    /// Loads the stored answers.
    pub fn load(paths: &Paths) -> Answers {
        Answers {
            all: load(&paths.asked()),
            asked: false,
        }
    }

    /// Stores the answers if there are new ones; if there are too many, only the newest.
    ///
    /// # Errors
    /// When the file cannot be written; it then stays unchanged.
    pub fn save(self, paths: &Paths) -> io::Result<()> {
        if !self.asked {
            return Ok(());
        }
        let mut newest: Vec<_> = self.all.into_iter().collect();
        newest.sort_by_key(|(_, answer)| std::cmp::Reverse(answer.at));
        newest.truncate(MOST_ANSWERS);
        let newest = BTreeMap::from_iter(newest);
        file::private_folder(&paths.state)?;
        file::replace(&paths.asked(), &serde_json::to_vec(&newest)?)
    }

    fn get(&self, key: &str) -> Option<&Option<String>> {
        self.all.get(key).map(|answer| &answer.trouble)
    }

    fn keep(&mut self, key: String, trouble: Option<String>) {
        let at = jiff::Timestamp::now().as_second();
        self.all.insert(key, Answer { at, trouble });
        self.asked = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_s_words_are_kept_in_one_line() {
        let ran = |success, err: &str| Ran {
            success,
            out: Vec::new(),
            err: err.to_owned(),
        };
        assert_eq!(words(&ran(true, "go: warning\n")), None);
        assert_eq!(
            words(&ran(false, "p.go:1:2: no\n\n\tgo get x\n")),
            Some("go refuses it: p.go:1:2: no go get x".to_owned())
        );
        assert!(words(&ran(false, "")).is_some());
    }
}
