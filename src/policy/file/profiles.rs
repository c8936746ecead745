//! Reads `[[profile]]`.

use std::collections::{BTreeMap, BTreeSet};

use super::condition::{condition, named_twice, target_name};
use super::reader::{Section, Text, Value};
use super::target::{MOST_PARTS, check_name, too_many};
use super::values::credentials;
use crate::model::Target;
use crate::policy::expand::expand;
use crate::policy::finding::{PolicyFinding, ProfilePlace, quoted};
use crate::policy::grammar::{LONGEST_VALUE, check_value};
use crate::policy::layers::LayerKind;
use crate::policy::profile::{Condition, EnvValue, Profile, references};
use crate::policy::variables::{name_fault, nearest_name, stand_in};

const KEYS: [&str; 6] = [
    "name",
    "when",
    "env",
    "accept_unauthenticated",
    "keep_ready",
    "fleet",
];

/// The targets without a fault.
pub(super) type Targets = BTreeMap<String, Target>;

/// Reads all profiles, with their places. A profile with a fault keeps its valid parts: the policy
/// will be refused, but the checks of the whole policy can find more.
pub(super) fn profiles(root: &Section<'_>, targets: &Targets) -> Vec<(Profile, ProfilePlace)> {
    let mut profiles: Vec<(Profile, ProfilePlace)> = Vec::new();
    let Some(value) = root.get("profile", "[[profile]] name = \"public\"") else {
        return profiles;
    };
    let items = value.list("a list: write [[profile]]");
    for (i, item) in items.unwrap_or_default().iter().enumerate() {
        if i == MOST_PARTS {
            root.reader
                .report(too_many(MOST_PARTS, "profiles", item.span()));
            break;
        }
        let Some(table) = item.table("a profile") else {
            continue;
        };
        let (profile, place) = profile(table, targets);
        let is_twin = |(other, _): &&(Profile, _)| other.name == profile.name;
        let mut earlier = profiles.iter();
        let first = earlier.find(|other| !profile.name.is_empty() && is_twin(other));
        let is_variant = profiles.last().as_ref().is_some_and(is_twin);
        if let Some((_, first)) = first
            && root.reader.kind(&first.name) != root.reader.kind(&place.name)
        {
            let message = "a higher layer has a profile of this name, so this one is not used";
            let note = PolicyFinding::note("replaced-profile", message, place.name);
            root.reader
                .report(note.related(first.name.clone(), "this one is used"));
            continue;
        }
        if let Some((other, first)) = first.filter(|_| !is_variant) {
            let message = format!("a second profile is called {}", quoted(&other.name));
            root.reader.report(
                PolicyFinding::error("duplicate-profile", message, place.name.clone())
                    .related(first.name.clone(), "the first one")
                    .help(
                        "give it another name; or, as a variant of the first one, put it directly \
                         after that one",
                    ),
            );
        }
        profiles.push((profile, place));
    }
    profiles
}

fn profile(mut table: Section<'_>, targets: &Targets) -> (Profile, ProfilePlace) {
    let mut place = ProfilePlace {
        name: table.span.clone(),
        ..ProfilePlace::default()
    };
    let name = name(&table, &mut place).unwrap_or_default();
    if !name.is_empty() {
        table.what = format!("profile {}", quoted(&name));
    }
    table.only(&KEYS);
    let when = match table.get("when", "") {
        None => {
            place.when_understood = true;
            Condition::Always
        }
        Some(value) => {
            place.when = Some(value.span());
            let known = |name: &str| targets.contains_key(name);
            let when = condition(&value, 1);
            let when = when.filter(|when| when.targets().into_iter().all(known));
            place.when_understood = when.is_some();
            // If the policy stays in force anyway (`parse_kept`), this profile never holds.
            when.unwrap_or_else(|| Condition::Any(Vec::new()))
        }
    };
    place.accept = table.key_value_span("accept_unauthenticated");
    let profile = Profile {
        name,
        when,
        accept_unauthenticated: table.boolean("accept_unauthenticated").unwrap_or(false),
        keep_ready: table.boolean("keep_ready").unwrap_or(false),
        fleet: table
            .boolean("fleet")
            .unwrap_or_else(|| table.reader.kind(&table.span) == LayerKind::BuiltIn),
        env: env(&table, targets, &mut place, false),
        loosens: Vec::new(),
        over: None,
    };
    (profile, place)
}

fn name(table: &Section<'_>, place: &mut ProfilePlace) -> Option<String> {
    const EXAMPLE: &str = "name = \"public\"";
    let Some(value) = table.get("name", EXAMPLE) else {
        let (span, message) = (table.span.clone(), "this profile has no name");
        let finding = PolicyFinding::error("missing-key", message, span);
        return table.reader.refuse(finding.help(EXAMPLE));
    };
    let text = value.string()?;
    place.name = text.span.clone();
    check_name(&text, "profile");
    Some(text.value.to_owned())
}

/// Reads the variables of a profile, or of one project; those with a fault are left out.
pub(super) fn env(
    profile: &Section<'_>,
    targets: &Targets,
    place: &mut ProfilePlace,
    in_project: bool,
) -> BTreeMap<String, EnvValue> {
    let mut env = BTreeMap::new();
    let example = "env = { GOPROXY = \"https://proxy.golang.org,direct\" }";
    let table = profile
        .get("env", example)
        .and_then(|env| env.table("`env`"));
    let Some(table) = table else {
        return env;
    };
    for name in table.keys() {
        if table.reader.is_full() {
            break;
        }
        if let Some(fault) = name_fault(name.value) {
            report(fault, &name, true);
            continue;
        }
        let Some(node) = table.get(name.value, format!("{} = \"…\"", name.value)) else {
            continue;
        };
        let value = if node.node.get_ref().is_table() && name.value == "GOPROXY" {
            fastest(&node, targets)
        } else {
            node.string()
                .and_then(|text| value(name.value, &text, in_project))
                .map(EnvValue::Text)
        };
        if let Some(value) = value {
            place.env.insert(name.value.to_owned(), node.span());
            env.insert(name.value.to_owned(), value);
        }
    }
    let circles = env.keys().filter(|name| leads_back(name, &env));
    for name in circles.cloned().collect::<Vec<String>>() {
        env.remove(&name);
        if let Some(span) = place.env.remove(&name) {
            let message = format!("{name} refers to itself, by way of another variable");
            let finding = PolicyFinding::error("bad-reference", message, span);
            table
                .reader
                .report(finding.help("write one of the values out"));
        }
    }
    env
}

/// Reports whether a variable's value refers back to the variable.
fn leads_back(name: &str, env: &BTreeMap<String, EnvValue>) -> bool {
    let mut reached: BTreeSet<&str> = BTreeSet::new();
    let mut open = vec![name];
    while let Some(next) = open.pop() {
        if let Some(EnvValue::Text(text)) = env.get(next) {
            open.extend(references(text).filter(|reference| reached.insert(reference)));
        }
    }
    reached.contains(name)
}

fn value(name: &str, text: &Text<'_>, in_project: bool) -> Option<String> {
    if text.value.len() > LONGEST_VALUE {
        let length = text.value.len();
        let message = format!("{name} has {length} bytes; {LONGEST_VALUE} is the most");
        return text.reader.refuse(text.error("too-long", message));
    }
    let expanded = expanded(name, text)?;
    bare_dollar(text);
    credentials(text);
    // The value of `${…}` within a list of hosts is not known here, so no fault is reported for it.
    let host = |_: &str| Some("git.corp.example".to_owned());
    let judged = match name {
        "GOPRIVATE" | "GONOPROXY" | "GONOSUMDB" | "GOINSECURE" => expand(text.value, &host).ok(),
        _ => None,
    };
    let errors = text.reader.errors.get();
    let mut faults = check_value(name, judged.as_deref().unwrap_or(&expanded));
    // For one project `-mod=` is right.
    faults.retain(|fault| !(in_project && fault.code.starts_with("goflags-mod-")));
    for fault in faults {
        report(fault, text, expanded == text.value);
    }
    (text.reader.errors.get() == errors).then(|| text.value.to_owned())
}

/// Reports `$HOME` as a shell would write it: here it is literal text.
fn bare_dollar(text: &Text<'_>) {
    for (at, _) in text.value.match_indices('$') {
        let behind = text.value.get(at + 1..).unwrap_or_default();
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let name = behind.split(|c| !word(c)).next().unwrap_or_default();
        if stand_in(name).is_some() {
            let message = format!("`${name}` is not replaced here");
            let span = text.part((at, name.len() + 1));
            let help = format!("write `${{{name}}}`: only what is in braces is replaced");
            let finding = PolicyFinding::warning("bare-dollar", message, span);
            text.reader.report(finding.help(help));
        }
    }
}

/// Returns the value with a placeholder value for every `${NAME}`.
fn expanded(name: &str, text: &Text<'_>) -> Option<String> {
    if references(text.value).any(|reference| reference == name) {
        let message = format!("{name} refers to itself, so it would grow with every switch");
        return text.refuse("bad-reference", message, "write the whole value");
    }
    let why = match expand(text.value, &|name| stand_in(name).map(str::to_owned)) {
        Ok(expanded) => return Some(expanded),
        Err(why) => why,
    };
    let wrong = references(text.value).find(|name| stand_in(name).is_none());
    let at = wrong
        .and_then(|name| Some((text.value.find(&format!("${{{name}}}"))?, name.len() + 3)))
        .or_else(|| Some((text.value.rfind("${")?, 2)));
    let span = at.map_or_else(|| text.span.clone(), |at| text.part(at));
    let help = match wrong.and_then(nearest_name) {
        Some(near) => format!("did you mean `${{{near}}}`?"),
        None => {
            "`${…}` names one of go's own variables, HOME or MIRROR, and nothing else".to_owned()
        }
    };
    text.reader
        .refuse(PolicyFinding::error("bad-reference", why, span).help(help))
}

fn fastest(node: &Value<'_>, targets: &Targets) -> Option<EnvValue> {
    const EXAMPLE: &str = "GOPROXY = { fastest = [\"cn\", \"io\"], then = \"direct\" }";
    let reader = node.reader;
    let table = node.table("this value of GOPROXY")?;
    table.only(&["fastest", "then", "separator"]);
    let Some(list) = table.get("fastest", EXAMPLE) else {
        let finding = node.error("missing-key", "a table here needs `fastest`");
        return reader.refuse(finding.help(format!("for example: {EXAMPLE}")));
    };
    // A target that is not in `targets` has a fault that was reported before.
    let of = fastest_of(&list, targets);
    let separator = match table.string("separator", "separator = \",\"") {
        None => ',',
        Some(text) if text.value == "," => ',',
        Some(text) if text.value == "|" => '|',
        Some(text) => {
            let message = format!("`separator` cannot be {}", quoted(text.value));
            let help = "\",\" continues after 404 and 410 only, \"|\" after any error";
            return text.refuse("bad-value", message, help);
        }
    };
    let then = match table.get("then", "then = \"direct\"") {
        Some(then) => Some(value("GOPROXY", &then.string()?, false)?),
        None => None,
    };
    Some(EnvValue::Fastest {
        of: of?,
        then,
        separator,
    })
}

fn fastest_of(list: &Value<'_>, targets: &Targets) -> Option<Vec<String>> {
    let items = list.list("a list of targets")?;
    if items.is_empty() {
        return list.refuse("missing-key", "`fastest` of nothing is nothing");
    }
    let read = |item: &Value<'_>| {
        let name = target_name(item)?;
        let target = targets.get(&name)?;
        if target.hop_url().is_none() {
            let (name, kind) = (quoted(&name), target.kind_str());
            let message = format!("{name} is a `{kind}` target, neither a proxy nor a mirror");
            let finding = item.error("not-a-proxy", message);
            let help = "`fastest` takes targets with `goproxy` or `mirror`";
            return item.reader.refuse(finding.help(help));
        }
        Some(name)
    };
    let of: Vec<Option<String>> = items.iter().map(read).collect();
    let of: Vec<String> = of.into_iter().collect::<Option<_>>()?;
    (!named_twice(&items, &of)).then_some(of)
}

/// Reports a fault of a value; `exact`: its offsets are those of the text as written.
pub(super) fn report(mut fault: PolicyFinding, text: &Text<'_>, exact: bool) {
    let part = fault.primary.take().filter(|_| exact);
    let span = match part {
        Some(label) => text.part((label.span.start, label.span.len())),
        None => text.span.clone(),
    };
    text.reader.report(fault.at((span.start, span.len())));
}
