//! `[agent]` and `[probe]`.

use std::path::PathBuf;
use std::time::Duration;

use super::PolicyLocation;
use super::reader::{Node, Reader, Table, quoted};
use super::values::{duration, expand_path};
use crate::model::Limits;
use crate::model::text::parse_size;
use crate::policy::finding::{PolicyFinding, nearest};
use crate::policy::profile::{AgentSettings, MirrorSettings, OnDrift, Policy};

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
    place: PolicyLocation<'_>,
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
            PolicyFinding::warning(
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
            let finding = PolicyFinding::error(
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

fn go(reader: &mut Reader<'_>, node: &Node<'_>, place: PolicyLocation<'_>) -> Option<PathBuf> {
    let text = reader.string(node, "go", "go = \"/usr/local/go/bin/go\"")?;
    expand_path(reader, &text, place)
}

const KEYS: [&str; 3] = ["path", "keep_ready", "max_size"];

/// Reads `[mirror]`.
pub(super) fn mirror(
    reader: &mut Reader<'_>,
    node: Option<&Node<'_>>,
    place: PolicyLocation<'_>,
) -> MirrorSettings {
    let mut mirror = MirrorSettings::default();
    let Some(table) = node.and_then(|node| reader.table(node, "`mirror`", "[mirror]")) else {
        return mirror;
    };
    let table = Table {
        what: "[mirror]".to_owned(),
        ..table
    };
    reader.only(&table, &KEYS);
    if let Some(node) = table.get("path") {
        mirror.path = reader
            .string(node, "path", "path = \"~/go-mirror\"")
            .and_then(|text| expand_path(reader, &text, place));
    }
    if let Some(node) = table.get("keep_ready") {
        mirror.keep_ready = reader.boolean(node, "keep_ready").unwrap_or(false);
    }
    if let Some(node) = table.get("max_size") {
        mirror.max_size = size(reader, node).unwrap_or(mirror.max_size);
    }
    mirror
}

/// A size in words, `5GB`; at least something.
fn size(reader: &mut Reader<'_>, node: &Node<'_>) -> Option<u64> {
    const EXAMPLE: &str = "max_size = \"5GB\"";
    let text = reader.string(node, "max_size", EXAMPLE)?;
    let why = match parse_size(text.value) {
        Ok(0) => "nothing fits into it: leave `keep_ready` out instead".to_owned(),
        Ok(size) => return Some(size),
        Err(why) => why,
    };
    let message = format!("{} is not a size: {why}", quoted(text.value));
    let finding = PolicyFinding::error("bad-size", message, text.span);
    reader.report(finding.help(format!("for example: {EXAMPLE}")));
    None
}

/// `keep_ready` that no profile allows does nothing.
pub(super) fn nowhere_allowed(reader: &mut Reader<'_>, policy: &Policy, node: Option<&Node<'_>>) {
    if !policy.mirror.keep_ready || policy.profiles.iter().any(|profile| profile.keep_ready) {
        return;
    }
    let table = node.and_then(|node| node.get_ref().as_table());
    let Some((key, _)) = table.and_then(|table| table.get_key_value("keep_ready")) else {
        return;
    };
    reader.report(
        PolicyFinding::warning(
            "keep-ready-nowhere",
            "no profile allows it, so nothing is ever downloaded",
            key.span(),
        )
        .help("add `keep_ready = true` to the profiles of networks where downloads are welcome"),
    );
}
