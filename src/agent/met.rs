//! What has been found out of the targets on a network, so that it is found out once: whose zips
//! come through, and who stays silent however long one waits.

use std::collections::BTreeSet;
use std::time::Duration;

use super::cause::Cause;
use crate::gomod::sum::sha256_hex;
use crate::model::{Observation, Snapshot, Target, TargetKind};
use crate::policy::Policy;
use crate::probe::ProbeOptions;
use crate::state::Memory;

/// Networks whose zips are remembered.
const NETWORKS: usize = 64;

/// A person who waits for a command does not wait longer than this for a first byte.
pub(crate) const AT_THE_PROMPT: Duration = Duration::from_secs(30);

/// Is it still the network of the last turn, as far as that can be said?
pub(crate) fn same_stay(memory: &Memory, cause: Cause, snapshot: &Snapshot) -> bool {
    match cause {
        Cause::Network | Cause::Wake | Cause::Policy => false,
        Cause::Start | Cause::Asked => memory.snapshot.identity() == snapshot.identity(),
        Cause::Recheck | Cause::Drift | Cause::PinEnded | Cause::Late => true,
    }
}

/// How closely a target is to be looked at in a round.
pub(crate) fn care(
    memory: &Memory,
    same_stay: bool,
    snapshot: &Snapshot,
    target: &Target,
) -> ProbeOptions {
    let known = match (snapshot.identity(), mark(target)) {
        (Some(network), Some(mark)) => memory
            .zips
            .get(&network)
            .is_some_and(|marks| marks.contains(&mark)),
        (None, Some(mark)) => same_stay && memory.zips_here.contains(&mark),
        (_, None) => true,
    };
    ProbeOptions {
        zip: !known,
        patience: None,
    }
}

/// How long a person waits for it.
pub(crate) fn at_the_prompt(target: &Target) -> Option<Duration> {
    target
        .patience()
        .map(|patience| patience.min(AT_THE_PROMPT).max(target.limits.first_byte))
}

/// Notes what a round has shown. A target that is up has let its zip through, now or before;
/// after a failure that is to be seen again.
pub(crate) fn take_down(
    memory: &mut Memory,
    cause: Cause,
    snapshot: &Snapshot,
    report: &[Observation],
    policy: &Policy,
) {
    if !same_stay(memory, cause, snapshot) {
        memory.zips_here = BTreeSet::new();
        memory.waited = BTreeSet::new();
    }
    let mut marks = match snapshot.identity() {
        Some(network) => memory.zips.remove(&network).unwrap_or_default(),
        None => std::mem::take(&mut memory.zips_here),
    };
    for seen in report.iter().filter(|seen| seen.tries > 0) {
        if seen.is_up() {
            memory.waited.remove(&seen.target);
        }
        let target = policy.targets.get(&seen.target);
        if let Some(mark) = target.and_then(mark) {
            if seen.is_up() {
                marks.insert(mark);
            } else {
                marks.remove(&mark);
            }
        }
    }
    // What the policy does not ask any more would be kept for ever.
    let asked: BTreeSet<String> = policy.targets.values().filter_map(mark).collect();
    marks.retain(|mark| asked.contains(mark));
    match snapshot.identity() {
        Some(network) if !marks.is_empty() => {
            // Those that the memory knows no longer go first; then any: it costs one zip each.
            let networks = &memory.networks;
            memory.zips.retain(|one, _| networks.contains_key(one));
            while memory.zips.len() >= NETWORKS && memory.zips.pop_first().is_some() {}
            memory.zips.insert(network, marks);
        }
        Some(_) => {}
        None => memory.zips_here = marks,
    }
}

/// A proxy and what is asked of it, as a short text that gives neither away: another URL
/// or another module is another one.
fn mark(target: &Target) -> Option<String> {
    let TargetKind::GoProxy {
        url,
        module,
        version,
        ..
    } = &target.kind
    else {
        return None;
    };
    let mut mark = sha256_hex(format!("{url}\n{module}@{version}").as_bytes());
    mark.truncate(16);
    Some(mark)
}
