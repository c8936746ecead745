//! `goroam vendor`

use crate::agent::error::{EXIT_DONE, EXIT_FAILED};
use crate::cli::args::Json;
use crate::cli::render::{BOLD, DIM, GOOD, Mark, Page, Sheet, Shown, clean, pad, paint, width};
use crate::cli::{Context, Failure};
use crate::model::plural;
use crate::vendoring::{
    self, KeptSnapshot, NewSnapshot, Recovered, Repo, RolledBack, Shelves, VendorCode,
    VendorFinding, VendorProject, VendorReport, Weight,
};
use clap::{Args, Subcommand, ValueHint};
use jiff::Timestamp;
use std::path::{Path, PathBuf};

/// `goroam vendor`
#[derive(Debug, Clone, Args)]
pub struct Vendor {
    /// What to do.
    #[command(subcommand)]
    pub verb: VendorVerb,
    /// Project directory [default: this one]
    #[arg(short = 'C', long = "project", global = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub project: Option<PathBuf>,
    /// Mirror directory [env: GOROAM_MIRROR] [default: the policy's or goroam's own]
    #[arg(long = "mirror", global = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub place: Option<PathBuf>,
}

/// What to do with vendor/.
#[derive(Debug, Clone, Subcommand)]
pub enum VendorVerb {
    /// Compare vendor/ with modules.txt and the verified modules
    ///
    /// go itself only compares modules.txt, and `go mod verify` never reads vendor/.
    #[command(after_help = after!("goroam vendor check", "goroam vendor check -C ~/src/app --json"))]
    Check(Json),
    /// Keep vendor/, go.mod and go.sum as a tag in git
    ///
    /// Refuses a tree with uncommitted changes or one that is not verified.
    #[command(after_help = after!(
        "goroam vendor snapshot            tags the current commit",
        "goroam vendor snapshot --commit   commits vendor/, go.mod and go.sum first"
    ))]
    Snapshot(Snapshot),
    /// List the snapshots, newest first
    #[command(after_help = after!("goroam vendor list"))]
    List(Json),
    /// Restore vendor/, go.mod and go.sum from a snapshot
    ///
    /// Keeps what was there before in git and prints its name. Refuses to lose
    /// uncommitted work.
    #[command(after_help = after!(
        "goroam vendor rollback            restores the newest good snapshot",
        "goroam vendor rollback goroam-vendor/20260102-150405"
    ))]
    Rollback(Rollback),
}

/// `goroam vendor snapshot`
#[derive(Debug, Clone, Args)]
pub struct Snapshot {
    /// Name of the tag [default: goroam-vendor/DATE-TIME]
    #[arg(long, value_name = "NAME")]
    pub tag: Option<String>,
    /// First commit vendor/, go.mod and go.sum, and nothing else
    #[arg(long)]
    pub commit: bool,
    /// Message of the commit or tag
    #[arg(short, long, value_name = "TEXT")]
    pub message: Option<String>,
    /// How to print.
    #[command(flatten)]
    pub format: Json,
}

/// `goroam vendor rollback`
#[derive(Debug, Clone, Args)]
pub struct Rollback {
    /// Snapshot, or a commit with a vendor/ [default: the newest good snapshot]
    #[arg(value_name = "REF")]
    pub to: Option<String>,
    /// Also replace uncommitted changes; they are kept in a ref, which is printed
    #[arg(long)]
    pub keep: bool,
    /// How to print.
    #[command(flatten)]
    pub format: Json,
}

/// Completes an interrupted rollback, then runs the verb.
pub(in crate::cli) fn run(context: &Context, args: &Vendor) -> Result<u8, Failure> {
    let folder = args.project.as_deref().unwrap_or(Path::new("."));
    let mirror = context.mirror(args.place.clone());
    let shelves = Shelves::find(&context.env, mirror.as_deref());
    let project = VendorProject::find(folder, &context.env)?;
    match &args.verb {
        VendorVerb::Check(format) => check(context, &project, &shelves, format.json),
        VendorVerb::Snapshot(args) => snapshot(context, &project, &shelves, args),
        VendorVerb::List(format) => list(context, &project, format.json),
        VendorVerb::Rollback(args) => rollback(context, &project, &shelves, args),
    }
}

/// Checks whether vendor/ holds the verified modules. 1: no, or not known; 6: a file differs.
fn check(
    context: &Context,
    project: &VendorProject,
    shelves: &Shelves,
    json: bool,
) -> Result<u8, Failure> {
    // A check needs no git. If a repository exists, it may contain an interrupted rollback.
    if let Ok(repo) = Repo::open(project, &context.env) {
        recover(context, &repo)?;
    }
    let report = vendoring::check(project, shelves)?;
    context.show(json, &report, vendor_check)?;
    Ok(report.exit_code())
}

fn snapshot(
    context: &Context,
    project: &VendorProject,
    shelves: &Shelves,
    args: &Snapshot,
) -> Result<u8, Failure> {
    let repo = repository(context, project)?;
    let report = vendoring::check(project, shelves)?;
    let wanted = vendoring::SnapshotRequest {
        tag: args.tag.clone(),
        commit: args.commit,
        message: args.message.clone(),
    };
    let made = vendoring::snapshot(project, &repo, &report, &wanted, Timestamp::now())?;
    context.show(args.format.json, &made, vendor_snapshot)?;
    Ok(EXIT_DONE)
}

fn list(context: &Context, project: &VendorProject, json: bool) -> Result<u8, Failure> {
    let repo = repository(context, project)?;
    let vendoring::SnapshotList { kept, unsure } = vendoring::list(project, &repo)?;
    if let Some(why) = unsure {
        anstream::eprintln!("cannot say which snapshot vendor/ holds: {why}");
    }
    context.show(json, kept.as_slice(), vendor_list)?;
    Ok(EXIT_DONE)
}

/// Exit code 1: another program changed a path at that moment, so that path was not touched.
fn rollback(
    context: &Context,
    project: &VendorProject,
    shelves: &Shelves,
    args: &Rollback,
) -> Result<u8, Failure> {
    let repo = repository(context, project)?;
    let (to, now) = (args.to.as_deref(), Timestamp::now());
    let done = vendoring::rollback(project, &repo, shelves, to, args.keep, now)?;
    context.show(args.format.json, &done, vendor_rollback)?;
    let is_whole = done.left_alone.is_empty();
    Ok(if is_whole { EXIT_DONE } else { EXIT_FAILED })
}

/// Opens the repository, and completes an interrupted rollback.
fn repository(context: &Context, project: &VendorProject) -> Result<Repo, Failure> {
    let repo = Repo::open(project, &context.env)?;
    recover(context, &repo)?;
    Ok(repo)
}

/// Reported on standard error: standard output is for the requested result.
fn recover(context: &Context, repo: &Repo) -> Result<(), Failure> {
    if let Some(recovered) = vendoring::recover(repo)? {
        let text = vendor_recovered(&recovered, &context.page);
        anstream::eprint!("{text}");
    }
    Ok(())
}

impl From<vendoring::Error> for Failure {
    fn from(error: vendoring::Error) -> Failure {
        Failure::said(error.to_string(), error.exit_code())
    }
}

/// Most files named for one module and finding; the others are counted.
const MOST_FILES: usize = 8;

/// Formats the findings by module and kind, then the result.
pub(in crate::cli) fn vendor_check(report: &VendorReport, page: &Page) -> String {
    let mut sheet = Sheet::new(page.columns);
    let mut rest: &[VendorFinding] = &report.findings;
    while let Some(first) = rest.first() {
        let alike = |finding: &VendorFinding| {
            finding.code == first.code
                && finding.module == first.module
                && finding.what == first.what
        };
        let end = rest.iter().position(|finding| !alike(finding));
        let (group, others) = rest.split_at(end.unwrap_or(rest.len()));
        one(&mut sheet, first, group);
        sheet.gap();
        rest = others;
    }
    total(&mut sheet, report);
    sheet.finish()
}

fn one(sheet: &mut Sheet, first: &VendorFinding, group: &[VendorFinding]) {
    let about = first
        .module
        .as_deref()
        .map_or_else(String::new, |module| format!("{module}: "));
    let files: Vec<&str> = group.iter().filter_map(|f| f.file.as_deref()).collect();
    let named = files.iter().take(MOST_FILES).map(|file| (*file).to_owned());
    let more = files.len().checked_sub(MOST_FILES).filter(|more| *more > 0);
    let more = more.map(|more| format!("and {more} more; --json names all"));
    Shown {
        mark: match first.weight {
            Weight::Differs => Mark::Bad,
            Weight::Bad => Mark::Odd,
            Weight::Note => Mark::Note,
        },
        says: format!("{about}{}", first.what),
        code: Some(first.code.to_string()),
        details: named.chain(more).map(|line| ("", line)).collect(),
        help: &first.mend,
    }
    .print(sheet);
}

fn total(sheet: &mut Sheet, report: &VendorReport) {
    let local = match report.local {
        0 => String::new(),
        local => format!(", {local} with a local folder"),
    };
    let compared = format!(
        "{}, {} of {} compared with the zips that go.sum names{local}",
        plural(report.files, "file"),
        report.verified,
        plural(report.modules, "module"),
    );
    if report.good {
        let text = format!("vendor/ matches the verified modules; {compared}");
        sheet.marked(Mark::Good, &text);
        return;
    }
    let differs = report.findings.iter().any(|f| f.weight == Weight::Differs);
    let absent = report.findings.iter().any(|f| {
        matches!(
            f.code,
            VendorCode::NoVendor | VendorCode::NotAFolder | VendorCode::NoModulesTxt
        )
    });
    let verdict = match (differs, absent) {
        (true, _) => "vendor/ does NOT match the verified modules",
        (false, true) => "there is no vendor/ that go can use",
        (false, false) => "vendor/ is inconsistent",
    };
    sheet.styled("", &format!("{verdict}; {compared}"), BOLD);
}

/// Formats a new snapshot.
pub(in crate::cli) fn vendor_snapshot(made: &NewSnapshot, page: &Page) -> String {
    let mut sheet = Sheet::new(page.columns);
    let (tag, modules) = (clean(&made.tag), plural(made.modules, "module"));
    let mut text = format!("kept as {tag}: {modules} at commit {}", short(&made.commit));
    if made.committed {
        text.push_str(", which was made for it");
    }
    sheet.marked(Mark::Good, &text);
    sheet.entry("  ", &clean(&made.paths.join(", ")));
    sheet.hanging(
        "  back to it: ",
        &format!("`goroam vendor rollback {}`", clean(&made.tag)),
        4,
    );
    sheet.finish()
}

/// Formats the snapshots, one per line.
pub(in crate::cli) fn vendor_list(kept: &[KeptSnapshot], page: &Page) -> String {
    let mut sheet = Sheet::new(page.columns);
    if kept.is_empty() {
        sheet.paragraph("no snapshot yet; `goroam vendor snapshot` makes one");
        return sheet.finish();
    }
    let names = kept.iter().map(|kept| width(&clean(&kept.name)));
    let name = names.max().unwrap_or_default();
    for kept in kept {
        let (style, mark) = if kept.present {
            (GOOD, "●")
        } else {
            (DIM, "·")
        };
        let at = kept.at.map_or_else(|| "-".to_owned(), |at| page.moment(at));
        let modules = match kept.modules {
            Some(count) => plural(count, "module"),
            None => "-".to_owned(),
        };
        sheet.line(&format!(
            "{} {}  {}  {}  {modules}",
            paint(style, mark),
            pad(&clean(&kept.name), name),
            pad(&at, 16),
            short(&kept.commit),
        ));
        sheet.styled("    ", &clean(&kept.subject), DIM);
    }
    if kept.iter().any(|kept| kept.present) {
        sheet.line(&paint(DIM, "● is what is there now"));
    }
    sheet.finish()
}

/// Formats the result of a rollback.
pub(in crate::cli) fn vendor_rollback(done: &RolledBack, page: &Page) -> String {
    let mut sheet = Sheet::new(page.columns);
    for warning in done.skipped.iter().chain(&done.warnings) {
        sheet.marked(Mark::Odd, &clean(warning));
    }
    let to = format!("{} ({})", clean(&done.to), short(&done.commit));
    let Some(kept) = &done.kept else {
        let text = format!("vendor/ and the module files are as in {to} already");
        sheet.marked(Mark::Good, &text);
        return sheet.finish();
    };
    let text = format!("back to {to}: {} put back", plural(done.changed, "file"));
    sheet.marked(Mark::Good, &text);
    sheet.entry("  ", &format!("what was there is kept in {}", clean(kept)));
    if let Some(undo) = &done.undo {
        sheet.hanging("  undo: ", &format!("`{}`", clean(undo)), 4);
    }
    left_alone(&mut sheet, &done.left_alone, done.aside.as_deref());
    sheet.entry(
        "  ",
        "git's index is as it was; `git status` shows the difference",
    );
    sheet.finish()
}

/// Formats what was done about an interrupted rollback.
pub(in crate::cli) fn vendor_recovered(recovered: &Recovered, page: &Page) -> String {
    let mut sheet = Sheet::new(page.columns);
    let to = clean(&recovered.to);
    let did = if recovered.finished {
        "was completed"
    } else {
        "had changed nothing; its files were removed"
    };
    let text = format!("an interrupted rollback to {to} {did}");
    sheet.marked(Mark::Odd, &text);
    if let Some(kept) = &recovered.kept {
        sheet.entry(
            "  ",
            &format!("what was there before is kept in {}", clean(kept)),
        );
    }
    left_alone(
        &mut sheet,
        &recovered.left_alone,
        recovered.aside.as_deref(),
    );
    sheet.finish()
}

fn left_alone(sheet: &mut Sheet, paths: &[String], aside: Option<&str>) {
    if !paths.is_empty() {
        let text = format!(
            "left alone because they changed meanwhile: {}",
            clean(&paths.join(", "))
        );
        sheet.marked(Mark::Odd, &text);
    }
    if let Some(aside) = aside {
        let text = format!(
            "the old vendor/ was modified meanwhile, so it is kept as {}",
            clean(aside)
        );
        sheet.marked(Mark::Odd, &text);
    }
}

/// Returns the part of a commit's id that is shown to people.
fn short(commit: &str) -> &str {
    commit.get(..10).unwrap_or(commit)
}
