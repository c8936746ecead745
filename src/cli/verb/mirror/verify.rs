//! `goroam mirror verify`

use crate::cli::render::{BOLD, DIM, Mark, Page, Sheet, Shown, clean, duration, size};
use crate::cli::verb::mirror::args::Verify;
use crate::cli::verb::mirror::site::{exit, failed, no_mirror};
use crate::cli::{Context, Failure};
use crate::mirror::verify::{Asked, Finding, Kind, Prover, Report, Unproven, verify};
use crate::mirror::{Layout, Trust};
use crate::model::plural;
use std::path::Path;

/// Verifies the mirror. Exit code 6 when a checksum does not match, 1 when something else is wrong.
pub(super) fn run(context: &Context, root: &Path, args: Verify) -> Result<u8, Failure> {
    let trust = Trust::find(&context.env).map_err(failed)?;
    let layout = Layout::new(root);
    let prover = Prover::open(&layout, trust).map_err(failed)?;
    let asked = Asked {
        modules: args.modules,
        jobs: args.jobs,
        ..Asked::default()
    };
    let (progress, meter) = context.progress("verifying");
    let report = verify(&layout, &asked, &prover, &meter);
    drop(progress);
    let report = report.map_err(|error| no_mirror(root, &error))?;
    context.show(args.format.json, &report, |report, page| {
        mirror_verify(report, root, page)
    })?;
    Ok(exit(report.has_mismatch(), report.ok))
}

/// Most lines of unproven modules; the others are counted.
const MOST_UNPROVEN: usize = 10;
/// Shortest time in milliseconds for which a speed is meaningful.
const LEAST_MS: u64 = 100;

/// Formats what is wrong, with what to do; then the amount that was checked, and who proves it.
pub(in crate::cli) fn mirror_verify(report: &Report, root: &Path, page: &Page) -> String {
    let mut sheet = Sheet::new(page.columns);
    findings(&mut sheet, &report.bad, root);
    unproven(&mut sheet, &report.unproven);
    let mut looked = format!(
        "{} of {}, {} in {}",
        plural(report.versions, "version"),
        plural(report.modules, "module"),
        size(report.bytes),
        duration(report.ms as f64),
    );
    // In a shorter time, starting the threads takes most of it.
    if report.ms >= LEAST_MS {
        let rate = report.bytes.saturating_mul(1000) / report.ms;
        looked.push_str(&format!(" ({}/s)", size(rate)));
    }
    if report.go_mod_only > 0 {
        looked.push_str(&format!("; of {} more only go.mod", report.go_mod_only));
    }
    if let Some(database) = &report.database {
        looked.push_str(&format!(
            "; {} proven by {}",
            report.proven,
            clean(&database.name)
        ));
    }
    if report.ok {
        let text = format!("every file matches its checksum: {looked}");
        sheet.marked(Mark::Good, &text);
    } else {
        let text = format!("{}; checked {looked}", plural(report.bad.len(), "problem"));
        sheet.styled("", &text, BOLD);
    }
    sheet.finish()
}

/// Formats each finding, followed by an empty line.
pub(super) fn findings(sheet: &mut Sheet, findings: &[Finding], root: &Path) {
    for finding in findings {
        one(sheet, finding, root);
        sheet.gap();
    }
}

/// Formats the unproven modules, up to a limit.
pub(super) fn unproven(sheet: &mut Sheet, all: &[Unproven]) {
    for one in all.iter().take(MOST_UNPROVEN) {
        let text = format!("{}@{} is not proven: {}", one.module, one.version, one.why);
        sheet.styled(&format!("{} ", Mark::Note.painted()), &clean(&text), DIM);
    }
    if all.len() > MOST_UNPROVEN {
        let more = all.len() - MOST_UNPROVEN;
        sheet.styled("  ", &format!("and {more} more without a proof"), DIM);
    }
}

fn one(sheet: &mut Sheet, finding: &Finding, root: &Path) {
    let file = finding.file.strip_prefix(root).unwrap_or(&finding.file);
    let mut details = Vec::new();
    if let (Some(expected), Some(by)) = (&finding.expected, &finding.by) {
        details.push(("expected ", expected.clone()));
        details.push(("         ", format!("by {by}")));
    }
    details.extend(finding.found.clone().map(|found| ("found    ", found)));
    Shown {
        mark: match finding.kind {
            Kind::Mismatch => Mark::Bad,
            Kind::Unproven | Kind::Missing | Kind::Wrong | Kind::Unreadable => Mark::Odd,
            Kind::Stray => Mark::Note,
        },
        says: format!("{} {}", file.display(), finding.what),
        code: None,
        details,
        help: &finding.help,
    }
    .print(sheet);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::render::fixtures::{page, plain};
    use crate::mirror::verify::Database;

    fn report() -> Report {
        Report {
            ok: true,
            modules: 28,
            versions: 33,
            bytes: 41_000_000,
            proven: 33,
            ms: 100,
            database: Some(Database {
                name: "sum.golang.org".to_owned(),
                tree_size: Some(40),
                lookups: 33,
                tiles: 4,
            }),
            ..Report::default()
        }
    }

    #[test]
    fn a_mirror_in_order_is_one_sentence() {
        let text = plain(&mirror_verify(&report(), Path::new("/m"), &page()));
        assert_eq!(
            text,
            "✓ every file matches its checksum: 33 versions of 28 modules, 41 MB in 100 ms\n  \
             (410 MB/s); 33 proven by sum.golang.org\n"
        );
    }

    #[test]
    fn of_a_moment_no_speed_is_told() {
        let report = Report { ms: 1, ..report() };
        let text = plain(&mirror_verify(&report, Path::new("/m"), &page()));
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            text.contains("41 MB in 1 ms;") && !text.contains("/s"),
            "{text}"
        );
    }

    #[test]
    fn what_is_wrong_comes_with_who_says_so_and_what_to_do() {
        let finding = Finding {
            of: "a.test/b@v1.0.0".to_owned(),
            file: "/m/a.test/b/@v/v1.0.0.zip".into(),
            kind: Kind::Mismatch,
            what: "is not what is proven".to_owned(),
            expected: Some("h1:EP6WfDoQTSk9klnxcjriWJOGztueJUywHNmWeq+efB8=".to_owned()),
            by: Some("the checksum database sum.golang.org".to_owned()),
            found: Some("h1:G7mAYYxgmS0lVkHyy2hEOLQCFB0DlQFTMLWggykrydY=".to_owned()),
            help: "bring it again".to_owned(),
        };
        let unproven = Unproven {
            module: "corp.test/x".to_owned(),
            version: "v1.0.0".to_owned(),
            why: "GONOSUMDB or GOPRIVATE names it".to_owned(),
        };
        let report = Report {
            ok: false,
            bad: vec![finding],
            unproven: vec![unproven; 12],
            ..report()
        };
        let text = plain(&mirror_verify(&report, Path::new("/m"), &page()));
        let start = "✗ a.test/b/@v/v1.0.0.zip is not what is proven\n  \
                     expected h1:EP6WfDoQTSk9klnxcjriWJOGztueJUywHNmWeq+efB8=\n           \
                     by the checksum database sum.golang.org\n  \
                     found    h1:G7mAYYxgmS0lVkHyy2hEOLQCFB0DlQFTMLWggykrydY=\n  \
                     → bring it again\n\n\
                     · corp.test/x@v1.0.0 is not proven: GONOSUMDB or GOPRIVATE names it\n";
        assert!(text.starts_with(start), "{text}");
        assert!(
            text.contains("and 2 more without a proof\n1 problem; checked 33"),
            "{text}"
        );
        assert!(
            text.lines().all(|line| line.chars().count() <= 80),
            "{text}"
        );
    }
}
