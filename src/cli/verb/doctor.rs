//! `goroam doctor`

use std::sync::Arc;

use crate::agent::error::{EXIT_DONE, EXIT_FAILED, EXIT_USAGE};
use crate::cli::args;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::render::{self, Diagnosis, Progress};
use crate::doctor::{
    CacheError, CacheWish, Patient, Service, Severity, check, examine, examine_cache, mend_cache,
};
use crate::meter::Meter;
use crate::service;

/// What wins over the go env file, and what to do about it. Exit code 1 when something does.
pub(in crate::cli) async fn run(context: &Context, args: args::Doctor) -> Result<u8, Failure> {
    if args.cache {
        return cache(context, args);
    }
    let folder = std::env::current_dir().unwrap_or_default();
    let project = match &args.project {
        Some(project) if !project.is_dir() => {
            let message = format!("{} is no folder", project.display());
            return Err(Failure::said(message, EXIT_USAGE));
        }
        Some(project) => dunce::canonicalize(project)?,
        None => folder.clone(),
    };
    let patient = Patient {
        config: context.config.clone(),
        env: context.env.clone(),
        folder,
        project,
        service: service(context),
    };
    let facts = examine(patient).await?;
    let findings = check(&facts);
    let in_the_way = findings
        .iter()
        .any(|finding| finding.severity < Severity::Note);
    let diagnosis = Diagnosis {
        clean: !in_the_way,
        findings: &findings,
        seen: &facts.seen,
        looked: &facts.looked,
    };
    if args.format.json {
        context.out.json(&diagnosis)?;
    } else {
        context
            .out
            .text(&render::doctor(&diagnosis, &context.page))?;
    }
    Ok(if in_the_way { EXIT_FAILED } else { EXIT_DONE })
}

/// What is broken in the module cache. Exit code 0: nothing, or nothing any more.
fn cache(context: &Context, args: args::Doctor) -> Result<u8, Failure> {
    let wish = CacheWish {
        env: context.env.clone(),
        project: std::path::absolute(args.project.unwrap_or_else(|| ".".into()))?,
        hash: args.hash,
    };
    let refused = |error: CacheError| Failure::said(error.to_string(), EXIT_USAGE);
    let meter = Arc::new(Meter::default());
    let progress = Progress::show("looking", &meter, context.page.columns, &context.env);
    let looked = examine_cache(&wish, &meter);
    drop(progress);
    let mut report = looked.map_err(refused)?;
    if args.fix {
        mend_cache(&mut report);
    }
    if args.format.json {
        context.out.json(&report)?;
    } else {
        let text = render::doctor_cache(&report, args.fix, &context.page);
        context.out.text(&text)?;
    }
    Ok(if report.is_well() {
        EXIT_DONE
    } else {
        EXIT_FAILED
    })
}

/// The service; `None` where there is no manager that could be asked.
fn service(context: &Context) -> Option<Service> {
    let site = service::Site::find(context.paths().ok()?, context.env.clone()).ok()?;
    let state = service::state(&site).ok()?;
    Some(Service {
        kind: state.kind,
        installed: state.installed.is_some(),
        running: state.pid.is_some(),
        troubles: state.troubles,
    })
}
