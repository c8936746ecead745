//! The findings of a policy, as JSON.

use serde::Serialize;

use super::findings::Position;
use crate::policy::layers::PolicyText;
use crate::policy::{Label, PolicyFinding, Severity};

/// A finding in JSON.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Found<'a> {
    code: &'a str,
    severity: Severity,
    message: &'a str,
    #[serde(flatten)]
    place: Place<'a>,
    related: Vec<Place<'a>>,
    help: Option<&'a str>,
}

/// A place in the policy's text; null if the fault is that something is missing.
#[derive(Debug, Default, Serialize)]
struct Place<'a> {
    file: Option<String>,
    line: Option<usize>,
    column: Option<usize>,
    /// In byte offsets of the file.
    span: Option<Span>,
    label: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct Span {
    start: usize,
    end: usize,
}

impl<'a> Place<'a> {
    fn of(source: &PolicyText, label: &'a Label) -> Place<'a> {
        let Some(part) = source.part(label.span.start) else {
            return Place::default();
        };
        let within = |at: usize| at.saturating_sub(part.range.start);
        let [start, end] = [label.span.start, label.span.end].map(within);
        let Position { line, column } = Position::of(source.text_of(part), start);
        Place {
            file: Some(part.name()),
            line: Some(line),
            column: Some(column),
            span: Some(Span { start, end }),
            label: Some(&label.text),
        }
    }
}

/// Returns the findings in a policy's text for a report in JSON.
pub(in crate::cli) fn found<'a>(
    source: &PolicyText,
    findings: &'a [PolicyFinding],
) -> Vec<Found<'a>> {
    let place = |label| Place::of(source, label);
    let found = |finding: &'a PolicyFinding| Found {
        code: finding.code,
        severity: finding.severity,
        message: &finding.message,
        place: finding.primary.as_ref().map(place).unwrap_or_default(),
        related: finding.related.iter().map(place).collect(),
        help: finding.help.as_deref(),
    };
    findings.iter().map(found).collect()
}
