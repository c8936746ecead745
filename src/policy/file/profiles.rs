//! `[[profile]]`.

use std::collections::{BTreeMap, BTreeSet};

use super::condition::{Names, condition, named_twice, target_name};
use super::reader::{Node, Reader, Table, Text, quoted};
use super::target::{MOST_PARTS, check_name, too_many};
use super::values::credentials;
use crate::model::Target;
use crate::policy::expand::expand;
use crate::policy::finding::{PolicyFinding, ProfilePlace};
use crate::policy::grammar::check_value;
use crate::policy::profile::{Condition, EnvValue, Profile, references};
use crate::policy::variables::{self, Fault, nearest_name, stand_in};

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
            let finding = PolicyFinding::error("duplicate-profile", message, place.name.clone())
                .related(first.name.clone(), "the first one")
                .help("give each profile a unique name: `goroam use` and the journal refer to it");
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
            PolicyFinding::error(
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

/// Bytes of one value. Every go command reads it anew.
const LONGEST: usize = 8 << 10;

/// What the values of `env` may refer to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scope<'a> {
    /// The names of the targets that are defined.
    pub names: &'a Names<'a>,
    /// Those without a fault.
    pub targets: &'a BTreeMap<String, Target>,
}

/// Reads the variables; those with a fault are left out.
pub(super) fn env(
    reader: &mut Reader<'_>,
    node: &Node<'_>,
    scope: Scope<'_>,
    place: &mut ProfilePlace,
) -> BTreeMap<String, EnvValue> {
    let mut env = BTreeMap::new();
    let example = "env = { GOPROXY = \"https://proxy.golang.org,direct\" }";
    let Some(table) = reader.table(node, "`env`", example) else {
        return env;
    };
    for (name, node) in table.entries() {
        if reader.is_full() {
            break;
        }
        if let Err(fault) = variables::check_name(name.value) {
            report(reader, fault, &name, true);
            continue;
        }
        let value = if node.get_ref().is_table() && name.value == "GOPROXY" {
            fastest(reader, node, scope)
        } else {
            let example = format!("{} = \"…\"", name.value);
            reader
                .string(node, name.value, &example)
                .and_then(|text| value(reader, name.value, &text))
        };
        if let Some(value) = value {
            place.env.insert(name.value.to_owned(), node.span());
            env.insert(name.value.to_owned(), value);
        }
    }
    let circles: Vec<String> = env
        .keys()
        .filter(|name| leads_back(name, &env))
        .cloned()
        .collect();
    for name in circles {
        env.remove(&name);
        if let Some(span) = place.env.remove(&name) {
            let message = format!("{name} refers to itself, by way of another variable");
            reader.report(
                PolicyFinding::error("bad-reference", message, span)
                    .help("write one of the values out"),
            );
        }
    }
    env
}

/// Does a variable's value lead back to it?
fn leads_back(name: &str, env: &BTreeMap<String, EnvValue>) -> bool {
    let mut reached: BTreeSet<&str> = BTreeSet::new();
    let mut open = vec![name];
    while let Some(next) = open.pop() {
        let Some(EnvValue::Text(text)) = env.get(next) else {
            continue;
        };
        open.extend(references(text).filter(|reference| reached.insert(reference)));
    }
    reached.contains(name)
}

fn value(reader: &mut Reader<'_>, name: &str, text: &Text<'_>) -> Option<EnvValue> {
    if text.value.len() > LONGEST {
        let message = format!(
            "{name} has {} bytes; {LONGEST} is the most",
            text.value.len()
        );
        reader.report(PolicyFinding::error("too-long", message, text.span.clone()));
        return None;
    }
    let expanded = expanded(reader, name, text)?;
    bare_dollar(reader, text);
    credentials(reader, text);
    // What `${…}` becomes within a list of hosts is not known here, so it has no fault either.
    let host = |_: &str| Some("git.corp.example".to_owned());
    let judged = match name {
        "GOPRIVATE" | "GONOPROXY" | "GONOSUMDB" | "GOINSECURE" => expand(text.value, &host).ok(),
        _ => None,
    };
    let faults = check_value(name, judged.as_deref().unwrap_or(&expanded));
    let sound = faults.iter().all(|fault| fault.mild);
    for fault in faults {
        report(reader, fault, text, expanded == text.value);
    }
    sound.then(|| EnvValue::Text(text.value.to_owned()))
}

/// `$HOME`, as a shell would take it: here it stands for itself.
fn bare_dollar(reader: &mut Reader<'_>, text: &Text<'_>) {
    for (at, _) in text.value.match_indices('$') {
        let behind = text.value.get(at + 1..).unwrap_or_default();
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let end = behind.find(|c| !word(c)).unwrap_or(behind.len());
        let name = behind.get(..end).unwrap_or_default();
        if stand_in(name).is_some() {
            let span = reader.part(text, (at, end + 1));
            let message = format!("`${name}` stands for itself here");
            reader.report(
                PolicyFinding::warning("bare-dollar", message, span).help(format!(
                    "write `${{{name}}}`: only what is in braces is replaced"
                )),
            );
        }
    }
}

/// The value with stand-ins for every `${NAME}`.
fn expanded(reader: &mut Reader<'_>, name: &str, text: &Text<'_>) -> Option<String> {
    if references(text.value).any(|reference| reference == name) {
        reader.report(
            PolicyFinding::error(
                "bad-reference",
                format!("{name} refers to itself, so it would grow with every switch"),
                text.span.clone(),
            )
            .help("write the whole value"),
        );
        return None;
    }
    let why = match expand(text.value, &stand_in) {
        Ok(expanded) => return Some(expanded),
        Err(why) => why,
    };
    let wrong = references(text.value).find(|name| stand_in(name).is_none());
    let at = wrong
        .and_then(|name| Some((text.value.find(&format!("${{{name}}}"))?, name.len() + 3)))
        .or_else(|| Some((text.value.rfind("${")?, 2)));
    let span = at.map_or_else(|| text.span.clone(), |at| reader.part(text, at));
    let finding = PolicyFinding::error("bad-reference", why, span);
    reader.report(match wrong.and_then(nearest_name) {
        Some(near) => finding.help(format!("did you mean `${{{near}}}`?")),
        None => finding
            .help("`${…}` stands for go's own variables, HOME and MIRROR, and for nothing else"),
    });
    None
}

fn fastest(reader: &mut Reader<'_>, node: &Node<'_>, scope: Scope<'_>) -> Option<EnvValue> {
    const EXAMPLE: &str = "GOPROXY = { fastest = [\"cn\", \"io\"], then = \"direct\" }";
    let table = reader.table(node, "`GOPROXY`", EXAMPLE)?;
    let table = Table {
        what: "this value of GOPROXY".to_owned(),
        ..table
    };
    reader.only(&table, &["fastest", "then", "separator"]);
    let Some(of_node) = table.get("fastest") else {
        reader.report(
            PolicyFinding::error("missing-key", "a table here needs `fastest`", table.span)
                .help(format!("for example: {EXAMPLE}")),
        );
        return None;
    };
    let of = fastest_of(reader, of_node, scope, EXAMPLE);
    let separator = separator(reader, &table);
    let then = match table.get("then") {
        Some(node) => {
            let text = reader.string(node, "then", "then = \"direct\"")?;
            value(reader, "GOPROXY", &text)?;
            Some(text.value.to_owned())
        }
        None => None,
    };
    Some(EnvValue::Fastest {
        of: of?,
        then,
        separator: separator?,
    })
}

fn fastest_of(
    reader: &mut Reader<'_>,
    node: &Node<'_>,
    scope: Scope<'_>,
    example: &str,
) -> Option<Vec<String>> {
    let Some(items) = node.get_ref().as_array() else {
        reader.wrong_type(node, "`fastest`", "a list of targets", example);
        return None;
    };
    if items.is_empty() {
        reader.report(
            PolicyFinding::error(
                "missing-key",
                "`fastest` of nothing is nothing",
                node.span(),
            )
            .help(format!("for example: {example}")),
        );
        return None;
    }
    let mut of = Vec::new();
    let mut sound = true;
    for item in items {
        let Some(name) = target_name(reader, item, "fastest", scope.names) else {
            sound = false;
            continue;
        };
        // A target that is not in `targets` has a fault of its own, which was reported.
        let target = scope.targets.get(&name);
        if let Some(target) = target.filter(|target| target.hop_url().is_none()) {
            let kind = target.kind_str();
            let message = format!(
                "{} is a `{kind}` target, neither a proxy nor a mirror",
                quoted(&name)
            );
            reader.report(
                PolicyFinding::error("not-a-proxy", message, item.span())
                    .help("`fastest` takes targets with `goproxy` or `mirror`"),
            );
            sound = false;
        }
        sound &= target.is_some();
        of.push(name);
    }
    if named_twice(reader, items, &of) {
        return None;
    }
    sound.then_some(of)
}

fn separator(reader: &mut Reader<'_>, table: &Table<'_, '_>) -> Option<char> {
    let Some(node) = table.get("separator") else {
        return Some(',');
    };
    let text = reader.string(node, "separator", "separator = \",\"")?;
    match text.value {
        "," => Some(','),
        "|" => Some('|'),
        other => {
            let message = format!("`separator` cannot be {}", quoted(other));
            reader.report(
                PolicyFinding::error("bad-value", message, text.span)
                    .help("\",\" continues after 404 and 410 only, \"|\" after any error"),
            );
            None
        }
    }
}

/// Notes a fault; `exact`: its offsets are those of the text as written.
fn report(reader: &mut Reader<'_>, fault: Fault, text: &Text<'_>, exact: bool) {
    let span = match fault.at {
        Some(at) if exact => reader.part(text, at),
        _ => text.span.clone(),
    };
    let mut finding = if fault.mild {
        PolicyFinding::warning(fault.code, fault.message, span)
    } else {
        PolicyFinding::error(fault.code, fault.message, span)
    };
    finding.help = fault.help;
    reader.report(finding);
}
