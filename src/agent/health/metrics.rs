//! goroam's metrics, of what was counted and of the present status.

use jiff::Timestamp;

use super::trace::shown;
use crate::model::Tier;
use crate::model::metrics::{Amount, Labels, Metric};
use crate::model::status::{FleetStatus, Status};
use crate::relay::metrics::totals;
use crate::state::Counts;

/// Returns all metrics. `started`: when the relay began to count.
pub(super) fn metrics(counts: &Counts, status: &Status, started: Option<Timestamp>) -> Vec<Metric> {
    let label = |name: &'static str, text: &str| -> Labels { vec![(name, text.to_owned())] };
    let number = |count: usize| Amount::Level(f64::from(u32::try_from(count).unwrap_or(u32::MAX)));
    let turns = counts.turns.iter();
    let turns = turns.map(|(cause, count)| (label("cause", cause), (*count).into()));
    let probes = counts.probes.iter();
    let probes = probes.map(|(name, took)| (label("target", name), Amount::Took(took.clone())));
    let failed = counts.probe_failures.iter();
    let failed = failed.map(|(name, count)| (label("target", name), (*count).into()));
    let up = status.targets.iter().filter_map(|target| {
        let is_up = target.up?;
        Some((label("target", &target.name), is_up.into()))
    });
    let profile = status.profile.iter();
    let profile = profile.map(|name| (label("profile", shown(name)), true.into()));
    let tiers = [Tier::Proxy, Tier::Direct, Tier::Mirror, Tier::Off];
    let tiers = tiers.into_iter().filter(|_| status.tier.is_some());
    let tiers = tiers.map(|tier| {
        let is_so = status.tier == Some(tier);
        (label("tier", &tier.to_string()), is_so.into())
    });
    let mut all = vec![
        Metric::by("goroam.turns", turns.collect()),
        Metric::of("goroam.turn.failures", counts.failures),
        Metric::of("goroam.switches", counts.switches),
        Metric::of(
            "goroam.switch.duration",
            Amount::Took(counts.switch_time.clone()),
        ),
        Metric::by("goroam.probe.duration", probes.collect()),
        Metric::by("goroam.probe.failures", failed.collect()),
        Metric::of("goroam.drift.changes", counts.drift),
        Metric::of("goroam.export.dropped", counts.dropped),
        Metric::of("goroam.export.failures", counts.export_failures),
    ];
    for metric in &mut all {
        metric.since = counts.since;
    }
    all.extend([
        Metric::of("goroam.drift", number(status.drift.len())),
        Metric::by("goroam.target.up", up.collect()),
        Metric::by("goroam.profile", profile.collect()),
        Metric::by("goroam.tier", tiers.collect()),
        Metric::of("goroam.troubles", number(status.troubles.len())),
        Metric::of("goroam.weakened", number(status.weakened.len())),
        Metric::of("goroam.policy.refused", status.last_good.is_some()),
    ]);
    if let Some(last) = counts.last {
        all.push(moment("goroam.turn.last_timestamp", last));
    }
    if let Some(fleet) = &status.fleet {
        all.extend(of_fleet(fleet));
    }
    if let Some(telemetry) = &status.telemetry {
        all.push(Metric::of("goroam.export.queued", number(telemetry.queued)));
    }
    if let Some(relay) = &status.relay {
        let counts = [
            relay.requests,
            relay.fail_overs,
            relay.incidents,
            relay.stale,
            relay.kept,
        ];
        all.extend(totals(counts).map(|metric| metric.since(started)));
    }
    all
}

/// Returns the metrics of the policy of the fleet.
fn of_fleet(fleet: &FleetStatus) -> impl Iterator<Item = Metric> {
    #[expect(clippy::cast_precision_loss, reason = "versions count signatures")]
    let version = fleet
        .applied
        .map(|version| Metric::of("goroam.fleet.version", Amount::Level(version as f64)));
    let refused = Metric::of("goroam.fleet.refused", fleet.refused.is_some());
    let moments = [
        ("goroam.fleet.fetched_timestamp", fleet.fetched_at),
        ("goroam.fleet.expires_timestamp", fleet.expires),
    ];
    let moments = moments.into_iter();
    let moments = moments.filter_map(|(name, at)| Some(moment(name, at?)));
    version.into_iter().chain([refused]).chain(moments)
}

#[expect(clippy::cast_precision_loss, reason = "seconds fit for a long time")]
fn moment(name: &'static str, at: Timestamp) -> Metric {
    Metric::of(name, Amount::Level(at.as_second() as f64))
}
