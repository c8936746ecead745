//! Conditions on what the machine itself can see: links, addresses, names, variables.

use std::collections::BTreeMap;

use ipnet::IpNet;

use super::kinds::parsed;
use super::reader::{Node, Reader, quoted};
use crate::model::LinkKind;
use crate::model::pattern::glob_match;
use crate::policy::finding::Finding;
use crate::policy::nearest::nearest;
use crate::policy::profile::Condition;

/// `interface`: a pattern of names, or a kind.
pub(super) fn interface(reader: &mut Reader<'_>, node: &Node<'_>) -> Option<Condition> {
    const EXAMPLE: &str = "interface = \"wlan*\", or interface = { kind = \"wifi\" }";
    if !node.get_ref().is_table() {
        let text = reader.string(node, "interface", EXAMPLE)?;
        if text.value.is_empty() || glob_match(text.value, "").is_err() {
            let message = format!("{} is no pattern of names", quoted(text.value));
            reader.report(
                Finding::error("bad-glob", message, text.span)
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
                Finding::error("missing-key", "`interface` needs a `kind`", table.span)
                    .help(format!("for example: {EXAMPLE}")),
            );
        }
        return None;
    };
    let text = reader.string(node, "kind", EXAMPLE)?;
    let kind = LinkKind::parse(text.value);
    if kind.is_none() {
        let words = LinkKind::ALL.map(LinkKind::as_str);
        let message = format!("{} is no kind of interface", quoted(text.value));
        let finding = Finding::error("bad-kind", message, text.span.clone());
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
        let message = format!("{} is no domain", quoted(text.value));
        reader.report(
            Finding::error("bad-domain", message, text.span)
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
            Finding::error("bad-value", message, text.span).help(format!("for example: {example}")),
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
            Finding::error("empty-condition", "an empty `env` always holds", table.span)
                .help(format!("for example: {EXAMPLE}")),
        );
        return None;
    }
    let mut wanted = BTreeMap::new();
    let mut sound = true;
    for (name, node) in table.entries() {
        if name.value.is_empty() || name.value.contains(['=', '\0']) {
            let message = format!("{} cannot be the name of a variable", quoted(name.value));
            reader.report(Finding::error("bad-name", message, name.span));
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
