//! Reads `[policy]` (what a policy says of itself) and `[fleet]` (where a machine gets one).

use std::ops::Range;
use std::time::Duration;

use jiff::Timestamp;
use toml::de::{DeTable, DeValue};
use url::Url;

use super::agent::section;
use super::reader::{Reader, Section, Text, Value};
use super::values::{credentials, duration};
use crate::model::Host;
use crate::model::mask::has_credentials;
use crate::policy::finding::{Places, PolicyFinding, quoted};
use crate::policy::fleet::{
    FleetKey, FleetSettings, PolicyHeader, PreviousVersion, Release, Rollout, key_id,
};
use crate::policy::layers::LayerKind;
use crate::policy::profile::Policy;

/// The longest `id` and `salt`.
const MOST_NAME: usize = 64;
/// The most URLs, and the most keys.
const MOST_LISTED: usize = 8;
const REFRESH: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(31 * 86_400));
/// The wait between two fetches if `refresh` is not given.
const USUAL_REFRESH: Duration = Duration::from_secs(4 * 3600);

/// Reads `[policy]`.
pub(super) fn policy(root: &Section<'_>) -> PolicyHeader {
    const KEYS: [&str; 8] = [
        "id",
        "version",
        "issued",
        "expires",
        "min_goroam",
        "retire_keys",
        "rollout",
        "locked",
    ];
    let Some(table) = section(root, "policy", "[policy]", &KEYS) else {
        return PolicyHeader::default();
    };
    let id = table.string("id", "id = \"example-corp\"");
    let retired = table.get("retire_keys", "retire_keys = [\"E7620F1842B4E81F\"]");
    PolicyHeader {
        id: id.and_then(|text| name(&text)),
        version: table
            .get("version", "version = 42")
            .and_then(|value| version(&value)),
        issued: moment(&table, "issued"),
        expires: moment(&table, "expires"),
        min_goroam: table
            .string("min_goroam", "min_goroam = \"0.9\"")
            .and_then(|text| release(&text)),
        retire_keys: retired.map(|list| keys(&list, key_id)).unwrap_or_default(),
        rollout: table
            .get("rollout", "[policy.rollout]")
            .and_then(|value| rollout(&value)),
    }
}

fn name(text: &Text<'_>) -> Option<String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if (1..=MOST_NAME).contains(&text.value.len()) && text.value.chars().all(is_plain) {
        return Some(text.value.to_owned());
    }
    let message = format!("{} cannot be used here", quoted(text.value));
    let help = "letters, digits, `-`, `_` and `.`, at most 64 of them";
    text.refuse("bad-name", message, help)
}

fn version(value: &Value<'_>) -> Option<u64> {
    let Some(integer) = value.node.get_ref().as_integer() else {
        return value.wrong_type(&format!("`{}`", value.key), "a whole number");
    };
    let number = i64::from_str_radix(integer.as_str(), integer.radix()).ok();
    let number = number.filter(|number| *number > 0).map(i64::cast_unsigned);
    number.or_else(|| value.refuse("out-of-range", "a version is a whole number from 1 on"))
}

fn moment(table: &Section<'_>, key: &'static str) -> Option<Timestamp> {
    let value = table.get(key, format!("{key} = 2027-01-15T00:00:00Z"))?;
    let DeValue::Datetime(moment) = value.node.get_ref() else {
        return value.wrong_type(&format!("`{key}`"), "a date with time and zone");
    };
    let moment = moment.to_string().parse().ok();
    moment.or_else(|| {
        value.refuse(
            "bad-date",
            format!("`{key}` needs a date, a time and a zone"),
        )
    })
}

fn release(text: &Text<'_>) -> Option<Release> {
    let message = format!("{} is not a version of goroam", quoted(text.value));
    Release::parse(text.value)
        .or_else(|| text.refuse("bad-value", message, "for example: min_goroam = \"0.9\""))
}

/// Reads a list of keys.
fn keys<T>(list: &Value<'_>, read: impl Fn(&str) -> Option<T>) -> Vec<T> {
    let items = few(list, list.list("a list of keys").unwrap_or_default());
    let key = |item: &Value<'_>| {
        let text = item.string()?;
        let message = format!("{} is not a key of minisign", quoted(text.value));
        let help = "copy the second line of the .pub file";
        read(text.value).or_else(|| text.refuse("bad-key", message, help))
    };
    items.iter().filter_map(key).collect()
}

/// Refuses a list that is too long: a key or a store must not be left out in silence.
fn few<'a>(value: &Value<'a>, items: Vec<Value<'a>>) -> Vec<Value<'a>> {
    if items.len() > MOST_LISTED {
        let message = format!("`{}` can have {MOST_LISTED} items at most", value.key);
        value.refuse::<()>("out-of-range", message);
        return Vec::new();
    }
    items
}

fn rollout(value: &Value<'_>) -> Option<Rollout> {
    let table = value.table("[policy.rollout]")?;
    table.only(&["percent", "salt", "previous"]);
    let percent = table.number("percent", 0..=100)?;
    let salt = table
        .string("salt", "salt = \"kx3f\"")
        .and_then(|text| name(&text));
    let example = "previous = { version = 41, sha256 = \"…\" }";
    let previous = table.get("previous", example);
    let previous = match previous {
        Some(previous) => Some(before(&previous)?),
        None => None,
    };
    if percent < 100 && previous.is_none() {
        let message = "the other machines need a version to stay with";
        let finding = PolicyFinding::error("missing-key", message, table.span.clone());
        return table.reader.refuse(finding.help(format!(
            "{example}; `goroam fleet sign --percent {percent}` fills it in"
        )));
    }
    Some(Rollout {
        percent,
        salt: salt.unwrap_or_default(),
        previous,
    })
}

fn before(value: &Value<'_>) -> Option<PreviousVersion> {
    let table = value.table("`previous`")?;
    table.only(&["version", "sha256"]);
    let number = table.get("version", "version = 41")?;
    let sha256 = table.string("sha256", "sha256 = \"…\"")?;
    let is_hash = sha256.value.len() == 64 && sha256.value.bytes().all(|b| b.is_ascii_hexdigit());
    if !is_hash {
        let message = "this is not a SHA-256 in hexadecimal";
        return sha256.refuse("bad-sum", message, "`sha256sum policy-41.toml` prints it");
    }
    Some(PreviousVersion {
        version: version(&number)?,
        sha256: sha256.value.to_ascii_lowercase(),
    })
}

/// Reads `[fleet]`. `None`: there is none, or it names no URL or no key.
pub(super) fn fleet(root: &Section<'_>) -> Option<FleetSettings> {
    let table = section(
        root,
        "fleet",
        "[fleet]",
        &["url", "keys", "refresh", "allow_weaker"],
    )?;
    let missing = |key: &str, example: &str| {
        let message = format!("[fleet] needs `{key}`");
        let finding = PolicyFinding::error("missing-key", message, table.span.clone());
        table.reader.report(finding.help(example.to_owned()));
    };
    const URL: &str = "url = \"https://policy.corp.example/goroam/policy.toml\"";
    const KEYS: &str = "keys = [\"RW…\"], the second line of minisign's .pub file";
    let urls = table.get("url", URL);
    let listed = table.get("keys", KEYS);
    if urls.is_none() {
        missing("url", URL);
    }
    if listed.is_none() {
        missing("keys", KEYS);
    }
    let urls = urls?;
    let urls = few(&urls, urls.one_or_more());
    let urls = Vec::from_iter(urls.iter().filter_map(store_url));
    let keys = keys(&listed?, FleetKey::parse);
    let refresh = duration(&table, "refresh", "4h", REFRESH);
    let allow_weaker = table.boolean("allow_weaker").unwrap_or(false);
    (!urls.is_empty() && !keys.is_empty()).then(|| FleetSettings {
        urls,
        keys,
        refresh: refresh.unwrap_or(USUAL_REFRESH),
        allow_weaker,
    })
}

/// Reads the URL of a policy: https, or http on this machine.
fn store_url(value: &Value<'_>) -> Option<Url> {
    let text = value.string()?;
    credentials(&text);
    let bad = |message: &str, help: &str| text.refuse("bad-url", message, help);
    let Ok(url) = Url::parse(text.value) else {
        return bad(
            "this is not a URL",
            "write the whole URL of the file, with https://",
        );
    };
    let is_here = url.host_str().is_some_and(Host::is_this_machine);
    if !(url.scheme() == "https" || url.scheme() == "http" && is_here) {
        let help = "write https://; http:// is for a server on this machine only";
        return bad("a fleet's policy is fetched over https", help);
    }
    if url.scheme() == "http" && has_credentials(text.value) {
        return bad("credentials are sent over https only", "leave them out");
    }
    if url.query().is_some() || url.fragment().is_some() || url.path().ends_with('/') {
        let help = "name the file itself, without `?` and `#`: its signature is beside it";
        return bad("this URL does not end in a file's name", help);
    }
    Some(url)
}

/// Reports what counts in the machine's file only: each other `[fleet]`, and what a fleet, or a user,
/// may not allow.
pub(super) fn places(reader: &Reader<'_>, documents: &[DeTable<'_>]) {
    let sections = documents
        .iter()
        .filter_map(|one| one.get_key_value("fleet"));
    let spans = Vec::from_iter(sections.map(|(key, _)| key.span()));
    let is_machines = |span: &&Range<usize>| reader.kind(span) == LayerKind::Machine;
    let by_machine = spans.iter().find(is_machines);
    for span in &spans {
        let message = match reader.kind(span) {
            LayerKind::Fleet => "a fleet's policy cannot say where it comes from",
            LayerKind::User if by_machine.is_some() => "the machine's file names the fleet",
            LayerKind::User | LayerKind::Machine | LayerKind::BuiltIn => continue,
        };
        let mut finding = PolicyFinding::error("fleet-place", message, span.clone());
        if let Some(other) = by_machine {
            finding = finding.related(other.clone(), "here");
        }
        reader.report(finding.help("take [fleet] out: it belongs into the machine's file"));
    }
    for (section, name, kind, message) in [
        (
            "fleet",
            "allow_weaker",
            LayerKind::User,
            "only the machine's file can allow a weaker policy",
        ),
        (
            "telemetry",
            "hosts",
            LayerKind::Fleet,
            "a fleet's policy cannot allow that names of hosts are sent",
        ),
    ] {
        let tables = documents.iter().filter_map(|one| one.get(section));
        let tables = tables.filter_map(|node| node.get_ref().as_table());
        let keys = tables.filter_map(|table| table.get_key_value(name));
        let set = keys.filter(|(_, value)| value.get_ref().as_bool() == Some(true));
        for span in set.map(|(key, _)| key.span()) {
            if reader.kind(&span) == kind {
                let help = format!("take `{name}` out: it belongs into the machine's file");
                reader.report(PolicyFinding::error("fleet-place", message, span).help(help));
            }
        }
    }
}

/// Finds targets of a fleet that the machine's profiles depend on, and a fleet's policy that no
/// machine would fetch again.
pub(super) fn check(root: &Section<'_>, policy: &Policy, places: &Places) -> Vec<PolicyFinding> {
    let mut found = Vec::new();
    let kind = |span: &Range<usize>| root.reader.kind(span);
    // A fleet's target must not make a profile of the machine hold that weakens verification.
    for (profile, place) in policy.profiles.iter().zip(&places.profiles) {
        if !profile.is_loose() || kind(&place.name) == LayerKind::Fleet {
            continue;
        }
        let targets = profile.when.targets().into_iter();
        let mut spans = targets.filter_map(|name| places.targets.get(name));
        if let Some(span) = spans.find(|span| kind(span) == LayerKind::Fleet) {
            let message = "a profile that weakens verification depends on this target of the fleet";
            let finding = PolicyFinding::error("fleet-place", message, span.clone());
            found.push(
                finding
                    .related(place.name.clone(), "this one")
                    .help("give the target another name"),
            );
        }
    }
    let header = root.map.get("policy");
    let header = header.and_then(|node| node.get_ref().as_table());
    let id = header.and_then(|table| table.get_key_value("id"));
    let is_read = policy.profiles.iter().any(|profile| profile.fleet);
    if let Some((key, _)) = id.filter(|_| !policy.profiles.is_empty() && !is_read) {
        let message =
            "no profile has `fleet = true`, so a machine that applies this fetches no other";
        let help = "add `fleet = true` to the profiles of networks where the store may be asked";
        found.push(PolicyFinding::warning("fleet-nowhere", message, key.span()).help(help));
    }
    found
}
