//! Reads `[telemetry]` and `[metrics]`. No message names the value of a header: it may be a secret.

use std::path::PathBuf;

use url::Url;

use super::agent::section;
use super::reader::{Section, Text, Value};
use super::values::expand_path;
use crate::model::Host;
use crate::policy::{MetricsSettings, TelemetrySettings};

/// More headers, or a longer value, is not what a collector asks for.
const MOST_HEADERS: usize = 32;
const LONGEST_VALUE: usize = 4096;

/// Headers that say how a request is sent, which is not up to a policy.
const FIXED: [&str; 7] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "host",
    "transfer-encoding",
    "user-agent",
];

/// Reads `[telemetry]`.
pub(super) fn telemetry(root: &Section<'_>) -> TelemetrySettings {
    let mut telemetry = TelemetrySettings::default();
    let keys = ["otlp", "headers", "hosts"];
    let Some(table) = section(root, "telemetry", "[telemetry]", &keys) else {
        return telemetry;
    };
    let example = "otlp = \"https://collector.corp.example:4318\"";
    if let Some(text) = table.string("otlp", example)
        && text.value != "off"
    {
        telemetry.otlp = collector(&text);
    }
    if let Some(value) = table.get("headers", "headers = { authorization = \"Bearer …\" }") {
        telemetry.headers = headers(&value).unwrap_or_default();
    }
    telemetry.hosts = table.boolean("hosts").unwrap_or(false);
    telemetry
}

fn collector(text: &Text<'_>) -> Option<Url> {
    let bad = |message: &str, help: &str| text.refuse("bad-url", message, help);
    let Ok(url) = Url::parse(text.value) else {
        let help = "for example: \"https://collector.corp.example:4318\"";
        return bad("this is not the URL of a collector", help);
    };
    if !url.username().is_empty() || url.password().is_some() {
        let help = "headers = { authorization = \"Basic …\" }";
        return bad("the URL of a collector holds no credentials", help);
    }
    if url.query().is_some() || url.fragment().is_some() {
        let help = "goroam adds /v1/traces and /v1/metrics to it";
        return bad("the URL of a collector ends with its path", help);
    }
    let is_here = url.host_str().is_some_and(Host::is_this_machine);
    match url.scheme() {
        "https" => Some(url),
        "http" if is_here => Some(url),
        // An address like 192.168.1.9 is another machine in each network.
        _ => bad(
            "a collector on another machine needs https",
            "write https://, or send to a collector on this machine: http://127.0.0.1:4318",
        ),
    }
}

fn headers(value: &Value<'_>) -> Option<Vec<(String, String)>> {
    let table = value.table("`headers`")?;
    let mut headers = Vec::new();
    for key in table.keys() {
        let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        let name = key.value.to_ascii_lowercase();
        if name.is_empty() || !name.bytes().all(is_token) || FIXED.contains(&name.as_str()) {
            let help = "write another name, as in: authorization";
            let message = "a policy cannot set this header";
            key.refuse::<()>("bad-name", message, help);
            continue;
        }
        let text = table.get(key.value, "authorization = \"Bearer …\"");
        let Some(text) = text.and_then(|value| value.string()) else {
            continue;
        };
        let is_text = |b: u8| (0x20..0x7f).contains(&b);
        if text.value.len() > LONGEST_VALUE || !text.value.bytes().all(is_text) {
            let help = format!("at most {LONGEST_VALUE} characters of ASCII, in one line");
            text.refuse::<()>("bad-value", "no header can have this value", help);
            continue;
        }
        headers.push((name, text.value.to_owned()));
    }
    if headers.len() > MOST_HEADERS {
        let message = format!("`headers` has more than {MOST_HEADERS} headers");
        return value.refuse("too-many", message);
    }
    Some(headers)
}

/// Reads `[metrics]`.
pub(super) fn metrics(root: &Section<'_>) -> MetricsSettings {
    let Some(table) = section(root, "metrics", "[metrics]", &["textfile"]) else {
        return MetricsSettings::default();
    };
    let example = "textfile = \"/var/lib/prometheus/node-exporter/goroam.prom\"";
    let text = table.string("textfile", example);
    let textfile = text.filter(|text| text.value != "off").and_then(|text| {
        let path = expand_path(&text)?;
        // node_exporter reads no other files, and goroam is to replace none by mistake.
        match path.extension() {
            Some(end) if end == "prom" => Some(path),
            _ => text.refuse::<PathBuf>(
                "bad-path",
                "`textfile` must end in `.prom`",
                format!("for example: {example}"),
            ),
        }
    });
    MetricsSettings { textfile }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::policy::file::parse_layers;
    use crate::policy::layers::{Layer, LayerKind};

    #[test]
    fn what_one_collector_may_have_does_not_go_to_another_one() {
        let lower = "version = 1\n[telemetry]\notlp = \"https://a.test\"\nheaders = { a = \"b\" }\nhosts = true\n\
                     [[profile]]\nname = \"p\"\nenv = { GOPROXY = \"off\" }\n";
        for (higher, headers) in [
            ("version = 1\n[metrics]\ntextfile = \"/m.prom\"\n", 1),
            ("version = 1\n[telemetry]\notlp = \"https://b.test\"\n", 0),
        ] {
            let layer = |kind, text| Layer {
                kind,
                path: Path::new("/p.toml"),
                text,
            };
            let layers = [
                layer(LayerKind::Machine, lower),
                layer(LayerKind::User, higher),
            ];
            let parsed = parse_layers(&layers, None);
            let telemetry = parsed.policy.unwrap().telemetry;
            assert_eq!(telemetry.headers.len(), headers, "{higher}");
            assert_eq!(telemetry.hosts, headers == 1, "{higher}");
            assert!(!format!("{telemetry:?}").contains("\"b\""));
        }
    }
}
