//! What to show of a run that failed for no reason of the network's.

use super::said::Said;
use super::{form, line};

/// The line that tells best why code failed: the first complaint with a place, else the last
/// line that is no noise.
pub(super) fn telling(said: &Said<'_>) -> String {
    let text = line::cleaned(said.stderr) + "\n" + &line::cleaned(said.build_output);
    let lines = || {
        text.lines()
            .map(str::trim_end)
            .filter(|line| !line.is_empty() && !line::is_noise(line))
    };
    let placed = lines().find(|line| form::placed(line).is_some());
    let best = placed.or_else(|| lines().next_back());
    line::shown(best.unwrap_or_default())
}
