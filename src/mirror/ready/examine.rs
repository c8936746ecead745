//! One project: what is written in it, what it needs, what is there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::ask::ask;
use super::find::{MOST_FILE, members};
use super::judge::{Have, Toolchain, Verdict, judge};
use super::need::{Need, Project, Source, need};
use super::remember::Answers;
use super::shelf::{Held, read};
use super::tools::ReadyTools;
use crate::gomod::go_mod::{self, GoMod};
use crate::gomod::go_sum::{self, GoSumLine};
use crate::gomod::{ModuleVersion, go_work, modules_txt};

/// How ready the project in this folder is. Where all that reading tells is there, go itself is
/// asked, unless it has answered the same question before.
pub async fn examine(folder: &Path, tools: &ReadyTools, answers: &mut Answers) -> Verdict {
    let (project, trouble) = written(folder, tools);
    let mains = folders(folder, &project);
    let mut need = needed(&project, &mains, tools);
    need.troubles.extend(trouble);
    let mut verdict = judge(&need, &have(&need, tools));
    if verdict.is_ready() {
        let asked = ask(folder, &mains, &project, &need, tools, answers).await;
        verdict.troubled(asked);
    }
    verdict
}

fn needed(project: &Project, mains: &[PathBuf], tools: &ReadyTools) -> Need {
    let shelf = &tools.shelf;
    let lookup = |source: Source<'_>| -> Option<GoMod> {
        let text = match source {
            Source::Module(module) => shelf.text(module)?,
            Source::Folder(path) => mains
                .iter()
                .find_map(|main| read(&main.join(path).join("go.mod"), MOST_FILE))?,
        };
        Some(go_mod::parse(&text))
    };
    need(project, &tools.builder, &lookup)
}

/// The files of a project, and what cannot be read of them.
fn written(folder: &Path, tools: &ReadyTools) -> (Project, Vec<String>) {
    let mut project = Project::default();
    let mut troubles = Vec::new();
    let work = read(&folder.join("go.work"), MOST_FILE);
    project.work = work.as_deref().map(go_work::parse);
    if let Some(work) = &project.work {
        let faults = work.faults.iter().map(|fault| format!("go.work: {fault}"));
        troubles.extend(faults.take(3));
        sums(
            &folder.join("go.work.sum"),
            &mut project.sums,
            &mut troubles,
        );
    }
    for main in folders(folder, &project) {
        // go refuses -modfile in a workspace.
        let (file, sum) = match project.work {
            Some(_) => (main.join("go.mod"), main.join("go.sum")),
            None => tools.module_files(&main),
        };
        match read(&file, MOST_FILE) {
            Some(text) => project.mains.push(go_mod::parse(&text)),
            None => troubles.push(format!("{} cannot be read", file.display())),
        }
        sums(&sum, &mut project.sums, &mut troubles);
    }
    let txt = read(&folder.join("vendor").join("modules.txt"), MOST_FILE);
    project.vendor = txt.as_deref().map(modules_txt::parse);
    (project, troubles)
}

/// The folders of its main modules.
fn folders(folder: &Path, project: &Project) -> Vec<PathBuf> {
    match project.work {
        Some(_) => members(folder),
        None => vec![folder.to_owned()],
    }
}

fn sums(path: &Path, lines: &mut Vec<GoSumLine>, troubles: &mut Vec<String>) {
    let Some(text) = read(path, MOST_FILE) else {
        return;
    };
    match go_sum::parse(&text) {
        Ok(mut read) => lines.append(&mut read),
        Err(error) => troubles.push(format!("{}: {error}", path.display())),
    }
}

fn have(need: &Need, tools: &ReadyTools) -> Have {
    let shelf = &tools.shelf;
    let zips = need.zips.iter();
    let mods = need.mods.iter();
    Have {
        zips: BTreeMap::from_iter(
            zips.map(|(module, sum)| (module.clone(), shelf.zip(module, Some(sum)))),
        ),
        mods: BTreeMap::from_iter(
            mods.map(|(module, sum)| (module.clone(), shelf.go_mod(module, sum))),
        ),
        toolchain: match &need.toolchain {
            Some((module, name)) => toolchain(module, name, tools),
            None => Toolchain::Ready,
        },
    }
}

/// `toolchain.Exec`: PATH goes before the module cache.
fn toolchain(module: &ModuleVersion, name: &str, tools: &ReadyTools) -> Toolchain {
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let path = tools.env.get("PATH").unwrap_or_default();
    let in_path = std::env::split_paths(path).any(|folder| folder.join(&file).is_file());
    if in_path || tools.shelf.is_unpacked(module) {
        return Toolchain::Ready;
    }
    if tools.shelf.zip(module, None) != Held::Here {
        return Toolchain::Absent;
    }
    match tools.database.proves(tools.shelf.mirror(), module) {
        Ok(()) => Toolchain::Proven,
        Err(why) => Toolchain::Unproven(why),
    }
}
