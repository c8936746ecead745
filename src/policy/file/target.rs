//! `[target.NAME]`.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use super::PolicyLocation;
use super::agent::{LIMIT_KEYS, limits};
use super::reader::{Certificate, Node, Reader, Table, Text, quoted};
use super::values::{credentials, expand_path, look_alikes, module, pin, proxy_url, sum, web_url};
use crate::model::target::{DEFAULT_MODULE, DEFAULT_SUM};
use crate::model::{Limits, SumDb, Target, TargetKind};
use crate::policy::finding::PolicyFinding;
use crate::policy::grammar::hash_is_right;
use crate::policy::profile::MIRROR;

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
    place: PolicyLocation<'_>,
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
pub(super) fn too_many(what: &str, span: std::ops::Range<usize>) -> PolicyFinding {
    let message = format!("more than {MOST_PARTS} {what}");
    PolicyFinding::error("too-many", message, span)
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
            PolicyFinding::error("bad-name", message, name.span.clone())
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
    place: PolicyLocation<'_>,
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
                PolicyFinding::error(
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
                PolicyFinding::error("bad-pin", "an empty list of pins pins nothing", node.span())
                    .help("leave `pin` out, or name at least one key"),
            );
        }
        for text in texts {
            pins.extend(pin(reader, &text));
        }
    }
    // A pin that was not understood must not become a target without pins.
    let sound = reader.findings.len() == errors_before;
    let kind = read_kind(reader, kind, value, &table, place)?;
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
                PolicyFinding::warning("needs-tls", message, span)
                    .help("ask it over https, or take it out"),
            );
        }
    }
}

fn no_kind(reader: &mut Reader<'_>, table: &Table<'_, '_>) {
    let examples: Vec<&str> = KINDS.iter().map(|(_, example)| *example).collect();
    reader.report(
        PolicyFinding::error(
            "no-kind",
            format!("{} does not say what to request", table.what),
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
                PolicyFinding::error(
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

/// The keys that say what a target is, each with an example.
pub(super) const KINDS: [(&str, &str); 7] = [
    ("goproxy", "goproxy = \"https://proxy.golang.org\""),
    ("sumdb", "sumdb = \"sum.golang.org\""),
    ("https", "https = \"https://github.com\""),
    ("icmp", "icmp = \"10.20.0.1\""),
    ("tcp", "tcp = \"git.corp.example:22\""),
    ("listening", "listening = \"127.0.0.1:3000\""),
    ("mirror", "mirror = \"~/go-mirror\""),
];

/// Reads the value of the key that says what a target is, and the keys that go with it.
fn read_kind(
    reader: &mut Reader<'_>,
    kind: &str,
    node: &Node<'_>,
    table: &Table<'_, '_>,
    place: PolicyLocation<'_>,
) -> Option<TargetKind> {
    let example = KINDS
        .iter()
        .find(|(name, _)| *name == kind)
        .map_or("", |(_, example)| *example);
    let text = reader.string(node, kind, example);
    match kind {
        "goproxy" => goproxy(reader, text, table),
        "sumdb" => sumdb(reader, text, table),
        "https" => https(reader, text, table),
        "icmp" => {
            let address =
                parsed::<IpAddr>(reader, &text?, "bad-address", "an IP address", example)?;
            Some(TargetKind::Icmp { address })
        }
        "tcp" => tcp(reader, &text?, example),
        "listening" => {
            let wanted = "an IP address and a port";
            let address = parsed::<SocketAddr>(reader, &text?, "bad-address", wanted, example)?;
            Some(TargetKind::Listening { address })
        }
        _ => {
            let text = text?;
            let path = match text.value {
                MIRROR => MIRROR.into(),
                _ => expand_path(reader, &text, place)?,
            };
            Some(TargetKind::Mirror { path })
        }
    }
}

fn goproxy(
    reader: &mut Reader<'_>,
    text: Option<Text<'_>>,
    table: &Table<'_, '_>,
) -> Option<TargetKind> {
    let url = text.and_then(|text| proxy_url(reader, &text, "goproxy"));
    let asked = table.get("module").map(|node| {
        let text = reader.string(
            node,
            "module",
            "module = \"git.corp.example/team/hello@v1.0.0\"",
        )?;
        module(reader, &text)
    });
    let given = table.get("sum").map(|node| {
        let text = reader.string(node, "sum", "sum = \"h1:…\"")?;
        let hash = sum(reader, &text)?;
        if asked.is_none() && hash != DEFAULT_SUM {
            reader.report(
                PolicyFinding::error(
                    "sum-without-module",
                    "`sum` without `module` refers to golang.org/x/text@v0.3.0, which has a different hash",
                    text.span,
                )
                .help("add the module that this hash belongs to: module = \"path@version\""),
            );
            return None;
        }
        Some(hash)
    });
    let default = (DEFAULT_MODULE.0.to_owned(), DEFAULT_MODULE.1.to_owned());
    // What was given and not understood must not become what is there by default.
    let (module, version) = asked.unwrap_or_else(|| Some(default.clone()))?;
    let known = (module == default.0 && version == default.1).then(|| DEFAULT_SUM.to_owned());
    let sum = match given {
        Some(sum) => Some(sum?),
        None => known,
    };
    Some(TargetKind::GoProxy {
        url: url?,
        module,
        version,
        sum,
    })
}

fn sumdb(
    reader: &mut Reader<'_>,
    text: Option<Text<'_>>,
    table: &Table<'_, '_>,
) -> Option<TargetKind> {
    let via = table.get("via").map(|node| {
        let text = reader.string(node, "via", "via = \"https://goproxy.cn\"")?;
        proxy_url(reader, &text, "via")
    });
    let text = text?;
    credentials(reader, &text);
    look_alikes(reader, &text, "sumdb");
    let bad = |message: String| {
        PolicyFinding::error("bad-sumdb", message, text.span.clone())
            .help("for example: sumdb = \"sum.golang.org\", or a verifier key `name+hash+base64`")
    };
    let db = match SumDb::parse(text.value) {
        Ok(SumDb::Off) => {
            reader.report(bad("`off` is not a database".to_owned()));
            return None;
        }
        Ok(SumDb::Database { ref key, .. }) if !hash_is_right(key) => {
            reader.report(bad("invalid verifier hash: the key is not whole".to_owned()));
            return None;
        }
        Ok(db) => db,
        Err(error) => {
            reader.report(bad(error.0.replace("GOSUMDB", "sumdb")));
            return None;
        }
    };
    if let (SumDb::Database { url: Some(_), .. }, Some(span)) = (&db, table.key_span("via")) {
        reader.report(
            PolicyFinding::error(
                "sumdb-url-and-via",
                "a database with its own URL is never requested through a proxy",
                span,
            )
            .help("take out `via`, or the URL"),
        );
        return None;
    }
    match via {
        Some(via) => Some(TargetKind::SumDb {
            db,
            via: Some(via?),
        }),
        None => Some(TargetKind::SumDb { db, via: None }),
    }
}

fn https(
    reader: &mut Reader<'_>,
    text: Option<Text<'_>>,
    table: &Table<'_, '_>,
) -> Option<TargetKind> {
    let url = text.and_then(|text| web_url(reader, &text));
    let mut status = Vec::new();
    if let Some(node) = table.get("status") {
        let items: Vec<&Node<'_>> = match node.get_ref().as_array() {
            Some(items) => items.iter().collect(),
            None => vec![node],
        };
        if items.is_empty() {
            reader.report(
                PolicyFinding::error(
                    "out-of-range",
                    "an empty list of statuses accepts nothing",
                    node.span(),
                )
                .help("leave `status` out for any 2xx or 3xx"),
            );
        }
        for item in items {
            let number = reader.number(item, "status", 100..=599)?;
            status.push(u16::try_from(number).ok()?);
        }
    }
    let body = match table.get("body") {
        Some(node) => {
            let text = reader.string(node, "body", "body = \"text it must hold\"")?;
            Some(text.value.to_owned())
        }
        None => None,
    };
    Some(TargetKind::Https {
        url: url?,
        status,
        body,
    })
}

fn tcp(reader: &mut Reader<'_>, text: &Text<'_>, example: &str) -> Option<TargetKind> {
    look_alikes(reader, text, "tcp");
    let parts = text.value.rsplit_once(':').and_then(|(host, port)| {
        let port: u16 = port.parse().ok().filter(|port| *port != 0)?;
        let bare = match host.strip_prefix('[') {
            Some(v6) => v6
                .strip_suffix(']')
                .filter(|v6| v6.parse::<IpAddr>().is_ok())?,
            None => host,
        };
        let name = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b) || b >= 0x80;
        let usable = bare != host || (!host.is_empty() && host.bytes().all(name));
        usable.then(|| (bare.to_owned(), port))
    });
    if parts.is_none() {
        reader.report(
            PolicyFinding::error(
                "bad-address",
                format!("{} is not a host with a port", quoted(text.value)),
                text.span.clone(),
            )
            .help(format!("for example: {example}")),
        );
    }
    let (host, port) = parts?;
    Some(TargetKind::Tcp { host, port })
}

/// A value that parses by itself.
pub(super) fn parsed<T: std::str::FromStr>(
    reader: &mut Reader<'_>,
    text: &Text<'_>,
    code: &'static str,
    wanted: &str,
    example: &str,
) -> Option<T> {
    let value = text.value.parse().ok();
    if value.is_none() {
        let message = format!("{} is not {wanted}", quoted(text.value));
        reader.report(
            PolicyFinding::error(code, message, text.span.clone())
                .help(format!("for example: {example}")),
        );
    }
    value
}
