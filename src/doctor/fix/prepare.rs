//! Reads the files that a plan changes, asks shells whether they accept the result, and asks the
//! manager for the values that it will lose. Changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::plan::plan;
use super::step::{Step, edit, read};
use crate::doctor::facts::DoctorFacts;
use crate::doctor::finding::DoctorFinding;
use crate::doctor::managers;
use crate::doctor::repair::{Fix, FixOutcome, Target};
use crate::environment::Environment;

/// Time limit for a shell that checks a file. It takes some 10 ms.
const CHECK_TIME: Duration = Duration::from_secs(5);

/// The fixes, and the steps that carry them out.
#[derive(Debug, Default)]
pub struct Prepared {
    /// What is planned, and what is left to the user with the reason.
    pub fixes: Vec<Fix>,
    pub(super) steps: Vec<Step>,
}

/// Plans what goroam can do about these findings. Changes nothing.
pub async fn prepare(
    env: &Environment,
    facts: &DoctorFacts,
    findings: &[DoctorFinding],
) -> Prepared {
    let mut fixes = plan(facts, findings);
    let mut steps = Vec::new();
    let mut files: BTreeMap<PathBuf, Vec<usize>> = BTreeMap::new();
    let mut names = BTreeSet::new();
    let planned = fixes.iter().enumerate();
    for (at, fix) in planned.filter(|(_, fix)| fix.outcome == FixOutcome::Planned) {
        match &fix.target {
            Target::Line { path, .. } => files.entry(path.clone()).or_default().push(at),
            Target::Variable(name) => drop(names.insert(name.clone())),
            Target::Cache(_) => {}
        }
    }
    for (path, here) in files {
        let chosen: Vec<&Fix> = here.iter().filter_map(|at| fixes.get(*at)).collect();
        match file(env, &facts.home, &path, &chosen).await {
            Ok(step) => steps.push(step),
            Err(why) => {
                let all = fixes.iter_mut().enumerate();
                let kept = all.filter(|(at, _)| here.contains(at));
                kept.for_each(|(_, fix)| fix.keep(why.clone()));
            }
        }
    }
    if !names.is_empty() {
        let values = managers::variables(&mut DoctorFacts::default(), env, &names).await;
        let values = values.into_iter();
        steps.extend(values.map(|(name, value)| Step::Variable { name, value }));
    }
    Prepared { fixes, steps }
}

/// Returns the step that changes a file, or why the user has to do it.
async fn file(env: &Environment, home: &Path, path: &Path, fixes: &[&Fix]) -> Result<Step, String> {
    // In some containers the home is `/`.
    if home.parent().is_none() || !path.starts_with(home) {
        return Err("it is not in your home directory".to_owned());
    }
    let (path, old) = read(path)?;
    let new = edit(&old, fixes.iter().copied()).ok_or("it has changed since it was read")?;
    let planned = |line: usize| {
        let is_it =
            |fix: &&Fix| matches!(fix.target, Target::Line { line: own, .. } if own == line);
        fixes.iter().any(is_it)
    };
    let others = old.lines().enumerate();
    let others = others.filter(|(at, _)| !planned(at + 1));
    for (at, line) in others {
        // `$NAME`, `${NAME`, `${#NAME`, `${!NAME`
        let uses = |name: &&String| {
            let mut before = line.match_indices(name.as_str());
            before.any(|(at, _)| line[..at].ends_with(['$', '{', '#', '!']))
        };
        if let Some(name) = fixes.iter().flat_map(|fix| &fix.names).find(uses) {
            return Err(format!("line {} of it uses ${name}", at + 1));
        }
    }
    let shells = fixes.iter().filter_map(|fix| match &fix.target {
        Target::Line { shells, .. } => Some(shells),
        Target::Variable(_) | Target::Cache(_) => None,
    });
    let shells: BTreeSet<&str> = shells.flatten().copied().collect();
    let mut checked = false;
    for shell in shells {
        // Bash reads ~/.profile too, and people write it for bash.
        if !accepts(env, shell, &old).await {
            continue;
        }
        if !accepts(env, shell, &new).await {
            return Err(format!("`{shell} -n` refuses the file without that line"));
        }
        for fix in fixes {
            let Target::Line { line, .. } = &fix.target else {
                continue;
            };
            if !is_statement(env, shell, &old, *line).await {
                return Err(format!(
                    "line {line} is in a block, a string or a here-document, as `{shell} -n` \
                     reads it"
                ));
            }
        }
        checked = true;
    }
    match checked {
        true => Ok(Step::file(&path, old, new)),
        false => Err("no shell that reads it is here and accepts it (`-n`)".to_owned()),
    }
}

/// Asks a shell whether a line begins a statement outside of blocks, quotes and here-documents: the
/// lines before it are complete, and in its place the shell refuses a `)`, which it accepts in data.
async fn is_statement(env: &Environment, shell: &str, text: &str, line: usize) -> bool {
    let before: String = text
        .split_inclusive('\n')
        .take(line.saturating_sub(1))
        .collect();
    accepts(env, shell, &before).await && !accepts(env, shell, &format!("{before})\n")).await
}

/// Asks a shell whether it accepts a text. It reads no start-up file and runs nothing.
async fn accepts(env: &Environment, shell: &str, text: &str) -> bool {
    let args: &[&str] = match shell {
        "bash" => &["--norc", "--noprofile", "-n"],
        "zsh" => &["-fn"],
        "fish" => &["--no-config", "-n"],
        _ => &["-n"],
    };
    let mut command = Command::new(shell);
    command
        .args(args)
        .env_clear()
        .env("PATH", env.get("PATH").unwrap_or_default())
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let Ok(mut child) = command.spawn() else {
        return false;
    };
    let ended = async {
        if let Some(mut stdin) = child.stdin.take() {
            // A shell that stops at an error reads no further; its exit code says so.
            let _ = stdin.write_all(text.as_bytes()).await;
        }
        child.wait().await.is_ok_and(|status| status.success())
    };
    tokio::time::timeout(CHECK_TIME, ended)
        .await
        .unwrap_or(false)
}
