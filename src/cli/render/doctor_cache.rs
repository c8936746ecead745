//! `goroam doctor --cache`

use super::page::Page;
use super::style::{BAD, BOLD, DIM, GOOD, ODD, paint};
use super::text::{Sheet, clean};
use crate::doctor::{Broken, CacheReport, Outcome};

/// Beyond these a person runs `--fix`.
const MOST: usize = 50;

/// Each broken entry with what it does and what to do, then how many there are.
pub(in crate::cli) fn doctor_cache(report: &CacheReport, fix: bool, page: &Page) -> String {
    let mut sheet = Sheet::new(page.columns);
    for broken in report.broken.iter().take(MOST) {
        one(&mut sheet, broken, fix);
        sheet.gap();
    }
    if report.broken.len() > MOST {
        let more = format!("… and {} more: see --json", report.broken.len() - MOST);
        sheet.line(&more);
        sheet.gap();
    }
    for (place, why) in report.unread.iter().take(MOST) {
        let says = format!("{} could not be looked at: {}", clean(place), clean(why));
        sheet.entry(&format!("{} ", paint(ODD, "!")), 2, &says, 2);
    }
    if !report.unread.is_empty() {
        sheet.gap();
    }
    total(&mut sheet, report);
    sheet.finish()
}

fn one(sheet: &mut Sheet, broken: &Broken, fix: bool) {
    let (mark, style) = match broken.outcome {
        Outcome::Removed => ("✓", GOOD),
        Outcome::Found | Outcome::Kept => ("✗", BAD),
    };
    let says = format!("{} [{}]", clean(&broken.says), broken.code.as_str());
    sheet.styled(&format!("{} ", paint(style, mark)), 2, &says, 2, BOLD);
    if broken.outcome != Outcome::Removed {
        sheet.entry("  ", 2, &clean(&broken.why), 2);
    }
    let parts = match broken.outcome {
        Outcome::Removed => "removed:",
        Outcome::Found | Outcome::Kept => "in the way:",
    };
    for piece in &broken.removes {
        let path = clean(&piece.to_string());
        sheet.entry(
            &format!("{} ", paint(DIM, &format!("  {parts}"))),
            3 + parts.len(),
            &path,
            4,
        );
    }
    if let Some(because) = &broken.because {
        let because = format!("not removed: {}", clean(because));
        sheet.entry("  ", 2, &because, 2);
    }
    let mend = clean(&broken.mend);
    let mend = match (mend.starts_with("go mod "), &broken.outcome) {
        (true, Outcome::Removed) => format!("run `{mend}`, or let the next build fetch it"),
        (false, Outcome::Removed) => mend,
        (_, Outcome::Found) => {
            "run `goroam doctor --cache --fix`, which removes just that".to_owned()
        }
        (_, Outcome::Kept) if fix => "mend that, and run it again".to_owned(),
        (_, Outcome::Kept) => return,
    };
    sheet.entry("  → ", 4, &mend, 4);
}

fn total(sheet: &mut Sheet, report: &CacheReport) {
    let versions = match report.versions {
        1 => "1 version".to_owned(),
        count => format!("{count} versions"),
    };
    let cache = clean(&report.cache);
    let hashed = match report.hashed {
        0 => "zips were looked into, not hashed (--hash)".to_owned(),
        count => format!("{count} zips hashed"),
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
    match report.is_well() {
        true => sheet.entry(&format!("{} ", paint(GOOD, "✓")), 2, &text, 2),
        false => sheet.styled("", 0, &text, 0, BOLD),
    }
}
