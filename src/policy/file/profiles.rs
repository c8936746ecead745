//! `[[profile]]`.

use super::condition::condition;
use super::env::{Scope, env};
use super::reader::{Node, Reader, Table, Text, quoted};
use super::target::{MOST_PARTS, check_name, too_many};
use crate::policy::finding::Finding;
use crate::policy::places::ProfilePlace;
use crate::policy::profile::{Condition, Profile};

const KEYS: [&str; 5] = [
    "name",
    "when",
    "env",
    "accept_unauthenticated",
    "keep_ready",
];

/// Reads all profiles, with their places. A profile with a fault keeps what is right in it: the
/// policy will be refused, but the checks of the whole can say more of it.
pub(super) fn profiles(
    reader: &mut Reader<'_>,
    node: &Node<'_>,
    scope: Scope<'_>,
) -> Vec<(Profile, ProfilePlace)> {
    const EXAMPLE: &str = "[[profile]] name = \"public\"";
    let Some(items) = node.get_ref().as_array() else {
        reader.wrong_type(node, "`profile`", "a list: write [[profile]]", EXAMPLE);
        return Vec::new();
    };
    let mut profiles: Vec<(Profile, ProfilePlace)> = Vec::new();
    for (i, item) in items.iter().enumerate() {
        if i == MOST_PARTS {
            reader.report(too_many("profiles", item.span()));
            break;
        }
        let Some(table) = reader.table(item, "a profile", EXAMPLE) else {
            continue;
        };
        let (profile, place) = profile(reader, &table, scope);
        let twin = profiles
            .iter()
            .find(|(other, _)| other.name == profile.name);
        if let Some((other, first)) = twin.filter(|_| !profile.name.is_empty()) {
            let message = format!("a second profile is called {}", quoted(&other.name));
            let finding = Finding::error("duplicate-profile", message, place.name.clone())
                .related(first.name.clone(), "the first one")
                .help("give each profile a name of its own: `goroam use` and the journal go by it");
            reader.report(finding);
        }
        profiles.push((profile, place));
    }
    profiles
}

fn profile(
    reader: &mut Reader<'_>,
    table: &Table<'_, '_>,
    scope: Scope<'_>,
) -> (Profile, ProfilePlace) {
    let mut place = ProfilePlace {
        name: table.span.clone(),
        ..ProfilePlace::default()
    };
    let name = name(reader, table, &mut place);
    let what = match name.as_str() {
        "" => "a profile".to_owned(),
        name => format!("profile {}", quoted(name)),
    };
    let table = Table {
        what,
        ..table.clone()
    };
    reader.only(&table, &KEYS);
    let when = match table.get("when") {
        None => {
            place.when_understood = true;
            Condition::Always
        }
        Some(node) => {
            place.when = Some(node.span());
            let known = |name: &str| scope.targets.contains_key(name);
            let when = condition(reader, node, scope.names, 1)
                .filter(|when| when.targets().into_iter().all(known));
            place.when_understood = when.is_some();
            // Where the policy is in force all the same (`parse_kept`), this one never holds.
            when.unwrap_or_else(|| Condition::Any(Vec::new()))
        }
    };
    let accept_unauthenticated = match table.get("accept_unauthenticated") {
        Some(node) => {
            place.accept = Some(node.span());
            reader
                .boolean(node, "accept_unauthenticated")
                .unwrap_or(false)
        }
        None => false,
    };
    let keep_ready = table
        .get("keep_ready")
        .and_then(|node| reader.boolean(node, "keep_ready"))
        .unwrap_or(false);
    let env = match table.get("env") {
        Some(node) => env(reader, node, scope, &mut place),
        None => Default::default(),
    };
    let profile = Profile {
        name,
        when,
        env,
        accept_unauthenticated,
        keep_ready,
        loosens: Vec::new(),
    };
    (profile, place)
}

fn name(reader: &mut Reader<'_>, table: &Table<'_, '_>, place: &mut ProfilePlace) -> String {
    let Some(node) = table.get("name") else {
        reader.report(
            Finding::error(
                "missing-key",
                "this profile has no name",
                table.span.clone(),
            )
            .help("name = \"public\""),
        );
        return String::new();
    };
    let Some(text) = reader.string(node, "name", "name = \"public\"") else {
        return String::new();
    };
    place.name = text.span.clone();
    let text = Text {
        value: text.value,
        span: text.span,
    };
    check_name(reader, &text, "profile");
    text.value.to_owned()
}
