//! Reads `[agent]`, `[mirror]`, `[probe]` and `[relay]`.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::time::Duration;

use super::reader::{Section, Value};
use super::values::{duration, expand_path};
use crate::model::text::parse_size;
use crate::model::{Limits, RelayLimits};
use crate::policy::finding::{PolicyFinding, nearest, quoted};
use crate::policy::profile::{AgentSettings, MirrorSettings, OnDrift, RelaySettings};

/// The keys of `[probe]`, which every target may also have.
pub(super) const LIMIT_KEYS: [&str; 5] = ["connect", "first_byte", "patience", "total", "retries"];

/// With a shorter interval, rounds would overlap; a month is in effect never.
const RECHECK: (Duration, Duration) =
    (Duration::from_millis(100), Duration::from_secs(31 * 86_400));
const SETTLE: (Duration, Duration) = (Duration::ZERO, Duration::from_secs(60));
/// A probe that may take longer than this says nothing about the present network.
const LIMIT: (Duration, Duration) = (Duration::from_millis(1), Duration::from_secs(300));

/// Returns a table of the top level, such as `[agent]`, and reports keys other than these.
pub(super) fn section<'a>(
    root: &Section<'a>,
    name: &'a str,
    header: &str,
    keys: &[&str],
) -> Option<Section<'a>> {
    let table = root.get(name, header)?.table(format!("`{name}`"))?;
    let table = Section {
        what: header.to_owned(),
        ..table
    };
    table.only(keys);
    Some(table)
}

/// Returns the place of each key of these sections: `agent.recheck`.
pub(super) fn places(root: &Section<'_>) -> BTreeMap<String, Range<usize>> {
    let sections = [
        "agent",
        "fleet",
        "metrics",
        "mirror",
        "probe",
        "relay",
        "telemetry",
    ];
    let sections = sections.into_iter().filter_map(|name| {
        let table = root.map.get(name)?.get_ref().as_table()?.iter();
        Some(table.map(move |(key, value)| (format!("{name}.{}", key.get_ref()), value.span())))
    });
    sections.flatten().collect()
}

/// Reads `[agent]`.
pub(super) fn agent(root: &Section<'_>) -> AgentSettings {
    const KEYS: [&str; 7] = [
        "recheck", "settle", "fall", "rise", "on_drift", "go", "notify",
    ];
    let mut agent = AgentSettings::default();
    let Some(table) = section(root, "agent", "[agent]", &KEYS) else {
        return agent;
    };
    if let Some(value) = table.get("recheck", "recheck = \"10m\"") {
        agent.recheck = match value.node.get_ref().as_str() {
            Some("off") => None,
            _ => duration(&table, "recheck", "10m", RECHECK).or(agent.recheck),
        };
    }
    agent.settle = duration(&table, "settle", "200ms", SETTLE).unwrap_or(agent.settle);
    agent.fall = table.number("fall", 1..=100).unwrap_or(agent.fall);
    agent.rise = table.number("rise", 1..=100).unwrap_or(agent.rise);
    if let Some(value) = table.get("on_drift", "on_drift = \"respect\"") {
        agent.on_drift = on_drift(&value).unwrap_or(agent.on_drift);
    }
    let go = table.string("go", "go = \"/usr/local/go/bin/go\"");
    agent.go = go.and_then(|text| expand_path(&text));
    agent.notify = table.boolean("notify").unwrap_or(agent.notify);
    agent
}

fn on_drift(value: &Value<'_>) -> Option<OnDrift> {
    let text = value.string()?;
    match text.value {
        "respect" => Some(OnDrift::Respect),
        "restore" => Some(OnDrift::Restore),
        other => {
            let message = format!("`on_drift` cannot be {}", quoted(other));
            let help = match nearest(other, ["respect", "restore"].into_iter()) {
                Some(near) => format!("write \"{near}\""),
                None => "\"respect\" leaves it until the next switch, \"restore\" writes it again"
                    .to_owned(),
            };
            text.refuse("bad-value", message, help)
        }
    }
}

/// Reads `[probe]`.
pub(super) fn probe(root: &Section<'_>) -> Limits {
    match section(root, "probe", "[probe]", &LIMIT_KEYS) {
        Some(table) => limits(&table, Limits::default()),
        None => Limits::default(),
    }
}

/// Reads the time limits of `[probe]` or of one target; `defaults` holds the limits not given.
pub(super) fn limits(table: &Section<'_>, defaults: Limits) -> Limits {
    let mut limits = defaults;
    for (key, example, field) in [
        ("connect", "3s", &mut limits.connect),
        ("first_byte", "5s", &mut limits.first_byte),
        ("patience", "60s", &mut limits.patience),
        ("total", "8s", &mut limits.total),
    ] {
        *field = duration(table, key, example, LIMIT).unwrap_or(*field);
    }
    let given = |key: &str| table.key_span(key);
    // A user who sets the limit for a first byte means it also for a cold cache.
    if given("first_byte").is_some() && given("patience").is_none() {
        limits.patience = limits.first_byte;
    }
    // A longer wait would have no effect if `total` ended the try first.
    if given("total").is_none() && limits.first_byte > defaults.first_byte {
        let least = limits.connect.saturating_add(limits.first_byte);
        limits.total = limits.total.max(least);
    }
    limits.retries = table.number("retries", 0..=10).unwrap_or(limits.retries);
    if let Some(total) = table
        .map
        .get("total")
        .filter(|_| limits.total < limits.connect)
    {
        let message = "`total` is shorter than `connect`, so `connect` never runs out";
        table.reader.report(
            PolicyFinding::warning("limits-order", message, total.span())
                .help("make `total` at least `connect` + `first_byte`"),
        );
    }
    limits
}

/// Reads `[mirror]`.
pub(super) fn mirror(root: &Section<'_>) -> MirrorSettings {
    let mut mirror = MirrorSettings::default();
    let keys = ["path", "keep_ready", "max_size"];
    let Some(table) = section(root, "mirror", "[mirror]", &keys) else {
        return mirror;
    };
    let path = table.string("path", "path = \"~/go-mirror\"");
    mirror.path = path.and_then(|text| expand_path(&text));
    mirror.keep_ready = table.boolean("keep_ready").unwrap_or(false);
    if let Some(value) = table.get("max_size", "max_size = \"5GB\"") {
        mirror.max_size = size(&value).unwrap_or(mirror.max_size);
    }
    mirror
}

/// A request may fetch a zip of 500 MB over a slow line.
const DEADLINE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(3600));

/// Reads `[relay]`.
pub(super) fn relay(root: &Section<'_>) -> RelaySettings {
    let mut relay = RelaySettings::default();
    let keys = [
        "enabled",
        "listen",
        "connect",
        "first_byte",
        "stall",
        "retries",
        "deadline",
        "keep",
        "max_size",
    ];
    let Some(table) = section(root, "relay", "[relay]", &keys) else {
        return relay;
    };
    relay.enabled = table.boolean("enabled").unwrap_or(false);
    if let Some(value) = table.get("listen", "listen = \"127.0.0.1:7777\"") {
        relay.port = listen(&value).unwrap_or(relay.port);
    }
    relay.limits = relay_limits(&table);
    relay.deadline = duration(&table, "deadline", "10m", DEADLINE).unwrap_or(relay.deadline);
    if let Some(value) = table.get("max_size", "max_size = \"5GB\"") {
        relay.max_size = size(&value).unwrap_or(relay.max_size);
    }
    if let Some(value) = table.get("keep", "keep = true") {
        relay.keep = value.boolean().unwrap_or(false);
        if relay.keep && !names_mirror(root) {
            let message = "`keep` needs a mirror, and this policy names none";
            let finding = value.error("keep-nowhere", message);
            let help = "name its folder: [mirror] path = \"~/go-mirror\"";
            table.reader.report(finding.help(help));
        }
    }
    relay
}

/// Reports whether `[mirror]` has a path; whatever is wrong with it is reported elsewhere.
fn names_mirror(root: &Section<'_>) -> bool {
    let mirror = root.map.get("mirror");
    let mirror = mirror.and_then(|mirror| mirror.get_ref().as_table());
    mirror.is_some_and(|mirror| mirror.contains_key("path"))
}

/// Reads the limits of `[relay]`, or of `relay` in one target.
fn relay_limits(table: &Section<'_>) -> RelayLimits {
    RelayLimits {
        connect: duration(table, "connect", "3s", LIMIT),
        first_byte: duration(table, "first_byte", "3s", LIMIT),
        stall: duration(table, "stall", "10s", LIMIT),
        retries: table.number("retries", 0..=10),
    }
}

/// Reads `relay = { … }` of a target.
pub(super) fn relay_of_target(target: &Section<'_>) -> RelayLimits {
    let example = "relay = { first_byte = \"20s\", retries = 0 }";
    let what = format!("`relay` of {}", target.what);
    let value = target.get("relay", example);
    let Some(table) = value.and_then(|value| value.table(what)) else {
        return RelayLimits::default();
    };
    table.only(&["connect", "first_byte", "stall", "retries"]);
    relay_limits(&table)
}

/// Reads `127.0.0.1:PORT`.
fn listen(value: &Value<'_>) -> Option<u16> {
    let text = value.string()?;
    match text.value.parse() {
        Ok(SocketAddr::V4(address)) if *address.ip() == Ipv4Addr::LOCALHOST => Some(address.port()),
        Ok(_) | Err(_) => {
            let message = format!("`listen` cannot be {}", quoted(text.value));
            let help = "write \"127.0.0.1:PORT\": the relay has your credentials, so it listens on \
                        this machine only";
            text.refuse("bad-value", message, help.to_owned())
        }
    }
}

/// Parses a size in words, `5GB`; it must be greater than zero.
fn size(value: &Value<'_>) -> Option<u64> {
    let text = value.string()?;
    let why = match parse_size(text.value) {
        Ok(0) => "nothing fits into it: turn it off instead".to_owned(),
        Ok(size) => return Some(size),
        Err(why) => why,
    };
    value.refuse(
        "bad-size",
        format!("{} is not a size: {why}", quoted(text.value)),
    )
}
