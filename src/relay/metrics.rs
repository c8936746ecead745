//! The relay's metrics.

use super::engine::RelayEngine;
use super::rules::breaker::BreakerState;
use super::stats::HopStats;
use crate::model::metrics::{Amount, Labels, Metric, prometheus};

/// No module path is a label: names may be private.
pub(super) fn metrics(engine: &RelayEngine) -> String {
    let hops = engine.hops();
    let stats = engine.stats();
    let by_hop = |value: &dyn Fn(&HopStats) -> u64| {
        let rows = stats.hops();
        let rows = rows.map(|(name, hop)| (of_hop(name), value(hop).into()));
        rows.collect::<Vec<_>>()
    };
    let refusals = stats.refusals();
    let refusals =
        refusals.map(|(status, count)| (vec![("status", status.to_string())], count.into()));
    let states = hops.iter().map(|hop| {
        let is_up = f64::from(u8::from(hop.state == BreakerState::Closed));
        (of_hop(&hop.name), Amount::Level(is_up))
    });
    let is_stopped = f64::from(u8::from(stats.not_kept().is_some()));
    let mut all = totals([
        stats.requests(),
        stats.fail_overs(),
        stats.incidents().total(),
        stats.stale(),
        stats.kept_versions(),
    ]);
    all.extend([
        Metric::by(
            "goroam.relay.refusals",
            "{answer}",
            "Answers without a file, by status.",
            refusals.collect(),
        ),
        Metric::by(
            "goroam.relay.hop.requests",
            "{request}",
            "Requests that were sent to a hop.",
            by_hop(&|hop| hop.requests),
        ),
        Metric::by(
            "goroam.relay.hop.served",
            "{file}",
            "Files that came from a hop.",
            by_hop(&|hop| hop.served),
        ),
        Metric::by(
            "goroam.relay.hop.failures",
            "{attempt}",
            "Attempts at a hop that failed.",
            by_hop(&|hop| hop.failed),
        ),
        Metric::of(
            "goroam.relay.keep_stopped",
            "1",
            "Whether the mirror is full, or cannot be written to.",
            Amount::Level(is_stopped),
        ),
        Metric::by(
            "goroam.relay.hop.up",
            "1",
            "Whether nothing speaks against a hop of the chain.",
            states.collect(),
        ),
    ]);
    prometheus(&all)
}

/// What a relay has done in all: requests, fail-overs, incidents, stale lists, versions kept.
pub fn totals(counts: [u64; 5]) -> Vec<Metric> {
    const NAMES: [(&str, &str, &str); 5] = [
        (
            "goroam.relay.requests",
            "{request}",
            "Requests that were answered.",
        ),
        (
            "goroam.relay.failovers",
            "{file}",
            "Files that another hop served because one failed.",
        ),
        (
            "goroam.relay.incidents",
            "{file}",
            "Files whose hash was wrong.",
        ),
        (
            "goroam.relay.stale",
            "{list}",
            "Lists of versions that may be old, as no hop answered.",
        ),
        (
            "goroam.relay.kept",
            "{version}",
            "Versions that the mirror keeps because they passed.",
        ),
    ];
    let all = NAMES.into_iter().zip(counts);
    let all = all.map(|((name, unit, help), count)| Metric::of(name, unit, help, count));
    all.collect()
}

fn of_hop(name: &str) -> Labels {
    vec![("hop", name.to_owned())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relay_that_knows_nothing_yet_has_metrics() {
        let metrics = metrics(&RelayEngine::waiting());
        assert!(metrics.contains("goroam_relay_requests_total 0\n"));
    }
}
