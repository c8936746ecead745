//! docs/goroam.schema.json, with which editors complete and check a policy. Its keys are those that
//! the reader of policies names, its texts those of docs/policy.md; `cargo xtask docs` writes it.
//! A real validator reads it: it accepts every policy that goroam accepts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use boon::{Compiler, SchemaIndex, Schemas};
use goroam::model::LinkKind;
use goroam::policy::WRITABLE;
use goroam::policy::file::Parsed;
use goroam::policy::templates::{Company, Template};
use serde_json::{Map, Value, json};

use crate::policies::{parsed, read};

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/goroam.schema.json")
}

/// The keys that are known below these lines: the reader lists them when it meets another one.
fn keys(above: &str) -> Vec<String> {
    let text = match above.contains("KEY") {
        true => above.replace("KEY", "Q9 = 1"),
        false => format!("{above}\nQ9 = 1\n"),
    };
    let findings = parsed(&text).findings;
    let help = findings
        .iter()
        .find(|finding| finding.code == "unknown-key");
    let help = help.and_then(|finding| finding.help.as_deref());
    let list = help.and_then(|help| help.strip_prefix("known here: "));
    let list = list.unwrap_or_else(|| panic!("{text}: {findings:?}"));
    list.split(", ").map(str::to_owned).collect()
}

/// Meaning and default of each key in the tables below a heading of docs/policy.md.
struct Rows(BTreeMap<String, (String, Option<Value>)>);

impl Rows {
    fn below(heading: &str) -> Rows {
        let docs = include_str!("../../docs/policy.md");
        let section = docs.split(&format!("\n{heading}\n")).nth(1).unwrap();
        let section = section.split("\n## ").next().unwrap();
        let section = section.split("\n### ").next().unwrap();
        let mut rows = BTreeMap::new();
        let mut is_of_kinds = false;
        for line in section.lines() {
            let Some(row) = line.strip_prefix("| `") else {
                is_of_kinds |= line.starts_with("| key | probes |");
                is_of_kinds &= line.starts_with('|');
                continue;
            };
            let row = format!("`{row}").replace("\\|", "|");
            let cells: Vec<&str> = row.trim_end_matches(" |").split(" | ").collect();
            let text = plain(if is_of_kinds {
                cells[1]
            } else {
                cells.last().unwrap()
            });
            let default = cells[1]
                .strip_prefix('`')
                .and_then(|cell| cell.strip_suffix('`'));
            let default = default.and_then(|cell| serde_json::from_str(cell).ok());
            for code in cells[0].split('`').skip(1).step_by(2) {
                let word = |c: char| c.is_ascii_lowercase() || c == '_';
                let key = code.split(|c| !word(c)).next().unwrap().to_owned();
                rows.entry(key).or_insert((text.clone(), default.clone()));
            }
        }
        Rows(rows)
    }

    /// A key with this type.
    fn key(&self, name: &str, mut of: Value) -> Value {
        let (text, default) = self
            .0
            .get(name)
            .unwrap_or_else(|| panic!("{name} has no row"));
        of["description"] = json!(text);
        if let Some(default) = default {
            of["default"] = default.clone();
        }
        of
    }
}

/// A cell without its links.
fn plain(cell: &str) -> String {
    let mut parts = cell.split("](");
    let mut out = parts.next().unwrap_or_default().replace('[', "");
    for part in parts {
        let behind = part.split_once(')').map_or("", |(_, behind)| behind);
        out += &behind.replace('[', "");
    }
    out
}

fn text() -> Value {
    json!({ "type": "string", "minLength": 1 })
}

fn like(pattern: &str) -> Value {
    json!({ "type": "string", "pattern": pattern })
}

fn number(least: u32, most: u32) -> Value {
    json!({ "type": "integer", "minimum": least, "maximum": most })
}

fn list(of: &Value) -> Value {
    json!({ "type": "array", "items": of, "minItems": 1 })
}

fn one_or_more(of: &Value) -> Value {
    json!({ "anyOf": [of, { "type": "array", "items": of }] })
}

fn table(properties: Map<String, Value>) -> Value {
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

/// The type of a key outside of `when`; a new key needs a line here.
fn of_key(section: &str, key: &str) -> Value {
    let duration = r"^\s*0\s*$|^\s*[0-9.][0-9.\s]*[A-Za-zµ][0-9A-Za-zµ.\s]*$";
    match (section, key) {
        ("", "version") => json!({ "const": 1 }),
        ("agent", "recheck") => like(&format!("^off$|{duration}")),
        ("agent", "fall" | "rise") => number(1, 100),
        ("agent", "on_drift") => json!({ "enum": ["respect", "restore"] }),
        ("agent", "go") | ("mirror", "path") => text(),
        (_, "notify" | "keep_ready" | "enabled" | "keep" | "private" | "hosts") => {
            json!({ "type": "boolean" })
        }
        (_, "accept_unauthenticated") => json!({ "type": "boolean" }),
        (_, "retries") => number(0, 10),
        (_, "settle" | "connect" | "first_byte" | "patience" | "total" | "stall" | "deadline") => {
            like(duration)
        }
        (_, "max_size") => like(r"^\s*[0-9.]+\s*([kKmMgGtT]?[iI]?[bB]?)\s*$"),
        ("telemetry", "otlp") => like("^off$|^[Hh][Tt][Tt][Pp][Ss]?://."),
        ("telemetry", "headers") => {
            json!({ "type": "object", "additionalProperties": { "type": "string" } })
        }
        ("metrics", "textfile") => like(r"^off$|\.prom$"),
        ("relay", "listen") => like(r"^127\.0\.0\.1:[0-9]+$"),
        ("target", "goproxy" | "via" | "https") => like("^[A-Za-z]+://."),
        ("target", "sumdb" | "icmp" | "mirror") => text(),
        ("target", "tcp" | "listening") => like("^.+:[0-9]+$"),
        ("target", "ca") => one_or_more(&text()),
        ("target", "pin") => one_or_more(&like("^sha256/[A-Za-z0-9+/]{43}=$")),
        ("target", "sum" | "zip_sum") => like("^h1:[A-Za-z0-9+/]{43}=$"),
        ("target", "module") => like("^[^@]+@v."),
        ("target", "status") => one_or_more(&number(100, 599)),
        ("target", "body") => json!({ "type": "string" }),
        ("policy", "locked") => json!({ "type": "array", "items": text() }),
        (_, "fleet" | "allow_weaker") => json!({ "type": "boolean" }),
        ("fleet", "url") => one_or_more(&like("^[A-Za-z]+://.")),
        ("fleet", "keys") => list(&like("^RW[A-Za-z0-9+/]{54}$")),
        ("fleet", "refresh") => like(duration),
        ("policy", "id") => like("^[A-Za-z0-9_.-]{1,64}$"),
        ("policy", "version") => json!({ "type": "integer", "minimum": 1 }),
        // Editors read a date of TOML as one of several types.
        ("policy", "issued" | "expires") => json!({}),
        ("policy", "min_goroam") => like(r"^[0-9]+(\.[0-9]+){0,2}([-+].*)?$"),
        ("policy", "retire_keys") => list(&text()),
        ("policy", "rollout") => json!({ "type": "object" }),
        ("profile", "name") => like(r"^\S(.*\S)?$"),
        _ => panic!("[{section}] {key}: which type does it have?"),
    }
}

fn section(name: &str, above: &str, rows: &Rows) -> Value {
    let keys = keys(above).into_iter();
    table(
        keys.map(|key| (key.clone(), rows.key(&key, of_key(name, &key))))
            .collect(),
    )
}

fn target() -> Value {
    let (rows, limits) = (Rows::below("## Targets"), Rows::below("## `[probe]`"));
    let relay = section(
        "relay",
        "[target.t]\ngoproxy = \"https://p.test\"\nrelay = { KEY }",
        &Rows::below("## `[relay]`"),
    );
    let no_kind = parsed("[target.t]\n").findings;
    let help = no_kind
        .iter()
        .find(|finding| finding.code == "no-kind")
        .unwrap()
        .help
        .clone();
    let kinds = [
        "goproxy",
        "sumdb",
        "https",
        "icmp",
        "tcp",
        "listening",
        "mirror",
    ];
    let listed: Vec<String> = help.unwrap().split(" = ").map(str::to_owned).collect();
    assert_eq!(listed.len() - 1, kinds.len(), "{listed:?}");
    let (mut properties, mut owners) = (Map::new(), BTreeMap::<String, Vec<&str>>::new());
    for kind in kinds {
        for key in keys(&format!("[target.t]\n{kind} = \"x\"")) {
            let of = match key.as_str() {
                "relay" => relay.clone(),
                key => of_key("target", key),
            };
            let rows = if limits.0.contains_key(&key) {
                &limits
            } else {
                &rows
            };
            properties.insert(key.clone(), rows.key(&key, of));
            owners.entry(key).or_default().push(kind);
        }
    }
    owners.retain(|key, owners| owners.len() < kinds.len() && !kinds.contains(&key.as_str()));
    let needs = owners.into_iter().map(|(key, owners)| {
        let any = owners.iter().map(|kind| json!({ "required": [kind] }));
        (key, json!({ "anyOf": any.collect::<Vec<_>>() }))
    });
    let needs: Map<String, Value> = needs.collect();
    let kinds: Vec<Value> = kinds
        .iter()
        .map(|kind| json!({ "required": [kind] }))
        .collect();
    let mut target = table(properties);
    target["oneOf"] = json!(kinds);
    target["dependencies"] = json!(needs);
    target
}

fn condition() -> Value {
    let (rows, own) = (
        Rows::below("### `when`"),
        json!({ "$ref": "#/definitions/condition" }),
    );
    let names = json!({ "type": "array", "items": { "type": "string" }, "minItems": 1, "uniqueItems": true });
    let when = "[[profile]]\nwhen = { KEY }";
    let properties = keys(when).into_iter().map(|key| {
        let of = match key.as_str() {
            "up" | "down" | "subnet" | "gateway" | "dns_server" | "search_domain" | "ssid" => {
                text()
            }
            "portal" | "online" => json!({ "type": "boolean" }),
            "all" | "any" => list(&own),
            "not" => json!({ "allOf": [own] }),
            "at_least" => json!({
                "type": "object", "additionalProperties": false, "required": ["n", "of"],
                "properties": { "n": { "type": "integer", "minimum": 1 }, "of": names },
            }),
            "interface" => json!({ "anyOf": [text(), {
                "type": "object", "additionalProperties": false, "required": ["kind"],
                "properties": { "kind": { "enum": LinkKind::ALL.map(|kind| kind.to_string()) } },
            }]}),
            "env" => json!({
                "type": "object", "minProperties": 1, "additionalProperties": { "type": "string" },
            }),
            key => panic!("when = {{ {key} }}: which type does it have?"),
        };
        (key.clone(), rows.key(&key, of))
    });
    let mut condition = table(properties.collect());
    condition["minProperties"] = json!(1);
    condition["maxProperties"] = json!(1);
    condition
}

fn variables() -> Value {
    let names = json!({ "type": "array", "items": { "type": "string" }, "minItems": 1, "uniqueItems": true });
    let mut fastest = Map::new();
    for key in keys("[[profile]]\nenv = { GOPROXY = { KEY } }") {
        let of = match key.as_str() {
            "fastest" => names.clone(),
            "then" => text(),
            "separator" => json!({ "enum": [",", "|"], "default": "," }),
            key => panic!("GOPROXY = {{ {key} }}: which type does it have?"),
        };
        fastest.insert(key, of);
    }
    let mut fastest = table(fastest);
    fastest["required"] = json!(["fastest"]);
    let value = |name| match name {
        "GOPROXY" => json!({ "anyOf": [text(), fastest] }),
        "GOSUMDB" => text(),
        _ => json!({ "type": "string" }),
    };
    let names = WRITABLE.split_whitespace();
    table(names.map(|name| (name.to_owned(), value(name))).collect())
}

fn profile() -> Value {
    let rows = Rows::below("## Profiles");
    let properties = keys("[[profile]]").into_iter().map(|key| {
        let of = match key.as_str() {
            "when" => json!({ "allOf": [{ "$ref": "#/definitions/condition" }] }),
            "env" => variables(),
            key => of_key("profile", key),
        };
        (key.clone(), rows.key(&key, of))
    });
    let mut profile = table(properties.collect());
    profile["required"] = json!(["name"]);
    profile
}

fn project() -> Value {
    let rows = Rows::below("## `[[project]]`");
    let properties = keys("[[project]]").into_iter().map(|key| {
        let of = match key.as_str() {
            "env" => variables(),
            "dir" | "match" => text(),
            key => of_key("project", key),
        };
        (key.clone(), rows.key(&key, of))
    });
    let mut project = table(properties.collect());
    project["oneOf"] = json!([{ "required": ["dir"] }, { "required": ["match"] }]);
    project
}

fn schema() -> Value {
    let properties = keys("").into_iter().map(|key| {
        let of = match key.as_str() {
            "agent" | "probe" | "mirror" | "relay" | "policy" | "fleet" | "telemetry"
            | "metrics" => section(
                &key,
                &format!("[{key}]"),
                &Rows::below(&format!("## `[{key}]`")),
            ),
            "target" => json!({
                "type": "object",
                "propertyNames": of_key("profile", "name"),
                "additionalProperties": target(),
                "maxProperties": 256,
            }),
            "profile" => json!({
                "type": "array", "items": profile(), "maxItems": 256,
            }),
            "project" => json!({ "type": "array", "items": project(), "maxItems": 64 }),
            key => of_key("", key),
        };
        (key, of)
    });
    let mut schema = table(properties.collect());
    schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    schema["title"] = json!("goroam.toml");
    schema["description"] = json!("The policy of goroam: which go settings hold on which network.");
    schema["required"] = json!(["version"]);
    schema["definitions"] = json!({ "condition": condition() });
    schema
}

#[test]
fn the_file_has_the_keys_that_the_reader_knows_and_the_texts_of_the_docs() {
    let text = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    if std::env::var_os("GOROAM_WRITE_SCHEMA").is_some() {
        std::fs::write(file(), &text).unwrap();
    }
    let now = std::fs::read_to_string(file())
        .unwrap()
        .replace("\r\n", "\n");
    assert!(
        now == text,
        "docs/goroam.schema.json is old: run `cargo xtask docs`"
    );
}

/// The committed schema, as an editor's engine takes it.
fn compiled() -> &'static (Schemas, SchemaIndex) {
    static COMPILED: OnceLock<(Schemas, SchemaIndex)> = OnceLock::new();
    COMPILED.get_or_init(|| {
        let text = std::fs::read_to_string(file()).unwrap();
        let (mut compiler, mut schemas) = (Compiler::new(), Schemas::new());
        let url = "http://schema.test/goroam.json";
        compiler
            .add_resource(url, serde_json::from_str(&text).unwrap())
            .unwrap();
        let index = compiler.compile(url, &mut schemas).unwrap();
        (schemas, index)
    })
}

/// Why the schema refuses a text; `None`: it accepts it, or it is not TOML.
fn refusal(policy: &str) -> Option<String> {
    let policy = toml::from_str::<Value>(policy).ok()?;
    let (schemas, index) = compiled();
    schemas
        .validate(&policy, *index)
        .err()
        .map(|error| error.to_string())
}

/// Compares the two: every policy of these tests passes through here.
pub(crate) fn agrees(text: &str, parsed: &Parsed) {
    if parsed.policy.is_some()
        && let Some(why) = refusal(text)
    {
        panic!("the schema refuses a policy that goroam accepts: {why}\n{text}");
    }
}

/// All policies that users see, and the lab's.
fn shown() -> Vec<String> {
    let pages = [
        include_str!("../../docs/policy.md"),
        include_str!("../../docs/relay.md"),
        include_str!("../../README.md"),
    ];
    let blocks = pages
        .iter()
        .flat_map(|page| page.split("```toml\n").skip(1));
    let blocks = blocks.map(|rest| rest.split("```").next().unwrap().to_owned());
    let company = Company {
        url: "https://goproxy.corp.example".to_owned(),
        host: "goproxy.corp.example".to_owned(),
        ca: Some("/etc/ca.pem".to_owned()),
        private: "*.corp.example".to_owned(),
        ..Company::default()
    };
    let texts = Template::ALL.map(|template| template.text().to_owned());
    let lab = include_str!("../lab/policy.toml").to_owned();
    blocks.chain(texts).chain([company.text(), lab]).collect()
}

#[test]
fn every_policy_that_users_see_is_accepted() {
    let all = shown();
    assert!(all.len() > 10, "{}", all.len());
    for policy in all {
        // `read` compares; what is a part of a policy has no `version`.
        let is_whole = policy.contains("version = 1");
        assert!(
            !is_whole || read(&policy).policy.is_some() || policy.contains("${"),
            "{policy}"
        );
    }
}

/// TOML on few lines: tables as inline tables.
fn written(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let pairs = map
                .iter()
                .map(|(key, value)| format!("{key:?} = {}", written(value)));
            format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => {
            format!(
                "[{}]",
                items.iter().map(written).collect::<Vec<_>>().join(", ")
            )
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
    }
}

/// Every variant of a value with one part of it changed.
fn mutants(value: &Value) -> Vec<Value> {
    let others = [
        "1",
        "-5",
        "1.5",
        "true",
        "\"\"",
        "\"x\"",
        "\"10\"",
        "\" a \"",
        "[]",
        "[\"x\"]",
        "{}",
        "{\"x\": 1}",
    ];
    let mut out: Vec<Value> = others
        .map(|text| serde_json::from_str(text).unwrap())
        .into();
    match value {
        Value::Object(map) => {
            for (key, part) in map {
                let with = |key: &str, part: Option<Value>| {
                    let mut map = map.clone();
                    map.remove(key);
                    map.extend(part.map(|part| (key.to_owned(), part)));
                    Value::Object(map)
                };
                out.push(with(key, None));
                let mut renamed = with(key, None);
                renamed[format!("{key}x")] = part.clone();
                out.push(renamed);
                out.extend(mutants(part).into_iter().map(|part| with(key, Some(part))));
            }
        }
        Value::Array(items) => {
            for (at, part) in items.iter().enumerate() {
                for part in mutants(part) {
                    let mut items = items.clone();
                    items[at] = part;
                    out.push(Value::Array(items));
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    out
}

#[test]
fn what_the_schema_refuses_goroam_refuses() {
    let (mut refused, mut both) = (0, 0);
    for policy in shown() {
        let Ok(policy) = toml::from_str::<Value>(&policy) else {
            continue;
        };
        // One in three takes seconds.
        for mutant in mutants(&policy).into_iter().step_by(3) {
            let Value::Object(map) = &mutant else {
                continue;
            };
            let lines = map
                .iter()
                .map(|(key, value)| format!("{key:?} = {}\n", written(value)));
            let text: String = lines.collect();
            // `read` compares.
            if read(&text).policy.is_none() {
                refused += 1;
                both += u32::from(refusal(&text).is_some());
            }
        }
    }
    println!("goroam refuses {refused} variants, the schema {both} of them");
    assert!(
        refused > 1500 && both * 10 > refused * 8,
        "{both} of {refused}"
    );
}

proptest::proptest! {
    #[test]
    fn no_duration_size_or_address_that_goroam_reads_is_refused(
        value in "[ 0-9.]{0,4} ?[a-zA-Zµ]{0,4}[ 0-9:]{0,3}[smh]?",
        key in proptest::sample::select(vec![
            ("agent", "recheck"), ("probe", "total"), ("mirror", "max_size"), ("relay", "listen"),
        ]),
    ) {
        let (section, key) = key;
        read(&format!("version = 1\n[{section}]\n{key} = {value:?}\n[[profile]]\nname = \"a\"\n"));
    }
}
