//! Metrics by OpenTelemetry's names, and their two forms: Prometheus' text and OTLP's JSON. The rooms
//! that count something make these values; nothing else knows how they are printed.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The bounds of the buckets of every duration, in seconds: those that OpenTelemetry recommends for
/// `http.client.request.duration`.
const BOUNDS: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

/// How often something took how long.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Durations {
    /// The count in each bucket: up to each bound, and above the last one. Empty: nothing was counted.
    buckets: Vec<u64>,
    /// All of them together, in seconds.
    sum: f64,
}

impl Durations {
    /// Counts one.
    pub fn add(&mut self, milliseconds: f64) {
        let seconds = milliseconds / 1000.0;
        // A record that another goroam wrote may have another length.
        self.buckets.resize(BOUNDS.len() + 1, 0);
        let place = BOUNDS.partition_point(|bound| *bound < seconds);
        if let Some(count) = self.buckets.get_mut(place) {
            *count += 1;
        }
        self.sum += seconds;
    }

    /// Returns how many were counted.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }
}

/// One value of a metric.
#[derive(Debug, Clone, PartialEq)]
pub enum Amount {
    /// A count that only grows.
    Total(u64),
    /// A state: it grows and shrinks.
    Level(f64),
    /// A distribution of durations.
    Took(Durations),
}

impl From<u64> for Amount {
    fn from(total: u64) -> Amount {
        Amount::Total(total)
    }
}

impl From<bool> for Amount {
    fn from(is_so: bool) -> Amount {
        Amount::Level(f64::from(u8::from(is_so)))
    }
}

/// The labels of one value: name and text. In OTLP the name has the prefix `goroam.`.
pub type Labels = Vec<(&'static str, String)>;

/// Every metric: its name, its unit by UCUM (`s`, or what is counted), and a sentence about it.
const TABLE: &str = "\
goroam.turns {turn} Turns, by cause.
goroam.turn.failures {turn} Turns that failed: nothing was written.
goroam.switches {switch} Turns that chose another profile.
goroam.switch.duration s From the event to the written file, for turns that chose another profile.
goroam.probe.duration s How long the probes took that found the target up.
goroam.probe.failures {probe} Probes that did not find the target up.
goroam.drift.changes {variable} Managed variables that another program or the user has changed.
goroam.export.dropped {turn} Turns whose trace no collector has.
goroam.export.failures {export} Exports that failed.
goroam.drift {variable} Managed variables that differ from what goroam wrote.
goroam.target.up 1 Whether a target was up when it was last asked.
goroam.profile 1 1 for the profile in force.
goroam.tier 1 1 for the place that modules come from: proxy, direct, mirror or off.
goroam.troubles {trouble} Present problems, as status lists them.
goroam.weakened {way} Ways in which the profile, or what another program wrote, weakens verification.
goroam.policy.refused 1 Whether the policy is refused, and the last good one in force.
goroam.export.queued {turn} Turns whose trace waits for the next export.
goroam.fleet.version 1 The version of the fleet's policy that is in force.
goroam.fleet.refused 1 Whether the store's last offer was refused.
goroam.turn.last_timestamp s When the last turn ended, since 1970.
goroam.fleet.fetched_timestamp s When a store was last asked with success, since 1970.
goroam.fleet.expires_timestamp s When the fleet's policy expires, since 1970.
goroam.relay.refusals {answer} Answers without a file, by status.
goroam.relay.hop.requests {request} Requests that were sent to a hop.
goroam.relay.hop.served {file} Files that came from a hop.
goroam.relay.hop.failures {attempt} Attempts at a hop that failed.
goroam.relay.keep_stopped 1 Whether the mirror is full, or cannot be written to.
goroam.relay.hop.up 1 Whether nothing speaks against a hop of the chain.
goroam.relay.requests {request} Requests that were answered.
goroam.relay.failovers {file} Files that another hop served because one failed.
goroam.relay.incidents {file} Files whose hash was wrong.
goroam.relay.stale {list} Lists of versions that may be old, as no hop answered.
goroam.relay.kept {version} Versions that the mirror keeps because they passed.";

/// A metric and its values. The values of one metric are of one kind.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// Its name, as in `goroam.relay.requests`.
    pub name: &'static str,
    /// A sentence that explains it.
    pub help: &'static str,
    /// Its unit.
    pub unit: &'static str,
    /// When the counting began; `None`: it is a level.
    pub since: Option<Timestamp>,
    /// Its values.
    pub values: Vec<(Labels, Amount)>,
}

impl Metric {
    /// Makes a metric of the table with one value and no labels.
    pub fn of(name: &'static str, amount: impl Into<Amount>) -> Metric {
        Metric::by(name, vec![(Labels::new(), amount.into())])
    }

    /// Makes a metric of the table with a value for each text of one label.
    pub fn by(name: &'static str, values: Vec<(Labels, Amount)>) -> Metric {
        let mut rows = TABLE.lines();
        let row = rows.find_map(|row| row.strip_prefix(name)?.strip_prefix(' '));
        let (unit, help) = row.and_then(|row| row.split_once(' ')).unwrap_or_default();
        Metric {
            name,
            help,
            unit,
            since: None,
            values,
        }
    }

    /// Sets when the counting began.
    #[must_use]
    pub fn since(mut self, since: Option<Timestamp>) -> Metric {
        self.since = since;
        self
    }

    /// Returns the name that OpenTelemetry's rules for Prometheus make of it.
    fn prometheus_name(&self) -> String {
        let mut name = self.name.replace('.', "_");
        if self.unit == "s" {
            name.push_str("_seconds");
        }
        if matches!(self.values.first(), Some((_, Amount::Total(_)))) {
            name.push_str("_total");
        }
        name
    }

    fn to_prometheus(&self, text: &mut String) {
        let name = self.prometheus_name();
        let kind = match self.values.first() {
            Some((_, Amount::Total(_))) => "counter",
            Some((_, Amount::Level(_))) => "gauge",
            Some((_, Amount::Took(_))) => "histogram",
            None => return,
        };
        let _ = writeln!(text, "# HELP {name} {}\n# TYPE {name} {kind}", self.help);
        for (labels, amount) in &self.values {
            let plain = braces(labels, None);
            let _ = match amount {
                Amount::Total(total) => writeln!(text, "{name}{plain} {total}"),
                Amount::Level(level) => writeln!(text, "{name}{plain} {level}"),
                Amount::Took(took) => {
                    let mut sum = 0;
                    for place in 0..=BOUNDS.len() {
                        sum += took.buckets.get(place).copied().unwrap_or_default();
                        let bound = BOUNDS.get(place).map(f64::to_string);
                        let bound = bound.unwrap_or_else(|| "+Inf".to_owned());
                        let labels = braces(labels, Some(&bound));
                        let _ = writeln!(text, "{name}_bucket{labels} {sum}");
                    }
                    let total = took.sum;
                    writeln!(text, "{name}_sum{plain} {total}\n{name}_count{plain} {sum}")
                }
            };
        }
    }

    fn to_otlp(&self, now: Timestamp) -> Option<Value> {
        let point = |(labels, amount): &(Labels, Amount)| {
            let labels = labels.iter();
            let labels =
                labels.map(|(name, text)| attribute(&format!("goroam.{name}"), text.as_str()));
            let mut point = json!({
                "attributes": labels.collect::<Vec<_>>(),
                "timeUnixNano": nanoseconds(now),
            });
            if let Some(since) = self.since {
                point["startTimeUnixNano"] = nanoseconds(since).into();
            }
            // Numbers, not strings: OTLP allows both for 64 bits, and not every collector reads
            // strings here.
            match amount {
                Amount::Total(total) => point["asInt"] = (*total).into(),
                Amount::Level(level) => point["asDouble"] = (*level).into(),
                Amount::Took(took) => {
                    point["count"] = took.count().into();
                    point["sum"] = took.sum.into();
                    let none = || vec![0; BOUNDS.len() + 1];
                    let is_empty = took.buckets.is_empty();
                    let buckets = if is_empty {
                        none()
                    } else {
                        took.buckets.clone()
                    };
                    point["bucketCounts"] = buckets.into();
                    point["explicitBounds"] = BOUNDS.to_vec().into();
                }
            }
            point
        };
        const CUMULATIVE: u8 = 2;
        let (kind, mut data) = match self.values.first()? {
            (_, Amount::Total(_)) => ("sum", json!({ "isMonotonic": true })),
            (_, Amount::Level(_)) => ("gauge", json!({})),
            (_, Amount::Took(_)) => ("histogram", json!({})),
        };
        if kind != "gauge" {
            data["aggregationTemporality"] = CUMULATIVE.into();
        }
        data["dataPoints"] = self.values.iter().map(point).collect();
        Some(json!({
            "name": self.name,
            "description": self.help,
            "unit": self.unit,
            kind: data,
        }))
    }
}

/// Formats metrics as Prometheus reads them. A metric without a value is left out.
pub fn prometheus(metrics: &[Metric]) -> String {
    let mut text = String::new();
    for metric in metrics {
        metric.to_prometheus(&mut text);
    }
    text
}

/// Formats metrics as the list `metrics` of OTLP's JSON.
pub fn otlp(metrics: &[Metric], now: Timestamp) -> Vec<Value> {
    let made = metrics.iter().filter_map(|metric| metric.to_otlp(now));
    made.collect()
}

/// Returns an attribute of OTLP's JSON.
pub fn attribute(name: &str, value: impl Into<Value>) -> Value {
    let value = match value.into() {
        Value::String(text) => json!({ "stringValue": text }),
        Value::Bool(it) => json!({ "boolValue": it }),
        Value::Array(all) => {
            let all = all.into_iter().map(|one| json!({ "stringValue": one }));
            json!({ "arrayValue": { "values": all.collect::<Vec<_>>() } })
        }
        // 64-bit integers are strings in proto3's JSON.
        Value::Number(number) => json!({ "intValue": number.to_string() }),
        other @ (Value::Null | Value::Object(_)) => other,
    };
    json!({ "key": name, "value": value })
}

/// Returns a time as OTLP's JSON has it.
pub fn nanoseconds(at: Timestamp) -> String {
    at.as_nanosecond().to_string()
}

fn braces(labels: &Labels, bound: Option<&str>) -> String {
    let labels = labels.iter().map(|(name, text)| (*name, text.as_str()));
    let labels = labels.chain(bound.map(|bound| ("le", bound)));
    let labels = labels.map(|(name, text)| format!("{name}=\"{}\"", escaped(text)));
    let labels = labels.collect::<Vec<_>>().join(",");
    if labels.is_empty() {
        return labels;
    }
    format!("{{{labels}}}")
}

fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
    text.replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_docs_name_every_metric() {
        let docs = [
            include_str!("../../docs/health.md"),
            include_str!("../../docs/relay.md"),
        ];
        for row in TABLE.lines() {
            let (name, rest) = row.split_once(' ').unwrap();
            let (unit, help) = rest.split_once(' ').unwrap();
            assert!(["s", "1"].contains(&unit) || unit.starts_with('{'), "{row}");
            assert!(help.ends_with('.'), "{row}");
            let name = name.replace('.', "_");
            assert!(docs.iter().any(|page| page.contains(&name)), "{name}");
        }
    }

    #[test]
    fn a_text_cannot_break_out_of_a_label() {
        let labels = vec![("hop", "a\"b\\c\nd".to_owned())];
        assert_eq!(braces(&labels, None), r#"{hop="a\"b\\c d"}"#);
    }

    #[test]
    fn a_duration_is_in_its_bucket_and_in_all_above_it() {
        let mut took = Durations::default();
        for ms in [5.0, 5.1, 40.0, 60_000.0] {
            took.add(ms);
        }
        let metric = Metric::of("goroam.probe.duration", Amount::Took(took));
        let text = prometheus(std::slice::from_ref(&metric));
        for line in [
            "# TYPE goroam_probe_duration_seconds histogram",
            "goroam_probe_duration_seconds_bucket{le=\"0.005\"} 1",
            "goroam_probe_duration_seconds_bucket{le=\"0.01\"} 2",
            "goroam_probe_duration_seconds_bucket{le=\"10\"} 3",
            "goroam_probe_duration_seconds_bucket{le=\"+Inf\"} 4",
            "goroam_probe_duration_seconds_count 4",
        ] {
            assert!(text.lines().any(|one| one == line), "{line}: {text}");
        }
        let began = Timestamp::from_second(7).unwrap();
        let metric = metric.since(Some(began));
        let json = &otlp(&[metric], Timestamp::UNIX_EPOCH)[0]["histogram"];
        let start = &json["dataPoints"][0]["startTimeUnixNano"];
        assert_eq!(start, "7000000000");
        let total = otlp(&[Metric::of("goroam.switches", 3)], began);
        assert_eq!(total[0]["sum"]["isMonotonic"], true);
        assert_eq!(total[0]["sum"]["aggregationTemporality"], 2);
        assert_eq!(json["aggregationTemporality"], 2);
        let point = &json["dataPoints"][0];
        assert_eq!(point["count"], 4);
        let (buckets, bounds) = (&point["bucketCounts"], &point["explicitBounds"]);
        assert_eq!(buckets.as_array().unwrap().len(), 15);
        assert_eq!(bounds.as_array().unwrap().len(), 14);
    }
}
