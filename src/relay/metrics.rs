//! The relay's metrics in Prometheus' text format.

use std::fmt::Write as _;

use super::engine::RelayEngine;
use super::rules::breaker::BreakerState;
use super::stats::HopStats;

/// No module path is a label: names may be private.
pub(super) fn metrics(engine: &RelayEngine) -> String {
    let hops = engine.hops();
    let stats = engine.stats();
    let mut text = String::new();
    let mut family = |name: &str, help: &str, rows: Vec<(String, u64)>| {
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} counter");
        for (labels, value) in rows {
            let _ = writeln!(text, "{name}{labels} {value}");
        }
    };
    let by_hop = |value: &dyn Fn(&HopStats) -> u64| {
        let rows = stats
            .hops()
            .map(|(name, hop)| (hop_label(name), value(hop)));
        rows.collect::<Vec<_>>()
    };
    let plain = |value| vec![(String::new(), value)];
    family(
        "goroam_relay_requests_total",
        "Requests that were answered.",
        plain(stats.requests()),
    );
    family(
        "goroam_relay_failovers_total",
        "Files that another hop served because one failed.",
        plain(stats.fail_overs()),
    );
    family(
        "goroam_relay_incidents_total",
        "Files whose hash was wrong.",
        plain(stats.incidents().total()),
    );
    family(
        "goroam_relay_stale_total",
        "Lists of versions that may be old, as no hop answered.",
        plain(stats.stale()),
    );
    family(
        "goroam_relay_kept_total",
        "Versions that the mirror keeps because they passed.",
        plain(stats.kept_versions()),
    );
    family(
        "goroam_relay_refusals_total",
        "Answers without a file, by status.",
        stats
            .refusals()
            .map(|(status, count)| (format!("{{status=\"{status}\"}}"), count))
            .collect(),
    );
    family(
        "goroam_relay_hop_requests_total",
        "Requests that were sent to a hop.",
        by_hop(&|hop| hop.requests),
    );
    family(
        "goroam_relay_hop_served_total",
        "Files that came from a hop.",
        by_hop(&|hop| hop.served),
    );
    family(
        "goroam_relay_hop_failures_total",
        "Attempts at a hop that failed.",
        by_hop(&|hop| hop.failed),
    );
    let states = hops.iter().map(|hop| {
        let is_up = u64::from(hop.state == BreakerState::Closed);
        (hop_label(&hop.name), is_up)
    });
    let is_stopped = u64::from(stats.not_kept().is_some());
    let _ = writeln!(
        text,
        "# HELP goroam_relay_keep_stopped Whether the mirror is full, or cannot be written to.\n\
         # TYPE goroam_relay_keep_stopped gauge\ngoroam_relay_keep_stopped {is_stopped}\n\
         # HELP goroam_relay_hop_up Whether nothing speaks against a hop of the chain.\n\
         # TYPE goroam_relay_hop_up gauge"
    );
    for (labels, value) in states {
        let _ = writeln!(text, "goroam_relay_hop_up{labels} {value}");
    }
    text
}

fn hop_label(name: &str) -> String {
    let name = name.replace('\\', "\\\\").replace('"', "\\\"");
    format!("{{hop=\"{}\"}}", name.replace('\n', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_break_out_of_a_label() {
        assert_eq!(hop_label("a\"b\\c\nd"), r#"{hop="a\"b\\c d"}"#);
    }

    #[test]
    fn a_relay_that_knows_nothing_yet_has_metrics() {
        let metrics = metrics(&RelayEngine::waiting());
        assert!(metrics.contains("goroam_relay_requests_total 0\n"));
    }
}
