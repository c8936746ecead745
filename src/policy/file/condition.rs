//! Reads `when`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;

use super::reader::{Section, Text, Value};
use crate::model::LinkKind;
use crate::model::pattern::glob_match;
use crate::policy::finding::{nearest, quoted};
use crate::policy::profile::Condition;

/// Deeper conditions are refused: people cannot read them, and every walk over them is recursive.
const DEEPEST: usize = 32;

/// The keys of the conditions.
const KEYS: [&str; 15] = [
    "up",
    "down",
    "at_least",
    "portal",
    "online",
    "interface",
    "subnet",
    "gateway",
    "dns_server",
    "search_domain",
    "ssid",
    "env",
    "all",
    "any",
    "not",
];

/// Reads a condition.
pub(super) fn condition(value: &Value<'_>, depth: usize) -> Option<Condition> {
    let reader = value.reader;
    if depth > DEEPEST {
        let message = format!("conditions can be nested {DEEPEST} deep at most");
        return reader.refuse(value.error("too-deep", message));
    }
    let value = Value {
        example: "{ up = \"corp\" }".to_owned(),
        ..value.clone()
    };
    let table = value.table("a condition")?;
    table.only(&KEYS);
    let mut known: Vec<Text<'_>> = table
        .keys()
        .filter(|key| KEYS.contains(&key.value))
        .collect();
    known.sort_by_key(|key| key.span.start);
    match known.as_slice() {
        [] if table.map.is_empty() => {
            let help = format!("give it one of: {}", KEYS.join(", "));
            let finding = value.error("empty-condition", "this condition is empty");
            reader.report(finding.help(help));
        }
        [first, second, ..] => {
            let (one, two) = (first.value, second.value);
            reader.report(
                second
                    .error("several-conditions", "one table holds one condition")
                    .related(first.span.clone(), "the first one")
                    .help(format!("all = [ {{ {one} = … }}, {{ {two} = … }} ]")),
            );
        }
        _ => {}
    }
    // The rest is checked even after a fault: one run shows every fault.
    let mut read = known.iter().map(|key| one(&table, key.value, depth));
    let first = read.next()?;
    read.for_each(drop);
    first.filter(|_| table.map.len() == 1)
}

fn one<'a>(table: &Section<'a>, key: &'a str, depth: usize) -> Option<Condition> {
    let value = |example: &str| table.get(key, format!("{key} = {example}"));
    let text = |example: &str| value(example)?.string();
    let address = || {
        let value = value("\"10.0.0.1\"")?;
        let wanted = "an IP address";
        value
            .string()?
            .parse::<IpAddr>("bad-address", wanted, &value.example)
    };
    match key {
        "up" => target_name(&value("\"corp\"")?).map(Condition::Up),
        "down" => target_name(&value("\"corp\"")?).map(Condition::Down),
        "at_least" => at_least(&value("{ n = 2, of = [\"proxy\", \"cn\", \"io\"] }")?),
        "portal" => table.boolean(key).map(Condition::Portal),
        "online" => table.boolean(key).map(Condition::Online),
        "interface" => interface(&value("\"wlan*\", or interface = { kind = \"wifi\" }")?),
        "subnet" => {
            let value = value("\"10.0.0.0/8\"")?;
            let net: IpNet = value
                .string()?
                .parse("bad-subnet", "a subnet", &value.example)?;
            Some(Condition::Subnet(net.trunc()))
        }
        "gateway" => address().map(Condition::Gateway),
        "dns_server" => address().map(Condition::DnsServer),
        "search_domain" => search_domain(&text("\"corp.example\"")?).map(Condition::SearchDomain),
        "ssid" => {
            let value = value("\"Corp Wi-Fi\"")?;
            match value.string()?.value {
                "" => value.refuse("bad-value", "`ssid` is empty"),
                ssid => Some(Condition::Ssid(ssid.to_owned())),
            }
        }
        "env" => env(&value("{ SITE = \"lab\" }")?),
        "all" | "any" => {
            let value = value("[ { up = \"corp\" }, { portal = false } ]")?;
            let parts = parts(&value, depth)?;
            Some(match key {
                "all" => Condition::All(parts),
                _ => Condition::Any(parts),
            })
        }
        _ => Some(Condition::Not(Box::new(condition(&value("")?, depth + 1)?))),
    }
}

/// Reads the name of a target that must be defined.
pub(super) fn target_name(value: &Value<'_>) -> Option<String> {
    let text = value.string()?;
    let reader = value.reader;
    let known = reader.names.iter().filter(|(name, _)| name == text.value);
    let known = known.min_by_key(|(_, place)| reader.kind(place));
    if let Some((name, place)) = known
        && reader.kind(place) <= reader.kind(&text.span)
    {
        return Some(name.clone());
    }
    let message = format!("no target is called {}", quoted(text.value));
    let finding = text.error("unknown-target", message);
    if let Some((_, place)) = known {
        let finding = finding.related(place.clone(), "a higher layer may be missing elsewhere");
        return reader.refuse(finding.help("define the target in this layer, or below it"));
    }
    let names = Vec::from_iter(reader.names.iter().map(|(name, _)| name.as_str()));
    value
        .reader
        .refuse(match value.reader.suggest(text.value, &names) {
            Some(near) => finding
                .label(format!("did you mean `{near}`?"))
                .help(format!("write \"{near}\"")),
            None => finding.help(format!("define it: [target.{}]", example_name(text.value))),
        })
}

fn example_name(name: &str) -> &str {
    let bare = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
    if (1..=64).contains(&name.len()) && name.bytes().all(bare) {
        name
    } else {
        "NAME"
    }
}

fn parts(value: &Value<'_>, depth: usize) -> Option<Vec<Condition>> {
    let items = value.list("a list of conditions")?;
    if items.is_empty() {
        let always = match value.key {
            "all" => "an empty `all` always holds",
            _ => "an empty `any` never holds",
        };
        let message = format!("{always}, which is probably not intended");
        let finding = value.error("empty-condition", message);
        let help = "put conditions into it, or leave it out";
        return value.reader.refuse(finding.help(help));
    }
    let read = items.iter().map(|item| condition(item, depth + 1));
    read.collect::<Vec<_>>().into_iter().collect()
}

fn at_least(value: &Value<'_>) -> Option<Condition> {
    let table = value.table("`at_least`")?;
    table.only(&["n", "of"]);
    let example = || value.example.clone();
    let (n_value, of_value) = (table.get("n", "n = 1"), table.get("of", example()));
    if n_value.is_none() || of_value.is_none() {
        value.refuse::<()>("missing-key", "`at_least` needs both `n` and `of`");
    }
    // The rest is checked even after a fault: one run shows every fault.
    let n = n_value
        .as_ref()
        .and_then(|value| value.number(1..=u32::MAX));
    let items = of_value?.list("a list of targets")?;
    let of: Vec<Option<String>> = items.iter().map(target_name).collect();
    let of: Vec<String> = of.into_iter().collect::<Option<_>>()?;
    let (n_value, n) = (n_value?, usize::try_from(n?).ok()?);
    if named_twice(&items, &of) {
        return None;
    }
    if n > of.len() {
        let message = format!("{n} of {} can never be up", of.len());
        return value.reader.refuse(n_value.error("out-of-range", message));
    }
    Some(Condition::AtLeast { n, of })
}

/// Reports the first name that is in a list twice.
pub(super) fn named_twice(items: &[Value<'_>], names: &[String]) -> bool {
    let mut seen = BTreeSet::new();
    let mut named = names.iter().zip(items);
    let twice = named.find(|(name, _)| !seen.insert(*name));
    if let Some((name, item)) = twice {
        let message = format!("{} is named twice", quoted(name));
        item.reader.report(item.error("named-twice", message));
    }
    twice.is_some()
}

/// `interface`: a pattern of names, or a kind.
fn interface(value: &Value<'_>) -> Option<Condition> {
    if !value.node.get_ref().is_table() {
        let text = value.string()?;
        if text.value.is_empty() || glob_match(text.value, "").is_err() {
            let message = format!("{} is not a name pattern", quoted(text.value));
            let help = "`*`, `?` and `[a-z]` are known; `[` needs its `]`";
            return text.refuse("bad-glob", message, help);
        }
        return Some(Condition::InterfaceName(text.value.to_owned()));
    }
    let table = value.table("`interface`")?;
    table.only(&["kind"]);
    if table.map.is_empty() {
        return value.refuse("missing-key", "`interface` needs a `kind`");
    }
    let text = table.string("kind", value.example.clone())?;
    link_kind(&text).map(Condition::InterfaceKind)
}

/// Reads a kind of interface.
pub(super) fn link_kind(text: &Text<'_>) -> Option<LinkKind> {
    LinkKind::parse(text.value).or_else(|| {
        let words = LinkKind::ALL.map(|kind| kind.to_string());
        let message = format!("{} is not a kind of interface", quoted(text.value));
        let help = match nearest(text.value, words.iter().map(String::as_str)) {
            Some(near) => format!("write \"{near}\""),
            None => format!("one of {}", words.join(", ")),
        };
        text.refuse("bad-kind", message, help)
    })
}

/// Reads a search domain: lower case, no dot at its end.
pub(super) fn search_domain(text: &Text<'_>) -> Option<String> {
    let domain = text.value.strip_suffix('.').unwrap_or(text.value);
    let label = |label: &str| {
        let name = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
        !label.is_empty() && label.chars().all(name)
    };
    if domain.split('.').all(label) {
        return Some(domain.to_lowercase());
    }
    let message = format!("{} is not a domain name", quoted(text.value));
    let help = "for example: search_domain = \"corp.example\"";
    text.refuse("bad-domain", message, help)
}

/// `env`: the values that the agent's environment must have.
fn env(value: &Value<'_>) -> Option<Condition> {
    let table = value.table("`env`")?;
    if table.map.is_empty() {
        return value.refuse("empty-condition", "an empty `env` always holds");
    }
    let read = |name: Text<'_>| {
        if name.value.is_empty() || name.value.contains(['=', '\0']) {
            let message = format!("{} cannot be the name of a variable", quoted(name.value));
            return name.reader.refuse(name.error("bad-name", message));
        }
        let text = table.string(name.value, value.example.clone())?;
        Some((name.value.to_owned(), text.value.to_owned()))
    };
    let wanted: Vec<Option<(String, String)>> = table.keys().map(read).collect();
    let wanted: Option<BTreeMap<String, String>> = wanted.into_iter().collect();
    wanted.map(Condition::Env)
}
