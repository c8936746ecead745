//! `goroam mirror verify`

use std::path::Path;
use std::sync::Arc;

use crate::agent::error::{EXIT_DONE, EXIT_FAILED, EXIT_MISMATCH};
use crate::cli::args::Verify;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::render::{self, Progress};
use crate::meter::Meter;
use crate::mirror::verify::{Asked, Prover, verify};
use crate::mirror::{Layout, Trust};

/// Exit code 6 when a checksum does not match, 1 when something else is wrong.
pub(super) fn run(context: &Context, root: &Path, args: Verify) -> Result<u8, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::said(error.to_string(), EXIT_FAILED);
    let trust = Trust::find(&context.env).map_err(|error| failed(&error))?;
    let layout = Layout::new(root);
    let prover = Prover::open(&layout, trust).map_err(|error| failed(&error))?;
    let asked = Asked {
        modules: args.modules,
        jobs: args.jobs,
        ..Asked::default()
    };
    let meter = Arc::new(Meter::default());
    let progress = Progress::show("verifying", &meter, context.page.columns, &context.env);
    let report = verify(&layout, &asked, &prover, &meter);
    drop(progress);
    let report = report.map_err(|error| {
        failed(&format_args!(
            "{}: {error}; `goroam mirror add` makes a mirror, --mirror names one",
            root.display()
        ))
    })?;
    if args.format.json {
        context.out.json(&report)?;
    } else {
        let text = render::mirror_verify(&report, root, &context.page);
        context.out.text(&text)?;
    }
    Ok(if report.has_mismatch() {
        EXIT_MISMATCH
    } else if report.ok {
        EXIT_DONE
    } else {
        EXIT_FAILED
    })
}
