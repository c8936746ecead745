//! `when`.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use super::reader::{Node, Reader, Table, Text, quoted};
use super::target::parsed;
use crate::model::LinkKind;
use crate::model::pattern::glob_match;
use crate::policy::finding::{PolicyFinding, nearest};
use crate::policy::profile::Condition;

/// Deeper conditions are refused: nobody can read them, and every walk of them is a recursion.
const DEEPEST: usize = 32;

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

/// The names of the targets that are defined, rightly or wrongly.
pub(super) type Names<'a> = [&'a str];

/// Reads a condition.
pub(super) fn condition(
    reader: &mut Reader<'_>,
    node: &Node<'_>,
    names: &Names<'_>,
    depth: usize,
) -> Option<Condition> {
    if depth > DEEPEST {
        let message = format!("conditions can be nested {DEEPEST} deep at most");
        reader.report(PolicyFinding::error("too-deep", message, node.span()));
        return None;
    }
    let table = reader.table(node, "a condition", "{ up = \"corp\" }")?;
    let table = Table {
        what: "a condition".to_owned(),
        ..table
    };
    let known: Vec<(Text<'_>, &Node<'_>)> = table
        .entries()
        .filter(|(key, _)| KEYS.contains(&key.value))
        .collect();
    reader.only(&table, &KEYS);
    let mut known = known;
    known.sort_by_key(|(key, _)| key.span.start);
    match known.as_slice() {
        [(key, value)] if table.map.len() == 1 => one(reader, key, value, names, depth),
        [(key, value)] => {
            // What else stands there is unknown and was reported; this part is checked all the same.
            one(reader, key, value, names, depth);
            None
        }
        [] => {
            if table.map.is_empty() {
                reader.report(
                    PolicyFinding::error("empty-condition", "this condition is empty", table.span)
                        .help(format!("give it one of: {}", KEYS.join(", "))),
                );
            }
            None
        }
        [(first, _), (second, _), ..] => {
            reader.report(
                PolicyFinding::error(
                    "several-conditions",
                    "one table holds one condition",
                    second.span.clone(),
                )
                .related(first.span.clone(), "the first one")
                .help(format!(
                    "all = [ {{ {} = … }}, {{ {} = … }} ]",
                    first.value, second.value
                )),
            );
            for (key, value) in &known {
                one(reader, key, value, names, depth);
            }
            None
        }
    }
}

/// Reads the name of a target that must be defined.
pub(super) fn target_name(
    reader: &mut Reader<'_>,
    node: &Node<'_>,
    key: &str,
    names: &Names<'_>,
) -> Option<String> {
    let text = reader.string(node, key, &format!("{key} = \"corp\""))?;
    if names.contains(&text.value) {
        return Some(text.value.to_owned());
    }
    let finding = PolicyFinding::error(
        "unknown-target",
        format!("no target is called {}", quoted(text.value)),
        text.span,
    );
    reader.report(match reader.suggest(text.value, names) {
        Some(near) => finding
            .label(format!("did you mean `{near}`?"))
            .help(format!("write \"{near}\"")),
        None => finding.help(format!("define it: [target.{}]", example_name(text.value))),
    });
    None
}

fn example_name(name: &str) -> &str {
    let bare = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
    if !name.is_empty() && name.len() <= 64 && name.bytes().all(bare) {
        name
    } else {
        "NAME"
    }
}

fn one(
    reader: &mut Reader<'_>,
    key: &Text<'_>,
    node: &Node<'_>,
    names: &Names<'_>,
    depth: usize,
) -> Option<Condition> {
    let key = key.value;
    match key {
        "up" => target_name(reader, node, key, names).map(Condition::Up),
        "down" => target_name(reader, node, key, names).map(Condition::Down),
        "at_least" => at_least(reader, node, names),
        "portal" => reader.boolean(node, key).map(Condition::Portal),
        "online" => reader.boolean(node, key).map(Condition::Online),
        "interface" => interface(reader, node),
        "subnet" => subnet(reader, node),
        "gateway" => address(reader, node, key).map(Condition::Gateway),
        "dns_server" => address(reader, node, key).map(Condition::DnsServer),
        "search_domain" => search_domain(reader, node),
        "ssid" => nonempty(reader, node, key, "ssid = \"Corp Wi-Fi\"").map(Condition::Ssid),
        "env" => env(reader, node),
        "all" => parts(reader, node, key, names, depth).map(Condition::All),
        "any" => parts(reader, node, key, names, depth).map(Condition::Any),
        _ => {
            let part = condition(reader, node, names, depth + 1)?;
            Some(Condition::Not(Box::new(part)))
        }
    }
}

fn parts(
    reader: &mut Reader<'_>,
    node: &Node<'_>,
    key: &str,
    names: &Names<'_>,
    depth: usize,
) -> Option<Vec<Condition>> {
    let Some(items) = node.get_ref().as_array() else {
        let example = format!("{key} = [ {{ up = \"corp\" }}, {{ portal = false }} ]");
        reader.wrong_type(node, &format!("`{key}`"), "a list of conditions", &example);
        return None;
    };
    if items.is_empty() {
        let always = if key == "all" {
            "always holds"
        } else {
            "never holds"
        };
        reader.report(
            PolicyFinding::error(
                "empty-condition",
                format!("an empty `{key}` {always}, which is probably not intended"),
                node.span(),
            )
            .help("put conditions into it, or leave it out"),
        );
        return None;
    }
    let conditions: Vec<Option<Condition>> = items
        .iter()
        .map(|item| condition(reader, item, names, depth + 1))
        .collect();
    conditions.into_iter().collect()
}

fn at_least(reader: &mut Reader<'_>, node: &Node<'_>, names: &Names<'_>) -> Option<Condition> {
    const EXAMPLE: &str = "at_least = { n = 2, of = [\"proxy\", \"cn\", \"io\"] }";
    let table = reader.table(node, "`at_least`", EXAMPLE)?;
    reader.only(&table, &["n", "of"]);
    let (n_node, of_node) = (table.get("n"), table.get("of"));
    if n_node.is_none() || of_node.is_none() {
        let what = "`at_least` needs both `n` and `of`";
        let finding = PolicyFinding::error("missing-key", what, table.span);
        reader.report(finding.help(format!("for example: {EXAMPLE}")));
    }
    // What is there is looked at all the same: one run shows everything.
    let n = n_node.and_then(|node| reader.number(node, "n", 1..=u32::MAX));
    let of_node = of_node?;
    let Some(items) = of_node.get_ref().as_array() else {
        reader.wrong_type(of_node, "`of`", "a list of targets", EXAMPLE);
        return None;
    };
    let of: Vec<Option<String>> = items
        .iter()
        .map(|item| target_name(reader, item, "of", names))
        .collect();
    let of: Vec<String> = of.into_iter().collect::<Option<_>>()?;
    let (n_node, n) = (n_node?, usize::try_from(n?).ok()?);
    if named_twice(reader, items, &of) {
        return None;
    }
    if n > of.len() {
        let message = format!("{n} of {} can never be up", of.len());
        reader.report(PolicyFinding::error("out-of-range", message, n_node.span()));
        return None;
    }
    Some(Condition::AtLeast { n, of })
}

/// Notes the first name that stands in a list twice.
pub(super) fn named_twice(reader: &mut Reader<'_>, items: &[Node<'_>], names: &[String]) -> bool {
    let mut seen = BTreeSet::new();
    let twice = names
        .iter()
        .zip(items)
        .find(|(name, _)| !seen.insert(*name));
    if let Some((name, item)) = twice {
        let message = format!("{} is named twice", quoted(name));
        reader.report(PolicyFinding::error("named-twice", message, item.span()));
        return true;
    }
    false
}

/// `interface`: a pattern of names, or a kind.
pub(super) fn interface(reader: &mut Reader<'_>, node: &Node<'_>) -> Option<Condition> {
    const EXAMPLE: &str = "interface = \"wlan*\", or interface = { kind = \"wifi\" }";
    if !node.get_ref().is_table() {
        let text = reader.string(node, "interface", EXAMPLE)?;
        if text.value.is_empty() || glob_match(text.value, "").is_err() {
            let message = format!("{} is not a name pattern", quoted(text.value));
            reader.report(
                PolicyFinding::error("bad-glob", message, text.span)
                    .help("`*`, `?` and `[a-z]` are known; `[` needs its `]`"),
            );
            return None;
        }
        return Some(Condition::InterfaceName(text.value.to_owned()));
    }
    let table = reader.table(node, "`interface`", EXAMPLE)?;
    reader.only(&table, &["kind"]);
    let Some(node) = table.get("kind") else {
        if table.map.is_empty() {
            reader.report(
                PolicyFinding::error("missing-key", "`interface` needs a `kind`", table.span)
                    .help(format!("for example: {EXAMPLE}")),
            );
        }
        return None;
    };
    let text = reader.string(node, "kind", EXAMPLE)?;
    let kind = LinkKind::parse(text.value);
    if kind.is_none() {
        let words = LinkKind::ALL.map(LinkKind::as_str);
        let message = format!("{} is not a kind of interface", quoted(text.value));
        let finding = PolicyFinding::error("bad-kind", message, text.span.clone());
        reader.report(match nearest(text.value, words.into_iter()) {
            Some(near) => finding.help(format!("write \"{near}\"")),
            None => finding.help(format!("one of {}", words.join(", "))),
        });
    }
    kind.map(Condition::InterfaceKind)
}

/// `subnet`.
pub(super) fn subnet(reader: &mut Reader<'_>, node: &Node<'_>) -> Option<Condition> {
    const EXAMPLE: &str = "subnet = \"10.0.0.0/8\"";
    let text = reader.string(node, "subnet", EXAMPLE)?;
    let net: IpNet = parsed(reader, &text, "bad-subnet", "a subnet", EXAMPLE)?;
    Some(Condition::Subnet(net.trunc()))
}

/// `gateway` and `dns_server`.
pub(super) fn address(
    reader: &mut Reader<'_>,
    node: &Node<'_>,
    key: &str,
) -> Option<std::net::IpAddr> {
    let example = format!("{key} = \"10.0.0.1\"");
    let text = reader.string(node, key, &example)?;
    parsed(reader, &text, "bad-address", "an IP address", &example)
}

/// `search_domain`.
pub(super) fn search_domain(reader: &mut Reader<'_>, node: &Node<'_>) -> Option<Condition> {
    const EXAMPLE: &str = "search_domain = \"corp.example\"";
    let text = reader.string(node, "search_domain", EXAMPLE)?;
    let domain = text.value.strip_suffix('.').unwrap_or(text.value);
    let label = |label: &str| {
        let name = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
        !label.is_empty() && label.chars().all(name)
    };
    if !domain.split('.').all(label) {
        let message = format!("{} is not a domain name", quoted(text.value));
        reader.report(
            PolicyFinding::error("bad-domain", message, text.span)
                .help(format!("for example: {EXAMPLE}")),
        );
        return None;
    }
    Some(Condition::SearchDomain(domain.to_lowercase()))
}

/// A text that says something.
pub(super) fn nonempty(
    reader: &mut Reader<'_>,
    node: &Node<'_>,
    key: &str,
    example: &str,
) -> Option<String> {
    let text = reader.string(node, key, example)?;
    if text.value.is_empty() {
        let message = format!("`{key}` is empty");
        reader.report(
            PolicyFinding::error("bad-value", message, text.span)
                .help(format!("for example: {example}")),
        );
        return None;
    }
    Some(text.value.to_owned())
}

/// `env`: what the agent's environment must hold.
pub(super) fn env(reader: &mut Reader<'_>, node: &Node<'_>) -> Option<Condition> {
    const EXAMPLE: &str = "env = { SITE = \"lab\" }";
    let table = reader.table(node, "`env`", EXAMPLE)?;
    if table.map.is_empty() {
        reader.report(
            PolicyFinding::error("empty-condition", "an empty `env` always holds", table.span)
                .help(format!("for example: {EXAMPLE}")),
        );
        return None;
    }
    let mut wanted = BTreeMap::new();
    let mut sound = true;
    for (name, node) in table.entries() {
        if name.value.is_empty() || name.value.contains(['=', '\0']) {
            let message = format!("{} cannot be the name of a variable", quoted(name.value));
            reader.report(PolicyFinding::error("bad-name", message, name.span));
            sound = false;
            continue;
        }
        match reader.string(node, name.value, EXAMPLE) {
            Some(text) => {
                wanted.insert(name.value.to_owned(), text.value.to_owned());
            }
            None => sound = false,
        }
    }
    sound.then_some(Condition::Env(wanted))
}
