//! The status as a text for a window: shorter than `goroam status`, for whoever has no
//! terminal at hand.

use super::condition::notes;
use super::tooltip::headline;
use super::words::{ago, clean};
use crate::model::status::{Status, TargetStatus};

/// One fact in a line.
const FACT_CHARACTERS: usize = 200;

/// The text; `None`: no agent answers.
pub(super) fn text(status: Option<&Status>, now: &jiff::Zoned) -> String {
    let Some(status) = status else {
        return "No agent is running. go env stays as it was set last.\n\
                Start it with: goroam service start\n"
            .to_owned();
    };
    let mut lines = vec![headline(status, now)];
    lines.extend(status.since.map(|since| format!("for {}", ago(since, now))));
    lines.extend(status.why.as_deref().map(clean_fact));
    lines.push(String::new());
    lines.push(format!("network: {}", network(status)));
    let variables = status.applied.iter();
    lines.extend(variables.map(|(name, value)| clean_fact(&format!("{name} = {value}"))));
    lines.push(String::new());
    lines.extend(status.targets.iter().map(target));
    let notes = notes(status);
    if !notes.is_empty() {
        lines.push(String::new());
        lines.extend(notes.iter().map(|note| format!("! {}", clean_fact(note))));
    }
    lines.push(String::new());
    lines.push(format!("policy: {}", clean_fact(&status.policy)));
    lines.join("\n") + "\n"
}

fn network(status: &Status) -> String {
    let routes = status.network.default_routes.iter();
    let routes: Vec<String> = routes
        .map(|route| match &route.gateway {
            Some(gateway) => format!("{} via {gateway}", route.link),
            None => route.link.clone(),
        })
        .collect();
    if routes.is_empty() {
        "no default route".to_owned()
    } else {
        clean_fact(&routes.join(", "))
    }
}

fn target(target: &TargetStatus) -> String {
    let verdict = match target.verdict {
        Some(verdict) => format!("{verdict}: "),
        None => String::new(),
    };
    clean_fact(&format!("{} · {verdict}{}", target.name, target.reason))
}

fn clean_fact(text: &str) -> String {
    clean(text, FACT_CHARACTERS)
}
