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
    let level = |is_so: bool| Amount::Level(f64::from(u8::from(is_so)));
    let number = |count: usize| Amount::Level(f64::from(u32::try_from(count).unwrap_or(u32::MAX)));
    let turns = counts.turns.iter();
    let turns = turns.map(|(cause, count)| (label("cause", cause), (*count).into()));
    let probes = counts.probes.iter();
    let probes = probes.map(|(name, took)| (label("target", name), Amount::Took(took.clone())));
    let failed = counts.probe_failures.iter();
    let failed = failed.map(|(name, count)| (label("target", name), (*count).into()));
    let up = status.targets.iter().filter_map(|target| {
        let is_up = target.up?;
        Some((label("target", &target.name), level(is_up)))
    });
    let profile = status.profile.iter();
    let profile = profile.map(|name| (label("profile", shown(name)), level(true)));
    let tiers = [Tier::Proxy, Tier::Direct, Tier::Mirror, Tier::Off];
    let tiers = tiers.into_iter().filter(|_| status.tier.is_some());
    let tiers = tiers.map(|tier| {
        let is_so = status.tier == Some(tier);
        (label("tier", &tier.to_string()), level(is_so))
    });
    let mut all = vec![
        Metric::by(
            "goroam.turns",
            "{turn}",
            "Turns, by cause.",
            turns.collect(),
        ),
        Metric::of(
            "goroam.turn.failures",
            "{turn}",
            "Turns that failed: nothing was written.",
            counts.failures,
        ),
        Metric::of(
            "goroam.switches",
            "{switch}",
            "Turns that chose another profile.",
            counts.switches,
        ),
        Metric::of(
            "goroam.switch.duration",
            "s",
            "From the event to the written file, for turns that chose another profile.",
            Amount::Took(counts.switch_time.clone()),
        ),
        Metric::by(
            "goroam.probe.duration",
            "s",
            "How long the probes took that found the target up.",
            probes.collect(),
        ),
        Metric::by(
            "goroam.probe.failures",
            "{probe}",
            "Probes that did not find the target up.",
            failed.collect(),
        ),
        Metric::of(
            "goroam.drift.changes",
            "{variable}",
            "Managed variables that another program or the user has changed.",
            counts.drift,
        ),
        Metric::of(
            "goroam.export.dropped",
            "{turn}",
            "Turns whose trace no collector has.",
            counts.dropped,
        ),
        Metric::of(
            "goroam.export.failures",
            "{export}",
            "Exports that failed.",
            counts.export_failures,
        ),
    ];
    for metric in &mut all {
        metric.since = counts.since;
    }
    all.extend([
        Metric::of(
            "goroam.drift",
            "{variable}",
            "Managed variables that differ from what goroam wrote.",
            number(status.drift.len()),
        ),
        Metric::by(
            "goroam.target.up",
            "1",
            "Whether a target was up when it was last asked.",
            up.collect(),
        ),
        Metric::by(
            "goroam.profile",
            "1",
            "1 for the profile in force.",
            profile.collect(),
        ),
        Metric::by(
            "goroam.tier",
            "1",
            "1 for the place that modules come from: proxy, direct, mirror or off.",
            tiers.collect(),
        ),
        Metric::of(
            "goroam.troubles",
            "{trouble}",
            "Present problems, as status lists them.",
            number(status.troubles.len()),
        ),
        Metric::of(
            "goroam.weakened",
            "{way}",
            "Ways in which the profile in force weakens verification.",
            number(status.weakened.len()),
        ),
        Metric::of(
            "goroam.policy.refused",
            "1",
            "Whether the policy is refused, and the last good one in force.",
            level(status.last_good.is_some()),
        ),
    ]);
    if let Some(last) = counts.last {
        all.push(moment(
            "goroam.turn.last_timestamp",
            "When the last turn ended, since 1970.",
            last,
        ));
    }
    if let Some(fleet) = &status.fleet {
        all.extend(of_fleet(fleet));
    }
    if let Some(telemetry) = &status.telemetry {
        all.push(Metric::of(
            "goroam.export.queued",
            "{turn}",
            "Turns whose trace waits for the next export.",
            number(telemetry.queued),
        ));
    }
    if let Some(relay) = &status.relay {
        let counts = [
            relay.requests,
            relay.fail_overs,
            relay.incidents,
            relay.stale,
            relay.kept,
        ];
        all.extend(
            totals(counts)
                .into_iter()
                .map(|metric| metric.since(started)),
        );
    }
    all
}

/// Returns the metrics of the policy of the fleet.
fn of_fleet(fleet: &FleetStatus) -> Vec<Metric> {
    #[expect(clippy::cast_precision_loss, reason = "versions count signatures")]
    let version = fleet.applied.map(|version| {
        Metric::of(
            "goroam.fleet.version",
            "1",
            "The version of the fleet's policy that is in force.",
            Amount::Level(version as f64),
        )
    });
    let refused = Metric::of(
        "goroam.fleet.refused",
        "1",
        "Whether the store's last offer was refused.",
        Amount::Level(f64::from(u8::from(fleet.refused.is_some()))),
    );
    let fetched = fleet.fetched_at.map(|at| {
        moment(
            "goroam.fleet.fetched_timestamp",
            "When a store was last asked with success, since 1970.",
            at,
        )
    });
    let expires = fleet.expires.map(|at| {
        moment(
            "goroam.fleet.expires_timestamp",
            "When the fleet's policy expires, since 1970.",
            at,
        )
    });
    let all = version.into_iter().chain([refused]);
    all.chain(fetched).chain(expires).collect()
}

#[expect(clippy::cast_precision_loss, reason = "seconds fit for a long time")]
fn moment(name: &'static str, help: &'static str, at: Timestamp) -> Metric {
    Metric::of(name, "s", help, Amount::Level(at.as_second() as f64))
}
