//! `goroam mirror export` and `goroam mirror import`

use std::path::Path;
use std::sync::Arc;

use super::site::waits;
use crate::agent::error::{EXIT_DONE, EXIT_FAILED, EXIT_MISMATCH};
use crate::cli::args;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::render::{self, Progress};
use crate::meter::Meter;
use crate::mirror::archive::{self, ArchiveError, needed_by};
use crate::mirror::verify::Prover;
use crate::mirror::{Layout, Trust};

/// Exit code 6 when something was left out since its checksum does not match, 1 when something
/// else is wrong or missing.
pub(super) fn export(context: &Context, root: &Path, args: &args::Export) -> Result<u8, Failure> {
    let trust = Trust::find(&context.env).map_err(|error| said(&error))?;
    let layout = Layout::new(root);
    let prover = Prover::open(&layout, trust).map_err(|error| said(&error))?;
    let only = match args.needed_by.as_slice() {
        [] => None,
        folders => Some(needed_by(folders).map_err(|error| failure(context, root, &error))?),
    };
    let meter = Arc::new(Meter::default());
    let progress = Progress::show("exporting", &meter, context.page.columns, &context.env);
    let exported = archive::export(&layout, &args.archive, only.as_ref(), &prover, &meter);
    drop(progress);
    let exported = exported.map_err(|error| failure(context, root, &error))?;
    if args.format.json {
        context.out.json(&exported)?;
    } else {
        let text = render::mirror_exported(&exported, root, &context.page);
        context.out.text(&text)?;
    }
    Ok(if exported.verified.has_mismatch() {
        EXIT_MISMATCH
    } else if exported.verified.ok && exported.missing.is_empty() {
        EXIT_DONE
    } else {
        EXIT_FAILED
    })
}

/// Exit code 6 when a checksum or a proof in the archive does not hold: then nothing is taken.
pub(super) async fn import(
    context: &Context,
    root: &Path,
    args: &args::Import,
) -> Result<u8, Failure> {
    let trust = Trust::find(&context.env).map_err(|error| said(&error))?;
    let layout = Layout::new(root);
    let meter = Arc::new(Meter::default());
    let progress = Progress::show("importing", &meter, context.page.columns, &context.env);
    let imported = Box::pin(archive::import(
        &layout,
        &args.archive,
        trust,
        &mut waits,
        &meter,
    ))
    .await;
    drop(progress);
    let imported = imported.map_err(|error| failure(context, root, &error))?;
    if args.format.json {
        context.out.json(&imported)?;
    } else {
        context
            .out
            .text(&render::mirror_imported(&imported, &context.page))?;
    }
    Ok(EXIT_DONE)
}

/// What is wrong with an archive's content is shown as `verify` shows it.
fn failure(context: &Context, root: &Path, error: &ArchiveError) -> Failure {
    let exit = if error.is_mismatch() {
        EXIT_MISMATCH
    } else {
        EXIT_FAILED
    };
    let mut message = error.to_string();
    if let ArchiveError::Refused(report) = error {
        let staging = Layout::new(root).own().join("import");
        let text = render::mirror_verify(report, &staging, &context.page);
        message.push('\n');
        message.push_str(text.trim_end());
    }
    Failure::said(message, exit)
}

fn said(error: &dyn std::fmt::Display) -> Failure {
    Failure::said(error.to_string(), EXIT_FAILED)
}
