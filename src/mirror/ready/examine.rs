//! Examines one project (its files, its needs, what is there) or all of them. Also remembers the
//! known projects and their last result, in private files in the state directory.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::ask::{Answers, ask, load};
use super::judge::{Held, Verdict, What, judge, percent};
use super::need::{Need, need};
use super::shelf::{ReadyTools, read};
use crate::environment::Environment;
use crate::gomod::{ModuleVersion, go_mod, modules_txt};
use crate::meter::Meter;
use crate::mirror::add::{Add, Notice, add};
use crate::mirror::needed::{MOST_FILE, read_project};
use crate::model::status;
use crate::paths::{Paths, exact, from_exact};
use crate::state::file;

/// One project's verdict.
#[derive(Debug, Clone, Serialize)]
pub struct Examined {
    /// Its directory.
    #[serde(serialize_with = "crate::paths::serialize")]
    pub project: PathBuf,
    /// How ready it is.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Why `--fetch` could not bring what is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

/// The verdicts of all projects.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The mirror's directory.
    #[serde(serialize_with = "crate::paths::serialize")]
    pub mirror: PathBuf,
    /// How much of what all projects need is there.
    pub percent: u8,
    /// Whether everything is there.
    pub ready: bool,
    /// Each project.
    pub projects: Vec<Examined>,
    /// The arguments of one command that fetches everything that is missing.
    pub command: Vec<String>,
    /// Why go would reject the mirror's proofs for modules that no go.sum names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proofs: Option<String>,
}

impl Report {
    /// Combines the verdicts of all projects.
    pub fn new(mirror: PathBuf, projects: Vec<Examined>, proofs: Option<String>) -> Report {
        let sum = |of: fn(&Verdict) -> usize| -> usize {
            projects.iter().map(|one| of(&one.verdict)).sum()
        };
        let ready = projects.iter().all(|one| one.verdict.is_ready());
        let percent = percent(sum(|one| one.here), sum(|one| one.needed), ready);
        Report {
            command: command(&projects),
            mirror,
            percent,
            ready,
            projects,
            proofs,
        }
    }
}

/// Returns `goroam mirror add --from DIR …`, or nothing if it would not help.
fn command(projects: &[Examined]) -> Vec<String> {
    let lacks = |one: &&Examined| !one.verdict.missing.is_empty();
    let mut words = Vec::new();
    for one in projects.iter().filter(lacks) {
        if words.is_empty() {
            words.extend(["goroam", "mirror", "add"].map(str::to_owned));
        }
        words.extend(["--from".to_owned(), one.project.display().to_string()]);
    }
    if projects.iter().any(|one| one.verdict.needs_toolchain()) {
        words.push("--toolchain".to_owned());
    }
    words
}

/// Returns how ready the project in this directory is. If no file is missing, asks go itself,
/// unless go has already answered the same question.
pub async fn examine(folder: &Path, tools: &ReadyTools, answers: &mut Answers) -> Verdict {
    let is_work = folder.join("go.work").is_file();
    // go rejects -modfile in a workspace.
    let files = |main: &Path| match is_work {
        true => (main.join("go.mod"), main.join("go.sum")),
        false => tools.module_files(main),
    };
    let project = read_project(folder, is_work, &files);
    let txt = read(&folder.join("vendor").join("modules.txt"), MOST_FILE);
    let txt = txt.as_deref().map(modules_txt::parse);
    let go_mod = |module: &ModuleVersion| {
        let text = match module.version.as_str() {
            "" => read(&folder.join(&module.path).join("go.mod"), MOST_FILE)?.into(),
            _ => tools.shelf.text(module)?,
        };
        Some(go_mod::parse(&text))
    };
    let need = need(&project, txt.as_ref(), &tools.builder, &go_mod);
    let held = |what, module: &ModuleVersion, sum: &str| match what {
        What::Zip => tools.shelf.zip(module, Some(sum)),
        What::GoMod | What::Toolchain | What::Proof => tools.shelf.go_mod(module, sum),
    };
    let mut verdict = judge(&need, &held, lack_of_toolchain(&need, tools));
    if verdict.is_ready() {
        let asked = ask(folder, &project, &need, tools, answers).await;
        verdict.troubled(asked);
    }
    verdict
}

/// Returns why go cannot use the toolchain without a network, if it cannot. As in `toolchain.Exec`:
/// PATH comes before the module cache.
fn lack_of_toolchain(need: &Need, tools: &ReadyTools) -> Option<(What, Option<String>)> {
    let (module, name) = need.toolchain.as_ref()?;
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let path = tools.env.get("PATH").unwrap_or_default();
    let in_path = std::env::split_paths(path).any(|folder| folder.join(&file).is_file());
    if in_path || tools.shelf.is_unpacked(module) {
        return None;
    }
    if tools.shelf.zip(module, None) != Held::Here {
        return Some((What::Toolchain, None));
    }
    // No go.sum names toolchains, so go needs the proof.
    let proven = tools.database.proves(tools.shelf.mirror(), module);
    Some((What::Proof, Some(proven.err()?)))
}

/// Fetches what the project in this directory lacks, as `goroam mirror add --from` does, with the
/// go command that the policy names.
///
/// # Errors
/// Why nothing or only a part was fetched, in one line, and whether something does not match its
/// checksum.
pub async fn bring(
    mirror: &Path,
    go: Option<&Path>,
    env: &Environment,
    one: &Examined,
) -> Result<(), (String, bool)> {
    let what = Add {
        from: vec![one.project.clone()],
        toolchain: one.verdict.needs_toolchain(),
        ..Add::default()
    };
    let (meter, mut notice) = (Meter::default(), |_: Notice<'_>| {});
    let added = Box::pin(add(mirror, go, env, &what, &meter, &mut notice)).await;
    let failed = added.map_err(|error| (error.to_string(), false))?.failed;
    let Some(first) = failed.first() else {
        return Ok(());
    };
    let more = match failed.len() - 1 {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    // A project has no version.
    let name = format!("{} {}", first.module, first.version);
    let why = format!("{}: {}{more}", name.trim_end(), first.why);
    Err((why, failed.iter().any(|one| one.mismatch)))
}

/// Lowers the priority of this process and of all processes that it starts. Failures are ignored.
#[cfg(unix)]
pub fn step_back() {
    // SAFETY: setpriority takes three numbers and touches no memory of ours. PRIO_PROCESS with 0
    // is this process.
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS, 0, 15);
    }
    #[cfg(target_os = "linux")]
    {
        // linux/ioprio.h: IOPRIO_WHO_PROCESS, and class 3 (idle) in the upper bits: the kernel does
        // this process's reads and writes when no other process has any. Schedulers without classes
        // ignore it.
        const WHO_PROCESS: libc::c_int = 1;
        const IDLE: libc::c_int = 3 << 13;
        // SAFETY: ioprio_set takes three numbers and touches no memory of ours.
        unsafe {
            libc::syscall(libc::SYS_ioprio_set, WHO_PROCESS, 0, IDLE);
        }
    }
}

/// Does nothing here: the parent process sets the priority (`IDLE_PRIORITY_CLASS`).
#[cfg(not(unix))]
pub fn step_back() {}

/// Maximum number of remembered projects; the most recently seen ones stay.
const MOST_REMEMBERED: usize = 500;

/// The file format. Unknown fields, written by a newer goroam, are ignored.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Kept {
    /// Directories, the most recently seen one last.
    projects: Vec<String>,
}

/// Returns the remembered projects that still exist.
pub fn remembered(paths: &Paths) -> Vec<PathBuf> {
    let mut there = kept(paths);
    there.retain(|folder| is_project(folder));
    there
}

fn kept(paths: &Paths) -> Vec<PathBuf> {
    let kept: Kept = load(&paths.projects());
    kept.projects.iter().map(|text| from_exact(text)).collect()
}

fn is_project(folder: &Path) -> bool {
    ["go.mod", "go.work"]
        .iter()
        .any(|name| folder.join(name).is_file())
}

/// Remembers these projects too. Projects that no longer exist are dropped.
///
/// # Errors
/// When the file cannot be written; it then stays unchanged.
pub fn remember(paths: &Paths, projects: &[PathBuf]) -> io::Result<()> {
    let before = kept(paths);
    let mut all = before.clone();
    all.retain(|folder| is_project(folder) && !projects.contains(folder));
    all.extend(projects.iter().cloned());
    let surplus = all.len().saturating_sub(MOST_REMEMBERED);
    all.drain(..surplus);
    if BTreeSet::from_iter(&all) == BTreeSet::from_iter(&before) {
        return Ok(());
    }
    write(paths, &all)
}

/// Forgets the projects in and below these directories; returns how many there were.
///
/// # Errors
/// When the file cannot be written; it then stays unchanged.
pub fn forget(paths: &Paths, folders: &[PathBuf]) -> io::Result<usize> {
    let mut all = kept(paths);
    let before = all.len();
    let is_below = |project: &PathBuf| folders.iter().any(|folder| project.starts_with(folder));
    all.retain(|project| !is_below(project));
    let gone = before - all.len();
    if gone > 0 {
        write(paths, &all)?;
    }
    Ok(gone)
}

fn write(paths: &Paths, projects: &[PathBuf]) -> io::Result<()> {
    let projects = projects.iter().map(|path| exact(path)).collect();
    let bytes = serde_json::to_vec_pretty(&Kept { projects })?;
    file::private_folder(&paths.state)?;
    file::replace(&paths.projects(), &bytes)
}

/// Stores the result for all remembered projects, for `status`.
///
/// # Errors
/// When the file cannot be written.
pub fn note(paths: &Paths, readiness: &status::Readiness) -> io::Result<()> {
    file::private_folder(&paths.state)?;
    file::replace(&paths.readiness(), &serde_json::to_vec(readiness)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn projects_are_kept_until_they_are_gone_or_forgotten() {
        let home = tempfile::tempdir().unwrap();
        let own = home.path().to_str().unwrap();
        let env: Environment = [("HOME", own), ("USERPROFILE", own)].into_iter().collect();
        let mut paths = Paths::find(Some("/x".into()), &env).unwrap();
        paths.state = home.path().join("state");
        let project = |name: &str| {
            let folder = home.path().join(name);
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join("go.mod"), "module x\n").unwrap();
            folder
        };
        let (a, b, c) = (project("a"), project("b"), project("c"));
        assert_eq!(remembered(&paths), [""; 0].map(PathBuf::from));
        remember(&paths, &[a.clone(), b.clone()]).unwrap();
        remember(&paths, std::slice::from_ref(&c)).unwrap();
        assert_eq!(remembered(&paths), [a.clone(), b.clone(), c.clone()]);
        std::fs::remove_dir_all(&b).unwrap();
        assert_eq!(remembered(&paths), [a.clone(), c.clone()]);
        assert_eq!(forget(&paths, std::slice::from_ref(&a)).unwrap(), 1);
        assert_eq!(remembered(&paths), [c]);
        let many: Vec<PathBuf> = (0..MOST_REMEMBERED + 9)
            .map(|n| project(&format!("p{n}")))
            .collect();
        remember(&paths, &many).unwrap();
        assert_eq!(remembered(&paths).len(), MOST_REMEMBERED);
        std::fs::write(paths.projects(), "{broken").unwrap();
        assert_eq!(remembered(&paths).len(), 0);
        remember(&paths, &many[..1]).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let meta = std::fs::metadata(paths.projects()).unwrap();
            assert_eq!(meta.permissions().mode() & 0o777, 0o600);
        }
    }
}
