//! From facts to findings: one for each root cause, with its echoes.

use super::cause::{Cause, causes};
use super::facts::{Facts, Kind, Sighting};
use super::finding::{Code, Finding, Severity};
use super::house;
use super::meaning;
use super::network;
use super::project;
use super::words;

/// All findings, the worst first.
pub fn check(facts: &Facts) -> Vec<Finding> {
    let mut found: Vec<Finding> = causes(facts)
        .into_iter()
        .flat_map(|cause| judge(facts, &cause))
        .collect();
    found.extend(
        facts
            .rewrites
            .iter()
            .filter_map(|seen| rewritten(facts, seen)),
    );
    found.extend(house::check(facts));
    found.extend(network::check(facts));
    found.extend(project::values(facts));
    found.extend(project::judge(facts));
    for (place, why) in &facts.unread {
        let says = format!("{place} could not be looked at: {why}");
        let mend = "look whether it sets a variable of go's";
        let mut finding = Finding::new(Code::Unread, Severity::Note, says, mend);
        finding.place = Some(place.clone());
        found.push(finding);
    }
    found.sort_by_key(|finding| (finding.severity, finding.code));
    found
}

fn judge(facts: &Facts, cause: &Cause<'_>) -> Vec<Finding> {
    match facts.written.get(&cause.root.name) {
        Some(written) => vec![shadow(cause, written.as_ref())],
        None => meaning::judge(facts, cause),
    }
}

/// A variable that goroam writes, set elsewhere.
fn shadow(cause: &Cause<'_>, written: Option<&String>) -> Finding {
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
    let sure = root.certain && !root.foreign && root.kind != Kind::Process;
    let severity = match !agrees && (sure || !cause.echoes.is_empty()) {
        true if root.kind != Kind::Process => Severity::Error,
        _ => Severity::Warning,
    };
    let why = match written {
        _ if agrees => {
            "It agrees with what goroam wrote, but will not follow when the network changes."
                .to_owned()
        }
        Some(written) => format!("It wins over what goroam wrote, {written}."),
        None => "It wins over the go env file, whatever goroam writes there.".to_owned(),
    };
    Finding {
        code,
        severity,
        name: Some(root.name.clone()),
        place: Some(root.place.clone()),
        says: words::says(root),
        why,
        reaches: cause.reaches(),
        mend: words::mend(cause),
    }
}

/// `go env -w` in a start-up file: no shadow, but whoever opens a terminal sets it again, and
/// goroam takes that for a change by hand, which stays.
fn rewritten(facts: &Facts, seen: &Sighting) -> Option<Finding> {
    facts.written.get(&seen.name)?;
    let value = seen.value.as_deref().unwrap_or("something");
    let says = format!(
        "{} in the go env file is set to {value} by `go env -w` in {}",
        seen.name, seen.place
    );
    let severity = if seen.certain && !seen.foreign {
        Severity::Error
    } else {
        Severity::Warning
    };
    let mut finding = Finding::new(Code::RewrittenByShell, severity, says, "delete that line")
        .because("Each start writes over what goroam wrote, and counts as a change by hand.");
    finding.name = Some(seen.name.clone());
    finding.place = Some(seen.place.clone());
    finding.reaches.clone_from(&seen.reaches);
    Some(finding)
}
