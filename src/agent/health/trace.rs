//! A turn as a trace of OpenTelemetry, in OTLP's JSON. Nothing of it names a module, a user, an
//! interface or, unless the policy allows it, a host: so there is no text that a probe or an error
//! wrote.

use serde_json::{Value, json};
use url::Url;

use crate::gomod::sum::sha256_hex;
use crate::model::metrics::attribute;
use crate::model::{Observation, Phase, Target, TargetKind};
use crate::policy::{Decision, Policy};
use crate::state::Entry;
use crate::state::entry::Outcome;

const INTERNAL: u8 = 1;
const CLIENT: u8 = 3;
const ERROR: u8 = 2;

/// Returns the spans of a turn: `goroam.turn`, and below it `goroam.survey`, a `goroam.probe` for
/// each probe, `goroam.decide` and `goroam.apply`, as far as the turn has them. `hash`: that of its
/// line in the journal. `policy`: names the hosts of targets, if they may be named.
pub(super) fn spans(entry: &Entry, hash: Option<&str>, policy: Option<&Policy>) -> Vec<Value> {
    let ms = |step: &str| entry.ms.get(step).copied();
    let took = |step: &str| ms(step).unwrap_or_default();
    // `at` is the end. The steps follow one another, the reading of the network before them.
    let end = entry.at.as_nanosecond();
    let began = end
        - nanos(
            ["probe", "prepare", "quiet", "apply"]
                .map(took)
                .iter()
                .sum(),
        );
    let looked = began - nanos(took("survey"));
    let first = looked.min(end - nanos(took("all")));
    let mut trace = Trace {
        id: &entry.trace,
        spans: Vec::new(),
    };
    trace.add("goroam.turn", INTERNAL, (first, end), of_turn(entry, hash));
    if let (Outcome::Failed { .. }, Some(turn)) = (&entry.outcome, trace.spans.last_mut()) {
        turn["status"] = json!({ "code": ERROR });
    }
    if ms("survey").is_some() {
        trace.add("goroam.survey", INTERNAL, (looked, began), Vec::new());
    }
    for seen in &entry.report {
        let (Some(offset), Some(total)) = (seen.began_ms, seen.phases.total) else {
            continue;
        };
        let start = began + nanos(offset);
        let span = (start, (start + nanos(total)).min(end));
        let target = policy.and_then(|policy| policy.targets.get(&seen.target));
        trace.add("goroam.probe", CLIENT, span, of_probe(seen, target));
        if let (false, Some(probe)) = (seen.is_up(), trace.spans.last_mut()) {
            probe["status"] = json!({ "code": ERROR });
        }
    }
    if let Some(decide) = ms("decide") {
        let decided = began + nanos(took("probe"));
        let span = (decided - nanos(decide), decided);
        trace.add("goroam.decide", INTERNAL, span, Vec::new());
    }
    if let (Some(apply), Outcome::Written { .. }) = (ms("apply"), &entry.outcome) {
        let span = (end - nanos(apply), end);
        trace.add("goroam.apply", INTERNAL, span, Vec::new());
    }
    trace.spans
}

/// Returns the name of a profile as others may see it: a mirror that was chosen by its URL has that
/// as its name.
pub(super) fn shown(profile: &str) -> &str {
    if profile.contains("://") {
        return "(a URL)";
    }
    profile
}

struct Trace<'a> {
    id: &'a str,
    spans: Vec<Value>,
}

impl Trace<'_> {
    fn add(&mut self, name: &str, kind: u8, (start, end): (i128, i128), attributes: Vec<Value>) {
        let mut span = json!({
            "traceId": self.id,
            "spanId": self.span_id(self.spans.len()),
            "name": name,
            "kind": kind,
            "startTimeUnixNano": start.to_string(),
            "endTimeUnixNano": end.max(start).to_string(),
            "attributes": attributes,
        });
        if !self.spans.is_empty() {
            span["parentSpanId"] = self.span_id(0).into();
        }
        self.spans.push(span);
    }

    /// The same span always has the same id: one that is sent twice counts once.
    fn span_id(&self, number: usize) -> String {
        let hash = sha256_hex(format!("{} {number}", self.id).as_bytes());
        hash.get(..16).unwrap_or_default().to_owned()
    }
}

fn of_turn(entry: &Entry, hash: Option<&str>) -> Vec<Value> {
    let (outcome, changed) = match &entry.outcome {
        Outcome::Written { changed } => ("written", changed.as_slice()),
        Outcome::Restored { changed } => ("restored", changed.as_slice()),
        Outcome::Unchanged => ("unchanged", [].as_slice()),
        Outcome::DryRun => ("dry run", [].as_slice()),
        Outcome::Failed { .. } => ("failed", [].as_slice()),
    };
    let mut all = vec![
        attribute("goroam.turn.number", entry.turn),
        attribute("goroam.turn.cause", entry.cause.as_str()),
        attribute("goroam.outcome", outcome),
    ];
    if let Outcome::Failed { kind, .. } = &entry.outcome {
        // The convention's word for an unknown one.
        let kind = if kind.is_empty() { "_OTHER" } else { kind };
        all.push(attribute("error.type", kind));
    }
    let drift = entry.drift.iter().map(|drift| drift.name.clone());
    for (name, names) in [
        ("goroam.changed", changed.to_vec()),
        ("goroam.drift", drift.collect()),
    ] {
        if !names.is_empty() {
            all.push(attribute(name, names));
        }
    }
    let decision = entry.decision.as_ref();
    let profile = decision.map(|decision| decision.profile.as_str());
    for (name, profile) in [
        ("goroam.profile", profile),
        ("goroam.profile.previous", entry.from.as_deref()),
    ] {
        all.extend(profile.map(|profile| attribute(name, shown(profile))));
    }
    let flag = |name: &str, is_set: fn(&Decision) -> bool| {
        let is_set = decision.is_some_and(is_set);
        is_set.then(|| attribute(name, true))
    };
    all.extend(flag("goroam.by_hand", |decision| decision.pinned));
    all.extend(flag("goroam.provisional", |decision| decision.provisional));
    if !entry.incidents.is_empty() {
        all.push(attribute("goroam.incidents", entry.incidents.len()));
    }
    all.extend(hash.map(|hash| attribute("goroam.journal.hash", hash)));
    all
}

fn of_probe(seen: &Observation, target: Option<&Target>) -> Vec<Value> {
    let mut all = vec![
        attribute("goroam.target", seen.target.as_str()),
        attribute("goroam.verdict", seen.verdict.to_string()),
    ];
    if seen.tries > 1 {
        all.push(attribute("http.request.resend_count", seen.tries - 1));
    }
    if let Some(phase) = seen.failed {
        all.push(attribute("error.type", word(phase)));
    }
    let server = target.and_then(server);
    if let Some((host, port)) = server {
        all.push(attribute("server.address", host));
        all.extend(port.map(|port| attribute("server.port", port)));
    }
    all
}

fn word(phase: Phase) -> &'static str {
    match phase {
        Phase::Dns => "dns",
        Phase::Connect => "connect",
        Phase::Tls => "tls",
        Phase::FirstByte => "first_byte",
        Phase::Body => "body",
        Phase::Content => "content",
    }
}

/// Returns the host and the port that a target names.
fn server(target: &Target) -> Option<(String, Option<u16>)> {
    match &target.kind {
        TargetKind::GoProxy { url, .. } | TargetKind::Https { url, .. } => {
            let url = Url::parse(url).ok()?;
            Some((url.host_str()?.to_owned(), url.port_or_known_default()))
        }
        TargetKind::Tcp { host, port } => Some((host.to_string(), Some(*port))),
        TargetKind::Icmp { address } => Some((address.to_string(), None)),
        TargetKind::SumDb { .. } | TargetKind::Listening { .. } | TargetKind::Mirror { .. } => None,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a float to an integer saturates"
)]
fn nanos(milliseconds: f64) -> i128 {
    (milliseconds * 1e6) as i128
}

/// Returns the resource that all spans and metrics of this goroam have. `host`: the machine's name,
/// if it may be named.
pub(super) fn resource(instance: &str, host: Option<String>) -> Value {
    let system = match std::env::consts::OS {
        "macos" => "darwin",
        other => other,
    };
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let mut all = vec![
        attribute("service.name", "goroam"),
        attribute("service.version", env!("CARGO_PKG_VERSION")),
        attribute("service.instance.id", instance),
        attribute("os.type", system),
        attribute("host.arch", arch),
    ];
    all.extend(host.map(|host| attribute("host.name", host)));
    json!({ "attributes": all })
}

/// Returns the body of a request: `kind` is `Spans` or `Metrics`, `list` the JSON of what is sent,
/// separated by commas.
pub(super) fn body(kind: &str, resource: &Value, list: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let lower = kind.to_ascii_lowercase();
    format!(
        r#"{{"resource{kind}":[{{"resource":{resource},"scope{kind}":[{{"scope":{{"name":"goroam","version":"{version}"}},"{lower}":[{list}]}}]}}]}}"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        let text = r#"{"turn":7,"at":"2026-11-22T12:00:01Z","cause":"network","changes":[],
            "trace":"5b8efff798038103d269b633813fc60c","snapshot":{"links":[],"routes":[],
            "rules":[],"dns":{"servers":[],"search":[]}},"report":[
            {"target":"corp","verdict":"down","reason":"no route to goproxy.corp.example",
             "failed":"connect","phases":{"total":40.0},"proof":"none","definite":true,"tries":2,
             "began_ms":3.0},
            {"target":"late","verdict":"up","reason":"","phases":{"total":9.0},"proof":"tls",
             "definite":true,"tries":1}],
            "decision":null,"from":"https://joe@proxy.corp.example/","plan":{"steps":[]},
            "outcome":{"is":"failed","error":"/home/joe: denied","type":"write"},
            "ms":{"survey":2.0,"probe":50.0,"decide":1.0,"prepare":5.0,"apply":5.0,"all":63.0}}"#;
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn the_spans_of_a_turn_lie_within_it() {
        let spans = spans(&entry(), Some("ab12"), None);
        let names = spans.iter().map(|span| span["name"].as_str().unwrap());
        let names: Vec<&str> = names.collect();
        let all = [
            "goroam.turn",
            "goroam.survey",
            "goroam.probe",
            "goroam.decide",
        ];
        assert_eq!(names, all);
        let at = |span: &Value, key: &str| span[key].as_str().unwrap().parse::<i128>().unwrap();
        let times = |span: &Value| (at(span, "startTimeUnixNano"), at(span, "endTimeUnixNano"));
        let (first, end) = times(&spans[0]);
        assert_eq!(end - first, 63_000_000);
        for span in &spans[1..] {
            let (start, stop) = times(span);
            assert!(first <= start && start <= stop && stop <= end, "{span}");
            assert_eq!(span["parentSpanId"], spans[0]["spanId"]);
            assert_eq!(span["traceId"], "5b8efff798038103d269b633813fc60c");
        }
        assert_eq!(times(&spans[2]), (end - 57_000_000, end - 17_000_000));
    }

    #[test]
    fn neither_a_host_nor_a_user_nor_a_text_of_others_is_in_a_trace() {
        let text = Value::from(spans(&entry(), None, None)).to_string();
        for secret in ["corp.example", "joe", "denied", "route"] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
        assert!(text.contains("\"connect\""), "{text}");
        let kind = r#"{"key":"error.type","value":{"stringValue":"write"}}"#;
        assert!(text.contains(kind), "{text}");
    }

    #[test]
    fn a_host_is_named_if_the_policy_allows_it() {
        let text = "version = 1\n[target.corp]\ngoproxy = \"https://joe:pw@corp.example:8443/x\"\n\
                    [[profile]]\nname = \"p\"\nenv = { GOPROXY = \"off\" }\n";
        let (folder, home) = (std::path::Path::new("/"), None);
        let place = crate::policy::file::PolicyLocation { folder, home };
        let policy = crate::policy::file::parse(text, place).policy.unwrap();
        let text = Value::from(spans(&entry(), None, Some(&policy))).to_string();
        for named in [
            r#"{"key":"server.address","value":{"stringValue":"corp.example"}}"#,
            r#"{"key":"server.port","value":{"intValue":"8443"}}"#,
        ] {
            assert!(text.contains(named), "{text}");
        }
        assert!(!text.contains("joe") && !text.contains("pw"), "{text}");
    }

    #[test]
    fn a_body_is_json() {
        let resource = resource("1", Some("laptop".to_owned()));
        let body: Value = serde_json::from_str(&body("Spans", &resource, "{},{}")).unwrap();
        let scope = &body["resourceSpans"][0]["scopeSpans"][0];
        assert_eq!(scope["spans"].as_array().unwrap().len(), 2);
    }
}
