//! `[agent]` and `[probe]`.

use std::path::PathBuf;
use std::time::Duration;

use super::Place;
use super::reader::{Node, Reader, Table, quoted};
use super::values::{duration, expand_path};
use crate::model::Limits;
use crate::policy::finding::Finding;
use crate::policy::nearest::nearest;
use crate::policy::profile::{AgentSettings, OnDrift};

/// The keys of `[probe]`, which every target may have too.
pub(super) const LIMIT_KEYS: [&str; 5] = ["connect", "first_byte", "patience", "total", "retries"];

const AGENT_KEYS: [&str; 7] = [
    "recheck", "settle", "fall", "rise", "on_drift", "go", "notify",
];

/// Shorter than this, rounds would overlap; a month is for ever.
const RECHECK: (Duration, Duration) =
    (Duration::from_millis(100), Duration::from_secs(31 * 86_400));
const SETTLE: (Duration, Duration) = (Duration::ZERO, Duration::from_secs(60));
/// A probe that may take longer than this says nothing about the network of now.
const LIMIT: (Duration, Duration) = (Duration::from_millis(1), Duration::from_secs(300));

/// Reads `[agent]`.
pub(super) fn agent(
    reader: &mut Reader<'_>,
    node: Option<&Node<'_>>,
    place: Place<'_>,
) -> AgentSettings {
    let mut agent = AgentSettings::default();
    let Some(table) = node.and_then(|node| reader.table(node, "`agent`", "[agent]")) else {
        return agent;
    };
    let table = Table {
        what: "[agent]".to_owned(),
        ..table
    };
    reader.only(&table, &AGENT_KEYS);
    if let Some(node) = table.get("recheck") {
        if node.get_ref().as_str() == Some("off") {
            agent.recheck = None;
        } else if let Some(value) = duration(reader, node, "recheck", "10m", RECHECK) {
            agent.recheck = Some(value);
        }
    }
    if let Some(node) = table.get("settle")
        && let Some(value) = duration(reader, node, "settle", "200ms", SETTLE)
    {
        agent.settle = value;
    }
    if let Some(node) = table.get("fall") {
        agent.fall = reader.number(node, "fall", 1..=100).unwrap_or(agent.fall);
    }
    if let Some(node) = table.get("rise") {
        agent.rise = reader.number(node, "rise", 1..=100).unwrap_or(agent.rise);
    }
    if let Some(node) = table.get("on_drift") {
        agent.on_drift = on_drift(reader, node).unwrap_or(agent.on_drift);
    }
    if let Some(node) = table.get("go") {
        agent.go = go(reader, node, place);
    }
    if let Some(node) = table.get("notify") {
        agent.notify = reader.boolean(node, "notify").unwrap_or(agent.notify);
    }
    agent
}

/// Reads the time limits of `[probe]` or of one target, over those that hold otherwise.
pub(super) fn limits(reader: &mut Reader<'_>, table: &Table<'_, '_>, defaults: Limits) -> Limits {
    let mut limits = defaults;
    for (key, example, field) in [
        ("connect", "3s", &mut limits.connect),
        ("first_byte", "5s", &mut limits.first_byte),
        ("patience", "60s", &mut limits.patience),
        ("total", "8s", &mut limits.total),
    ] {
        if let Some(node) = table.get(key)
            && let Some(value) = duration(reader, node, key, example, LIMIT)
        {
            *field = value;
        }
    }
    // Who says how long to wait for a first byte means it, also where a cache may be cold.
    if table.get("first_byte").is_some() && table.get("patience").is_none() {
        limits.patience = limits.first_byte;
    }
    // A longer wait that the whole try cuts short would be none.
    if table.get("total").is_none() && limits.first_byte > defaults.first_byte {
        limits.total = limits
            .total
            .max(limits.connect.saturating_add(limits.first_byte));
    }
    if let Some(node) = table.get("retries") {
        limits.retries = reader
            .number(node, "retries", 0..=10)
            .unwrap_or(limits.retries);
    }
    if let Some(node) = table.get("total")
        && limits.total < limits.connect
    {
        reader.report(
            Finding::warning(
                "limits-order",
                "`total` is shorter than `connect`, so `connect` never runs out",
                node.span(),
            )
            .help("make `total` at least `connect` + `first_byte`"),
        );
    }
    limits
}

/// Reads `[probe]`.
pub(super) fn probe(reader: &mut Reader<'_>, node: Option<&Node<'_>>) -> Limits {
    let Some(table) = node.and_then(|node| reader.table(node, "`probe`", "[probe]")) else {
        return Limits::default();
    };
    let table = Table {
        what: "[probe]".to_owned(),
        ..table
    };
    reader.only(&table, &LIMIT_KEYS);
    limits(reader, &table, Limits::default())
}

fn on_drift(reader: &mut Reader<'_>, node: &Node<'_>) -> Option<OnDrift> {
    let text = reader.string(node, "on_drift", "on_drift = \"respect\"")?;
    match text.value {
        "respect" => Some(OnDrift::Respect),
        "restore" => Some(OnDrift::Restore),
        other => {
            let finding = Finding::error(
                "bad-value",
                format!("`on_drift` cannot be {}", quoted(other)),
                text.span,
            );
            reader.report(match nearest(other, ["respect", "restore"].into_iter()) {
                Some(near) => finding.help(format!("write \"{near}\"")),
                None => finding.help(
                    "\"respect\" leaves it until the next switch, \"restore\" writes it again",
                ),
            });
            None
        }
    }
}

fn go(reader: &mut Reader<'_>, node: &Node<'_>, place: Place<'_>) -> Option<PathBuf> {
    let text = reader.string(node, "go", "go = \"/usr/local/go/bin/go\"")?;
    expand_path(reader, &text, place)
}
