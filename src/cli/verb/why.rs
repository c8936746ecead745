//! `goroam why`

use crate::agent::error::EXIT_DONE;
use crate::agent::{Session, WhyReport};
use crate::cli::args::Json;
use crate::cli::render::{
    BAD, BOLD, DIM, GOOD, Mark, Page, Sheet, clean, duration, pad, paint, width,
};
use crate::cli::{Context, Failure};
use crate::model::Truth;
use crate::policy::Trace;
use crate::policy::layers::Origin;
use anstyle::Style;

/// Shows the last decision, from the journal that the agent also writes.
pub(in crate::cli) async fn run(context: &Context, args: Json) -> Result<u8, Failure> {
    let mut session = Session::open(context.config.clone(), context.env.clone())?;
    let report = session.why().await?;
    context.show(args.json, &report, why)?;
    Ok(EXIT_DONE)
}

/// A wider condition moves only its own evidence to the right, not the whole column.
const CONDITION_COLUMNS: usize = 26;

/// Formats why this profile was chosen, and why the ones before it were not.
pub(in crate::cli) fn why(report: &WhyReport, page: &Page) -> String {
    let decision = &report.decision;
    let mut sheet = Sheet::new(page.columns);
    let name = paint(BOLD, &clean(&decision.profile));
    match decision.trace() {
        _ if decision.pinned => {
            let over = decision
                .over
                .as_ref()
                .map(|over| format!(" for GOPROXY, all else is as in {}", clean(over)));
            let over = over.unwrap_or_default();
            let rest = format!("was chosen by hand{over}; `goroam auto` ends that");
            sheet.hanging(&format!("{name} "), &rest, 0);
        }
        Some(trace) if trace.what == "always" => {
            sheet.line(&format!("{name} was chosen because it always holds"));
        }
        Some(trace) => {
            let how = if decision.provisional {
                " provisionally"
            } else {
                ""
            };
            sheet.line(&format!("{name} was chosen{how}, because"));
            tree(&mut sheet, trace);
        }
        None => sheet.line(&format!("{name} was chosen")),
    }
    let mut not_reached = Vec::new();
    let chosen = decision.place();
    for (place, considered) in decision.considered.iter().enumerate() {
        let name = clean(&considered.profile);
        let is_variant = considered.profile == decision.profile;
        match &considered.trace {
            _ if Some(place) == chosen => {}
            Some(trace) => {
                let variant = if is_variant {
                    "another variant of "
                } else {
                    ""
                };
                let result = match trace.value {
                    Truth::Unknown => "is not decided yet",
                    Truth::True | Truth::False => "was not, because",
                };
                sheet.line(&format!("{variant}{name} {result}"));
                tree(&mut sheet, trace);
            }
            None if is_variant || not_reached.last() == Some(&name) => {}
            None => not_reached.push(name),
        }
    }
    if let Some(names) = were(&not_reached)
        && !decision.pinned
    {
        sheet.paragraph(&format!("{names} not reached."));
    }
    sheet.paragraph(&closing(report));
    if let Some(way_out) = &report.way_out {
        sheet.marked(Mark::Odd, &clean(way_out));
    }
    sheet.finish()
}

/// Formats names with a verb: "office was", "office and home were".
fn were(names: &[String]) -> Option<String> {
    match names {
        [] => None,
        [one] => Some(format!("{one} was")),
        [most @ .., last] => Some(format!("{} and {last} were", most.join(", "))),
    }
}

/// Formats the tree. The parts of a topmost `all` are shown without it.
pub(in crate::cli) fn tree(sheet: &mut Sheet, trace: &Trace) {
    let parts = if trace.what == "all" && !trace.parts.is_empty() {
        trace.parts.as_slice()
    } else {
        std::slice::from_ref(trace)
    };
    let widest = parts.iter().map(|part| widest(part, 2)).max().unwrap_or(0);
    let column = widest + 2;
    for part in parts {
        branch(sheet, part, 2, column);
    }
}

/// Returns the last column of the widest condition that has evidence beside it, without outliers.
fn widest(trace: &Trace, indent: usize) -> usize {
    let end = indent + 2 + width(&clean(&trace.what));
    let counts = !trace.evidence.is_empty() && end <= CONDITION_COLUMNS;
    let parts = trace.parts.iter().map(|part| widest(part, indent + 2));
    parts.fold(if counts { end } else { 0 }, usize::max)
}

fn branch(sheet: &mut Sheet, trace: &Trace, indent: usize, column: usize) {
    let (symbol, style): (&str, Style) = match trace.value {
        Truth::True => ("✓", GOOD),
        Truth::False => ("✗", BAD),
        Truth::Unknown => ("·", DIM),
    };
    let mut what = clean(&trace.what);
    if !trace.evidence.is_empty() {
        let columns = column.saturating_sub(indent + 2).max(width(&what) + 2);
        what = pad(&what, columns);
    }
    let lead = format!("{}{} {what}", " ".repeat(indent), paint(style, symbol));
    sheet.hanging(&lead, &clean(&trace.evidence), column);
    for part in &trace.parts {
        branch(sheet, part, indent + 2, column);
    }
}

fn closing(report: &WhyReport) -> String {
    let decision = &report.decision;
    let mut sentences = Vec::new();
    if decision.loosens.is_empty() {
        sentences.push("Loosens nothing.".to_owned());
    } else {
        let how: Vec<String> = decision.loosens.iter().map(|how| clean(how)).collect();
        let accepted = if decision.accept_unauthenticated {
            ", without proof, as accept_unauthenticated says"
        } else {
            ""
        };
        let how = how.join("; ");
        sentences.push(format!("Weakens verification{accepted}: {how}."));
    }
    if let Some(from) = &report.from {
        sentences.push(format!("Modules come from {}.", clean(from)));
    }
    if let Some(at) = report.sources.as_ref().filter(|at| at.is_layered) {
        let of =
            |(name, origin): (&String, &Origin)| format!(", {} line {}", clean(name), origin.line);
        let env: String = at.env.iter().map(of).collect();
        let (file, line) = (clean(&at.profile.file), at.profile.line);
        sentences.push(format!("Set by {file}: profile line {line}{env}."));
    }
    if let Some(fastest) = &decision.fastest {
        let [target, reason] = [clean(&fastest.target), clean(&fastest.reason)];
        sentences.push(format!("Fastest: {target}, {reason}."));
    }
    if let Some(ms) = report.decided_ms {
        let took = duration(ms);
        sentences.push(match report.changes.first() {
            Some(change) => format!("Decided {took} after this: {}.", clean(change)),
            None => format!("Decided in {took}."),
        });
    }
    let open: Vec<String> = decision.not_waited_for.iter().map(|it| clean(it)).collect();
    sentences.extend(were(&open).map(|names| format!("{names} not waited for.")));
    sentences.push(match report.turn {
        Some(turn) => format!("Turn {turn} in the journal."),
        None => "Only looked: nothing was written.".to_owned(),
    });
    sentences.join(" ")
}

#[cfg(test)]
mod tests {
    use super::why;
    use crate::cli::render::fixtures::{page, plain, too_wide, why_office};
    use crate::policy::FastestChoice;

    #[test]
    fn the_chosen_one_comes_first_with_its_evidence() {
        let text = why(&why_office(), &page());
        assert_eq!(
            plain(&text),
            "\
office was chosen, because
  ✓ up corp              TLS to goproxy.corp.example, key sha256/3f9c… is pinned
  ✓ any
    ✓ subnet 10.0.0.0/8  wlan0 has 10.20.0.50
    · search_domain corp.example  not needed
lab was not, because
  ✗ interface lab*  no running link is
public and offline were not reached.
Loosens nothing. Modules come from module proxy goproxy.corp.example. Decided 31
ms after this: default route moved to wlan0 via 10.20.0.1. proxy and sum were
not waited for. Turn 481 in the journal.
"
        );
        assert_eq!(too_wide(&text), None);
    }

    #[test]
    fn the_choice_among_mirrors_is_said_with_its_reason() {
        let mut report = why_office();
        report.decision.fastest = Some(FastestChoice {
            target: "io".to_owned(),
            reason: "kept; cn would be faster by 40 %, seen once".to_owned(),
        });
        let text = plain(&why(&report, &page())).replace('\n', " ");
        assert!(
            text.contains(" Fastest: io, kept; cn would be faster by 40 %, seen once. Decided "),
            "{text}"
        );
    }

    #[test]
    fn by_hand_is_said_and_nothing_else_was_looked_at() {
        let mut report = why_office();
        report.decision.pinned = true;
        report.turn = None;
        for considered in &mut report.decision.considered {
            considered.trace = None;
        }
        report.decision.loosens = vec!["GOSUMDB=off".to_owned()];
        report.decision.accept_unauthenticated = true;
        report.decision.not_waited_for.clear();
        report.changes.clear();
        assert_eq!(
            plain(&why(&report, &page())),
            "\
office was chosen by hand; `goroam auto` ends that
Weakens verification, without proof, as accept_unauthenticated says:
GOSUMDB=off. Modules come from module proxy goproxy.corp.example. Decided in 31
ms. Only looked: nothing was written.
"
        );
    }
}
