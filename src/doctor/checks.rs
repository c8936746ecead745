//! From facts to findings: one for each root cause, with all that inherit from it.

use super::cause::{Cause, causes};
use super::facts::{DoctorFacts, Kind, Sighting};
use super::finding::{Code, DoctorFinding, Severity};
use super::values::Value;

/// All findings, the worst first.
pub fn check(facts: &DoctorFacts) -> Vec<DoctorFinding> {
    let mut found = facts.findings.clone();
    for cause in causes(facts) {
        let root = cause.root;
        let value = Value {
            facts,
            name: &root.name,
            value: root.value.as_deref(),
            place: &root.place,
            in_file: false,
        };
        let mut here = value.faults();
        match facts.written.get(&root.name) {
            Some(written) => found.push(shadow(&cause, written.as_ref())),
            None => here.extend(value.meanings(&cause.says())),
        }
        found.extend(here.into_iter().map(|mut finding| {
            finding.severity = cause.severity(finding.severity);
            finding.reaches = cause.reaches();
            if finding.fix.is_empty() {
                finding.fix = cause.fix();
            }
            finding
        }));
    }
    for line in &facts.lines {
        let value = Value {
            facts,
            name: &line.name,
            value: Some(&line.value),
            place: &line.place,
            in_file: true,
        };
        let says = format!(
            "{}={} is written in {}, for every project",
            line.name, line.value, line.place
        );
        let here = value.faults().into_iter().chain(value.meanings(&says));
        found.extend(here.map(|mut finding| {
            if finding.fix.is_empty() {
                finding.fix = format!("run `go env -u {}`", line.name);
            }
            finding
        }));
    }
    let rewrites = facts.rewrites.iter();
    found.extend(rewrites.filter_map(|seen| rewritten(facts, seen)));
    found.sort_by_key(|finding| (finding.severity, finding.code));
    found
}

/// A variable that goroam writes, set elsewhere.
fn shadow(cause: &Cause<'_>, written: Option<&String>) -> DoctorFinding {
    let root = cause.root;
    let code = match root.kind {
        Kind::Shell => Code::ShadowedByShell,
        Kind::Login => Code::ShadowedByLogin,
        Kind::Manager => Code::ShadowedByManager,
        Kind::Registry => Code::ShadowedByRegistry,
        Kind::Editor => Code::ShadowedByEditor,
        Kind::Folder => Code::ShadowedInFolder,
        Kind::Here => Code::ShadowedHere,
        Kind::Process => Code::ShadowedInProcess,
    };
    let agrees = root.value.is_some() && root.value.as_ref() == written;
    let severity = if agrees {
        Severity::Warning
    } else {
        cause.severity(Severity::Error)
    };
    let why = match written {
        _ if agrees => {
            "It equals what goroam wrote, but will not follow when the network changes.".to_owned()
        }
        Some(written) => format!("It overrides what goroam wrote, {written}."),
        None => "It overrides the go env file, whatever goroam writes there.".to_owned(),
    };
    let mut finding = DoctorFinding::new(code, severity, cause.says(), cause.fix());
    finding.reaches = cause.reaches();
    finding.because(why).about(&root.name).at(&root.place)
}

/// `go env -w` in a start-up file overrides nothing, but every new terminal runs it again, and
/// goroam keeps the value since it looks like a change by hand.
fn rewritten(facts: &DoctorFacts, seen: &Sighting) -> Option<DoctorFinding> {
    facts.written.get(&seen.name)?;
    let Sighting { name, place, .. } = seen;
    let value = seen.value.as_deref().unwrap_or("a value");
    let says = format!("`go env -w` in {place} sets {name} in the go env file to {value}");
    let severity = if seen.certain && !seen.foreign {
        Severity::Error
    } else {
        Severity::Warning
    };
    let mut finding =
        DoctorFinding::new(Code::RewrittenByShell, severity, says, "delete that line");
    finding.reaches.clone_from(&seen.reaches);
    let why = "Every start overwrites what goroam wrote and counts as a change by hand.";
    Some(finding.because(why).about(name).at(place))
}
