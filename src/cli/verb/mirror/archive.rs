//! `goroam mirror export` and `goroam mirror import`

use crate::agent::error::EXIT_DONE;
use crate::cli::args::Json;
use crate::cli::render::{Mark, Page, Sheet, clean, size};
use crate::cli::verb::mirror::args;
use crate::cli::verb::mirror::site::{exit, failed, waits};
use crate::cli::verb::mirror::verify::{findings, mirror_verify, unproven};
use crate::cli::{Context, Failure};
use crate::mirror::archive::{self, ArchiveError, Exported, Imported};
use crate::mirror::verify::Prover;
use crate::mirror::{Layout, Trust, needed_by};
use crate::model::plural;
use std::path::Path;

/// Writes an archive. Exit code 6 when something was left out because its checksum does not match,
/// 1 when something else is wrong or missing.
pub(super) fn export(context: &Context, root: &Path, args: &args::Export) -> Result<u8, Failure> {
    let trust = Trust::find(&context.env).map_err(failed)?;
    let layout = Layout::new(root);
    let prover = Prover::open(&layout, trust).map_err(failed)?;
    let only = match args.needed_by.as_slice() {
        [] => None,
        folders => Some(needed_by(folders).map_err(failed)?),
    };
    let (progress, meter) = context.progress("exporting");
    let exported = archive::export(&layout, &args.archive, only.as_ref(), &prover, &meter);
    drop(progress);
    let exported = exported.map_err(|error| failure(context, root, &error, args.format))?;
    context.show(args.format.json, &exported, |exported, page| {
        mirror_exported(exported, root, page)
    })?;
    let is_ok = exported.verified.ok && exported.missing.is_empty();
    Ok(exit(exported.verified.has_mismatch(), is_ok))
}

/// Reads an archive. Exit code 6 when a checksum or a proof in it does not hold; then nothing is
/// stored.
pub(super) async fn import(
    context: &Context,
    root: &Path,
    args: &args::Import,
) -> Result<u8, Failure> {
    let trust = Trust::find(&context.env).map_err(failed)?;
    let layout = Layout::new(root);
    let (progress, meter) = context.progress("importing");
    let imported = Box::pin(archive::import(
        &layout,
        &args.archive,
        trust,
        &mut waits,
        &meter,
    ))
    .await;
    drop(progress);
    let imported = imported.map_err(|error| failure(context, root, &error, args.format))?;
    context.show(args.format.json, &imported, mirror_imported)?;
    Ok(EXIT_DONE)
}

/// Creates a failure. Errors in an archive's content are shown in the format of `verify`.
fn failure(context: &Context, root: &Path, error: &ArchiveError, format: Json) -> Failure {
    let mut message = error.to_string();
    if let ArchiveError::Refused(report) = error {
        let staging = Layout::new(root).own().join("import");
        let page = match format.json {
            true => context.page.in_json(),
            false => context.page.clone(),
        };
        let text = mirror_verify(report, &staging, &page);
        message.push('\n');
        message.push_str(text.trim_end());
    }
    Failure::said(message, exit(error.is_mismatch(), false))
}

/// Most names shown; the others are counted.
const MOST: usize = 10;

/// Formats what was left out and why, then what was written.
pub(in crate::cli) fn mirror_exported(exported: &Exported, root: &Path, page: &Page) -> String {
    let mut sheet = Sheet::new(page.columns);
    findings(&mut sheet, &exported.verified.bad, root);
    for missing in exported.missing.iter().take(MOST) {
        let text = format!("{} is needed but not in the mirror", clean(missing));
        sheet.marked(Mark::Odd, &text);
    }
    if exported.missing.len() > MOST {
        let more = exported.missing.len() - MOST;
        sheet.entry("  ", &format!("and {more} more that are needed"));
    }
    if !exported.missing.is_empty() {
        sheet.entry("  → ", "`goroam mirror add --from PROJECT` fetches them");
    }
    let mark = if exported.verified.ok && exported.missing.is_empty() {
        Mark::Good
    } else {
        Mark::Odd
    };
    let mut text = format!(
        "wrote {} ({}): {}",
        clean(&exported.archive.display().to_string()),
        size(exported.bytes),
        plural(exported.versions, "version")
    );
    if exported.go_mod_only > 0 {
        text.push_str(&format!(", of {} more only go.mod", exported.go_mod_only));
    }
    if !exported.verified.ok {
        text.push_str("; faulty versions were left out");
    }
    sheet.marked(mark, &text);
    sheet.finish()
}

/// Formats who proves the imported modules, and their amount.
pub(in crate::cli) fn mirror_imported(imported: &Imported, page: &Page) -> String {
    let mut sheet = Sheet::new(page.columns);
    unproven(&mut sheet, &imported.unproven);
    for name in &imported.other_databases {
        let text = format!(
            "its proofs by {} were ignored: this machine's GOSUMDB is another database",
            clean(name)
        );
        sheet.marked(Mark::Odd, &text);
    }
    let mut text = match imported.added.len() as u64 {
        0 => "added nothing".to_owned(),
        added => format!(
            "added {}, {}",
            plural(added, "version"),
            size(imported.bytes)
        ),
    };
    if imported.present > 0 {
        text.push_str(&format!("; {} were there", imported.present));
    }
    text.push_str(&format!(
        "; {} proven by the checksum database",
        imported.proven
    ));
    if !imported.unproven.is_empty() {
        text.push_str(&format!(", {} without a proof", imported.unproven.len()));
    }
    sheet.marked(Mark::Good, &text);
    sheet.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::render::fixtures::{page, plain};
    use crate::mirror::verify::{Report, Unproven};

    #[test]
    fn an_export_says_what_it_wrote_and_what_is_missing() {
        let mut exported = Exported {
            archive: "modules.tar".into(),
            versions: 33,
            go_mod_only: 2,
            bytes: 41_000_000,
            missing: vec![],
            verified: Report {
                ok: true,
                ..Report::default()
            },
        };
        let text =
            |exported: &Exported| plain(&mirror_exported(exported, Path::new("/m"), &page()));
        assert_eq!(
            text(&exported),
            "✓ wrote modules.tar (41 MB): 33 versions, of 2 more only go.mod\n"
        );
        exported.missing = (0..12).map(|n| format!("a.test/b@v1.{n}.0")).collect();
        let text = text(&exported);
        assert!(
            text.starts_with("! a.test/b@v1.0.0 is needed but not in the mirror\n"),
            "{text}"
        );
        assert!(
            text.contains("and 2 more that are needed\n  → `goroam mirror add"),
            "{text}"
        );
    }

    #[test]
    fn an_import_says_who_proves_what_it_took() {
        let imported = Imported {
            added: vec!["a.test/b@v1.0.0".to_owned(); 3],
            present: 2,
            bytes: 4_100_000,
            proven: 4,
            unproven: vec![Unproven {
                module: "corp.test/x".to_owned(),
                version: "v1.0.0".to_owned(),
                why: "GOSUMDB=off".to_owned(),
            }],
            other_databases: vec!["sum.corp.test".to_owned()],
        };
        assert_eq!(
            plain(&mirror_imported(&imported, &page())),
            "· corp.test/x@v1.0.0 is not proven: GOSUMDB=off\n\
             ! its proofs by sum.corp.test were ignored: this machine's GOSUMDB is another\n  database\n\
             ✓ added 3 versions, 4.1 MB; 2 were there; 4 proven by the checksum database, 1\n  without a proof\n"
        );
    }
}
