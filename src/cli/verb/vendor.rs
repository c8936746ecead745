//! `goroam vendor`

use std::path::Path;

use jiff::Timestamp;

use crate::agent::error::{EXIT_DONE, EXIT_FAILED};
use crate::cli::args::{self, VendorVerb};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::render;
use crate::vendoring::{self, Project, Repo, Shelves};

/// First what an earlier one left undone, then what is asked.
pub(in crate::cli) fn run(context: &Context, args: &args::Vendor) -> Result<u8, Failure> {
    let folder = args.project.as_deref().unwrap_or(Path::new("."));
    let mirror = context.mirror(args.place.clone());
    let shelves = Shelves::find(&context.env, mirror.as_deref());
    let project = Project::find(folder, &context.env)?;
    match &args.verb {
        VendorVerb::Check(format) => check(context, &project, &shelves, format.json),
        VendorVerb::Snapshot(args) => snapshot(context, &project, &shelves, args),
        VendorVerb::List(format) => list(context, &project, format.json),
        VendorVerb::Rollback(args) => rollback(context, &project, &shelves, args),
    }
}

/// Is vendor/ what the verified modules hold? 1: no, or not to be told; 6: a file differs.
fn check(
    context: &Context,
    project: &Project,
    shelves: &Shelves,
    json: bool,
) -> Result<u8, Failure> {
    // A check needs no git; where there is one, a rollback may have been cut off in it.
    if let Ok(repo) = Repo::open(project, &context.env) {
        recover(context, &repo)?;
    }
    let report = vendoring::check(project, shelves)?;
    if json {
        context.out.json(&report)?;
    } else {
        let text = render::vendor_check(&report, &context.page);
        context.out.text(&text)?;
    }
    Ok(report.exit_code())
}

fn snapshot(
    context: &Context,
    project: &Project,
    shelves: &Shelves,
    args: &args::Snapshot,
) -> Result<u8, Failure> {
    let repo = Repo::open(project, &context.env)?;
    recover(context, &repo)?;
    let report = vendoring::check(project, shelves)?;
    let wanted = vendoring::Wanted {
        tag: args.tag.clone(),
        commit: args.commit,
        message: args.message.clone(),
    };
    let made = vendoring::snapshot(project, &repo, &report, &wanted, Timestamp::now())?;
    if args.format.json {
        context.out.json(&made)?;
    } else {
        let text = render::vendor_snapshot(&made, &context.page);
        context.out.text(&text)?;
    }
    Ok(EXIT_DONE)
}

fn list(context: &Context, project: &Project, json: bool) -> Result<u8, Failure> {
    let repo = Repo::open(project, &context.env)?;
    recover(context, &repo)?;
    let vendoring::Listed { kept, unsure } = vendoring::list(project, &repo)?;
    if let Some(why) = unsure {
        anstream::eprintln!("cannot say which snapshot vendor/ holds: {why}");
    }
    if json {
        context.out.json(&kept)?;
    } else {
        context
            .out
            .text(&render::vendor_list(&kept, &context.page))?;
    }
    Ok(EXIT_DONE)
}

/// 1: somebody changed a path in that very moment, so that one was left alone.
fn rollback(
    context: &Context,
    project: &Project,
    shelves: &Shelves,
    args: &args::Rollback,
) -> Result<u8, Failure> {
    let repo = Repo::open(project, &context.env)?;
    recover(context, &repo)?;
    let (to, now) = (args.to.as_deref(), Timestamp::now());
    let done = vendoring::rollback(project, &repo, shelves, to, args.keep, now)?;
    if args.format.json {
        context.out.json(&done)?;
    } else {
        let text = render::vendor_rollback(&done, &context.page);
        context.out.text(&text)?;
    }
    Ok(match done.left_alone.is_empty() {
        true => EXIT_DONE,
        false => EXIT_FAILED,
    })
}

/// Told on standard error: standard output is the answer to what was asked.
fn recover(context: &Context, repo: &Repo) -> Result<(), Failure> {
    if let Some(recovered) = vendoring::recover(repo)? {
        let text = render::vendor_recovered(&recovered, &context.page);
        anstream::eprint!("{text}");
    }
    Ok(())
}

impl From<vendoring::Error> for Failure {
    fn from(error: vendoring::Error) -> Failure {
        Failure::said(error.to_string(), error.exit_code())
    }
}
