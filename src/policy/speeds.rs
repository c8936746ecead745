//! What measurements say of the targets of a `fastest`: which one is clearly faster than the one in
//! use, and how often in a row. Pure.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::model::{Observation, Verdict};

/// Another target is clearly faster if it saves this part of the time and this many milliseconds.
/// The part is more than a third, so that noise of 20 % in both of two equals is never a reason:
/// 0.8 / 1.2 saves a third.
const CLEAR_PART: f64 = 0.35;
const CLEAR_MS: f64 = 50.0;
/// How often in a row it has to be.
pub(super) const TIMES: usize = 2;

/// One measurement of all targets: the milliseconds that a typical module takes; `None`: the zip
/// did not come.
pub type SpeedRound = BTreeMap<String, Option<f64>>;

/// What is known of the targets of a `fastest` on this network.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FastestFacts {
    /// The target in use since the last turn here.
    pub standing: Option<String>,
    /// The measurements since it is in use, newest last.
    pub rounds: Vec<SpeedRound>,
}

/// A target that was clearly faster than the one in use when last measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rival<'a> {
    pub(super) name: &'a str,
    /// The part of the time that it saves; `None`: the zip of the one in use did not come.
    pub(super) saves: Option<f64>,
    /// In how many measurements in a row, counted from the newest.
    pub(super) times: usize,
}

impl FastestFacts {
    /// Finds the fastest of the targets that are clearly faster than the one in use.
    pub(super) fn rival<'a>(&self, of: &'a [String]) -> Option<Rival<'a>> {
        let (standing, last) = (self.standing.as_ref()?, self.rounds.last()?);
        let is_clear =
            |round: &SpeedRound, name: &String| match (time(round, standing), time(round, name)) {
                (_, None) => false,
                (None, Some(_)) => true,
                (Some(own), Some(other)) => own - other >= (own * CLEAR_PART).max(CLEAR_MS),
            };
        let clear = of.iter().filter(|name| is_clear(last, name));
        let name = clear.min_by(|one, other| compare(last, one, other))?;
        let in_a_row = self
            .rounds
            .iter()
            .rev()
            .take_while(|round| is_clear(round, name));
        let saves = time(last, standing).zip(time(last, name));
        Some(Rival {
            name,
            saves: saves.map(|(own, other)| 1.0 - other / own),
            times: in_a_row.count(),
        })
    }

    /// Reports whether one of these targets was clearly faster than the one in use, but not often
    /// enough yet.
    pub fn is_in_doubt(&self, of: &[String]) -> bool {
        self.rival(of).is_some_and(|rival| rival.times < TIMES)
    }

    /// Returns the target that takes the place of the one in use, if it is up.
    pub fn successor<'a>(&self, of: &'a [String]) -> Option<&'a str> {
        let rival = self.rival(of).filter(|rival| rival.times >= TIMES);
        rival.map(|rival| rival.name)
    }
}

fn time(round: &SpeedRound, name: &str) -> Option<f64> {
    round.get(name).copied().flatten()
}

/// Sorts what was measured: right content first, of that a directory of this machine, then the
/// faster one; and last the proxies that sent something else, however fast.
pub fn sort_by_speed(seen: &mut [Observation], is_local: impl Fn(&str) -> bool) {
    let time = |seen: &Observation| seen.speed.map(|speed| speed.expected_ms());
    let round = seen.iter().map(|seen| (seen.target.clone(), time(seen)));
    let round: SpeedRound = round.collect();
    let place = |seen: &Observation| match seen.verdict {
        Verdict::Up if is_local(&seen.target) => 0,
        Verdict::Up => 1,
        Verdict::Down => 2,
        Verdict::Portal | Verdict::Wrong => 3,
    };
    seen.sort_by(|one, other| {
        let by_place = place(one).cmp(&place(other));
        by_place.then_with(|| compare(&round, &one.target, &other.target))
    });
}

/// The faster one first; then those whose zip did not come.
pub(super) fn compare(round: &SpeedRound, one: &str, other: &str) -> Ordering {
    let time = |name| time(round, name).unwrap_or(f64::INFINITY);
    time(one).total_cmp(&time(other))
}

#[cfg(test)]
mod tests {
    use super::sort_by_speed;
    use crate::model::{Observation, Speed, Verdict};

    #[test]
    fn what_is_wrong_is_never_the_fastest() {
        let seen = |name: &str, verdict, speed: Option<(f64, f64)>| Observation {
            target: name.to_owned(),
            verdict,
            speed: speed.map(|(first_byte, bytes_per_second)| Speed {
                first_byte,
                bytes_per_second,
            }),
            ..Observation::default()
        };
        let mut all = [
            seen("wrong", Verdict::Wrong, Some((1.0, 1e9))),
            seen("page", Verdict::Portal, Some((1.0, 1e9))),
            seen("down", Verdict::Down, None),
            seen("no zip", Verdict::Up, None),
            seen("gone", Verdict::Down, None),
            seen("here", Verdict::Up, None),
            seen("quick to begin", Verdict::Up, Some((5.0, 1e5))),
            seen("quick", Verdict::Up, Some((300.0, 1e7))),
        ];
        sort_by_speed(&mut all, |name| ["here", "gone"].contains(&name));
        let names = all.each_ref().map(|seen| seen.target.as_str());
        let right = ["here", "quick", "quick to begin", "no zip"];
        assert_eq!(names[..4], right);
        assert_eq!(names[4..], ["down", "gone", "wrong", "page"]);
    }
}
