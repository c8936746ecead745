//! Reads `[target.NAME]`.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

use super::agent::{LIMIT_KEYS, limits, relay_of_target};
use super::reader::{Certificate, Section, Text, Value};
use super::values::{
    credentials, expand_path, go_sum, look_alikes, module, pin, proxy_url, web_url,
};
use crate::gomod::sum::check_key;
use crate::model::target::{DEFAULT_MODULE, DEFAULT_SUM};
use crate::model::{Limits, SumDb, Target, TargetKind};
use crate::policy::finding::{PolicyFinding, quoted};
use crate::policy::profile::MIRROR;

/// The kinds of targets: the key that defines the kind, an example of its value, and the keys that
/// are allowed with it besides the time limits and `private`.
const KINDS: [(&str, &str, &[&str]); 7] = [
    (
        "goproxy",
        "\"https://proxy.golang.org\"",
        &["private", "ca", "pin", "module", "sum", "zip_sum", "relay"],
    ),
    ("sumdb", "\"sum.golang.org\"", &["via", "ca", "pin"]),
    (
        "https",
        "\"https://github.com\"",
        &["status", "body", "ca", "pin"],
    ),
    ("icmp", "\"10.20.0.1\"", &[]),
    ("tcp", "\"git.corp.example:22\"", &[]),
    ("listening", "\"127.0.0.1:3000\"", &[]),
    ("mirror", "\"~/go-mirror\"", &[]),
];

/// The maximum number of targets, and of profiles. Each target is a probe, and each profile is
/// evaluated at every decision.
pub(super) const MOST_PARTS: usize = 256;

/// Creates the finding that there are too many.
pub(super) fn too_many(most: usize, what: &str, span: Range<usize>) -> PolicyFinding {
    PolicyFinding::error("too-many", format!("more than {most} {what}"), span)
}

/// Reads all targets; those with a fault are left out.
pub(super) fn targets(table: &Section<'_>, defaults: Limits) -> BTreeMap<String, Target> {
    let mut targets = BTreeMap::new();
    for (i, name) in table.keys().enumerate() {
        if i == MOST_PARTS {
            table
                .reader
                .report(too_many(MOST_PARTS, "targets", name.span));
            break;
        }
        if let Some(target) = target(table, &name, defaults) {
            targets.insert(name.value.to_owned(), target);
        }
    }
    targets
}

/// Reports a name that cannot be typed or printed.
pub(super) fn check_name(name: &Text<'_>, of: &str) -> bool {
    let usable = !name.value.trim().is_empty()
        && name.value.trim() == name.value
        && name.value.chars().count() <= 64
        && !name.value.contains(char::is_control);
    if !usable {
        let message = format!("{} cannot be the name of a {of}", quoted(name.value));
        let help = "use 1 to 64 letters, digits, `-`, `_` or `.`";
        name.refuse::<()>("bad-name", message, help);
    }
    usable
}

fn target<'a>(targets: &Section<'a>, name: &Text<'a>, defaults: Limits) -> Option<Target> {
    let named = check_name(name, "target");
    let table = targets
        .get(name.value, "[target.corp] goproxy = \"https://…\"")?
        .table(format!("[target.{}]", name.value))?;
    let value = the_kind(&table)?;
    let limits = limits(&table, defaults);
    let private = table.boolean("private").unwrap_or(false);
    // If a value was given but not understood, the target must not be created without it.
    let errors = table.reader.errors.get();
    let relay = relay_of_target(&table);
    let mut ca = Vec::new();
    for text in texts(&table, "ca", "ca = \"corp-ca.pem\"") {
        if let Some(path) = expand_path(&text) {
            ca.push(path.clone());
            let span = text.span;
            let mut certificates = table.reader.certificates.borrow_mut();
            certificates.push(Certificate { path, span });
        }
    }
    let pins = texts(&table, "pin", "pin = [\"sha256/…\"]");
    let pins = pins.iter().filter_map(pin).collect();
    not_empty(&table, "pin");
    let kind = kind(&value, &table)?;
    let target = Target {
        name: name.value.to_owned(),
        kind,
        limits,
        relay,
        private,
        ca,
        pins,
    };
    let sound = table.reader.errors.get() == errors;
    needs_tls(&table, &target);
    (named && sound).then_some(target)
}

/// Returns the value of the one key that says what to request.
fn the_kind<'a>(table: &Section<'a>) -> Option<Value<'a>> {
    let reader = table.reader;
    let value = |(kind, example, _): &(&'static str, &str, _)| {
        table.get(kind, format!("{kind} = {example}"))
    };
    let values: Vec<Value<'a>> = KINDS.iter().filter_map(value).collect();
    let keys_of = |kind: &str| {
        KINDS
            .iter()
            .find(|one| one.0 == kind)
            .map_or(&[][..], |one| one.2)
    };
    let all = KINDS
        .iter()
        .flat_map(|(kind, _, keys)| [*kind].into_iter().chain(keys.iter().copied()))
        .chain(LIMIT_KEYS);
    let all: Vec<&str> = all.collect();
    let [value] = values.as_slice() else {
        table.only(&all);
        let [first, second, ..] = values.as_slice() else {
            let examples = KINDS.map(|(kind, example, _)| format!("{kind} = {example}"));
            let message = format!("{} does not say what to request", table.what);
            let finding = PolicyFinding::error("no-kind", message, table.span.clone());
            let help = format!("give it one of: {}", examples.join(", "));
            return reader.refuse(finding.help(help));
        };
        let place = |value: &Value<'_>| table.key_span(value.key).unwrap_or(table.span.clone());
        let (one, two) = (first.key, second.key);
        let message = format!("{} cannot be both `{one}` and `{two}`", table.what);
        return reader.refuse(
            PolicyFinding::error("several-kinds", message, place(second))
                .related(place(first), "the other one")
                .help("make two targets: a profile can ask for both with `all`"),
        );
    };
    let own: Vec<&str> = [value.key]
        .into_iter()
        .chain(keys_of(value.key).iter().copied())
        .chain(LIMIT_KEYS)
        .collect();
    for key in table.keys().filter(|key| !own.contains(&key.value)) {
        if !all.contains(&key.value) {
            table.unknown_key(&key, &own);
            continue;
        }
        let (name, kind) = (key.value, value.key);
        let message = format!("`{name}` does not belong to a `{kind}` target");
        let owners = KINDS.iter().filter(|(_, _, keys)| keys.contains(&name));
        let owners: Vec<&str> = owners.map(|(kind, ..)| *kind).collect();
        let help = format!("it belongs to: {}", owners.join(", "));
        key.refuse::<()>("key-of-other-kind", message, help);
    }
    Some(value.clone())
}

/// Returns the strings of a list; a single string is treated as a list of one.
fn texts<'a>(table: &Section<'a>, key: &'a str, example: &str) -> Vec<Text<'a>> {
    let values = table.get(key, example).map(|value| value.one_or_more());
    let values = values.unwrap_or_default().into_iter();
    values.filter_map(|value| value.string()).collect()
}

/// Reports an empty list.
fn not_empty<'a>(table: &Section<'a>, key: &'a str) {
    let (code, message, help) = match key {
        "pin" => (
            "bad-pin",
            "an empty list of pins pins nothing",
            "leave `pin` out, or name at least one key",
        ),
        _ => (
            "out-of-range",
            "an empty list of statuses accepts nothing",
            "leave `status` out for any 2xx or 3xx",
        ),
    };
    if let Some(value) = table.get(key, "")
        && value.one_or_more().is_empty()
    {
        table.reader.report(value.error(code, message).help(help));
    }
}

/// Reports `pin` and `ca` over plain http: they look like proof, but are never checked there.
fn needs_tls(table: &Section<'_>, target: &Target) {
    if !target.asks_in_the_clear() {
        return;
    }
    for key in ["pin", "ca"] {
        if let Some(span) = table.key_span(key) {
            let message = format!("`{key}` proves nothing here: plain http shows no certificate");
            let finding = PolicyFinding::warning("needs-tls", message, span);
            table
                .reader
                .report(finding.help("ask it over https, or take it out"));
        }
    }
}

/// Reads the value of the key that defines the kind of a target, and the keys that belong to it. A
/// key that was reported counts as absent: the target is left out in any case.
fn kind(value: &Value<'_>, table: &Section<'_>) -> Option<TargetKind> {
    let example = &value.example;
    let text = value.string();
    match value.key {
        "goproxy" => goproxy(text, table),
        "sumdb" => sumdb(&text?, table),
        "https" => https(text, table),
        "icmp" => {
            let address = text?.parse::<IpAddr>("bad-address", "an IP address", example)?;
            Some(TargetKind::Icmp { address })
        }
        "tcp" => tcp(&text?, example),
        "listening" => {
            let wanted = "an IP address and a port";
            let address = text?.parse::<SocketAddr>("bad-address", wanted, example)?;
            Some(TargetKind::Listening { address })
        }
        _ => {
            let text = text?;
            let path = match text.value {
                MIRROR => MIRROR.into(),
                _ => expand_path(&text)?,
            };
            Some(TargetKind::Mirror { path })
        }
    }
}

fn goproxy(text: Option<Text<'_>>, table: &Section<'_>) -> Option<TargetKind> {
    let url = text.and_then(|text| proxy_url(&text, "goproxy"));
    let default = (DEFAULT_MODULE.0.to_owned(), DEFAULT_MODULE.1.to_owned());
    let example = "module = \"git.corp.example/team/hello@v1.0.0\"";
    let asked = table.string("module", example);
    let (module, version) = asked
        .and_then(|text| module(&text))
        .unwrap_or_else(|| default.clone());
    let is_default = (&module, &version) == (&default.0, &default.1);
    let given = table.string("sum", "sum = \"h1:…\"");
    let sum = match &given {
        Some(text) => go_sum(text, "`/go.mod` line"),
        None => is_default.then(|| DEFAULT_SUM.to_owned()),
    };
    let zip = table.string("zip_sum", "zip_sum = \"h1:…\"");
    let zip_sum = zip.as_ref().and_then(|text| go_sum(text, "line"));
    let needs_module = |text: &Text<'_>, message: &str| {
        if table.key_span("module").is_none() {
            text.refuse::<()>(
                "sum-without-module",
                message,
                "add the module that this hash belongs to: module = \"path@version\"",
            );
        }
    };
    if let (Some(text), Some(sum)) = (given, &sum)
        && sum != DEFAULT_SUM
    {
        needs_module(
            &text,
            "`sum` without `module` refers to golang.org/x/text@v0.3.0, which has a different hash",
        );
    }
    if let (Some(text), Some(_)) = (zip, &zip_sum) {
        needs_module(
            &text,
            "`zip_sum` without `module` is the hash of an unknown zip",
        );
    }
    Some(TargetKind::GoProxy {
        url: url?,
        module,
        version,
        sum,
        zip_sum,
    })
}

fn sumdb(text: &Text<'_>, table: &Section<'_>) -> Option<TargetKind> {
    let via = table
        .string("via", "via = \"https://goproxy.cn\"")
        .and_then(|text| proxy_url(&text, "via"));
    credentials(text);
    look_alikes(text, "sumdb");
    let bad = |message: String| {
        let help = "for example: sumdb = \"sum.golang.org\", or a verifier key `name+hash+base64`";
        text.refuse("bad-sumdb", message, help)
    };
    let db = match SumDb::parse(text.value) {
        Ok(SumDb::Off) => return bad("`off` is not a database".to_owned()),
        Ok(SumDb::Database { ref key, .. }) if check_key(key).is_err() => {
            return bad("invalid verifier hash: the key is not whole".to_owned());
        }
        Ok(db) => db,
        Err(error) => return bad(error.0.replace("GOSUMDB", "sumdb")),
    };
    if let (SumDb::Database { url: Some(_), .. }, Some(span)) = (&db, table.key_span("via")) {
        let message = "a database with its own URL is never requested through a proxy";
        let finding = PolicyFinding::error("sumdb-url-and-via", message, span);
        return table
            .reader
            .refuse(finding.help("take out `via`, or the URL"));
    }
    Some(TargetKind::SumDb { db, via })
}

fn https(text: Option<Text<'_>>, table: &Section<'_>) -> Option<TargetKind> {
    let url = text.and_then(|text| web_url(&text));
    not_empty(table, "status");
    let status = table
        .get("status", "status = 100")
        .map(|value| value.one_or_more());
    let status = status.unwrap_or_default().into_iter();
    let status = status.filter_map(|value| u16::try_from(value.number(100..=599)?).ok());
    let status = status.collect();
    let body = table.string("body", "body = \"text it must hold\"");
    Some(TargetKind::Https {
        url: url?,
        status,
        body: body.map(|text| text.value.to_owned()),
    })
}

fn tcp(text: &Text<'_>, example: &str) -> Option<TargetKind> {
    look_alikes(text, "tcp");
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
    let Some((host, port)) = parts else {
        let message = format!("{} is not a host with a port", quoted(text.value));
        return text.refuse("bad-address", message, format!("for example: {example}"));
    };
    Some(TargetKind::Tcp { host, port })
}
