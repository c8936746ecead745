//! From facts to findings: one for each root cause, with its echoes.

use super::cause::{Cause, causes};
use super::facts::{Facts, Kind};
use super::finding::{Code, Finding, Severity};
use super::house;
use super::meaning;
use super::project;
use super::words;
use crate::model::order;

/// All findings, the worst first.
pub fn check(facts: &Facts) -> Vec<Finding> {
    let mut found: Vec<Finding> = causes(facts)
        .into_iter()
        .filter_map(|cause| judge(facts, &cause))
        .collect();
    found.extend(house::check(facts));
    found.extend(project::values(facts));
    found.extend(project::judge(facts));
    for (place, why) in &facts.unread {
        let says = format!("{place} could not be looked at: {why}");
        let mend = "look whether it sets a variable of go's";
        let mut finding = Finding::new(Code::Unread, Severity::Note, says, mend);
        finding.place = Some(place.clone());
        found.push(finding);
    }
    order::sort_by_key(&mut found, |finding| (finding.severity, finding.code));
    found
}

fn judge(facts: &Facts, cause: &Cause<'_>) -> Option<Finding> {
    let root = cause.root;
    let Some(written) = facts.written.get(&root.name) else {
        return meaning::judge(facts, cause);
    };
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
    let agrees = root.value.is_some() && root.value == *written;
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
    Some(Finding {
        code,
        severity,
        name: Some(root.name.clone()),
        place: Some(root.place.clone()),
        says: words::says(root),
        why,
        reaches: cause.reaches(),
        mend: words::mend(cause),
    })
}
