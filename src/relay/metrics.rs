//! The relay's metrics.

use super::engine::RelayEngine;
use super::rules::breaker::BreakerState;
use super::stats::HopStats;
use crate::model::metrics::{Labels, Metric, prometheus};

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
        let is_up = hop.state == BreakerState::Closed;
        (of_hop(&hop.name), is_up.into())
    });
    let done = totals([
        stats.requests(),
        stats.fail_overs(),
        stats.incidents().total(),
        stats.stale(),
        stats.kept_versions(),
    ]);
    let more = [
        Metric::by("goroam.relay.refusals", refusals.collect()),
        Metric::by("goroam.relay.hop.requests", by_hop(&|hop| hop.requests)),
        Metric::by("goroam.relay.hop.served", by_hop(&|hop| hop.served)),
        Metric::by("goroam.relay.hop.failures", by_hop(&|hop| hop.failed)),
        Metric::of("goroam.relay.keep_stopped", stats.not_kept().is_some()),
        Metric::by("goroam.relay.hop.up", states.collect()),
    ];
    prometheus(&done.chain(more).collect::<Vec<_>>())
}

/// What a relay has done in all: requests, fail-overs, incidents, stale lists, versions kept.
pub fn totals(counts: [u64; 5]) -> impl Iterator<Item = Metric> {
    const NAMES: [&str; 5] = [
        "goroam.relay.requests",
        "goroam.relay.failovers",
        "goroam.relay.incidents",
        "goroam.relay.stale",
        "goroam.relay.kept",
    ];
    let all = NAMES.into_iter().zip(counts);
    all.map(|(name, count)| Metric::of(name, count))
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
        let mut help = metrics.lines().filter(|line| line.starts_with("# HELP"));
        assert!(help.all(|line| line.ends_with('.')), "{metrics}");
    }
}
