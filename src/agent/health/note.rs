//! Notes each turn, and makes of it what is sent to the collector and written for node_exporter.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tracing::{debug, warn};

use super::export::{Answer, Export, Exported};
use super::metrics::metrics;
use super::queue::TraceQueue;
use super::trace::{body, resource, spans};
use crate::agent::clock;
use crate::agent::session::Session;
use crate::environment::Environment;
use crate::model::metrics::{otlp, prometheus};
use crate::model::status::Status;
use crate::state::{Entry, file};

/// No file of metrics that goroam wrote is longer.
const MOST_METRICS: u64 = 1 << 20;

/// The longest wait that a collector can ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

impl Session {
    /// Counts a turn, and keeps its trace for the collector.
    pub(crate) fn note_health(&mut self, entry: &Entry) {
        let loaded = Arc::clone(&self.loaded);
        let policy = &loaded.policy;
        let counts = &mut self.memory.counts;
        counts.note(entry, |name| policy.targets.contains_key(name));
        if counts.instance.is_empty() {
            counts.instance = clock::random_id();
        }
        self.health.started.get_or_insert(entry.at);
        self.health.is_due = true;
        let path = self.paths.telemetry();
        let textfile = policy.metrics.textfile.clone();
        if counts.textfile != textfile
            && let Some(old) = std::mem::replace(&mut counts.textfile, textfile)
            && file::read(&old, MOST_METRICS).is_ok_and(|text| text.is_some_and(is_ours))
        {
            // Prometheus would show its values for ever.
            let _ = std::fs::remove_file(old);
        }
        if policy.telemetry.otlp.is_none() {
            self.health.queue = None;
            counts.unsent = None;
            let _ = std::fs::remove_file(&path);
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
            env: Arc::clone(&self.env),
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
            counts.unsent.get_or_insert_with(clock::now);
        } else {
            health.sent = Some(clock::now());
            counts.unsent = None;
        }
        health.failed = exported.trouble;
        let again = health.failed.is_none() && queue.len() > 0;
        health.is_due |= again;
        again
    }
}

/// Reports whether goroam has written this file of metrics.
fn is_ours(text: Vec<u8>) -> bool {
    text.starts_with(b"# HELP goroam_")
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
