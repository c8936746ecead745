//! `goroam ready`

use std::path::PathBuf;

use jiff::Timestamp;

use crate::agent::error::{EXIT_DONE, EXIT_FAILED, EXIT_MISMATCH, EXIT_USAGE};
use crate::agent::load_policy;
use crate::cli::args;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::render;
use crate::mirror::ready::{self, Answers, Bringer, Examined, Report, Workshop};
use crate::model::status::Readiness;
use crate::paths::Paths;

/// Are these projects ready for a place without a network? Exit code 0 when all are.
pub(in crate::cli) async fn run(context: &Context, args: args::Ready) -> Result<u8, Failure> {
    if args.kept {
        ready::step_back();
    }
    let paths = context.paths()?;
    if args.forget {
        return forget(context, &paths, &args);
    }
    let policy = load_policy(&paths, &context.env)?.policy;
    let projects = projects(&paths, &args.folders)?;
    let is_named = args.place.is_some();
    let mirror = context.mirror_of(args.place, &policy)?;
    let go = policy.agent.go.clone();
    let workshop = ready::workshop(go.as_deref(), &context.env, &mirror).await?;
    let mut answers = Answers::load(&paths);
    let mut found: Vec<Examined> = Vec::new();
    for project in projects {
        found.push(Examined {
            verdict: Box::pin(ready::examine(&project, &workshop, &mut answers)).await,
            project,
            failed: None,
        });
    }
    let mut mismatch = false;
    if args.fetch {
        let bringer = Bringer {
            mirror: mirror.clone(),
            go,
            env: context.env.clone(),
        };
        let most = args.kept.then_some(policy.mirror.max_size);
        mismatch = Box::pin(fetch(&bringer, &workshop, &mut found, most, &mut answers)).await;
    }
    let proofs = workshop.database.follows(workshop.shelf.mirror()).err();
    let mut report = Report::new(mirror, found, proofs);
    if is_named && !report.command.is_empty() {
        let mirror = report.mirror.display().to_string();
        report.command.extend(["--mirror".to_owned(), mirror]);
    }
    if let Err(error) = answers.save(&paths) {
        tracing::warn!("go's answers are not kept: {error}");
    }
    keep(&paths, &report);
    if args.format.json {
        context.out.json(&report)?;
    } else {
        context.out.text(&render::ready(&report, &context.page))?;
    }
    Ok(match (mismatch, report.ready) {
        (true, _) => EXIT_MISMATCH,
        (false, true) => EXIT_DONE,
        (false, false) => EXIT_FAILED,
    })
}

/// Those in and below the folders, else those that are remembered, else those here.
fn projects(paths: &Paths, folders: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut all: Vec<PathBuf> = Vec::new();
    let mut look_in = |folder: &PathBuf| -> Result<(), Failure> {
        let found = ready::projects(folder);
        if found.is_empty() {
            let folder = folder.display();
            let message = format!("there is no go.mod or go.work in, below or above {folder}");
            return Err(Failure::said(message, EXIT_USAGE));
        }
        all.extend(found);
        Ok(())
    };
    for folder in folders {
        if !folder.is_dir() {
            let message = format!("{} is no folder that can be read", folder.display());
            return Err(Failure::said(message, EXIT_USAGE));
        }
        look_in(folder)?;
    }
    if folders.is_empty() {
        let remembered = ready::remembered(paths);
        if !remembered.is_empty() {
            return Ok(remembered);
        }
        look_in(&PathBuf::from("."))?;
    }
    crate::model::order::sort(&mut all);
    all.dedup();
    Ok(all)
}

fn forget(context: &Context, paths: &Paths, args: &args::Ready) -> Result<u8, Failure> {
    let folders: Vec<PathBuf> = match args.folders.as_slice() {
        [] => ready::remembered(paths),
        named => named
            .iter()
            .map(|one| dunce::canonicalize(one).or_else(|_| std::path::absolute(one)))
            .collect::<Result<_, _>>()
            .map_err(|error| Failure::said(error.to_string(), EXIT_USAGE))?,
    };
    let gone = ready::forget(paths, &folders)
        .map_err(|error| Failure::said(error.to_string(), EXIT_FAILED))?;
    if args.format.json {
        context
            .out
            .json(&serde_json::json!({ "forgotten": gone }))?;
    } else {
        let s = if gone == 1 { "" } else { "s" };
        context.out.text(&format!("forgot {gone} project{s}\n"))?;
    }
    Ok(EXIT_DONE)
}

/// Brings what each project lacks, and looks again. True: something was not what its checksum says.
async fn fetch(
    bringer: &Bringer,
    workshop: &Workshop,
    found: &mut [Examined],
    most: Option<u64>,
    answers: &mut Answers,
) -> bool {
    let mut mismatch = false;
    for one in found.iter_mut() {
        if one.verdict.missing.is_empty() {
            continue;
        }
        if let Some(most) = most
            && workshop.shelf.mirror_bytes() >= most
        {
            one.failed = Some("the mirror is as large as the policy's max_size allows".to_owned());
            continue;
        }
        let mut notice = |_: crate::mirror::Notice<'_>| {};
        if let Err(error) = bringer.bring(&one.project, &one.verdict, &mut notice).await {
            mismatch |= error.mismatch;
            one.failed = Some(error.why);
        }
        let fresh = workshop.anew();
        one.verdict = Box::pin(ready::examine(&one.project, &fresh, answers)).await;
    }
    mismatch
}

/// Remembers the projects, and for `status` what came of it where these are all of them. What
/// cannot be kept can be had again.
fn keep(paths: &Paths, report: &Report) {
    let projects: Vec<PathBuf> = report
        .projects
        .iter()
        .map(|one| one.project.clone())
        .collect();
    let kept = ready::remember(paths, &projects);
    let all = ready::remembered(paths)
        .iter()
        .all(|one| projects.contains(one));
    let readiness = Readiness {
        at: Timestamp::now(),
        percent: report.percent,
        projects: projects.len(),
        missing: report
            .projects
            .iter()
            .map(|one| one.verdict.missing.len())
            .sum(),
        trouble: report.projects.iter().find_map(|one| one.failed.clone()),
    };
    let noted = if all {
        ready::note(paths, &readiness)
    } else {
        Ok(())
    };
    for error in [kept.err(), noted.err()].into_iter().flatten() {
        tracing::warn!("what ready has seen is not kept: {error}");
    }
}
