//! The journal as a diary.

use super::page::{Page, duration};
use super::style::{BOLD, DIM, paint};
use super::text::{Sheet, clean, width};
use crate::model::Truth;
use crate::model::status::Drift;
use crate::policy::Trace;
use crate::state::entry::{Entry, Outcome};

/// One line a turn, under the day where it is not today.
pub(in crate::cli) fn history(entries: &[Entry], page: &Page) -> String {
    let mut sheet = Sheet::new(page.columns);
    let mut day = page.day(page.now);
    for entry in entries {
        let own = page.day(entry.at);
        if own != day {
            sheet.line(&paint(BOLD, &own));
            day = own;
        }
        let clock = page.clock(entry.at);
        let lead = format!("{} ", paint(DIM, &clock));
        let hang = width(&clock) + 1;
        sheet.entry(&lead, hang, &switch(entry), hang);
    }
    sheet.finish()
}

/// A turn in one sentence: "home → office in 38 ms: default route moved to wlan0; up corp".
fn switch(entry: &Entry) -> String {
    let mut text = format!("{}{}", profiles(entry), ending(entry));
    let changes = entry.changes.iter().filter(|change| change.major);
    let changes = changes.map(|change| clean(&change.what));
    let mut reasons: Vec<String> = entry.drift.iter().map(drift).chain(changes).collect();
    if reasons.is_empty() {
        reasons.push(clean(&entry.cause));
    }
    reasons.truncate(3);
    if let Some(decision) = &entry.decision
        && entry.from.as_deref() != Some(decision.profile.as_str())
    {
        let chosen = decision
            .considered
            .iter()
            .find(|considered| considered.profile == decision.profile);
        if decision.pinned {
            reasons.push("chosen by hand".to_owned());
        } else if let Some(trace) = chosen.and_then(|considered| considered.trace.as_ref()) {
            reasons.extend(proof(trace));
        }
    }
    text.push_str(": ");
    text.push_str(&reasons.join("; "));
    text
}

/// "GOPROXY was set by hand to direct", or by another program; and what came of it.
fn drift(drift: &Drift) -> String {
    let name = clean(&drift.name);
    match &drift.found {
        Some(value) => format!("{name} was set by hand to {}", clean(value)),
        None => format!("{name} was removed by hand"),
    }
}

fn profiles(entry: &Entry) -> String {
    let to = entry.decision.as_ref().map(|decision| &decision.profile);
    match (&entry.outcome, &entry.from, to) {
        (Outcome::Restored { .. }, Some(from), _) => format!("{} → put back", clean(from)),
        (Outcome::Restored { .. }, None, _) => "put back".to_owned(),
        (_, Some(from), Some(to)) if from == to => format!("{} stays", clean(to)),
        (_, Some(from), Some(to)) => format!("{} → {}", clean(from), clean(to)),
        (_, None, Some(to)) => format!("→ {}", clean(to)),
        // Nothing was to be decided.
        (_, Some(from), None) if !entry.drift.is_empty() => format!("{} stays", clean(from)),
        (_, Some(from), None) => format!("{} stays, undecided", clean(from)),
        (_, None, None) => "undecided".to_owned(),
    }
}

fn ending(entry: &Entry) -> String {
    match &entry.outcome {
        Outcome::Written { .. } | Outcome::Restored { .. } => match entry.ms.get("all") {
            Some(ms) => format!(" in {}", duration(*ms)),
            None => String::new(),
        },
        Outcome::Unchanged => String::new(),
        Outcome::DryRun => " (dry run)".to_owned(),
        Outcome::Failed { error } => format!(", not written ({})", clean(error)),
    }
}

/// The first true condition with evidence: what the choice rests on.
fn proof(trace: &Trace) -> Option<String> {
    if trace.value != Truth::True {
        return None;
    }
    if trace.parts.is_empty() && !trace.evidence.is_empty() {
        return Some(format!(
            "{} ({})",
            clean(&trace.what),
            clean(&trace.evidence)
        ));
    }
    trace.parts.iter().find_map(proof)
}

#[cfg(test)]
mod tests {
    use super::history;
    use crate::cli::render::fixtures::{diary, page, plain, too_wide};

    #[test]
    fn a_switch_reads_as_one_line_of_a_diary() {
        let text = history(&diary(), &page());
        assert_eq!(
            plain(&text),
            "\
2026-11-21
18:40:00 office stays, not written (go env file is read-only): recheck
2026-11-22
09:12:03 home → office in 38 ms: default route moved to wlan0 via 10.20.0.1; up
         corp (TLS to goproxy.corp.example, key sha256/3f9c… is pinned)
"
        );
        assert_eq!(too_wide(&text), None);
    }
}
