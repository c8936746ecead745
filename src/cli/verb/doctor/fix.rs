//! `goroam doctor --fix` and `--undo`

use serde::Serialize;

use crate::agent::error::{EXIT_DONE, EXIT_FAILED, EXIT_REFUSED};
use crate::cli::context::confirms;
use crate::cli::render::{Mark, Page, Sheet, clean};
use crate::cli::{Context, Failure};
use crate::doctor::{
    CacheReport, CacheWish, DoctorFinding, DoctorInput, Fix, FixKind, FixOutcome, Severity, Undone,
    carry_out, check, examine, examine_cache, plan_cache, prepare, undo,
};
use crate::model::plural;

/// The result for scripts.
#[derive(Debug, Serialize)]
struct FixReport<'f> {
    /// Whether something was changed.
    changed: bool,
    /// What can be done, was done, or is left to the user.
    fixes: &'f [Fix],
}

/// Shows what can be fixed without doubt, asks, and does it. Exit code 0: all of it is done, or
/// there is nothing to do; 1: something is left; 4: not confirmed, nothing was changed.
pub(super) async fn run(
    context: &Context,
    input: DoctorInput,
    yes: bool,
    json: bool,
) -> Result<u8, Failure> {
    let facts = examine(&input).await?;
    let findings = check(&facts);
    let mut prepared = prepare(&context.env, &facts, &findings).await;
    let mut cache = broken_entries(context, input);
    plan_cache(&mut prepared.fixes, &cache);
    let is = |outcome| move |fix: &&Fix| fix.outcome == outcome;
    let planned = prepared.fixes.iter().filter(is(FixOutcome::Planned));
    let planned = planned.count();
    let show = |fixes: &[Fix], changed: bool| {
        let report = FixReport { changed, fixes };
        context.show(json, &report, |report, page| {
            shown(report.fixes, &findings, page)
        })
    };
    if planned == 0 {
        show(&prepared.fixes, false)?;
        return Ok(exit(&prepared.fixes));
    }
    if !yes {
        show(&prepared.fixes, false)?;
        let question = format!("Do {}? [y/N] ", if planned == 1 { "this" } else { "these" });
        let answer = match json {
            true => None,
            false => confirms(&question)?,
        };
        match answer {
            Some(true) => {}
            Some(false) => return Err(Failure::said("nothing was changed", EXIT_REFUSED)),
            None => {
                let why = "nothing was changed: `goroam doctor --fix --yes` does it without asking";
                return Err(Failure::said(why, EXIT_REFUSED));
            }
        }
    }
    let paths = context.paths()?;
    let done = carry_out(&mut prepared, &mut cache, &paths, &context.env).await;
    done.map_err(|error| Failure::failed(format_args!("{error}; nothing was changed")))?;
    let changed = prepared.fixes.iter().any(|fix| is(FixOutcome::Done)(&fix));
    show(&prepared.fixes, changed)?;
    Ok(exit(&prepared.fixes))
}

fn exit(fixes: &[Fix]) -> u8 {
    match fixes.iter().any(|fix| fix.outcome == FixOutcome::Kept) {
        true => EXIT_FAILED,
        false => EXIT_DONE,
    }
}

/// Looks for broken entries of the module cache; a missing cache has none.
fn broken_entries(context: &Context, input: DoctorInput) -> CacheReport {
    let wish = CacheWish {
        env: input.env,
        project: input.project,
        hash: false,
    };
    let (progress, meter) = context.progress("looking");
    let report = examine_cache(&wish, &meter);
    drop(progress);
    report.unwrap_or_default()
}

/// Formats each fix with its changes and its outcome, then what remains to do.
fn shown(fixes: &[Fix], findings: &[DoctorFinding], page: &Page) -> String {
    let mut sheet = Sheet::new(page.columns);
    for fix in fixes {
        let (mark, word) = match (fix.outcome, fix.kind) {
            (FixOutcome::Planned, _) => (Mark::Odd, ""),
            (FixOutcome::Kept, _) => (Mark::Bad, "left alone: "),
            (FixOutcome::Done, FixKind::CommentOut) => (Mark::Good, "commented out: "),
            (FixOutcome::Done, FixKind::UnsetInManager) => (Mark::Good, "unset: "),
            (FixOutcome::Done, FixKind::RemoveFromCache) => (Mark::Good, "removed: "),
        };
        let names = fix.names.join(", ");
        let says = if names.is_empty() {
            fix.place.clone()
        } else {
            format!("{names} in {}", fix.place)
        };
        sheet.marked(mark, &clean(&format!("{word}{says}")));
        match &fix.because {
            Some(why) => sheet.entry("  ", &clean(why)),
            None if fix.outcome == FixOutcome::Planned => {
                let changes = fix.changes.iter();
                changes.for_each(|change| sheet.hanging("  ", &clean(change), 4));
            }
            None => {}
        }
    }
    if !fixes.is_empty() {
        sheet.gap();
    }
    let has = |outcome, is: fn(FixKind) -> bool| {
        let all = fixes.iter();
        { all }.any(|fix| fix.outcome == outcome && is(fix.kind))
    };
    if has(FixOutcome::Done, |kind| kind != FixKind::RemoveFromCache) {
        sheet.entry(
            "→ ",
            "open shells and programs keep the old values: start new ones",
        );
        sheet.entry("→ ", "`goroam doctor --undo` takes it back");
    }
    if has(FixOutcome::Done, |kind| kind == FixKind::RemoveFromCache) {
        let says = "the next build downloads again what was removed from the module cache";
        sheet.entry("→ ", says);
    }
    let done = |finding: &DoctorFinding| {
        let is_it = |fix: &Fix| fix.outcome != FixOutcome::Kept && finding.is_fixed_by(fix);
        fixes.iter().any(is_it)
    };
    let rest = findings.iter();
    let rest = rest.filter(|one| one.severity < Severity::Note && !done(one));
    if fixes.is_empty() {
        sheet.marked(Mark::Good, "there is nothing that goroam can fix");
    }
    match rest.count() {
        0 => {}
        count => {
            let findings = plural(count, "finding");
            let says = format!("{findings} for you to fix: run `goroam doctor`");
            sheet.entry("→ ", &says);
        }
    }
    sheet.finish()
}

/// Takes back what `--fix` did. Exit code 1: something could not be taken back.
pub(super) async fn take_back(context: &Context, json: bool) -> Result<u8, Failure> {
    let undone = undo(&context.paths()?, &context.env).await;
    let undone = undone.map_err(Failure::failed)?;
    let text = |undone: &[Undone], page: &Page| {
        let mut sheet = Sheet::new(page.columns);
        for one in undone {
            let place = clean(&one.place);
            match &one.because {
                None => sheet.marked(Mark::Good, &format!("taken back: {place}")),
                Some(why) => sheet.marked(Mark::Bad, &format!("{place}: {}", clean(why))),
            }
        }
        if undone.is_empty() {
            sheet.line("nothing to take back");
        }
        sheet.finish()
    };
    context.show(json, undone.as_slice(), text)?;
    match undone.iter().all(|one| one.because.is_none()) {
        true => Ok(EXIT_DONE),
        false => Ok(EXIT_FAILED),
    }
}
