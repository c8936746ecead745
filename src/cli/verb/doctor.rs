//! `goroam doctor`

mod fix;

use crate::agent::error::{EXIT_DONE, EXIT_FAILED};
use crate::cli::render::{BOLD, MOST_FINDINGS, Mark, Page, Sheet, Shown, clean, paint};
use crate::cli::{Context, Failure};
use crate::doctor::{
    Broken, CacheError, CacheReport, CacheWish, DoctorFinding, DoctorInput, Outcome, ServiceFacts,
    Severity, Sighting, assign, check, examine, examine_cache, mend_cache, prepare,
};
use crate::model::{plural, tally};
use crate::service;
use clap::{Args, ValueHint};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// `goroam doctor`
#[derive(Debug, Clone, Args)]
pub struct Doctor {
    /// Project whose go.mod, vendor/ and settings to check [default: this directory]
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub project: Option<PathBuf>,
    /// Look for broken entries in the module cache, such as stored login pages
    #[arg(long)]
    pub cache: bool,
    /// Fix what is safe to fix: shows it and asks first (with --cache: at once)
    #[arg(long)]
    pub fix: bool,
    /// With --fix: do not ask
    #[arg(short, long, requires = "fix")]
    pub yes: bool,
    /// Take back what --fix did to files and to systemd or launchd
    #[arg(long, conflicts_with_all = ["cache", "fix", "project"])]
    pub undo: bool,
    /// Also hash every zip, as `go mod verify` does for one project (reads all)
    #[arg(long, requires = "cache")]
    pub hash: bool,
    /// How to print.
    #[command(flatten)]
    pub format: crate::cli::args::Json,
}

/// Finds what overrides the go env file, and says what to do. Exit code 1 when something overrides
/// it.
pub(in crate::cli) async fn run(context: &Context, args: Doctor) -> Result<u8, Failure> {
    if args.undo {
        return fix::take_back(context, args.format.json).await;
    }
    if args.cache {
        return cache(context, args);
    }
    let folder = std::env::current_dir().unwrap_or_default();
    let project = match &args.project {
        Some(project) if !project.is_dir() => {
            return Err(Failure::usage(format_args!(
                "{} is not a directory",
                project.display()
            )));
        }
        Some(project) => dunce::canonicalize(project)?,
        None => folder.clone(),
    };
    let input = DoctorInput {
        config: context.config.clone(),
        env: context.env.clone(),
        folder,
        project,
        service: service(context),
    };
    if args.fix {
        return fix::run(context, input, args.yes, args.format.json).await;
    }
    let facts = examine(&input).await?;
    let mut findings = check(&facts);
    let prepared = prepare(&context.env, &facts, &findings).await;
    assign(&mut findings, &prepared.fixes);
    let in_the_way = findings
        .iter()
        .any(|finding| finding.severity < Severity::Note);
    let diagnosis = Diagnosis {
        clean: !in_the_way,
        findings: &findings,
        seen: &facts.seen,
        looked: &facts.looked,
    };
    context.show(args.format.json, &diagnosis, doctor)?;
    Ok(if in_the_way { EXIT_FAILED } else { EXIT_DONE })
}

/// Finds what is broken in the module cache. Exit code 0: nothing is broken, or everything was
/// fixed.
fn cache(context: &Context, args: Doctor) -> Result<u8, Failure> {
    let wish = CacheWish {
        env: context.env.clone(),
        project: std::path::absolute(args.project.as_deref().unwrap_or(Path::new(".")))?,
        hash: args.hash,
    };
    let refused = |error: CacheError| Failure::usage(error);
    let (progress, meter) = context.progress("looking");
    let looked = examine_cache(&wish, &meter);
    drop(progress);
    let mut report = looked.map_err(refused)?;
    if args.fix {
        mend_cache(&mut report);
    }
    context.show(args.format.json, &report, |report, page| {
        doctor_cache(report, &args, page)
    })?;
    Ok(if report.is_well() {
        EXIT_DONE
    } else {
        EXIT_FAILED
    })
}

/// Returns the facts of the service; `None` if no service manager could be asked.
fn service(context: &Context) -> Option<ServiceFacts> {
    let site = service::Site::find(context.paths().ok()?, context.env.clone()).ok()?;
    let state = service::state(&site).ok()?;
    Some(ServiceFacts {
        kind: state.kind,
        installed: state.installed.is_some(),
        running: state.pid.is_some(),
        troubles: state.troubles,
    })
}

/// The result for scripts.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Diagnosis<'d> {
    /// Whether nothing overrides the settings.
    pub clean: bool,
    /// The findings, worst first.
    pub findings: &'d [DoctorFinding],
    /// Every place that sets a variable, whether or not it causes a problem.
    pub seen: &'d [Sighting],
    /// The places that were read.
    pub looked: &'d [String],
}

/// Formats each finding with its reason and what to do, then the number of findings.
pub(in crate::cli) fn doctor(diagnosis: &Diagnosis<'_>, page: &Page) -> String {
    let mut sheet = Sheet::new(page.columns);
    for finding in diagnosis.findings {
        shown(finding).print(&mut sheet);
        sheet.gap();
    }
    let looked = format!("looked at {} places", diagnosis.looked.len());
    if diagnosis.clean {
        let all = "nothing is in the way: go does what goroam sets";
        sheet.marked(Mark::Good, &format!("{all}; {looked}"));
    } else {
        let count = |severity| {
            let same = diagnosis.findings.iter().filter(|f| f.severity == severity);
            same.count()
        };
        let counts = [
            (count(Severity::Error), "error"),
            (count(Severity::Warning), "warning"),
            (count(Severity::Note), "note"),
        ];
        sheet.line(&paint(BOLD, &format!("{}; {looked}", tally(&counts))));
    }
    let fixable = diagnosis.findings.iter();
    match fixable.filter(|one| one.by_goroam.is_some()).count() {
        0 => {}
        count => {
            let says =
                format!("`goroam doctor --fix` fixes {count} of them: it shows what, and asks");
            sheet.entry("→ ", &says);
        }
    }
    sheet.finish()
}

fn shown(finding: &DoctorFinding) -> Shown<'_> {
    let reaches = (!finding.reaches.is_empty()).then(|| finding.reaches.join(", "));
    let why = (!finding.why.is_empty()).then(|| finding.why.clone());
    let details = why
        .into_iter()
        .chain(reaches.map(|reaches| format!("Reaches {reaches}.")));
    Shown {
        mark: match finding.severity {
            Severity::Error => Mark::Bad,
            Severity::Warning => Mark::Odd,
            Severity::Note => Mark::Note,
        },
        says: finding.says.clone(),
        code: Some(finding.code.to_string()),
        details: details.map(|detail| ("", detail)).collect(),
        help: &finding.fix,
    }
}

/// Formats each broken entry with its effect and what to do, then the number of entries.
fn doctor_cache(report: &CacheReport, args: &Doctor, page: &Page) -> String {
    let mut sheet = Sheet::new(page.columns);
    for broken in report.broken.iter().take(MOST_FINDINGS) {
        one_broken(&mut sheet, broken, args);
        sheet.gap();
    }
    if report.broken.len() > MOST_FINDINGS {
        let more = format!(
            "… and {} more: see --json",
            report.broken.len() - MOST_FINDINGS
        );
        sheet.line(&more);
        sheet.gap();
    }
    for (place, why) in report.unread.iter().take(MOST_FINDINGS) {
        let says = format!("{} could not be looked at: {}", clean(place), clean(why));
        sheet.marked(Mark::Odd, &says);
    }
    if !report.unread.is_empty() {
        sheet.gap();
    }
    total(&mut sheet, report);
    sheet.finish()
}

fn one_broken(sheet: &mut Sheet, broken: &Broken, args: &Doctor) {
    let is_removed = broken.outcome == Outcome::Removed;
    let word = if is_removed {
        "removed: "
    } else {
        "in the way: "
    };
    let mut details = Vec::new();
    if !is_removed {
        details.push(("", broken.why.clone()));
    }
    details.extend(broken.removes.iter().map(|piece| (word, piece.to_string())));
    details.extend(broken.because.clone().map(|why| ("not removed: ", why)));
    let run;
    Shown {
        mark: if is_removed { Mark::Good } else { Mark::Bad },
        says: broken.says.clone(),
        code: Some(broken.code.to_string()),
        details,
        help: match (broken.mend.starts_with("go mod "), &broken.outcome) {
            (true, Outcome::Removed) => {
                run = format!("run `{}`, or let the next build fetch it", broken.mend);
                &run
            }
            (false, Outcome::Removed) => &broken.mend,
            // An entry that only its hash proves broken is found again only with --hash.
            (_, Outcome::Found) if args.hash => {
                "run `goroam doctor --cache --hash --fix`, which removes just that"
            }
            (_, Outcome::Found) => "run `goroam doctor --cache --fix`, which removes just that",
            (_, Outcome::Kept) if args.fix => "fix that and run it again",
            (_, Outcome::Kept) => "",
        },
    }
    .print(sheet);
}

fn total(sheet: &mut Sheet, report: &CacheReport) {
    let versions = plural(report.versions, "version");
    let cache = clean(&report.cache);
    let hashed = match report.hashed {
        0 => "zips were looked into, not hashed (--hash)".to_owned(),
        count => format!("{} hashed", plural(count, "zip")),
    };
    let count = |outcome: Outcome| {
        let same = report.broken.iter().filter(|one| one.outcome == outcome);
        same.count()
    };
    let (removed, left) = (
        count(Outcome::Removed),
        count(Outcome::Found) + count(Outcome::Kept),
    );
    let says = match (removed, left) {
        (0, 0) => "nothing broken was found".to_owned(),
        (removed, 0) => format!("{removed} removed, nothing else was touched"),
        (0, left) => format!("{left} broken"),
        (removed, left) => format!("{removed} removed, {left} still broken"),
    };
    let text = format!("{says}; {versions} in {cache}; {hashed}");
    if report.is_well() {
        sheet.marked(Mark::Good, &text)
    } else {
        sheet.styled("", &text, BOLD)
    }
}
