//! What a turn found and did.

use super::page::{Page, duration};
use super::status::notes;
use super::style::{BAD, BOLD, DIM, paint};
use super::text::{Sheet, clean, pad, width};
use crate::agent::TurnReport;
use crate::model::plan::Step;
use crate::state::entry::Outcome;

/// What a turn found and did: from, to, why, each variable, and the way back.
pub(in crate::cli) fn turn(report: &TurnReport, page: &Page) -> String {
    let mut sheet = Sheet::new(page.columns);
    head(&mut sheet, report);
    let names = report.plan.steps.iter().map(|step| width(step.name()));
    let columns = names.max().unwrap_or(0);
    for step in &report.plan.steps {
        variable(&mut sheet, step, columns);
    }
    match &report.outcome {
        Outcome::Written { .. } => {
            let took = report.took.get("all").copied().map(duration);
            let took = took.map_or_else(String::new, |took| format!("; took {took}"));
            sheet.line(&paint(DIM, &format!("  undo: goroam restore{took}")));
        }
        Outcome::Unchanged => {
            let told = match report.plan.steps.len() {
                0 => "nothing to set".to_owned(),
                1 => "its one variable is right already".to_owned(),
                count => format!("all {count} variables are as they should be already"),
            };
            sheet.line(&paint(DIM, &format!("  {told}")));
        }
        Outcome::DryRun => sheet.line(&paint(DIM, "  dry run: nothing was written")),
        Outcome::Failed { error } => {
            let lead = format!("  {} ", paint(BAD, "✗"));
            sheet.entry(&lead, 4, &format!("not written: {}", clean(error)), 4);
        }
        Outcome::Restored { changed } => {
            let told = match changed.len() {
                0 => "the go env file is as it was before goroam already".to_owned(),
                _ => format!("put back as before goroam: {}", changed.join(", ")),
            };
            sheet.entry("  ", 2, &clean(&told), 2);
            sheet.line(&paint(DIM, "  `goroam auto` lets goroam choose again"));
        }
    }
    for note in notes(&report.status) {
        sheet.entry("! ", 2, &note, 2);
    }
    sheet.finish()
}

fn head(sheet: &mut Sheet, report: &TurnReport) {
    let from = report.from.as_deref().map(clean);
    let to = report.status.profile.as_deref().map(clean);
    let (lead, lead_width) = match (&from, &to) {
        (Some(from), Some(to)) if from == to => (
            format!("{} stays", paint(BOLD, to)),
            width(to) + width(" stays"),
        ),
        (from, to) => {
            let from = from.as_deref().unwrap_or("none");
            let to = to.as_deref().unwrap_or("none");
            (
                format!("{from} → {}", paint(BOLD, to)),
                width(from) + 3 + width(to),
            )
        }
    };
    match &report.status.why {
        Some(why) => {
            let why = format!("({})", clean(why));
            sheet.entry(&format!("{lead}  "), lead_width + 2, &why, 4);
        }
        None => sheet.line(&lead),
    }
}

/// A variable that changes, or that somebody else's value stays in. What is right is not told.
fn variable(sheet: &mut Sheet, step: &Step, columns: usize) {
    let lead = format!("  {}  ", pad(&clean(step.name()), columns));
    match step {
        Step::Set { value, .. } if value.is_empty() => sheet.line(&format!("{lead}(empty)")),
        Step::Set { value, .. } => {
            // Not wrapped: a value is there to be copied.
            sheet.line(&format!("{lead}{}", clean(value)));
        }
        Step::Unset { .. } => sheet.line(&format!("{lead}{}", paint(DIM, "no longer set"))),
        Step::Leave { why, .. } if why == "is right already" => {}
        Step::Leave { why, .. } => {
            let hang = columns + 4;
            sheet.styled(
                &lead,
                hang,
                &format!("left alone: {}", clean(why)),
                hang,
                DIM,
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::turn;
    use crate::cli::render::fixtures::{page, plain, to_offline, too_wide};
    use crate::model::plan::Step;
    use crate::state::entry::Outcome;

    #[test]
    fn a_switch_names_the_variables_and_the_way_back() {
        let text = turn(&to_offline(), &page());
        assert_eq!(
            plain(&text),
            "\
intranet → offline  (nothing answers; wlan0 is down)
  GONOPROXY  none
  GOPRIVATE  no longer set
  GOPROXY    file:///home/me/go/pkg/mod/cache/download,off
  undo: goroam restore; took 41 ms
"
        );
        assert_eq!(too_wide(&text), None);
    }

    #[test]
    fn a_dry_run_says_so_and_a_failure_says_why() {
        let mut report = to_offline();
        report.outcome = Outcome::DryRun;
        let text = plain(&turn(&report, &page()));
        assert!(text.ends_with("  dry run: nothing was written\n"), "{text}");
        report.outcome = Outcome::Failed {
            error: "/home/me/.config/go/env is read-only".to_owned(),
        };
        let text = plain(&turn(&report, &page()));
        let told = "  ✗ not written: /home/me/.config/go/env is read-only\n";
        assert!(text.ends_with(told), "{text}");
    }

    #[test]
    fn nothing_to_do_is_told_in_two_lines() {
        let mut report = to_offline();
        report.from = Some("offline".to_owned());
        report.outcome = Outcome::Unchanged;
        for step in &mut report.plan.steps {
            *step = Step::Leave {
                name: step.name().to_owned(),
                why: "is right already".to_owned(),
            };
        }
        assert_eq!(
            plain(&turn(&report, &page())),
            "\
offline stays  (nothing answers; wlan0 is down)
  all 4 variables are as they should be already
"
        );
    }
}
