//! `goroam vendor`

use super::page::Page;
use super::style::{BAD, BOLD, DIM, GOOD, ODD, paint};
use super::text::{Sheet, clean};
use crate::job::vendor::{Code, Finding, Report, Weight};

/// Files of one module with the same finding that are named; the others are counted.
const MOST_FILES: usize = 8;

/// What a check found, by module and kind, then what it all comes to.
pub(in crate::cli) fn vendor_check(report: &Report, page: &Page) -> String {
    let mut sheet = Sheet::new(page.columns);
    let mut rest: &[Finding] = &report.findings;
    while let Some(first) = rest.first() {
        let alike = |finding: &Finding| {
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

fn one(sheet: &mut Sheet, first: &Finding, group: &[Finding]) {
    let (mark, style) = match first.weight {
        Weight::Differs => ("✗", BAD),
        Weight::Bad => ("!", ODD),
        Weight::Note => ("·", DIM),
    };
    let about = first
        .module
        .as_deref()
        .map_or_else(String::new, |module| [&clean(module), ": "].concat());
    let says = format!("{about}{} [{}]", clean(&first.what), first.code);
    sheet.styled(&format!("{} ", paint(style, mark)), 2, &says, 2, BOLD);
    let files: Vec<&str> = group.iter().filter_map(|f| f.file.as_deref()).collect();
    for file in files.iter().take(MOST_FILES) {
        sheet.line(&format!("  {}", clean(file)));
    }
    if let Some(more) = files.len().checked_sub(MOST_FILES).filter(|more| *more > 0) {
        sheet.line(&format!("  and {more} more; --json names all"));
    }
    if !first.mend.is_empty() {
        sheet.entry("  → ", 4, &clean(&first.mend), 4);
    }
}

fn total(sheet: &mut Sheet, report: &Report) {
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
        let text = format!("vendor/ is what the verified modules hold; {compared}");
        sheet.entry(&format!("{} ", paint(GOOD, "✓")), 2, &text, 2);
        return;
    }
    let differs = report.findings.iter().any(|f| f.weight == Weight::Differs);
    let absent = report.findings.iter().any(|f| {
        matches!(
            f.code,
            Code::NoVendor | Code::NotAFolder | Code::NoModulesTxt
        )
    });
    let verdict = if differs {
        "vendor/ is NOT what the verified modules hold"
    } else if absent {
        "there is no vendor/ that go could use"
    } else {
        "vendor/ is not in order"
    };
    sheet.styled("", 0, &format!("{verdict}; {compared}"), 0, BOLD);
}

pub(super) fn plural(count: usize, word: &str) -> String {
    match count {
        1 => format!("1 {word}"),
        count => format!("{count} {word}s"),
    }
}
