//! `goroam vendor`

use std::path::Path;

use crate::cli::args;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::render;
use crate::job::mirror;
use crate::job::vendor::{self, Project, Shelves};

pub(in crate::cli) fn run(context: &Context, args: &args::Vendor) -> Result<u8, Failure> {
    let folder = args.project.as_deref().unwrap_or(Path::new("."));
    let asked = mirror::Asked {
        flag: args.place.clone(),
        policy: None,
    };
    let shelves = Shelves::find(
        &context.env,
        &mirror::place(asked, &context.env, &context.paths()?),
    );
    let project = Project::find(folder, &context.env)?;
    match &args.verb {
        args::VendorVerb::Check(format) => check(context, &project, &shelves, format.json),
        _ => Err(Failure::said("not built yet", 1)),
    }
}

/// Is vendor/ what the verified modules hold? 1: no, or not to be told; 6: a file differs.
fn check(
    context: &Context,
    project: &Project,
    shelves: &Shelves,
    json: bool,
) -> Result<u8, Failure> {
    let report = vendor::check(project, shelves)?;
    if json {
        context.out.json(&report)?;
    } else {
        let text = render::vendor_check(&report, &context.page);
        context.out.text(&text)?;
    }
    Ok(report.exit_code())
}

impl From<vendor::Error> for Failure {
    fn from(error: vendor::Error) -> Failure {
        Failure::said(error.to_string(), error.exit_code())
    }
}
