//! `[target.NAME]`.

use std::collections::BTreeMap;

use super::Place;
use super::agent::{LIMIT_KEYS, limits};
use super::certificate::Certificate;
use super::kinds::{self, KINDS};
use super::reader::{Node, Reader, Table, Text, quoted};
use super::values::{expand_path, pin};
use crate::model::{Limits, Target};
use crate::policy::finding::Finding;

/// The keys that go with a kind, beside the time limits.
fn keys_of(kind: &str) -> &'static [&'static str] {
    match kind {
        "goproxy" => &["private", "ca", "pin", "module", "sum"],
        "sumdb" => &["via", "ca", "pin"],
        "https" => &["status", "body", "ca", "pin"],
        _ => &[],
    }
}

/// Every key that some target may have.
const KEYS: [&str; 20] = [
    "goproxy",
    "sumdb",
    "https",
    "icmp",
    "tcp",
    "listening",
    "mirror",
    "private",
    "ca",
    "pin",
    "module",
    "sum",
    "via",
    "status",
    "body",
    "connect",
    "first_byte",
    "patience",
    "total",
    "retries",
];

/// Reads all targets; those with a fault are left out.
pub(super) fn targets(
    reader: &mut Reader<'_>,
    table: &Table<'_, '_>,
    defaults: Limits,
    place: Place<'_>,
) -> BTreeMap<String, Target> {
    let mut targets = BTreeMap::new();
    for (i, (name, node)) in table.entries().enumerate() {
        if i == MOST_PARTS {
            reader.report(too_many("targets", name.span));
            break;
        }
        if let Some(target) = target(reader, &name, node, defaults, place) {
            targets.insert(name.value.to_owned(), target);
        }
    }
    targets
}

/// Targets, and profiles. Each target is a probe, and each profile is walked at every decision.
pub(super) const MOST_PARTS: usize = 256;

/// The finding that says so.
pub(super) fn too_many(what: &str, span: std::ops::Range<usize>) -> Finding {
    let message = format!("more than {MOST_PARTS} {what}");
    Finding::error("too-many", message, span)
}

/// Notes a name that cannot be typed or printed.
pub(super) fn check_name(reader: &mut Reader<'_>, name: &Text<'_>, of: &str) -> bool {
    let usable = !name.value.trim().is_empty()
        && name.value.trim() == name.value
        && name.value.chars().count() <= 64
        && !name.value.contains(char::is_control);
    if !usable {
        let message = format!("{} cannot be the name of a {of}", quoted(name.value));
        reader.report(
            Finding::error("bad-name", message, name.span.clone())
                .help("use 1 to 64 letters, digits, `-`, `_` or `.`"),
        );
    }
    usable
}

fn target(
    reader: &mut Reader<'_>,
    name: &Text<'_>,
    node: &Node<'_>,
    defaults: Limits,
    place: Place<'_>,
) -> Option<Target> {
    let what = format!("[target.{}]", name.value);
    let named = check_name(reader, name, "target");
    let table = reader.table(node, &what, "[target.corp] goproxy = \"https://…\"")?;
    let kinds: Vec<(&str, &Node<'_>)> = KINDS
        .iter()
        .filter_map(|(kind, _)| Some((*kind, table.get(kind)?)))
        .collect();
    let (kind, value) = match kinds.as_slice() {
        [one] => *one,
        [] => {
            reader.only(&table, &KEYS);
            no_kind(reader, &table);
            return None;
        }
        [(first, _), (second, _), ..] => {
            let span = table.key_span(second).unwrap_or_else(|| table.span.clone());
            let other = table.key_span(first).unwrap_or_else(|| table.span.clone());
            reader.only(&table, &KEYS);
            reader.report(
                Finding::error(
                    "several-kinds",
                    format!("{what} cannot be both `{first}` and `{second}`"),
                    span,
                )
                .related(other, "the other one")
                .help("make two targets: a profile can ask for both with `all`"),
            );
            return None;
        }
    };
    only_keys_of(reader, &table, kind);
    let limits = limits(reader, &table, defaults);
    let private = table
        .get("private")
        .and_then(|node| reader.boolean(node, "private"))
        .unwrap_or(false);
    let mut ca = Vec::new();
    let mut pins = Vec::new();
    let errors_before = reader.findings.len();
    if let Some(node) = table.get("ca") {
        for text in reader.strings(node, "ca", "ca = \"corp-ca.pem\"") {
            let Some(path) = expand_path(reader, &text, place) else {
                continue;
            };
            reader.certificates.push(Certificate {
                path: path.clone(),
                span: text.span,
            });
            ca.push(path);
        }
    }
    if let Some(node) = table.get("pin") {
        let texts = reader.strings(node, "pin", "pin = [\"sha256/…\"]");
        if texts.is_empty() && reader.findings.len() == errors_before {
            reader.report(
                Finding::error("bad-pin", "an empty list of pins pins nothing", node.span())
                    .help("leave `pin` out, or name at least one key"),
            );
        }
        for text in texts {
            pins.extend(pin(reader, &text));
        }
    }
    // A pin that was not understood must not become a target without pins.
    let sound = reader.findings.len() == errors_before;
    let kind = kinds::read(reader, kind, value, &table, place)?;
    let target = Target {
        name: name.value.to_owned(),
        kind,
        limits,
        private,
        ca,
        pins,
    };
    needs_tls(reader, &table, &target);
    (named && sound).then_some(target)
}

/// `pin` and `ca` look like proof, and over plain http nobody asks for it.
fn needs_tls(reader: &mut Reader<'_>, table: &Table<'_, '_>, target: &Target) {
    if !target.asks_in_the_clear() {
        return;
    }
    for key in ["pin", "ca"] {
        if let Some(span) = table.key_span(key) {
            let message = format!("`{key}` proves nothing here: plain http shows no certificate");
            reader.report(
                Finding::warning("needs-tls", message, span)
                    .help("ask it over https, or take it out"),
            );
        }
    }
}

fn no_kind(reader: &mut Reader<'_>, table: &Table<'_, '_>) {
    let examples: Vec<&str> = KINDS.iter().map(|(_, example)| *example).collect();
    reader.report(
        Finding::error(
            "no-kind",
            format!("{} does not say what is to be asked", table.what),
            table.span.clone(),
        )
        .help(format!("give it one of: {}", examples.join(", "))),
    );
}

fn only_keys_of(reader: &mut Reader<'_>, table: &Table<'_, '_>, kind: &str) {
    let allowed: Vec<&str> = [kind]
        .into_iter()
        .chain(keys_of(kind).iter().copied())
        .chain(LIMIT_KEYS)
        .collect();
    for (key, _) in table.entries() {
        if allowed.contains(&key.value) {
            continue;
        }
        if KEYS.contains(&key.value) {
            let owners: Vec<&str> = KINDS
                .iter()
                .map(|(kind, _)| *kind)
                .filter(|kind| keys_of(kind).contains(&key.value))
                .collect();
            reader.report(
                Finding::error(
                    "key-of-other-kind",
                    format!("`{}` does not belong to a `{kind}` target", key.value),
                    key.span.clone(),
                )
                .help(format!("it belongs to: {}", owners.join(", "))),
            );
        } else {
            reader.unknown_key(&key, &table.what, &allowed);
        }
    }
}
