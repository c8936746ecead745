//! A request to the policy's collector, and what became of it.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value;
use url::Url;

use super::queue::TraceQueue;
use crate::environment::Environment;
use crate::model::status::TelemetryStatus;
use crate::paths::Paths;
use crate::policy::Policy;
use crate::probe::post::{Posted, post};
use crate::state::Counts;

/// The limit for all requests of one export.
const LIMIT: Duration = Duration::from_secs(3);

/// How the watching goes.
#[derive(Debug, Default)]
pub(crate) struct Health {
    pub(super) queue: Option<TraceQueue>,
    /// A turn was noted since the last export.
    pub(super) is_due: bool,
    /// When the collector last accepted something.
    pub(super) sent: Option<Timestamp>,
    /// Why the last export failed.
    pub(super) failed: Option<String>,
    /// No export before this: the collector has asked for it.
    pub(super) not_before: Option<Instant>,
    /// Why the metrics' file cannot be written.
    pub(crate) trouble: Option<String>,
    /// When this process noted its first turn.
    pub(super) started: Option<Timestamp>,
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
    pub(crate) fn status(&self, policy: &Policy, counts: &Counts) -> Option<TelemetryStatus> {
        let otlp = policy.telemetry.otlp.as_ref()?;
        Some(TelemetryStatus {
            otlp: otlp.to_string(),
            sent: self.sent,
            failed: self.failed.clone(),
            queued: self.queue.as_ref().map_or(0, TraceQueue::len),
            dropped: counts.dropped,
            unsent: counts.unsent,
        })
    }
}

/// What goes to a collector.
pub(crate) struct Export {
    pub(super) env: Arc<Environment>,
    pub(super) otlp: Url,
    pub(super) headers: Vec<(String, String)>,
    pub(super) traces: String,
    pub(super) metrics: String,
    /// Up to which turn of the queue the traces reach.
    pub(super) end: u64,
}

/// A request that is under way.
pub(crate) type Sending = Pin<Box<dyn Future<Output = Exported>>>;

/// What became of it.
#[derive(Debug)]
pub(crate) struct Exported {
    pub(super) end: u64,
    pub(super) traces: Answer,
    /// What is wrong, with the traces or else with the metrics.
    pub(super) trouble: Option<String>,
    pub(super) retry_after: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
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
            let body = posted.body.trim_ascii();
            if !body.is_empty() && !body.starts_with(b"{") {
                let why = "a page came in place of a collector's answer";
                return (Answer::Later, Some(why.to_owned()), None);
            }
            // Of a long answer only the beginning is known.
            let answer = serde_json::from_slice::<Value>(body).unwrap_or_default();
            (Answer::Accepted, refused_part(&answer), None)
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

#[cfg(test)]
mod tests {
    use super::{Answer, judge};
    use crate::probe::post::Posted;

    #[test]
    fn each_answer_is_judged_by_the_rules_of_otlp() {
        use Answer::{Accepted, Later, Refused};

        for (status, body, wanted, says) in [
            (200, "", Accepted, ""),
            (202, " \n", Accepted, ""),
            (200, "{}", Accepted, ""),
            (200, r#"{"partialSuccess":{}}"#, Accepted, ""),
            (
                200,
                r#"{"partialSuccess":{"rejectedSpans":"3"}}"#,
                Accepted,
                "refused 3",
            ),
            (
                200,
                r#"{"partialSuccess":{"rejectedDataPoints":2}}"#,
                Accepted,
                "refused 2",
            ),
            (
                200,
                r#"{"partialSuccess":{"rejectedSpans":"0"}}"#,
                Accepted,
                "",
            ),
            (
                200,
                r#"{"partialSuccess":{"rejectedSpans":-1}}"#,
                Accepted,
                "",
            ),
            (200, "<html>", Later, "a page"),
            (200, "[]", Later, "a page"),
            (307, "{}", Later, "redirects"),
            (429, "", Later, "HTTP 429"),
            (502, "", Later, "HTTP 502"),
            (503, "{}", Later, "HTTP 503"),
            (504, "", Later, "HTTP 504"),
            (101, "", Refused, "HTTP 101"),
            (400, "{}", Refused, "HTTP 400"),
            (401, "", Refused, "HTTP 401"),
            (413, "", Refused, "HTTP 413"),
            (500, "", Refused, "HTTP 500"),
        ] {
            let body = body.as_bytes().to_vec();
            let retry_after = None;
            let posted = Posted {
                status,
                retry_after,
                body,
            };
            let (answer, trouble, _) = judge(Ok(posted));
            assert_eq!(answer, wanted, "{status}");
            let trouble = trouble.unwrap_or_default();
            assert!(
                trouble.contains(says) && trouble.is_empty() == says.is_empty(),
                "{trouble}"
            );
        }
        assert_eq!(judge(Err("no route".to_owned())).0, Later);
    }
}
