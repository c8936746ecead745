//! Sends traces and metrics to the policy's collector after a turn, and writes the metrics' file.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value;
use tracing::{debug, warn};
use url::Url;

use super::metrics::metrics;
use super::queue::TraceQueue;
use super::trace::{body, resource, spans};
use crate::agent::clock;
use crate::agent::session::Session;
use crate::environment::Environment;
use crate::model::metrics::{otlp, prometheus};
use crate::model::status::{Status, TelemetryStatus};
use crate::paths::Paths;
use crate::policy::Policy;
use crate::probe::post::{Posted, post};
use crate::state::{Entry, file};

/// The limit for all requests of one export.
const LIMIT: Duration = Duration::from_secs(3);
/// The longest wait that a collector can ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// How the watching goes.
#[derive(Debug, Default)]
pub(crate) struct Health {
    queue: Option<TraceQueue>,
    /// A turn was noted since the last export.
    is_due: bool,
    /// When the collector last accepted something.
    sent: Option<Timestamp>,
    /// Why the last export failed.
    failed: Option<String>,
    /// No export before this: the collector has asked for it.
    not_before: Option<Instant>,
    /// Why the metrics' file cannot be written.
    pub(crate) trouble: Option<String>,
    /// When this process noted its first turn.
    started: Option<Timestamp>,
}

impl Health {
    /// Reads what waits for the policy's collector.
    pub(crate) fn open(policy: &Policy, paths: &Paths) -> Health {
        let otlp = policy.telemetry.otlp.as_ref();
        Health {
            queue: otlp.map(|_| TraceQueue::open(paths.telemetry())),
            ..Health::default()
        }
    }

    /// Returns what status shows.
    pub(crate) fn status(&self, policy: &Policy, dropped: u64) -> Option<TelemetryStatus> {
        let otlp = policy.telemetry.otlp.as_ref()?;
        Some(TelemetryStatus {
            otlp: otlp.to_string(),
            sent: self.sent,
            failed: self.failed.clone(),
            queued: self.queue.as_ref().map_or(0, TraceQueue::len),
            dropped,
        })
    }
}

/// What goes to a collector.
pub(crate) struct Export {
    env: std::sync::Arc<Environment>,
    otlp: Url,
    headers: Vec<(String, String)>,
    traces: String,
    metrics: String,
    /// Up to which turn of the queue the traces reach.
    end: u64,
}

/// What became of it.
#[derive(Debug)]
pub(crate) struct Exported {
    end: u64,
    traces: Answer,
    /// What is wrong, with the traces or else with the metrics.
    trouble: Option<String>,
    retry_after: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Accepted,
    /// It must not be sent again.
    Refused,
    /// It may be sent again after another turn.
    Later,
}

impl Export {
    /// Sends it. Ends within [`LIMIT`].
    pub(crate) async fn send(self) -> Exported {
        let mut exported = Exported {
            end: self.end,
            traces: Answer::Later,
            trouble: None,
            retry_after: None,
        };
        let all = async {
            for (path, body) in [("traces", self.traces), ("metrics", self.metrics)] {
                let mut url = self.otlp.clone();
                let base = url.path().trim_end_matches('/').to_owned();
                url.set_path(&format!("{base}/v1/{path}"));
                let posted = post(&self.env, &url, &self.headers, body).await;
                let (answer, trouble, retry_after) = judge(posted);
                if path == "traces" {
                    exported.traces = answer;
                }
                exported.trouble = exported.trouble.take().or(trouble);
                exported.retry_after = exported.retry_after.or(retry_after);
                if answer == Answer::Later {
                    return;
                }
            }
        };
        if tokio::time::timeout(LIMIT, all).await.is_err() {
            let late = format!("no answer in {} s", LIMIT.as_secs());
            exported.trouble.get_or_insert(late);
        }
        exported
    }
}

/// Judges an answer by OTLP's rules: only 429, 502, 503, 504 and no answer at all allow the same
/// request again. A redirect, or a page in place of an answer, is not the collector's.
fn judge(posted: Result<Posted, String>) -> (Answer, Option<String>, Option<Duration>) {
    let posted = match posted {
        Ok(posted) => posted,
        Err(why) => return (Answer::Later, Some(why), None),
    };
    let status = posted.status;
    match status {
        200..=299 => {
            let is_blank = posted.body.iter().all(u8::is_ascii_whitespace);
            match serde_json::from_slice::<Value>(&posted.body) {
                Ok(Value::Object(answer)) => {
                    (Answer::Accepted, refused_part(&Value::Object(answer)), None)
                }
                Ok(_) | Err(_) if is_blank => (Answer::Accepted, None, None),
                Ok(_) | Err(_) => {
                    let why = "a page came in place of a collector's answer";
                    (Answer::Later, Some(why.to_owned()), None)
                }
            }
        }
        300..=399 => {
            let why = format!("it redirects (HTTP {status}), which is not followed");
            (Answer::Later, Some(why), None)
        }
        429 | 502 | 503 | 504 => (
            Answer::Later,
            Some(format!("HTTP {status}")),
            posted.retry_after,
        ),
        _ => (Answer::Refused, Some(format!("HTTP {status}")), None),
    }
}

/// Returns what the collector says of a part that it did not take.
fn refused_part(answer: &Value) -> Option<String> {
    let part = answer.get("partialSuccess")?;
    ["rejectedSpans", "rejectedDataPoints"]
        .into_iter()
        .find_map(|key| {
            let count = part.get(key)?;
            let count = count.as_u64().or_else(|| count.as_str()?.parse().ok())?;
            (count > 0).then(|| format!("it refused {count} of what was sent ({key})"))
        })
}

impl Session {
    /// Counts a turn, and keeps its trace for the collector.
    pub(crate) fn note_health(&mut self, entry: &Entry) {
        let loaded = std::sync::Arc::clone(&self.loaded);
        let policy = &loaded.policy;
        let counts = &mut self.memory.counts;
        counts.note(entry, |name| policy.targets.contains_key(name));
        if counts.instance.is_empty() {
            counts.instance = clock::random_id();
        }
        self.health.started.get_or_insert(entry.at);
        self.health.is_due = true;
        let path = self.paths.telemetry();
        if policy.telemetry.otlp.is_none() {
            if self.health.queue.take().is_some() {
                let _ = std::fs::remove_file(&path);
            }
            return;
        }
        let mark = self.memory.journal.as_ref();
        let hash = mark.filter(|mark| mark.turn == entry.turn);
        let hosts = policy.telemetry.hosts.then_some(policy);
        let spans = spans(entry, hash.map(|mark| mark.hash.as_str()), hosts);
        let queue = &mut self.health.queue;
        let queue = queue.get_or_insert_with(|| TraceQueue::open(path));
        let (dropped, saved) = queue.push(&spans);
        counts_saved(saved);
        self.memory.counts.dropped += dropped;
    }

    /// Returns what is to be sent, also if no turn was noted here.
    pub(crate) fn export_again(&mut self, status: &Status) -> Option<Export> {
        self.health.is_due = true;
        self.export(status)
    }

    /// Returns the metrics in Prometheus' text format.
    pub fn metrics(&self, status: &Status) -> String {
        let counts = &self.memory.counts;
        prometheus(&metrics(counts, status, self.health.started))
    }

    /// Writes the metrics' file if a turn was noted since, and returns what is to be sent, if the
    /// policy names a collector.
    pub(crate) fn export(&mut self, status: &Status) -> Option<Export> {
        if !std::mem::take(&mut self.health.is_due) {
            return None;
        }
        let policy = &self.loaded.policy;
        self.health.trouble = None;
        if let Some(path) = &policy.metrics.textfile
            && let Err(error) = file::replace_in_place(path, self.metrics(status).as_bytes())
        {
            let trouble = format!("cannot write the metrics to {}: {error}", path.display());
            warn!("{trouble}");
            self.health.trouble = Some(trouble);
        }
        let telemetry = &policy.telemetry;
        let otlp_url = telemetry.otlp.clone()?;
        if self.health.not_before.is_some_and(|at| Instant::now() < at) {
            return None;
        }
        let path = self.paths.telemetry();
        let queue = &mut self.health.queue;
        let queue = queue.get_or_insert_with(|| TraceQueue::open(path));
        let (spans, end) = queue.all();
        let counts = &self.memory.counts;
        let host = telemetry.hosts.then(|| host_name(&self.env)).flatten();
        let resource = resource(&counts.instance, host);
        let metrics = otlp(&metrics(counts, status, self.health.started), clock::now());
        let metrics: Vec<String> = metrics.iter().map(Value::to_string).collect();
        Some(Export {
            env: std::sync::Arc::clone(&self.env),
            otlp: otlp_url,
            headers: telemetry.headers.clone(),
            traces: body("Spans", &resource, &spans),
            metrics: body("Metrics", &resource, &metrics.join(",")),
            end,
        })
    }

    /// Notes what became of an export. Returns whether further turns wait that can be sent at once.
    pub(crate) fn exported(&mut self, exported: Exported) -> bool {
        let health = &mut self.health;
        let counts = &mut self.memory.counts;
        let Some(queue) = &mut health.queue else {
            return false;
        };
        if exported.traces != Answer::Later {
            let (removed, saved) = queue.remove(exported.end);
            counts_saved(saved);
            if exported.traces == Answer::Refused {
                counts.dropped += removed;
            }
        }
        let wait = exported.retry_after.map(|wait| wait.min(LONGEST_WAIT));
        health.not_before = wait.map(|wait| Instant::now() + wait);
        if let Some(why) = &exported.trouble {
            debug!("telemetry was not sent: {why}");
            counts.export_failures += 1;
        } else {
            health.sent = Some(clock::now());
        }
        health.failed = exported.trouble;
        let again = health.failed.is_none() && queue.len() > 0;
        health.is_due |= again;
        again
    }
}

/// A queue that cannot be written is only in memory: the next turn tries again.
fn counts_saved(saved: std::io::Result<()>) {
    if let Err(error) = saved {
        warn!("cannot keep the traces that wait for the collector: {error}");
    }
}

#[cfg(unix)]
fn host_name(_: &Environment) -> Option<String> {
    let name = rustix::system::uname();
    Some(name.nodename().to_string_lossy().into_owned())
}

#[cfg(not(unix))]
fn host_name(env: &Environment) -> Option<String> {
    env.get("COMPUTERNAME").map(str::to_owned)
}
