//! `[mirror]`.

use super::Place;
use super::reader::{Node, Reader, Table, quoted};
use super::values::expand_path;
use crate::model::size::parse_size;
use crate::policy::finding::Finding;
use crate::policy::profile::{MirrorSettings, Policy};

const KEYS: [&str; 3] = ["path", "keep_ready", "max_size"];

/// Reads `[mirror]`.
pub(super) fn mirror(
    reader: &mut Reader<'_>,
    node: Option<&Node<'_>>,
    place: Place<'_>,
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
    let message = format!("{} is no size: {why}", quoted(text.value));
    let finding = Finding::error("bad-size", message, text.span);
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
        Finding::warning(
            "keep-ready-nowhere",
            "no profile allows it, so nothing is ever brought",
            key.span(),
        )
        .help("add `keep_ready = true` to the profiles of networks where downloads are welcome"),
    );
}
