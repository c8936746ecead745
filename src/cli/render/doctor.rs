//! `goroam doctor`

use serde::Serialize;

use super::page::Page;
use super::style::{BAD, BOLD, DIM, GOOD, ODD, paint};
use super::text::{Sheet, clean};
use crate::doctor::{Finding, Severity, Sighting};

/// What was found, as scripts get it.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Diagnosis<'d> {
    /// Nothing is in the way.
    pub clean: bool,
    /// The worst first.
    pub findings: &'d [Finding],
    /// Every place that sets a variable, whether or not it is in the way.
    pub seen: &'d [Sighting],
    /// What was looked at.
    pub looked: &'d [String],
}

/// Each finding with why and what to do, then how many there are.
pub(in crate::cli) fn doctor(diagnosis: &Diagnosis<'_>, page: &Page) -> String {
    let mut sheet = Sheet::new(page.columns);
    for finding in diagnosis.findings {
        one(&mut sheet, finding);
        sheet.gap();
    }
    let looked = format!("looked at {} places", diagnosis.looked.len());
    if diagnosis.clean {
        let all = "nothing is in the way: go does what goroam sets";
        sheet.entry(
            &format!("{} ", paint(GOOD, "✓")),
            2,
            &format!("{all}; {looked}"),
            2,
        );
    } else {
        sheet.line(&paint(
            BOLD,
            &format!("{}; {looked}", tally(diagnosis.findings)),
        ));
    }
    sheet.finish()
}

fn one(sheet: &mut Sheet, finding: &Finding) {
    let (mark, style) = match finding.severity {
        Severity::Error => ("✗", BAD),
        Severity::Warning => ("!", ODD),
        Severity::Note => ("·", DIM),
    };
    let says = format!("{} [{}]", clean(&finding.says), finding.code.as_str());
    sheet.styled(&format!("{} ", paint(style, mark)), 2, &says, 2, BOLD);
    if !finding.why.is_empty() {
        sheet.entry("  ", 2, &clean(&finding.why), 2);
    }
    if !finding.reaches.is_empty() {
        let reaches = clean(&finding.reaches.join(", "));
        sheet.entry("  ", 2, &format!("Reaches {reaches}."), 2);
    }
    if !finding.mend.is_empty() {
        sheet.entry("  → ", 4, &clean(&finding.mend), 4);
    }
}

/// "1 error, 2 notes"
fn tally(findings: &[Finding]) -> String {
    let count = |severity: Severity, word: &str| {
        let count = findings.iter().filter(|f| f.severity == severity).count();
        match count {
            0 => None,
            1 => Some(format!("1 {word}")),
            _ => Some(format!("{count} {word}s")),
        }
    };
    let parts: Vec<String> = [
        count(Severity::Error, "error"),
        count(Severity::Warning, "warning"),
        count(Severity::Note, "note"),
    ]
    .into_iter()
    .flatten()
    .collect();
    parts.join(", ")
}
